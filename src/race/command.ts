// SPDX-License-Identifier: MIT
//
// `trapline race` and `trapline replay`: options to scenario, exploration, report and exit status. The caller brings
// the engine, clocks and signals.

import { TraplineError } from '../base/errors.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { moveStep, replayChanged, scheduledSteps } from './changed-schedule.ts';
import type { ChangedSchedule } from './changed-schedule.ts';
import { parseProtocol } from './protocols.ts';
import type { RaceNames } from './race-names.ts';
import { replayMode, replayToken, tokenIn } from './replay.ts';
import type { ReplayResult } from './replay.ts';
import { raceReport } from './report.ts';
import { raceJson } from './result-json.ts';
import type { RaceJson } from './result-json.ts';
import { resultWithRemedies } from './result.ts';
import type { RaceResult } from './result.ts';
import { scenarioNamed, SCENARIOS } from './scenarios/index.ts';
import { DEFAULT_PARAMETERS } from './scenarios/scenario.ts';
import type { Scenario, ScenarioParameters } from './scenarios/scenario.ts';
import type { Division } from './search/divided-search.ts';
import { startSearch } from './search/explore.ts';
import { parseSchedule } from './search/schedule.ts';
import type { Progress, StopReason } from './search/system.ts';
import { parseToken } from './token.ts';
import type { Token } from './token.ts';
import { RACE_MEMORY_BYTES } from './world/machine.ts';
import { fetchNamed } from './world/model.ts';
import type { Model } from './world/model.ts';
import type { World } from './world/world.ts';

/** What the command is given. */
export interface RaceCommandOptions extends RaceNames {
  /** Colours in the report. */
  readonly colour?: boolean;
  readonly makeCpu: (options: { memoryBytes: number }) => Cpu;
  /** Scenarios beside those that Trapline brings. */
  readonly scenarios?: readonly Scenario[];
  /** Processes that explore a large model, this one included; default 1. */
  readonly workers?: number;
  /** Needed for more than one. */
  readonly startWorkers?: Division['start'];
}

/** What the command line prints and exits with. */
export interface RaceCommandResult {
  readonly text: string;
  /** 0 holds, 1 fails, 3 incomplete. */
  readonly exitCode: 0 | 1 | 3;
  readonly json: RaceJson;
  readonly result: RaceResult;
}

/** Scenarios, for `--list`. */
export const RACE_SCENARIOS: readonly { readonly name: string; readonly summary: string }[] = SCENARIOS;

/** What `--all` explores. */
export const ALL_SCENARIOS: readonly string[] = SCENARIOS.filter((s) => s.observes !== true).map((s) => s.name);

const DEFAULT_BUDGETS: Readonly<Record<string, number>> = { exhaustive: 5_000_000 };
const DEFAULT_SCHEDULES = 20_000;
const MOST_WORKERS = 64;

function usage(message: string): TraplineError {
  return new TraplineError('RACE_OPTION', message);
}

function oneOf<T extends string | number>(
  option: string,
  value: string | number | undefined,
  allowed: readonly T[],
): T {
  const found = allowed.find((a) => a === (value ?? allowed[0]));
  if (found === undefined) throw usage(`--${option} ${value ?? ''} is not known; use one of ${allowed.join(', ')}`);
  return found;
}

function integer(option: string, value: number | undefined, fallback: number, low: number, high: number): number {
  const n = value ?? fallback;
  if (!Number.isInteger(n) || n < low || n > high)
    throw usage(`--${option} must be a whole number from ${low} to ${high}`);
  return n;
}

/**
 * The parameters that options stand for.
 * @throws TraplineError `RACE_…` for what is not known
 */
export function resolveParameters(options: Omit<RaceCommandOptions, 'makeCpu'>): ScenarioParameters {
  const model: Model = {
    ...fetchNamed(options.model ?? 'coherent'),
    granule: oneOf('granule', options.granule, [64, 32, 16, 8, 1]),
    atom: oneOf('atom', options.atom, [64, 8, 1]),
    grain: oneOf('grain', options.grain, ['isa', 'step', 'byte']),
    returnBy: oneOf('return', options.return, ['iret', 'sysret']),
  };
  return {
    model,
    patch: oneOf('patch', options.patch, ['upstream', 'hardened']),
    protocol: parseProtocol(options.protocol ?? DEFAULT_PARAMETERS.protocol.text),
    threads: integer('threads', options.threads, DEFAULT_PARAMETERS.threads, 1, 6),
    offset: integer('offset', options.offset, 0, 0, 63),
    atPageEnd: options.page ?? false,
    startAt: oneOf('start', options.startAt, [0, 5]),
    sysno: integer('nr', options.nr, DEFAULT_PARAMETERS.sysno, 0, 2 ** 32 - 1),
    table: integer('table', options.table, DEFAULT_PARAMETERS.table, 0, 2 ** 32),
  };
}

/**
 * Explores a scenario in one go.
 * @throws TraplineError `RACE_…` for an option that is not known
 */
export function runRaceCommand(options: RaceCommandOptions): RaceCommandResult {
  const race = startRaceCommand(options);
  let at = race.next();
  while (at.done !== true) at = race.next(null);
  return at.value;
}

/**
 * Explores a scenario in slices: yields now and then, and ends with what is known when it is told a reason to stop.
 * @throws TraplineError `RACE_…` for an option that is not known
 */
export function* startRaceCommand(
  options: RaceCommandOptions,
): Generator<Progress, RaceCommandResult, StopReason | null> {
  const scenario = knownScenario(options.scenario, options.scenarios);
  const parameters = resolveParameters(options);
  const strategy = options.strategy ?? 'exhaustive';
  const budget = integer('budget', options.budget, DEFAULT_BUDGETS[strategy] ?? DEFAULT_SCHEDULES, 1, 2 ** 31);
  const seed = integer('seed', options.seed, 1, 0, Number.MAX_SAFE_INTEGER);
  const workers = integer('workers', options.workers, 1, 1, MOST_WORKERS);
  if (workers > 1 && strategy !== 'exhaustive') throw usage(`--workers is for --strategy exhaustive, not ${strategy}`);
  const cpu = options.makeCpu({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const world = scenario.build(parameters, { cpu });
    const twin = (): ReturnType<Division['twin']> => {
      const other = options.makeCpu({ memoryBytes: RACE_MEMORY_BYTES });
      return { system: scenario.build(parameters, { cpu: other }), dispose: () => other.dispose() };
    };
    const start = options.startWorkers ?? (() => []);
    const division = world.isSeparable ? { partitions: workers, start, twin } : null;
    const exploration = yield* startSearch(world, { strategy, seed, budget, division });
    const source = { scenario, parameters, world, exploration, seed, budget };
    const result = yield* resultWithRemedies(source, options.makeCpu);
    const exitCode = result.verdict === 'holds' ? 0 : result.verdict === 'fails' ? 1 : 3;
    const colour = options.colour ?? false;
    return { text: raceReport(result, { colour }), exitCode, json: raceJson(result), result };
  } finally {
    cpu.dispose();
  }
}

/** What came of several scenarios. */
export interface RaceCommandResults {
  readonly results: readonly RaceCommandResult[];
  /** Names of those that were not begun, because the search was told to stop. */
  readonly notBegun: readonly string[];
  /** The reports, and a line that counts them. */
  readonly text: string;
  /** 1 where one fails, else 3 where one is incomplete or was not begun, else 0. */
  readonly exitCode: 0 | 1 | 3;
}

/** Between two scenarios nothing is explored. */
const BETWEEN: Progress = {
  states: 0,
  transitions: 0,
  schedules: 0,
  frontier: 0,
  layer: -1,
  failures: 0,
  estimate: null,
};

/**
 * Explores several scenarios with the same options, one after the other. Told to stop, it ends the one under way and
 * begins no other.
 * @throws TraplineError `RACE_…` for an option or a name that is not known, before anything is explored
 */
export function* startRaceCommands(
  names: readonly string[],
  options: Omit<RaceCommandOptions, 'scenario'>,
): Generator<Progress, RaceCommandResults, StopReason | null> {
  for (const name of names) knownScenario(name, options.scenarios);
  const results: RaceCommandResult[] = [];
  let stopped: StopReason | null = null;
  for (const scenario of names) {
    stopped ??= yield BETWEEN;
    if (stopped !== null) break;
    const race = startRaceCommand({ ...options, scenario });
    let at = race.next();
    while (at.done !== true) {
      stopped = yield at.value;
      at = race.next(stopped);
    }
    results.push(at.value);
  }
  const notBegun = names.slice(results.length);
  const count = (verdict: RaceResult['verdict']): number => results.filter((r) => r.result.verdict === verdict).length;
  const isWhole = count('incomplete') === 0 && notBegun.length === 0;
  const left = notBegun.length === 0 ? '' : `; not begun, to go on with: ${notBegun.join(' ')}`;
  const summary = `${names.length} scenarios: ${count('holds')} hold, ${count('fails')} fail, ${count('incomplete')} incomplete${left}\n`;
  return {
    results,
    notBegun,
    text: [...results.map((result) => result.text), summary].join('\n'),
    exitCode: count('fails') > 0 ? 1 : isWhole ? 0 : 3,
  };
}

function knownScenario(name: string, own: readonly Scenario[] | undefined): Scenario {
  return own?.find((scenario) => scenario.name === name) ?? scenarioNamed(name);
}

/** Options of `trapline replay`. */
export interface ReplayCommandOptions {
  /** A token in either form, or a text that holds one: a report, a JSON result. */
  readonly token: string;
  readonly mode?: string;
  /** States at most, for what `continue` explores. */
  readonly budget?: number;
  readonly colour?: boolean;
  readonly makeCpu: RaceCommandOptions['makeCpu'];
  /** Scenarios beside those that Trapline brings. */
  readonly scenarios?: readonly Scenario[];
}

/**
 * Replays a schedule step by step.
 * Exit status 1 when the failure comes again, 0 when it passes, 3 when the schedule no longer fits.
 * @throws TraplineError `RACE_…` when the text is no token or names what is not known
 */
export function replayCommand(options: ReplayCommandOptions): ReplayResult & { readonly exitCode: 0 | 1 | 3 } {
  const mode = replayMode(options.mode ?? 'strict');
  const budget = integer('budget', options.budget, DEFAULT_BUDGETS['exhaustive'] ?? DEFAULT_SCHEDULES, 1, 2 ** 31);
  return withToken(options, (token, scenario, world) => {
    const result = replayToken(token, scenario, world, { mode, budget, colour: options.colour ?? false });
    return { ...result, exitCode: result.kind === 'failed' ? 1 : result.kind === 'passed' ? 0 : 3 };
  });
}

/** A token, and what is changed about its schedule. */
export interface ChangeScheduleOptions extends Pick<ReplayCommandOptions, 'token' | 'makeCpu' | 'scenarios'> {
  /** Other steps, as a token's second line has them; or which step is made as which, both counted from 0. */
  readonly change: string | { readonly from: number; readonly to: number };
}

/**
 * Replays a changed schedule.
 * @throws TraplineError `RACE_…` when the text is no token, names what is not known, or the change makes no schedule
 */
export function changeScheduleCommand(options: ChangeScheduleOptions): ChangedSchedule {
  const { change } = options;
  return withToken(options, (token, scenario, world) => {
    const steps =
      typeof change === 'string'
        ? parseSchedule(world.actors, change)
        : moveStep(scheduledSteps(token, world), change.from, change.to);
    return replayChanged(token, scenario, world, steps);
  });
}

function withToken<T>(
  { token: text, makeCpu, scenarios }: Pick<ReplayCommandOptions, 'token' | 'makeCpu' | 'scenarios'>,
  use: (token: Token, scenario: Scenario, world: World) => T,
): T {
  const token = parseToken(tokenIn(text));
  const scenario = knownScenario(token.scenario, scenarios);
  const cpu = makeCpu({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    return use(token, scenario, scenario.build(token.parameters, { cpu }));
  } finally {
    cpu.dispose();
  }
}
