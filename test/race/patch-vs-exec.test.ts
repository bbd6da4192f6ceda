// SPDX-License-Identifier: MIT
//
// The orders of the patch protocol under every interleaving with real instructions, coherent fetch.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { DEFAULT_PARAMETERS, explore, RACE_MEMORY_BYTES, replayCommand, runRaceCommand } from '../../src/race/index.ts';
import { parseProtocol, scenarioNamed } from '../../src/race/index.ts';
import type { Model, ScenarioParameters } from '../../src/race/index.ts';

interface Verdict {
  verdict: string;
  failures: string[];
  switches: number | undefined;
}

type Options = Partial<Omit<ScenarioParameters, 'model' | 'protocol'>> & Partial<Model>;

function verdict(order: string, options: Options = {}): Verdict {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const model = { ...DEFAULT_PARAMETERS.model, ...options };
    const parameters = { ...DEFAULT_PARAMETERS, ...options, model, protocol: parseProtocol(order) };
    const world = scenarioNamed('patch-vs-exec').build(parameters, { cpu, recheckEvery: 7 });
    const result = explore(world, { budget: 1_000_000 });
    expect(result.complete).toBe(true);
    const failures = result.witnesses.map((w) => w.failure.signature);
    return { verdict: result.verdict, failures, switches: result.witnesses[0]?.switches };
  } finally {
    cpu.dispose();
  }
}

describe('orders of the three steps, one thread', () => {
  it('abc, gVisor’s, holds with real stores, with whole steps and with single bytes', () => {
    for (const grain of ['isa', 'step', 'byte'] as const) expect(verdict('abc', { grain }).verdict).toBe('holds');
  });

  it('acb fails: the old immediate becomes a ModRM byte', () => {
    const { failures, switches } = verdict('acb');
    expect(failures[0]).toBe('illegal decode "ff 27" at site+0');
    expect(switches).toBe(1);
  });

  it('bac, bca and the order without a guard fail only when stores are what the machine does', () => {
    for (const order of ['bac', 'bca', 'bc']) {
      expect(verdict(order)).toMatchObject({ verdict: 'fails', failures: ['wrong number'] });
      expect(verdict(order, { grain: 'step' }).verdict).toBe('holds');
    }
  });

  it('cab and cba fail, whole steps or not', () => {
    for (const order of ['cab', 'cba']) {
      expect(verdict(order).failures).toContain('illegal decode "ff 27" at site+0');
      expect(verdict(order, { grain: 'step' }).verdict).toBe('fails');
    }
  });

  it('one copy of seven bytes fails between its two stores', () => {
    expect(verdict('one-shot').failures).toEqual(['illegal decode jmp *0x50f0050 at site+0']);
    expect(verdict('one-shot', { grain: 'step' }).verdict).toBe('holds');
  });

  it('recovery without the lock gives the program a SIGILL', () => {
    expect(verdict('abc:nolock').failures).toEqual(['SIGILL']);
  });
});

describe('gVisor’s order', () => {
  it('holds for two threads, wherever they start in the site and whatever the number', () => {
    for (const startAt of [0, 5] as const) {
      for (const sysno of [0, 39, 219]) expect(verdict('abc', { threads: 2, startAt, sysno }).verdict).toBe('holds');
    }
  });

  it('holds hardened, also where a line splits the site and the others are stopped', () => {
    for (const offset of [0, 58, 61, 62, 63]) {
      expect(verdict('abc', { patch: 'hardened', threads: 2, offset }).verdict).toBe('holds');
    }
  });
});

describe('the race command', () => {
  const command = (options: Partial<Parameters<typeof runRaceCommand>[0]>): ReturnType<typeof runRaceCommand> =>
    runRaceCommand({ scenario: 'patch-vs-exec', makeCpu: openUnicorn, ...options });

  it('reports the order that holds', () => {
    expect(command({}).text).toMatchInlineSnapshot(`
      "HOLDS patch-vs-exec, upstream, order abc: every thread makes its syscall once, with its own number
      model coherent: an instruction is fetched at once, from memory as it is. Stores: isa.   site at line offset 0
      70 states, 104 transitions, complete

      outcomes (states that end so):
            1  P trap 39, T0 trampoline 39
            1  P trap 39, T0 trap 39
      "
    `);
    expect(command({}).exitCode).toBe(0);
  });

  it('reports the order that fails, with a schedule that replays', () => {
    const result = command({ protocol: 'acb', offset: 61 });
    expect(result.exitCode).toBe(1);
    expect(result.text).toMatchInlineSnapshot(`
      "FAIL  patch-vs-exec, upstream, order acb: T0 decoded "ff 27" at site+0 (SIGSEGV: read of 0x0)
      model coherent: an instruction is fetched at once, from memory as it is. Stores: isa.   site at line offset 61
      191 states, 371 transitions, complete

      1 context switch (minimal), 4 steps:

       #  P (patcher)                             T0                                      site bytes in memory
                                                                                          b8 27 00 | 00 00 0f 05
       1  lock
       2  step a: +5 = 06                                                                 b8 27 00 | 00 00 06 05
       3  step c: +0 = ff                                                                 ff 27 00 | 00 00 06 05
       ------------------ switch ------------------
       4                                          "ff 27"  -> SIGSEGV: read of 0x0          x

      passes if step 4 (T0 X) comes before step 3 (P +0)

      replay:
        xr1;scn=patch-vs-exec;model=coherent;patch=upstream;protocol=acb;g=64;atom=64;grain=isa;return=iret;off=61;page=0;start=0;nr=39;tbl=61000;threads=1
        P:lock +5 +0 | T0:X

      other failures:
        T0 decoded jmp *0x5060000 at site+0 (SIGSEGV: read of 0x5060000) (1 switch)
        T0 decoded jmp *0x5061050 at site+0 (SIGSEGV: read of 0x5061050) (1 switch)

      outcomes (states that end so):
            4  illegal decode "ff 27" at site+0
            2  illegal decode jmp *0x5060000 at site+0
            2  illegal decode jmp *0x5061050 at site+0
            1  P trap 39, T0 trampoline 39
            1  P trap 39, T0 trap 39
      "
    `);
    const token = result.text.slice(result.text.indexOf('xr1;')).split('\n').slice(0, 2).join('\n');
    expect(replayCommand(token, openUnicorn)).toMatchObject({ exitCode: 1 });
    expect(replayCommand(token.replace('protocol=acb', 'protocol=abc'), openUnicorn)).toMatchObject({ exitCode: 3 });
    expect(replayCommand(token.replace(/\n.*/, '\nP:lock +5 | T0:X'), openUnicorn)).toMatchObject({ exitCode: 0 });
  });

  it('is incomplete, not passed, when the bound ends it', () => {
    expect(command({ budget: 20 })).toMatchObject({ exitCode: 3 });
    expect(command({ budget: 5 }).text).toMatch(/^INCOMPLETE [^\n]+: nothing wrong in what the budget allows/);
  });

  it('refuses what it does not know', () => {
    expect(() => command({ scenario: 'nothing' })).toThrow('there is no scenario "nothing"');
    expect(() => command({ protocol: 'xyz' })).toThrow('--protocol xyz: "xyz" is not known');
    expect(() => command({ model: 'old' })).toThrow('there is no model "old"');
    expect(() => command({ offset: 64 })).toThrow('--offset must be a whole number from 0 to 63');
    expect(() => replayCommand('nonsense', openUnicorn)).toThrow('a schedule starts with');
  });
});
