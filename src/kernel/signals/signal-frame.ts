// SPDX-License-Identifier: MIT
//
// What a handler finds on its stack and what rt_sigreturn takes back: Linux's rt_sigframe for x86-64 on a processor
// without XSAVE. Models Linux arch/x86/kernel/signal_64.c and fpu/signal.c.

import { EFAULT } from '../../abi/errno.ts';
import {
  FpState,
  RtSigframe,
  Sigcontext,
  Siginfo,
  StackT,
  UC_SIGCONTEXT_SS,
  UC_STRICT_RESTORE_SS,
  Ucontext,
} from '../../abi/signal-frame.ts';
import { MINSIGSTKSZ, SA_ONSTACK, SA_RESTORER, SS_AUTODISARM, SS_DISABLE } from '../../abi/signal.ts';
import { viewOf } from '../../base/bytes.ts';
import { FPU_BYTES } from '../../cpu/cpu.ts';
import { Reg } from '../../cpu/regs.ts';
import type { AltStack, Task } from '../task.ts';
import { NO_ALT_STACK } from '../task.ts';
import type { SignalAction } from './signal-actions.ts';
import type { SignalInfo } from './siginfo.ts';
import { UNBLOCKABLE } from './signal-sets.ts';

const RED_ZONE = 128;
const USER_CS = 0x33;
const USER_SS = 0x2b;
/** Flags that a context may change: AC OF DF TF SF ZF AF PF CF and RF. */
const RESTORED_FLAGS = 0x5_0dd5n;
const TF = 0x100n;
const DF = 0x400n;
const RF = 0x1_0000n;
export const MXCSR_MASK = 0xffff;

/** sigcontext's registers: offset there, index here. */
const CONTEXT_REGS = [
  [Sigcontext.r8, Reg.r8],
  [Sigcontext.r9, Reg.r9],
  [Sigcontext.r10, Reg.r10],
  [Sigcontext.r11, Reg.r11],
  [Sigcontext.r12, Reg.r12],
  [Sigcontext.r13, Reg.r13],
  [Sigcontext.r14, Reg.r14],
  [Sigcontext.r15, Reg.r15],
  [Sigcontext.rdi, Reg.rdi],
  [Sigcontext.rsi, Reg.rsi],
  [Sigcontext.rbp, Reg.rbp],
  [Sigcontext.rbx, Reg.rbx],
  [Sigcontext.rdx, Reg.rdx],
  [Sigcontext.rax, Reg.rax],
  [Sigcontext.rcx, Reg.rcx],
  [Sigcontext.rsp, Reg.rsp],
  [Sigcontext.rip, Reg.rip],
] as const;

/** Writes the state that a handler and a new program start with: all zero but the control words. */
export function initialFpu(into: Uint8Array): void {
  into.fill(0);
  const v = viewOf(into);
  v.setUint16(FpState.fcw, 0x37f, true);
  v.setUint32(FpState.mxcsr, 0x1f80, true);
  v.setUint32(FpState.mxcsrMask, MXCSR_MASK, true);
}

/** SS_ONSTACK's condition: `sp` lies on the alternate stack. Never true with SS_AUTODISARM. */
export function isOnAltStack(stack: AltStack, sp: bigint): boolean {
  if ((stack.flags & SS_AUTODISARM) !== 0) return false;
  return sp > stack.sp && sp - stack.sp <= BigInt(stack.size);
}

/** Why a new alternate stack is refused, or what is set. */
export function checkAltStack(sp: bigint, flags: number, size: bigint): AltStack | 'invalid' | 'too-small' {
  const mode = (flags & ~SS_AUTODISARM) >>> 0;
  if (mode !== 0 && mode !== 1 && mode !== SS_DISABLE) return 'invalid';
  if (mode === SS_DISABLE) return { ...NO_ALT_STACK, flags };
  if (size < BigInt(MINSIGSTKSZ)) return 'too-small';
  return { sp, size: Number(size), flags };
}

/**
 * Builds the frame for a handler and points the registers at the handler.
 * @returns false when the stack cannot take the frame: the task then gets SIGSEGV
 */
export function pushSignalFrame(task: Task, info: SignalInfo, action: SignalAction, maskToRestore: bigint): boolean {
  const { regs, altStack } = task;
  if ((action.flags & SA_RESTORER) === 0) return false;
  const userSp = regs.u64[Reg.rsp] as bigint;
  let sp = userSp - BigInt(RED_ZONE);
  const usesAlt = (action.flags & SA_ONSTACK) !== 0 && altStack.size > 0;
  const wasOnAlt = isOnAltStack(altStack, userSp);
  const entersAlt = usesAlt && !isOnAltStack(altStack, sp);
  if (entersAlt) sp = altStack.sp + BigInt(altStack.size);
  // A stack that is none is found out when the frame is written.
  const top = Number(sp);
  const fpAddr = top - FPU_BYTES - ((top - FPU_BYTES) % 64);
  const below = fpAddr - RtSigframe.size;
  const frame = below - (below % 16) - 8;
  // A handler that overflows the alternate stack must not walk off it unseen.
  if (
    (entersAlt || wasOnAlt) &&
    altStack.size > 0 &&
    (altStack.flags & SS_AUTODISARM) === 0 &&
    BigInt(frame) <= altStack.sp
  ) {
    return false;
  }

  task.kernel.platform.saveFpu(task);
  const fp = task.fpu.slice();
  viewOf(fp).setUint32(FpState.mxcsrMask, MXCSR_MASK, true);
  fp.fill(0, FpState.magic1);
  const bytes = new Uint8Array(RtSigframe.size);
  const v = viewOf(bytes);
  v.setBigUint64(RtSigframe.pretcode, action.restorer, true);
  const uc = RtSigframe.ucontext;
  v.setBigUint64(uc + Ucontext.flags, BigInt(UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS), true);
  v.setBigUint64(uc + Ucontext.stack + StackT.sp, altStack.sp, true);
  v.setUint32(uc + Ucontext.stack + StackT.flags, altStack.flags, true);
  v.setBigUint64(uc + Ucontext.stack + StackT.stackSize, BigInt(altStack.size), true);
  const mc = uc + Ucontext.mcontext;
  for (const [offset, reg] of CONTEXT_REGS) v.setBigUint64(mc + offset, regs.u64[reg] as bigint, true);
  v.setBigUint64(mc + Sigcontext.rflags, regs.u64[Reg.rflags] as bigint, true);
  v.setUint16(mc + Sigcontext.cs, USER_CS, true);
  v.setUint16(mc + Sigcontext.ss, USER_SS, true);
  v.setBigUint64(mc + Sigcontext.err, BigInt(task.lastFault.error), true);
  v.setBigUint64(mc + Sigcontext.trapno, BigInt(task.lastFault.trapno), true);
  v.setBigUint64(mc + Sigcontext.oldmask, maskToRestore, true);
  v.setBigUint64(mc + Sigcontext.cr2, task.lastFault.cr2, true);
  v.setBigUint64(mc + Sigcontext.fpstate, BigInt(fpAddr), true);
  v.setBigUint64(uc + Ucontext.sigmask, maskToRestore, true);
  bytes.set(info.bytes.subarray(0, Siginfo.size), RtSigframe.siginfo);
  if (task.mm.copyOut(fpAddr, fp) !== fp.length || task.mm.copyOut(frame, bytes) !== bytes.length) return false;

  if ((altStack.flags & SS_AUTODISARM) !== 0) task.altStack = NO_ALT_STACK;
  regs.set(Reg.rdi, info.signo);
  regs.set(Reg.rsi, frame + RtSigframe.siginfo);
  regs.set(Reg.rdx, frame + RtSigframe.ucontext);
  regs.set(Reg.rax, 0);
  regs.set(Reg.rsp, frame);
  regs.u64[Reg.rip] = action.handler;
  regs.u64[Reg.rflags] = (regs.u64[Reg.rflags] as bigint) & ~(TF | DF | RF);
  initialFpu(task.fpu);
  task.kernel.platform.loadFpu(task);
  return true;
}

/**
 * rt_sigreturn: takes the context back from the stack.
 * @returns 0; -EFAULT when there is no valid frame: the task then gets SIGSEGV; or the selector of a segment that is not
 *   the program's, over which the way back to it stumbles: 3 for none
 */
export function popSignalFrame(task: Task): number {
  const { regs } = task;
  const bytes = new Uint8Array(Ucontext.size);
  if (task.mm.copyIn(regs.get(Reg.rsp), bytes) !== bytes.length) return -EFAULT;
  const v = viewOf(bytes);
  const mc = Ucontext.mcontext;
  const cs = v.getUint16(mc + Sigcontext.cs, true) | 3;
  const ss = v.getUint16(mc + Sigcontext.ss, true) | 3;
  const strictSs = (v.getUint32(Ucontext.flags, true) & UC_STRICT_RESTORE_SS) !== 0;

  const fpAddr = v.getBigUint64(mc + Sigcontext.fpstate, true);
  if (fpAddr === 0n) {
    initialFpu(task.fpu);
  } else {
    const fp = new Uint8Array(FPU_BYTES);
    if (task.mm.copyIn(Number(fpAddr), fp) !== fp.length) return -EFAULT;
    if ((viewOf(fp).getUint32(FpState.mxcsr, true) & ~MXCSR_MASK) !== 0) return -EFAULT;
    task.kernel.platform.saveFpu(task);
    task.fpu.set(fp.subarray(0, FpState.magic1));
  }
  task.kernel.platform.loadFpu(task);

  task.mask = v.getBigUint64(Ucontext.sigmask, true) & ~UNBLOCKABLE;
  for (const [offset, reg] of CONTEXT_REGS) regs.u64[reg] = v.getBigUint64(mc + offset, true);
  const flags = v.getBigUint64(mc + Sigcontext.rflags, true);
  regs.u64[Reg.rflags] = ((regs.u64[Reg.rflags] as bigint) & ~RESTORED_FLAGS) | (flags & RESTORED_FLAGS);
  const stack = Ucontext.stack;
  const restored = checkAltStack(
    v.getBigUint64(stack + StackT.sp, true),
    v.getUint32(stack + StackT.flags, true),
    v.getBigUint64(stack + StackT.stackSize, true),
  );
  if (typeof restored !== 'string' && !isOnAltStack(task.altStack, regs.u64[Reg.rsp] as bigint))
    task.altStack = restored;
  // Other segments (32-bit code) do not exist here: iret faults.
  if (cs !== USER_CS) return cs;
  return strictSs && ss !== USER_SS ? ss : 0;
}
