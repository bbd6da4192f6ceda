// SPDX-License-Identifier: MIT
//
// Replay tokens: each printed report is parsed and replayed, in both forms; what does not fit says why.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { replayCommand, runRaceCommand } from '../../src/race/index.ts';
import { compactToken, formatToken, parseToken } from '../../src/race/token.ts';

type Options = Partial<Parameters<typeof runRaceCommand>[0]>;

function report(options: Options): string {
  return runRaceCommand({ scenario: 'patch-vs-exec', makeCpu: openUnicorn, ...options }).text;
}

function replay(token: string, mode?: string): ReturnType<typeof replayCommand> {
  return replayCommand({ token, makeCpu: openUnicorn, ...(mode !== undefined && { mode }) });
}

const FAILING: readonly Options[] = [
  { protocol: 'acb' },
  { protocol: 'bac', threads: 2 },
  { protocol: 'abc:nolock', startAt: 5 },
  { protocol: 'one-shot', grain: 'byte', table: 0x5061000 },
  { protocol: '5,1.4,5.2,0', model: 'stale', offset: 60, page: true },
  { offset: 58, model: 'torn-asc' },
  { offset: 63, model: 'stale-window=2', atom: 8, return: 'sysret', nr: 219 },
  { model: 'xmc-strict' },
  { strategy: 'pct', model: 'stale', offset: 62, budget: 2000, threads: 2 },
  { scenario: 'two-patchers', offset: 58, model: 'torn-any' },
];

/** The text token and the compact one of a report. */
function tokensOf(text: string): [text: string, compact: string] {
  const lines = text.trimEnd().split('\n').slice(-3);
  return [`${lines[0] ?? ''}\n${lines[1] ?? ''}`, lines[2] ?? ''];
}

describe('a printed report', () => {
  it.each(FAILING)('with %j replays as a whole, by its text token and by its compact one', (options) => {
    const text = report(options);
    const [long, compact] = tokensOf(text);
    const signature = parseToken(long).signature;
    expect(signature).not.toBe('');
    for (const given of [text, long, compact]) {
      const found = replay(given);
      expect(found).toMatchObject({ exitCode: 1, kind: 'failed', notes: [], failure: { signature } });
      expect(found.text).toContain('site in memory');
    }
    expect(parseToken(compact)).toEqual(parseToken(long));
    expect(formatToken(parseToken(compact))).toBe(long.replace(/^ +/gm, ''));
    expect(compactToken(parseToken(long))).toBe(compact.trim());
  });

  it('replays from its JSON, too', () => {
    const { json } = runRaceCommand({ scenario: 'patch-vs-exec', makeCpu: openUnicorn, protocol: 'acb' });
    expect(replay(JSON.stringify(json, null, 2)).exitCode).toBe(1);
    expect(replay(JSON.stringify(json)).exitCode).toBe(1);
  });
});

describe('a token', () => {
  const [token] = tokensOf(report({ offset: 58, model: 'torn-asc' }));
  const [, compact] = tokensOf(report({ offset: 58, model: 'torn-asc' }));
  const steps = (schedule: string): string => token.replace(/;steps=\d+/, '').replace(/\n.*/, `\n${schedule}`);

  it('of a schedule without its end passes', () => {
    expect(replay(steps('P:lock +5 | T0:F0'))).toMatchObject({ exitCode: 0, kind: 'passed' });
  });

  it('with a step that is not possible says which, and which are', () => {
    const found = replay(steps('T0:F0 X F0 | P:lock +6 +1.4'));
    expect(found).toMatchObject({ exitCode: 3, kind: 'diverged' });
    expect(found.problem).toBe('step 5: P does +5, not +6');
    expect(found.text).toMatch(/^DIVERGED {2}step 5: P does \+5, not \+6\n/);
  });

  it('in lenient mode leaves such steps out', () => {
    const renamed = steps('T0:F0 X new F0 | P:lock prepare +5 +1.4 +6 | T0:F1 X');
    expect(replay(renamed)).toMatchObject({ exitCode: 3 });
    expect(replay(renamed, 'lenient')).toMatchObject({ exitCode: 1, skipped: 2, failure: { signature: /0f 00/ } });
  });

  it('in mode continue is followed as far as it fits, and explored from there', () => {
    const found = replay(steps('T0:F0 X F0 | P:lock +5 +1.4'), 'continue');
    expect(found).toMatchObject({ exitCode: 1, kind: 'failed' });
    expect(found.onward?.complete).toBe(true);
    // What it found is a token again, and replays.
    expect(replay(found.text)).toMatchObject({ exitCode: 1 });
    expect(replay(steps('P:lock +5 +1.4 +6 +0 unlock'), 'continue')).toMatchObject({ exitCode: 0, kind: 'passed' });
  });

  it('shows how many private instructions a step has behind it, and none of them', () => {
    const { text } = replay(
      'xr1;scn=patch-vs-exec;model=coherent;patch=upstream;protocol=abc;g=64;atom=64;grain=isa;return=iret;off=0;page=0;start=0;nr=39;tbl=61000;threads=1\nP:lock +5 +1.4 +3.4 +0 unlock | T0:X',
    );
    expect(text).toMatch(/jmp \*0x61050 {2}\(\+\d+ private\)/);
  });

  it('counts repeated steps', () => {
    const text = steps('T0:F0 X*1 F0 | P:lock +5 +1.4 +6 | T0:F1*1 X');
    expect(replay(text)).toMatchObject({ exitCode: 1 });
  });

  it('of other content says what differs; lenient mode replays it all the same', () => {
    const other = token.replace('protocol=abc', 'protocol=abc:split=step');
    const found = replay(other);
    expect(found).toMatchObject({ exitCode: 3, kind: 'diverged' });
    expect(found.problem).toMatch(
      /^what the protocol stores of "patch-vs-exec" are not what it was made for \([0-9a-f.]+ then, [0-9a-f.]+ now\); --mode lenient/,
    );
    expect(replay(other, 'lenient')).toMatchObject({ notes: [/what the protocol stores/] });
  });

  it('that is cut off says so, wherever it is cut', () => {
    for (let length = 8; length < compact.trim().length; length += 3)
      expect(() => parseToken(compact.trim().slice(0, length))).toThrow('the token is cut off or changed');
    expect(() => parseToken(token.trim().slice(0, -3))).toThrow('it says 9 steps and has 8');
    expect(() => parseToken(token.split('\n')[0] ?? '')).toThrow('its steps, on the next line, are missing');
    expect(() => parseToken(compact.replace(/.(.)$/, 'A$1'))).toThrow('its checksum is wrong');
  });

  it('of another version, with unknown fields or values, or none at all, says what is wrong', () => {
    expect(() => parseToken(token.trim().replace('xr1', 'xr2'))).toThrow(
      'the token is of version 2; this Trapline reads',
    );
    expect(() => parseToken(token.replace(';g=64', ';h=64'))).toThrow(
      'has a field "h" that this Trapline does not know',
    );
    expect(() => parseToken(token.replace(';g=64', ''))).toThrow('the token has no "g="');
    expect(() => parseToken(token.replace(';g=64', ';g=65'))).toThrow(
      '"g=65" is not known; there are 64, 32, 16, 8, 1',
    );
    expect(() => parseToken(token.replace('off=58', 'off=64'))).toThrow('"off=64" is no number from 0 to 63');
    expect(() => replay(token.replace('patch-vs-exec', 'nothing'))).toThrow('there is no scenario "nothing"');
    expect(() => replay('nonsense')).toThrow('there is no token');
    expect(() => replay(token, 'loose')).toThrow('--mode loose is not known; use one of strict, lenient, continue');
    expect(() => replay(steps('Q:lock'))).toThrow('"Q:lock" is no part of a schedule');
  });
});
