// SPDX-License-Identifier: MIT
//
// Guests that mean no good end by a limit or by their own signal, and the tool stays in order.

import { closeSync, mkdtempSync, openSync, read, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { CLI, guest, trapline } from './trapline.ts';

const PROGRAM_HEADER = 64;
const RANDOM_PROGRAMS = 12;

describe('A hostile guest', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-hostile-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('that forks or starts threads without end meets the limit of tasks', () => {
    for (const name of ['fork-bomb', 'thread-bomb']) {
      const run = trapline(['run', '--timeout', '900', guest(name)]);
      expect(run.stderr).not.toMatch(/a bug in Trapline/);
      expect({ name, status: run.status }).toEqual({ name, status: 0 });
    }
  });

  it('that maps everything is killed, and one line says why', () => {
    const run = trapline(['run', '--memory', '64M', guest('map-everything')]);
    expect(run.status).toBe(137);
    expect(run.stderr).toMatch(/^trapline: the guest's memory of 64 MiB is used up[^\n]*--memory[^\n]*\n$/);
  });

  it('that writes without end is ended by its limit', () => {
    const path = join(folder, 'flood');
    const out = openSync(path, 'w');
    const { status } = spawnSync(
      process.execPath,
      [CLI, 'run', '--max-instructions', '200000', guest('write-endlessly')],
      { stdio: ['ignore', out, 'ignore'] },
    );
    closeSync(out);
    expect(status).toBe(124);
    expect(statSync(path).size).toBeGreaterThan(0);
  });

  it('that consists of random bytes ends by its own signal, by a limit, or exits', () => {
    const prng = new Prng(20260101).stream('random-programs');
    for (let i = 0; i < RANDOM_PROGRAMS; i++) {
      const elf = new Uint8Array(readFileSync(guest('hello')));
      const view = new DataView(elf.buffer);
      const textAt =
        Number(view.getBigUint64(24, true) - view.getBigUint64(PROGRAM_HEADER + 16, true)) +
        view.getUint32(PROGRAM_HEADER + 8, true);
      const size = view.getUint32(PROGRAM_HEADER + 32, true) - textAt;
      prng.fill(elf.subarray(textAt, textAt + size));
      const path = join(folder, `random-${i}`);
      writeFileSync(path, elf, { mode: 0o755 });
      const run = trapline(['run', '--max-instructions', '2000000', '--timeout', '20', path]);
      expect(run.stderr).not.toMatch(/a bug in Trapline|\n\s+at /);
      expect([124, 128 + 4, 128 + 5, 128 + 8, 128 + 11]).toContain(run.status);
    }
  });

  it.each([
    ['its time', ['--timeout', '1'], null, 124],
    ['Ctrl-C', ['--timeout', '900'], 'SIGINT', 130],
  ] as const)('that writes to a reader who has stopped is ended by %s', async (_name, options, signal, status) => {
    // Nobody reads: the pipe fills.
    const path = join(folder, `fifo-${status}`);
    spawnSync('mkfifo', [path]);
    const out = openSync(path, 'r+');
    const child = spawn(process.execPath, [CLI, 'run', ...options, guest('write-endlessly')], {
      stdio: ['ignore', out, 'pipe'],
    });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    // One byte tells that the guest runs; soon after, the pipe is full again.
    const started = promisify(read)(out, new Uint8Array(1), 0, 1, null);
    if (signal !== null) {
      await Promise.race([started, ended]);
      setTimeout(() => child.kill(signal), 1000);
    }
    const [code] = await ended;
    closeSync(out);
    expect(code).toBe(status);
  });
});
