// SPDX-License-Identifier: MIT
//
// The manifest: programs of Debian and programs built here do in the sandbox, in every mode, what they do on this
// machine's kernel, and do it twice in the same way to the byte of the strace text.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build, missing } from './builds.ts';
import { MANIFEST } from './manifest.ts';
import { GROUPS } from './row.ts';
import type { Row } from './row.ts';
import { MODES, Workplace } from './runner.ts';
import type { GuestRun, Mode } from './runner.ts';
import { codeLines, tableOf } from './table.ts';
import type { Measured } from './table.ts';

const isLinux = process.platform === 'linux' && process.arch === 'x64';
/** One row runs four times, and a busy machine takes its time. */
const PATIENCE_MS = 60 * 60_000;
const MANY_INSTRUCTIONS = 1e8;
const LONG_SCRIPT_LINES = 50;

const SCRIPTS = fileURLToPath(new URL('scripts/', import.meta.url));

/** Lines of the script that an interpreter runs, without empty ones and comments. */
function scriptLines(row: Row): number {
  if (!row.groups.includes('interpreters')) return 0;
  const names = [...row.command, ...(row.stdin === undefined ? [] : [`$SCRIPTS/${row.stdin}`])]
    .map((word) => /^\$SCRIPTS\/([\w./-]+)$/.exec(word)?.[1])
    .filter((name) => name !== undefined);
  return Math.max(0, ...names.map((name) => codeLines(readFileSync(join(SCRIPTS, name), 'latin1'))));
}

/** Keeps rows that run at the same time to the number of processors. */
class Turnstile {
  #free = 2;
  readonly #waiting: (() => void)[] = [];

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

describe.runIf(isLinux)('the manifest', () => {
  let workplace: Workplace;
  const turnstile = new Turnstile();
  const measured: Measured[] = [];
  const rows = MANIFEST.map((row) => ({ row, lacks: isLinux ? missing(row) : [] }));
  const complete = rows.every(({ lacks }) => lacks.length === 0);

  beforeAll(() => {
    workplace = new Workplace();
  });
  afterAll(() => {
    workplace.dispose();
    if (measured.length > 0) console.log(tableOf(measured));
  });

  async function inside(row: Row, mode: Mode, label: string): Promise<GuestRun> {
    const run = await workplace.runInside(row, mode, label);
    measured.push({ row, label, run });
    return run;
  }

  describe.concurrent('each row', () => {
    for (const { row, lacks } of rows) {
      const reason = lacks.length > 0 ? ` (left out: there is no ${lacks.join(', no ')})` : '';
      it.runIf(lacks.length === 0)(
        `${row.name}${reason}`,
        async () => {
          await turnstile.enter();
          try {
            build(row, workplace.bin);
            const native = await workplace.runNatively(row);
            for (const mode of MODES) {
              const run = await inside(row, mode, mode);
              expect({ mode, ...run.outcome }).toEqual({ mode, ...native });
              if (mode === 'hardened') {
                const again = await inside(row, mode, 'again');
                const figures = ({ metrics }: GuestRun): object => ({ ...metrics, wallMs: 0 });
                expect(again.outcome).toEqual(run.outcome);
                expect(figures(again)).toEqual(figures(run));
                expect(again.straceHash, 'the strace text of the second run').toBe(run.straceHash);
                workplace.forget(again);
              }
              workplace.forget(run);
            }
          } finally {
            turnstile.leave();
          }
        },
        PATIENCE_MS,
      );
    }
  });

  it('has names that tell rows apart, and asks for what a program does, not for its version', () => {
    const names = MANIFEST.map((row) => row.name);
    expect(new Set(names).size).toBe(names.length);
    const idle = MANIFEST.filter((row) => row.command.some((word) => word === '--version' || word === '--help'));
    expect(idle).toEqual([]);
  });

  it.runIf(complete)('is as wide as it was meant to be, by what was measured', () => {
    const hardened = measured.filter(({ label }) => label === 'hardened');
    const count = (test: (one: Measured) => boolean): number => hardened.filter(test).length;
    const few = GROUPS.filter((group) => count(({ row }) => row.groups.includes(group)) < 10);
    expect(few, 'groups of fewer than ten rows').toEqual([]);
    expect(hardened.length).toBeGreaterThanOrEqual(120);
    expect(count(({ run }) => run.processes >= 2)).toBeGreaterThanOrEqual(40);
    expect(count(({ run }) => run.metrics.instructions >= MANY_INSTRUCTIONS)).toBeGreaterThanOrEqual(20);
    expect(count(({ row }) => scriptLines(row) >= LONG_SCRIPT_LINES)).toBeGreaterThanOrEqual(15);
  });
});
