// SPDX-License-Identifier: MIT
//
// `trapline replay`: one schedule step by step; exit status 1 when the failure comes again, 0 when it passes, 3 when
// the schedule no longer fits.

import { openUnicorn } from '../cpu/unicorn/index.ts';
import { replayCommand as replayToken } from '../race/command.ts';
import type { ScheduleRequest } from '../race/recording/index.ts';
import type { ReplayResult } from '../race/replay.ts';
import { isColourful } from './colour.ts';
import { guestPatchers } from './guest-patcher.ts';
import { lazyDisassembler } from './guest.ts';
import { tryReadFile } from './input-file.ts';
import { writeToStdout } from './output-file.ts';
import { RecordingFile } from './recording-file.ts';
import { parseCount } from './sizes.ts';
import { UsageError } from './usage-error.ts';

/** Options as commander hands them over. */
export interface RawReplayOptions {
  readonly mode?: string;
  readonly budget?: string;
  readonly protocolElf?: string;
  readonly html?: string;
}

/** More is no report. */
const LARGEST_FILE = 64 * 2 ** 20;

function textOf(given: string): string {
  if (/^\s*xr\d+[;.]/.test(given)) return given;
  const bytes = tryReadFile(given, LARGEST_FILE);
  if (typeof bytes !== 'string') return new TextDecoder().decode(bytes);
  throw new UsageError(`replay: ${given} is no token ("xr1;…" or "xr1.…") and no file that can be read (${bytes})`);
}

/** Replays, prints the steps, and gives the exit status. */
export async function replayCommand(given: string | undefined, raw: RawReplayOptions): Promise<number> {
  const token = given ?? process.env['RACE_REPLAY'];
  if (token === undefined) throw new UsageError('replay: no token or file was given, and RACE_REPLAY is not set');
  const page = raw.html === undefined ? undefined : new RecordingFile(raw.html);
  try {
    const asked = { token: textOf(token), scenarios: guestPatchers(raw.protocolElf) };
    const result = replayToken({
      ...asked,
      makeCpu: openUnicorn,
      colour: isColourful(process.stdout),
      ...(raw.mode !== undefined && { mode: raw.mode }),
      ...(raw.budget !== undefined && { budget: parseCount('--budget', raw.budget, 1, Number.MAX_SAFE_INTEGER) }),
    });
    if (page !== undefined) await record(page, asked, result.kind);
    writeToStdout(result.text);
    return result.exitCode;
  } finally {
    page?.discard();
  }
}

/** @throws UsageError when there is nothing to record */
async function record(page: RecordingFile, asked: ScheduleRequest, kind: ReplayResult['kind']): Promise<void> {
  if (kind === 'diverged') {
    throw new UsageError('--html: the schedule does not fit any more; with --mode lenient what fits is recorded');
  }
  const { recordToken } = await import('../race/recording/index.ts');
  const host = { makeCpu: openUnicorn, disassembler: lazyDisassembler() };
  page.finish([recordToken(asked, host)], 'replay');
}
