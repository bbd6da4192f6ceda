// SPDX-License-Identifier: MIT
//
// Random calls with random arguments through the real dispatch: whatever a guest does, it gets results and signals,
// and Trapline never an exception.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

describe.runIf(hasCompiler('musl-gcc'))('a guest of random calls', () => {
  let folder = '';
  let program = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-fuzz-'));
    program = join(folder, 'fuzz');
    compile('musl-gcc', 'fuzz-syscalls', program);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  // Runs are deterministic, so a seed whose children never kill the first process stays one.
  it.each([
    ['off', 1],
    ['off', 2],
    ['off', 3],
    ['upstream', 7],
    ['hardened', 5],
    ['hardened', 6],
  ] as const)('does no harm with patching %s and seed %d', async (patch, seed) => {
    const { output, exit, result } = await runGuest(program, {
      patch,
      uid: 0,
      argv: [program, String(seed), '60'],
      maxInstructions: 3e9,
    });
    expect({ output, exit }).toEqual({ output: 'done\n', exit: { code: 0 } });
    expect(result.metrics.syscalls).toBeGreaterThan(5000);
  });
});
