// SPDX-License-Identifier: MIT
//
// Calls that find, make and remove names: open, mkdir, unlink, rename, link, symlink, readlink, chdir, getcwd …
// fs/open.c, fs/namei.c, fs/readdir.c.

import {
  E2BIG,
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EOPNOTSUPP,
  ERANGE,
} from '../../abi/errno.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_LARGEFILE,
  O_PATH,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  PATH_MAX,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
} from '../../abi/open.ts';
import { POLLIN, POLLOUT } from '../../abi/poll.ts';
import { getU64 } from '../../abi/words.ts';
import { latin1Bytes, viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { changeDirectory, changeRoot } from '../../vfs/attributes.ts';
import { CAP_DAC_READ_SEARCH, hasCapability } from '../../vfs/credentials.ts';
import { isUnlinked, pathOf } from '../../vfs/dentry.ts';
import {
  makeDirectory,
  makeLink,
  makeNode,
  makeSymlink,
  removeDirectory,
  rename,
  unlink,
} from '../../vfs/namespace.ts';
import type { OpenFile, PendingOpen } from '../../vfs/open-file.ts';
import { openPath } from '../../vfs/open.ts';
import type { Task } from '../task.ts';
import { callerOf, installFile, mayInstall, readPath, resolveAt, startOf } from './file-arguments.ts';
import type { BlockRequest, SyscallDef, SyscallResult, WaitSource } from './table.ts';

/** Bits of open that mean something; the older calls ignore the rest. */
const OPEN_FLAGS = 0o37777703 | O_CREAT;

function open(task: Task, dirfd: number, addr: number, flags: number, mode: number, resolve = 0): SyscallResult {
  const path = readPath(task, addr);
  if (typeof path === 'number') return path;
  if (path === '') return -ENOENT;
  const refused = mayInstall(task);
  if (refused < 0) return refused;
  // Under RESOLVE_IN_ROOT the directory is the root, so it matters for absolute paths, too.
  const start = startOf(task, dirfd, (resolve & RESOLVE_IN_ROOT) !== 0 ? '.' : path);
  if (typeof start === 'number') return start;
  const file = openPath(callerOf(task), start, path, flags & OPEN_FLAGS, mode, resolve);
  if (typeof file === 'number') return file;
  const cloexec = (flags & O_CLOEXEC) !== 0;
  const pending = file.pendingOpen;
  if (pending === null) return installFile(task, file, cloexec);
  return task.block(new OpenWait(task, file, pending, cloexec));
}

/** An open(2) that waits for the other end of a FIFO. */
class OpenWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  private readonly task: Task;
  private readonly file: OpenFile;
  private readonly pending: PendingOpen;
  private readonly cloexec: boolean;

  constructor(task: Task, file: OpenFile, pending: PendingOpen, cloexec: boolean) {
    this.task = task;
    this.file = file;
    this.pending = pending;
    this.cloexec = cloexec;
    this.queues = [{ queue: pending.queue, mask: POLLIN | POLLOUT }];
  }

  retry(): SyscallResult {
    return this.pending.isReady() ? installFile(this.task, this.file, this.cloexec) : this.task.block(this);
  }

  onCancel(): void {
    this.file.release();
  }
}

/** struct open_how: flags, mode, resolve. */
function openat2(task: Task, dirfd: number, addr: number, how: number, size: number): SyscallResult {
  if (size < 24) return -EINVAL;
  if (size > PATH_MAX) return -E2BIG;
  const bytes = new Uint8Array(size);
  if (task.mm.copyIn(how, bytes) < size) return -EFAULT;
  if (bytes.subarray(24).some((b) => b !== 0)) return -E2BIG;
  const view = viewOf(bytes);
  const flags = getU64(view, 0);
  const mode = getU64(view, 8);
  const resolve = getU64(view, 16);
  const known = (OPEN_FLAGS | O_LARGEFILE) >>> 0;
  if (flags >= 2 ** 32 || (flags & ~known) !== 0 || resolve > 0x3f) return -EINVAL;
  const makes = (flags & (O_CREAT | (O_TMPFILE & ~0o200000))) !== 0;
  if (mode > 0o7777 || (!makes && mode !== 0)) return -EINVAL;
  if ((resolve & RESOLVE_BENEATH) !== 0 && (resolve & RESOLVE_IN_ROOT) !== 0) return -EINVAL;
  if ((flags & O_PATH) !== 0 && (flags & ~(O_PATH | 0o200000 | 0o400000 | O_CLOEXEC)) !== 0) return -EINVAL;
  if ((resolve & RESOLVE_CACHED) !== 0 && (makes || (flags & O_TRUNC) !== 0)) return -EAGAIN;
  return open(task, dirfd, addr, flags, mode, resolve);
}

/** Calls on a directory argument and one path. */
function onPath(
  task: Task,
  dirfd: number,
  addr: number,
  action: (start: import('../../vfs/dentry.ts').Dentry, path: string) => number,
): number {
  const path = readPath(task, addr);
  if (typeof path === 'number') return path;
  if (path === '') return -ENOENT;
  const start = startOf(task, dirfd, path);
  return typeof start === 'number' ? start : action(start, path);
}

function mkdir(task: Task, dirfd: number, addr: number, mode: number): number {
  return onPath(task, dirfd, addr, (start, path) => makeDirectory(callerOf(task), start, path, mode));
}

function mknod(task: Task, dirfd: number, addr: number, mode: number, device: number): number {
  return onPath(task, dirfd, addr, (start, path) => makeNode(callerOf(task), start, path, mode, device));
}

function unlinkPath(task: Task, dirfd: number, addr: number): number {
  return onPath(task, dirfd, addr, (start, path) => unlink(callerOf(task), start, path));
}

function rmdir(task: Task, dirfd: number, addr: number): number {
  return onPath(task, dirfd, addr, (start, path) => removeDirectory(callerOf(task), start, path));
}

function unlinkat(task: Task, dirfd: number, addr: number, flags: number): number {
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  return (flags & AT_REMOVEDIR) !== 0 ? rmdir(task, dirfd, addr) : unlinkPath(task, dirfd, addr);
}

function renamePaths(task: Task, fromDir: number, from: number, toDir: number, to: number, flags: number): number {
  return onPath(task, fromDir, from, (fromStart, fromPath) =>
    onPath(task, toDir, to, (toStart, toPath) => rename(callerOf(task), fromStart, fromPath, toStart, toPath, flags)),
  );
}

function link(task: Task, fromDir: number, from: number, toDir: number, to: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const emptyOk = (flags & AT_EMPTY_PATH) !== 0;
  if (emptyOk && !hasCapability(task.creds, CAP_DAC_READ_SEARCH)) return -ENOENT;
  const source = resolveAt(task, fromDir, from, (flags & AT_SYMLINK_FOLLOW) !== 0, emptyOk);
  if (typeof source === 'number') return source;
  return onPath(task, toDir, to, (start, path) => makeLink(callerOf(task), source, start, path));
}

function symlink(task: Task, target: number, dirfd: number, addr: number): number {
  const text = readPath(task, target);
  if (typeof text === 'number') return text;
  return onPath(task, dirfd, addr, (start, path) => makeSymlink(callerOf(task), text, start, path));
}

function readlink(task: Task, dirfd: number, addr: number, buffer: number, size: number): number {
  if (size <= 0) return -EINVAL;
  const found = resolveAt(task, dirfd, addr, false, dirfd !== AT_FDCWD);
  if (typeof found === 'number') return found;
  const target = found.inode.readlink();
  if (typeof target === 'number') {
    // With an empty path the descriptor itself was meant.
    return !found.inode.isSymlink && dirfd !== AT_FDCWD && readPath(task, addr) === '' ? -ENOENT : target;
  }
  found.mount.accessed(found.inode);
  const bytes = latin1Bytes(target).subarray(0, size);
  return task.mm.copyOut(buffer, bytes) === bytes.length ? bytes.length : -EFAULT;
}

/** No file system here can find a file again by a handle. */
function nameToHandle(task: Task, dirfd: number, addr: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const found = resolveAt(task, dirfd, addr, (flags & AT_SYMLINK_FOLLOW) !== 0, (flags & AT_EMPTY_PATH) !== 0);
  return typeof found === 'number' ? found : -EOPNOTSUPP;
}

function getcwd(task: Task, addr: number, size: number): number {
  const { cwd, root } = task.fs;
  if (isUnlinked(cwd)) return -ENOENT;
  const { path, reachable } = pathOf(cwd, root);
  const bytes = latin1Bytes(`${reachable ? '' : '(unreachable)'}${path}\0`);
  if (bytes.length > PATH_MAX) return -ENAMETOOLONG;
  if (bytes.length > size) return -ERANGE;
  return task.mm.copyOut(addr, bytes) === bytes.length ? bytes.length : -EFAULT;
}

function chdir(task: Task, addr: number): number {
  const found = resolveAt(task, AT_FDCWD, addr, true, false);
  return typeof found === 'number' ? found : changeDirectory(callerOf(task), found);
}

function fchdir(task: Task, fd: number): number {
  const file = task.files.get(fd);
  if (file === undefined) return -EBADF;
  return file.inode.isDirectory ? changeDirectory(callerOf(task), file.dentry) : -ENOTDIR;
}

function chroot(task: Task, addr: number): number {
  const found = resolveAt(task, AT_FDCWD, addr, true, false);
  return typeof found === 'number' ? found : changeRoot(callerOf(task), found);
}

function umask(task: Task, mask: number): number {
  const old = task.fs.umask;
  task.fs.umask = mask & 0o777;
  return old;
}

const CREAT = O_CREAT | O_WRONLY | O_TRUNC;

export const FS_PATH_CALLS: readonly SyscallDef[] = [
  {
    nr: 2,
    name: 'open',
    args: ['path', 'flags:open', 'mode'],
    ret: 'fd',
    call: (t, a) => open(t, AT_FDCWD, a.num(0), a.int(1), a.uint(2)),
  },
  {
    nr: 257,
    name: 'openat',
    args: ['dirfd', 'path', 'flags:open', 'mode'],
    ret: 'fd',
    call: (t, a) => open(t, a.int(0), a.num(1), a.int(2), a.uint(3)),
  },
  {
    nr: 437,
    name: 'openat2',
    args: ['dirfd', 'path', 'ptr', 'size'],
    ret: 'fd',
    call: (t, a) => openat2(t, a.int(0), a.num(1), a.num(2), a.num(3)),
  },
  {
    nr: 85,
    name: 'creat',
    args: ['path', 'mode'],
    ret: 'fd',
    call: (t, a) => open(t, AT_FDCWD, a.num(0), CREAT, a.uint(1)),
  },
  { nr: 79, name: 'getcwd', args: ['outstr', 'size'], call: (t, a) => getcwd(t, a.num(0), a.num(1)) },
  { nr: 80, name: 'chdir', args: ['path'], call: (t, a) => chdir(t, a.num(0)) },
  { nr: 81, name: 'fchdir', args: ['fd'], call: (t, a) => fchdir(t, a.int(0)) },
  { nr: 161, name: 'chroot', args: ['path'], call: (t, a) => chroot(t, a.num(0)) },
  { nr: 95, name: 'umask', args: ['octal'], ret: 'octal', call: (t, a) => umask(t, a.uint(0)) },
  { nr: 83, name: 'mkdir', args: ['path', 'mode'], call: (t, a) => mkdir(t, AT_FDCWD, a.num(0), a.uint(1)) },
  {
    nr: 258,
    name: 'mkdirat',
    args: ['dirfd', 'path', 'mode'],
    call: (t, a) => mkdir(t, a.int(0), a.num(1), a.uint(2)),
  },
  { nr: 84, name: 'rmdir', args: ['path'], call: (t, a) => rmdir(t, AT_FDCWD, a.num(0)) },
  { nr: 87, name: 'unlink', args: ['path'], call: (t, a) => unlinkPath(t, AT_FDCWD, a.num(0)) },
  {
    nr: 263,
    name: 'unlinkat',
    args: ['dirfd', 'path', 'flags:unlinkat'],
    call: (t, a) => unlinkat(t, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 82,
    name: 'rename',
    args: ['path', 'path'],
    call: (t, a) => renamePaths(t, AT_FDCWD, a.num(0), AT_FDCWD, a.num(1), 0),
  },
  {
    nr: 264,
    name: 'renameat',
    args: ['dirfd', 'path', 'dirfd', 'path'],
    call: (t, a) => renamePaths(t, a.int(0), a.num(1), a.int(2), a.num(3), 0),
  },
  {
    nr: 316,
    name: 'renameat2',
    args: ['dirfd', 'path', 'dirfd', 'path', 'flags:rename'],
    call: (t, a) => renamePaths(t, a.int(0), a.num(1), a.int(2), a.num(3), a.uint(4)),
  },
  { nr: 86, name: 'link', args: ['path', 'path'], call: (t, a) => link(t, AT_FDCWD, a.num(0), AT_FDCWD, a.num(1), 0) },
  {
    nr: 265,
    name: 'linkat',
    args: ['dirfd', 'path', 'dirfd', 'path', 'flags:linkat'],
    call: (t, a) => link(t, a.int(0), a.num(1), a.int(2), a.num(3), a.uint(4)),
  },
  { nr: 88, name: 'symlink', args: ['path', 'path'], call: (t, a) => symlink(t, a.num(0), AT_FDCWD, a.num(1)) },
  {
    nr: 266,
    name: 'symlinkat',
    args: ['path', 'dirfd', 'path'],
    call: (t, a) => symlink(t, a.num(0), a.int(1), a.num(2)),
  },
  {
    nr: 89,
    name: 'readlink',
    args: ['path', 'outlink', 'size'],
    call: (t, a) => readlink(t, AT_FDCWD, a.num(0), a.num(1), a.int(2)),
  },
  {
    nr: 267,
    name: 'readlinkat',
    args: ['dirfd', 'path', 'outlink', 'size'],
    call: (t, a) => readlink(t, a.int(0), a.num(1), a.num(2), a.int(3)),
  },
  {
    nr: 303,
    name: 'name_to_handle_at',
    args: ['dirfd', 'path', 'ptr', 'ptr', 'flags:linkat'],
    partial: 'handles: no file system gives any',
    call: (t, a) => nameToHandle(t, a.int(0), a.num(1), a.uint(4)),
  },
  {
    nr: 133,
    name: 'mknod',
    args: ['path', 'filemode', 'dev'],
    call: (t, a) => mknod(t, AT_FDCWD, a.num(0), a.uint(1), a.uint(2)),
  },
  {
    nr: 259,
    name: 'mknodat',
    args: ['dirfd', 'path', 'filemode', 'dev'],
    call: (t, a) => mknod(t, a.int(0), a.num(1), a.uint(2), a.uint(3)),
  },
];

savable('kernel/syscalls/fs-path', { OpenWait });
