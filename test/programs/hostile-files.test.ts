// SPDX-License-Identifier: MIT
//
// A program that asks the file system for more than there is ends each attempt with an error number, and goes on.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

it.runIf(hasCompiler('gcc'))('survives huge files, endless pipes, sockets, locks and writes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trapline-hostile-'));
  try {
    const program = join(folder, 'hostile-files');
    compile('gcc', 'hostile-files', program);
    const { output, exit } = await runGuest(program, { uid: 0, timeoutSec: 900 });
    expect(output.trimEnd().split('\n')).toEqual([
      'grow 0',
      'data 1',
      'hole 4096',
      'punch 0',
      'reserve 1',
      'blocks 0',
      'limit 0',
      'pipes end late enough',
      'sockets end with an error',
      'free again 65536',
      'locks end with ENOLCK',
      'sendfile 100000000',
      'disk ends with ENOSPC',
      'link 0',
    ]);
    expect(exit).toEqual({ code: 0 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it.runIf(hasCompiler('gcc'))('survives mounts and attributes without end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trapline-hostile-'));
  try {
    const program = join(folder, 'hostile-mounts');
    compile('gcc', 'hostile-mounts', program);
    const { output, exit } = await runGuest(program, { uid: 0, timeoutSec: 900 });
    expect(output.trimEnd().split('\n')).toEqual([
      'one above the other: 1, then ENOSPC',
      'gone 1',
      'doubling: 1, then ENOSPC',
      'usable 1',
      'all together hold less than a gigabyte: 1',
      'free again 1',
      'attributes: 1, then ENOSPC',
      'free again 1',
      'names 1 list Argument list too long',
    ]);
    expect(exit).toEqual({ code: 0 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
