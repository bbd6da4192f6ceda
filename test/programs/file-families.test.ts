// SPDX-License-Identifier: MIT
//
// Families of file calls, each by a C program that tries every error of its manual pages: as root, and as a user where
// permissions matter, in an empty directory of Linux's tmpfs and in the memory layer of a sandbox.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHostDirectory, openHostPath } from '../../src/sandbox/host-node/index.ts';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

const FAMILIES = [
  'attributes',
  'contents',
  'descriptors',
  'older-calls',
  'openat2',
  'paths',
  'renaming',
  'transfers',
  'xattr',
];
const isRoot = process.getuid?.() === 0;
const SHM = '/dev/shm';

/** A tmpfs that programs may be executed from: some containers have it otherwise. */
function hasTmpfs(): boolean {
  if (!existsSync(SHM)) return false;
  const folder = mkdtempSync(join(SHM, 'trapline-probe-'));
  try {
    copyFileSync('/bin/true', join(folder, 'true'));
    return spawnSync(join(folder, 'true')).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.runIf(hasCompiler('gcc') && isRoot && hasTmpfs())('file calls', () => {
  let folder = '';
  let shm = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-families-'));
    shm = mkdtempSync(join(SHM, 'trapline-families-'));
    chmodSync(shm, 0o755);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(shm, { recursive: true, force: true });
  });

  it('keeps mappings, reads and writes of a bound host file in agreement', async () => {
    const program = join(folder, 'mappings');
    compile('gcc', 'contents', program);
    for (const name of ['native', 'bound']) mkdirSync(join(shm, name));
    const ended = spawnSync(program, ['mappings'], { cwd: join(shm, 'native'), encoding: 'latin1' });
    const { output, exit } = await runGuest(program, {
      binds: [{ ...openHostPath(join(shm, 'bound'), { writable: true }), guestPath: '/w' }],
      cwd: '/w',
      uid: 0,
      argv: ['contents', 'mappings'],
    });
    expect(output.split('\n')).toEqual(ended.stdout.split('\n'));
    expect(exit).toEqual({ code: 0 });
    expect(readFileSync(join(shm, 'bound', 'both')).equals(readFileSync(join(shm, 'native', 'both')))).toBe(true);
  });

  it('shows what else changes a bound host file, mapped before or not', async () => {
    const program = join(folder, 'bound-twice');
    compile('gcc', 'bound-twice', program);
    const native = join(shm, 'once');
    const bound = join(shm, 'twice');
    for (const each of [native, bound]) mkdirSync(each);
    const ended = spawnSync(program, [native, native], { encoding: 'latin1' });
    expect(ended.status).toBe(0);
    const { output, exit } = await runGuest(program, {
      binds: ['/w', '/v'].map((guestPath) => ({ ...openHostPath(bound, { writable: true }), guestPath })),
      uid: 0,
      argv: ['bound-twice', '/w', '/v'],
    });
    expect(output.split('\n')).toEqual(ended.stdout.split('\n'));
    expect(exit).toEqual({ code: 0 });
  });

  /** A tree with what a memory layer has to keep together. */
  const plant = (tree: string): void => {
    for (const name of ['d/e', 'many', 'empty']) mkdirSync(join(tree, name), { recursive: true });
    writeFileSync(join(tree, 'a'), 'host a, under three names');
    for (const name of ['b', 'd/c']) linkSync(join(tree, 'a'), join(tree, name));
    writeFileSync(join(tree, 'big'), 'abcdefghij'.repeat(100_000));
    writeFileSync(join(tree, 'd/f'), 'host d/f');
    writeFileSync(join(tree, 'd/e/g'), 'host d/e/g');
    symlinkSync('d/f', join(tree, 'to-file'));
    for (let i = 0; i < 50; i++) writeFileSync(join(tree, 'many', `file${i}`), String(i));
    const paths = readdirSync(tree, { recursive: true, encoding: 'utf8' }).sort().reverse();
    for (const name of ['.', ...paths]) {
      if (name !== 'to-file') chmodSync(join(tree, name), lstatSync(join(tree, name)).isDirectory() ? 0o755 : 0o644);
      lutimesSync(join(tree, name), 1_000_000_000, 1_000_000_000);
    }
  };

  /** Everything that could change about the tree. */
  const fingerprint = (tree: string): string[] =>
    readdirSync(tree, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => {
        const { mode, nlink, size, mtimeMs, ctimeMs, ino } = lstatSync(join(tree, name));
        return [name, mode, nlink, size, mtimeMs, ctimeMs, ino].join(' ');
      });

  it.each(['off', 'upstream', 'hardened'] as const)(
    'changes a tree of the host in memory, with patching %s',
    async (patch) => {
      const native = join(shm, `overlay-${patch}`);
      const tree = join(folder, `overlay-${patch}`);
      for (const each of [native, join(tree, 'w')]) {
        mkdirSync(each, { recursive: true });
        plant(each);
      }
      const before = fingerprint(tree);
      const program = join(folder, 'overlay');
      compile('gcc', 'overlay', program);
      const ended = spawnSync(program, [], { cwd: native, encoding: 'latin1', timeout: 600_000 });
      expect([ended.status, ended.stderr]).toEqual([0, '']);
      const root = openHostDirectory(tree, { writable: false });
      const { output, exit } = await runGuest(program, { root, cwd: '/w', uid: 0, patch });
      expect(output.split('\n')).toEqual(ended.stdout.split('\n'));
      expect(exit).toEqual({ code: 0 });
      expect(fingerprint(tree)).toEqual(before);
    },
  );

  describe.each(FAMILIES)('%s', (name) => {
    let expected: string[] = [];
    const program = (): string => join(folder, name);
    beforeAll(() => {
      compile('gcc', name, program());
      const native = join(shm, name);
      mkdirSync(native);
      chmodSync(native, 0o777);
      const ended = spawnSync(program(), [], { cwd: native, encoding: 'latin1', timeout: 600_000 });
      expect([ended.status, ended.signal, ended.stderr]).toEqual([0, null, '']);
      expected = ended.stdout.split('\n');
      expect(expected.length).toBeGreaterThan(20);
    });

    it.each(['off', 'upstream', 'hardened'] as const)('gives the results of Linux with patching %s', async (patch) => {
      const tree = join(folder, `${name}-${patch}`);
      for (const directory of ['w', 'etc']) mkdirSync(join(tree, directory), { recursive: true });
      chmodSync(join(tree, 'w'), 0o777);
      const root = openHostDirectory(tree, { writable: false });
      const { output, exit } = await runGuest(program(), { root, cwd: '/w', uid: 0, patch, argv: [name, 'inside'] });
      expect(output.split('\n')).toEqual(expected);
      expect(exit).toEqual({ code: 0 });
    });
  });
});
