// SPDX-License-Identifier: MIT
//
// The two recordings that the page offers besides those of the lessons: one run, one race. `npm run docs` writes them to
// src/workshop/lessons/recordings, and a test compares.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Host, HostStream } from '../../../src/base/host.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { Disassembler } from '../../../src/isa/disassembler.ts';
import { runRaceCommand } from '../../../src/race/command.ts';
import { recordRace } from '../../../src/race/recording/index.ts';
import { recordRun } from '../../../src/sandbox/recording/record-run.ts';
import { recordingsJson } from '../../../src/report/recording-page.ts';
import { directoryWith } from '../../kernel/code-guest.ts';

const GUEST = 'lesson-getpid';

const nowhere: HostStream = {
  isTerminal: false,
  windowSize: () => ({ rows: 24, columns: 80 }),
  read: () => 0,
  onReadable: (callback) => callback(),
  write: (from) => from.length,
};

/** Time stands still: nothing recorded depends on it. */
const HOST: Host = {
  stdin: nowhere,
  stdout: nowhere,
  stderr: nowhere,
  wallClockNs: () => 0n,
  monotonicMs: () => 0,
  entropy: () => undefined,
  breathe: () => Promise.resolve(),
  sleep: () => Promise.resolve(),
};

/** Content by file name. @param root of the checkout */
export async function sampleRecordings(root: string): Promise<Map<string, string>> {
  const made = new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
  const disassembler = (): Disassembler => made;
  try {
    const elf = new Uint8Array(readFileSync(join(root, 'guests', 'bin', `${GUEST}.elf`)));
    const programFile = { directory: directoryWith(`${GUEST}.elf`, elf), entry: `${GUEST}.elf` };
    const { recording } = await recordRun(
      { host: HOST, openCpu: openUnicorn, program: `/${GUEST}.elf`, programFile, memoryBytes: 64 * 2 ** 20 },
      { everyInstruction: true, disassembler, command: `trapline run --patch hardened -- guests/bin/${GUEST}.elf` },
    );
    const race = runRaceCommand({ scenario: 'patch-vs-exec', protocol: 'acb', makeCpu: openUnicorn });
    const [failure] = recordRace(race.result, { makeCpu: openUnicorn, disassembler });
    const text = (one: Parameters<typeof recordingsJson>[0][number] | undefined): string =>
      one === undefined ? '' : `${recordingsJson([one], '')}\n`;
    return new Map([
      ['sample-run.json', text(recording)],
      ['sample-race.json', text(failure)],
    ]);
  } finally {
    made.dispose();
  }
}
