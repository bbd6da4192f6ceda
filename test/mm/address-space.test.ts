// SPDX-License-Identifier: MIT

import { beforeEach, describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import * as E from '../../src/abi/errno.ts';
import * as M from '../../src/abi/mman.ts';
import { AddressSpace, type AddressSpaceOptions, PhysicalMemory } from '../../src/mm/address-space.ts';
import { SoftMmu } from './soft-mmu.ts';
import { TestFile } from './test-file.ts';

const A = 0x10000000;
const RW = M.PROT_READ | M.PROT_WRITE;
const ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
const FIXED = ANON | M.MAP_FIXED;
const TOP = 0x7ffff7fff000;

let mmu: SoftMmu;
let memory: PhysicalMemory;
let mm: AddressSpace;

function make(options: AddressSpaceOptions = {}, limitPages = 400): void {
  mmu = new SoftMmu(512);
  memory = new PhysicalMemory(mmu, limitPages * PAGE_SIZE);
  mm = new AddressSpace(memory, options);
}

function map(pages: number, at = A, prot = RW, flags = FIXED): number {
  return mm.mmap({ addr: at, length: pages * PAGE_SIZE, prot, flags });
}

beforeEach(() => make());

describe('mmap without a fixed address', () => {
  it('goes down from below the stack, as a Linux process without ASLR', () => {
    expect(map(1, 0, RW, ANON)).toBe(TOP - PAGE_SIZE);
    expect(map(3, 0, RW, ANON)).toBe(TOP - 4 * PAGE_SIZE);
    mm.munmap(TOP - PAGE_SIZE, PAGE_SIZE);
    expect(map(2, 0, RW, ANON)).toBe(TOP - 6 * PAGE_SIZE);
    expect(map(1, 0, RW, ANON)).toBe(TOP - PAGE_SIZE);
  });

  it('takes a hint that is free, rounded to a page, and another place when it is not', () => {
    expect(map(2, A + 123, RW, ANON)).toBe(A);
    expect(map(2, A + PAGE_SIZE, RW, ANON)).toBe(TOP - 2 * PAGE_SIZE);
    expect(map(1, 5000, RW, ANON)).toBe(65536);
    expect(map(1, 5, RW, ANON)).toBe(TOP - 3 * PAGE_SIZE);
  });

  it('keeps the gap below an area that grows down', () => {
    map(1, A, RW, FIXED | M.MAP_GROWSDOWN);
    const near = A - 256 * PAGE_SIZE;
    expect(map(1, near, RW, ANON)).toBe(TOP - PAGE_SIZE);
    expect(map(1, near - PAGE_SIZE, RW, ANON)).toBe(near - PAGE_SIZE);
  });

  it('goes up from a third of the range when nothing is free below the stack', () => {
    make({ end: 0x40000000 });
    expect(map(1, 65536, M.PROT_NONE, FIXED)).toBe(65536);
    expect(mm.mmap({ addr: 65536, length: mm.mmapBase - 65536, prot: 0, flags: FIXED })).toBe(65536);
    expect(map(1, 0, RW, ANON)).toBe(mm.mmapBase);
  });

  it('stays within 2 GiB with MAP_32BIT', () => {
    expect(map(1, 0, RW, ANON | M.MAP_32BIT)).toBe(0x40000000);
  });

  it('starts lower by what the layout says', () => {
    make();
    const first = map(1, 0, RW, ANON);
    make({ mmapShift: 0x123000 });
    expect(map(1, 0, RW, ANON)).toBe(first - 0x123000);
  });

  it('reserves hundreds of GiB at the cost of no frame', () => {
    const before = memory.usedFrames;
    const at = mm.mmap({ addr: 0, length: 2 ** 39, prot: 0, flags: ANON | M.MAP_NORESERVE });
    expect(at).toBe(TOP - 2 ** 39);
    expect(mm.mprotect(at + 2 ** 38, 2 ** 21, RW)).toBe(0);
    expect(mm.mprotect(at, 2 ** 39, M.PROT_READ)).toBe(0);
    expect(mm.madvise(at, 2 ** 39, M.MADV_DONTNEED)).toBe(0);
    expect(mm.munmap(at, 2 ** 39)).toBe(0);
    expect(memory.usedFrames).toBe(before);
  });
});

describe('limits', () => {
  it('gives ENOMEM beyond RLIMIT_AS and RLIMIT_DATA, which count what they should', () => {
    mm.limits.addressSpaceBytes = 10 * PAGE_SIZE;
    expect(map(8, A, M.PROT_READ)).toBe(A);
    expect(map(3, A + 2 ** 20)).toBe(-E.ENOMEM);
    // What a fixed mapping replaces does not count twice.
    expect(map(10, A)).toBe(A);
    mm.limits.addressSpaceBytes = Infinity;
    mm.limits.dataBytes = 12 * PAGE_SIZE;
    expect(map(3, A + 2 ** 20)).toBe(-E.ENOMEM);
    expect(map(3, A + 2 ** 20, M.PROT_READ)).toBe(A + 2 ** 20);
    expect(mm.mprotect(A + 2 ** 20, 3 * PAGE_SIZE, RW)).toBe(-E.ENOMEM);
    expect(mm.mprotect(A + 2 ** 20, 2 * PAGE_SIZE, RW)).toBe(0);
  });

  it('refuses a private writable mapping that could never be met, unless it is MAP_NORESERVE', () => {
    expect(map(401)).toBe(-E.ENOMEM);
    expect(map(401, A, RW, FIXED | M.MAP_NORESERVE)).toBe(A);
    expect(map(401, A + 2 ** 24, M.PROT_READ)).toBe(A + 2 ** 24);
    expect(mm.mprotect(A + 2 ** 24, 401 * PAGE_SIZE, RW)).toBe(-E.ENOMEM);
  });

  it('kills a guest for which no frame is left, and stops a copy at that page', () => {
    make({}, 40);
    map(39);
    let page = 0;
    while (mmu.store(mm, A + page * PAGE_SIZE, 1) === undefined) page++;
    expect(page).toBeGreaterThan(30);
    expect(mmu.store(mm, A + page * PAGE_SIZE, 1)).toMatchObject({ signo: 9 });
    expect(memory.usedFrames).toBe(40);
    expect(mm.copyOut(A + page * PAGE_SIZE - 10, new Uint8Array(20))).toBe(10);
    expect(mm.fork()).toBeUndefined();
    expect(memory.usedFrames).toBe(40);
    mm.munmap(A, PAGE_SIZE);
    expect(mmu.store(mm, A + page * PAGE_SIZE, 1)).toBeUndefined();
  });

  it('drops clean file pages that nobody maps when memory is short, and never dirty ones', () => {
    make({}, 40);
    const file = TestFile.ofPages(12);
    mm.mmap({ addr: A, length: 12 * PAGE_SIZE, prot: RW, flags: M.MAP_SHARED | M.MAP_FIXED, file });
    for (let i = 0; i < 12; i++) mmu.load(mm, A + i * PAGE_SIZE);
    mmu.store(mm, A + PAGE_SIZE, 99);
    expect(file.pages.dirtyPages).toBe(1);
    mm.munmap(A, 12 * PAGE_SIZE);
    expect(file.pages.dirtyPages).toBe(0);
    expect(file.bytes[PAGE_SIZE]).toBe(99);
    expect(file.pages.cachedPages).toBe(12);
    map(34);
    for (let i = 0; i < 34; i++) expect(mmu.store(mm, A + i * PAGE_SIZE, 1)).toBeUndefined();
    expect(file.pages.cachedPages).toBe(0);
    expect(file.contents()[PAGE_SIZE]).toBe(99);
  });

  it('locks within RLIMIT_MEMLOCK', () => {
    map(8);
    mm.limits.memlockBytes = 4 * PAGE_SIZE;
    expect(mm.mlock(A, 5 * PAGE_SIZE)).toBe(-E.ENOMEM);
    expect(mm.mlock(A, 4 * PAGE_SIZE)).toBe(0);
    expect(mm.memoryUse()).toMatchObject({ vmLocked: 4 * PAGE_SIZE, vmRss: 4 * PAGE_SIZE });
    // Locking what is locked costs nothing more.
    expect(mm.mlock(A + 1, 100)).toBe(0);
    expect(map(1, A + 2 ** 20, RW, FIXED | M.MAP_LOCKED)).toBe(-E.EAGAIN);
    expect(mm.mlockall(M.MCL_CURRENT)).toBe(-E.ENOMEM);
    expect(mm.mlockall(0)).toBe(-E.EINVAL);
    expect(mm.mlockall(M.MCL_ONFAULT)).toBe(-E.EINVAL);
    expect(mm.madvise(A, PAGE_SIZE, M.MADV_DONTNEED)).toBe(-E.EINVAL);
    expect(mm.munlock(A, 8 * PAGE_SIZE)).toBe(0);
    expect(mm.memoryUse().vmLocked).toBe(0);
    expect(mm.mlockall(M.MCL_FUTURE)).toBe(0);
    expect(map(4, A + 2 ** 20)).toBe(A + 2 ** 20);
    expect(mm.memoryUse().vmRss).toBe(8 * PAGE_SIZE);
    expect(mm.munlockall()).toBe(0);
    mm.limits.memlockBytes = 0;
    expect(mm.mlock(A, 1)).toBe(-E.EPERM);
    expect(map(1, A, RW, FIXED | M.MAP_LOCKED)).toBe(-E.EPERM);
  });

  it('lets fork forget locks', () => {
    map(2);
    mm.mlock(A, 2 * PAGE_SIZE);
    const child = mm.fork();
    expect(child?.memoryUse().vmLocked).toBe(0);
    expect(mm.memoryUse().vmLocked).toBe(2 * PAGE_SIZE);
  });
});

describe('brk', () => {
  beforeEach(() => mm.setBrkStart(0x600000));

  it('grows and shrinks the heap, and answers with the old break when it cannot', () => {
    expect(mm.brk(0)).toBe(0x600000);
    expect(mm.brk(0x602345)).toBe(0x602345);
    expect(mmu.store(mm, 0x602fff, 1)).toBeUndefined();
    expect(mm.brk(0x601000)).toBe(0x601000);
    expect(mmu.load(mm, 0x601000)).toMatchObject({ signo: 11, code: 1 });
    expect(mm.brk(0x5fffff)).toBe(0x601000);
    mm.limits.dataBytes = 0x3000;
    expect(mm.brk(0x604000)).toBe(0x601000);
    expect(mm.brk(0x603000)).toBe(0x603000);
    mm.limits.dataBytes = Infinity;
    map(1, 0x610000);
    expect(mm.brk(0x610000)).toBe(0x603000);
    expect(mm.brk(0x60f000)).toBe(0x60f000);
  });

  it('starts as an area of its own, as Linux shows it', () => {
    map(2, 0x5fe000);
    mm.brk(0x601000);
    mm.brk(0x603000);
    expect(mm.mapsText()).toBe(
      '005fe000-00600000 rw-p 00000000 00:00 0 \n' +
        `00600000-00603000 rw-p 00000000 00:00 0 ${' '.repeat(33)}[heap]\n`,
    );
  });

  it('keeps zeroes in memory that comes back', () => {
    mm.brk(0x601000);
    mmu.store(mm, 0x600010, 7);
    mm.brk(0x600000);
    mm.brk(0x601000);
    expect(mmu.load(mm, 0x600010)).toBe(0);
  });
});

describe('a stack', () => {
  it('grows where it is touched, up to its limit and not into its neighbour', () => {
    const top = 0x20000000;
    map(4, top - 4 * PAGE_SIZE, RW, FIXED | M.MAP_GROWSDOWN);
    mm.limits.stackBytes = 2 ** 20;
    expect(mmu.store(mm, top - 2 ** 20, 1)).toBeUndefined();
    expect(mm.findVma(top - 1)?.start).toBe(top - 2 ** 20);
    expect(mmu.store(mm, top - 2 ** 20 - 1, 1)).toMatchObject({ signo: 11, code: 1 });
    mm.limits.stackBytes = Infinity;
    map(1, top - 2 ** 20 - 300 * PAGE_SIZE);
    expect(mmu.store(mm, top - 2 ** 20 - 40 * PAGE_SIZE, 1)).toBeUndefined();
    expect(mmu.store(mm, top - 2 ** 20 - 60 * PAGE_SIZE, 1)).toMatchObject({ signo: 11, code: 1 });
    // The kernel's copies let it grow, too.
    expect(mm.copyOut(top - 2 ** 20 - 42 * PAGE_SIZE, Uint8Array.of(1))).toBe(1);
    expect(mm.memoryUse().vmStack).toBe(2 ** 20 + 42 * PAGE_SIZE);
  });
});

describe('copies', () => {
  const bytes = Uint8Array.from({ length: 3 * PAGE_SIZE }, (_, i) => i % 251);

  it('stop at the exact byte that faults', () => {
    map(2);
    expect(mm.copyOut(A + 100, bytes)).toBe(2 * PAGE_SIZE - 100);
    const into = new Uint8Array(3 * PAGE_SIZE);
    expect(mm.copyIn(A + 100, into)).toBe(2 * PAGE_SIZE - 100);
    expect(into.subarray(0, 2 * PAGE_SIZE - 100)).toEqual(bytes.subarray(0, 2 * PAGE_SIZE - 100));
    expect(mm.copyIn(A - 1, into)).toBe(0);
    expect(mm.copyOut(A + 2 * PAGE_SIZE, bytes)).toBe(0);
    expect(mm.zeroOut(A + 2 * PAGE_SIZE - 7, 100)).toBe(7);
  });

  it('fault outside the user range, whatever number is given', () => {
    make({ end: 0x7fff00000000 });
    expect(map(1, 0x7fff00000000 - PAGE_SIZE)).toBe(0x7fff00000000 - PAGE_SIZE);
    for (const addr of [0x7fff00000000, 2 ** 47, 2 ** 63, 2 ** 64 - 8, -1, Number.NaN, Infinity]) {
      expect(mm.copyIn(addr, new Uint8Array(1))).toBe(0);
      expect(mm.copyOut(addr, new Uint8Array(1))).toBe(0);
      expect(mm.readU32(addr)).toBeUndefined();
      expect(mm.writeU64(addr, 1)).toBe(false);
      expect(mm.readCString(addr, 10)).toBe(-E.EFAULT);
      expect(mm.physicalOf(addr, 'read')).toBeUndefined();
      expect(mm.handleFault(addr, 'read', false, 0)).toMatchObject({ signo: 11, code: 1 });
    }
    expect(mm.copyIn(0x7fff00000000 - 3, new Uint8Array(10))).toBe(3);
  });

  it('read and write words at any alignment, also across pages', () => {
    map(2);
    for (const at of [A, A + 1, A + 4, A + PAGE_SIZE - 1, A + PAGE_SIZE - 3, A + PAGE_SIZE - 7]) {
      expect(mm.writeU64(at, 0xfedcba9876543210n)).toBe(true);
      expect(mm.readU64(at)).toBe(0xfedcba9876543210n);
      expect(mm.readU8(at)).toBe(0x10);
      expect(mm.readU16(at)).toBe(0x3210);
      expect(mm.readU32(at)).toBe(0x76543210);
      expect(mm.readU64n(at)).toBe(Number(0xfedcba9876543210n));
      expect(mm.writeU64(at, -5)).toBe(true);
      expect(mm.readI64n(at)).toBe(-5);
      expect(mm.readU64(at)).toBe(2n ** 64n - 5n);
      expect(mm.writeU64(at, 2 ** 52 + 1)).toBe(true);
      expect(mm.readU64n(at)).toBe(2 ** 52 + 1);
      expect(mm.writeU32(at, -1)).toBe(true);
      expect(mm.readU32(at)).toBe(0xffffffff);
      expect(mm.writeU16(at, 0x1234)).toBe(true);
      expect(mm.writeU8(at, 0x99)).toBe(true);
      expect(mm.readU16(at)).toBe(0x1299);
    }
  });

  it('write all of a word or nothing when it meets a page that cannot be written', () => {
    map(1);
    map(1, A + PAGE_SIZE, M.PROT_READ);
    expect(mm.writeU64(A + PAGE_SIZE - 4, -1)).toBe(false);
    expect(mm.readU32(A + PAGE_SIZE - 4)).toBe(0);
    expect(mm.readU64(A + PAGE_SIZE - 4)).toBe(0n);
    mm.munmap(A + PAGE_SIZE, PAGE_SIZE);
    expect(mm.readU64(A + PAGE_SIZE - 4)).toBeUndefined();
    expect(mm.readU32(A + PAGE_SIZE - 4)).toBe(0);
  });

  it('compare and exchange', () => {
    map(1);
    mm.writeU32(A, 5);
    expect(mm.compareExchangeU32(A, 4, 9)).toBe(5);
    expect(mm.readU32(A)).toBe(5);
    expect(mm.compareExchangeU32(A, 5, 0x80000001)).toBe(5);
    expect(mm.readU32(A)).toBe(0x80000001);
    expect(mm.compareExchangeU32(A, -0x7fffffff, 1)).toBe(0x80000001);
    mm.mprotect(A, PAGE_SIZE, M.PROT_READ);
    expect(mm.compareExchangeU32(A, 1, 2)).toBeUndefined();
  });

  it('find the end of a string or say that there is none', () => {
    map(2);
    mm.copyOut(A + PAGE_SIZE - 3, Uint8Array.of(65, 66, 67, 68, 69, 0));
    expect(mm.readCString(A + PAGE_SIZE - 3, 100)).toEqual(Uint8Array.of(65, 66, 67, 68, 69));
    expect(mm.readCString(A + PAGE_SIZE - 3, 6)).toEqual(Uint8Array.of(65, 66, 67, 68, 69));
    expect(mm.readCString(A + PAGE_SIZE - 3, 5)).toBe(-E.ENAMETOOLONG);
    expect(mm.readCString(A, 100)).toEqual(new Uint8Array(0));
    expect(mm.readText(A + PAGE_SIZE - 3, 100)).toBe('ABCDE');
    expect(mm.readText(A + PAGE_SIZE - 3, 6)).toBe('ABCDE');
    expect(mm.readText(A + PAGE_SIZE - 3, 5)).toBe(-E.ENAMETOOLONG);
    expect(mm.readText(A, 100)).toBe('');
    mm.copyOut(A + 2 * PAGE_SIZE - 2, Uint8Array.of(65, 66));
    expect(mm.readCString(A + 2 * PAGE_SIZE - 2, 100)).toBe(-E.EFAULT);
    expect(mm.readText(A + 2 * PAGE_SIZE - 2, 100)).toBe(-E.EFAULT);
    expect(mm.readCString(A + 2 * PAGE_SIZE - 2, 2)).toBe(-E.ENAMETOOLONG);
  });

  it('ignore permissions as far as the maximum goes, and leave them as they are', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: M.PROT_NONE, flags: FIXED });
    expect(mm.copyOut(A, Uint8Array.of(42))).toBe(0);
    expect(mm.copyOut(A, Uint8Array.of(42), true)).toBe(1);
    const into = new Uint8Array(1);
    expect(mm.copyIn(A, into)).toBe(0);
    expect(mm.copyIn(A, into, true)).toBe(1);
    expect(into[0]).toBe(42);
    expect(mmu.load(mm, A)).toMatchObject({ signo: 11, code: 2 });
    mm.mprotect(A, PAGE_SIZE, M.PROT_READ);
    expect(mmu.load(mm, A)).toBe(42);
    expect(mmu.store(mm, A, 1)).toMatchObject({ signo: 11, code: 2 });

    const file = TestFile.ofPages(1);
    mm.mmap({
      addr: A,
      length: PAGE_SIZE,
      prot: M.PROT_READ,
      maxProt: M.PROT_READ,
      flags: M.MAP_SHARED | M.MAP_FIXED,
      file,
    });
    expect(mm.copyOut(A, Uint8Array.of(42), true)).toBe(0);
    expect(mm.mprotect(A, PAGE_SIZE, RW)).toBe(-E.EACCES);
    expect(file.contents()[0]).toBe(1);
  });
});

describe('file mappings', () => {
  it('share one frame a page between private mappings until one is written', () => {
    const file = TestFile.ofPages(2);
    const other = new AddressSpace(memory);
    for (const space of [mm, other]) {
      space.mmap({ addr: A, length: 2 * PAGE_SIZE, prot: RW, flags: M.MAP_PRIVATE | M.MAP_FIXED, file });
      mmu.load(space, A);
    }
    expect(file.reads).toBe(1);
    expect(mm.physicalOf(A, 'read')).toBe(other.physicalOf(A, 'read'));
    mmu.store(mm, A, 50);
    expect(mmu.load(mm, A)).toBe(50);
    expect(mmu.load(other, A)).toBe(1);
    expect(file.contents()[0]).toBe(1);
  });

  it('keep read(2), write(2) and shared mappings coherent', () => {
    const file = TestFile.ofPages(2);
    mm.mmap({ addr: A, length: 2 * PAGE_SIZE, prot: RW, flags: M.MAP_SHARED | M.MAP_FIXED, file });
    mmu.store(mm, A + 10, 77);
    expect(file.contents()[10]).toBe(77);
    expect(file.bytes[10]).toBe(1);
    file.write(11, Uint8Array.of(78));
    expect(mmu.load(mm, A + 11)).toBe(78);
    expect(mm.msync(A, PAGE_SIZE, M.MS_SYNC)).toBe(0);
    expect(file.bytes[10]).toBe(77);
    expect(file.writes).toBe(1);
    // The next store is noticed again.
    mmu.store(mm, A + 12, 79);
    expect(mm.munmap(A, 2 * PAGE_SIZE)).toBe(0);
    expect(file.bytes[12]).toBe(79);
  });

  it('give SIGBUS beyond the end of the file, at once when it is cut, and come back when it grows', () => {
    const file = TestFile.ofPages(2);
    mm.mmap({ addr: A, length: 4 * PAGE_SIZE, prot: RW, flags: M.MAP_SHARED | M.MAP_FIXED, file });
    expect(mmu.load(mm, A + 2 * PAGE_SIZE)).toEqual({ signo: 7, code: 2, addr: A + 2 * PAGE_SIZE });
    expect(mmu.load(mm, A + PAGE_SIZE)).toBe(2);
    file.resize(100);
    expect(mmu.load(mm, A + PAGE_SIZE)).toMatchObject({ signo: 7 });
    expect(mmu.load(mm, A + 99)).toBe(1);
    expect(mmu.load(mm, A + 100)).toBe(0);
    expect(mm.copyIn(A + PAGE_SIZE, new Uint8Array(1))).toBe(0);
    file.resize(2 * PAGE_SIZE);
    expect(mmu.load(mm, A + PAGE_SIZE)).toBe(0);
  });

  it('turn a file that cannot be read into SIGBUS', () => {
    const file = TestFile.ofPages(1);
    file.failure = E.EIO;
    const before = memory.usedFrames;
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RW, flags: M.MAP_PRIVATE | M.MAP_FIXED, file });
    expect(mmu.load(mm, A)).toMatchObject({ signo: 7, code: 2 });
    file.failure = 0;
    expect(mmu.load(mm, A)).toBe(1);
    mm.munmap(A, PAGE_SIZE);
    file.pages.dispose();
    expect(memory.usedFrames).toBe(before);
  });

  it('tell the file system when the last mapping has gone', () => {
    const file = TestFile.ofPages(1);
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RW, flags: M.MAP_SHARED | M.MAP_FIXED, file });
    const child = mm.fork();
    expect(file.pages.mappingCount).toBe(2);
    mm.munmap(A, PAGE_SIZE);
    expect(file.unmapped).toBe(0);
    child?.release();
    expect(file.unmapped).toBe(1);
  });

  it('zero what MADV_REMOVE takes, in the file too', () => {
    const file = TestFile.ofPages(3);
    mm.mmap({ addr: A, length: 3 * PAGE_SIZE, prot: RW, flags: M.MAP_SHARED | M.MAP_FIXED, file });
    expect(mm.madvise(A + PAGE_SIZE, PAGE_SIZE, M.MADV_REMOVE)).toBe(0);
    expect(mmu.load(mm, A + PAGE_SIZE)).toBe(0);
    expect(mmu.load(mm, A + 2 * PAGE_SIZE)).toBe(3);
    mm.msync(A, 3 * PAGE_SIZE, M.MS_SYNC);
    expect(file.bytes[PAGE_SIZE]).toBe(0);
  });
});

describe('fork', () => {
  it('leaves out what MADV_DONTFORK marks, and empties what MADV_WIPEONFORK marks', () => {
    map(3);
    for (let i = 0; i < 3; i++) mmu.store(mm, A + i * PAGE_SIZE, 5);
    expect(mm.madvise(A, PAGE_SIZE, M.MADV_DONTFORK)).toBe(0);
    expect(mm.madvise(A + PAGE_SIZE, PAGE_SIZE, M.MADV_WIPEONFORK)).toBe(0);
    const child = mm.fork() as AddressSpace;
    expect(mmu.load(child, A)).toMatchObject({ signo: 11, code: 1 });
    expect(mmu.load(child, A + PAGE_SIZE)).toBe(0);
    expect(mmu.load(child, A + 2 * PAGE_SIZE)).toBe(5);
    expect(mmu.load(mm, A + PAGE_SIZE)).toBe(5);
  });

  it('keeps the break, the limits and the layout', () => {
    mm.setBrkStart(0x600000);
    mm.brk(0x601000);
    mm.limits.stackBytes = 12345;
    const child = mm.fork() as AddressSpace;
    expect(child.brk(0)).toBe(0x601000);
    expect(child.limits.stackBytes).toBe(12345);
    expect(child.mmapBase).toBe(mm.mmapBase);
    child.limits.stackBytes = 1;
    expect(mm.limits.stackBytes).toBe(12345);
    expect(child.mapsText()).toBe(mm.mapsText());
  });
});

describe('futex keys', () => {
  it('meet where the memory is the same, and only there', () => {
    map(1);
    mm.mmap({ addr: A + PAGE_SIZE, length: PAGE_SIZE, prot: RW, flags: M.MAP_SHARED | M.MAP_ANONYMOUS | M.MAP_FIXED });
    const child = mm.fork() as AddressSpace;
    expect(mm.futexKey(A, true)).not.toBe(child.futexKey(A, true));
    expect(mm.futexKey(A, false)).toBe(mm.futexKey(A, true));
    expect(mm.futexKey(A + PAGE_SIZE, false)).toBe(child.futexKey(A + PAGE_SIZE, false));
    expect(mm.futexKey(A + PAGE_SIZE, false)).not.toBe(mm.futexKey(A + PAGE_SIZE + 4, false));
    expect(mm.futexKey(A + PAGE_SIZE, true)).not.toBe(child.futexKey(A + PAGE_SIZE, true));
    expect(mm.futexKey(A + 9 * PAGE_SIZE, false)).toBeUndefined();
  });

  it('stay apart for any number of address spaces', () => {
    const keys = new Set<string | number | undefined>();
    let space: AddressSpace = mm;
    for (let i = 0; i < 40; i++) {
      space = new AddressSpace(memory);
      for (const addr of [0x1000, 0x7ffffffff000 - 4]) keys.add(space.futexKey(addr, true));
    }
    expect(keys.size).toBe(80);
  });
});

describe('the platform', () => {
  it('maps pages beyond the guest that the guest can use and not see', () => {
    make({ end: 0x7fff00000000 });
    const page = memory.allocatePage();
    memory.bytes[page] = 33;
    expect(mm.mapStub(0x7fff00001000, page, true, false)).toBe(true);
    expect(mmu.load(mm, 0x7fff00001000)).toBe(33);
    expect(mmu.store(mm, 0x7fff00001000, 34)).toBeUndefined();
    expect(mmu.fetch(mm, 0x7fff00001000)).toMatchObject({ signo: 11 });
    expect(mm.mapsText()).toBe('');
    expect(mm.copyIn(0x7fff00001000, new Uint8Array(1))).toBe(0);
    expect(mm.mmap({ addr: 0x7fff00001000, length: PAGE_SIZE, prot: RW, flags: FIXED })).toBe(-E.ENOMEM);
    expect(mm.munmap(0x7fff00001000, PAGE_SIZE)).toBe(-E.EINVAL);
    mm.unmapStub(0x7fff00001000);
    expect(mmu.load(mm, 0x7fff00001000)).toMatchObject({ signo: 11 });
    mm.mapStub(0x7fff00001000, page, false, true);
    memory.releasePage(page);
    mm.release();
    expect(memory.usedFrames).toBe(0);
  });

  it('puts its table below the lowest address that guests may map, populated and named', () => {
    const flags = FIXED;
    expect(map(5, 0x8000)).toBe(-E.EPERM);
    const table = { addr: 0x8000, length: 5 * PAGE_SIZE, prot: M.PROT_READ | M.PROT_EXEC, flags, name: '[usertrap]' };
    expect(mm.mmap({ ...table, force: true, lockEager: true })).toBe(0x8000);
    mm.limits.memlockBytes = 0;
    const vma = mm.findVmaByName('[usertrap]', 0, 65536);
    expect(vma).toMatchObject({ start: 0x8000, end: 0xd000, prot: 5, maxProt: 7, shared: false, offset: 0 });
    expect(mm.mapsText()).toBe(`00008000-0000d000 r-xp 00000000 00:00 0 ${' '.repeat(33)}[usertrap]\n`);
    expect(mm.copyOut(0x8000, Uint8Array.of(1, 2, 3), true)).toBe(3);
    expect(mmu.fetch(mm, 0x8001)).toBe(2);
    expect(mm.findVmaByName('[usertrap]', 0x9000)).toBeUndefined();
  });
});

describe('maps', () => {
  it('have the lines of Linux', () => {
    const file = new TestFile(new Uint8Array(PAGE_SIZE), '/usr/lib/a b\nc', 1234567);
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: 5, flags: M.MAP_PRIVATE | M.MAP_FIXED, file, offset: 0 });
    mm.mmap({ addr: A + PAGE_SIZE, length: PAGE_SIZE, prot: 0, flags: M.MAP_SHARED | M.MAP_ANONYMOUS | M.MAP_FIXED });
    map(1, 0x555555554000);
    map(1, 0x555555555000);
    mm.setName(0x555555555000, PAGE_SIZE, 'pool');
    expect(mm.mapsText()).toBe(
      [
        '10000000-10001000 r-xp 00000000 08:01 1234567                            /usr/lib/a b\\012c',
        '10001000-10002000 ---s 00000000 00:01 1                                  /dev/zero (deleted)',
        '555555554000-555555555000 rw-p 00000000 00:00 0 ',
        '555555555000-555555556000 rw-p 00000000 00:00 0                          [anon:pool]',
        '',
      ].join('\n'),
    );
    mm.setName(0x555555555000, PAGE_SIZE, '');
    expect(mm.mapsText()).toMatch(/555555554000-555555556000 rw-p 00000000 00:00 0 \n$/);
  });

  it('and the numbers of status add up', () => {
    map(4);
    mm.mmap({
      addr: A + 2 ** 20,
      length: 2 * PAGE_SIZE,
      prot: 5,
      flags: M.MAP_PRIVATE | M.MAP_FIXED,
      file: TestFile.ofPages(2),
    });
    map(3, A + 2 ** 21, RW, FIXED | M.MAP_GROWSDOWN);
    mmu.store(mm, A, 1);
    mmu.load(mm, A + PAGE_SIZE);
    mmu.load(mm, A + 2 ** 20);
    const use = mm.memoryUse();
    expect(use).toMatchObject({
      vmSize: 9 * PAGE_SIZE,
      vmData: 4 * PAGE_SIZE,
      vmExe: 2 * PAGE_SIZE,
      vmStack: 3 * PAGE_SIZE,
      vmRss: 2 * PAGE_SIZE,
      rssShared: PAGE_SIZE,
    });
    mm.munmap(A, 4 * PAGE_SIZE);
    expect(mm.memoryUse()).toMatchObject({
      vmSize: 5 * PAGE_SIZE,
      vmPeak: 9 * PAGE_SIZE,
      vmRss: PAGE_SIZE,
      vmHwm: 2 * PAGE_SIZE,
    });
  });
});

describe('release', () => {
  it('gives every frame back, page tables included, however far apart the mappings were', () => {
    mm.release();
    const before = memory.usedFrames;
    expect(before).toBe(0);
    mm = new AddressSpace(memory);
    for (let i = 0; i < 20; i++) {
      const at = 0x100000 + i * 2 ** 40;
      map(1, at);
      mmu.store(mm, at, 1);
    }
    expect(memory.tableFrames).toBeGreaterThan(60);
    const child = mm.fork() as AddressSpace;
    mm.munmap(0x100000, PAGE_SIZE);
    child.release();
    mm.retain();
    mm.release();
    expect(memory.usedFrames).toBeGreaterThan(0);
    mm.release();
    expect(memory.usedFrames).toBe(0);
    expect(() => mm.release()).toThrow(/released more often/);
  });

  it('frees page tables of ranges that are unmapped', () => {
    map(1, A);
    mmu.store(mm, A, 1);
    const before = memory.usedFrames;
    map(1, A + 2 ** 40);
    mmu.store(mm, A + 2 ** 40, 1);
    expect(memory.usedFrames).toBeGreaterThan(before + 1);
    mm.munmap(A + 2 ** 40, PAGE_SIZE);
    expect(memory.usedFrames).toBe(before);
    expect(mmu.load(mm, A)).toBe(1);
  });
});

describe('the TLB', () => {
  it('is not flushed when absent pages become present', () => {
    map(10);
    mmu.load(mm, A);
    const before = mmu.flushes;
    for (let i = 1; i < 10; i++) mmu.store(mm, A + i * PAGE_SIZE, 1);
    expect(mmu.flushes).toBe(before);
    mm.mprotect(A, 10 * PAGE_SIZE, M.PROT_READ);
    expect(mmu.flushes).toBe(before + 1);
    mm.munmap(A, 10 * PAGE_SIZE);
    expect(mmu.flushes).toBe(before + 2);
  });
});
