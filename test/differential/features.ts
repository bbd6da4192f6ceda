// SPDX-License-Identifier: MIT
//
// CPUID features that both sides have, by the names of /proc/cpuinfo: only forms of these are generated.

import { readFileSync } from 'node:fs';
import type { EmulatedCpu } from './emulated.ts';

type Register = 'ebx' | 'ecx' | 'edx';

/** Leaf, register, bit (SDM vol. 2, CPUID). */
const BITS: readonly (readonly [string, number, Register, number])[] = [
  ['pni', 1, 'ecx', 0],
  ['pclmulqdq', 1, 'ecx', 1],
  ['ssse3', 1, 'ecx', 9],
  ['cx16', 1, 'ecx', 13],
  ['sse4_1', 1, 'ecx', 19],
  ['sse4_2', 1, 'ecx', 20],
  ['movbe', 1, 'ecx', 22],
  ['popcnt', 1, 'ecx', 23],
  ['aes', 1, 'ecx', 25],
  ['fsgsbase', 7, 'ebx', 0],
  ['bmi1', 7, 'ebx', 3],
  ['bmi2', 7, 'ebx', 8],
  ['adx', 7, 'ebx', 19],
  ['abm', 0x80000001, 'ecx', 5],
];

export function advertisedFeatures(emulated: EmulatedCpu): Set<string> {
  const host = new Set((/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '').trim().split(/\s+/));
  const both = new Set<string>();
  for (const [name, leaf, register, bit] of BITS) {
    if (host.has(name) && (emulated.cpuid(leaf, 0)[register] >>> bit) & 1) both.add(name);
  }
  return both;
}
