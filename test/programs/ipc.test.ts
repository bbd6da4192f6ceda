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
  'mqueue-files',
  'posix-mq',
  'unix-sockets',
  'unix-urgent',
  'inotify',
  'splice',
  'locks',
  'epoll',
  'epoll-exclusive',
  'event-files',
  'process-vm',
  'posix-shm',
  'vectors',
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

it.runIf(hasCompiler('gcc'))(
  'bounds whatever a program leaves between processes: objects, messages, sockets in messages, watches, sleepers',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-hostile-'));
    try {
      const program = join(folder, 'hostile-ipc');
      compile('gcc', 'hostile-ipc', program);
      const { output, exit, result } = await runGuest(program, { uid: 0, timeoutSec: 900 });
      expect(output.trimEnd().split('\n')).toEqual([
        'semaphores: Cannot allocate memory after 262',
        'segments: No space left on device after 4096',
        'queues: No space left on device after 32000',
        'messages: Cannot allocate memory after 4',
        'posix queues: Too many open files after 8445',
        'datagrams: No buffer space available after 349070',
        'rings of sockets: Numerical result out of range after 30000',
        'a chain of sockets: Numerical result out of range after 50000',
        'names: Too many open files after 1021',
        'inotify instances: Too many open files after 128',
        'watches: No space left on device after 65536',
        'events: Numerical result out of range after 30000',
        'kept 16384',
        'sleepers 300',
      ]);
      expect(exit).toEqual({ code: 0 });
      expect(result.ended).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
