// SPDX-License-Identifier: MIT
//
// fcntl(2): the third argument and the result depend on the command.

import * as abi from '../../abi/open.ts';
import { signalName } from '../../abi/signal.ts';
import { hex } from '../../base/addr.ts';
import { enumTable, nameIn } from './enums.ts';
import { SEALS, namesOf, openFlagsText } from './flags.ts';
import type { GuestMemory, RawArgs } from './kinds.ts';
import { input, isError, output, printerOf, structText } from './printers.ts';
import type { Call, Printer } from './printers.ts';
import { readStruct } from './reader.ts';
import { pointerText } from './signal-text.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';

const COMMANDS = enumTable('F_???', abi, /^F_(DUPFD|[GS]ET|OFD|NOTIFY|ADD_SEALS|CANCELLK)/);
const LOCK_TYPES = ['F_RDLCK', 'F_WRLCK', 'F_UNLCK'];
const DESCRIPTOR_FLAGS = { unknown: 'FD_???', entries: [['FD_CLOEXEC', abi.FD_CLOEXEC]] } as const;

const COMMAND = input(({ args }, i) => nameIn(COMMANDS, args.int(i)));

/** A lock that F_GETLK fills: shown as it is afterwards, with the holder. */
const LOCK_OUT: Printer = {
  exit: ({ args, memory }, i, result) => {
    if (isError(result)) return pointerText(args.big(i));
    const holder = new Uint8Array(4);
    const got = memory.copyIn(args.num(i) + 24, holder, true);
    const pid = new DataView(holder.buffer).getInt32(0, true);
    const text = structText(memory, 'flock', args.num(i));
    return got === 4 && text.startsWith('{') ? `${text.slice(0, -1)}, l_pid=${pid}}` : text;
  },
};

const NOTIFICATIONS = {
  unknown: 'DN_???',
  entries: [
    ['DN_ACCESS', 1],
    ['DN_MODIFY', 2],
    ['DN_CREATE', 4],
    ['DN_DELETE', 8],
    ['DN_RENAME', 0x10],
    ['DN_ATTRIB', 0x20],
    ['DN_MULTISHOT', 0x80000000],
  ],
} as const;
const OWNERS = ['F_OWNER_TID', 'F_OWNER_PID', 'F_OWNER_PGRP'];

function ownerText(memory: GuestMemory, addr: number): string {
  const view = addr === 0 ? undefined : readStruct(memory, addr, 8);
  if (view === undefined) return pointerText(addr);
  const type = view.getInt32(0, true);
  return `{type=${OWNERS[type] ?? `${hex(type >>> 0)} /* F_OWNER_??? */`}, pid=${view.getInt32(4, true)}}`;
}

function argument(args: RawArgs): readonly SpecialArg[] {
  switch (args.int(1)) {
    case abi.F_SETFD:
      return [input(({ args: a }, i) => namesOf(a.uint(i), DESCRIPTOR_FLAGS))];
    case abi.F_SETFL:
      return kinds('flags:open');
    case abi.F_DUPFD:
    case abi.F_DUPFD_CLOEXEC:
    case abi.F_SETOWN:
    case abi.F_SETPIPE_SZ:
      return kinds('int');
    case abi.F_SETSIG:
      return kinds('signo');
    case abi.F_SETLK:
    case abi.F_SETLKW:
    case abi.F_OFD_SETLK:
    case abi.F_OFD_SETLKW:
      return kinds('in:flock');
    case abi.F_GETLK:
    case abi.F_OFD_GETLK:
      return [LOCK_OUT];
    case abi.F_SETLEASE:
      return [input(({ args: a }, i) => LOCK_TYPES[a.int(i)] ?? `${hex(a.uint(i))} /* F_??? */`)];
    case abi.F_NOTIFY:
      return [input(({ args: a }, i) => namesOf(a.uint(i), NOTIFICATIONS))];
    case abi.F_SETOWN_EX:
      return [input(({ args: a, memory }, i) => ownerText(memory, a.num(i)))];
    case abi.F_GETOWN_EX:
      return [output(({ args: a, memory }, i) => ownerText(memory, a.num(i)))];
    case abi.F_ADD_SEALS:
      return [input(({ args: a }, i) => namesOf(a.uint(i), SEALS))];
    case abi.F_GETFD:
    case abi.F_GETFL:
    case abi.F_GETOWN:
    case abi.F_GETSIG:
    case abi.F_GETLEASE:
    case abi.F_GETPIPE_SZ:
    case abi.F_GET_SEALS:
      return [];
    default:
      return kinds('hex');
  }
}

function result({ args }: Call, value: number): string | undefined {
  const shown = value === 0 ? '0' : hex(value);
  switch (args.int(1)) {
    case abi.F_GETFD:
      return value === 0 ? '0' : `${shown} (flags ${namesOf(value, DESCRIPTOR_FLAGS)})`;
    case abi.F_GETFL:
      return `${shown} (flags ${openFlagsText(value)})`;
    case abi.F_GETSIG:
      return value === 0 ? '0' : `${value} (${signalName(value)})`;
    case abi.F_GETLEASE:
      return `${shown} (${LOCK_TYPES[value] ?? shown})`;
    case abi.F_GET_SEALS:
      return value === 0 ? '0' : `${shown} (seals ${namesOf(value, SEALS)})`;
    default:
      return undefined;
  }
}

const fcntl = { args: (args: RawArgs): readonly SpecialArg[] => [printerOf('fd'), COMMAND, ...argument(args)], result };

export const FCNTL_SPECIALS: SpecialCalls = { fcntl };
