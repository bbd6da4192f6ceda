// SPDX-License-Identifier: MIT
//
// Random sequences on the small machine of soft-mmu.ts; test/conformance/mm runs the same on the real engine.

import { describe, it } from 'vitest';
import { checkAgainstModel, checkInLittleMemory } from './model.ts';
import { SoftMmu } from './soft-mmu.ts';

/** More runs or another seed: `TRAPLINE_RUNS=20000 TRAPLINE_SEED=7 npx vitest run test/mm`. */
const RUNS = Number(process.env['TRAPLINE_RUNS'] ?? 400);
const SEED = Number(process.env['TRAPLINE_SEED'] ?? 20261123);

describe('AddressSpace', () => {
  it('agrees with a model without frames on random calls, accesses, copies and forks, and gives all frames back', () => {
    checkAgainstModel(() => new SoftMmu(900), RUNS, SEED);
  });

  it('fails in order when memory runs out in the middle of anything', () => {
    checkInLittleMemory(() => new SoftMmu(64), RUNS, SEED);
  });
});
