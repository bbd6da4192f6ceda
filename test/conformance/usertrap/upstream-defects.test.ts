// SPDX-License-Identifier: MIT
//
// D1 to D9 of usertrap.md 2.15: what each guest of UPSTREAM.md prints and ends with under patch mode upstream is what a real
// runsc (0.0~20240729, Systrap) gave, where it could be run there; hardened each ends as on Linux.

import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import type { SandboxOptions } from '../../../src/sandbox/sandbox.ts';
import { runGuest } from '../../programs/guest-run.ts';

const guestFile = (name: string): string => fileURLToPath(new URL(`../../../guests/bin/${name}.elf`, import.meta.url));

/** Lines of a real runsc, the place of its table and process numbers aside. */
const REAL: readonly (readonly [string, string])[] = [
  ['d1-slot-256', 'd1 table=? patched=251 highest-slot=256 bytes-written-behind=70 wrong-results=0\n'],
  ['d2-slot-leak', 'd2 first-patched=1 shared-patched=0 last-patched=0 wrong-results=0\n'],
  ['d3-shared-tail', 'd3 patched=1 getpid=1 getuid=0 getuid-by-the-tail-before=0 after=1\n'],
  ['d5-table-over-mapping', 'd5 patched=1 pages-lost=5 from=?\n'],
  ['d6-header', 'd6 table=? header=2 child-status=11\n'],
  ['d8-poisoned-gs', 'd8 patched=1 harmed=20 of=20 last-status=11\n'],
];

const run = (name: string, options: Partial<SandboxOptions>): ReturnType<typeof runGuest> =>
  runGuest(guestFile(name), { uid: 0, ...options });

describe('upstream', () => {
  it.each(REAL)('%s prints the line of a real runsc', async (name, line) => {
    for (const upstream of ['2024-07', '3c5eee1'] as const) {
      const { output, exit } = await run(name, { patch: 'upstream', upstream });
      expect(output.replace(/(table|from)=0x6[0-9a-f]000/, '$1=?')).toBe(line);
      expect(exit).toEqual({ code: 1 });
    }
  });

  it('D4 ends in a panic of the stub where turns may end in a trampoline, and not where copied pages stay mapped', async () => {
    const options = { patch: 'upstream', stubPreemption: true } as const;
    const panicked = await run('d4-copied-table', options);
    expect(panicked.exit).toEqual({ signal: 9 });
    expect(panicked.warnings.join()).toContain('0xbad0001');
    const guarded = await run('d4-copied-table', { ...options, guards: { keepCopiedPage: true } });
    expect(guarded.exit).toEqual({ code: 0 });
    expect((await run('d4-copied-table', { patch: 'upstream' })).exit).toEqual({ code: 0 });
  });

  it('D7 shows from December 2024 on', async () => {
    const exits = await Promise.all(
      (['2023-02', '2024-07', '3c5eee1'] as const).map(
        async (upstream) => (await run('d7-fp-state', { patch: 'upstream', stubPreemption: true, upstream })).exit,
      ),
    );
    expect(exits).toEqual([{ code: 0 }, { code: 0 }, { code: 1 }]);
  });

  it('D9: with patching disabled a call through the vsyscall page is no fault, and a filter sees its caller', async () => {
    const line = (page: number): string =>
      `d9 right=3 of=3 filter-sees-the-page=${page} filter-sees-the-caller=${1 - page}\n`;
    for (const patch of ['off', 'upstream', 'hardened'] as const) {
      const { output, exit } = await run('d9-vsyscall', { patch });
      expect([output, exit]).toEqual([line(1), { code: 0 }]);
    }
    const { output, exit } = await run('d9-vsyscall', { patch: 'upstream', disablePatching: true });
    expect([output, exit]).toEqual([line(0), { code: 1 }]);
  });
});

describe('a sleep that goes on while its site is patched (d10-restart-block)', () => {
  const line = /^d10 sleeps=320 wrong-results=[1-9][0-9]* error=14\n$/;

  it('starts anew as another call in every version, as under a real runsc, where the host may stop a handler', async () => {
    for (const upstream of ['2024-07', '3c5eee1'] as const) {
      const { output, exit } = await run('d10-restart-block', { patch: 'upstream', stubPreemption: true, upstream });
      expect([output, exit]).toEqual([expect.stringMatching(line), { code: 1 }]);
    }
  });

  it('goes on with the guard that compares numbers', async () => {
    const guards = { compareSysno: true };
    const { output } = await run('d10-restart-block', { patch: 'upstream', stubPreemption: true, guards });
    expect(output).toBe('d10 sleeps=320 wrong-results=0 error=0\n');
  });
});

describe('hardened', () => {
  it.each([...REAL.map(([name]) => name), 'd4-copied-table', 'd7-fp-state', 'd9-vsyscall', 'd10-restart-block'])(
    '%s ends as on Linux',
    async (name) => {
      const { exit, output } = await run(name, { patch: 'hardened', stubPreemption: true });
      expect([output, exit]).toEqual([expect.stringMatching(/^d\d+ /), { code: 0 }]);
    },
  );
});
