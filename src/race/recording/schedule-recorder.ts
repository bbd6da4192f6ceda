// SPDX-License-Identifier: MIT
//
// One schedule of a race as a recording: every state that it goes through, what each step changed, and what else could
// have been done instead.

import { PROT_EXEC } from '../../abi/mman.ts';
import { syscallName } from '../../abi/sysno.ts';
import { toHex } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import { MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import { STUB_END, STUB_START } from '../../platform/stub-layout.ts';
import { COST_BASES } from '../../sandbox/cost-figures.ts';
import { CodeTables } from '../../trace/recording/code-tables.ts';
import type { CodeReader } from '../../trace/recording/code-tables.ts';
import { RECORDING_FORMAT, RECORDING_VERSION } from '../../trace/recording/format.ts';
import type {
  CallLine,
  CostEventName,
  Event,
  Facts,
  Place,
  RaceFacts,
  RaceRecording,
  Step,
  StepKind,
  Store,
} from '../../trace/recording/format.ts';
import { TABLE_BYTES } from '../../usertrap/layout.ts';
import type { Scenario, ScenarioParameters } from '../scenarios/scenario.ts';
import type { WitnessStep } from '../search/system.ts';
import { decodeWindow } from '../world/fetch.ts';
import type { WorldStep } from '../world/behaviour.ts';
import { readSpace } from '../world/space.ts';
import type { Local } from '../world/state.ts';
import type { World } from '../world/world.ts';
import { ActorHistory } from './actor-changes.ts';
import { MemoryRegions } from './memory-regions.ts';
import { optionsOf } from './options-text.ts';

/** A schedule that was made on a world, and what is known about it. */
export interface RecordedSchedule {
  readonly scenario: Scenario;
  readonly parameters: ScenarioParameters;
  readonly world: World;
  /** On `world.plain`, from the initial state on. */
  readonly steps: readonly WitnessStep[];
  readonly facts: RaceFacts;
  /** Shares of failing continuations: before the first step, then after each. */
  readonly shares: readonly number[] | null;
  readonly engine: string;
  readonly seed: number;
}

const KINDS: Readonly<Partial<Record<WorldStep['op'], StepKind>>> = {
  lock: 'lock',
  unlock: 'unlock',
  stop: 'stop',
  resume: 'resume',
  sync: 'sync',
  load: 'load',
  store: 'store',
  get: 'record',
  set: 'record',
  map: 'map',
  unmap: 'unmap',
  protect: 'protect',
  fork: 'fork',
  signal: 'signal',
  await: 'await',
  note: 'note',
};

/** Records a schedule. */
export function recordSchedule(schedule: RecordedSchedule, code: CodeReader): RaceRecording {
  return new ScheduleRecorder(schedule, code).record();
}

class ScheduleRecorder {
  readonly #schedule: RecordedSchedule;
  readonly #world: World;
  readonly #tables: CodeTables;
  readonly #memory: MemoryRegions;
  readonly #site: number;
  readonly #steps: Step[] = [];
  readonly #events: Event[] = [];
  readonly #calls: CallLine[] = [];
  #contents: readonly (string | null)[];

  constructor(schedule: RecordedSchedule, code: CodeReader) {
    const { world, scenario, parameters, steps } = schedule;
    this.#schedule = schedule;
    this.#world = world;
    this.#tables = new CodeTables(code);
    this.#site = scenario.site(parameters);
    const states = [world.initial, ...steps.map((step) => step.state).filter((state) => state >= 0)];
    this.#memory = new MemoryRegions(world, states, this.#site, parameters, this.#tables);
    this.#contents = this.#memory.contents(world.initial);
    this.#memory.addStub();
  }

  record(): RaceRecording {
    const { scenario, parameters, facts, engine, seed, steps } = this.#schedule;
    const history = new ActorHistory(this.#world);
    const start = history.start();
    this.#addDecodes(this.#world.initial);
    for (const [index, step] of steps.entries()) this.#add(step, index, history);
    this.#addLandmarks();
    const { texts, listings, decodes } = this.#tables;
    return {
      format: RECORDING_FORMAT,
      version: RECORDING_VERSION,
      kind: 'race',
      title: `${scenario.name} ${facts.protocol} ${facts.model.name}`,
      origin: {
        command: `trapline race ${scenario.name}${optionsOf(parameters)}`,
        engine,
        mode: parameters.patch,
        protocol: facts.protocol,
        seed,
      },
      race: facts,
      actors: this.#world.actors.map((name, i) => ({
        name,
        role: this.#world.local(this.#world.initial, i).role === 'P' ? 'patcher' : 'task',
      })),
      sites: this.#memory.sites,
      regions: this.#memory.regions,
      granules: this.#world.segments.map(({ address, length }) => ({ address, length })),
      texts,
      listings,
      decodes,
      start,
      steps: this.#steps,
      events: this.#events.sort((a, b) => a.at - b.at),
      calls: this.#calls,
      output: [],
      maps: [],
      costs: COST_BASES,
      leftOut: [],
    };
  }

  #add(step: WitnessStep, index: number, history: ActorHistory): void {
    const { before, state, actor, name } = step;
    const fails = state < 0;
    const local = this.#world.local(before, actor);
    const { changes, spaces } = fails ? { changes: [], spaces: [] } : history.next(state, actor);
    const made = this.#world.stores(step).map(({ space, address, bytes }) => ({ space, address, bytes: toHex(bytes) }));
    const memory = fails ? [] : this.#memoryAfter(state, made);
    const after = fails ? null : this.#world.local(state, actor);
    const kind = kindOf(step, local);
    const seen = kind === 'instruction' ? this.#seen(local, before) : null;
    const { data, cost } = this.#facts(step, kind, local, after);
    const share = this.#schedule.shares?.[index + 1];
    const rip = Number(local.regs[Reg.rip]);
    const text = seen?.text ?? this.#tables.text(plainText(step.text));
    const others = this.#others(before, actor, name);
    this.#steps.push({
      actor,
      kind,
      rip,
      text,
      name,
      ...(kind === 'instruction' ? { place: this.#placeOf(rip, local, before) } : {}),
      ...(seen?.differing === undefined ? {} : { seen: seen.differing }),
      ...(changes.length > 0 || fails ? { changes: fails ? [{ state: 'failed' as const }] : changes } : {}),
      ...(made.length === 0 ? {} : { stores: made }),
      ...(memory.length === 0 ? {} : { memory }),
      ...(spaces.length === 0 ? {} : { spaces }),
      ...(cost === null ? {} : { cost }),
      ...(share === undefined ? {} : { share }),
      ...(fails ? { fails: true as const } : {}),
      ...(others.length === 0 ? {} : { others }),
      ...(Object.keys(data).length === 0 ? {} : { data }),
    });
    if (!fails) this.#addDecodes(state);
    this.#addEvents(step, kind, after, made, index + 1);
  }

  /** What differs from the states before although no store says so: remapped, copied, vanished. */
  #memoryAfter(state: number, stores: readonly Store[]): (readonly [region: number, bytes: string | null])[] {
    const now = this.#memory.contents(state);
    const before = this.#contents;
    this.#contents = now;
    return now.flatMap((bytes, region) => {
      const expected = this.#stored(region, before[region] ?? null, stores);
      return bytes === expected ? [] : [[region, bytes] as const];
    });
  }

  #stored(index: number, before: string | null, stores: readonly Store[]): string | null {
    const region = this.#memory.regions[index];
    if (before === null || region === undefined) return before;
    let now = before;
    for (const { space, address, bytes } of stores) {
      if (space !== region.space) continue;
      for (let i = 0; i < bytes.length; i += 2) {
        const at = 2 * (address - region.address) + i;
        if (at >= 0 && at < now.length) now = now.slice(0, at) + bytes.slice(i, i + 2) + now.slice(at + 2);
      }
    }
    return now;
  }

  /** Memory's own, and what each processor makes of it. */
  #addDecodes(state: number): void {
    for (const [space] of this.#memory.sites.entries()) {
      const bytes = this.#memory.siteBytes(space, state);
      this.#memory.addDecode(space, bytes);
      for (const local of this.#world.locals(state)) {
        if (local.space !== space || local.fetched.every((have) => have === null)) continue;
        const mixed = bytes.slice();
        for (const [i, have] of local.fetched.entries()) {
          const segment = this.#world.segments[i];
          for (const [k, value] of have?.bytes.entries() ?? []) {
            const at = (segment?.address ?? 0) + k - this.#site;
            if (at >= 0 && at < mixed.length) mixed[at] = value;
          }
        }
        this.#memory.addDecode(space, mixed);
      }
    }
  }

  /** The instruction that an actor is about to execute, and its bytes where memory has others. */
  #seen(local: Local, state: number): { text: number; differing: string | undefined } {
    const rip = Number(local.regs[Reg.rip]);
    const space = this.#world.shared(state).spaces[local.space];
    const memory = space === undefined ? new Uint8Array(0) : readSpace(space, rip, MAX_INSTRUCTION_BYTES, PROT_EXEC);
    const isCoherent = this.#schedule.parameters.model.fetch === 'coherent';
    const window = decodeWindow(rip, memory, this.#world.segments, isCoherent ? null : local.fetched);
    const bytes = window.bytes.subarray(0, Math.min(window.held, MAX_INSTRUCTION_BYTES));
    const length = Math.max(1, window.length ?? 1);
    const isOther = bytes.subarray(0, length).some((b, i) => b !== memory[i]);
    return {
      text: this.#tables.instruction(bytes, rip).text,
      differing: isOther ? toHex(bytes.subarray(0, length)) : undefined,
    };
  }

  #placeOf(rip: number, local: Local, state: number): Place {
    if (rip >= this.#site && rip < this.#site + SITE_BYTES) return 'site';
    if (rip >= STUB_START && rip < STUB_END) return 'stub';
    const base = this.#world.shared(state).spaces[local.space]?.base ?? 0;
    return base !== 0 && rip >= base && rip < base + TABLE_BYTES ? 'slot' : 'program';
  }

  #others(state: number, maker: number, name: string): (readonly [actor: number, name: string])[] {
    return this.#world.actors.flatMap((_, actor) =>
      this.#world.plain
        .moves(state, actor)
        .filter((move) => actor !== maker || move.name !== name)
        .map((move) => [actor, move.name] as const),
    );
  }

  #facts(
    step: WitnessStep,
    kind: StepKind,
    before: Local,
    after: Local | null,
  ): { data: Facts; cost: CostEventName | null } {
    const data: Record<string, string | number | boolean> = {};
    let cost: CostEventName | null = null;
    const { work } = before;
    const privates = /\(\+(\d+) private\)/.exec(step.text)?.[1];
    if (privates !== undefined) data['private'] = Number(privates);
    const consequence = /-> (.+)$/.exec(step.text)?.[1];
    if (step.state < 0 && consequence !== undefined) data['consequence'] = consequence;
    if (kind === 'fetch') data['granule'] = Number(step.name.slice(1));
    if (work !== null && kind !== 'fetch') {
      const { pending } = work;
      data['what'] = pending.what;
      data['work'] = work.kind;
      if (pending.op === 'lock' || pending.op === 'unlock') data['exclusive'] = pending.exclusive;
      if (pending.op === 'store') {
        const offset = pending.addr - this.#site;
        if (offset >= 0 && offset < SITE_BYTES) data['offset'] = offset;
      }
      if (pending.op === 'load') Object.assign(data, { address: pending.addr, length: pending.length });
      if (pending.op === 'signal') data['signo'] = pending.signo;
      if (pending.op === 'note' || pending.op === 'await')
        Object.assign(data, { note: pending.note, value: pending.value });
    }
    const next = after?.work?.kind;
    if (next !== undefined && before.work?.kind !== next) {
      // The instruction ended in the kernel, or one kind of work led to another.
      data['leadsTo'] = next;
      if (next === 'stub-check') cost = 'seccomp';
      if (next === 'fault') cost = 'restart';
    }
    const call = after?.served[before.served.length];
    if (call !== undefined) {
      Object.assign(data, { via: call.via, sysno: call.sysno, call: syscallName(call.sysno) });
      if (call.via === 'trampoline') cost = 'patched';
    }
    return { data, cost };
  }

  #addEvents({ actor }: WitnessStep, kind: StepKind, after: Local | null, stores: readonly Store[], at: number): void {
    const offset = (store: Store): number => store.address - this.#site;
    const first = stores.find((store) => offset(store) > -store.bytes.length / 2 && offset(store) < SITE_BYTES);
    if (kind === 'store' && first !== undefined) {
      this.#events.push({ at, kind: 'store', actor, data: { offset: offset(first), bytes: first.bytes } });
    }
    const served = after?.served ?? [];
    const already = this.#calls.filter((call) => call.actor === actor).length;
    for (const { sysno, via } of served.slice(already)) {
      const name = syscallName(sysno);
      const index = this.#calls.push({
        at,
        end: null,
        actor,
        sysno,
        name,
        enter: `${name}()`,
        exit: '',
        via,
        rip: this.#site + SITE_BYTES,
        site: after?.space ?? 0,
      });
      this.#events.push({ at, kind: 'call', actor, index: index - 1, data: { sysno, name, via } });
    }
  }

  /** The pair of steps that decides, when failure is certain, and the failure. */
  #addLandmarks(): void {
    const { failure } = this.#schedule.facts;
    if (failure === null) return;
    const actorAt = (at: number): number => this.#steps[at - 1]?.actor ?? 0;
    if (failure.flip !== null) {
      const [, second] = failure.flip;
      this.#events.push({ at: second + 1, kind: 'flip', actor: actorAt(second + 1) });
    }
    if (failure.certainAt !== null) {
      this.#events.push({ at: failure.certainAt, kind: 'certain', actor: actorAt(failure.certainAt) });
    }
    const at = this.#steps.length;
    this.#events.push({ at, kind: 'failure', actor: actorAt(at), data: { signature: failure.signature } });
  }
}

function kindOf({ name }: WitnessStep, { phase, work }: Local): StepKind {
  if (/^F\d+$/.test(name)) return 'fetch';
  if (name === 'cow') return 'cow';
  if (/^SIG\d+$/.test(name)) return 'signal';
  if (name.endsWith('!')) return 'inject';
  if (phase === 'user') return 'instruction';
  return (work === null ? undefined : KINDS[work.pending.op]) ?? 'other';
}

/** The step itself, without what followed from it. */
function plainText(text: string): string {
  return text.replace(/ {2}(\(\+\d+ private\)|-> .*)/g, '').trim();
}
