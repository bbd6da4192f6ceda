// SPDX-License-Identifier: MIT
//
// Systrap: runs guest contexts on the Cpu, turns stops into syscalls, faults and restarts, and keeps the
// trap tables. Models gVisor pkg/sentry/platform/systrap (systrap.go, subprocess.go).

import { EAGAIN, ENOMEM } from '../abi/errno.ts';
import type { PhysAddr } from '../base/addr.ts';
import { invariant } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import type { Cpu, Stop } from '../cpu/cpu.ts';
import { Reg } from '../cpu/regs.ts';
import type { Regs } from '../cpu/regs.ts';
import { writesGs } from '../isa/gs-write.ts';
import { MAX_INSTRUCTION_BYTES } from '../isa/instruction-length.ts';
import { SITE_BYTES, SYSCALL_BYTES, SYSCALL_OFFSET } from '../isa/syscall-site.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceSink } from '../trace/events.ts';
import { handleFault } from '../usertrap/fault-handler.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../usertrap/guards.ts';
import type { Guards } from '../usertrap/guards.ts';
import { TRAP_BYTES, TRAP_CODE_OFFSET, TRAP_USED_BYTES, WINDOW_END, WINDOW_START } from '../usertrap/layout.ts';
import type { PatchConfig } from '../usertrap/patcher.ts';
import { GVISOR_PROTOCOL } from '../usertrap/protocol.ts';
import type { PatchProtocol } from '../usertrap/protocol.ts';
import { drain } from '../usertrap/steps.ts';
import { tableCapacity } from '../usertrap/trap-table.ts';
import type { OperandReader } from './breakpoints.ts';
import { BreakpointUnit } from './breakpoints.ts';
import { exceptionEvent, pageFaultErrorCode } from './fault-event.ts';
import type { PlatformObserver } from './observer.ts';
import type { GuestContext, PatchMode, PlatformEvent, PlatformMetrics, Sentry } from './sentry.ts';
import { SitePatcher } from './site-patcher.ts';
import type { PatchedSite } from './space-traps.ts';
import { SpaceTraps } from './space-traps.ts';
import { hardenedStubCode, upstreamStubCode } from './stub-code.ts';
import type { StubCode } from './stub-code.ts';
import { MAX_CONTEXTS, Msg, STUB_CODE, STUB_END, STUB_START } from './stub-layout.ts';
import { ContextState, StubThread } from './stub-thread.ts';

const RIP_LOW = 2 * Reg.rip;
const RSP_LOW = 2 * Reg.rsp;
const RCX_LOW = 2 * Reg.rcx;
const R11_LOW = 2 * Reg.r11;
const FLAGS_LOW = 2 * Reg.rflags;
const GS_LOW = 2 * Reg.gsBase;
const RET_INDEX = Msg.retAddr / 4;
const STACK_INDEX = Msg.appStack / 4;
const TRAP_FLAG = 0x100;
const PAGE_FAULT_VECTOR = 14;
const STUB_HIGH = Math.floor(STUB_CODE / 2 ** 32);
/** Block by block: a longer run would leave the stub's code and be in it again by the time it ends. */
const STUB_BUDGET = 1;
/** Blocks before a guest that loops in stub code is stopped all the same. */
const STUB_RUNS = 64;
/** Added to the number of a call by another ABI, so that it is unknown to the kernel (SIG:311-316). */
const FOREIGN_ABI = 0x86000000;
const DEBUG_STOP: Stop = { kind: 'debug', address: 0, access: 'read', present: false, vector: 0 };

export interface PlatformOptions {
  readonly patch: PatchMode;
  readonly prng: Prng;
  readonly trace: TraceSink;
  /** Changes single guards of the mode. */
  readonly guards?: Partial<Guards>;
  /** What data breakpoints are compared with; without it there are no hardware breakpoints. */
  readonly readOperands?: OperandReader;
  /** The order of the stores; default gVisor's. */
  readonly protocol?: PatchProtocol;
  /** For tests: looks on. */
  readonly observer?: PlatformObserver;
  /** False: instructions of slots and the stub count as little as the site that they stand for. */
  readonly countsStub?: boolean;
}

/** What the kernel uses of {@link Platform}. */
export interface PlatformApi {
  /** True inside `Sentry.syscall` when the call came through a trampoline. */
  readonly isPatchedCall: boolean;
  /** Contexts may have breakpoints. */
  readonly hasBreakpoints: boolean;
  /** Gives a context its stub thread; its space must have been adopted. Returns 0, -ENOMEM or -EAGAIN. */
  attach(ctx: GuestContext): number;
  /** Takes it back; the context does not run again. */
  detach(ctx: GuestContext): void;
  /** A context moves to another adopted address space (execve): its mm field is the new one already. */
  moveContext(ctx: GuestContext): number;
  /** A new address space: maps the stub code. Returns 0 or -ENOMEM. */
  adoptSpace(mm: AddressSpace): number;
  /** A copy of an address space: as adoptSpace, and the trap table goes on from the parent's. */
  forkSpace(parent: AddressSpace, child: AddressSpace): number;
  /** An address space is about to be released. */
  dropSpace(mm: AddressSpace): void;
  /** Runs `ctx` until something for the kernel happens. */
  switchTo(ctx: GuestContext, budget: number): PlatformEvent;
  /** Brings `ctx.fpu` up to date. */
  saveFpu(ctx: GuestContext): void;
  /** `ctx.fpu` was changed by the kernel (sigreturn, exec, clone). */
  loadFpu(ctx: GuestContext): void;
  /** The GS base that the guest believes in (arch_prctl, ptrace, core files). */
  guestGsBase(ctx: GuestContext): number;
  setGuestGsBase(ctx: GuestContext, base: number): void;
  /** A context has got a tracer, or has none any more: `ctx.hasTracer` tells. */
  tracerChanged(ctx: GuestContext): void;
  metrics(): PlatformMetrics;
}

/** Runs guest contexts. One per Cpu; one context is current at a time. */
export class Platform implements PlatformApi {
  private readonly cpu: Cpu;
  private readonly sentry: Sentry;
  private readonly patches: boolean;
  /** The stub is upstream's: registers pass through the context record. */
  private readonly savesInGuest: boolean;
  private readonly config: PatchConfig;
  private readonly prng: Prng;
  private readonly trace: TraceSink;
  private readonly code: StubCode;
  private readonly observer: PlatformObserver | null;
  private readonly countsStub: boolean;
  /** Low word of the instruction pointer behind the gate's syscall. */
  private readonly gateLow: number;
  private readonly panicLow: number;
  private readonly spaces = new Map<AddressSpace, SpaceTraps>();
  private readonly freeIds: number[] = [];
  private nextId = 0;
  private codePage: PhysAddr = 0;
  private current: GuestContext | null = null;
  private thread: StubThread | null = null;
  private fpuOwner: GuestContext | null = null;
  private panic = 0;
  /** The site of the last patched call: most calls come from the same one again. */
  private lastSite: PatchedSite | undefined;
  private lastReturn = 0;
  private lastTraps: SpaceTraps | undefined;
  private lastVersion = 0;

  private trapped = 0;
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
    this.config = { guards, protocol: options.protocol ?? GVISOR_PROTOCOL };
    // The gate of the hardened code clobbers rcx and r11, so it serves only where that is wanted.
    this.savesInGuest = isUpstream || !guards.syscallClobbers;
    this.prng = options.prng.stream('usertrap');
    this.trace = options.trace;
    this.observer = options.observer ?? null;
    this.patcher = new SitePatcher(cpu, this.config, options.trace, !isUpstream, this.observer);
    this.code = this.savesInGuest ? upstreamStubCode(false) : hardenedStubCode();
    this.gateLow = (STUB_CODE + this.code.gateReturn) % 2 ** 32;
    this.panicLow = this.code.panicReturn < 0 ? -1 : (STUB_CODE + this.code.panicReturn) % 2 ** 32;
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
    const traps = new SpaceTraps(mm, this.config.guards, this.prng, this.trace, this.observer);
    if (this.patches) {
      invariant(mm.end <= STUB_START, () => 'an address space must end below the stub region');
      if (this.codePage === 0) {
        this.codePage = mm.memory.allocatePage();
        if (this.codePage === 0) return -ENOMEM;
        new Uint8Array(this.cpu.memory, this.codePage, this.code.bytes.length).set(this.code.bytes);
      }
      if (!mm.mapStub(STUB_CODE, this.codePage, false, true)) return -ENOMEM;
    }
    this.spaces.set(mm, traps);
    const { guards } = this.config;
    if (this.patches && (guards.surviveTableLoss || guards.reuseSlots || guards.restoreEditedSites)) mm.watcher = traps;
    return 0;
  }

  forkSpace(parent: AddressSpace, child: AddressSpace): number {
    const result = this.adoptSpace(child);
    const from = this.spaces.get(parent);
    const to = this.spaces.get(child);
    if (result !== 0 || from === undefined || to === undefined) return result;
    // The copied sites work in the child at once. gVisor finds the table again by its name and header at the child's
    // first patch; what the Sentry knows of sites is for metrics and, hardened, for recovery.
    for (const site of from.bySlot.values()) this.patcher.book.add(to, { ...site, calls: 0 });
    to.closed = from.closed;
    if (this.config.guards.inheritTable) {
      to.base = from.base;
      to.next = from.next;
      to.freed.push(...from.freed);
    }
    if (this.observer !== null) this.observer.onFork(from, to);
    return 0;
  }

  dropSpace(mm: AddressSpace): void {
    const traps = this.spaces.get(mm);
    if (traps !== undefined) this.patcher.book.close(traps);
    this.spaces.delete(mm);
    if (this.lastTraps?.mm === mm) this.lastTraps = undefined;
  }

  attach(ctx: GuestContext): number {
    if (!this.patches) {
      ctx.platformState = new ContextState();
      return 0;
    }
    if (this.freeIds.length === 0 && this.nextId >= MAX_CONTEXTS) return -EAGAIN;
    const id = this.freeIds.pop() ?? this.nextId++;
    const thread = StubThread.create(id, this.trapsOf(ctx));
    if (thread === undefined) {
      this.freeIds.push(id);
      return -ENOMEM;
    }
    ctx.platformState = thread;
    // A cloned task goes on with its parent's registers: a GS base of the guest's own stays, another stub's does not.
    const gsBase = ctx.regs.get(Reg.gsBase);
    if (this.config.guards.assertGs && gsBase !== 0 && (gsBase < STUB_START || gsBase >= STUB_END)) {
      thread.gsBase = ctx.regs.u64[Reg.gsBase] as bigint;
      this.giveUpGs(thread);
    }
    return 0;
  }

  detach(ctx: GuestContext): void {
    if (this.current === ctx) this.leave(ctx);
    if (this.fpuOwner === ctx) this.fpuOwner = null;
    const thread = ctx.platformState;
    ctx.platformState = null;
    if (!(thread instanceof StubThread)) return;
    if (ctx.hasTracer && this.config.guards.restoreForTracer) thread.traps.tracees--;
    thread.dispose();
    this.freeIds.push(thread.id);
  }

  moveContext(ctx: GuestContext): number {
    const thread = ctx.platformState;
    if (!(thread instanceof StubThread)) return 0;
    // The kernel fills in the registers of the new program now or later: GS base is set when the context runs.
    if (this.current === ctx) this.leave(ctx);
    const traps = this.trapsOf(ctx);
    if (ctx.hasTracer && this.config.guards.restoreForTracer) {
      thread.traps.tracees--;
      traps.addTracee();
    }
    if (!thread.moveTo(traps)) return -ENOMEM;
    if (this.observer !== null) this.observer.onMove(ctx, traps);
    return 0;
  }

  private trapsOf(ctx: GuestContext): SpaceTraps {
    const traps = this.spaces.get(ctx.mm);
    invariant(traps !== undefined, () => 'the address space was not adopted');
    return traps;
  }

  // ---- registers

  private enter(ctx: GuestContext): void {
    const cpu = this.cpu;
    if (this.current !== null) this.leave(this.current);
    const thread = ctx.platformState instanceof StubThread ? ctx.platformState : null;
    cpu.regs.copyFrom(ctx.regs);
    ctx.regs = cpu.regs;
    if (thread !== null) {
      cpu.regs.u64[Reg.gsBase] = thread.gsBase;
      if (this.config.guards.assertRecord) thread.assertRecord();
    }
    this.current = ctx;
    this.thread = thread;
    if (this.fpuOwner !== ctx) {
      if (this.fpuOwner !== null) cpu.saveFpu(this.fpuOwner.fpu);
      cpu.loadFpu(ctx.fpu);
      this.fpuOwner = ctx;
    }
  }

  /** The context's registers move to a block of its own. */
  private leave(ctx: GuestContext): void {
    const state = ctx.platformState;
    invariant(state instanceof ContextState, () => 'the context is not attached');
    state.saved.copyFrom(this.cpu.regs);
    if (state instanceof StubThread) {
      if (this.config.guards.assertGs && this.hasForeignGs(state)) this.giveUpGs(state);
      state.gsBase = this.cpu.regs.u64[Reg.gsBase] as bigint;
    }
    ctx.regs = state.saved;
    this.current = null;
    this.thread = null;
  }

  saveFpu(ctx: GuestContext): void {
    if (this.fpuOwner === ctx) this.cpu.saveFpu(ctx.fpu);
  }

  loadFpu(ctx: GuestContext): void {
    if (this.fpuOwner === ctx) this.cpu.loadFpu(ctx.fpu);
  }

  guestGsBase(ctx: GuestContext): number {
    const thread = ctx.platformState;
    if (thread instanceof StubThread && !thread.ownsGs && this.config.guards.assertGs) return 0;
    return ctx.regs.get(Reg.gsBase);
  }

  setGuestGsBase(ctx: GuestContext, base: number): void {
    ctx.regs.set(Reg.gsBase, base);
    const thread = ctx.platformState;
    if (!(thread instanceof StubThread)) return;
    thread.gsBase = ctx.regs.u64[Reg.gsBase] as bigint;
    if (this.config.guards.assertGs) this.giveUpGs(thread);
  }

  // ---- running

  switchTo(ctx: GuestContext, budget: number): PlatformEvent {
    if (this.current !== ctx) this.enter(ctx);
    if (this.observer === null) return this.run(ctx, budget);
    this.observer.onRun(ctx);
    const event = this.run(ctx, budget);
    this.observer.onPause(ctx, event);
    return event;
  }

  private run(ctx: GuestContext, budget: number): PlatformEvent {
    const cpu = this.cpu;
    const event = this.event;
    const start = cpu.instructions;
    const end = start + budget;
    let isOver = false;
    let isInterrupted = false;
    let stubRuns = 0;
    cpu.root = ctx.mm.root;
    for (;;) {
      const left = isOver ? STUB_BUDGET : Math.max(1, end - cpu.instructions);
      const stop =
        ctx.breakpoints === null || this.breakpoints === null
          ? cpu.run(left)
          : this.breakpoints.run(ctx, ctx.breakpoints, left);
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
          this.endOfCall();
          goesOn = false;
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
          isOver = true;
          break;
        case 'interrupted':
          isOver = true;
          isInterrupted = true;
          break;
        default:
          this.exception(ctx, stop);
          goesOn = false;
      }
      if (!goesOn) {
        // The interruption is not lost: the next run ends by it.
        if (isInterrupted) cpu.interrupt();
        return event;
      }
      if (cpu.instructions >= end) isOver = true;
      // Nothing may look at a task whose registers are half way through a trampoline or a syshandler: it runs on.
      if (isOver && (this.isInGuest(ctx, cpu.instructions - start) || ++stubRuns > STUB_RUNS)) {
        event.kind = isInterrupted ? 'interrupted' : 'budget';
        return event;
      }
    }
  }

  /**
   * Whether the registers are the application's.
   * @param executed instructions of this run
   */
  private isInGuest(ctx: GuestContext, executed: number): boolean {
    const thread = this.thread;
    if (thread === null) return true;
    const rip = ctx.regs.get(Reg.rip);
    if (rip >= STUB_START) return rip >= STUB_END;
    if (!thread.traps.inSlots(rip)) return true;
    const { base } = thread.traps;
    const offset = (rip - base) % TRAP_BYTES;
    // Before the slot's first instruction has run the task is ordinary user code, and upstream shows it so (its handler acts on state NONE).
    if (offset === TRAP_CODE_OFFSET) {
      if (!this.config.guards.hideSlotRip) return true;
      // Back to the jump, unless the jump is all that was executed: a task must get on.
      const site = executed > 1 ? thread.traps.bySlot.get(rip - TRAP_CODE_OFFSET) : undefined;
      if (site === undefined) return false;
      ctx.regs.set(Reg.rip, site.address);
      this.cpu.correctCount(-1);
      return true;
    }
    return offset < TRAP_CODE_OFFSET || offset >= TRAP_USED_BYTES;
  }

  private endOfCall(): void {
    const event = this.event;
    event.kind = 'syscall';
    if (this.panic !== 0) {
      event.kind = 'stub-panic';
      event.code = this.panic;
      this.panic = 0;
    }
  }

  private pageFault(ctx: GuestContext, stop: Stop): boolean {
    const { address, access } = stop;
    const errorCode = pageFaultErrorCode(stop);
    const result = ctx.mm.handleFault(address, access, stop.present, ctx.regs.get(Reg.rsp));
    if (result === 'fixed') {
      ctx.faultsServed++;
      return true;
    }
    if (this.thread !== null && this.isTableFault(ctx, this.thread.traps, address)) return true;
    this.faults++;
    const accessNumber = access === 'read' ? 0 : access === 'write' ? 1 : 2;
    this.trace.emit(EventKind.guestFault, ctx.tid, address, accessNumber, ctx.regs.get(Reg.rip));
    const event = this.event;
    event.kind = 'fault';
    event.signo = result.signo;
    event.code = result.code;
    event.addr = result.addr;
    event.trapno = PAGE_FAULT_VECTOR;
    event.errorCode = errorCode;
    return false;
  }

  /**
   * Whether a fault comes of a jump through a slot that the guest has taken away. Then the task is back at its site, which
   * traps again. DIVERGES (surviveTableLoss): upstream leaves the program to its SIGSEGV.
   */
  private isTableFault(ctx: GuestContext, traps: SpaceTraps, address: number): boolean {
    if (!this.config.guards.surviveTableLoss || !traps.inSlots(address)) return false;
    const rip = ctx.regs.get(Reg.rip);
    const site = traps.byReturn.get(rip + SITE_BYTES) ?? traps.bySlot.get(rip - TRAP_CODE_OFFSET);
    if (site === undefined) return false;
    traps.loseTable();
    ctx.regs.set(Reg.rip, site.address);
    return true;
  }

  /** A write of GS that the processor was asked to report is carried out here; everything else is the guest's fault. */
  private generalProtection(ctx: GuestContext, stop: Stop): boolean {
    const cpu = this.cpu;
    const thread = this.thread;
    if (thread !== null && cpu.screenGsWrites) {
      const code = new Uint8Array(MAX_INSTRUCTION_BYTES);
      const length = ctx.mm.copyIn(ctx.regs.get(Reg.rip), code);
      if (writesGs(code.subarray(0, length))) {
        this.giveUpGs(thread);
        cpu.screenGsWrites = false;
        const end = cpu.step();
        cpu.screenGsWrites = true;
        if (end.kind === 'budget') return true;
        if (end.kind === 'page-fault') return this.pageFault(ctx, end);
        this.exception(ctx, end);
        return false;
      }
    }
    this.exception(ctx, stop);
    return false;
  }

  /**
   * Single step. DIVERGES (hideSlotRip): upstream lets the trap hit every instruction of the slot and the syshandler, which
   * kills the program; here the jump counts as the mov that it replaced, and the guard as the syscall.
   */
  private debugTrap(ctx: GuestContext, stop: Stop): void {
    const { regs } = ctx;
    const site = this.thread?.traps.bySlot.get(regs.get(Reg.rip) - TRAP_CODE_OFFSET);
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
    const thread = this.thread;
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
    this.trapped++;
    this.isPatchedCall = false;
    const goesOn = this.serve(ctx, sysno);
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
      return this.sentry.syscall(ctx, sysno) && this.current === ctx && ctx.breakpoints === null;
    }
    const { isPatchedCall } = this;
    this.observer.onCall(ctx, sysno, isPatchedCall);
    const goesOn = this.sentry.syscall(ctx, sysno) && this.current === ctx && ctx.breakpoints === null;
    if (goesOn) this.observer.onServed(ctx, isPatchedCall);
    return goesOn;
  }

  // ---- syscalls inside a run: the hot path, no allocation

  private onSyscall(): boolean {
    const { regs } = this.cpu;
    const words = regs.u32;
    const ctx = this.current as GuestContext;
    const thread = this.thread;
    if (thread !== null) {
      if (words[RIP_LOW + 1] === STUB_HIGH) {
        const low = words[RIP_LOW] as number;
        if (low === this.gateLow && (this.savesInGuest || thread.isPreparing)) return this.patchedCall(ctx, thread);
        if (low === this.panicLow) {
          this.panic = thread.msg[Msg.err / 4] as number;
          return false;
        }
      }
      if (this.config.guards.assertGs && this.hasForeignGs(thread)) this.giveUpGs(thread);
      if (!this.patcher.mayPatch(ctx)) this.patcher.countUnpatchable(thread.traps);
      else if (this.patcher.patch(ctx, thread.traps)) return true;
    }
    this.trapped++;
    this.isPatchedCall = false;
    return this.serve(ctx, words[0] as number);
  }

  /** Serves a call that came through a trampoline and the syshandler; the stub's code goes back to the guest. */
  private patchedCall(ctx: GuestContext, thread: StubThread): boolean {
    const { regs } = this.cpu;
    const words = regs.u32;
    const { msg } = thread;
    const returnLow = msg[RET_INDEX] as number;
    const returnHigh = msg[RET_INDEX + 1] as number;
    let sysno: number;
    if (this.savesInGuest) {
      sysno = thread.loadContext(regs);
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
    thread.setIdle();
    this.patchedCalls++;
    this.count(thread.traps, returnHigh * 2 ** 32 + returnLow);
    this.isPatchedCall = true;
    if (!this.serve(ctx, sysno)) return false;
    if (((words[FLAGS_LOW] as number) & TRAP_FLAG) !== 0 && !this.savesInGuest) return true;
    if (this.savesInGuest) {
      thread.storeContext(regs);
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

  private count(traps: SpaceTraps, returnAddress: number): void {
    if (returnAddress !== this.lastReturn || traps !== this.lastTraps || traps.version !== this.lastVersion) {
      this.lastReturn = returnAddress;
      this.lastTraps = traps;
      this.lastVersion = traps.version;
      this.lastSite = traps.byReturn.get(returnAddress);
    }
    if (this.lastSite !== undefined) this.lastSite.calls++;
  }

  // ---- GS

  /** The guest has loaded GS: its base is not what this thread's trampolines need. */
  private hasForeignGs(thread: StubThread): boolean {
    const words = this.cpu.regs.u32;
    return words[GS_LOW] !== thread.msgLow || words[GS_LOW + 1] !== STUB_HIGH;
  }

  /**
   * A task uses GS itself: trampolines would store into its memory. The whole space goes back to trapping.
   * DIVERGES: upstream lets such a task run into its own memory (usertrap.md scenarios 53 and 54).
   */
  private giveUpGs(thread: StubThread): void {
    thread.ownsGs = true;
    const { traps } = thread;
    if (traps.closed !== null) return;
    traps.closed = 'own-gs';
    this.trace.emit(EventKind.tableLost, traps.tid, traps.base, 1);
    traps.restoreSites();
  }

  // ---- tracers

  /**
   * DIVERGES (restoreForTracer): upstream leaves sites as they are for the tracer to read, poke and step through; here a
   * space with a tracee has its original bytes, and none is patched meanwhile.
   */
  tracerChanged(ctx: GuestContext): void {
    const thread = ctx.platformState;
    if (!(thread instanceof StubThread) || !this.config.guards.restoreForTracer) return;
    if (ctx.hasTracer) thread.traps.addTracee();
    else thread.traps.tracees--;
  }

  // ---- figures

  metrics(): PlatformMetrics {
    return {
      trapped: this.trapped,
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
