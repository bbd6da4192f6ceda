// SPDX-License-Identifier: MIT
//
// The three timers of setitimer(2) and alarm(2), and RLIMIT_CPU, of one thread group. The real one is a timer of the
// kernel; the two that count CPU time are looked at when the group's tasks are about to run.

import { savable } from '../base/savable.ts';
import { RLIMIT_CPU } from '../abi/resource.ts';
import { SIGALRM, SIGPROF, SIGVTALRM } from '../abi/signal.ts';
import { ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL } from '../abi/time.ts';
import type { Kernel } from './kernel.ts';
import { TAKING_NS } from './posix-timers.ts';
import { kernelInfo } from './signals/siginfo.ts';
import { sendSignal } from './signals/send.ts';
import type { ThreadGroup } from './thread-group.ts';
import { Timer } from './timer-queue.ts';

/** Nanoseconds until the next expiry (0: not set) and between expiries (0: once). */
export interface TimerSetting {
  readonly valueNs: number;
  readonly intervalNs: number;
}

interface CpuTimer {
  readonly signo: number;
  /** CPU time of the group at which it strikes; Infinity when not set. */
  deadline: number;
  interval: number;
}

/** What else waits for CPU time: POSIX timers and sleeps on CPU clocks. */
export interface CpuWatcher {
  /** Called before a task of the group runs; does what is due and gives the nanoseconds left. */
  check(): number;
}

export class IntervalTimers {
  private readonly kernel: Kernel;
  private group: ThreadGroup | null = null;
  private readonly real: Timer;
  private realInterval = 0;
  private readonly cpu: readonly CpuTimer[] = [
    { signo: SIGVTALRM, deadline: Infinity, interval: 0 },
    { signo: SIGPROF, deadline: Infinity, interval: 0 },
  ];
  private cpuLimitNs = Infinity;
  /** Whether CPU time matters at all: spares the sum over the tasks. */
  private countsCpu = false;
  private readonly cpuWatchers = new Set<CpuWatcher>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.real = new Timer(this);
  }

  /** The group that owns the timers; they are made first, because a group needs them. */
  bind(group: ThreadGroup): void {
    this.group = group;
    this.limitChanged();
  }

  /** TimerOwner: ITIMER_REAL has struck. */
  expired(): void {
    if (this.group !== null) sendSignal(this.group, null, kernelInfo(SIGALRM));
  }

  /** A SIGALRM of the group's was taken: only then does the next period begin, so never while it is ignored. */
  alarmTaken(): void {
    const interval = this.realInterval;
    if (this.real.isSet || interval === 0) return;
    const { timers, clock } = this.kernel;
    // Periods that have passed meanwhile are lost, as their signals would be.
    const now = clock.now() + (interval < TAKING_NS ? TAKING_NS : 0);
    const missed = Math.floor(Math.max(0, now - this.real.deadline) / interval);
    timers.set(this.real, this.real.deadline + (missed + 1) * interval);
    this.kernel.leaveGuest();
  }

  /** Reads a timer; undefined for an unknown one. */
  get(which: number): TimerSetting | undefined {
    if (which === ITIMER_REAL) {
      const left = this.real.isSet ? Math.max(1, this.real.deadline - this.kernel.clock.now()) : 0;
      return { valueNs: left, intervalNs: this.realInterval };
    }
    const timer = this.cpuTimer(which);
    if (timer === undefined) return undefined;
    const left = timer.deadline === Infinity ? 0 : Math.max(1, timer.deadline - this.cpuNs());
    return { valueNs: left, intervalNs: timer.interval };
  }

  set(which: number, setting: TimerSetting): void {
    if (which === ITIMER_REAL) {
      this.realInterval = setting.valueNs === 0 ? 0 : setting.intervalNs;
      if (setting.valueNs === 0) this.kernel.timers.cancel(this.real);
      else this.kernel.timers.set(this.real, this.kernel.clock.now() + setting.valueNs);
      return;
    }
    const timer = this.cpuTimer(which);
    if (timer === undefined) return;
    timer.interval = setting.intervalNs;
    timer.deadline = setting.valueNs === 0 ? Infinity : this.cpuNs() + setting.valueNs;
    this.recount();
  }

  private cpuTimer(which: number): CpuTimer | undefined {
    if (which === ITIMER_VIRTUAL) return this.cpu[0];
    return which === ITIMER_PROF ? this.cpu[1] : undefined;
  }

  private cpuNs(): number {
    return this.group?.cpuNs() ?? 0;
  }

  /** RLIMIT_CPU was set. */
  limitChanged(): void {
    this.cpuLimitNs = (this.group?.softLimit(RLIMIT_CPU) ?? Infinity) * 1e9;
    this.recount();
  }

  watchCpu(watcher: CpuWatcher): void {
    this.cpuWatchers.add(watcher);
    this.recount();
  }

  unwatchCpu(watcher: CpuWatcher): void {
    if (this.cpuWatchers.delete(watcher)) this.recount();
  }

  private recount(): void {
    this.countsCpu =
      this.cpuLimitNs < Infinity || this.cpuWatchers.size > 0 || this.cpu.some((t) => t.deadline < Infinity);
    this.kernel.leaveGuest();
  }

  /** Fires what is due and gives the CPU time until the next expiry. */
  cpuTimeLeft(group: ThreadGroup): number {
    if (!this.countsCpu) return Infinity;
    const now = group.cpuNs();
    let left = Infinity;
    for (const timer of this.cpu) {
      if (timer.deadline <= now) {
        timer.deadline = timer.interval > 0 ? Math.max(now + 1, timer.deadline + timer.interval) : Infinity;
        sendSignal(group, null, kernelInfo(timer.signo));
      }
      left = Math.min(left, timer.deadline - now);
    }
    if (this.cpuLimitNs <= now) {
      this.kernel.cpuLimitReached(group);
      this.cpuLimitNs = Math.max(now + 1, group.softLimit(RLIMIT_CPU) * 1e9);
    }
    for (const watcher of this.cpuWatchers) left = Math.min(left, watcher.check());
    return Math.max(1, Math.min(left, this.cpuLimitNs - now));
  }

  cancel(): void {
    this.kernel.timers.cancel(this.real);
    for (const timer of this.cpu) timer.deadline = Infinity;
    this.cpuWatchers.clear();
    this.countsCpu = false;
  }
}

savable('kernel/interval-timers', { IntervalTimers });
