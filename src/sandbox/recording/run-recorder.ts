// SPDX-License-Identifier: MIT
//
// Looks on at a run and takes it down as a recording: what happens at the surface all along (calls, signals, output,
// patches), and single instructions from the start and in windows around what is new.

import { signalName } from '../../abi/signal.ts';
import { SYS, syscallName } from '../../abi/sysno.ts';
import { toHex } from '../../base/bytes.ts';
import type { Cpu, Stop } from '../../cpu/cpu.ts';
import { Reg } from '../../cpu/regs.ts';
import type { Disassembler } from '../../isa/disassembler.ts';
import { MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import { addressOf } from '../../platform/breakpoints.ts';
import type { PlatformObserver } from '../../platform/observer.ts';
import type { GuestContext, PlatformEvent } from '../../platform/sentry.ts';
import type { SpaceTraps } from '../../platform/space-traps.ts';
import { STUB_CODE, STUB_END, STUB_START } from '../../platform/stub-layout.ts';
import { EventKind } from '../../trace/events.ts';
import type { TraceEvent } from '../../trace/events.ts';
import type { TraceConsumer } from '../../trace/ring.ts';
import type { CodeTables } from '../../trace/recording/code-tables.ts';
import type {
  Actor,
  ActorChange,
  CallLine,
  Event,
  EventKindName,
  Facts,
  Maps,
  Output,
  Place,
  Store,
} from '../../trace/recording/format.ts';
import type { FaultOutcome } from '../../usertrap/fault-handler.ts';
import type { PatchOutcome, PatchRequest } from '../../usertrap/patcher.ts';
import type { Step as TrapStep, StepResult } from '../../usertrap/steps.ts';
import type { Sandbox } from '../sandbox.ts';
import type { StepWatcher } from './step-cpu.ts';
import type { RunMemory } from './run-memory.ts';
import type { KnownTask, OpenStep, StepLog } from './step-log.ts';

const SENTRY = 0;
const MOST_ACTORS = 64;
const MOST_CALLS = 50_000;
const MOST_EVENTS = 100_000;
const MOST_OUTPUT_BYTES = 256 * 1024;
const MOST_MAPS = 200;
const MOST_MAPS_CHARACTERS = 2 ** 20;
/** Bytes of one store that are taken down. */
const MOST_STORED = 64;
/** Instructions that a window shows at most, and after the way back to the program. */
const WINDOW = 400;
const AFTER_WINDOW = 3;
/** Uses of slots that nobody waits for, before the recorder gives up waiting for the others. */
const MOST_MISSES = 2000;

/** Calls after which `/proc/self/maps` may be another. */
const MAPPING_CALLS: ReadonlySet<number> = new Set([
  SYS.mmap,
  SYS.munmap,
  SYS.mprotect,
  SYS.mremap,
  SYS.brk,
  SYS.execve,
  SYS.execveat,
  SYS.shmat,
  SYS.shmdt,
]);

/** A call that has not returned. */
interface OpenCall {
  readonly index: number;
  readonly via: CallLine['via'];
}

/** Takes a run down. One for each run. */
export class RunRecorder implements PlatformObserver, StepWatcher, TraceConsumer {
  readonly wantsText = true;
  /** Registers and memory are read when things happen. */
  readonly immediate = true;
  readonly actors: Actor[] = [{ name: 'sentry', role: 'patcher' }];
  readonly calls: CallLine[] = [];
  readonly events: Event[] = [];
  readonly output: Output[] = [];
  readonly maps: Maps[] = [];
  /** What is known at the start. */
  readonly start: ActorChange[] = [{ actor: SENTRY, state: 'kernel' }];
  readonly log: StepLog;
  readonly tables: CodeTables;
  readonly memory: RunMemory;
  readonly #disassembler: Disassembler;
  readonly #tasks = new Map<number, KnownTask>();
  readonly #openCalls = new Map<number, OpenCall>();
  readonly #lastMaps = new Map<number, string>();
  readonly #operands = new Map<string, ReturnType<Disassembler['memoryOperands']>>();
  readonly #code = new Uint8Array(MAX_INSTRUCTION_BYTES);
  #sandbox: Sandbox | null = null;
  #ctx: GuestContext | null = null;
  /** Instructions that are still to be shown one by one. */
  #left: number;
  /** The window ends a few instructions after its call is served and the program goes on. */
  #endsAfterCall = false;
  /** Count of instructions that the steps account for. */
  #seen = 0;
  #outputBytes = 0;
  #mapsCharacters = 0;
  /** The trap of the call at hand was told already, before the site was looked at. */
  #isTrapTold = false;
  #isInPatch = false;
  #isRestart = false;
  /** When the call at hand was told. */
  #toldAt = 0;
  /** Slots whose first use is waited for, by the table's space. */
  readonly #awaited = new Map<SpaceTraps, Set<number>>();
  #misses = 0;
  /** A call goes through a slot that nobody waits for: slots are guarded again once it has been served. */
  #isUnguarded = false;
  /** There is a slot that the run under way does not know to be guarded. */
  #isAwaitedAnew = false;
  #pending: { step: OpenStep; task: KnownTask; stores: { address: number; length: number }[] } | null = null;
  #isOver = false;

  /**
   * @param head instructions that are shown one by one from the start
   */
  constructor(log: StepLog, tables: CodeTables, memory: RunMemory, disassembler: Disassembler, head: number) {
    this.log = log;
    this.tables = tables;
    this.memory = memory;
    this.#disassembler = disassembler;
    this.#left = head;
  }

  /** The sandbox that it looks at, before it runs. */
  attach(sandbox: Sandbox, stub: Uint8Array | null): void {
    this.#sandbox = sandbox;
    this.#seen = sandbox.cpu.instructions;
    const first = sandbox.kernel.init?.leader;
    const task = this.#taskOf(first ?? null);
    if (first === undefined || task === null) return;
    this.memory.begin(first.mm, stub);
    // The first program is there when the recording begins.
    this.log.steps.length = 0;
    this.events.length = 0;
    this.start.push({ actor: task.actor, state: 'user', ...this.log.changeOf(task, first) });
    this.#takeMaps(first.mm);
  }

  /** What happens from now on is no part of the run. What can be known only at its end is filled in. */
  detach(): void {
    this.#isOver = true;
    this.events.sort((a, b) => a.at - b.at);
    const spaces = new Map<number, number>();
    for (const step of [{ actor: SENTRY, changes: this.start }, ...this.log.steps]) {
      for (const { actor, space } of step.changes ?? [])
        if (space !== undefined) spaces.set(actor ?? step.actor, space);
      if (!('place' in step) || step.place !== 'program' || step.rip === undefined) continue;
      // The sites that were met later.
      if (this.#isInSite(spaces.get(step.actor) ?? 0, step.rip)) step.place = 'site';
    }
  }

  // ---- single instructions

  wantsStep(): boolean {
    return this.#left > 0 && !this.#isOver && !this.log.isFull;
  }

  beforeStep(): number {
    const ctx = this.#ctx;
    const task = this.#taskOf(ctx);
    this.#pending = null;
    if (ctx === null || task === null) return 0;
    this.#catchUp(ctx, task);
    const rip = ctx.regs.get(Reg.rip);
    const code = this.#codeAt(ctx, rip);
    const { text, length } = this.tables.instruction(code, rip);
    const step: OpenStep = { actor: task.actor, kind: 'instruction', rip, text, place: this.#placeOf(ctx, rip) };
    this.#pending = { step, task, stores: this.#storesOf(ctx, code, rip) };
    return length;
  }

  afterStep(stop: Stop): void {
    const pending = this.#pending;
    this.#pending = null;
    const ctx = this.#ctx;
    if (pending === null || ctx === null) return;
    // A fault is told by what becomes of it; an interruption has executed nothing.
    if (stop.kind === 'breakpoint') this.#seen = this.#instructions;
    if (stop.kind !== 'budget' && stop.kind !== 'syscall' && stop.kind !== 'debug' && stop.kind !== 'int') return;
    const { step, task } = pending;
    this.#seen = this.#instructions;
    this.#left--;
    const stores = pending.stores.flatMap(({ address, length }) => this.#storeMade(ctx, task, address, length));
    if (stores.length > 0) step.stores = stores;
    this.#add(step, task, ctx);
    for (const store of stores) this.memory.stored(ctx.mm, store);
    this.#mayEndWindow(ctx);
  }

  beforeRun(): void {
    if (this.#isUnguarded || this.#ctx === null) return;
    for (const [traps, slots] of this.#awaited) {
      if (traps.mm !== this.#ctx.mm) continue;
      for (const slot of slots) traps.mm.guardPage(slot, true);
    }
  }

  takesFault(stop: Stop): boolean {
    const ctx = this.#ctx;
    if (ctx === null) return false;
    const { address, access, present } = stop;
    for (const [traps, slots] of this.#awaited) {
      if (traps.mm !== ctx.mm || !traps.inSlots(address)) continue;
      if (ctx.mm.handleFault(address, access, present, ctx.regs.get(Reg.rsp)) !== 'fixed') return false;
      if (slots.delete(address)) this.#openWindow(true);
      else if (++this.#misses > MOST_MISSES) this.#awaited.clear();
      // Another site's call goes on unguarded, up to the Sentry.
      else this.#isUnguarded = true;
      return true;
    }
    return false;
  }

  leavesRun(): boolean {
    if (this.wantsStep()) return true;
    const isWanted = (this.#isUnguarded || this.#isAwaitedAnew) && this.#awaited.size > 0;
    this.#isUnguarded = false;
    this.#isAwaitedAnew = false;
    return isWanted;
  }

  #openWindow(endsAfterCall: boolean): void {
    this.#left = Math.max(this.#left, WINDOW);
    this.#endsAfterCall = endsAfterCall;
  }

  /** The way back from a call has been seen. */
  #mayEndWindow(ctx: GuestContext): void {
    if (!this.#endsAfterCall || this.#left > WINDOW || this.#openCalls.has(ctx.tid)) return;
    const place = this.#placeOf(ctx, ctx.regs.get(Reg.rip));
    if (place !== 'program' && place !== 'site') return;
    this.#left = Math.min(this.#left, AFTER_WINDOW);
  }

  /** What the processor is about to decode; the stub's code is no memory of the program's. */
  #codeAt(ctx: GuestContext, rip: number): Uint8Array {
    const { stub } = this.memory;
    if (rip >= STUB_CODE && rip < STUB_CODE + stub.length) {
      return stub.subarray(rip - STUB_CODE, rip - STUB_CODE + MAX_INSTRUCTION_BYTES);
    }
    return this.#code.subarray(0, ctx.mm.copyIn(rip, this.#code, true));
  }

  #placeOf(ctx: GuestContext, rip: number): Place {
    if (rip >= STUB_START && rip < STUB_END) return 'stub';
    const traps = this.#traps.get(ctx.mm);
    if (traps?.inSlots(rip) === true) return 'slot';
    return this.#isInSite(this.#spaceOf(ctx.mm), rip) ? 'site' : 'program';
  }

  #isInSite(space: number, rip: number): boolean {
    return this.#siteOffset(space, rip) !== null;
  }

  /** Trap tables by address space, as they have shown themselves. */
  readonly #traps = new Map<AddressSpace, SpaceTraps>();

  #storesOf(ctx: GuestContext, code: Uint8Array, rip: number): { address: number; length: number }[] {
    const key = `${rip}:${toHex(code)}`;
    let operands = this.#operands.get(key);
    if (operands === undefined) {
      operands = this.#disassembler.memoryOperands(code, rip);
      this.#operands.set(key, operands);
    }
    return operands.flatMap((operand) => {
      if (!operand.writes || (operand.isRepeated && ctx.regs.u64[Reg.rcx] === 0n)) return [];
      return [{ address: addressOf(operand, ctx.regs), length: Math.min(operand.bytes, MOST_STORED) }];
    });
  }

  #storeMade(ctx: GuestContext, task: KnownTask, address: number, length: number): Store[] {
    const bytes = new Uint8Array(length);
    const held = ctx.mm.copyIn(address, bytes, true);
    return held === 0 ? [] : [{ space: task.space, address, bytes: toHex(bytes.subarray(0, held)) }];
  }

  // ---- what the platform does

  onRun(ctx: GuestContext): void {
    this.#ctx = ctx;
  }

  onStop(ctx: GuestContext, stop: Stop): void {
    switch (stop.kind) {
      case 'page-fault':
      case 'syscall':
      case 'int':
      case 'budget':
      case 'interrupted':
      case 'debug':
        return;
      default:
        this.#faulted(ctx, { fault: stop.kind });
    }
  }

  onPause(_ctx: GuestContext, _event: PlatformEvent): void {}

  onCall(ctx: GuestContext, sysno: number, isPatched: boolean): void {
    const task = this.#taskOf(ctx);
    if (task === null) return;
    if (!this.#isTrapTold) this.#tellCall(ctx, task, sysno, isPatched);
    this.#isTrapTold = false;
  }

  onServed(ctx: GuestContext): void {
    const task = this.#taskOf(ctx);
    if (task !== null) this.#sync(ctx, task);
  }

  onStep(traps: SpaceTraps, step: TrapStep, result: StepResult): void {
    this.#traps.set(traps.mm, traps);
    const ctx = this.#ctx;
    const task = this.#taskOf(ctx);
    if (ctx === null || task === null || this.#isOver) return;
    if (!this.#isInPatch && step.op === 'load' && step.what.startsWith('stub read')) this.#beginPatch(ctx, task);
    this.#takeStep(traps, step, result, task);
  }

  onPatch(ctx: GuestContext, traps: SpaceTraps, request: PatchRequest, outcome: PatchOutcome): void {
    this.#isInPatch = false;
    const task = this.#taskOf(ctx);
    if (task === null) return;
    const site = this.memory.siteAt(task.space, outcome.site) ?? -1;
    if (outcome.kind === 'patched') {
      const { slot, index, sysno } = outcome;
      const data = { site: outcome.site, slot, index, sysno, name: syscallName(sysno) };
      if (this.#tell('patched', task, data)) this.#event('patched', task.actor, site, data);
      this.#await(traps, slot);
      return;
    }
    const written: Facts = outcome.kind === 'failed' ? { written: outcome.written } : {};
    const data = { site: outcome.site, rule: outcome.rule, sysno: request.sysno, ...written };
    if (this.#tell('refused', task, data)) this.#event('refused', task.actor, site, data);
  }

  onRewind(ctx: GuestContext, _traps: SpaceTraps, site: number): void {
    this.#isInPatch = false;
    this.#isTrapTold = false;
    const task = this.#taskOf(ctx);
    if (task === null) return;
    this.#add({ actor: task.actor, kind: 'rewind', data: { site } }, task, ctx);
  }

  onRecovery(ctx: GuestContext, _traps: SpaceTraps, at: number, rax: bigint, outcome: FaultOutcome): void {
    const task = this.#taskOf(ctx);
    if (task === null) return;
    const site = at - 5;
    const data = { outcome: outcome.kind, rax: rax.toString(16), site };
    const isOurs = outcome.kind !== 'not-ours';
    this.#isRestart = outcome.kind === 'handle-as-syscall';
    if (!this.#tell('recover', task, data, isOurs ? { cost: 'restart' } : {})) return;
    if (isOurs) this.#event('restarted', task.actor, this.memory.siteAt(task.space, site) ?? -1, data);
    if (outcome.kind === 'restart') this.#openWindow(true);
  }

  onFork(_parent: SpaceTraps, child: SpaceTraps): void {
    this.#traps.set(child.mm, child);
  }

  onMove(_ctx: GuestContext, traps: SpaceTraps): void {
    this.#traps.set(traps.mm, traps);
  }

  #await(traps: SpaceTraps, slot: number): void {
    const slots = this.#awaited.get(traps);
    if (slots === undefined) this.#awaited.set(traps, new Set([slot]));
    else slots.add(slot);
    this.#isAwaitedAnew = true;
  }

  /** A trapped site is about to be looked at. */
  #beginPatch(ctx: GuestContext, task: KnownTask): void {
    this.#isInPatch = true;
    const sysno = ctx.regs.u32[0] as number;
    this.#tellCall(ctx, task, sysno, false);
    this.#isTrapTold = true;
    const site = ctx.regs.get(Reg.rip) - SITE_BYTES;
    this.#tell('patch-begin', task, { site, sysno, name: syscallName(sysno) });
  }

  /** A call comes from a trap or through a slot. */
  #tellCall(ctx: GuestContext, task: KnownTask, sysno: number, isPatched: boolean): void {
    if (this.log.isFull) {
      this.log.leaveOut('steps');
      return;
    }
    if (this.#instructions > this.#seen) this.#catchUp(ctx, task);
    const address = ctx.regs.get(Reg.rip) - SITE_BYTES;
    const boundary = this.#cpu?.blockStart ?? 0;
    const known = this.memory.siteAt(task.space, address);
    const added = isPatched && known === undefined ? null : this.memory.addSite(ctx.mm, task.space, address, boundary);
    const memory = [...(added?.memory ?? []), ...this.memory.differences(ctx.mm)];
    task.state = 'kernel';
    this.#add(
      {
        actor: task.actor,
        kind: isPatched ? 'call' : 'trap',
        rip: ctx.regs.get(Reg.rip),
        changes: [{ state: 'kernel' }],
        ...(memory.length === 0 ? {} : { memory }),
        cost: isPatched ? 'patched' : 'seccomp',
        data: { sysno, name: syscallName(sysno), site: address },
      },
      task,
      ctx,
    );
    this.#toldAt = this.log.moment;
  }

  #takeStep(traps: SpaceTraps, step: TrapStep, result: StepResult, task: KnownTask): void {
    const { mm } = traps;
    const { space } = task;
    const taken: OpenStep = { actor: SENTRY, kind: 'other', text: this.tables.text(step.what) };
    const data: Record<string, string | number | boolean> = { what: step.what };
    switch (step.op) {
      case 'lock':
      case 'unlock':
        taken.kind = step.op;
        data['exclusive'] = step.exclusive;
        taken.spaces = [
          step.exclusive ? { space, isLocked: step.op === 'lock' } : { space, readers: step.op === 'lock' ? 1 : 0 },
        ];
        break;
      case 'stop':
      case 'resume':
        taken.kind = step.op;
        taken.spaces = [{ space, isStopped: step.op === 'stop' }];
        break;
      case 'sync':
        taken.kind = 'sync';
        break;
      case 'load':
        taken.kind = 'load';
        Object.assign(data, { address: step.addr, length: step.length });
        if (result instanceof Uint8Array) data['bytes'] = toHex(result.subarray(0, MOST_STORED));
        break;
      case 'store': {
        taken.kind = 'store';
        this.#takeStore(taken, data, traps, step, result, task);
        break;
      }
      case 'get':
      case 'set':
        taken.kind = 'record';
        Object.assign(data, { field: step.field, isWrite: step.op === 'set' });
        data['value'] = step.op === 'set' ? step.value : typeof result === 'number' ? result : 0;
        if (step.op === 'set' && (step.field === 'next' || step.field === 'base'))
          taken.spaces = [{ space, [step.field]: step.value }];
        break;
      case 'find-table':
      case 'map-table':
        taken.kind = 'table';
        data['base'] = step.op === 'map-table' ? step.addr : typeof result === 'number' ? result : 0;
        break;
      default:
        if (typeof result === 'number') data['result'] = result;
    }
    taken.data = data;
    if (!this.log.add(taken)) return;
    if (step.op === 'map-table') {
      this.#takeMaps(mm);
      this.#event('table', SENTRY, undefined, data);
    }
  }

  #takeStore(
    taken: OpenStep,
    data: Record<string, string | number | boolean>,
    traps: SpaceTraps,
    step: TrapStep & { readonly op: 'store' },
    result: StepResult,
    task: KnownTask,
  ): void {
    const { mm, base } = traps;
    const { space } = task;
    const store: Store = { space, address: step.addr, bytes: toHex(step.bytes) };
    if (result !== 1) {
      data['failed'] = true;
      return;
    }
    const offset = this.#siteOffset(space, step.addr);
    if (offset !== null) data['offset'] = offset;
    if (traps.inSlots(step.addr)) {
      // The slot appears with this store in it.
      const slot = step.what === 'header' ? base : step.addr;
      const memory = this.memory.addTablePiece(mm, space, base, slot);
      if (memory.length > 0) taken.memory = memory;
    }
    taken.stores = [store];
    this.memory.stored(mm, store);
    if (offset !== null && !this.log.isFull) {
      this.#event('store', SENTRY, undefined, { offset, bytes: store.bytes, what: step.what }, 1);
    }
  }

  /** Of an address in a known site. */
  #siteOffset(space: number, address: number): number | null {
    for (let offset = 0; offset < SITE_BYTES; offset++) {
      if (this.memory.siteAt(space, address - offset) !== undefined) return offset;
    }
    return null;
  }

  #faulted(ctx: GuestContext, data: Facts): void {
    const task = this.#taskOf(ctx);
    if (task === null) return;
    this.#catchUp(ctx, task);
    // The registers are behind an int3, which has no operand.
    const rip = ctx.regs.get(Reg.rip) - (data['fault'] === 'breakpoint' ? 1 : 0);
    const code = this.#codeAt(ctx, rip);
    const { text } = this.tables.instruction(code, rip);
    const place = this.#placeOf(ctx, rip);
    const added = this.#add({ actor: task.actor, kind: 'fault', rip, text, place, data }, task, ctx);
    if (added) this.#event('fault', task.actor, undefined, data);
  }

  // ---- what the kernel does

  event(e: TraceEvent): void {
    if (this.#isOver) return;
    if (e.kind === EventKind.taskStart) {
      this.#startTask(e);
      return;
    }
    const task = this.#tasks.get(e.tid);
    if (task === undefined) return;
    switch (e.kind) {
      case EventKind.syscallEnter:
        this.#enter(e, task);
        break;
      case EventKind.syscallExit:
        this.#exit(e, task);
        break;
      case EventKind.taskExit:
        this.#state(task, 'ended', { actor: task.actor, kind: 'exit', data: { status: e.b } });
        this.#event('exit', task.actor, undefined, { status: e.b });
        break;
      case EventKind.exec:
        this.#exec(e, task);
        break;
      case EventKind.taskName:
        task.name = e.text ?? '';
        break;
      case EventKind.taskBlocked:
        this.#state(task, 'blocked', {
          actor: task.actor,
          kind: 'block',
          data: { sysno: e.a, name: syscallName(e.a) },
        });
        break;
      case EventKind.taskWoken:
        this.#state(task, 'user', { actor: task.actor, kind: 'wake', data: {} });
        break;
      case EventKind.contextSwitch:
        this.#switch(e, task);
        break;
      case EventKind.guestFault:
        this.#guestFault(e, task);
        break;
      case EventKind.signalSent:
      case EventKind.signalDelivered:
      case EventKind.signalFatal:
        this.#signal(e, task);
        break;
      case EventKind.handlerEnter:
        this.#tell('handler', task, { signo: e.a, name: signalName(e.a), handler: e.c });
        break;
      case EventKind.handlerReturn:
        this.#tell('sigreturn', task, {});
        break;
      case EventKind.spaceEntered:
        this.#enterSpace(e, task);
        break;
      case EventKind.tableLost:
        this.#event('table', SENTRY, undefined, { base: e.a, what: e.b === 0 ? 'unmapped' : 'own GS' });
        break;
      default:
    }
  }

  #startTask(e: TraceEvent): void {
    if (this.actors.length >= MOST_ACTORS) {
      this.log.leaveOut('actors');
      return;
    }
    const actor = this.actors.push({ name: `tid ${e.tid}`, role: 'task', tid: e.tid, tgid: e.a }) - 1;
    const task = this.log.newTask(actor, e.tid);
    this.#tasks.set(e.tid, task);
    const parent = this.#tasks.get(e.b);
    const data: Facts = parent === undefined ? {} : { parent: parent.actor };
    task.name = parent?.name ?? '';
    this.#state(task, 'user', { actor, kind: 'start', data });
    this.#event('start', actor, undefined, data);
  }

  #enter(e: TraceEvent, task: KnownTask): void {
    if (this.calls.length >= MOST_CALLS || this.log.isFull) {
      this.log.leaveOut('calls');
      return;
    }
    const name = syscallName(e.a);
    const via = e.c === 1 ? 'trampoline' : this.#isRestart ? 'restart' : 'trap';
    this.#isRestart = false;
    const site = this.memory.siteAt(task.space, e.b - SITE_BYTES);
    const index =
      this.calls.push({
        at: this.#toldAt,
        end: null,
        actor: task.actor,
        sysno: e.a,
        name,
        enter: `${name}(${e.text ?? ''}`,
        exit: '',
        via,
        rip: e.b,
        ...(site === undefined ? {} : { site }),
      }) - 1;
    this.#openCalls.set(e.tid, { index, via });
    this.#event('call', task.actor, index, { sysno: e.a, name, via }, this.#toldAt - this.log.moment);
  }

  #exit(e: TraceEvent, task: KnownTask): void {
    const call = this.#openCalls.get(e.tid);
    this.#openCalls.delete(e.tid);
    const line = call === undefined ? undefined : this.calls[call.index];
    const text = e.text ?? '';
    const result: Facts = Number.isNaN(e.b) ? {} : { result: e.b };
    const data = { sysno: e.a, name: syscallName(e.a), via: call?.via ?? 'trap', ...result };
    if (task.state === 'kernel') task.state = 'user';
    if (this.log.isFull) {
      this.log.leaveOut('steps');
      return;
    }
    const ctx = this.#sandbox?.kernel.task(e.tid);
    const memory = ctx === undefined ? [] : this.memory.differences(ctx.mm);
    const step: OpenStep = {
      actor: SENTRY,
      kind: 'served',
      changes: [{ actor: task.actor, state: task.state }],
      ...(memory.length === 0 ? {} : { memory }),
      data,
    };
    if (!this.log.add(step)) return;
    task.last = step;
    if (call !== undefined && line !== undefined) {
      const exit = `${text.slice(0, e.c)}) = ${text.slice(e.c)}`;
      this.calls[call.index] = { ...line, end: this.log.moment, exit };
    }
    if (ctx !== undefined && MAPPING_CALLS.has(e.a)) this.#takeMaps(ctx.mm);
  }

  #exec(e: TraceEvent, task: KnownTask): void {
    const path = e.text ?? '';
    const slash = path.lastIndexOf('/');
    task.name = path.slice(slash + 1);
    this.#tell('exec', task, { path });
    this.#event('exec', task.actor, undefined, { path });
    const mm = this.#sandbox?.kernel.task(e.tid)?.mm;
    if (mm !== undefined) this.#takeMaps(mm);
  }

  #switch(e: TraceEvent, task: KnownTask): void {
    const from = this.#tasks.get(e.a);
    if (from === undefined || from === task) return;
    this.log.add({ actor: SENTRY, kind: 'switch', data: { from: from.actor, to: task.actor } });
  }

  #guestFault(e: TraceEvent, task: KnownTask): void {
    const ctx = this.#sandbox?.kernel.task(task.tid);
    const access = ['read', 'write', 'execute'][e.b] ?? 'read';
    if (ctx !== undefined) this.#faulted(ctx, { fault: 'page-fault', address: e.a, access });
  }

  #signal(e: TraceEvent, task: KnownTask): void {
    const how =
      e.kind === EventKind.signalSent ? 'posted' : e.kind === EventKind.signalDelivered ? 'delivered' : 'fatal';
    const target = how === 'posted' ? this.#tasks.get(e.c === 0 ? e.b : e.c) : undefined;
    const data = { signo: e.a, name: signalName(e.a), how, ...(target === undefined ? {} : { to: target.actor }) };
    if (this.#tell('signal', task, data)) this.#event('signal', task.actor, undefined, data);
  }

  #enterSpace(e: TraceEvent, task: KnownTask): void {
    const mm = this.#sandbox?.kernel.task(task.tid)?.mm;
    if (mm === undefined) return;
    task.space = e.a - 1;
    const memory = e.c === 1 ? this.#copied(mm, e.b - 1, task.space) : [];
    const last = this.log.steps.at(-1);
    if (last !== undefined && !this.log.isFull) {
      this.log.merge(last, task, { space: task.space });
      if (memory.length > 0) last.memory = [...(last.memory ?? []), ...memory];
    }
    this.#takeMaps(mm);
  }

  /** A copy of a space has the same sites, patched as they are. */
  #copied(mm: AddressSpace, origin: number, space: number): ReturnType<RunMemory['forked']> {
    const kernel = this.#sandbox?.kernel;
    for (const other of kernel?.tasks.values() ?? []) {
      if (kernel?.spaceNumber(other.mm) === origin + 1) return this.memory.forked(other.mm, origin, mm, space);
    }
    return [];
  }

  // ---- output and maps

  /** The guest has written to the terminal. */
  wrote(fd: 1 | 2, bytes: Uint8Array): void {
    if (this.#isOver || bytes.length === 0) return;
    const room = this.log.isFull ? 0 : Math.max(0, MOST_OUTPUT_BYTES - this.#outputBytes);
    const kept = bytes.subarray(0, room);
    if (kept.length < bytes.length) this.log.leaveOut('output', bytes.length - kept.length);
    if (kept.length === 0) return;
    this.#outputBytes += kept.length;
    const at = this.log.moment;
    const index = this.output.push({ at, fd, bytes: toHex(kept) }) - 1;
    const actor = this.#taskOf(this.#ctx)?.actor ?? SENTRY;
    this.#event('output', actor, index, { fd, length: kept.length });
  }

  #takeMaps(mm: AddressSpace): void {
    const space = this.#spaceOf(mm);
    const text = mm.mapsText();
    if (this.#lastMaps.get(space) === text || this.log.isFull) return;
    this.#lastMaps.set(space, text);
    const length = this.#mapsCharacters + text.length;
    if (this.maps.length >= MOST_MAPS || length > MOST_MAPS_CHARACTERS) {
      this.log.leaveOut('maps');
      return;
    }
    this.#mapsCharacters = length;
    this.maps.push({ at: this.log.moment, space, text });
  }

  // ---- steps

  get #cpu(): Cpu | undefined {
    return this.#sandbox?.cpu;
  }

  get #instructions(): number {
    return this.#cpu?.instructions ?? 0;
  }

  #spaceOf(mm: AddressSpace): number {
    return Math.max(0, (this.#sandbox?.kernel.spaceNumber(mm) ?? 1) - 1);
  }

  #taskOf(ctx: GuestContext | null): KnownTask | null {
    if (ctx === null || this.#isOver) return null;
    return this.#tasks.get(ctx.tid) ?? null;
  }

  /** Takes down what has run since the last step: as one step, or as part of the last. */
  #catchUp(ctx: GuestContext, task: KnownTask): void {
    const instructions = this.#instructions - this.#seen;
    this.#seen = this.#instructions;
    if (instructions < 0) this.#takeBack(task);
    if (instructions <= 0 || this.log.isFull) {
      this.#sync(ctx, task);
      return;
    }
    this.log.leaveOut('instructions', instructions);
    this.#add({ actor: task.actor, kind: 'skip', data: { instructions, why: 'program' } }, task, ctx);
  }

  /**
   * The platform has sent the task back to the jump that was its last instruction: it counts again, and it is told again.
   * Whether that happens depends on when the host interrupts.
   */
  #takeBack(task: KnownTask): void {
    const step = this.log.steps.at(-1);
    if (step?.kind !== 'instruction' || step.actor !== task.actor || step.rip === undefined) return;
    this.log.steps.pop();
    task.rip = step.rip;
    task.last = this.log.steps.at(-1) ?? null;
    if (this.#left > 0) this.#left++;
  }

  /** What the kernel or the platform has changed of a task since its last step belongs to that. */
  #sync(ctx: GuestContext, task: KnownTask): void {
    if (this.log.isFull || task.last === null) return;
    const change = this.log.changeOf(task, ctx);
    if (change !== null) this.log.merge(task.last, task, change);
  }

  /** Adds a step of a task with what it has changed of it. */
  #add(step: OpenStep, task: KnownTask, ctx: GuestContext): boolean {
    if (!this.log.add(step)) return false;
    const change = this.log.changeOf(task, ctx);
    if (change !== null) this.log.merge(step, task, change);
    task.last = step;
    return true;
  }

  /** A step about a task, without a look at its registers. */
  #tell(kind: OpenStep['kind'], task: KnownTask, data: Facts, more: Partial<OpenStep> = {}): boolean {
    return this.log.add({ actor: SENTRY_KINDS.has(kind) ? SENTRY : task.actor, kind, data, ...more });
  }

  #state(task: KnownTask, state: KnownTask['state'], step: OpenStep): void {
    task.state = state;
    const change: ActorChange = { state };
    if (this.log.add({ ...step, changes: [change] })) task.last = this.log.steps.at(-1) ?? null;
  }

  #event(kind: EventKindName, actor: number, index: number | undefined, data: Facts, later = 0): void {
    if (this.log.isFull) return;
    if (this.events.length >= MOST_EVENTS) {
      this.log.leaveOut('events');
      return;
    }
    const at = this.log.moment + later;
    this.events.push({ at, kind, actor, ...(index === undefined || index < 0 ? {} : { index }), data });
  }

  /** Actors with the names that their programs have in the end. */
  namedActors(): Actor[] {
    return this.actors.map((actor, i) => {
      const name = [...this.#tasks.values()].find((task) => task.actor === i)?.name ?? '';
      return name === '' ? actor : { ...actor, name: `${actor.name} ${name}` };
    });
  }
}

const SENTRY_KINDS: ReadonlySet<string> = new Set(['patch-begin', 'patched', 'refused', 'recover', 'handler']);
