// SPDX-License-Identifier: MIT
//
// A schedule that somebody changed, such as by moving a step: as far as the steps still fit, they are made; those that do not are left out, and at
// the end everybody goes on to the end. What a person asks who looks at a failing schedule: and if it came earlier?

import { TraplineError } from '../base/errors.ts';
import { resultSteps } from './result.ts';
import type { ResultStep } from './result.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { finish, parseSchedule, replay } from './search/schedule.ts';
import type { ScheduledStep } from './search/schedule.ts';
import type { Failure } from './search/system.ts';
import { stateView } from './state-view.ts';
import type { StateView } from './state-view.ts';
import { tokenOf } from './token.ts';
import type { Token } from './token.ts';
import type { World } from './world/world.ts';

/** What came of a changed schedule. */
export interface ChangedSchedule {
  readonly kind: 'failed' | 'passed';
  readonly failure: Failure | null;
  /** Steps of the changed schedule, from the first, that were made before one did not fit. */
  readonly fits: number;
  /** Why the next one did not fit; null where all did. */
  readonly problem: string | null;
  /** Steps that were left out because they did not fit. */
  readonly skipped: number;
  /** Steps at the end that no schedule asked for: everybody went on, one after the other. */
  readonly added: number;
  readonly initial: StateView;
  readonly steps: readonly ResultStep[];
  /** Of the steps that were made. */
  readonly token: Token;
}

/**
 * A schedule with its step `from` made as the step `to`, both counted from 0.
 * @throws TraplineError `RACE_OPTION` when it has no such step
 */
export function moveStep<T>(schedule: readonly T[], from: number, to: number): T[] {
  const isStep = (n: number): boolean => Number.isInteger(n) && n >= 0 && n < schedule.length;
  const step = schedule[from];
  if (!isStep(from) || !isStep(to) || step === undefined) {
    const last = schedule.length - 1;
    throw new TraplineError('RACE_OPTION', `the schedule has the steps 0 to ${last}, not ${from} or ${to}`);
  }
  const rest = schedule.filter((_, i) => i !== from);
  return [...rest.slice(0, to), step, ...rest.slice(to)];
}

/** The steps of a token's schedule. @throws TraplineError `RACE_SCHEDULE` when they are not of this world */
export function scheduledSteps(token: Token, world: World): ScheduledStep[] {
  return parseSchedule(world.actors, token.schedule);
}

/**
 * Replays other steps than a token's, in its scenario and with its parameters.
 * @param world of the token's scenario and parameters
 */
export function replayChanged(
  token: Token,
  scenario: Scenario,
  world: World,
  schedule: readonly ScheduledStep[],
): ChangedSchedule {
  const { plain } = world;
  const strict = replay(plain, schedule);
  const run = strict.kind === 'diverged' ? replay(plain, schedule, 'lenient') : strict;
  const everyone = plain.actors.map((_, actor) => actor);
  const rest = run.failure === undefined ? finish(plain, run.state, everyone) : null;
  const failure = run.failure ?? rest?.failure ?? null;
  const made = [...run.steps, ...(rest?.steps ?? [])];
  const site = scenario.site(token.parameters);
  return {
    kind: failure === null ? 'passed' : 'failed',
    failure,
    fits: strict.steps.length,
    problem: strict.problem ?? null,
    skipped: run.skipped,
    added: rest?.steps.length ?? 0,
    initial: stateView(world, world.initial, site),
    steps: resultSteps(world, made, site),
    token: tokenOf(scenario.name, token.parameters, world, made, failure?.signature ?? ''),
  };
}
