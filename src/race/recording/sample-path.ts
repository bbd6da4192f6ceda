// SPDX-License-Identifier: MIT
//
// A path to look at where nothing fails: the actors take turns step by step, so that it shows as much as one path can of
// how they meet.

import type { TransitionSystem, WitnessStep } from '../search/system.ts';

const LONGEST = 10_000;

/** Steps until nobody can go on, or something fails. @param system one that does not exchange actors */
export function samplePath(system: TransitionSystem): WitnessStep[] {
  const steps: WitnessStep[] = [];
  const count = system.actors.length;
  let state = system.initial;
  let last = -1;
  while (steps.length < LONGEST) {
    const turns = system.actors.map((_, i) => (last + 1 + i) % count);
    const actor = turns.find((a) => system.moves(state, a).length > 0);
    if (actor === undefined) break;
    const moves = system.moves(state, actor);
    // Executing comes after fetching in the list: where both are possible, go on.
    const index = moves.length - 1;
    const move = moves[index];
    if (move === undefined) break;
    const to = move.failure === null ? move.to : -1;
    steps.push({ actor, name: move.name, text: system.describe(state, actor, index), before: state, state: to });
    if (to < 0) break;
    state = to;
    last = actor;
  }
  return steps;
}
