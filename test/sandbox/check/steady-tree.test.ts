// SPDX-License-Identifier: MIT
//
// A folder of this machine through a check's view of it, while it is changed: what was told once is told again, and what
// was read and is something else now is named.

import { appendFileSync, chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ENOENT, EROFS, ESTALE } from '../../../src/abi/errno.ts';
import { fromLatin1 } from '../../../src/base/bytes.ts';
import type { HostDirectory } from '../../../src/base/host.ts';
import { SteadyTrees } from '../../../src/sandbox/check/steady-tree.ts';
import { openHostDirectory } from '../../../src/sandbox/host-node/index.ts';

let folder = '';
let trees: SteadyTrees;
let view: HostDirectory;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapline-steady-'));
  writeFileSync(at('log'), 'first line\n');
  writeFileSync(at('large'), 'a'.repeat(200_000));
  trees = new SteadyTrees();
  const { binds } = trees.over({
    program: '/p',
    binds: [{ directory: openHostDirectory(folder, { writable: false }), entry: '', guestPath: '/bound' }],
  });
  const [bound] = binds;
  if (bound === undefined) throw new Error('no bind came back');
  view = bound.directory;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function at(name: string): string {
  return join(folder, name);
}

/** As one run reads a file: what it opens, and so much from there; an -errno where it cannot. */
function read(name: string, position = 0, length = 100): string | number {
  const file = view.open(name, false);
  if (typeof file === 'number') return file;
  const into = new Uint8Array(length);
  const n = file.pread(into, position);
  file.close();
  return n < 0 ? n : fromLatin1(into.subarray(0, n));
}

describe("a check's view of a tree", () => {
  it('tells the same names, attributes and links again, and what is not there stays away', () => {
    const seen = (): unknown => [
      view.list(''),
      view.stat('log'),
      view.statAll?.('', ['log', 'large', 'late']),
      view.list('late'),
      view.readlink('late'),
    ];
    const before = seen();
    appendFileSync(at('log'), 'more\n');
    chmodSync(at('large'), 0o600);
    writeFileSync(at('late'), '');
    rmSync(at('large'));
    expect(seen()).toEqual(before);
    expect(view.stat('late')).toBe(-ENOENT);
    expect(trees.changed).toBe(undefined);
  });

  it('shows a file as long as it was, whatever is appended, and does not call it changed', () => {
    expect(read('log')).toBe('first line\n');
    appendFileSync(at('log'), 'second line\n');
    expect(read('log')).toBe('first line\n');
    expect(trees.changed).toBe(undefined);
  });

  it('names a file of which something that was read has changed, and no other', () => {
    expect(read('large', 100_000, 3)).toBe('aaa');
    writeFileSync(at('log'), 'other line\n');
    writeFileSync(at('large'), `${'b'.repeat(60_000)}${'a'.repeat(140_000)}`);
    // The block that was read is as it was.
    expect(read('large', 100_000, 3)).toBe('aaa');
    expect(trees.changed).toBe(undefined);
    writeFileSync(at('large'), 'b'.repeat(200_000));
    expect(read('large', 100_000, 3)).toBe('bbb');
    expect(trees.changed).toBe('/bound/large');
  });

  it('takes another file with the same contents for the same, and one that is gone for changed', () => {
    expect(read('log')).toBe('first line\n');
    writeFileSync(at('new'), 'first line\n');
    renameSync(at('new'), at('log'));
    expect(read('log')).toBe('first line\n');
    expect(trees.changed).toBe(undefined);
    rmSync(at('log'));
    expect(read('log')).toBe(-ENOENT);
    expect(trees.changed).toBe('/bound/log');
  });

  it('gives nobody the contents of a file that has come in the place of the one it told of', () => {
    view.stat('log');
    writeFileSync(at('new'), 'another');
    renameSync(at('new'), at('log'));
    expect(read('log')).toBe(-ESTALE);
    expect(read('log')).toBe(-ESTALE);
    expect(trees.changed).toBe(undefined);
  });

  it('reads to the end of a file in pieces, from wherever it is asked to', () => {
    const file = view.open('large', false);
    if (typeof file === 'number') throw new Error(`large cannot be opened: ${file}`);
    let done = 12_345;
    for (let n = 1; n > 0;) {
      n = file.pread(new Uint8Array(50_000), done);
      done += n;
    }
    expect(done).toBe(200_000);
    expect(file.pread(new Uint8Array(10), 2 ** 40)).toBe(0);
    file.close();
  });

  it('can be changed by nobody', () => {
    expect(view.open('log', true)).toBe(-EROFS);
    const results = [
      view.create('x', 0o600),
      view.mkdir('x', 0o700),
      view.unlink('log'),
      view.rmdir('log'),
      view.rename('log', 'x'),
      view.symlink('log', 'x'),
      view.link('log', 'x'),
      view.chmod('log', 0),
      view.utimes('log', 0n, 0n),
    ];
    expect(new Set(results)).toEqual(new Set([-EROFS]));
  });
});
