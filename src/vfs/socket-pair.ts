// SPDX-License-Identifier: MIT
//
// Connected pairs of AF_UNIX sockets: streams are two pipes, datagrams and sequenced packets are queues of messages.
// There are no addresses and no other sockets. Models net/unix/af_unix.c as far as socketpair(2) reaches.

import { EAGAIN, EFAULT, EMSGSIZE, ENOBUFS, EPIPE } from '../abi/errno.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { SOCK_STREAM } from '../abi/socket.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import type { Dentry } from './dentry.ts';
import type { Budget } from './device-table.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource } from './open-file.ts';

/** net.core.wmem_default. */
export const SOCKET_BUFFER_BYTES = 212_992;
/** What each message or piece counts for beside its bytes. */
const MESSAGE_BYTES = 256;

/** Bytes or messages on their way to one end. */
class Channel {
  /** Chunks of a stream, or messages. */
  readonly parts: Uint8Array[] = [];
  bytes = 0;
  /** The sender will send no more. */
  isClosed = false;
  /** The receiver will take no more. */
  isShut = false;
}

/** One end of a pair. */
export class SocketFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue = new WaitQueue();
  /** SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. */
  readonly kind: number;
  readonly #in: Channel;
  readonly #out: Channel;
  readonly #budget: Budget;
  #peer: SocketFile | null = null;

  private constructor(dentry: Dentry, flags: number, kind: number, input: Channel, output: Channel, budget: Budget) {
    super(dentry, flags);
    this.#budget = budget;
    this.kind = kind;
    this.#in = input;
    this.#out = output;
  }

  /** Two connected ends. */
  static pair(first: Dentry, second: Dentry, flags: number, kind: number, budget: Budget): [SocketFile, SocketFile] {
    const there = new Channel();
    const back = new Channel();
    const a = new SocketFile(first, flags, kind, there, back, budget);
    const b = new SocketFile(second, flags, kind, back, there, budget);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  /** Both halves woken: what one end does changes what the other may do. */
  #wakePeer(events: number): void {
    this.#peer?.queue.wake(events);
  }

  override readAt(sink: ByteSink, count: number): number {
    return this.receive(sink, count, false).bytes;
  }

  /**
   * Takes bytes of a stream or one message.
   * @returns bytes stored or -errno, and the length of the message before it was cut
   */
  receive(sink: ByteSink, count: number, peek: boolean): { bytes: number; full: number } {
    const input = this.#in;
    const first = input.parts[0];
    if (first === undefined) {
      const ended = input.isClosed || input.isShut;
      return { bytes: ended ? 0 : -EAGAIN, full: 0 };
    }
    if (this.kind !== SOCK_STREAM) {
      const part = first.length > count ? first.subarray(0, count) : first;
      if (sink.put(part) < part.length) return { bytes: -EFAULT, full: 0 };
      if (!peek) this.#consume(first.length, first.length);
      return { bytes: part.length, full: first.length };
    }
    let done = 0;
    let index = 0;
    while (done < count) {
      const part = input.parts[peek ? index++ : 0];
      if (part === undefined) break;
      const want = part.length > count - done ? part.subarray(0, count - done) : part;
      const put = sink.put(want);
      done += put;
      if (!peek) this.#consume(put, part.length);
      if (put < want.length) return { bytes: done > 0 ? done : -EFAULT, full: done };
    }
    return { bytes: done, full: done };
  }

  /** `used` bytes of the first part are gone. */
  #consume(used: number, length: number): void {
    const input = this.#in;
    const first = input.parts[0];
    if (first === undefined) return;
    if (used >= length) {
      input.parts.shift();
      this.#budget.give(MESSAGE_BYTES);
      if (this.kind !== SOCK_STREAM) input.bytes -= MESSAGE_BYTES;
    } else input.parts[0] = first.subarray(used);
    input.bytes -= used;
    this.#budget.give(used);
    this.#wakePeer(POLLOUT | POLLWRNORM);
  }

  override writeAt(source: ByteSource, count: number): number {
    const output = this.#out;
    if (output.isClosed || output.isShut || this.#peer === null) return -EPIPE;
    const isStream = this.kind === SOCK_STREAM;
    if (!isStream && count > SOCKET_BUFFER_BYTES) return -EMSGSIZE;
    if (isStream && count === 0) return 0;
    // A stream of many tiny pieces stops at the same cost as one of few large ones.
    const room = SOCKET_BUFFER_BYTES - output.bytes - (isStream ? output.parts.length * MESSAGE_BYTES : 0);
    if (isStream ? room <= 0 : output.bytes > 0 && room < count) return -EAGAIN;
    const bytes = new Uint8Array(isStream ? Math.min(count, room) : count);
    // Messages cost something even when they are empty.
    if (!this.#budget.take(bytes.length + MESSAGE_BYTES)) return -ENOBUFS;
    const got = source.take(bytes);
    this.#budget.give(bytes.length - got);
    if (got < bytes.length && (!isStream || got === 0)) {
      this.#budget.give(got + MESSAGE_BYTES);
      return -EFAULT;
    }
    output.parts.push(got === bytes.length ? bytes : bytes.subarray(0, got));
    output.bytes += got + (isStream ? 0 : MESSAGE_BYTES);
    this.#wakePeer(POLLIN | POLLRDNORM);
    return got;
  }

  /** Bytes that FIONREAD tells. */
  get waiting(): number {
    return this.kind === SOCK_STREAM ? this.#in.bytes : (this.#in.parts[0]?.length ?? 0);
  }

  /** shutdown(2): no more receiving, no more sending, or both. */
  shutdown(receiving: boolean, sending: boolean): void {
    if (receiving) this.#in.isShut = true;
    if (sending) this.#out.isClosed = true;
    this.queue.wake(POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    this.#wakePeer(POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  }

  override poll(): number {
    let events = 0;
    const ended = this.#in.isClosed || this.#in.isShut;
    if (this.#in.parts.length > 0 || ended) events |= POLLIN | POLLRDNORM;
    if (ended) events |= POLLRDHUP;
    const cannotSend = this.#out.isClosed || this.#out.isShut;
    if (ended && cannotSend) events |= POLLHUP;
    if (cannotSend || this.#out.bytes < SOCKET_BUFFER_BYTES / 2) events |= POLLOUT | POLLWRNORM;
    return events;
  }

  protected override destroy(): void {
    // What nobody will read any more.
    for (const part of this.#in.parts.splice(0)) this.#budget.give(part.length + MESSAGE_BYTES);
    this.#in.bytes = 0;
    this.#in.isShut = true;
    this.#out.isClosed = true;
    this.#wakePeer(POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    const peer = this.#peer;
    if (peer !== null) peer.#peer = null;
    this.#peer = null;
  }
}
