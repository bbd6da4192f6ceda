// SPDX-License-Identifier: MIT
//
// What a Vitest file imports from trapline/testing: scenarios on the engine of this machine, matchers, and generators
// for fast-check. Importing it registers the matchers.

import { expect } from 'vitest';

import { openUnicorn } from '../cpu/unicorn/index.ts';
import { createRace } from '../race/index.ts';
import { raceMatchers } from './matchers.ts';

export { annotateRace } from './annotate.ts';
export { nearMissSites, placements, schedules } from './arbitraries.ts';
export { raceMatchers } from './matchers.ts';
export type { FailurePattern, RaceMatchers } from './matchers.ts';

expect.extend(raceMatchers);

/** Scenarios on Unicorn; RACE_REPLAY, RACE_SEED and RACE_BUDGET are read when one is explored. */
export const race = createRace({ openCpu: openUnicorn, env: process.env });
