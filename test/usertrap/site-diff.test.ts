// SPDX-License-Identifier: MIT

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/bytes.ts';
import { diffSites, isWorse, type SiteDiff } from '../../src/usertrap/site-diff.ts';
import { analyseSites } from '../../src/usertrap/site-report.ts';
import { BASE, elfOf, HEADER } from './elf-of-code.ts';

const GETPID = 'b8 27 00 00 00 0f 05 c3';
const SLOW_GETPID = 'b8 27 00 00 00 90 0f 05 c3';
const EXIT = 'b8 3c 00 00 00 0f 05 c3';

/** A build of functions; code by name. */
function build(functions: readonly (readonly [name: string, hex: string])[]): ReturnType<typeof analyseSites>['sites'] {
  const parts = functions.map(([, hex]) => fromHex(hex));
  const code = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  const symbols = parts.map((part, i) => {
    code.set(part, at);
    const address = BASE + HEADER + at;
    at += part.length;
    return { name: functions[i]?.[0] ?? '', address, size: part.length };
  });
  return analyseSites(elfOf(code, symbols)).sites;
}

function shown(diff: SiteDiff): string[] {
  return diff.changes.map((c) =>
    `${c.kind} ${c.function} ${c.ordinal} ${c.modes.join('+')} ${c.hazards.join('+')}`.trim(),
  );
}

describe('diffSites', () => {
  it('finds nothing between builds that differ in addresses only', () => {
    const diff = diffSites(
      build([
        ['a', GETPID],
        ['b', EXIT],
      ]),
      build([
        ['x', 'c3 90'],
        ['b', EXIT],
        ['a', GETPID],
      ]),
    );
    expect(diff).toMatchObject({ changes: [], added: [], removed: [], matched: 2 });
    expect(isWorse(diff)).toBe(false);
  });

  it('tells the call that loses its patch, and the one that gains it', () => {
    const [fast, slow] = [build([['a', GETPID + EXIT]]), build([['a', SLOW_GETPID + EXIT]])];
    const lost = diffSites(fast, slow);
    expect(shown(lost)).toEqual(['lost a 1 upstream+hardened']);
    expect(isWorse(lost)).toBe(true);
    const gained = diffSites(slow, fast);
    expect(shown(gained)).toEqual(['gained a 1 upstream+hardened']);
    expect(isWorse(gained)).toBe(false);
  });

  it('follows calls by number when others come before them', () => {
    const diff = diffSites(build([['a', GETPID + EXIT]]), build([['a', `31 c0 0f 05 ${EXIT}${SLOW_GETPID}`]]));
    expect(shown(diff)).toEqual(['lost a 3 upstream+hardened']);
    expect(diff.added.map((s) => s.sysno)).toEqual([0]);
  });

  it('pairs a call whose number is hidden now with the one that is left', () => {
    const diff = diffSites(build([['a', GETPID + EXIT]]), build([['a', `89 f8 0f 05 c3 ${EXIT}`]]));
    expect(shown(diff)).toEqual(['lost a 1 upstream+hardened']);
    expect(diff).toMatchObject({ matched: 2, added: [], removed: [] });
  });

  it('tells a danger that is new in a call that is patched as before', () => {
    const diff = diffSites(build([['a', GETPID]]), build([['a', `${GETPID} eb f6`]]));
    expect(shown(diff)).toEqual([]);
    const worse = diffSites(build([['a', GETPID]]), build([['a', `${GETPID} eb fb`]]));
    expect(shown(worse)).toEqual(['danger a 1 upstream+hardened shared-tail']);
    expect(isWorse(worse)).toBe(true);
  });

  it('tells the false match as a loss in hardened mode only', () => {
    const diff = diffSites(build([['a', GETPID]]), build([['a', `b8 27 00 00 00 41 ${GETPID}`]]));
    expect(shown(diff)).toEqual(['lost a 1 hardened', 'danger a 1 upstream+hardened false-match']);
  });

  it('keeps functions of one name apart, and lists those that only one build has', () => {
    const before = build([
      ['f', GETPID],
      ['g', EXIT],
      ['f', EXIT],
    ]);
    const after = build([
      ['f', SLOW_GETPID],
      ['h', EXIT],
      ['f', EXIT],
    ]);
    const diff = diffSites(before, after);
    expect(shown(diff)).toEqual(['lost f 1 upstream+hardened']);
    expect(diff.removed.map((s) => s.function?.name)).toEqual(['g']);
    expect(diff.added.map((s) => s.function?.name)).toEqual(['h']);
  });

  it('is the other way round when the builds are', () => {
    const code = fc.array(fc.constantFrom(GETPID, SLOW_GETPID, EXIT, '31 c0 0f 05', '89 f8 0f 05', 'cd 80', '90'), {
      maxLength: 6,
    });
    const functions = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), code), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(functions, functions, (first, second) => {
        const sites = [first, second].map((f) =>
          build(f.map(([name, parts]) => [name, `c3 ${parts.join(' ')}`] as const)),
        );
        const [a, b] = sites as [(typeof sites)[0], (typeof sites)[0]];
        const [there, back] = [diffSites(a, b), diffSites(b, a)];
        expect(there.matched + there.removed.length).toBe(a.length);
        expect(there.matched + there.added.length).toBe(b.length);
        expect(back.matched).toBe(there.matched);
        const count = (d: SiteDiff, kind: string): number => d.changes.filter((c) => c.kind === kind).length;
        expect(count(there, 'lost') - count(there, 'gained')).toBe(count(back, 'gained') - count(back, 'lost'));
        expect(diffSites(a, a).changes).toEqual([]);
      }),
      { numRuns: 500, seed: 42 },
    );
  });
});
