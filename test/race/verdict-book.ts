// SPDX-License-Identifier: MIT
//
// Makes the tables of src/race/VERDICTS.md from explorations. Each cell is data here, so that a test can work out a
// share of them again and compare.

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
import type { Model, ScenarioParameters, Witness } from '../../src/race/index.ts';
import { compactToken, tokenOf } from '../../src/race/token.ts';
import HARDWARE from './hardware.json' with { type: 'json' };
import { MUTANTS } from './mutants.ts';

/** One exploration. */
export interface Cell {
  readonly scenario?: string;
  readonly patch?: 'upstream' | 'hardened';
  readonly protocol?: string;
  readonly fetch?: string;
  readonly offset?: number;
  readonly atPageEnd?: boolean;
  readonly startAt?: 0 | 5;
  readonly model?: Partial<Model>;
}

/** A way to fail, and the shortest schedule that leads there. */
export interface Found {
  readonly signature: string;
  readonly text: string;
  readonly switches: number;
  readonly token: string;
}

const BUDGET = 1_000_000;

/** The failures of a cell, fewest context switches first; none where it holds. An incomplete search is an error. */
export function failures(cell: Cell): Found[] {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const { scenario = 'patch-vs-exec', protocol = 'abc', fetch = 'coherent', model, ...placement } = cell;
    const parameters: ScenarioParameters = {
      ...DEFAULT_PARAMETERS,
      ...placement,
      model: { ...COHERENT, ...fetchNamed(fetch), ...model },
      protocol: parseProtocol(protocol),
    };
    const world = scenarioNamed(scenario).build(parameters, { cpu });
    const result = explore(world, { budget: BUDGET });
    if (!result.complete) throw new Error(`${JSON.stringify(cell)} is not complete within ${BUDGET} states`);
    return result.witnesses.map(({ failure, switches, steps }: Witness) => ({
      signature: failure.signature,
      text: failure.text,
      switches,
      token: compactToken(tokenOf(scenario, parameters, world, steps, failure.signature)),
    }));
  } finally {
    cpu.dispose();
  }
}

export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((h, c) => Math.max(3, h.length, ...rows.map((r) => (r[c] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join(' | ')} |\n`;
  return line(heading) + line(widths.map((w) => '-'.repeat(w))) + rows.map(line).join('');
}

function switches(n: number): string {
  return `${n} switch${n === 1 ? '' : 'es'}`;
}

// ---- placements

export const BOOK_MODELS = ['coherent', 'torn-asc', 'torn-any', 'stale-window=2', 'stale', 'xmc-strict'];

const IN_LINE = { name: 'in one line', offset: 0, atPageEnd: false };

export const PLACEMENTS: readonly { name: string; offset: number; atPageEnd: boolean }[] = [
  IN_LINE,
  ...[1, 2, 3, 4, 5, 6].map((k) => ({ name: `line, k=${k}`, offset: 64 - k, atPageEnd: false })),
  ...[1, 2, 3, 4, 5, 6].map((k) => ({ name: `page, k=${k}`, offset: 64 - k, atPageEnd: true })),
];

export const BOOK_PROTOCOLS: readonly { readonly patch: 'upstream' | 'hardened'; readonly protocol: string }[] = [
  { patch: 'upstream', protocol: 'abc' },
  { patch: 'hardened', protocol: 'abc' },
  ...['abc-sync', 'acb', 'bac', 'bca', 'cab', 'cba', 'bc', 'one-shot', 'one-store'].map((protocol) => ({
    patch: 'upstream' as const,
    protocol,
  })),
];

/** One line of the list of witnesses, or null where the cell holds. */
export function witnessLine(title: string, cell: Cell): string | null {
  const [first] = failures(cell);
  return first === undefined ? null : `- ${title}: ${first.signature}, ${switches(first.switches)}: \`${first.token}\``;
}

export interface BookCell {
  readonly title: string;
  readonly cell: Cell;
}

/** All cells of the placement tables, with the titles of their witnesses. */
export function placementCells(): BookCell[] {
  return BOOK_PROTOCOLS.flatMap(({ patch, protocol }) =>
    PLACEMENTS.flatMap(({ name, offset, atPageEnd }) =>
      BOOK_MODELS.map((fetch) => ({
        title: `${patch} ${protocol}, ${name}, ${fetch}`,
        cell: { patch, protocol, offset, atPageEnd, fetch },
      })),
    ),
  );
}

// ---- scenarios

export const BOOK_SCENARIOS = [
  'two-patchers',
  'shared-tail',
  'long-mov',
  'patch-vs-remap',
  'patch-vs-rewrite',
  'patch-vs-dontneed',
  'patch-vs-mprotect',
  'patch-vs-munmap',
  'patch-vs-attach',
  'patch-vs-fork',
  'patch-vs-execve',
  'interrupt-vs-patch',
  'restart-vs-patch',
  'restart-block-vs-patch',
  'cow-break',
  'table-full',
  'table-munmap',
  'trampoline-line',
  'slot-reuse',
  'cow-in-slot',
  'site-at-vma-start',
];

const SCENARIO_MODELS = ['coherent', 'stale', 'xmc-strict'];

export function scenarioCells(): BookCell[] {
  return BOOK_SCENARIOS.flatMap((scenario) =>
    (['upstream', 'hardened'] as const).flatMap((patch) =>
      SCENARIO_MODELS.map((fetch) => ({
        title: `${scenario}, ${patch}, ${fetch}`,
        cell: { scenario, patch, fetch },
      })),
    ),
  );
}

// ---- tables: one cell after the other, then what they come to

function book(
  cells: readonly BookCell[],
  columns: readonly string[],
  sections: readonly { heading: string; rows: readonly string[] }[],
): string {
  const lines = cells.map(({ title, cell }) => witnessLine(title, cell));
  let at = 0;
  const parts = sections.map(({ heading, rows }) => {
    const body = rows.map((name) => [name, ...columns.map(() => (lines[at++] === null ? 'holds' : 'fails'))]);
    return `${heading}\n\n${table(['', ...columns], body)}`;
  });
  const failing = lines.filter((line) => line !== null);
  return `${parts.join('\n')}\nWitnesses, one a failing cell:\n\n${failing.join('\n')}\n`;
}

export function placementTable(): string {
  const sections = BOOK_PROTOCOLS.map(({ patch, protocol }) => ({
    heading: `### ${patch}, ${protocol}`,
    rows: PLACEMENTS.map((p) => p.name),
  }));
  return book(placementCells(), BOOK_MODELS, sections);
}

export function scenarioTable(): string {
  const rows = BOOK_SCENARIOS.flatMap((s) => [`${s}, upstream`, `${s}, hardened`]);
  return book(scenarioCells(), SCENARIO_MODELS, [{ heading: '### Site in one line, one thread', rows }]);
}

// ---- hardware

export type HardwareRow = (typeof HARDWARE)[number];

export { HARDWARE };

/** Outcomes that the processor showed in a row, each with the test for a failure that is it. */
export function hardwareOutcomes(row: HardwareRow): { name: string; is: (found: Found) => boolean }[] {
  return [
    ...(row.guard > 0 ? [{ name: 'guard at +5', is: (f: Found) => f.signature === 'guard' }] : []),
    ...row.segvAt.map((at) => {
      const [rip = '', address = ''] = at.split(',');
      // A fault that is no page fault has no address, and is shown as 0.
      const reads = rip === '+5' ? '' : `SIGSEGV: read of 0x${Number(address).toString(16)})`;
      return { name: `SIGSEGV ${at}`, is: (f: Found) => f.text.includes(`at site${rip} (`) && f.text.includes(reads) };
    }),
    ...row.numbers.map((n) => ({ name: `number ${n}`, is: (f: Found) => f.signature === `number ${n}` })),
  ];
}

/** Each outcome of a row with the weakest model that reaches it. */
export function reach(row: HardwareRow): { outcome: string; model: string | null; found: Found | null }[] {
  const byModel = new Map<string, Found[]>();
  return hardwareOutcomes(row).map(({ name, is }) => {
    for (const fetch of ['coherent', 'torn-asc', 'torn-any', 'stale']) {
      const known = byModel.get(fetch) ?? failures({ scenario: 'hardware', ...pick(row), fetch });
      byModel.set(fetch, known);
      const found = known.find(is);
      if (found !== undefined) return { outcome: name, model: fetch, found };
    }
    return { outcome: name, model: null, found: null };
  });
}

function pick({ protocol, offset }: HardwareRow): Cell {
  return { protocol, offset };
}

export function hardwareTable(): string {
  const rows = HARDWARE.flatMap((row) => {
    const head = [row.order, row.protocol, String(row.offset)];
    const reached = reach(row);
    if (reached.length === 0) return [[...head, 'nothing', '', '']];
    return reached.map(({ outcome, model, found }) => [
      ...head,
      outcome,
      model ?? 'not reached',
      found === null ? '' : `\`${found.token}\``,
    ]);
  });
  return table(['order', 'protocol', 'offset', 'the processor showed', 'reached in', 'witness'], rows);
}

// ---- mutants

export function mutationTable(): string {
  const rows = MUTANTS.map(({ removed, mode, protocol, killer }) => {
    const cell: Cell = { ...killer, patch: mode };
    const before = new Set(failures(cell).map((f) => f.signature));
    const found = failures({ ...cell, protocol }).find((f) => !before.has(f.signature));
    const placement = killer.offset === undefined ? 'one line' : `offset ${killer.offset}`;
    const by = `${killer.scenario ?? 'patch-vs-exec'}, ${killer.fetch ?? 'coherent'}, ${placement}`;
    return [removed, mode, `\`${protocol}\``, by, found?.signature ?? 'survives', `\`${found?.token ?? ''}\``];
  });
  return table(['without', 'mode', 'protocol', 'killed by', 'as', 'witness'], rows);
}
