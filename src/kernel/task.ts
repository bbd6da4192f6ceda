// SPDX-License-Identifier: MIT
//
// A thread of a guest program: registers, memory, files, identity, signals, and what it sleeps on. State only;
// what happens to it lives in clone.ts, exit.ts, exec.ts and signals/. Models gVisor pkg/sentry/kernel/task.go.

import { SIGKILL } from '../abi/signal.ts';
import type { Addr } from '../base/addr.ts';
import type { Waiter } from '../base/wait-queue.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import { FPU_BYTES } from '../cpu/cpu.ts';
import { Regs } from '../cpu/regs.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { Breakpoint } from '../platform/breakpoints.ts';
import type { GuestContext } from '../platform/sentry.ts';
import { EventKind } from '../trace/events.ts';
import type { FdTable } from '../vfs/fd-table.ts';
import type { FsContext } from '../vfs/fs-context.ts';
import { plainUser, type Credentials } from './credentials.ts';
import type { UndoList } from './ipc/semaphore-sets.ts';
import type { Kernel } from './kernel.ts';
import type { IoUse } from './io-use.ts';
import { noIo } from './io-use.ts';
import type { DebugRegisters } from './ptrace/debug-registers.ts';
import type { Tracee } from './ptrace/tracee.ts';
import type { DeadlineParameters } from './sched-policy.ts';
import type { SeccompFilter } from './seccomp/seccomp-filter.ts';
import { PendingSignals } from './signals/pending-signals.ts';
import type { FaultDetail } from './signals/siginfo.ts';
import { HANDLER_DEFAULT } from './signals/signal-actions.ts';
import { defaultAction, sigBit } from './signals/signal-sets.ts';
import type { BlockRequest, Blocked, SyscallDef } from './syscalls/table.ts';
import { BLOCKED } from './syscalls/table.ts';
import type { TimerOwner } from './timer-queue.ts';
import { Timer } from './timer-queue.ts';
import type { ThreadGroup } from './thread-group.ts';

/**
 * `ready` covers the task that runs, those that wait for the processor, and those whose sleep is over; `stopped` is job
 * control's, `traced` waits for a tracer.
 */
export type TaskState = 'ready' | 'blocked' | 'stopped' | 'traced' | 'ended';

/** Why a sleep ended; a union of bits. */
export const Wake = { event: 1, timeout: 2, signal: 4 } as const;

/** The alternate signal stack of sigaltstack(2). */
export interface AltStack {
  readonly sp: bigint;
  readonly size: number;
  readonly flags: number;
}

/** `Task.sysno` when no system call led into the kernel: orig_rax is -1 then. */
export const NO_CALL = -1;

export const NO_ALT_STACK: AltStack = { sp: 0n, size: 0, flags: 2 };

const KILL_BIT = sigBit(SIGKILL);

function hasKill(task: Task): boolean {
  return task.group.isExiting || ((task.pending.set | task.group.pending.set) & KILL_BIT) !== 0n;
}

/** SIGKILL, or a signal that ends the group as soon as it is sent (complete_signal): what ends a killable sleep. */
function hasFatal(task: Task): boolean {
  if (hasKill(task)) return true;
  // A tracer may turn any other signal into none.
  if (task.tracee !== null) return false;
  const { group } = task;
  let waiting = (task.pending.set | group.pending.set) & ~task.mask;
  for (let signo = 1; waiting !== 0n; signo++, waiting >>= 1n) {
    if ((waiting & 1n) === 0n || defaultAction(signo) !== 'terminate') continue;
    if (group.actions.get(signo).handler === HANDLER_DEFAULT) return true;
  }
  return false;
}

/** Which nodes memory is to come from, in get_mempolicy(2)'s words. */
export interface MemoryPolicy {
  /** MPOL_*, with the flags of the mode. */
  readonly mode: number;
  readonly nodes: Uint8Array;
}

export class Task implements GuestContext, Waiter, TimerOwner {
  readonly kernel: Kernel;
  /** Changes only when a thread other than the leader calls execve: it takes over the leader's. */
  tid: number;
  group: ThreadGroup;

  /** The processor's live block while the platform runs this task, a copy of its own otherwise. */
  regs = new Regs();
  /** FXSAVE image; stale while the processor holds the state (Platform.saveFpu). */
  readonly fpu = new Uint8Array(FPU_BYTES);
  /** What a tracer has made of this task; null for nearly all. */
  tracee: Tracee | null = null;
  /** Tasks that this one traces, in the order in which it took them. */
  tracees: Tracee[] = [];
  /** What a tracer has put into the debug registers; null for nearly all. They outlive the tracer. */
  debug: DebugRegisters | null = null;
  breakpoints: readonly Breakpoint[] | null = null;
  faultsServed = 0;
  platformState: object | null = null;

  mm: AddressSpace;
  fs: FsContext;
  files: FdTable;
  creds: Credentials;

  state: TaskState = 'ready';
  /** Wake reasons since the task fell asleep. */
  woken = 0;
  request: BlockRequest | null = null;
  /** Number of the call by which the kernel was entered last: what a restart puts into rax. NO_CALL for a fault or a preemption. */
  sysno = 0;
  /** The call in service: from entry to its result, sleeps included. */
  call: SyscallDef | null = null;
  /** -ERESTART… of an interrupted call, until it is known whether a handler runs; else 0. */
  restartError = 0;
  /** The sleep that restart_syscall goes on with. */
  restart: BlockRequest | null = null;
  readonly sleepTimer: Timer;

  /** Something must be looked at before guest code runs on: signals, restart, exit. */
  attention = false;
  readonly pending = new PendingSignals();
  /** Blocked signals. */
  mask = 0n;
  /** Mask to put back after the handler of the signal that ended sigsuspend, ppoll, pselect or epoll_pwait. */
  savedMask: bigint | null = null;
  /** sigtimedwait wants these although they are blocked. */
  waitingFor = 0n;
  altStack: AltStack = NO_ALT_STACK;
  /** What sigcontext tells of the last fault. */
  lastFault: FaultDetail = { trapno: 0, error: 0, cr2: 0n };
  signalsTaken = 0;

  /** comm: at most 15 bytes, Latin-1. */
  name = '';
  /** set_tid_address / CLONE_CHILD_CLEARTID. */
  clearTidAddr: Addr = 0;
  robustList: Addr = 0;
  rseqAddr: Addr = 0;
  rseqLength = 0;
  rseqSignature = 0;
  /** Woken when a vfork child lets go of its parent's memory. */
  readonly vforkDone = new WaitQueue();
  /** Adjustments of System V semaphores to take back at the end; shared with CLONE_SYSVSEM. */
  undoList: UndoList | null = null;
  /** This task is a vfork child that still borrows its parent's memory. */
  isVforkChild = false;
  parentDeathSignal = 0;
  /** Tid of the task that made this one. */
  creatorTid = 0;
  noNewPrivs = false;
  /** Its user had more tasks than RLIMIT_NPROC allows when the task became that user: execve may fail. */
  exceedsTaskLimit = false;
  /** What the task's calls must pass first: prctl(PR_SET_SECCOMP). */
  seccomp: SeccompFilter | 'strict' | null = null;
  nice = 0;
  schedPolicy = 0;
  schedPriority = 0;
  /** With SCHED_DEADLINE, and only with it. */
  deadline: DeadlineParameters | null = null;
  /** SCHED_RESET_ON_FORK: children start without what is special to this task's scheduling. */
  resetsOnFork = false;
  ioprio = 0;
  timerSlackNs = 50_000;
  /** What PR_SET_TIMERSLACK goes back to: the slack that the creator had. */
  defaultTimerSlackNs = 50_000;
  /** PR_MCE_KILL. */
  mcePolicy = 2;
  /** set_mempolicy(2); null for the default. */
  memoryPolicy: MemoryPolicy | null = null;
  /** PR_SET_IO_FLUSHER. */
  isIoFlusher = false;
  startNs = 0;
  /** Instructions run before the current turn on the processor. */
  cpuBefore = 0;
  /** Instruction count at the start of the current turn; -1 when not on the processor. */
  turnStart = -1;
  /** Virtual time at which its last turn ended. */
  ranUntilNs = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  readonly io: IoUse = noIo();
  /** End of the time slice, as an instruction count; survives interruptions by the host. */
  sliceEnd = 0;

  constructor(
    kernel: Kernel,
    init: {
      tid: number;
      group: ThreadGroup | null;
      mm: AddressSpace;
      fs: FsContext;
      files: FdTable;
      creds: Credentials;
    },
  ) {
    this.kernel = kernel;
    this.tid = init.tid;
    this.mm = init.mm;
    this.fs = init.fs;
    this.files = init.files;
    this.creds = init.creds;
    this.sleepTimer = new Timer(this);
    this.startNs = kernel.clock.now();
    // A new process gives its group right after construction, because the group needs its leader.
    this.group = init.group as ThreadGroup;
  }

  /** Falls asleep: return the result from the syscall. */
  block(request: BlockRequest): Blocked {
    this.request = request;
    return BLOCKED;
  }

  /** Waiter: its sleep is over. */
  get isAwake(): boolean {
    return this.state === 'ready';
  }

  /** Waiter: an event on one of the queues of the request. */
  wake(_events: number): void {
    this.wakeFor(Wake.event);
  }

  /** TimerOwner: the sleep has lasted long enough. */
  expired(): void {
    this.wakeFor(Wake.timeout);
  }

  /** Something must be looked at before guest code runs on; ends a sleep that signals may end. */
  alert(): void {
    this.attention = true;
    if (this.state === 'stopped') {
      if (hasKill(this)) this.kernel.scheduler.ready(this);
    } else if (this.state === 'traced') {
      if (((this.pending.set | this.group.pending.set) & KILL_BIT) !== 0n) this.tracee?.wake();
    } else if (this.request?.killableOnly !== true || hasFatal(this)) {
      this.wakeFor(Wake.signal);
    }
  }

  /** A sleep must not begin with a signal waiting. */
  alertIfSignalled(): void {
    if (this.hasSignal()) this.alert();
  }

  /** A signal, a group stop or the group's end is waiting for this task. */
  hasSignal(): boolean {
    const { group, tracee } = this;
    const waiting = this.pending.set | group.pending.set;
    const isToStop = tracee === null ? group.stopSignal !== 0 : tracee.isDue;
    return (waiting & ~this.mask) !== 0n || isToStop || group.isExiting;
  }

  private wakeFor(reason: number): void {
    if (this.state !== 'blocked') return;
    this.woken |= reason;
    const waker = reason === Wake.timeout ? 0 : (this.kernel.current?.tid ?? 0);
    this.kernel.trace.emit(EventKind.taskWoken, this.tid, waker, reason);
    this.kernel.scheduler.ready(this);
  }

  /** CPU time in nanoseconds: one per instruction. */
  cpuNs(): number {
    return this.turnStart < 0 ? this.cpuBefore : this.cpuBefore + this.kernel.cpu.instructions - this.turnStart;
  }

  /** SIGKILL is on its way: whatever the task is doing never comes to its end. */
  get isKilled(): boolean {
    return hasKill(this);
  }

  get hasTracer(): boolean {
    return this.tracee !== null;
  }

  get trust(): number {
    // What filters a task's calls may keep it from ptrace.
    return this.seccomp === null ? plainUser(this.creds) : -1;
  }

  get isLeader(): boolean {
    return this.group.leader === this;
  }
}

savable('kernel/task', { Task });
