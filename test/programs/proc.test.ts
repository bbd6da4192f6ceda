// SPDX-License-Identifier: MIT
//
// A C program that reads /proc as programs do finds there what it finds on Linux: fields, shapes, owners, and who may
// look into whom.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

describe.runIf(hasCompiler('gcc'))('/proc', () => {
  let folder = '';
  let program = '';
  let expected: Outcome;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-proc-'));
    program = join(folder, 'proc-files');
    compile('gcc', 'proc-files', program);
    expected = runNatively(program);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['off', 'upstream', 'hardened'] as const)('says what Linux says, with patching %s', async (patch) => {
    const { output, exit } = await runGuest(program, { patch, uid: 0 });
    expect({ output, exit }).toEqual(expected);
  });
});
