// SPDX-License-Identifier: MIT
//
// The searches on the abstract model, against sizes that were computed independently of both (races.md 4.2), and the
// real scenario against the abstract model.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  NumberedSystem,
  RACE_MEMORY_BYTES,
  scenarioNamed,
} from '../../src/race/index.ts';
import { AbstractPatch } from './abstract-model.ts';
import type { AbstractFetch } from './abstract-model.ts';

/** Threads, fetch, bytes in the first line, states, transitions. */
const SIZES: readonly (readonly [number, AbstractFetch, number, number, number])[] = [
  [1, 'coherent', 7, 64, 99],
  [2, 'coherent', 7, 658, 1475],
  [3, 'coherent', 7, 7318, 21_600],
  [2, 'torn-asc', 7, 2301, 5615],
  [2, 'torn-asc', 6, 3260, 8311],
  [2, 'torn-any', 1, 3925, 9774],
  [2, 'stale', 7, 1910, 5984],
  [1, 'stale', 1, 154, 329],
  [2, 'stale', 1, 4596, 16_631],
  [1, 'stale', 4, 420, 1030],
  [2, 'stale', 4, 22_760, 90_817],
  [1, 'stale', 6, 235, 598],
  [2, 'stale', 6, 7673, 32_359],
];

describe('the abstract model', () => {
  it.each(SIZES)(
    '%i threads, %s, %i bytes in the first line: %i states, %i transitions',
    (threads, fetch, k, states, transitions) => {
      const system = new NumberedSystem(new AbstractPatch(threads, fetch, k, true));
      expect(explore(system, { budget: 1_000_000 })).toMatchObject({ complete: true, states, transitions });
    },
  );

  it('has as many interleavings as were counted', () => {
    for (const [threads, expected] of [
      [1, 333],
      [2, 10_596_144],
    ] as const) {
      const system = new NumberedSystem(new AbstractPatch(threads));
      const paths = new Map<number, number>();
      const count = (state: number): number => {
        let known = paths.get(state);
        if (known === undefined) {
          const next = system.actors.flatMap((_, actor) => system.moves(state, actor));
          known = next.length === 0 ? 1 : next.reduce((sum, move) => sum + count(move.to), 0);
          paths.set(state, known);
        }
        return known;
      };
      expect(count(system.initial)).toBe(expected);
    }
  });

  it('is explored without states in at most as many runs as sleep sets alone need', () => {
    for (const [threads, traces] of [
      [1, 32],
      [2, 1024],
    ] as const) {
      const result = explore(new NumberedSystem(new AbstractPatch(threads)), { strategy: 'dpor', budget: 100_000 });
      expect(result).toMatchObject({ verdict: 'holds', complete: true });
      expect(result.schedules).toBeLessThanOrEqual(traces);
    }
  });
});

describe('the real scenario', () => {
  const CELLS = [1, 2, 3, 4, 5, 6, 7].flatMap((k) =>
    (['coherent', 'torn-asc', 'torn-any', 'stale'] as const).map((fetch) => [k, fetch] as const),
  );

  it.each(CELLS)('with %i bytes in the first line and %s fetch agrees with the abstract model', (k, fetch) => {
    const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
    try {
      const model = { ...COHERENT, ...fetchNamed(fetch) };
      const world = scenarioNamed('patch-vs-exec').build(
        { ...DEFAULT_PARAMETERS, model, offset: (64 - k) % 64 },
        { cpu },
      );
      const real = explore(world, { budget: 1_000_000 });
      const abstract = explore(new NumberedSystem(new AbstractPatch(1, fetch, k)), { budget: 1_000_000 });
      expect(real.verdict).toBe(abstract.verdict);
      expect(real.witnesses.length).toBe(abstract.witnesses.length);
      const shortest = (r: typeof real): unknown => r.witnesses.map((w) => [w.switches, w.steps.length]);
      expect(shortest(real)).toEqual(shortest(abstract));
    } finally {
      cpu.dispose();
    }
  });
});
