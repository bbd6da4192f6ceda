// SPDX-License-Identifier: MIT

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EAGAIN, EBADF, EINVAL, EMFILE, ENFILE } from '../../src/abi/errno.ts';
import { F_RDLCK, F_UNLCK, F_WRLCK, O_CREAT, O_RDWR } from '../../src/abi/open.ts';
import { Budget } from '../../src/vfs/device-table.ts';
import { FdTable } from '../../src/vfs/fd-table.ts';
import { FileLocks, locksOf } from '../../src/vfs/file-locks.ts';
import type { OpenFile } from '../../src/vfs/open-file.ts';
import { makeTree, open } from './fixture.ts';

const { root } = makeTree();

function file(): OpenFile {
  return open(root, 'f', O_CREAT | O_RDWR);
}

describe('a descriptor table', () => {
  it('gives the lowest free descriptor whatever was closed', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant(-1), fc.nat(20)), { maxLength: 60 }), (steps) => {
        const table = new FdTable();
        const used = new Set<number>();
        for (const step of steps) {
          if (step < 0) {
            let expected = 0;
            while (used.has(expected)) expected++;
            expect(table.install(file(), false, 1000)).toBe(expected);
            used.add(expected);
          } else expect(table.close(step)).toBe(used.delete(step) ? 0 : -EBADF);
          expect([...table.descriptors()]).toEqual([...used].sort((a, b) => a - b));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps to RLIMIT_NOFILE', () => {
    const table = new FdTable();
    expect(table.install(file(), false, 2)).toBe(0);
    expect(table.install(file(), false, 2)).toBe(1);
    expect(table.install(file(), false, 2)).toBe(-EMFILE);
    expect(table.install(file(), false, 2, 2)).toBe(-EINVAL);
    expect(table.installAt(2, file(), false, 2)).toBe(-EBADF);
  });

  it('keeps to what all tables together may hold', () => {
    const table = new FdTable(new Budget(3));
    table.install(file(), false, 10);
    expect(table.installAt(7, file(), false, 10)).toBe(7);
    expect(table.copy()).toBeUndefined();
    table.close(7);
    const copy = table.copy();
    expect(copy?.get(0)).toBeDefined();
    expect(table.install(file(), false, 10)).toBe(1);
    expect(table.install(file(), false, 10)).toBe(-ENFILE);
    expect(table.installAt(5, file(), false, 10)).toBe(-ENFILE);
    copy?.release();
    expect(table.install(file(), false, 10)).toBe(2);
  });

  it('closes a description with its last descriptor, over all tables', () => {
    const table = new FdTable();
    const description = file();
    let isClosed = false;
    description.onRelease({ released: () => (isClosed = true) });
    table.install(description, true, 10);
    const copy = table.copy() ?? new FdTable();
    expect(copy.isCloexec(0)).toBe(true);
    table.close(0);
    expect(isClosed).toBe(false);
    copy.closeOnExec();
    expect(isClosed).toBe(true);
    expect(copy.get(0)).toBeUndefined();
  });

  it('closes or marks a range', () => {
    const table = new FdTable();
    for (let i = 0; i < 6; i++) table.install(file(), false, 10);
    table.closeRange(1, 2, false);
    table.closeRange(4, 4294967295, true);
    expect([...table.descriptors()]).toEqual([0, 3, 4, 5]);
    table.closeOnExec();
    expect([...table.descriptors()]).toEqual([0, 3]);
  });

  it('gives record locks back when any descriptor of the file is closed', () => {
    const table = new FdTable();
    table.install(file(), false, 10);
    table.install(file(), false, 10);
    const locks = locksOf(file().inode);
    locks.set({ owner: table, type: F_WRLCK, start: 0, end: 5, pid: 1 });
    const other = { owner: {}, type: F_RDLCK, start: 0, end: 1, pid: 2 };
    expect(locks.set(other)).toBe(-EAGAIN);
    table.close(1);
    expect(locks.set(other)).toBe(0);
  });
});

describe('record locks', () => {
  it('agree with a lock for each byte', () => {
    const range = fc.record({
      owner: fc.nat(2),
      type: fc.constantFrom(F_RDLCK, F_WRLCK, F_UNLCK),
      start: fc.nat(20),
      length: fc.integer({ min: 1, max: 10 }),
    });
    fc.assert(
      fc.property(fc.array(range, { maxLength: 30 }), (steps) => {
        const owners = [{}, {}, {}];
        const locks = new FileLocks();
        const held = owners.map(() => new Array<number>(40).fill(F_UNLCK));
        for (const { owner, type, start, length } of steps) {
          const bytes = Array.from({ length }, (_, i) => start + i);
          const blocked =
            type !== F_UNLCK &&
            bytes.some((b) =>
              held.some((row, o) => o !== owner && (row[b] === F_WRLCK || (type === F_WRLCK && row[b] === F_RDLCK))),
            );
          const result = locks.set({ owner: owners[owner] as object, type, start, end: start + length, pid: owner });
          expect(result).toBe(blocked ? -EAGAIN : 0);
          if (!blocked) for (const b of bytes) (held[owner] as number[])[b] = type;
        }
      }),
    );
  });

  it('of whole files are shared or exclusive', () => {
    const locks = new FileLocks();
    const [a, b] = [{}, {}];
    expect(locks.setWhole(a, false)).toBe(0);
    expect(locks.setWhole(b, false)).toBe(0);
    expect(locks.setWhole(a, true)).toBe(-EAGAIN);
    locks.releaseWhole(b);
    expect(locks.setWhole(a, true)).toBe(0);
    expect(locks.setWhole(b, false)).toBe(-EAGAIN);
  });
});
