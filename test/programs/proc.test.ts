// SPDX-License-Identifier: MIT
//
// C programs that read /proc as programs do find there what they find on Linux: fields, shapes, counts, owners, and who
// may look into whom.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

describe.runIf(hasCompiler('gcc')).each(['proc-files', 'proc-accounting'])('/proc for %s', (name) => {
  let folder = '';
  let program = '';
  let expected: Outcome;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-proc-'));
    program = join(folder, name);
    compile('gcc', name, program);
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
