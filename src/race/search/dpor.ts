// SPDX-License-Identifier: MIT
//
// Stateless search with source sets and sleep sets (Abdulla, Aronis, Jonsson, Sagonas: Optimal Dynamic Partial Order
// Reduction, POPL 2014). Keeps one path and no states: for systems whose states are too large or too many. Steps of
// different actors that commute are tried in one order.
//
// An actor that has a choice is one step here, with all that its choices read and write.

import { estimate } from './estimate.ts';
import { compareWitnesses, countSwitches, namedFailure } from './system.ts';
import type {
  Exploration,
  Limits,
  Move,
  Progress,
  Search,
  StopReason,
  TransitionSystem,
  Witness,
  WitnessStep,
} from './system.ts';

/** Longest path. */
const MAX_DEPTH = 4096;
const POLL_EVERY = 256;

interface Event {
  readonly actor: number;
  readonly reads: number;
  readonly writes: number;
  /** By actor: how many of its events happened before this one, itself included. */
  readonly clock: readonly number[];
  /** Which event of its actor it is, from 1. */
  readonly index: number;
}

interface Node {
  readonly state: number;
  readonly moves: readonly (readonly Move[])[];
  readonly enabled: readonly number[];
  /** Actors to try from here, and those that need not be. */
  readonly backtrack: Set<number>;
  readonly sleep: Set<number>;
  /** The actor being tried, its next choice, and the event that stands for it. */
  actor: number;
  choice: number;
  event: Event | null;
}

function depends(a: { reads: number; writes: number }, b: { reads: number; writes: number }): boolean {
  return ((a.writes & (b.reads | b.writes)) | (b.writes & a.reads)) !== 0;
}

function footprintOf(moves: readonly Move[]): { reads: number; writes: number } {
  let reads = 0;
  let writes = 0;
  for (const { footprint } of moves) {
    reads |= footprint.reads;
    writes |= footprint.writes;
  }
  return { reads, writes };
}

class StatelessSearch {
  readonly #system: TransitionSystem;
  readonly #limits: Limits;
  readonly #path: Node[] = [];
  readonly #outcomes = new Map<string, number>();
  readonly #witnesses = new Map<string, Witness>();
  /** Maximal runs, and runs given up because every order of what was left had been tried. */
  traces = 0;
  blocked = 0;
  transitions = 0;
  stoppedBy: StopReason | null = null;
  #nextPoll = POLL_EVERY;

  constructor(system: TransitionSystem, limits: Limits) {
    this.#system = system;
    this.#limits = limits;
  }

  /** Yields now and then; told a reason to stop, it stops. */
  *run(): Generator<Progress, void, StopReason | null> {
    this.#enter(this.#system.initial, new Set());
    while (this.#path.length > 0 && this.stoppedBy === null) {
      const node = this.#path.at(-1) as Node;
      if (!this.#select(node)) {
        this.#path.pop();
        continue;
      }
      const move = (node.moves[node.actor] ?? [])[node.choice++] as Move;
      this.transitions++;
      if (move.failure !== null) {
        this.#fail(node, move);
        // The others' steps were not made on this path: whatever they conflict with must be found from here.
        for (const actor of node.enabled) node.backtrack.add(actor);
        continue;
      }
      this.#enter(move.to, this.#sleepAfter(node));
      if (this.traces < this.#nextPoll || this.stoppedBy !== null) continue;
      this.#nextPoll = this.traces + POLL_EVERY;
      this.stoppedBy = yield this.#progress();
    }
  }

  /** Moves on to the next choice or actor of a node; false when none is left. */
  #select(node: Node): boolean {
    if (node.actor >= 0) {
      if (node.choice < (node.moves[node.actor] ?? []).length) return true;
      node.sleep.add(node.actor);
      node.actor = -1;
    }
    for (const actor of node.backtrack) {
      if (node.sleep.has(actor)) continue;
      node.actor = actor;
      node.choice = 0;
      node.event = this.#eventOf(node, actor);
      return true;
    }
    return false;
  }

  #enter(state: number, sleep: Set<number>): void {
    const system = this.#system;
    const moves = system.actors.map((_, actor) => system.moves(state, actor));
    const enabled = system.actors.flatMap((_, actor) => ((moves[actor] ?? []).length > 0 ? [actor] : []));
    if (enabled.length === 0) {
      this.#end(state);
      return;
    }
    if (this.#path.length >= MAX_DEPTH) {
      this.#count('does not end');
      return;
    }
    const first = enabled.find((actor) => !sleep.has(actor));
    if (first === undefined) {
      this.blocked++;
      return;
    }
    const backtrack = new Set([first]);
    this.#path.push({ state, moves, enabled, backtrack, sleep, actor: -1, choice: 0, event: null });
  }

  #sleepAfter(node: Node): Set<number> {
    const made = node.event as Event;
    const sleep = new Set<number>();
    for (const actor of node.sleep)
      if (actor !== node.actor && !depends(footprintOf(node.moves[actor] ?? []), made)) sleep.add(actor);
    return sleep;
  }

  /** The event of `actor` in `node`; notes what has to be tried earlier because the two could come the other way round. */
  #eventOf(node: Node, actor: number): Event {
    const { reads, writes } = footprintOf(node.moves[actor] ?? []);
    const depth = this.#path.length - 1;
    const clock = this.#system.actors.map(() => 0);
    const join = (other: readonly number[]): void => {
      for (let a = 0; a < clock.length; a++) clock[a] = Math.max(clock[a] as number, other[a] as number);
    };
    for (let i = depth - 1; i >= 0; i--) {
      const event = this.#path[i]?.event as Event;
      if (event.actor !== actor) continue;
      join(event.clock);
      break;
    }
    const racing: number[] = [];
    const hidden = clock.slice();
    for (let i = depth - 1; i >= 0; i--) {
      const event = this.#path[i]?.event as Event;
      if (event.actor === actor || !depends(event, { reads, writes })) continue;
      if ((hidden[event.actor] as number) >= event.index) continue;
      racing.push(i);
      join(event.clock);
      // Where the actor could not move before that event (a lock, a standstill), the race is with what made it wait.
      if (this.#couldMove(i, depth, actor))
        for (let a = 0; a < hidden.length; a++) hidden[a] = Math.max(hidden[a] as number, event.clock[a] as number);
    }
    const index = (clock[actor] as number) + 1;
    clock[actor] = index;
    const made: Event = { actor, reads, writes, clock, index };
    for (const at of racing) this.#reverse(at, depth, made);
    return made;
  }

  /** Whether the step that `actor` makes at `depth` could have been made at node `at`, as far as is known. */
  #couldMove(at: number, depth: number, actor: number): boolean {
    for (let i = at; i < depth; i++) if (this.#path[i]?.event?.actor === actor) return false;
    return (this.#path[at] as Node).enabled.includes(actor);
  }

  /** Makes sure that from node `at` some run begins in which its event comes after `last`. */
  #reverse(at: number, depth: number, last: Event): void {
    const node = this.#path[at] as Node;
    const event = node.event as Event;
    const after: Event[] = [];
    for (let i = at + 1; i < depth; i++) {
      const next = this.#path[i]?.event as Event;
      if ((next.clock[event.actor] as number) < event.index) after.push(next);
    }
    after.push(last);
    const seen = new Set<number>();
    const initials: number[] = [];
    for (const [i, next] of after.entries()) {
      if (seen.has(next.actor)) continue;
      seen.add(next.actor);
      const isFirst = after.slice(0, i).every((k) => (next.clock[k.actor] as number) < k.index);
      if (isFirst) initials.push(next.actor);
    }
    if (initials.some((actor) => node.backtrack.has(actor))) return;
    const possible = initials.find((actor) => node.enabled.includes(actor));
    if (possible !== undefined) node.backtrack.add(possible);
    else for (const actor of node.enabled) node.backtrack.add(actor);
  }

  #steps(): WitnessStep[] {
    const steps: WitnessStep[] = [];
    for (const [i, node] of this.#path.entries()) {
      const index = node.choice - 1;
      const move = (node.moves[node.actor] ?? [])[index];
      if (move === undefined) break;
      const text = this.#system.describe(node.state, node.actor, index);
      const state = this.#path[i + 1]?.state ?? (move.failure === null ? move.to : -1);
      steps.push({ actor: node.actor, name: move.name, text, before: node.state, state });
    }
    return steps;
  }

  #fail(node: Node, move: Move): void {
    if (move.failure === null) return;
    this.#witness(namedFailure(move.failure, this.#system.actors[node.actor] ?? '?'));
    this.#count(move.failure.signature);
  }

  #end(state: number): void {
    const wrong = this.#system.stuck(state);
    if (wrong !== undefined) this.#witness(wrong);
    this.#count(wrong?.signature ?? this.#system.outcome(state));
  }

  #witness(failure: Witness['failure']): void {
    const steps = this.#steps();
    const witness = { failure, steps, switches: countSwitches(steps), isMinimal: false };
    const known = this.#witnesses.get(failure.signature);
    if (known === undefined || compareWitnesses(witness, known) < 0) this.#witnesses.set(failure.signature, witness);
  }

  #count(outcome: string): void {
    this.traces++;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    if (this.traces >= this.#limits.budget) this.stoppedBy = 'budget';
  }

  #progress(): Progress {
    return {
      states: 0,
      transitions: this.transitions,
      schedules: this.traces,
      frontier: this.#path.reduce((sum, n) => sum + n.backtrack.size, 0),
      layer: -1,
      failures: this.#witnesses.size,
      estimate: null,
    };
  }

  result(): Exploration {
    const witnesses = [...this.#witnesses.values()].sort(compareWitnesses);
    const complete = this.stoppedBy === null && !this.#outcomes.has('does not end');
    return {
      verdict: witnesses.length > 0 ? 'fails' : complete ? 'holds' : 'incomplete',
      complete,
      strategy: 'dpor',
      stoppedBy: this.stoppedBy,
      states: 0,
      transitions: this.transitions,
      schedules: this.traces,
      outcomes: this.#outcomes,
      witnesses,
      switchesCovered: -1,
      estimate: complete ? null : estimate(this.#system),
    };
  }
}

/**
 * Explores one run of each class of runs that differ in the order of independent steps only.
 * @param system one that does not exchange actors, with true footprints, and whose runs all end
 * @param limits `budget`: runs at most
 */
export function* dpor(system: TransitionSystem, limits: Limits): Search {
  const search = new StatelessSearch(system, limits);
  yield* search.run();
  return search.result();
}
