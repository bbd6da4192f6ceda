// SPDX-License-Identifier: MIT
//
// Calls on descriptors themselves: close, dup, fcntl, flock, ioctl. fs/file.c, fs/fcntl.c, fs/locks.c, fs/ioctl.c.

import {
  EAGAIN,
  EBADF,
  EBUSY,
  EDEADLK,
  EFAULT,
  EINVAL,
  EMFILE,
  ENOMEM,
  ENOTDIR,
  ENOTTY,
  EPERM,
  ESRCH,
} from '../../abi/errno.ts';
import { FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, TIOCGPTPEER } from '../../abi/ioctl.ts';
import {
  CLOSE_RANGE_CLOEXEC,
  CLOSE_RANGE_UNSHARE,
  F_ADD_SEALS,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_GETLEASE,
  F_GETLK,
  F_GETOWN,
  F_GETOWN_EX,
  F_GETPIPE_SZ,
  F_GETSIG,
  F_GET_SEALS,
  F_NOTIFY,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_RDLCK,
  F_SEAL_SEAL,
  F_SEAL_WRITE,
  F_SETFD,
  F_SETFL,
  F_SETLEASE,
  F_SETLK,
  F_SETLKW,
  F_SETOWN,
  F_SETOWN_EX,
  F_SETPIPE_SZ,
  F_SETSIG,
  F_UNLCK,
  F_WRLCK,
  FASYNC,
  FD_CLOEXEC,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  O_APPEND,
  O_CLOEXEC,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  O_PATH,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from '../../abi/open.ts';
import { PROT_WRITE } from '../../abi/mman.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import { Flock } from '../../abi/stat.ts';
import { getI64, putU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { CAP_SYS_RESOURCE, hasCapability, ownsOrOverrides } from '../../vfs/credentials.ts';
import { locksOf, wouldDeadlock } from '../../vfs/file-locks.ts';
import type { FileLocks, RangeLock, LockOwner } from '../../vfs/file-locks.ts';
import { MemoryFile } from '../../vfs/memory-nodes.ts';
import type { OpenFile } from '../../vfs/open-file.ts';
import { PipeFile } from '../../vfs/pipe.ts';
import { TtyFile } from '../../vfs/tty/tty-file.ts';
import { SeccompListener, listenerIoctl } from '../seccomp/listener.ts';
import type { Task } from '../task.ts';
import { F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, setAsync } from '../async-notice.ts';
import { installFile } from './file-arguments.ts';
import type { BlockRequest, SyscallDef, SyscallResult, WaitSource } from './table.ts';

function closeRange(task: Task, first: number, last: number, flags: number): number {
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0 || first > last) return -EINVAL;
  if ((flags & CLOSE_RANGE_UNSHARE) !== 0 && task.files.refs > 1) {
    const own = task.files.copy();
    if (own === undefined) return -ENOMEM;
    task.files.release();
    task.files = own;
  }
  task.files.closeRange(first, last, (flags & CLOSE_RANGE_CLOEXEC) !== 0);
  return 0;
}

function dup(task: Task, fd: number): number {
  const file = task.files.get(fd);
  return file === undefined ? -EBADF : installFile(task, file.retain(), false);
}

function dupTo(task: Task, from: number, to: number, cloexec: boolean): number {
  const file = task.files.get(from);
  const limit = task.group.softLimit(RLIMIT_NOFILE);
  if (to < 0 || to >= limit || file === undefined) return -EBADF;
  const result = task.files.installAt(to, file.retain(), cloexec, limit);
  if (result < 0) file.release();
  return result;
}

function dup2(task: Task, from: number, to: number): number {
  if (from === to) return task.files.get(from) === undefined ? -EBADF : to;
  return dupTo(task, from, to, false);
}

function dup3(task: Task, from: number, to: number, flags: number): number {
  if ((flags & ~O_CLOEXEC) !== 0 || from === to) return -EINVAL;
  return dupTo(task, from, to, (flags & O_CLOEXEC) !== 0);
}

/** Flags that F_SETFL changes; the others are ignored. */
const SETTABLE = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

function setFlags(task: Task, file: OpenFile, fd: number, flags: number): number {
  if ((flags & O_NOATIME) !== 0 && (file.flags & O_NOATIME) === 0 && !ownsOrOverrides(file.inode, task.creds)) {
    return -EPERM;
  }
  setAsync(task.kernel, file, fd, (flags & FASYNC) !== 0);
  return file.setFlags((file.flags & ~SETTABLE) | (flags & SETTABLE));
}

/** struct flock as a range; -errno. */
function readLock(task: Task, file: OpenFile, addr: number, owner: object, pid: number): RangeLock | number {
  const bytes = new Uint8Array(Flock.size);
  if (task.mm.copyIn(addr, bytes) < bytes.length) return -EFAULT;
  const view = viewOf(bytes);
  const type = view.getInt16(Flock.type, true);
  const whence = view.getInt16(Flock.whence, true);
  let start = getI64(view, Flock.start);
  const length = getI64(view, Flock.length);
  if (pid === -1 && view.getInt32(Flock.pid, true) !== 0) return -EINVAL;
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -EINVAL;
  if (whence === SEEK_CUR) start += file.offset;
  else if (whence === SEEK_END) start += file.end;
  else if (whence !== SEEK_SET) return -EINVAL;
  let end = length === 0 ? Infinity : start + length;
  if (length < 0) {
    end = start;
    start += length;
  }
  if (start < 0) return -EINVAL;
  return { owner, type, start, end, pid };
}

function getLock(task: Task, file: OpenFile, addr: number, owner: object, pid: number): number {
  const wanted = readLock(task, file, addr, owner, pid);
  if (typeof wanted === 'number') return wanted;
  if (wanted.type === F_UNLCK) return -EINVAL;
  const held = file.inode.locks?.conflict(wanted);
  const bytes = new Uint8Array(Flock.size);
  const view = viewOf(bytes);
  if (held === undefined) {
    task.mm.copyIn(addr, bytes);
    view.setInt16(Flock.type, F_UNLCK, true);
  } else {
    view.setInt16(Flock.type, held.type, true);
    view.setInt16(Flock.whence, SEEK_SET, true);
    putU64(view, Flock.start, held.start);
    putU64(view, Flock.length, held.end === Infinity ? 0 : held.end - held.start);
    view.setInt32(Flock.pid, held.pid, true);
  }
  return task.mm.copyOut(addr, bytes) === bytes.length ? 0 : -EFAULT;
}

function setLock(task: Task, file: OpenFile, addr: number, owner: object, pid: number, waits: boolean): SyscallResult {
  const wanted = readLock(task, file, addr, owner, pid);
  if (typeof wanted === 'number') return wanted;
  if (wanted.type === F_RDLCK && !file.canRead) return -EBADF;
  if (wanted.type === F_WRLCK && !file.canWrite) return -EBADF;
  const locks = locksOf(file.inode);
  // OFD locks go with their description.
  if (owner === file && wanted.type !== F_UNLCK) locks.watch(file);
  return owner === file || !waits
    ? new LockWait(task, locks, wanted, waits).retry()
    : new RecordWait(task, locks, wanted, task.files).begin();
}

/** F_SETLKW: sleeps unless the one in the way waits for us. */
class RecordWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  private readonly task: Task;
  private readonly locks: FileLocks;
  private readonly wanted: RangeLock;
  private readonly owner: LockOwner;

  constructor(task: Task, locks: FileLocks, wanted: RangeLock, owner: LockOwner) {
    this.task = task;
    this.locks = locks;
    this.owner = owner;
    this.wanted = wanted;
    this.queues = [{ queue: locks.queue }];
  }

  retry(): SyscallResult {
    this.onCancel();
    return this.begin();
  }

  begin(): SyscallResult {
    const { locks, wanted } = this;
    const result = locks.set(wanted);
    if (result !== -EAGAIN) return result;
    const blocker = locks.conflict(wanted)?.owner;
    if (blocker === undefined) return result;
    if (wouldDeadlock(this.owner, blocker)) return -EDEADLK;
    this.owner.waitsFor = blocker;
    return this.task.block(this);
  }

  onCancel(): void {
    this.owner.waitsFor = null;
  }
}

/** A lock of a description: a range of it (F_OFD_SETLKW), or all of it, shared or not (flock). */
class LockWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  private readonly task: Task;
  private readonly locks: FileLocks;
  private readonly wanted: RangeLock | WholeLock;
  private readonly waits: boolean;

  constructor(task: Task, locks: FileLocks, wanted: RangeLock | WholeLock, waits: boolean) {
    this.task = task;
    this.locks = locks;
    this.wanted = wanted;
    this.waits = waits;
    this.queues = [{ queue: locks.queue }];
  }

  retry(): SyscallResult {
    const { locks, wanted } = this;
    const result = 'file' in wanted ? locks.setWhole(wanted.file, wanted.isExclusive) : locks.set(wanted);
    return result === -EAGAIN && this.waits ? this.task.block(this) : result;
  }
}

/** What flock(2) asks for. */
interface WholeLock {
  readonly file: OpenFile;
  readonly isExclusive: boolean;
}

const LOCK_MAND = 32;

function flock(task: Task, fd: number, operation: number): SyscallResult {
  // Mandatory locks are gone from Linux; asking for one is answered with success and nothing else.
  if ((operation & LOCK_MAND) !== 0) return 0;
  const kind = operation & ~LOCK_NB;
  if (kind !== LOCK_SH && kind !== LOCK_EX && kind !== LOCK_UN) return -EINVAL;
  const file = task.files.get(fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  if (kind === LOCK_UN) {
    file.inode.locks?.releaseWhole(file);
    return 0;
  }
  const locks = locksOf(file.inode);
  locks.watch(file);
  return new LockWait(task, locks, { file, isExclusive: kind === LOCK_EX }, (operation & LOCK_NB) === 0).retry();
}

/** Whether somebody has a mapping through which the file may be written. */
function isMappedWritable(task: Task, { pages }: MemoryFile): boolean {
  if (pages.mappingCount === 0) return false;
  for (const { mm, state } of task.kernel.tasks.values()) {
    if (state === 'ended') continue;
    for (const { file, shared, maxProt } of mm.vmas()) {
      if (shared && (maxProt & PROT_WRITE) !== 0 && file?.pages === pages) return true;
    }
  }
  return false;
}

/** F_ADD_SEALS and F_GET_SEALS on memfds. */
function seals(task: Task, file: OpenFile, add: number | null): number {
  const { inode } = file;
  if (add !== null && !file.canWrite) return -EPERM;
  if (!(inode instanceof MemoryFile) || !file.dentry.name.startsWith('/memfd:')) return -EINVAL;
  if (add === null) return inode.seals;
  if ((add & ~0x1f) !== 0) return -EINVAL;
  if ((inode.seals & F_SEAL_SEAL) !== 0) return -EPERM;
  if ((add & F_SEAL_WRITE) !== 0 && (inode.seals & F_SEAL_WRITE) === 0 && isMappedWritable(task, inode)) return -EBUSY;
  inode.seals |= add;
  return 0;
}

/** Who is told of events on a description; -ESRCH for nobody. */
function setOwner(task: Task, file: OpenFile, type: number, pid: number): number {
  const { kernel, creds } = task;
  if (pid === 0) {
    file.owner = null;
    return 0;
  }
  const isThere =
    type === F_OWNER_PGRP
      ? [...kernel.groups.values()].some((group) => group.pgid === pid)
      : kernel.task(pid) !== undefined;
  if (!isThere) return -ESRCH;
  file.owner = { type, pid, uid: creds.uid, euid: creds.euid };
  return 0;
}

/** struct f_owner_ex: type and pid. */
const OWNER_EX_BYTES = 8;

function setOwnerEx(task: Task, file: OpenFile, addr: number): number {
  const bytes = new Uint8Array(OWNER_EX_BYTES);
  if (task.mm.copyIn(addr, bytes) < bytes.length) return -EFAULT;
  const type = viewOf(bytes).getInt32(0, true);
  const pid = viewOf(bytes).getInt32(4, true);
  if (type !== F_OWNER_TID && type !== F_OWNER_PID && type !== F_OWNER_PGRP) return -EINVAL;
  return setOwner(task, file, type, pid);
}

function getOwnerEx(task: Task, file: OpenFile, addr: number): number {
  const bytes = new Uint8Array(OWNER_EX_BYTES);
  viewOf(bytes).setInt32(0, file.owner?.type ?? F_OWNER_TID, true);
  viewOf(bytes).setInt32(4, file.owner?.pid ?? 0, true);
  return task.mm.copyOut(addr, bytes) === bytes.length ? 0 : -EFAULT;
}

function fcntl(task: Task, fd: number, command: number, argument: number, addr: number): SyscallResult {
  const file = task.files.get(fd);
  if (file === undefined) return -EBADF;
  const { tgid } = task.group;
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
      if (argument < 0 || argument >= task.group.softLimit(RLIMIT_NOFILE)) return -EINVAL;
      const made = installFile(task, file.retain(), command === F_DUPFD_CLOEXEC, argument);
      return made === -EINVAL ? -EMFILE : made;
    }
    case F_GETFD:
      return task.files.isCloexec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
      return task.files.setCloexec(fd, (argument & FD_CLOEXEC) !== 0);
    case F_GETFL:
      return file.flags;
  }
  if ((file.flags & O_PATH) !== 0) return -EBADF;
  switch (command) {
    case F_SETFL:
      return setFlags(task, file, fd, argument);
    case F_GETLK:
      return getLock(task, file, addr, task.files, tgid);
    case F_SETLK:
    case F_SETLKW:
      return setLock(task, file, addr, task.files, tgid, command === F_SETLKW);
    case F_OFD_GETLK:
      return getLock(task, file, addr, file, -1);
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return setLock(task, file, addr, file, -1, command === F_OFD_SETLKW);
    case F_GETOWN:
      return file.owner === null ? 0 : file.owner.type === F_OWNER_PGRP ? -file.owner.pid : file.owner.pid;
    case F_SETOWN:
      if (argument === -0x80000000) return -EINVAL;
      return setOwner(task, file, argument < 0 ? F_OWNER_PGRP : F_OWNER_PID, Math.abs(argument));
    case F_GETOWN_EX:
      return getOwnerEx(task, file, addr);
    case F_SETOWN_EX:
      return setOwnerEx(task, file, addr);
    case F_GETSIG:
      return file.ownerSignal;
    case F_SETSIG:
      if (argument < 0 || argument > 64) return -EINVAL;
      file.ownerSignal = argument;
      return 0;
    case F_GETLEASE:
      return F_UNLCK;
    case F_SETLEASE:
      // As on a file system that has none: there is no lease to give back either.
      return argument === F_UNLCK && file.inode.isRegular ? -EAGAIN : -EINVAL;
    case F_NOTIFY:
      return file.inode.isDirectory ? -EINVAL : -ENOTDIR;
    case F_GETPIPE_SZ:
      return file instanceof PipeFile ? file.pipe.capacity : -EBADF;
    case F_SETPIPE_SZ:
      return file instanceof PipeFile
        ? file.pipe.resize(argument >>> 0, hasCapability(task.creds, CAP_SYS_RESOURCE))
        : -EBADF;
    case F_ADD_SEALS:
      return seals(task, file, argument >>> 0);
    case F_GET_SEALS:
      return seals(task, file, null);
    default:
      return -EINVAL;
  }
}

/** The slave of a master, by whatever name devpts has for it. */
function openPeer(task: Task, file: TtyFile, flags: number): number {
  const { vfs } = task.kernel;
  const place = vfs.lookup(`/dev/${file.tty.link?.name ?? ''}`);
  const opened = vfs.terminals.openPeer(file, typeof place === 'number' ? file.dentry : place, flags);
  return typeof opened === 'number' ? opened : installFile(task, opened, (flags & O_CLOEXEC) !== 0);
}

function ioctl(task: Task, fd: number, request: number, argument: number): SyscallResult {
  const file = task.files.get(fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  switch (request) {
    case FIOCLEX:
      return task.files.setCloexec(fd, true);
    case FIONCLEX:
      return task.files.setCloexec(fd, false);
    case FIONBIO:
    case FIOASYNC: {
      const value = task.mm.readU32(argument);
      if (value === undefined) return -EFAULT;
      if (request === FIOASYNC) {
        if ((value !== 0) !== ((file.flags & FASYNC) !== 0) && !file.canSignal) return -ENOTTY;
        setAsync(task.kernel, file, fd, value !== 0);
        return 0;
      }
      return file.setFlags(value === 0 ? file.flags & ~O_NONBLOCK : file.flags | O_NONBLOCK);
    }
    case TIOCGPTPEER:
      return file instanceof TtyFile ? openPeer(task, file, argument | 0) : -ENOTTY;
    default:
      if (file instanceof SeccompListener) return listenerIoctl(task, file, request, argument);
      return file.ioctl(request, argument, task.mm);
  }
}

export const FD_CONTROL_CALLS: readonly SyscallDef[] = [
  { nr: 3, name: 'close', args: ['fd'], call: (t, a) => t.files.close(a.int(0)) },
  {
    nr: 436,
    name: 'close_range',
    args: ['uint', 'uint', 'flags:close_range'],
    call: (t, a) => closeRange(t, a.uint(0), a.uint(1), a.uint(2)),
  },
  { nr: 32, name: 'dup', args: ['fd'], ret: 'fd', call: (t, a) => dup(t, a.int(0)) },
  { nr: 33, name: 'dup2', args: ['fd', 'fd'], ret: 'fd', call: (t, a) => dup2(t, a.int(0), a.int(1)) },
  {
    nr: 292,
    name: 'dup3',
    args: ['fd', 'fd', 'flags:dup3'],
    ret: 'fd',
    call: (t, a) => dup3(t, a.int(0), a.int(1), a.uint(2)),
  },
  {
    nr: 72,
    name: 'fcntl',
    args: ['fd', 'int', 'hex'],
    partial: 'leases, directory notification',
    call: (t, a) => fcntl(t, a.int(0), a.int(1), a.int(2), a.num(2)),
  },
  { nr: 73, name: 'flock', args: ['fd', 'flags:flock'], call: (t, a) => flock(t, a.int(0), a.int(1)) },
  {
    nr: 16,
    name: 'ioctl',
    args: ['fd', 'hex', 'hex'],
    partial: 'attributes and extents of files, devices that are not there',
    call: (t, a) => ioctl(t, a.int(0), a.uint(1), a.num(2)),
  },
];

savable('kernel/syscalls/fd-control', { RecordWait, LockWait });
