// SPDX-License-Identifier: MIT
//
// What CPUID answers (SDM vol. 2, CPUID): one fixed processor on every host. Every feature named here executes on
// the engine; what does not (AVX, XSAVE, ADX, RDRAND, RDSEED, SYSENTER), is wrong there (BMI1, BMI2) or dear (ERMS)
// is not offered.

/** Matches every subleaf. */
const ANY = 0xffffffff;

const BRAND = 'Trapline emulated x86-64 processor';
/** The vendor decides which leaves C libraries read for cache sizes: leaf 4 here. */
const VENDOR = 'GenuineIntel';

/** Bits of leaf 1, ECX. */
const Leaf1Ecx = {
  sse3: 0,
  pclmulqdq: 1,
  ssse3: 9,
  cmpxchg16b: 13,
  sse41: 19,
  sse42: 20,
  movbe: 22,
  popcnt: 23,
  aes: 25,
} as const;

/** Bits of leaf 1, EDX. */
const Leaf1Edx = {
  fpu: 0,
  pse: 3,
  tsc: 4,
  msr: 5,
  pae: 6,
  cmpxchg8b: 8,
  pge: 13,
  cmov: 15,
  pat: 16,
  clflush: 19,
  mmx: 23,
  fxsr: 24,
  sse: 25,
  sse2: 26,
} as const;

/** Bits of leaf 7, EBX. Unicorn 2.1.4 sets CF wrongly in blsi and blsr and takes 64 mask bits in 32-bit pdep and pext. */
const Leaf7Ebx = { fsgsbase: 0 } as const;

/** Bits of leaf 0x80000001. */
const Ext1Ecx = { lahf: 0, lzcnt: 5, prefetchw: 8 } as const;
const Ext1Edx = { syscall: 11, nx: 20, rdtscp: 27, longMode: 29 } as const;

function bits(of: Readonly<Record<string, number>>): number {
  let mask = 0;
  for (const bit of Object.values(of)) mask |= 1 << bit;
  return mask >>> 0;
}

/** Four characters as a register holds them. */
function chars(text: string, at: number): number {
  let word = 0;
  for (let i = 3; i >= 0; i--) word = (word << 8) | (text.charCodeAt(at + i) || 0);
  return word >>> 0;
}

/** Leaf 4: a cache of `sets` sets of `ways` lines of 64 bytes. */
function cache(type: number, level: number, ways: number, sets: number): [number, number, number, number] {
  return [type | (level << 5) | 0x100, (((ways - 1) << 22) | 63) >>> 0, sets - 1, 0];
}

type Row = readonly [leaf: number, subleaf: number, eax: number, ebx: number, ecx: number, edx: number];

const MAX_LEAF = 0xd;
const MAX_EXTENDED = 0x80000008;
/** Family 6, model 0x3c, stepping 3: the generation whose integer and SSE features the engine has. */
const SIGNATURE = 0x000306c3;

const ROWS: readonly Row[] = [
  [0, ANY, MAX_LEAF, chars(VENDOR, 0), chars(VENDOR, 8), chars(VENDOR, 4)],
  // EBX: lines of 8 * 8 bytes for clflush, one logical processor, APIC id 0.
  [1, ANY, SIGNATURE, 0x00010800, bits(Leaf1Ecx), bits(Leaf1Edx)],
  // Descriptor 0xff: cache sizes are in leaf 4.
  [2, ANY, 0x00000001, 0, 0, 0x000000ff],
  [4, 0, ...cache(1, 1, 8, 64)],
  [4, 1, ...cache(2, 1, 8, 64)],
  [4, 2, ...cache(3, 2, 8, 512)],
  [4, 3, ...cache(3, 3, 16, 8192)],
  [7, 0, 0, bits(Leaf7Ebx), 0, 0],
  [0x80000000, ANY, MAX_EXTENDED, 0, 0, 0],
  [0x80000001, ANY, 0, 0, bits(Ext1Ecx), bits(Ext1Edx)],
  ...[0, 1, 2].map((i): Row => [
    0x80000002 + i,
    ANY,
    chars(BRAND, 16 * i),
    chars(BRAND, 16 * i + 4),
    chars(BRAND, 16 * i + 8),
    chars(BRAND, 16 * i + 12),
  ]),
  // L2: 256 KiB, 8 ways, lines of 64 bytes.
  [0x80000006, ANY, 0, 0, 0x01006040, 0],
  // 40 physical and 48 linear address bits.
  [0x80000008, ANY, 0x00003028, 0, 0, 0],
];

/**
 * The table as engines take it: six words a row (leaf, subleaf or 0xffffffff for any, eax, ebx, ecx, edx). A leaf
 * or subleaf that has no row answers zeros.
 */
export const CPUID_TABLE: Uint32Array = Uint32Array.from(ROWS.flat());
