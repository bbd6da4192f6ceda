// SPDX-License-Identifier: MIT
//
// eventfd(2): a 64-bit counter that is read to zero, or down by one as a semaphore. Models fs/eventfd.c.

import { EAGAIN, EFAULT, EINVAL } from '../abi/errno.ts';
import { EFD_SEMAPHORE, POLLERR, POLLIN, POLLOUT } from '../abi/poll.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from './dentry.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource } from './open-file.ts';

const MAX = 0xffffffffffffffffn;

/** An open eventfd. */
export class EventFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue = new WaitQueue();
  private readonly isSemaphore: boolean;
  private count: bigint;

  constructor(dentry: Dentry, flags: number, initial: number, eventFlags: number) {
    super(dentry, flags);
    this.count = BigInt(initial);
    this.isSemaphore = (eventFlags & EFD_SEMAPHORE) !== 0;
  }

  override readAt(sink: ByteSink, count: number): number {
    if (count < 8) return -EINVAL;
    if (this.count === 0n) return -EAGAIN;
    const value = this.isSemaphore ? 1n : this.count;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.count -= value;
    this.queue.wake(POLLOUT);
    return sink.put(bytes) === 8 ? 8 : -EFAULT;
  }

  override writeAt(source: ByteSource, count: number): number {
    if (count < 8) return -EINVAL;
    const bytes = new Uint8Array(8);
    if (source.take(bytes) < 8) return -EFAULT;
    const value = new DataView(bytes.buffer).getBigUint64(0, true);
    if (value === MAX) return -EINVAL;
    return this.add(value);
  }

  /** Adds to the counter; -EAGAIN when it would pass 2^64 - 2. */
  add(value: bigint): number {
    if (MAX - this.count <= value) return -EAGAIN;
    this.count += value;
    if (value > 0n) this.queue.wake(POLLIN);
    return 8;
  }

  override poll(): number {
    let events = 0;
    if (this.count > 0n) events |= POLLIN;
    if (this.count === MAX) events |= POLLERR;
    if (this.count < MAX - 1n) events |= POLLOUT;
    return events;
  }

  /** There is no position to move. */
  override seek(): number {
    return 0;
  }

  override infoLines(): string {
    return `eventfd-count: ${this.count.toString(16).padStart(16, ' ')}\n`;
  }
}

savable('vfs/eventfd', { EventFile });
