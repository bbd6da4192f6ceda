// SPDX-License-Identifier: MIT
//
// The README's tables are what the lists say, and the lists name tests that exist.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

import { factTable, invariantTable, ruleTable, scenarioTable, staleRows } from './tables.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..', '..');

it('every row names tests that exist, and every section of the specification has one', () => {
  expect(staleRows(root)).toEqual([]);
});

it.each([
  ['scenarios', scenarioTable],
  ['invariants', invariantTable],
  ['facts', factTable],
  ['rules', ruleTable],
] as const)('README.md shows the %s as they are (npm run docs)', (section, make) => {
  const readme = readFileSync(join(here, 'README.md'), 'utf8');
  expect(readme).toContain(`<!-- ${section} -->\n\n${make()}\n<!-- end -->`);
});
