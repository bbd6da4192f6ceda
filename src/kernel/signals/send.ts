// SPDX-License-Identifier: MIT
//
// Sending signals: queueing, choice of the task that takes it, and the side effects of SIGCONT and the stop
// signals that happen at once. Models Linux kernel/signal.c (__send_signal, complete_signal, prepare_signal).

import { EAGAIN } from '../../abi/errno.ts';
import { RLIMIT_SIGPENDING } from '../../abi/resource.ts';
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  SA_NOCLDSTOP,
  SIGALRM,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SI_KERNEL,
  SI_TIMER,
  SI_USER,
} from '../../abi/signal.ts';
import { EventKind } from '../../trace/events.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task.ts';
import type { ThreadGroup } from '../thread-group.ts';
import { HANDLER_DEFAULT, HANDLER_IGNORE } from './signal-actions.ts';
import type { SignalInfo } from './siginfo.ts';
import { childInfo, killInfo, pidOf } from './siginfo.ts';
import { STOP_SIGNALS, defaultAction, isRealtime, sigBit } from './signal-sets.ts';

/** True when the signal would do nothing: ignored, or ignored by default. */
export function isIgnored(group: ThreadGroup, signo: number): boolean {
  const { handler } = group.actions.get(signo);
  if (handler !== HANDLER_DEFAULT) return handler === HANDLER_IGNORE;
  const byDefault = defaultAction(signo);
  // What SIGCONT does by default happens when it is sent.
  return byDefault === 'ignore' || byDefault === 'continue';
}

/** Signals that `task` would take now. */
export function deliverable(task: Task): bigint {
  return (task.pending.set | task.group.pending.set) & ~task.mask;
}

/** Sees whether a change of masks or queues gives the task something to do before guest code. */
export function recheckSignals(task: Task): void {
  if (deliverable(task) !== 0n) task.attention = true;
}

/**
 * Queues a signal for a task, or with `task` null for the whole group.
 * @returns 0, or -EAGAIN when a real-time signal finds the queue full
 */
export function sendSignal(group: ThreadGroup, task: Task | null, info: SignalInfo): number {
  const { signo } = info;
  // Tasks of a group that is ending are gone, or tell their tracer of their end.
  if (group.tasks.length === 0 || group.isExiting || task?.state === 'ended') return 0;
  const { kernel } = group.leader;
  kernel.trace.emit(EventKind.signalSent, senderOf(kernel, info), signo, group.tgid, task?.tid ?? 0);
  const bit = sigBit(signo);
  if (signo === SIGCONT) {
    discardEverywhere(group, STOP_SIGNALS);
    continueGroup(group);
    for (const each of group.tasks) each.tracee?.leaveGroupStop();
  } else if ((bit & STOP_SIGNALS) !== 0n) {
    discardEverywhere(group, sigBit(SIGCONT));
  }
  const asked = task ?? group.leader;
  // A tracer hears of signals that the process ignores, too.
  const isTraced = asked.tracee !== null && signo !== SIGKILL;
  const isWanted = isTraced || (asked.mask & bit) !== 0n || (asked.waitingFor & bit) !== 0n;
  if (info.fault === undefined && !isWanted && isIgnored(group, signo)) {
    traceIgnored(asked, info);
    return 0;
  }

  const queue = task === null ? group.pending : task.pending;
  if ((isRealtime(signo) || info.code < 0) && info.fault === undefined && mayNotQueue(group, queue.size)) {
    if (isRealtime(signo) && info.code !== SI_USER) return -EAGAIN;
    // The signal comes, but nothing is known of it.
    if ((queue.set & bit) !== 0n || !queue.add(killInfo(signo, SI_USER, 0, 0))) return 0;
  } else if (!queue.add(info)) {
    return 0;
  }
  group.signalEvents.wake(1);

  if (signo === SIGKILL) {
    for (const each of group.tasks) each.alert();
    return 0;
  }
  const target = task ?? chooseTask(group, bit);
  if (target !== undefined && canTake(target, bit)) target.alert();
  return 0;
}

/** Who shows as the sender in a trace: nobody for what timers and the kernel's own events cause. */
function senderOf(kernel: Kernel, info: SignalInfo): number {
  if (info.code === SI_TIMER || info.code === SI_KERNEL) return 0;
  return info.signo === SIGCHLD && info.code > 0 ? pidOf(info) : (kernel.current?.tid ?? 0);
}

/** Queues of this length are not looked at closer, unless the limit is lower than any system's. */
const SHORT_QUEUE = 32;
const LOW_LIMIT = 1000;

/** Whether RLIMIT_SIGPENDING forbids one more. */
function mayNotQueue(group: ThreadGroup, size: number): boolean {
  const limit = group.softLimit(RLIMIT_SIGPENDING);
  if (size >= limit) return true;
  return (size >= SHORT_QUEUE || limit < LOW_LIMIT) && queuedSignals(group.leader.kernel) >= limit;
}

/** What RLIMIT_SIGPENDING counts: signals that wait and timers, each of which may send one, of all processes. */
export function queuedSignals(kernel: Kernel): number {
  let queued = 0;
  for (const each of kernel.groups.values()) queued += each.pending.size + each.posixTimers.size;
  for (const each of kernel.tasks.values()) queued += each.pending.size;
  return queued;
}

/** A tracer sees signals that the process ignores, too. */
export function traceIgnored(task: Task, info: SignalInfo): void {
  const { trace, tracer } = task.kernel;
  if (trace.wantsText && tracer !== null) {
    trace.emitText(EventKind.signalIgnored, task.tid, tracer.signalText(info.bytes), info.signo, info.code);
  }
}

function canTake(task: Task, bit: bigint): boolean {
  return (task.mask & bit) === 0n || (task.waitingFor & bit) !== 0n;
}

/** The leader when it can take the signal, else the first task that can. */
function chooseTask(group: ThreadGroup, bit: bigint): Task | undefined {
  if (group.leader.state !== 'ended' && canTake(group.leader, bit)) return group.leader;
  return group.tasks.find((task) => canTake(task, bit));
}

function discardEverywhere(group: ThreadGroup, signals: bigint): void {
  group.pending.discard(signals);
  for (const task of group.tasks) task.pending.discard(signals);
}

/** Ends a group stop. */
function continueGroup(group: ThreadGroup): void {
  if (group.stopSignal === 0) return;
  group.stopSignal = 0;
  for (const task of group.tasks) {
    if (task.state !== 'stopped') continue;
    task.attention = true;
    task.kernel.trace.emit(EventKind.taskContinued, task.tid, SIGCONT);
    task.kernel.scheduler.ready(task);
  }
  group.stopReport = { kind: 'continued' };
  notifyParentOfStop(group, CLD_CONTINUED, SIGCONT);
}

/** A group stop is complete when all its tasks have stopped. */
export function recheckGroupStop(group: ThreadGroup): void {
  if (group.stopSignal === 0 || group.stopReport?.kind === 'stopped') return;
  if (!group.tasks.every(takesPart)) return;
  // A parent that traces its child has been told by the tracee's own stop.
  if (group.leader.tracee !== null && group.leader.tracee.tracer.group === group.parent) return;
  group.stopReport = { kind: 'stopped', signo: group.stopSignal };
  notifyParentOfStop(group, CLD_STOPPED, group.stopSignal);
}

/** Whether a group stop has reached the task; a tracee that has taken part in it may run again. */
function takesPart(task: Task): boolean {
  return task.tracee === null ? task.state === 'stopped' : !task.tracee.joinsGroupStop;
}

/** Tells the parent of a stop or of its end. */
export function notifyParentOfStop(group: ThreadGroup, code: number, status: number): void {
  const { parent } = group;
  if (parent === null) return;
  const action = parent.actions.get(SIGCHLD);
  if (action.handler !== HANDLER_IGNORE && (action.flags & SA_NOCLDSTOP) === 0) {
    const ticks = Math.floor(group.cpuNs() / 1e7);
    sendSignal(parent, null, childInfo(SIGCHLD, code, group.tgid, group.leader.creds.uid, status, ticks, 0));
  }
  parent.childEvents.wake();
}

/** Takes the next signal that `task` may take, its own before the group's. */
export function takeSignal(task: Task, allowed: bigint): SignalInfo | undefined {
  const { group } = task;
  let info = task.pending.take(allowed);
  if (info === undefined) {
    info = group.pending.take(allowed);
    if (info?.signo === SIGALRM) group.timers.alarmTaken();
  }
  return info?.timer === undefined ? info : group.posixTimers.delivered(info);
}
