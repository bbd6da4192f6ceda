// SPDX-License-Identifier: MIT
//
// Mounting: a guest that is root gets what root gets from Linux in a mount namespace of its own.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHostDirectory } from '../../src/sandbox/host-node/index.ts';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

const mayUnshare = spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0;

describe.runIf(hasCompiler('gcc') && mayUnshare)('mount, umount2 and pivot_root', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-mounts-'));
    compile('gcc', 'mounts', join(folder, 'mounts'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['off', 'upstream', 'hardened'] as const)('give the results of Linux with patching %s', async (patch) => {
    const native = join(folder, `native-${patch}`);
    const inside = join(folder, `root-${patch}`);
    mkdirSync(native);
    mkdirSync(join(inside, 'w'), { recursive: true });
    const expected = spawnSync(join(folder, 'mounts'), [], { cwd: native, encoding: 'latin1' });
    expect(expected.status).toBe(0);
    const root = openHostDirectory(inside, { writable: false });
    const program = join(folder, 'mounts');
    const { output, exit } = await runGuest(program, { root, cwd: '/w', uid: 0, patch, argv: [program, 'inside'] });
    expect(output.split('\n')).toEqual(expected.stdout.split('\n'));
    expect(exit).toEqual({ code: 0 });
  });
});
