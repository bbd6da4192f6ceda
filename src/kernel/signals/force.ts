// SPDX-License-Identifier: MIT
//
// Signals that the instruction just executed raises: blocking or ignoring them does not help. Models Linux
// kernel/signal.c (force_sig_info_to_task).

import { SIGSEGV } from '../../abi/signal.ts';
import type { Task } from '../task.ts';
import { HANDLER_DEFAULT, HANDLER_IGNORE } from './signal-actions.ts';
import type { SignalInfo } from './siginfo.ts';
import { kernelInfo } from './siginfo.ts';
import { sigBit } from './signal-sets.ts';

const PAGE_FAULT = 14;

/** A signal that the task cannot ignore or block: if it tries to, the signal kills it. */
export function forceSignal(task: Task, info: SignalInfo): void {
  const bit = sigBit(info.signo);
  const { actions } = task.group;
  const action = actions.get(info.signo);
  if ((task.mask & bit) !== 0n || action.handler === HANDLER_IGNORE) {
    actions.set(info.signo, { ...action, handler: HANDLER_DEFAULT });
    task.mask &= ~bit;
  }
  if (info.fault !== undefined) {
    // cr2 changes with page faults only.
    const { cr2 } = info.fault.trapno === PAGE_FAULT ? info.fault : task.lastFault;
    task.lastFault = { ...info.fault, cr2 };
  }
  task.pending.add(info);
  task.attention = true;
}

/**
 * A signal frame could not be written or read: SIGSEGV, and death if that cannot be handled either.
 * @param during signal that the frame was for; 0 for rt_sigreturn
 */
export function forceSegv(task: Task, during: number): void {
  const { actions } = task.group;
  if (during === SIGSEGV) actions.set(SIGSEGV, { ...actions.get(SIGSEGV), handler: HANDLER_DEFAULT });
  forceSignal(task, kernelInfo(SIGSEGV));
}

/** A signal that ends the process whatever it does about it: handlers do not run. */
export function forceDeath(task: Task, info: SignalInfo): void {
  const { actions } = task.group;
  actions.set(info.signo, { ...actions.get(info.signo), handler: HANDLER_DEFAULT });
  forceSignal(task, { ...info, isFinal: true });
}
