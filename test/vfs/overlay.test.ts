// SPDX-License-Identifier: MIT
//
// A memory layer over a host directory behaves as one file system: random operations on it and on a plain model give
// the same trees, and the host's files stay what they were.

import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EEXIST, EINVAL, EISDIR, ENOENT, ENOMEM, ENOTDIR, ENOTEMPTY } from '../../src/abi/errno.ts';
import { O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } from '../../src/abi/open.ts';
import { NodeDirectory } from '../../src/sandbox/host-node/index.ts';
import { makeDirectory, makeLink, removeDirectory, rename, unlink } from '../../src/vfs/namespace.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import { at, bytes, find, list, makeTree, open, readAll, readText, tryOpen, writeText } from './fixture.ts';
import type { Fixture } from './fixture.ts';

let base = '';
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'trapline-overlay-'));
  mkdirSync(join(base, 'd', 'e'), { recursive: true });
  mkdirSync(join(base, 'empty'));
  writeFileSync(join(base, 'a'), 'host a');
  writeFileSync(join(base, 'd', 'a'), 'host d/a');
  writeFileSync(join(base, 'd', 'e', 'b'), 'host d/e/b');
  writeFileSync(join(base, 'big'), 'x'.repeat(200_000));
  linkSync(join(base, 'a'), join(base, 'd', 'hard'));
  symlinkSync('d/a', join(base, 'link'));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

function overlay(): Fixture {
  return makeTree({ root: new NodeDirectory(base, false) });
}

/** The model: a directory is a map, a file an object with its text, shared by its names. */
interface ModelFile {
  text: string;
}
type ModelNode = ModelFile | ModelDirectory;
type ModelDirectory = Map<string, ModelNode>;

function model(): ModelDirectory {
  const a = { text: 'host a' };
  return new Map<string, ModelNode>([
    ['a', a],
    [
      'd',
      new Map<string, ModelNode>([
        ['a', { text: 'host d/a' }],
        ['e', new Map([['b', { text: 'host d/e/b' }]])],
        ['hard', a],
      ]),
    ],
    ['empty', new Map()],
  ]);
}

/** Parent directory and name, or -errno. */
function parentIn(tree: ModelDirectory, path: string): { dir: ModelDirectory; name: string } | number {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  let dir = tree;
  for (const part of parts) {
    const next = dir.get(part);
    if (next === undefined) return -ENOENT;
    if (!(next instanceof Map)) return -ENOTDIR;
    dir = next;
  }
  return { dir, name };
}

type Step =
  | { readonly kind: 'write' | 'mkdir' | 'unlink' | 'rmdir'; readonly path: string }
  | { readonly kind: 'rename' | 'link'; readonly path: string; readonly to: string };

function onModel(tree: ModelDirectory, step: Step, text: string): number {
  const place = parentIn(tree, step.path);
  if (typeof place === 'number') return place;
  const { dir, name } = place;
  const node = dir.get(name);
  switch (step.kind) {
    case 'write':
      if (node instanceof Map) return -EISDIR;
      if (node === undefined) dir.set(name, { text });
      else node.text = text;
      return 0;
    case 'mkdir':
      if (node !== undefined) return -EEXIST;
      dir.set(name, new Map());
      return 0;
    case 'unlink':
      if (node === undefined) return -ENOENT;
      if (node instanceof Map) return -EISDIR;
      dir.delete(name);
      return 0;
    case 'rmdir':
      if (node === undefined) return -ENOENT;
      if (!(node instanceof Map)) return -ENOTDIR;
      if (node.size > 0) return -ENOTEMPTY;
      dir.delete(name);
      return 0;
    case 'link': {
      if (node === undefined) return -ENOENT;
      const to = parentIn(tree, step.to);
      if (typeof to === 'number') return to;
      if (to.dir.has(to.name)) return -EEXIST;
      if (node instanceof Map) return -1;
      to.dir.set(to.name, node);
      return 0;
    }
    case 'rename':
      return renameInModel(tree, step, dir, name, node);
  }
}

function renameInModel(
  tree: ModelDirectory,
  step: { path: string; to: string },
  dir: ModelDirectory,
  name: string,
  node: ModelNode | undefined,
): number {
  const to = parentIn(tree, step.to);
  if (typeof to === 'number') return to;
  if (node === undefined) return -ENOENT;
  const target = to.dir.get(to.name);
  const contains = (above: ModelNode, wanted: ModelNode): boolean =>
    above === wanted || (above instanceof Map && [...above.values()].some((n) => contains(n, wanted)));
  if (contains(node, to.dir)) return -EINVAL;
  if (target !== undefined && contains(target, dir)) return -ENOTEMPTY;
  if (target === node) return 0;
  if (target !== undefined) {
    if (node instanceof Map && !(target instanceof Map)) return -ENOTDIR;
    if (!(node instanceof Map) && target instanceof Map) return -EISDIR;
    if (target instanceof Map && target.size > 0) return -ENOTEMPTY;
  }
  dir.delete(name);
  to.dir.set(to.name, node);
  return 0;
}

function onTree(tree: Fixture, step: Step, text: string): number {
  const { root, vfs } = tree;
  switch (step.kind) {
    case 'write': {
      const failed = tryOpen(root, step.path, O_WRONLY | O_CREAT);
      if (failed === 0) writeText(root, step.path, text);
      return failed;
    }
    case 'mkdir':
      return makeDirectory(root, vfs.root, step.path, 0o755);
    case 'unlink':
      return unlink(root, vfs.root, step.path);
    case 'rmdir':
      return removeDirectory(root, vfs.root, step.path);
    case 'rename':
      return rename(root, vfs.root, step.path, vfs.root, step.to, 0);
    case 'link': {
      const failed = find(root, step.path, false);
      return failed < 0 ? failed : makeLink(root, at(root, step.path, false), vfs.root, step.to);
    }
  }
}

function dumpModel(dir: ModelDirectory, prefix: string, out: string[]): void {
  for (const [name, node] of dir) {
    out.push(node instanceof Map ? `${prefix}${name}/` : `${prefix}${name}=${node.text}`);
    if (node instanceof Map) dumpModel(node, `${prefix}${name}/`, out);
  }
}

function dumpTree(tree: Fixture, path: string, prefix: string, out: string[]): void {
  for (const name of list(tree.root, `${path}/`)) {
    if (prefix === '' && (name === 'big' || name === 'link')) continue;
    const full = `${path}/${name}`;
    if (at(tree.root, full, false).inode.isDirectory) {
      out.push(`${prefix}${name}/`);
      dumpTree(tree, full, `${prefix}${name}/`, out);
    } else out.push(`${prefix}${name}=${readText(tree.root, full)}`);
  }
}

const path = fc
  .array(fc.constantFrom('a', 'b', 'd', 'e', 'empty', 'hard', 'n'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('write' as const, 'mkdir' as const, 'unlink' as const, 'rmdir' as const), path }),
  fc.record({ kind: fc.constantFrom('rename' as const, 'link' as const), path, to: path }),
);

describe('a memory layer over a host directory', () => {
  it('gives the results and trees of one plain file system', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const tree = overlay();
        const plain = model();
        for (const [i, each] of steps.entries()) {
          expect({ each, result: onTree(tree, each, `text ${i}`) }).toEqual({
            each,
            result: onModel(plain, each, `text ${i}`),
          });
        }
        const expected: string[] = [];
        const found: string[] = [];
        dumpModel(plain, '', expected);
        dumpTree(tree, '', '', found);
        expect(found.sort()).toEqual(expected.sort());
        tree.vfs.dispose();
      }),
      { numRuns: 300 },
    );
    expect(readFileSync(join(base, 'a'), 'utf8')).toBe('host a');
    expect(readFileSync(join(base, 'd', 'e', 'b'), 'utf8')).toBe('host d/e/b');
  });

  it('keeps inode numbers, open files and hard links through the first write', () => {
    const tree = overlay();
    const before = at(tree.root, 'a').inode.ino;
    const reader = open(tree.root, 'a', O_RDONLY);
    expect(readAll(reader)).toBe('host a');
    writeText(tree.root, 'd/hard', 'changed');
    expect(at(tree.root, 'a').inode.ino).toBe(before);
    expect(readAll(reader)).toBe('changed');
    expect(readText(tree.root, 'a')).toBe('changed');
    expect(readFileSync(join(base, 'a'), 'utf8')).toBe('host a');
  });

  it('copies up no more of a file than is written', () => {
    const tree = overlay();
    const file = open(tree.root, 'big', O_RDWR);
    expect(file.writeAt(new BufferTransfer(bytes('yes')), 3, 70_000)).toBe(3);
    const text = readAll(file);
    expect(text.length).toBe(200_000);
    expect(text.slice(69_998, 70_005)).toBe('xxyesxx');
    expect(tree.vfs.root.inode.fs.totals().blocks - tree.vfs.root.inode.fs.totals().freeBlocks).toBe(16);
    file.truncate(65_000);
    file.truncate(65_010);
    expect(readAll(file, 64_995)).toBe('xxxxx' + '\0'.repeat(10));
  });

  it('never shows the host file again behind a removed name', () => {
    const tree = overlay();
    expect(unlink(tree.root, tree.vfs.root, 'a')).toBe(0);
    expect(find(tree.root, 'a')).toBe(-ENOENT);
    expect(rename(tree.root, tree.vfs.root, 'd', tree.vfs.root, 'moved', 0)).toBe(0);
    expect(makeDirectory(tree.root, tree.vfs.root, 'd', 0o755)).toBe(0);
    expect(list(tree.root, 'd')).toEqual([]);
    expect(list(tree.root, 'moved')).toEqual(['a', 'e', 'hard']);
    expect(readText(tree.root, 'moved/e/b')).toBe('host d/e/b');
  });

  it('says ESTALE when the host has put another file in the place of one that was seen', () => {
    writeFileSync(join(base, 'stale'), 'old');
    const tree = overlay();
    const file = open(tree.root, 'stale', O_RDONLY);
    rmSync(join(base, 'stale'));
    mkdirSync(join(base, 'stale'));
    expect(file.readAt(new BufferTransfer(new Uint8Array(3)), 3, 0)).toBe(-116);
    rmSync(join(base, 'stale'), { recursive: true });
  });

  it('lets the links of the host lead to places of the guest only', () => {
    symlinkSync('/etc', join(base, 'etc-link'));
    const tree = overlay();
    expect(find(tree.root, 'etc-link')).toBe(-ENOENT);
    makeDirectory(tree.root, tree.vfs.root, 'etc', 0o755);
    expect(at(tree.root, 'etc-link')).toBe(at(tree.root, 'etc'));
    rmSync(join(base, 'etc-link'));
  });
});

it('ends with ENOMEM, not with the memory of the host, when a guest looks at too many files', () => {
  const limits = { bytes: 2 ** 20, inodes: 100, hostFiles: 3 };
  const tree = makeTree({ root: new NodeDirectory(base, false), limits });
  const file = open(tree.root, '/', O_RDONLY);
  const seen: string[] = [];
  const result = file.readEntries((name) => {
    seen.push(name);
    return true;
  });
  expect([seen, result]).toEqual([['.', '..', 'a', 'big', 'd'], -ENOMEM]);
  expect(find(tree.root, '/empty')).toBe(-ENOMEM);
  expect(readText(tree.root, '/a')).toBe('host a');
  writeText(tree.root, '/new', 'still room');
  expect(readText(tree.root, '/new')).toBe('still room');
});
