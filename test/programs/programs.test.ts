// SPDX-License-Identifier: MIT
//
// C programs that try the kernel from every side print the same lines here as on Linux, with both C libraries and
// in every mode.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

const PROGRAMS = ['exec', 'signals', 'processes', 'futexes', 'times'];
/** glibc registers an area for restartable sequences of its own. */
const MUSL_PROGRAMS = [...PROGRAMS, 'rseq'];
const MODES = ['off', 'upstream', 'hardened'] as const;

for (const compiler of ['gcc', 'musl-gcc']) {
  describe.runIf(hasCompiler(compiler))(`programs by ${compiler}`, () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'trapline-programs-'));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    for (const name of compiler === 'gcc' ? PROGRAMS : MUSL_PROGRAMS) {
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
  });
}
