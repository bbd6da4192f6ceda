// SPDX-License-Identifier: MIT
//
// Calls with one argument that no kind describes: priorities of I/O, ranges to write back, handles, waiters of
// futexes, the kernel's log.

import {
  MS_BIND,
  MS_MGC_MSK,
  MS_MGC_VAL,
  MS_MOVE,
  MS_PRIVATE,
  MS_REMOUNT,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from '../../abi/mount.ts';
import { hex } from '../../base/addr.ts';
import { enumText, nameIn } from './enums.ts';
import type { EnumTable } from './enums.ts';
import { flagsText, namesOf } from './flags.ts';
import type { FlagTable } from './flags.ts';
import { arrayText, bufferText, input, printerOf } from './printers.ts';
import { readStruct } from './reader.ts';
import { pointerText } from './signal-text.ts';
import type { SpecialCalls } from './special-call.ts';
import { kinds } from './special-call.ts';

function named(unknown: string, names: readonly string[], first = 0): EnumTable {
  return { unknown, names: new Map(names.map((name, i) => [first + i, name])) };
}

const WHO = named('IOPRIO_WHO_???', ['IOPRIO_WHO_PROCESS', 'IOPRIO_WHO_PGRP', 'IOPRIO_WHO_USER'], 1);
const CLASSES = named('IOPRIO_CLASS_???', [
  'IOPRIO_CLASS_NONE',
  'IOPRIO_CLASS_RT',
  'IOPRIO_CLASS_BE',
  'IOPRIO_CLASS_IDLE',
]);
const CLASS_SHIFT = 13;

function ioPriority(value: number): string {
  return `IOPRIO_PRIO_VALUE(${nameIn(CLASSES, value >>> CLASS_SHIFT)}, ${value & ((1 << CLASS_SHIFT) - 1)})`;
}

const RANGE_FLAGS: FlagTable = {
  unknown: 'SYNC_FILE_RANGE_???',
  entries: [
    ['SYNC_FILE_RANGE_WAIT_BEFORE', 1],
    ['SYNC_FILE_RANGE_WRITE', 2],
    ['SYNC_FILE_RANGE_WAIT_AFTER', 4],
  ],
};
const KEY_RIGHTS: FlagTable = {
  unknown: 'PKEY_???',
  entries: [
    ['PKEY_DISABLE_ACCESS', 1],
    ['PKEY_DISABLE_WRITE', 2],
  ],
};
const WAITER_FLAGS: FlagTable = {
  unknown: 'FUTEX2_???',
  entries: [
    ['FUTEX_PRIVATE_FLAG', 0x80],
    ['FUTEX_32', 2],
  ],
};
const MAX_GROUPS = 65536;
const WAITER_BYTES = 24;

/** Actions on the kernel's log that take a buffer; others take its length alone, or nothing. */
const LOG_BUFFER_ACTIONS: readonly number[] = [2, 3, 4];
const CONSOLE_LEVEL = 8;

/** What mount(2) makes of another mount has no type of its own, and only a remount has data. */
const OF_MOUNTS = MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

function mountFlags(value: number): string {
  if ((value & MS_MGC_MSK) >>> 0 !== MS_MGC_VAL) return flagsText('mount', value);
  const rest = value & ~MS_MGC_MSK;
  return rest === 0 ? 'MS_MGC_VAL' : `MS_MGC_VAL|${flagsText('mount', rest)}`;
}

/** Values of attributes that no file can have are not read. */
const XATTR_SIZE_MAX = 65536;

const XATTR_VALUE = input(({ args, memory }, i) =>
  args.num(i + 1) > XATTR_SIZE_MAX ? pointerText(args.big(i)) : bufferText(memory, args.num(i), args.num(i + 1)),
);

export const MISC_SPECIALS: SpecialCalls = {
  mount: {
    args: (args) => {
      const flags = (args.uint(3) & MS_MGC_MSK) >>> 0 === MS_MGC_VAL ? args.uint(3) & ~MS_MGC_MSK : args.uint(3);
      const isRemount = (flags & MS_REMOUNT) !== 0;
      const isOfMount = !isRemount && (flags & OF_MOUNTS) !== 0;
      return [
        ...kinds('path', 'path', isRemount || isOfMount ? 'ptr' : 'str'),
        input(({ args: a }, i) => mountFlags(a.uint(i))),
        ...kinds(isOfMount ? 'ptr' : 'str'),
      ];
    },
  },
  setxattr: { args: () => [...kinds('path', 'str'), XATTR_VALUE, ...kinds('size', 'flags:xattr')] },
  lsetxattr: { args: () => [...kinds('path', 'str'), XATTR_VALUE, ...kinds('size', 'flags:xattr')] },
  fsetxattr: { args: () => [...kinds('fd', 'str'), XATTR_VALUE, ...kinds('size', 'flags:xattr')] },
  ioprio_get: {
    args: () => [input(({ args }, i) => nameIn(WHO, args.uint(i))), printerOf('int')],
    result: (_, result) => `${hex(result).replace(/^0x0$/, '0')} (${ioPriority(result)})`,
  },
  ioprio_set: {
    args: () => [
      input(({ args }, i) => nameIn(WHO, args.uint(i))),
      printerOf('int'),
      input(({ args }, i) => ioPriority(args.uint(i))),
    ],
  },
  sync_file_range: {
    args: () => [...kinds('fd', 'off', 'off'), input(({ args }, i) => namesOf(args.uint(i), RANGE_FLAGS))],
  },
  pkey_alloc: { args: () => [printerOf('hex'), input(({ args }, i) => namesOf(args.num(i), KEY_RIGHTS))] },
  syslog: {
    args: (args) => {
      const action = args.int(0);
      const shown = input(({ args: a }, i) => enumText('syslog', a.int(i)));
      if (LOG_BUFFER_ACTIONS.includes(action)) return [shown, ...kinds('outbuf', 'int')];
      if (action === CONSOLE_LEVEL || action < 0 || action > 10) return [shown, ...kinds('ptr', 'int')];
      return [shown];
    },
  },
  name_to_handle_at: {
    args: () => [
      ...kinds('dirfd', 'path'),
      input(({ args, memory }, i) => {
        const view = args.num(i) === 0 ? undefined : readStruct(memory, args.num(i), 4);
        return view === undefined ? pointerText(args.big(i)) : `{handle_bytes=${view.getUint32(0, true)}}`;
      }),
      ...kinds('ptr', 'flags:linkat'),
    ],
  },
  futex_waitv: {
    args: () => [
      input(({ args, memory }, i) =>
        arrayText(memory, args.num(i), args.uint(i + 1), WAITER_BYTES, (view) => {
          const value = view.getBigUint64(0, true);
          const address = pointerText(view.getBigUint64(8, true));
          const flags = namesOf(view.getUint32(16, true), WAITER_FLAGS);
          return `{val=${value === 0n ? '0' : hex(value)}, uaddr=${address}, flags=${flags}}`;
        }),
      ),
      ...kinds('uint', 'hex', 'in:timespec', 'enum:clockid'),
    ],
  },
  setgroups: {
    args: () => [
      printerOf('uint'),
      input(({ args, memory }, i) =>
        args.uint(0) > MAX_GROUPS
          ? pointerText(args.big(i))
          : arrayText(memory, args.num(i), args.uint(0), 4, (view) => String(view.getUint32(0, true))),
      ),
    ],
  },
};
