// SPDX-License-Identifier: MIT
//
// The tool's own stdin, stdout and stderr as guests see them where they are not terminals: pipes, or something like it.
// Bytes pass unchanged. A terminal of the host is src/vfs/tty's.

import { EAGAIN, EFAULT, EIO, ENOTTY } from '../abi/errno.ts';
import { FIONREAD } from '../abi/ioctl.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { viewOf } from '../base/bytes.ts';
import type { HostStream } from '../base/host.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import type { Waiter } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import { Inode } from './inode.ts';
import type { FileSystem } from './inode.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource, UserMemory } from './open-file.ts';
import type { OutputLimit } from './output-limit.ts';
import { scratchBuffer } from './regular-file.ts';

const INPUT_BYTES = 65536;
/** Bytes that one call writes at most. */
const MOST_OUTPUT = 16 * 1024 * 1024;

/** A queue that asks the host for input only while somebody waits on it. */
class InputQueue extends WaitQueue {
  private readonly device: ConsoleDevice;

  constructor(device: ConsoleDevice) {
    super();
    this.device = device;
  }

  override add(waiter: Waiter, mask = ~0): void {
    super.add(waiter, mask);
    if ((mask & POLLIN) !== 0) this.device.arm();
  }
}

/** What stands behind a console file: where input comes from and where output goes. */
export class ConsoleDevice {
  readonly queue: WaitQueue;
  private readonly input: HostStream | null;
  private readonly output: HostStream | null;
  private readonly limit: OutputLimit;
  private buffer: Uint8Array | null = null;
  private from = 0;
  private to = 0;
  private isAtEnd = false;
  private isArmed = false;

  constructor(input: HostStream | null, output: HostStream | null, limit: OutputLimit) {
    this.input = input;
    this.output = output;
    this.limit = limit;
    this.queue = new InputQueue(this);
  }

  /** Revived: the host is asked again for what somebody waits for. */
  revive(): void {
    if (this.queue.size > 0) this.arm();
  }

  /** Somebody waits for input. @internal */
  arm(): void {
    if (this.isArmed || this.input === null || this.to > this.from || this.isAtEnd) return;
    this.isArmed = true;
    this.input.onReadable(() => {
      this.isArmed = false;
      this.queue.wake(POLLIN | POLLRDNORM);
      // Waiters that stay (epoll) get the next event, too.
      if (this.queue.size > 0 && !this.fill()) this.arm();
    });
  }

  /** Takes what the host has; true when there is something to read or the end was met. */
  private fill(): boolean {
    if (this.to > this.from || this.isAtEnd) return true;
    if (this.input === null) return false;
    this.buffer ??= new Uint8Array(INPUT_BYTES);
    const n = this.input.read(this.buffer);
    if (n === -EAGAIN) return false;
    if (n <= 0) {
      this.isAtEnd = true;
      return true;
    }
    this.from = 0;
    this.to = n;
    return true;
  }

  read(sink: ByteSink, count: number): number {
    if (this.input === null) return -EIO;
    if (count === 0) return 0;
    if (!this.fill()) return -EAGAIN;
    if (this.to === this.from) return 0;
    const n = Math.min(count, this.to - this.from);
    const put = sink.put(this.buffer?.subarray(this.from, this.from + n) ?? new Uint8Array(0));
    this.from += put;
    return put === 0 ? -EFAULT : put;
  }

  write(source: ByteSource, count: number): number {
    if (this.output === null) return -EIO;
    // One call is taken whole, however slow the reader is, so it must not be endless.
    const most = Math.min(count, MOST_OUTPUT);
    let done = 0;
    while (done < most) {
      const buffer = scratchBuffer().subarray(0, Math.min(most - done, INPUT_BYTES));
      const got = source.take(buffer);
      if (got === 0) return done > 0 ? done : -EFAULT;
      const allowed = this.limit.take(got);
      if (allowed === 0) return done > 0 ? done : -EIO;
      const written = this.output.write(buffer.subarray(0, allowed));
      if (written < 0) return done > 0 ? done : written;
      done += written;
      if (written < buffer.length) break;
    }
    return done;
  }

  poll(): number {
    let events = 0;
    if (this.input !== null && this.fill()) {
      events |= POLLIN | POLLRDNORM;
      if (this.isAtEnd && this.to === this.from) events |= POLLHUP;
    }
    if (this.output !== null) events |= POLLOUT | POLLWRNORM;
    return events;
  }

  ioctl(request: number, argument: number, memory: UserMemory): number {
    if (request !== FIONREAD) return -ENOTTY;
    this.fill();
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, this.to - this.from, true);
    return memory.copyOut(argument, bytes) === bytes.length ? 0 : -EFAULT;
  }
}

/** The inode of a console. */
export class ConsoleInode extends Inode {
  readonly device: ConsoleDevice;

  constructor(fs: FileSystem, ino: number, mode: number, uid: number, gid: number, device: ConsoleDevice) {
    super(fs, ino, mode, uid, gid);
    this.device = device;
  }

  override open(dentry: Dentry, flags: number, _cred: Credentials): OpenFile | number {
    return new ConsoleFile(dentry, flags, this.device);
  }
}

/** An open console. */
export class ConsoleFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue: WaitQueue;
  readonly device: ConsoleDevice;

  constructor(dentry: Dentry, flags: number, device: ConsoleDevice) {
    super(dentry, flags);
    this.device = device;
    this.queue = device.queue;
  }

  override readAt(sink: ByteSink, count: number): number {
    return this.device.read(sink, count);
  }

  override writeAt(source: ByteSource, count: number): number {
    return this.device.write(source, count);
  }

  override poll(): number {
    return this.device.poll();
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    return this.device.ioctl(request, argument, memory);
  }
}

savable('vfs/console', { InputQueue, ConsoleInode, ConsoleFile });
savable('vfs/console', { ConsoleDevice }, { transient: { isArmed: () => false } });
