// SPDX-License-Identifier: MIT
//
// Restartable sequences: a task that is preempted or signalled inside its critical section goes on at the abort
// address. One processor, number 0. rseq(2); models Linux kernel/rseq.c.

import { RSEQ_CPU_ID_UNINITIALIZED, Rseq, RseqCs } from '../abi/system.ts';
import { SIGSEGV } from '../abi/signal.ts';
import { USER_HALF_END } from '../base/addr.ts';
import { viewOf } from '../base/bytes.ts';
import { getU64 } from '../abi/words.ts';
import { Reg } from '../cpu/regs.ts';
import { forceSignal } from './signals/force.ts';
import { kernelInfo } from './signals/siginfo.ts';
import type { Task } from './task.ts';

const BAD_FLAGS_SHIFT = 3;

/** Fills in the processor number of a newly registered area; false when it cannot be written. */
export function initRseqArea(task: Task): boolean {
  // cpu_id_start, cpu_id, and the node and concurrency ids where the area has them: all zero.
  return task.mm.copyOut(task.rseqAddr, new Uint8Array(8)) === 8;
}

/** The area as it was before registration. */
export function clearRseqArea(task: Task): boolean {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setInt32(Rseq.cpuId, RSEQ_CPU_ID_UNINITIALIZED, true);
  return task.mm.copyOut(task.rseqAddr, bytes) === 8;
}

/** The task was preempted or gets a signal: ends a critical section that it is in. */
export function abortRestartableSequence(task: Task): void {
  const { mm, regs } = task;
  const csAddr = mm.readU64n(task.rseqAddr + Rseq.rseqCs);
  if (csAddr === 0) return;
  if (csAddr === undefined || csAddr >= USER_HALF_END) return forceSignal(task, kernelInfo(SIGSEGV));
  const bytes = new Uint8Array(RseqCs.size);
  if (mm.copyIn(csAddr, bytes) !== bytes.length) return forceSignal(task, kernelInfo(SIGSEGV));
  const v = viewOf(bytes);
  const start = getU64(v, RseqCs.startIp);
  const length = getU64(v, RseqCs.postCommitOffset);
  const abortIp = getU64(v, RseqCs.abortIp);
  const rip = regs.get(Reg.rip);
  const flags = v.getUint32(RseqCs.flags, true);
  const invalid =
    v.getUint32(RseqCs.version, true) !== 0 ||
    start >= USER_HALF_END ||
    start + length > USER_HALF_END ||
    abortIp >= USER_HALF_END ||
    (abortIp >= start && abortIp < start + length) ||
    flags >>> BAD_FLAGS_SHIFT !== 0;
  if (invalid || mm.readU32(abortIp - 4) !== task.rseqSignature) return forceSignal(task, kernelInfo(SIGSEGV));
  const isInside = rip >= start && rip < start + length;
  if (mm.copyOut(task.rseqAddr + Rseq.rseqCs, new Uint8Array(8)) !== 8) return forceSignal(task, kernelInfo(SIGSEGV));
  if (isInside) regs.set(Reg.rip, abortIp);
}
