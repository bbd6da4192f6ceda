// SPDX-License-Identifier: MIT
//
// The facts that a program finds out about its own patching: `upstream` as recorded under a real runsc, fact by fact;
// `off` as Linux itself; `hardened` as Linux in all that a correct program may rely on. With TRAPLINE_RUNSC set to a
// runsc that works here, that one is asked, too.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromLatin1 } from '../../../src/base/bytes.ts';
import type { HostStream } from '../../../src/base/host.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import type { PatchMode } from '../../../src/platform/sentry.ts';
import { compareFacts, parseFacts } from '../../../src/report/fact-lines.ts';
import type { Facts } from '../../../src/report/fact-lines.ts';
import { nodeHost, openHostPath } from '../../../src/sandbox/host-node/index.ts';
import { Sandbox } from '../../../src/sandbox/sandbox.ts';
import type { UpstreamVersionName } from '../../../src/usertrap/versions.ts';
import { guestFile } from './checked.ts';

/** What each fact is, as anchors of the behaviour: the numbers are those of the guest's lines. */
const TITLES: readonly string[] = [
  'the table of five pages at a random page-aligned address, executable, named',
  'a site is patched when it is first executed, the first call is right, the second goes through the table',
  'the bytes of a slot',
  'the header counts slots, slot 0 is none',
  'a trapped call leaves rcx and r11 as the processor does, a patched one keeps them',
  'entry at the guard byte with the own number',
  'entry at the guard byte with another number',
  'entry at the guard byte with restart_syscall',
  'entry at the last byte',
  'a fresh site entered at the syscall is patched only with its own number',
  'mov to r8d is taken for mov to eax',
  'the end of a movabs is taken for mov to eax',
  'a site at the first byte of a mapping is never patched',
  'sites across lines and pages, and in read-only code, are patched',
  'any number is patched, also those that no call has',
  'a forked child goes on from the copied header, nothing is shared',
  '250 slots, five indices are skipped, later sites work all the same',
  'a site whose bytes the program restores works, with the table full, too',
];

const RECORDED = fileURLToPath(new URL('./facts-runsc-20240729.txt', import.meta.url));

async function factsIn(patch: PatchMode, seed = 0, upstream?: UpstreamVersionName): Promise<Facts> {
  let output = '';
  const stream: HostStream = {
    isTerminal: false,
    windowSize: () => ({ rows: 0, columns: 0 }),
    read: () => 0,
    onReadable: (callback) => setImmediate(callback),
    write: (from) => {
      output += fromLatin1(from);
      return from.length;
    },
  };
  const sandbox = Sandbox.create({
    host: { ...nodeHost(), stdin: stream, stdout: stream, stderr: stream },
    openCpu: openUnicorn,
    memoryBytes: 64 * 2 ** 20,
    program: '/facts',
    programFile: openHostPath(guestFile('facts'), { writable: false }),
    patch,
    seed,
    ...(upstream === undefined ? {} : { upstream }),
  });
  try {
    expect((await sandbox.run()).exit).toEqual({ code: 0 });
    return parseFacts(output);
  } finally {
    sandbox.dispose();
  }
}

const values = (facts: Facts, number: number): Record<string, string> => Object.fromEntries(facts.get(number) ?? []);

describe('upstream, against what was recorded under a real runsc', () => {
  const recorded = parseFacts(readFileSync(RECORDED, 'latin1'));
  let upstream: Facts;
  beforeAll(async () => {
    upstream = await factsIn('upstream');
  });

  it.each(TITLES.map((title, i) => [i + 1, title] as const))('fact %i: %s', (number) => {
    expect(recorded.has(number)).toBe(true);
    expect(values(upstream, number)).toEqual(values(recorded, number));
  });

  it('is the same wherever the table lies', async () => {
    for (const seed of [1, 2, 3]) expect(compareFacts(await factsIn('upstream', seed), recorded)).toEqual([]);
  });
});

describe('other versions of upstream', () => {
  it('have other bytes in a slot before 2024, and nothing else that differs', async () => {
    const recorded = parseFacts(readFileSync(RECORDED, 'latin1'));
    expect(compareFacts(await factsIn('upstream', 0, '2024-07'), recorded)).toEqual([]);
    expect(compareFacts(await factsIn('upstream', 0, '2023-02'), recorded)).toEqual([
      expect.stringMatching(/^fact 3: code: ours 65c704253400000003000000.*, theirs 65c704252c00000002000000/),
    ]);
  });
});

describe('hardened', () => {
  it('keeps all that a correct program may rely on', async () => {
    const hardened = await factsIn('hardened');
    const off = await factsIn('off');
    // Registers, entries behind the mov, false matches: as with patching off.
    for (const number of [5, 6, 7, 8, 11, 12, 13]) expect(values(hardened, number)).toEqual(values(off, number));
    expect(values(hardened, 10)).toMatchObject({ 'other-number': 'right', 'own-number': 'right' });
    for (const number of [14, 17]) expect(values(hardened, number)).toMatchObject({ right: 'yes' });
    expect(values(hardened, 18)).toMatchObject({ restored: 'right', 'restored-when-full': 'right' });
  });

  it('leaves a site alone that a page boundary splits, has one slot more, and does not show the table', async () => {
    const hardened = await factsIn('hardened');
    expect(values(hardened, 14)).toMatchObject({ 'page-split': 'no', 'line-split': 'yes', 'read-only': 'yes' });
    expect(values(hardened, 17)).toMatchObject({ patched: '251' });
    for (const number of [1, 4]) expect(values(hardened, number)).toMatchObject({ table: 'no' });
  });
});

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('off', () => {
  it('is as on this machine', async () => {
    const native = parseFacts(execFileSync(guestFile('facts'), { encoding: 'latin1', timeout: 600_000 }));
    expect(native.size).toBe(TITLES.length);
    expect(compareFacts(await factsIn('off'), native)).toEqual([]);
  });
});

const runsc = process.env['TRAPLINE_RUNSC'];
if (runsc !== undefined && runsc !== '') {
  describe('the runsc of TRAPLINE_RUNSC', () => {
    it('finds the facts that upstream finds', async () => {
      const state = mkdtempSync(join(tmpdir(), 'trapline-runsc-'));
      try {
        const options = [`--root=${state}`, '--network=none', '--ignore-cgroups', '--platform=systrap'];
        const output = execFileSync(runsc, [...options, 'do', guestFile('facts')], { encoding: 'latin1' });
        expect(compareFacts(await factsIn('upstream'), parseFacts(output))).toEqual([]);
      } finally {
        rmSync(state, { recursive: true, force: true });
      }
    });
  });
}
