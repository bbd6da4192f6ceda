// SPDX-License-Identifier: MIT
//
// Texts of one syscall as `strace` prints them: arguments at entry, the rest and the result at exit.

import { errnoName, errnoText } from '../../abi/errno-text.ts';
import type { CallShape, GuestMemory, RawArgs } from './kinds.ts';

/** The two parts of what is known at exit. */
export interface ExitText {
  /** Remaining arguments, without the closing parenthesis. */
  readonly args: string;
  /** `3`, `-1 ENOENT (No such file or directory)`, `?`. */
  readonly result: string;
}

/** Text after `name(` that is known at entry; ends in `, ` when arguments are still to come. */
export function decodeEnter(shape: CallShape, args: RawArgs, _memory: GuestMemory): string {
  return shape.args.map((_, i) => `0x${args.big(i).toString(16)}`).join(', ');
}

export function decodeExit(_shape: CallShape, _args: RawArgs, _memory: GuestMemory, result: number): ExitText {
  if (result < 0 && result > -4096) return { args: '', result: `-1 ${errnoName(-result)} (${errnoText(-result)})` };
  return { args: '', result: String(result) };
}
