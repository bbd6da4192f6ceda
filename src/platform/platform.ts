// SPDX-License-Identifier: MIT
//
// Systrap: runs guest contexts on the Cpu, turns stops into syscalls, faults and restarts, and keeps the
// trap tables. Models gVisor pkg/sentry/platform/systrap (systrap.go, subprocess.go).

import { savable } from '../base/savable.ts';
import { SIGBUS, SIGKILL } from '../abi/signal.ts';
import type { Cpu, Stop } from '../cpu/cpu.ts';
import { Reg, type Regs } from '../cpu/regs.ts';
import { writesGs } from '../isa/gs-write.ts';
import { MAX_INSTRUCTION_BYTES } from '../isa/instruction-length.ts';
import { SYSCALL_BYTES, SYSCALL_OFFSET } from '../isa/syscall-site.ts';
import type { Prng } from '../base/prng.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceSink } from '../trace/events.ts';
import { handleFault } from '../usertrap/fault-handler.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../usertrap/guards.ts';
import { TRAP_CODE_OFFSET, WINDOW_END, WINDOW_START } from '../usertrap/layout.ts';
import type { PatchConfig } from '../usertrap/patcher.ts';
import { GVISOR_PROTOCOL } from '../usertrap/protocol.ts';
import { drain } from '../usertrap/steps.ts';
import { tableCapacity } from '../usertrap/trap-table.ts';
import { HEAD, upstreamVersion } from '../usertrap/versions.ts';
import type { UpstreamVersion } from '../usertrap/versions.ts';
import { BreakpointUnit } from './breakpoints.ts';
import { CallCounter } from './call-counter.ts';
import { CurrentContext } from './current-context.ts';
import { exceptionEvent, pageFaultErrorCode } from './fault-event.ts';
import type { PlatformObserver } from './observer.ts';
import type { PlatformApi, PlatformOptions } from './platform-api.ts';
import type { GuestContext, PlatformEvent, PlatformMetrics, Sentry } from './sentry.ts';
import { SitePatcher } from './site-patcher.ts';
import { SpaceTraps } from './space-traps.ts';
import { Spaces } from './spaces.ts';
import { hardenedStubCode, upstreamStubCode } from './stub-code.ts';
import { errorOffset, Msg, programsGs, STUB_CODE, STUB_END, STUB_START, ThreadState } from './stub-layout.ts';
import type { StubThread } from './stub-thread.ts';
import { ContextState, ThreadContext } from './thread-context.ts';
import { STUB_STEPS, Turn } from './turn.ts';
import { returnFromVsyscall, vsyscallAt } from './vsyscall.ts';

const RIP_LOW = 2 * Reg.rip;
const RSP_LOW = 2 * Reg.rsp;
const RCX_LOW = 2 * Reg.rcx;
const R11_LOW = 2 * Reg.r11;
const FLAGS_LOW = 2 * Reg.rflags;
const RET_INDEX = Msg.retAddr / 4;
const STACK_INDEX = Msg.appStack / 4;
const TRAP_FLAG = 0x100;
const PAGE_FAULT_VECTOR = 14;
const STUB_HIGH = Math.floor(STUB_CODE / 2 ** 32);
/** Block by block: a longer run would leave the stub's code and be in it again by the time it ends. */
const STUB_BUDGET = 1;
/** Blocks before a guest that loops in stub code is stopped all the same. */
const STUB_RUNS = 64;
/** Traps of which the host takes the processor from one handler, before it has read the site. */
const HANDLER_TURNS = 16;
/** Instructions of a turn there. */
const MAX_TURN = 20_000;
/** Stub threads of a subprocess upstream: as on a machine with two processors. */
const DEFAULT_STUB_THREADS = 2;
/** Added to the number of a call by another ABI (SIG:311-316), or beyond 32 bits, so that it is unknown to the kernel. */
const FOREIGN_ABI = 0x86000000;
const DEBUG_STOP: Stop = { kind: 'debug', address: 0, access: 'read', present: false, vector: 0 };

export type { PlatformApi, PlatformOptions } from './platform-api.ts';

/** Runs guest contexts. One per Cpu; one context is current at a time. */
export class Platform implements PlatformApi {
  private readonly cpu: Cpu;
  private readonly sentry: Sentry;
  private patches: boolean;
  /** The stub is upstream's: registers pass through the context record. */
  private readonly savesInGuest: boolean;
  private readonly config: PatchConfig;
  private readonly version: UpstreamVersion;
  /** Stub threads of a subprocess, shared by its contexts; 0: each context has its own. */
  private threadLimit: number;
  /** Where a turn ends that may end in stub code; null when it may not. */
  private preemption: Prng | null;
  private readonly turn = new Turn();
  private readonly trace: TraceSink;
  private readonly observer: PlatformObserver | null;
  private readonly countsStub: boolean;
  /** No site is patched; what is patched stays so. */
  private readonly leavesSites: boolean;
  /** Low word of the instruction pointer behind the gate's syscall. */
  private readonly gateLow: number;
  private readonly panicLow: number;
  private readonly handBackLow: number;
  private readonly errorIndex: number;
  /** Where tables lie: kept here for checkpoints. */
  readonly prng: Prng;
  private readonly spaces: Spaces;
  private readonly on: CurrentContext;
  private panic = 0;
  /** The stub has given a context back that was interrupted while it waited. */
  private isHandedBack = false;
  private readonly calls = new CallCounter();

  private traps = 0;
  private patchedCalls = 0;
  private restarted = 0;
  private faults = 0;
  private readonly patcher: SitePatcher;
  private readonly event: PlatformEvent = {
    kind: 'budget',
    signo: 0,
    code: 0,
    addr: 0,
    trapno: 0,
    errorCode: 0,
    debugStatus: 0,
  };
  private readonly breakpoints: BreakpointUnit | null;

  /** @see PlatformApi */
  isPatchedCall = false;

  constructor(cpu: Cpu, sentry: Sentry, options: PlatformOptions) {
    this.cpu = cpu;
    this.sentry = sentry;
    this.patches = options.patch !== 'off';
    const isUpstream = options.patch === 'upstream';
    const guards = { ...(isUpstream ? UPSTREAM_GUARDS : HARDENED_GUARDS), ...options.guards };
    this.version = isUpstream ? upstreamVersion(options.upstream ?? HEAD.name) : HEAD;
    this.threadLimit = isUpstream ? (options.stubThreads ?? DEFAULT_STUB_THREADS) : 0;
    const isPreempted = isUpstream && options.stubPreemption === true;
    this.preemption = isPreempted ? options.prng.stream('preemption') : null;
    this.config = { guards, protocol: options.protocol ?? GVISOR_PROTOCOL, version: this.version };
    // The gate of the hardened code clobbers rcx and r11, so it serves only where that is wanted.
    this.savesInGuest = isUpstream || !guards.syscallClobbers;
    this.prng = options.prng.stream('usertrap');
    this.trace = options.trace;
    this.observer = options.observer ?? null;
    this.leavesSites = isUpstream && options.disablePatching === true;
    this.patcher = new SitePatcher(cpu, this.config, options.trace, !isUpstream, this.observer);
    const code = this.savesInGuest ? upstreamStubCode(false, this.version) : hardenedStubCode();
    const low = (offset: number): number => (offset < 0 ? -1 : (STUB_CODE + offset) % 2 ** 32);
    this.gateLow = low(code.gateReturn);
    this.panicLow = low(code.panicReturn);
    this.handBackLow = low(code.handedBack);
    this.errorIndex = errorOffset(this.version) / 4;
    const { trace, observer } = options;
    this.spaces = new Spaces({
      guards,
      version: this.version,
      stubThreads: this.threadLimit,
      code: this.patches ? code.bytes : null,
      book: this.patcher.book,
      makeTraps: (mm, book, known) => new SpaceTraps(mm, guards, this.prng, trace, observer ?? null, book, known),
    });
    this.on = new CurrentContext(cpu, {
      spaces: this.spaces,
      guards,
      version: this.version,
      stubThreads: this.threadLimit,
      stubPreemption: isPreempted,
      code,
      trace,
    });
    const { readOperands } = options;
    this.breakpoints =
      readOperands === undefined ? null : new BreakpointUnit(cpu, readOperands, () => this.onSyscall());
    cpu.onSyscall = () => this.onSyscall();
    this.countsStub = options.countsStub !== false || !this.patches;
    // The jump and its slot count as two, as the mov and the syscall do.
    if (!this.countsStub) {
      cpu.setCounting({ start: STUB_START, end: STUB_END }, { start: WINDOW_START, end: WINDOW_END });
    }
    cpu.screenGsWrites = this.patches && guards.assertGs;
  }

  get hasBreakpoints(): boolean {
    return this.breakpoints !== null;
  }

  // ---- spaces and contexts

  adoptSpace(mm: AddressSpace): number {
    return this.spaces.adopt(mm);
  }

  forkSpace(parent: AddressSpace, child: AddressSpace): number {
    const result = this.adoptSpace(child);
    const from = this.spaces.get(parent)?.traps;
    const to = this.spaces.get(child)?.traps;
    if (result !== 0 || from === undefined || to === undefined) return result;
    this.spaces.inherit(from, to);
    if (this.observer !== null) this.observer.onFork(from, to);
    return 0;
  }

  dropSpace(mm: AddressSpace): void {
    this.spaces.drop(mm);
    this.calls.forget(mm);
  }

  attach(ctx: GuestContext): number {
    if (!this.patches) {
      ctx.platformState = new ContextState();
      return 0;
    }
    const context = this.spaces.addContext(ctx);
    if (typeof context === 'number') return context;
    ctx.platformState = context;
    // A cloned task goes on with its parent's registers: a GS base of the guest's own stays, another stub's does not.
    const { thread } = context;
    if (thread !== null && this.config.guards.assertGs && programsGs(ctx.regs) !== 0) {
      thread.gsBase = ctx.regs.u64[Reg.gsBase] as bigint;
      this.on.giveUpGs(thread);
    }
    return 0;
  }

  detach(ctx: GuestContext): void {
    const isInSyshandler = this.isPatchedCall && this.on.current === ctx;
    this.on.forget(ctx);
    if (this.turn.interrupted === ctx) this.turn.interrupted = null;
    const context = ctx.platformState;
    ctx.platformState = null;
    if (!(context instanceof ThreadContext)) return;
    if (ctx.hasTracer && this.config.guards.restoreForTracer) context.traps.tracees--;
    context.subprocess.removeContext(context, isInSyshandler);
  }

  moveContext(ctx: GuestContext): number {
    const context = ctx.platformState;
    if (!(context instanceof ThreadContext)) return 0;
    const isInSyshandler = this.isPatchedCall && this.on.current === ctx;
    // The kernel fills in the registers of the new program now or later: GS base is set when the context runs.
    if (this.on.current === ctx) this.on.leave(ctx);
    const moved = this.spaces.addContext(ctx);
    if (typeof moved === 'number') return moved;
    if (ctx.hasTracer && this.config.guards.restoreForTracer) {
      context.traps.tracees--;
      moved.traps.addTracee();
    }
    moved.saved.copyFrom(ctx.regs);
    ctx.regs = moved.saved;
    ctx.platformState = moved;
    context.subprocess.removeContext(context, isInSyshandler);
    if (this.observer !== null) this.observer.onMove(ctx, moved.traps);
    return 0;
  }

  /** The stub threads of an address space, by their ids. */
  stubThreads(mm: AddressSpace): readonly StubThread[] {
    return this.spaces.get(mm)?.threads ?? [];
  }

  // ---- registers

  interrupt(ctx: GuestContext): boolean {
    return this.on.interrupt(ctx);
  }

  rest(): void {
    this.on.rest();
  }

  /** Pages of memory that the platform itself holds for these contexts: one reference each. */
  *heldPages(contexts: Iterable<GuestContext>): Iterable<number> {
    yield* this.spaces.heldPages();
    for (const { platformState } of contexts) if (platformState instanceof ThreadContext) yield platformState.page;
  }

  /**
   * Right after a restore: goes on without stubs, as a machine that was saved under Systrap and is restored under another
   * platform (usertrap.md 2.11). Upstream leaves sites that jump to slots, which store through a GS base of 0.
   */
  leaveStubs(contexts: Iterable<GuestContext>): void {
    for (const ctx of contexts) this.spaces.release(ctx);
    this.spaces.retire();
    this.patches = false;
    this.threadLimit = 0;
    this.preemption = null;
    this.cpu.screenGsWrites = false;
  }

  /** What all platforms of this kind have in the same way, by name: for checkpoints. */
  fixedParts(): Record<string, object> {
    const { config, version } = this;
    const { guards, protocol } = config;
    return { 'patch config': config, guards, protocol, version, 'space options': this.spaces.options };
  }

  saveFpu(ctx: GuestContext): void {
    this.on.saveFpu(ctx);
  }

  loadFpu(ctx: GuestContext): void {
    this.on.loadFpu(ctx);
  }

  guestGsBase(ctx: GuestContext): number {
    const context = ctx.platformState;
    const ownsGs = !(context instanceof ThreadContext) || context.thread?.ownsGs === true;
    return ownsGs ? ctx.regs.get(Reg.gsBase) : programsGs(ctx.regs);
  }

  setGuestGsBase(ctx: GuestContext, base: number): void {
    const context = ctx.platformState;
    // Of upstream's Sentry no stub hears a context's GS base.
    if (context instanceof ThreadContext && !this.config.guards.assertGs) return;
    ctx.regs.set(Reg.gsBase, base);
    // A shared thread's GS base is its own business: nobody loads the context's.
    if (!(context instanceof ThreadContext) || context.thread === null || this.threadLimit > 0) return;
    context.thread.gsBase = ctx.regs.u64[Reg.gsBase] as bigint;
    this.on.giveUpGs(context.thread);
  }

  // ---- running

  switchTo(ctx: GuestContext, budget: number): PlatformEvent {
    if ((this.on.current !== ctx || this.on.context?.thread === null) && !this.on.enter(ctx)) return this.outOfMemory();
    if (this.on.thread?.isSignalled === true && !this.on.thread.isInHandler) return this.misfire(ctx);
    if (this.observer === null) return this.run(ctx, budget);
    this.observer.onRun(ctx);
    const event = this.run(ctx, budget);
    this.observer.onPause(ctx, event);
    return event;
  }

  /** The signal handler has returned to a context with a SIGCHLD waiting that may have been meant for another (KRUN:341-342). */
  private misfire(ctx: GuestContext): PlatformEvent {
    this.on.interrupt(ctx);
    this.event.kind = 'budget';
    return this.event;
  }

  private outOfMemory(): PlatformEvent {
    return Object.assign(this.event, { kind: 'fault', signo: SIGKILL, code: 0, addr: 0, trapno: 0, errorCode: 0 });
  }

  private run(ctx: GuestContext, budget: number): PlatformEvent {
    const cpu = this.cpu;
    const { event, turn } = this;
    const start = cpu.instructions;
    let isResumed = turn.interrupted === ctx;
    turn.interrupted = null;
    if (!isResumed) turn.begin(start, this.turnOf(ctx, budget), budget, this.preemption);
    else if (start + budget < turn.end) {
      // Something new is to happen.
      turn.end = start + budget;
      turn.isCut = false;
    }
    const { end } = turn;
    let isInterrupted = false;
    /** Where the stub thread is when its context goes to the Sentry. */
    let isInSyshandler = false;
    let stubRuns = 0;
    cpu.root = ctx.mm.root;
    if (this.on.thread?.isInHandler === true && !this.finishHandler(ctx, this.on.thread)) return event;
    for (;;) {
      const left: number = turn.isOver || isInterrupted ? STUB_BUDGET : Math.max(1, end - cpu.instructions);
      // What the host has interrupted is done again, not decided again.
      if (!isResumed) turn.isStepped = this.preemption !== null && left <= STUB_STEPS && this.on.isInStub(ctx);
      isResumed = false;
      const stop = turn.isStepped ? this.stepInStub() : this.runFor(ctx, left);
      if (this.observer !== null) this.observer.onStop(ctx, stop);
      let goesOn = true;
      switch (stop.kind) {
        case 'page-fault':
          goesOn = this.pageFault(ctx, stop);
          break;
        case 'invalid-opcode':
          goesOn = this.invalidOpcode(ctx, stop);
          break;
        case 'syscall':
          if (this.on.thread?.isInHandler === true) {
            if (isInterrupted) cpu.interrupt();
            event.kind = 'preempted';
            return event;
          }
          this.endOfCall();
          goesOn = false;
          isInSyshandler = this.isPatchedCall;
          break;
        case 'int':
          // Only int $0x80 comes this way: a call by the 32-bit ABI, which gVisor's stub makes an unknown number of.
          goesOn = this.trappedCall(ctx, ((cpu.regs.u32[0] as number) + FOREIGN_ABI) >>> 0);
          break;
        case 'debug':
          this.debugTrap(ctx, stop);
          if (ctx.breakpoints !== null) this.breakpoints?.describe(event);
          goesOn = false;
          break;
        case 'general-protection':
          goesOn = this.generalProtection(ctx, stop);
          break;
        case 'budget':
          turn.isOver ||= !turn.isStepped && !isInterrupted;
          break;
        case 'interrupted':
          isInterrupted = true;
          // The way out is short, and the kernel may not look before: the interruption comes after it.
          if (turn.isOver) continue;
          if (this.preemption === null) break;
          turn.interrupted = ctx;
          event.kind = 'interrupted';
          return event;
        default:
          this.exception(ctx, stop);
          goesOn = event.signo === SIGBUS && this.jumpsOverFault(ctx);
      }
      if (!goesOn) {
        // The interruption is not lost: the next run ends by it.
        if (isInterrupted) cpu.interrupt();
        this.on.release(ctx, event, isInSyshandler);
        return event;
      }
      if (cpu.instructions >= end) turn.isOver = true;
      // Nothing may look at a task whose registers are half way through a trampoline or a syshandler: it runs on.
      if (!turn.isOver && !isInterrupted) continue;
      const isAtRest =
        this.preemption === null
          ? this.on.isInGuest(ctx, cpu.instructions - (isInterrupted ? start : turn.start)) || ++stubRuns > STUB_RUNS
          : !this.on.isInStub(ctx) || --turn.stubSteps < 0;
      if (isAtRest) {
        event.kind = turn.isCut ? 'preempted' : 'budget';
        if (isInterrupted && turn.isOver) cpu.interrupt();
        else if (isInterrupted) {
          turn.interrupted = ctx;
          event.kind = 'interrupted';
        }
        return event;
      }
    }
  }

  /** What the handler was about to do when the host took the processor from it; false when the run is over. */
  private finishHandler(ctx: GuestContext, thread: StubThread): boolean {
    thread.isInHandler = false;
    // The Sentry looks for itself when the call comes to it.
    if (this.on.context !== null) this.on.context.interrupted = false;
    if (!this.trapped(ctx, thread, true)) {
      this.endOfCall();
      this.on.release(ctx, this.event, false);
      return false;
    }
    if (!thread.isSignalled) return true;
    this.misfire(ctx);
    return false;
  }

  private runFor(ctx: GuestContext, instructions: number): Stop {
    return ctx.breakpoints === null || this.breakpoints === null
      ? this.cpu.run(instructions)
      : this.breakpoints.run(ctx, ctx.breakpoints, instructions);
  }

  /** Instructions until the host takes the processor, where it may take it from stub code. */
  private turnOf(ctx: GuestContext, budget: number): number {
    if (this.preemption === null || budget <= STUB_STEPS) return budget;
    // Now and then right where a stub thread resumes a context.
    if (this.on.isInStub(ctx) && this.preemption.below(8) === 0) return 1 + this.preemption.below(STUB_STEPS);
    return Math.min(budget, 1 + this.preemption.below(MAX_TURN));
  }

  /** Executes one instruction of them; blocks are too long to end a turn where a processor can. */
  private stepInStub(): Stop {
    const stop = this.cpu.step();
    if (stop.kind === 'syscall' && this.onSyscall()) stop.kind = 'budget';
    return stop;
  }

  /** A shared thread comes back from its signal handler with state NONE, wherever the signal met it (D4). */
  private returnFromSignal(): void {
    if (this.threadLimit > 0) this.on.thread?.setState(ThreadState.none);
  }

  private endOfCall(): void {
    const event = this.event;
    event.kind = 'syscall';
    if (this.isHandedBack) {
      event.kind = 'budget';
      this.isHandedBack = false;
    }
    if (this.panic !== 0) {
      event.kind = 'stub-panic';
      event.code = this.panic;
      this.panic = 0;
    }
  }

  private pageFault(ctx: GuestContext, stop: Stop): boolean {
    const { address, access } = stop;
    if (this.jumpsOverFault(ctx)) return true;
    if (access === 'execute') {
      const sysno = vsyscallAt(ctx.regs.u64[Reg.rip] as bigint);
      const caller = sysno === undefined ? undefined : ctx.mm.readU64(ctx.regs.get(Reg.rsp));
      if (sysno !== undefined && caller !== undefined) return this.vsyscall(ctx, sysno, caller);
    }
    if (access === 'execute') this.on.thread?.traps.runsFor(ctx);
    const result = ctx.mm.handleFault(address, access, stop.present, ctx.regs.get(Reg.rsp));
    if (result === 'fixed') {
      ctx.faultsServed++;
      this.returnFromSignal();
      return true;
    }
    if (this.on.thread?.traps.takeBack(ctx.regs, address) === true) return true;
    this.faults++;
    const accessNumber = access === 'read' ? 0 : access === 'write' ? 1 : 2;
    this.trace.emit(EventKind.guestFault, ctx.tid, address, accessNumber, ctx.regs.get(Reg.rip));
    const event = this.event;
    event.kind = 'fault';
    event.signo = result.signo;
    event.code = result.code;
    event.addr = result.addr;
    event.trapno = PAGE_FAULT_VECTOR;
    event.errorCode = pageFaultErrorCode(stop);
    return false;
  }

  /** A write of GS that the processor was asked to report is carried out here; everything else is the guest's fault. */
  private generalProtection(ctx: GuestContext, stop: Stop): boolean {
    const { cpu } = this;
    const { thread } = this.on;
    if (thread !== null && cpu.screenGsWrites) {
      const code = new Uint8Array(MAX_INSTRUCTION_BYTES);
      const length = ctx.mm.copyIn(ctx.regs.get(Reg.rip), code);
      if (writesGs(code.subarray(0, length))) {
        this.on.giveUpGs(thread);
        cpu.screenGsWrites = false;
        const end = cpu.step();
        cpu.screenGsWrites = true;
        if (end.kind === 'budget') return true;
        // The host's wish comes with the next run, which begins with this instruction again.
        if (end.kind === 'interrupted') {
          cpu.interrupt();
          return true;
        }
        if (end.kind === 'page-fault') return this.pageFault(ctx, end);
        this.exception(ctx, end);
        return false;
      }
    }
    this.exception(ctx, stop);
    return this.jumpsOverFault(ctx);
  }

  /**
   * A call at the vsyscall page is a fault that the kernel makes a call of, with the instruction pointer still there for its
   * filters. D9: with patching disabled it stays the ordinary call that the host's emulation has made of it, which has
   * returned to its caller already (SPA:151-168).
   */
  private vsyscall(ctx: GuestContext, sysno: number, caller: bigint): boolean {
    const entry = ctx.regs.u64[Reg.rip] as bigint;
    ctx.regs.set(Reg.rax, sysno);
    if (this.leavesSites) returnFromVsyscall(ctx.regs, caller);
    const goesOn = this.trappedCall(ctx, sysno);
    if (ctx.regs.u64[Reg.rip] === entry) returnFromVsyscall(ctx.regs, caller);
    return goesOn;
  }

  /** Upstream's handler of SIGSEGV and SIGBUS looks first whether the stub's own probe has faulted (SIG:228-232). */
  private jumpsOverFault(ctx: GuestContext): boolean {
    const distance = this.threadLimit === 0 ? 0 : (this.on.thread?.takeFaultJump() ?? 0);
    if (distance === 0) return false;
    const { regs } = ctx;
    regs.u64[Reg.rip] = BigInt.asUintN(64, (regs.u64[Reg.rip] as bigint) + BigInt(distance));
    // A guest that jumps from fault to fault uses its turn up.
    this.cpu.correctCount(1);
    return true;
  }

  /**
   * Single step. DIVERGES (hideSlotRip): upstream lets the trap hit every instruction of the slot and the syshandler, which
   * kills the program; here the jump counts as the mov that it replaced, and the guard as the syscall.
   */
  private debugTrap(ctx: GuestContext, stop: Stop): void {
    const { regs } = ctx;
    const site = this.on.thread?.traps.bySlot.get(regs.get(Reg.rip) - TRAP_CODE_OFFSET);
    if (site !== undefined && this.config.guards.hideSlotRip) {
      regs.set(Reg.rip, site.address + SYSCALL_OFFSET);
      regs.set(Reg.rax, site.sysno);
    }
    this.exception(ctx, stop);
  }

  private exception(ctx: GuestContext, stop: Stop): void {
    this.faults++;
    exceptionEvent(this.event, stop, ctx.regs.get(Reg.rip), () => {
      this.saveFpu(ctx);
      return ctx.fpu;
    });
  }

  /** Recovers a task that ran into a guard (ST:188-197), or makes a SIGILL. */
  private invalidOpcode(ctx: GuestContext, stop: Stop): boolean {
    const thread = this.on.thread;
    const { regs } = ctx;
    if (thread !== null) {
      const at = regs.get(Reg.rip);
      const { guards } = this.config;
      const rax = regs.u64[Reg.rax] as bigint;
      const outcome = drain(handleFault(at, rax, guards), thread.traps);
      if (this.observer !== null) this.observer.onRecovery(ctx, thread.traps, at, rax, outcome);
      if (outcome.kind !== 'not-ours') {
        this.restarted++;
        // A task that is stepped comes here from #debugTrap, with the number loaded: a restart would take it back to the jump.
        const isStepped = guards.hideSlotRip && ((regs.u32[FLAGS_LOW] as number) & TRAP_FLAG) !== 0;
        const isSyscall = outcome.kind === 'handle-as-syscall' || isStepped;
        const ip = isSyscall ? at + SYSCALL_BYTES : outcome.ip;
        this.trace.emit(EventKind.siteRestarted, ctx.tid, at, ip, isSyscall ? 1 : 0);
        regs.set(Reg.rip, ip);
        // The guard stands for one instruction: a restart executes two, a served call none.
        if (!this.countsStub) this.cpu.correctCount(isSyscall ? 1 : -1);
        this.returnFromSignal();
        if (!isSyscall) return true;
        if (guards.syscallClobbers) this.clobber(regs);
        const goesOn = this.trappedCall(ctx, regs.u32[0] as number);
        if (!goesOn || !isStepped) return goesOn;
        // The processor traps after a syscall that is stepped.
        this.exception(ctx, DEBUG_STOP);
        return false;
      }
    }
    this.exception(ctx, stop);
    return false;
  }

  /** A call that came by a stop; false when the run is over. */
  private trappedCall(ctx: GuestContext, sysno: number): boolean {
    this.traps++;
    this.isPatchedCall = false;
    const goesOn = this.threadLimit === 0 ? this.serve(ctx, sysno) : this.serveNoted(ctx, sysno);
    if (!goesOn) this.endOfCall();
    return goesOn;
  }

  /** rcx and r11 as the syscall instruction leaves them. */
  private clobber(regs: Regs): void {
    const words = regs.u32;
    words[RCX_LOW] = words[RIP_LOW] as number;
    words[RCX_LOW + 1] = words[RIP_LOW + 1] as number;
    words[R11_LOW] = words[FLAGS_LOW] as number;
    words[R11_LOW + 1] = words[FLAGS_LOW + 1] as number;
  }

  /** Asks the Sentry; false when the run is over. A context that has moved to another space (execve) has its registers elsewhere now. */
  private serve(ctx: GuestContext, sysno: number): boolean {
    // A call may have changed what is mapped: breakpoints are armed anew.
    if (this.observer === null) {
      return this.sentry.syscall(ctx, sysno) && this.on.current === ctx && ctx.breakpoints === null;
    }
    const { isPatchedCall } = this;
    this.observer.onCall(ctx, sysno, isPatchedCall);
    const goesOn = this.sentry.syscall(ctx, sysno) && this.on.current === ctx && ctx.breakpoints === null;
    if (goesOn) this.observer.onServed(ctx, isPatchedCall);
    return goesOn;
  }

  /** Upstream the call goes through the context's record. */
  private serveNoted(ctx: GuestContext, low: number): boolean {
    const context = this.on.context as ThreadContext;
    const isWide = this.cpu.regs.u32[1] !== 0 && !this.config.guards.narrowNumber;
    const sysno = isWide ? (low + FOREIGN_ABI) >>> 0 : low;
    context.noteTrap(this.cpu.regs, sysno, this.version);
    if (!this.serve(ctx, sysno)) return false;
    context.acknowledge(this.on.ticks);
    return true;
  }

  // ---- syscalls inside a run: the hot path, no allocation

  private onSyscall(): boolean {
    const { regs } = this.cpu;
    const words = regs.u32;
    const ctx = this.on.current as GuestContext;
    const thread = this.on.thread;
    if (thread !== null) {
      if (words[RIP_LOW + 1] === STUB_HIGH) {
        const low = words[RIP_LOW] as number;
        if (low === this.gateLow && (this.savesInGuest || thread.isPreparing)) return this.patchedCall(ctx, thread);
        if (low === this.panicLow) {
          this.panic = thread.msg[this.errorIndex] as number;
          this.isPatchedCall = true;
          return false;
        }
        if (low === this.handBackLow) {
          this.on.handBack();
          this.isHandedBack = true;
          this.isPatchedCall = true;
          return false;
        }
      }
      if (this.preemption !== null && this.preemption.below(HANDLER_TURNS) === 0) {
        thread.isInHandler = true;
        return false;
      }
      return this.trapped(ctx, thread);
    }
    return this.trapped(ctx, null);
  }

  /**
   * The signal handler, and what the Sentry makes of it; false when the run is over.
   * @param isLate the site may have been patched since the call has trapped
   */
  private trapped(ctx: GuestContext, thread: StubThread | null, isLate = false): boolean {
    if (thread !== null) {
      if (this.config.guards.assertGs && this.on.hasForeignGs(thread)) this.on.giveUpGs(thread);
      const mayPatch = !this.leavesSites && this.patcher.mayPatch(ctx);
      if ((mayPatch || (isLate && !this.leavesSites)) && this.patcher.patch(ctx, thread.traps)) return true;
      if (!mayPatch) this.patcher.countUnpatchable(thread.traps);
    }
    this.traps++;
    this.isPatchedCall = false;
    const sysno = this.cpu.regs.u32[0] as number;
    return this.threadLimit === 0 ? this.serve(ctx, sysno) : this.serveNoted(ctx, sysno);
  }

  /** Serves a call that came through a trampoline and the syshandler; the stub's code goes back to the guest. */
  private patchedCall(ctx: GuestContext, thread: StubThread): boolean {
    const { regs } = this.cpu;
    const words = regs.u32;
    const { msg } = thread;
    const returnLow = msg[RET_INDEX] as number;
    const returnHigh = msg[RET_INDEX + 1] as number;
    const context = this.on.context as ThreadContext;
    thread.postponed = 0;
    let sysno: number;
    if (this.savesInGuest) {
      sysno = context.load(regs);
      context.interrupted = false;
      if (this.config.guards.syscallClobbers) this.clobber(regs);
    } else {
      sysno = words[0] as number;
      words[RIP_LOW] = returnLow;
      words[RIP_LOW + 1] = returnHigh;
      words[RSP_LOW] = msg[STACK_INDEX] as number;
      words[RSP_LOW + 1] = msg[STACK_INDEX + 1] as number;
      // DIVERGES (syscallClobbers): upstream keeps rcx and r11, so that a guest can tell the two paths apart; here they
      // are what they are after a trap. r11 already holds the flags.
      words[RCX_LOW] = returnLow;
      words[RCX_LOW + 1] = returnHigh;
    }
    if (this.threadLimit === 0) thread.setState(ThreadState.none);
    this.patchedCalls++;
    this.calls.count(thread.traps, returnHigh * 2 ** 32 + returnLow);
    this.isPatchedCall = true;
    if (!this.serve(ctx, sysno)) return false;
    if (((words[FLAGS_LOW] as number) & TRAP_FLAG) !== 0 && !this.savesInGuest) return true;
    if (this.savesInGuest) {
      context.store(regs);
      context.acknowledge(this.on.ticks);
    } else {
      msg[RET_INDEX] = words[RIP_LOW] as number;
      msg[RET_INDEX + 1] = words[RIP_LOW + 1] as number;
      msg[STACK_INDEX] = words[RSP_LOW] as number;
      msg[STACK_INDEX + 1] = words[RSP_LOW + 1] as number;
    }
    words[RSP_LOW] = thread.stackTopLow;
    words[RSP_LOW + 1] = STUB_HIGH;
    words[RIP_LOW] = this.gateLow;
    words[RIP_LOW + 1] = STUB_HIGH;
    return true;
  }

  // ---- tracers

  /**
   * DIVERGES (restoreForTracer): upstream leaves sites as they are for the tracer to read, poke and step through; here a
   * space with a tracee has its original bytes, and none is patched meanwhile.
   */
  tracerChanged(ctx: GuestContext): void {
    const context = ctx.platformState;
    if (!(context instanceof ThreadContext) || !this.config.guards.restoreForTracer) return;
    if (ctx.hasTracer) context.traps.addTracee();
    else context.traps.tracees--;
  }

  // ---- figures

  metrics(): PlatformMetrics {
    return {
      trapped: this.traps,
      patchedCalls: this.patchedCalls,
      restarted: this.restarted,
      faults: this.faults,
      sites: this.patcher.book.patched(),
      refused: this.patcher.book.refused(),
      unpatchable: this.patcher.book.unpatchable(),
      slots: { used: this.patcher.mostSlots, capacity: this.patches ? tableCapacity(this.config.guards) : 0 },
    };
  }
}

savable(
  'platform/platform',
  { Platform },
  {
    isPlace: true,
    kept: ['cpu', 'sentry', 'config', 'version', 'leavesSites', 'trace', 'observer', 'event', 'breakpoints'],
  },
);
