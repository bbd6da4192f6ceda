// SPDX-License-Identifier: MIT
//
// C programs that go through a family of calls each, with the errors that its manual pages list, print the same lines
// here as on Linux, with both C libraries and in every mode.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

const FAMILIES = [
  'futex-pi',
  'identity-errors',
  'job-control',
  'memory-errors',
  'prctl-errors',
  'processes-errors',
  'rlimits-errors',
  'sched-attr',
  'scheduling-errors',
  'seccomp-bpf',
  'signals-errors',
  'sigreturn-errors',
  'system-errors',
  'timers-errors',
];
const MODES = ['off', 'upstream', 'hardened'] as const;

for (const compiler of ['gcc', 'musl-gcc']) {
  describe.runIf(hasCompiler(compiler))(`families of calls, by ${compiler}`, () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'trapline-families-'));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    for (const name of FAMILIES) {
      describe(name, () => {
        let expected: Outcome;
        beforeAll(() => {
          const program = join(folder, name);
          compile(compiler, name, program);
          expected = runNatively(program);
        });

        // glibc's build meets every mode, musl's only the default: what differs between them is the library.
        it.each(compiler === 'gcc' ? MODES : ['hardened' as const])(
          'prints what Linux makes it print, with patching %s',
          async (patch) => {
            const { output, exit } = await runGuest(join(folder, name), { patch });
            expect({ output, exit }).toEqual(expected);
          },
        );
      });
    }
  });
}
