// SPDX-License-Identifier: MIT
//
// Scheduling: one processor, one class. Policies and priorities are kept and reported, not acted upon. sched(7).

import { EFAULT, EINVAL, EPERM, ESRCH, EACCES } from '../../abi/errno.ts';
import {
  PRIO_PGRP,
  PRIO_PROCESS,
  PRIO_USER,
  SCHED_BATCH,
  SCHED_DEADLINE,
  SCHED_FIFO,
  SCHED_IDLE,
  SCHED_NORMAL,
  SCHED_RESET_ON_FORK,
  SCHED_RR,
} from '../../abi/sched.ts';
import type { Addr } from '../../base/addr.ts';
import { Cap, hasCap } from '../credentials.ts';
import { SLICE_INSTRUCTIONS } from '../scheduler.ts';
import type { Task } from '../task.ts';
import {
  applyScheduling,
  checkScheduling,
  isRealtimePolicy,
  isSameOwner,
  mayHaveNice,
  schedulingTarget,
} from '../sched-policy.ts';
import type { SyscallDef } from './table.ts';
import { readBytes, writeBytes, writeTimespec } from './times.ts';

/** Bytes of a CPU mask that the kernel reads and writes: one word. */
const CPU_MASK_BYTES = 8;
/** sched_rr_timeslice_ms as Linux sets it out. */
const RR_INTERVAL_NS = 1e8;
// ioprio_set(2)
const IOPRIO_CLASS_SHIFT = 13;
const IOPRIO_CLASS_NONE = 0;
const IOPRIO_CLASS_RT = 1;
const IOPRIO_CLASS_BE = 2;
const IOPRIO_CLASS_IDLE = 3;
const IOPRIO_LEVELS = 8;

/** Highest and lowest priority of a policy; undefined for an unknown one. */
function priorityRange(policy: number): readonly [number, number] | undefined {
  if (isRealtimePolicy(policy)) return [1, 99];
  return [SCHED_NORMAL, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE].includes(policy) ? [0, 0] : undefined;
}

function setScheduler(task: Task, tid: number, policyArg: number | null, paramAddr: Addr): number {
  if (tid < 0 || (policyArg !== null && policyArg < 0)) return -EINVAL;
  if (paramAddr === 0) return -EINVAL;
  const priority = task.mm.readU32(paramAddr);
  if (priority === undefined) return -EFAULT;
  const other = schedulingTarget(task, tid);
  if (other === undefined) return -ESRCH;
  const request = {
    policy: policyArg === null ? other.schedPolicy : policyArg & ~SCHED_RESET_ON_FORK,
    priority: priority | 0,
    nice: other.nice,
    resetOnFork: policyArg === null ? other.resetsOnFork : (policyArg & SCHED_RESET_ON_FORK) !== 0,
  };
  const refused = checkScheduling(task, other, request);
  if (refused === 0) applyScheduling(other, request);
  return refused;
}

function getScheduler(task: Task, tid: number): number {
  if (tid < 0) return -EINVAL;
  const other = schedulingTarget(task, tid);
  if (other === undefined) return -ESRCH;
  return other.schedPolicy | (other.resetsOnFork ? SCHED_RESET_ON_FORK : 0);
}

/** The time after which another task of the same priority runs. */
function roundRobinInterval(task: Task, tid: number, addr: Addr): number {
  if (tid < 0) return -EINVAL;
  const other = schedulingTarget(task, tid);
  if (other === undefined) return -ESRCH;
  const hasNone = other.schedPolicy === SCHED_FIFO || other.schedPolicy === SCHED_DEADLINE;
  const others = hasNone ? 0 : SLICE_INSTRUCTIONS;
  return writeTimespec(task, addr, other.schedPolicy === SCHED_RR ? RR_INTERVAL_NS : others);
}

function setAffinity(task: Task, tid: number, size: number, addr: Addr): number {
  const bytes = readBytes(task, addr, Math.min(size, CPU_MASK_BYTES));
  if (bytes === undefined) return -EFAULT;
  const other = schedulingTarget(task, tid);
  if (other === undefined) return -ESRCH;
  if (!isSameOwner(task, other) && !hasCap(task.creds, Cap.sysNice)) return -EPERM;
  return ((bytes[0] ?? 0) & 1) === 1 ? 0 : -EINVAL;
}

function getAffinity(task: Task, tid: number, size: number, addr: Addr): number {
  if (size < CPU_MASK_BYTES || size % 8 !== 0) return -EINVAL;
  if (schedulingTarget(task, tid) === undefined) return -ESRCH;
  const mask = new Uint8Array(CPU_MASK_BYTES);
  mask[0] = 1;
  const result = writeBytes(task, addr, mask);
  return result < 0 ? result : CPU_MASK_BYTES;
}

/** The tasks that getpriority and setpriority speak of, zombies among them; undefined for an unknown kind. */
function priorityTargets(task: Task, which: number, who: number): Task[] | undefined {
  const all = [...task.kernel.tasks.values()];
  if (which === PRIO_PROCESS) return all.filter((each) => each.tid === (who === 0 ? task.tid : who));
  if (which === PRIO_PGRP) return all.filter((each) => each.group.pgid === (who === 0 ? task.group.pgid : who));
  if (which === PRIO_USER) return all.filter((each) => each.creds.uid === (who === 0 ? task.creds.uid : who >>> 0));
  return undefined;
}

function getPriority(task: Task, which: number, who: number): number {
  const targets = priorityTargets(task, which, who);
  if (targets === undefined) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  // Shifted so that no result looks like an error.
  return Math.max(...targets.map((each) => 20 - each.nice));
}

function setPriority(task: Task, which: number, who: number, value: number): number {
  const targets = priorityTargets(task, which, who);
  if (targets === undefined) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  const nice = Math.max(-20, Math.min(19, value));
  let result = 0;
  for (const each of targets) {
    if (!isSameOwner(task, each) && !hasCap(task.creds, Cap.sysNice)) {
      result = -EPERM;
    } else if (nice < each.nice && !mayHaveNice(each, nice) && !hasCap(task.creds, Cap.sysNice)) {
      result = -EACCES;
    } else {
      each.nice = nice;
    }
  }
  return result;
}

/** 0 for a class and level that the task may give, else -EPERM or -EINVAL. */
function checkIoprio(task: Task, value: number): number {
  const level = value & ((1 << IOPRIO_CLASS_SHIFT) - 1);
  switch ((value >> IOPRIO_CLASS_SHIFT) & 7) {
    case IOPRIO_CLASS_NONE:
      return level === 0 ? 0 : -EINVAL;
    case IOPRIO_CLASS_RT:
      if (!hasCap(task.creds, Cap.sysAdmin) && !hasCap(task.creds, Cap.sysNice)) return -EPERM;
      return level < IOPRIO_LEVELS ? 0 : -EINVAL;
    case IOPRIO_CLASS_BE:
      return level < IOPRIO_LEVELS ? 0 : -EINVAL;
    default:
      return value >> IOPRIO_CLASS_SHIFT === IOPRIO_CLASS_IDLE ? 0 : -EINVAL;
  }
}

function ioprioSet(task: Task, which: number, who: number, value: number): number {
  const refused = checkIoprio(task, value);
  if (refused < 0) return refused;
  const targets = which < 1 ? undefined : priorityTargets(task, which - 1, who);
  if (targets === undefined) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  for (const each of targets) {
    const isOwn = each.creds.uid === task.creds.euid || each.creds.uid === task.creds.uid;
    if (!isOwn && !hasCap(task.creds, Cap.sysNice)) return -EPERM;
    each.ioprio = value;
  }
  return 0;
}

function getcpu(task: Task, cpuAddr: Addr, nodeAddr: Addr): number {
  if (cpuAddr !== 0 && !task.mm.writeU32(cpuAddr, 0)) return -EFAULT;
  return nodeAddr !== 0 && !task.mm.writeU32(nodeAddr, 0) ? -EFAULT : 0;
}

export const schedulingCalls: readonly SyscallDef[] = [
  {
    nr: 24,
    name: 'sched_yield',
    args: [],
    call: (task) => {
      task.kernel.yieldCurrent(task);
      return 0;
    },
  },
  {
    nr: 140,
    name: 'getpriority',
    args: ['enum:prio', 'int'],
    call: (task, a) => getPriority(task, a.int(0), a.int(1)),
  },
  {
    nr: 141,
    name: 'setpriority',
    args: ['enum:prio', 'int', 'int'],
    partial: 'effect: all tasks share the processor alike',
    call: (task, a) => setPriority(task, a.int(0), a.int(1), a.int(2)),
  },
  {
    nr: 142,
    name: 'sched_setparam',
    args: ['pid', 'in:sched_param'],
    partial: 'effect: all tasks share the processor alike',
    call: (task, a) => setScheduler(task, a.int(0), null, a.num(1)),
  },
  {
    nr: 143,
    name: 'sched_getparam',
    args: ['pid', 'out:sched_param'],
    call: (task, a) => {
      if (a.int(0) < 0 || a.num(1) === 0) return -EINVAL;
      const other = schedulingTarget(task, a.int(0));
      if (other === undefined) return -ESRCH;
      return task.mm.writeU32(a.num(1), other.schedPriority) ? 0 : -EFAULT;
    },
  },
  {
    nr: 144,
    name: 'sched_setscheduler',
    args: ['pid', 'enum:sched', 'in:sched_param'],
    partial: 'effect: all tasks share the processor alike',
    call: (task, a) => setScheduler(task, a.int(0), a.int(1), a.num(2)),
  },
  {
    nr: 145,
    name: 'sched_getscheduler',
    args: ['pid'],
    call: (task, a) => getScheduler(task, a.int(0)),
  },
  {
    nr: 146,
    name: 'sched_get_priority_max',
    args: ['enum:sched'],
    call: (_, a) => priorityRange(a.int(0))?.[1] ?? -EINVAL,
  },
  {
    nr: 147,
    name: 'sched_get_priority_min',
    args: ['enum:sched'],
    call: (_, a) => priorityRange(a.int(0))?.[0] ?? -EINVAL,
  },
  {
    nr: 148,
    name: 'sched_rr_get_interval',
    args: ['pid', 'out:timespec'],
    call: (task, a) => roundRobinInterval(task, a.int(0), a.num(1)),
  },
  {
    nr: 203,
    name: 'sched_setaffinity',
    args: ['pid', 'size', 'in:cpuset'],
    call: (task, a) => setAffinity(task, a.int(0), a.uint(1), a.num(2)),
  },
  {
    nr: 204,
    name: 'sched_getaffinity',
    args: ['pid', 'size', 'out:cpuset'],
    call: (task, a) => getAffinity(task, a.int(0), a.uint(1), a.num(2)),
  },
  {
    nr: 251,
    name: 'ioprio_set',
    args: ['int', 'int', 'hex'],
    partial: 'effect: there is no queue of requests',
    call: (task, a) => ioprioSet(task, a.int(0), a.int(1), a.int(2)),
  },
  {
    nr: 252,
    name: 'ioprio_get',
    args: ['int', 'int'],
    call: (task, a) => {
      if (a.int(0) < 1 || a.int(0) > 3) return -EINVAL;
      return priorityTargets(task, a.int(0) - 1, a.int(1))?.[0]?.ioprio ?? -ESRCH;
    },
  },
  {
    nr: 309,
    name: 'getcpu',
    args: ['out:uint', 'out:uint', 'ptr'],
    call: (task, a) => getcpu(task, a.num(0), a.num(1)),
  },
];
