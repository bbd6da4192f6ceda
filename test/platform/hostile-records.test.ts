// SPDX-License-Identifier: MIT
//
// A process under attack by one of its tasks. No run makes the host throw or hang, read or write what it must not;
// hardened, no other task, of the same process or another, makes a wrong call. (Upstream, a process that comes later may
// get a spoiled stub thread from the pool: D8.) The search is worth something: it notices each check that is left out.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openChangedSource } from '../mutation/changed-source.ts';
import type { ChangedSource } from '../mutation/changed-source.ts';
import { BOUND_MUTANTS } from './bound-mutants.ts';
import { search } from './hostile-search.ts';
import type * as HostileSearch from './hostile-search.ts';

const RUNS = 1000;
/** Mutants are noticed in runs that nothing is wrong with otherwise, most of them in the first 100. */
const SEED = 11;

describe('a process under attack by one of its tasks', () => {
  it.each([
    { what: 'upstream', mode: 'upstream', seed: SEED },
    { what: 'upstream, preempted anywhere', mode: 'upstream', seed: SEED, stubPreemption: true },
    { what: 'upstream of 2024', mode: 'upstream', seed: SEED, upstream: '2024-07' },
    {
      what: 'upstream of 2023, preempted anywhere',
      mode: 'upstream',
      seed: 6,
      stubPreemption: true,
      upstream: '2023-02',
    },
    { what: 'hardened', mode: 'hardened', seed: SEED },
    { what: 'hardened, other runs', mode: 'hardened', seed: 4 },
  ] as const)('never harms the host; hardened, nor the other tasks ($what)', (options) => {
    expect(search({ ...options, runs: RUNS })).toBeUndefined();
  });
});

describe('without a check', () => {
  let source: ChangedSource;
  beforeAll(async () => {
    source = await openChangedSource();
  });
  afterAll(() => source.close());

  it.each(BOUND_MUTANTS)('the search finds that it is missing: $what', async (mutant) => {
    const changed = (await source.load('test/platform/hostile-search.ts', mutant)) as typeof HostileSearch;
    expect(changed.search({ ...mutant.search, seed: SEED, runs: RUNS })).toBeDefined();
  });
});
