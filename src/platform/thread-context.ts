// SPDX-License-Identifier: MIT
//
// A guest task as the stub sees it: its record in guest memory (gVisor sysmsg.ThreadContext) and which stub thread runs
// it. Every thread of the guest can write the record; what is read back decides nothing but the task's own registers.

import { PAGE_SIZE } from '../base/addr.ts';
import type { PhysAddr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import { AUDIT_ARCH_X86_64 } from '../abi/signal-frame.ts';
import { SI_TKILL, SIGCHLD, SIGSYS, SYS_SECCOMP, SYS_USER_DISPATCH } from '../abi/signal.ts';
import { FPU_BYTES } from '../cpu/cpu.ts';
import { Reg, Regs } from '../cpu/regs.ts';
import type { UpstreamVersion } from '../usertrap/versions.ts';
import type { GuestContext } from './sentry.ts';
import type { SpaceTraps } from './space-traps.ts';
import { Context, ContextPhase, NO_THREAD, STUB_CONTEXTS, UserRegs } from './stub-layout.ts';
import type { StubThread } from './stub-thread.ts';
import type { Subprocess } from './subprocess.ts';

/** Where each general register, rip and the flags lie in a context: pairs of u32 index there and in a block. */
// prettier-ignore
const REGISTER_PAIRS: readonly (readonly [number, number])[] = [
  [UserRegs.r15, Reg.r15], [UserRegs.r14, Reg.r14], [UserRegs.r13, Reg.r13], [UserRegs.r12, Reg.r12], [UserRegs.rbp, Reg.rbp],
  [UserRegs.rbx, Reg.rbx], [UserRegs.r11, Reg.r11], [UserRegs.r10, Reg.r10], [UserRegs.r9, Reg.r9], [UserRegs.r8, Reg.r8],
  [UserRegs.rax, Reg.rax], [UserRegs.rcx, Reg.rcx], [UserRegs.rdx, Reg.rdx], [UserRegs.rsi, Reg.rsi], [UserRegs.rdi, Reg.rdi],
  [UserRegs.rip, Reg.rip], [UserRegs.eflags, Reg.rflags], [UserRegs.rsp, Reg.rsp],
];
const RECORD_INDEX = Int32Array.from(
  REGISTER_PAIRS.flatMap(([at]) => [(Context.regs + at) / 4, (Context.regs + at) / 4 + 1]),
);
const BLOCK_INDEX = Int32Array.from(REGISTER_PAIRS.flatMap(([, r]) => [2 * r, 2 * r + 1]));
const FS_BASE_INDEX = (Context.regs + UserRegs.fsBase) / 4;
const ORIG_RAX_INDEX = (Context.regs + UserRegs.origRax) / 4;
const SIGINFO_INDEX = Context.siginfo / 4;
/** Bits of the flags that code in ring 3 can set. */
const USER_FLAGS = 0x244dd5;
const FIXED_FLAGS = 0x202;
const NO_CALL = 0xffffffff;

/** The platform's state of a guest context; all there is of it when nothing is patched. */
export class ContextState {
  /** Registers while another context is current. */
  readonly saved = new Regs();
}

/** A guest context and its record. */
export class ThreadContext extends ContextState {
  /** Of its address space: the first of its kind is 0. */
  readonly id: number;
  readonly address: number;
  /** The record. */
  readonly words: Uint32Array;
  readonly page: PhysAddr;
  readonly ctx: GuestContext;
  readonly subprocess: Subprocess;
  /** The stub thread that runs it; null while it is with the Sentry or waits for one. */
  thread: StubThread | null = null;
  /** The stub thread that ran it last. */
  lastThread: StubThread | null = null;

  constructor(ctx: GuestContext, subprocess: Subprocess, id: number, page: PhysAddr) {
    super();
    this.ctx = ctx;
    this.subprocess = subprocess;
    this.id = id;
    this.page = page;
    this.address = STUB_CONTEXTS + id * PAGE_SIZE;
    this.words = new Uint32Array(subprocess.mm.memory.mmu.memory, page, PAGE_SIZE / 4);
    // The rest is 0 (MSG Init).
    this.words[Context.fpStateChanged / 4] = 1;
    this.words[Context.threadId / 4] = NO_THREAD;
  }

  get traps(): SpaceTraps {
    return this.subprocess.traps;
  }

  /** Loads the registers that the syshandler stored; returns the syscall number. Hot: no allocation. */
  load(into: Regs): number {
    const record = this.words;
    const words = into.u32;
    for (let i = 0; i < RECORD_INDEX.length; i++)
      words[BLOCK_INDEX[i] as number] = record[RECORD_INDEX[i] as number] as number;
    words[2 * Reg.rflags] = ((words[2 * Reg.rflags] as number) & USER_FLAGS) | FIXED_FLAGS;
    words[2 * Reg.rflags + 1] = 0;
    // The Sentry works with the number in rax (SPA:82-85).
    words[0] = record[ORIG_RAX_INDEX] as number;
    words[1] = record[ORIG_RAX_INDEX + 1] as number;
    return words[0] as number;
  }

  /** Loads the registers with which the context is to go on: rax is what a call has returned. */
  loadResumed(into: Regs): void {
    const record = this.words;
    this.load(into);
    into.u32[0] = record[(Context.regs + UserRegs.rax) / 4] as number;
    into.u32[1] = record[(Context.regs + UserRegs.rax) / 4 + 1] as number;
    into.u32[2 * Reg.fsBase] = record[FS_BASE_INDEX] as number;
    into.u32[2 * Reg.fsBase + 1] = record[FS_BASE_INDEX + 1] as number;
  }

  /** Stores the registers for the syshandler to load. Hot: no allocation. */
  store(from: Regs): void {
    const record = this.words;
    const words = from.u32;
    for (let i = 0; i < RECORD_INDEX.length; i++)
      record[RECORD_INDEX[i] as number] = words[BLOCK_INDEX[i] as number] as number;
    record[FS_BASE_INDEX] = words[2 * Reg.fsBase] as number;
    record[FS_BASE_INDEX + 1] = words[2 * Reg.fsBase + 1] as number;
  }

  /** What the signal handler writes for a trapped call (SIG:234-248, 311-316). */
  noteTrap(regs: Regs, sysno: number, version: UpstreamVersion): void {
    const record = this.words;
    this.store(regs);
    record[ORIG_RAX_INDEX] = sysno;
    record[ORIG_RAX_INDEX + 1] = 0;
    const code = version.interception === 'seccomp' ? SYS_SECCOMP : SYS_USER_DISPATCH;
    this.noteSignal(SIGSYS, code, regs.get(Reg.rip));
    this.thread?.clearFaultJump();
    record[Context.fpStateChanged / 4] = 0;
    record[Context.err / 4] = 0;
    record[SIGINFO_INDEX + 6] = sysno;
    record[SIGINFO_INDEX + 7] = AUDIT_ARCH_X86_64;
    record[Context.state / 4] = ContextPhase.syscall;
  }

  /**
   * What it writes for a fault.
   * @param error of a page fault; 0 for others, and where the version has no such field
   */
  noteFault(regs: Regs, signo: number, code: number, address: number, error: number): void {
    this.noteRegs(regs);
    this.words[Context.err / 4] = error;
    this.noteEvent(signo, code, address);
  }

  /**
   * What it writes for the interrupt, which is sent by tgkill(2).
   * @param regs the context's; null when the record has them
   */
  noteInterrupt(regs: Regs | null): void {
    if (regs !== null) {
      this.noteRegs(regs);
      this.words[Context.err / 4] = 0;
    }
    this.noteEvent(SIGCHLD, SI_TKILL, 0);
  }

  private noteRegs(regs: Regs): void {
    this.store(regs);
    this.words[Context.fpStateChanged / 4] = 0;
  }

  private noteEvent(signo: number, code: number, address: number): void {
    const record = this.words;
    record[ORIG_RAX_INDEX] = NO_CALL;
    record[ORIG_RAX_INDEX + 1] = NO_CALL;
    this.noteSignal(signo, code, address);
    record[Context.state / 4] = ContextPhase.fault;
  }

  private noteSignal(signo: number, code: number, address: number): void {
    const record = this.words;
    record[Context.signo / 4] = signo;
    record[SIGINFO_INDEX] = signo;
    record[SIGINFO_INDEX + 1] = 0;
    record[SIGINFO_INDEX + 2] = code;
    record[SIGINFO_INDEX + 4] = address % 2 ** 32;
    record[SIGINFO_INDEX + 5] = Math.floor(address / 2 ** 32);
    record[SIGINFO_INDEX + 6] = 0;
    record[SIGINFO_INDEX + 7] = 0;
  }

  /** A stub thread has taken it from the queue, at this count of the time stamp counter. Hot: no allocation. */
  acknowledge(ticks: number): void {
    const record = this.words;
    record[Context.state / 4] = ContextPhase.none;
    record[Context.ackedTime / 4] = ticks % 2 ** 32;
    record[Context.ackedTime / 4 + 1] = Math.floor(ticks / 2 ** 32);
    // The Sentry reset it when it put the context into the queue.
    record[Context.stateChangedTime / 4] = 0;
    record[Context.stateChangedTime / 4 + 1] = 0;
    this.subprocess.queue?.pass();
  }

  /** Its stub thread has given it back to the Sentry. */
  noteReturn(ticks: number): void {
    this.words[Context.stateChangedTime / 4] = ticks % 2 ** 32;
    this.words[Context.stateChangedTime / 4 + 1] = Math.floor(ticks / 2 ** 32);
  }

  get fpuChanged(): boolean {
    return this.words[Context.fpStateChanged / 4] !== 0;
  }

  set fpuChanged(changed: boolean) {
    this.words[Context.fpStateChanged / 4] = changed ? 1 : 0;
    this.words[Context.fpStateChanged / 4 + 1] = 0;
  }

  set interrupted(interrupted: boolean) {
    this.words[Context.interrupt / 4] = interrupted ? 1 : 0;
  }

  /** The FP state where the syshandler's exit loads it from. */
  storeFpu(image: Uint8Array): void {
    new Uint8Array(this.words.buffer, this.words.byteOffset, FPU_BYTES).set(image);
  }
}

/** The stub thread that runs a context now, if its platform state has any. */
export function stubThreadOf(state: object | null): StubThread | null {
  return state instanceof ThreadContext ? state.thread : null;
}

savable('platform/thread-context', { ContextState, ThreadContext });
