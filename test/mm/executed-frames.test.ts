// SPDX-License-Identifier: MIT
//
// Sequences in which one missing flush or invalidation lets old code run, on the machine of soft-mmu.ts, which forgives
// less than the engine. test/conformance/mm has the same matter on the engine.

import { beforeEach, describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import * as M from '../../src/abi/mman.ts';
import { AddressSpace, PhysicalMemory } from '../../src/mm/address-space.ts';
import { SoftMmu } from './soft-mmu.ts';
import { TestFile } from './test-file.ts';

const A = 0x10000000;
const B = 0x20000000;
const RW = M.PROT_READ | M.PROT_WRITE;
const RX = M.PROT_READ | M.PROT_EXEC;
const PRIVATE = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_FIXED;
const FIXED_MOVE = M.MREMAP_MAYMOVE | M.MREMAP_FIXED;

let mmu: SoftMmu;
let mm: AddressSpace;

beforeEach(() => {
  mmu = new SoftMmu();
  mm = new AddressSpace(new PhysicalMemory(mmu, 400 * PAGE_SIZE));
});

describe('executed memory', () => {
  it('is looked up again after a store through an address that was not touched before', () => {
    const file = TestFile.ofPages(1);
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RX, flags: M.MAP_SHARED | M.MAP_FIXED, file });
    mm.mmap({ addr: B, length: PAGE_SIZE, prot: RW, flags: M.MAP_SHARED | M.MAP_FIXED, file });
    expect(mmu.fetch(mm, A)).toBe(1);
    for (let n = 2; n < 5; n++) {
      mmu.store(mm, B, n);
      expect(mmu.fetch(mm, A)).toBe(n);
    }
  });

  it('is seen anew where it was executed, after stores where mremap had put it', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RW | M.PROT_EXEC, flags: PRIVATE });
    mmu.store(mm, A, 1);
    expect(mmu.fetch(mm, A)).toBe(1);
    mm.mremap(A, PAGE_SIZE, PAGE_SIZE, FIXED_MOVE, B);
    mmu.store(mm, B, 2);
    mm.mremap(B, PAGE_SIZE, PAGE_SIZE, FIXED_MOVE, A);
    expect(mmu.fetch(mm, A)).toBe(2);
  });

  it('is seen anew after shared memory was moved, stored to and moved back', () => {
    mm.mmap({
      addr: A,
      length: PAGE_SIZE,
      prot: RW | M.PROT_EXEC,
      flags: M.MAP_SHARED | M.MAP_ANONYMOUS | M.MAP_FIXED,
    });
    mmu.store(mm, A, 1);
    expect(mmu.fetch(mm, A)).toBe(1);
    mm.mremap(A, PAGE_SIZE, PAGE_SIZE, FIXED_MOVE, B);
    mmu.store(mm, B, 2);
    expect(mmu.fetch(mm, B)).toBe(2);
    mm.mremap(B, PAGE_SIZE, PAGE_SIZE, FIXED_MOVE, A);
    expect(mmu.fetch(mm, A)).toBe(2);
  });

  it('is seen anew when it lost execution, was stored to and got it back', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RW | M.PROT_EXEC, flags: PRIVATE });
    mmu.store(mm, A, 1);
    expect(mmu.fetch(mm, A)).toBe(1);
    mm.mprotect(A, PAGE_SIZE, RW);
    mmu.store(mm, A, 2);
    mm.mprotect(A, PAGE_SIZE, RX);
    expect(mmu.fetch(mm, A)).toBe(2);
  });
});
