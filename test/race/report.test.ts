// SPDX-License-Identifier: MIT
//
// Reports of the race command, the JSON and JUnit views of the same result, and the tokens that they print.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { junitXml, replayCommand, runRaceCommand, startRaceCommands } from '../../src/race/index.ts';
import type { RaceCommandResult, RaceCommandResults } from '../../src/race/index.ts';

type Options = Partial<Parameters<typeof runRaceCommand>[0]>;

function command(options: Options): RaceCommandResult {
  return runRaceCommand({ scenario: 'patch-vs-exec', makeCpu: openUnicorn, ...options });
}

function replay(token: string, mode?: string): ReturnType<typeof replayCommand> {
  return replayCommand({ token, makeCpu: openUnicorn, ...(mode !== undefined && { mode }) });
}

const TORN: Options = { offset: 58, model: 'torn-asc' };

describe('reports', () => {
  it('say what holds', () => {
    expect(command({}).text).toMatchInlineSnapshot(`
      "HOLDS patch-vs-exec, upstream, order abc: every thread makes its syscall once, with its own number
      model coherent: an instruction is fetched at once, from memory as it is. Stores: isa.
      72 states, 107 transitions, complete.   site at line offset 0
      coverage: 5 of 6 pairs of a store and a fetch that sees it; 5 byte mixes decoded, 0 wrong

      outcomes (states that end so):
            1  P trap 39, T0 trampoline 39
            1  P trap 39, T0 trap 39
      "
    `);
    expect(command({}).exitCode).toBe(0);
  });

  it('show the torn fetch that upstream allows, in fewer than 30 lines', () => {
    const { text, exitCode } = command(TORN);
    expect(exitCode).toBe(1);
    expect(text).toMatchInlineSnapshot(`
      "FAIL  patch-vs-exec, upstream, order abc: T0 decoded "0f 00" at site+5 (general-protection)
      model torn-asc: fetch reads 64-byte blocks one after another, memory itself stays in order. Stores: isa. (architecturally unsynchronised, not a bug seen in the field)
      2 context switches, 9 steps (minimal).   294 states, 563 transitions, complete.   site at line offset 58, A = +0..+5, B = +6

       #  P (patcher)                   T0                              site in memory          T0 holds
                                                                        b8 27 00 00 00 0f | 05
       1                                fetch A: b8 27 00 00 00 0f                              A:[b8 27 00 00 00 0f]
       2                                mov $39,%eax                                            -
       3                                fetch A: b8 27 00 00 00 0f                              A:[b8 27 00 00 00 0f]
          -------------------- switch --------------------
       4  lock
       5  step a: +5 = 06                                               b8 27 00 00 00 06 | 05  A:[b8 27 00 00 00 0f]  <- stale
       6  step b: +1..+4 = 24 25 50 10                                  b8 24 25 50 10 06 | 05
       7  step b: +6 = 00                                               b8 24 25 50 10 06 | 00
          -------------------- switch --------------------
       8                                fetch B: 00                                             A:[b8 27 00 00 00 0f] B:[00]  <- stale
       9                                "0f 00"  -> general-protection                          x

       site+5 decodes as 0f (the program's, stale since step 5) + 00 (from step 7) = lldt: privileged, #GP; expected syscall 0f 05 or the guard
       flips to PASS if step 8 (T0 F1) comes before step 7 (P +6)
       passes with: sync_core after step a; or table at 0x5061000 (byte +6 stays 05); or site not at offset 58 but in one line; or hardened mode
       interleavings that fail from here on: less than 0.1 % at the start, certain after step 7
       coverage: 8 of 8 pairs of a store and a fetch that sees it; 6 byte mixes decoded, 1 wrong
       ends well, too: P trap 39, T0 trampoline 39; P trap 39, T0 trap 39
      replay:
        xr1;scn=patch-vs-exec@9bc0.6d98.2240;model=torn-asc;patch=upstream;protocol=abc;g=64;atom=64;grain=isa;return=iret;off=58;page=0;start=0;nr=39;tbl=61000;threads=1;steps=9;sig=illegal decode "0f 00" at site+5
        T0:F0 X F0 | P:lock +5 +1.4 +6 | T0:F1 X
        xr1.BQAccGF0Y2gtdnMtZXhlY0A5YmMwLjZkOTguMjI0MAEIdG9ybi1hc2MIAjU4DgE5DyBpbGxlZ2FsIGRlY29kZSAiMGYgMDAiIGF0IHNpdGUrNQkCVDACRjABWAFQBGxvY2sCKzUEKzEuNAIrNgJGMQMAAwEBAgEBAQMEBAEFAQYBBwEAAggBAgELDg
      "
    `);
    expect(text.trimEnd().split('\n').length).toBeLessThan(30);
  });

  it('show an order that fails when fetch is coherent', () => {
    expect(command({ protocol: 'acb', offset: 61 }).text).toMatchInlineSnapshot(`
      "FAIL  patch-vs-exec, upstream, order acb: T0 decoded "ff 27" at site+0 (SIGSEGV: read of 0x0)
      model coherent: an instruction is fetched at once, from memory as it is. Stores: isa.
      1 context switch, 4 steps (minimal).   242 states, 469 transitions, complete.   site at line offset 61

       #  P (patcher)      T0                                site in memory
                                                             b8 27 00 | 00 00 0f 05
       1  lock
       2  step a: +5 = 06                                    b8 27 00 | 00 00 06 05
       3  step c: +0 = ff                                    ff 27 00 | 00 00 06 05
          -------------------- switch --------------------
       4                   "ff 27"  -> SIGSEGV: read of 0x0                          x

       site+0 decodes as ff (from step 3) + 27 (the program's) = jmp through memory or a register; expected the whole mov or the whole jump
       flips to PASS if step 4 (T0 X) comes before step 3 (P +0)
       passes with: the protocol abc; or hardened mode
       interleavings that fail from here on: 24 % at the start, 24 % after step 2, 56 % after step 3, certain after step 4
       fails in 2 other ways: illegal decode jmp *0x5060000 at site+0 (1 switch); illegal decode jmp *0x5061050 at site+0 (1 switch)
       coverage: 6 of 7 pairs of a store and a fetch that sees it; 7 byte mixes decoded, 3 wrong
       ends well, too: P trap 39, T0 trampoline 39; P trap 39, T0 trap 39
      replay:
        xr1;scn=patch-vs-exec@9d1f.ac4a.9767;model=coherent;patch=upstream;protocol=acb;g=64;atom=64;grain=isa;return=iret;off=61;page=0;start=0;nr=39;tbl=61000;threads=1;steps=4;sig=illegal decode "ff 27" at site+0
        P:lock +5 +0 | T0:X
        xr1.BQAccGF0Y2gtdnMtZXhlY0A5ZDFmLmFjNGEuOTc2NwMDYWNiCAI2MQ4BNA8gaWxsZWdhbCBkZWNvZGUgImZmIDI3IiBhdCBzaXRlKzAGAVAEbG9jawIrNQIrMAJUMAFYAgADAQECAQMBBAEFAYt6
      "
    `);
  });

  it('name only remedies that hold when they are explored on their own', () => {
    for (const options of [TORN, { protocol: 'acb' }, { model: 'stale', offset: 61 }, { protocol: 'abc:nolock' }]) {
      const { result } = command(options);
      expect(result.passesWith?.length).toBeGreaterThan(0);
      for (const { options: changed } of result.passesWith ?? []) {
        const [name = '', value = ''] = changed.slice(2).split(' ');
        const change = /^(0x)?\d/.test(value) ? Number(value) : value;
        expect([changed, command({ ...options, [name]: change }).result.verdict]).toEqual([changed, 'holds']);
      }
    }
  });

  it('of the races with and without sync points: after a and b is enough, after b alone is not at offset 58', () => {
    const remedies = command({ ...TORN, model: 'stale' }).result.passesWith?.map((r) => r.text) ?? [];
    expect(remedies).not.toContain('sync_core after step b');
    expect(remedies.some((text) => /^sync_core after step/.test(text))).toBe(true);
  });

  it('give the flip that makes the schedule pass', () => {
    const { result, text } = command(TORN);
    const at = result.witness?.flipAt ?? -1;
    expect(text).toContain(`flips to PASS if step ${at + 1} (T0 F1) comes before step ${at} (P +6)`);
    const steps = result.witness?.steps ?? [];
    const flipped = [...steps.slice(0, at - 1), steps[at], steps[at - 1], ...steps.slice(at + 1, -1)];
    const schedule = flipped.map((step) => `${step?.actor ?? ''}:${step?.name ?? ''}`).join(' | ');
    const head =
      text
        .slice(text.indexOf('xr1;'))
        .split('\n')[0]
        ?.replace(/;steps=\d+/, '') ?? '';
    expect(replay(`${head}\n${schedule}`).exitCode).toBe(0);
  });

  it('count the continuations that fail: never fewer once they are certain, and some pass before', () => {
    for (const options of [TORN, { protocol: 'bac' }, { model: 'torn-any', offset: 62 }]) {
      const shares = command(options).result.witness?.shares ?? [];
      const certain = shares.indexOf(1);
      expect(shares[0]).toBeGreaterThan(0);
      expect(shares[0]).toBeLessThan(1);
      expect(certain).toBeGreaterThan(0);
      expect(shares.slice(certain).every((share) => share === 1)).toBe(true);
    }
  });

  it('are incomplete, not passed, when the budget ends the search, and say how to go on', () => {
    const { text, exitCode } = command({ budget: 5 });
    expect(exitCode).toBe(3);
    expect(text).toMatch(/^INCOMPLETE [^\n]+: nothing wrong in what was looked at/);
    expect(text).toContain('the budget of 5 is used up; to go on: the same command with a larger --budget');
    expect(command({ strategy: 'urw', budget: 10, seed: 4 }).text).toContain('the same command with --seed 5');
  });

  it('say what is known where somebody interrupts the search, and name what was not begun', () => {
    const scenarios = ['patch-vs-exec', 'shared-tail'];
    const large = { patch: 'hardened', model: 'stale', granule: 1, threads: 6 };
    const search = startRaceCommands(scenarios, { makeCpu: openUnicorn, ...large });
    const first = search.next();
    expect(first.done).toBe(false);
    expect(search.next(null).done).toBe(false);
    const { value } = search.next('interrupted');
    expect(value).toMatchObject({ exitCode: 3, notBegun: ['shared-tail'] });
    const { text } = value as RaceCommandResults;
    expect(text).toMatch(/^INCOMPLETE patch-vs-exec/);
    expect(text).toContain('it was interrupted; to go on: the same command, which explores from the start');
    expect(text).toMatch(/1 incomplete; not begun, to go on with: shared-tail\n$/);
  });

  it('colour each actor for a terminal only', () => {
    expect(command(TORN).text).not.toContain('\u001b');
    const coloured = command({ ...TORN, colour: true }).text;
    expect(coloured).toContain('\u001b[');
    // Without the colours it is the same text.
    expect(coloured.split(/\p{Cc}\[\d+m/u).join('')).toBe(command(TORN).text);
  });
});

describe('the JSON of a result', () => {
  it('has version 1 of its schema, and no more fields than are written down', () => {
    const json = JSON.parse(JSON.stringify(command(TORN).json)) as Record<string, unknown>;
    expect(json).toMatchSnapshot();
  });

  it('is plain for what holds', () => {
    const { json } = command({});
    expect(json).toMatchObject({ schema: 'trapline-race', version: 1, verdict: 'holds', complete: true, failures: [] });
    expect(json.coverage?.mixes.wrong).toBe(0);
  });
});

describe('JUnit', () => {
  it('has a case for each result, and its report where it does not hold', () => {
    const xml = junitXml([{}, TORN, { budget: 5 }].map((options) => command(options)));
    expect(xml).toContain('<testsuite name="trapline race" tests="3" failures="1" errors="1">');
    expect(xml).toContain('<failure message="T0 decoded &#34;0f 00&#34; at site+5 (general-protection)">');
    expect(xml.match(/<testcase /g)).toHaveLength(3);
  });
});
