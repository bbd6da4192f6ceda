// SPDX-License-Identifier: MIT
//
// A transition system made from one whose states are values with keys: for small models and tests.

import { EVERYTHING } from './system.ts';
import type { Failure, Footprint, Move, TransitionSystem } from './system.ts';

/** One step of an actor. */
export interface KeyedTransition<S> {
  readonly state: S;
  readonly name: string;
  readonly text: string;
  readonly failure?: Failure;
  /** Default: depends on everything. */
  readonly footprint?: Footprint;
}

/** A system whose states are values. */
export interface KeyedSystem<S> {
  readonly actors: readonly string[];
  initial(): S;
  /** Equal for states with equal futures. */
  key(state: S): string;
  steps(state: S, actor: number): readonly KeyedTransition<S>[];
  stuck(state: S): Failure | undefined;
  outcome(state: S): string;
}

/** Gives numbers to the states of a {@link KeyedSystem} as they are met. */
export class NumberedSystem<S> implements TransitionSystem {
  readonly actors: readonly string[];
  readonly initial: number;
  readonly #system: KeyedSystem<S>;
  readonly #numbers = new Map<string, number>();
  readonly #states: S[] = [];

  constructor(system: KeyedSystem<S>) {
    this.#system = system;
    this.actors = system.actors;
    this.initial = this.#number(system.initial());
  }

  state(id: number): S {
    return this.#states[id] as S;
  }

  moves(state: number, actor: number): readonly Move[] {
    return this.#system.steps(this.state(state), actor).map((t) => ({
      name: t.name,
      to: t.failure === undefined ? this.#number(t.state) : -1,
      actor,
      failure: t.failure ?? null,
      footprint: t.footprint ?? EVERYTHING,
    }));
  }

  describe(state: number, actor: number, index: number): string {
    return this.#system.steps(this.state(state), actor)[index]?.text ?? '';
  }

  stuck(state: number): Failure | undefined {
    return this.#system.stuck(this.state(state));
  }

  outcome(state: number): string {
    return this.#system.outcome(this.state(state));
  }

  #number(state: S): number {
    const key = this.#system.key(state);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#states.length;
      this.#numbers.set(key, number);
      this.#states.push(state);
    }
    return number;
  }
}
