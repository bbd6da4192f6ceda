// SPDX-License-Identifier: MIT
//
// clone and clone3, which strace shows with the names of their arguments.

import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SETTLS,
  CSIGNAL,
  CloneArgs,
} from '../../abi/sched.ts';
import { signalName } from '../../abi/signal.ts';
import { CLONE_FLAGS, namesOf } from './flags.ts';
import type { RawArgs } from './kinds.ts';
import { input, isError, labelled, printerOf, structText } from './printers.ts';
import type { Printer } from './printers.ts';
import { readStruct } from './reader.ts';
import { pointerText } from './signal-text.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';
import { cloneArgsText } from './structs.ts';

/** Flags with the exit signal; what follows is shown at exit, so this ends the text of the entry. */
const FLAGS: Printer = {
  enter: ({ args }, i) => {
    const value = args.uint(i);
    const signo = value & CSIGNAL;
    const flags = (value & ~CSIGNAL) >>> 0;
    const signal = signo === 0 ? '' : signalName(signo);
    if (flags === 0) return `flags=${signal === '' ? '0' : signal}`;
    return `flags=${namesOf(flags, CLONE_FLAGS)}${signal === '' ? '' : `|${signal}`}`;
  },
  exit: () => '',
};

const PARENT_TID: Printer = {
  enter: ({ args }, i) => `parent_tid=${pointerText(args.big(i))}`,
};
const PARENT_TID_WRITTEN = labelled('parent_tid', printerOf('out:int'));
const TLS = labelled('tls', printerOf('ptr'));
const CHILD_TID = labelled('child_tidptr', printerOf('ptr'));

function cloneArgs(args: RawArgs): readonly SpecialArg[] {
  const flags = args.uint(0);
  const list: SpecialArg[] = [
    [labelled('child_stack', printerOf('ptr')), 1],
    [FLAGS, 0],
  ];
  if ((flags & (CLONE_PARENT_SETTID | CLONE_PIDFD)) !== 0) {
    list.push([
      {
        exit: (call, i, result) =>
          (isError(result) ? PARENT_TID.enter?.(call, i) : PARENT_TID_WRITTEN.exit?.(call, i, result)) ?? '',
      },
      2,
    ]);
  }
  if ((flags & CLONE_SETTLS) !== 0) list.push([TLS, 4]);
  if ((flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) !== 0) list.push([CHILD_TID, 3]);
  return list;
}

const CLONE3_ARGS: Printer = {
  enter: ({ args, memory }, i) => {
    const addr = args.num(i);
    const size = Math.min(args.num(1), CloneArgs.size);
    const view = addr === 0 || size < CloneArgs.sizeVersion0 ? undefined : readStruct(memory, addr, size);
    return view === undefined ? pointerText(addr) : cloneArgsText(view, size);
  },
  exit: ({ args, memory }, i, result) => {
    const view = isError(result) ? undefined : readStruct(memory, args.num(i), CloneArgs.sizeVersion0);
    if (view === undefined) return '';
    const flags = view.getUint32(CloneArgs.flags, true);
    const parts: string[] = [];
    const pointer = (at: number): number => Number(view.getBigUint64(at, true));
    if ((flags & CLONE_PIDFD) !== 0) parts.push(`pidfd=${structText(memory, 'int', pointer(CloneArgs.pidfd))}`);
    if ((flags & CLONE_PARENT_SETTID) !== 0)
      parts.push(`parent_tid=${structText(memory, 'int', pointer(CloneArgs.parentTid))}`);
    return parts.length === 0 ? '' : ` => {${parts.join(', ')}}`;
  },
};

export const CLONE_SPECIALS: SpecialCalls = {
  clone: { args: cloneArgs },
  clone3: { args: () => [CLONE3_ARGS, printerOf('size')] },
  fork: { args: () => [] },
  vfork: { args: () => [] },
  exit_group: { args: () => [input(({ args }, i) => String(args.int(i)))] },
};
