// SPDX-License-Identifier: MIT
//
// A C program that makes some five hundred calls on files, right and wrong ones, gets the results that Linux gives.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHostDirectory } from '../../src/sandbox/host-node/index.ts';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

/** Permissions only mean something to somebody who is not root. */
const UID = process.getuid?.() === 0 ? 1000 : (process.getuid?.() ?? 1000);

for (const compiler of ['gcc', 'musl-gcc']) {
  describe.runIf(hasCompiler(compiler))(`file calls of a program by ${compiler}`, () => {
    let folder = '';
    let program = '';
    let expected: string[] = [];

    /** An empty directory that the program's user owns. */
    const workplace = (name: string): string => {
      const path = join(folder, name);
      mkdirSync(path, { recursive: true });
      chmodSync(path, 0o777);
      if (process.getuid?.() === 0) chownSync(path, UID, UID);
      return path;
    };

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'trapline-files-'));
      chmodSync(folder, 0o755);
      program = join(folder, 'file-calls');
      compile(compiler, 'file-calls', program);
      const ids = process.getuid?.() === 0 ? { uid: UID, gid: UID } : {};
      const native = spawnSync(program, [], {
        ...ids,
        cwd: workplace('native'),
        encoding: 'latin1',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      expected = native.stdout.split('\n');
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('give the results of Linux in the memory layer', async () => {
      workplace('root/w');
      const root = openHostDirectory(join(folder, 'root'), { writable: false });
      const { output, exit } = await runGuest(program, { root, cwd: '/w', uid: UID });
      expect(expected.length).toBeGreaterThan(450);
      expect(output.split('\n')).toEqual(expected);
      expect(exit).toEqual({ code: 0 });
    });
  });
}
