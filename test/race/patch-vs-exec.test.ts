// SPDX-License-Identifier: MIT
//
// The orders of the patch protocol under every interleaving with real instructions, coherent fetch.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { DEFAULT_PARAMETERS, explore, RACE_MEMORY_BYTES } from '../../src/race/index.ts';
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
