// SPDX-License-Identifier: MIT
//
// Open file descriptions: what descriptors refer to, with the shared offset and status flags, and the byte sinks and
// sources that keep transfers exact at a faulting byte. Models fs/file_table.c, fs/read_write.c, gVisor vfs.FileDescription.

import { EBADF, EINVAL, ENODEV, ENOTDIR, ENOTTY, ESPIPE } from '../abi/errno.ts';
import { O_ACCMODE, O_PATH, O_RDONLY, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET } from '../abi/open.ts';
import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_MODIFY, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import type { Waiter, WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { MappableFile } from '../mm/file-pages.ts';
import type { Dentry } from './dentry.ts';
import type { EntryVisitor, Inode } from './inode.ts';
import { notifyFile, notifyUnused } from './notify.ts';

/** Largest file offset: offsets are numbers, exact below 2^53. Linux's own limit is 2^63 - 1. */
export const MAX_FILE_SIZE = Number.MAX_SAFE_INTEGER;

/** Where read data goes. */
export interface ByteSink {
  /** Takes bytes; gives how many it took, fewer only when the next byte cannot be stored (EFAULT). */
  put(bytes: Uint8Array): number;
}

/** Where written data comes from. */
export interface ByteSource {
  /** Fills `into`; gives how many bytes it filled, fewer only when the next byte cannot be read (EFAULT). */
  take(into: Uint8Array): number;
}

/** The caller's memory, for ioctl. `AddressSpace` is one. */
export interface UserMemory {
  copyIn(addr: number, into: Uint8Array): number;
  copyOut(addr: number, from: Uint8Array): number;
}

/** One read call of a file whose reads may end by time: a terminal. */
export interface TimedRead {
  /** Bytes that this call has read so far. */
  readonly done: number;
  /**
   * Goes on reading: bytes in all, 0 at the end, -EAGAIN to sleep.
   * @param isLate the time is over: there must be a result
   */
  attempt(sink: ByteSink, isLate: boolean): number;
  /** How long the next sleep may last, counted from the last byte that came; null for ever. */
  timeoutNs(): number | null;
}

/** An open that waits: a FIFO's other end. */
export interface PendingOpen {
  readonly queue: WaitQueue;
  isReady(): boolean;
}

/** Told when an open description goes. */
export interface ReleaseHook {
  released(file: OpenFile): void;
}

/** Who is told of events, in whose name; what it means is the kernel's. */
export interface EventOwner {
  /** F_OWNER_ */
  readonly type: number;
  readonly pid: number;
  readonly uid: number;
  readonly euid: number;
}

/** An open file description. Results below zero are -errno; -EAGAIN where a caller without O_NONBLOCK would sleep. */
export abstract class OpenFile {
  readonly dentry: Dentry;
  /** What F_GETFL shows. */
  flags: number;
  offset = 0;
  /** lseek works and pread takes a position. */
  readonly isSeekable: boolean = false;
  /** poll means something: epoll refuses the rest. */
  readonly isPollable: boolean = false;
  /** What to sleep on when a transfer gives -EAGAIN or `poll` lacks the wanted events; null when it never does. */
  readonly queue: WaitQueue | null = null;
  /** Set while open(2) must wait before it may give a descriptor. */
  pendingOpen: PendingOpen | null = null;
  /** F_SETOWN and F_SETSIG: who is told of events with O_ASYNC, and by which signal (0: SIGIO). */
  owner: EventOwner | null = null;
  ownerSignal = 0;
  /** Tells the owner, once O_ASYNC was set. */
  asyncNotice: Waiter | null = null;
  /** splice(2) and sendfile(2) take bytes from it, and put bytes there. */
  readonly givesPages: boolean = true;
  readonly takesPages: boolean = true;
  /** O_ASYNC means something. */
  readonly canSignal: boolean = false;
  private references = 1;
  private releaseHooks: Set<ReleaseHook> | null = null;

  constructor(dentry: Dentry, flags: number) {
    this.dentry = dentry;
    this.flags = flags;
    dentry.mount.enter();
    dentry.inode.opens++;
  }

  get inode(): Inode {
    return this.dentry.inode;
  }

  get canRead(): boolean {
    const mode = this.flags & O_ACCMODE;
    return (this.flags & O_PATH) === 0 && mode !== O_WRONLY && mode !== O_ACCMODE;
  }

  get canWrite(): boolean {
    const mode = this.flags & O_ACCMODE;
    return (this.flags & O_PATH) === 0 && mode !== O_RDONLY && mode !== O_ACCMODE;
  }

  /** Reads up to `count` bytes from `offset` (streams ignore it): bytes, 0 at the end. */
  readAt(_sink: ByteSink, _count: number, _offset: number): number {
    return -EINVAL;
  }

  /** Begins a read call that has a state of its own; null where `readAt` is all there is. */
  startRead(_count: number): TimedRead | null {
    return null;
  }

  /** Writes up to `count` bytes at `offset`. */
  writeAt(_source: ByteSource, _count: number, _offset: number): number {
    return -EINVAL;
  }

  /** How long a transfer may sleep for the events of `mask`: sockets have limits of their own. */
  waitLimitNs(_mask: number): number {
    return Infinity;
  }

  /** Ready events as a poll(2) mask. */
  poll(): number {
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }

  /** Which of the events that woke `queue` are told by a signal. */
  signalledEvents(events: number): number {
    return events & ((this.canRead ? POLLIN : 0) | (this.canWrite ? POLLOUT : 0));
  }

  /** The end that SEEK_END counts from. */
  get end(): number {
    return this.inode.size;
  }

  seek(offset: number, whence: number): number {
    if (!this.isSeekable) return -ESPIPE;
    let base: number;
    if (whence === SEEK_SET) base = 0;
    else if (whence === SEEK_CUR) base = this.offset;
    else if (whence === SEEK_END) base = this.end;
    else return this.seekSparse(offset, whence);
    const to = base + offset;
    if (to < 0) return -EINVAL;
    if (to > MAX_FILE_SIZE) return -EINVAL;
    this.offset = to;
    return to;
  }

  /** SEEK_DATA and SEEK_HOLE. */
  protected seekSparse(_offset: number, _whence: number): number {
    return -EINVAL;
  }

  /** Visits directory entries after `offset`, `.` and `..` included, and moves `offset`; 0 or -errno. */
  readEntries(_visit: EntryVisitor): number {
    return -ENOTDIR;
  }

  ioctl(_request: number, _argument: number, _memory: UserMemory): number {
    return -ENOTTY;
  }

  truncate(size: number): number {
    const result = this.canWrite ? this.inode.truncate(size) : -EINVAL;
    if (result === 0) notifyFile(this, IN_MODIFY);
    return result;
  }

  allocate(mode: number, offset: number, length: number): number {
    const result = this.canWrite ? this.inode.allocate(mode, offset, length) : -EBADF;
    if (result === 0) notifyFile(this, IN_MODIFY);
    return result;
  }

  mappable(_path: string): MappableFile | number {
    return -ENODEV;
  }

  sync(): number {
    return -EINVAL;
  }

  /** A descriptor of it was closed, others may be left. */
  flush(): void {}

  /** Status flags that F_SETFL changed; -EINVAL refuses them. */
  setFlags(flags: number): number {
    this.flags = flags;
    return 0;
  }

  /** Lines that /proc/<pid>/fdinfo/<fd> shows after pos, flags, mnt_id and ino. */
  infoLines(): string {
    return '';
  }

  get refs(): number {
    return this.references;
  }

  retain(): this {
    this.references++;
    return this;
  }

  release(): void {
    this.references--;
    if (this.references !== 0) return;
    const { inode } = this;
    inode.opens--;
    if (inode.fs.watches > 0) {
      notifyFile(this, this.canWrite ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
      notifyUnused(inode);
    }
    const hooks = this.releaseHooks;
    this.releaseHooks = null;
    if (hooks !== null) for (const hook of hooks) hook.released(this);
    this.destroy();
    this.dentry.mount.users--;
  }

  /** Tells `hook` when the last reference goes. */
  onRelease(hook: ReleaseHook): void {
    this.releaseHooks ??= new Set();
    this.releaseHooks.add(hook);
  }

  /** Takes a hook of `onRelease` back. */
  offRelease(hook: ReleaseHook): void {
    this.releaseHooks?.delete(hook);
  }

  /** The last reference is gone. */
  protected destroy(): void {}
}

/** A sink and source over one array, for transfers inside the system. */
export class BufferTransfer implements ByteSink, ByteSource {
  readonly bytes: Uint8Array;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  put(bytes: Uint8Array): number {
    const n = Math.min(bytes.length, this.bytes.length - this.position);
    this.bytes.set(n === bytes.length ? bytes : bytes.subarray(0, n), this.position);
    this.position += n;
    return n;
  }

  take(into: Uint8Array): number {
    const n = Math.min(into.length, this.bytes.length - this.position);
    into.set(this.bytes.subarray(this.position, this.position + n));
    this.position += n;
    return n;
  }
}

/** An O_PATH descriptor: a place, no contents. */
export class PathFile extends OpenFile {
  override poll(): number {
    return 0x20;
  }
}

savable('vfs/open-file', { PathFile });
