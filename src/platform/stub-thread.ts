// SPDX-License-Identifier: MIT
//
// A stub thread: the host thread that runs guest contexts, with its block of guest memory and the record in it that GS
// points at (gVisor sysmsg.Msg; set-up as in subprocess.go). The guest can write the record.

import { PAGE_SIZE } from '../base/addr.ts';
import type { PhysAddr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { UpstreamVersion } from '../usertrap/versions.ts';
import type { SpaceTraps } from './space-traps.ts';
import {
  BLOCK_MSG,
  BLOCK_SIGNAL_STACK,
  BLOCK_STACK,
  BLOCK_STACK_TOP,
  Context,
  ContextPhase,
  Msg,
  NO_THREAD,
  STUB_BLOCK_BYTES,
  STUB_CODE,
  STUB_THREADS,
  ThreadState,
  threadState,
} from './stub-layout.ts';
import type { ThreadContext } from './thread-context.ts';

const STUB_HIGH = Math.floor(STUB_CODE / 2 ** 32);

/** The pages of a block that exist: the others are guards. */
const BLOCK_PAGES: readonly number[] = [
  BLOCK_MSG,
  BLOCK_STACK_TOP - PAGE_SIZE,
  BLOCK_STACK,
  BLOCK_SIGNAL_STACK,
  BLOCK_SIGNAL_STACK + PAGE_SIZE,
  BLOCK_SIGNAL_STACK + 2 * PAGE_SIZE,
];
/** Of these, what is ever used here: the signal path is Sentry code. */
const USED_PAGES = 2;

/** No panic yet (MSG Init). */
const NO_LINE = 0xffffffff;

/** One stub thread of a subprocess. */
export class StubThread {
  /** In its subprocess: also the number of its block. Shared threads begin with 1, as seen under runsc. */
  readonly id: number;
  /** Address of the record that GS points at. */
  readonly msgAddr: number;
  readonly stackTop: number;
  /** Low words of the two addresses; the high word is the stub region's. */
  readonly msgLow: number;
  readonly stackTopLow: number;
  /** The record as words. */
  readonly msg: Uint32Array;
  /** Of the address space that it runs in. */
  traps: SpaceTraps;
  /** The context that it runs or ran last. */
  context: ThreadContext | null = null;
  /** What GS base holds when this thread runs; upstream sets it once and never looks at it again (SPA:213-217). */
  gsBase: bigint;
  /** The guest wrote a GS base of its own (only where assertGs is on). */
  ownsGs = false;
  /** It waits for a context inside the syshandler and leaves it by the syshandler's exit, not by a signal's return. */
  isInSyshandler = false;
  /** When it took its context: larger is later. */
  takenAt = 0;
  /** The host has taken the processor from its signal handler, before that has looked at the call that trapped. */
  isInHandler = false;
  /** SIGCHLD came meanwhile: it is delivered when the handler returns, whose context that may be. */
  isSignalled = false;
  /** Interrupts that it has put off since its last patched call. */
  postponed = 0;
  /** FP registers that it holds although its context's are others (D7): an FXSAVE image. */
  staleFpu: Uint8Array | null = null;
  private readonly pages: readonly PhysAddr[];
  private readonly version: UpstreamVersion;
  private stateIndex: number;
  private contextIndex: number;

  /**
   * @param isWhole all pages of the block exist, as upstream; else only those that are used
   * @returns undefined when memory is out
   */
  static create(traps: SpaceTraps, id: number, version: UpstreamVersion, isWhole: boolean): StubThread | undefined {
    const { mm } = traps;
    const { memory } = mm;
    const pages: PhysAddr[] = [];
    for (let i = 0; i < (isWhole ? BLOCK_PAGES.length : USED_PAGES); i++) {
      const page = memory.allocatePage();
      if (page === 0) {
        for (const p of pages) memory.releasePage(p);
        return undefined;
      }
      pages.push(page);
    }
    const thread = new StubThread(traps, id, version, pages);
    if (thread.map(mm)) return thread;
    thread.dispose(mm);
    return undefined;
  }

  private constructor(traps: SpaceTraps, id: number, version: UpstreamVersion, pages: readonly PhysAddr[]) {
    this.traps = traps;
    this.id = id;
    this.version = version;
    this.pages = pages;
    const block = STUB_THREADS + id * STUB_BLOCK_BYTES;
    this.msgAddr = block + BLOCK_MSG;
    this.stackTop = block + BLOCK_STACK_TOP;
    this.msgLow = this.msgAddr % 2 ** 32;
    this.stackTopLow = this.stackTop % 2 ** 32;
    this.gsBase = BigInt(this.msgAddr);
    this.stateIndex = version.stateOffset / 4;
    this.contextIndex = version.contextOffset / 4;
    this.msg = new Uint32Array(traps.mm.memory.mmu.memory, pages[0] ?? 0, PAGE_SIZE / 4);
    this.setMsg(Msg.self, this.msgAddr);
    this.assertRecord();
    this.msg[Msg.threadId / 4] = id;
    if (version.contextOffset === Msg.context) this.msg[Msg.errLine / 4] = NO_LINE;
    this.setState(ThreadState.initializing);
  }

  /** Revived: another version of gVisor, which makes its stub threads anew, keeps state and context elsewhere. */
  revive(): void {
    const { version, context } = this;
    if (this.stateIndex * 4 === version.stateOffset && this.contextIndex * 4 === version.contextOffset) return;
    this.stateIndex = version.stateOffset / 4;
    this.contextIndex = version.contextOffset / 4;
    if (context !== null) this.setMsg(version.contextOffset, context.address);
    this.setState(this.isIdle ? ThreadState.asleep : ThreadState.none);
  }

  /** The pages that it holds: one reference each, beside those of their mappings. */
  heldPages(): readonly PhysAddr[] {
    return this.pages;
  }

  /** Puts back what the guest may have overwritten, while this thread is in none of the stub's code. Hot: no allocation. */
  assertRecord(): void {
    const { msg } = this;
    msg[this.stateIndex] = ThreadState.none;
    msg[Msg.syshandler / 4] = STUB_CODE % 2 ** 32;
    msg[Msg.syshandler / 4 + 1] = STUB_HIGH;
    msg[Msg.syshandlerStack / 4] = this.stackTopLow;
    msg[Msg.syshandlerStack / 4 + 1] = STUB_HIGH;
  }

  /** Runs `context` from now on: it comes from the queue, or the thread is its own. */
  take(context: ThreadContext, now: number): void {
    this.context = context;
    this.takenAt = now;
    this.setMsg(this.contextIndex * 4, context.address);
    context.thread = this;
    context.lastThread = this;
    context.words[Context.threadId / 4] = this.id;
    context.words[Context.state / 4] = ContextPhase.none;
    context.subprocess.queue?.take();
  }

  /** Its context goes to the Sentry; the thread waits for another. */
  release(isInSyshandler: boolean): void {
    const { context } = this;
    this.isInSyshandler = isInSyshandler;
    this.isInHandler = false;
    this.setState(ThreadState.asleep);
    if (context === null || context.thread !== this) return;
    context.thread = null;
    context.words[Context.threadId / 4] = NO_THREAD;
    context.words[Context.lastThreadId / 4] = this.id;
    context.subprocess.queue?.giveBack();
  }

  /** The state in the record is what the guest has left there. */
  get isPreparing(): boolean {
    return this.msg[this.stateIndex] === this.version.prep;
  }

  /** State NONE. */
  get isRunning(): boolean {
    return this.msg[this.stateIndex] === ThreadState.none;
  }

  get isIdle(): boolean {
    return this.context === null || this.context.thread !== this;
  }

  /**
   * How far the signal handler jumps over a fault (SIG:228-232): 0 but while it reads the site, unless the guest has
   * written something there. The handler's reads are steps here, so nobody else ever finds a distance.
   */
  takeFaultJump(): number {
    const { faultJumpOffset, clearsFaultJump } = this.version;
    const distance = (this.msg[faultJumpOffset / 4] as number) | 0;
    if (clearsFaultJump) this.msg[faultJumpOffset / 4] = 0;
    return distance;
  }

  /** The signal handler has read a site: the distance was that of its own load, and is 0 again. */
  clearFaultJump(): void {
    this.msg[this.version.faultJumpOffset / 4] = 0;
  }

  setState(state: number): void {
    this.msg[this.stateIndex] = threadState(state, this.version);
  }

  /** Maps the block into a subprocess's address space. False when memory for page tables is out. */
  map(mm: AddressSpace): boolean {
    const block = STUB_THREADS + this.id * STUB_BLOCK_BYTES;
    return this.pages.every((page, i) => mm.mapStub(block + (BLOCK_PAGES[i] ?? 0), page, true, false));
  }

  /** Takes the block out of it; the pages stay the thread's. */
  unmap(mm: AddressSpace): void {
    const block = STUB_THREADS + this.id * STUB_BLOCK_BYTES;
    for (const [i] of this.pages.entries()) mm.unmapStub(block + (BLOCK_PAGES[i] ?? 0));
  }

  dispose(mm: AddressSpace): void {
    this.unmap(mm);
    this.releasePages(mm);
  }

  /** Gives the pages of an unmapped block back. */
  releasePages(mm: AddressSpace): void {
    for (const page of this.pages) mm.memory.releasePage(page);
  }

  private setMsg(offset: number, address: number): void {
    this.msg[offset / 4] = address % 2 ** 32;
    this.msg[offset / 4 + 1] = Math.floor(address / 2 ** 32);
  }
}

savable('platform/stub-thread', { StubThread });
