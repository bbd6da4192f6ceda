// SPDX-License-Identifier: MIT
//
// What one actor can do in a world: fetch, execute, or make the next step of a protocol's generator. A step ends where
// the next visible operation begins; what nobody else can notice is done on the way (races.md 4.1).

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/errors.ts';
import { Reg } from '../../cpu/regs.ts';
import { MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import type { Step, StepResult, Steps } from '../../usertrap/steps.ts';
import type { Failure } from '../search/system.ts';
import type { Behaviour, Then, UserStop } from './behaviour.ts';
import { afterExecution, decodeWindow, fetchable, hotSegments, MAX_HOT_BITS, segmentAt } from './fetch.ts';
import type { HotRange, HotSegment, Window } from './fetch.ts';
import type { Machine } from './machine.ts';
import type { Model } from './model.ts';
import type { PageContents } from './pages.ts';
import type { ActorEvent, Local, Shared, Space, Work } from './state.ts';

/** Bits of a footprint above the hot bytes. */
export const Touch = {
  lock: 1 << 21,
  records: 1 << 22,
  processors: 1 << 23,
  standstill: 1 << 24,
  /** Bytes that are not hot: pages take turns at these bits. */
  memory: 0x7e000000,
} as const;

const FIRST_MEMORY_BIT = 25;
const MEMORY_BITS = 6;

/** One thing that an actor can do, with all its consequences. */
export interface Outcome {
  readonly local: Local;
  readonly shared: Shared;
  readonly events: readonly ActorEvent[];
  readonly name: string;
  readonly text: string;
  readonly failure: Failure | null;
  readonly reads: number;
  readonly writes: number;
}

export interface StepperOptions {
  readonly machine: Machine;
  readonly model: Model;
  readonly behaviour: Behaviour;
  /** Code that may change while it is executed, in every address space. */
  readonly hot: readonly HotRange[];
  /** Addresses where user code ends and the scenario takes over. */
  readonly entries: readonly number[];
  /** Instructions between two visible operations, at most. */
  readonly privateLimit: number;
}

/** A step in the making. */
interface Draft {
  local: Local;
  shared: Shared;
  events: ActorEvent[];
  name: string;
  text: string;
  failure: Failure | null;
  reads: number;
  writes: number;
  /** The actor held the lock before the step. */
  readonly heldLock: boolean;
}

const NO_EVENTS: readonly ActorEvent[] = [];

export class Stepper {
  readonly segments: readonly HotSegment[];
  readonly #machine: Machine;
  readonly #model: Model;
  readonly #behaviour: Behaviour;
  readonly #entries: ReadonlySet<number>;
  readonly #privateLimit: number;
  readonly #allHot: number;
  readonly #pageBits = new Map<number, number>();

  constructor(options: StepperOptions) {
    this.#machine = options.machine;
    this.#model = options.model;
    this.#behaviour = options.behaviour;
    this.#entries = new Set(options.entries);
    this.#privateLimit = options.privateLimit;
    this.segments = hotSegments(options.hot, options.model.granule);
    this.#allHot = this.segments.reduce((bits, segment) => bits | hotBits(segment), 0);
  }

  get contents(): PageContents {
    return this.#machine.contents;
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
        const draft = this.#draft(local, shared, `SIG${signo}`, `takes signal ${signo}`);
        draft.local = { ...local, signals: local.signals.filter((_, k) => k !== i) };
        this.#goOn(draft, deliver.call(this.#behaviour, signo, draft.local));
        out.push(finished(draft));
      }
    }
    return out;
  }

  /** Brings an actor that is about to begin to its first visible operation. */
  begin(local: Local, shared: Shared, work?: string): { local: Local; shared: Shared } {
    const draft = this.#draft(local, shared, '', '');
    if (work !== undefined) this.#startWork(draft, work);
    else if (local.phase === 'user') this.#runPrivate(draft);
    invariant(draft.failure === null, () => `an actor fails before its first step: ${draft.failure?.text ?? ''}`);
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

  #draft(local: Local, shared: Shared, name: string, text: string): Draft {
    const heldLock = local.work !== null && local.work.holds !== 'nothing';
    return { local, shared, events: [], name, text, failure: null, reads: Touch.standstill, writes: 0, heldLock };
  }

  // ---- instructions

  #userOutcomes(local: Local, shared: Shared, space: Space): Outcome[] {
    const out: Outcome[] = [];
    const rip = Number(local.regs[Reg.rip]);
    const window = this.#window(local, space, rip);
    for (const index of this.#fetchable(local, space, rip, window)) out.push(this.#fetch(local, shared, index));
    if (window.length !== undefined) {
      const executed = this.#execute(local, shared, rip, window);
      // Whether there is something new to fetch depends on memory, too.
      out.push(this.#isPrefetching() ? { ...executed, reads: executed.reads | this.#allHot } : executed);
    }
    return out;
  }

  #window(local: Local, space: Space, rip: number): Window {
    const memory = readSpace(space, rip, MAX_INSTRUCTION_BYTES, PROT_EXEC);
    return decodeWindow(rip, memory, this.segments, this.#model.fetch === 'coherent' ? null : local.fetched);
  }

  #fetchable(local: Local, space: Space, rip: number, window: Window): number[] {
    const current = (s: HotSegment): Uint8Array => readSpace(space, s.address, s.length, PROT_EXEC);
    return fetchable(this.#model, rip, window, this.segments, local.fetched, current).filter(
      (i) => current(this.segments[i] as HotSegment).length === (this.segments[i] as HotSegment).length,
    );
  }

  #fetch(local: Local, shared: Shared, index: number): Outcome {
    const segment = this.segments[index] as HotSegment;
    const bytes = readSpace(spaceOf(shared, local), segment.address, segment.length, PROT_EXEC);
    const fetched = local.fetched.map((have, i) => (i === index ? { bytes, age: 0 } : have));
    return {
      local: { ...local, fetched },
      shared,
      events: NO_EVENTS,
      name: `F${index}`,
      text: `fetch ${toHex(bytes, ' ')}`,
      failure: null,
      reads: hotBits(segment) | Touch.processors | Touch.standstill,
      writes: 0,
    };
  }

  #execute(local: Local, shared: Shared, rip: number, window: Window): Outcome {
    const space = spaceOf(shared, local);
    const isCoherent = this.#model.fetch === 'coherent';
    const length = window.length ?? 0;
    const draft = this.#draft(local, shared, 'X', '');
    draft.reads |= Touch.processors | (isCoherent ? window.hot : 0);
    const isHot = window.hot !== 0;
    const decoded = isHot
      ? this.#behaviour.decode({ local, space, at: rip, bytes: window.bytes, length })
      : { text: 'access to shared data', readsData: true };
    draft.text = decoded.text;
    const unsynced = this.#model.strict ? this.#unsynchronised(local, space, rip, window) : null;
    const view =
      isCoherent || window.held === 0 ? undefined : { address: rip, bytes: window.bytes.slice(0, window.held) };
    this.#machine.load(space, local, false);
    const stop = this.#machine.step(view);
    const ended: UserStop | null =
      stop.kind === 'budget' ? null : { kind: 'stop', stop: { ...this.#machine.cpu.stop } };
    draft.local = this.#machine.unload({ ...local, touchesShared: false });
    const now = this.#machine.unloadSpace(space);
    if (!isHot || decoded.readsData !== false) draft.reads |= Touch.memory;
    if (now !== space) {
      draft.shared = withSpace(shared, local.space, now);
      draft.writes |= Touch.memory | this.#changedHotBits(space, now);
    }
    if (decoded.failure !== undefined) {
      const consequence = ended === null ? 'executed' : stopText(ended);
      draft.failure = decoded.failure(consequence);
      draft.text += `  -> ${consequence}`;
    } else if (unsynced !== null) draft.failure = unsynced;
    else if (ended === null) this.#runPrivate(draft, 1);
    else {
      draft.local = { ...draft.local, fetched: afterExecution(this.#model, draft.local.fetched, 1) };
      this.#goOn(draft, this.#behaviour.userStop(ended, draft.local));
    }
    return finished(draft);
  }

  #unsynchronised(local: Local, space: Space, rip: number, window: Window): Failure | null {
    const length = Math.max(window.length ?? 0, 1);
    for (let i = 0; i < length; i++) {
      const index = segmentAt(this.segments, rip + i);
      if (index < 0) continue;
      const s = this.segments[index] as HotSegment;
      const byte = s.first + rip + i - s.address;
      if ((space.versions[byte] ?? 0) <= (local.synced[byte] ?? 0)) continue;
      const where = this.#behaviour.label({ op: 'load', addr: rip, length, what: 'code' }).text;
      return {
        signature: `unsynchronised ${where}`,
        text: `{actor} executes ${where}, which was changed since it last serialised: unsynchronised cross-modification`,
      };
    }
    return null;
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
      if (i >= this.#privateLimit) {
        ended = { kind: 'runaway' };
        break;
      }
      if (!isLoaded) this.#machine.load(space, draft.local, true);
      isLoaded = true;
      const stop = this.#machine.step();
      rip = cpu.regs.get(Reg.rip);
      if (stop.kind === 'budget') {
        count++;
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
    if (ended !== null) this.#goOn(draft, this.#behaviour.userStop(ended, draft.local));
  }

  #isHot(space: Space, rip: number): boolean {
    if (!this.segments.some((s) => s.address < rip + MAX_INSTRUCTION_BYTES && s.address + s.length > rip)) return false;
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
    const steps = this.#behaviour.start(kind, draft.local);
    this.#runWork(
      draft,
      { kind, results: [], pending: NO_STEP, partsDone: 0, holds: 'nothing', stores: 0 },
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
    if (step.op === 'lock' && (space.isLocked || (step.exclusive && space.readers > 0))) return out;
    if (this.#model.returnBy === 'sysret' && this.#isPrefetching()) {
      // With iret nothing fetched now would survive the way back.
      const rip = Number(local.regs[Reg.rip]);
      const window = this.#window(local, space, rip);
      for (const index of this.#fetchable(local, space, rip, window)) out.push(this.#fetch(local, shared, index));
    }
    const injected = this.#behaviour.inject?.(work, step, local) ?? null;
    if (injected !== null) {
      const draft = this.#draft(injected.local, shared, injected.name, injected.text);
      this.#resume(draft, { ...work, partsDone: 0 }, injected.result);
      out.push(finished(draft));
    }
    const cow = step.op === 'store' ? this.#cowPage(space, step.addr, step.bytes.length) : undefined;
    if (cow !== undefined) {
      const draft = this.#draft(local, shared, 'cow', 'copy-on-write: others serialise');
      const pages = new Map(space.pages);
      const page = pages.get(cow);
      invariant(page !== undefined, () => 'a page to copy');
      pages.set(cow, { ...page, isCow: false });
      draft.shared = withSpace(shared, local.space, { ...space, pages });
      draft.writes |= this.#memoryBits(cow, PAGE_SIZE) | this.#hotBitsOf(cow, PAGE_SIZE);
      this.#serialiseOthers(draft);
      out.push(finished(draft));
      return out;
    }
    const parts = step.op === 'store' ? this.#storeParts(step) : [];
    if (parts.length <= 1) {
      const { name, text } = this.#behaviour.label(step);
      const draft = this.#draft(local, shared, name, text);
      const result = this.#perform(draft, work, step);
      this.#resume(draft, this.#afterPerform(work, step), result);
      out.push(finished(draft));
      return out;
    }
    for (const [i, part] of parts.entries()) {
      if ((work.partsDone & (1 << i)) !== 0) continue;
      const { name, text } = this.#behaviour.label(part);
      const draft = this.#draft(local, shared, name, text);
      const result = this.#perform(draft, work, part);
      const partsDone = work.partsDone | (1 << i);
      if (partsDone === (1 << parts.length) - 1 || result !== 1) {
        this.#resume(draft, { ...this.#afterPerform(work, step), partsDone: 0 }, result);
      } else draft.local = { ...draft.local, work: { ...work, partsDone } };
      out.push(finished(draft));
    }
    return out;
  }

  #isPrefetching(): boolean {
    return this.#model.fetch === 'stale' || this.#model.fetch === 'stale-window';
  }

  #cowPage(space: Space, address: number, length: number): number | undefined {
    for (let page = pageDown(address); page < address + length; page += PAGE_SIZE)
      if (space.pages.get(page)?.isCow === true) return page;
    return undefined;
  }

  /** The pieces of a store that become visible one by one; one when they all do at once. */
  #storeParts(step: Step & { op: 'store' }): (Step & { op: 'store' })[] {
    const { atom } = this.#model;
    const parts: (Step & { op: 'store' })[] = [];
    for (let at = step.addr; at < step.addr + step.bytes.length;) {
      const end = Math.min(step.addr + step.bytes.length, (Math.floor(at / atom) + 1) * atom);
      parts.push({ ...step, addr: at, bytes: step.bytes.slice(at - step.addr, end - step.addr) });
      at = end;
    }
    return parts;
  }

  #resume(draft: Draft, work: Work, result: StepResult): void {
    const steps = this.#behaviour.start(work.kind, draft.local);
    steps.next();
    for (const known of work.results) steps.next(known);
    this.#runWork(draft, { ...work, results: [...work.results, result] }, steps, steps.next(result));
  }

  /** Goes on with steps that no other actor can notice, up to the next visible one or the end of the work. */
  #runWork(draft: Draft, from: Work, steps: Steps<unknown>, first: IteratorResult<Step, unknown>): void {
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
      const result = answer === undefined ? this.#perform(draft, work, step) : answer;
      if (answer === undefined) work = this.#afterPerform(work, step);
      work = { ...work, results: [...work.results, result] };
      at = steps.next(result);
    }
    draft.local = { ...draft.local, work: null };
    this.#goOn(draft, this.#behaviour.finish(work.kind, at.value, draft.local));
  }

  #afterPerform(work: Work, step: Step): Work {
    if (step.op === 'lock') return { ...work, holds: step.exclusive ? 'exclusive' : 'shared' };
    if (step.op === 'unlock') return { ...work, holds: 'nothing' };
    if (step.op === 'store' && this.#touchesHot(step.addr, step.bytes.length))
      return { ...work, stores: work.stores + 1 };
    return work;
  }

  /** Under the lock nobody else stores; stores that change no hot byte are noticed by no one. */
  #isVisible(draft: Draft, work: Work, step: Step): boolean {
    switch (step.op) {
      case 'lock':
        return true;
      case 'unlock':
        return step.exclusive;
      case 'load':
        return work.holds === 'nothing' && this.#touchesHot(step.addr, step.length);
      case 'store': {
        const space = spaceOf(draft.shared, draft.local);
        if (!this.#touchesHot(step.addr, step.bytes.length)) return false;
        if (this.#cowPage(space, step.addr, step.bytes.length) !== undefined) return true;
        const now = readSpace(space, step.addr, step.bytes.length, PROT_READ | PROT_EXEC);
        return now.length < step.bytes.length || step.bytes.some((b, i) => b !== now[i]);
      }
      case 'sync':
      case 'stop':
      case 'resume':
        return true;
      default:
        return false;
    }
  }

  #touchesHot(address: number, length: number): boolean {
    return this.segments.some((s) => address < s.address + s.length && address + length > s.address);
  }

  #perform(draft: Draft, work: Work, step: Step): StepResult {
    const { local } = draft;
    const space = spaceOf(draft.shared, local);
    const put = (changed: Partial<Space>): void => {
      draft.shared = withSpace(draft.shared, local.space, { ...space, ...changed });
    };
    switch (step.op) {
      case 'lock':
        draft.reads |= Touch.lock;
        if (step.exclusive) draft.writes |= Touch.lock;
        put(step.exclusive ? { isLocked: true } : { readers: space.readers + 1 });
        if (this.#model.strict) draft.local = { ...local, known: newest(local.known, space.published) };
        return 1;
      case 'unlock':
        // Who looks at a site under the lock within one step is in nobody's way.
        if (work.holds !== 'shared' || draft.heldLock) draft.writes |= Touch.lock;
        put(
          work.holds === 'shared'
            ? { readers: Math.max(0, space.readers - 1) }
            : {
                isLocked: false,
                published: this.#model.strict ? newest(space.published, local.known) : space.published,
              },
        );
        return 1;
      case 'load': {
        draft.reads |= this.#hotBitsOf(step.addr, step.length) | this.#memoryBits(step.addr, step.length);
        const bytes = readSpace(space, step.addr, step.length, PROT_READ | PROT_EXEC);
        return bytes.length === step.length ? bytes : null;
      }
      case 'store':
        return this.#store(draft, space, step.addr, step.bytes);
      case 'get':
        draft.reads |= Touch.records;
        return space[step.field];
      case 'set':
        draft.writes |= Touch.records;
        put({ [step.field]: step.value });
        return 1;
      case 'stop':
        draft.writes |= Touch.standstill;
        put({ isStopped: true });
        draft.local = { ...local, isStopper: true };
        return 1;
      case 'resume':
        draft.writes |= Touch.standstill;
        put({ isStopped: false });
        draft.local = { ...local, isStopper: false };
        this.#serialiseOthers(draft);
        return 1;
      case 'sync':
        this.#serialiseOthers(draft);
        return 1;
      case 'is-free':
        for (let page = step.addr; page < step.addr + step.length; page += PAGE_SIZE)
          if (space.pages.has(page)) return 0;
        return 1;
      case 'find-table':
        return space.pages.has(space.base) ? space.base : 0;
      // A race begins with its table, its code is private, and nothing is left to chance.
      case 'map-table':
      case 'is-shared':
      case 'random':
        return 0;
    }
  }

  #store(draft: Draft, space: Space, address: number, bytes: Uint8Array): number {
    const pages = new Map(space.pages);
    for (let done = 0; done < bytes.length;) {
      const at = address + done;
      const page = pages.get(pageDown(at));
      if (page === undefined) return 0;
      const n = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const content = this.#machine.contents.with(page.content, at % PAGE_SIZE, bytes.subarray(done, done + n));
      pages.set(pageDown(at), { ...page, content });
      done += n;
    }
    const changed = this.#changedHot(space, address, bytes);
    draft.writes |= this.#memoryBits(address, bytes.length);
    for (const byte of changed) draft.writes |= 1 << Math.min(byte, MAX_HOT_BITS);
    let versions = space.versions;
    if (this.#model.strict && changed.length > 0) {
      const next = versions.slice();
      const known = draft.local.known.slice();
      for (const byte of changed) known[byte] = next[byte] = (next[byte] ?? 0) + 1;
      versions = next;
      draft.local = { ...draft.local, known };
    }
    draft.shared = withSpace(draft.shared, draft.local.space, { ...space, pages, versions });
    return 1;
  }

  /** Indexes of the hot bytes that a store changes. */
  #changedHot(space: Space, address: number, bytes: Uint8Array): number[] {
    const out: number[] = [];
    for (let i = 0; i < bytes.length; i++) {
      const index = segmentAt(this.segments, address + i);
      if (index < 0) continue;
      const now = readSpace(space, address + i, 1, PROT_READ | PROT_EXEC)[0];
      const s = this.segments[index] as HotSegment;
      if (now !== bytes[i]) out.push(s.first + address + i - s.address);
    }
    return out;
  }

  #changedHotBits(before: Space, now: Space): number {
    let bits = 0;
    for (const s of this.segments) {
      const a = readSpace(before, s.address, s.length, PROT_READ | PROT_EXEC);
      const b = readSpace(now, s.address, s.length, PROT_READ | PROT_EXEC);
      for (let i = 0; i < s.length; i++) if (a[i] !== b[i]) bits |= 1 << Math.min(s.first + i, MAX_HOT_BITS);
    }
    return bits;
  }

  #hotBitsOf(address: number, length: number): number {
    let bits = 0;
    for (let i = 0; i < length; i++) {
      const index = segmentAt(this.segments, address + i);
      if (index < 0) continue;
      const s = this.segments[index] as HotSegment;
      bits |= 1 << Math.min(s.first + address + i - s.address, MAX_HOT_BITS);
    }
    return bits;
  }

  /** Bits for the pages of a range, as far as it is not hot. */
  #memoryBits(address: number, length: number): number {
    let bits = 0;
    for (let page = pageDown(address); page < address + length; page += PAGE_SIZE) {
      const from = Math.max(page, address);
      const to = Math.min(page + PAGE_SIZE, address + length);
      let isHot = true;
      for (let at = from; at < to && isHot; at++) isHot = segmentAt(this.segments, at) >= 0;
      if (isHot) continue;
      let bit = this.#pageBits.get(page);
      if (bit === undefined) {
        bit = 1 << (FIRST_MEMORY_BIT + (this.#pageBits.size % MEMORY_BITS));
        this.#pageBits.set(page, bit);
      }
      bits |= bit;
    }
    return bits;
  }

  #serialiseOthers(draft: Draft): void {
    draft.writes |= Touch.processors;
    draft.events.push({ kind: 'serialise', space: draft.local.space, known: draft.local.known });
  }
}

const NO_STEP: Step = { op: 'sync', what: '' };

function finished(draft: Draft): Outcome {
  return draft;
}

function hotBits(segment: HotSegment): number {
  let bits = 0;
  for (let i = 0; i < segment.length; i++) bits |= 1 << Math.min(segment.first + i, MAX_HOT_BITS);
  return bits;
}

function spaceOf(shared: Shared, local: Local): Space {
  const space = shared.spaces[local.space];
  invariant(space !== undefined, () => `there is no address space ${local.space}`);
  return space;
}

function withSpace(shared: Shared, index: number, space: Space): Shared {
  return { ...shared, spaces: shared.spaces.map((s, i) => (i === index ? space : s)) };
}

function newest(a: readonly number[], b: readonly number[]): readonly number[] {
  return a.map((v, i) => Math.max(v, b[i] ?? 0));
}

function serialised(local: Local): Local {
  return { ...local, fetched: local.fetched.map(() => null), synced: local.known };
}

/** Bytes of a space from `address` on, as far as pages with one of the PROT_ bits of `prot` go. */
export function readSpace(space: Space, address: number, length: number, prot: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const at = address + done;
    const page = space.pages.get(pageDown(at));
    if (page === undefined || (page.prot & prot) === 0) return out.subarray(0, done);
    const offset = at % PAGE_SIZE;
    const n = Math.min(length - done, PAGE_SIZE - offset);
    out.set(page.content.bytes.subarray(offset, offset + n), done);
    done += n;
  }
  return out;
}

/** The page at an address is one that several actors may write, and allows the access. */
function isOpenTo(space: Space, address: number, isWrite: boolean): boolean {
  const page = space.pages.get(pageDown(address));
  if (page === undefined || (page.prot & PROT_WRITE) === 0) return false;
  return isWrite || (page.prot & PROT_READ) !== 0;
}

function stopText(stop: UserStop): string {
  if (stop.kind !== 'stop') return stop.kind;
  const { kind, access, address } = stop.stop;
  if (kind === 'page-fault') return `SIGSEGV: ${access} of 0x${address.toString(16)}`;
  return kind === 'invalid-opcode' ? '#UD' : kind;
}
