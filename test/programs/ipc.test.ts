// SPDX-License-Identifier: MIT
//
// C programs that talk between processes in every way print the same lines here as on Linux, with both C libraries and
// in every mode. They run as the same user on both sides; root natively means root in the sandbox.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './guest-run.ts';
import { compile, hasCompiler, runGuest, runNatively } from './guest-run.ts';

/** What only root may try: they take on another user's rights. */
const AS_ROOT = [
  'sysv-shm',
  'sysv-sem',
  'sysv-msg',
  'posix-mq',
  'unix-sockets',
  'inotify',
  'splice',
  'locks',
  'epoll',
  'event-files',
  'process-vm',
];
const MODES = ['off', 'upstream', 'hardened'] as const;

describe.each(['gcc', 'musl-gcc'])('programs by %s', (compiler) => {
  describe.runIf(hasCompiler(compiler) && process.getuid?.() === 0).each(AS_ROOT)('%s', (name) => {
    let folder = '';
    let expected: Outcome;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'trapline-ipc-'));
      const program = join(folder, name);
      compile(compiler, name, program);
      expected = runNatively(program);
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each(MODES)('prints what Linux makes it print, with patching %s', async (patch) => {
      const { output, exit, warnings } = await runGuest(join(folder, name), { patch, uid: 0 });
      expect({ lines: output.split('\n'), exit }).toEqual({ lines: expected.output.split('\n'), exit: expected.exit });
      expect(warnings).toEqual([]);
    });
  });
});
