// SPDX-License-Identifier: MIT
//
// Changes of a task's signal mask, and reading sigset_t from guest memory.

import { EFAULT, EINVAL } from '../../abi/errno.ts';
import { SIGSET_BYTES } from '../../abi/signal-frame.ts';
import { viewOf } from '../../base/bytes.ts';
import type { Task } from '../task.ts';
import { recheckSignals } from './send.ts';
import { UNBLOCKABLE } from './signal-sets.ts';

export function setMask(task: Task, mask: bigint): void {
  task.mask = mask & ~UNBLOCKABLE;
  recheckSignals(task);
}

/**
 * sigsuspend, ppoll, pselect6, epoll_pwait: `mask` holds until the call is over; if a handler runs, until the handler
 * has returned. The kernel puts the old mask back on the way to guest code.
 */
export function withTemporaryMask(task: Task, mask: bigint): void {
  task.savedMask ??= task.mask;
  task.attention = true;
  setMask(task, mask);
}

/** A sigset_t at `addr`, or -errno. `size` is what the program says a sigset_t is. */
export function readSigset(task: Task, addr: number, size: number): bigint | number {
  if (size !== SIGSET_BYTES) return -EINVAL;
  const bytes = new Uint8Array(SIGSET_BYTES);
  if (task.mm.copyIn(addr, bytes) !== SIGSET_BYTES) return -EFAULT;
  return viewOf(bytes).getBigUint64(0, true);
}

export function writeSigset(task: Task, addr: number, set: bigint): number {
  const bytes = new Uint8Array(SIGSET_BYTES);
  viewOf(bytes).setBigUint64(0, set, true);
  return task.mm.copyOut(addr, bytes) === SIGSET_BYTES ? 0 : -EFAULT;
}
