// SPDX-License-Identifier: MIT
//
// Enumerated arguments by name; a number without one is shown in hex with a comment, as strace does.

import * as mman from '../../abi/mman.ts';
import * as open from '../../abi/open.ts';
import * as poll from '../../abi/poll.ts';
import * as prctl from '../../abi/prctl.ts';
import * as resource from '../../abi/resource.ts';
import * as sched from '../../abi/sched.ts';
import * as signal from '../../abi/signal.ts';
import * as socket from '../../abi/socket.ts';
import * as system from '../../abi/system.ts';
import * as time from '../../abi/time.ts';
import * as wait from '../../abi/wait.ts';
import type { EnumSet } from './kinds.ts';

/** Names by value, and what stands in the comment for other values. */
export interface EnumTable {
  readonly unknown: string;
  readonly names: ReadonlyMap<number, string>;
}

/** Builds a table from every constant of a module whose name matches. */
export function enumTable(unknown: string, module: Readonly<Record<string, unknown>>, pattern: RegExp): EnumTable {
  const names = new Map<number, string>();
  for (const [name, value] of Object.entries(module)) {
    if (typeof value === 'number' && pattern.test(name) && !names.has(value)) names.set(value, name);
  }
  return { unknown, names };
}

function listed(unknown: string, names: readonly string[]): EnumTable {
  return { unknown, names: new Map(names.map((name, i) => [i, name])) };
}

const TABLES: Readonly<Record<EnumSet, EnumTable>> = {
  whence: enumTable('SEEK_???', open, /^SEEK_/),
  sigprocmask: enumTable('SIG_???', signal, /^SIG_(BLOCK|UNBLOCK|SETMASK)$/),
  clockid: enumTable('CLOCK_???', time, /^CLOCK_/),
  itimer: enumTable('ITIMER_???', time, /^ITIMER_(REAL|VIRTUAL|PROF)$/),
  rlimit: enumTable('RLIMIT_???', resource, /^RLIMIT_/),
  rusage: enumTable('RUSAGE_???', resource, /^RUSAGE_/),
  madvice: enumTable('MADV_???', mman, /^MADV_/),
  sched: {
    unknown: 'SCHED_???',
    names: new Map([
      [sched.SCHED_NORMAL, 'SCHED_OTHER'],
      [sched.SCHED_FIFO, 'SCHED_FIFO'],
      [sched.SCHED_RR, 'SCHED_RR'],
      [sched.SCHED_BATCH, 'SCHED_BATCH'],
      [sched.SCHED_IDLE, 'SCHED_IDLE'],
      [sched.SCHED_DEADLINE, 'SCHED_DEADLINE'],
    ]),
  },
  prio: enumTable('PRIO_???', sched, /^PRIO_/),
  idtype: enumTable('P_???', wait, /^P_/),
  fadvise: enumTable('POSIX_FADV_???', open, /^POSIX_FADV_/),
  epoll_ctl: enumTable('EPOLL_CTL_???', poll, /^EPOLL_CTL_/),
  membarrier: enumTable('MEMBARRIER_CMD_???', system, /^MEMBARRIER_CMD_/),
  socket_family: enumTable('AF_???', socket, /^AF_/),
  shutdown: enumTable('SHUT_???', socket, /^SHUT_/),
  arch_prctl: enumTable('ARCH_???', prctl, /^ARCH_(?!CET)/),
  syslog: listed('SYSLOG_ACTION_???', [
    'SYSLOG_ACTION_CLOSE',
    'SYSLOG_ACTION_OPEN',
    'SYSLOG_ACTION_READ',
    'SYSLOG_ACTION_READ_ALL',
    'SYSLOG_ACTION_READ_CLEAR',
    'SYSLOG_ACTION_CLEAR',
    'SYSLOG_ACTION_CONSOLE_OFF',
    'SYSLOG_ACTION_CONSOLE_ON',
    'SYSLOG_ACTION_CONSOLE_LEVEL',
    'SYSLOG_ACTION_SIZE_UNREAD',
    'SYSLOG_ACTION_SIZE_BUFFER',
  ]),
  personality: {
    unknown: 'PER_???',
    names: new Map([
      [0, 'PER_LINUX'],
      [8, 'PER_LINUX32'],
      [0xff, 'PER_MASK'],
    ]),
  },
};

/** `NAME`, or the number in hex followed by the table's comment. */
export function nameIn(table: EnumTable, value: number): string {
  return table.names.get(value) ?? `0x${(value >>> 0).toString(16)} /* ${table.unknown} */`;
}

/** Flags of personality(2), from bit 17 on. */
const PERSONALITY_FLAGS = [
  'UNAME26',
  'ADDR_NO_RANDOMIZE',
  'FDPIC_FUNCPTRS',
  'MMAP_PAGE_ZERO',
  'ADDR_COMPAT_LAYOUT',
  'READ_IMPLIES_EXEC',
  'ADDR_LIMIT_32BIT',
  'SHORT_INODE',
  'WHOLE_SECONDS',
  'STICKY_TIMEOUTS',
  'ADDR_LIMIT_3GB',
];

function personalityText(value: number): string {
  if (value === -1) return '0xffffffff';
  const flags = PERSONALITY_FLAGS.filter((_, i) => ((value >>> (17 + i)) & 1) !== 0);
  return [nameIn(TABLES.personality, value & 0xff), ...flags].join('|');
}

/** The values that an enumerated argument may have. */
export function valuesOf(set: EnumSet): readonly number[] {
  return [...TABLES[set].names.keys()];
}

export function enumText(set: EnumSet, value: number): string {
  if (set === 'syslog') return `${value} /* ${TABLES.syslog.names.get(value) ?? TABLES.syslog.unknown} */`;
  if (set === 'personality') return personalityText(value);
  return nameIn(TABLES[set], value);
}
