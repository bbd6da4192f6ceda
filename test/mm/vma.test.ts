// SPDX-License-Identifier: MIT

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import { MappedArea, VMA_GROWSDOWN, VmaList } from '../../src/mm/vma.ts';

const PAGES = 1200;
const HIGH = 1000;

function area(start: number, pages: number, flags = 0): MappedArea {
  return new MappedArea({
    start: start * PAGE_SIZE,
    end: (start + pages) * PAGE_SIZE,
    prot: 3,
    maxProt: 7,
    shared: false,
    file: undefined,
    offset: 0,
    name: '',
    flags,
  });
}

/** The answers by looking at every page, and at the gap below what comes next. */
function search(list: VmaList, length: number, low: number, high: number, fromTop: boolean): number {
  const used = Array.from({ length: PAGES + 300 }, () => false);
  for (const a of list.items) used.fill(true, a.start / PAGE_SIZE, a.end / PAGE_SIZE);
  let from = low;
  let to = high;
  for (;;) {
    const places = Array.from({ length: Math.max(0, to - from - length + 1) }, (_, i) => from + i);
    const place = (fromTop ? places.reverse() : places).find((p) => !used.slice(p, p + length).includes(true));
    if (place === undefined) return -1;
    const next = list.items.find((a) => a.start >= (place + length) * PAGE_SIZE);
    if (next === undefined || next.guardedStart >= (place + length) * PAGE_SIZE) return place * PAGE_SIZE;
    if (fromTop) to = next.guardedStart / PAGE_SIZE;
    else from = next.end / PAGE_SIZE;
  }
}

describe('VmaList', () => {
  it('finds the highest and the lowest free range as a search over all pages does, whatever came and went', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('put' as const),
        at: fc.nat(PAGES - 1),
        pages: fc.integer({ min: 1, max: 40 }),
        grows: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('fill' as const), pages: fc.constantFrom(1, 1, 1, 2, 5, 60) }),
      fc.record({ kind: fc.constant('take' as const), which: fc.nat(50) }),
      fc.record({ kind: fc.constant('ask' as const), pages: fc.integer({ min: 1, max: 300 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
        const list = new VmaList();
        for (const s of steps) {
          if (s.kind === 'put') {
            const made = area(s.at, s.pages, s.grows ? VMA_GROWSDOWN : 0);
            if (!list.overlaps(made.start, made.end)) list.insert(made);
          } else if (s.kind === 'take') {
            if (list.items.length === 0) continue;
            list.items.splice(s.which % list.items.length, 1);
            list.forgetGaps();
          } else {
            const place = list.highestGap(s.pages * PAGE_SIZE, PAGE_SIZE, HIGH * PAGE_SIZE);
            expect(place).toBe(search(list, s.pages, 1, HIGH, true));
            expect(list.lowestGap(s.pages * PAGE_SIZE, PAGE_SIZE, HIGH * PAGE_SIZE)).toBe(
              search(list, s.pages, 1, HIGH, false),
            );
            if (s.kind === 'fill' && place >= 0) list.insert(area(place / PAGE_SIZE, s.pages));
          }
        }
      }),
      { numRuns: 150, seed: 42 },
    );
  });
});
