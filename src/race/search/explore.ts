// SPDX-License-Identifier: MIT
//
// One way in to all strategies.

import { TraplineError } from '../../base/errors.ts';
import type { Division } from './divided-search.ts';
import { dpor } from './dpor.ts';
import { exhaustive } from './exhaustive.ts';
import { SAMPLERS } from './samplers.ts';
import { sample } from './sampling.ts';
import type { Exploration, Limits, Progress, Search, StopReason, TransitionSystem } from './system.ts';

export interface SearchOptions extends Limits {
  /** Default `exhaustive`. */
  readonly strategy?: string;
  /** For strategies that choose at random; default 1. */
  readonly seed?: number;
  /** For `exhaustive`: how a long search is divided; null where the system cannot be. */
  readonly division?: Division | null;
}

export interface ExploreOptions extends SearchOptions {
  /** Asked every few thousand transitions: a reason to stop, or null. */
  readonly poll?: (progress: Progress) => StopReason | null;
}

/** What `--strategy` takes. */
export const STRATEGIES: readonly { readonly name: string; readonly summary: string }[] = [
  { name: 'exhaustive', summary: 'every state once, fewest context switches first: complete, with minimal witnesses' },
  { name: 'dpor', summary: 'one run of each class of equal runs, keeping no states: complete' },
  ...SAMPLERS,
];

/** A system that can show itself with every actor by its own name. */
function plainOf(system: TransitionSystem & { readonly plain?: TransitionSystem }): TransitionSystem {
  return system.plain ?? system;
}

/**
 * Begins to explore a system.
 * @throws TraplineError `RACE_STRATEGY` when there is no such strategy
 */
export function startSearch(system: TransitionSystem, options: SearchOptions): Search {
  const name = options.strategy ?? 'exhaustive';
  if (name === 'exhaustive') return exhaustive(system, options, options.division ?? null);
  if (name === 'dpor') return dpor(plainOf(system), options);
  const sampler = SAMPLERS.find((s) => s.name === name);
  if (sampler !== undefined) return sample(plainOf(system), sampler, options.seed ?? 1, options);
  throw new TraplineError(
    'RACE_STRATEGY',
    `there is no strategy "${name}"; use one of ${STRATEGIES.map((s) => s.name).join(', ')}`,
  );
}

/**
 * Explores a system in one go.
 * @throws TraplineError `RACE_STRATEGY` when there is no such strategy
 */
export function explore(system: TransitionSystem, options: ExploreOptions): Exploration {
  const search = startSearch(system, options);
  let at = search.next();
  while (at.done !== true) at = search.next(options.poll?.(at.value) ?? null);
  return at.value;
}
