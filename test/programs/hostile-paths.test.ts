// SPDX-License-Identifier: MIT
//
// No path leads a guest out of what was opened to it, whatever it does as root and whatever happens on the host at the
// same time, and nothing is written where no `rw` was given.

import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHostDirectory, openHostPath } from '../../src/sandbox/host-node/index.ts';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

const CANARY = 'canary-of-the-host';

describe.runIf(hasCompiler('gcc') && existsSync('/proc/self/fd'))('a hostile guest', () => {
  let base = '';
  let program = '';
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'trapline-escape-'));
    for (const name of ['root/shared', 'root/tmp', 'shared/deep/er', 'shared/a', 'outside']) {
      mkdirSync(join(base, name), { recursive: true });
    }
    writeFileSync(join(base, CANARY), 'outside');
    writeFileSync(join(base, 'outside', CANARY), 'outside');
    writeFileSync(join(base, 'outside', 'secret'), 'outside'.repeat(100));
    writeFileSync(join(base, 'outside', 'secret2'), 'outside');
    writeFileSync(join(base, 'shared', 'a', 'secret'), 'inside'.repeat(100));
    program = join(base, 'hostile-paths');
    compile('gcc', 'hostile-paths', program);
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  it.each([true, false])('finds no way out by itself, with a bind that it may write: %s', async (writable) => {
    const { output, errors, exit } = await runGuest(program, {
      root: openHostDirectory(join(base, 'root'), { writable: false }),
      binds: [{ ...openHostPath(join(base, 'shared'), { writable }), guestPath: '/shared' }],
      uid: 0,
      argv: ['guest', CANARY],
      env: [`OUTSIDE=${base}`],
    });
    expect(output).not.toContain('LEAK');
    const steps = ['chroot 0', 'back 0', 'mount 0', 'pivot 0', 'tried'];
    for (const step of writable ? ['bind 0', 'move 0', 'recursive 0', ...steps] : steps) expect(output).toContain(step);
    expect({ errors, exit }).toEqual({ errors: '', exit: { code: 0 } });
    expect(readdirSync(join(base, 'outside')).sort()).toEqual([CANARY, 'secret', 'secret2']);
    expect(readdirSync(join(base, 'root')).sort()).toEqual(['shared', 'tmp']);
    expect(readdirSync(join(base, 'root', 'tmp'))).toEqual([]);
    if (!writable) expect(readdirSync(join(base, 'shared')).sort()).toEqual(['a', 'deep']);
  });

  it('wins no race together with a process of the host that swaps a directory for a link', async () => {
    const before = statSync(join(base, 'outside', 'secret')).mode;
    const swap = 'while [ ! -e ../stop ]; do mv a x; ln -s ../outside a; rm a; mv x a; done';
    const swapper = spawn('sh', ['-c', swap], { cwd: join(base, 'shared'), stdio: 'ignore' });
    const ended = new Promise((done) => swapper.on('exit', done));
    try {
      const { output } = await runGuest(program, {
        root: openHostDirectory(join(base, 'root'), { writable: false }),
        binds: [{ ...openHostPath(join(base, 'shared'), { writable: true }), guestPath: '/shared' }],
        uid: 0,
        argv: ['guest', CANARY, 'race'],
      });
      expect(output).toBe('outside 0, inside 1, changed 1\n');
    } finally {
      writeFileSync(join(base, 'stop'), '');
      await ended;
    }
    expect(readdirSync(join(base, 'outside')).sort()).toEqual([CANARY, 'secret', 'secret2']);
    expect(readFileSync(join(base, 'outside', 'secret'), 'latin1')).toBe('outside'.repeat(100));
    expect(statSync(join(base, 'outside', 'secret')).mode).toBe(before);
  });
});
