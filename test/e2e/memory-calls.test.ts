// SPDX-License-Identifier: MIT
//
// The program that recorded test/mm/linux/transcripts.txt on Linux, run under Trapline with the same scripts: memory
// calls, their errors, signals of loads and stores, and /proc/self/maps, through every layer.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scriptOf } from '../mm/linux/transcript.ts';

const folder = fileURLToPath(new URL('../mm/linux/', import.meta.url));
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const isThere =
  process.platform === 'linux' &&
  process.arch === 'x64' &&
  spawnSync('gcc', ['--version'], { stdio: 'ignore' }).error === undefined;

describe.runIf(isThere)('memory calls of a program', () => {
  it.each(['off', 'upstream', 'hardened'])('answer as on Linux with --patch %s', (mode) => {
    const scratch = mkdtempSync(join(tmpdir(), 'trapline-memory-'));
    try {
      const program = join(scratch, 'memory-calls');
      execFileSync('gcc', ['-O1', '-static', '-o', program, join(folder, 'memory-calls.c')]);
      const transcript = readFileSync(join(folder, 'transcripts.txt'), 'utf8').trimEnd().split('\n');
      const output = execFileSync(process.execPath, [cli, 'run', '--patch', mode, '--', program], {
        input: scriptOf(transcript).join('\n') + '\n',
        encoding: 'utf8',
        maxBuffer: 16 * 2 ** 20,
      });
      expect(output.trimEnd().split('\n')).toEqual(transcript);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});
