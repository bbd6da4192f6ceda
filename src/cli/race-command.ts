// SPDX-License-Identifier: MIT
//
// `trapline race`: explores the interleavings of a scenario; exit status 0 holds, 1 fails, 3 incomplete.

import { openUnicorn } from '../cpu/unicorn/index.ts';
import { ALL_SCENARIOS, RACE_SCENARIOS, startRaceCommand, startRaceCommands } from '../race/command.ts';
import { junitXml } from '../race/junit.ts';
import { PROTOCOLS } from '../race/protocols.ts';
import { raceReport } from '../race/report.ts';
import { racesJson } from '../race/result-json.ts';
import { STRATEGIES } from '../race/search/explore.ts';
import { MODELS } from '../race/world/model.ts';
import type { RaceCommandOptions, RaceCommandResults } from '../race/command.ts';
import type { Progress, StopReason } from '../race/search/system.ts';
import { isColourful } from './colour.ts';
import { guestPatchers } from './guest-patcher.ts';
import { lazyDisassembler } from './guest.ts';
import { ResultFile, writeToStdout } from './output-file.ts';
import { RecordingFile } from './recording-file.ts';
import type { RawRaceOptions } from './race-options.ts';
import { followRace } from './race-progress.ts';
import { startRaceWorkers } from './race-workers.ts';
import { parseCount } from './sizes.ts';
import { UsageError } from './usage-error.ts';

/** Explores, prints the report, and gives the exit status. */
export async function raceCommand(names: readonly string[], raw: RawRaceOptions): Promise<number> {
  if (raw['list'] === true) {
    writeToStdout(listing());
    return 0;
  }
  if (raw['all'] === true && names.length > 0) throw new UsageError('race: --all or names of scenarios, not both');
  const scenarios = raw['all'] === true ? ALL_SCENARIOS : names;
  if (scenarios.length === 0) throw new UsageError('race: no scenario was given; see trapline race --list');
  const text = (name: string): string | undefined => (typeof raw[name] === 'string' ? raw[name] : undefined);
  const json = text('json');
  const junit = text('junit');
  const html = text('html');
  const files: (ResultFile | RecordingFile)[] = [];
  try {
    const file = (option: string, path: string | undefined): ResultFile | undefined => {
      const opened = path === undefined ? undefined : new ResultFile(option, path);
      if (opened !== undefined) files.push(opened);
      return opened;
    };
    const jsonFile = file('--json', json);
    const junitFile = file('--junit', junit);
    const page = html === undefined ? undefined : new RecordingFile(html);
    if (page !== undefined) files.push(page);
    const options = {
      scenarios: guestPatchers(text('protocolElf')),
      makeCpu: openUnicorn,
      colour: isColourful(process.stdout),
      page: raw['page'] === true,
      startWorkers: startRaceWorkers,
      ...named(text),
      ...numbers(text),
    };
    const { results, notBegun, text: report, exitCode } = await followRace(races(scenarios, options), text('time'));
    writeToStdout(report);
    const data =
      scenarios.length === 1
        ? results[0]?.json
        : racesJson(
            results.map((r) => r.json),
            notBegun,
          );
    jsonFile?.finish(`${JSON.stringify(data, null, 2)}\n`);
    junitFile?.finish(
      junitXml(
        results.map(({ result }) => ({ result, text: raceReport(result) })),
        notBegun,
      ),
    );
    if (page !== undefined) {
      const { recordRaces } = await import('../race/recording/index.ts');
      const host = { makeCpu: openUnicorn, disassembler: lazyDisassembler() };
      page.finish(
        recordRaces(
          results.map(({ result }) => result),
          host,
        ),
        `race ${scenarios.join(' ')}`,
      );
    }
    return exitCode;
  } catch (error) {
    for (const opened of files) opened.discard();
    throw error;
  }
}

/** One scenario has its report alone. */
function* races(
  scenarios: readonly string[],
  options: Omit<RaceCommandOptions, 'scenario'>,
): Generator<Progress, RaceCommandResults, StopReason | null> {
  const [scenario] = scenarios;
  if (scenario === undefined || scenarios.length > 1) return yield* startRaceCommands(scenarios, options);
  const result = yield* startRaceCommand({ ...options, scenario });
  return { results: [result], notBegun: [], text: result.text, exitCode: result.exitCode };
}

/** What `--list` shows. */
function listing(): string {
  const section = (title: string, rows: readonly { readonly name: string; readonly summary: string }[]): string =>
    `${title}\n${rows.map(({ name, summary }) => `  ${name.padEnd(24)}${summary}`).join('\n')}\n`;
  return [
    section('scenarios', RACE_SCENARIOS),
    section('models (--model)', MODELS),
    section('protocols (--protocol)', PROTOCOLS),
    section('strategies (--strategy)', STRATEGIES),
  ].join('\n');
}

type Names = Partial<Pick<RaceCommandOptions, (typeof NAMES)[number]>>;
type Numbers = Partial<Record<(typeof NUMBERS)[number] | 'startAt', number>>;

const NAMES = ['patch', 'protocol', 'model', 'grain', 'return', 'strategy'] as const;
const NUMBERS = ['threads', 'offset', 'nr', 'table', 'budget', 'granule', 'atom', 'seed', 'workers'] as const;

function named(text: (name: string) => string | undefined): Names {
  const given = NAMES.flatMap((name) => {
    const value = text(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(given);
}

function numbers(text: (name: string) => string | undefined): Numbers {
  const given = NUMBERS.flatMap((name) => {
    const value = text(name);
    return value === undefined ? [] : [[name, parseCount(`--${name}`, value, 0, Number.MAX_SAFE_INTEGER)] as const];
  });
  const start = text('start');
  const startAt = start === undefined ? {} : { startAt: parseCount('--start', start, 0, 5) };
  return { ...Object.fromEntries(given), ...startAt };
}
