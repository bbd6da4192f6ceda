// SPDX-License-Identifier: MIT
//
// Runs schedules that a sampler chooses. Never says `holds`: what it did not see may fail. Failing schedules are made
// small before they are reported.

import { Prng } from '../../base/prng.ts';
import { estimate } from './estimate.ts';
import type { Sampler } from './samplers.ts';
import { replay } from './schedule.ts';
import { shrink } from './shrink.ts';
import { compareWitnesses } from './system.ts';
import type { Limits, Move, Search, StopReason, TransitionSystem, Witness } from './system.ts';

/** A run of more visible steps is given up. */
export const MAX_RUN = 10_000;
const POLL_EVERY = 64;
/** What a run that was given up counts as. */
export const UNFINISHED = 'does not end';

interface Run {
  readonly outcome: string;
  readonly failed: boolean;
}

/** Makes runs one after the other; keeps what does not change between them. */
class Runner {
  readonly #system: TransitionSystem;
  readonly #sampler: Sampler;
  readonly #prng: Prng;
  readonly #totals: number[];
  readonly #moves: (readonly Move[])[] = [];
  readonly actorsOf: number[] = [];
  readonly names: string[] = [];
  transitions = 0;
  runs = 0;

  constructor(system: TransitionSystem, sampler: Sampler, seed: number) {
    this.#system = system;
    this.#sampler = sampler;
    this.#prng = new Prng(seed);
    this.#totals = system.actors.map(() => 0);
  }

  run(): Run {
    const system = this.#system;
    const runs = Math.max(1, this.runs);
    const lengths = this.#totals.map((n) => (this.runs === 0 ? 8 : n / runs));
    const choose = this.#sampler.begin(this.#prng, lengths, this.runs);
    this.runs++;
    this.actorsOf.length = 0;
    this.names.length = 0;
    let state = system.initial;
    let last = -1;
    const enabled: number[] = [];
    for (let step = 0; step < MAX_RUN; step++) {
      enabled.length = 0;
      for (let actor = 0; actor < system.actors.length; actor++) {
        const moves = system.moves(state, actor);
        this.#moves[actor] = moves;
        if (moves.length > 0) enabled.push(actor);
      }
      if (enabled.length === 0) {
        const wrong = system.stuck(state);
        return { outcome: wrong?.signature ?? system.outcome(state), failed: wrong !== undefined };
      }
      const actor = enabled.length === 1 ? (enabled[0] as number) : choose(enabled, last);
      const moves = this.#moves[actor] ?? [];
      const move = moves[moves.length === 1 ? 0 : this.#prng.below(moves.length)] as Move;
      this.transitions++;
      this.#totals[actor] = (this.#totals[actor] as number) + 1;
      this.actorsOf.push(actor);
      this.names.push(move.name);
      if (move.failure !== null) return { outcome: move.failure.signature, failed: true };
      state = move.to;
      last = actor;
    }
    return { outcome: UNFINISHED, failed: false };
  }
}

/**
 * Runs `limits.budget` schedules.
 * @param system one that does not exchange actors
 */
export function* sample(system: TransitionSystem, sampler: Sampler, seed: number, limits: Limits): Search {
  const runner = new Runner(system, sampler, seed);
  const outcomes = new Map<string, number>();
  const witnesses = new Map<string, Witness>();
  let stoppedBy: StopReason | null = 'budget';
  while (runner.runs < limits.budget) {
    const { outcome, failed } = runner.run();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (failed && !witnesses.has(outcome)) {
      const schedule = runner.actorsOf.map((actor, i) => ({ actor, name: runner.names[i] ?? '' }));
      const found = replay(system, schedule);
      const failure = found.failure ?? system.stuck(found.state);
      if (failure !== undefined) {
        const witness = { failure, steps: found.steps, switches: found.switches, isMinimal: false };
        witnesses.set(outcome, shrink(system, witness));
      }
    }
    if (runner.runs % POLL_EVERY !== 0) continue;
    const reason = yield {
      states: 0,
      transitions: runner.transitions,
      schedules: runner.runs,
      frontier: limits.budget - runner.runs,
      layer: -1,
      failures: witnesses.size,
      estimate: null,
    };
    if (reason !== null) {
      stoppedBy = reason;
      break;
    }
  }
  return {
    verdict: witnesses.size > 0 ? 'fails' : 'incomplete',
    complete: false,
    strategy: sampler.name,
    stoppedBy,
    states: 0,
    transitions: runner.transitions,
    schedules: runner.runs,
    outcomes,
    witnesses: [...witnesses.values()].sort(compareWitnesses),
    switchesCovered: -1,
    estimate: estimate(system, seed),
  };
}
