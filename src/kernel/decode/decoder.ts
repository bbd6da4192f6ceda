// SPDX-License-Identifier: MIT
//
// Texts of one syscall as `strace` prints them: arguments at entry up to the first output, the rest and the
// result at exit.

import { errnoName, errnoText } from '../../abi/errno-text.ts';
import { ERESTARTSYS, ERESTART_RESTARTBLOCK } from '../../abi/errno.ts';
import { hex } from '../../base/addr.ts';
import type { CallShape, GuestMemory, RawArgs } from './kinds.ts';
import { isError, printerOf } from './printers.ts';
import type { Call, Printer } from './printers.ts';
import { SPECIAL } from './special.ts';
import type { SpecialArg } from './special-call.ts';

/** The two parts of what is known at exit. */
export interface ExitText {
  /** Remaining arguments, without the closing parenthesis. */
  readonly args: string;
  /** `3`, `-1 ENOENT (No such file or directory)`, `?`. */
  readonly result: string;
}

/** A printer and the argument that it shows. */
type Shown = readonly [Printer, number];

function isPlaced(item: SpecialArg): item is Shown {
  return Array.isArray(item);
}

const plain = new Map<CallShape, readonly Shown[]>();

function shownArguments(shape: CallShape, args: RawArgs): readonly Shown[] {
  const special = SPECIAL[shape.name];
  if (special?.args) return special.args(args).map((item, i): Shown => (isPlaced(item) ? item : [item, i]));
  let list = plain.get(shape);
  if (list === undefined) {
    list = shape.args.map((kind, i): Shown => [printerOf(kind), i]).filter((_, i) => shape.args[i] !== 'none');
    plain.set(shape, list);
  }
  return list;
}

/**
 * Text after `name(` that is known at entry. It ends in `, ` when arguments are still to come, unless the last one
 * shown is also an output.
 */
export function decodeEnter(shape: CallShape, args: RawArgs, memory: GuestMemory): string {
  const call: Call = { args, memory };
  let text = '';
  for (const [printer, i] of shownArguments(shape, args)) {
    if (printer.enter === undefined) return text === '' ? '' : text + ', ';
    text += (text === '' ? '' : ', ') + printer.enter(call, i);
    if (printer.exit !== undefined) return text;
  }
  return text;
}

/** What a call is about to overwrite, for {@link decodeExit}. */
export function valueBefore(shape: CallShape, args: RawArgs, memory: GuestMemory): number | undefined {
  return SPECIAL[shape.name]?.before?.({ args, memory });
}

/** What {@link decodeEnter} left out, and the result. `result` is NaN for a call that never returns. */
export function decodeExit(
  shape: CallShape,
  args: RawArgs,
  memory: GuestMemory,
  result: number,
  before?: number,
): ExitText {
  const call: Call = { args, memory, before };
  let text = '';
  let isAtExit = false;
  for (const [printer, i] of shownArguments(shape, args)) {
    if (isAtExit) {
      text += ', ' + (printer.enter?.(call, i) ?? '') + (printer.exit?.(call, i, result) ?? '');
    } else if (printer.exit !== undefined) {
      isAtExit = true;
      text += printer.exit(call, i, result);
    }
  }
  return { args: text, result: resultText(shape, call, result) };
}

function resultText(shape: CallShape, call: Call, result: number): string {
  if (Number.isNaN(result) || shape.ret === 'none') return '?';
  if (isError(result)) {
    const errno = -result;
    const restarts = errno >= ERESTARTSYS && errno <= ERESTART_RESTARTBLOCK;
    return `${restarts ? '?' : '-1'} ${errnoName(errno)} (${errnoText(errno)})`;
  }
  const special = SPECIAL[shape.name]?.result?.(call, result);
  if (special !== undefined) return special;
  switch (shape.ret) {
    case 'hex':
      return result === 0 ? '0' : hex(result);
    case 'octal':
      return result === 0 ? '0' : `0${result.toString(8)}`;
    default:
      return String(result);
  }
}
