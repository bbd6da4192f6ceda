// SPDX-License-Identifier: MIT
//
// Who traces whom: how a task gets a tracer and loses it. Models Linux kernel/ptrace.c (ptrace_attach, ptrace_traceme,
// ptrace_init_task, __ptrace_unlink).

import { EIO, EINVAL, EPERM } from '../../abi/errno.ts';
import { PTRACE_O_MASK, PTRACE_O_SUSPEND_SECCOMP } from '../../abi/ptrace.ts';
import { SIGSTOP, SI_USER } from '../../abi/signal.ts';
import { EventKind } from '../../trace/events.ts';
import { Cap, hasCap } from '../credentials.ts';
import { kernelInfo, killInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Task } from '../task.ts';
import type { ThreadGroup } from '../thread-group.ts';
import { mayAccess } from './access.ts';
import { stopForJobControl } from './stops.ts';
import { RUN_ON, Tracee } from './tracee.ts';

/** How a tracer came by its tracee, as traces tell it; 0 is the end. */
type Origin = 0 | 1 | 2 | 3 | 4;
const ENDED: Origin = 0;
const BY_TRACEME: Origin = 1;
const BY_ATTACH: Origin = 2;
const BY_SEIZE: Origin = 3;
const INHERITED: Origin = 4;

function link(task: Task, tracer: Task, isSeized: boolean, origin: Origin): Tracee {
  const tracee = new Tracee(task, tracer, isSeized);
  task.tracee = tracee;
  tracer.tracees.push(tracee);
  task.kernel.platform.tracerChanged(task);
  task.kernel.trace.emit(EventKind.ptraceAttached, task.tid, tracer.tid, origin);
  return tracee;
}

/** Takes a dead tracee out of its tracer's list. */
export function forget(tracee: Tracee): void {
  const { tracees } = tracee.tracer;
  const at = tracees.indexOf(tracee);
  if (at >= 0) tracees.splice(at, 1);
  tracee.task.tracee = null;
}

/** The tracee is its own master again; if it is stopped, it goes on with `signo`. */
export function detach(tracee: Tracee, signo: number): void {
  const { task } = tracee;
  forget(tracee);
  tracee.releaseTrapFlag();
  tracee.resumption = RUN_ON;
  tracee.signal = signo;
  task.kernel.platform.tracerChanged(task);
  task.kernel.trace.emit(EventKind.ptraceAttached, task.tid, 0, ENDED);
  if (task.state === 'traced') {
    task.attention = true;
    task.kernel.scheduler.ready(task);
  } else if (task.group.stopSignal !== 0) {
    task.alert();
  }
}

/** PTRACE_TRACEME: the parent becomes the tracer; the thread of it that made the caller, if that still lives. */
export function traceMe(task: Task): number {
  if (task.tracee !== null) return -EPERM;
  const { parent } = task.group;
  if (parent === null || parent.tasks.length === 0) return 0;
  link(task, threadThatMade(task, parent), false, BY_TRACEME);
  return 0;
}

function threadThatMade(task: Task, parent: ThreadGroup): Task {
  const maker = parent.tasks.find((each) => each.tid === task.creatorTid);
  // A group that is no parent has no tasks.
  return maker ?? (parent.tasks[0] as Task);
}

/** Checks options, for PTRACE_SETOPTIONS and PTRACE_SEIZE. */
export function checkOptions(tracer: Task, options: number): number {
  if ((options & ~PTRACE_O_MASK) !== 0) return -EINVAL;
  if ((options & PTRACE_O_SUSPEND_SECCOMP) === 0) return 0;
  // Who is under a filter, or has put one to rest for its own tracer, could let another do what it may not do itself.
  const isUnderOther = ((tracer.tracee?.options ?? 0) & PTRACE_O_SUSPEND_SECCOMP) !== 0;
  return hasCap(tracer.creds, Cap.sysAdmin) && tracer.seccomp === null && !isUnderOther ? 0 : -EPERM;
}

/** PTRACE_ATTACH, or with `options` PTRACE_SEIZE. */
export function attach(tracer: Task, task: Task, options: number | null, addr: number): number {
  const isSeize = options !== null;
  if (isSeize) {
    if (addr !== 0 || (options & ~PTRACE_O_MASK) !== 0) return -EIO;
    const bad = checkOptions(tracer, options);
    if (bad !== 0) return bad;
  }
  if (task.group === tracer.group || !mayAccess(tracer, task, 'real')) return -EPERM;
  if (task.state === 'ended' || task.tracee !== null) return -EPERM;
  const wasStopped = task.state === 'stopped';
  const tracee = link(task, tracer, isSeize, isSeize ? BY_SEIZE : BY_ATTACH);
  if (isSeize) tracee.options = options;
  else sendSignal(task.group, task, kernelInfo(SIGSTOP));
  // A task that job control has stopped is the tracer's from now on.
  if (wasStopped) stopForJobControl(tracee);
  else if (task.group.stopSignal !== 0) tracee.joinGroupStop();
  return 0;
}

/** A new task that its maker's tracer is to have, too. */
export function inherit(child: Task, from: Tracee): void {
  const tracee = link(child, from.tracer, from.isSeized, INHERITED);
  tracee.options = from.options;
  if (tracee.isSeized) tracee.hasTrap = true;
  else child.pending.add(killInfo(SIGSTOP, SI_USER, 0, 0));
  child.attention = true;
}
