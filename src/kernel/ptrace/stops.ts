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
import { savable } from '../../base/savable.ts';
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

function hasKill(task: Task): boolean {
  return ((task.pending.set | task.group.pending.set) & KILL_BIT) !== 0n;
}

/**
 * Stops a tracee; `go` is called when it goes on, with the signal that the tracer sends (0 for none) and the siginfo as
 * the tracer has left it. A task that was killed does not stop.
 * @returns what a system call returns for it; whoever is on the way to guest code just does not go there
 */
export function stopForTracer(
  tracee: Tracee,
  stop: TracerStop,
  go: (signo: number, info: SignalInfo | null) => SyscallResult,
): SyscallResult {
  const { task, tracer } = tracee;
  const { kernel } = task;
  // Any trap does for PTRACE_INTERRUPT.
  tracee.hasTrap = false;
  if (hasKill(task)) return go(0, stop.info);
  if (stop.report >> 8 === PTRACE_EVENT_STOP) tracee.hasNotice = false;
  tracee.report = stop.report;
  tracee.info = stop.info;
  tracee.message = stop.message ?? 0;
  tracee.signal = 0;
  task.request = new TracerWait(tracee, go);
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
  private readonly go: (signo: number, info: SignalInfo | null) => SyscallResult;

  constructor(tracee: Tracee, go: (signo: number, info: SignalInfo | null) => SyscallResult) {
    this.tracee = tracee;
    this.go = go;
  }

  retry(): SyscallResult {
    const { tracee } = this;
    const { info, signal } = tracee;
    tracee.info = null;
    tracee.message = 0;
    tracee.report = 0;
    tracee.isListening = false;
    return this.go(signal, info);
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
  stopForTracer(tracee, { report, info, isJobControl: true }, () => REGS_SET);
}

/** A signal that a tracer sends with a resumption from anything but a signal-delivery-stop. */
function sendAlong(task: Task, signo: number): void {
  if (signo !== 0) sendSignal(task.group, task, kernelInfo(signo));
}

/** An event, when the tracer asked for it: the task stops and goes on with `go`. Without a tracer it just goes on. */
export function stopForEvent(task: Task, event: number, message: number, go: () => SyscallResult): SyscallResult {
  const { tracee } = task;
  if (tracee === null || !tracee.wants(event)) return go();
  const report = SIGTRAP | (event << 8);
  if (task.call !== null) showsUnfinished(task);
  return stopForTracer(tracee, { report, info: noticeInfo(task, SIGTRAP, report), message }, (signo) => {
    sendAlong(task, signo);
    return go();
  });
}

/**
 * SECCOMP_RET_TRACE. `go` runs when the tracer lets the task go on, and finds number and arguments as the tracer left them.
 * @returns null when nobody wants to know
 */
export function stopForSeccomp(task: Task, data: number, go: () => SyscallResult): SyscallResult | null {
  if (task.tracee?.wants(PTRACE_EVENT_SECCOMP) !== true) return null;
  return stopForEvent(task, PTRACE_EVENT_SECCOMP, data, () => (hasKill(task) ? REGS_SET : go()));
}

/** While a call is in service its number is in orig_rax, and rax holds what it has in case nothing else is put there. */
function showsUnfinished(task: Task): void {
  task.regs.set(Reg.rax, -ENOSYS);
}

function stopAtCall(tracee: Tracee, message: number, go: () => SyscallResult): SyscallResult {
  const { task, options } = tracee;
  const report = (options & PTRACE_O_TRACESYSGOOD) === 0 ? SIGTRAP : SIGTRAP | SYSGOOD_BIT;
  return stopForTracer(tracee, { report, info: noticeInfo(task, SIGTRAP, report), message }, (signo) => {
    sendAlong(task, signo);
    return go();
  });
}

/**
 * The entry of a call of a tracee that is to stop there.
 * @param serve makes the call that registers and `task.sysno` then ask for
 * @param skip what is done instead with PTRACE_SYSEMU
 */
export function stopAtEntry(tracee: Tracee, serve: () => SyscallResult, skip: () => SyscallResult): SyscallResult {
  const { skipsCalls } = tracee.resumption;
  showsUnfinished(tracee.task);
  return stopAtCall(tracee, PTRACE_EVENTMSG_SYSCALL_ENTRY, () =>
    skipsCalls || hasKill(tracee.task) ? skip() : serve(),
  );
}

/** The exit of a call, its result in place: a stop, or the trap that ends a single step. False when it does not stop. */
export function stopAtExit(tracee: Tracee): boolean {
  const { task, resumption } = tracee;
  if (resumption.steps) {
    if (!resumption.skipsCalls) forceSignal(task, stepInfo(task));
    return false;
  }
  if (!resumption.stopsAtCalls) return false;
  stopAtCall(tracee, PTRACE_EVENTMSG_SYSCALL_EXIT, () => REGS_SET);
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
  stopForTracer(tracee, { report: SIGTRAP, info: noticeInfo(task, SIGTRAP, SIGTRAP) }, (signo) => {
    sendAlong(task, signo);
    return REGS_SET;
  });
}

/** The siginfo of a signal that the tracer has put in place of another. */
export function replacedInfo(tracee: Tracee, signo: number): SignalInfo {
  return killInfo(signo, SI_USER, tracee.tracer.group.tgid, tracee.tracer.creds.uid);
}

savable('kernel/ptrace/stops', { TracerWait }, { refused: 'a task is stopped by its tracer (ptrace)' });
