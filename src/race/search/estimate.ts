// SPDX-License-Identifier: MIT
//
// How much there is to explore, from random runs, before a long search begins.

import { Prng } from '../../base/prng.ts';
import type { Estimate, Move, TransitionSystem } from './system.ts';

const LONGEST = 2000;

/**
 * States by how many of them the runs met once and twice (Chao 1984: a lower bound), interleavings by the product of the
 * choices along each run (Knuth 1975).
 * @param runs random runs to make
 */
export function estimate(system: TransitionSystem, seed = 1, runs = 200): Estimate {
  const prng = new Prng(seed);
  const seen = new Map<number, number>();
  let interleavings = 0;
  for (let run = 0; run < runs; run++) {
    const met = new Set<number>();
    let state = system.initial;
    let product = 1;
    for (let step = 0; step < LONGEST; step++) {
      met.add(state);
      const moves: Move[] = system.actors.flatMap((_, actor) => system.moves(state, actor));
      if (moves.length === 0) break;
      product *= moves.length;
      const move = moves[prng.below(moves.length)] as Move;
      if (move.failure !== null) break;
      state = move.to;
    }
    interleavings += product / runs;
    for (const id of met) seen.set(id, (seen.get(id) ?? 0) + 1);
  }
  let once = 0;
  let twice = 0;
  for (const count of seen.values()) {
    if (count === 1) once++;
    if (count === 2) twice++;
  }
  const unseen = twice > 0 ? (once * once) / (2 * twice) : (once * (once - 1)) / 2;
  return { states: Math.round(seen.size + unseen), interleavings: Math.round(interleavings) };
}
