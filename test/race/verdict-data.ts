// SPDX-License-Identifier: MIT
//
// The verdict book as data for the workshop's page, out of src/race/VERDICTS.md: nothing is explored again.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOOK_MODELS, BOOK_PROTOCOLS, PLACEMENTS } from './verdict-book.ts';

/** `upstream acb, page, k=5, stale: illegal decode "ff 27" at site+0, 1 switch: `. */
const WITNESS = /^- (.+?): (.+), (\d+) switch(?:es)?: `/gm;

/** Text of src/workshop/page/race/verdicts.json. @param root of the checkout */
export function verdictData(root: string): string {
  const book = readFileSync(join(root, 'src', 'race', 'VERDICTS.md'), 'utf8');
  const failures: { signature: string; switches: number }[] = [];
  const byTitle = new Map<string, number>();
  for (const [, title = '', signature = '', switches = ''] of book.matchAll(WITNESS)) {
    const failure = { signature, switches: Number(switches) };
    let index = failures.findIndex((each) => JSON.stringify(each) === JSON.stringify(failure));
    if (index === -1) index = failures.push(failure) - 1;
    byTitle.set(title, index);
  }
  const tables = BOOK_PROTOCOLS.map(({ patch, protocol }) => ({
    patch,
    protocol,
    cells: PLACEMENTS.map(({ name }) =>
      BOOK_MODELS.map((model) => byTitle.get(`${patch} ${protocol}, ${name}, ${model}`) ?? null),
    ),
  }));
  const placements = PLACEMENTS.map(({ name, offset, atPageEnd }) => ({ name, offset, page: atPageEnd }));
  const scenarios = ['patch-vs-exec', ...[...book.matchAll(/^\| ([a-z-]+), upstream +\|/gm)].map(([, name]) => name)];
  const used = new Set(tables.flatMap(({ cells }) => cells.flat()));
  const kept = failures.map((failure, i) => (used.has(i) ? failure : null));
  const order = [...used].filter((i): i is number => i !== null).sort((a, b) => a - b);
  const renumbered = tables.map((table) => ({
    ...table,
    cells: table.cells.map((row) => row.map((i) => (i === null ? null : order.indexOf(i)))),
  }));
  const data = {
    models: BOOK_MODELS,
    placements,
    scenarios,
    failures: kept.filter((f) => f !== null),
    tables: renumbered,
  };
  return `${JSON.stringify(data)}\n`;
}
