// SPDX-License-Identifier: MIT
//
// Calls that move bytes: read and write in all forms, lseek, sendfile, splice, copy_file_range, fsync, fallocate.
// fs/read_write.c, fs/splice.c, fs/sync.c.

import { savable } from '../../base/savable.ts';
import {
  EAGAIN,
  EBADF,
  EFAULT,
  EFBIG,
  EINVAL,
  EISDIR,
  EOPNOTSUPP,
  EOVERFLOW,
  EPIPE,
  ESPIPE,
  EXDEV,
} from '../../abi/errno.ts';
import { O_APPEND, O_NONBLOCK, RWF_APPEND, RWF_NOWAIT } from '../../abi/open.ts';
import { POLLIN, POLLOUT } from '../../abi/poll.ts';
import { RLIMIT_FSIZE } from '../../abi/resource.ts';
import { SIGPIPE, SIGXFSZ } from '../../abi/signal.ts';
import type { ByteSink, ByteSource, OpenFile } from '../../vfs/open-file.ts';
import { BufferTransfer, MAX_FILE_SIZE } from '../../vfs/open-file.ts';
import type { Pipe } from '../../vfs/pipe.ts';
import { PipeFile } from '../../vfs/pipe.ts';
import { SocketFile } from '../../vfs/unix-socket.ts';
import { TRANSFER_BYTES } from '../../vfs/regular-file.ts';
import { kernelInfo, killInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Task } from '../task.ts';
import { MAX_RW_COUNT, readTimed, userBuffer, userVector, waitFor } from './file-arguments.ts';
import type { Transfer, UserBuffers } from './file-arguments.ts';
import type { SyscallDef, SyscallResult } from './table.ts';

/** SI_USER: what SIGPIPE says it comes from. */
const SI_USER = 0;

function sendSigpipe(task: Task): void {
  sendSignal(task.group, task, killInfo(SIGPIPE, SI_USER, task.group.tgid, task.creds.uid));
}

function readable(task: Task, fd: number): OpenFile | number {
  const file = task.files.get(fd);
  return file === undefined || !file.canRead ? -EBADF : file;
}

function writable(task: Task, fd: number): OpenFile | number {
  const file = task.files.get(fd);
  return file === undefined || !file.canWrite ? -EBADF : file;
}

/** Any file that is open for more than its place. */
function opened(task: Task, fd: number): OpenFile | number {
  return task.files.usable(fd) ?? -EBADF;
}

/** The file of a transfer at an offset: that it has none is told before that it may not be read or written. */
function positioned(task: Task, fd: number, isWrite: boolean): OpenFile | number {
  const file = opened(task, fd);
  if (typeof file === 'number') return file;
  if (!file.isSeekable) return -ESPIPE;
  return (isWrite ? file.canWrite : file.canRead) ? file : -EBADF;
}

/** Reads at the shared offset, or from a stream. */
function readFile(task: Task, file: OpenFile, sink: ByteSink, count: number, isNonblock?: boolean): SyscallResult {
  if (file.inode.isDirectory) return -EISDIR;
  if (file.isSeekable) {
    const n = file.readAt(sink, count, file.offset);
    if (n > 0) file.offset += n;
    return n;
  }
  const read = file.startRead(count);
  if (read !== null) return readTimed(task, file, read, sink, isNonblock);
  return waitFor(task, file, POLLIN, new StreamRead(file, sink, count), isNonblock);
}

/** A read from a stream. */
class StreamRead implements Transfer {
  private readonly file: OpenFile;
  private readonly sink: ByteSink;
  private readonly count: number;

  constructor(file: OpenFile, sink: ByteSink, count: number) {
    this.file = file;
    this.sink = sink;
    this.count = count;
  }

  attempt(): number {
    return this.file.readAt(this.sink, this.count, 0);
  }
}

/** How much of a write RLIMIT_FSIZE and the largest offset allow; -EFBIG with the signal when nothing. */
function allowedBytes(task: Task, file: OpenFile, at: number, count: number): number {
  if (!file.inode.isRegular) return count;
  const limit = task.group.softLimit(RLIMIT_FSIZE);
  if (at >= limit && count > 0) {
    sendSignal(task.group, task, kernelInfo(SIGXFSZ));
    return -EFBIG;
  }
  if (at >= MAX_FILE_SIZE && count > 0) return -EFBIG;
  return Math.min(count, limit - at);
}

/** Writes at the shared offset, at the end with O_APPEND, or to a stream until everything has gone. */
function writeFile(task: Task, file: OpenFile, source: ByteSource, count: number, isNonblock?: boolean): SyscallResult {
  if (file.isSeekable) {
    const at = (file.flags & O_APPEND) !== 0 ? file.end : file.offset;
    const allowed = allowedBytes(task, file, at, count);
    if (allowed < 0) return allowed;
    const n = file.writeAt(source, allowed, at);
    if (n > 0) {
      file.offset = at + n;
      file.inode.dropSetId(task.creds);
    }
    return n;
  }
  return waitFor(task, file, POLLOUT, new StreamWrite(task, file, source, count), isNonblock);
}

/** A write to a stream, until everything has gone. */
class StreamWrite implements Transfer {
  private readonly task: Task;
  private readonly file: OpenFile;
  private readonly source: ByteSource;
  private readonly count: number;
  done = 0;

  constructor(task: Task, file: OpenFile, source: ByteSource, count: number) {
    this.task = task;
    this.file = file;
    this.source = source;
    this.count = count;
  }

  attempt(): number {
    for (;;) {
      const n = this.file.writeAt(this.source, this.count - this.done, 0);
      if (n === -EPIPE) sendSigpipe(this.task);
      if (n === -EAGAIN) return n;
      if (n < 0) return this.done > 0 ? this.done : n;
      this.done += n;
      if (this.done >= this.count || n === 0) return this.done;
    }
  }
}

function read(task: Task, fd: number, addr: number, count: number): SyscallResult {
  const file = readable(task, fd);
  if (typeof file === 'number') return file;
  const buffer = userBuffer(task, addr, count);
  return typeof buffer === 'number' ? buffer : readFile(task, file, buffer, buffer.length);
}

function write(task: Task, fd: number, addr: number, count: number): SyscallResult {
  const file = writable(task, fd);
  if (typeof file === 'number') return file;
  const buffer = userBuffer(task, addr, count);
  return typeof buffer === 'number' ? buffer : writeFile(task, file, buffer, buffer.length);
}

function readv(task: Task, fd: number, addr: number, count: number): SyscallResult {
  const file = readable(task, fd);
  if (typeof file === 'number') return file;
  const buffers = userVector(task, addr, count);
  return typeof buffers === 'number' ? buffers : readFile(task, file, buffers, buffers.length);
}

function writev(task: Task, fd: number, addr: number, count: number): SyscallResult {
  const file = writable(task, fd);
  if (typeof file === 'number') return file;
  const buffers = userVector(task, addr, count);
  return typeof buffers === 'number' ? buffers : writeFile(task, file, buffers, buffers.length);
}

/** Positions are signed: no transfer ends here or beyond. */
const OFFSET_END = 2 ** 63;

/** pread and preadv once the arguments are known. */
function readAt(file: OpenFile, buffers: UserBuffers | number, offset: number): number {
  if (typeof buffers === 'number') return buffers;
  if (file.inode.isDirectory) return -EISDIR;
  if (offset + buffers.length >= OFFSET_END) return -EINVAL;
  return file.readAt(buffers, buffers.length, offset);
}

function writeAt(task: Task, file: OpenFile, buffers: UserBuffers | number, offset: number): number {
  if (typeof buffers === 'number') return buffers;
  if (offset + buffers.length >= OFFSET_END) return -EINVAL;
  // As in Linux, and unlike POSIX, an append file appends whatever the offset says.
  const at = (file.flags & O_APPEND) !== 0 ? file.end : offset;
  const allowed = allowedBytes(task, file, at, buffers.length);
  if (allowed < 0) return allowed;
  const n = file.writeAt(buffers, allowed, at);
  if (n > 0) file.inode.dropSetId(task.creds);
  return n;
}

function pread(task: Task, fd: number, addr: number, count: number, offset: number): number {
  if (offset < 0) return -EINVAL;
  const file = positioned(task, fd, false);
  return typeof file === 'number' ? file : readAt(file, userBuffer(task, addr, count), offset);
}

function pwrite(task: Task, fd: number, addr: number, count: number, offset: number): number {
  if (offset < 0) return -EINVAL;
  const file = positioned(task, fd, true);
  return typeof file === 'number' ? file : writeAt(task, file, userBuffer(task, addr, count), offset);
}

function preadv(task: Task, fd: number, addr: number, count: number, offset: number): number {
  if (offset < 0) return -EINVAL;
  const file = positioned(task, fd, false);
  return typeof file === 'number' ? file : readAt(file, userVector(task, addr, count), offset);
}

function pwritev(task: Task, fd: number, addr: number, count: number, offset: number): number {
  if (offset < 0) return -EINVAL;
  const file = positioned(task, fd, true);
  return typeof file === 'number' ? file : writeAt(task, file, userVector(task, addr, count), offset);
}

const KNOWN_RWF = 0x1f;

function preadv2(task: Task, fd: number, addr: number, count: number, offset: number, flags: number): SyscallResult {
  if ((flags & ~KNOWN_RWF) !== 0) return -EOPNOTSUPP;
  if (offset !== -1) return preadv(task, fd, addr, count, offset);
  const file = readable(task, fd);
  if (typeof file === 'number') return file;
  const buffers = userVector(task, addr, count);
  if (typeof buffers === 'number') return buffers;
  return readFile(task, file, buffers, buffers.length, (flags & RWF_NOWAIT) !== 0 ? true : undefined);
}

function pwritev2(task: Task, fd: number, addr: number, count: number, offset: number, flags: number): SyscallResult {
  if ((flags & ~KNOWN_RWF) !== 0) return -EOPNOTSUPP;
  const file = writable(task, fd);
  if (typeof file === 'number') return file;
  const appends = (flags & RWF_APPEND) !== 0 && (file.flags & O_APPEND) === 0;
  const old = file.flags;
  if (appends) file.flags |= O_APPEND;
  try {
    if (offset !== -1) return pwritev(task, fd, addr, count, offset);
    const buffers = userVector(task, addr, count);
    if (typeof buffers === 'number') return buffers;
    return writeFile(task, file, buffers, buffers.length, (flags & RWF_NOWAIT) !== 0 ? true : undefined);
  } finally {
    if (appends) file.flags = old;
  }
}

function lseek(task: Task, fd: number, offset: number, whence: number): number {
  const file = task.files.usable(fd);
  if (file === undefined) return -EBADF;
  if (whence < 0 || whence > 4) return -EINVAL;
  return file.seek(offset, whence);
}

/** Moves up to `count` bytes through a buffer, without touching either description's offset; bytes or -errno. */
function copyThrough(from: OpenFile, fromAt: number, to: OpenFile, toAt: number, count: number): number {
  const buffer = new Uint8Array(Math.min(count, TRANSFER_BYTES));
  let done = 0;
  while (done < count) {
    const part = new BufferTransfer(count - done < buffer.length ? buffer.subarray(0, count - done) : buffer);
    const got = from.readAt(part, part.bytes.length, fromAt + done);
    if (got < 0) return done > 0 ? done : got;
    if (got === 0) break;
    const put = to.writeAt(new BufferTransfer(buffer.subarray(0, got)), got, toAt + done);
    if (put < 0) return done > 0 ? done : put;
    done += put;
    // A short piece is the last one: a file that is copied to its own end would otherwise grow by it for ever.
    if (put < part.bytes.length) break;
  }
  return done;
}

/** A loff_t argument that is read and written back; `undefined` when the pointer is null. */
function offsetAt(task: Task, addr: number): number | undefined | { fault: true } {
  if (addr === 0) return undefined;
  return task.mm.readI64n(addr) ?? { fault: true };
}

function sendfile(task: Task, outFd: number, inFd: number, offsetAddr: number, count: number): SyscallResult {
  const from = readable(task, inFd);
  if (typeof from === 'number') return from;
  const given = offsetAt(task, offsetAddr);
  if (typeof given === 'object') return -EFAULT;
  const to = writable(task, outFd);
  if (typeof to === 'number') return to;
  if (!from.isSeekable && given !== undefined) return -ESPIPE;
  if (count >= 2 ** 63 || !canSplice(to) || !to.takesPages) return -EINVAL;
  if (from.inode.isDirectory || !from.givesPages) return -EINVAL;
  if (!from.isSeekable) {
    // From a socket to a pipe it is splice.
    if (!(from instanceof SocketFile && to instanceof PipeFile)) return -EINVAL;
    const isNonblock = ((from.flags | to.flags) & O_NONBLOCK) !== 0;
    return startSplicing(task, from, to, { ...OWN_OFFSETS, most: Math.min(count, TRANSFER_BYTES) }, isNonblock);
  }
  if ((to.flags & O_APPEND) !== 0 || (given !== undefined && given < 0)) return -EINVAL;
  const start = given ?? from.offset;
  // A device never ends, a reader may never come, and nothing interrupts a transfer here.
  const total = Math.min(count, from.inode.isRegular && to.isSeekable ? MAX_RW_COUNT : MAX_AT_ONCE);
  const sending = new FileSending(task, from, to, { start, total, offsetAddr: given === undefined ? 0 : offsetAddr });
  if (to.isSeekable) {
    const allowed = allowedBytes(task, to, to.offset, total);
    if (allowed < 0) return allowed;
    const n = copyThrough(from, start, to, to.offset, allowed);
    if (n <= 0) return n;
    to.offset += n;
    sending.moved(n);
    return n;
  }
  return waitFor(task, to, POLLOUT, sending);
}

/** A sendfile to a stream. */
class FileSending implements Transfer {
  private readonly task: Task;
  private readonly from: OpenFile;
  private readonly to: OpenFile;
  private readonly what: { readonly start: number; readonly total: number; readonly offsetAddr: number };
  done = 0;

  /** @param what `offsetAddr` is 0 when the file's own offset moves */
  constructor(task: Task, from: OpenFile, to: OpenFile, what: { start: number; total: number; offsetAddr: number }) {
    this.task = task;
    this.from = from;
    this.to = to;
    this.what = what;
  }

  /** The offset moves with each piece, so that it is right however the call ends. */
  moved(n: number): void {
    const { start, offsetAddr } = this.what;
    this.done += n;
    if (offsetAddr === 0) this.from.offset = start + this.done;
    else this.task.mm.writeU64(offsetAddr, start + this.done);
  }

  attempt(): number {
    const { start, total } = this.what;
    while (this.done < total) {
      const n = copyToStream(this.from, start + this.done, this.to, Math.min(total - this.done, TRANSFER_BYTES));
      if (n === -EAGAIN) return n;
      if (n === -EPIPE) sendSigpipe(this.task);
      if (n <= 0) return this.done > 0 ? this.done : n;
      this.moved(n);
    }
    return this.done;
  }
}

/** One piece from a file to a stream; what the stream does not take is read again later. */
function copyToStream(from: OpenFile, at: number, to: OpenFile, count: number): number {
  const buffer = new Uint8Array(count);
  const got = from.readAt(new BufferTransfer(buffer), count, at);
  if (got <= 0) return got;
  return to.writeAt(new BufferTransfer(buffer.subarray(0, got)), got, 0);
}

/** Bytes that one sendfile takes from a device or gives to a stream. */
const MAX_AT_ONCE = 128 * 1024 * 1024;
const SPLICE_FLAGS = 0xf;
const SPLICE_F_NONBLOCK = 2;

/** Directories and files without a kind of their own (eventfd and the like) move no pages. */
function canSplice(file: OpenFile): boolean {
  return file.inode.type !== 0 && !file.inode.isDirectory;
}

function splice(
  task: Task,
  inFd: number,
  inOffset: number,
  outFd: number,
  outOffset: number,
  count: number,
  flags: number,
): SyscallResult {
  if (count === 0) return 0;
  if ((flags & ~SPLICE_FLAGS) !== 0) return -EINVAL;
  const from = readable(task, inFd);
  if (typeof from === 'number') return from;
  const to = writable(task, outFd);
  if (typeof to === 'number') return to;
  const fromPipe = from instanceof PipeFile ? from : null;
  const toPipe = to instanceof PipeFile ? to : null;
  if (fromPipe === null && toPipe === null) return -EINVAL;
  if ((fromPipe !== null && inOffset !== 0) || (toPipe !== null && outOffset !== 0)) return -ESPIPE;
  if (fromPipe !== null && toPipe !== null && fromPipe.pipe === toPipe.pipe) return -EINVAL;
  if (toPipe === null && (to.flags & O_APPEND) !== 0) return -EINVAL;
  const givenIn = offsetAt(task, inOffset);
  const givenOut = offsetAt(task, outOffset);
  if (typeof givenIn === 'object' || typeof givenOut === 'object') return -EFAULT;
  if ((givenIn ?? 0) < 0 || (givenOut ?? 0) < 0) return -EINVAL;
  if (!canSplice(from) || !canSplice(to) || !from.givesPages || !to.takesPages) return -EINVAL;
  if ((givenIn !== undefined && !from.isSeekable) || (givenOut !== undefined && !to.isSeekable)) return -EINVAL;
  const nonblock = (flags & SPLICE_F_NONBLOCK) !== 0;
  const isNonblock = nonblock || ((from.flags | to.flags) & O_NONBLOCK) !== 0;
  const what = { most: Math.min(count, TRANSFER_BYTES), givenIn, givenOut, inOffset, outOffset };
  return startSplicing(task, from, to, what, isNonblock);
}

/** No offsets but the files' own. */
const OWN_OFFSETS = { givenIn: undefined, givenOut: undefined, inOffset: 0, outOffset: 0 };

function startSplicing(
  task: Task,
  from: OpenFile,
  to: OpenFile,
  what: Splicing['what'],
  isNonblock: boolean,
): SyscallResult {
  // Whichever side is not ready, as far as a pipe can tell: one without input, or one without room.
  const lacksInput = from instanceof PipeFile ? from.pipe.length === 0 : to instanceof PipeFile && to.pipe.room > 0;
  const waits = lacksInput ? from : to;
  return waitFor(task, waits, waits === from ? POLLIN : POLLOUT, new Splicing(task, from, to, what), isNonblock);
}

/** A splice(2): how much at most, and the offsets that are not the files' own with where they are written back. */
class Splicing implements Transfer {
  private readonly task: Task;
  private readonly from: OpenFile;
  private readonly to: OpenFile;
  readonly what: {
    readonly most: number;
    readonly givenIn: number | undefined;
    readonly givenOut: number | undefined;
    readonly inOffset: number;
    readonly outOffset: number;
  };

  constructor(task: Task, from: OpenFile, to: OpenFile, what: Splicing['what']) {
    this.task = task;
    this.from = from;
    this.to = to;
    this.what = what;
  }

  attempt(): number {
    const { task, from, to } = this;
    const { most, givenIn, givenOut, inOffset, outOffset } = this.what;
    const fromPipe = from instanceof PipeFile ? from : null;
    const toPipe = to instanceof PipeFile ? to : null;
    const buffer = new Uint8Array(most);
    // Look before taking: what the target refuses must stay in the source.
    let got: number;
    if (fromPipe !== null) {
      const waiting = fromPipe.pipe.peek(most);
      if (waiting.length === 0) return fromPipe.pipe.writers === 0 ? 0 : -EAGAIN;
      buffer.set(waiting);
      got = waiting.length;
    } else {
      const room = toPipe === null ? most : toPipe.pipe.room;
      if (toPipe !== null && toPipe.pipe.readers > 0 && room === 0) return -EAGAIN;
      const want = Math.min(most, Math.max(room, 1));
      got = from.readAt(new BufferTransfer(buffer.subarray(0, want)), want, givenIn ?? from.offset);
      if (got <= 0) return got;
    }
    if (toPipe !== null && got <= 4096) got = Math.min(got, Math.max(1, toPipe.pipe.room));
    const put = to.writeAt(new BufferTransfer(buffer.subarray(0, got)), got, givenOut ?? to.offset);
    if (put === -EPIPE) sendSigpipe(task);
    if (put <= 0) return put;
    if (fromPipe !== null) fromPipe.pipe.consume(put);
    else if (givenIn !== undefined) task.mm.writeU64(inOffset, givenIn + put);
    else if (from.isSeekable) from.offset += put;
    if (givenOut !== undefined) task.mm.writeU64(outOffset, givenOut + put);
    else if (to.isSeekable) to.offset += put;
    return put;
  }
}

function tee(task: Task, inFd: number, outFd: number, count: number, flags: number): SyscallResult {
  if ((flags & ~SPLICE_FLAGS) !== 0) return -EINVAL;
  const from = readable(task, inFd);
  if (typeof from === 'number') return from;
  const to = writable(task, outFd);
  if (typeof to === 'number') return to;
  if (!(from instanceof PipeFile) || !(to instanceof PipeFile) || from.pipe === to.pipe) return -EINVAL;
  if (count === 0) return 0;
  const isNonblock = (flags & SPLICE_F_NONBLOCK) !== 0;
  return waitFor(
    task,
    from.pipe.length === 0 ? from : to,
    POLLIN | POLLOUT,
    new Teeing(from.pipe, to.pipe, count),
    isNonblock,
  );
}

/** A tee(2). */
class Teeing implements Transfer {
  private readonly from: Pipe;
  private readonly to: Pipe;
  private readonly count: number;

  constructor(from: Pipe, to: Pipe, count: number) {
    this.from = from;
    this.to = to;
    this.count = count;
  }

  attempt(): number {
    const waiting = this.from.peek(Math.min(this.count, this.to.room));
    if (waiting.length > 0) return this.to.write(new BufferTransfer(waiting), waiting.length);
    if (this.to.readers === 0) return -EPIPE;
    return this.from.length === 0 && this.from.writers === 0 ? 0 : -EAGAIN;
  }
}

function vmsplice(task: Task, fd: number, addr: number, count: number, flags: number): SyscallResult {
  if ((flags & ~SPLICE_FLAGS) !== 0) return -EINVAL;
  const file = task.files.get(fd);
  if (file === undefined) return -EBADF;
  if (!(file instanceof PipeFile)) return -EBADF;
  const buffers = userVector(task, addr, count);
  if (typeof buffers === 'number') return buffers;
  const isNonblock = (flags & SPLICE_F_NONBLOCK) !== 0 ? true : undefined;
  return file.canWrite
    ? writeFile(task, file, buffers, buffers.length, isNonblock)
    : readFile(task, file, buffers, buffers.length, isNonblock);
}

function copyFileRange(
  task: Task,
  inFd: number,
  inOffset: number,
  outFd: number,
  outOffset: number,
  count: number,
  flags: number,
): number {
  const from = opened(task, inFd);
  if (typeof from === 'number') return from;
  const to = opened(task, outFd);
  if (typeof to === 'number') return to;
  const givenIn = offsetAt(task, inOffset);
  const givenOut = offsetAt(task, outOffset);
  if (typeof givenIn === 'object' || typeof givenOut === 'object') return -EFAULT;
  if (flags !== 0) return -EINVAL;
  if (from.inode.isDirectory || to.inode.isDirectory) return -EISDIR;
  if (!from.inode.isRegular || !to.inode.isRegular) return -EINVAL;
  if (!from.canRead || !to.canWrite || (to.flags & O_APPEND) !== 0) return -EBADF;
  if (from.inode.fs !== to.inode.fs && from.inode.fs.typeName !== to.inode.fs.typeName) return -EXDEV;
  const fromAt = givenIn ?? from.offset;
  const toAt = givenOut ?? to.offset;
  for (const at of [fromAt, toAt]) if (at < 0) return at + count >= 0 ? -EOVERFLOW : -EINVAL;
  let total = Math.min(count, MAX_RW_COUNT);
  if (toAt > MAX_FILE_SIZE) return -EFBIG;
  if (from.inode === to.inode && fromAt < toAt + total && toAt < fromAt + total && total > 0) return -EINVAL;
  total = Math.max(0, Math.min(total, from.inode.size - fromAt));
  const allowed = allowedBytes(task, to, toAt, total);
  if (allowed <= 0) return allowed;
  const n = copyThrough(from, fromAt, to, toAt, allowed);
  if (n <= 0) return n;
  if (givenIn === undefined) from.offset += n;
  else if (!task.mm.writeU64(inOffset, givenIn + n)) return -EFAULT;
  if (givenOut === undefined) to.offset += n;
  else if (!task.mm.writeU64(outOffset, givenOut + n)) return -EFAULT;
  return n;
}

function fsync(task: Task, fd: number): number {
  return task.files.usable(fd)?.sync() ?? -EBADF;
}

function syncfs(task: Task, fd: number): number {
  return task.files.usable(fd) === undefined ? -EBADF : 0;
}

function syncFileRange(task: Task, fd: number, offset: number, length: number, flags: number): number {
  const file = opened(task, fd);
  if (typeof file === 'number') return file;
  if ((flags & ~7) !== 0 || offset < 0 || length < 0) return -EINVAL;
  return file.inode.isRegular || file.inode.isDirectory ? 0 : -ESPIPE;
}

function fallocate(task: Task, fd: number, mode: number, offset: number, length: number): number {
  const file = opened(task, fd);
  if (typeof file === 'number') return file;
  if (offset < 0 || length <= 0) return -EINVAL;
  if (!file.canWrite) return -EBADF;
  if (file instanceof PipeFile) return -ESPIPE;
  if (file.inode.isDirectory) return -EISDIR;
  const limit = task.group.softLimit(RLIMIT_FSIZE);
  if (offset + length > limit) {
    sendSignal(task.group, task, kernelInfo(SIGXFSZ));
    return -EFBIG;
  }
  return file.allocate(mode, offset, length);
}

function fadvise(task: Task, fd: number, length: number, advice: number): number {
  const file = task.files.usable(fd);
  if (file === undefined) return -EBADF;
  if (file instanceof PipeFile) return -ESPIPE;
  return length < 0 || advice < 0 || advice > 5 ? -EINVAL : 0;
}

function readahead(task: Task, fd: number): number {
  const file = readable(task, fd);
  if (typeof file === 'number') return file;
  return file.inode.isRegular ? 0 : -EINVAL;
}

export const FD_IO_CALLS: readonly SyscallDef[] = [
  { nr: 0, name: 'read', args: ['fd', 'outbuf', 'size'], call: (t, a) => read(t, a.int(0), a.num(1), a.num(2)) },
  { nr: 1, name: 'write', args: ['fd', 'buf', 'size'], call: (t, a) => write(t, a.int(0), a.num(1), a.num(2)) },
  { nr: 8, name: 'lseek', args: ['fd', 'off', 'enum:whence'], call: (t, a) => lseek(t, a.int(0), a.long(1), a.int(2)) },
  {
    nr: 17,
    name: 'pread64',
    args: ['fd', 'outbuf', 'size', 'off'],
    call: (t, a) => pread(t, a.int(0), a.num(1), a.num(2), a.long(3)),
  },
  {
    nr: 18,
    name: 'pwrite64',
    args: ['fd', 'buf', 'size', 'off'],
    call: (t, a) => pwrite(t, a.int(0), a.num(1), a.num(2), a.long(3)),
  },
  { nr: 19, name: 'readv', args: ['fd', 'iov:out', 'int'], call: (t, a) => readv(t, a.int(0), a.num(1), a.int(2)) },
  { nr: 20, name: 'writev', args: ['fd', 'iov:in', 'int'], call: (t, a) => writev(t, a.int(0), a.num(1), a.int(2)) },
  {
    nr: 295,
    name: 'preadv',
    args: ['fd', 'iov:out', 'int', 'off'],
    call: (t, a) => preadv(t, a.int(0), a.num(1), a.int(2), a.long(3)),
  },
  {
    nr: 296,
    name: 'pwritev',
    args: ['fd', 'iov:in', 'int', 'off'],
    call: (t, a) => pwritev(t, a.int(0), a.num(1), a.int(2), a.long(3)),
  },
  {
    nr: 327,
    name: 'preadv2',
    args: ['fd', 'iov:out', 'int', 'off', 'none', 'flags:rwf'],
    call: (t, a) => preadv2(t, a.int(0), a.num(1), a.int(2), a.long(3), a.uint(5)),
  },
  {
    nr: 328,
    name: 'pwritev2',
    args: ['fd', 'iov:in', 'int', 'off', 'none', 'flags:rwf'],
    call: (t, a) => pwritev2(t, a.int(0), a.num(1), a.int(2), a.long(3), a.uint(5)),
  },
  {
    nr: 40,
    name: 'sendfile',
    args: ['fd', 'fd', 'inout:off', 'size'],
    call: (t, a) => sendfile(t, a.int(0), a.int(1), a.num(2), a.num(3)),
  },
  {
    nr: 275,
    name: 'splice',
    args: ['fd', 'in:off', 'fd', 'in:off', 'size', 'flags:splice'],
    call: (t, a) => splice(t, a.int(0), a.num(1), a.int(2), a.num(3), a.num(4), a.uint(5)),
  },
  {
    nr: 276,
    name: 'tee',
    args: ['fd', 'fd', 'size', 'flags:splice'],
    call: (t, a) => tee(t, a.int(0), a.int(1), a.num(2), a.uint(3)),
  },
  {
    nr: 278,
    name: 'vmsplice',
    args: ['fd', 'iov:in', 'size', 'flags:splice'],
    call: (t, a) => vmsplice(t, a.int(0), a.num(1), a.int(2), a.uint(3)),
  },
  {
    nr: 326,
    name: 'copy_file_range',
    args: ['fd', 'in:off', 'fd', 'in:off', 'size', 'hex'],
    call: (t, a) => copyFileRange(t, a.int(0), a.num(1), a.int(2), a.num(3), a.num(4), a.uint(5)),
  },
  { nr: 74, name: 'fsync', args: ['fd'], call: (t, a) => fsync(t, a.int(0)) },
  { nr: 75, name: 'fdatasync', args: ['fd'], call: (t, a) => fsync(t, a.int(0)) },
  { nr: 162, name: 'sync', args: [], call: () => 0 },
  { nr: 306, name: 'syncfs', args: ['fd'], call: (t, a) => syncfs(t, a.int(0)) },
  {
    nr: 277,
    name: 'sync_file_range',
    args: ['fd', 'off', 'off', 'hex'],
    call: (t, a) => syncFileRange(t, a.int(0), a.long(1), a.long(2), a.uint(3)),
  },
  {
    nr: 285,
    name: 'fallocate',
    args: ['fd', 'flags:fallocate', 'off', 'off'],
    call: (t, a) => fallocate(t, a.int(0), a.uint(1), a.long(2), a.long(3)),
  },
  {
    nr: 221,
    name: 'fadvise64',
    args: ['fd', 'off', 'size', 'enum:fadvise'],
    call: (t, a) => fadvise(t, a.int(0), a.long(2), a.int(3)),
  },
  { nr: 187, name: 'readahead', args: ['fd', 'off', 'size'], call: (t, a) => readahead(t, a.int(0)) },
];

savable('kernel/syscalls/fd-io', { StreamRead, StreamWrite, FileSending, Splicing, Teeing });
