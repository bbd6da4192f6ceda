// SPDX-License-Identifier: MIT
//
// A stub thread and the thread context that it runs: the frames behind their records, and typed access to them.
// Models gVisor sysmsg.Msg, sysmsg.ThreadContext and subprocess.go's set-up of both.
//
// DIVERGES: each context has a stub thread of its own. gVisor keeps a pool per subprocess and any of them picks up any
// runnable context; which one does is invisible to a guest that keeps its hands off GS.

import { PAGE_SIZE } from '../base/addr.ts';
import type { PhysAddr } from '../base/addr.ts';
import { Reg, Regs } from '../cpu/regs.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import {
  BLOCK_MSG,
  BLOCK_STACK_TOP,
  Context,
  Msg,
  STUB_BLOCK_BYTES,
  STUB_CODE,
  STUB_CONTEXTS,
  STUB_THREADS,
  ThreadState,
  UserRegs,
} from './stub-layout.ts';
import type { SpaceTraps } from './space-traps.ts';

const WORDS = PAGE_SIZE / 4;
const STUB_HIGH = Math.floor(STUB_CODE / 2 ** 32);

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

/** The platform's state of a guest context; all there is of it when nothing is patched. */
export class ContextState {
  /** Registers while another context is current. */
  readonly saved = new Regs();
}

/** A stub thread and the context that it runs. */
export class StubThread extends ContextState {
  readonly id: number;
  /** Address of the record that GS points at. */
  readonly msgAddr: number;
  readonly contextAddr: number;
  readonly stackTop: number;
  /** Low words of the two addresses; the high word is the stub region's. */
  readonly msgLow: number;
  readonly stackTopLow: number;
  /** The three pages: stack, Msg, thread context. */
  private readonly pages: readonly PhysAddr[];
  /** Msg as words. */
  readonly msg: Uint32Array;
  private readonly context: Uint32Array;
  private mm: AddressSpace;
  traps: SpaceTraps;
  /** What GS base holds when this thread runs; upstream never puts it back. */
  gsBase: bigint;
  /** The guest wrote a GS base of its own (only where assertGs is on). */
  ownsGs = false;

  /** @returns undefined when memory is out */
  static create(id: number, traps: SpaceTraps): StubThread | undefined {
    const { memory } = traps.mm;
    const pages: PhysAddr[] = [];
    for (let i = 0; i < 3; i++) {
      const page = memory.allocatePage();
      if (page === 0) {
        for (const p of pages) memory.releasePage(p);
        return undefined;
      }
      pages.push(page);
    }
    const thread = new StubThread(id, traps, pages);
    if (thread.map()) return thread;
    thread.dispose();
    return undefined;
  }

  private constructor(id: number, traps: SpaceTraps, pages: readonly PhysAddr[]) {
    super();
    this.id = id;
    this.traps = traps;
    this.mm = traps.mm;
    this.pages = pages;
    const block = STUB_THREADS + id * STUB_BLOCK_BYTES;
    this.msgAddr = block + BLOCK_MSG;
    this.stackTop = block + BLOCK_STACK_TOP;
    this.msgLow = this.msgAddr % 2 ** 32;
    this.stackTopLow = this.stackTop % 2 ** 32;
    this.contextAddr = STUB_CONTEXTS + id * PAGE_SIZE;
    this.gsBase = BigInt(this.msgAddr);
    const arena = traps.mm.memory.mmu.memory;
    this.msg = new Uint32Array(arena, pages[1] ?? 0, WORDS);
    this.context = new Uint32Array(arena, pages[2] ?? 0, WORDS);
    this.initialise();
  }

  /** Fills the record as the Sentry does when it makes a thread (SP:1111-1159). */
  initialise(): void {
    this.msg.fill(0);
    this.setMsg(Msg.self, this.msgAddr);
    this.setMsg(Msg.syshandler, STUB_CODE);
    this.setMsg(Msg.syshandlerStack, this.stackTop);
    this.setMsg(Msg.context, this.contextAddr);
    this.msg[Msg.threadId / 4] = this.id;
    this.context[Context.threadId / 4] = this.id;
    this.context[Context.lastThreadId / 4] = this.id;
  }

  /** Puts back what the guest may have overwritten, while this thread is in none of the stub's code. Hot: no allocation. */
  assertRecord(): void {
    const { msg } = this;
    msg[Msg.state / 4] = ThreadState.none;
    msg[Msg.syshandler / 4] = STUB_CODE % 2 ** 32;
    msg[Msg.syshandler / 4 + 1] = STUB_HIGH;
    msg[Msg.syshandlerStack / 4] = this.stackTopLow;
    msg[Msg.syshandlerStack / 4 + 1] = STUB_HIGH;
  }

  /** Moves to another address space (execve). False when memory for its page tables is out. */
  moveTo(traps: SpaceTraps): boolean {
    this.unmap();
    this.mm = traps.mm;
    this.traps = traps;
    this.gsBase = BigInt(this.msgAddr);
    this.ownsGs = false;
    this.initialise();
    return this.map();
  }

  dispose(): void {
    this.unmap();
    for (const page of this.pages) this.mm.memory.releasePage(page);
  }

  get isPreparing(): boolean {
    return this.msg[Msg.state / 4] === ThreadState.prep;
  }

  /** Runs no stub code: the Sentry resumes the guest directly. */
  setIdle(): void {
    this.msg[Msg.state / 4] = ThreadState.none;
  }

  /** Loads the registers that the syshandler stored; returns the syscall number. Hot: no allocation. */
  loadContext(into: Regs): number {
    const context = this.context;
    const words = into.u32;
    for (let i = 0; i < RECORD_INDEX.length; i++)
      words[BLOCK_INDEX[i] as number] = context[RECORD_INDEX[i] as number] as number;
    // The Sentry works with the number in rax (SPA:82-85).
    words[0] = context[ORIG_RAX_INDEX] as number;
    words[1] = context[ORIG_RAX_INDEX + 1] as number;
    return words[0] as number;
  }

  /** Stores the registers for the syshandler to load. Hot: no allocation. */
  storeContext(from: Regs): void {
    const context = this.context;
    const words = from.u32;
    for (let i = 0; i < RECORD_INDEX.length; i++)
      context[RECORD_INDEX[i] as number] = words[BLOCK_INDEX[i] as number] as number;
    context[FS_BASE_INDEX] = words[2 * Reg.fsBase] as number;
    context[FS_BASE_INDEX + 1] = words[2 * Reg.fsBase + 1] as number;
  }

  private setMsg(offset: number, address: number): void {
    this.msg[offset / 4] = address % 2 ** 32;
    this.msg[offset / 4 + 1] = Math.floor(address / 2 ** 32);
  }

  /** DIVERGES: of the block's eight pages only the two that are used exist: the signal path is Sentry code here. */
  private map(): boolean {
    const [stack, msg, context] = this.pages;
    return (
      this.mm.mapStub(this.stackTop - PAGE_SIZE, stack ?? 0, true, false) &&
      this.mm.mapStub(this.msgAddr, msg ?? 0, true, false) &&
      this.mm.mapStub(this.contextAddr, context ?? 0, true, false)
    );
  }

  private unmap(): void {
    this.mm.unmapStub(this.stackTop - PAGE_SIZE);
    this.mm.unmapStub(this.msgAddr);
    this.mm.unmapStub(this.contextAddr);
  }
}
