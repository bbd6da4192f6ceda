// SPDX-License-Identifier: MIT
//
// The cost model's estimates for people.

import type { CostEstimate, CostEstimates, CostRange } from '../sandbox/cost-model.ts';

const WAYS = [
  ['native', 'native Linux'],
  ['ptrace', 'ptrace'],
  ['seccomp', 'all trapped, seccomp'],
  ['userDispatch', 'all trapped, user dispatch'],
  ['asRun', 'as in this run'],
] as const satisfies readonly (readonly [keyof CostEstimate, string])[];

/** A few indented lines: a row for each way to serve the calls, a column for each set of figures, then the sources. */
export function costText({ note, bases }: CostEstimates): string {
  const rows = [
    ['', ...bases.map((b) => b.basis)],
    ...WAYS.map(([key, label]) => [label, ...bases.map((b) => rangeText(b[key]))]),
  ];
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, c) => cell.padEnd(widths[c] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const sources = bases.map((b) => `${b.basis}: ${b.source}`);
  return [note, ...lines.map((l) => `  ${l}`), ...sources.map((s) => `  ${s}`), ''].join('\n');
}

const UNITS = ['ns', 'us', 'ms', 's'] as const;

/** `1.2-1.9 ms`: both ends in the unit of the greater, two digits of the smaller. */
export function rangeText([low, high]: CostRange): string {
  let scale = 1;
  let unit = 0;
  while (high / scale >= 1000 && unit < UNITS.length - 1) {
    scale *= 1000;
    unit++;
  }
  const [a, b] = [low / scale, high / scale].map((n) => (unit === 0 || n >= 100 ? n.toFixed(0) : n.toPrecision(2)));
  return `${a === b ? a : `${a}-${b}`} ${UNITS[unit] ?? 's'}`;
}
