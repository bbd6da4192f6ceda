// SPDX-License-Identifier: MIT
//
// futex(2), futex_waitv(2) and the robust list.

import { EAGAIN, EFAULT, EINVAL, ENOSYS, EPERM, ESRCH } from '../../abi/errno.ts';
import {
  FUTEX_32,
  FUTEX_CLOCK_REALTIME,
  FUTEX_CMP_REQUEUE,
  FUTEX_CMP_REQUEUE_PI,
  FUTEX_LOCK_PI,
  FUTEX_LOCK_PI2,
  FUTEX_OP_ADD,
  FUTEX_OP_ANDN,
  FUTEX_OP_CMP_EQ,
  FUTEX_OP_CMP_GE,
  FUTEX_OP_CMP_GT,
  FUTEX_OP_CMP_LE,
  FUTEX_OP_CMP_LT,
  FUTEX_OP_CMP_NE,
  FUTEX_OP_OR,
  FUTEX_OP_SET,
  FUTEX_OP_XOR,
  FUTEX_PRIVATE_FLAG,
  FUTEX_REQUEUE,
  FUTEX_TRYLOCK_PI,
  FUTEX_UNLOCK_PI,
  FUTEX_WAIT,
  FUTEX_WAITV_MAX,
  FUTEX_WAIT_BITSET,
  FUTEX_WAIT_REQUEUE_PI,
  FUTEX_WAKE,
  FUTEX_WAKE_BITSET,
  FUTEX_WAKE_OP,
  FutexWaitv,
  RobustListHead,
} from '../../abi/futex.ts';
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from '../../abi/time.ts';
import { getU64 } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import type { FutexWord } from '../futex.ts';
import { futexKeyOf, futexWait, futexWaitMany } from '../futex.ts';
import { futexLock, futexRequeueToLock, futexUnlock, futexWaitForLock } from '../futex-pi.ts';
import { mayAccess } from '../ptrace/access.ts';
import type { Task } from '../task.ts';
import type { Args, SyscallDef, SyscallResult } from './table.ts';
import type { Failure } from './times.ts';
import { absoluteDeadline, readBytes, readTimespec, readTimespecBig } from './times.ts';

const COMMAND_MASK = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
/** Operations whose fourth argument is a timeout and whose clock may be chosen. */
const CHOOSES_CLOCK = new Set<number>([FUTEX_WAIT_BITSET, FUTEX_LOCK_PI2, FUTEX_WAIT_REQUEUE_PI]);

/** The monotonic deadline of a futex call: FUTEX_WAIT's timeout is relative, the others' absolute. */
function deadlineOf(task: Task, command: number, isRealtime: boolean, addr: Addr): number | undefined | Failure {
  if (addr === 0) return undefined;
  if (command === FUTEX_WAIT) {
    const ns = readTimespec(task, addr);
    return typeof ns === 'object' ? ns : task.kernel.clock.now() + ns;
  }
  const at = readTimespecBig(task, addr);
  if (typeof at === 'object') return at;
  // FUTEX_LOCK_PI has always meant CLOCK_REALTIME.
  const usesRealtime = isRealtime || command === FUTEX_LOCK_PI;
  return absoluteDeadline(task, usesRealtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, at);
}

function futex(task: Task, a: Args): SyscallResult {
  const addr = a.num(0);
  const op = a.int(1);
  const value = a.uint(2);
  const command = op & COMMAND_MASK;
  const isPrivate = (op & FUTEX_PRIVATE_FLAG) !== 0;
  const isRealtime = (op & FUTEX_CLOCK_REALTIME) !== 0;
  if (isRealtime && !CHOOSES_CLOCK.has(command)) return -ENOSYS;
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      const deadline = deadlineOf(task, command, isRealtime, a.num(3));
      if (typeof deadline === 'object') return deadline.errno;
      const bitset = command === FUTEX_WAIT ? 0xffff_ffff : a.uint(5);
      return futexWait(task, { addr, value, isPrivate }, bitset, deadline);
    }
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET: {
      const bitset = command === FUTEX_WAKE ? 0xffff_ffff : a.uint(5);
      if (bitset === 0) return -EINVAL;
      const key = futexKeyOf(task, addr, isPrivate);
      if (typeof key === 'object') return key.errno;
      // Linux wakes one waiter for a count of zero or below.
      return task.kernel.futexes.wake(key, Math.max(1, a.int(2)), bitset);
    }
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_CMP_REQUEUE_PI:
      return requeue(task, a, isPrivate, command);
    case FUTEX_WAIT_REQUEUE_PI: {
      const deadline = deadlineOf(task, command, isRealtime, a.num(3));
      if (typeof deadline === 'object') return deadline.errno;
      return futexWaitForLock(task, { addr, value, isPrivate }, a.num(4), deadline);
    }
    case FUTEX_WAKE_OP:
      return wakeOp(task, a, isPrivate);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: {
      const deadline = deadlineOf(task, command, isRealtime, a.num(3));
      if (typeof deadline === 'object') return deadline.errno;
      return futexLock(task, addr, isPrivate, deadline, false);
    }
    case FUTEX_TRYLOCK_PI:
      return futexLock(task, addr, isPrivate, undefined, true);
    case FUTEX_UNLOCK_PI:
      return futexUnlock(task, addr, isPrivate);
    default:
      return -ENOSYS;
  }
}

function requeue(task: Task, a: Args, isPrivate: boolean, command: number): number {
  const wakes = a.int(2);
  const moves = a.int(3);
  const isToLock = command === FUTEX_CMP_REQUEUE_PI;
  if (wakes < 0 || moves < 0) return -EINVAL;
  if (isToLock && (a.num(0) === a.num(4) || wakes !== 1)) return -EINVAL;
  const from = futexKeyOf(task, a.num(0), isPrivate);
  if (typeof from === 'object') return from.errno;
  const to = futexKeyOf(task, a.num(4), isPrivate);
  if (typeof to === 'object') return to.errno;
  if (isToLock && from === to) return -EINVAL;
  if (command !== FUTEX_REQUEUE) {
    const value = task.mm.readU32(a.num(0));
    if (value === undefined) return -EFAULT;
    if (value !== a.uint(5)) return -EAGAIN;
  }
  if (isToLock) return futexRequeueToLock(task, from, to, a.num(4), moves);
  return task.kernel.futexes.requeue(from, to, wakes, moves);
}

/** The operation of FUTEX_WAKE_OP on the second word; undefined for an unknown one. */
function applyOp(op: number, old: number, arg: number): number | undefined {
  switch (op) {
    case FUTEX_OP_SET:
      return arg >>> 0;
    case FUTEX_OP_ADD:
      return (old + arg) >>> 0;
    case FUTEX_OP_OR:
      return (old | arg) >>> 0;
    case FUTEX_OP_ANDN:
      return (old & ~arg) >>> 0;
    case FUTEX_OP_XOR:
      return (old ^ arg) >>> 0;
    default:
      return undefined;
  }
}

function compare(cmp: number, old: number, arg: number): boolean | undefined {
  const value = old | 0;
  switch (cmp) {
    case FUTEX_OP_CMP_EQ:
      return value === arg;
    case FUTEX_OP_CMP_NE:
      return value !== arg;
    case FUTEX_OP_CMP_LT:
      return value < arg;
    case FUTEX_OP_CMP_LE:
      return value <= arg;
    case FUTEX_OP_CMP_GT:
      return value > arg;
    case FUTEX_OP_CMP_GE:
      return value >= arg;
    default:
      return undefined;
  }
}

function wakeOp(task: Task, a: Args, isPrivate: boolean): number {
  const encoded = a.int(5);
  const opAndShift = (encoded >> 28) & 0xf;
  const op = opAndShift & 7;
  // Both arguments are signed fields of twelve bits.
  let opArg = (encoded << 8) >> 20;
  const cmpArg = (encoded << 20) >> 20;
  if ((opAndShift & 8) !== 0) opArg = 1 << (opArg & 31);
  const first = futexKeyOf(task, a.num(0), isPrivate);
  if (typeof first === 'object') return first.errno;
  const second = futexKeyOf(task, a.num(4), isPrivate);
  if (typeof second === 'object') return second.errno;
  const old = task.mm.readU32(a.num(4));
  if (old === undefined) return -EFAULT;
  const next = applyOp(op, old, opArg);
  if (next === undefined) return -ENOSYS;
  if (!task.mm.writeU32(a.num(4), next)) return -EFAULT;
  const holds = compare((encoded >> 24) & 0xf, old, cmpArg);
  if (holds === undefined) return -ENOSYS;
  const { futexes } = task.kernel;
  const woken = futexes.wake(first, Math.max(1, a.int(2)));
  if (woken < 0 || !holds) return woken;
  const more = futexes.wake(second, Math.max(1, a.int(3)));
  return more < 0 ? more : woken + more;
}

function futexWaitv(task: Task, a: Args): SyscallResult {
  const count = a.uint(1);
  if (a.uint(2) !== 0 || count === 0 || count > FUTEX_WAITV_MAX || a.num(0) === 0) return -EINVAL;
  const bytes = readBytes(task, a.num(0), count * FutexWaitv.size);
  let deadline: number | undefined;
  if (a.num(3) !== 0) {
    const clock = a.int(4);
    if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_REALTIME) return -EINVAL;
    const at = readTimespecBig(task, a.num(3));
    if (typeof at === 'object') return at.errno;
    deadline = absoluteDeadline(task, clock, at);
  }
  if (bytes === undefined) return -EFAULT;
  const v = viewOf(bytes);
  const words: FutexWord[] = [];
  for (let at = 0; at < bytes.length; at += FutexWaitv.size) {
    const flags = v.getUint32(at + FutexWaitv.flags, true);
    const isPlain = (flags & ~(FUTEX_32 | FUTEX_PRIVATE_FLAG)) === 0 && (flags & 3) === FUTEX_32;
    if (!isPlain || v.getUint32(at + FutexWaitv.flags + 4, true) !== 0) return -EINVAL;
    words.push({
      addr: getU64(v, at + FutexWaitv.uaddr),
      value: v.getUint32(at + FutexWaitv.val, true),
      isPrivate: (flags & FUTEX_PRIVATE_FLAG) !== 0,
    });
  }
  return futexWaitMany(task, words, deadline);
}

export const futexCalls: readonly SyscallDef[] = [
  { nr: 202, name: 'futex', args: ['ptr', 'int', 'uint', 'ptr', 'ptr', 'uint'], call: futex },
  {
    nr: 273,
    name: 'set_robust_list',
    args: ['ptr', 'size'],
    call: (task, a) => {
      if (a.num(1) !== RobustListHead.size) return -EINVAL;
      task.robustList = a.num(0);
      return 0;
    },
  },
  {
    nr: 274,
    name: 'get_robust_list',
    args: ['pid', 'out:ptr', 'out:long'],
    call: (task, a) => {
      const tid = a.int(0);
      const target = tid === 0 ? task : task.kernel.task(tid);
      if (target === undefined) return -ESRCH;
      if (!mayAccess(task, target, 'real')) return -EPERM;
      const written = task.mm.writeU64(a.num(2), RobustListHead.size) && task.mm.writeU64(a.num(1), target.robustList);
      return written ? 0 : -EFAULT;
    },
  },
  { nr: 449, name: 'futex_waitv', args: ['ptr', 'uint', 'hex', 'in:timespec', 'enum:clockid'], call: futexWaitv },
];
