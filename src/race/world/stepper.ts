// SPDX-License-Identifier: MIT
//
// What one actor can do in a world: fetch, execute, or make the next step of a protocol's generator. A step ends where
// the next visible operation begins; what nobody else can notice is done on the way (races.md 4.1).

import { PROT_EXEC, PROT_WRITE } from '../../abi/mman.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import { invariant, TraplineError } from '../../base/errors.ts';
import { Reg } from '../../cpu/regs.ts';
import { instructionLength, MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import type { StepResult } from '../../usertrap/steps.ts';
import { namedFailure } from '../search/system.ts';
import type { Behaviour, Then, UserStop, WorldStep, WorldSteps } from './behaviour.ts';
import { ColdCode } from './cold-code.ts';
import { newDraft } from './draft.ts';
import type { Draft, Outcome } from './draft.ts';
import { afterExecution, decodeWindow, fetchable } from './fetch.ts';
import type { HotRange, HotSegment, Window } from './fetch.ts';
import { HotBytes, Touch } from './hot-bytes.ts';
import type { Machine } from './machine.ts';
import type { Model } from './model.ts';
import type { PageContents } from './pages.ts';
import { Performer } from './performer.ts';
import type { AccessStep } from './performer.ts';
import { changedRuns, cowPage, hiddenPage, isOpenTo, readSpace, spaceOf, withSpace } from './space.ts';
import type { ActorEvent, Local, Shared, Space, StoreStep, Work } from './state.ts';
import { newest, serialised, unsynchronised } from './synchrony.ts';

export interface StepperOptions {
  readonly machine: Machine;
  readonly model: Model;
  readonly behaviour: Behaviour;
  /** Code that may change while it is executed, in every address space. */
  readonly hot: readonly HotRange[];
  /** Code that stores change only before anybody is sent there: it is fetched as it is. */
  readonly settled?: readonly HotRange[];
  /** Addresses where user code ends and the scenario takes over. */
  readonly entries: readonly number[];
  /** Instructions between two visible operations, at most. */
  readonly privateLimit: number;
  /** The slots of the trap table, where a standstill waits until nobody is in one. */
  readonly emptied?: HotRange;
  /** A page that is copied is mapped only when it is next used. Default false. */
  readonly hidesCopies?: boolean;
  /** Hot bytes change under the exclusive lock only. Default true; a store without it is then an error. */
  readonly lockedStores?: boolean;
}

export class Stepper {
  readonly #machine: Machine;
  readonly #model: Model;
  readonly #behaviour: Behaviour;
  readonly #hot: HotBytes;
  readonly #cold: ColdCode;
  readonly #performer: Performer;
  readonly #entries: ReadonlySet<number>;
  readonly #privateLimit: number;
  readonly #emptied: HotRange | null;

  constructor(options: StepperOptions) {
    const { machine, model } = options;
    this.#machine = machine;
    this.#model = model;
    this.#behaviour = options.behaviour;
    this.#entries = new Set(options.entries);
    this.#privateLimit = options.privateLimit;
    this.#emptied = options.emptied ?? null;
    this.#hot = new HotBytes(options.hot, model.granule);
    const lockedStores = options.lockedStores ?? true;
    this.#cold = new ColdCode(this.#hot, options.settled ?? []);
    const { contents } = machine;
    const hidesCopies = options.hidesCopies ?? false;
    this.#performer = new Performer({ model, hot: this.#hot, cold: this.#cold, contents, lockedStores, hidesCopies });
  }

  get contents(): PageContents {
    return this.#machine.contents;
  }

  /** Hot bytes by granule: `Local.fetched` has one entry for each. */
  get segments(): readonly HotSegment[] {
    return this.#hot.segments;
  }

  /** Everything that the actor can do next. */
  outcomes(local: Local, shared: Shared): Outcome[] {
    if (local.phase === 'ended') return [];
    const space = spaceOf(shared, local);
    if (space.isStopped && !local.isStopper) return [];
    const out = local.phase === 'user' ? this.#userOutcomes(local, shared, space) : this.#workOutcomes(local, shared);
    const { deliver } = this.#behaviour;
    if (deliver !== undefined && local.phase === 'user') {
      for (const [i, signo] of local.signals.entries()) {
        const draft = newDraft(local, shared, `SIG${signo}`, `takes signal ${signo}`);
        draft.local = { ...local, signals: local.signals.filter((_, k) => k !== i) };
        this.#goOn(draft, deliver.call(this.#behaviour, signo, draft.local));
        out.push(draft);
      }
    }
    return this.#emptied === null ? out : out.map((outcome) => this.#counted(local, outcome));
  }

  /** The outcome, with the count of who is in a slot. */
  #counted(before: Local, outcome: Outcome): Outcome {
    const change = this.#isInSlot(outcome.local) - this.#isInSlot(before);
    if (change === 0) return outcome;
    const space = spaceOf(outcome.shared, before);
    const shared = withSpace(outcome.shared, before.space, { ...space, inSlots: space.inSlots + change });
    return { ...outcome, shared, writes: outcome.writes | Touch.standstill };
  }

  #isInSlot({ phase, regs }: Local): 0 | 1 {
    if (this.#emptied === null || phase !== 'user') return 0;
    const offset = Number(regs[Reg.rip]) - this.#emptied.address;
    return offset >= 0 && offset < this.#emptied.length ? 1 : 0;
  }

  /**
   * Brings an actor that is about to begin to its first visible operation.
   * @throws TraplineError `RACE_SCENARIO` when it does not come that far
   */
  begin(name: string, local: Local, shared: Shared, work?: string): { local: Local; shared: Shared } {
    const draft = newDraft(local, shared, '', '');
    if (work !== undefined) this.#startWork(draft, work);
    else if (local.phase === 'user') this.#runPrivate(draft);
    if (draft.failure !== null) {
      const { text } = namedFailure(draft.failure, name);
      throw new TraplineError(
        'RACE_SCENARIO',
        `${name} fails before it comes to anything that others can see: ${text}`,
      );
    }
    return { local: draft.local, shared: draft.shared };
  }

  /** What an event makes of another actor. */
  afterEvent(local: Local, event: ActorEvent): Local {
    switch (event.kind) {
      case 'serialise': {
        if (local.phase === 'ended' || local.space !== event.space) return local;
        return serialised(event.known.length === 0 ? local : { ...local, known: newest(local.known, event.known) });
      }
      case 'signal':
        if (local.phase === 'ended' || local.role !== event.role || local.signals.includes(event.signo)) return local;
        return { ...local, signals: [...local.signals, event.signo].sort((a, b) => a - b) };
      case 'start':
        return local.phase === 'ended' && local.role === event.role ? event.local : local;
    }
  }

  // ---- instructions

  #userOutcomes(local: Local, shared: Shared, space: Space): Outcome[] {
    const out: Outcome[] = [];
    const rip = Number(local.regs[Reg.rip]);
    const window = this.#window(local, space, rip);
    const hidden = hiddenPage(space, rip, Math.max(1, window.length ?? window.held + 1));
    if (hidden !== undefined) return [this.#showPage(local, shared, hidden)];
    for (const index of this.#fetchable(local, space, rip, window)) out.push(this.#fetch(local, shared, index));
    if (window.length !== undefined) {
      const executed = this.#execute(local, shared, rip, window);
      // Whether there is something new to fetch depends on memory, too.
      out.push(this.#isPrefetching() ? { ...executed, reads: executed.reads | this.#hot.all } : executed);
    }
    return out;
  }

  /** The instruction at hand lies in a page that was copied and is not mapped yet: a fault, which ends by iret. */
  #showPage(local: Local, shared: Shared, page: number): Outcome {
    const draft = newDraft(local, shared, 'fault', 'page fault: the copied page is mapped');
    draft.reads |= Touch.processors | Touch.memory;
    draft.failure = this.#behaviour.pageFault?.(local) ?? null;
    if (draft.failure !== null) return draft;
    this.#performer.show(draft, page);
    draft.local = serialised(local);
    return draft;
  }

  #window(local: Local, space: Space, rip: number): Window {
    const memory = readSpace(space, rip, MAX_INSTRUCTION_BYTES, PROT_EXEC);
    return decodeWindow(rip, memory, this.segments, this.#model.fetch === 'coherent' ? null : local.fetched);
  }

  #fetchable(local: Local, space: Space, rip: number, window: Window): number[] {
    const current = (s: HotSegment): Uint8Array => readSpace(space, s.address, s.length, PROT_EXEC);
    return fetchable(this.#model, rip, window, this.segments, local.fetched, current).filter((i) => {
      const { address, length } = this.segments[i] as HotSegment;
      return (
        current({ address, length, first: 0 }).length === length && hiddenPage(space, address, length) === undefined
      );
    });
  }

  #fetch(local: Local, shared: Shared, index: number): Outcome {
    const segment = this.segments[index] as HotSegment;
    const bytes = readSpace(spaceOf(shared, local), segment.address, segment.length, PROT_EXEC);
    const fetched = local.fetched.map((have, i) => (i === index ? { bytes, age: 0 } : have));
    return {
      local: { ...local, fetched },
      shared,
      events: [],
      stores: [],
      name: `F${index}`,
      text: `fetch ${toHex(bytes, ' ')}`,
      failure: null,
      reads: this.#hot.bits(segment.address, segment.length) | Touch.processors | Touch.standstill,
      writes: 0,
    };
  }

  #execute(local: Local, shared: Shared, rip: number, window: Window): Outcome {
    const space = spaceOf(shared, local);
    const isCoherent = this.#model.fetch === 'coherent';
    const length = window.length ?? 0;
    const draft = newDraft(local, shared, 'X', '');
    draft.reads |= Touch.processors | (isCoherent ? window.hot : 0);
    const isHot = window.hot !== 0;
    const decoded = isHot
      ? this.#behaviour.decode({ local, space, at: rip, bytes: window.bytes, length })
      : { text: 'access to shared data', readsData: true };
    draft.text = decoded.text;
    const view =
      isCoherent || window.held === 0 ? undefined : { address: rip, bytes: window.bytes.slice(0, window.held) };
    this.#cold.executed(local.space, rip, length);
    this.#machine.load(space, local, false);
    const stop = this.#machine.step(view);
    const ended: UserStop | null =
      stop.kind === 'budget' ? null : { kind: 'stop', stop: { ...this.#machine.cpu.stop } };
    draft.local = this.#machine.unload({ ...local, touchesShared: false });
    const now = this.#machine.unloadSpace(space);
    if (!isHot || decoded.readsData !== false) draft.reads |= Touch.memory;
    const apart = now === space ? null : this.#storeApart(space, now);
    if (apart !== null) draft.local = { ...draft.local, storing: apart };
    else if (now !== space) {
      draft.shared = withSpace(shared, local.space, now);
      draft.writes |= Touch.memory | this.#hot.difference(space, now);
      for (const made of changedRuns(space, now)) {
        draft.stores.push({ space: local.space, ...made });
        if (!isHot && this.#hot.touches(made.address, made.bytes.length))
          draft.text = this.#behaviour.label({
            op: 'store',
            addr: made.address,
            bytes: made.bytes,
            what: 'store',
          }).text;
        if (readSpace(space, made.address, 1, PROT_EXEC).length === 0) continue;
        const what = `an instruction at 0x${rip.toString(16)}`;
        for (let i = 0; i < made.bytes.length; i++) this.#cold.changed(local.space, made.address + i, what);
      }
    }
    if (decoded.failure !== undefined) {
      const consequence = ended === null ? 'executed' : stopText(ended);
      draft.failure = decoded.failure(consequence);
      draft.text += `  -> ${consequence}`;
      return draft;
    }
    if (this.#model.strict) {
      const where = this.#behaviour.label({ op: 'load', addr: rip, length, what: 'code' }).text;
      draft.failure = unsynchronised(this.#hot, local, space, rip, Math.max(length, 1), where);
      if (draft.failure !== null) return draft;
    }
    if (ended === null) {
      if (isSerialising(window.bytes)) draft.local = serialised(draft.local);
      if (apart === null) this.#runPrivate(draft, 1);
      else {
        draft.local = { ...draft.local, fetched: afterExecution(this.#model, draft.local.fetched, 1) };
        this.#startWork(draft, GUEST_STORE);
      }
    } else {
      draft.local = { ...draft.local, fetched: afterExecution(this.#model, draft.local.fetched, 1) };
      this.#goOn(draft, this.#behaviour.userStop(ended, draft.local));
    }
    return draft;
  }

  /** What an instruction stores to hot bytes, where it is not one store to everybody or must be known byte by byte. */
  #storeApart(space: Space, now: Space): StoreStep | null {
    const runs = changedRuns(space, now);
    const [first, last] = [runs[0], runs.at(-1)];
    if (first === undefined || last === undefined) return null;
    const length = last.address + last.bytes.length - first.address;
    if (length > MAX_STORE_BYTES || !this.#hot.touches(first.address, length)) return null;
    const bytes = readSpace(now, first.address, length, PROT_WRITE);
    const step: StoreStep = { op: 'store', addr: first.address, bytes, what: 'store' };
    return this.#model.strict || this.#performer.parts(step).length > 1 ? step : null;
  }

  /** Executes what no other actor can notice, up to a visible operation or a stop. */
  #runPrivate(draft: Draft, retired = 0): void {
    const { cpu } = this.#machine;
    const space = spaceOf(draft.shared, draft.local);
    let isLoaded = false;
    let count = retired;
    let ended: UserStop | null = null;
    let touchesShared = false;
    let rip = Number(draft.local.regs[Reg.rip]);
    for (let i = 0; ; i++) {
      if (this.#entries.has(rip)) {
        ended = { kind: 'entered', address: rip };
        break;
      }
      if (this.#isHot(space, rip)) break;
      if (hiddenPage(space, rip, 1) !== undefined) {
        touchesShared = true;
        break;
      }
      if (i >= this.#privateLimit) {
        ended = { kind: 'runaway' };
        break;
      }
      if (!isLoaded) this.#machine.load(space, draft.local, true);
      isLoaded = true;
      const code = readSpace(space, rip, MAX_INSTRUCTION_BYTES, PROT_EXEC);
      if (code.length > 0) this.#cold.executed(draft.local.space, rip, instructionLength(code));
      const stop = this.#machine.step();
      rip = cpu.regs.get(Reg.rip);
      if (stop.kind === 'budget') {
        count++;
        if (!isSerialising(code)) continue;
        draft.local = serialised(draft.local);
        count = 0;
        continue;
      }
      if (stop.kind === 'page-fault' && isOpenTo(space, cpu.stop.address, cpu.stop.access === 'write')) {
        touchesShared = true;
        break;
      }
      ended = { kind: 'stop', stop: { ...cpu.stop } };
      count++;
      break;
    }
    if (isLoaded) draft.local = this.#machine.unload(draft.local);
    const fetched = count === 0 ? draft.local.fetched : afterExecution(this.#model, draft.local.fetched, count);
    draft.local = { ...draft.local, phase: 'user', work: null, fetched, touchesShared };
    if (count > retired) draft.text += `  (+${count - retired} private)`;
    if (ended !== null) this.#goOn(draft, this.#behaviour.userStop(ended, draft.local));
  }

  #isHot(space: Space, rip: number): boolean {
    if (!this.#hot.touches(rip, MAX_INSTRUCTION_BYTES)) return false;
    const memory = readSpace(space, rip, MAX_INSTRUCTION_BYTES, PROT_EXEC);
    return decodeWindow(rip, memory, this.segments, null).hot !== 0;
  }

  // ---- the kernel and the stub

  #goOn(draft: Draft, then: Then): void {
    draft.local = then.local;
    switch (then.kind) {
      case 'user': {
        if (then.serialises) draft.local = serialised(draft.local);
        if (then.rip !== undefined) {
          const regs = draft.local.regs.slice();
          regs[Reg.rip] = BigInt(then.rip);
          draft.local = { ...draft.local, regs };
        }
        draft.local = { ...draft.local, phase: 'user', work: null };
        this.#runPrivate(draft);
        return;
      }
      case 'work':
        if (then.note !== undefined) draft.text += `  -> ${then.note}`;
        this.#startWork(draft, then.work);
        return;
      case 'end': {
        const served = then.call === undefined ? draft.local.served : [...draft.local.served, then.call];
        draft.local = { ...draft.local, phase: 'ended', work: null, served };
        draft.failure = then.failure ?? null;
        return;
      }
      case 'fail':
        draft.failure = then.failure;
    }
  }

  #startWork(draft: Draft, kind: string): void {
    draft.local = { ...draft.local, phase: 'kernel' };
    const steps = this.#stepsOf(kind, draft.local);
    this.#runWork(
      draft,
      { kind, results: [], pending: NO_STEP, partsDone: 0, loaded: '', holds: 'nothing', stores: 0 },
      steps,
      steps.next(),
    );
  }

  #workOutcomes(local: Local, shared: Shared): Outcome[] {
    const { work } = local;
    invariant(work !== null, () => 'an actor in the kernel has work');
    const step = work.pending;
    const space = spaceOf(shared, local);
    const out: Outcome[] = [];
    if (!this.#performer.isPossible(shared, space, step)) return out;
    if (this.#model.returnBy === 'sysret' && this.#isPrefetching()) {
      // With iret nothing fetched now would survive the way back.
      const rip = Number(local.regs[Reg.rip]);
      const window = this.#window(local, space, rip);
      for (const index of this.#fetchable(local, space, rip, window)) out.push(this.#fetch(local, shared, index));
    }
    const injected = this.#behaviour.inject?.(work, step, local) ?? null;
    if (injected !== null) {
      const draft = newDraft(injected.local, shared, injected.name, injected.text);
      this.#resume(draft, { ...work, ...NO_PARTS }, injected.result);
      out.push(draft);
    }
    const cow = step.op === 'store' ? cowPage(space, step.addr, step.bytes.length) : undefined;
    if (cow !== undefined) {
      const draft = newDraft(local, shared, 'cow', 'copy-on-write: others serialise');
      this.#performer.breakCow(draft, cow);
      out.push(draft);
      return out;
    }
    const parts = step.op === 'store' || step.op === 'load' ? this.#performer.parts(step) : [];
    if (parts.length > 1) {
      for (const [i, part] of parts.entries())
        if ((work.partsDone & (1 << i)) === 0) out.push(this.#makePart(local, shared, work, parts, i, part));
      return out;
    }
    const { name, text } = this.#behaviour.label(step);
    const draft = newDraft(local, shared, name, text);
    const result = this.#performer.perform(draft, work, step);
    this.#resume(draft, this.#performer.after(work, step), result);
    out.push(draft);
    return out;
  }

  /** Makes one part of an access that is made in several; the last one goes on with the work. */
  #makePart(
    local: Local,
    shared: Shared,
    work: Work,
    parts: readonly AccessStep[],
    index: number,
    part: AccessStep,
  ): Outcome {
    const { name, text } = this.#behaviour.label(part);
    const isLoad = part.op === 'load';
    const draft = newDraft(
      local,
      shared,
      isLoad ? `${name}.${index}` : name,
      isLoad ? `${text}, part ${index + 1}` : text,
    );
    const result = this.#performer.perform(draft, work, part);
    const partsDone = work.partsDone | (1 << index);
    const failed = result === null || result === 0;
    // Bytes of the parts, each two digits, in place; parts that are missing are gaps.
    const before = parts.slice(0, index).reduce((sum, p) => sum + (p.op === 'load' ? p.length : 0), 0);
    const total = parts.reduce((sum, p) => sum + (p.op === 'load' ? p.length : 0), 0);
    const have = work.loaded === '' ? '..'.repeat(total) : work.loaded;
    const got = result instanceof Uint8Array ? toHex(result) : '';
    const loaded = isLoad ? have.slice(0, 2 * before) + got + have.slice(2 * before + got.length) : '';
    if (!failed && partsDone !== (1 << parts.length) - 1) {
      draft.local = { ...draft.local, work: { ...work, partsDone, loaded } };
      return draft;
    }
    const whole = isLoad && !failed ? fromHex(loaded) : result;
    this.#resume(draft, { ...this.#performer.after(work, part), ...NO_PARTS }, whole);
    return draft;
  }

  #isPrefetching(): boolean {
    return this.#model.fetch === 'stale' || this.#model.fetch === 'stale-window';
  }

  #stepsOf(kind: string, local: Local): WorldSteps<unknown> {
    const { storing } = local;
    return kind === GUEST_STORE && storing !== undefined ? only(storing) : this.#behaviour.start(kind, local);
  }

  #resume(draft: Draft, work: Work, result: StepResult): void {
    const steps = this.#stepsOf(work.kind, draft.local);
    steps.next();
    for (const known of work.results) steps.next(known);
    this.#runWork(draft, { ...work, results: [...work.results, result] }, steps, steps.next(result));
  }

  /** Goes on with steps that no other actor can notice, up to the next visible one or the end of the work. */
  #runWork(draft: Draft, from: Work, steps: WorldSteps<unknown>, first: IteratorResult<WorldStep, unknown>): void {
    let work = from;
    let at = first;
    while (at.done !== true) {
      const step = at.value;
      const answer = this.#behaviour.answer?.(work, step, draft.local);
      if (answer === undefined && this.#isVisible(draft, work, step)) {
        draft.local = { ...draft.local, phase: 'kernel', work: { ...work, pending: step } };
        if (work.holds === 'shared') draft.writes |= Touch.lock;
        return;
      }
      const result = answer === undefined ? this.#performer.perform(draft, work, step) : answer;
      if (answer === undefined) work = this.#performer.after(work, step);
      work = { ...work, results: [...work.results, result] };
      at = steps.next(result);
    }
    draft.local = { ...draft.local, work: null };
    if (work.kind === GUEST_STORE) {
      const { storing: _made, ...rest } = draft.local;
      draft.local = rest;
      this.#runPrivate(draft);
      return;
    }
    this.#goOn(draft, this.#behaviour.finish(work.kind, at.value, draft.local));
  }

  #isVisible(draft: Draft, work: Work, step: WorldStep): boolean {
    const space = spaceOf(draft.shared, draft.local);
    if (this.#performer.isVisible(space, work, step)) return true;
    return (this.#behaviour.inject?.(work, step, draft.local) ?? null) !== null;
  }
}

/** `cpuid`, `serialize`, `iret`: serialising instructions that user code may execute (SDM vol. 3, 9.3). */
function isSerialising(code: Uint8Array): boolean {
  const [a, b, c] = code;
  return (a === 0x0f && (b === 0xa2 || (b === 0x01 && c === 0xe8))) || a === 0xcf || (a === 0x48 && b === 0xcf);
}

function* only(step: WorldStep): WorldSteps<void> {
  yield step;
}

/** Work of an actor whose instruction stores in several steps. */
const GUEST_STORE = 'guest-store';
/** No general or vector instruction stores more at once. */
const MAX_STORE_BYTES = 64;

const NO_PARTS = { partsDone: 0, loaded: '' } as const;
const NO_STEP: WorldStep = { op: 'sync', what: '' };

function stopText(stop: UserStop): string {
  if (stop.kind !== 'stop') return stop.kind;
  const { kind, access, address } = stop.stop;
  if (kind === 'page-fault') return `SIGSEGV: ${access} of 0x${address.toString(16)}`;
  return kind === 'invalid-opcode' ? '#UD' : kind;
}
