// SPDX-License-Identifier: MIT
//
// A schedule as text: named steps, one block an actor's turn, so that it survives steps that are added elsewhere.
//   P:lock +5 +1.4 | T0:X X
// Replaying one is exploration's opposite: one path, step by step.

import { TraplineError } from '../base/errors.ts';
import { countSwitches } from './explorer.ts';
import type { ExplorableSystem, Failure, WitnessStep } from './explorer.ts';

/** `P:lock +5 | T0:X X` */
export function formatSchedule(
  actors: readonly string[],
  steps: readonly { readonly actor: number; readonly name: string }[],
): string {
  const blocks: string[] = [];
  let last = -1;
  for (const { actor, name } of steps) {
    if (actor === last) blocks[blocks.length - 1] += ` ${name}`;
    else blocks.push(`${actors[actor] ?? '?'}:${name}`);
    last = actor;
  }
  return blocks.join(' | ');
}

/** One named step of a schedule. */
export interface ScheduledStep {
  readonly actor: number;
  readonly name: string;
}

/**
 * Reads what {@link formatSchedule} writes.
 * @throws TraplineError `RACE_SCHEDULE` when the text is none, or names an actor that does not exist
 */
export function parseSchedule(actors: readonly string[], text: string): ScheduledStep[] {
  const steps: ScheduledStep[] = [];
  for (const block of text.split('|')) {
    const colon = block.indexOf(':');
    const actor = actors.indexOf(block.slice(0, Math.max(0, colon)).trim());
    const names = block
      .slice(colon + 1)
      .split(/\s+/)
      .filter((name) => name !== '');
    if (actor < 0 || names.length === 0) {
      throw new TraplineError(
        'RACE_SCHEDULE',
        `"${block.trim()}" is no part of a schedule: expected ACTOR:STEP STEP… with one of the actors ${actors.join(', ')}`,
      );
    }
    for (const name of names) steps.push({ actor, name });
  }
  return steps;
}

/** How a replay ended. */
export interface Replay<S> {
  /** `diverged`: step `at` of the schedule could not be made. */
  readonly kind: 'passed' | 'failed' | 'diverged';
  readonly steps: readonly WitnessStep<S>[];
  readonly switches: number;
  readonly state: S;
  readonly failure?: Failure;
  /** Why a step did not fit. */
  readonly problem?: string;
}

/** Runs a schedule strictly: each step must be the one named. */
export function replay<S>(system: ExplorableSystem<S>, schedule: readonly ScheduledStep[]): Replay<S> {
  let state = system.initial();
  const steps: WitnessStep<S>[] = [];
  const result = (kind: Replay<S>['kind'], extra: Partial<Replay<S>> = {}): Replay<S> => ({
    kind,
    steps,
    switches: countSwitches(steps),
    state,
    ...extra,
  });
  for (const [index, { actor, name }] of schedule.entries()) {
    const who = system.actors[actor] ?? '?';
    if (!system.enabled(state).includes(actor)) {
      return result('diverged', { problem: `step ${index + 1}: ${who} cannot go on (${name} was expected)` });
    }
    const transition = system.step(state, actor);
    if (transition.name !== name) {
      return result('diverged', { problem: `step ${index + 1}: ${who} does ${transition.name}, not ${name}` });
    }
    state = transition.state;
    steps.push({ actor, name, text: transition.text, state });
    if (transition.failure !== undefined) return result('failed', { failure: transition.failure });
  }
  return result('passed');
}

/** Lets the actors of `order` run to their end, one after the other; returns the steps made. */
export function finish<S>(system: ExplorableSystem<S>, from: S, order: readonly number[]): Replay<S> {
  let state = from;
  const steps: WitnessStep<S>[] = [];
  for (;;) {
    const enabled = system.enabled(state);
    const actor = order.find((a) => enabled.includes(a));
    if (actor === undefined) break;
    const transition = system.step(state, actor);
    state = transition.state;
    steps.push({ actor, name: transition.name, text: transition.text, state });
    if (transition.failure !== undefined) {
      return { kind: 'failed', steps, switches: countSwitches(steps), state, failure: transition.failure };
    }
  }
  const failure = system.stuck(state);
  return {
    kind: failure === undefined ? 'passed' : 'failed',
    steps,
    switches: countSwitches(steps),
    state,
    ...(failure && { failure }),
  };
}

/** Two neighbouring steps of a failing schedule whose order decides. */
export interface Flip {
  /** Index of the second of the two. */
  readonly at: number;
}

/**
 * The last pair of neighbouring steps of different actors whose exchange makes the schedule pass.
 * @returns undefined when no single exchange helps
 */
export function findFlip<S>(system: ExplorableSystem<S>, steps: readonly ScheduledStep[]): Flip | undefined {
  const everyone = system.actors.map((_, i) => i);
  for (let at = steps.length - 1; at > 0; at--) {
    const [first, second] = [steps[at - 1], steps[at]];
    if (first === undefined || second === undefined || first.actor === second.actor) continue;
    const exchanged = replay(system, [...steps.slice(0, at - 1), second, first]);
    if (exchanged.kind === 'passed' && finish(system, exchanged.state, everyone).kind === 'passed') return { at };
  }
  return undefined;
}
