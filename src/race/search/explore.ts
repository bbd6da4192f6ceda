// SPDX-License-Identifier: MIT
//
// One way in to all strategies.

import { TraplineError } from '../../base/errors.ts';
import { dpor } from './dpor.ts';
import { exhaustive } from './exhaustive.ts';
import { SAMPLERS } from './samplers.ts';
import { sample } from './sampling.ts';
import type { Exploration, Limits, TransitionSystem } from './system.ts';

export interface ExploreOptions extends Limits {
  /** Default `exhaustive`. */
  readonly strategy?: string;
  /** For strategies that choose at random; default 1. */
  readonly seed?: number;
}

/** Names for `--strategy`. */
export const STRATEGIES: readonly string[] = ['exhaustive', 'dpor', ...SAMPLERS.map((s) => s.name)];

/** A system that can show itself with every actor by its own name. */
function plainOf(system: TransitionSystem & { readonly plain?: TransitionSystem }): TransitionSystem {
  return system.plain ?? system;
}

/**
 * Explores a system.
 * @throws TraplineError `RACE_STRATEGY` when there is no such strategy
 */
export function explore(system: TransitionSystem, options: ExploreOptions): Exploration {
  const name = options.strategy ?? 'exhaustive';
  if (name === 'exhaustive') return exhaustive(system, options);
  if (name === 'dpor') return dpor(plainOf(system), options);
  const sampler = SAMPLERS.find((s) => s.name === name);
  if (sampler !== undefined) return sample(plainOf(system), sampler, options.seed ?? 1, options);
  throw new TraplineError('RACE_STRATEGY', `there is no strategy "${name}"; use one of ${STRATEGIES.join(', ')}`);
}
