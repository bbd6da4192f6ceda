// SPDX-License-Identifier: MIT
//
// Random walks over code with syscall sites, each in a process of its own (sources/patched-walks.c): hardened, a program
// finds nothing that Linux would not have shown it. `trapline run PROGRAM FIRST COUNT v` tells a walk step by step.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxOptions } from '../../src/sandbox/sandbox.ts';
import type { GuestRun } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

const WALKS = Number(process.env['TRAPLINE_WALKS'] ?? 400);
const FIRST = Number(process.env['TRAPLINE_FIRST_WALK'] ?? 0);
/** Enough for each of the guards to be missed. */
const FEW = 100;

describe.runIf(hasCompiler('gcc'))('walks over patched code', () => {
  let folder = '';
  let program = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-walks-'));
    program = join(folder, 'patched-walks');
    compile('gcc', 'patched-walks', program);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const walk = (count: number, options: Partial<SandboxOptions>): Promise<GuestRun> =>
    runGuest(program, { argv: [program, String(FIRST), String(count)], ...options });
  const natively = (count: number): readonly string[] =>
    runNatively(program, [String(FIRST), String(count)]).output.split('\n');

  it.each(['off', 'hardened'] as const)('see what they see on Linux, with patching %s', async (patch) => {
    const { output, exit, result } = await walk(WALKS, { patch });
    expect(output.split('\n')).toEqual(natively(WALKS));
    expect(exit).toEqual({ code: 0 });
    if (patch === 'off') return;
    const { metrics } = result;
    expect(metrics.patchedCalls).toBeGreaterThan(2 * WALKS);
    const rules = new Set(metrics.refused.map(({ rule }) => rule));
    for (const rule of ['tail-of-instruction', 'boundary-unknown', 'page-split', 'writable-code', 'table-lost']) {
      expect([...rules]).toContain(rule);
    }
  });

  it.each([
    'instructionBoundary',
    'compareSysno',
    'surviveTableLoss',
    'hideTable',
    'restoreEditedSites',
    'syscallClobbers',
  ] as const)('find out where the guard %s is missing', async (guard) => {
    const { output } = await walk(FEW, { patch: 'hardened', guards: { [guard]: false } });
    const expected = natively(FEW);
    expect(output.split('\n').filter((line, i) => line !== expected[i]).length).toBeGreaterThan(0);
  });
});
