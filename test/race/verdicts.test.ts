// SPDX-License-Identifier: MIT
//
// src/race/VERDICTS.md says what the explorer finds. After a change on purpose: write the table that the failure shows.

import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { DEFAULT_PARAMETERS, explore, parseProtocol, RACE_MEMORY_BYTES, scenarioNamed } from '../../src/race/index.ts';

const ORDERS = ['abc', 'acb', 'bac', 'bca', 'cab', 'cba', 'bc', 'one-shot'];
const GRAINS = ['step', 'isa', 'byte'] as const;

function cell(order: string, grain: (typeof GRAINS)[number]): string {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const model = { ...DEFAULT_PARAMETERS.model, grain };
    const parameters = { ...DEFAULT_PARAMETERS, model, protocol: parseProtocol(order) };
    const result = explore(scenarioNamed('patch-vs-exec').build(parameters, { cpu }), { budget: 1_000_000 });
    expect(result.complete).toBe(true);
    const [first] = result.witnesses;
    if (first === undefined) return 'holds';
    const where = first.failure.signature.replace('illegal decode ', '').replace(/(.*) at site\+(\d)/, '`$1` at +$2');
    return `${where}, ${first.switches} switch${first.switches === 1 ? '' : 'es'}`;
  } finally {
    cpu.dispose();
  }
}

it('the table of verdicts is what the explorer finds', () => {
  const rows = ORDERS.map((order) => `| ${order} | ${GRAINS.map((grain) => cell(order, grain)).join(' | ')} |`);
  const text = readFileSync(new URL('../../src/race/VERDICTS.md', import.meta.url), 'utf8');
  const table = text.split('\n').filter((line) => /^\| (?!order|-)/.test(line));
  expect(table.map((line) => line.replace(/ +/g, ' '))).toEqual(rows);
});
