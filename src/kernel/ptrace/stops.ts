// SPDX-License-Identifier: MIT
//
// Stops of a tracee: it sleeps until its tracer lets it go on, and a continuation says what it then does. Here are the
// mechanism, the stops around system calls and the events. Models Linux kernel/ptrace.c and signal.c (ptrace_stop,
// ptrace_notify, do_notify_parent_cldstop), include/linux/ptrace.h (ptrace_event), kernel/entry/common.c.

import { ENOSYS } from '../../abi/errno.ts';
import {
  PTRACE_EVENTMSG_SYSCALL_ENTRY,
  PTRACE_EVENTMSG_SYSCALL_EXIT,
  PTRACE_EVENT_SECCOMP,
  PTRACE_EVENT_STOP,
  PTRACE_O_TRACESYSGOOD,
  SYSGOOD_BIT,
} from '../../abi/ptrace.ts';
import {
  CLD_STOPPED,
  CLD_TRAPPED,
  SA_NOCLDSTOP,
  SIGCHLD,
  SIGKILL,
  SIGTRAP,
  SI_USER,
  TRAP_BRKPT,
} from '../../abi/signal.ts';
import { stopStatus } from '../../abi/wait.ts';
import { Reg } from '../../cpu/regs.ts';
import { EventKind } from '../../trace/events.ts';
import { forceSignal } from '../signals/force.ts';
import { recheckGroupStop, sendSignal } from '../signals/send.ts';
import { HANDLER_IGNORE } from '../signals/signal-actions.ts';
import type { SignalInfo } from '../signals/siginfo.ts';
import { childInfo, faultInfo, kernelInfo, killInfo } from '../signals/siginfo.ts';
import { sigBit } from '../signals/signal-sets.ts';
import { savable, savedConstants } from '../../base/savable.ts';
import type { BlockRequest, SyscallResult } from '../syscalls/table.ts';
import { BLOCKED, REGS_SET } from '../syscalls/table.ts';
import type { Task } from '../task.ts';
import type { Tracee } from './tracee.ts';

const KILL_BIT = sigBit(SIGKILL);

/** Why a tracee stops. */
export interface TracerStop {
  /** What wait tells above its lowest byte: signal, and event in the next byte. */
  readonly report: number;
  readonly info: SignalInfo | null;
  readonly message?: number;
  /** A stop of job control, which SIGCHLD tells with another code. */
  readonly isJobControl?: boolean;
}

/** What a task does when its tracer lets it go on: data, because a checkpoint holds it. */
export interface Continuation {
  /**
   * @param signo signal that the tracer sends, 0 for none
   * @param info siginfo as the tracer has left it
   */
  goOn(task: Task, signo: number, info: SignalInfo | null): SyscallResult;
}

const JUST_GO: Continuation = { goOn: () => REGS_SET };

/** The call that a filter told the tracer of, with number and arguments as the tracer left them. */
const SERVE_TRACED: Continuation = { goOn: (task) => (hasKill(task) ? REGS_SET : task.kernel.serveTraced(task)) };

/** A result of a call. */
export class Gives implements Continuation {
  private readonly result: number;

  constructor(result: number) {
    this.result = result;
  }

  goOn(): SyscallResult {
    return this.result;
  }
}

/** Behind every stop but that of a signal: the tracer's signal is sent as any other. */
class SendsAlong implements Continuation {
  private readonly next: Continuation;

  constructor(next: Continuation) {
    this.next = next;
  }

  goOn(task: Task, signo: number, info: SignalInfo | null): SyscallResult {
    if (signo !== 0) sendSignal(task.group, task, kernelInfo(signo));
    return this.next.goOn(task, signo, info);
  }
}

/** Behind the entry of a call, which PTRACE_SYSEMU skips. */
class BehindEntry implements Continuation {
  private readonly skipsCalls: boolean;

  constructor(skipsCalls: boolean) {
    this.skipsCalls = skipsCalls;
  }

  goOn(task: Task): SyscallResult {
    return this.skipsCalls || hasKill(task) ? task.kernel.skipCall(task) : task.kernel.serveEntered(task);
  }
}

function hasKill(task: Task): boolean {
  return ((task.pending.set | task.group.pending.set) & KILL_BIT) !== 0n;
}

/**
 * Stops a tracee; `then` says what it does when it goes on. A task that was killed does not stop.
 * @returns what a system call returns for it; whoever is on the way to guest code just does not go there
 */
export function stopForTracer(tracee: Tracee, stop: TracerStop, then: Continuation): SyscallResult {
  const { task, tracer } = tracee;
  const { kernel } = task;
  // Any trap does for PTRACE_INTERRUPT.
  tracee.hasTrap = false;
  if (hasKill(task)) return then.goOn(task, 0, stop.info);
  if (stop.report >> 8 === PTRACE_EVENT_STOP) tracee.hasNotice = false;
  tracee.report = stop.report;
  tracee.info = stop.info;
  tracee.message = stop.message ?? 0;
  tracee.signal = 0;
  task.request = new TracerWait(tracee, then);
  task.woken = 0;
  if (task.state === 'ready' && kernel.current !== task) kernel.scheduler.remove(task);
  task.state = 'traced';
  kernel.trace.emit(
    EventKind.ptraceStop,
    task.tid,
    tracer.tid,
    stopStatus(stop.report & 0xff) | ((stop.report >> 8) << 16),
    tracee.message,
  );
  tellTracer(tracee, stop.isJobControl === true);
  if (stop.isJobControl === true) recheckGroupStop(task.group);
  return BLOCKED;
}

/** A stop that only the tracer ends. */
class TracerWait implements BlockRequest {
  readonly queues = [];
  readonly killableOnly = true;
  private readonly tracee: Tracee;
  private readonly next: Continuation;

  constructor(tracee: Tracee, next: Continuation) {
    this.tracee = tracee;
    this.next = next;
  }

  retry(): SyscallResult {
    const { tracee } = this;
    const { info, signal } = tracee;
    tracee.info = null;
    tracee.message = 0;
    tracee.report = 0;
    tracee.isListening = false;
    return this.next.goOn(tracee.task, signal, info);
  }
}

/** SIGCHLD for the tracer, and an end of its wait. */
function tellTracer(tracee: Tracee, isJobControl: boolean): void {
  const { task, tracer } = tracee;
  const { group } = tracer;
  const action = group.actions.get(SIGCHLD);
  if (action.handler !== HANDLER_IGNORE && (action.flags & SA_NOCLDSTOP) === 0) {
    const code = isJobControl ? CLD_STOPPED : CLD_TRAPPED;
    const status = isJobControl ? task.group.stopSignal : tracee.report & 0x7f;
    const ticks = Math.floor(task.cpuNs() / 1e7);
    sendSignal(group, null, childInfo(SIGCHLD, code, task.tid, task.creds.uid, status, ticks, 0));
  }
  group.childEvents.wake();
}

/** The siginfo that ptrace makes up for stops that no signal caused. */
function noticeInfo(task: Task, signo: number, code: number): SignalInfo {
  return killInfo(signo, code, task.tid, task.creds.uid);
}

/** Stops of job control: group stops, PTRACE_INTERRUPT, and for seized tracees news of their group. */
export function stopForJobControl(tracee: Tracee): void {
  const { task, isSeized } = tracee;
  const { stopSignal } = task.group;
  tracee.joinsGroupStop = false;
  const signo = stopSignal === 0 ? SIGTRAP : stopSignal;
  const report = isSeized ? signo | (PTRACE_EVENT_STOP << 8) : signo;
  const info = isSeized ? noticeInfo(task, signo, report) : null;
  stopForTracer(tracee, { report, info, isJobControl: true }, JUST_GO);
}

/** An event, when the tracer asked for it: the task stops and goes on with `then`. Without a tracer it just goes on. */
export function stopForEvent(task: Task, event: number, message: number, then: Continuation): SyscallResult {
  const { tracee } = task;
  if (tracee === null || !tracee.wants(event)) return then.goOn(task, 0, null);
  const report = SIGTRAP | (event << 8);
  if (task.call !== null) showsUnfinished(task);
  const stop = { report, info: noticeInfo(task, SIGTRAP, report), message };
  return stopForTracer(tracee, stop, new SendsAlong(then));
}

/**
 * SECCOMP_RET_TRACE: the call is made when the tracer lets the task go on.
 * @returns null when nobody wants to know
 */
export function stopForSeccomp(task: Task, data: number): SyscallResult | null {
  if (task.tracee?.wants(PTRACE_EVENT_SECCOMP) !== true) return null;
  return stopForEvent(task, PTRACE_EVENT_SECCOMP, data, SERVE_TRACED);
}

/** While a call is in service its number is in orig_rax, and rax holds what it has in case nothing else is put there. */
function showsUnfinished(task: Task): void {
  task.regs.set(Reg.rax, -ENOSYS);
}

function stopAtCall(tracee: Tracee, message: number, then: Continuation): SyscallResult {
  const { task, options } = tracee;
  const report = (options & PTRACE_O_TRACESYSGOOD) === 0 ? SIGTRAP : SIGTRAP | SYSGOOD_BIT;
  const stop = { report, info: noticeInfo(task, SIGTRAP, report), message };
  return stopForTracer(tracee, stop, new SendsAlong(then));
}

/** The entry of a call of a tracee that is to stop there. What registers and `task.sysno` then ask for is made or skipped. */
export function stopAtEntry(tracee: Tracee): SyscallResult {
  showsUnfinished(tracee.task);
  return stopAtCall(tracee, PTRACE_EVENTMSG_SYSCALL_ENTRY, new BehindEntry(tracee.resumption.skipsCalls));
}

/** The exit of a call, its result in place: a stop, or the trap that ends a single step. False when it does not stop. */
export function stopAtExit(tracee: Tracee): boolean {
  const { task, resumption } = tracee;
  if (resumption.steps) {
    if (!resumption.skipsCalls) forceSignal(task, stepInfo(task));
    return false;
  }
  if (!resumption.stopsAtCalls) return false;
  stopAtCall(tracee, PTRACE_EVENTMSG_SYSCALL_EXIT, JUST_GO);
  return task.state === 'traced';
}

/** A step ends behind a system call without a debug exception: Linux says TRAP_BRKPT. */
function stepInfo(task: Task): SignalInfo {
  const rip = task.regs.u64[Reg.rip] as bigint;
  return faultInfo(SIGTRAP, TRAP_BRKPT, rip, { trapno: 1, error: 0, cr2: 0n });
}

/** A step has ended in a signal handler: the tracee stops before its first instruction. */
export function stopInHandler(tracee: Tracee): void {
  const { task } = tracee;
  stopForTracer(tracee, { report: SIGTRAP, info: noticeInfo(task, SIGTRAP, SIGTRAP) }, new SendsAlong(JUST_GO));
}

/** The siginfo of a signal that the tracer has put in place of another. */
export function replacedInfo(tracee: Tracee, signo: number): SignalInfo {
  return killInfo(signo, SI_USER, tracee.tracer.group.tgid, tracee.tracer.creds.uid);
}

savable('kernel/ptrace/stops', { TracerWait, Gives, SendsAlong, BehindEntry });
savedConstants('kernel/ptrace/stops', { JUST_GO, SERVE_TRACED });
