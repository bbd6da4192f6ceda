// SPDX-License-Identifier: MIT
//
// Structures as strace prints them (its abbreviated form), by the names of kinds.ts.

import { EpollEvent } from '../../abi/poll.ts';
import * as ptrace from '../../abi/ptrace.ts';
import { Rlimit, Rusage, Tms } from '../../abi/resource.ts';
import { CloneArgs, SCHED_ATTR_SIZE_VER0, SchedAttr } from '../../abi/sched.ts';
import { Sigaction, Sigevent, Siginfo, StackT } from '../../abi/signal-frame.ts';
import { SA_RESTORER, SIGEV_SIGNAL, SIGEV_THREAD_ID, SIGEV_NONE, SIGEV_THREAD, signalName } from '../../abi/signal.ts';
import { Flock, S_IFBLK, S_IFCHR, S_IFMT, Stat, Statfs, Statx, devMajor, devMinor } from '../../abi/stat.ts';
import * as stat from '../../abi/stat.ts';
import { Sysinfo, Utsname } from '../../abi/system.ts';
import { Termios } from '../../abi/ioctl.ts';
import { Termio, Termios2 } from '../../abi/termios.ts';
import { getI64, getU64 } from '../../abi/words.ts';
import { hex } from '../../base/addr.ts';
import { enumTable, enumText, nameIn } from './enums.ts';
import {
  CLONE3_HIGH_FLAGS,
  CLONE_FLAGS,
  EPOLL_FLAGS,
  SA_FLAGS,
  SS_FLAGS,
  STATX_ATTRIBUTES,
  STATX_MASK,
  namesOf,
} from './flags.ts';
import type { StructName } from './kinds.ts';
import { pointerText, siginfoText, sigsetAt } from './signal-text.ts';
import { quote } from './strings.ts';
import { termioText, termiosText } from './termios-text.ts';

/** How many bytes to read, and their text. */
export interface StructText {
  readonly size: number;
  text(view: DataView): string;
}

function hexOrZero(value: number): string {
  return value === 0 ? '0' : hex(value);
}

/** Octal, at least three characters with its leading zero: `0644`, `022`, `000`. */
export function modeText(mode: number): string {
  return (mode === 0 ? '' : `0${mode.toString(8)}`).padStart(3, '0');
}

/** `S_IFREG|0644`; a mode without a known type is octal alone. */
export function fileModeText(mode: number): string {
  const type = mode & S_IFMT;
  const name = TYPE_NAMES.get(type);
  if (name === undefined) return modeText(mode);
  let text = name;
  for (const [bit, flag] of [
    [stat.S_ISUID, 'S_ISUID'],
    [stat.S_ISGID, 'S_ISGID'],
    [stat.S_ISVTX, 'S_ISVTX'],
  ] as const) {
    if ((mode & bit) !== 0) text += `|${flag}`;
  }
  return `${text}|${modeText(mode & 0o777)}`;
}

const TYPE_NAMES = new Map<number, string>([
  [stat.S_IFSOCK, 'S_IFSOCK'],
  [stat.S_IFLNK, 'S_IFLNK'],
  [stat.S_IFREG, 'S_IFREG'],
  [stat.S_IFBLK, 'S_IFBLK'],
  [stat.S_IFDIR, 'S_IFDIR'],
  [stat.S_IFCHR, 'S_IFCHR'],
  [stat.S_IFIFO, 'S_IFIFO'],
]);

/** `makedev(0x1, 0x3)`. */
export function deviceText(major: number, minor: number): string {
  const part = (n: number): string => (n === 0 ? '0' : hex(n));
  return `makedev(${part(major)}, ${part(minor)})`;
}

/** A resource limit: whole kibibytes above one as `N*1024`. */
export function limitText(view: DataView, at: number): string {
  const value = view.getBigUint64(at, true);
  if (value === 0xffffffffffffffffn) return 'RLIM64_INFINITY';
  return value > 1024n && value % 1024n === 0n ? `${value / 1024n}*1024` : String(value);
}

function pair(view: DataView, at: number, unit: 'nsec' | 'usec'): string {
  // The fraction is printed as the unsigned number that strace sees in a bad value.
  return `{tv_sec=${view.getBigInt64(at, true)}, tv_${unit}=${view.getBigUint64(at + 8, true)}}`;
}

function interval(unit: 'nsec' | 'usec'): StructText {
  return { size: 32, text: (v) => `{it_interval=${pair(v, 0, unit)}, it_value=${pair(v, 16, unit)}}` };
}

function cString(view: DataView, at: number, size: number, limit: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
  const zero = bytes.indexOf(0);
  const shown = zero < 0 ? bytes : bytes.subarray(0, zero);
  return shown.length > limit ? `${quote(shown.subarray(0, limit))}...` : quote(shown);
}

const TRACER_EVENTS = enumTable('PTRACE_EVENT_???', ptrace, /^PTRACE_EVENT_/);

/** A status word: `{WIFEXITED(s) && WEXITSTATUS(s) == 3}`. */
export function waitStatusText(status: number): string {
  const signo = status & 0x7f;
  if (status === 0xffff) return '{WIFCONTINUED(s)}';
  if ((status & 0xff) === 0x7f) {
    // Stops of tracees tell of calls by a bit above the signal, of events by a number above that.
    const bit = (status & 0x8000) === 0 ? '' : ' | 0x80';
    const event = status >>> 16 === 0 ? '' : `|${nameIn(TRACER_EVENTS, status >>> 16)}<<16`;
    return `{WIFSTOPPED(s) && WSTOPSIG(s) == ${signalName((status >> 8) & 0x7f)}${bit}}${event}`;
  }
  if (signo === 0) return `{WIFEXITED(s) && WEXITSTATUS(s) == ${(status >> 8) & 0xff}}`;
  const core = (status & 0x80) === 0 ? '' : ' && WCOREDUMP(s)';
  return `{WIFSIGNALED(s) && WTERMSIG(s) == ${signalName(signo)}${core}}`;
}

/** Seconds since 1970 of the years 0 to 9999; a guest may pass any. */
const FIRST_DATE = -62_167_219_200;
const LAST_DATE = 253_402_300_799;

/**
 * `2023-11-14T22:13:20+0000` as a comment, with decimals where there are any; nothing for what is no date.
 * @param mark what goes around the date
 */
export function dateText(seconds: number, fraction = '', mark: readonly [string, string] = [' /* ', ' */']): string {
  if (!(seconds >= FIRST_DATE && seconds <= LAST_DATE)) return '';
  return `${mark[0]}${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction}+0000${mark[1]}`;
}

const MAGICS = enumTable('???', stat, /_MAGIC$/);
const MOUNT_FLAGS = {
  unknown: 'ST_???',
  entries: [
    ['ST_VALID', 0x20],
    ['ST_RDONLY', 1],
    ['ST_NOSUID', 2],
    ['ST_NODEV', 4],
    ['ST_NOEXEC', 8],
    ['ST_SYNCHRONOUS', 16],
    ['ST_MANDLOCK', 64],
    ['ST_NOATIME', 1024],
    ['ST_NODIRATIME', 2048],
    ['ST_RELATIME', 4096],
  ],
} as const;
const SIGEV_NAMES = new Map<number, string>([
  [SIGEV_SIGNAL, 'SIGEV_SIGNAL'],
  [SIGEV_NONE, 'SIGEV_NONE'],
  [SIGEV_THREAD, 'SIGEV_THREAD'],
  [SIGEV_THREAD_ID, 'SIGEV_THREAD_ID'],
]);
const LOCK_TYPES = ['F_RDLCK', 'F_WRLCK', 'F_UNLCK'];

function handlerText(view: DataView): string {
  const handler = view.getBigUint64(Sigaction.handler, true);
  const name = handler === 0n ? 'SIG_DFL' : handler === 1n ? 'SIG_IGN' : hex(handler);
  const flags = view.getUint32(Sigaction.flags, true);
  let text = `{sa_handler=${name}, sa_mask=${sigsetAt(view, Sigaction.mask)}, sa_flags=${namesOf(flags, SA_FLAGS)}`;
  if ((flags & SA_RESTORER) !== 0) text += `, sa_restorer=${pointerText(view.getBigUint64(Sigaction.restorer, true))}`;
  return text + '}';
}

function statText(view: DataView): string {
  const mode = view.getUint32(Stat.mode, true);
  const type = mode & S_IFMT;
  const dev = getU64(view, Stat.rdev);
  const size =
    type === S_IFCHR || type === S_IFBLK
      ? `st_rdev=${deviceText(devMajor(dev), devMinor(dev))}`
      : `st_size=${getI64(view, Stat.fileSize)}`;
  return `{st_mode=${fileModeText(mode)}, ${size}, ...}`;
}

function statxText(view: DataView): string {
  return (
    `{stx_mask=${namesOf(view.getUint32(Statx.mask, true), STATX_MASK)}, ` +
    `stx_attributes=${namesOf(getU64(view, Statx.attributes), STATX_ATTRIBUTES)}, ` +
    `stx_mode=${fileModeText(view.getUint16(Statx.mode, true))}, stx_size=${getU64(view, Statx.fileSize)}, ...}`
  );
}

function statfsText(view: DataView): string {
  const u64 = (at: number): number => getU64(view, at);
  const id = (at: number): string => {
    const n = view.getUint32(at, true);
    return n === 0 ? '0' : hex(n);
  };
  return (
    `{f_type=${nameIn(MAGICS, u64(Statfs.type))}, f_bsize=${u64(Statfs.bsize)}, f_blocks=${u64(Statfs.blocks)}, ` +
    `f_bfree=${u64(Statfs.bfree)}, f_bavail=${u64(Statfs.bavail)}, f_files=${u64(Statfs.files)}, f_ffree=${u64(Statfs.ffree)}, ` +
    `f_fsid={val=[${id(Statfs.fsid)}, ${id(Statfs.fsid + 4)}]}, f_namelen=${u64(Statfs.namelen)}, f_frsize=${u64(Statfs.frsize)}, ` +
    `f_flags=${namesOf(u64(Statfs.flags), MOUNT_FLAGS)}}`
  );
}

function sysinfoText(view: DataView): string {
  const u64 = (at: number): number => getU64(view, at);
  return (
    `{uptime=${u64(Sysinfo.uptime)}, loads=[${u64(Sysinfo.loads)}, ${u64(Sysinfo.loads + 8)}, ${u64(Sysinfo.loads + 16)}], ` +
    `totalram=${u64(Sysinfo.totalram)}, freeram=${u64(Sysinfo.freeram)}, sharedram=${u64(Sysinfo.sharedram)}, ` +
    `bufferram=${u64(Sysinfo.bufferram)}, totalswap=${u64(Sysinfo.totalswap)}, freeswap=${u64(Sysinfo.freeswap)}, ` +
    `procs=${view.getUint16(Sysinfo.procs, true)}, totalhigh=${u64(Sysinfo.totalhigh)}, freehigh=${u64(Sysinfo.freehigh)}, ` +
    `mem_unit=${view.getUint32(Sysinfo.memUnit, true)}}`
  );
}

/** struct epoll_event. */
export function epollEventText(view: DataView, at: number): string {
  return (
    `{events=${namesOf(view.getUint32(at, true), EPOLL_FLAGS)}, ` +
    `data={u32=${view.getUint32(at + EpollEvent.data, true)}, u64=${view.getBigUint64(at + EpollEvent.data, true)}}}`
  );
}

function sigeventText(view: DataView): string {
  const value = view.getBigUint64(Sigevent.value, true);
  const signo = view.getInt32(Sigevent.signo, true);
  const notify = view.getInt32(Sigevent.notify, true);
  let text = '{';
  if (value !== 0n) text += `sigev_value={sival_int=${view.getInt32(0, true)}, sival_ptr=${hex(value)}}, `;
  const isSignal = notify === SIGEV_SIGNAL || notify === SIGEV_THREAD || notify === SIGEV_THREAD_ID;
  const kind = SIGEV_NAMES.get(notify) ?? `${hex(notify >>> 0)} /* SIGEV_??? */`;
  text += `sigev_signo=${isSignal && signo !== 0 ? signalName(signo) : signo}, sigev_notify=${kind}`;
  if (notify === SIGEV_THREAD) {
    const pointer = (at: number): string => pointerText(view.getBigUint64(at, true));
    text += `, sigev_notify_function=${pointer(Sigevent.tid)}, sigev_notify_attributes=${pointer(Sigevent.tid + 8)}`;
  }
  if (notify === SIGEV_THREAD_ID) text += `, sigev_notify_thread_id=${view.getInt32(Sigevent.tid, true)}`;
  return text + '}';
}

function flockText(view: DataView): string {
  const type = view.getInt16(Flock.type, true);
  return (
    `{l_type=${LOCK_TYPES[type] ?? `0x${type.toString(16)} /* F_??? */`}, l_whence=${enumText('whence', view.getInt16(Flock.whence, true))}, ` +
    `l_start=${getI64(view, Flock.start)}, l_len=${getI64(view, Flock.length)}}`
  );
}

/** struct clone_args of `size` bytes. */
export function cloneArgsText(view: DataView, size: number): string {
  const u64 = (at: number): number => getU64(view, at);
  const flags = u64(CloneArgs.flags);
  const low = flags % 2 ** 32;
  let names = namesOf(low, CLONE_FLAGS);
  for (const [name, bit] of CLONE3_HIGH_FLAGS) if (Math.floor(flags / bit) % 2 === 1) names += `|${name}`;
  const parts = [`flags=${names.replace(/^0\|/, '')}`];
  const has = (bit: number): boolean => (low & bit) !== 0;
  if (has(0x1000)) parts.push(`pidfd=${pointerText(u64(CloneArgs.pidfd))}`);
  if (has(0x01200000)) parts.push(`child_tid=${pointerText(u64(CloneArgs.childTid))}`);
  if (has(0x00100000)) parts.push(`parent_tid=${pointerText(u64(CloneArgs.parentTid))}`);
  const signo = u64(CloneArgs.exitSignal);
  parts.push(`exit_signal=${signo >= 1 && signo <= 64 ? signalName(signo) : signo}`);
  parts.push(`stack=${pointerText(u64(CloneArgs.stack))}`);
  const stackSize = u64(CloneArgs.stackSize);
  parts.push(`stack_size=${stackSize === 0 ? '0' : hex(stackSize)}`);
  if (has(0x80000)) parts.push(`tls=${pointerText(u64(CloneArgs.tls))}`);
  if (size >= 80 && u64(CloneArgs.setTidSize) !== 0) {
    parts.push(`set_tid=${pointerText(u64(CloneArgs.setTid))}, set_tid_size=${u64(CloneArgs.setTidSize)}`);
  }
  return `{${parts.join(', ')}}`;
}

function scalar(size: number, text: (view: DataView) => string): StructText {
  return { size, text: (v) => `[${text(v)}]` };
}

/** Every structure by name; sizes are what is read. */
export const STRUCTS: Readonly<Record<StructName, StructText>> = {
  stat: { size: Stat.size, text: statText },
  statx: { size: Statx.size, text: statxText },
  statfs: { size: Statfs.size, text: statfsText },
  timespec: { size: 16, text: (v) => pair(v, 0, 'nsec') },
  timespec2: { size: 32, text: (v) => `[${pair(v, 0, 'nsec')}, ${pair(v, 16, 'nsec')}]` },
  timeval: { size: 16, text: (v) => pair(v, 0, 'usec') },
  timezone: { size: 8, text: (v) => `{tz_minuteswest=${v.getInt32(0, true)}, tz_dsttime=${v.getInt32(4, true)}}` },
  itimerspec: interval('nsec'),
  itimerval: interval('usec'),
  sigaction: { size: Sigaction.size, text: handlerText },
  sigset: { size: 8, text: (v) => sigsetAt(v, 0) },
  siginfo: { size: Siginfo.size, text: siginfoText },
  stack_t: {
    size: StackT.size,
    text: (v) =>
      `{ss_sp=${pointerText(getU64(v, StackT.sp))}, ss_flags=${namesOf(v.getUint32(StackT.flags, true), SS_FLAGS)}, ` +
      `ss_size=${getU64(v, StackT.stackSize)}}`,
  },
  rlimit: { size: Rlimit.size, text: (v) => `{rlim_cur=${limitText(v, 0)}, rlim_max=${limitText(v, 8)}}` },
  rusage: {
    size: Rusage.size,
    text: (v) => `{ru_utime=${pair(v, Rusage.utime, 'usec')}, ru_stime=${pair(v, Rusage.stime, 'usec')}, ...}`,
  },
  utsname: {
    size: Utsname.size,
    text: (v) =>
      `{sysname=${cString(v, Utsname.sysname, 65, 65)}, nodename=${cString(v, Utsname.nodename, 65, 65)}, ...}`,
  },
  sysinfo: { size: Sysinfo.size, text: sysinfoText },
  tms: {
    size: Tms.size,
    text: (v) =>
      `{tms_utime=${getI64(v, 0)}, tms_stime=${getI64(v, 8)}, tms_cutime=${getI64(v, 16)}, tms_cstime=${getI64(v, 24)}}`,
  },
  epoll_event: { size: EpollEvent.size, text: (v) => epollEventText(v, 0) },
  sched_attr: {
    size: SCHED_ATTR_SIZE_VER0,
    text: (v) =>
      `{size=${v.getUint32(SchedAttr.length, true)}, sched_policy=${enumText('sched', v.getUint32(SchedAttr.policy, true))}, ` +
      `sched_flags=${hexOrZero(getU64(v, SchedAttr.flags))}, sched_nice=${v.getInt32(SchedAttr.nice, true)}, ` +
      `sched_priority=${v.getUint32(SchedAttr.priority, true)}, sched_runtime=${getU64(v, SchedAttr.runtime)}, ` +
      `sched_deadline=${getU64(v, SchedAttr.deadline)}, sched_period=${getU64(v, SchedAttr.period)}}`,
  },
  sched_param: scalar(4, (v) => String(v.getInt32(0, true))),
  flock: { size: Flock.size, text: flockText },
  int: scalar(4, (v) => String(v.getInt32(0, true))),
  uint: scalar(4, (v) => String(v.getUint32(0, true))),
  uid: scalar(4, (v) => String(v.getInt32(0, true))),
  timerid: scalar(4, (v) => String(v.getInt32(0, true))),
  long: scalar(8, (v) => String(v.getBigInt64(0, true))),
  off: scalar(8, (v) => String(v.getBigInt64(0, true))),
  ptr: scalar(8, (v) => pointerText(v.getBigUint64(0, true))),
  intpair: { size: 8, text: (v) => `[${v.getInt32(0, true)}, ${v.getInt32(4, true)}]` },
  wstatus: scalar(4, (v) => waitStatusText(v.getInt32(0, true))),
  sigevent: { size: Sigevent.size, text: sigeventText },
  sockaddr: { size: 2, text: (v) => `{sa_family=${enumText('socket_family', v.getUint16(0, true))}, ...}` },
  termios: { size: Termios.size, text: termiosText },
  termios2: { size: Termios2.size, text: termiosText },
  termio: { size: Termio.size, text: termioText },
  winsize: {
    size: 8,
    text: (v) =>
      `{ws_row=${v.getUint16(0, true)}, ws_col=${v.getUint16(2, true)}, ws_xpixel=${v.getUint16(4, true)}, ` +
      `ws_ypixel=${v.getUint16(6, true)}}`,
  },
  cpuset: scalar(8, (v) => cpusText(v)),
  gidlist: scalar(4, (v) => String(v.getUint32(0, true))),
  time_t: scalar(8, (v) => {
    const seconds = getI64(v, 0);
    return `${seconds}${dateText(seconds)}`;
  }),
  capheader: {
    size: 8,
    text: (v) => `{version=${capabilityVersion(v.getUint32(0, true))}, pid=${v.getInt32(4, true)}}`,
  },
  capdata: {
    size: 12,
    text: (v) =>
      `{effective=${v.getUint32(0, true)}, permitted=${v.getUint32(4, true)}, inheritable=${v.getUint32(8, true)}}`,
  },
  utimbuf: { size: 16, text: (v) => `{actime=${timeText(v, 0)}, modtime=${timeText(v, 8)}}` },
  clone_args: { size: CloneArgs.sizeVersion0, text: (v) => cloneArgsText(v, CloneArgs.sizeVersion0) },
  robust_list_head: { size: 24, text: (v) => `{list=${pointerText(getU64(v, 0))}, ...}` },
  rseq: { size: 32, text: (v) => `{cpu_id_start=${v.getUint32(0, true)}, cpu_id=${v.getUint32(4, true)}, ...}` },
};

function timeText(view: DataView, at: number): string {
  const seconds = getI64(view, at);
  return seconds === 0 ? '0' : `${seconds}${dateText(seconds)}`;
}

function capabilityVersion(version: number): string {
  const names: Readonly<Record<number, string>> = {
    0x19980330: '_LINUX_CAPABILITY_VERSION_1',
    0x20071026: '_LINUX_CAPABILITY_VERSION_2',
    0x20080522: '_LINUX_CAPABILITY_VERSION_3',
  };
  return names[version] ?? `${version === 0 ? '0' : hex(version)} /* _LINUX_CAPABILITY_VERSION_??? */`;
}

/** The bits of a CPU set: `0 1 5`. */
export function cpusText(view: DataView): string {
  const cpus: number[] = [];
  for (let i = 0; i < view.byteLength * 8; i++) if (((view.getUint8(i >> 3) >> (i & 7)) & 1) === 1) cpus.push(i);
  return cpus.join(' ');
}
