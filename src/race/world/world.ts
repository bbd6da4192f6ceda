// SPDX-License-Identifier: MIT
//
// A scenario as a transition system: a state is a tuple of numbered parts, one shared and one an actor. What an actor
// can do depends on its own part and the shared one, so it is worked out once for each such pair, by the engine and
// the protocol's generators, and remembered; a share of what is remembered is worked out again to check that.

import { invariant } from '../../base/errors.ts';
import { Exchange } from '../search/exchange.ts';
import type { PathStep } from '../search/path.ts';
import { EVERYTHING } from '../search/system.ts';
import type { Failure, Footprint, Move, TransitionSystem, WitnessStep } from '../search/system.ts';
import type { TupleStep, TupleSystem } from '../search/tuple-system.ts';
import { TupleTable } from '../search/tuple-table.ts';
import type { Behaviour } from './behaviour.ts';
import type { Outcome, StoreMade } from './draft.ts';
import type { HotSegment } from './fetch.ts';
import { Interner } from './interner.ts';
import type { ActorEvent, Local, Page, Shared } from './state.ts';
import { localKey, sharedKey } from './state.ts';
import type { Stepper } from './stepper.ts';

/** An actor before it does anything. */
export interface ActorStart {
  readonly name: string;
  readonly local: Local;
  /** Work that it begins with; otherwise it runs user code or has ended. */
  readonly work?: string;
}

export interface WorldOptions {
  readonly stepper: Stepper;
  readonly behaviour: Behaviour;
  readonly shared: Shared;
  readonly actors: readonly ActorStart[];
  /** Takes states for equal that differ only in which of several equal actors is where. Default true. */
  readonly exchangesEqualActors?: boolean;
  /** Works out every n-th remembered step again and compares; 0 never. Default 0. */
  readonly recheckEvery?: number;
}

/** A remembered step. */
interface Remembered extends TupleStep {
  readonly stores: readonly StoreMade[];
  readonly name: string;
  readonly text: string;
  readonly footprint: Footprint;
}

/** Counters of a world. */
export interface WorldFigures {
  /** Distinct parts met. */
  readonly locals: number;
  readonly shareds: number;
  /** Steps worked out, taken from memory, and worked out again to compare. */
  readonly computed: number;
  readonly remembered: number;
  readonly rechecked: number;
}

const NO_MOVES: readonly Move[] = [];
const NO_STORES: readonly StoreMade[] = [];

export class World implements TupleSystem {
  readonly actors: readonly string[];
  readonly initial: number;
  readonly #stepper: Stepper;
  readonly #behaviour: Behaviour;
  readonly #locals: Interner<Local>;
  readonly #shareds = new Interner<Shared>(sharedKey);
  readonly #table: TupleTable;
  readonly #tuple: Int32Array;
  /** By local part, then by shared part. */
  readonly #memory: Remembered[][][] = [];
  /** What steps do to others, and by its number what it makes of a part. */
  readonly #events: ActorEvent[] = [];
  readonly #afterEvents: Map<number, number>[] = [];
  readonly #equal: Exchange;
  readonly exchange: Exchange | null;
  /** What is wrong with states, by number, where the scenario looks at each. */
  readonly #wrong = new Map<number, Failure | null>();
  readonly #recheckEvery: number;
  #computed = 0;
  #remembered = 0;
  #rechecked = 0;

  constructor(options: WorldOptions) {
    this.#stepper = options.stepper;
    this.#behaviour = options.behaviour;
    this.#recheckEvery = options.recheckEvery ?? 0;
    this.#locals = new Interner((local) => this.#localKey(local));
    this.actors = options.actors.map((a) => a.name);
    this.#table = new TupleTable(this.actors.length + 1);
    this.#tuple = new Int32Array(this.actors.length + 1);
    let { shared } = options;
    const locals = options.actors.map((start) => {
      const begun = this.#stepper.begin(start.name, start.local, shared, start.work);
      ({ shared } = begun);
      return this.#locals.number(begun.local);
    });
    this.#tuple[0] = this.#shareds.number(shared);
    this.#tuple.set(locals, 1);
    this.#equal = Exchange.of(locals);
    this.exchange = (options.exchangesEqualActors ?? true) ? this.#equal : null;
    this.initial = this.#table.add(this.#tuple);
  }

  get figures(): WorldFigures {
    return {
      locals: this.#locals.size,
      shareds: this.#shareds.size,
      computed: this.#computed,
      remembered: this.#remembered,
      rechecked: this.#rechecked,
    };
  }

  /** Properties of states are looked at state by state, so nobody else can explore by numbers. */
  get isSeparable(): boolean {
    return this.#behaviour.always === undefined;
  }

  get first(): Int32Array {
    const tuple = new Int32Array(this.actors.length + 1);
    this.#table.read(this.initial, tuple);
    return tuple;
  }

  end(tuple: Int32Array): number {
    const ordered = tuple.slice();
    const key = (part: number): string => this.#localKey(this.#locals.value(part));
    for (const [actor, [first, last]] of (this.exchange?.groups ?? []).entries()) {
      if (actor !== first || first === last) continue;
      const keyed = [...tuple.subarray(first + 1, last + 2)].map((part) => ({ part, key: key(part) }));
      keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      for (const [i, { part }] of keyed.entries()) ordered[first + 1 + i] = part;
    }
    return this.#table.add(ordered);
  }

  /** Hot bytes by granule: `Local.fetched` has one entry for each. */
  get segments(): readonly HotSegment[] {
    return this.#stepper.segments;
  }

  shared(state: number): Shared {
    return this.#shareds.value(this.#table.part(state, 0));
  }

  local(state: number, actor: number): Local {
    return this.#locals.value(this.#table.part(state, actor + 1));
  }

  locals(state: number): Local[] {
    return this.actors.map((_, i) => this.local(state, i));
  }

  /** The same system with every actor by its own name in all states: for replay. States are the same numbers. */
  get plain(): TransitionSystem {
    return {
      actors: this.actors,
      initial: this.initial,
      moves: (state, actor) => this.#movesOf(state, actor, null),
      describe: (state, actor, index) => this.describe(state, actor, index),
      stuck: (state) => this.stuck(state),
      outcome: (state) => this.outcome(state),
    };
  }

  /** What a state is, in full: the same in every world of the same scenario, unlike its number. */
  key(state: number): string {
    const { contents } = this.#stepper;
    const pages = this.shared(state).spaces.map((space) =>
      [...space.pages].map(([address, page]) => `${address}:${contents.fingerprint(page.content)}`).join(),
    );
    const shared = this.shared(state);
    const bare = { ...shared, spaces: shared.spaces.map((space) => ({ ...space, pages: new Map<number, Page>() })) };
    const locals = this.locals(state).map((local) => {
      const privates = local.privates.map((content) => contents.fingerprint(content)).join();
      return `${privates}:${this.#localKey({ ...local, privates: [] })}`;
    });
    return [sharedKey(bare), ...pages, ...locals].join('\n');
  }

  moves(state: number, actor: number): readonly Move[] {
    return this.#movesOf(state, actor, this.exchange);
  }

  #movesOf(state: number, actor: number, exchange: Exchange | null): readonly Move[] {
    const shared = this.#table.part(state, 0);
    const steps = this.steps(this.#table.part(state, actor + 1), shared);
    if (steps.length === 0) return NO_MOVES;
    return steps.map((step) => this.#move(state, actor, step, exchange));
  }

  describe(state: number, actor: number, index: number): string {
    return this.steps(this.#table.part(state, actor + 1), this.#table.part(state, 0))[index]?.text ?? '';
  }

  /** The stores to shared memory that a step of a schedule made, in their order. */
  stores({ before, actor, name }: WitnessStep): readonly StoreMade[] {
    const steps = this.steps(this.#table.part(before, actor + 1), this.#table.part(before, 0));
    return steps.find((step) => step.name === name)?.stores ?? NO_STORES;
  }

  stuck(state: number): Failure | undefined {
    return this.#behaviour.stuck(this.shared(state), this.locals(state), this.actors);
  }

  outcome(state: number): string {
    return this.#behaviour.outcome(this.shared(state), this.locals(state), this.actors);
  }

  /** A path with every step given to one and the same actor, and states that are not exchanged. */
  unfold(path: readonly PathStep[]): WitnessStep[] {
    const width = this.actors.length + 1;
    const tuple = new Int32Array(width);
    this.#table.read(this.initial, tuple);
    let last = -1;
    return path.map((step) => {
      const mover = this.#table.part(step.state, step.actor + 1);
      const [low, high] = this.#equal.groups[step.actor] ?? [step.actor, step.actor];
      const candidates: number[] = [];
      for (let a = low; a <= high; a++) if (tuple[a + 1] === mover) candidates.push(a);
      const isLast = (a: number): boolean => a === last;
      const actor = candidates.find((a) => isLast(a) !== step.isSwitch) ?? candidates[0];
      invariant(actor !== undefined, () => 'a path leads from each state to the next');
      const before = this.#table.add(tuple);
      const chosen = this.steps(mover, tuple[0] as number)[step.index];
      invariant(chosen !== undefined, () => 'a path is made of moves');
      this.#apply(tuple, actor, chosen);
      last = actor;
      const now = chosen.failure === null ? this.#table.add(tuple) : -1;
      const state = now >= 0 && this.#wrongWith(now) === null ? now : -1;
      return { actor, name: chosen.name, text: chosen.text, before, state };
    });
  }

  #move(state: number, actor: number, step: Remembered, exchange: Exchange | null): Move {
    const { name, failure, footprint } = step;
    if (failure !== null) return { name, to: -1, actor, failure, footprint };
    const tuple = this.#tuple;
    this.#table.read(state, tuple);
    this.#apply(tuple, actor, step);
    if (exchange !== null && (step.events !== null || exchange.concerns(actor))) {
      const now = exchange.sort(tuple, actor, step.events !== null);
      return this.#checked({ name, to: this.#table.add(tuple), actor: now, failure, footprint });
    }
    const to = step.events === null ? this.#table.addChanged(tuple, state, 0, actor + 1) : this.#table.add(tuple);
    return this.#checked({ name, to, actor, failure, footprint });
  }

  /** The move, failing where what it leads to is wrong. */
  #checked(move: Move): Move {
    if (this.#behaviour.always === undefined) return move;
    const failure = this.#wrongWith(move.to);
    return { ...move, to: failure === null ? move.to : -1, failure, footprint: EVERYTHING };
  }

  #wrongWith(state: number): Failure | null {
    const { always } = this.#behaviour;
    if (always === undefined) return null;
    let wrong = this.#wrong.get(state);
    if (wrong === undefined) {
      wrong = always.call(this.#behaviour, this.shared(state), this.locals(state), this.actors) ?? null;
      this.#wrong.set(state, wrong);
    }
    return wrong;
  }

  #apply(tuple: Int32Array, actor: number, step: Remembered): void {
    tuple[0] = step.shared;
    tuple[actor + 1] = step.part;
    if (step.events === null) return;
    for (const event of step.events) {
      for (let other = 0; other < this.actors.length; other++)
        if (other !== actor) tuple[other + 1] = this.after(event, tuple[other + 1] as number);
    }
  }

  after(event: number, part: number): number {
    const known = this.#afterEvents[event];
    const what = this.#events[event];
    invariant(known !== undefined && what !== undefined, () => 'an event has a number');
    let after = known.get(part);
    if (after === undefined) {
      after = this.#locals.number(this.#stepper.afterEvent(this.#locals.value(part), what));
      known.set(part, after);
    }
    return after;
  }

  #localKey(local: Local): string {
    return localKey(local, (work, of) => this.#behaviour.liveResults?.(work, of));
  }

  steps(local: number, shared: number): readonly Remembered[] {
    const byShared = (this.#memory[local] ??= []);
    const known = byShared[shared];
    if (known === undefined) {
      this.#computed++;
      const steps = this.#compute(local, shared);
      byShared[shared] = steps;
      return steps;
    }
    this.#remembered++;
    if (this.#recheckEvery > 0 && this.#remembered % this.#recheckEvery === 0) this.#recheck(local, shared, known);
    return known;
  }

  #compute(local: number, shared: number): Remembered[] {
    return this.#stepper
      .outcomes(this.#locals.value(local), this.#shareds.value(shared))
      .map((outcome) => this.#remember(outcome));
  }

  #remember(outcome: Outcome): Remembered {
    return {
      part: this.#locals.number(outcome.local),
      shared: this.#shareds.number(outcome.shared),
      events: outcome.events.length === 0 ? null : outcome.events.map((event) => this.#eventNumber(event)),
      stores: outcome.stores.length === 0 ? NO_STORES : outcome.stores,
      name: outcome.name,
      text: outcome.text,
      failure: outcome.failure,
      footprint: { reads: outcome.reads, writes: outcome.writes },
    };
  }

  #eventNumber(event: ActorEvent): number {
    this.#afterEvents.push(new Map());
    return this.#events.push(event) - 1;
  }

  #recheck(local: number, shared: number, known: readonly Remembered[]): void {
    this.#rechecked++;
    const again = this.#compute(local, shared);
    const same =
      again.length === known.length &&
      again.every((step, i) => {
        const old = known[i];
        return (
          old !== undefined &&
          step.part === old.part &&
          step.shared === old.shared &&
          step.name === old.name &&
          step.failure?.signature === old.failure?.signature
        );
      });
    invariant(same, () => 'a step that was worked out again came out differently');
  }
}
