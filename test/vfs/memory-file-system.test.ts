// SPDX-License-Identifier: MIT

import { beforeEach, describe, expect, it } from 'vitest';
import { EEXIST, ENOSPC, ENXIO, EPERM, ETXTBSY } from '../../src/abi/errno.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  SEEK_DATA,
  SEEK_HOLE,
} from '../../src/abi/open.ts';
import { changeMode, changeTimes } from '../../src/vfs/attributes.ts';
import { MemoryFile } from '../../src/vfs/memory-nodes.ts';
import { makeDirectory, makeLink, removeDirectory, unlink } from '../../src/vfs/namespace.ts';
import { BufferTransfer } from '../../src/vfs/open-file.ts';
import type { OpenFile } from '../../src/vfs/open-file.ts';
import { at, bytes, list, makeTree, open, readAll, readText, tryOpen, writeText } from './fixture.ts';
import type { Fixture } from './fixture.ts';

let tree: Fixture;
beforeEach(() => {
  tree = makeTree({ limits: { bytes: 1024 * 1024, inodes: 50 } });
});

function put(file: OpenFile, text: string, offset: number): number {
  return file.writeAt(new BufferTransfer(bytes(text)), text.length, offset);
}

describe('a memory file', () => {
  it('reads zeros where nothing was written, and a hole costs nothing', () => {
    const file = open(tree.root, 'f', O_CREAT | O_RDWR);
    expect(put(file, 'end', 10_000_000_000)).toBe(3);
    expect(file.inode.size).toBe(10_000_000_003);
    expect(file.inode.blocks).toBe(8);
    const part = new BufferTransfer(new Uint8Array(8).fill(1));
    expect(file.readAt(part, 8, 9_999_999_997)).toBe(6);
    expect([...part.bytes]).toEqual([0, 0, 0, 101, 110, 100, 1, 1]);
    expect(file.seek(0, SEEK_DATA)).toBe(Math.floor(10_000_000_000 / 4096) * 4096);
    expect(file.seek(0, SEEK_HOLE)).toBe(0);
    expect(file.seek(10_000_000_003, SEEK_DATA)).toBe(-ENXIO);
  });

  it('shows zeros again after it was cut and grew', () => {
    const file = open(tree.root, 'f', O_CREAT | O_RDWR);
    put(file, 'x'.repeat(100_000), 0);
    expect(file.truncate(10)).toBe(0);
    expect(file.truncate(100_000)).toBe(0);
    expect(readAll(file)).toBe('x'.repeat(10) + '\0'.repeat(99_990));
  });

  it('takes as many bytes as fit into the file system, then says ENOSPC', () => {
    const file = open(tree.root, 'f', O_CREAT | O_RDWR);
    expect(put(file, 'x'.repeat(2_000_000), 100)).toBe(1024 * 1024 - 100);
    expect(put(file, 'y', 1024 * 1024)).toBe(-ENOSPC);
    expect(put(file, 'y', 5)).toBe(1);
    unlink(tree.root, tree.vfs.root, 'f');
    const other = open(tree.root, 'g', O_CREAT | O_RDWR);
    expect(put(other, 'z', 0)).toBe(-ENOSPC);
    file.release();
    expect(put(other, 'z', 0)).toBe(1);
  });

  it('gives pages back when a hole is punched', () => {
    const file = open(tree.root, 'f', O_CREAT | O_RDWR);
    put(file, 'x'.repeat(20_000), 0);
    expect(file.inode.blocks).toBe(40);
    expect(file.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 15_000)).toBe(0);
    expect(file.inode.blocks).toBe(24);
    expect(readAll(file)).toBe('x'.repeat(1000) + '\0'.repeat(15_000) + 'x'.repeat(4000));
  });

  it('bounds what a file of many holes costs the host, and gets it back', () => {
    const file = open(tree.root, 'f', O_CREAT | O_RDWR);
    const step = 1024 * 1024;
    let written = 0;
    while (written < 100 && put(file, 'x', written * step) === 1) written++;
    expect(written).toBeGreaterThan(5);
    expect(written).toBeLessThan(25);
    for (let i = 0; i < 100; i++) {
      expect(file.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 100 * step)).toBe(0);
      expect(put(file, 'x', i * step)).toBe(1);
    }
  });

  it('refuses what a mapping wrote when it is full', () => {
    const file = open(tree.root, 'f', O_CREAT | O_RDWR);
    put(file, 'x'.repeat(1024 * 1024), 0);
    const { inode } = open(tree.root, 'g', O_CREAT | O_RDWR);
    if (!(inode instanceof MemoryFile)) throw new Error('a memory file was expected');
    expect(inode.writeStored(3, new Uint8Array(4096), 4096)).toBe(-ENOSPC);
  });

  it('counts inodes', () => {
    for (let i = 0; tryOpen(tree.root, `n${i}`, O_CREAT | O_WRONLY) === 0; i++) expect(i).toBeLessThan(60);
    expect(tryOpen(tree.root, 'more', O_CREAT | O_WRONLY)).toBe(-ENOSPC);
    unlink(tree.root, tree.vfs.root, 'n0');
    expect(tryOpen(tree.root, 'more', O_CREAT | O_WRONLY)).toBe(0);
  });

  it('lives on without a name as long as it is open', () => {
    writeText(tree.root, 'f', 'still here');
    const file = open(tree.root, 'f', O_RDONLY);
    unlink(tree.root, tree.vfs.root, 'f');
    expect(tryOpen(tree.root, 'f', O_RDONLY)).toBe(-2);
    expect(readAll(file)).toBe('still here');
    expect(file.inode.nlink).toBe(0);
  });

  it('is one file under all its names', () => {
    writeText(tree.root, 'f', 'one');
    expect(makeLink(tree.root, at(tree.root, 'f'), tree.vfs.root, 'g')).toBe(0);
    expect(at(tree.root, 'f').inode).toBe(at(tree.root, 'g').inode);
    expect(at(tree.root, 'f').inode.nlink).toBe(2);
    writeText(tree.root, 'g', 'two');
    expect(readText(tree.root, 'f')).toBe('two');
    unlink(tree.root, tree.vfs.root, 'f');
    expect(at(tree.root, 'g').inode.nlink).toBe(1);
  });

  it('loses its set-id bits when somebody else writes to it', () => {
    writeText(tree.user.cred.fsuid === 1000 ? tree.root : tree.user, 'f', 'x');
    changeMode(tree.root.cred, at(tree.root, 'f'), 0o6777);
    open(tree.user, 'f', 0o1001);
    expect(at(tree.root, 'f').inode.mode & 0o7777).toBe(0o777);
  });

  it('cannot be written while a program runs from it', () => {
    writeText(tree.root, 'program', 'x');
    at(tree.root, 'program').inode.deniesWrite++;
    expect(tryOpen(tree.root, 'program', O_WRONLY)).toBe(-ETXTBSY);
    expect(tryOpen(tree.root, 'program', O_RDONLY)).toBe(0);
  });

  it('moves its access time only when it hides a change', () => {
    writeText(tree.root, 'f', 'x');
    const { inode } = at(tree.root, 'f');
    changeTimes(tree.root.cred, at(tree.root, 'f'), 5n, 5n);
    tree.clock.now += 1000n;
    readText(tree.root, 'f');
    expect(inode.atimeNs).toBe(tree.clock.now);
    const seen = inode.atimeNs;
    tree.clock.now += 1000n;
    inode.ctimeNs = 1n;
    inode.mtimeNs = 1n;
    readText(tree.root, 'f');
    expect(inode.atimeNs).toBe(seen);
    tree.clock.now += 90_000_000_000_000n;
    readText(tree.root, 'f');
    expect(inode.atimeNs).toBe(tree.clock.now);
  });
});

describe('a memory directory', () => {
  it('lists names in the order in which they were made', () => {
    for (const name of ['z', 'a', 'm']) writeText(tree.root, name, '');
    expect(list(tree.root, '/')).toEqual(['z', 'a', 'm']);
    unlink(tree.root, tree.vfs.root, 'a');
    writeText(tree.root, 'a', '');
    expect(list(tree.root, '/')).toEqual(['z', 'm', 'a']);
  });

  it('gives every name once although names go while it is read', () => {
    makeDirectory(tree.root, tree.vfs.root, 'd', 0o755);
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
    for (const name of names) writeText(tree.root, `d/${name}`, '');
    const dir = open(tree.root, 'd', O_RDONLY);
    const seen: string[] = [];
    for (;;) {
      let taken = 0;
      dir.readEntries((name) => {
        if (taken === 3) return false;
        taken++;
        seen.push(name);
        return true;
      });
      if (taken === 0) break;
      for (const name of seen) if (name.startsWith('n')) unlink(tree.root, tree.vfs.root, `d/${name}`);
    }
    expect(seen).toEqual(['.', '..', ...names]);
    dir.release();
    expect(removeDirectory(tree.root, tree.vfs.root, 'd')).toBe(0);
  });

  it('counts the directories in it as its links', () => {
    makeDirectory(tree.root, tree.vfs.root, 'd', 0o755);
    makeDirectory(tree.root, tree.vfs.root, 'd/e', 0o755);
    expect(at(tree.root, 'd').inode.nlink).toBe(3);
    removeDirectory(tree.root, tree.vfs.root, 'd/e');
    expect(at(tree.root, 'd').inode.nlink).toBe(2);
  });

  it('hides what the system put into it, and still leads there', () => {
    expect(list(tree.root, '/')).toEqual([]);
    expect(at(tree.root, '/tmp').inode.mode & 0o7777).toBe(0o1777);
    expect(tryOpen(tree.root, '/tmp', O_CREAT | O_EXCL)).toBe(-EEXIST);
  });

  it('protects others in a sticky directory', () => {
    writeText(tree.root, '/tmp/mine', 'x');
    expect(unlink(tree.user, tree.vfs.root, '/tmp/mine')).toBe(-EPERM);
    writeText(tree.user, '/tmp/yours', 'x');
    expect(unlink(tree.user, tree.vfs.root, '/tmp/yours')).toBe(0);
  });
});
