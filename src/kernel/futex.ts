// SPDX-License-Identifier: MIT
//
// Futexes: sleeping on a word of memory. Waiters are kept by key (address space and address, or frame) in the
// order in which they came. futex(2); models Linux kernel/futex and gVisor pkg/sentry/kernel/futex.

import {
  EAGAIN,
  EDEADLK,
  EFAULT,
  EINVAL,
  EPERM,
  ERESTARTNOINTR,
  ERESTARTSYS,
  ERESTART_RESTARTBLOCK,
  ESRCH,
  ETIMEDOUT,
} from '../abi/errno.ts';
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT, RobustListHead } from '../abi/futex.ts';
import type { Addr } from '../base/addr.ts';
import { USER_HALF_END } from '../base/addr.ts';
import type { SyscallResult } from './syscalls/table.ts';
import type { Task } from './task.ts';

export type FutexKey = string | number;

/** A task that sleeps on one word. */
export interface FutexWaiter {
  readonly task: Task;
  key: FutexKey;
  readonly bitset: number;
  /** Waits for a PI lock instead of a wake-up. */
  readonly wantsLock: boolean;
  woken: boolean;
}

/** One word that futex_waitv waits on. */
export interface FutexWord {
  readonly addr: Addr;
  readonly value: number;
  readonly isPrivate: boolean;
}

/** All futexes of a kernel. */
export class FutexTable {
  readonly #buckets = new Map<FutexKey, FutexWaiter[]>();

  /** Waiters asleep, on all words. */
  get size(): number {
    let sum = 0;
    for (const bucket of this.#buckets.values()) sum += bucket.length;
    return sum;
  }

  add(waiter: FutexWaiter): void {
    const bucket = this.#buckets.get(waiter.key);
    if (bucket === undefined) this.#buckets.set(waiter.key, [waiter]);
    else bucket.push(waiter);
  }

  remove(waiter: FutexWaiter): void {
    const bucket = this.#buckets.get(waiter.key);
    const at = bucket?.indexOf(waiter) ?? -1;
    if (bucket === undefined || at < 0) return;
    bucket.splice(at, 1);
    if (bucket.length === 0) this.#buckets.delete(waiter.key);
  }

  /** The next task that waits for a PI lock. */
  nextForLock(key: FutexKey): FutexWaiter | undefined {
    return this.#buckets.get(key)?.find((waiter) => waiter.wantsLock);
  }

  /** Wakes at most `count` waiters whose bitset meets `bitset`; gives how many. */
  wake(key: FutexKey, count: number, bitset = 0xffff_ffff): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return 0;
    let woken = 0;
    for (let i = 0; i < bucket.length && woken < count;) {
      const waiter = bucket[i] as FutexWaiter;
      if ((waiter.bitset & bitset) === 0 || waiter.wantsLock) {
        i++;
        continue;
      }
      bucket.splice(i, 1);
      this.wakeWaiter(waiter);
      woken++;
    }
    if (bucket.length === 0) this.#buckets.delete(key);
    return woken;
  }

  /** Marks a waiter that is no longer in a bucket. */
  wakeWaiter(waiter: FutexWaiter): void {
    waiter.woken = true;
    waiter.task.wake(1);
  }

  /** Moves at most `count` waiters to another word; gives how many. */
  requeue(from: FutexKey, to: FutexKey, count: number): number {
    const bucket = this.#buckets.get(from);
    if (bucket === undefined || from === to) return Math.min(count, bucket?.length ?? 0);
    const moved = bucket.splice(0, count);
    if (bucket.length === 0) this.#buckets.delete(from);
    for (const waiter of moved) {
      waiter.key = to;
      this.add(waiter);
    }
    return moved.length;
  }

  /** Wakes waiters on a word by its address: both the private and the shared key, as the exit of a thread needs. */
  wakeAddress(task: Task, addr: Addr, count: number): void {
    const shared = task.mm.futexKey(addr, false);
    if (shared !== undefined) this.wake(shared, count);
    const own = task.mm.futexKey(addr, true);
    if (own !== undefined && own !== shared) this.wake(own, count);
  }
}

/** The key of a word, or -errno. */
export function futexKeyOf(task: Task, addr: Addr, isPrivate: boolean): FutexKey | { readonly errno: number } {
  if (addr % 4 !== 0) return { errno: -EINVAL };
  if (addr >= USER_HALF_END) return { errno: -EFAULT };
  const key = task.mm.futexKey(addr, isPrivate);
  return key ?? { errno: -EFAULT };
}

/** FUTEX_WAIT and FUTEX_WAIT_BITSET. `deadlineNs` is monotonic; undefined waits for ever. */
export function futexWait(task: Task, word: FutexWord, bitset: number, deadlineNs: number | undefined): SyscallResult {
  if (bitset === 0) return -EINVAL;
  const key = futexKeyOf(task, word.addr, word.isPrivate);
  if (typeof key === 'object') return key.errno;
  const value = task.mm.readU32(word.addr);
  if (value === undefined) return -EFAULT;
  if (value !== word.value) return -EAGAIN;
  const { futexes } = task.kernel;
  const waiter: FutexWaiter = { task, key, bitset, wantsLock: false, woken: false };
  futexes.add(waiter);
  const sleep = (): SyscallResult =>
    task.block({
      queues: [],
      ...(deadlineNs === undefined ? {} : { deadlineNs, restart: () => futexWait(task, word, bitset, deadlineNs) }),
      interrupted: deadlineNs === undefined ? -ERESTARTSYS : -ERESTART_RESTARTBLOCK,
      onCancel: () => futexes.remove(waiter),
      retry: (timedOut) => {
        if (waiter.woken) return 0;
        if (!timedOut) return sleep();
        futexes.remove(waiter);
        return -ETIMEDOUT;
      },
    });
  return sleep();
}

/** futex_waitv(2): sleeps until one of several words is woken; gives its index. */
export function futexWaitMany(task: Task, words: readonly FutexWord[], deadlineNs: number | undefined): SyscallResult {
  const { futexes } = task.kernel;
  const waiters: FutexWaiter[] = [];
  for (const word of words) {
    const key = futexKeyOf(task, word.addr, word.isPrivate);
    if (typeof key === 'object') return key.errno;
    waiters.push({ task, key, bitset: 0xffff_ffff, wantsLock: false, woken: false });
  }
  for (const word of words) {
    const value = task.mm.readU32(word.addr);
    if (value === undefined) return -EFAULT;
    if (value !== word.value) return -EAGAIN;
  }
  for (const waiter of waiters) futexes.add(waiter);
  const removeAll = (): void => waiters.forEach((waiter) => futexes.remove(waiter));
  const sleep = (): SyscallResult =>
    task.block({
      queues: [],
      ...(deadlineNs === undefined ? {} : { deadlineNs }),
      onCancel: removeAll,
      retry: (timedOut) => {
        const at = waiters.findIndex((waiter) => waiter.woken);
        if (at < 0 && !timedOut) return sleep();
        removeAll();
        return at >= 0 ? at : -ETIMEDOUT;
      },
    });
  return sleep();
}

/** FUTEX_LOCK_PI. There are no priorities here to inherit, but the word's protocol is the same. */
export function futexLock(
  task: Task,
  addr: Addr,
  isPrivate: boolean,
  deadlineNs: number | undefined,
  onlyTry: boolean,
): SyscallResult {
  const key = futexKeyOf(task, addr, isPrivate);
  if (typeof key === 'object') return key.errno;
  const value = task.mm.readU32(addr);
  if (value === undefined) return -EFAULT;
  const owner = value & FUTEX_TID_MASK;
  const { futexes } = task.kernel;
  if (owner === 0) {
    const keep = (value & FUTEX_OWNER_DIED) | (futexes.nextForLock(key) === undefined ? 0 : FUTEX_WAITERS);
    return task.mm.writeU32(addr, (task.tid | keep) >>> 0) ? 0 : -EFAULT;
  }
  if (owner === task.tid) return -EDEADLK;
  if (onlyTry) return -EAGAIN;
  const holder = task.kernel.task(owner);
  if (holder === undefined || holder.state === 'ended') return -ESRCH;
  if (!task.mm.writeU32(addr, (value | FUTEX_WAITERS) >>> 0)) return -EFAULT;
  const waiter: FutexWaiter = { task, key, bitset: 0, wantsLock: true, woken: false };
  futexes.add(waiter);
  const sleep = (): SyscallResult =>
    task.block({
      queues: [],
      ...(deadlineNs === undefined ? {} : { deadlineNs }),
      interrupted: -ERESTARTNOINTR,
      onCancel: () => futexes.remove(waiter),
      retry: (timedOut) => {
        if (waiter.woken) return 0;
        if (!timedOut) return sleep();
        futexes.remove(waiter);
        return -ETIMEDOUT;
      },
    });
  return sleep();
}

/** FUTEX_UNLOCK_PI: hands the lock to the next waiter. */
export function futexUnlock(task: Task, addr: Addr, isPrivate: boolean): number {
  const key = futexKeyOf(task, addr, isPrivate);
  if (typeof key === 'object') return key.errno;
  const value = task.mm.readU32(addr);
  if (value === undefined) return -EFAULT;
  if ((value & FUTEX_TID_MASK) !== task.tid) return -EPERM;
  return handOver(task, key, addr, 0) ? 0 : -EFAULT;
}

/** The next waiter becomes the owner; without one the word is free. */
function handOver(task: Task, key: FutexKey, addr: Addr, extra: number): boolean {
  const { futexes } = task.kernel;
  const next = futexes.nextForLock(key);
  if (next === undefined) return task.mm.writeU32(addr, extra >>> 0);
  futexes.remove(next);
  const waiters = futexes.nextForLock(key) === undefined ? 0 : FUTEX_WAITERS;
  if (!task.mm.writeU32(addr, (next.task.tid | waiters | extra) >>> 0)) return false;
  futexes.wakeWaiter(next);
  return true;
}

/** A task ends: the robust locks that it still holds are marked and given on. */
export function releaseRobustFutexes(task: Task): void {
  const head = task.robustList;
  if (head === 0) return;
  const { mm } = task;
  const first = mm.readU64n(head + RobustListHead.list);
  const offset = mm.readI64n(head + RobustListHead.futexOffset);
  const pending = mm.readU64n(head + RobustListHead.listOpPending);
  if (first === undefined || offset === undefined || pending === undefined) return;
  let entry = first;
  for (let i = 0; i < ROBUST_LIST_LIMIT; i++) {
    const at = entry - (entry % 2);
    if (at === head || at === 0) break;
    const next = mm.readU64n(at);
    // The pending entry is done last: its lock may be on the list already, or not.
    if (entry !== pending && !markDied(task, at + offset, entry % 2 === 1)) return;
    if (next === undefined) return;
    entry = next;
  }
  if (pending !== 0) markDied(task, pending - (pending % 2) + offset, pending % 2 === 1);
}

function markDied(task: Task, addr: Addr, isPi: boolean): boolean {
  if (addr % 4 !== 0 || addr < 0 || addr >= USER_HALF_END) return false;
  const value = task.mm.readU32(addr);
  if (value === undefined) return false;
  if ((value & FUTEX_TID_MASK) !== task.tid) return true;
  if (isPi) {
    const shared = task.mm.futexKey(addr, false);
    const own = task.mm.futexKey(addr, true);
    const { futexes } = task.kernel;
    for (const key of [shared, own]) {
      if (key !== undefined && futexes.nextForLock(key) !== undefined)
        return handOver(task, key, addr, FUTEX_OWNER_DIED);
    }
  }
  if (!task.mm.writeU32(addr, ((value & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0)) return false;
  if ((value & FUTEX_WAITERS) !== 0) task.kernel.futexes.wakeAddress(task, addr, 1);
  return true;
}
