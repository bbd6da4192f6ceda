// SPDX-License-Identifier: MIT
//
// Checks a program inside this process: with an input, without showing its output.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { fromLatin1, latin1Bytes } from '../../../src/base/bytes.ts';
import type { HostStream } from '../../../src/base/host.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { Disassembler } from '../../../src/isa/disassembler.ts';
import { checkProgram } from '../../../src/sandbox/check/check.ts';
import type { CheckedMode, CheckResult, ModeResult } from '../../../src/sandbox/check/check-result.ts';
import type { CheckedProgram } from '../../../src/sandbox/check/compared-run.ts';
import type { InputSource } from '../../../src/sandbox/check/run-streams.ts';
import { nodeHost, openHostPath } from '../../../src/sandbox/host-node/index.ts';

let made: Disassembler | undefined;

function disassembler(): Disassembler {
  made ??= new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
  return made;
}

/** A prebuilt guest's file. */
export function guestFile(name: string): string {
  return fileURLToPath(new URL(`../../../guests/bin/${name}.elf`, import.meta.url));
}

export interface CheckedOptions extends Partial<CheckedProgram> {
  readonly input?: string;
  /** Input that is made when it is asked for, in place of `input`. */
  readonly source?: InputSource;
  readonly modes?: readonly CheckedMode[];
}

export interface Checked extends CheckResult {
  readonly output: string;
  mode(name: CheckedMode): ModeResult;
}

/** Checks a program, by default with an empty tree around it. */
export async function checked(file: string, options: CheckedOptions = {}): Promise<Checked> {
  const { input = '', source, modes = ['upstream', 'hardened'], ...program } = options;
  let output = '';
  let left = latin1Bytes(input);
  const stream: HostStream = {
    isTerminal: false,
    windowSize: () => ({ rows: 0, columns: 0 }),
    read: () => 0,
    onReadable: (callback) => setImmediate(callback),
    write: (from) => {
      output += fromLatin1(from);
      return from.length;
    },
  };
  const result = await checkProgram({
    program: {
      host: { ...nodeHost(), stdin: stream, stdout: stream, stderr: stream },
      openCpu: openUnicorn,
      memoryBytes: 128 * 2 ** 20,
      program: '/guest',
      programFile: openHostPath(file, { writable: false }),
      ...program,
    },
    modes,
    input:
      source ??
      ((into) => {
        const part = left.subarray(0, into.length);
        into.set(part);
        left = left.subarray(part.length);
        return part.length;
      }),
    disassembler,
  });
  return {
    ...result,
    output,
    mode: (name) => {
      const found = result.modes.find(({ mode }) => mode === name);
      if (found === undefined) throw new Error(`${name} was not checked`);
      return found;
    },
  };
}
