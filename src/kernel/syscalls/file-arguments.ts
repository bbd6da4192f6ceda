// SPDX-License-Identifier: MIT
//
// What the file calls share: paths and starting points from arguments, user buffers as sinks and sources, and waiting
// for a file. Models fs/namei.c (getname), lib/iov_iter.c.

import { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, ENOENT, ENOTDIR, ERESTARTSYS } from '../../abi/errno.ts';
import { AT_FDCWD, IOV_MAX, O_NONBLOCK, PATH_MAX } from '../../abi/open.ts';
import { POLLERR, POLLHUP, POLLIN } from '../../abi/poll.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import { getI64, getU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import type { Credentials } from '../../vfs/credentials.ts';
import type { Dentry } from '../../vfs/dentry.ts';
import type { Caller } from '../../vfs/fs-context.ts';
import type { ByteSink, ByteSource, OpenFile, TimedRead } from '../../vfs/open-file.ts';
import { lookupPath } from '../../vfs/path-walk.ts';
import type { Task } from '../task.ts';
import type { BlockRequest, SyscallResult, WaitSource } from './table.ts';

/** Largest transfer of one call (MAX_RW_COUNT). */
export const MAX_RW_COUNT = 0x7ffff000;
/** End of what a user pointer may reach. */
const USER_END = 2 ** 47 - 4096;

/** The task as one who walks paths. */
export function callerOf(task: Task, cred: Credentials = task.creds): Caller {
  return { fs: task.fs, cred };
}

/** A path argument, one character a byte, or -errno. */
export function readPath(task: Task, addr: number): string | number {
  return task.mm.readText(addr, PATH_MAX);
}

/** Where a relative path starts. */
export function startOf(task: Task, dirfd: number, path: string): Dentry | number {
  if (path.startsWith('/') || dirfd === AT_FDCWD) return task.fs.cwd;
  const file = task.files.get(dirfd);
  if (file === undefined) return -EBADF;
  if (path.length > 0 && !file.inode.isDirectory) return -ENOTDIR;
  return file.dentry;
}

/** The place that a call's directory and path arguments name. `emptyOk` is AT_EMPTY_PATH. */
export function resolveAt(
  task: Task,
  dirfd: number,
  addr: number,
  follow: boolean,
  emptyOk: boolean,
  cred: Credentials = task.creds,
): Dentry | number {
  const path = readPath(task, addr);
  if (typeof path === 'number') return path;
  if (path === '' && !emptyOk) return -ENOENT;
  const start = startOf(task, dirfd, path);
  if (typeof start === 'number' || path === '') return start;
  return lookupPath(callerOf(task, cred), start, path, follow);
}

/** 0 when a descriptor is free, else -EMFILE or -ENFILE: asked before anything is made that would have to be undone. */
export function mayInstall(task: Task): number {
  return task.files.mayInstall(task.group.softLimit(RLIMIT_NOFILE));
}

/** Enters a file; on failure its reference is given back. */
export function installFile(task: Task, file: OpenFile, cloexec: boolean, min = 0): number {
  const fd = task.files.install(file, cloexec, task.group.softLimit(RLIMIT_NOFILE), min);
  if (fd < 0) file.release();
  return fd;
}

/** Enters two files, or none, and writes their descriptors to two ints at `addr`: pipe(2), socketpair(2). */
export function installPair(task: Task, a: OpenFile, b: OpenFile, cloexec: boolean, addr: number): number {
  const first = installFile(task, a, cloexec);
  if (first < 0) {
    b.release();
    return first;
  }
  const second = installFile(task, b, cloexec);
  if (second < 0) {
    task.files.close(first);
    return second;
  }
  const bytes = new Uint8Array(8);
  viewOf(bytes).setInt32(0, first, true);
  viewOf(bytes).setInt32(4, second, true);
  if (task.mm.copyOut(addr, bytes) === 8) return 0;
  task.files.close(first);
  task.files.close(second);
  return -EFAULT;
}

interface Segment {
  readonly addr: number;
  readonly length: number;
}

/** Guest memory as the place that bytes go to or come from. */
export class UserBuffers implements ByteSink, ByteSource {
  private readonly mm: AddressSpace;
  private readonly segments: readonly Segment[];
  private index = 0;
  private at = 0;
  /** Bytes in all segments. */
  readonly length: number;

  constructor(mm: AddressSpace, segments: readonly Segment[]) {
    this.mm = mm;
    this.segments = segments;
    let length = 0;
    for (const s of segments) length += s.length;
    this.length = length;
  }

  static single(mm: AddressSpace, addr: number, length: number): UserBuffers {
    return new UserBuffers(mm, [{ addr, length }]);
  }

  put(bytes: Uint8Array): number {
    return this.move(bytes, false);
  }

  take(into: Uint8Array): number {
    return this.move(into, true);
  }

  private move(bytes: Uint8Array, isTake: boolean): number {
    let done = 0;
    while (done < bytes.length) {
      const segment = this.segments[this.index];
      if (segment === undefined) break;
      const n = Math.min(bytes.length - done, segment.length - this.at);
      if (n > 0) {
        const part = done === 0 && n === bytes.length ? bytes : bytes.subarray(done, done + n);
        const addr = segment.addr + this.at;
        const moved = isTake ? this.mm.copyIn(addr, part) : this.mm.copyOut(addr, part);
        done += moved;
        this.at += moved;
        if (moved < n) break;
      }
      if (this.at === segment.length) {
        this.index++;
        this.at = 0;
      }
    }
    return done;
  }
}

/** One buffer argument, checked as access_ok does; -EFAULT when it leaves user space. */
export function userBuffer(task: Task, addr: number, length: number): UserBuffers | number {
  if (addr + length > USER_END) return -EFAULT;
  return UserBuffers.single(task.mm, addr, Math.min(length, MAX_RW_COUNT));
}

/** An iovec argument. */
export function userVector(task: Task, addr: number, count: number): UserBuffers | number {
  if (count < 0 || count > IOV_MAX) return -EINVAL;
  const bytes = new Uint8Array(count * 16);
  if (task.mm.copyIn(addr, bytes) < bytes.length) return -EFAULT;
  const view = viewOf(bytes);
  const segments: Segment[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const base = getU64(view, 16 * i);
    let length = getU64(view, 16 * i + 8);
    if (getI64(view, 16 * i + 8) < 0) return -EINVAL;
    if (base + length > USER_END) return -EFAULT;
    length = Math.min(length, MAX_RW_COUNT - total);
    total += length;
    segments.push({ addr: base, length });
  }
  return new UserBuffers(task.mm, segments);
}

/** A transfer that may have to wait, between two tries. */
export interface Transfer {
  /** Bytes or another result, -EAGAIN to sleep, or another -errno. */
  attempt(): number;
  /** Result when a signal comes: what was moved so far; 0 for "restart the call". */
  readonly done?: number;
  /** The call is over, however it ended. */
  end?(): void;
}

/** A call that sleeps until a file is ready. */
class FileWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  readonly deadlineNs?: number;
  private readonly task: Task;
  private readonly file: OpenFile;
  private readonly transfer: Transfer;

  constructor(task: Task, file: OpenFile, queues: readonly WaitSource[], limitNs: number, transfer: Transfer) {
    this.task = task;
    this.file = file;
    this.queues = queues;
    this.transfer = transfer;
    if (limitNs !== Infinity) this.deadlineNs = task.kernel.clock.now() + limitNs;
  }

  /** A call that does not wait for ever is not started again: it would wait longer than it was told to. */
  get interrupted(): number {
    const done = this.transfer.done ?? 0;
    return done > 0 ? done : this.deadlineNs === undefined ? -ERESTARTSYS : -EINTR;
  }

  retry(timedOut: boolean): SyscallResult {
    const result = this.transfer.attempt();
    if (result === -EAGAIN && !timedOut) return this.task.block(this);
    this.onCancel();
    const done = this.transfer.done ?? 0;
    return result === -EAGAIN && done > 0 ? done : result;
  }

  onCancel(): void {
    this.transfer.end?.();
    this.file.release();
  }
}

/** Tries `transfer` until it gives something else than -EAGAIN, sleeping on the file's queue in between. */
export function waitFor(
  task: Task,
  file: OpenFile,
  mask: number,
  transfer: Transfer,
  isNonblock = (file.flags & O_NONBLOCK) !== 0,
): SyscallResult {
  const first = transfer.attempt();
  const { queue } = file;
  if (first !== -EAGAIN || queue === null || isNonblock) {
    transfer.end?.();
    const done = transfer.done ?? 0;
    return first === -EAGAIN && done > 0 ? done : first;
  }
  // Another thread may close the descriptor meanwhile: the description stays until the call is over.
  file.retain();
  const queues = [{ queue, mask: mask | POLLERR | POLLHUP }];
  return task.block(new FileWait(task, file, queues, file.waitLimitNs(mask), transfer));
}

/** A read that sleeps and may end by time. */
class TimedWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  deadlineNs?: number;
  private readonly task: Task;
  private readonly file: OpenFile;
  private readonly read: TimedRead;
  private readonly sink: ByteSink;
  /** What had been read when the time was set. */
  private counted = -1;

  constructor(task: Task, file: OpenFile, queues: readonly WaitSource[], read: TimedRead, sink: ByteSink) {
    this.task = task;
    this.file = file;
    this.queues = queues;
    this.read = read;
    this.sink = sink;
  }

  get interrupted(): number {
    return this.read.done > 0 ? this.read.done : -ERESTARTSYS;
  }

  sleep(): SyscallResult {
    const { read } = this;
    if (read.done !== this.counted) {
      this.counted = read.done;
      const timeout = read.timeoutNs();
      if (timeout === null) delete this.deadlineNs;
      else this.deadlineNs = this.task.kernel.clock.now() + timeout;
    }
    return this.task.block(this);
  }

  retry(isLate: boolean): SyscallResult {
    const result = this.read.attempt(this.sink, isLate);
    if (result === -EAGAIN) return this.sleep();
    this.file.release();
    return result;
  }

  onCancel(): void {
    this.file.release();
  }
}

/** One read call that may end by time, and that keeps what it has read when it sleeps. */
export function readTimed(
  task: Task,
  file: OpenFile,
  read: TimedRead,
  sink: ByteSink,
  isNonblock = (file.flags & O_NONBLOCK) !== 0,
): SyscallResult {
  const { queue } = file;
  const first = read.attempt(sink, false);
  if (first !== -EAGAIN || queue === null) return first;
  if (isNonblock) return read.done > 0 ? read.done : -EAGAIN;
  file.retain();
  return new TimedWait(task, file, [{ queue, mask: POLLIN | POLLERR | POLLHUP }], read, sink).sleep();
}

savable('kernel/syscalls/file-arguments', { UserBuffers, FileWait, TimedWait });
