// SPDX-License-Identifier: MIT
//
// The robust list: locks that a task holds when it ends are marked, so that others do not wait for it for ever.
// get_robust_list(2); models Linux kernel/futex/core.c (exit_robust_list, handle_futex_death).

import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT, RobustListHead } from '../abi/futex.ts';
import type { Addr } from '../base/addr.ts';
import { USER_HALF_END } from '../base/addr.ts';
import { passLocksOn } from './futex-pi.ts';
import type { Task } from './task.ts';

/** A task ends or leaves its memory: the robust locks that it still holds are marked, and all its locks given on. */
export function releaseFutexes(task: Task): void {
  if (task.robustList !== 0) walkRobustList(task, task.robustList);
  task.robustList = 0;
  passLocksOn(task);
}

function walkRobustList(task: Task, head: Addr): void {
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
    if (entry !== pending && !markDied(task, at + offset, entry % 2 === 1, false)) return;
    if (next === undefined) return;
    entry = next;
  }
  if (pending !== 0) markDied(task, pending - (pending % 2) + offset, pending % 2 === 1, true);
}

/** False when the list cannot be followed further. */
function markDied(task: Task, addr: Addr, isPi: boolean, isPending: boolean): boolean {
  if (addr % 4 !== 0 || addr < 0 || addr >= USER_HALF_END) return false;
  const value = task.mm.readU32(addr);
  if (value === undefined) return false;
  const { futexes } = task.kernel;
  if (isPending && !isPi && value === 0) {
    // The task had let go of the lock, but perhaps not woken the next one yet.
    futexes.wakeAddress(task, addr, 1);
    return true;
  }
  if ((value & FUTEX_TID_MASK) !== task.tid) return true;
  if (!task.mm.writeU32(addr, ((value & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0)) return false;
  // Who waits for a PI lock gets it when all locks are passed on.
  if (!isPi && (value & FUTEX_WAITERS) !== 0) futexes.wakeAddress(task, addr, 1);
  return true;
}
