// SPDX-License-Identifier: MIT
//
// What an exploration found, as data: the report, the JSON file and the matchers of a test are views of it.

import { failingShares } from './analysis/certainty.ts';
import { coverageOf } from './analysis/coverage.ts';
import type { Coverage } from './analysis/coverage.ts';
import { explainDecode } from './analysis/decode-words.ts';
import { remediesOf } from './analysis/remedies.ts';
import type { MakeCpu, Remedy } from './analysis/remedies.ts';
import type { Scenario, ScenarioParameters } from './scenarios/scenario.ts';
import { findFlip } from './search/schedule.ts';
import type { Estimate, Exploration, Progress, StopReason, Witness, WitnessStep } from './search/system.ts';
import { siteBytes, stateView } from './state-view.ts';
import type { StateView } from './state-view.ts';
import { tokenOf } from './token.ts';
import type { Token } from './token.ts';
import type { StoreMade } from './world/draft.ts';
import type { World } from './world/world.ts';

/** A step as a report shows it. */
export interface ResultStep {
  readonly actor: string;
  readonly name: string;
  readonly text: string;
  /** The site's bytes after it. */
  readonly site: Uint8Array;
  /** What the failing actor's processor has fetched after it, by hot granule. */
  readonly holds: readonly (Uint8Array | null)[];
  /** Stores to shared memory that it made, in their order; those of a guest's instruction as far as they changed it. */
  readonly stores: readonly StoreMade[];
  /** The state after it; the one before it where it fails. */
  readonly after: StateView;
  /** The step fails. */
  readonly fails: boolean;
}

/** One way to fail. */
export interface ResultFailure {
  readonly signature: string;
  readonly text: string;
  readonly switches: number;
  /** No schedule fails so with fewer switches, or as many and fewer steps. */
  readonly isMinimal: boolean;
  readonly steps: readonly ResultStep[];
  readonly token: Token;
  /** The wrong decode in words. */
  readonly explanation: string | null;
  /** Index of the step that, moved before the one before it, makes the schedule pass; null where no exchange does. */
  readonly flipAt: number | null;
  /** Share of failing continuations at the start and after each step; null where there are too many to count. */
  readonly shares: readonly number[] | null;
}

export interface RaceResult {
  readonly scenario: Scenario;
  readonly parameters: ScenarioParameters;
  readonly actors: readonly string[];
  readonly verdict: 'holds' | 'fails' | 'incomplete';
  /** Every state was visited. */
  readonly complete: boolean;
  readonly stoppedBy: StopReason | null;
  /** What happened to a process that is lost; null where none is. */
  readonly trouble: string | null;
  readonly switchesCovered: number;
  /** Ways to end and how many states, or runs for a strategy that makes runs, end so. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** One for each signature, those with the fewest switches first. */
  readonly failures: readonly ResultFailure[];
  /** The first failure. */
  readonly witness: ResultFailure | null;
  /** Of a complete search that is not too large. */
  readonly coverage: Coverage | null;
  /** Changes with which it holds, each explored; null where that was not tried. */
  readonly passesWith: readonly Remedy[] | null;
  readonly stats: {
    readonly strategy: string;
    readonly seed: number | null;
    readonly budget: number;
    readonly states: number;
    readonly transitions: number;
    readonly schedules: number;
    readonly estimate: Estimate | null;
  };
  /** Granules of hot bytes: address and length of each, the letters A, B … of a report. */
  readonly granules: readonly { readonly address: number; readonly length: number }[];
  /** The state before anything runs, and the bytes of its site. */
  readonly initial: StateView;
  readonly initialSite: Uint8Array;
}

/** What a result is made of. */
export interface ResultSource {
  readonly scenario: Scenario;
  readonly parameters: ScenarioParameters;
  readonly world: World;
  readonly exploration: Exploration;
  readonly seed: number;
  readonly budget: number;
}

/** The steps of a schedule with what they leave behind. */
export function resultSteps(world: World, steps: readonly WitnessStep[], site: number): ResultStep[] {
  const watched = steps.at(-1)?.actor ?? 0;
  return steps.map((step) => {
    const fails = step.state < 0;
    const shown = fails ? step.before : step.state;
    const after = stateView(world, shown, site);
    return {
      actor: world.actors[step.actor] ?? '?',
      name: step.name,
      text: step.text,
      site: after.site,
      stores: world.stores(step),
      after,
      holds: world.local(shown, watched).fetched.map((have) => have?.bytes ?? null),
      fails,
    };
  });
}

function failureOf(source: ResultSource, witness: Witness, isFirst: boolean): ResultFailure {
  const { world, scenario, parameters } = source;
  const site = scenario.site(parameters);
  return {
    signature: witness.failure.signature,
    text: witness.failure.text,
    switches: witness.switches,
    isMinimal: witness.isMinimal,
    steps: resultSteps(world, witness.steps, site),
    token: tokenOf(scenario.name, parameters, world, witness.steps, witness.failure.signature),
    explanation: explainDecode(world, witness, site, parameters.model.fetch === 'coherent'),
    flipAt: isFirst ? (findFlip(world.plain, witness.steps)?.at ?? null) : null,
    shares: isFirst ? failingShares(world.plain, witness.steps) : null,
  };
}

/** The result of an exploration, without trying what would help. */
export function resultOf(source: ResultSource): RaceResult {
  const { scenario, parameters, world, exploration, seed, budget } = source;
  const failures = exploration.witnesses.map((witness, i) => failureOf(source, witness, i === 0));
  const isCoherent = parameters.model.fetch === 'coherent';
  const { verdict, complete, stoppedBy, switchesCovered, outcomes, strategy } = exploration;
  const { states, transitions, schedules, estimate } = exploration;
  return {
    scenario,
    parameters,
    actors: world.actors,
    verdict,
    complete,
    stoppedBy,
    trouble: exploration.trouble ?? null,
    switchesCovered,
    outcomes,
    failures,
    witness: failures[0] ?? null,
    coverage: complete ? coverageOf(world, isCoherent) : null,
    passesWith: null,
    stats: {
      strategy,
      seed: strategy === 'exhaustive' || strategy === 'dpor' ? null : seed,
      budget,
      states,
      transitions,
      schedules,
      estimate,
    },
    granules: world.segments.map(({ address, length }) => ({ address, length })),
    initial: stateView(world, world.initial, scenario.site(parameters)),
    initialSite: siteBytes(world, world.initial, scenario.site(parameters)),
  };
}

/** The same, and where it fails explores the changes that may help. */
export function* resultWithRemedies(
  source: ResultSource,
  makeCpu: MakeCpu,
): Generator<Progress, RaceResult, StopReason | null> {
  const result = resultOf(source);
  if (result.verdict !== 'fails' || (result.stoppedBy !== null && result.stoppedBy !== 'budget')) return result;
  const passesWith = yield* remediesOf(source.scenario, source.parameters, result.stats.states, makeCpu);
  return { ...result, passesWith };
}
