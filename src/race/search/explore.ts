// SPDX-License-Identifier: MIT
//
// One way in to all strategies.

import { TraplineError } from '../../base/errors.ts';
import { exhaustive } from './exhaustive.ts';
import type { Exploration, Limits, TransitionSystem } from './system.ts';

export interface ExploreOptions extends Limits {
  /** Default `exhaustive`. */
  readonly strategy?: string;
  /** For strategies that choose at random. */
  readonly seed?: number;
}

/** Names for `--strategy`. */
export const STRATEGIES: readonly string[] = ['exhaustive'];

/**
 * Explores a system.
 * @throws TraplineError `RACE_STRATEGY` when there is no such strategy
 */
export function explore(system: TransitionSystem, options: ExploreOptions): Exploration {
  const name = options.strategy ?? 'exhaustive';
  if (name === 'exhaustive') return exhaustive(system, options);
  throw new TraplineError('RACE_STRATEGY', `there is no strategy "${name}"; use one of ${STRATEGIES.join(', ')}`);
}
