// SPDX-License-Identifier: MIT
//
// The processor's features as a new program is told of them in its auxiliary vector, taken from the CPUID table.

import { CPUID_TABLE } from '../cpu/cpuid.ts';
import type { MachineFacts } from '../loader/index.ts';

const ROW_WORDS = 6;
const HWCAP2_FSGSBASE = 2;
/** Leaf 1, ECX: SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT: what x86-64-v2 asks for. */
const LEVEL_2 = (1 << 0) | (1 << 9) | (1 << 13) | (1 << 19) | (1 << 20) | (1 << 23);

/** EBX, ECX and EDX of a leaf. */
function leaf(number: number): readonly [number, number, number] {
  for (let at = 0; at < CPUID_TABLE.length; at += ROW_WORDS) {
    if (CPUID_TABLE[at] === number)
      return [CPUID_TABLE[at + 3] ?? 0, CPUID_TABLE[at + 4] ?? 0, CPUID_TABLE[at + 5] ?? 0];
  }
  return [0, 0, 0];
}

export function machineFacts(): MachineFacts {
  const [, features, hwcap] = leaf(1);
  const [extended] = leaf(7);
  return {
    hwcap,
    hwcap2: (extended & 1) !== 0 ? HWCAP2_FSGSBASE : 0,
    // Level 3 needs AVX, which the table never offers.
    isaLevel: (features & LEVEL_2) === LEVEL_2 ? 2 : 1,
  };
}
