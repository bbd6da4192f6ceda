// SPDX-License-Identifier: MIT
//
// Addresses and record layouts of the stub region: gVisor's sysmsg.go, sysmsg.h and sysmsg_offsets*.h.
// The region lies at the top of the user half, above everything that the guest may map.

import { USER_HALF_END } from '../base/addr.ts';
import { Reg, type Regs } from '../cpu/regs.ts';
import type { UpstreamVersion } from '../usertrap/versions.ts';

/**
 * First address of the stub region: the guest's address range ends here.
 * DIVERGES: gVisor places the region by the host's layout; here it is fixed, 256 MiB below the top.
 */
export const STUB_START = 0x7ffff0000000;
export const STUB_END = USER_HALF_END - 4096;

/** Stub code: syshandler and its gate. One page, shared by all address spaces. */
export const STUB_CODE = STUB_START;
/** Thread contexts: one page each, `MAX_CONTEXTS` an address space (SP:118). */
export const STUB_CONTEXTS = STUB_START + 0x100000;
/** The queue of contexts: nine pages, and before the contexts one for the queue of spinning threads, where nothing is mapped. */
export const STUB_QUEUE = STUB_CONTEXTS - 0xa000;
/** Stub threads' blocks: 8 pages each, aligned to their size. */
export const STUB_THREADS = STUB_START + 0x2000000;
export const STUB_BLOCK_BYTES = 0x8000;
export const MAX_CONTEXTS = 4095;
/** No thread, in a context's thread_id (SP:120-123). */
export const NO_THREAD = 0xfefefefe;

/** Offsets inside a stub thread's block (MSG:56-77): guard, two pages of stack, guard, three of signal stack, the record. */
export const BLOCK_STACK = 0x1000;
export const BLOCK_STACK_TOP = 0x3000;
export const BLOCK_SIGNAL_STACK = 0x4000;
export const BLOCK_MSG = 0x7000;

/** Offsets in the record that GS points at (MSG:117-162); those of state, context and what follows depend on the version. */
// prettier-ignore
export const Msg = {
  self: 0x00, retAddr: 0x08, syshandler: 0x10, syshandlerStack: 0x18, appStack: 0x20,
  interrupt: 0x28, state: 0x2c, context: 0x30, faultJump: 0x38,
  err: 0x3c, errAdditional: 0x40, errLine: 0x44, debug: 0x48, threadId: 0x50,
} as const;

/** What a stub panics with when its thread's state is wrong (MSG:291-309); a number more, and the line of the source. */
export const BAD_THREAD_STATE = 0x0bad0001;

/** Where a version keeps a stub panic's code: right behind the pointer to the context and, from March 2023 on, fault_jump. */
export function errorOffset(version: UpstreamVersion): number {
  return version.contextOffset === Msg.context ? Msg.err : version.contextOffset + 8;
}

/** Stub thread states (MSG:99-114), as they are numbered since May 2023. */
// prettier-ignore
export const ThreadState = { none: 0, done: 1, prep: 2, asleep: 3, initializing: 4 } as const;

/** The number of a later state in a version: all from PREP on moved with it. */
export function threadState(state: number, version: UpstreamVersion): number {
  return state < ThreadState.prep ? state : state - ThreadState.prep + version.prep;
}

/** States of a context (MSG:186-206). CAN_BE_PATCHED is SYSCALL to the Sentry by the time anybody could see it. */
// prettier-ignore
export const ContextPhase = {
  none: 0, syscall: 1, fault: 2, syscallTrap: 3, canBePatched: 4, unexpectedDeath: 5, invalid: 6,
} as const;

/** Offsets in a guest task's record (MSG:208-284). */
// prettier-ignore
export const Context = {
  fpState: 0x000, fpStateChanged: 0xe00, regs: 0xe08, siginfo: 0xee0, signo: 0xf60, state: 0xf68,
  interrupt: 0xf6c, threadId: 0xf70, lastThreadId: 0xf74, sentryFastPath: 0xf78, ackedTime: 0xf80,
  stateChangedTime: 0xf88, tls: 0xf90, debug: 0xf98, err: 0xfa0,
} as const;

/** Offsets in `Context.regs`: Linux's user_regs_struct. */
// prettier-ignore
export const UserRegs = {
  r15: 0x00, r14: 0x08, r13: 0x10, r12: 0x18, rbp: 0x20, rbx: 0x28, r11: 0x30, r10: 0x38, r9: 0x40, r8: 0x48,
  rax: 0x50, rcx: 0x58, rdx: 0x60, rsi: 0x68, rdi: 0x70, origRax: 0x78, rip: 0x80, cs: 0x88, eflags: 0x90,
  rsp: 0x98, ss: 0xa0, fsBase: 0xa8, gsBase: 0xb0, ds: 0xb8, es: 0xc0, fs: 0xc8, gs: 0xd0,
} as const;

/** The program's GS base where the registers hold one, 0 where they hold a stub's. */
export function programsGs(regs: Regs): number {
  const base = regs.get(Reg.gsBase);
  return base >= STUB_START && base < STUB_END ? 0 : base;
}
