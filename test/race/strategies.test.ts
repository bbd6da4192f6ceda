// SPDX-License-Identifier: MIT
//
// All strategies on the same scenarios: what brute force over every interleaving sees, the searches see, and what a
// sampler finds, they find. Each schedule gives the same states whenever it runs.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { Prng } from '../../src/base/prng.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  parseProtocol,
  RACE_MEMORY_BYTES,
  replay,
  scenarioNamed,
} from '../../src/race/index.ts';
import type { Model, ScenarioParameters, TransitionSystem } from '../../src/race/index.ts';
import { estimate } from '../../src/race/search/estimate.ts';
import { STRATEGIES } from '../../src/race/search/explore.ts';
import type { World } from '../../src/race/world/world.ts';

interface Options extends Partial<Omit<ScenarioParameters, 'model' | 'protocol'>> {
  readonly order?: string;
  readonly fetch?: string;
  readonly model?: Partial<Model>;
  readonly exchanges?: boolean;
}

function withWorld<T>(options: Options, use: (world: World) => T): T {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const model = { ...COHERENT, ...fetchNamed(options.fetch ?? 'coherent'), ...options.model };
    const parameters = { ...DEFAULT_PARAMETERS, ...options, model, protocol: parseProtocol(options.order ?? 'abc') };
    const build = { cpu, recheckEvery: 50, exchangesEqualActors: options.exchanges ?? true };
    return use(scenarioNamed('patch-vs-exec').build(parameters, build));
  } finally {
    cpu.dispose();
  }
}

/** How every single interleaving ends, and how many there are. */
function bruteForce(system: TransitionSystem, bound: number): { ends: Set<string>; interleavings: number } {
  const ends = new Set<string>();
  let interleavings = 0;
  const walk = (state: number): void => {
    let moved = false;
    for (let actor = 0; actor < system.actors.length; actor++) {
      for (const move of system.moves(state, actor)) {
        moved = true;
        if (move.failure === null) walk(move.to);
        else {
          ends.add(move.failure.signature);
          interleavings++;
        }
      }
    }
    if (moved) return;
    interleavings++;
    ends.add(system.stuck(state)?.signature ?? system.outcome(state));
    if (interleavings > bound) throw new Error(`more than ${bound} interleavings`);
  };
  walk(system.initial);
  return { ends, interleavings };
}

const SMALL: readonly Options[] = [
  {},
  { patch: 'hardened' },
  { order: 'acb' },
  { order: 'bac' },
  { order: 'one-shot', offset: 60 },
  { order: 'abc:nolock' },
  { order: 'abc:die=1' },
  { startAt: 5, fetch: 'stale' },
  { fetch: 'torn-asc', offset: 58 },
  { fetch: 'torn-any', offset: 63 },
  { fetch: 'stale-window=1', offset: 0 },
  { fetch: 'stale', offset: 0 },
  { fetch: 'stale', offset: 63, patch: 'hardened' },
];

describe('against brute force', () => {
  it.each(SMALL)('exhaustive and stateless search reach exactly the ends of all interleavings: %o', (options) => {
    withWorld(options, (world) => {
      const { ends, interleavings } = bruteForce(world.plain, 1_000_000);
      const full = explore(world, { budget: 1_000_000 });
      const stateless = explore(world, { strategy: 'dpor', budget: 1_000_000 });
      expect(full.complete && stateless.complete).toBe(true);
      expect(new Set(full.outcomes.keys())).toEqual(ends);
      expect(new Set(stateless.outcomes.keys())).toEqual(ends);
      expect(stateless.schedules).toBeLessThanOrEqual(interleavings);
      expect(full.verdict).toBe(stateless.verdict);
    });
  });

  it('the first witness has the fewest switches of all failing interleavings, then the fewest steps', () => {
    for (const options of [{ order: 'acb' }, { order: 'bac' }, { fetch: 'torn-asc', offset: 58 }]) {
      withWorld(options, (world) => {
        const { plain } = world;
        let best = [99, 99];
        const walk = (state: number, last: number, switches: number, steps: number): void => {
          for (let actor = 0; actor < plain.actors.length; actor++) {
            const cost = switches + (last === actor || last < 0 ? 0 : 1);
            for (const move of plain.moves(state, actor)) {
              if (move.failure === null) walk(move.to, actor, cost, steps + 1);
              else if (cost < (best[0] ?? 0) || (cost === best[0] && steps + 1 < (best[1] ?? 0)))
                best = [cost, steps + 1];
            }
          }
        };
        walk(plain.initial, -1, 0, 0);
        const [witness] = explore(world, { budget: 100_000 }).witnesses;
        expect([witness?.switches, witness?.steps.length]).toEqual(best);
      });
    }
  });
});

describe('two threads', () => {
  it.each([{}, { order: 'acb' }, { fetch: 'torn-asc' }, { patch: 'hardened' as const, offset: 61, fetch: 'stale' }])(
    'exchanging equal threads changes no verdict and no failure: %o',
    (options) => {
      const results = [true, false].map((exchanges) =>
        withWorld({ ...options, threads: 2, exchanges }, (world) => explore(world, { budget: 1_000_000 })),
      );
      const [exchanged, plain] = results;
      expect(exchanged?.complete && plain?.complete).toBe(true);
      expect(exchanged?.verdict).toBe(plain?.verdict);
      const summary = (r: typeof plain): unknown =>
        r?.witnesses.map((w) => [w.failure.signature, w.switches, w.steps.length]).sort();
      expect(summary(exchanged)).toEqual(summary(plain));
      expect(exchanged?.states).toBeLessThan(plain?.states ?? 0);
    },
  );

  it('a witness of exchanged threads replays to its failure with every step by one thread', () => {
    withWorld({ threads: 3, order: 'bac' }, (world) => {
      const result = explore(world, { budget: 1_000_000 });
      expect(result.witnesses.length).toBeGreaterThan(0);
      for (const witness of result.witnesses) {
        const again = replay(world.plain, witness.steps);
        expect(again.failure).toEqual(witness.failure);
        expect(again.switches).toBe(witness.switches);
        expect(again.steps).toEqual(witness.steps);
      }
    });
  });
});

describe('sampling', () => {
  const BUGS: readonly Options[] = [
    { order: 'acb' },
    { order: 'one-shot' },
    { order: 'bc' },
    { order: 'abc:nolock' },
    { fetch: 'torn-asc', offset: 58 },
    { fetch: 'stale', offset: 63 },
    { fetch: 'stale', offset: 59 },
  ];
  const samplers = STRATEGIES.map((s) => s.name).filter((name) => name !== 'exhaustive' && name !== 'dpor');

  it.each(samplers)(
    '%s finds each bug, never one that is not there, and makes its witness as small as can be',
    (strategy) => {
      for (const bug of BUGS) {
        withWorld({ ...bug, threads: 2 }, (world) => {
          const known = explore(world, { budget: 1_000_000 });
          const found = explore(world, { strategy, seed: 7, budget: 3000 });
          expect(found.verdict).toBe('fails');
          expect(found.complete).toBe(false);
          const signatures = new Set(known.witnesses.map((w) => w.failure.signature));
          for (const w of found.witnesses) expect(signatures).toContain(w.failure.signature);
          expect(found.witnesses[0]?.switches).toBe(known.witnesses[0]?.switches);
        });
      }
    },
  );

  it.each(samplers)('%s never says that something holds, and repeats itself by its seed', (strategy) => {
    withWorld({}, (world) => {
      const run = (seed: number): unknown => explore(world, { strategy, seed, budget: 200 });
      expect(run(3)).toMatchObject({ verdict: 'incomplete', complete: false, stoppedBy: 'budget', schedules: 200 });
      expect(run(3)).toEqual(run(3));
      expect(run(3)).not.toEqual(run(4));
    });
  });
});

describe('determinism', () => {
  it('a schedule leads to equal states in a world of its own each time it runs', () => {
    const prng = new Prng(11);
    const options: Options = { threads: 2, fetch: 'stale', offset: 60 };
    withWorld(options, (first) => {
      withWorld(options, (second) => {
        for (let run = 0; run < 40; run++) {
          let a = first.initial;
          let b = second.initial;
          for (;;) {
            const moves = first.actors.flatMap((_, actor) =>
              first.plain.moves(a, actor).map((move, index) => ({ actor, move, index })),
            );
            const picked = moves[moves.length === 0 ? 0 : prng.below(moves.length)];
            if (picked === undefined) break;
            const other = second.plain.moves(b, picked.actor)[picked.index];
            expect(other?.name).toBe(picked.move.name);
            expect(other?.failure).toEqual(picked.move.failure);
            if (picked.move.failure !== null || other === undefined) break;
            a = picked.move.to;
            b = other.to;
            expect(second.key(b)).toBe(first.key(a));
          }
        }
      });
    });
  });
});

describe('limits', () => {
  it('a search that is told to stop is incomplete, whatever the strategy', () => {
    withWorld({ threads: 3, fetch: 'stale', offset: 0 }, (world) => {
      for (const { name: strategy } of STRATEGIES) {
        const result = explore(world, { strategy, budget: 1_000_000, poll: () => 'time' });
        expect(result).toMatchObject({ verdict: 'incomplete', complete: false, stoppedBy: 'time' });
      }
    });
  });

  it('the estimate is of the size that is found', () => {
    withWorld({ threads: 2 }, (world) => {
      const { states, interleavings } = estimate(world);
      const found = explore(world, { budget: 1_000_000 }).states;
      expect(states).toBeGreaterThan(found / 2);
      expect(states).toBeLessThan(found * 2);
      expect(interleavings).toBeGreaterThan(1_000_000);
    });
  });

  it('a strategy that is not known lists those that are', () => {
    withWorld({}, (world) => {
      expect(() => explore(world, { strategy: 'luck', budget: 1 })).toThrow(
        'there is no strategy "luck"; use one of exhaustive',
      );
    });
  });
});
