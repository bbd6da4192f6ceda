// SPDX-License-Identifier: MIT
//
// A system whose states are tuples of numbers: what all actors share, then one part an actor. A step depends on its
// actor's part and the shared one alone, so somebody who is told the steps of such pairs explores without the system.

import type { Exchange } from './exchange.ts';
import type { Failure, TransitionSystem } from './system.ts';

/** What a step makes of the parts that it depends on. */
export interface TupleStep {
  readonly part: number;
  readonly shared: number;
  /** Numbers of what it does to the others, in this order; null for nothing. */
  readonly events: readonly number[] | null;
  readonly failure: Failure | null;
}

export interface TupleSystem extends TransitionSystem {
  /** Moves are made of steps alone: no move fails for what its whole state is. */
  readonly isSeparable: boolean;
  /** How equal actors are exchanged; null where they are not. */
  readonly exchange: Exchange | null;
  /** The initial state. */
  readonly first: Int32Array;
  /** The steps of an actor with this part, in the order of its moves. */
  steps(part: number, shared: number): readonly TupleStep[];
  /** What an event of a step makes of another actor's part. */
  after(event: number, part: number): number;
  /** The number of a state in which nobody can move, its equal actors in an order that does not depend on numbers. */
  end(tuple: Int32Array): number;
}
