// SPDX-License-Identifier: MIT
//
// Where the parts of a program lie: always at the same places, or at random ones (ASLR) within the ranges that Linux 6.1
// has on x86-64. Models arch_pick_mmap_layout, randomize_stack_top, arch_align_stack, arch_randomize_brk and vdso_addr.

import { PAGE_SIZE } from '../base/addr.ts';

/** Distances in bytes, all multiples of a page but for `stackShift`. */
export interface ProgramLayout {
  /** From the end of the address range down to the top of the stack. */
  readonly stackGap: number;
  /** From the strings on the stack down to what lies below them; less than two pages, a multiple of 16. */
  readonly stackShift: number;
  /** From where mmap would start down to where it does. */
  readonly mmapShift: number;
  /** From where position-independent programs start up to where this one does. */
  readonly programShift: number;
  /** From the end of the program up to its heap. */
  readonly heapGap: number;
  /** Which page above the stack the vDSO takes, as a fraction of those that it may; undefined for a place below. */
  readonly vdsoFraction: number | undefined;
}

/** Linux's with randomize_va_space 0, or the personality ADDR_NO_RANDOMIZE. */
export const FIXED_LAYOUT: ProgramLayout = {
  stackGap: 0,
  stackShift: 0,
  mmapShift: 0,
  programShift: 0,
  heapGap: 0,
  vdsoFraction: undefined,
};

/** Linux's mmap_rnd_bits. */
const MMAP_PAGES = 2 ** 28;
const STACK_PAGES = 2 ** 22;
const STACK_SHIFT = 8192;
const HEAP_PAGES = 2 ** 13;

/** Random bytes that `randomLayout` takes. */
export const LAYOUT_RANDOM_BYTES = 24;

/** A layout out of LAYOUT_RANDOM_BYTES. */
export function randomLayout(random: Uint8Array): ProgramLayout {
  const words = new DataView(random.buffer, random.byteOffset, LAYOUT_RANDOM_BYTES);
  const below = (index: number, limit: number): number => words.getUint32(index * 4, true) % limit;
  return {
    stackGap: below(0, STACK_PAGES) * PAGE_SIZE,
    stackShift: below(1, STACK_SHIFT) & ~15,
    // The stack may lie anywhere in its range, and mmap starts below that.
    mmapShift: (STACK_PAGES + below(2, MMAP_PAGES)) * PAGE_SIZE,
    programShift: below(3, MMAP_PAGES) * PAGE_SIZE,
    heapGap: below(4, HEAP_PAGES) * PAGE_SIZE,
    vdsoFraction: words.getUint32(20, true) / 2 ** 32,
  };
}
