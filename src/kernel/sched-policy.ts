// SPDX-License-Identifier: MIT
//
// What all calls that set a task's policy, priority or nice value ask first. Models Linux kernel/sched/core.c
// (__sched_setscheduler, user_check_sched_setscheduler).

import { EINVAL, EPERM } from '../abi/errno.ts';
import { RLIMIT_NICE, RLIMIT_RTPRIO } from '../abi/resource.ts';
import { SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR } from '../abi/sched.ts';
import { Cap, hasCap } from './credentials.ts';
import type { Task } from './task.ts';

const MAX_PRIORITY = 99;

/** What a task is to become. */
export interface SchedulingRequest {
  readonly policy: number;
  readonly priority: number;
  /** Only the policies that share the processor by it take it. */
  readonly nice: number;
  readonly resetOnFork: boolean;
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

/** Whether the change needs no capability. */
function isForEverybody(task: Task, other: Task, request: SchedulingRequest): boolean {
  const { policy, priority, nice } = request;
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

/** 0 when `task` may make `other` so, else -EINVAL or -EPERM. */
export function checkScheduling(task: Task, other: Task, request: SchedulingRequest): number {
  const { policy, priority } = request;
  if (!isRealtimePolicy(policy) && !isShared(policy) && policy !== SCHED_IDLE) return -EINVAL;
  if (priority < 0 || priority > MAX_PRIORITY || isRealtimePolicy(policy) !== priority > 0) return -EINVAL;
  return isForEverybody(task, other, request) || hasCap(task.creds, Cap.sysNice) ? 0 : -EPERM;
}

/** Makes a task so; `checkScheduling` has agreed. */
export function applyScheduling(other: Task, request: SchedulingRequest): void {
  other.schedPolicy = request.policy;
  other.schedPriority = request.priority;
  other.resetsOnFork = request.resetOnFork;
  if (isShared(request.policy)) other.nice = request.nice;
}

/** A new task takes its parent's scheduling, unless the parent keeps what is special to itself. */
export function inheritScheduling(parent: Task, child: Task): void {
  const keeps = parent.resetsOnFork;
  const isSpecial = keeps && isRealtimePolicy(parent.schedPolicy);
  child.schedPolicy = isSpecial ? SCHED_NORMAL : parent.schedPolicy;
  child.schedPriority = isSpecial ? 0 : parent.schedPriority;
  child.nice = isSpecial || (keeps && parent.nice < 0) ? 0 : parent.nice;
}
