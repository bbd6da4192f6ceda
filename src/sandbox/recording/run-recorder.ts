// SPDX-License-Identifier: MIT
//
// Looks on at a run and takes it down: what the platform does at the surface all along (traps, patches, recoveries,
// calls), and single instructions from the start and in windows around what is new.

import { syscallName } from '../../abi/sysno.ts';
import { toHex } from '../../base/bytes.ts';
import type { Stop } from '../../cpu/cpu.ts';
import { Reg } from '../../cpu/regs.ts';
import type { Disassembler } from '../../isa/disassembler.ts';
import { MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import { SITE_BYTES, SYSCALL_OFFSET } from '../../isa/syscall-site.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import { addressOf } from '../../platform/breakpoints.ts';
import type { PlatformObserver } from '../../platform/observer.ts';
import type { GuestContext } from '../../platform/sentry.ts';
import type { SpaceTraps } from '../../platform/space-traps.ts';
import { STUB_CODE, STUB_END, STUB_START } from '../../platform/stub-layout.ts';
import type { Facts, Place, Store } from '../../trace/recording/format.ts';
import type { FaultOutcome } from '../../usertrap/fault-handler.ts';
import type { PatchOutcome, PatchRequest } from '../../usertrap/patcher.ts';
import type { Step as TrapStep, StepResult } from '../../usertrap/steps.ts';
import { KernelWatcher } from './kernel-watcher.ts';
import type { RunLog } from './run-log.ts';
import type { StepWatcher } from './step-cpu.ts';
import type { KnownTask, OpenStep } from './step-log.ts';
import { StepWindows } from './step-windows.ts';
import { takeTrapStep } from './trap-steps.ts';

/** Bytes of one store that are taken down. */
const MOST_STORED = 64;
/** Instructions whose operands are kept. */
const MOST_KNOWN = 4096;

/** Where an instruction will store. */
interface Destination {
  readonly address: number;
  readonly length: number;
}

/** Takes a run down. One for each run. */
export class RunRecorder implements PlatformObserver, StepWatcher {
  /** What it takes down. */
  readonly run: RunLog;
  /** To be attached to the trace of the run. */
  readonly kernel: KernelWatcher;
  readonly #windows: StepWindows;
  readonly #disassembler: Disassembler;
  readonly #operands = new Map<string, ReturnType<Disassembler['memoryOperands']>>();
  readonly #code = new Uint8Array(MAX_INSTRUCTION_BYTES);
  /** Trap tables by address space, as they have shown themselves. */
  readonly #traps = new Map<AddressSpace, SpaceTraps>();
  /** Count of instructions that the steps account for. */
  #seen = 0;
  /** The trap of the call at hand was told already, before the site was looked at. */
  #isTrapTold = false;
  #isInPatch = false;
  #pending: { readonly step: OpenStep; readonly task: KnownTask; readonly stores: readonly Destination[] } | null =
    null;

  /** @param head instructions that are shown one by one from the start */
  constructor(run: RunLog, disassembler: Disassembler, head: number) {
    this.run = run;
    this.#disassembler = disassembler;
    this.#windows = new StepWindows(head);
    this.kernel = new KernelWatcher(run, (ctx, data) => this.#faulted(ctx, data));
  }

  // ---- single instructions

  wantsStep(): boolean {
    return this.#windows.isOpen && !this.run.isOver && !this.run.steps.isFull;
  }

  beforeStep(): number {
    const ctx = this.run.current;
    const task = this.run.taskOf(ctx);
    this.#pending = null;
    if (ctx === null || task === null) return 0;
    this.#catchUp(ctx, task);
    const rip = ctx.regs.get(Reg.rip);
    const code = this.#codeAt(ctx, rip);
    const { text, length } = this.run.tables.instruction(code, rip);
    const step: OpenStep = { actor: task.actor, kind: 'instruction', rip, text, place: this.#placeOf(ctx, rip) };
    this.#pending = { step, task, stores: this.#destinations(ctx, code, rip) };
    return length;
  }

  afterStep(stop: Stop): void {
    const pending = this.#pending;
    this.#pending = null;
    const ctx = this.run.current;
    if (pending === null || ctx === null) return;
    // A fault is told by what becomes of it; an interruption has executed nothing.
    if (stop.kind === 'breakpoint') this.#seen = this.run.instructions;
    if (stop.kind !== 'budget' && stop.kind !== 'syscall' && stop.kind !== 'debug' && stop.kind !== 'int') return;
    const { step, task } = pending;
    this.#seen = this.run.instructions;
    this.#windows.shown();
    const stores = pending.stores.flatMap((place) => storeMade(ctx, task.space, place));
    if (stores.length > 0) step.stores = stores;
    this.run.add(step, task, ctx);
    for (const store of stores) this.run.memory.stored(ctx.mm, store);
    const place = this.#placeOf(ctx, ctx.regs.get(Reg.rip));
    if ((place === 'program' || place === 'site') && !this.kernel.isInCall(ctx.tid)) this.#windows.mayEnd();
  }

  beforeRun(): void {
    if (this.run.current !== null) this.#windows.guard(this.run.current);
  }

  takesFault(stop: Stop): boolean {
    return this.run.current !== null && this.#windows.takesFault(this.run.current, stop);
  }

  leavesRun(): boolean {
    return this.wantsStep() || this.#windows.guardsAnew();
  }

  /** What the processor is about to decode; the stub's code is no memory of the program's. */
  #codeAt(ctx: GuestContext, rip: number): Uint8Array {
    const { stub } = this.run.memory;
    if (rip >= STUB_CODE && rip < STUB_CODE + stub.length) {
      return stub.subarray(rip - STUB_CODE, rip - STUB_CODE + MAX_INSTRUCTION_BYTES);
    }
    return this.#code.subarray(0, ctx.mm.copyIn(rip, this.#code, true));
  }

  #placeOf(ctx: GuestContext, rip: number): Place {
    if (rip >= STUB_START && rip < STUB_END) return 'stub';
    if (this.#traps.get(ctx.mm)?.inSlots(rip) === true) return 'slot';
    return this.run.memory.offsetInSite(this.run.spaceOf(ctx.mm), rip) === null ? 'program' : 'site';
  }

  #destinations(ctx: GuestContext, code: Uint8Array, rip: number): Destination[] {
    const key = `${rip}:${toHex(code)}`;
    let operands = this.#operands.get(key);
    if (operands === undefined) {
      operands = this.#disassembler.memoryOperands(code, rip);
      if (this.#operands.size >= MOST_KNOWN) this.#operands.clear();
      this.#operands.set(key, operands);
    }
    return operands.flatMap((operand) => {
      if (!operand.writes || (operand.isRepeated && ctx.regs.u64[Reg.rcx] === 0n)) return [];
      return [{ address: addressOf(operand, ctx.regs), length: Math.min(operand.bytes, MOST_STORED) }];
    });
  }

  // ---- what the platform does

  onRun(ctx: GuestContext): void {
    this.run.current = ctx;
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

  onPause(): void {}

  onCall(ctx: GuestContext, sysno: number, isPatched: boolean): void {
    const task = this.run.taskOf(ctx);
    if (task !== null && !this.#isTrapTold) this.#tellCall(ctx, task, sysno, isPatched);
    this.#isTrapTold = false;
  }

  onServed(ctx: GuestContext): void {
    const task = this.run.taskOf(ctx);
    if (task !== null) this.run.sync(ctx, task);
  }

  onStep(traps: SpaceTraps, step: TrapStep, result: StepResult): void {
    this.#traps.set(traps.mm, traps);
    const ctx = this.run.current;
    const task = this.run.taskOf(ctx);
    if (ctx === null || task === null) return;
    if (!this.#isInPatch && step.op === 'load' && step.what.startsWith('stub read')) this.#beginPatch(ctx, task);
    takeTrapStep(this.run, traps, task.space, step, result);
  }

  onPatch(ctx: GuestContext, traps: SpaceTraps, request: PatchRequest, outcome: PatchOutcome): void {
    this.#isInPatch = false;
    const { run } = this;
    const task = run.taskOf(ctx);
    if (task === null) return;
    const site = run.memory.siteAt(task.space, outcome.site);
    if (outcome.kind === 'patched') {
      const { slot, index, sysno } = outcome;
      const data = { site: outcome.site, slot, index, sysno, name: syscallName(sysno) };
      if (run.tell('patched', task, data)) run.event('patched', task.actor, site, data);
      this.#windows.await(traps, slot);
      return;
    }
    const written: Facts = outcome.kind === 'failed' ? { written: outcome.written } : {};
    const data = { site: outcome.site, rule: outcome.rule, sysno: request.sysno, ...written };
    if (run.tell('refused', task, data)) run.event('refused', task.actor, site, data);
  }

  onRewind(ctx: GuestContext, _traps: SpaceTraps, site: number): void {
    this.#isInPatch = false;
    this.#isTrapTold = false;
    const task = this.run.taskOf(ctx);
    if (task !== null) this.run.add({ actor: task.actor, kind: 'rewind', data: { site } }, task, ctx);
  }

  onRecovery(ctx: GuestContext, _traps: SpaceTraps, at: number, rax: bigint, outcome: FaultOutcome): void {
    const { run } = this;
    const task = run.taskOf(ctx);
    if (task === null) return;
    const site = at - SYSCALL_OFFSET;
    const data = { outcome: outcome.kind, rax: rax.toString(16), site };
    run.isRestart = outcome.kind === 'handle-as-syscall';
    if (outcome.kind === 'not-ours') {
      run.tell('recover', task, data);
      return;
    }
    if (run.tell('recover', task, data, { cost: 'restart' })) {
      run.event('restarted', task.actor, run.memory.siteAt(task.space, site), data);
    }
    if (outcome.kind === 'restart') this.#windows.open();
  }

  onFork(_parent: SpaceTraps, child: SpaceTraps): void {
    this.#traps.set(child.mm, child);
  }

  onMove(_ctx: GuestContext, traps: SpaceTraps): void {
    this.#traps.set(traps.mm, traps);
  }

  /** A trapped site is about to be looked at. */
  #beginPatch(ctx: GuestContext, task: KnownTask): void {
    this.#isInPatch = true;
    const sysno = ctx.regs.u32[0] as number;
    this.#tellCall(ctx, task, sysno, false);
    this.#isTrapTold = true;
    const site = ctx.regs.get(Reg.rip) - SITE_BYTES;
    this.run.tell('patch-begin', task, { site, sysno, name: syscallName(sysno) });
  }

  /** A call comes from a trap or through a slot. */
  #tellCall(ctx: GuestContext, task: KnownTask, sysno: number, isPatched: boolean): void {
    const { run } = this;
    if (run.steps.isFull) {
      run.steps.leaveOut('steps');
      return;
    }
    if (run.instructions > this.#seen) this.#catchUp(ctx, task);
    const rip = ctx.regs.get(Reg.rip);
    const address = rip - SITE_BYTES;
    const boundary = run.sandbox?.cpu.blockStart ?? 0;
    const added = isPatched ? null : run.memory.addSite(ctx.mm, task.space, address, boundary);
    const memory = [...(added?.memory ?? []), ...run.memory.differences(ctx.mm)];
    task.state = 'kernel';
    const step: OpenStep = {
      actor: task.actor,
      kind: isPatched ? 'call' : 'trap',
      rip,
      changes: [{ state: 'kernel' }],
      ...(memory.length === 0 ? {} : { memory }),
      cost: isPatched ? 'patched' : 'seccomp',
      data: { sysno, name: syscallName(sysno), site: address },
    };
    run.add(step, task, ctx);
    run.toldAt = run.steps.moment;
  }

  #faulted(ctx: GuestContext, data: Facts): void {
    const task = this.run.taskOf(ctx);
    if (task === null) return;
    this.#catchUp(ctx, task);
    // The registers are behind an int3, which has no operand.
    const rip = ctx.regs.get(Reg.rip) - (data['fault'] === 'breakpoint' ? 1 : 0);
    const { text } = this.run.tables.instruction(this.#codeAt(ctx, rip), rip);
    const step: OpenStep = { actor: task.actor, kind: 'fault', rip, text, place: this.#placeOf(ctx, rip), data };
    if (this.run.add(step, task, ctx)) this.run.event('fault', task.actor, undefined, data);
  }

  /** Takes down what has run since the last step: as one step, or as part of the last. */
  #catchUp(ctx: GuestContext, task: KnownTask): void {
    const instructions = this.run.instructions - this.#seen;
    this.#seen = this.run.instructions;
    if (instructions < 0) this.#takeBack(task);
    if (instructions <= 0 || this.run.steps.isFull) {
      this.run.sync(ctx, task);
      return;
    }
    this.run.steps.leaveOut('instructions', instructions);
    this.run.add({ actor: task.actor, kind: 'skip', data: { instructions } }, task, ctx);
  }

  /**
   * The platform has sent the task back to the jump that was its last instruction: it counts again, and it is told again.
   * Whether that happens depends on when the host interrupts.
   */
  #takeBack(task: KnownTask): void {
    const { steps } = this.run.steps;
    const step = steps.at(-1);
    if (step?.kind !== 'instruction' || step.actor !== task.actor || step.rip === undefined) return;
    steps.pop();
    task.rip = step.rip;
    task.last = steps.at(-1) ?? null;
    this.#windows.takenBack();
  }
}

function storeMade(ctx: GuestContext, space: number, { address, length }: Destination): Store[] {
  const bytes = new Uint8Array(length);
  const held = ctx.mm.copyIn(address, bytes, true);
  return held === 0 ? [] : [{ space, address, bytes: toHex(bytes.subarray(0, held)) }];
}
