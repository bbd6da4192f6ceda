// SPDX-License-Identifier: MIT
//
// What an independent analysis of the protocol says must come out, cell by cell: which placements fail under which
// fetch, which sync points repair them, which table addresses and stores are safe, which mutants are noticed where.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  parseProtocol,
  RACE_MEMORY_BYTES,
  scenarioNamed,
} from '../../src/race/index.ts';
import type { Exploration, Model, ScenarioParameters } from '../../src/race/index.ts';

interface Cell extends Partial<Omit<ScenarioParameters, 'model' | 'protocol'>> {
  readonly order?: string;
  readonly fetch?: string;
  readonly model?: Partial<Model>;
}

function run(cell: Cell): Exploration {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const model = { ...COHERENT, ...fetchNamed(cell.fetch ?? 'coherent'), ...cell.model };
    const parameters = { ...DEFAULT_PARAMETERS, ...cell, model, protocol: parseProtocol(cell.order ?? 'abc') };
    const world = scenarioNamed('patch-vs-exec').build(parameters, { cpu, recheckEvery: 100 });
    const result = explore(world, { budget: 1_000_000 });
    expect(result.complete).toBe(true);
    return result;
  } finally {
    cpu.dispose();
  }
}

function signatures(cell: Cell): string[] {
  return run(cell).witnesses.map((w) => w.failure.signature);
}

function holds(cell: Cell): boolean {
  return run(cell).verdict === 'holds';
}

/** Offset of a site of which `k` bytes lie in the first line. */
const split = (k: number): number => 64 - k;
const SPLITS = [1, 2, 3, 4, 5, 6];
const WEAK = ['torn-any', 'stale-window=0', 'stale-window=3', 'stale'];

describe('gVisor’s order', () => {
  it('holds in one line under every fetch, wherever threads start', () => {
    for (const fetch of ['coherent', 'torn-asc', ...WEAK]) {
      for (const startAt of [0, 5] as const) expect(holds({ fetch, startAt, offset: 20 })).toBe(true);
    }
  });

  it('split by a line holds under coherent fetch, and under torn ascending fetch but for the last byte', () => {
    for (const k of SPLITS) {
      expect(holds({ offset: split(k) })).toBe(true);
      expect(holds({ offset: split(k), fetch: 'torn-asc' })).toBe(k !== 6);
    }
  });

  it('split by a line fails under every weaker fetch', () => {
    for (const k of SPLITS) for (const fetch of WEAK) expect(holds({ offset: split(k), fetch })).toBe(false);
  });

  it('the smallest witness of the last byte under torn ascending fetch has 2 switches and 9 steps', () => {
    const [witness] = run({ offset: split(6), fetch: 'torn-asc' }).witnesses;
    expect(witness).toMatchObject({
      switches: 2,
      isMinimal: true,
      failure: { signature: 'illegal decode "0f 00" at site+5' },
    });
    expect(witness?.steps.map((s) => s.name).join(' ')).toBe('F0 X F0 lock +5 +1.4 +6 F1 X');
  });

  it('each failing placement has a witness of at most 2 switches and 10 steps', () => {
    for (const k of SPLITS) {
      for (const fetch of WEAK) {
        const [witness] = run({ offset: split(k), fetch }).witnesses;
        expect(witness?.switches).toBeLessThanOrEqual(2);
        expect(witness?.steps.length).toBeLessThanOrEqual(10);
      }
    }
  });

  it('split by a page fails in the same cells', () => {
    for (const k of SPLITS) {
      const page = { offset: split(k), atPageEnd: true };
      expect(holds(page)).toBe(true);
      expect(holds({ ...page, fetch: 'torn-asc' })).toBe(k !== 6);
      expect(holds({ ...page, fetch: 'stale' })).toBe(false);
    }
  });

  it('fetched byte by byte in any order fails in one line, too, in 18 ways', () => {
    expect(signatures({ fetch: 'torn-any', model: { granule: 1 } })).toHaveLength(18);
  });

  it('what the first byte of the jump makes of the old number depends on the number', () => {
    const first = (sysno: number): string | undefined => signatures({ offset: split(1), fetch: 'torn-any', sysno })[0];
    expect([0, 1, 39, 228].map(first)).toEqual([
      'illegal decode "ff 00" at site+0',
      'illegal decode "ff 01" at site+0',
      'illegal decode "ff 27" at site+0',
      'illegal decode "ff e4" at site+0',
    ]);
  });
});

describe('one thread is enough', () => {
  it('two threads fail in the ways in which one does', () => {
    for (const cell of [{ offset: split(6), fetch: 'stale' }, { offset: split(4), fetch: 'stale' }, { order: 'bac' }]) {
      expect(signatures({ ...cell, threads: 2 }).sort()).toEqual(signatures(cell).sort());
    }
  });
});

describe('sync points under stale fetch', () => {
  const failing = (steps: string): number[] =>
    SPLITS.filter((k) => !holds({ order: `abc:sync=${steps}`, offset: split(k), fetch: 'stale' }));

  it('after the guard: all placements still fail', () => {
    expect(failing('a')).toEqual(SPLITS);
  });

  it('after the operand: only the last byte fails', () => {
    expect(failing('b')).toEqual([6]);
  });

  it('after both: all hold', () => {
    expect(failing('ab')).toEqual([]);
  });
});

describe('other protocols', () => {
  it('one store of eight bytes holds under every fetch where it lies in one atom', () => {
    for (const fetch of ['coherent', ...WEAK]) {
      expect(holds({ order: 'one-store', fetch, model: { atom: 8 } })).toBe(true);
      expect(holds({ order: 'one-store', fetch, offset: 3 })).toBe(true);
      expect(holds({ order: 'one-store', fetch, offset: 3, model: { atom: 8 } })).toBe(false);
    }
  });

  it('a table whose third byte is an instruction fails at once', () => {
    expect(signatures({ table: 0x51000 })).toContain('illegal decode "05 05" at site+5');
    expect(signatures({ table: 0x901000 })).toContain('illegal decode "90" at site+5');
  });

  it('a table whose last byte is that of the syscall makes the last byte safe, and only that', () => {
    const table = 0x5061000;
    expect(SPLITS.filter((k) => holds({ table, offset: split(k), fetch: 'stale' }))).toEqual([6]);
  });
});

describe('mutants', () => {
  it('recovery without the lock is noticed by coherent fetch', () => {
    expect(signatures({ order: 'abc:nolock' })).toEqual(['SIGILL']);
  });

  it('a patcher that dies after its first, second or third store leaves a site that kills', () => {
    expect(holds({ order: 'abc:die=0' })).toBe(true);
    for (const n of [1, 2, 3]) expect(signatures({ order: `abc:die=${n}` })).toContain('SIGILL');
  });

  it('any one store that fails spoils a site for ever upstream, and does no harm hardened', () => {
    for (const offset of [0, 61]) {
      expect(signatures({ order: 'abc:faults=1', offset })).toEqual(expect.arrayContaining(['SIGILL', 'torn site']));
      expect(holds({ patch: 'hardened', order: 'abc:faults=1', offset, threads: 2 })).toBe(true);
    }
  });

  it('a stub that reads once is noticed by stale fetch of a split immediate only', () => {
    const wrong = (fetch: string, offset: number): boolean =>
      signatures({ order: 'abc:single-read', fetch, offset }).includes('wrong number');
    for (const fetch of ['coherent', 'torn-asc', 'torn-any'])
      for (const k of [0, ...SPLITS]) expect(wrong(fetch, split(k) % 64)).toBe(false);
    expect([0, ...SPLITS].filter((k) => wrong('stale', split(k) % 64))).toEqual([2, 3, 4, 5]);
  });
});

describe('returns by sysret', () => {
  it('change no verdict of gVisor’s order in one line', () => {
    for (const fetch of ['coherent', 'torn-any', 'stale'])
      expect(holds({ fetch, model: { returnBy: 'sysret' } })).toBe(true);
  });
});

describe('the detector of unsynchronised modification', () => {
  it('reports gVisor’s order with or without sync points, and nothing where all others stand still', () => {
    for (const order of ['abc', 'abc:sync=ab', 'abc:sync=abc']) {
      expect(signatures({ order, fetch: 'xmc-strict' })[0]).toMatch(/^unsynchronised site/);
    }
    expect(holds({ order: 'abc:stop', fetch: 'xmc-strict', threads: 2 })).toBe(true);
  });
});

describe('hardened', () => {
  it.each(['coherent', 'torn-asc', ...WEAK])('holds at every placement under %s fetch', (fetch) => {
    for (const offset of [0, 5, ...SPLITS.map(split)]) expect(holds({ patch: 'hardened', offset, fetch })).toBe(true);
    for (const k of SPLITS) {
      expect(holds({ patch: 'hardened', offset: split(k), fetch, atPageEnd: true })).toBe(true);
    }
  });

  const PARAMETERS: readonly Partial<Model>[] = [
    { granule: 32 },
    { granule: 16 },
    { granule: 8 },
    { granule: 1 },
    { grain: 'byte' },
    { grain: 'step' },
    { atom: 8 },
    { atom: 1 },
    { returnBy: 'sysret' },
  ];

  it.each(PARAMETERS)('holds with %o, too', (model) => {
    for (const fetch of ['coherent', 'torn-any', 'stale']) {
      for (const offset of [2, 10, 61]) expect(holds({ patch: 'hardened', offset, fetch, model })).toBe(true);
    }
  });

  it('synchronises every change of code as the manual asks for', () => {
    for (const offset of [0, 61])
      expect(holds({ patch: 'hardened', offset, fetch: 'xmc-strict', threads: 2 })).toBe(true);
  });
});
