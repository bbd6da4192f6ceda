// SPDX-License-Identifier: MIT
//
// Dynamic programs, started by their C library's own linker, print the same lines here as on Linux: with both C
// libraries, in every mode, and however they are linked.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHostDirectory } from '../../src/sandbox/host-node/index.ts';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

const MODES = ['off', 'upstream', 'hardened'] as const;
const LINKING = {
  'lazily bound': ['-rdynamic', '-Wl,-z,lazy', '-lm', '-ldl'],
  'bound at the start': ['-rdynamic', '-Wl,-z,now,-z,relro', '-lm', '-ldl'],
  'at a fixed address': ['-rdynamic', '-no-pie', '-lm', '-ldl'],
};

for (const compiler of ['gcc', 'musl-gcc']) {
  describe.runIf(hasCompiler(compiler))(`dynamic programs by ${compiler}`, () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'trapline-dynamic-'));
      compile(compiler, 'dynamic-plugin', join(folder, 'plugin.so'), ['-shared', '-fPIC']);
      compile(compiler, 'vdso', join(folder, 'vdso'), ['-ldl']);
    });
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const run = async (args: readonly string[], patch: (typeof MODES)[number]): Promise<Outcome> => {
      const [program = ''] = args;
      const { output, exit } = await runGuest(program, {
        patch,
        argv: args,
        root: openHostDirectory('/', { writable: false }),
      });
      return { output, exit };
    };

    for (const [how, flags] of Object.entries(LINKING)) {
      it(`open libraries, ${how}`, async () => {
        const program = join(folder, 'dynamic');
        compile(compiler, 'dynamic', program, flags);
        const plugin = join(folder, 'plugin.so');
        const expected = runNatively(program, [plugin]);
        for (const patch of MODES) expect(await run([program, plugin], patch)).toEqual(expected);
      });
    }

    it.each(MODES)('read the vDSO, with patching %s', async (patch) => {
      const program = join(folder, 'vdso');
      expect(await run([program], patch)).toEqual(runNatively(program));
    });
  });
}
