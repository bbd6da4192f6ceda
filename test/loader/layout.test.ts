// SPDX-License-Identifier: MIT

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import { LAYOUT_RANDOM_BYTES, randomLayout } from '../../src/loader/index.ts';

const GIB = 2 ** 30;

describe('randomLayout', () => {
  it('stays within the ranges of Linux', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: LAYOUT_RANDOM_BYTES, maxLength: LAYOUT_RANDOM_BYTES }), (random) => {
        const l = randomLayout(random);
        for (const distance of [l.stackGap, l.mmapShift, l.programShift, l.heapGap])
          expect(distance % PAGE_SIZE).toBe(0);
        expect(l.stackGap).toBeLessThan(16 * GIB);
        expect(l.stackShift % 16).toBe(0);
        expect(l.stackShift).toBeLessThan(8192);
        expect(l.mmapShift).toBeLessThan(1040 * GIB);
        // mmap starts below any place of the stack.
        expect(l.mmapShift).toBeGreaterThanOrEqual(16 * GIB);
        expect(l.programShift).toBeLessThan(1024 * GIB);
        expect(l.heapGap).toBeLessThan(2 ** 25);
        expect(l.vdsoFraction).toBeGreaterThanOrEqual(0);
        expect(l.vdsoFraction).toBeLessThan(1);
      }),
    );
  });

  it('uses every word of its randomness', () => {
    const zero = randomLayout(new Uint8Array(LAYOUT_RANDOM_BYTES));
    for (let word = 0; word < LAYOUT_RANDOM_BYTES / 4; word++) {
      const random = new Uint8Array(LAYOUT_RANDOM_BYTES);
      random.fill(0x35, word * 4, word * 4 + 4);
      expect(randomLayout(random)).not.toEqual(zero);
    }
  });
});
