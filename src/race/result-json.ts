// SPDX-License-Identifier: MIT
//
// A result as one JSON object, for `--json` and for pages that open it: the schema, version 1. Bytes are hex digits,
// addresses "0x…", shares numbers from 0 to 1.

import { hex } from '../base/addr.ts';
import { toHex } from '../base/bytes.ts';
import { firstCertainStep } from './analysis/certainty.ts';
import type { Coverage } from './analysis/coverage.ts';
import type { Remedy } from './analysis/remedies.ts';
import type { ChangedSchedule } from './changed-schedule.ts';
import type { ReplayResult } from './replay.ts';
import type { RaceResult, ResultFailure, ResultStep } from './result.ts';
import type { StateView } from './state-view.ts';
import { compactToken, formatToken } from './token.ts';
import { describeModel, fetchName } from './world/model.ts';
import type { Model } from './world/model.ts';

/** An actor of a state. */
export interface ActorJson {
  readonly name: string;
  readonly phase: 'user' | 'kernel' | 'ended';
  /** Number of its address space. */
  readonly space: number;
  /** Registers by name, "0x…". */
  readonly regs: Readonly<Record<string, string>>;
  /** What its processor has fetched of each granule. */
  readonly fetched: readonly (string | null)[];
  /** What the kernel does for it and its next step there; null in user code. */
  readonly work: { readonly kind: string; readonly next: string } | null;
  /** System calls that it made. */
  readonly served: readonly { readonly sysno: number; readonly via: string }[];
}

/** What there is between two steps. */
export interface StateJson {
  readonly site: string;
  readonly lock: { readonly exclusive: string | null; readonly shared: readonly string[] };
  readonly stoppedBy: string | null;
  readonly table: { readonly base: string; readonly next: number };
  /** Filled slots of the trap table. */
  readonly slots: readonly {
    readonly index: number;
    readonly address: string;
    readonly sysno: number;
    readonly returnAddress: string;
  }[];
  readonly actors: readonly ActorJson[];
}

/** A step of a failure's schedule. */
export interface StepJson {
  readonly actor: string;
  readonly name: string;
  readonly text: string;
  /** The site's bytes after it. */
  readonly site: string;
  /** What the failing actor's processor holds of each granule after it. */
  readonly holds: readonly (string | null)[];
  /** Stores to shared memory that it made, in their order. */
  readonly stores: readonly { readonly space: number; readonly address: string; readonly bytes: string }[];
  /** The state after it; the one before it where it fails. */
  readonly after: StateJson;
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
  /** The state before anything runs. */
  readonly initial: StateJson;
  readonly verdict: RaceResult['verdict'];
  readonly complete: boolean;
  readonly stoppedBy: RaceResult['stoppedBy'];
  /** Why, where `stoppedBy` is `lost`. */
  readonly trouble?: string;
  readonly switchesCovered: number;
  readonly stats: RaceResult['stats'];
  readonly outcomes: readonly { readonly outcome: string; readonly count: number }[];
  readonly coverage: Coverage | null;
  readonly passesWith: readonly Remedy[] | null;
  readonly failures: readonly FailureJson[];
}

/** A state as {@link StateJson}. */
export function stateJson({ site, lock, stoppedBy, table, slots, actors }: StateView): StateJson {
  return {
    site: toHex(site),
    lock,
    stoppedBy,
    table: { base: hex(table.base), next: table.next },
    slots: slots.map((slot) => ({ ...slot, address: hex(slot.address), returnAddress: hex(slot.returnAddress) })),
    actors: actors.map(({ regs, fetched, ...actor }) => ({
      ...actor,
      regs: Object.fromEntries(Object.entries(regs).map(([name, value]) => [name, `0x${value.toString(16)}`])),
      fetched: fetched.map((bytes) => (bytes === null ? null : toHex(bytes))),
    })),
  };
}

/** A step as {@link StepJson}. @param failingShare null where that was not counted */
export function stepJson(step: ResultStep, failingShare: number | null): StepJson {
  return {
    actor: step.actor,
    name: step.name,
    text: step.text,
    site: toHex(step.site),
    holds: step.holds.map((bytes) => (bytes === null ? null : toHex(bytes))),
    stores: step.stores.map(({ space, address, bytes }) => ({ space, address: hex(address), bytes: toHex(bytes) })),
    after: stateJson(step.after),
    fails: step.fails,
    failingShare,
  };
}

function failureJson(failure: ResultFailure): FailureJson {
  const { shares, flipAt } = failure;
  return {
    signature: failure.signature,
    text: failure.text,
    explanation: failure.explanation,
    switches: failure.switches,
    isMinimal: failure.isMinimal,
    steps: failure.steps.map((step, i) => stepJson(step, shares?.[i + 1] ?? null)),
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
    initial: stateJson(result.initial),
    verdict: result.verdict,
    complete: result.complete,
    stoppedBy: result.stoppedBy,
    ...(result.trouble !== null && { trouble: result.trouble }),
    switchesCovered: result.switchesCovered,
    stats: result.stats,
    outcomes: [...result.outcomes].map(([outcome, count]) => ({ outcome, count })),
    coverage: result.coverage,
    passesWith: result.passesWith,
    failures: result.failures.map(failureJson),
  };
}

/** What `trapline race --json` writes for several scenarios. */
export interface RacesJson {
  readonly schema: 'trapline-races';
  readonly version: 1;
  readonly results: readonly RaceJson[];
  /** Names of scenarios that were to be explored and were not. */
  readonly notBegun: readonly string[];
}

/** The results as {@link RacesJson}. */
export function racesJson(results: readonly RaceJson[], notBegun: readonly string[]): RacesJson {
  return { schema: 'trapline-races', version: 1, results, notBegun };
}

/** A replay, or one of a changed schedule, for pages. */
export interface ReplayJson {
  readonly kind: 'failed' | 'passed' | 'diverged';
  readonly failure: { readonly signature: string; readonly text: string } | null;
  /** What did not fit; null where all did. */
  readonly problem: string | null;
  readonly skipped: number;
  /** Of a changed schedule: how many of its steps fit, and how many were added at the end. */
  readonly fits?: number;
  readonly added?: number;
  readonly initial: StateJson;
  readonly steps: readonly StepJson[];
  /** Of the steps that were made, where they are not those of the token that was given. */
  readonly token?: string;
  readonly compactToken?: string;
}

/** The result of a replay as {@link ReplayJson}. */
export function replayJson(result: ReplayResult | ChangedSchedule): ReplayJson {
  const { kind, failure, problem, skipped } = result;
  const changed = 'token' in result ? result : null;
  return {
    kind,
    failure,
    problem,
    skipped,
    initial: stateJson(result.initial),
    steps: result.steps.map((step) => stepJson(step, null)),
    ...(changed !== null && {
      fits: changed.fits,
      added: changed.added,
      token: formatToken(changed.token),
      compactToken: compactToken(changed.token),
    }),
  };
}
