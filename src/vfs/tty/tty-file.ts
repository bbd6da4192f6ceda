// SPDX-License-Identifier: MIT
//
// An open terminal: reads that end by line, by number or by time, writes, and what is left of it all after a hangup.
// Models drivers/tty/tty_io.c and n_tty_read, n_tty_write.

import { EAGAIN, EFAULT, EIO, ENOTTY } from '../../abi/errno.ts';
import { TIOCSPGRP } from '../../abi/ioctl.ts';
import { O_NOCTTY } from '../../abi/open.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../abi/poll.ts';
import { SIGTTIN, SIGTTOU } from '../../abi/signal.ts';
import { TIOCPKT_DATA, TOSTOP, VMIN, VTIME } from '../../abi/termios.ts';
import type { WaitQueue } from '../../base/wait-queue.ts';
import { savable } from '../../base/savable.ts';
import type { Dentry } from '../dentry.ts';
import { OpenFile } from '../open-file.ts';
import type { ByteSink, ByteSource, TimedRead, UserMemory } from '../open-file.ts';
import { checkForeground } from './job-control.ts';
import type { Tty } from './tty.ts';
import { ttyIoctl } from './tty-ioctl.ts';

/** Bytes that one write takes from its caller at a time. */
const PIECE = 2048;
/** VTIME counts tenths of a second. */
const TENTH_NS = 100_000_000;
const HUNG_UP_EVENTS = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;

/** Whose terminals they are. */
export interface TtyOwner {
  /** An open of the terminal has gone. */
  closed(tty: Tty): void;
}

/** One open of a terminal or of a master. */
export class TtyFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue: WaitQueue;
  readonly tty: Tty;
  /** The line was hung up while this was open. */
  isHungUp = false;
  private readonly terminals: TtyOwner;

  constructor(dentry: Dentry, flags: number, tty: Tty, terminals: TtyOwner) {
    super(dentry, flags & ~O_NOCTTY);
    this.tty = tty;
    this.queue = tty.queue;
    this.terminals = terminals;
    tty.files.add(this);
    tty.openCount++;
  }

  override startRead(count: number): TtyRead {
    return new TtyRead(this, count);
  }

  override readAt(sink: ByteSink, count: number): number {
    const read = new TtyRead(this, count);
    const result = read.attempt(sink, false);
    return result === -EAGAIN && read.done > 0 ? read.done : result;
  }

  override writeAt(source: ByteSource, count: number): number {
    const { tty } = this;
    if ((tty.termios.lflag & TOSTOP) !== 0) {
      const refused = checkForeground(tty.jobs, tty, SIGTTOU);
      if (refused < 0) return refused;
    }
    tty.output.showEchoes();
    const piece = new Uint8Array(Math.min(count, PIECE));
    let done = 0;
    while (done < count) {
      if (this.isHungUp) return done > 0 ? done : -EIO;
      // What is taken from the caller must find a place.
      const wanted = Math.min(piece.length, count - done, tty.writeRoom);
      if (wanted === 0) return done > 0 ? done : -EAGAIN;
      const got = source.take(piece.subarray(0, wanted));
      if (got === 0) return done > 0 ? done : -EFAULT;
      done += tty.output.write(piece.subarray(0, got));
      if (got < wanted) break;
    }
    return done;
  }

  override poll(): number {
    return this.isHungUp ? HUNG_UP_EVENTS : this.tty.poll();
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    if (this.isHungUp) return request === TIOCSPGRP ? -ENOTTY : -EIO;
    return ttyIoctl(this, request, argument, memory);
  }

  protected override destroy(): void {
    this.tty.files.delete(this);
    this.tty.openCount--;
    this.terminals.closed(this.tty);
  }
}

/** One read call. */
class TtyRead implements TimedRead {
  done = 0;
  private readonly file: TtyFile;
  private left: number;
  private hasStarted = false;

  constructor(file: TtyFile, count: number) {
    this.file = file;
    this.left = count;
  }

  attempt(sink: ByteSink, isLate: boolean): number {
    const { tty } = this.file;
    if (this.file.isHungUp) return this.done === 0 && this.hasStarted && tty.isOtherClosed ? -EIO : this.done;
    if (!this.hasStarted) {
      this.hasStarted = true;
      const refused = checkForeground(tty.jobs, tty, SIGTTIN);
      if (refused < 0) return refused;
    }
    while (this.left > 0) {
      if (this.done === 0 && this.readsStatus()) return this.put(sink, this.takeStatus());
      if (!tty.line.isReadable()) return this.withoutInput(isLate);
      if (tty.isPacket && this.done === 0) {
        const put = this.put(sink, TIOCPKT_DATA);
        if (put < 0 || this.left === 0) return put;
      }
      const isCanonical = tty.line.isCanonical;
      const taken = isCanonical ? tty.line.readLine(sink, this.left) : tty.line.readRaw(sink, this.left);
      if (taken > 0) {
        this.done += taken;
        this.left -= taken;
      }
      tty.pump();
      if (isCanonical) return taken < 0 && this.done === 0 ? -EFAULT : this.done;
      if (taken === 0) return this.done > 0 ? this.done : -EFAULT;
      if (this.done >= (tty.termios.cc[VMIN] as number)) break;
    }
    return this.done;
  }

  /** Nothing can be read: the end, or a reason to wait. */
  private withoutInput(isLate: boolean): number {
    const { tty } = this.file;
    if (tty.isOtherClosed) return this.done > 0 ? this.done : -EIO;
    if (isLate || tty.hasEnded || this.isInstant()) return this.done;
    return -EAGAIN;
  }

  /** Raw mode with VMIN and VTIME 0: there is no waiting. */
  private isInstant(): boolean {
    const { line, termios } = this.file.tty;
    return !line.isCanonical && termios.cc[VMIN] === 0 && termios.cc[VTIME] === 0;
  }

  private readsStatus(): boolean {
    const { tty } = this.file;
    return tty.isPacket && tty.link !== null && tty.link.packetStatus !== 0;
  }

  private takeStatus(): number {
    const { link } = this.file.tty;
    if (link === null) return TIOCPKT_DATA;
    const status = link.packetStatus;
    link.packetStatus = 0;
    return status;
  }

  private put(sink: ByteSink, byte: number): number {
    if (sink.put(Uint8Array.of(byte)) === 0) return -EFAULT;
    this.done++;
    this.left--;
    return this.done;
  }

  timeoutNs(): number | null {
    const { line, termios } = this.file.tty;
    const time = termios.cc[VTIME] as number;
    if (line.isCanonical || time === 0) return null;
    // With VMIN the time runs from the first byte on, and anew with each.
    return termios.cc[VMIN] === 0 || this.done > 0 ? time * TENTH_NS : null;
  }
}

savable('vfs/tty/tty-file', { TtyFile, TtyRead });
