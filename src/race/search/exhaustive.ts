// SPDX-License-Identifier: MIT
//
// Exhaustive stateful search: 0-1 breadth-first, a context switch costs one (races.md 4.3). Within a layer shorter
// paths go first, so the first path to a failure has the fewest switches and then the fewest steps. When the search
// ends by itself, it has also looked for states from which no run can end.

import { invariant } from '../../base/errors.ts';
import { DividedSearch } from './divided-search.ts';
import type { DividedFindings, Division } from './divided-search.ts';
import { estimate } from './estimate.ts';
import { grown, Ints } from './ints.ts';
import { MOST_TUPLE_ACTORS } from './partition.ts';
import type {
  Estimate,
  Exploration,
  Failure,
  Limits,
  Progress,
  Search,
  StopReason,
  TransitionSystem,
  Witness,
} from './system.ts';
import { compareWitnesses, namedFailure } from './system.ts';
import { pathSteps } from './path.ts';
import type { PathStep } from './path.ts';

const POLL_EVERY = 8192;
const MOST_GUESS_RUNS = 10_000;
/** Sets of actors are bits of a number. */
const MOST_ACTORS = 30;
/** Moves of one actor in one state are fewer. */
const CHOICES = 256;
/** States after which a search is divided, and how many times more it must be allowed to visit. */
const DIVIDE_AFTER = 100_000;
const WORTH = 4;

interface Found {
  readonly failure: Failure;
  readonly actor: number;
  readonly switches: number;
  readonly depth: number;
  readonly node: number;
  /** The failing step, or -1 where the run is stuck. */
  readonly choice: number;
}

const NO_NODES: number[] = [];

/** Nodes of one layer by the length of their paths. */
type Layer = number[][];

class BreadthFirst {
  readonly #system: TransitionSystem;
  readonly #limits: Limits;
  /** Per node: state, actor whose step led there, parent, and that step as actor (by the parent's numbering) and index. */
  readonly #state = new Ints();
  readonly #last = new Ints();
  readonly #parent = new Ints();
  readonly #step = new Ints();
  readonly #depth = new Ints();
  /** Per state, by number: layer and depth of the first visit (layer + 1, so that 0 means none). */
  #firstLayer = new Int32Array(4096);
  #firstDepth = new Int32Array(4096);
  /** Per state, for layers of even and of odd number: the layer, and who was last in nodes of it that wait or waited. */
  readonly #queuedLayer: [Int32Array, Int32Array] = [new Int32Array(4096), new Int32Array(4096)];
  readonly #queuedLast: [Int32Array, Int32Array] = [new Int32Array(4096), new Int32Array(4096)];
  readonly #edgeFrom = new Ints();
  readonly #edgeTo = new Ints();
  readonly #ends: number[] = [];
  readonly #outcomes = new Map<string, number>();
  readonly #found = new Map<string, Found>();
  #current: Layer = [];
  #next: Layer = [];
  #frontier = 0;
  states = 0;
  transitions = 0;
  layer = 0;
  #depthNow = 0;
  stoppedBy: StopReason | null = null;
  estimate: Estimate | null = null;
  #guessRuns = 200;
  #untilPoll = POLL_EVERY;

  constructor(system: TransitionSystem, limits: Limits) {
    this.#system = system;
    this.#limits = limits;
  }

  /** Yields now and then; told a reason to stop, it stops. */
  *run(): Generator<Progress, void, StopReason | null> {
    this.#enter(0, this.#system.initial, -1, -1, 0, 0);
    for (; this.#current.length > 0; this.layer++) {
      for (let depth = 0; depth < this.#current.length; depth++) {
        this.#depthNow = depth;
        const bucket = this.#current[depth];
        if (bucket === undefined) continue;
        // Moves of the same actor go to later buckets of this layer, never to this one.
        for (const node of bucket) {
          this.#frontier--;
          this.#visit(node);
          if (this.#untilPoll < 0) {
            this.#untilPoll = POLL_EVERY;
            this.#guess();
            this.stoppedBy ??= yield this.#progress();
          }
          if (this.stoppedBy !== null) return;
        }
        // Paths of this length are done with: their nodes are known by number from now on.
        this.#current[depth] = NO_NODES;
      }
      this.#current = this.#next;
      this.#next = [];
    }
  }

  /** Adds a node to the current layer (0) or the next (1), unless one as good is there. */
  #enter(ahead: 0 | 1, state: number, last: number, parent: number, step: number, depth: number): void {
    this.#makeRoom(state);
    const layer = this.layer + ahead + 1;
    const first = this.#firstLayer[state] as number;
    // Nodes come in order of depth within a layer, so the first of a kind is the best.
    if (first !== 0 && (first < layer - 1 || (first === layer - 1 && depth >= (this.#firstDepth[state] as number))))
      return;
    const bit = last < 0 ? 0 : 1 << last;
    const tags = this.#queuedLayer[layer % 2 === 0 ? 0 : 1];
    const lasts = this.#queuedLast[layer % 2 === 0 ? 0 : 1];
    if (tags[state] !== layer) {
      tags[state] = layer;
      lasts[state] = 0;
    } else if (((lasts[state] as number) & bit) !== 0) return;
    lasts[state] = (lasts[state] as number) | bit;
    const node = this.#state.push(state);
    this.#last.push(last);
    this.#parent.push(parent);
    this.#step.push(step);
    this.#depth.push(depth);
    ((ahead === 0 ? this.#current : this.#next)[depth] ??= []).push(node);
    this.#frontier++;
  }

  #visit(node: number): void {
    const state = this.#state.data[node] as number;
    const last = this.#last.data[node] as number;
    const depth = this.#depth.data[node] as number;
    const first = this.#firstLayer[state] as number;
    if (first === 0) {
      if (this.states >= this.#limits.budget) {
        this.stoppedBy = 'budget';
        return;
      }
      this.states++;
      this.#firstLayer[state] = this.layer + 1;
      this.#firstDepth[state] = depth;
      this.#expand(node, state, last);
      return;
    }
    // What the first visit did costs no more, except for the moves of the actor that is on turn now.
    const isSameLayer = first === this.layer + 1;
    if (!isSameLayer && (first !== this.layer || depth >= (this.#firstDepth[state] as number))) return;
    this.#moveActor(node, state, last, last, depth, false);
  }

  #expand(node: number, state: number, last: number): void {
    const depth = this.#depth.data[node] as number;
    let moved = 0;
    for (let actor = 0; actor < this.#system.actors.length; actor++) {
      moved += this.#moveActor(node, state, last, actor, depth, true);
    }
    this.transitions += moved;
    if (moved === 0) {
      const wrong = this.#system.stuck(state);
      if (wrong !== undefined) this.#fail(wrong, node, last, -1, this.layer, depth);
      const outcome = wrong?.signature ?? this.#system.outcome(state);
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
      this.#ends.push(state);
    }
    this.#untilPoll -= moved;
  }

  #moveActor(node: number, state: number, last: number, actor: number, depth: number, isFirst: boolean): number {
    const moves = this.#system.moves(state, actor);
    const isFree = last === actor || last < 0;
    let failed: string | null = null;
    for (let index = 0; index < moves.length; index++) {
      const move = moves[index];
      if (move === undefined) continue;
      const step = actor * CHOICES + index;
      if (move.failure !== null) {
        this.#fail(move.failure, node, actor, step, this.layer + (isFree ? 0 : 1), depth + 1);
        failed = move.failure.signature;
        if (isFirst) this.#outcomes.set(failed, (this.#outcomes.get(failed) ?? 0) + 1);
        continue;
      }
      this.#enter(isFree ? 0 : 1, move.to, move.actor, node, step, depth + 1);
      if (isFirst) {
        this.#edgeFrom.push(state);
        this.#edgeTo.push(move.to);
      }
    }
    if (isFirst && failed !== null) this.#ends.push(state);
    return moves.length;
  }

  #fail(failure: Failure, node: number, actor: number, choice: number, switches: number, depth: number): void {
    const known = this.#found.get(failure.signature);
    if (known !== undefined && (known.switches < switches || (known.switches === switches && known.depth <= depth)))
      return;
    this.#found.set(failure.signature, { failure, actor, switches, depth, node, choice });
  }

  #makeRoom(state: number): void {
    if (state < this.#firstLayer.length) return;
    const length = Math.max(state + 1, this.#firstLayer.length * 2);
    this.#firstLayer = grown(this.#firstLayer, length);
    this.#firstDepth = grown(this.#firstDepth, length);
    for (const parity of [0, 1] as const) {
      this.#queuedLayer[parity] = grown(this.#queuedLayer[parity], length);
      this.#queuedLast[parity] = grown(this.#queuedLast[parity], length);
    }
  }

  /** Estimates what there is, and again from more runs when it turns out to be more: the estimate is a lower bound. */
  #guess(): void {
    if (this.estimate !== null && (this.states <= this.estimate.states || this.#guessRuns > MOST_GUESS_RUNS)) return;
    this.estimate = estimate(this.#system, 1, this.#guessRuns);
    this.#guessRuns *= 4;
  }

  /** Whether failures with these signatures were found, and no shorter paths to them can be. */
  hasFound(signatures: Iterable<string>): boolean {
    for (const signature of signatures) {
      const found = this.#found.get(signature);
      if (found === undefined || found.switches > this.layer) return false;
      if (found.switches === this.layer && found.depth > this.#depthNow + 1) return false;
    }
    return true;
  }

  #progress(): Progress {
    return {
      states: this.states,
      transitions: this.transitions,
      schedules: 0,
      frontier: this.#frontier,
      layer: this.layer,
      failures: this.#found.size,
      estimate: this.estimate,
    };
  }

  /** States from which no run ends, whoever moves: found backwards from the ends. */
  findLivelock(): void {
    const count = this.#firstLayer.length;
    const offsets = new Int32Array(count + 1);
    const edges = this.#edgeTo.length;
    for (let e = 0; e < edges; e++) {
      const to = this.#edgeTo.data[e] as number;
      offsets[to + 1] = (offsets[to + 1] as number) + 1;
    }
    for (let i = 0; i < count; i++) offsets[i + 1] = (offsets[i + 1] as number) + (offsets[i] as number);
    const sources = new Int32Array(edges);
    const cursor = offsets.slice();
    for (let e = 0; e < edges; e++) {
      const to = this.#edgeTo.data[e] as number;
      const at = cursor[to] as number;
      cursor[to] = at + 1;
      sources[at] = this.#edgeFrom.data[e] as number;
    }
    const canEnd = new Uint8Array(count);
    const work: number[] = [];
    for (const end of this.#ends) {
      canEnd[end] = 1;
      work.push(end);
    }
    for (let state = work.pop(); state !== undefined; state = work.pop()) {
      for (let k = offsets[state] as number; k < (offsets[state + 1] as number); k++) {
        const source = sources[k] as number;
        if (canEnd[source] === 1) continue;
        canEnd[source] = 1;
        work.push(source);
      }
    }
    const failure: Failure = { signature: 'livelock', text: 'from here on no schedule lets every actor finish' };
    for (let node = 0; node < this.#state.length; node++) {
      const state = this.#state.data[node] as number;
      if (canEnd[state] === 1) continue;
      const depth = this.#depth.data[node] as number;
      this.#fail(failure, node, this.#last.data[node] as number, -1, this.#switchesTo(node), depth);
    }
  }

  #switchesTo(node: number): number {
    let switches = 0;
    for (let n = node; (this.#parent.data[n] as number) >= 0; n = this.#parent.data[n] as number) {
      const before = this.#last.data[this.#parent.data[n] as number] as number;
      if (before >= 0 && before !== Math.floor((this.#step.data[n] as number) / CHOICES)) switches++;
    }
    return switches;
  }

  #path(node: number): PathStep[] {
    const path: PathStep[] = [];
    for (let n = node; (this.#parent.data[n] as number) >= 0; n = this.#parent.data[n] as number) {
      const parent = this.#parent.data[n] as number;
      const step = this.#step.data[n] as number;
      const actor = Math.floor(step / CHOICES);
      const isSwitch = actor !== this.#last.data[parent] && (this.#last.data[parent] as number) >= 0;
      path.push({ state: this.#state.data[parent] as number, actor, index: step % CHOICES, isSwitch });
    }
    return path.reverse();
  }

  result(): Exploration {
    const system = this.#system;
    const witnesses: Witness[] = [...this.#found.values()].map((found) => {
      const path = this.#path(found.node);
      if (found.choice >= 0) {
        const actor = Math.floor(found.choice / CHOICES);
        const state = this.#state.data[found.node] as number;
        const last = this.#last.data[found.node] as number;
        path.push({ state, actor, index: found.choice % CHOICES, isSwitch: last >= 0 && last !== actor });
      }
      const steps = pathSteps(system, path);
      const who = steps.at(-1)?.actor ?? found.actor;
      const failure = namedFailure(found.failure, system.actors[who] ?? '?');
      return { failure, steps, switches: found.switches, isMinimal: this.stoppedBy === null };
    });
    const complete = this.stoppedBy === null;
    return {
      verdict: witnesses.length > 0 ? 'fails' : complete ? 'holds' : 'incomplete',
      complete,
      strategy: 'exhaustive',
      stoppedBy: this.stoppedBy,
      states: this.states,
      transitions: this.transitions,
      schedules: 0,
      outcomes: this.#outcomes,
      witnesses: witnesses.sort(compareWitnesses),
      switchesCovered: this.layer - 1,
      estimate: complete ? this.estimate : (this.estimate ?? estimate(system)),
    };
  }

  /** The result of a search that was divided: its ways to fail are those that were found here. */
  resultWith(findings: DividedFindings): Exploration {
    const { stoppedBy, states, transitions, outcomes, switches } = findings;
    const complete = stoppedBy === null;
    const own = this.result();
    const witnesses = own.witnesses.map((witness) => ({ ...witness, isMinimal: complete }));
    return {
      ...own,
      verdict: witnesses.length > 0 ? 'fails' : complete ? 'holds' : 'incomplete',
      complete,
      stoppedBy,
      states,
      transitions,
      outcomes,
      witnesses,
      switchesCovered: switches,
      estimate: this.estimate ?? (complete ? null : estimate(this.#system)),
      ...(findings.trouble !== null && { trouble: findings.trouble }),
    };
  }
}

/**
 * Explores everything, or until `limits.budget` states are known.
 * @param division how a search that is long goes on: as many partitions as it says, whose findings are the same however
 *   many they are; a budget then ends with the last layer for which it suffices
 * @returns `holds` only when every reachable state was expanded
 */
export function* exhaustive(system: TransitionSystem, limits: Limits, division: Division | null = null): Search {
  invariant(system.actors.length <= MOST_ACTORS, () => `at most ${MOST_ACTORS} actors can be explored`);
  const search = new BreadthFirst(system, limits);
  const walk = search.run();
  const after = division?.after ?? DIVIDE_AFTER;
  const divides = limits.budget > WORTH * after && system.actors.length <= MOST_TUPLE_ACTORS;
  let at = walk.next();
  while (at.done !== true) {
    if (division !== null && divides && search.states >= after) {
      const findings = yield* divide(search, limits, division);
      if (!findings.hasLivelock) {
        // The way to each failure is found as if nobody had helped.
        while (at.done !== true && !search.hasFound(findings.failures.keys())) {
          yield at.value;
          at = walk.next(null);
        }
        return search.resultWith(findings);
      }
      // Which states it is and how one gets there: everything is needed for that.
      while (at.done !== true) at = walk.next(yield at.value);
      break;
    }
    at = walk.next(yield at.value);
  }
  if (search.stoppedBy === null) search.findLivelock();
  return search.result();
}

function* divide(
  search: BreadthFirst,
  limits: Limits,
  division: Division,
): Generator<Progress, DividedFindings, StopReason | null> {
  const { system, dispose } = division.twin();
  try {
    return yield* new DividedSearch(system, limits.budget, division, search.estimate).run();
  } finally {
    dispose();
  }
}
