// SPDX-License-Identifier: MIT
//
// Generators for fast-check. They are given the module, so that it is needed only where they are used.

import type * as FastCheck from 'fast-check';

import type { Placement } from '../race/index.ts';

type Module = Pick<typeof FastCheck, 'array' | 'boolean' | 'constantFrom' | 'integer' | 'nat' | 'record' | 'tuple'>;

const MAX_SYSNO = 462;
/** `mov $number,%eax; syscall`. */
const SITE = [0xb8, 0, 0, 0, 0, 0x0f, 0x05];

/** Where a site can lie, and which number it has. */
export function placements(fc: Module): FastCheck.Arbitrary<Required<Pick<Placement, 'offset' | 'page' | 'nr'>>> {
  return fc.record({ offset: fc.integer({ min: 0, max: 63 }), page: fc.boolean(), nr: fc.nat(MAX_SYSNO) });
}

/** Choices for `RaceScenario.run`: any list is a schedule, and a shorter one a simpler. */
export function schedules(fc: Module, maxLength = 64): FastCheck.Arbitrary<number[]> {
  return fc.array(fc.nat(15), { maxLength });
}

/** Seven bytes that are a site but for one of its fixed bytes: no patcher may take them for one. */
export function nearMissSites(fc: Module): FastCheck.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(0, 5, 6), fc.integer({ min: 1, max: 255 }), fc.nat(MAX_SYSNO))
    .map(([at, change, sysno]) => {
      const bytes = Uint8Array.from(SITE);
      bytes[1] = sysno & 0xff;
      bytes[2] = sysno >> 8;
      bytes[at] = (bytes[at] ?? 0) ^ change;
      return bytes;
    });
}
