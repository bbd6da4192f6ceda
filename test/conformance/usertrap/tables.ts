// SPDX-License-Identifier: MIT
//
// The tables of README.md: scenarios, invariants and rules, each with the tests that hold it. A row whose test is gone
// is an error here.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INVARIANTS } from './invariant-list.ts';
import { FACTS_SEEN, RULES, SECTIONS } from './rule-list.ts';
import { SCENARIOS } from './scenario-list.ts';

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((h, c) => Math.max(3, h.length, ...rows.map((r) => (r[c] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join(' | ')} |\n`;
  return line(heading) + line(widths.map((w) => '-'.repeat(w))) + rows.map(line).join('');
}

/** File names as the README shows them. */
function shortName(file: string): string {
  return file.replace('conformance/usertrap/', '').replace('.test.ts', '');
}

/** Whether a file holds a title that begins so. */
function holds(root: string, file: string, title: string): boolean {
  const source = readFileSync(join(root, 'test', file), 'utf8');
  return ["'", '`', '"'].some((quote) => source.includes(`${quote}${title}`));
}

/** What the lists name and the tests do not have; empty when they agree. */
export function staleRows(root: string): string[] {
  const stale: string[] = [];
  for (const { number, name, tests } of SCENARIOS) {
    for (const file of tests) if (!holds(root, file, `${number} ${name}`)) stale.push(`scenario ${number}: ${file}`);
  }
  const named = [
    ...RULES.map(({ section, tests }) => ({ section, tests })),
    ...FACTS_SEEN.map(({ number, tests }) => ({ section: `fact ${number}`, tests })),
  ];
  for (const { section, tests } of named) {
    for (const test of tests) {
      const [file, title] = test.split(/: (.*)/s);
      if (!holds(root, file ?? '', title ?? '')) stale.push(`rule of ${section}: ${test}`);
    }
  }
  for (const section of SECTIONS) {
    if (!RULES.some((r) => r.section === section && r.tests.length > 0)) stale.push(`no test holds section ${section}`);
  }
  return stale;
}

export function scenarioTable(): string {
  const rows = SCENARIOS.map((s) => [
    String(s.number),
    s.name,
    s.hardened === undefined ? `${s.upstream} (both)` : s.upstream,
    s.hardened ?? '',
    s.tests.map(shortName).join(', '),
  ]);
  return table(['#', 'scenario', 'upstream', 'hardened', 'tests'], rows);
}

export function invariantTable(): string {
  const rows = INVARIANTS.map((i) => [
    String(i.number),
    i.text,
    i.isUnobservable === true ? `out of sight: ${i.seenAt}` : i.seenAt,
    i.mutant ?? '',
    i.upstream ?? '',
  ]);
  return table(['#', 'invariant', 'looked at', 'mutant that is noticed', 'may break upstream'], rows);
}

function testNames(tests: readonly string[]): string {
  return tests.map((t) => `${shortName(t.split(': ')[0] ?? '')}: ${t.split(/: (.*)/s)[1] ?? ''}`).join('; ');
}

export function factTable(): string {
  const rows = FACTS_SEEN.map((f) => [String(f.number), f.text, testNames(f.tests)]);
  return table(['fact', 'what a guest finds under runsc', 'tests'], rows);
}

export function ruleTable(): string {
  const rows = RULES.map((r) => [r.section, r.text, testNames(r.tests)]);
  return table(['section', 'rule', 'tests'], rows);
}
