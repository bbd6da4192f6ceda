// SPDX-License-Identifier: MIT
//
// All scenarios by name.

import { TraplineError } from '../../base/errors.ts';
import { PATCH_VS_EXEC } from './patch-vs-exec.ts';
import type { Scenario } from './scenario.ts';

export const SCENARIOS: readonly Scenario[] = [PATCH_VS_EXEC];

/** @throws TraplineError `RACE_SCENARIO` when there is none of that name */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((s) => s.name === name);
  if (found !== undefined) return found;
  const names = SCENARIOS.map((s) => s.name).join(', ');
  throw new TraplineError('RACE_SCENARIO', `there is no scenario "${name}"; there are ${names} (trapline race --list)`);
}
