// SPDX-License-Identifier: MIT
//
// `trapline race`: explores the interleavings of a scenario; exit status 0 holds, 1 fails, 3 incomplete.

import { openUnicorn } from '../cpu/unicorn/index.ts';
import { RACE_SCENARIOS, startRaceCommand } from '../race/command.ts';
import { junitXml } from '../race/junit.ts';
import { PROTOCOLS } from '../race/protocols.ts';
import { raceReport } from '../race/report.ts';
import { STRATEGIES } from '../race/search/explore.ts';
import { MODELS } from '../race/world/model.ts';
import type { RaceCommandOptions } from '../race/command.ts';
import { isColourful } from './colour.ts';
import { guestPatchers } from './guest-patcher.ts';
import { ResultFile, writeToStdout } from './output-file.ts';
import type { RawRaceOptions } from './race-options.ts';
import { followRace } from './race-progress.ts';
import { parseCount } from './sizes.ts';
import { UsageError } from './usage-error.ts';

/** Explores, prints the report, and gives the exit status. */
export async function raceCommand(scenario: string | undefined, raw: RawRaceOptions): Promise<number> {
  if (raw['list'] === true) {
    writeToStdout(listing());
    return 0;
  }
  if (scenario === undefined) throw new UsageError('race: no scenario was given; see trapline race --list');
  const text = (name: string): string | undefined => (typeof raw[name] === 'string' ? raw[name] : undefined);
  const json = text('json');
  const junit = text('junit');
  const files: ResultFile[] = [];
  try {
    const file = (option: string, path: string | undefined): ResultFile | undefined => {
      const opened = path === undefined ? undefined : new ResultFile(option, path);
      if (opened !== undefined) files.push(opened);
      return opened;
    };
    const jsonFile = file('--json', json);
    const junitFile = file('--junit', junit);
    const race = startRaceCommand({
      scenario,
      scenarios: guestPatchers(text('protocolElf')),
      makeCpu: openUnicorn,
      colour: isColourful(process.stdout),
      page: raw['page'] === true,
      ...names(text),
      ...numbers(text),
    });
    const result = await followRace(race, text('time'));
    writeToStdout(result.text);
    jsonFile?.finish(`${JSON.stringify(result.json, null, 2)}\n`);
    junitFile?.finish(junitXml([{ result: result.result, text: raceReport(result.result) }]));
    return result.exitCode;
  } catch (error) {
    for (const opened of files) opened.discard();
    throw error;
  }
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
const NUMBERS = ['threads', 'offset', 'nr', 'table', 'budget', 'granule', 'atom', 'seed'] as const;

function names(text: (name: string) => string | undefined): Names {
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
