// SPDX-License-Identifier: MIT
//
// A process: tasks that share signals, limits, timers and an exit status. Models gVisor
// pkg/sentry/kernel/thread_group.go and Linux's struct signal_struct.

import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { Dentry } from '../vfs/dentry.ts';
import type { Tty } from '../vfs/tty/tty.ts';
import type { IoUse } from './io-use.ts';
import { noIo } from './io-use.ts';
import type { LimitPair } from './limits.ts';
import { limitNumber } from './limits.ts';
import type { IntervalTimers } from './interval-timers.ts';
import type { PosixTimers } from './posix-timers.ts';
import { PendingSignals } from './signals/pending-signals.ts';
import type { SignalActions } from './signals/signal-actions.ts';
import type { Task } from './task.ts';

/** Resources that ended or waited-for children used. */
export interface ChildUsage {
  userNs: number;
  maxRssKib: number;
  switches: number;
}

/** What wait reports once about a live child. */
export type StopReport = { readonly kind: 'stopped'; readonly signo: number } | { readonly kind: 'continued' };

/** Where the program's code and data lie. */
export interface ProgramParts {
  readonly codeStart: number;
  readonly codeEnd: number;
  readonly dataStart: number;
  readonly dataEnd: number;
}

const NO_PARTS: ProgramParts = { codeStart: 0, codeEnd: 0, dataStart: 0, dataEnd: 0 };

/** A piece of a guest's memory. */
export interface GuestRange {
  readonly start: number;
  readonly length: number;
}

export class ThreadGroup {
  readonly tgid: number;
  /** The task whose tid is the tgid; stays set after it has ended, until the group is reaped. */
  leader: Task;
  /** Tasks that have not ended, in the order of their creation. */
  readonly tasks: Task[] = [];
  /** Null for the first process and for those whose parent is gone with it. */
  parent: ThreadGroup | null;
  readonly children: ThreadGroup[] = [];
  pgid: number;
  sid: number;
  /** The controlling terminal. */
  tty: Tty | null = null;
  /** The foreground group of a controlling terminal that hung up; 0 without one. */
  hungUpGroup = 0;
  /** Signal to the parent when the group has ended; 0 for none. */
  exitSignal: number;
  readonly pending = new PendingSignals();
  actions: SignalActions;
  limits: LimitPair[];
  /** Waiters for changes of children: wait4 and the like. */
  readonly childEvents = new WaitQueue();
  /** Woken when the group has ended: pidfds. */
  readonly exitEvents = new WaitQueue();
  /** Woken when a signal is queued: signalfd. */
  readonly signalEvents = new WaitQueue();
  timers: IntervalTimers;
  posixTimers: PosixTimers;

  /** Wait status once exit_group or a fatal signal has struck; tasks end with it. */
  exitStatus: number | null = null;
  /** Threads that have ended and wait for their tracers to wait for them. */
  deadTracees = 0;
  /** Woken when a thread that kept execve waiting is gone. */
  readonly threadsGone = new WaitQueue();
  /** Every task has ended; waiting to be reaped. */
  isZombie = false;
  isReaped = false;
  /** Stop signal in force (job control), 0 when running. */
  stopSignal = 0;
  /** A change that wait has not yet reported. */
  stopReport: StopReport | null = null;
  /** Has called execve since it was forked: setpgid of a child then fails. */
  hasExeced = false;
  isSubreaper = false;
  /** PR_SET_THP_DISABLE. */
  hasNoHugePages = false;
  /** Ended tasks' share of CPU time; live tasks add theirs. */
  endedCpuNs = 0;
  endedSwitches = 0;
  /** Of ended tasks, and of children that were waited for. */
  readonly endedIo: IoUse = noIo();
  /** Of the memory that the last task let go. */
  maxRssKib = 0;
  readonly childUsage: ChildUsage = { userNs: 0, maxRssKib: 0, switches: 0 };
  /** Guest path of the program, and its arguments and environment as passed. */
  exePath = '';
  exe: Dentry | null = null;
  /** The auxiliary vector, as on the initial stack. */
  auxv: Uint8Array = new Uint8Array(0);
  /** Where the program's arguments and environment are; guests may change them there, as Linux lets them. */
  argvRange: GuestRange = { start: 0, length: 0 };
  envpRange: GuestRange = { start: 0, length: 0 };
  parts = NO_PARTS;
  startNs: number;
  /** PR_SET_DUMPABLE. */
  dumpable = 1;
  /** personality(2). */
  personality = 0;
  oomScoreAdj = 0;
  /** Registrations of membarrier(2). */
  barriers = 0;

  constructor(init: {
    tgid: number;
    leader: Task;
    parent: ThreadGroup | null;
    pgid: number;
    sid: number;
    exitSignal: number;
    actions: SignalActions;
    limits: LimitPair[];
    timers: IntervalTimers;
    posixTimers: PosixTimers;
    startNs: number;
  }) {
    this.tgid = init.tgid;
    this.leader = init.leader;
    this.parent = init.parent;
    this.pgid = init.pgid;
    this.sid = init.sid;
    this.exitSignal = init.exitSignal;
    this.actions = init.actions;
    this.limits = init.limits;
    this.timers = init.timers;
    this.posixTimers = init.posixTimers;
    this.startNs = init.startNs;
  }

  get isExiting(): boolean {
    return this.exitStatus !== null;
  }

  /** A soft limit as a number; Infinity when there is none. */
  softLimit(resource: number): number {
    const pair = this.limits[resource];
    return pair === undefined ? Infinity : limitNumber(pair.soft);
  }

  /** Keeps what getrusage tells of memory that is about to go. */
  lastMm(mm: AddressSpace): void {
    this.maxRssKib = Math.max(this.maxRssKib, Math.ceil(mm.memoryUse().vmHwm / 1024));
  }

  /** CPU time of all its tasks, ended ones included. */
  cpuNs(): number {
    let sum = this.endedCpuNs;
    for (const task of this.tasks) sum += task.cpuNs();
    return sum;
  }
}

savable('kernel/thread-group', { ThreadGroup });
