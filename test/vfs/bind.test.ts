// SPDX-License-Identifier: MIT
//
// Host directories bound into the tree: live in both directions, closed towards the rest of the host.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EINVAL, ENOENT, ENXIO, EOPNOTSUPP, EROFS, ESTALE, EXDEV } from '../../src/abi/errno.ts';
import { O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TMPFILE, O_WRONLY, RENAME_EXCHANGE } from '../../src/abi/open.ts';
import { changeMode, changeTimes } from '../../src/vfs/attributes.ts';
import { makeDirectory, makeLink, makeSymlink, removeDirectory, rename, unlink } from '../../src/vfs/namespace.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import { openHostDirectory, openHostPath } from '../../src/sandbox/host-node/index.ts';
import { at, bytes, find, list, makeTree, open, readAll, readText, tryOpen, writeText } from './fixture.ts';
import type { Fixture } from './fixture.ts';

let base = '';
let tree: Fixture;
const GUEST = { uid: 1000, gid: 1000 };

function bind(writable: boolean): void {
  const directory = openHostDirectory(join(base, 'shared'), { writable });
  expect(typeof tree.vfs.bind(directory, '', '/mnt/shared', GUEST)).toBe('object');
}

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'trapline-bind-'));
  mkdirSync(join(base, 'shared', 'd'), { recursive: true });
  writeFileSync(join(base, 'shared', 'f'), 'from the host');
  writeFileSync(join(base, 'private'), 'private');
  tree = makeTree();
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('a bound directory', () => {
  it('shows what the host has at each look', () => {
    bind(false);
    expect(readText(tree.root, '/mnt/shared/f')).toBe('from the host');
    expect(find(tree.root, '/mnt/shared/late')).toBe(-ENOENT);
    writeFileSync(join(base, 'shared', 'late'), 'came later');
    expect(readText(tree.root, '/mnt/shared/late')).toBe('came later');
    writeFileSync(join(base, 'shared', 'f'), 'and more');
    expect(readText(tree.root, '/mnt/shared/f')).toBe('and more');
    rmSync(join(base, 'shared', 'late'));
    expect(find(tree.root, '/mnt/shared/late')).toBe(-ENOENT);
    expect(list(tree.root, '/mnt/shared')).toEqual(['d', 'f']);
  });

  it('refuses every change unless it is bound for writing', () => {
    bind(false);
    const { root, vfs } = tree;
    expect(tryOpen(root, '/mnt/shared/f', O_WRONLY)).toBe(-EROFS);
    expect(tryOpen(root, '/mnt/shared/new', O_CREAT | O_WRONLY)).toBe(-EROFS);
    expect(makeDirectory(root, vfs.root, '/mnt/shared/new', 0o755)).toBe(-EROFS);
    expect(unlink(root, vfs.root, '/mnt/shared/f')).toBe(-EROFS);
    expect(removeDirectory(root, vfs.root, '/mnt/shared/d')).toBe(-EROFS);
    expect(rename(root, vfs.root, '/mnt/shared/f', vfs.root, '/mnt/shared/g', 0)).toBe(-EROFS);
    expect(changeMode(root.cred, at(root, '/mnt/shared/f'), 0)).toBe(-EROFS);
    expect(changeTimes(root.cred, at(root, '/mnt/shared/f'), 'now', 'now')).toBe(-EROFS);
    expect(readdirSync(join(base, 'shared'))).toEqual(['d', 'f']);
  });

  it('carries changes to the host when it is', () => {
    bind(true);
    const { user, vfs } = tree;
    writeText(user, '/mnt/shared/made', 'by the guest');
    expect(readFileSync(join(base, 'shared', 'made'), 'utf8')).toBe('by the guest');
    expect(makeDirectory(user, vfs.root, '/mnt/shared/n', 0o750)).toBe(0);
    expect(rename(user, vfs.root, '/mnt/shared/made', vfs.root, '/mnt/shared/n/moved', 0)).toBe(0);
    expect(makeLink(user, at(user, '/mnt/shared/n/moved'), vfs.root, '/mnt/shared/again')).toBe(0);
    expect(at(user, '/mnt/shared/again').inode).toBe(at(user, '/mnt/shared/n/moved').inode);
    expect(makeSymlink(user, 'f', vfs.root, '/mnt/shared/link')).toBe(0);
    expect(readText(user, '/mnt/shared/link')).toBe('from the host');
    expect(changeMode(user.cred, at(user, '/mnt/shared/again'), 0o600)).toBe(0);
    expect(statSync(join(base, 'shared', 'n', 'moved')).mode & 0o7777).toBe(0o600);
    expect(statSync(join(base, 'shared', 'n')).mode & 0o7777).toBe(0o750);
    expect(unlink(user, vfs.root, '/mnt/shared/n/moved')).toBe(0);
    expect(removeDirectory(user, vfs.root, '/mnt/shared/n')).toBe(0);
    expect(readdirSync(join(base, 'shared')).sort()).toEqual(['again', 'd', 'f', 'link']);
  });

  it("gives the guest's user what the tool's user owns", () => {
    bind(true);
    expect(at(tree.user, '/mnt/shared/f').inode.uid).toBe(1000);
    expect(tryOpen(tree.user, '/mnt/shared/f', O_RDWR)).toBe(0);
  });

  it('gives no file of the host set-id bits', () => {
    bind(true);
    const path = join(base, 'shared', 'tool');
    open(tree.root, '/mnt/shared/tool', O_CREAT | O_RDWR, 0o6755).release();
    expect(statSync(path).mode & 0o7777).toBe(0o755);
    expect(changeMode(tree.root.cred, at(tree.root, '/mnt/shared/tool'), 0o6711)).toBe(0);
    expect(statSync(path).mode & 0o7777).toBe(0o711);
    expect(at(tree.root, '/mnt/shared/tool').inode.mode & 0o7777).toBe(0o711);
  });

  it('keeps an open file that loses its name', () => {
    bind(true);
    const file = open(tree.user, '/mnt/shared/f', O_RDWR);
    expect(unlink(tree.user, tree.vfs.root, '/mnt/shared/f')).toBe(0);
    expect(readAll(file)).toBe('from the host');
    expect(file.writeAt(new BufferTransfer(bytes('X')), 1, 0)).toBe(1);
    expect(readAll(file)).toBe('Xrom the host');
    expect(existsSync(join(base, 'shared', 'f'))).toBe(false);
  });

  it('says ESTALE when the host replaced a file that was not opened yet', () => {
    bind(false);
    const seen = at(tree.root, '/mnt/shared/f').inode;
    renameSync(join(base, 'private'), join(base, 'shared', 'f'));
    expect(seen.refresh()).toBe(-ESTALE);
    expect(readText(tree.root, '/mnt/shared/f')).toBe('private');
  });

  it("resolves the host's links inside the guest's tree", () => {
    symlinkSync('/', join(base, 'shared', 'top'));
    symlinkSync('../private', join(base, 'shared', 'up'));
    symlinkSync('/mnt/shared/f', join(base, 'shared', 'good'));
    bind(true);
    expect(at(tree.root, '/mnt/shared/top')).toBe(tree.vfs.root);
    expect(find(tree.root, '/mnt/shared/up')).toBe(-ENOENT);
    expect(readText(tree.root, '/mnt/shared/good')).toBe('from the host');
    expect(tryOpen(tree.root, '/mnt/shared/up', O_CREAT | O_WRONLY)).toBe(0);
    expect(readFileSync(join(base, 'private'), 'utf8')).toBe('private');
    expect(readText(tree.root, '/mnt/private')).toBe('');
  });

  it.runIf(process.platform === 'linux')('never opens a FIFO of the host, and so never blocks on one', () => {
    spawnSync('mkfifo', [join(base, 'shared', 'fifo')]);
    bind(true);
    expect(at(tree.root, '/mnt/shared/fifo').inode.mode & 0o170000).toBe(0o010000);
    for (const flags of [O_RDONLY, O_WRONLY, O_RDWR])
      expect(tryOpen(tree.root, '/mnt/shared/fifo', flags)).toBe(-ENXIO);
  });

  it('does not mix with other file systems', () => {
    bind(true);
    writeText(tree.root, '/local', 'x');
    expect(rename(tree.root, tree.vfs.root, '/local', tree.vfs.root, '/mnt/shared/x', 0)).toBe(-EXDEV);
    expect(makeLink(tree.root, at(tree.root, '/mnt/shared/f'), tree.vfs.root, '/x')).toBe(-EXDEV);
    expect(rename(tree.root, tree.vfs.root, '/mnt/shared/f', tree.vfs.root, '/mnt/shared/d', RENAME_EXCHANGE)).toBe(
      -EINVAL,
    );
    expect(tryOpen(tree.root, '/mnt/shared', (O_TMPFILE & ~O_DIRECTORY) | O_DIRECTORY | O_RDWR)).toBe(-EOPNOTSUPP);
  });
});

describe('a bound file', () => {
  it('shows that file and nothing beside it', () => {
    const { directory, entry } = openHostPath(join(base, 'private'), { writable: true });
    expect(typeof tree.vfs.bind(directory, entry, '/etc/one', GUEST)).toBe('object');
    expect(readText(tree.root, '/etc/one')).toBe('private');
    writeText(tree.user, '/etc/one', 'changed');
    expect(readFileSync(join(base, 'private'), 'utf8')).toBe('changed');
    expect(find(tree.root, '/etc/one/..')).toBe(-20);
    expect(list(tree.root, '/etc')).toEqual(['one']);
    expect(list(tree.root, '/')).toEqual(['etc']);
  });
});
