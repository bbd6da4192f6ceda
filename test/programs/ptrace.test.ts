// SPDX-License-Identifier: MIT
//
// C programs that trace others print the same lines here as on Linux, with both C libraries and in every mode.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

const PROGRAMS = [
  'ptrace-stops',
  'ptrace-events',
  'ptrace-jobs',
  'ptrace-data',
  'ptrace-errors',
  'ptrace-breakpoints',
  'ptrace-seccomp',
];
const MODES = ['off', 'upstream', 'hardened'] as const;

for (const compiler of ['gcc', 'musl-gcc']) {
  describe.runIf(hasCompiler(compiler))(`programs by ${compiler} that trace others`, () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'trapline-ptrace-'));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    for (const name of PROGRAMS) {
      describe(name, () => {
        let expected: Outcome;
        beforeAll(() => {
          const program = join(folder, name);
          compile(compiler, name, program);
          expected = runNatively(program);
        });

        it.each(MODES)('prints what Linux makes it print, with patching %s', async (patch) => {
          const { output, exit } = await runGuest(join(folder, name), { patch });
          expect({ output, exit }).toEqual(expected);
        });
      });
    }

    describe('code that has been patched before the tracer came', () => {
      const name = 'ptrace-patched';
      let expected: Outcome;
      beforeAll(() => {
        const program = join(folder, name);
        compile(compiler, name, program);
        expected = runNatively(program);
      });

      it.each(['off', 'hardened'] as const)('is as it was written, with patching %s', async (patch) => {
        const { output, exit, result } = await runGuest(join(folder, name), { patch });
        expect({ output, exit }).toEqual(expected);
        expect(result.metrics.patchedCalls > 0).toBe(patch === 'hardened');
      });

      // usertrap.md 2.12: gVisor does not roll patches back, and steps go through the slot.
      it('shows the jump and its slot to the tracer, with patching upstream', async () => {
        const { output } = await runGuest(join(folder, name), { patch: 'upstream' });
        expect(output).toMatch(/^code: 0006[0-9a-f]{4}2524ff$/m);
        expect(output).not.toMatch(/^at 5:/m);
      });
    });
  });
}
