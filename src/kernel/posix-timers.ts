// SPDX-License-Identifier: MIT
//
// Timers of timer_create(2), of one thread group. An expiry while the last signal is still queued is counted as an
// overrun instead of queueing another. Models Linux kernel/time/posix-timers.c.

import { SIGEV_NONE, SIGEV_THREAD_ID, SIGKILL } from '../abi/signal.ts';
import { Siginfo } from '../abi/signal-frame.ts';
import { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID } from '../abi/time.ts';
import { viewOf } from '../base/bytes.ts';
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

/** One timer. */
export class PosixTimer {
  readonly id: number;
  readonly clock: number;
  readonly event: TimerEvent;
  readonly #kernel: Kernel;
  readonly #group: ThreadGroup;
  readonly #owner: Task;
  readonly #timer: Timer;
  intervalNs = 0;
  /** On a CPU clock: when it strikes, in that clock; Infinity when not set. */
  #cpuDeadline = Infinity;
  /** Expiries since the queued signal, and those that the last delivered signal stood for. */
  #missed = 0;
  overrun = 0;

  constructor(kernel: Kernel, group: ThreadGroup, owner: Task, id: number, clock: number, event: TimerEvent) {
    this.#kernel = kernel;
    this.#group = group;
    this.#owner = owner;
    this.id = id;
    this.clock = clock;
    this.event = event;
    this.#timer = new Timer(() => this.#fire());
  }

  get #onCpuClock(): boolean {
    return this.clock === CLOCK_PROCESS_CPUTIME_ID || this.clock === CLOCK_THREAD_CPUTIME_ID;
  }

  #cpuNow(): number {
    return this.clock === CLOCK_THREAD_CPUTIME_ID ? this.#owner.cpuNs() : this.#group.cpuNs();
  }

  #fire(): void {
    if (this.intervalNs > 0) this.#kernel.timers.set(this.#timer, this.#timer.deadline + this.intervalNs);
    this.#expire();
  }

  #expire(): void {
    const { event } = this;
    if (event.notify === SIGEV_NONE) return;
    const target = event.notify === SIGEV_THREAD_ID ? event.target : null;
    const queue = target === null ? this.#group.pending : target.pending;
    if (queue.hasTimer(this)) {
      this.#missed++;
      return;
    }
    if (event.signo === SIGKILL) return;
    this.#missed = 0;
    sendSignal(this.#group, target, timerInfo(event.signo, this.id, event.value, this));
  }

  /** CPU clocks: fires when due and gives the time left. */
  check(_groupCpuNs: number): number {
    const now = this.#cpuNow();
    if (this.#cpuDeadline <= now) {
      this.#cpuDeadline = this.intervalNs > 0 ? this.#cpuDeadline + this.intervalNs : Infinity;
      this.#expire();
    }
    return Math.max(1, this.#cpuDeadline - now);
  }

  /** The queued signal reaches its handler: the missed expiries go with it. */
  delivered(info: SignalInfo): SignalInfo {
    this.overrun = this.#missed;
    this.#missed = 0;
    const bytes = info.bytes.slice();
    viewOf(bytes).setInt32(Siginfo.overrun, this.overrun, true);
    return { ...info, bytes };
  }

  get(): TimerSetting {
    let left = 0;
    if (this.#onCpuClock) left = this.#cpuDeadline === Infinity ? 0 : Math.max(1, this.#cpuDeadline - this.#cpuNow());
    else if (this.#timer.isSet) left = Math.max(1, this.#timer.deadline - this.#kernel.clock.now());
    return { valueNs: left, intervalNs: this.intervalNs };
  }

  /** @param atNs moment of the first expiry: monotonic, or of the CPU clock; undefined disarms */
  set(atNs: number | undefined, intervalNs: number): void {
    this.intervalNs = intervalNs;
    this.#missed = 0;
    this.#group.pending.discardTimer(this);
    this.event.target?.pending.discardTimer(this);
    const { cpuWatchers } = this.#group.timers;
    if (this.#onCpuClock) {
      this.#cpuDeadline = atNs ?? Infinity;
      if (atNs === undefined) cpuWatchers.delete(this);
      else cpuWatchers.add(this);
      this.#group.timers.recount();
    } else if (atNs === undefined) {
      this.#kernel.timers.cancel(this.#timer);
    } else {
      this.#kernel.timers.set(this.#timer, atNs);
    }
  }

  /** Now, in the timer's clock. */
  now(): number {
    return this.#onCpuClock ? this.#cpuNow() : this.#kernel.clock.now();
  }
}

/** The timers of one group, by id. */
export class PosixTimers {
  readonly #timers = new Map<number, PosixTimer>();
  #nextId = 0;

  get(id: number): PosixTimer | undefined {
    return this.#timers.get(id);
  }

  get size(): number {
    return this.#timers.size;
  }

  create(task: Task, clock: number, makeEvent: (id: number) => TimerEvent): PosixTimer {
    const id = this.#nextId++;
    const timer = new PosixTimer(task.kernel, task.group, task, id, clock, makeEvent(id));
    this.#timers.set(id, timer);
    return timer;
  }

  delete(id: number): boolean {
    this.#timers.get(id)?.set(undefined, 0);
    return this.#timers.delete(id);
  }

  deleteAll(): void {
    for (const id of [...this.#timers.keys()]) this.delete(id);
  }

  /** A timer's signal is taken from the queue. */
  delivered(info: SignalInfo): SignalInfo {
    for (const timer of this.#timers.values()) if (timer === info.timer) return timer.delivered(info);
    return info;
  }
}
