// SPDX-License-Identifier: MIT
//
// Scenarios 13 to 18: calls that signals and stops interrupt, at patched sites. Only one thing may differ from Linux,
// and only in upstream mode: a number that a handler edits is lost on a patched site.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

describe.runIf(hasCompiler('musl-gcc'))('an interrupted call', () => {
  let folder = '';
  let program = '';
  let expected: Outcome;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-restart-'));
    program = join(folder, 'restart');
    compile('musl-gcc', 'restart', program);
    expected = runNatively(program);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['off', 'hardened'] as const)('restarts as on Linux with patching %s', async (patch) => {
    const { output, exit, result } = await runGuest(program, { patch });
    expect({ output, exit }).toEqual(expected);
    if (patch === 'hardened') expect(result.metrics.restarted).toBeGreaterThanOrEqual(5);
  });

  it('loses only the edited number in upstream mode', async () => {
    const { output, result } = await runGuest(program, { patch: 'upstream' });
    expect(output).toBe(expected.output.replace('edited: 1', 'edited: 0'));
    expect(result.metrics.restarted).toBeGreaterThanOrEqual(5);
  });
});
