// SPDX-License-Identifier: MIT
//
// The two complete searches against trying every single interleaving, over orders, fetches and placements, wherever
// there are few enough of them: 20,000, or as many as RACE_BRUTE_FORCE says (1,000,000 takes minutes).

import { expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  parseProtocol,
  RACE_MEMORY_BYTES,
  scenarioNamed,
} from '../../src/race/index.ts';
import type { TransitionSystem } from '../../src/race/index.ts';

const MOST = Number(process.env['RACE_BRUTE_FORCE'] ?? 20_000);
const ORDERS = ['abc', 'acb', 'bac', 'bca', 'cab', 'cba', 'bc', 'one-shot', 'one-store', 'abc:sync=ab', 'abc:nolock'];
const FETCHES = ['coherent', 'torn-asc', 'torn-any', 'stale-window=1', 'stale'];
const OFFSETS = [0, 58, 61, 63];

/** Interleavings, counted over states: the number of ways through. */
function countInterleavings(system: TransitionSystem): number {
  const known = new Map<number, number>();
  const count = (state: number): number => {
    let ways = known.get(state);
    if (ways !== undefined) return ways;
    const next = system.actors.flatMap((_, actor) => system.moves(state, actor));
    ways = next.length === 0 ? 1 : next.reduce((sum, m) => sum + (m.failure === null ? count(m.to) : 1), 0);
    known.set(state, ways);
    return ways;
  };
  return count(system.initial);
}

/** Every interleaving, one after the other: how often each end is reached. */
function tryAll(system: TransitionSystem): Map<string, number> {
  const ends = new Map<string, number>();
  const end = (name: string): void => {
    ends.set(name, (ends.get(name) ?? 0) + 1);
  };
  const walk = (state: number): void => {
    let moved = false;
    for (let actor = 0; actor < system.actors.length; actor++) {
      for (const move of system.moves(state, actor)) {
        moved = true;
        if (move.failure === null) walk(move.to);
        else end(move.failure.signature);
      }
    }
    if (!moved) end(system.stuck(state)?.signature ?? system.outcome(state));
  };
  walk(system.initial);
  return ends;
}

it.each(ORDERS.flatMap((order) => (['upstream', 'hardened'] as const).map((patch) => [order, patch] as const)))(
  'order %s, %s: both searches reach the ends that all interleavings reach, and no others',
  (order, patch) => {
    let tried = 0;
    for (const fetch of FETCHES) {
      for (const offset of OFFSETS) {
        const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
        try {
          const model = { ...COHERENT, ...fetchNamed(fetch) };
          const parameters = { ...DEFAULT_PARAMETERS, patch, offset, model, protocol: parseProtocol(order) };
          const world = scenarioNamed('patch-vs-exec').build(parameters, { cpu, recheckEvery: 100 });
          const interleavings = countInterleavings(world.plain);
          if (interleavings > MOST) continue;
          tried++;
          const ends = tryAll(world.plain);
          expect([...ends.values()].reduce((sum, n) => sum + n, 0)).toBe(interleavings);
          for (const strategy of ['exhaustive', 'dpor']) {
            const result = explore(world, { strategy, budget: 2_000_000 });
            expect(result.complete).toBe(true);
            expect([...result.outcomes.keys()].sort()).toEqual([...ends.keys()].sort());
          }
        } finally {
          cpu.dispose();
        }
      }
    }
    expect(tried).toBeGreaterThan(0);
  },
);
