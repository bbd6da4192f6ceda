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
  // Linux looks at a buffer that is zero behind the end of the file.
  const text = fromLatin1(head.subarray(2, SCRIPT_HEAD)) + (head.length < SCRIPT_HEAD ? '\0' : '');
  const end = text.search(/[\n\0]/);
  if (text[end] === '\n') {
    const match = /^[ \t]*([^ \t]+)(?:[ \t]+(.*))?$/.exec(text.slice(0, end).replace(/[ \t]+$/, ''));
    return match?.[1] === undefined ? undefined : { interpreter: match[1], argument: match[2] };
  }
  // Without a line break the name must end within the head, or it may have been cut off; blanks at the end stay.
  const match = /^[ \t]*([^ \t\0]*)(?:\0|[ \t]+([^\0]*))/.exec(text);
  return match?.[1] === undefined || /^[ \t]+$/.test(text) ? undefined : { interpreter: match[1], argument: match[2] };
}
