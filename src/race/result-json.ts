// SPDX-License-Identifier: MIT
//
// A result as one JSON object, for `--json` and for pages that open it: the schema, version 1. Bytes are hex digits,
// addresses "0x…", shares numbers from 0 to 1.

import { hex } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import { firstCertainStep } from './analysis/certainty.ts';
import type { Coverage } from './analysis/coverage.ts';
import type { Remedy } from './analysis/remedies.ts';
import type { RaceResult, ResultFailure } from './result.ts';
import { compactToken, formatToken } from './token.ts';
import { describeModel, fetchName } from './world/model.ts';
import type { Model } from './world/model.ts';

/** A step of a failure's schedule. */
export interface StepJson {
  readonly actor: string;
  readonly name: string;
  readonly text: string;
  /** The site's bytes after it. */
  readonly site: string;
  /** What the failing actor's processor holds of each granule after it. */
  readonly holds: readonly (string | null)[];
  readonly fails: boolean;
  /** Share of the interleavings that fail from here on; null where they were not counted. */
  readonly failingShare: number | null;
}

export interface FailureJson {
  readonly signature: string;
  readonly text: string;
  readonly explanation: string | null;
  readonly switches: number;
  readonly isMinimal: boolean;
  readonly steps: readonly StepJson[];
  /** Share of all interleavings that fail; null where they were not counted. */
  readonly failingShare: number | null;
  /** Number, from 1, of the first step after which failure is certain; 0: from the start; null: not counted. */
  readonly certainAfterStep: number | null;
  /** Numbers, from 1, of the two neighbouring steps whose exchange makes it pass. */
  readonly flip: readonly [number, number] | null;
  readonly token: string;
  readonly compactToken: string;
}

/** What `trapline race --json` writes. */
export interface RaceJson {
  readonly schema: 'trapline-race';
  readonly version: 1;
  readonly scenario: string;
  readonly promise: string;
  readonly actors: readonly string[];
  readonly patch: 'upstream' | 'hardened';
  readonly protocol: string;
  readonly model: Model & { readonly name: string; readonly words: string };
  readonly placement: {
    readonly site: string;
    readonly offset: number;
    readonly atPageEnd: boolean;
    readonly startAt: number;
    readonly sysno: number;
    readonly table: string;
    readonly threads: number;
    readonly bytes: string;
    readonly granules: readonly { readonly address: string; readonly length: number }[];
  };
  readonly verdict: RaceResult['verdict'];
  readonly complete: boolean;
  readonly stoppedBy: RaceResult['stoppedBy'];
  readonly switchesCovered: number;
  readonly stats: RaceResult['stats'];
  readonly outcomes: readonly { readonly outcome: string; readonly count: number }[];
  readonly coverage: Coverage | null;
  readonly passesWith: readonly Remedy[] | null;
  readonly failures: readonly FailureJson[];
}

function failureJson(failure: ResultFailure): FailureJson {
  const { shares, flipAt } = failure;
  return {
    signature: failure.signature,
    text: failure.text,
    explanation: failure.explanation,
    switches: failure.switches,
    isMinimal: failure.isMinimal,
    steps: failure.steps.map((step, i) => ({
      actor: step.actor,
      name: step.name,
      text: step.text,
      site: toHex(step.site),
      holds: step.holds.map((bytes) => (bytes === null ? null : toHex(bytes))),
      fails: step.fails,
      failingShare: shares?.[i + 1] ?? null,
    })),
    failingShare: shares?.[0] ?? null,
    certainAfterStep: shares === null ? null : firstCertainStep(shares),
    flip: flipAt === null ? null : [flipAt, flipAt + 1],
    token: formatToken(failure.token),
    compactToken: compactToken(failure.token),
  };
}

/** The result as {@link RaceJson}. */
export function raceJson(result: RaceResult): RaceJson {
  const { scenario, parameters: p } = result;
  return {
    schema: 'trapline-race',
    version: 1,
    scenario: scenario.name,
    promise: scenario.promise,
    actors: result.actors,
    patch: p.patch,
    protocol: p.protocol.text,
    model: { ...p.model, name: fetchName(p.model), words: describeModel(p.model) },
    placement: {
      site: hex(scenario.site(p)),
      offset: p.offset,
      atPageEnd: p.atPageEnd,
      startAt: p.startAt,
      sysno: p.sysno,
      table: hex(p.table),
      threads: p.threads,
      bytes: toHex(result.initialSite),
      granules: result.granules.map(({ address, length }) => ({ address: hex(address), length })),
    },
    verdict: result.verdict,
    complete: result.complete,
    stoppedBy: result.stoppedBy,
    switchesCovered: result.switchesCovered,
    stats: result.stats,
    outcomes: [...result.outcomes].map(([outcome, count]) => ({ outcome, count })),
    coverage: result.coverage,
    passesWith: result.passesWith,
    failures: result.failures.map(failureJson),
  };
}
