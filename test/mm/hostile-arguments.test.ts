// SPDX-License-Identifier: MIT
//
// Whatever numbers a guest puts into the registers of a memory call: the answer is a number or an address, the areas
// stay in order, and no call takes long for the size that it claims.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import { AddressSpace, PhysicalMemory } from '../../src/mm/address-space.ts';
import { SoftMmu } from './soft-mmu.ts';
import { TestFile } from './test-file.ts';

/** A register as the kernel hands it over: unsigned, rounded to a double. */
const register = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 }).map((n) => 0x10000000 + n * PAGE_SIZE) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 12 }).map((n) => n * PAGE_SIZE) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 64 }).map((n) => 2 ** n) },
  { weight: 2, arbitrary: fc.integer({ min: 13, max: 64 }).map((n) => 2 ** n - PAGE_SIZE) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 9 }).map((n) => 0x7ffffffff000 - n * PAGE_SIZE) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 0xfff, 2 ** 64, 2 ** 64 - 4096, 2 ** 53 + 2, 2 ** 63) },
  { weight: 1, arbitrary: fc.maxSafeInteger().map(Math.abs) },
);
const flags = fc.oneof(
  fc.constantFrom(0x22, 0x32, 0x21, 0x31, 0x8022, 0xc022, 0x122, 0x132, 0x62, 0x100022, 0x2022),
  fc.nat(0x1fffff),
  fc.integer(),
);
const small = fc.oneof(fc.nat(8), fc.nat(0x20), fc.integer());
const call = fc.record({
  name: fc.constantFrom(
    'mmap',
    'mmapFile',
    'munmap',
    'mprotect',
    'mremap',
    'brk',
    'madvise',
    'mincore',
    'mlock',
    'munlock',
    'msync',
    'setName',
    'fault',
    'copy',
    'words',
  ),
  a: register,
  b: register,
  c: register,
  d: register,
  flags,
  prot: small,
});

function isAnswer(value: number, end: number): boolean {
  return Number.isInteger(value) && value > -4096 && value < end;
}

describe('memory calls with hostile arguments', () => {
  it('answer, and leave an orderly address space', () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 5, maxLength: 80, size: 'max' }), fc.boolean(), (calls, limited) => {
        const memory = new PhysicalMemory(new SoftMmu(160), 120 * PAGE_SIZE);
        const mm = new AddressSpace(
          memory,
          limited ? {} : { limits: { memlockBytes: Infinity, stackBytes: Infinity } },
        );
        mm.setBrkStart(0x600000);
        const file = TestFile.ofPages(4);
        for (const { name, a, b, c, d, flags: f, prot } of calls) {
          let value = 0;
          if (name === 'mmap') value = mm.mmap({ addr: a, length: b, prot, flags: f });
          else if (name === 'mmapFile')
            value = mm.mmap({ addr: a, length: b, prot, flags: f & ~0x20, file, offset: c });
          else if (name === 'munmap') value = mm.munmap(a, b);
          else if (name === 'mprotect') value = mm.mprotect(a, b, prot);
          else if (name === 'mremap') value = mm.mremap(a, b, c, prot, d);
          else if (name === 'brk') value = mm.brk(a);
          else if (name === 'madvise') value = mm.madvise(a, b, prot);
          else if (name === 'mincore') value = mm.mincore(a, b, c);
          else if (name === 'mlock') value = prot > 4 ? mm.mlockall(prot & 7) : mm.mlock(a, b, prot & 1);
          else if (name === 'munlock') value = prot > 4 ? mm.munlockall() : mm.munlock(a, b);
          else if (name === 'msync') value = mm.msync(a, b, prot);
          else if (name === 'setName') value = mm.setName(a, b, 'x');
          else if (name === 'fault') mm.handleFault(a, prot > 4 ? 'write' : prot > 2 ? 'execute' : 'read', false, b);
          else if (name === 'copy')
            value = mm.copyIn(a, new Uint8Array(b % 9000)) + mm.copyOut(c, new Uint8Array(d % 9000), prot > 3);
          else {
            mm.readU64(a);
            mm.writeU64(b, 1);
            mm.compareExchangeU32(c, 0, 1);
            mm.readCString(d, 5000);
            mm.futexKey(a, false);
          }
          expect(isAnswer(value, mm.end), `${name} gave ${value}`).toBe(true);
          let last = 0;
          let bytes = 0;
          for (const v of mm.vmas()) {
            expect(v.start % PAGE_SIZE === 0 && v.end % PAGE_SIZE === 0 && v.start >= last && v.end > v.start).toBe(
              true,
            );
            last = v.end;
            bytes += v.end - v.start;
          }
          expect(last).toBeLessThanOrEqual(mm.end);
          expect(mm.memoryUse().vmSize).toBe(bytes);
        }
        mm.fork()?.release();
        mm.release();
        memory.dispose();
        expect(memory.usedFrames).toBe(0);
      }),
      { numRuns: 400, seed: 42 },
    );
  });

  it('cannot fill the host with areas by forking', () => {
    const mmu = new SoftMmu(256);
    const memory = new PhysicalMemory(mmu, 256 * PAGE_SIZE);
    const mm = new AddressSpace(memory, {});
    const base = mm.mmap({ addr: 0, length: 65_000 * PAGE_SIZE, prot: 0, flags: 0x4022 });
    for (let i = 0; i < 32_000; i++) mm.mprotect(base + 2 * i * PAGE_SIZE, PAGE_SIZE, 1);
    const forks: AddressSpace[] = [];
    for (let child = mm.fork(); child !== undefined; child = mm.fork()) forks.push(child);
    expect(forks.length).toBeGreaterThan(3);
    expect(memory.usedFrames).toBeLessThan(memory.limitFrames / 2);
    expect(forks[0]?.munmap(base, 65_000 * PAGE_SIZE)).toBe(0);
    for (const child of forks) child.release();
    mm.release();
    expect(memory.areas).toBe(0);
  });
});
