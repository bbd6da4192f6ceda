// SPDX-License-Identifier: MIT
//
// A schedule as text: named steps, one block an actor's turn, so that it survives steps that are added elsewhere.
//   P:lock +5 +1.4 | T0:X X
// Replaying one is exploration's opposite: one path, step by step.

import { TraplineError } from '../../base/errors.ts';
import { countSwitches, namedFailure } from './system.ts';
import type { Failure, TransitionSystem, WitnessStep } from './system.ts';

/** So many equal steps in a row are written as one. */
const REPEATED = 4;

/** One actor's steps until another's. */
export type NamedTurn = readonly [actor: string, steps: readonly string[]];

/** `P:lock +5 | T0:X X`, and `T0:X*12` where a step is repeated. */
export function formatTurns(turns: readonly NamedTurn[]): string {
  return turns
    .map(([actor, steps]) => {
      const names: string[] = [];
      for (let i = 0; i < steps.length;) {
        let end = i + 1;
        while (end < steps.length && steps[end] === steps[i]) end++;
        if (end - i < REPEATED) names.push(...steps.slice(i, end));
        else names.push(`${steps[i] ?? ''}*${end - i}`);
        i = end;
      }
      return `${actor}:${names.join(' ')}`;
    })
    .join(' | ');
}

/** The steps of a run as {@link formatTurns} writes them. */
export function formatSchedule(
  actors: readonly string[],
  steps: readonly { readonly actor: number; readonly name: string }[],
): string {
  const turns: [actor: string, steps: string[]][] = [];
  let last = -1;
  for (const { actor, name } of steps) {
    if (actor === last) turns.at(-1)?.[1].push(name);
    else turns.push([actors[actor] ?? '?', [name]]);
    last = actor;
  }
  return formatTurns(turns);
}

/** Turns of a schedule as text: actor and steps, `X*3` written out. */
export function scheduleTurns(text: string): [actor: string, steps: string[]][] {
  return text.split('|').map((turn) => {
    const colon = turn.indexOf(':');
    const steps = turn.slice(colon + 1).split(/\s+/);
    const names = steps.flatMap((name) => {
      const [, once = name, times = '1'] = /^(.+)\*(\d{1,4})$/.exec(name) ?? [];
      return name === '' ? [] : new Array<string>(Number(times)).fill(once);
    });
    return [turn.slice(0, Math.max(0, colon)).trim(), names];
  });
}

/**
 * Reads what {@link formatSchedule} writes.
 * @throws TraplineError `RACE_SCHEDULE` when the text is none, or names an actor that does not exist
 */
export function parseSchedule(actors: readonly string[], text: string): ScheduledStep[] {
  return scheduleTurns(text).flatMap(([name, steps]) => {
    const actor = actors.indexOf(name);
    if (actor < 0 || steps.length === 0) {
      throw new TraplineError(
        'RACE_SCHEDULE',
        `"${name === '' ? steps.join(' ') : `${name}:${steps.join(' ')}`}" is no part of a schedule: expected ACTOR:STEP STEP… with one of the actors ${actors.join(', ')}`,
      );
    }
    return steps.map((step) => ({ actor, name: step }));
  });
}

/** One named step of a schedule. */
export interface ScheduledStep {
  readonly actor: number;
  readonly name: string;
}

/** How a replay ended. */
export interface Replay {
  /** `diverged`: a step of the schedule could not be made. */
  readonly kind: 'passed' | 'failed' | 'diverged';
  readonly steps: readonly WitnessStep[];
  readonly switches: number;
  /** State after the last step that did not fail. */
  readonly state: number;
  readonly failure?: Failure;
  /** Why a step did not fit. */
  readonly problem?: string;
  /** Steps of the schedule that were left out, in lenient replay. */
  readonly skipped: number;
}

/** A run in the making, on a system that does not exchange actors. */
class Run {
  readonly steps: WitnessStep[] = [];
  readonly #system: TransitionSystem;
  state: number;
  failure: Failure | undefined;

  constructor(system: TransitionSystem, state: number) {
    this.#system = system;
    this.state = state;
  }

  /** Names of what an actor can do now. */
  names(actor: number): string[] {
    return this.#system.moves(this.state, actor).map((move) => move.name);
  }

  /** Makes the move `index` of an actor. False when it failed. */
  make(actor: number, index: number): boolean {
    const move = this.#system.moves(this.state, actor)[index];
    if (move === undefined) return false;
    const text = this.#system.describe(this.state, actor, index);
    const failed = move.failure !== null;
    this.steps.push({ actor, name: move.name, text, before: this.state, state: failed ? -1 : move.to });
    if (move.failure === null) this.state = move.to;
    else this.failure = namedFailure(move.failure, this.#system.actors[actor] ?? '?');
    return !failed;
  }

  result(kind: Replay['kind'], skipped = 0, problem?: string): Replay {
    return {
      kind,
      steps: this.steps,
      switches: countSwitches(this.steps),
      state: this.state,
      skipped,
      ...(this.failure !== undefined && { failure: this.failure }),
      ...(problem !== undefined && { problem }),
    };
  }
}

/**
 * Runs a schedule.
 * @param system one that does not exchange actors
 * @param mode `strict`: each step must be possible; `lenient`: steps that are not are left out
 */
export function replay(
  system: TransitionSystem,
  schedule: readonly ScheduledStep[],
  mode: 'strict' | 'lenient' = 'strict',
): Replay {
  const run = new Run(system, system.initial);
  let skipped = 0;
  for (const [index, { actor, name }] of schedule.entries()) {
    const names = run.names(actor);
    const at = names.indexOf(name);
    if (at < 0) {
      if (mode === 'lenient') {
        skipped++;
        continue;
      }
      const who = system.actors[actor] ?? '?';
      const can = names.length === 0 ? 'cannot go on' : `does ${names.join(' or ')}`;
      return run.result('diverged', 0, `step ${index + 1}: ${who} ${can}, not ${name}`);
    }
    if (!run.make(actor, at)) return run.result('failed', skipped);
  }
  return run.result('passed', skipped);
}

/** Longest run that {@link finish} makes before it gives up. */
const MAX_FINISH = 10_000;

/** Lets the actors of `order` run to their end, one after the other, by their last choice each; returns the steps made. */
export function finish(system: TransitionSystem, from: number, order: readonly number[]): Replay {
  const run = new Run(system, from);
  for (let i = 0; i < MAX_FINISH; i++) {
    const actor = order.find((a) => run.names(a).length > 0);
    if (actor === undefined) {
      run.failure = system.stuck(run.state);
      return run.result(run.failure === undefined ? 'passed' : 'failed');
    }
    // Executing comes after fetching in the list: where both are possible, go on.
    if (!run.make(actor, run.names(actor).length - 1)) return run.result('failed');
  }
  return run.result('diverged', 0, 'the run does not end');
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
export function findFlip(system: TransitionSystem, steps: readonly ScheduledStep[]): Flip | undefined {
  const everyone = system.actors.map((_, i) => i);
  for (let at = steps.length - 1; at > 0; at--) {
    const [first, second] = [steps[at - 1], steps[at]];
    if (first === undefined || second === undefined || first.actor === second.actor) continue;
    const exchanged = replay(system, [...steps.slice(0, at - 1), second, first, ...steps.slice(at + 1)], 'lenient');
    if (exchanged.kind === 'passed' && finish(system, exchanged.state, everyone).kind === 'passed') return { at };
  }
  return undefined;
}
