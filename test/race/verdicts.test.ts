// SPDX-License-Identifier: MIT
//
// src/race/VERDICTS.md says what the explorer finds: all of it is worked out again. After a change on purpose:
// `npm run docs -- src/race/VERDICTS.md`.

import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { replayCommand } from '../../src/race/index.ts';
import { GUARDS, killer, NO_RACE, SWEPT, without } from './guard-sweep.ts';
import { MUTANTS } from './mutants.ts';
import {
  failures,
  HARDWARE,
  mutationTable,
  placementCells,
  reach,
  scenarioCells,
  witnessLine,
} from './verdict-book.ts';
import type { BookCell } from './verdict-book.ts';

const BOOK = readFileSync(new URL('../../src/race/VERDICTS.md', import.meta.url), 'utf8');
const LINES = BOOK.split('\n');
/** A cell in so many of those that hold without a guard is explored again. */
const SHARE = 20;
/** A token in so many is replayed. */
const REPLAYED = 25;

function written({ title }: BookCell): string | null {
  return LINES.find((line) => line.startsWith(`- ${title}: `)) ?? null;
}

describe('the verdict book', () => {
  it('has a witness for each cell that fails', () => {
    const cells = [...placementCells(), ...scenarioCells()];
    const fails = BOOK.split('## Real processors')[0]?.match(/\| fails /g)?.length;
    expect(cells.filter((cell) => written(cell) !== null)).toHaveLength(fails ?? 0);
  });

  it('has hardened in no witness', () => {
    const hardened = [...placementCells(), ...scenarioCells()].filter(({ cell }) => cell.patch === 'hardened');
    expect(hardened.length).toBeGreaterThan(100);
    expect(hardened.filter((cell) => written(cell) !== null)).toEqual([]);
  });

  it('says of placements what the explorer finds', () => {
    for (const cell of placementCells()) expect(witnessLine(cell.title, cell.cell)).toBe(written(cell));
  });

  it('says of scenarios what the explorer finds', () => {
    for (const cell of scenarioCells()) expect(witnessLine(cell.title, cell.cell)).toBe(written(cell));
  });

  it('has tokens that replay to the failure of their cell', () => {
    const tokens = LINES.flatMap((line) => /`(xr1\.[^`]+)`/.exec(line)?.[1] ?? []);
    for (const token of tokens.filter((_, i) => i % REPLAYED === 0))
      expect(replayCommand({ token, makeCpu: openUnicorn })).toMatchObject({ exitCode: 1 });
  });
});

describe('what a real processor showed', () => {
  it('is reached under coherent fetch, outcome by outcome', () => {
    for (const row of HARDWARE) {
      for (const { outcome, model, found } of reach(row)) {
        expect({ row: `${row.order} at ${row.offset}`, outcome, model }).toMatchObject({ model: 'coherent' });
        expect(BOOK).toContain(found?.token);
      }
    }
  });

  it('is a guard or nothing for gVisor’s order, at every offset', () => {
    const rows = HARDWARE.filter((row) => row.protocol === 'abc');
    expect(rows.map((row) => row.offset).sort((a, b) => a - b)).toEqual([0, 59, 61, 63]);
    for (const row of rows) expect([row.segv, row.number]).toEqual([0, 0]);
  });
});

describe('each guard of hardened mode', () => {
  const rows = LINES.slice(LINES.indexOf('<!-- guards -->'));
  const row = (guard: string): string => rows.find((line) => line.startsWith(`| ${guard} `)) ?? '';

  it('is missed by a schedule in the book, or the book says why none misses it', () => {
    for (const guard of GUARDS) {
      const token = /`(xr1\.[^`]+)`/.exec(row(guard))?.[1];
      if (token === undefined) expect(row(guard)).toContain(`none of ${SWEPT.length}`);
      else expect([guard, replayCommand({ token, makeCpu: openUnicorn }).exitCode]).toEqual([guard, 1]);
      expect([guard, NO_RACE[guard] === undefined]).toEqual([guard, token !== undefined]);
      expect(row(guard)).toContain(NO_RACE[guard] ?? ': ');
    }
  });

  it('holds where the schedule fails without it', () => {
    for (const guard of GUARDS.filter((name) => NO_RACE[name] === undefined)) {
      const found = killer(guard);
      expect(row(guard)).toContain(found?.found.token);
      expect([guard, found === null ? [] : failures(found.cell)]).toEqual([guard, []]);
    }
  }, 120_000);

  it('whose absence no race shows is absent without harm in a share of the cells', () => {
    for (const [i, guard] of GUARDS.filter((name) => NO_RACE[name] !== undefined).entries())
      for (const [n, cell] of SWEPT.entries())
        if ((n + i) % SHARE === 0) expect([guard, cell, failures(without(guard, cell))]).toEqual([guard, cell, []]);
  }, 120_000);
});

describe('each guard of the protocol', () => {
  it('is missed by the cell that the book names', () => {
    const table = mutationTable();
    expect(table).not.toContain('survives');
    expect(table.trim().split('\n')).toHaveLength(MUTANTS.length + 2);
    expect(BOOK).toContain(table);
  });
});
