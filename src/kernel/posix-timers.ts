// SPDX-License-Identifier: MIT
//
// Timers of timer_create(2), of one thread group. An expiry while the last signal is still queued is counted as an
// overrun instead of queueing another. Models Linux kernel/time/posix-timers.c.

import { SIGEV_NONE, SIGEV_THREAD_ID } from '../abi/signal.ts';
import { Siginfo } from '../abi/signal-frame.ts';
import { viewOf } from '../base/bytes.ts';
import type { CpuClock } from './cpu-clocks.ts';
import { savable } from '../base/savable.ts';
import type { TimerSetting } from './interval-timers.ts';
import type { Kernel } from './kernel.ts';
import type { SignalInfo } from './signals/siginfo.ts';
import { timerInfo } from './signals/siginfo.ts';
import { sendSignal } from './signals/send.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './thread-group.ts';
import { Timer } from './timer-queue.ts';

/** What to do at an expiry: struct sigevent. */
export interface TimerEvent {
  readonly notify: number;
  readonly signo: number;
  readonly value: bigint;
  /** SIGEV_THREAD_ID. */
  readonly target: Task | null;
}

/** A timer whose signal is ignored strikes no more often: Linux's tick. */
const TICK_NS = 4_000_000;
/** What it takes to take a signal, at least, so that a program gets on between those of the shortest periods. */
export const TAKING_NS = 10_000;
/** DELAYTIMER_MAX. */
const MAX_OVERRUN = 2 ** 31 - 1;

/** One timer. */
export class PosixTimer {
  readonly id: number;
  readonly clock: number;
  readonly event: TimerEvent;
  private readonly kernel: Kernel;
  private readonly group: ThreadGroup;
  /** Null: the clock runs when nobody does. */
  readonly cpuClock: CpuClock | null;
  private readonly timer: Timer;
  intervalNs = 0;
  /** On a CPU clock: when it strikes, in that clock; Infinity when not set. */
  private cpuDeadline = Infinity;
  /** When it struck last, while the signal of that waits to be taken: only then does the next period begin. */
  private struck: number | null = null;
  /** SIGEV_NONE: the first expiry; nothing happens then, so nothing waits for it. */
  private silentFrom: number | null = null;
  /** Expiries that the last delivered signal stood for, beside its own. */
  overrun = 0;

  constructor(
    kernel: Kernel,
    group: ThreadGroup,
    id: number,
    clock: number,
    cpuClock: CpuClock | null,
    event: TimerEvent,
  ) {
    this.kernel = kernel;
    this.group = group;
    this.id = id;
    this.clock = clock;
    this.cpuClock = cpuClock;
    this.event = event;
    this.timer = new Timer(this);
  }

  /** TimerOwner. */
  expired(): void {
    const at = this.timer.deadline;
    if (this.expire()) this.struck = at;
    else if (this.intervalNs > 0 && this.event.target?.state !== 'ended')
      this.arm(this.after(at, this.now() + TICK_NS));
  }

  /** Sends the signal; false when nobody will take it, so that the timer must go on by itself. */
  private expire(): boolean {
    const { event } = this;
    const target = event.notify === SIGEV_THREAD_ID ? event.target : null;
    sendSignal(this.group, target, timerInfo(event.signo, this.id, event.value, this));
    return (target === null ? this.group.pending : target.pending).hasTimer(this);
  }

  /** The first expiry after `now` in the row that `at` belongs to. */
  private after(at: number, now: number): number {
    return at + (this.missedBy(at, now) + 1) * this.intervalNs;
  }

  /** Expiries after the one at `at`, up to `now`. */
  private missedBy(at: number, now: number): number {
    return this.intervalNs === 0 ? 0 : Math.max(0, Math.floor((now - at) / this.intervalNs));
  }

  private arm(at: number): void {
    if (this.cpuClock === null) {
      this.kernel.timers.set(this.timer, at);
      this.kernel.leaveGuest();
      return;
    }
    this.cpuDeadline = at;
    this.cpuClock.group.timers.watchCpu(this);
  }

  /** CPU clocks: fires when due and gives the time left. */
  check(): number {
    const now = this.now();
    const at = this.cpuDeadline;
    if (at <= now) {
      this.cpuDeadline = Infinity;
      if (this.expire()) this.struck = at;
      else if (this.intervalNs > 0) this.cpuDeadline = this.after(at, now + TICK_NS);
    }
    return Math.max(1, this.cpuDeadline - now);
  }

  /** The queued signal reaches its handler: the missed expiries go with it, and the next period begins. */
  delivered(info: SignalInfo): SignalInfo {
    const struck = this.struck;
    this.struck = null;
    if (struck === null) return info;
    // Taking a signal takes time on a real machine, in which very short periods pass.
    const now = this.now() + (this.intervalNs < TAKING_NS ? TAKING_NS : 0);
    this.overrun = Math.min(this.missedBy(struck, now), MAX_OVERRUN);
    if (this.intervalNs > 0) this.arm(this.after(struck, now));
    const bytes = info.bytes.slice();
    viewOf(bytes).setInt32(Siginfo.overrun, this.overrun, true);
    return { ...info, bytes };
  }

  get(): TimerSetting {
    const now = this.now();
    let left = 0;
    if (this.silentFrom !== null && this.silentFrom > now) left = this.silentFrom - now;
    else if (this.silentFrom !== null) left = this.intervalNs > 0 ? this.after(this.silentFrom, now) - now : 0;
    else if (this.struck !== null) left = this.intervalNs > 0 ? this.after(this.struck, now) - now : 0;
    else if (this.cpuClock !== null) left = this.cpuDeadline === Infinity ? 0 : Math.max(1, this.cpuDeadline - now);
    else if (this.timer.isSet) left = Math.max(1, this.timer.deadline - now);
    return { valueNs: left, intervalNs: this.intervalNs };
  }

  /** @param atNs moment of the first expiry: monotonic, or of the CPU clock; undefined disarms */
  set(atNs: number | undefined, intervalNs: number): void {
    this.intervalNs = intervalNs;
    this.struck = null;
    this.overrun = 0;
    this.group.pending.discardTimer(this);
    this.event.target?.pending.discardTimer(this);
    this.silentFrom = null;
    this.cpuDeadline = Infinity;
    this.kernel.timers.cancel(this.timer);
    this.cpuClock?.group.timers.unwatchCpu(this);
    if (atNs === undefined) return;
    if (this.event.notify === SIGEV_NONE) this.silentFrom = atNs;
    else this.arm(atNs);
  }

  /** Now, in the timer's clock. */
  now(): number {
    return this.cpuClock === null ? this.kernel.clock.now() : this.cpuClock.nowNs();
  }
}

/** The timers of one group, by id. */
export class PosixTimers {
  private readonly timers = new Map<number, PosixTimer>();
  private nextId = 0;

  get(id: number): PosixTimer | undefined {
    return this.timers.get(id);
  }

  get size(): number {
    return this.timers.size;
  }

  create(task: Task, clock: number, cpuClock: CpuClock | null, makeEvent: (id: number) => TimerEvent): PosixTimer {
    const id = this.nextId++;
    const timer = new PosixTimer(task.kernel, task.group, id, clock, cpuClock, makeEvent(id));
    this.timers.set(id, timer);
    return timer;
  }

  delete(id: number): boolean {
    this.timers.get(id)?.set(undefined, 0);
    return this.timers.delete(id);
  }

  deleteAll(): void {
    for (const id of [...this.timers.keys()]) this.delete(id);
  }

  /** A timer's signal is taken from the queue: what its handler is to see. */
  delivered(info: SignalInfo): SignalInfo {
    return info.timer instanceof PosixTimer ? info.timer.delivered(info) : info;
  }
}

savable('kernel/posix-timers', { PosixTimer, PosixTimers });
