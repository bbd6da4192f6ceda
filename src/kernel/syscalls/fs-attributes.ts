// SPDX-License-Identifier: MIT
//
// Calls that change attributes: chmod, chown, times, truncate. fs/open.c, fs/utimes.c.

import { EBADF, EFAULT, EFBIG, EINVAL } from '../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_PATH } from '../../abi/open.ts';
import { RLIMIT_FSIZE } from '../../abi/resource.ts';
import { SIGXFSZ } from '../../abi/signal.ts';
import { UTIME_NOW, UTIME_OMIT } from '../../abi/time.ts';
import { getI64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { changeMode, changeOwner, changeTimes, truncatePath } from '../../vfs/attributes.ts';
import type { NewTime } from '../../vfs/attributes.ts';
import type { Dentry } from '../../vfs/dentry.ts';
import { kernelInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Task } from '../task.ts';
import { resolveAt } from './file-arguments.ts';
import type { SyscallDef } from './table.ts';

function byFd(task: Task, fd: number, action: (found: Dentry) => number): number {
  const file = task.files.get(fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  return action(file.dentry);
}

function byPath(
  task: Task,
  dirfd: number,
  path: number,
  follow: boolean,
  emptyOk: boolean,
  action: (found: Dentry) => number,
): number {
  const found = resolveAt(task, dirfd, path, follow, emptyOk);
  return typeof found === 'number' ? found : action(found);
}

function chmod(task: Task, dirfd: number, path: number, mode: number, flags = 0): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  return byPath(task, dirfd, path, follow, (flags & AT_EMPTY_PATH) !== 0, (found) =>
    changeMode(task.creds, found, mode),
  );
}

function chown(task: Task, dirfd: number, path: number, uid: number, gid: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  return byPath(task, dirfd, path, follow, (flags & AT_EMPTY_PATH) !== 0, (found) =>
    changeOwner(task.creds, found, uid, gid),
  );
}

/** Two times from memory: struct timespec with UTIME_ values, or struct timeval; -errno. */
function readTimes(task: Task, addr: number, hasNanoseconds: boolean): readonly [NewTime, NewTime] | number {
  if (addr === 0) return ['now', 'now'];
  const bytes = new Uint8Array(32);
  if (task.mm.copyIn(addr, bytes) < 32) return -EFAULT;
  const view = viewOf(bytes);
  const out: NewTime[] = [];
  for (const at of [0, 16]) {
    const sec = view.getBigInt64(at, true);
    const part = getI64(view, at + 8);
    if (hasNanoseconds && part === UTIME_NOW) out.push('now');
    else if (hasNanoseconds && part === UTIME_OMIT) out.push(null);
    else if (part < 0 || part >= (hasNanoseconds ? 1e9 : 1e6)) return -EINVAL;
    else out.push(sec * 1_000_000_000n + BigInt(hasNanoseconds ? part : part * 1000));
  }
  return [out[0] ?? null, out[1] ?? null];
}

function utimens(
  task: Task,
  dirfd: number,
  path: number,
  times: readonly [NewTime, NewTime] | number,
  flags: number,
): number {
  if (typeof times === 'number') return times;
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const [atime, mtime] = times;
  if (atime === null && mtime === null) return 0;
  // futimens: a null path means the descriptor itself.
  if (path === 0 && dirfd !== AT_FDCWD) {
    if (flags !== 0) return -EINVAL;
    return byFd(task, dirfd, (found) => changeTimes(task.creds, found, atime, mtime));
  }
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  return byPath(task, dirfd, path, follow, (flags & AT_EMPTY_PATH) !== 0, (found) =>
    changeTimes(task.creds, found, atime, mtime),
  );
}

function utime(task: Task, path: number, addr: number): number {
  if (addr === 0) return utimens(task, AT_FDCWD, path, ['now', 'now'], 0);
  const bytes = new Uint8Array(16);
  if (task.mm.copyIn(addr, bytes) < 16) return -EFAULT;
  const view = viewOf(bytes);
  const [atime, mtime] = [view.getBigInt64(0, true), view.getBigInt64(8, true)];
  return utimens(task, AT_FDCWD, path, [atime * 1_000_000_000n, mtime * 1_000_000_000n], 0);
}

/** RLIMIT_FSIZE: growing beyond it gives SIGXFSZ as well as EFBIG. */
function exceedsLimit(task: Task, size: number, old: number): boolean {
  if (size <= old || size <= task.group.softLimit(RLIMIT_FSIZE)) return false;
  sendSignal(task.group, task, kernelInfo(SIGXFSZ));
  return true;
}

function truncate(task: Task, path: number, size: number): number {
  if (size < 0) return -EINVAL;
  return byPath(task, AT_FDCWD, path, true, false, (found) =>
    exceedsLimit(task, size, found.inode.size) ? -EFBIG : truncatePath(task.creds, found, size),
  );
}

function ftruncate(task: Task, fd: number, size: number): number {
  if (size < 0) return -EINVAL;
  const file = task.files.get(fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  if (!file.inode.isRegular || !file.canWrite) return -EINVAL;
  if (exceedsLimit(task, size, file.inode.size)) return -EFBIG;
  const result = file.truncate(size);
  if (result === 0) file.inode.dropSetId(task.creds);
  return result;
}

export const FS_ATTRIBUTE_CALLS: readonly SyscallDef[] = [
  { nr: 90, name: 'chmod', args: ['path', 'mode'], call: (t, a) => chmod(t, AT_FDCWD, a.num(0), a.uint(1)) },
  {
    nr: 91,
    name: 'fchmod',
    args: ['fd', 'mode'],
    call: (t, a) => byFd(t, a.int(0), (found) => changeMode(t.creds, found, a.uint(1))),
  },
  {
    nr: 268,
    name: 'fchmodat',
    args: ['dirfd', 'path', 'mode'],
    call: (t, a) => chmod(t, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 452,
    name: 'fchmodat2',
    args: ['dirfd', 'path', 'mode', 'flags:at'],
    call: (t, a) => chmod(t, a.int(0), a.num(1), a.uint(2), a.uint(3)),
  },
  {
    nr: 92,
    name: 'chown',
    args: ['path', 'uid', 'uid'],
    call: (t, a) => chown(t, AT_FDCWD, a.num(0), a.int(1), a.int(2), 0),
  },
  {
    nr: 93,
    name: 'fchown',
    args: ['fd', 'uid', 'uid'],
    call: (t, a) => byFd(t, a.int(0), (found) => changeOwner(t.creds, found, a.int(1), a.int(2))),
  },
  {
    nr: 94,
    name: 'lchown',
    args: ['path', 'uid', 'uid'],
    call: (t, a) => chown(t, AT_FDCWD, a.num(0), a.int(1), a.int(2), AT_SYMLINK_NOFOLLOW),
  },
  {
    nr: 260,
    name: 'fchownat',
    args: ['dirfd', 'path', 'uid', 'uid', 'flags:fchownat'],
    call: (t, a) => chown(t, a.int(0), a.num(1), a.int(2), a.int(3), a.uint(4)),
  },
  { nr: 132, name: 'utime', args: ['path', 'in:utimbuf'], call: (t, a) => utime(t, a.num(0), a.num(1)) },
  {
    nr: 235,
    name: 'utimes',
    args: ['path', 'ptr'],
    call: (t, a) => utimens(t, AT_FDCWD, a.num(0), readTimes(t, a.num(1), false), 0),
  },
  {
    nr: 261,
    name: 'futimesat',
    args: ['dirfd', 'path', 'ptr'],
    call: (t, a) => utimens(t, a.int(0), a.num(1), readTimes(t, a.num(2), false), 0),
  },
  {
    nr: 280,
    name: 'utimensat',
    args: ['dirfd', 'path', 'in:timespec2', 'flags:utimensat'],
    call: (t, a) => utimens(t, a.int(0), a.num(1), readTimes(t, a.num(2), true), a.uint(3)),
  },
  { nr: 76, name: 'truncate', args: ['path', 'off'], call: (t, a) => truncate(t, a.num(0), a.long(1)) },
  { nr: 77, name: 'ftruncate', args: ['fd', 'off'], call: (t, a) => ftruncate(t, a.int(0), a.long(1)) },
];
