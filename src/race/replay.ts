// SPDX-License-Identifier: MIT
//
// Replays a token: strict (each step must fit), lenient (steps that do not fit are left out), or continue (as far as
// it fits, and every way on from there).

import { TraplineError } from '../base/errors.ts';
import { stepTable } from './report.ts';
import type { ReportOptions } from './report.ts';
import { resultSteps } from './result.ts';
import type { ResultStep } from './result.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { explore } from './search/explore.ts';
import { parseSchedule, replay } from './search/schedule.ts';
import type { Exploration, Failure } from './search/system.ts';
import { stateView } from './state-view.ts';
import type { StateView } from './state-view.ts';
import { contentDifference, contentHash, formatToken, tokenOf } from './token.ts';
import type { Token } from './token.ts';
import type { World } from './world/world.ts';

export const REPLAY_MODES = ['strict', 'lenient', 'continue'] as const;
export type ReplayMode = (typeof REPLAY_MODES)[number];

/** What came of a replay. */
export interface ReplayResult {
  readonly kind: 'failed' | 'passed' | 'diverged';
  readonly failure: Failure | null;
  /** What did not fit: a step of the schedule, or the scenario's content. */
  readonly problem: string | null;
  /** What is not as the token says but did not keep the schedule from running. */
  readonly notes: readonly string[];
  /** The state before the first step. */
  readonly initial: StateView;
  readonly steps: readonly ResultStep[];
  /** Steps of the schedule that were left out. */
  readonly skipped: number;
  /** In mode `continue`, all ways on. */
  readonly onward: Exploration | null;
  readonly text: string;
}

/** A mode by its name. @throws TraplineError `RACE_OPTION` when there is none */
export function replayMode(name: string): ReplayMode {
  const mode = REPLAY_MODES.find((known) => known === name);
  if (mode !== undefined) return mode;
  throw new TraplineError('RACE_OPTION', `--mode ${name} is not known; use one of ${REPLAY_MODES.join(', ')}`);
}

/**
 * Finds the first token in a report, a JSON result, or a file that holds nothing else.
 * @throws TraplineError `RACE_TOKEN` when there is none
 */
export function tokenIn(text: string): string {
  const json = /"token": ?("xr(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (json !== undefined) return JSON.parse(json) as string;
  const lines = text.split('\n').map((line) => line.trim());
  const at = lines.findIndex((line) => /^xr\d+[;.]/.test(line));
  const head = lines[at];
  if (head === undefined) throw new TraplineError('RACE_TOKEN', 'there is no token ("xr1;…" or "xr1.…") in it');
  return /^xr\d+\./.test(head) ? head : `${head}\n${lines[at + 1] ?? ''}`;
}

function summary(result: Omit<ReplayResult, 'text'>): string {
  if (result.kind === 'failed') return `FAIL  ${result.failure?.text ?? ''}`;
  if (result.kind === 'diverged') return `DIVERGED  ${result.problem ?? ''}`;
  const left = result.skipped === 0 ? '' : `, ${result.skipped} of its steps left out`;
  return `PASS  the schedule runs without a failure${left}`;
}

function onwardText(onward: Exploration, world: World, token: Token, sofar: Parameters<typeof tokenOf>[3]): string[] {
  const [first] = onward.witnesses;
  const size = `${onward.states} states, ${onward.complete ? 'complete' : 'not complete'}`;
  if (first === undefined)
    return [`from there: ${onward.verdict === 'holds' ? 'nothing fails' : 'nothing failed'}; ${size}`];
  const steps = [...sofar, ...first.steps];
  const next = tokenOf(token.scenario, token.parameters, world, steps, first.failure.signature);
  return [
    `from there: ${first.failure.text}, ${first.steps.length} steps further; ${size}`,
    ...formatToken(next)
      .split('\n')
      .map((line) => `  ${line}`),
  ];
}

/**
 * Replays a token on a world of its scenario.
 * @param budget states at most, for what `continue` explores
 */
export function replayToken(
  token: Token,
  scenario: Scenario,
  world: World,
  options: ReportOptions & { readonly mode: ReplayMode; readonly budget: number },
): ReplayResult {
  const { mode } = options;
  const different = contentDifference(token, contentHash(world, token.parameters));
  const site = scenario.site(token.parameters);
  const initial = stateView(world, world.initial, site);
  const nothing = { failure: null, initial, steps: [], skipped: 0, onward: null };
  if (different !== null && mode === 'strict') {
    const problem = `${different}; --mode lenient replays it all the same`;
    const result = { ...nothing, kind: 'diverged' as const, problem, notes: [] };
    return { ...result, text: `${summary(result)}\n` };
  }
  const { plain } = world;
  const run = replay(plain, parseSchedule(world.actors, token.schedule), mode === 'lenient' ? 'lenient' : 'strict');
  const isEnd = plain.actors.every((_, actor) => plain.moves(run.state, actor).length === 0);
  const stuck = run.kind === 'passed' && isEnd ? (plain.stuck(run.state) ?? null) : null;
  const failure = run.failure ?? stuck;
  const steps = resultSteps(world, run.steps, site);
  const onward =
    mode === 'continue' && failure === null
      ? explore({ ...plain, initial: run.state }, { budget: options.budget })
      : null;
  const found = failure ?? onward?.witnesses[0]?.failure ?? null;
  const notes = different === null ? [] : [different];
  if (found !== null && token.signature !== '' && found.signature !== token.signature)
    notes.push(`it fails in another way than the token says: ${token.signature}`);
  if (mode === 'continue' && run.problem !== undefined) notes.push(`the schedule fits up to ${run.problem}`);
  const result = {
    kind: found !== null ? ('failed' as const) : mode === 'strict' ? run.kind : ('passed' as const),
    failure: found,
    problem: run.problem ?? null,
    notes,
    initial,
    steps,
    skipped: run.skipped,
    onward,
  };
  const context = { actors: world.actors, site, initialSite: initial.site, granules: world.segments };
  const lines = [
    summary(result),
    ...notes.map((note) => `note: ${note}`),
    '',
    ...stepTable(steps, context, options),
    ...(onward === null ? [] : ['', ...onwardText(onward, world, token, run.steps)]),
  ];
  return { ...result, text: `${lines.join('\n')}\n` };
}
