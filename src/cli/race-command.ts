// SPDX-License-Identifier: MIT
//
// `trapline race`: explores the interleavings of a scenario; exit status 0 holds, 1 fails, 3 incomplete.

import { openUnicorn } from '../cpu/unicorn/index.ts';
import { RACE_SCENARIOS, runRaceCommand } from '../race/command.ts';
import type { RaceCommandOptions } from '../race/command.ts';
import { ResultFile, writeToStdout } from './output-file.ts';
import type { RawRaceOptions } from './race-options.ts';
import { parseCount } from './sizes.ts';
import { UsageError } from './usage-error.ts';

/** Explores, prints the report, and gives the exit status. */
export function raceCommand(scenario: string | undefined, raw: RawRaceOptions): number {
  if (raw['list'] === true) {
    for (const { name, summary } of RACE_SCENARIOS) writeToStdout(`${name.padEnd(24)}${summary}\n`);
    return 0;
  }
  if (scenario === undefined) throw new UsageError('race: no scenario was given; see trapline race --list');
  const text = (name: string): string | undefined => (typeof raw[name] === 'string' ? raw[name] : undefined);
  const json = text('json');
  const file = json === undefined ? undefined : new ResultFile('--json', json);
  try {
    const result = runRaceCommand({ scenario, makeCpu: openUnicorn, ...names(text), ...numbers(text) });
    writeToStdout(result.text);
    file?.finish(`${JSON.stringify(result.json, null, 2)}\n`);
    return result.exitCode;
  } catch (error) {
    file?.discard();
    throw error;
  }
}

type Names = Partial<Pick<RaceCommandOptions, 'patch' | 'protocol' | 'model' | 'grain'>>;
type Numbers = Partial<Record<'threads' | 'offset' | 'nr' | 'table' | 'budget', number>>;

function names(text: (name: string) => string | undefined): Names {
  const given = (['patch', 'protocol', 'model', 'grain'] as const).flatMap((name) => {
    const value = text(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(given);
}

function numbers(text: (name: string) => string | undefined): Numbers {
  const given = (['threads', 'offset', 'nr', 'table', 'budget'] as const).flatMap((name) => {
    const value = text(name);
    return value === undefined ? [] : [[name, parseCount(`--${name}`, value, 0, Number.MAX_SAFE_INTEGER)] as const];
  });
  return Object.fromEntries(given);
}
