// SPDX-License-Identifier: MIT
//
// signalfd: signals read from a descriptor instead of being delivered. signalfd(2); models fs/signalfd.c.

import { EAGAIN, EFAULT, EINVAL } from '../abi/errno.ts';
import { POLLIN } from '../abi/poll.ts';
import { viewOf } from '../base/bytes.ts';
import type { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from '../vfs/dentry.ts';
import { OpenFile } from '../vfs/open-file.ts';
import type { ByteSink } from '../vfs/open-file.ts';
import type { Kernel } from './kernel.ts';
import { takeSignal } from './signals/send.ts';
import type { SignalInfo } from './signals/siginfo.ts';
import type { ThreadGroup } from './thread-group.ts';

/** struct signalfd_siginfo. */
const RECORD = 128;

export class SignalFile extends OpenFile {
  override readonly isPollable = true;
  /** The creator's; after fork the child reads its own signals but is woken by its parent's, as in Linux's epoll. */
  override readonly queue: WaitQueue;
  private readonly kernel: Kernel;
  /** Signals that are read here. */
  mask: bigint;

  constructor(dentry: Dentry, flags: number, kernel: Kernel, group: ThreadGroup, mask: bigint) {
    super(dentry, flags);
    this.kernel = kernel;
    this.queue = group.signalEvents;
    this.mask = mask;
  }

  override readAt(sink: ByteSink, count: number): number {
    if (count < RECORD) return -EINVAL;
    const task = this.kernel.current;
    if (task === null) return -EAGAIN;
    let done = 0;
    while (done + RECORD <= count) {
      const info = takeSignal(task, this.mask);
      if (info === undefined) break;
      if (sink.put(record(info)) < RECORD) return done > 0 ? done : -EFAULT;
      done += RECORD;
    }
    return done > 0 ? done : -EAGAIN;
  }

  override poll(): number {
    const task = this.kernel.current;
    if (task === null) return 0;
    return ((task.pending.set | task.group.pending.set) & this.mask) === 0n ? 0 : POLLIN;
  }

  /** There is no position to move. */
  override seek(): number {
    return 0;
  }

  override infoLines(): string {
    return `sigmask:\t${this.mask.toString(16).padStart(16, '0')}\n`;
  }
}

/** A siginfo_t as a signalfd_siginfo; the fields of kill, sigqueue, SIGCHLD, timers and faults. */
function record(info: SignalInfo): Uint8Array {
  const out = new Uint8Array(RECORD);
  const to = viewOf(out);
  const from = viewOf(info.bytes);
  to.setInt32(0, info.signo, true);
  to.setInt32(4, from.getInt32(4, true), true);
  to.setInt32(8, info.code, true);
  const first = from.getInt32(16, true);
  const second = from.getUint32(20, true);
  const value = from.getBigUint64(24, true);
  if (info.timer !== undefined) {
    to.setUint32(24, first, true);
    to.setUint32(32, second, true);
  } else {
    to.setInt32(12, first, true);
    to.setUint32(16, second, true);
  }
  if (info.signo === 17 && info.code > 0) {
    to.setInt32(40, from.getInt32(24, true), true);
    to.setBigInt64(56, from.getBigInt64(32, true), true);
    to.setBigInt64(64, from.getBigInt64(40, true), true);
  } else {
    to.setInt32(44, Number(BigInt.asIntN(32, value)), true);
    to.setBigUint64(48, value, true);
  }
  if (info.fault !== undefined) to.setBigUint64(72, from.getBigUint64(16, true), true);
  return out;
}

savable('kernel/signal-file', { SignalFile });
