// SPDX-License-Identifier: MIT
//
// Locks with priority inheritance: FUTEX_LOCK_PI and its kin. No priority is acted upon here, so none is inherited, but
// the word's protocol, the order of waiters and every error are Linux's: kernel/futex/pi.c, requeue.c; futex(2).

import { EAGAIN, EDEADLK, EFAULT, EINVAL, EPERM, ERESTARTNOINTR, ESRCH, ETIMEDOUT } from '../abi/errno.ts';
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS } from '../abi/futex.ts';
import { SCHED_FIFO, SCHED_RR } from '../abi/sched.ts';
import type { Addr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import type { FutexKey, FutexTable, FutexWaiter, FutexWord } from './futex.ts';
import { futexKeyOf } from './futex.ts';
import type { BlockRequest, SyscallResult } from './syscalls/table.ts';
import type { Task } from './task.ts';

/** A lock that somebody waits for: Linux's pi_state. */
export class PiLock {
  readonly key: FutexKey;
  /** Who holds it. */
  owner: Task;
  /** In the order in which they came, those of a real-time class first. */
  readonly waiters: LockWaiter[] = [];

  constructor(key: FutexKey, owner: Task) {
    this.key = key;
    this.owner = owner;
  }
}

/** A task that waits for a lock, and where it sees the word. */
interface LockWaiter {
  readonly futex: FutexWaiter;
  readonly addr: Addr;
}

/** Priority among waiters: deadlines first, then that of the real-time classes, 0 for all others. */
function priorityOf(task: Task): number {
  if (task.deadline !== null) return Infinity;
  return task.schedPolicy === SCHED_FIFO || task.schedPolicy === SCHED_RR ? task.schedPriority : 0;
}

/** The lock of a word that has waiters; -EINVAL when they wait for something else, undefined when there are none. */
function lockOf(futexes: FutexTable, key: FutexKey): PiLock | number | undefined {
  const [first] = futexes.waitersOf(key);
  if (first === undefined) return undefined;
  return first.lock ?? -EINVAL;
}

/** What an attempt to take a lock comes to: it is taken, somebody has it, or -errno. */
type Attempt = 'taken' | PiLock | number;

/**
 * One attempt by `task`; the word is at `addr` in the memory of `actor`. A lock that somebody has is marked as wanted.
 * @param marks the word gets FUTEX_WAITERS even when the lock is free
 */
function attempt(task: Task, actor: Task, addr: Addr, key: FutexKey, marks: boolean): Attempt {
  const { mm, kernel } = actor;
  const value = mm.readU32(addr);
  if (value === undefined) return -EFAULT;
  const holder = value & FUTEX_TID_MASK;
  if (holder === task.tid) return -EDEADLK;
  const known = lockOf(kernel.futexes, key);
  if (typeof known === 'number') return known;
  if (known !== undefined) {
    // The word and what the kernel knows must agree.
    if (holder !== known.owner.tid) return -EINVAL;
    return known;
  }
  if (holder === 0) {
    const kept = value & FUTEX_OWNER_DIED;
    return mm.writeU32(addr, (task.tid | kept | (marks ? FUTEX_WAITERS : 0)) >>> 0) ? 'taken' : -EFAULT;
  }
  if (!mm.writeU32(addr, (value | FUTEX_WAITERS) >>> 0)) return -EFAULT;
  const owner = kernel.task(holder);
  return owner === undefined || owner.state === 'ended' ? -ESRCH : new PiLock(key, owner);
}

/** Whether the owner of the lock waits, directly or not, for a lock of `task`. */
function closesCircle(futexes: FutexTable, lock: PiLock, task: Task): boolean {
  // No circle exists yet, so this ends.
  for (let next: PiLock | undefined = lock; next !== undefined; next = futexes.wantedBy.get(next.owner)) {
    if (next.owner === task) return true;
  }
  return false;
}

/** A waiter takes its place in the lock's order. */
function enqueue(futexes: FutexTable, lock: PiLock, waiter: FutexWaiter, addr: Addr): void {
  waiter.lock = lock;
  const priority = priorityOf(waiter.task);
  const at = lock.waiters.findIndex(({ futex }) => priorityOf(futex.task) < priority);
  lock.waiters.splice(at < 0 ? lock.waiters.length : at, 0, { futex: waiter, addr });
  futexes.locks.set(lock.key, lock);
  futexes.wantedBy.set(waiter.task, lock);
}

/** A waiter gives up. */
function dequeue(futexes: FutexTable, waiter: FutexWaiter): void {
  futexes.remove(waiter);
  const { lock } = waiter;
  if (lock === null) return;
  const at = lock.waiters.findIndex(({ futex }) => futex === waiter);
  if (at >= 0) lock.waiters.splice(at, 1);
  futexes.wantedBy.delete(waiter.task);
  if (lock.waiters.length === 0) futexes.locks.delete(lock.key);
}

/** The first waiter becomes the owner. False when its word cannot be written. */
function handOver(futexes: FutexTable, lock: PiLock, extra: number): boolean {
  const next = lock.waiters.shift();
  if (next === undefined) return true;
  const { task } = next.futex;
  futexes.remove(next.futex);
  futexes.wantedBy.delete(task);
  lock.owner = task;
  if (lock.waiters.length === 0) futexes.locks.delete(lock.key);
  const isWritten = task.mm.writeU32(next.addr, (task.tid | FUTEX_WAITERS | extra) >>> 0);
  futexes.wakeWaiter(next.futex);
  return isWritten;
}

/** FUTEX_LOCK_PI, FUTEX_LOCK_PI2 and FUTEX_TRYLOCK_PI. */
export function futexLock(
  task: Task,
  addr: Addr,
  isPrivate: boolean,
  deadlineNs: number | undefined,
  onlyTry: boolean,
): SyscallResult {
  const key = futexKeyOf(task, addr, isPrivate);
  if (typeof key === 'object') return key.errno;
  const { futexes } = task.kernel;
  const lock = attempt(task, task, addr, key, false);
  if (lock === 'taken') return 0;
  if (typeof lock === 'number') return lock;
  if (onlyTry) return -EAGAIN;
  if (closesCircle(futexes, lock, task)) return -EDEADLK;
  const waiter: FutexWaiter = { task, key, bitset: 0, lock: null, target: null, woken: false };
  futexes.add(waiter);
  enqueue(futexes, lock, waiter, addr);
  return task.block(new LockWait(waiter, deadlineNs));
}

/** A sleep until the lock comes. */
class LockWait implements BlockRequest {
  readonly queues = [];
  readonly deadlineNs?: number;
  private readonly waiter: FutexWaiter;

  constructor(waiter: FutexWaiter, deadlineNs: number | undefined) {
    this.waiter = waiter;
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
  }

  /** Once moved from another word, that word has changed: to begin again would find that and say so. */
  get interrupted(): number {
    return this.waiter.target === null || this.waiter.lock === null ? -ERESTARTNOINTR : -EAGAIN;
  }

  retry(timedOut: boolean): SyscallResult {
    if (this.waiter.woken) return 0;
    if (!timedOut) return this.waiter.task.block(this);
    this.onCancel();
    return -ETIMEDOUT;
  }

  onCancel(): void {
    const { waiter } = this;
    dequeue(waiter.task.kernel.futexes, waiter);
  }
}

/** FUTEX_UNLOCK_PI: hands the lock to the first waiter. */
export function futexUnlock(task: Task, addr: Addr, isPrivate: boolean): number {
  const value = task.mm.readU32(addr);
  if (value === undefined) return -EFAULT;
  if ((value & FUTEX_TID_MASK) !== task.tid) return -EPERM;
  const key = futexKeyOf(task, addr, isPrivate);
  if (typeof key === 'object') return key.errno;
  const { futexes } = task.kernel;
  const lock = lockOf(futexes, key);
  if (typeof lock === 'number') return lock;
  if (lock === undefined) return task.mm.writeU32(addr, 0) ? 0 : -EFAULT;
  if (lock.owner !== task) return -EINVAL;
  return handOver(futexes, lock, 0) ? 0 : -EFAULT;
}

/** FUTEX_WAIT_REQUEUE_PI: sleeps on one word, to be moved to a lock and return with it. */
export function futexWaitForLock(
  task: Task,
  word: FutexWord,
  lockAddr: Addr,
  deadlineNs: number | undefined,
): SyscallResult {
  if (word.addr === lockAddr) return -EINVAL;
  const lockKey = futexKeyOf(task, lockAddr, word.isPrivate);
  if (typeof lockKey === 'object') return lockKey.errno;
  const key = futexKeyOf(task, word.addr, word.isPrivate);
  if (typeof key === 'object') return key.errno;
  const value = task.mm.readU32(word.addr);
  if (value === undefined) return -EFAULT;
  if (value !== word.value) return -EAGAIN;
  if (key === lockKey) return -EINVAL;
  const { futexes } = task.kernel;
  const target = { key: lockKey, addr: lockAddr };
  const waiter: FutexWaiter = { task, key, bitset: 0xffff_ffff, lock: null, target, woken: false };
  futexes.add(waiter);
  return task.block(new LockWait(waiter, deadlineNs));
}

/** FUTEX_CMP_REQUEUE_PI, the comparison done: gives one waiter the lock if it is free, and lets the others wait for it. */
export function futexRequeueToLock(task: Task, from: FutexKey, to: FutexKey, lockAddr: Addr, moves: number): number {
  const { futexes } = task.kernel;
  const [first] = futexes.waitersOf(from);
  if (first === undefined) return 0;
  if (first.target?.key !== to || first.lock !== null) return -EINVAL;
  let lock: Attempt = attempt(first.task, task, lockAddr, to, moves > 0);
  if (typeof lock === 'number') return lock;
  let done = 0;
  if (lock === 'taken') {
    futexes.remove(first);
    futexes.wakeWaiter(first);
    lock = new PiLock(to, first.task);
    done++;
  }
  for (const waiter of futexes.waitersOf(from).slice()) {
    // One of them is woken instead of moved: now, or by who holds the lock.
    if (done - 1 >= moves) break;
    const { target } = waiter;
    if (target?.key !== to || waiter.lock !== null) return -EINVAL;
    if (closesCircle(futexes, lock, waiter.task)) return -EDEADLK;
    futexes.move(waiter, to);
    enqueue(futexes, lock, waiter, target.addr);
    done++;
  }
  return done;
}

/** A task ends: whoever waits for one of its locks gets it, and learns how. */
export function passLocksOn(task: Task): void {
  const { futexes } = task.kernel;
  if (futexes.locks.size === 0) return;
  for (const lock of [...futexes.locks.values()]) {
    if (lock.owner === task) handOver(futexes, lock, FUTEX_OWNER_DIED);
  }
}

savable('kernel/futex-pi', { PiLock, LockWait });
