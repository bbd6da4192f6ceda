// SPDX-License-Identifier: MIT
//
// A directory of the host stays a cage: no link, rename or odd file of the host lets a path leave it or block.

import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EEXIST, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY, ENXIO, EPERM, EROFS } from '../../src/abi/errno.ts';
import type { HostDirectory } from '../../src/base/host.ts';
import { NodeDirectory, openHostDirectory, openHostPath } from '../../src/sandbox/host-node/index.ts';

let base = '';
let inside = '';
let outside = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'trapline-cage-'));
  inside = join(base, 'inside');
  outside = join(base, 'outside');
  mkdirSync(join(inside, 'a', 'b'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(inside, 'a', 'b', 'file'), 'inside');
  writeFileSync(join(outside, 'secret'), 'secret');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function contents(directory: HostDirectory, path: string): string | number {
  const file = directory.open(path, false);
  if (typeof file === 'number') return file;
  const bytes = new Uint8Array(100);
  const n = file.pread(bytes, 0);
  file.close();
  return String.fromCharCode(...bytes.subarray(0, n));
}

/** Everything that one could try with a path. */
function tryAll(directory: HostDirectory, path: string): unknown[] {
  return [
    directory.open(path, false),
    directory.open(path, true),
    directory.list(path),
    directory.create(`${path}`, 0o644),
    directory.mkdir(`${path}/new`, 0o755),
    directory.unlink(path),
    directory.rmdir(path),
    directory.chmod(path, 0o777),
    directory.rename(path, 'stolen'),
    directory.link(path, 'linked'),
  ];
}

const WAYS = existsSync('/proc/self/fd')
  ? ([
      ['held parents', true],
      ['checked parents', false],
    ] as const)
  : ([['checked parents', false]] as const);

describe.each(WAYS)('a host directory with %s', (_name, hold) => {
  const openCage = (): NodeDirectory => new NodeDirectory(inside, true, hold);

  it('looks at all entries of a directory as at each by itself', () => {
    const cage = openCage();
    symlinkSync('b/file', join(inside, 'a', 'link'));
    const names = ['b', 'link', 'none', '..', 'n'.repeat(300)];
    expect(cage.statAll('a', names)).toEqual(names.map((name) => cage.stat(`a/${name}`)));
    expect(cage.statAll('', ['a'])).toEqual([cage.stat('a')]);
    expect(cage.statAll('a/link', ['file'])).toBeLessThan(0);
    expect(cage.statAll('none', ['file'])).toBe(-ENOENT);
  });

  it('reads files, links and listings', () => {
    const cage = openCage();
    symlinkSync('b/file', join(inside, 'a', 'link'));
    expect(contents(cage, 'a/b/file')).toBe('inside');
    expect(cage.list('a')).toEqual(['b', 'link']);
    expect(cage.readlink('a/link')).toBe('b/file');
    expect(cage.stat('a/b/file')).toMatchObject({ kind: 'file', size: 6, nlink: 1 });
    expect(cage.stat('')).toMatchObject({ kind: 'directory' });
    expect(cage.stat('none')).toBe(-ENOENT);
    expect(contents(cage, 'a')).toBe(-ENXIO);
    cage.dispose();
  });

  it('follows no link, in the middle or at the end of a path', () => {
    symlinkSync(outside, join(inside, 'absolute'));
    symlinkSync('../outside', join(inside, 'relative'));
    symlinkSync('../outside/secret', join(inside, 'file-link'));
    symlinkSync('a', join(inside, 'harmless'));
    const cage = openCage();
    for (const path of ['absolute/secret', 'relative/secret', 'harmless/b/file']) {
      const error = cage.stat(path);
      expect([-ELOOP, -ENOTDIR]).toContain(error);
      for (const result of tryAll(cage, path)) expect([-ELOOP, -ENOTDIR]).toContain(result);
    }
    expect(contents(cage, 'file-link')).toBe(-ELOOP);
    expect(typeof cage.list('absolute')).toBe('number');
    expect(cage.create('file-link', 0o644)).toBe(-EEXIST);
    expect(cage.chmod('file-link', 0o777)).toBeLessThan(0);
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    cage.dispose();
  });

  it('takes no path with dots, empty parts or a zero byte', () => {
    const cage = openCage();
    for (const path of [
      '..',
      '../outside/secret',
      'a/../../outside/secret',
      '/etc/passwd',
      'a//b',
      './a',
      'a/.',
      'a\0b',
    ]) {
      expect(cage.stat(path)).toBe(-ENOENT);
      for (const result of tryAll(cage, path)) expect(result).toBe(-ENOENT);
    }
    cage.dispose();
  });

  it('does not go where a directory was moved or replaced by a link meanwhile', () => {
    const cage = openCage();
    expect(contents(cage, 'a/b/file')).toBe('inside');
    renameSync(join(inside, 'a', 'b'), join(outside, 'b'));
    writeFileSync(join(outside, 'b', 'file'), 'moved outside');
    expect(contents(cage, 'a/b/file')).toBe(-ENOENT);
    expect(cage.create('a/b/new', 0o644)).toBe(-ENOENT);
    symlinkSync(outside, join(inside, 'a', 'b'));
    expect([-ELOOP, -ENOTDIR]).toContain(contents(cage, 'a/b/secret'));
    expect([-ELOOP, -ENOTDIR]).toContain(cage.unlink('a/b/secret'));
    expect(existsSync(join(outside, 'b', 'new'))).toBe(false);
    cage.dispose();
  });

  it('stays at the directory that was opened when that one is renamed', () => {
    const cage = new NodeDirectory(inside, false, hold);
    if (!hold) return expect(cage.stat('a')).toMatchObject({ kind: 'directory' });
    renameSync(inside, join(base, 'renamed'));
    mkdirSync(inside);
    writeFileSync(join(inside, 'other'), 'x');
    expect(contents(cage, 'a/b/file')).toBe('inside');
    expect(cage.stat('other')).toBe(-ENOENT);
    cage.dispose();
  });

  it.runIf(process.platform === 'linux')('shows FIFOs and devices without ever opening them', () => {
    spawnSync('mkfifo', [join(inside, 'fifo')]);
    const cage = openCage();
    expect(cage.stat('fifo')).toMatchObject({ kind: 'fifo' });
    expect(cage.open('fifo', false)).toBe(-ENXIO);
    expect(cage.open('fifo', true)).toBe(-ENXIO);
    expect(cage.list('fifo')).toBe(-ENOTDIR);
    const dev = new NodeDirectory('/dev', false, hold);
    expect(dev.stat('null')).toMatchObject({ kind: 'char' });
    expect(dev.open('null', false)).toBe(-ENXIO);
    cage.dispose();
    dev.dispose();
  });

  it('changes nothing unless it was opened for writing', () => {
    const cage = new NodeDirectory(inside, false, hold);
    expect(cage.open('a/b/file', true)).toBe(-EROFS);
    expect(cage.create('x', 0o644)).toBe(-EROFS);
    for (const result of [
      cage.mkdir('x', 0o755),
      cage.unlink('a/b/file'),
      cage.rmdir('a/b'),
      cage.rename('a', 'z'),
      cage.symlink('x', 'l'),
      cage.link('a/b/file', 'l'),
      cage.chmod('a', 0o700),
      cage.utimes('a', 0n, 0n),
    ])
      expect(result).toBe(-EROFS);
    cage.dispose();
  });

  it('makes, moves and removes files when it was', () => {
    const cage = openCage();
    const file = cage.create('new', 0o666);
    if (typeof file === 'number') throw new Error(String(file));
    expect(file.pwrite(Uint8Array.of(1, 2, 3), 2)).toBe(3);
    expect(file.size()).toBe(5);
    expect(file.truncate(4)).toBe(0);
    file.close();
    expect(cage.stat('new')).toMatchObject({ mode: 0o666, size: 4 });
    expect(cage.create('new', 0o644)).toBe(-EEXIST);
    expect(cage.mkdir('d', 0o777)).toBe(0);
    expect(cage.stat('d')).toMatchObject({ mode: 0o777 });
    expect(cage.rename('new', 'd/moved')).toBe(0);
    expect(cage.rename('d', 'outside/../x')).toBe(-ENOENT);
    expect(cage.link('d/moved', 'again')).toBe(0);
    expect(cage.symlink('/etc', 'd/s')).toBe(0);
    expect(cage.utimes('again', 1_000_000_000n, 2_000_000_000n)).toBe(0);
    expect(cage.stat('again')).toMatchObject({ nlink: 2, mtimeNs: 2_000_000_000n });
    expect(cage.rmdir('d')).toBe(-ENOTEMPTY);
    expect(cage.unlink('d/moved') + cage.unlink('d/s') + cage.rmdir('d')).toBe(0);
    expect(cage.rmdir('')).toBe(-EPERM);
    cage.dispose();
  });

  it('keeps names that are not UTF-8', () => {
    const cage = openCage();
    const name = String.fromCharCode(0x6e, 0xe9, 0x80, 0xff);
    const file = cage.create(name, 0o644);
    if (typeof file === 'number') {
      // Some file systems take UTF-8 only; then nothing else may have been made.
      expect(cage.list('')).toEqual(['a']);
    } else {
      file.close();
      expect(cage.list('')).toEqual(['a', name]);
      expect(cage.stat(name)).toMatchObject({ kind: 'file' });
      expect(cage.unlink(name)).toBe(0);
    }
    cage.dispose();
  });

  it('lists in byte order', () => {
    for (const name of ['b', 'B', '_', 'a1', 'a10', 'é']) writeFileSync(join(inside, 'a', 'b', name), '');
    const cage = openCage();
    const utf8 = (s: string): string => Buffer.from(s, 'utf8').toString('latin1');
    expect(cage.list('a/b')).toEqual(['B', '_', 'a1', 'a10', 'b', 'file', utf8('é')]);
    cage.dispose();
  });

  it('holds few descriptors however many directories are visited', () => {
    const cage = openCage();
    for (let i = 0; i < 400; i++) mkdirSync(join(inside, `d${i}`, 'e'), { recursive: true });
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 400; i++) expect(cage.list(`d${i}/e`)).toEqual([]);
    }
    if (existsSync('/proc/self/fd')) expect(readdirSync('/proc/self/fd').length).toBeLessThan(300);
    cage.dispose();
  });
});

it.runIf(existsSync('/proc/self/fd'))('wins every race against a host that swaps a directory for a link', async () => {
  writeFileSync(join(inside, 'a', 'secret'), 'harmless');
  const swap = 'while [ ! -e ../stop ]; do mv a x; ln -s ../outside a; rm a; mv x a; done';
  const swapper = spawn('sh', ['-c', swap], { cwd: inside, stdio: 'ignore' });
  const ended = new Promise((done) => swapper.on('exit', done));
  try {
    const seen = new Set<string | number>();
    for (let i = 0; i < 3000; i++) {
      const cage = new NodeDirectory(inside, true);
      seen.add(contents(cage, 'a/secret'));
      const made = cage.create('a/made', 0o644);
      if (typeof made !== 'number') made.close();
      cage.unlink('a/made');
      cage.dispose();
    }
    expect(seen.has('secret')).toBe(false);
    expect(existsSync(join(outside, 'made'))).toBe(false);
  } finally {
    writeFileSync(join(base, 'stop'), '');
    await ended;
  }
});

describe('opening host paths', () => {
  it('follows the links of the path that the caller gives, once', () => {
    symlinkSync(join(inside, 'a'), join(base, 'way'));
    const { directory, entry } = openHostPath(join(base, 'way', 'b', 'file'), { writable: false });
    expect(entry).toBe('file');
    expect(contents(directory, entry)).toBe('inside');
    expect(openHostPath(join(base, 'way'), { writable: false }).entry).toBe('');
  });

  it('says in one line what is wrong', () => {
    expect(() => openHostDirectory(join(base, 'none'), { writable: false })).toThrow(/none: no such directory/);
    expect(() => openHostDirectory(join(inside, 'a/b/file'), { writable: false })).toThrow(/file: not a directory/);
    expect(() => openHostPath(join(base, 'none'), { writable: false })).toThrow(/none: no such file or directory/);
    expect(() => openHostPath(join(base, 'n'.repeat(300)), { writable: false })).toThrow(/: file name too long$/);
  });

  it('does not change a file that has another name outside', () => {
    linkSync(join(outside, 'secret'), join(inside, 'shared'));
    const cage = new NodeDirectory(inside, false);
    expect(contents(cage, 'shared')).toBe('secret');
    expect(cage.open('shared', true)).toBe(-EROFS);
  });
});
