// SPDX-License-Identifier: MIT
//
// Futexes: sleeping on a word of memory. Waiters are kept by key (address space and address, or place in a file) in the
// order in which they came. futex(2); models Linux kernel/futex (core.c, waitwake.c, requeue.c). Locks are in futex-pi.ts.

import { EAGAIN, EFAULT, EINVAL, ERESTARTSYS, ERESTART_RESTARTBLOCK, ETIMEDOUT } from '../abi/errno.ts';
import type { Addr } from '../base/addr.ts';
import { USER_HALF_END } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import type { PiLock } from './futex-pi.ts';
import type { BlockRequest, SyscallResult } from './syscalls/table.ts';
import type { Task } from './task.ts';

export type FutexKey = string | number;

/** The word of a lock, as a task sees it. */
export interface LockPlace {
  readonly key: FutexKey;
  readonly addr: Addr;
}

/** A task that sleeps on one word. */
export interface FutexWaiter {
  readonly task: Task;
  key: FutexKey;
  readonly bitset: number;
  /** The lock that it waits for, instead of a wake-up. */
  lock: PiLock | null;
  /** FUTEX_WAIT_REQUEUE_PI: the lock that it agrees to be moved to; null for others. */
  readonly target: LockPlace | null;
  woken: boolean;
}

/** One word that futex_waitv waits on. */
export interface FutexWord {
  readonly addr: Addr;
  readonly value: number;
  readonly isPrivate: boolean;
}

const NOBODY: readonly FutexWaiter[] = [];

/** All futexes of a kernel. */
export class FutexTable {
  private readonly buckets = new Map<FutexKey, FutexWaiter[]>();
  /** Locks that somebody waits for. */
  readonly locks = new Map<FutexKey, PiLock>();
  /** The lock that a task waits for. */
  readonly wantedBy = new Map<Task, PiLock>();

  /** Waiters asleep, on all words. */
  get size(): number {
    let sum = 0;
    for (const bucket of this.buckets.values()) sum += bucket.length;
    return sum;
  }

  add(waiter: FutexWaiter): void {
    const bucket = this.buckets.get(waiter.key);
    if (bucket === undefined) this.buckets.set(waiter.key, [waiter]);
    else bucket.push(waiter);
  }

  remove(waiter: FutexWaiter): void {
    const bucket = this.buckets.get(waiter.key);
    const at = bucket?.indexOf(waiter) ?? -1;
    if (bucket === undefined || at < 0) return;
    bucket.splice(at, 1);
    if (bucket.length === 0) this.buckets.delete(waiter.key);
  }

  /** Who waits on a word, in the order in which they came. */
  waitersOf(key: FutexKey): readonly FutexWaiter[] {
    return this.buckets.get(key) ?? NOBODY;
  }

  /**
   * Wakes at most `count` waiters whose bitset meets `bitset`; gives how many, or -EINVAL when it comes to one that
   * waits for a lock.
   */
  wake(key: FutexKey, count: number, bitset = 0xffff_ffff): number {
    const bucket = this.buckets.get(key);
    if (bucket === undefined) return 0;
    let woken = 0;
    let isMisused = false;
    for (let i = 0; i < bucket.length && woken < count;) {
      const waiter = bucket[i] as FutexWaiter;
      if (waiter.lock !== null || waiter.target !== null) {
        isMisused = true;
        break;
      }
      if ((waiter.bitset & bitset) === 0) {
        i++;
        continue;
      }
      bucket.splice(i, 1);
      this.wakeWaiter(waiter);
      woken++;
    }
    if (bucket.length === 0) this.buckets.delete(key);
    return isMisused ? -EINVAL : woken;
  }

  /** Marks a waiter that is no longer in a bucket. */
  wakeWaiter(waiter: FutexWaiter): void {
    waiter.woken = true;
    waiter.task.wake(1);
  }

  /**
   * FUTEX_REQUEUE: wakes at most `wakes` waiters and moves at most `moves` others to another word; gives how many in
   * all, or -EINVAL when it comes to one that waits for a lock.
   */
  requeue(from: FutexKey, to: FutexKey, wakes: number, moves: number): number {
    let done = 0;
    for (const waiter of this.waitersOf(from).slice()) {
      if (done - wakes >= moves) break;
      if (waiter.lock !== null || waiter.target !== null) return -EINVAL;
      if (done < wakes) {
        this.remove(waiter);
        this.wakeWaiter(waiter);
      } else {
        this.move(waiter, to);
      }
      done++;
    }
    return done;
  }

  /** A waiter goes to the end of another word's queue. */
  move(waiter: FutexWaiter, to: FutexKey): void {
    if (waiter.key === to) return;
    this.remove(waiter);
    waiter.key = to;
    this.add(waiter);
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
  const waiter: FutexWaiter = { task, key, bitset, lock: null, target: null, woken: false };
  futexes.add(waiter);
  return task.block(new FutexWait(waiter, word, deadlineNs));
}

/** A sleep on one word. */
class FutexWait implements BlockRequest {
  readonly queues = [];
  readonly deadlineNs?: number;
  readonly interrupted: number;
  private readonly waiter: FutexWaiter;
  private readonly word: FutexWord;

  constructor(waiter: FutexWaiter, word: FutexWord, deadlineNs: number | undefined) {
    this.waiter = waiter;
    this.word = word;
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
    this.interrupted = deadlineNs === undefined ? -ERESTARTSYS : -ERESTART_RESTARTBLOCK;
  }

  restart(): SyscallResult {
    return futexWait(this.waiter.task, this.word, this.waiter.bitset, this.deadlineNs);
  }

  retry(timedOut: boolean): SyscallResult {
    if (this.waiter.woken) return 0;
    if (!timedOut) return this.waiter.task.block(this);
    this.onCancel();
    return -ETIMEDOUT;
  }

  onCancel(): void {
    const { waiter } = this;
    waiter.task.kernel.futexes.remove(waiter);
  }
}

/** futex_waitv(2): sleeps until one of several words is woken; gives its index. */
export function futexWaitMany(task: Task, words: readonly FutexWord[], deadlineNs: number | undefined): SyscallResult {
  const { futexes } = task.kernel;
  const waiters: FutexWaiter[] = [];
  for (const word of words) {
    const key = futexKeyOf(task, word.addr, word.isPrivate);
    if (typeof key === 'object') return key.errno;
    waiters.push({ task, key, bitset: 0xffff_ffff, lock: null, target: null, woken: false });
  }
  for (const word of words) {
    const value = task.mm.readU32(word.addr);
    if (value === undefined) return -EFAULT;
    if (value !== word.value) return -EAGAIN;
  }
  for (const waiter of waiters) futexes.add(waiter);
  return task.block(new FutexWaitMany(task, waiters, deadlineNs));
}

/** A sleep on several words. */
class FutexWaitMany implements BlockRequest {
  readonly queues = [];
  readonly deadlineNs?: number;
  private readonly task: Task;
  private readonly waiters: readonly FutexWaiter[];

  constructor(task: Task, waiters: readonly FutexWaiter[], deadlineNs: number | undefined) {
    this.task = task;
    this.waiters = waiters;
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
  }

  retry(timedOut: boolean): SyscallResult {
    const at = this.waiters.findIndex((waiter) => waiter.woken);
    if (at < 0 && !timedOut) return this.task.block(this);
    this.onCancel();
    return at >= 0 ? at : -ETIMEDOUT;
  }

  onCancel(): void {
    for (const waiter of this.waiters) this.task.kernel.futexes.remove(waiter);
  }
}

savable('kernel/futex', { FutexWait, FutexWaitMany });
savable('kernel/futex', { FutexTable }, { isPlace: true });
