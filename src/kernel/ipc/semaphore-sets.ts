// SPDX-License-Identifier: MIT
//
// System V semaphores: operations that happen all or not at all, sleepers that are served in order by whoever changes
// a value, and adjustments that an ending process takes back. Models Linux ipc/sem.c.

import { EAGAIN, EIDRM, EINVAL, ENOMEM, ENOSPC, ERANGE } from '../../abi/errno.ts';
import { IPC_NOWAIT, SEM_UNDO, SEMMNI, SEMMSL, SEMVMX } from '../../abi/ipc.ts';
import { WaitQueue } from '../../base/wait-queue.ts';
import { savable } from '../../base/savable.ts';
import type { Budget } from '../../vfs/device-table.ts';
import type { Credentials } from '../credentials.ts';
import { IpcObject, IpcTable } from './ipc-objects.ts';
import type { IpcActor } from './shared-segments.ts';

/** What the host spends on one semaphore. */
const SEMAPHORE_BYTES = 8;

/** One of the operations of a semop call. */
export interface SemaphoreOperation {
  readonly num: number;
  readonly op: number;
  readonly flags: number;
}

/** A call that sleeps until its operations can happen. */
export class PendingOperation {
  readonly operations: readonly SemaphoreOperation[];
  readonly undo: Undo | null;
  readonly pid: number;
  readonly done = new WaitQueue();
  readonly alters: boolean;
  /** The operation that cannot happen, and the value that it found: until that changes it need not be tried again. */
  blocking: SemaphoreOperation;
  seenValue = -1;
  /** Set by whoever ended the sleep: 0 or -errno. */
  result: number | null = null;

  constructor(operations: readonly SemaphoreOperation[], undo: Undo | null, pid: number, blocking: SemaphoreOperation) {
    this.operations = operations;
    this.undo = undo;
    this.pid = pid;
    this.alters = operations.some((o) => o.op !== 0);
    this.blocking = blocking;
  }

  finish(result: number): void {
    this.result = result;
    this.done.wake();
  }
}

/** The adjustments of one undo list to one set. */
export class Undo {
  readonly adjustments: Int16Array;

  constructor(count: number) {
    this.adjustments = new Int16Array(count);
  }
}

/** What processes that share it (CLONE_SYSVSEM) take back when the last of them ends. */
export class UndoList {
  readonly undos = new Map<SemaphoreSet, Undo>();
  users = 1;
}

/** A set. */
export class SemaphoreSet extends IpcObject {
  readonly values: Uint16Array;
  readonly pids: Int32Array;
  otime = 0;
  readonly pending: PendingOperation[] = [];
  /** Undo lists that may hold adjustments. */
  readonly undoLists = new Set<UndoList>();

  constructor(key: number, mode: number, creds: Credentials, now: number, count: number) {
    super(key, mode, creds, now);
    this.values = new Uint16Array(count);
    this.pids = new Int32Array(count);
  }

  get count(): number {
    return this.values.length;
  }

  /**
   * Does the operations, all or none.
   * @returns 0, -errno, or the operation that must wait
   */
  perform(operations: readonly SemaphoreOperation[], undo: Undo | null, pid: number): number | SemaphoreOperation {
    const { values } = this;
    let at = 0;
    let result: number | SemaphoreOperation = 0;
    for (; at < operations.length; at++) {
      const operation = operations[at] as SemaphoreOperation;
      const { num, op, flags } = operation;
      const value = values[num] as number;
      const after = value + op;
      if ((op === 0 && value !== 0) || after < 0) {
        result = (flags & IPC_NOWAIT) !== 0 ? -EAGAIN : operation;
        break;
      }
      if (after > SEMVMX) {
        result = -ERANGE;
        break;
      }
      if ((flags & SEM_UNDO) !== 0 && undo !== null) {
        const adjustment = (undo.adjustments[num] as number) - op;
        if (adjustment < -SEMVMX - 1 || adjustment > SEMVMX) {
          result = -ERANGE;
          break;
        }
        undo.adjustments[num] = adjustment;
      }
      values[num] = after;
    }
    if (result === 0) {
      for (const { num } of operations) this.pids[num] = pid;
      return 0;
    }
    while (--at >= 0) {
      const { num, op, flags } = operations[at] as SemaphoreOperation;
      values[num] = (values[num] as number) - op;
      if ((flags & SEM_UNDO) !== 0 && undo !== null) undo.adjustments[num] = (undo.adjustments[num] as number) + op;
    }
    return result;
  }

  /** Values have changed: serves sleepers, those that only wait for zero first, until nobody can go on. */
  serve(now: number): void {
    for (let moved = true; moved;) {
      moved = this.pass(false, now);
      if (this.pass(true, now)) moved = true;
    }
  }

  /** Notes what a sleeper waits for. */
  block(sleeper: PendingOperation, operation: SemaphoreOperation): void {
    sleeper.blocking = operation;
    sleeper.seenValue = this.values[operation.num] as number;
  }

  private pass(alters: boolean, now: number): boolean {
    let any = false;
    for (let i = 0; i < this.pending.length; i++) {
      const sleeper = this.pending[i] as PendingOperation;
      if (sleeper.alters !== alters || this.values[sleeper.blocking.num] === sleeper.seenValue) continue;
      const result = this.perform(sleeper.operations, sleeper.undo, sleeper.pid);
      if (typeof result === 'object') {
        this.block(sleeper, result);
        continue;
      }
      this.pending.splice(i, 1);
      if (result === 0) this.otime = now;
      sleeper.finish(result);
      if (!alters) {
        i--;
        continue;
      }
      // What it changed may let somebody before it go on.
      any = true;
      break;
    }
    return any;
  }

  /** GETNCNT and GETZCNT: sleepers whose first obstacle is this semaphore. */
  countWaiting(num: number, forZero: boolean): number {
    let count = 0;
    for (const { blocking } of this.pending) if (blocking.num === num && (blocking.op === 0) === forZero) count++;
    return count;
  }

  /** SETVAL and SETALL make adjustments void: of one semaphore, or with -1 of all. */
  forgetUndos(num: number): void {
    for (const list of this.undoLists) {
      const undo = list.undos.get(this);
      if (num < 0) undo?.adjustments.fill(0);
      else if (undo !== undefined) undo.adjustments[num] = 0;
    }
  }
}

/** All sets. */
export class SemaphoreSets {
  readonly table = new IpcTable<SemaphoreSet>(SEMMNI);
  private readonly actor: () => IpcActor;
  private readonly memory: Budget;
  /** Semaphores in all sets. */
  total = 0;

  /** @param memory what objects and messages may take of the host */
  constructor(actor: () => IpcActor, memory: Budget) {
    this.actor = actor;
    this.memory = memory;
  }

  /** semget(2). */
  get(key: number, count: number, flags: number, creds: Credentials): number {
    if (count < 0 || count > SEMMSL) return -EINVAL;
    const make = (): SemaphoreSet | number => {
      if (count === 0) return -EINVAL;
      if (this.table.isFull) return -ENOSPC;
      if (!this.memory.take(count * SEMAPHORE_BYTES)) return -ENOMEM;
      this.total += count;
      return new SemaphoreSet(key, flags, creds, this.actor().now, count);
    };
    return this.table.get(key, flags, creds, make, (set) => (count > set.count ? -EINVAL : 0));
  }

  remove(set: SemaphoreSet): void {
    this.table.remove(set);
    this.total -= set.count;
    this.memory.give(set.count * SEMAPHORE_BYTES);
    for (const list of set.undoLists) if (list.undos.delete(set)) this.memory.give(set.count * SEMAPHORE_BYTES);
    set.undoLists.clear();
    for (const sleeper of set.pending.splice(0)) sleeper.finish(-EIDRM);
  }

  /** The adjustments of a list to a set, made when there are none; -ENOMEM. */
  undoFor(list: UndoList, set: SemaphoreSet): Undo | number {
    let undo = list.undos.get(set);
    if (undo === undefined) {
      if (!this.memory.take(set.count * SEMAPHORE_BYTES)) return -ENOMEM;
      undo = new Undo(set.count);
      list.undos.set(set, undo);
      set.undoLists.add(list);
    }
    return undo;
  }

  /** A task that used the list ends (exit_sem): the last one's adjustments are made. */
  releaseUndos(list: UndoList): void {
    if (--list.users > 0) return;
    const { pid, now } = this.actor();
    for (const [set, undo] of list.undos) {
      set.undoLists.delete(list);
      this.memory.give(set.count * SEMAPHORE_BYTES);
      for (const [num, adjustment] of undo.adjustments.entries()) {
        if (adjustment === 0) continue;
        // Linux leaves it to nobody to wait for an adjustment that does not fit: the value is brought to its bounds.
        set.values[num] = Math.min(SEMVMX, Math.max(0, (set.values[num] as number) + adjustment));
        set.pids[num] = pid;
      }
      set.otime = now;
      set.serve(now);
    }
    list.undos.clear();
  }
}

savable('kernel/ipc/semaphore-sets', { PendingOperation, Undo, UndoList, SemaphoreSet });
savable('kernel/ipc/semaphore-sets', { SemaphoreSets }, { isPlace: true });
