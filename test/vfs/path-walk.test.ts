// SPDX-License-Identifier: MIT

import { beforeEach, describe, expect, it } from 'vitest';
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from '../../src/abi/errno.ts';
import { RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from '../../src/abi/open.ts';
import { changeMode, changeRoot } from '../../src/vfs/attributes.ts';
import { displayPath, pathOf } from '../../src/vfs/dentry.ts';
import { makeDirectory, makeSymlink, removeDirectory, rename } from '../../src/vfs/namespace.ts';
import { lookupPath } from '../../src/vfs/path-walk.ts';
import { at, find, makeTree, writeText } from './fixture.ts';
import type { Fixture } from './fixture.ts';

let tree: Fixture;
beforeEach(() => {
  tree = makeTree();
  const { root, vfs } = tree;
  for (const path of ['a', 'a/b', 'a/b/c', 'jail', 'jail/in']) makeDirectory(root, vfs.root, path, 0o755);
  writeText(root, 'a/file', 'text');
  writeText(root, 'outside', 'secret');
});

function link(target: string, path: string): void {
  expect(makeSymlink(tree.root, target, tree.vfs.root, path)).toBe(0);
}

describe('a path walk', () => {
  it('finds the same place by every spelling of its path', () => {
    const wanted = at(tree.root, '/a/b/c');
    for (const path of [
      'a/b/c',
      '/a//b///c',
      './a/./b/c/',
      '/../../a/b/c',
      'a/b/../b/c',
      'a/b/c/.',
      'a/b/c/../../b/c',
    ]) {
      expect(at(tree.root, path)).toBe(wanted);
    }
  });

  it('never climbs above the root', () => {
    expect(at(tree.root, '/..')).toBe(tree.vfs.root);
    expect(at(tree.root, '../../../..')).toBe(tree.vfs.root);
  });

  it('stays inside a changed root, through links too', () => {
    link('/outside', 'jail/absolute');
    link('../../../outside', 'jail/in/relative');
    expect(changeRoot(tree.root, at(tree.root, '/jail'))).toBe(0);
    tree.root.fs.cwd = tree.root.fs.root;
    expect(find(tree.root, '/outside')).toBe(-ENOENT);
    expect(find(tree.root, '../outside')).toBe(-ENOENT);
    expect(find(tree.root, 'absolute')).toBe(-ENOENT);
    expect(find(tree.root, 'in/relative')).toBe(-ENOENT);
    expect(find(tree.root, 'in')).toBe(0);
  });

  it('says what is wrong with a path', () => {
    expect(find(tree.root, '')).toBe(-ENOENT);
    expect(find(tree.root, 'none')).toBe(-ENOENT);
    expect(find(tree.root, 'none/x')).toBe(-ENOENT);
    expect(find(tree.root, 'a/file/x')).toBe(-ENOTDIR);
    expect(find(tree.root, 'a/file/')).toBe(-ENOTDIR);
    expect(find(tree.root, 'a/file/.')).toBe(-ENOTDIR);
    expect(find(tree.root, 'n'.repeat(256))).toBe(-ENAMETOOLONG);
    expect(find(tree.root, 'n'.repeat(255))).toBe(-ENOENT);
    expect(find(tree.root, '/'.repeat(4096))).toBe(-ENAMETOOLONG);
  });

  it('follows forty links and no more', () => {
    link('a', 'l0');
    for (let i = 1; i <= 40; i++) link(`l${i - 1}`, `l${i}`);
    expect(find(tree.root, 'l39')).toBe(0);
    expect(find(tree.root, 'l40')).toBe(-ELOOP);
    link('self', 'self');
    expect(find(tree.root, 'self')).toBe(-ELOOP);
    expect(find(tree.root, 'self', false)).toBe(0);
    expect(find(tree.root, 'self/', false)).toBe(-ELOOP);
  });

  it('gives the rest of the path and a trailing slash to the target of a link', () => {
    link('a/b', 'short');
    link('a/file', 'plain');
    expect(at(tree.root, 'short/c')).toBe(at(tree.root, 'a/b/c'));
    expect(at(tree.root, 'short/', false)).toBe(at(tree.root, 'a/b'));
    expect(find(tree.root, 'plain/')).toBe(-ENOTDIR);
    link('short/c/../../file', 'chained');
    expect(at(tree.root, 'chained')).toBe(at(tree.root, 'a/file'));
  });

  it('needs search permission on every directory on the way', () => {
    changeMode(tree.root.cred, at(tree.root, 'a'), 0o600);
    expect(find(tree.user, 'a')).toBe(0);
    expect(find(tree.user, 'a/file')).toBe(-EACCES);
    expect(find(tree.user, 'a/.')).toBe(-EACCES);
    expect(find(tree.root, 'a/file')).toBe(0);
  });

  it('leaves the links of others in a sticky directory alone', () => {
    makeDirectory(tree.root, tree.vfs.root, 'shared', 0o777);
    changeMode(tree.root.cred, at(tree.root, 'shared'), 0o1777);
    makeSymlink({ fs: tree.user.fs, cred: { ...tree.user.cred, fsuid: 2000 } }, '/a', tree.vfs.root, 'shared/trap');
    expect(find(tree.user, 'shared/trap')).toBe(-EACCES);
  });

  it('keeps to RESOLVE_BENEATH, RESOLVE_IN_ROOT and RESOLVE_NO_SYMLINKS', () => {
    link('/outside', 'jail/absolute');
    link('in', 'jail/good');
    const jail = at(tree.root, 'jail');
    const look = (path: string, resolve: number): number => {
      const found = lookupPath(tree.root, jail, path, true, resolve);
      return typeof found === 'number' ? found : 0;
    };
    expect(look('in', RESOLVE_BENEATH)).toBe(0);
    expect(look('good', RESOLVE_BENEATH)).toBe(0);
    expect(look('../outside', RESOLVE_BENEATH)).toBe(-EXDEV);
    expect(look('/jail/in', RESOLVE_BENEATH)).toBe(-EXDEV);
    expect(look('absolute', RESOLVE_BENEATH)).toBe(-EXDEV);
    expect(look('../outside', RESOLVE_IN_ROOT)).toBe(-ENOENT);
    expect(look('absolute', RESOLVE_IN_ROOT)).toBe(-ENOENT);
    expect(look('/in', RESOLVE_IN_ROOT)).toBe(0);
    expect(look('good', RESOLVE_NO_SYMLINKS)).toBe(-ELOOP);
  });
});

describe('the path of a place', () => {
  it('follows renames and shows what was deleted', () => {
    const place = at(tree.root, 'a/b/c');
    expect(rename(tree.root, tree.vfs.root, 'a/b', tree.vfs.root, 'jail/moved', 0)).toBe(0);
    expect(pathOf(place, tree.vfs.root).path).toBe('/jail/moved/c');
    expect(removeDirectory(tree.root, tree.vfs.root, 'jail/moved/c')).toBe(0);
    expect(displayPath(place, tree.vfs.root)).toBe('/jail/moved/c (deleted)');
  });

  it('is marked unreachable from outside a root', () => {
    expect(pathOf(at(tree.root, 'a'), at(tree.root, 'jail'))).toEqual({ path: '/a', reachable: false });
  });
});
