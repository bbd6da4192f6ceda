// SPDX-License-Identifier: MIT
//
// `trapline replay`: one schedule step by step; exit status 1 when the failure comes again, 0 when it passes, 3 when
// the schedule no longer fits.

import { readFileSync } from 'node:fs';

import { openUnicorn } from '../cpu/unicorn/index.ts';
import { replayCommand as replayToken } from '../race/command.ts';
import { isColourful } from './colour.ts';
import { guestPatchers } from './guest-patcher.ts';
import { writeToStdout } from './output-file.ts';
import { parseCount } from './sizes.ts';
import { UsageError } from './usage-error.ts';

/** Options as commander hands them over. */
export interface RawReplayOptions {
  readonly mode?: string;
  readonly budget?: string;
  readonly protocolElf?: string;
}

/** More is no report. */
const LARGEST_FILE = 64 * 2 ** 20;

function textOf(given: string): string {
  if (/^\s*xr\d+[;.]/.test(given)) return given;
  try {
    const bytes = readFileSync(given);
    if (bytes.length > LARGEST_FILE) throw new UsageError(`replay: ${given} is too large to be a report`);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const why = error instanceof Error ? error.message.replace(/,.*/s, '') : String(error);
    throw new UsageError(`replay: ${given} is no token ("xr1;…" or "xr1.…") and no file that can be read (${why})`);
  }
}

/** Replays, prints the steps, and gives the exit status. */
export function replayCommand(given: string | undefined, raw: RawReplayOptions): number {
  const token = given ?? process.env['RACE_REPLAY'];
  if (token === undefined) throw new UsageError('replay: no token or file was given, and RACE_REPLAY is not set');
  const result = replayToken({
    token: textOf(token),
    makeCpu: openUnicorn,
    scenarios: guestPatchers(raw.protocolElf),
    colour: isColourful(process.stdout),
    ...(raw.mode !== undefined && { mode: raw.mode }),
    ...(raw.budget !== undefined && { budget: parseCount('--budget', raw.budget, 1, Number.MAX_SAFE_INTEGER) }),
  });
  writeToStdout(result.text);
  return result.exitCode;
}
