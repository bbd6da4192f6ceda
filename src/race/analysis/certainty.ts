// SPDX-License-Identifier: MIT
//
// How likely a run is to fail from each step of a schedule on: the share of its continuations that fail, exact by
// counting paths in the graph of states.

import type { TransitionSystem, WitnessStep } from '../search/system.ts';

/** States that are looked at, at most: beyond, nothing is said. */
const MOST_STATES = 100_000;
const LONGEST_PATH = 2_000;

interface Paths {
  readonly all: number;
  readonly failing: number;
}

class TooLarge extends Error {}

/** Counts paths; gives up where the graph is large or has a cycle. */
class PathCounter {
  readonly #system: TransitionSystem;
  readonly #known = new Map<number, Paths | null>();

  constructor(system: TransitionSystem) {
    this.#system = system;
  }

  from(state: number, depth = 0): Paths {
    const known = this.#known.get(state);
    if (known !== undefined && known !== null) return known;
    if (known === null || depth > LONGEST_PATH || this.#known.size > MOST_STATES) throw new TooLarge();
    this.#known.set(state, null);
    let all = 0;
    let failing = 0;
    for (let actor = 0; actor < this.#system.actors.length; actor++) {
      for (const move of this.#system.moves(state, actor)) {
        const paths = move.failure === null ? this.from(move.to, depth + 1) : { all: 1, failing: 1 };
        all += paths.all;
        failing += paths.failing;
      }
    }
    const paths = all > 0 ? { all, failing } : { all: 1, failing: this.#system.stuck(state) === undefined ? 0 : 1 };
    this.#known.set(state, paths);
    return paths;
  }
}

/**
 * Shares of failing continuations, 0 to 1: before the first step, then after each.
 * @param system one that does not exchange actors
 * @returns null where the graph is too large to count, or has cycles
 */
export function failingShares(system: TransitionSystem, steps: readonly WitnessStep[]): number[] | null {
  const counter = new PathCounter(system);
  try {
    return [system.initial, ...steps.map((step) => step.state)].map((state) => {
      if (state < 0) return 1;
      const { all, failing } = counter.from(state);
      return failing / all;
    });
  } catch (error) {
    if (error instanceof TooLarge) return null;
    throw error;
  }
}

/** Number, from 1, of the first step after which every continuation fails; 0 when that is so from the start. */
export function firstCertainStep(shares: readonly number[]): number {
  return shares.findIndex((share) => share === 1);
}
