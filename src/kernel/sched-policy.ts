// SPDX-License-Identifier: MIT
//
// What all calls that set a task's policy, priority or nice value ask first. Models Linux kernel/sched/core.c
// (__sched_setscheduler, user_check_sched_setscheduler) and deadline.c (__checkparam_dl, sched_dl_overflow).

import { EBUSY, EINVAL, EPERM } from '../abi/errno.ts';
import { RLIMIT_NICE, RLIMIT_RTPRIO } from '../abi/resource.ts';
import { SCHED_BATCH, SCHED_DEADLINE, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR } from '../abi/sched.ts';
import { Cap, hasCap } from './credentials.ts';
import type { Task } from './task.ts';

const MAX_PRIORITY = 99;
// Limits of SCHED_DEADLINE, in ns: Linux's DL_SCALE, and what sched_deadline_period_{min,max}_us are at the start.
const DL_LEAST_RUNTIME_NS = 1024n;
const DL_LEAST_PERIOD_NS = 100_000n;
const DL_MOST_PERIOD_NS = 2n ** 22n * 1000n;
/** Shares of the processor as Linux adds them up, and how much may be promised: sched_rt_runtime_us of the period. */
const DL_WHOLE = 2n ** 20n;
const DL_MOST_PROMISED = (95n * DL_WHOLE) / 100n;

/** What SCHED_DEADLINE promises a task: so much time before the deadline in each period, in ns. */
export interface DeadlineParameters {
  readonly runtime: bigint;
  readonly deadline: bigint;
  readonly period: bigint;
  /** SCHED_DL_FLAGS. */
  readonly flags: number;
}

/** What a task is to become. */
export interface SchedulingRequest {
  readonly policy: number;
  readonly priority: number;
  /** Only the policies that share the processor by it take it. */
  readonly nice: number;
  readonly resetOnFork: boolean;
  /** For SCHED_DEADLINE, which without them is no request. */
  readonly deadline?: DeadlineParameters | null;
}

/** The task that a tid argument names; 0 is the caller. */
export function schedulingTarget(task: Task, tid: number): Task | undefined {
  return tid === 0 ? task : task.kernel.task(tid);
}

export function isRealtimePolicy(policy: number): boolean {
  return policy === SCHED_FIFO || policy === SCHED_RR;
}

/** Whether `task` may treat `other` as its own. */
export function isSameOwner(task: Task, other: Task): boolean {
  return other.creds.uid === task.creds.euid || other.creds.euid === task.creds.euid;
}

/** Whether RLIMIT_NICE alone lets a task have this nice value. */
export function mayHaveNice(other: Task, nice: number): boolean {
  return 20 - nice <= other.group.softLimit(RLIMIT_NICE);
}

function isShared(policy: number): boolean {
  return policy === SCHED_NORMAL || policy === SCHED_BATCH;
}

function isSoundDeadline({ runtime, deadline, period }: DeadlineParameters): boolean {
  const isOrdered = runtime >= DL_LEAST_RUNTIME_NS && runtime <= deadline && deadline <= period;
  return isOrdered && period >= DL_LEAST_PERIOD_NS && period <= DL_MOST_PERIOD_NS;
}

function shareOf({ runtime, period }: DeadlineParameters): bigint {
  return (runtime * DL_WHOLE) / period;
}

/** Whether more than there is would be promised if `other` were promised this. */
function isTooMuch(other: Task, request: DeadlineParameters): boolean {
  let promised = shareOf(request);
  for (const task of other.kernel.tasks.values()) {
    if (task !== other && task.deadline !== null && task.state !== 'ended') promised += shareOf(task.deadline);
  }
  return promised > DL_MOST_PROMISED;
}

/** Whether the change needs no capability. */
function isForEverybody(task: Task, other: Task, request: SchedulingRequest): boolean {
  const { policy, priority, nice } = request;
  if (policy === SCHED_DEADLINE) return false;
  if (isShared(policy) && nice < other.nice && !mayHaveNice(other, nice)) return false;
  if (isRealtimePolicy(policy)) {
    const limit = other.group.softLimit(RLIMIT_RTPRIO);
    if (policy !== other.schedPolicy && limit === 0) return false;
    if (priority > other.schedPriority && priority > limit) return false;
  }
  // An idle task counts as nicer than any.
  if (other.schedPolicy === SCHED_IDLE && policy !== SCHED_IDLE && !mayHaveNice(other, other.nice)) return false;
  return isSameOwner(task, other) && (!other.resetsOnFork || request.resetOnFork);
}

/** 0 when `task` may make `other` so, else -EINVAL, -EPERM or -EBUSY. */
export function checkScheduling(task: Task, other: Task, request: SchedulingRequest): number {
  const { policy, priority, deadline = null } = request;
  const isDeadline = policy === SCHED_DEADLINE;
  if (!isRealtimePolicy(policy) && !isShared(policy) && policy !== SCHED_IDLE && !isDeadline) return -EINVAL;
  if (priority < 0 || priority > MAX_PRIORITY || isRealtimePolicy(policy) !== priority > 0) return -EINVAL;
  if (isDeadline && (deadline === null || !isSoundDeadline(deadline))) return -EINVAL;
  if (!isForEverybody(task, other, request) && !hasCap(task.creds, Cap.sysNice)) return -EPERM;
  return isDeadline && deadline !== null && isTooMuch(other, deadline) ? -EBUSY : 0;
}

/** Makes a task so; `checkScheduling` has agreed. */
export function applyScheduling(other: Task, request: SchedulingRequest): void {
  other.schedPolicy = request.policy;
  other.schedPriority = request.priority;
  other.resetsOnFork = request.resetOnFork;
  other.deadline = request.policy === SCHED_DEADLINE ? (request.deadline ?? null) : null;
  if (isShared(request.policy)) other.nice = request.nice;
}

/** What is promised to one task is not promised to its children: it makes none unless they start without. */
export function mayFork(parent: Task): boolean {
  return parent.deadline === null || parent.resetsOnFork;
}

/** A new task takes its parent's scheduling, unless the parent keeps what is special to itself. */
export function inheritScheduling(parent: Task, child: Task): void {
  const keeps = parent.resetsOnFork;
  const isSpecial = keeps && (isRealtimePolicy(parent.schedPolicy) || parent.deadline !== null);
  child.schedPolicy = isSpecial ? SCHED_NORMAL : parent.schedPolicy;
  child.schedPriority = isSpecial ? 0 : parent.schedPriority;
  child.nice = isSpecial || (keeps && parent.nice < 0) ? 0 : parent.nice;
}
