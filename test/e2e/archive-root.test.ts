// SPDX-License-Identifier: MIT
//
// `trapline run --root FILE` with an archive: found out by its contents, and a bad one ends with 125 and one line.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trapline } from './trapline.ts';

const BUSYBOX = '/bin/busybox';

describe.runIf(existsSync(BUSYBOX))('trapline run --root FILE', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-tar-'));
    mkdirSync(join(folder, 'tree', 'bin'), { recursive: true });
    copyFileSync(BUSYBOX, join(folder, 'tree', 'bin', 'busybox'));
    symlinkSync('busybox', join(folder, 'tree', 'bin', 'sh'));
    for (const [name, option] of [
      ['plain', '--no-auto-compress'],
      ['packed', '--gzip'],
    ] as const) {
      spawnSync('tar', ['-c', option, '-f', join(folder, name), '-C', join(folder, 'tree'), '.']);
    }
    writeFileSync(join(folder, 'text'), 'no archive '.repeat(100));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['plain', 'packed'])('runs a program of the archive: %s', (name) => {
    const run = trapline(['run', '--root', join(folder, name), '--', '/bin/sh', '-c', 'echo $0; busybox ls /']);
    expect(run).toEqual({ status: 0, stdout: '/bin/sh\nbin\n', stderr: '' });
  });

  it('says in one line what is wrong with the archive', () => {
    const path = join(folder, 'text');
    const run = trapline(['run', '--root', path, '--', '/bin/sh']);
    expect(run.status).toBe(125);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(/^[^\n]*--root: [^\n]*text: it is no tar archive[^\n]*\n$/);
  });
});
