// SPDX-License-Identifier: MIT
//
// Recordings of races: of what an exploration found, of a token's schedule, and of a schedule that somebody changed.

import { invariant } from '../../base/errors.ts';
import type { CodeReader } from '../../trace/recording/code-tables.ts';
import { MOST_RECORDINGS } from '../../trace/recording/format.ts';
import type { RaceFacts, RaceRecording } from '../../trace/recording/format.ts';
import { failingShares, firstCertainStep } from '../analysis/certainty.ts';
import { explainDecode } from '../analysis/decode-words.ts';
import type { MakeCpu } from '../analysis/remedies.ts';
import { moveStep, scheduledSteps } from '../changed-schedule.ts';
import { tokenIn } from '../replay.ts';
import type { RaceResult, ResultFailure } from '../result.ts';
import { scenarioNamed } from '../scenarios/index.ts';
import type { Scenario, ScenarioParameters } from '../scenarios/scenario.ts';
import { findFlip, finish, parseSchedule, replay } from '../search/schedule.ts';
import type { Replay, ScheduledStep } from '../search/schedule.ts';
import { countSwitches } from '../search/system.ts';
import type { Failure, WitnessStep } from '../search/system.ts';
import { compactToken, formatToken, parseToken, tokenOf } from '../token.ts';
import type { Token } from '../token.ts';
import { RACE_MEMORY_BYTES } from '../world/machine.ts';
import { describeModel, fetchName } from '../world/model.ts';
import type { World } from '../world/world.ts';
import { samplePath } from './sample-path.ts';
import { recordSchedule } from './schedule-recorder.ts';

/** What recording a race takes. */
export interface RaceRecordingHost {
  readonly makeCpu: MakeCpu;
  /** Made when first needed; the caller disposes of it. */
  readonly disassembler: () => CodeReader;
}

/** Ways to fail that one result is recorded with, at most. */
export const MOST_FAILURES = 8;

/** States of a scenario up to which the share of failing continuations is counted for each way to fail. */
const MOST_COUNTED_STATES = 20_000;

/**
 * The ways in which a result fails, one recording each, at most {@link MOST_FAILURES}; of one that does not fail a
 * sample path.
 */
export function recordRace(result: RaceResult, host: RaceRecordingHost): RaceRecording[] {
  const { scenario, parameters } = result;
  return withWorld(scenario, parameters, host, (world, engine) => {
    const seed = result.stats.seed ?? 1;
    const schedule = { scenario, parameters, world, engine, seed };
    if (result.failures.length === 0) {
      const steps = samplePath(world.plain);
      // What was not explored to the end may fail all the same.
      const failure = replay(world.plain, steps).failure ?? null;
      const facts = { ...exploredFacts(result), ...scheduleFacts(scenario, parameters, world, steps, failure) };
      return [recordSchedule({ ...schedule, steps, facts, shares: null }, host.disassembler())];
    }
    const isSmall = result.stats.states <= MOST_COUNTED_STATES;
    return result.failures.slice(0, MOST_FAILURES).map((failure) => {
      const { kind, steps, problem } = replay(world.plain, parseSchedule(world.actors, failure.token.schedule));
      invariant(kind !== 'diverged', () => `a found schedule can be made again (${problem ?? ''})`);
      // The result has them for its first failure only.
      const shares = failure.shares ?? (isSmall ? failingShares(world.plain, steps) : null);
      const flipAt = failure.flipAt ?? findFlip(world.plain, steps)?.at ?? null;
      const facts: RaceFacts = {
        ...exploredFacts(result),
        failure: failureFacts({ ...failure, shares, flipAt }),
        token: formatToken(failure.token),
        compactToken: compactToken(failure.token),
        skipped: 0,
        added: 0,
      };
      return recordSchedule({ ...schedule, steps, facts, shares }, host.disassembler());
    });
  });
}

/** The recordings of several results, one after the other, as many as a file may hold. */
export function recordRaces(results: readonly RaceResult[], host: RaceRecordingHost): RaceRecording[] {
  const recordings: RaceRecording[] = [];
  for (const result of results) {
    if (recordings.length < MOST_RECORDINGS) recordings.push(...recordRace(result, host));
  }
  return recordings.slice(0, MOST_RECORDINGS);
}

/** A schedule to be recorded. */
export interface ScheduleRequest {
  /** A token in either form, or a text that holds one. */
  readonly token: string;
  /** Other steps than the token's, as its second line has them; or which step is made as which, both counted from 0. */
  readonly change?: string | { readonly from: number; readonly to: number };
  /** Scenarios beside those that Trapline brings. */
  readonly scenarios?: readonly Scenario[];
}

/**
 * The schedule of a token, or a changed one: steps that do not fit are left out, and at the end everybody goes on.
 * @throws TraplineError `RACE_…` when the text is no token, names what is not known, or the change makes no schedule
 */
export function recordToken(request: ScheduleRequest, host: RaceRecordingHost): RaceRecording {
  const token = parseToken(tokenIn(request.token));
  const known = request.scenarios?.find(({ name }) => name === token.scenario);
  const scenario = known ?? scenarioNamed(token.scenario);
  const { parameters } = token;
  return withWorld(scenario, parameters, host, (world, engine) => {
    const { steps, failure, skipped, added } = madeSteps(world, wantedSteps(token, world, request.change));
    const shares = failingShares(world.plain, steps);
    const facts: RaceFacts = {
      ...placementFacts(scenario, parameters),
      ...NOTHING_EXPLORED,
      ...scheduleFacts(scenario, parameters, world, steps, failure, shares),
      skipped,
      added,
    };
    return recordSchedule({ scenario, parameters, world, steps, facts, shares, engine, seed: 1 }, host.disassembler());
  });
}

function wantedSteps(token: Token, world: World, change: ScheduleRequest['change']): ScheduledStep[] {
  if (typeof change === 'string') return parseSchedule(world.actors, change);
  const steps = scheduledSteps(token, world);
  return change === undefined ? steps : moveStep(steps, change.from, change.to);
}

interface MadeSteps {
  readonly steps: readonly WitnessStep[];
  readonly failure: Failure | null;
  readonly skipped: number;
  readonly added: number;
}

function madeSteps(world: World, wanted: readonly ScheduledStep[]): MadeSteps {
  const { plain } = world;
  const strict = replay(plain, wanted);
  const run: Replay = strict.kind === 'diverged' ? replay(plain, wanted, 'lenient') : strict;
  const rest = run.failure === undefined ? finish(plain, run.state, everyone(world)) : null;
  return {
    steps: [...run.steps, ...(rest?.steps ?? [])],
    failure: run.failure ?? rest?.failure ?? null,
    skipped: run.skipped,
    added: rest?.steps.length ?? 0,
  };
}

function everyone(world: World): number[] {
  return world.actors.map((_, actor) => actor);
}

function withWorld<T>(
  scenario: Scenario,
  parameters: ScenarioParameters,
  { makeCpu }: RaceRecordingHost,
  use: (world: World, engine: string) => T,
): T {
  const cpu = makeCpu({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    return use(scenario.build(parameters, { cpu }), cpu.name);
  } finally {
    cpu.dispose();
  }
}

// ---- facts

type PlacementFacts = Pick<RaceFacts, 'scenario' | 'promise' | 'patch' | 'protocol' | 'model' | 'placement'>;
type ExploredFacts = Pick<
  RaceFacts,
  'verdict' | 'complete' | 'states' | 'transitions' | 'schedules' | 'outcomes' | 'passesWith'
>;
type ScheduleFacts = Pick<RaceFacts, 'failure' | 'token' | 'compactToken' | 'skipped' | 'added'>;

const NOTHING_EXPLORED: ExploredFacts = {
  verdict: 'replayed',
  complete: false,
  states: 0,
  transitions: 0,
  schedules: 1,
  outcomes: [],
  passesWith: null,
};

function placementFacts(scenario: Scenario, p: ScenarioParameters): PlacementFacts {
  const { model, offset, atPageEnd, startAt, sysno, table, threads } = p;
  const { granule, grain, atom, returnBy } = model;
  return {
    scenario: scenario.name,
    promise: scenario.promise,
    patch: p.patch,
    protocol: p.protocol.text,
    model: { name: fetchName(model), words: describeModel(model), granule, grain, atom, returnBy },
    placement: { offset, atPageEnd, startAt, sysno, table, threads },
  };
}

function exploredFacts(result: RaceResult): PlacementFacts & ExploredFacts {
  const { verdict, complete, stats, outcomes, passesWith } = result;
  return {
    ...placementFacts(result.scenario, result.parameters),
    verdict,
    complete,
    states: stats.states,
    transitions: stats.transitions,
    schedules: stats.schedules,
    outcomes: [...outcomes].map(([outcome, count]) => ({ outcome, count })),
    passesWith,
  };
}

function failureFacts(failure: ResultFailure): RaceFacts['failure'] {
  const { signature, text, explanation, switches, isMinimal, flipAt, shares } = failure;
  return {
    signature,
    text,
    explanation,
    switches,
    isMinimal,
    flip: flipAt === null ? null : [flipAt - 1, flipAt],
    certainAt: shares === null ? null : certainMoment(shares),
    share: shares?.[0] ?? null,
  };
}

function certainMoment(shares: readonly number[]): number | null {
  const moment = firstCertainStep(shares);
  return moment < 0 ? null : moment;
}

function scheduleFacts(
  scenario: Scenario,
  parameters: ScenarioParameters,
  world: World,
  steps: readonly WitnessStep[],
  failure: Failure | null,
  shares: readonly number[] | null = null,
): ScheduleFacts {
  const token = tokenOf(scenario.name, parameters, world, steps, failure?.signature ?? '');
  const tokens = { token: formatToken(token), compactToken: compactToken(token), skipped: 0, added: 0 };
  if (failure === null) return { ...tokens, failure: null };
  const switches = countSwitches(steps);
  const witness = { failure, steps, switches, isMinimal: false };
  const flip = findFlip(world.plain, steps)?.at;
  const isCoherent = parameters.model.fetch === 'coherent';
  return {
    ...tokens,
    failure: {
      signature: failure.signature,
      text: failure.text,
      explanation: explainDecode(world, witness, scenario.site(parameters), isCoherent),
      switches,
      isMinimal: false,
      flip: flip === undefined ? null : [flip - 1, flip],
      certainAt: shares === null ? null : certainMoment(shares),
      share: shares?.[0] ?? null,
    },
  };
}
