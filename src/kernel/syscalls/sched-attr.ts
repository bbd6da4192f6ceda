// SPDX-License-Identifier: MIT
//
// sched_setattr(2), sched_getattr(2): policy, nice value and priority in one structure that may grow. Models Linux
// kernel/sched/core.c (sched_copy_attr).

import { E2BIG, EFAULT, EINVAL, EOPNOTSUPP, ESRCH } from '../../abi/errno.ts';
import {
  SCHED_ATTR_SIZE_VER0,
  SCHED_DL_FLAGS,
  SCHED_FLAG_ALL,
  SCHED_FLAG_KEEP_PARAMS,
  SCHED_FLAG_KEEP_POLICY,
  SCHED_FLAG_RESET_ON_FORK,
  SCHED_FLAG_UTIL_CLAMP,
  SchedAttr,
} from '../../abi/sched.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import type { Task } from '../task.ts';
import type { DeadlineParameters } from '../sched-policy.ts';
import { applyScheduling, checkScheduling, isRealtimePolicy, schedulingTarget } from '../sched-policy.ts';
import type { SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const PAGE_BYTES = 4096;

/** The structure as far as it is known; what is longer must be zero. */
function copyAttr(task: Task, addr: Addr): DataView | number {
  const given = task.mm.readU32(addr);
  if (given === undefined) return -EFAULT;
  const length = given === 0 ? SCHED_ATTR_SIZE_VER0 : given;
  const bytes = length > PAGE_BYTES ? undefined : readBytes(task, addr, length);
  if (length <= PAGE_BYTES && length >= SCHED_ATTR_SIZE_VER0 && bytes === undefined) return -EFAULT;
  if (
    bytes === undefined ||
    length < SCHED_ATTR_SIZE_VER0 ||
    bytes.subarray(SchedAttr.size).some((byte) => byte !== 0)
  ) {
    // The caller learns which size would do.
    return task.mm.writeU32(addr, SchedAttr.size) ? -E2BIG : -EFAULT;
  }
  const attr = new Uint8Array(SchedAttr.size);
  attr.set(bytes.subarray(0, SchedAttr.size));
  const view = viewOf(attr);
  const wantsClamp = (view.getUint32(SchedAttr.flags, true) & SCHED_FLAG_UTIL_CLAMP) !== 0;
  return wantsClamp && length < SchedAttr.size ? -EINVAL : view;
}

function deadlineOf(attr: DataView): DeadlineParameters {
  const deadline = attr.getBigUint64(SchedAttr.deadline, true);
  return {
    runtime: attr.getBigUint64(SchedAttr.runtime, true),
    deadline,
    period: attr.getBigUint64(SchedAttr.period, true) || deadline,
    flags: attr.getUint32(SchedAttr.flags, true) & SCHED_DL_FLAGS,
  };
}

function setAttr(task: Task, tid: number, addr: Addr, flags: number): number {
  if (addr === 0 || tid < 0 || flags !== 0) return -EINVAL;
  const attr = copyAttr(task, addr);
  if (typeof attr === 'number') return attr;
  if (attr.getInt32(SchedAttr.policy, true) < 0) return -EINVAL;
  const other = schedulingTarget(task, tid);
  if (other === undefined) return -ESRCH;
  const attrFlags = attr.getBigUint64(SchedAttr.flags, true);
  const has = (flag: number): boolean => (attrFlags & BigInt(flag)) !== 0n;
  if ((attrFlags & ~BigInt(SCHED_FLAG_ALL)) !== 0n) return -EINVAL;
  const keepsParameters = has(SCHED_FLAG_KEEP_PARAMS);
  const keepsPolicy = has(SCHED_FLAG_KEEP_POLICY);
  const request = {
    policy: keepsPolicy ? other.schedPolicy : attr.getUint32(SchedAttr.policy, true),
    priority: keepsParameters ? other.schedPriority : attr.getUint32(SchedAttr.priority, true),
    nice: keepsParameters ? other.nice : Math.max(-20, Math.min(19, attr.getInt32(SchedAttr.nice, true))),
    resetOnFork: keepsPolicy ? other.resetsOnFork : has(SCHED_FLAG_RESET_ON_FORK),
    deadline: (keepsParameters ? other.deadline : null) ?? deadlineOf(attr),
  };
  const refused = checkScheduling(task, other, request);
  if (refused < 0) return refused;
  if (has(SCHED_FLAG_UTIL_CLAMP)) return -EOPNOTSUPP;
  // The policy is one of the parameters.
  if (keepsParameters) other.resetsOnFork = request.resetOnFork;
  else applyScheduling(other, request);
  return 0;
}

function getAttr(task: Task, tid: number, addr: Addr, size: number, flags: number): number {
  if (addr === 0 || tid < 0 || size > PAGE_BYTES || size < SCHED_ATTR_SIZE_VER0 || flags !== 0) return -EINVAL;
  const other = schedulingTarget(task, tid);
  if (other === undefined) return -ESRCH;
  const length = Math.min(size, SchedAttr.size);
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(SchedAttr.length, length, true);
  view.setUint32(SchedAttr.policy, other.schedPolicy, true);
  const { deadline } = other;
  const kept = (other.resetsOnFork ? SCHED_FLAG_RESET_ON_FORK : 0) | (deadline?.flags ?? 0);
  view.setUint32(SchedAttr.flags, kept, true);
  if (deadline !== null) {
    view.setBigUint64(SchedAttr.runtime, deadline.runtime, true);
    view.setBigUint64(SchedAttr.deadline, deadline.deadline, true);
    view.setBigUint64(SchedAttr.period, deadline.period, true);
  } else if (isRealtimePolicy(other.schedPolicy)) view.setUint32(SchedAttr.priority, other.schedPriority, true);
  else view.setInt32(SchedAttr.nice, other.nice, true);
  return writeBytes(task, addr, bytes);
}

export const SCHED_ATTR_CALLS: readonly SyscallDef[] = [
  {
    nr: 314,
    name: 'sched_setattr',
    args: ['pid', 'in:sched_attr', 'hex'],
    partial: 'effect: all tasks share the processor alike',
    call: (task, a) => setAttr(task, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 315,
    name: 'sched_getattr',
    args: ['pid', 'out:sched_attr', 'uint', 'hex'],
    call: (task, a) => getAttr(task, a.int(0), a.num(1), a.uint(2), a.uint(3)),
  },
];
