// SPDX-License-Identifier: MIT
//
// How a syscall's arguments and result are shown: the vocabulary of the syscall table's `args` and `ret` columns.
// Arguments before the first output are decoded at entry, the rest at exit, as strace does. Calls whose text
// depends on several arguments at once (fcntl, ioctl, futex, clone …) have their own decoder in special.ts.

/** Names of the flag and enumeration tables of flags.ts. */
export type FlagSet =
  | 'open'
  | 'at'
  | 'access'
  | 'prot'
  | 'map'
  | 'mremap'
  | 'madvise'
  | 'msync'
  | 'mlock2'
  | 'mlockall'
  | 'memfd'
  | 'clone'
  | 'unshare'
  | 'sa'
  | 'eventfd'
  | 'epoll_create'
  | 'pipe2'
  | 'dup3'
  | 'timerfd_create'
  | 'timerfd_settime'
  | 'signalfd'
  | 'inotify'
  | 'inotify_mask'
  | 'getrandom'
  | 'timer'
  | 'wait'
  | 'statx'
  | 'statx_mask'
  | 'rename'
  | 'fallocate'
  | 'flock'
  | 'rwf'
  | 'xattr'
  | 'close_range'
  | 'rseq'
  | 'sock'
  | 'msg'
  | 'utimensat'
  | 'membarrier_flags'
  | 'faccessat2'
  | 'unlinkat'
  | 'linkat'
  | 'fchownat'
  | 'splice'
  | 'mount'
  | 'umount'
  | 'pidfd';

/** Enumerations: one name out of a list, or the number with a comment. */
export type EnumSet =
  | 'whence'
  | 'sigprocmask'
  | 'clockid'
  | 'itimer'
  | 'rlimit'
  | 'rusage'
  | 'madvice'
  | 'sched'
  | 'prio'
  | 'idtype'
  | 'fadvise'
  | 'epoll_ctl'
  | 'membarrier'
  | 'socket_family'
  | 'shutdown'
  | 'arch_prctl'
  | 'syslog'
  | 'personality';

/** Structures read by the decoder; see structs.ts. */
export type StructName =
  | 'stat'
  | 'statx'
  | 'statfs'
  | 'timespec'
  | 'timeval'
  | 'timezone'
  | 'itimerspec'
  | 'itimerval'
  | 'sigaction'
  | 'sigset'
  | 'siginfo'
  | 'stack_t'
  | 'rlimit'
  | 'rusage'
  | 'utsname'
  | 'sysinfo'
  | 'tms'
  | 'epoll_event'
  | 'sched_param'
  | 'sched_attr'
  | 'flock'
  | 'int'
  | 'uint'
  | 'long'
  | 'intpair'
  | 'wstatus'
  | 'sigevent'
  | 'sockaddr'
  | 'termios'
  | 'termios2'
  | 'termio'
  | 'winsize'
  | 'cpuset'
  | 'time_t'
  | 'off'
  | 'timespec2'
  | 'ptr'
  | 'capheader'
  | 'capdata'
  | 'timerid'
  | 'utimbuf'
  | 'uid'
  | 'clone_args'
  | 'robust_list_head'
  | 'rseq'
  | 'gidlist';

/**
 * One argument.
 *
 * - Numbers: `int`, `uint` (32-bit, decimal), `long`, `off` (signed 64), `size` (unsigned 64), `hex`, `octal`, `mode` (0644),
 *   `filemode` (S_IFREG|0644), `ptr` (NULL or 0x…), `fd`, `dirfd` (AT_FDCWD), `pid`, `uid` (-1 possible), `signo`, `dev`, `ms`
 * - Strings in: `path` (whole), `str` (cut at 32), `buf` (length in the next argument), `argv`, `envp`
 * - Strings out: `outbuf` (length is the result), `outstr` (C string), `outlink` (readlink: length is the result)
 * - Vectors: `iov:in` (count in the next argument), `iov:out` (filled up to the result), `iov:addr` (places only)
 * - `flags:X`, `enum:X`, `in:X` and `out:X` structures; `inout:X` is shown as `in => out` where they differ
 * - `out:dirents` (getdents), `out:epoll_events` (count is the result), `none`: not shown at all
 */
export type ArgKind =
  | 'int'
  | 'uint'
  | 'long'
  | 'off'
  | 'size'
  | 'hex'
  | 'octal'
  | 'mode'
  | 'filemode'
  | 'ptr'
  | 'fd'
  | 'dirfd'
  | 'pid'
  | 'uid'
  | 'signo'
  | 'dev'
  | 'ms'
  | 'path'
  | 'str'
  | 'buf'
  | 'argv'
  | 'envp'
  | 'outbuf'
  | 'outstr'
  | 'outlink'
  | 'iov:in'
  | 'iov:out'
  | 'iov:addr'
  | `flags:${FlagSet}`
  | `enum:${EnumSet}`
  | `in:${StructName}`
  | `out:${StructName}`
  | `inout:${StructName}`
  | 'out:dirents'
  | 'out:epoll_events'
  | 'none';

/** The result: decimal by default; `none` never returns (`= ?`). */
export type RetKind = 'int' | 'hex' | 'octal' | 'fd' | 'none';

/** What the decoder needs of guest memory; `AddressSpace` fits. */
export interface GuestMemory {
  /** Copies until the first byte that cannot be read; returns how many bytes were copied. */
  copyIn(addr: number, into: Uint8Array, ignorePermissions?: boolean): number;
}

/** Raw arguments, at entry and again at exit; the kernel's `Args` fits. */
export interface RawArgs {
  /** Unsigned; rounded at 2^53 and above. */
  num(i: number): number;
  /** Low 32 bits, signed. */
  int(i: number): number;
  /** Low 32 bits, unsigned. */
  uint(i: number): number;
  /** Signed 64 bits; rounded beyond 2^53. */
  long(i: number): number;
  /** All 64 bits, unsigned. */
  big(i: number): bigint;
  /** The task's registers, for calls that have no arguments but the stack (rt_sigreturn). */
  readonly regs?: { get(register: number): number };
}

/** The part of a syscall's definition that the decoder reads. */
export interface CallShape {
  readonly nr: number;
  readonly name: string;
  readonly args: readonly ArgKind[];
  readonly ret?: RetKind;
}
