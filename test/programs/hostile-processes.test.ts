// SPDX-License-Identifier: MIT
//
// A program that takes of processes, memory, filters, watchers and terminals what it can get meets the errors that
// Linux gives, and the host holds no more than the guest's memory and what the limits allow beside it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

const MEMORY_BYTES = 256 * 2 ** 20;
/** What Node, the test's tools and the tables of a machine full of everything take, with garbage not collected yet. */
const BESIDE_BYTES = 1024 * 2 ** 20;

it.runIf(hasCompiler('gcc'))(
  'bounds processes, threads, memory, filters, watchers, signals, terminals and folders',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-hostile-'));
    try {
      const program = join(folder, 'hostile-processes');
      compile('gcc', 'hostile-processes', program);
      const run = await runGuest(program, {
        uid: 0,
        memoryBytes: MEMORY_BYTES,
        limits: { tasks: 300 },
        timeoutSec: 900,
      });
      expect(run.output.trimEnd().split('\n')).toEqual([
        'forks: EAGAIN, then there is room',
        'clone3: EAGAIN, then there is room',
        'vforks: as many as there may be tasks',
        'threads: EAGAIN',
        'arguments: E2BIG',
        'memory: SIGKILL for who takes it',
        'memfd: no room',
        'filters: ENOMEM after 7',
        'nests of epoll: Too many levels of symbolic links after 4, loop Too many levels of symbolic links',
        'tracers of tracers: gone',
        'signals: EAGAIN, and all come',
        'shortest timers: the program gets on',
        'terminals: No space left on device, input Resource temporarily unavailable',
        'deep folders: 3000, getcwd File name too long',
        'deep folders: gone',
        'programs one after the other: 300',
      ]);
      expect(run.exit).toEqual({ code: 0 });
      expect(run.warnings).toEqual([expect.stringContaining('memory of 256 MiB is used up')]);
      expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(MEMORY_BYTES + BESIDE_BYTES);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

it.runIf(hasCompiler('gcc'))('ends a program that prints more than it may, and says so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trapline-hostile-'));
  try {
    const program = join(folder, 'endless-output');
    compile('gcc', 'endless-output', program);
    const run = await runGuest(program, { limits: { outputBytes: 100_000 } });
    expect(run.output.length).toBeLessThanOrEqual(100_000);
    expect(run.result.ended).toBe('output');
    expect(run.exit).toEqual({ signal: 9 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
