// SPDX-License-Identifier: MIT
//
// Pipes and FIFOs: one ring of bytes, writes of PIPE_BUF or less in one piece, ends that come and go. Models
// fs/pipe.c and pipe(7); capacity counts bytes, where Linux counts pages that may be partly filled.

import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOMEM, ENOTTY, ENXIO, EPERM, EPIPE } from '../abi/errno.ts';
import { FIONREAD } from '../abi/ioctl.ts';
import { O_ACCMODE, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, PIPE_BUF } from '../abi/open.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from './dentry.ts';
import type { Budget } from './device-table.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource, UserMemory, PendingOpen } from './open-file.ts';

export const DEFAULT_PIPE_BYTES = 65536;
/** fs.pipe-max-size. */
const MAX_PIPE_BYTES = 1024 * 1024;
/** What even a privileged process cannot pass here. */
const LARGEST_PIPE_BYTES = 64 * 1024 * 1024;
const PAGE = 4096;

/** Bytes that belong together: a packet, or what a stream has between packets. */
interface Piece {
  length: number;
  readonly padding: number;
  readonly isPacket: boolean;
}

/** The bytes between two ends. */
export class Pipe {
  readers = 0;
  writers = 0;
  /** Opens so far, by end: how a FIFO's open notices that the other end came, even if it left again. */
  readerOpens = 0;
  writerOpens = 0;
  readonly queue = new WaitQueue();
  private readonly budget: Budget;
  private ring: Uint8Array | null = null;
  private byteLimit = DEFAULT_PIPE_BYTES;
  private head = 0;
  private held = 0;
  /** Where packets begin and end, from the first one that was written until they are all read; else null. */
  private pieces: Piece[] | null = null;
  /** Room that packets take beyond their bytes: each has pages of its own. */
  private padding = 0;

  constructor(budget: Budget) {
    this.budget = budget;
  }

  get length(): number {
    return this.held;
  }

  get capacity(): number {
    return this.byteLimit;
  }

  /** Bytes that can be written now. */
  get room(): number {
    return Math.max(0, this.byteLimit - this.held - this.padding);
  }

  /** Moves bytes out; what the sink does not take stays. A packet ends a read, and what does not fit of it is lost. */
  read(sink: ByteSink, count: number): number {
    if (count === 0) return 0;
    if (this.held === 0) return this.writers === 0 ? 0 : -EAGAIN;
    if (this.pieces === null) return this.readBytes(sink, count);
    const { before, packet } = this.firstPacket(this.pieces);
    const done = this.readBytes(sink, Math.min(count, before + packet));
    if (done < 0) return done;
    // The rest of a packet that was begun goes with it.
    this.forget(done > before ? before + packet - done : 0, done);
    return done;
  }

  /** Bytes before the first packet, and in it. */
  private firstPacket(pieces: readonly Piece[]): { before: number; packet: number } {
    const [first, second] = pieces;
    if (first === undefined) return { before: 0, packet: 0 };
    if (first.isPacket) return { before: 0, packet: first.length };
    return { before: first.length, packet: second?.length ?? 0 };
  }

  /** Bytes have been read: `rest` more are dropped, and the pieces brought up to date. */
  private forget(rest: number, done: number): void {
    this.head = (this.head + rest) % this.byteLimit;
    this.held -= rest;
    const pieces = this.pieces;
    if (pieces === null) return;
    for (let left = done + rest; left > 0;) {
      const piece = pieces[0];
      if (piece === undefined) break;
      const n = Math.min(left, piece.length);
      left -= n;
      piece.length -= n;
      if (piece.length > 0) break;
      this.padding -= piece.padding;
      pieces.shift();
    }
    if (!pieces.some((piece) => piece.isPacket)) this.pieces = null;
  }

  /** Drops bytes that were looked at with `peek`. */
  consume(count: number): void {
    const n = Math.min(count, this.held);
    this.forget(n, 0);
    this.queue.wake(POLLOUT | POLLWRNORM);
  }

  private readBytes(sink: ByteSink, count: number): number {
    // Only who found no room waits for it; to others it is no news.
    const wasTight = this.room < PIPE_BUF;
    let done = 0;
    while (done < count && this.held > 0 && this.ring !== null) {
      const n = Math.min(count - done, this.held, this.byteLimit - this.head);
      const stored = sink.put(this.ring.subarray(this.head, this.head + n));
      // As in Linux, the page at which the target faults stays in the pipe as a whole.
      const put = stored < n ? stored - (stored % PAGE) : stored;
      this.head = (this.head + put) % this.byteLimit;
      this.held -= put;
      done += put;
      if (stored < n) break;
    }
    if (done === 0) return -EFAULT;
    if (wasTight) this.queue.wake(POLLOUT | POLLWRNORM);
    return done;
  }

  /** Moves bytes in, all of them or none when there are PIPE_BUF or fewer; as packets of so many with O_DIRECT. */
  write(source: ByteSource, count: number, asPackets = false): number {
    if (this.readers === 0) return -EPIPE;
    if (count === 0) return 0;
    const { room } = this;
    if (room === 0 || (count <= PIPE_BUF && room < (asPackets ? PAGE : count))) return -EAGAIN;
    const ring = this.ring ?? this.allocate();
    if (ring === null) return -ENOMEM;
    if (!asPackets) {
      const n = this.writeBytes(ring, source, Math.min(count, room));
      if (n > 0) this.note(n, false);
      return n;
    }
    let done = 0;
    while (done < count && this.room >= PAGE) {
      const want = Math.min(count - done, PIPE_BUF);
      const n = this.writeBytes(ring, source, want);
      if (n < 0) return done > 0 ? done : n;
      this.note(n, true);
      done += n;
      if (n < want) break;
    }
    return done;
  }

  /** Keeps track of what was written as long as there are packets. */
  private note(length: number, isPacket: boolean): void {
    if (this.pieces === null) {
      if (!isPacket) return;
      const before = this.held - length;
      this.pieces = before > 0 ? [{ length: before, padding: 0, isPacket: false }] : [];
    }
    const last = this.pieces.at(-1);
    if (!isPacket && last?.isPacket === false) last.length += length;
    else {
      const padding = isPacket ? PAGE - length : 0;
      this.padding += padding;
      this.pieces.push({ length, padding, isPacket });
    }
  }

  private writeBytes(ring: Uint8Array, source: ByteSource, count: number): number {
    let done = 0;
    while (done < count && this.held < this.byteLimit) {
      const tail = (this.head + this.held) % this.byteLimit;
      const end = tail < this.head ? this.head : this.byteLimit;
      const n = Math.min(count - done, end - tail, this.byteLimit - this.held);
      const taken = source.take(ring.subarray(tail, tail + n));
      const got = taken < n ? taken - (taken % PAGE) : taken;
      this.held += got;
      done += got;
      if (taken < n) break;
    }
    if (done === 0) return -EFAULT;
    this.queue.wake(POLLIN | POLLRDNORM);
    return done;
  }

  /** Memory for the ring: a page when there is not enough for more; null when there is none at all. */
  private allocate(): Uint8Array | null {
    if (!this.budget.take(this.byteLimit)) {
      if (!this.budget.take(PAGE)) return null;
      this.byteLimit = PAGE;
    }
    this.ring = new Uint8Array(this.byteLimit);
    return this.ring;
  }

  /** Both ends are gone: nobody will read what is left. */
  drop(): void {
    if (this.ring !== null) this.budget.give(this.byteLimit);
    this.ring = null;
    this.head = 0;
    this.held = 0;
    this.pieces = null;
    this.padding = 0;
  }

  /** F_SETPIPE_SZ; the new capacity or -errno. */
  resize(bytes: number, isPrivileged: boolean): number {
    if (bytes < 0 || bytes > 0x80000000) return -EINVAL;
    let capacity = PAGE;
    while (capacity < bytes) capacity *= 2;
    if (capacity > MAX_PIPE_BYTES && capacity > this.byteLimit && !isPrivileged) return -EPERM;
    if (capacity < this.held + this.padding) return -EBUSY;
    if (capacity > LARGEST_PIPE_BYTES) return -ENOMEM;
    if (this.ring !== null) {
      if (!this.budget.take(capacity)) return -ENOMEM;
      this.budget.give(this.byteLimit);
      const ring = new Uint8Array(capacity);
      for (let i = 0; i < this.held; i++) ring[i] = this.ring[(this.head + i) % this.byteLimit] as number;
      this.ring = ring;
      this.head = 0;
    }
    this.byteLimit = capacity;
    this.queue.wake(POLLOUT | POLLWRNORM);
    return capacity;
  }

  /** Copies up to `count` of the bytes that wait, without taking them (tee). */
  peek(count: number): Uint8Array {
    const n = Math.min(count, this.held);
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) out[i] = this.ring?.[(this.head + i) % this.byteLimit] ?? 0;
    return out;
  }
}

/** One end of a pipe, or both (a FIFO opened O_RDWR). */
export class PipeFile extends OpenFile {
  override readonly isPollable = true;
  override readonly canSignal = true;
  override readonly queue: WaitQueue;
  readonly pipe: Pipe;
  /** Writers that had come when a FIFO's end was opened without one there: no hang-up until another came and left. */
  private opensSeen = -1;

  constructor(dentry: Dentry, flags: number, pipe: Pipe, isFifo = false) {
    super(dentry, flags);
    this.pipe = pipe;
    this.queue = pipe.queue;
    if (this.canRead) {
      pipe.readers++;
      pipe.readerOpens++;
      if (isFifo && pipe.writers === 0) this.opensSeen = pipe.writerOpens;
    }
    if (this.canWrite) {
      pipe.writers++;
      pipe.writerOpens++;
    }
  }

  override readAt(sink: ByteSink, count: number): number {
    return this.pipe.read(sink, count);
  }

  override writeAt(source: ByteSource, count: number): number {
    return this.pipe.write(source, count, (this.flags & O_DIRECT) !== 0);
  }

  override poll(): number {
    const { pipe } = this;
    let events = 0;
    if (this.canRead) {
      if (pipe.length > 0) events |= POLLIN | POLLRDNORM;
      if (pipe.writers === 0 && pipe.writerOpens !== this.opensSeen) events |= POLLHUP;
    }
    if (this.canWrite) {
      if (pipe.room >= PIPE_BUF) events |= POLLOUT | POLLWRNORM;
      if (pipe.readers === 0) events |= POLLERR;
    }
    return events;
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    if (request !== FIONREAD) return -ENOTTY;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, this.pipe.length, true);
    return memory.copyOut(argument, bytes) === 4 ? 0 : -EFAULT;
  }

  protected override destroy(): void {
    const { pipe } = this;
    if (this.canRead) pipe.readers--;
    if (this.canWrite) pipe.writers--;
    if (pipe.readers === 0 && pipe.writers === 0) pipe.drop();
    pipe.queue.wake(POLLIN | POLLOUT | POLLHUP | POLLERR);
  }
}

/** Opens a pipe that has no name by its descriptor's link: it does not matter whether the other end is there. */
export function openPipe(dentry: Dentry, flags: number, pipe: Pipe): OpenFile | number {
  if ((flags & O_ACCMODE) === O_ACCMODE) return -EINVAL;
  return new PipeFile(dentry, flags, pipe);
}

/** Opens a FIFO: waits for the other end, except with O_RDWR or O_NONBLOCK. */
export function openFifo(dentry: Dentry, flags: number, pipe: Pipe): OpenFile | number {
  const mode = flags & O_ACCMODE;
  const isNonblock = (flags & O_NONBLOCK) !== 0;
  if (mode === O_WRONLY && isNonblock && pipe.readers === 0) return -ENXIO;
  if (mode === O_ACCMODE) return -EINVAL;
  const file = new PipeFile(dentry, flags, pipe, true);
  pipe.queue.wake(POLLIN | POLLOUT);
  if (isNonblock || mode === O_RDWR) return file;
  const pending = new OtherEnd(pipe, mode === O_RDONLY);
  if (!pending.isReady()) file.pendingOpen = pending;
  return file;
}

/** What an open of one end of a FIFO waits for. */
class OtherEnd implements PendingOpen {
  readonly queue: WaitQueue;
  private readonly pipe: Pipe;
  private readonly isReader: boolean;
  /** Openings of the other end when the wait began: one that has come and gone ends it, too. */
  private readonly seen: number;

  constructor(pipe: Pipe, isReader: boolean) {
    this.pipe = pipe;
    this.queue = pipe.queue;
    this.isReader = isReader;
    this.seen = isReader ? pipe.writerOpens : pipe.readerOpens;
  }

  isReady(): boolean {
    const { pipe, seen } = this;
    if (this.isReader) return pipe.writers > 0 || pipe.writerOpens !== seen;
    return pipe.readers > 0 || pipe.readerOpens !== seen;
  }
}

savable('vfs/pipe', { Pipe, PipeFile, OtherEnd });
