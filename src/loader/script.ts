// SPDX-License-Identifier: MIT
//
// The first line of a script, as Linux's fs/binfmt_script.c reads it.

import { fromLatin1 } from '../base/bytes.ts';

/** Bytes of a file that Linux looks at (BINPRM_BUF_SIZE). */
export const SCRIPT_HEAD = 256;

/** What a `#!` line asks for. */
export interface ScriptLine {
  readonly interpreter: string;
  /** Everything after the interpreter's name, as one argument. */
  readonly argument: string | undefined;
}

/** The `#!` line at the start of `head` (up to SCRIPT_HEAD bytes of the file); undefined when there is none that counts. */
export function readScriptLine(head: Uint8Array): ScriptLine | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  const text = fromLatin1(head.subarray(2, SCRIPT_HEAD));
  const newline = text.search(/[\n\0]/);
  const line = (newline < 0 ? text : text.slice(0, newline)).replace(/^[ \t]+|[ \t]+$/g, '');
  const match = /^([^ \t]+)(?:[ \t]+(.*))?$/.exec(line);
  if (match === null || match[1] === undefined) return undefined;
  // A name that fills the whole head may have been cut off.
  if (newline < 0 && match[2] === undefined && head.length >= SCRIPT_HEAD) return undefined;
  return { interpreter: match[1], argument: match[2] };
}
