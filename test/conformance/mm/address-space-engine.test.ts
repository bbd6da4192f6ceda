// SPDX-License-Identifier: MIT
//
// The random sequences of test/mm/model.ts with the engine's own page walks, TLB and translated code.

import { describe, it } from 'vitest';
import { checkAgainstModel } from '../../mm/model.ts';
import { EngineMachine } from './engine-machine.ts';

/** More runs or another seed: `TRAPLINE_RUNS=2000 TRAPLINE_SEED=7 npx vitest run test/conformance/mm`. */
const RUNS = Number(process.env['TRAPLINE_RUNS'] ?? 100);
const SEED = Number(process.env['TRAPLINE_SEED'] ?? 20261123);

describe('AddressSpace on the engine', () => {
  it('executes and reads the newest bytes whatever is mapped, moved, forked, copied or cut', () => {
    checkAgainstModel(() => new EngineMachine(), RUNS, SEED);
  });
});
