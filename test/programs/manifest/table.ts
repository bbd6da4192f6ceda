// SPDX-License-Identifier: MIT
//
// What the runs of the manifest cost, as a table for the log of the job.

import type { Row } from './row.ts';
import type { GuestRun } from './runner.ts';

/** One run of a row: in a mode, or the second one. */
export interface Measured {
  readonly row: Row;
  readonly label: string;
  readonly run: GuestRun;
}

/** Lines of a script that are neither empty nor comments. */
export function codeLines(text: string): number {
  return text.split('\n').filter((line) => !/^\s*(#.*|--.*|;.*)?$/.test(line)).length;
}

/** One line a run, with what took longest at the end, and the sums. */
export function tableOf(measured: readonly Measured[]): string {
  const sorted = [...measured].sort((a, b) => a.run.metrics.wallMs - b.run.metrics.wallMs);
  const lines = sorted.map(({ row, label, run: { metrics, processes } }) =>
    [
      row.name.padEnd(72),
      label.padEnd(9),
      String(Math.round(metrics.wallMs)).padStart(7),
      String(metrics.instructions).padStart(12),
      String(metrics.syscalls).padStart(8),
      String(processes).padStart(5),
      String(metrics.tasks).padStart(5),
    ].join(' '),
  );
  const head = `${'program'.padEnd(72)} ${'mode'.padEnd(9)}      ms instructions    calls procs tasks`;
  const sum = (of: (one: Measured) => number): number => measured.reduce((total, one) => total + of(one), 0);
  const seconds = Math.round(sum(({ run }) => run.metrics.wallMs) / 1000);
  const instructions = sum(({ run }) => run.metrics.instructions);
  return [head, ...lines, `${measured.length} runs, ${seconds} s, ${instructions} instructions`].join('\n');
}
