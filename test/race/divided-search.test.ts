// SPDX-License-Identifier: MIT
//
// A search that is divided finds what one process finds, however many partitions there are: on scenarios, and on systems
// made at random, which have circles, deadlocks and states from which no run ends.

import { describe, expect, it } from 'vitest';

import { Prng } from '../../src/base/prng.ts';
import type { Cpu } from '../../src/cpu/cpu.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { ALL_SCENARIOS } from '../../src/race/command.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  RACE_MEMORY_BYTES,
  scenarioNamed,
  startRaceCommand,
} from '../../src/race/index.ts';
import type { Exploration, Failure, RaceCommandResult } from '../../src/race/index.ts';
import { DividedSearch } from '../../src/race/search/divided-search.ts';
import type { DividedFindings, Division, WorkerLink } from '../../src/race/search/divided-search.ts';
import { Exchange } from '../../src/race/search/exchange.ts';
import { Partition } from '../../src/race/search/partition.ts';
import type { PartitionPlan } from '../../src/race/search/partition.ts';
import { EVERYTHING } from '../../src/race/search/system.ts';
import type { Move } from '../../src/race/search/system.ts';
import type { TupleStep, TupleSystem } from '../../src/race/search/tuple-system.ts';
import { TupleTable } from '../../src/race/search/tuple-table.ts';

/** A partition that is as far away as another process: messages are copied, and it runs when it is asked. */
class Neighbour implements WorkerLink {
  trouble: string | null = null;
  readonly #partition: Partition;
  readonly #said: Int32Array[] = [];
  /** Looks at it before it is gone. */
  #left: number;

  constructor(plan: PartitionPlan, lives = Number.POSITIVE_INFINITY) {
    this.#left = lives;
    this.#partition = new Partition(structuredClone(plan), (message) => this.#said.push(message));
  }

  send(message: Int32Array): void {
    this.#partition.receive(message.slice());
  }

  take(): Int32Array[] {
    if (--this.#left < 0) this.trouble = 'worker process 1 ended by SIGKILL';
    this.#partition.run(100);
    return this.#said.splice(0);
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

function startNeighbours(plans: readonly PartitionPlan[]): readonly WorkerLink[] {
  return plans.map((plan) => new Neighbour(plan));
}

function divided(system: TupleSystem, partitions: number, budget = 1_000_000): DividedFindings {
  const search = new DividedSearch(system, budget, { partitions, start: startNeighbours }, null).run();
  let at = search.next();
  while (at.done !== true) at = search.next(null);
  return at.value;
}

/** What a search without partitions says of the same. */
function inOne(system: TupleSystem): Exploration {
  return explore(system, { budget: 1_000_000 });
}

function expectSame(findings: DividedFindings, { states, transitions, outcomes, witnesses }: Exploration): void {
  const hasLivelock = witnesses.some((w) => w.failure.signature === 'livelock');
  const ends = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0);
  expect(findings).toMatchObject({ states, transitions, hasLivelock, stoppedBy: null });
  expect(ends(findings.outcomes)).toBe(ends(outcomes));
  const failures = witnesses.filter((w) => w.failure.signature !== 'livelock');
  expect(findings.failures).toEqual(new Map(failures.map((w) => [w.failure.signature, w.switches])));
}

describe('scenarios', () => {
  const cells = ALL_SCENARIOS.flatMap((name) => ['upstream', 'hardened'].map((patch) => [name, patch] as const));
  it.each(cells)('%s, %s: each number of partitions finds the same', (name, patch) => {
    const model = { ...COHERENT, ...fetchNamed('stale') };
    const build = (use: (world: ReturnType<ReturnType<typeof scenarioNamed>['build']>) => void): void => {
      const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
      try {
        const mode = patch === 'hardened' ? 'hardened' : 'upstream';
        use(scenarioNamed(name).build({ ...DEFAULT_PARAMETERS, patch: mode, model, offset: 60 }, { cpu }));
      } finally {
        cpu.dispose();
      }
    };
    const found: DividedFindings[] = [];
    for (const partitions of [1, 3]) build((world) => found.push(divided(world, partitions)));
    build((world) => expectSame(found[0] as DividedFindings, inOne(world)));
    expect(found[1]).toEqual(found[0]);
  });
});

/** A system whose steps are drawn: two equal actors and another one, a few parts each. */
class Drawn implements TupleSystem {
  readonly actors = ['A', 'A', 'B'];
  readonly isSeparable = true;
  readonly exchange = new Exchange([
    [0, 1],
    [0, 1],
    [2, 2],
  ]);
  readonly first = Int32Array.of(0, 0, 0, 1);
  readonly initial: number;
  readonly #table = new TupleTable(4);
  readonly #rows: readonly (readonly TupleStep[])[];
  readonly #after: readonly number[];
  readonly #parts: number;
  readonly #shareds: number;

  constructor(seed: number) {
    const prng = new Prng(seed);
    this.#parts = 2 + prng.below(6);
    this.#shareds = 1 + prng.below(4);
    const step = (): TupleStep => ({
      part: prng.below(this.#parts),
      shared: prng.below(this.#shareds),
      events: prng.below(8) === 0 ? [prng.below(2)] : null,
      failure: prng.below(12) === 0 ? { signature: `fails ${prng.below(3)}`, text: '' } : null,
    });
    this.#rows = Array.from({ length: this.#parts * this.#shareds }, () =>
      Array.from({ length: Math.max(0, prng.below(5) - 2) }, step),
    );
    this.#after = Array.from({ length: 2 * this.#parts }, () => prng.below(this.#parts));
    this.initial = this.#table.add(this.first);
  }

  steps(part: number, shared: number): readonly TupleStep[] {
    return this.#rows[part * this.#shareds + shared] ?? [];
  }

  after(event: number, part: number): number {
    return this.#after[event * this.#parts + part] ?? 0;
  }

  end(tuple: Int32Array): number {
    return this.#table.add(tuple);
  }

  moves(state: number, actor: number): readonly Move[] {
    return this.steps(this.#table.part(state, actor + 1), this.#table.part(state, 0)).map((step, i) => {
      const tuple = new Int32Array(4);
      this.#table.read(state, tuple);
      tuple[0] = step.shared;
      tuple[actor + 1] = step.part;
      for (const event of step.events ?? [])
        for (let a = 0; a < 3; a++) if (a !== actor) tuple[a + 1] = this.after(event, tuple[a + 1] ?? 0);
      const now = this.exchange.sort(tuple, actor, step.events !== null);
      const { failure } = step;
      const to = failure === null ? this.#table.add(tuple) : -1;
      return { name: String(i), to, actor: now, failure, footprint: EVERYTHING };
    });
  }

  describe(): string {
    return '';
  }

  stuck(state: number): Failure | undefined {
    const isWrong = this.#table.part(state, 0) === 1;
    return isWrong ? { signature: 'deadlock', text: '' } : undefined;
  }

  outcome(state: number): string {
    return `shared ${this.#table.part(state, 0)}`;
  }
}

describe('systems made at random', () => {
  it('are the same for each number of partitions, with and without states from which no run ends', () => {
    const seen = { livelock: 0, failing: 0, holding: 0 };
    for (let seed = 0; seed < 200; seed++) {
      const one = inOne(new Drawn(seed));
      for (const partitions of [1, 2, 5]) {
        const findings = divided(new Drawn(seed), partitions);
        expectSame(findings, one);
        expect(findings.outcomes).toEqual(new Map([...one.outcomes].sort(([a], [b]) => (a < b ? -1 : 1))));
      }
      if (one.witnesses.some((w) => w.failure.signature === 'livelock')) seen.livelock++;
      else if (one.verdict === 'fails') seen.failing++;
      else if (one.states > 5) seen.holding++;
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(5);
  });
});

describe('the command', () => {
  type Options = Partial<Parameters<typeof startRaceCommand>[0]>;
  const LARGE: Options = { threads: 3, model: 'stale', offset: 58 };

  function run(options: Options): RaceCommandResult {
    const startWorkers = startNeighbours;
    const race = startRaceCommand({ scenario: 'patch-vs-exec', makeCpu: openUnicorn, startWorkers, ...options });
    let at = race.next();
    while (at.done !== true) at = race.next(null);
    return at.value;
  }

  it('says the same of a large model that fails, byte for byte, with any number of workers', () => {
    const [one, ...others] = [1, 2, 3].map((workers) => run({ ...LARGE, workers }));
    expect(one?.json.stats.states).toBe(388_056);
    for (const { text, json } of others) {
      expect(text).toBe(one?.text);
      expect(JSON.stringify(json)).toBe(JSON.stringify(one?.json));
    }
  });

  it('shares nothing but exhaustive searches', () => {
    expect(() => run({ strategy: 'urw', workers: 2 })).toThrow('--workers is for --strategy exhaustive, not urw');
    expect(() => run({ workers: 0 })).toThrow('--workers must be a whole number from 1 to 64');
  });
});

describe('a search that is divided on its way', () => {
  const HOLDS = { ...DEFAULT_PARAMETERS, patch: 'hardened', threads: 3, offset: 58 } as const;
  const FAILS = { ...HOLDS, patch: 'upstream', offset: 63 } as const;

  function search(
    parameters: typeof HOLDS | typeof FAILS,
    partitions: number,
    changes: Partial<Division & { budget: number; stopAfter: number }> = {},
  ): Exploration {
    const cpus: Cpu[] = [];
    const build = (): ReturnType<ReturnType<typeof scenarioNamed>['build']> => {
      const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
      cpus.push(cpu);
      const model = { ...COHERENT, ...fetchNamed('stale') };
      return scenarioNamed('patch-vs-exec').build({ ...parameters, model }, { cpu });
    };
    const twin = (): ReturnType<Division['twin']> => ({ system: build(), dispose: () => {} });
    const { budget = 1_000_000, stopAfter = Number.POSITIVE_INFINITY, ...rest } = changes;
    const division = { partitions, start: startNeighbours, twin, after: 500, ...rest };
    let polls = 0;
    try {
      return explore(build(), { budget, division, poll: () => (++polls > stopAfter ? 'interrupted' : null) });
    } finally {
      for (const cpu of cpus) cpu.dispose();
    }
  }

  it.each([
    ['holds', HOLDS, 1_000_000],
    ['fails', FAILS, 1_000_000],
    ['holds as far as its budget goes', HOLDS, 20_000],
    ['fails within its budget', FAILS, 20_000],
  ] as const)('comes to the same with any number of partitions: one that %s', (what, parameters, budget) => {
    const one = search(parameters, 1, { budget });
    expect(one.verdict).toBe(budget === 20_000 && what.startsWith('holds') ? 'incomplete' : what.slice(0, 5));
    expect(one.states).toBeLessThanOrEqual(budget);
    for (const partitions of [2, 3]) expect(search(parameters, partitions, { budget })).toEqual(one);
  });

  it('is incomplete, and says why, when a process is gone', () => {
    const start = (plans: readonly PartitionPlan[]): WorkerLink[] => plans.map((plan) => new Neighbour(plan, 20));
    expect(search(HOLDS, 2, { start })).toMatchObject({
      verdict: 'incomplete',
      complete: false,
      stoppedBy: 'lost',
      trouble: 'worker process 1 ended by SIGKILL',
    });
  });

  it('is incomplete when it is interrupted', () => {
    const found = search(HOLDS, 2, { stopAfter: 5 });
    expect(found).toMatchObject({ verdict: 'incomplete', complete: false, stoppedBy: 'interrupted' });
  });
});
