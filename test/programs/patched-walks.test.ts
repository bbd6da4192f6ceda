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

describe.runIf(hasCompiler('gcc'))('walks over patched code', () => {
  let folder = '';
  let program = '';
  const args = [String(FIRST), String(WALKS)];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-walks-'));
    program = join(folder, 'patched-walks');
    compile('gcc', 'patched-walks', program);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const walk = (options: Partial<SandboxOptions>): Promise<GuestRun> =>
    runGuest(program, { argv: [program, ...args], ...options });

  it.each(['off', 'hardened'] as const)('see what they see on Linux, with patching %s', async (patch) => {
    const { output, exit, result } = await walk({ patch });
    expect(output.split('\n')).toEqual(runNatively(program, args).output.split('\n'));
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
    'restoreEditedSites',
    'syscallClobbers',
  ] as const)('find out where the guard %s is missing', async (guard) => {
    const { output } = await walk({ patch: 'hardened', guards: { [guard]: false } });
    const expected = runNatively(program, args).output.split('\n');
    expect(output.split('\n').filter((line, i) => line !== expected[i]).length).toBeGreaterThan(0);
  });
});
