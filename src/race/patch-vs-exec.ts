// SPDX-License-Identifier: MIT
//
// The scenario "patch versus execute": one site, a patcher P that has just trapped on it, and threads T0, T1 … about
// to execute it. The steps are usertrap's own generators and instructions on the real engine, under coherent fetch.

import { invariant } from '../base/errors.ts';
import { toHex } from '../base/bytes.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Reg } from '../cpu/regs.ts';
import { instructionLength } from '../isa/instruction-length.ts';
import { MOV_EAX_IMM32, SITE_BYTES, siteSysno, SYSCALL_OFFSET } from '../isa/syscall-site.ts';
import { handleFault } from '../usertrap/fault-handler.ts';
import type { FaultOutcome } from '../usertrap/fault-handler.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../usertrap/guards.ts';
import type { Guards } from '../usertrap/guards.ts';
import { GUARD_OPCODE, jumpOperand, looksPatched, originalBytes, TRAP_USED_BYTES } from '../usertrap/layout.ts';
import { patchSyscall } from '../usertrap/patcher.ts';
import type { PatchOutcome } from '../usertrap/patcher.ts';
import { GVISOR_PROTOCOL } from '../usertrap/protocol.ts';
import type { PatchProtocol } from '../usertrap/protocol.ts';
import type { Step, StepResult, Steps } from '../usertrap/steps.ts';
import { checkTrappedSite } from '../usertrap/stub-check.ts';
import type { StubOutcome } from '../usertrap/stub-check.ts';
import type { ExplorableSystem, Failure, Transition } from './explorer.ts';
import { PatchMachine } from './patch-machine.ts';
import { overlay, patchStateKey, resume } from './patch-state.ts';
import type { ActorState, KernelWork, PatchState, ServedCall } from './patch-state.ts';

/** What the scenario is made of. */
export interface PatchRaceOptions {
  /** An engine of its own: the scenario writes its memory and registers. */
  readonly cpu: Cpu;
  readonly patch: 'upstream' | 'hardened';
  readonly protocol?: PatchProtocol;
  /** How a copy becomes stores; default `isa`: the machine stores that gVisor issues. */
  readonly grain?: 'isa' | 'step' | 'byte';
  /** Threads that execute the site, besides the patcher; default 1. */
  readonly threads?: number;
  /** Of the site in its 64-byte line; default 0. */
  readonly offset?: number;
  readonly sysno?: number;
  readonly tableBase?: number;
  /** Where the threads start in the site: 0, or 5 with the number loaded already. */
  readonly startAt?: 0 | 5;
  /** A mutant for testing the explorer: recovery does not take the lock. */
  readonly unlockedRecovery?: boolean;
}

const LOW_32 = 0xffffffffn;

function hexNumber(n: number): string {
  return n < 1024 ? String(n) : `0x${n.toString(16)}`;
}

/** What an instruction of the site is, for a table. */
function describe(bytes: Uint8Array): string {
  if (bytes[0] === MOV_EAX_IMM32) return `mov $${hexNumber(siteSysno(bytes))},%eax`;
  if (bytes[0] === 0x0f && bytes[1] === 0x05) return 'syscall';
  if (bytes[0] === GUARD_OPCODE) return '(bad): #UD';
  if (bytes[0] === 0xff && bytes[1] === 0x24 && bytes[2] === 0x25) return `jmp *0x${jumpOperand(bytes).toString(16)}`;
  const length = instructionLength(bytes);
  return `"${toHex(bytes.subarray(0, length === 0 ? 2 : length), ' ')}"`;
}

type WorkOutcome = StubOutcome | PatchOutcome | FaultOutcome;

/** See the file's head. One instance at a time per Cpu. */
export class PatchVersusExec implements ExplorableSystem<PatchState> {
  readonly actors: readonly string[];
  readonly siteAddr: number;
  readonly sysno: number;
  readonly protocol: PatchProtocol;
  readonly #machine: PatchMachine;
  readonly #guards: Guards;
  readonly #startAt: 0 | 5;
  readonly #unlockedRecovery: boolean;

  constructor(options: PatchRaceOptions) {
    const threads = options.threads ?? 1;
    this.sysno = options.sysno ?? 39;
    this.actors = ['P', ...Array.from({ length: threads }, (_, i) => `T${i}`)];
    this.#guards = options.patch === 'upstream' ? UPSTREAM_GUARDS : HARDENED_GUARDS;
    const protocol = options.protocol ?? GVISOR_PROTOCOL;
    const split = options.grain === 'step' ? 'step' : options.grain === 'byte' ? 'byte' : protocol.split;
    this.protocol = { ...protocol, split };
    this.#startAt = options.startAt ?? 0;
    this.#unlockedRecovery = options.unlockedRecovery ?? false;
    this.#machine = new PatchMachine(options.cpu, {
      patch: options.patch,
      offset: options.offset ?? 0,
      tableBase: options.tableBase ?? 0x61000,
      sysno: this.sysno,
      threads: threads + 1,
    });
    this.siteAddr = this.#machine.siteAddr;
  }

  initial(): PatchState {
    const patcher: ActorState = {
      phase: 'kernel',
      regs: this.#regs(0, this.siteAddr + SITE_BYTES),
      work: null,
      served: [],
    };
    const actors = this.actors.map((_, i) =>
      i === 0 ? patcher : { ...patcher, phase: 'user' as const, regs: this.#regs(i, this.siteAddr + this.#startAt) },
    );
    const state: PatchState = {
      site: originalBytes(this.sysno),
      stores: new Map(),
      next: 1,
      base: this.#machine.tableBase,
      holder: -1,
      stopper: -1,
      actors,
    };
    return this.#start(state, 0, 'patch');
  }

  #regs(actor: number, rip: number): BigUint64Array {
    const regs = this.#machine.freshRegs(actor, rip);
    // At S+5 and after the syscall the number has been loaded.
    if (rip !== this.siteAddr) regs[Reg.rax] = BigInt(this.sysno);
    return regs;
  }

  key(state: PatchState): string {
    return patchStateKey(state);
  }

  enabled(state: PatchState): readonly number[] {
    const out: number[] = [];
    for (const [i, actor] of state.actors.entries()) {
      if (actor.phase === 'ended' || (state.stopper !== -1 && state.stopper !== i)) continue;
      if (actor.work?.pending.op === 'lock' && state.holder !== -1 && !this.#ignoresLock(actor.work)) continue;
      out.push(i);
    }
    return out;
  }

  stuck(state: PatchState): Failure | undefined {
    const waiting = this.actors.filter((_, i) => state.actors[i]?.phase !== 'ended');
    if (waiting.length > 0) return { signature: 'deadlock', text: `${waiting.join(', ')} wait for ever` };
    if (looksPatched(state.site) || toHex(state.site) === toHex(originalBytes(this.sysno))) return undefined;
    return { signature: 'torn-site', text: `the site is left as ${toHex(state.site, ' ')}` };
  }

  outcome(state: PatchState): string {
    return this.actors
      .map((name, i) => {
        const actor = state.actors[i];
        const calls = actor?.served.map((c) => `${c.via} ${hexNumber(c.sysno)}`).join(' and ') ?? '';
        return `${name} ${calls}`;
      })
      .join(', ');
  }

  step(state: PatchState, actor: number): Transition<PatchState> {
    const current = state.actors[actor];
    invariant(current !== undefined && current.phase !== 'ended', () => 'the actor has ended');
    return current.phase === 'user' ? this.#execute(state, actor, current) : this.#kernelStep(state, actor);
  }

  // ---- instructions

  #execute(state: PatchState, index: number, actor: ActorState): Transition<PatchState> {
    this.#machine.apply(state);
    const regs = actor.regs.slice();
    const offset = Number(regs[Reg.rip]) - this.siteAddr;
    const bytes = new Uint8Array(16).fill(0x90);
    bytes.set(state.site.subarray(offset));
    const legal = this.#isLegal(state, offset, bytes);
    const text = describe(bytes);
    const end = this.#machine.execute(index, regs);
    const after = (change: Partial<ActorState>): PatchState => this.#with(state, index, { ...actor, regs, ...change });
    const transition = (next: PatchState, suffix = '', failure?: Failure): Transition<PatchState> => ({
      state: next,
      name: 'X',
      text: text + suffix,
      ...(failure !== undefined && { failure }),
    });
    if (!legal) {
      const consequence = end.kind === 'fault' ? end.text : end.kind === 'invalid-opcode' ? 'SIGILL' : 'and it runs on';
      return transition(after({}), `  -> ${consequence}`, {
        signature: `illegal decode ${text} at site+${offset}`,
        text: `${this.actors[index] ?? '?'} decoded ${text} at site+${offset} (${consequence})`,
      });
    }
    switch (end.kind) {
      case 'at-site':
        return transition(after({}));
      case 'syscall':
        return transition(this.#start(after({ phase: 'kernel' }), index, 'stub-check'), '  -> trap');
      case 'invalid-opcode':
        return transition(this.#start(after({ phase: 'kernel' }), index, 'fault'));
      case 'trampoline':
        return this.#served(
          after({}),
          index,
          { sysno: end.sysno, via: 'trampoline' },
          {
            name: 'X',
            text: `${text}  -> syshandler, ${hexNumber(end.sysno)}`,
          },
        );
      case 'fault':
        return transition(after({}), `  -> ${end.text}`, {
          signature: `fault at site+${offset}: ${end.text}`,
          text: `${this.actors[index] ?? '?'} died at site+${offset}: ${end.text}`,
        });
      case 'runaway':
        return transition(after({}), '  -> runs away', {
          signature: 'runaway',
          text: `${this.actors[index] ?? '?'} runs through memory that it should not`,
        });
    }
  }

  /** From +0 a whole mov or a whole jump through a filled slot, from +5 the syscall or the guard. */
  #isLegal(state: PatchState, offset: number, bytes: Uint8Array): boolean {
    if (offset === SYSCALL_OFFSET) return bytes[0] === GUARD_OPCODE || (bytes[0] === 0x0f && bytes[1] === 0x05);
    if (offset !== 0) return false;
    if (bytes[0] === MOV_EAX_IMM32) return true;
    if (bytes[0] !== 0xff || bytes[1] !== 0x24 || bytes[2] !== 0x25) return false;
    return state.stores.get(jumpOperand(bytes))?.length === TRAP_USED_BYTES;
  }

  // ---- the Sentry and the stub

  #generator(kind: KernelWork['kind'], regs: BigUint64Array): Steps<WorkOutcome> {
    const rip = Number(regs[Reg.rip]);
    const rax = regs[Reg.rax] as bigint;
    if (kind === 'stub-check') return checkTrappedSite(rip, rax);
    if (kind === 'fault') return handleFault(rip, rax, this.#guards);
    const request = {
      ip: rip,
      sysno: Number(rax & LOW_32),
      hasTracer: false,
      closed: null,
      knownBoundary: rip - SITE_BYTES,
    };
    return patchSyscall(request, { guards: this.#guards, protocol: this.protocol });
  }

  /** Puts an actor at the first visible step of some work. */
  #start(state: PatchState, index: number, kind: KernelWork['kind']): PatchState {
    return this.#runPrivate(state, index, kind, []).state;
  }

  #kernelStep(state: PatchState, index: number): Transition<PatchState> {
    const { work } = state.actors[index] as ActorState;
    invariant(work !== null, () => 'an actor in the kernel has work');
    const { pending } = work;
    const { state: next, result } = this.#perform(state, index, pending);
    const label = this.#label(pending);
    return this.#runPrivate(next, index, work.kind, [...work.results, result], label);
  }

  /** Goes on with steps that no other actor can notice, up to the next visible one or the end of the work. */
  #runPrivate(
    start: PatchState,
    index: number,
    kind: KernelWork['kind'],
    known: readonly StepResult[],
    label = { name: '', text: '' },
  ): Transition<PatchState> {
    let state = start;
    let results = known;
    for (;;) {
      const actor = state.actors[index] as ActorState;
      const resumed = resume(this.#generator(kind, actor.regs), results);
      if (resumed.done) return this.#finish(state, index, resumed.value, label);
      if (this.#isVisible(state, kind, resumed.pending)) {
        return {
          state: this.#with(state, index, { ...actor, work: { kind, results, pending: resumed.pending } }),
          ...label,
        };
      }
      const performed = this.#perform(state, index, resumed.pending);
      state = performed.state;
      results = [...results, performed.result];
    }
  }

  #finish(
    state: PatchState,
    index: number,
    outcome: WorkOutcome,
    label: { name: string; text: string },
  ): Transition<PatchState> {
    const actor = state.actors[index] as ActorState;
    const sysno = Number((actor.regs[Reg.rax] as bigint) & LOW_32);
    const goOnAt = (ip: number): Transition<PatchState> => {
      const regs = actor.regs.slice();
      regs[Reg.rip] = BigInt(ip);
      return { state: this.#with(state, index, { ...actor, phase: 'user', work: null, regs }), ...label };
    };
    switch (outcome.kind) {
      case 'rewind':
        return goOnAt(outcome.ip);
      case 'report': {
        if (!outcome.canBePatched) return this.#served(state, index, { sysno, via: 'trap' }, label);
        const next = this.#start(state, index, 'patch');
        return { state: next, name: label.name, text: `${label.text}  -> patchable` };
      }
      case 'patched':
      case 'skipped':
      case 'failed':
        return this.#served(state, index, { sysno, via: 'trap' }, label);
      case 'restart':
        return goOnAt(outcome.ip);
      case 'handle-as-syscall':
        return this.#served(state, index, { sysno, via: 'restart' }, label);
      case 'not-ours': {
        const failure = {
          signature: 'SIGILL',
          text: `${this.actors[index] ?? '?'} got SIGILL: the fault handler did not know its site`,
        };
        return { state, ...label, failure };
      }
    }
  }

  #served(
    state: PatchState,
    index: number,
    served: ServedCall,
    label: { name: string; text: string },
  ): Transition<PatchState> {
    const actor = state.actors[index] as ActorState;
    const next = this.#with(state, index, { ...actor, phase: 'ended', work: null, served: [...actor.served, served] });
    if (served.sysno === this.sysno) return { state: next, ...label };
    const failure = {
      signature: 'wrong number',
      text: `${this.actors[index] ?? '?'} made syscall ${hexNumber(served.sysno)} where the program asks for ${hexNumber(this.sysno)}`,
    };
    return { state: next, ...label, failure };
  }

  #ignoresLock(work: KernelWork): boolean {
    return this.#unlockedRecovery && work.kind === 'fault';
  }

  /** Under a lock nobody else stores; stores that change nothing, and those outside the site, are noticed by no one. */
  #isVisible(state: PatchState, kind: KernelWork['kind'], step: Step): boolean {
    switch (step.op) {
      case 'lock':
        return true;
      case 'unlock':
        return step.exclusive;
      case 'load':
        return (
          this.#touchesSite(step.addr, step.length) &&
          (kind === 'stub-check' || (this.#unlockedRecovery && kind === 'fault'))
        );
      case 'store':
        return (
          this.#touchesSite(step.addr, step.bytes.length) &&
          toHex(overlay(state.site, this.siteAddr, step.addr, step.bytes)) !== toHex(state.site)
        );
      case 'sync':
      case 'stop':
      case 'resume':
        return true;
      default:
        return false;
    }
  }

  #touchesSite(addr: number, length: number): boolean {
    return addr < this.siteAddr + SITE_BYTES && addr + length > this.siteAddr;
  }

  #perform(state: PatchState, index: number, step: Step): { state: PatchState; result: StepResult } {
    switch (step.op) {
      case 'lock':
        return { state: step.exclusive ? { ...state, holder: index } : state, result: 1 };
      case 'unlock':
        return { state: step.exclusive ? { ...state, holder: -1 } : state, result: 1 };
      case 'load':
        this.#machine.apply(state);
        return { state, result: this.#machine.read(step.addr, step.length) };
      case 'store': {
        if (this.#touchesSite(step.addr, step.bytes.length)) {
          return { state: { ...state, site: overlay(state.site, this.siteAddr, step.addr, step.bytes) }, result: 1 };
        }
        return { state: { ...state, stores: new Map(state.stores).set(step.addr, step.bytes) }, result: 1 };
      }
      case 'get':
        return { state, result: state[step.field] };
      case 'set':
        return { state: { ...state, [step.field]: step.value }, result: 1 };
      case 'stop':
        return { state: { ...state, stopper: index }, result: 1 };
      case 'resume':
        return { state: { ...state, stopper: -1 }, result: 1 };
      case 'is-free':
      case 'sync':
        return { state, result: 1 };
      // The table is there from the start, the code is private, and nothing here is left to chance.
      case 'find-table':
        return { state, result: state.base };
      case 'map-table':
      case 'is-shared':
      case 'random':
        return { state, result: 0 };
    }
  }

  #label(step: Step): { name: string; text: string } {
    switch (step.op) {
      case 'lock':
        return {
          name: step.exclusive ? 'lock' : 'rlock',
          text: step.exclusive ? 'lock' : 'read-lock, look at the site, unlock',
        };
      case 'unlock':
        return { name: 'unlock', text: 'unlock' };
      case 'store': {
        const from = step.addr - this.siteAddr;
        const to = from + step.bytes.length - 1;
        const range = from === to ? `+${from}` : `+${from}..+${to}`;
        return {
          name: from === to ? `+${from}` : `+${from}.${step.bytes.length}`,
          text: `${step.what}: ${range} = ${toHex(step.bytes, ' ')}`,
        };
      }
      case 'load':
        return {
          name: step.what === 'stub read 1' ? 'read1' : step.what === 'stub read 2' ? 'read2' : 'read',
          text: step.what,
        };
      default:
        return { name: step.op, text: step.what };
    }
  }

  #with(state: PatchState, index: number, actor: ActorState): PatchState {
    return { ...state, actors: state.actors.map((a, i) => (i === index ? actor : a)) };
  }
}
