// SPDX-License-Identifier: MIT
//
// Matchers for races. They take a scenario, and explore it, or the result of exploring one. An exploration that is not
// complete never passes; messages hold the report and its token, and nothing that changes from run to run.

import { RaceScenario, raceReport } from '../race/index.ts';
import type { ExploreSettings, RaceResult, ReplayResult } from '../race/index.ts';

/** A failure by its signature, a part of it, or kind and bytes: `{ kind: 'illegal-decode', bytes: '0f 00' }`. */
export type FailurePattern = string | RegExp | { readonly kind?: string; readonly bytes?: string };

interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
}

/** What the matchers look like behind `expect(…)`. */
export interface RaceMatchers {
  /** Every interleaving was explored and none fails. */
  toHoldInAllInterleavings(settings?: ExploreSettings): void;
  /** Every interleaving of so many context switches was explored and none fails. */
  toHoldWithin(bound: { readonly switches: number }, settings?: ExploreSettings): void;
  /** It fails, and in this way among others where one is given. */
  toFailWith(failure: FailurePattern, settings?: ExploreSettings): void;
  /** Some interleaving ends so. */
  toReach(outcome: string | RegExp, settings?: ExploreSettings): void;
  /** Every interleaving was explored and none ends so. */
  toNeverReach(outcome: string | RegExp, settings?: ExploreSettings): void;
  /** Every interleaving was explored, whatever came of it. */
  toExploreExhaustively(settings?: ExploreSettings): void;
  /** The scenario holds, and fails with each of these protocols. */
  toKillMutants(protocols: readonly string[], settings?: ExploreSettings): void;
  /** A replayed schedule fails in this way again. */
  toReplayAs(failure: FailurePattern): void;
  /** A result's first failure has so many context switches. */
  toHaveContextSwitches(switches: number): void;
}

declare module 'vitest' {
  interface Matchers<T> extends RaceMatchers {}
}

function explored(received: unknown, settings: ExploreSettings | undefined): RaceResult {
  if (received instanceof RaceScenario) return received.explore(settings);
  const result = received as Partial<RaceResult> | null;
  if (typeof result === 'object' && result?.scenario !== undefined && result.failures !== undefined)
    return result as RaceResult;
  throw new TypeError('expected a race scenario, or the result of exploring one');
}

function matches(text: string, pattern: string | RegExp): boolean {
  return typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);
}

function isFailure(signature: string, pattern: FailurePattern): boolean {
  if (typeof pattern === 'string' || pattern instanceof RegExp) return matches(signature, pattern);
  const { kind, bytes } = pattern;
  return (
    (kind === undefined || signature.startsWith(kind.replaceAll('-', ' '))) &&
    (bytes === undefined || signature.includes(`"${bytes}"`))
  );
}

function patternText(pattern: FailurePattern): string {
  return typeof pattern === 'string' || pattern instanceof RegExp ? String(pattern) : JSON.stringify(pattern);
}

function bound({ complete, switchesCovered, stats }: RaceResult): string {
  if (complete) return 'every interleaving was explored';
  const estimate = stats.estimate === null ? '' : ` of about ${stats.estimate.states}`;
  const seen = stats.schedules > 0 ? `${stats.schedules} schedules` : `${stats.states} states${estimate}`;
  return `no failure within ${Math.max(0, switchesCovered)} context switches, ${seen}: incomplete`;
}

function verdict(pass: boolean, expected: string, result: RaceResult): Verdict {
  return {
    pass,
    message: () => `expected ${pass ? 'not ' : ''}${expected}; ${bound(result)}\n\n${raceReport(result)}`,
  };
}

export const raceMatchers = {
  toHoldInAllInterleavings(received: unknown, settings?: ExploreSettings): Verdict {
    const result = explored(received, settings);
    return verdict(result.verdict === 'holds' && result.complete, 'to hold in all interleavings', result);
  },

  toHoldWithin(received: unknown, { switches }: { readonly switches: number }, settings?: ExploreSettings): Verdict {
    const result = explored(received, settings);
    const failsEarly = result.failures.some((failure) => failure.switches <= switches);
    const covered = result.complete || result.switchesCovered >= switches;
    return verdict(covered && !failsEarly, `to hold within ${switches} context switches`, result);
  },

  toFailWith(received: unknown, failure: FailurePattern, settings?: ExploreSettings): Verdict {
    const result = explored(received, settings);
    const pass = result.failures.some(({ signature }) => isFailure(signature, failure));
    return verdict(pass, `to fail with ${patternText(failure)}`, result);
  },

  toReach(received: unknown, outcome: string | RegExp, settings?: ExploreSettings): Verdict {
    const result = explored(received, settings);
    const pass = [...result.outcomes.keys()].some((name) => matches(name, outcome));
    return verdict(pass, `to reach ${String(outcome)}`, result);
  },

  toNeverReach(received: unknown, outcome: string | RegExp, settings?: ExploreSettings): Verdict {
    const result = explored(received, settings);
    const reached = [...result.outcomes.keys()].some((name) => matches(name, outcome));
    return verdict(result.complete && !reached, `to reach ${String(outcome)} never`, result);
  },

  toExploreExhaustively(received: unknown, settings?: ExploreSettings): Verdict {
    const result = explored(received, settings);
    return verdict(result.complete, 'to be explored exhaustively', result);
  },

  toKillMutants(received: unknown, protocols: readonly string[], settings?: ExploreSettings): Verdict {
    if (!(received instanceof RaceScenario)) throw new TypeError('expected a race scenario');
    const itself = received.explore(settings);
    if (itself.verdict !== 'holds') return verdict(false, 'to hold before it is mutated', itself);
    const alive = protocols.filter((protocol) => received.with({ protocol }).explore(settings).verdict !== 'fails');
    return {
      pass: alive.length === 0,
      message: () =>
        alive.length === 0
          ? `expected some mutant to survive, and ${protocols.join(', ')} were all killed`
          : `expected all mutants to be killed, and ${alive.join(', ')} survived`,
    };
  },

  toReplayAs(received: unknown, failure: FailurePattern): Verdict {
    const { kind, failure: found, text } = received as ReplayResult;
    const pass = kind === 'failed' && found !== null && isFailure(found.signature, failure);
    return { pass, message: () => `expected ${pass ? 'not ' : ''}to replay as ${patternText(failure)}\n\n${text}` };
  },

  toHaveContextSwitches(received: unknown, switches: number): Verdict {
    const result = explored(received, undefined);
    return verdict(result.witness?.switches === switches, `to fail with ${switches} context switches`, result);
  },
};
