// SPDX-License-Identifier: MIT
//
// Flag words as names joined by `|`, in the order in which strace prints them; bits without a name as one hex number.

import * as mount from '../../abi/mount.ts';
import * as mman from '../../abi/mman.ts';
import * as open from '../../abi/open.ts';
import * as poll from '../../abi/poll.ts';
import * as sched from '../../abi/sched.ts';
import * as signal from '../../abi/signal.ts';
import * as socket from '../../abi/socket.ts';
import * as stat from '../../abi/stat.ts';
import * as system from '../../abi/system.ts';
import * as time from '../../abi/time.ts';
import * as wait from '../../abi/wait.ts';
import type { FlagSet } from './kinds.ts';

/** Names with their bits, and what stands in the comment when no bit has a name. */
export interface FlagTable {
  readonly unknown: string;
  readonly entries: readonly (readonly [string, number])[];
  /** Text of zero; `0` by default. */
  readonly zero?: string;
}

/** The entries of a constants module that `names` lists, in that order. */
function pick(module: Readonly<Record<string, unknown>>, names: string): [string, number][] {
  return names.split(' ').map((name) => [name, module[name] as number]);
}

export const OPEN_BITS: FlagTable = {
  unknown: 'O_???',
  entries: pick(
    { ...open, __O_TMPFILE: open.O_TMPFILE & ~open.O_DIRECTORY },
    'O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_SYNC O_DSYNC O_DIRECT O_LARGEFILE O_NOFOLLOW O_NOATIME O_CLOEXEC ' +
      'O_PATH O_TMPFILE O_DIRECTORY __O_TMPFILE FASYNC',
  ),
};
const AT_FLAGS: FlagTable = {
  unknown: 'AT_???',
  entries: pick(open, 'AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE'),
};
const CLONE_BITS = pick(
  sched,
  'CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT CLONE_THREAD CLONE_NEWNS ' +
    'CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_UNTRACED CLONE_CHILD_SETTID CLONE_NEWCGROUP ' +
    'CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET CLONE_IO',
);
const TIMERFD: FlagTable = {
  unknown: 'TFD_???',
  entries: pick(poll, 'TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET TFD_CLOEXEC TFD_NONBLOCK'),
};

export const CLONE_FLAGS: FlagTable = { unknown: 'CLONE_???', entries: CLONE_BITS };
export const CLONE3_HIGH_FLAGS: readonly (readonly [string, number])[] = [
  ['CLONE_CLEAR_SIGHAND', sched.CLONE_CLEAR_SIGHAND],
  ['CLONE_INTO_CGROUP', sched.CLONE_INTO_CGROUP],
];
export const MAP_FLAGS: FlagTable = {
  unknown: 'MAP_???',
  entries: pick(
    mman,
    'MAP_FIXED MAP_ANONYMOUS MAP_32BIT MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK MAP_GROWSDOWN MAP_DENYWRITE MAP_EXECUTABLE ' +
      'MAP_LOCKED MAP_STACK MAP_HUGETLB MAP_SYNC MAP_FIXED_NOREPLACE',
  ),
};
export const POLL_FLAGS: FlagTable = {
  unknown: 'POLL???',
  entries: pick(
    poll,
    'POLLIN POLLPRI POLLOUT POLLERR POLLHUP POLLNVAL POLLRDNORM POLLRDBAND POLLWRNORM POLLWRBAND POLLMSG POLLRDHUP',
  ),
};
export const EPOLL_FLAGS: FlagTable = {
  unknown: 'EPOLL???',
  entries: pick(
    poll,
    'EPOLLIN EPOLLPRI EPOLLOUT EPOLLERR EPOLLHUP EPOLLRDNORM EPOLLRDBAND EPOLLWRNORM EPOLLWRBAND EPOLLMSG EPOLLRDHUP ' +
      'EPOLLEXCLUSIVE EPOLLWAKEUP EPOLLONESHOT EPOLLET',
  ),
};
export const SA_FLAGS: FlagTable = {
  unknown: 'SA_???',
  entries: pick(
    { ...signal, SA_INTERRUPT: 0x20000000 },
    'SA_RESTORER SA_ONSTACK SA_RESTART SA_INTERRUPT SA_NODEFER SA_RESETHAND SA_SIGINFO SA_NOCLDSTOP SA_NOCLDWAIT',
  ),
};
export const SS_FLAGS: FlagTable = { unknown: 'SS_???', entries: pick(signal, 'SS_ONSTACK SS_DISABLE SS_AUTODISARM') };
export const STATX_MASK: FlagTable = {
  unknown: 'STATX_???',
  entries: pick(
    stat,
    'STATX_ALL STATX_BASIC_STATS STATX_TYPE STATX_MODE STATX_NLINK STATX_UID STATX_GID STATX_ATIME STATX_MTIME STATX_CTIME ' +
      'STATX_INO STATX_SIZE STATX_BLOCKS STATX_BTIME STATX_MNT_ID STATX_DIOALIGN',
  ),
};
export const STATX_ATTRIBUTES: FlagTable = {
  unknown: 'STATX_ATTR_???',
  entries: pick(
    stat,
    'STATX_ATTR_COMPRESSED STATX_ATTR_IMMUTABLE STATX_ATTR_APPEND STATX_ATTR_NODUMP STATX_ATTR_ENCRYPTED STATX_ATTR_AUTOMOUNT ' +
      'STATX_ATTR_MOUNT_ROOT STATX_ATTR_VERITY STATX_ATTR_DAX',
  ),
};
export const SEALS: FlagTable = {
  unknown: 'F_SEAL_???',
  entries: pick(open, 'F_SEAL_SEAL F_SEAL_SHRINK F_SEAL_GROW F_SEAL_WRITE F_SEAL_FUTURE_WRITE'),
};
export const SOCK_TYPE_FLAGS: readonly (readonly [string, number])[] = pick(socket, 'SOCK_CLOEXEC SOCK_NONBLOCK');
export const MEMBARRIER_COMMANDS: FlagTable = {
  unknown: 'MEMBARRIER_CMD_???',
  entries: pick(
    system,
    'MEMBARRIER_CMD_GLOBAL MEMBARRIER_CMD_GLOBAL_EXPEDITED MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED ' +
      'MEMBARRIER_CMD_PRIVATE_EXPEDITED MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE ' +
      'MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ ' +
      'MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ',
  ),
};

/** Tables of the `flags:X` kinds. `open`, `map` and `access` have a part that is no flag: see {@link flagsText}. */
const TABLES: Readonly<Record<FlagSet, FlagTable>> = {
  open: OPEN_BITS,
  pipe2: OPEN_BITS,
  dup3: OPEN_BITS,
  at: AT_FLAGS,
  unlinkat: AT_FLAGS,
  linkat: AT_FLAGS,
  fchownat: AT_FLAGS,
  utimensat: AT_FLAGS,
  faccessat2: { unknown: 'AT_???', entries: pick(open, 'AT_SYMLINK_NOFOLLOW AT_EACCESS AT_EMPTY_PATH') },
  access: { unknown: '?_OK', entries: pick(open, 'R_OK W_OK X_OK'), zero: 'F_OK' },
  prot: {
    unknown: 'PROT_???',
    zero: 'PROT_NONE',
    entries: pick(mman, 'PROT_READ PROT_WRITE PROT_EXEC PROT_SEM PROT_GROWSDOWN PROT_GROWSUP'),
  },
  map: MAP_FLAGS,
  mremap: { unknown: 'MREMAP_???', entries: pick(mman, 'MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP') },
  madvise: { unknown: 'MADV_???', entries: [] },
  msync: { unknown: 'MS_???', entries: pick(mman, 'MS_SYNC MS_ASYNC MS_INVALIDATE') },
  mlock2: { unknown: 'MLOCK_???', entries: pick(mman, 'MLOCK_ONFAULT') },
  mlockall: { unknown: 'MCL_???', entries: pick(mman, 'MCL_CURRENT MCL_FUTURE MCL_ONFAULT') },
  memfd: { unknown: 'MFD_???', entries: pick(mman, 'MFD_CLOEXEC MFD_ALLOW_SEALING MFD_HUGETLB') },
  clone: CLONE_FLAGS,
  unshare: {
    unknown: 'CLONE_???',
    entries: pick(
      sched,
      'CLONE_NEWTIME CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_THREAD CLONE_NEWNS CLONE_SYSVSEM CLONE_NEWCGROUP CLONE_NEWUTS ' +
        'CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET',
    ),
  },
  sa: SA_FLAGS,
  eventfd: { unknown: 'EFD_???', entries: pick(poll, 'EFD_SEMAPHORE EFD_CLOEXEC EFD_NONBLOCK') },
  epoll_create: { unknown: 'EPOLL_???', entries: pick(poll, 'EPOLL_CLOEXEC') },
  timerfd_create: TIMERFD,
  timerfd_settime: TIMERFD,
  signalfd: { unknown: 'SFD_???', entries: pick(poll, 'SFD_CLOEXEC SFD_NONBLOCK') },
  inotify: { unknown: 'IN_???', entries: pick(poll, 'IN_NONBLOCK IN_CLOEXEC') },
  inotify_mask: {
    unknown: 'IN_???',
    entries: pick(
      poll,
      'IN_ACCESS IN_MODIFY IN_ATTRIB IN_CLOSE_WRITE IN_CLOSE_NOWRITE IN_OPEN IN_MOVED_FROM IN_MOVED_TO IN_CREATE IN_DELETE ' +
        'IN_DELETE_SELF IN_MOVE_SELF IN_UNMOUNT IN_Q_OVERFLOW IN_IGNORED IN_ONLYDIR IN_DONT_FOLLOW IN_EXCL_UNLINK ' +
        'IN_MASK_CREATE IN_MASK_ADD IN_ISDIR IN_ONESHOT',
    ),
  },
  getrandom: { unknown: 'GRND_???', entries: pick(system, 'GRND_NONBLOCK GRND_RANDOM GRND_INSECURE') },
  timer: { unknown: 'TIMER_???', entries: pick(time, 'TIMER_ABSTIME') },
  wait: {
    unknown: 'W???',
    entries: [...pick(wait, 'WNOHANG WEXITED WSTOPPED WCONTINUED WNOWAIT __WCLONE __WALL __WNOTHREAD')],
  },
  statx: {
    unknown: 'AT_???',
    entries: pick(
      open,
      'AT_STATX_FORCE_SYNC AT_STATX_DONT_SYNC AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH',
    ),
  },
  statx_mask: STATX_MASK,
  rename: { unknown: 'RENAME_??', entries: pick(open, 'RENAME_NOREPLACE RENAME_EXCHANGE RENAME_WHITEOUT') },
  fallocate: {
    unknown: 'FALLOC_FL_???',
    entries: pick(
      { ...open, FALLOC_FL_NO_HIDE_STALE: 4, FALLOC_FL_UNSHARE_RANGE: 0x40 },
      'FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE FALLOC_FL_NO_HIDE_STALE FALLOC_FL_COLLAPSE_RANGE FALLOC_FL_ZERO_RANGE ' +
        'FALLOC_FL_INSERT_RANGE FALLOC_FL_UNSHARE_RANGE',
    ),
  },
  flock: { unknown: 'LOCK_???', entries: pick(open, 'LOCK_SH LOCK_EX LOCK_NB LOCK_UN') },
  rwf: { unknown: 'RWF_???', entries: pick(open, 'RWF_HIPRI RWF_DSYNC RWF_SYNC RWF_NOWAIT RWF_APPEND') },
  xattr: { unknown: 'XATTR_???', entries: pick(open, 'XATTR_CREATE XATTR_REPLACE') },
  close_range: { unknown: 'CLOSE_RANGE_???', entries: pick(open, 'CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC') },
  rseq: { unknown: 'RSEQ_FLAG_???', entries: pick(system, 'RSEQ_FLAG_UNREGISTER') },
  sock: { unknown: 'SOCK_???', entries: SOCK_TYPE_FLAGS },
  msg: {
    unknown: 'MSG_???',
    entries: pick(
      socket,
      'MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_CTRUNC MSG_TRUNC MSG_DONTWAIT MSG_EOR MSG_WAITALL MSG_NOSIGNAL MSG_MORE MSG_CMSG_CLOEXEC',
    ),
  },
  membarrier_flags: { unknown: 'MEMBARRIER_CMD_FLAG_???', entries: [['MEMBARRIER_CMD_FLAG_CPU', 1]] },
  splice: {
    unknown: 'SPLICE_F_???',
    entries: [
      ['SPLICE_F_MOVE', 1],
      ['SPLICE_F_NONBLOCK', 2],
      ['SPLICE_F_MORE', 4],
      ['SPLICE_F_GIFT', 8],
    ],
  },
  mount: {
    unknown: 'MS_???',
    entries: pick(
      mount,
      'MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_SYNCHRONOUS MS_REMOUNT MS_MANDLOCK MS_DIRSYNC MS_NOSYMFOLLOW MS_NOATIME ' +
        'MS_NODIRATIME MS_BIND MS_MOVE MS_REC MS_SILENT MS_POSIXACL MS_UNBINDABLE MS_PRIVATE MS_SLAVE MS_SHARED MS_RELATIME ' +
        'MS_KERNMOUNT MS_I_VERSION MS_STRICTATIME MS_LAZYTIME MS_NOUSER',
    ),
  },
  umount: { unknown: 'MNT_???', entries: pick(mount, 'MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW') },
  pidfd: { unknown: 'PIDFD_???', entries: [['PIDFD_NONBLOCK', open.O_NONBLOCK]] },
};

/** `A|B|0x40`; `0x40` with a comment when no bit has a name. `value` is unsigned, up to 2^53. */
export function namesOf(value: number, table: FlagTable): string {
  if (value === 0) return table.zero ?? '0';
  let rest = BigInt(value);
  let out = '';
  for (const [name, bits] of table.entries) {
    const mask = BigInt(bits);
    if (mask !== 0n && (rest & mask) === mask) {
      out += out === '' ? name : `|${name}`;
      rest &= ~mask;
    }
  }
  if (rest === 0n) return out;
  const hex = `0x${rest.toString(16)}`;
  return out === '' ? `${hex} /* ${table.unknown} */` : `${out}|${hex}`;
}

const ACCESS_MODES = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_ACCMODE'];
const MAP_TYPES = ['MAP_FILE', 'MAP_SHARED', 'MAP_PRIVATE', 'MAP_SHARED_VALIDATE'];

/** open(2)'s flags: the access mode, then the flags. */
export function openFlagsText(value: number): string {
  const mode = ACCESS_MODES[value & open.O_ACCMODE] ?? '';
  const rest = (value & ~open.O_ACCMODE) >>> 0;
  if (rest === 0) return mode;
  const text = namesOf(rest, OPEN_BITS);
  return `${mode}|${text.replace(/ \/\*.*/, '')}`;
}

/** mmap(2)'s flags: the type, the flags, the huge page size. */
export function mapFlagsText(value: number): string {
  const type = value & mman.MAP_TYPE;
  let text = MAP_TYPES[type] ?? `0x${type.toString(16)} /* MAP_??? */`;
  const huge = (value >>> mman.MAP_HUGE_SHIFT) & mman.MAP_HUGE_MASK;
  const rest = (value & ~mman.MAP_TYPE & ~(mman.MAP_HUGE_MASK << mman.MAP_HUGE_SHIFT)) >>> 0;
  if (rest !== 0) text += `|${namesOf(rest, MAP_FLAGS).replace(/ \/\*.*/, '')}`;
  return huge === 0 ? text : `${text}|${huge}<<MAP_HUGE_SHIFT`;
}

/** The bits that a flag argument may have. */
export function bitsOf(set: FlagSet): readonly number[] {
  const table = set === 'open' ? OPEN_BITS : set === 'map' ? MAP_FLAGS : TABLES[set];
  return table.entries.map(([, bits]) => bits);
}

/** A 32-bit flag argument of the given kind. */
export function flagsText(set: FlagSet, value: number): string {
  switch (set) {
    case 'open':
      return openFlagsText(value);
    case 'map':
      return mapFlagsText(value);
    case 'statx':
      if ((value & open.AT_STATX_SYNC_TYPE) === 0) {
        return value === 0 ? 'AT_STATX_SYNC_AS_STAT' : `AT_STATX_SYNC_AS_STAT|${namesOf(value, TABLES.statx)}`;
      }
      return namesOf(value, TABLES.statx);
    default:
      return namesOf(value, TABLES[set]);
  }
}
