// SPDX-License-Identifier: MIT
//
// Estimates of what a run's calls would cost on real hardware, in ways of serving them that this emulation does not
// have: counts of the run times figures of others (cost-figures.ts). Ranges, because the figures are.

import { COST_BASES, type CostBasis, type CostEvent } from './cost-figures.ts';

/** What a run counted. */
export interface CostCounts {
  readonly trapped: number;
  readonly patchedCalls: number;
  readonly restarted: number;
  readonly faults: number;
}

/** Nanoseconds, rounded: at least, at most. */
export type CostRange = readonly [low: number, high: number];

/** The run's calls and faults by one set of figures. */
export interface CostEstimate {
  readonly basis: CostBasis['name'];
  readonly source: string;
  /** All calls by Linux itself; faults are not counted. */
  readonly native: CostRange;
  /** All calls, and all faults, by one stop of a tracer each. */
  readonly ptrace: CostRange;
  /** All calls trapped by a seccomp filter. */
  readonly seccomp: CostRange;
  /** All calls trapped by syscall user dispatch. */
  readonly userDispatch: CostRange;
  /** As this run went: what it trapped by seccomp, what it patched through slots, and restarts. */
  readonly asRun: CostRange;
}

export interface CostEstimates {
  readonly unit: 'ns';
  readonly note: string;
  readonly bases: readonly CostEstimate[];
}

const NOTE =
  'estimates: counts of this run times figures measured elsewhere; what the calls themselves do is not in them';

/**
 * Writing a patch costs nothing here: no source has a figure, and the call that leads to it is among those trapped. Nor
 * do faults that only bring in a page.
 * @param counts of a run; integers from 0
 */
export function estimateCosts(counts: CostCounts): CostEstimates {
  return { unit: 'ns', note: NOTE, bases: COST_BASES.map((basis) => estimate(basis, counts)) };
}

function estimate(basis: CostBasis, { trapped, patchedCalls, restarted, faults }: CostCounts): CostEstimate {
  const calls = trapped + patchedCalls;
  const sum = (...parts: readonly (readonly [count: number, event: CostEvent])[]): CostRange => {
    const of = (end: 'low' | 'high'): number =>
      Math.round(parts.reduce((total, [count, event]) => total + count * basis.figures[event][end], 0));
    return [of('low'), of('high')];
  };
  return {
    basis: basis.name,
    source: basis.source,
    native: sum([calls, 'native']),
    ptrace: sum([calls, 'ptrace'], [faults, 'ptrace']),
    seccomp: sum([calls, 'seccomp'], [faults, 'fault']),
    userDispatch: sum([calls, 'userDispatch'], [faults, 'fault']),
    asRun: sum([trapped, 'seccomp'], [patchedCalls, 'patched'], [restarted, 'restart'], [faults, 'fault']),
  };
}
