// SPDX-License-Identifier: MIT
//
// Every scenario by two searches that share no idea: states kept against runs without states. That finds steps whose
// footprint is not what they read and write.

import { expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  RACE_MEMORY_BYTES,
  SCENARIOS,
} from '../../src/race/index.ts';

const RUNS = 4000;

it.each(SCENARIOS.map((s) => s.name))('%s: what one search reaches, the other does', (name) => {
  const scenario = SCENARIOS.find((s) => s.name === name);
  for (const patch of ['upstream', 'hardened'] as const) {
    for (const fetch of ['coherent', 'stale']) {
      const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
      try {
        const parameters = { ...DEFAULT_PARAMETERS, patch, model: { ...COHERENT, ...fetchNamed(fetch) } };
        const world = scenario?.build(parameters, { cpu });
        if (world === undefined) throw new Error(`no scenario ${name}`);
        const kept = explore(world, { budget: 200_000 });
        const stateless = explore(world, { strategy: 'dpor', budget: RUNS });
        expect(kept.complete).toBe(true);
        const ends = [...kept.outcomes.keys()].sort();
        if (stateless.complete) expect([...stateless.outcomes.keys()].sort()).toEqual(ends);
        else for (const end of stateless.outcomes.keys()) expect(ends).toContain(end);
      } finally {
        cpu.dispose();
      }
    }
  }
});
