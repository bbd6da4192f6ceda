// SPDX-License-Identifier: MIT
//
// Which context the processor holds, which stub thread runs it, and whose FP state is loaded: contexts come from the
// queue, are interrupted, and go back to the Sentry. Models the stub's switch_context and its SIGCHLD rules
// (sighandler_amd64.c:172-248, sysmsg_lib.c:378-402).

import { invariant } from '../base/errors.ts';
import { savable } from '../base/savable.ts';
import { FPU_BYTES } from '../cpu/cpu.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Reg } from '../cpu/regs.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceSink } from '../trace/events.ts';
import type { Guards } from '../usertrap/guards.ts';
import { TRAP_BYTES, TRAP_CODE_OFFSET, TRAP_USED_BYTES } from '../usertrap/layout.ts';
import type { UpstreamVersion } from '../usertrap/versions.ts';
import type { GuestContext, PlatformEvent } from './sentry.ts';
import type { Spaces } from './spaces.ts';
import type { StubCode } from './stub-code.ts';
import { STUB_CODE, STUB_END, STUB_START, ThreadState } from './stub-layout.ts';
import type { StubThread } from './stub-thread.ts';
import { ContextState, ThreadContext } from './thread-context.ts';

const GS_LOW = 2 * Reg.gsBase;
const STUB_HIGH = Math.floor(STUB_CODE / 2 ** 32);
/** Interrupts that a context's own code may put off, before it is taken from it all the same. */
const MAX_POSTPONED = 64;

export interface CurrentContextOptions {
  readonly spaces: Spaces;
  readonly guards: Guards;
  readonly version: UpstreamVersion;
  /** Stub threads of a subprocess, shared by its contexts; 0: each context has its own. */
  readonly stubThreads: number;
  readonly stubPreemption: boolean;
  readonly code: StubCode;
  readonly trace: TraceSink;
}

/** What is on the processor. */
export class CurrentContext {
  current: GuestContext | null = null;
  thread: StubThread | null = null;
  context: ThreadContext | null = null;
  private fpuOwner: GuestContext | null = null;
  private readonly cpu: Cpu;
  private readonly options: CurrentContextOptions;
  private readonly sendInterrupt = ({ ctx }: ThreadContext): boolean => this.interrupt(ctx);

  constructor(cpu: Cpu, options: CurrentContextOptions) {
    this.cpu = cpu;
    this.options = options;
  }

  /** A context goes for good. */
  forget(ctx: GuestContext): void {
    if (this.current === ctx) this.leave(ctx);
    if (this.fpuOwner === ctx) this.fpuOwner = null;
  }

  /** Puts a context on the processor; false when memory for a stub thread is out. */
  enter(ctx: GuestContext): boolean {
    const cpu = this.cpu;
    if (this.current !== null) this.leave(this.current);
    const context = ctx.platformState instanceof ThreadContext ? ctx.platformState : null;
    const thread = context === null ? null : this.options.spaces.claim(context, this.sendInterrupt);
    if (thread === undefined) return false;
    cpu.regs.copyFrom(ctx.regs);
    ctx.regs = cpu.regs;
    this.current = ctx;
    this.thread = thread;
    this.context = context;
    if (thread === null || context === null) {
      this.ownFpu(ctx);
      return true;
    }
    cpu.regs.u64[Reg.gsBase] = thread.gsBase;
    if (this.options.guards.assertRecord) thread.assertRecord();
    if (context.thread === thread) {
      this.ownFpu(ctx);
      // It goes on where it was, and is yet to load the context's.
      if (thread.staleFpu !== null) cpu.loadFpu(thread.staleFpu);
      thread.staleFpu = null;
    } else this.takeFromQueue(ctx, context, thread);
    return true;
  }

  /** A waiting stub thread resumes a context: by a signal's return, or by the syshandler's exit if that is where it waits. */
  private takeFromQueue(ctx: GuestContext, context: ThreadContext, thread: StubThread): void {
    const cpu = this.cpu;
    if (thread.context !== context || context.lastThread !== thread) context.fpuChanged = true;
    thread.take(context, context.subprocess.now());
    context.acknowledge(this.ticks);
    const { staleFpu, isInSyshandler } = thread;
    thread.staleFpu = null;
    thread.isInSyshandler = false;
    const loadsFpu = isInSyshandler && context.fpuChanged;
    if (loadsFpu) {
      this.saveFpu(ctx);
      context.storeFpu(ctx.fpu);
      if (this.fpuOwner !== null && this.fpuOwner !== ctx) cpu.saveFpu(this.fpuOwner.fpu);
      // The stub's code is going to load it.
      this.fpuOwner = ctx;
    } else {
      this.ownFpu(ctx);
      // D7: the thread believes that its FP registers are the context's.
      if (staleFpu !== null && !context.fpuChanged) cpu.loadFpu(staleFpu);
    }
    context.store(cpu.regs);
    if (!isInSyshandler) {
      thread.setState(ThreadState.none);
      return;
    }
    const { regs } = cpu;
    regs.set(Reg.rsp, thread.stackTop);
    regs.set(Reg.rip, STUB_CODE + this.options.code.gateReturn);
  }

  private ownFpu(ctx: GuestContext): void {
    const owner = this.fpuOwner;
    if (owner === ctx) return;
    if (owner !== null) this.cpu.saveFpu(owner.fpu);
    this.cpu.loadFpu(ctx.fpu);
    this.fpuOwner = ctx;
  }

  /** The context's registers move to a block of its own. */
  leave(ctx: GuestContext): void {
    const state = ctx.platformState;
    invariant(state instanceof ContextState, () => 'the context is not attached');
    state.saved.copyFrom(this.cpu.regs);
    const thread = this.thread;
    if (state instanceof ThreadContext && thread !== null) {
      if (this.options.guards.assertGs && this.hasForeignGs(thread)) this.giveUpGs(thread);
      thread.gsBase = this.cpu.regs.u64[Reg.gsBase] as bigint;
      if (this.options.stubPreemption) this.keepThreadFpu(state, thread);
    }
    ctx.regs = state.saved;
    this.current = null;
    this.thread = null;
    this.context = null;
  }

  /** A thread that loses the processor right before it loads a context's FP state still has another's. */
  private keepThreadFpu(context: ThreadContext, thread: StubThread): void {
    const offset = this.cpu.regs.get(Reg.rip) - STUB_CODE;
    const { gateReturn, fpuDone, handBack, handedBack } = this.options.code;
    const isBefore = (offset >= gateReturn && offset < fpuDone) || (offset >= handBack && offset < handedBack);
    if (!isBefore || !context.fpuChanged || context.thread !== thread) return;
    thread.staleFpu = new Uint8Array(FPU_BYTES);
    this.cpu.saveFpu(thread.staleFpu);
    this.fpuOwner = null;
  }

  /** The current context goes to the Sentry: its stub thread waits for another. */
  release(ctx: GuestContext, event: PlatformEvent, isInSyshandler: boolean): void {
    const thread = this.thread;
    if (thread === null || this.options.stubThreads === 0) return;
    const { kind, signo, code, addr, errorCode } = event;
    const { context } = this;
    if (kind === 'fault') {
      context?.noteFault(ctx.regs, signo, code, addr, this.options.version.notesFaultError ? errorCode : 0);
    }
    context?.noteReturn(this.ticks);
    thread.release(isInSyshandler);
  }

  /** What rdtsc would give. */
  get ticks(): number {
    return this.cpu.tscOffset + this.cpu.instructions;
  }

  interrupt(ctx: GuestContext): boolean {
    const context = ctx.platformState;
    if (!(context instanceof ThreadContext) || this.options.stubThreads === 0) return true;
    const { thread, traps } = context;
    if (thread === null) return true;
    if (thread.isInHandler) {
      // SIGCHLD is masked there: it waits for whatever context the handler's return resumes (STU:72-93).
      context.interrupted = true;
      thread.isSignalled = true;
      return false;
    }
    thread.isSignalled = false;
    if (this.current === ctx) this.leave(ctx);
    const { regs } = ctx;
    const rip = regs.get(Reg.rip);
    const isInStub = rip >= STUB_START && rip < STUB_END;
    // A guest that writes its own state puts no interrupt off for ever.
    const isPostponed = (isInStub || traps.isInTrampoline(rip)) && !thread.isRunning;
    if (isPostponed && thread.postponed++ < MAX_POSTPONED) {
      context.interrupted = true;
      return false;
    }
    thread.postponed = 0;
    context.interrupted = false;
    if (isInStub && thread.isRunning) {
      // The record is what the context is, not the registers that are loaded from it (SIG:238-248). Whether its FP state was
      // loaded is another matter (D7).
      context.loadResumed(regs);
      context.noteInterrupt(null);
      if (this.options.version.forgetsFpuChange) context.fpuChanged = false;
      else thread.staleFpu = null;
    } else {
      context.noteInterrupt(regs);
      thread.staleFpu = null;
    }
    context.noteReturn(this.ticks);
    thread.release(false);
    return true;
  }

  /** All that the processor holds goes to the contexts it belongs to. */
  rest(): void {
    if (this.current !== null) this.leave(this.current);
    if (this.fpuOwner !== null) this.cpu.saveFpu(this.fpuOwner.fpu);
    this.fpuOwner = null;
  }

  /** The stub gives the current context back before it has loaded anything of it. */
  handBack(): void {
    const { context } = this;
    if (context === null) return;
    context.loadResumed(this.cpu.regs);
    // Its FP state is where it was loaded from.
    if (context.fpuChanged && this.fpuOwner === context.ctx) this.fpuOwner = null;
  }

  // ---- where it is

  /** The next instruction is one of a slot or of the stub. */
  isInStub(ctx: GuestContext): boolean {
    const rip = ctx.regs.get(Reg.rip);
    return (rip >= STUB_START && rip < STUB_END) || this.context?.traps.inSlots(rip) === true;
  }

  /**
   * Whether the registers are the application's.
   * @param executed instructions of this run
   */
  isInGuest(ctx: GuestContext, executed: number): boolean {
    const { thread } = this;
    if (thread === null) return true;
    const rip = ctx.regs.get(Reg.rip);
    if (rip >= STUB_START) return rip >= STUB_END;
    if (!thread.traps.inSlots(rip)) return true;
    const { base } = thread.traps;
    const offset = (rip - base) % TRAP_BYTES;
    // Before the slot's first instruction has run the task is ordinary user code, and upstream shows it so (its handler acts on state NONE).
    if (offset === TRAP_CODE_OFFSET) {
      if (!this.options.guards.hideSlotRip) return true;
      // Back to the jump, unless the jump is all that was executed: a task must get on.
      const site = executed > 1 ? thread.traps.bySlot.get(rip - TRAP_CODE_OFFSET) : undefined;
      if (site === undefined) return false;
      ctx.regs.set(Reg.rip, site.address);
      // The jump will count again.
      this.cpu.correctCount(-1);
      return true;
    }
    return offset < TRAP_CODE_OFFSET || offset >= TRAP_USED_BYTES;
  }

  saveFpu(ctx: GuestContext): void {
    if (this.fpuOwner === ctx) this.cpu.saveFpu(ctx.fpu);
  }

  loadFpu(ctx: GuestContext): void {
    if (ctx.platformState instanceof ThreadContext) ctx.platformState.fpuChanged = true;
    if (this.fpuOwner === ctx) this.cpu.loadFpu(ctx.fpu);
  }

  // ---- GS

  /** The guest has loaded GS: its base is not what this thread's trampolines need. */
  hasForeignGs(thread: StubThread): boolean {
    const words = this.cpu.regs.u32;
    return words[GS_LOW] !== thread.msgLow || words[GS_LOW + 1] !== STUB_HIGH;
  }

  /**
   * A task uses GS itself: trampolines would store into its memory. The whole space goes back to trapping.
   * DIVERGES: upstream lets such a task run into its own memory (usertrap.md scenarios 53 and 54).
   */
  giveUpGs(thread: StubThread): void {
    thread.ownsGs = true;
    const { traps } = thread;
    if (traps.closed !== null) return;
    traps.closed = 'own-gs';
    this.options.trace.emit(EventKind.tableLost, traps.tid, traps.base, 1);
    traps.restoreSites();
  }
}

savable('platform/current-context', { CurrentContext }, { isPlace: true, kept: ['cpu', 'options'] });
