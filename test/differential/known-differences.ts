// SPDX-License-Identifier: MIT
//
// Where the engine is known to differ from a real processor. Data: each entry has a reason and the narrowest
// predicate that covers it. It is asked about one instruction, run alone from a known state.

import type { Difference } from './compare.ts';
import type { Case, Outcome } from './records.ts';

/** One instruction that came out differently. */
export interface Observation {
  /** iced's Code name. */
  readonly form: string;
  readonly case: Case;
  readonly native: Outcome;
  readonly emulated: Outcome;
  readonly differences: readonly Difference[];
}

export interface KnownDifference {
  readonly id: string;
  readonly reason: string;
  readonly forms: RegExp;
  /** True when this entry accounts for the difference `d` of the observation. */
  explains(d: Difference, o: Observation): boolean;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [];

/** The entries that together account for every difference, or undefined when one is left. */
export function explain(o: Observation): string[] | undefined {
  const ids = new Set<string>();
  for (const d of o.differences) {
    const known = KNOWN_DIFFERENCES.find((k) => k.forms.test(o.form) && k.explains(d, o));
    if (!known) return undefined;
    ids.add(known.id);
  }
  return [...ids];
}
