// SPDX-License-Identifier: MIT
//
// A program that makes the kernel remember things for many processes meets limits that count for all of them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

it.runIf(hasCompiler('gcc'))(
  'bounds calls, texts of /proc, signals and timers of all processes, and keeps nothing of a failed clone',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-hostile-'));
    try {
      const program = join(folder, 'hostile-kernel');
      compile('gcc', 'hostile-kernel', program);
      const { output, exit } = await runGuest(program, { timeoutSec: 900 });
      expect(output.trimEnd().split('\n')).toEqual([
        'random 33554431',
        'texts bounded',
        'clones 3000, next descriptor 3',
        'signals bounded',
        'timers 3999, in a child Resource temporarily unavailable',
        'x|again| 4 E=1',
        'changed 1',
      ]);
      expect(exit).toEqual({ code: 0 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
