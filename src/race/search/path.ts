// SPDX-License-Identifier: MIT
//
// Paths as a search knows them, and as people read them.

import type { TransitionSystem, WitnessStep } from './system.ts';

/** A step by numbers: the move `index` of `actor` in `state`. */
export interface PathStep {
  readonly state: number;
  readonly actor: number;
  readonly index: number;
  /** Another actor moved before it. */
  readonly isSwitch: boolean;
}

/**
 * Systems that exchange equal actors number them anew in each state: this gives each step to one and the same actor,
 * and the states as that actor's own numbering has them.
 */
export interface ExchangingSystem extends TransitionSystem {
  unfold(path: readonly PathStep[]): WitnessStep[];
}

function isExchanging(system: TransitionSystem): system is ExchangingSystem {
  return 'unfold' in system;
}

/** Names and texts for a path. */
export function pathSteps(system: TransitionSystem, path: readonly PathStep[]): WitnessStep[] {
  if (isExchanging(system)) return system.unfold(path);
  return path.map(({ state, actor, index }) => {
    const move = system.moves(state, actor)[index];
    return {
      actor,
      name: move?.name ?? '',
      text: system.describe(state, actor, index),
      before: state,
      state: move === undefined || move.failure !== null ? -1 : move.to,
    };
  });
}
