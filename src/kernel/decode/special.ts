// SPDX-License-Identifier: MIT
//
// Calls whose text depends on several arguments at once: which arguments exist, what they mean, or what the
// result adds. Everything else is shown by its ArgKinds alone.

import * as abi from '../../abi/open.ts';
import { EINTR, ERESTART_RESTARTBLOCK } from '../../abi/errno.ts';
import { MREMAP_DONTUNMAP, MREMAP_FIXED } from '../../abi/mman.ts';
import { signalName } from '../../abi/signal.ts';
import { TIMER_ABSTIME } from '../../abi/time.ts';
import { hex } from '../../base/addr.ts';
import { enumText } from './enums.ts';
import { MEMBARRIER_COMMANDS, OPEN_BITS, POLL_FLAGS, namesOf, openFlagsText } from './flags.ts';
import { arrayText, bufferText, input, isError, output, printerOf, structText } from './printers.ts';
import type { Call, Printer } from './printers.ts';
import { readBytes, readStruct } from './reader.ts';
import { pointerText, sigsetAt } from './signal-text.ts';
import { kinds } from './special-call.ts';
import type { SpecialArg, SpecialCall } from './special-call.ts';
import { CLONE_SPECIALS } from './special-clone.ts';
import { FCNTL_SPECIALS } from './special-fcntl.ts';
import { FUTEX_SPECIALS } from './special-futex.ts';
import { IOCTL_SPECIALS } from './special-ioctl.ts';
import { IPC_SPECIALS } from './special-ipc.ts';
import { MISC_SPECIALS } from './special-misc.ts';
import { PRCTL_SPECIALS } from './special-prctl.ts';
import { PTRACE_SPECIALS } from './special-ptrace.ts';
import { SOCKET_SPECIALS } from './special-socket.ts';
import { cpusText, dateText, waitStatusText } from './structs.ts';
import { STRING_LIMIT, quoteHex } from './strings.ts';

function opensWithMode(flags: number): boolean {
  return (flags & abi.O_CREAT) !== 0 || (flags & abi.O_TMPFILE & ~abi.O_DIRECTORY) !== 0;
}

const TIMESPEC = printerOf('in:timespec');

/** The rest of a sleep: shown only where the call wrote it, which is when a signal interrupted it. */
const REMAINDER: Printer = {
  exit: ({ args, memory }, i, result) =>
    result === -ERESTART_RESTARTBLOCK || result === -EINTR
      ? structText(memory, 'timespec', args.num(i))
      : pointerText(args.big(i)),
};

const POLLFDS = input(({ args, memory }, i) =>
  arrayText(memory, args.num(i), args.num(i + 1), 8, (view) => {
    const events = view.getUint16(4, true);
    const fd = view.getInt32(0, true);
    return fd < 0 ? `{fd=${fd}}` : `{fd=${fd}, events=${namesOf(events, POLL_FLAGS)}}`;
  }),
);

function pollResult({ args, memory }: Call, result: number, left: string): string | undefined {
  if (result === 0) return left === '' ? '0 (Timeout)' : `0 (Timeout)`;
  const parts: string[] = [];
  for (let k = 0; k < args.num(1) && parts.length < result; k++) {
    const view = readStruct(memory, args.num(0) + 8 * k, 8);
    if (view === undefined) break;
    const revents = view.getUint16(6, true);
    if (revents !== 0) parts.push(`{fd=${view.getInt32(0, true)}, revents=${namesOf(revents, POLL_FLAGS)}}`);
  }
  return `${result} ([${parts.join(', ')}]${left})`;
}

function timeLeft(call: Call, i: number, name: 'timespec' | 'timeval'): string {
  return call.args.num(i) === 0 ? '' : `, left ${structText(call.memory, name, call.args.num(i))}`;
}

function fdSet(memory: Call['memory'], addr: number, count: number): string {
  const bytes = readBytes(memory, addr, Math.ceil(Math.max(0, Math.min(count, 1024)) / 64) * 8);
  if (bytes === undefined) return pointerText(addr);
  return `[${cpusText(new DataView(bytes.buffer))}]`;
}

const FD_SET = input(({ args, memory }, i) => {
  const addr = args.num(i);
  return addr === 0 ? 'NULL' : fdSet(memory, addr, args.int(0));
});

function selectResult(call: Call, result: number, left: string): string {
  if (result === 0) return '0 (Timeout)';
  const parts: string[] = [];
  for (const [i, label] of [
    [1, 'in'],
    [2, 'out'],
    [3, 'except'],
  ] as const) {
    const addr = call.args.num(i);
    if (addr === 0) continue;
    const text = fdSet(call.memory, addr, call.args.int(0));
    if (text !== '[]') parts.push(`${label} ${text}`);
  }
  return `${result} (${parts.join(', ')}${left})`;
}

function timesText({ args, memory }: Call, i: number, fraction: 'nsec' | 'usec'): string {
  const addr = args.num(i);
  if (addr === 0) return 'NULL';
  const view = readStruct(memory, addr, 32);
  if (view === undefined) return pointerText(addr);
  const one = (at: number): string => {
    const sec = view.getBigInt64(at, true);
    const part = view.getBigUint64(at + 8, true);
    if (fraction === 'nsec' && part === 0x3fffffffn) return 'UTIME_NOW';
    if (fraction === 'nsec' && part === 0x3ffffffen) return 'UTIME_OMIT';
    const text = `{tv_sec=${sec}, tv_${fraction}=${part}}`;
    const digits = fraction === 'nsec' ? 9 : 6;
    if (sec === 0n || part >= 10n ** BigInt(digits)) return text;
    const decimals = part === 0n ? '' : `.${String(part).padStart(digits, '0')}`;
    return `${text}${dateText(Number(sec), decimals)}`;
  };
  return `[${one(0)}, ${one(16)}]`;
}

const CPU_SET_IN = input(({ args, memory }, i) => cpuSet(memory, args.num(i), args.num(i - 1)));

function cpuSet(memory: Call['memory'], addr: number, size: number): string {
  if (addr === 0) return 'NULL';
  const view = readStruct(memory, addr, Math.min(size, 1024));
  return view === undefined ? pointerText(addr) : `[${cpusText(view)}]`;
}

const OFFSET_CHANGED = printerOf('inout:off');

function signalMask(call: Call): string {
  const { args, memory } = call;
  const frame = args.regs?.get(4);
  const view = frame === undefined ? undefined : readStruct(memory, frame + 296, 8);
  return `{mask=${view === undefined ? '[]' : sigsetAt(view, 0)}}`;
}

const WAIT_STATUS: Printer = {
  exit: ({ args, memory }, i, result) => {
    const addr = args.num(i);
    const view = addr === 0 || isError(result) || result === 0 ? undefined : readStruct(memory, addr, 4);
    return view === undefined ? pointerText(addr) : `[${waitStatusText(view.getInt32(0, true))}]`;
  },
};

const WAIT_USAGE: Printer = {
  exit: ({ args, memory }, i, result) =>
    result === 0
      ? pointerText(args.big(i))
      : isError(result)
        ? pointerText(args.big(i))
        : structText(memory, 'rusage', args.num(i)),
};

const GROUPS_OUT = output(({ args, memory }, i, result) =>
  args.num(0) === 0
    ? pointerText(args.big(i))
    : arrayText(memory, args.num(i), result, 4, (view) => String(view.getUint32(0, true))),
);

const EXTENT: SpecialCall = {
  args: () => kinds('fd', 'buf', 'size', 'off'),
};

/** Calls by name. */
export const SPECIAL: Readonly<Record<string, SpecialCall>> = {
  ...FCNTL_SPECIALS,
  ...IOCTL_SPECIALS,
  ...IPC_SPECIALS,
  ...SOCKET_SPECIALS,
  ...PRCTL_SPECIALS,
  ...FUTEX_SPECIALS,
  ...CLONE_SPECIALS,
  ...MISC_SPECIALS,
  ...PTRACE_SPECIALS,
  open: { args: (a) => kinds('path', 'flags:open', ...(opensWithMode(a.uint(1)) ? ['mode' as const] : [])) },
  openat: { args: (a) => kinds('dirfd', 'path', 'flags:open', ...(opensWithMode(a.uint(2)) ? ['mode' as const] : [])) },
  creat: { args: () => kinds('path', 'mode') },
  pipe2: { args: () => [printerOf('out:intpair'), openBits(1)] },
  dup3: { args: () => [...kinds('fd', 'fd'), openBits(2)] },
  read: { args: () => kinds('fd', 'outbuf', 'size') },
  pread64: { args: () => kinds('fd', 'outbuf', 'size', 'off') },
  write: { args: () => kinds('fd', 'buf', 'size') },
  pwrite64: EXTENT,
  lseek: { args: () => kinds('fd', 'off', 'enum:whence') },
  truncate: { args: () => kinds('path', 'size') },
  ftruncate: { args: () => kinds('fd', 'size') },
  mknod: { args: (a) => (isDevice(a.uint(1)) ? kinds('path', 'filemode', 'dev') : kinds('path', 'filemode')) },
  mknodat: {
    args: (a) => (isDevice(a.uint(2)) ? kinds('dirfd', 'path', 'filemode', 'dev') : kinds('dirfd', 'path', 'filemode')),
  },
  mmap: {
    args: () => [...kinds('ptr', 'size', 'flags:prot', 'flags:map', 'fd'), printerOf('hex')],
  },
  mremap: {
    args: (a) =>
      kinds(
        'ptr',
        'size',
        'size',
        'flags:mremap',
        ...((a.uint(3) & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0 ? ['ptr' as const] : []),
      ),
  },
  madvise: { args: () => kinds('ptr', 'size', 'enum:madvice') },
  rt_sigreturn: { args: () => [input(signalMask)] },
  rt_sigtimedwait: {
    args: () => kinds('in:sigset', 'out:siginfo', 'in:timespec', 'size'),
    result: (_, result) => `${result} (${signalName(result)})`,
  },
  rt_sigprocmask: { args: () => kinds('enum:sigprocmask', 'in:sigset', 'out:sigset', 'size') },
  nanosleep: { args: () => [TIMESPEC, REMAINDER] },
  clock_nanosleep: {
    args: (a) => [
      ...kinds('enum:clockid', 'flags:timer', 'in:timespec'),
      (a.uint(1) & TIMER_ABSTIME) === 0 ? REMAINDER : printerOf('ptr'),
    ],
  },
  poll: { args: () => [POLLFDS, ...kinds('uint', 'ms')], result: (call, result) => pollResult(call, result, '') },
  ppoll: {
    args: () => [POLLFDS, ...kinds('uint', 'in:timespec', 'in:sigset', 'size')],
    result: (call, result) => pollResult(call, result, timeLeft(call, 2, 'timespec')),
  },
  select: {
    args: () => [printerOf('int'), FD_SET, FD_SET, FD_SET, printerOf('in:timeval')],
    result: (call, result) => selectResult(call, result, timeLeft(call, 4, 'timeval')),
  },
  pselect6: {
    args: () => [printerOf('int'), FD_SET, FD_SET, FD_SET, TIMESPEC, input(pselectMask)],
    result: (call, result) => selectResult(call, result, timeLeft(call, 4, 'timespec')),
  },
  epoll_ctl: {
    args: (a) => [...kinds('fd', 'enum:epoll_ctl', 'fd'), printerOf(a.int(1) === 2 ? 'ptr' : 'in:epoll_event')],
  },
  epoll_wait: { args: () => kinds('fd', 'out:epoll_events', 'int', 'ms') },
  epoll_pwait: { args: () => kinds('fd', 'out:epoll_events', 'int', 'ms', 'in:sigset', 'size') },
  epoll_pwait2: { args: () => kinds('fd', 'out:epoll_events', 'int', 'in:timespec', 'in:sigset', 'size') },
  sendfile: { args: () => [...kinds('fd', 'fd'), OFFSET_CHANGED, printerOf('size')] },
  copy_file_range: { args: () => kinds('fd', 'in:off', 'fd', 'in:off', 'size', 'hex') },
  splice: { args: () => kinds('fd', 'in:off', 'fd', 'in:off', 'size', 'flags:splice') },
  utimensat: {
    args: () => [
      ...kinds('dirfd', 'path'),
      input((call, i) => timesText(call, i, 'nsec')),
      printerOf('flags:utimensat'),
    ],
  },
  utimes: { args: () => [printerOf('path'), input((call, i) => timesText(call, i, 'usec'))] },
  futimesat: { args: () => [...kinds('dirfd', 'path'), input((call, i) => timesText(call, i, 'usec'))] },
  wait4: { args: () => [printerOf('pid'), WAIT_STATUS, printerOf('flags:wait'), WAIT_USAGE] },
  getgroups: { args: () => [printerOf('int'), GROUPS_OUT] },
  getrandom: {
    args: () => [
      output(({ args, memory }, i, result) => bufferText(memory, args.num(i), result, quoteHex)),
      ...kinds('size', 'flags:getrandom'),
    ],
  },
  sched_getaffinity: {
    args: () => [...kinds('pid', 'size'), output(({ args, memory }, i, result) => cpuSet(memory, args.num(i), result))],
  },
  sched_setaffinity: { args: () => [...kinds('pid', 'size'), CPU_SET_IN] },
  sched_getscheduler: { result: (_, result) => `${result} (${enumText('sched', result)})` },
  personality: { result: (_, result) => `${hex(result).replace(/^0x0$/, '0')} (${enumText('personality', result)})` },
  membarrier: {
    args: (a) => [
      printerOf('enum:membarrier'),
      printerOf('flags:membarrier_flags'),
      ...(a.uint(1) === 0 ? [] : kinds('int')),
    ],
    result: ({ args }, result) =>
      args.int(0) === 0 ? `${hex(result)} (${namesOf(result, MEMBARRIER_COMMANDS)})` : undefined,
  },
  time: { result: (_, result) => `${result}${dateText(result, '', [' (', ')'])}` },
  mincore: {
    args: () => [...kinds('ptr', 'size'), output(({ args, memory }, i) => residency(memory, args.num(i), args.num(1)))],
  },
  openat2: {
    args: () => [
      ...kinds('dirfd', 'path'),
      input(({ args, memory }, i) =>
        args.num(3) < OPEN_HOW_BYTES ? pointerText(args.big(i)) : howText(memory, args.num(i), args.num(3)),
      ),
      printerOf('size'),
    ],
  },
  getdents: { args: () => kinds('fd', 'out:dirents', 'uint') },
  execve: { args: () => kinds('path', 'argv', 'envp') },
  execveat: { args: () => kinds('dirfd', 'path', 'argv', 'envp', 'flags:at') },
  sethostname: { args: () => kinds('buf', 'size') },
  umask: { args: () => kinds('mode') },
  rseq: { args: () => kinds('hex', 'hex', 'hex', 'hex') },
  memfd_create: { args: () => kinds('str', 'flags:memfd') },
  kcmp: {
    args: (a) => [...kinds('pid', 'pid'), KCMP_TYPE, ...(a.int(2) > 0 && a.int(2) < 7 ? [] : kinds('uint', 'uint'))],
  },
  timer_create: { args: () => kinds('enum:clockid', 'in:sigevent', 'out:timerid') },
  timer_settime: { args: () => [TIMER_ID, ...kinds('flags:timer', 'in:itimerspec', 'out:itimerspec')] },
  timer_gettime: { args: () => [TIMER_ID, printerOf('out:itimerspec')] },
  timer_getoverrun: { args: () => [TIMER_ID] },
  timer_delete: { args: () => [TIMER_ID] },
};

const KCMP_NAMES = ['FILE', 'VM', 'FILES', 'FS', 'SIGHAND', 'IO', 'SYSVSEM', 'EPOLL_TFD'];
const KCMP_TYPE = input(({ args }, i) => {
  const name = KCMP_NAMES[args.int(i)];
  return name === undefined ? `${hex(args.uint(i))} /* KCMP_??? */` : `KCMP_${name}`;
});

const TIMER_ID = printerOf('int');

function isDevice(mode: number): boolean {
  const type = mode & 0o170000;
  return type === 0o020000 || type === 0o060000;
}

/** open(2) flags without an access mode. */
function openBits(index: number): SpecialArg {
  return [input(({ args }, i) => namesOf(args.uint(i), OPEN_BITS)), index];
}

function pselectMask({ args, memory }: Call, i: number): string {
  const addr = args.num(i);
  const view = addr === 0 ? undefined : readStruct(memory, addr, 16);
  if (view === undefined) return pointerText(addr);
  const set = Number(view.getBigUint64(0, true));
  return `{sigmask=${structText(memory, 'sigset', set)}, sigsetsize=${view.getBigUint64(8, true)}}`;
}

function residency(memory: Call['memory'], addr: number, length: number): string {
  const pages = Math.ceil(length / 4096);
  const bytes = readBytes(memory, addr, Math.min(pages, 32));
  if (bytes === undefined) return pointerText(addr);
  return `[${[...bytes].map((b) => b & 1).join(', ')}${pages > 32 ? ', ...' : ''}]`;
}

const OPEN_HOW_BYTES = 24;
const PAGE_BYTES = 4096;

/** struct open_how; what is longer is shown when it is not zero. */
function howText(memory: Call['memory'], addr: number, size: number): string {
  const view = addr === 0 ? undefined : readStruct(memory, addr, OPEN_HOW_BYTES);
  if (view === undefined) return pointerText(addr);
  const high = view.getUint32(4, true);
  const low = openFlagsText(view.getUint32(0, true));
  const flags = high === 0 ? low : `${low}|${hex(BigInt(high) << 32n)}`;
  const mode = view.getBigUint64(8, true);
  const shownMode = mode === 0n ? '' : `mode=0${mode.toString(8)}, `;
  const resolve = namesOf(Number(view.getBigUint64(16, true)), RESOLVE);
  return `{flags=${flags}, ${shownMode}resolve=${resolve}${beyondHow(memory, addr, size)}}`;
}

function beyondHow(memory: Call['memory'], addr: number, size: number): string {
  const end = Math.min(size, PAGE_BYTES);
  if (end <= OPEN_HOW_BYTES) return '';
  const bytes = readBytes(memory, addr + OPEN_HOW_BYTES, end - OPEN_HOW_BYTES);
  if (bytes === undefined) return ', ???';
  if (bytes.every((byte) => byte === 0)) return '';
  const more = bytes.length > STRING_LIMIT ? '...' : '';
  return `, /* bytes ${OPEN_HOW_BYTES}..${end - 1} */ ${quoteHex(bytes.subarray(0, STRING_LIMIT))}${more}`;
}

const RESOLVE = {
  unknown: 'RESOLVE_???',
  entries: [
    ['RESOLVE_NO_XDEV', abi.RESOLVE_NO_XDEV],
    ['RESOLVE_NO_MAGICLINKS', abi.RESOLVE_NO_MAGICLINKS],
    ['RESOLVE_NO_SYMLINKS', abi.RESOLVE_NO_SYMLINKS],
    ['RESOLVE_BENEATH', abi.RESOLVE_BENEATH],
    ['RESOLVE_IN_ROOT', abi.RESOLVE_IN_ROOT],
    ['RESOLVE_CACHED', abi.RESOLVE_CACHED],
  ],
} as const;
