// SPDX-License-Identifier: MIT
//
// C programs at pseudo-terminals print the same lines here as on Linux, in every mode: what a line discipline makes of
// input, every call with its errors, and job control.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

const PROGRAMS = ['pty-lines', 'pty-calls', 'pty-jobs'];
const MODES = ['off', 'upstream', 'hardened'] as const;

describe.runIf(hasCompiler('gcc'))('programs at pseudo-terminals', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-pty-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const name of PROGRAMS) {
    describe(name, () => {
      let expected: Outcome;
      beforeAll(() => {
        const program = join(folder, name);
        compile('gcc', name, program);
        expected = runNatively(program);
      });

      it.each(MODES)('prints what Linux makes it print, with patching %s', async (patch) => {
        const { output, exit } = await runGuest(join(folder, name), { patch, uid: 0 });
        expect({ output, exit }).toEqual(expected);
      });
    });
  }
});
