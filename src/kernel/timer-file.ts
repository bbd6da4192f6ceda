// SPDX-License-Identifier: MIT
//
// timerfd: a timer whose expiries are read from a descriptor. timerfd_create(2); models fs/timerfd.c.

import { EAGAIN, EFAULT, EINVAL } from '../abi/errno.ts';
import { POLLIN } from '../abi/poll.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from '../vfs/dentry.ts';
import { OpenFile } from '../vfs/open-file.ts';
import type { ByteSink } from '../vfs/open-file.ts';
import type { Kernel } from './kernel.ts';
import { Timer } from './timer-queue.ts';

export class TimerFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue = new WaitQueue();
  readonly clockId: number;
  private readonly kernel: Kernel;
  private readonly timer: Timer;
  private intervalNs = 0;
  private expiries = 0;

  constructor(dentry: Dentry, flags: number, kernel: Kernel, clockId: number) {
    super(dentry, flags);
    this.kernel = kernel;
    this.clockId = clockId;
    this.timer = new Timer(this);
  }

  /** TimerOwner. The next period is only looked for when somebody wants to know: short ones strike nobody till then. */
  expired(): void {
    this.expiries++;
    this.queue.wake(POLLIN);
  }

  /** Counts the periods that have passed since the timer struck, and sets it for the next. */
  private catchUp(): void {
    if (this.intervalNs === 0 || this.expiries === 0 || this.timer.isSet) return;
    const { clock, timers } = this.kernel;
    const { deadline } = this.timer;
    const missed = Math.floor(Math.max(0, clock.now() - deadline) / this.intervalNs);
    this.expiries += missed;
    timers.set(this.timer, deadline + (missed + 1) * this.intervalNs);
    this.kernel.leaveGuest();
  }

  /** @param deadlineNs monotonic; null disarms */
  arm(deadlineNs: number | null, intervalNs: number): void {
    const { timers } = this.kernel;
    this.expiries = 0;
    this.intervalNs = intervalNs;
    if (deadlineNs === null) timers.cancel(this.timer);
    else timers.set(this.timer, deadlineNs);
  }

  /** Time to the next expiry (0 when disarmed) and the period. */
  get setting(): { valueNs: number; intervalNs: number } {
    this.catchUp();
    const valueNs = this.timer.isSet ? Math.max(1, this.timer.deadline - this.kernel.clock.now()) : 0;
    return { valueNs, intervalNs: this.intervalNs };
  }

  override readAt(sink: ByteSink, count: number): number {
    if (count < 8) return -EINVAL;
    if (this.expiries === 0) return -EAGAIN;
    this.catchUp();
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(this.expiries), true);
    this.expiries = 0;
    return sink.put(bytes) === 8 ? 8 : -EFAULT;
  }

  /** There is no position to move. */
  override seek(): number {
    return 0;
  }

  override poll(): number {
    return this.expiries > 0 ? POLLIN : 0;
  }

  protected override destroy(): void {
    this.kernel.timers.cancel(this.timer);
  }
}

savable('kernel/timer-file', { TimerFile });
