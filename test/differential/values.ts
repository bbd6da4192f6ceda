// SPDX-License-Identifier: MIT
//
// Values worth testing with: boundaries of each width, IEEE specials in three formats, and random ones.

import type { Prng } from '../../src/base/prng.ts';

const U64 = (1n << 64n) - 1n;

const INTEGERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  0xfn,
  0x10n,
  0x1fn,
  0x20n,
  0x3fn,
  0x40n,
  0x41n,
  0x7fn,
  0x80n,
  0x81n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0x8001n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0x80000001n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0x8000000000000001n,
  U64,
  U64 - 1n,
  U64 - 0x7fn,
  U64 - 0x80n,
  U64 - 0x7fffn,
  U64 - 0x8000n,
  0xffffffff80000000n,
  0xffffffff7fffffffn,
  0x0123456789abcdefn,
  0x5555555555555555n,
  0xaaaaaaaaaaaaaaaan,
  0x00ff00ff00ff00ffn,
  0x8080808080808080n,
  0x7f7f7f7f7f7f7f7fn,
];

const F32: readonly number[] = [
  0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x40000000, 0x3f000000, 0x7f800000, 0xff800000, 0x7fc00000,
  0xffc00000, 0x7fc12345, 0x7f800001, 0xff812345, 0x00000001, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000,
  0x80800000, 0x7f7fffff, 0xff7fffff, 0x4b000001, 0x4affffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x4effffff,
  0x5f000000, 0xdf000000, 0x3effffff, 0x3f000001, 0x40490fdb,
];

const F64: readonly bigint[] = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x4000000000000000n,
  0x3fe0000000000000n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff8000012345678n,
  0x7ff0000000000001n,
  0xfff4000000000001n,
  0x0000000000000001n,
  0x8000000000000001n,
  0x000fffffffffffffn,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x41dfffffffc00000n,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0xc1e0000000200000n,
  0x43e0000000000000n,
  0xc3e0000000000000n,
  0x43dfffffffffffffn,
  0x36a0000000000000n,
  0x369fffffffffffffn,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x3fe0000000000001n,
  0x3fdfffffffffffffn,
  0x400921fb54442d18n,
  0x40e0000000000000n,
  0x40dfffc000000000n,
];

/** Sign and exponent, then significand. Only encodings that the 80387 and later accept. */
const F80: readonly (readonly [number, bigint])[] = [
  [0x0000, 0n],
  [0x8000, 0n],
  [0x3fff, 1n << 63n],
  [0xbfff, 1n << 63n],
  [0x4000, 1n << 63n],
  [0x3ffe, 1n << 63n],
  [0x7fff, 1n << 63n],
  [0xffff, 1n << 63n],
  [0x7fff, 3n << 62n],
  [0xffff, 3n << 62n],
  [0x7fff, (1n << 63n) + 1n],
  [0xffff, (1n << 63n) + 0x1234n],
  [0x0000, 1n],
  [0x8000, 0x7fffffffffffffffn],
  [0x0001, 1n << 63n],
  [0x7ffe, U64],
  [0xfffe, U64],
  [0x3f80, 1n << 63n],
  [0x3c00, U64],
  [0x407e, U64],
  [0x401e, 1n << 63n],
  [0xc01e, 1n << 63n],
  [0x403e, 1n << 63n],
  [0xc03e, 1n << 63n],
  [0x403d, U64],
  [0x4000, 0xc90fdaa22168c235n],
  [0x400d, 0xfffe000000000000n],
  [0x3ffd, U64],
  [0x3ffe, (1n << 63n) + 1n],
  [0x4038, 0xb1a2bc2ec4ffffffn],
];

function pick<T>(prng: Prng, list: readonly T[], fallback: T): T {
  return list[prng.below(list.length)] ?? fallback;
}

export function randomU64(prng: Prng): bigint {
  return (BigInt(prng.u32()) << 32n) | BigInt(prng.u32());
}

/** An integer register's or memory word's value. */
export function integer64(prng: Prng): bigint {
  switch (prng.below(8)) {
    case 0:
    case 1:
    case 2:
      return pick(prng, INTEGERS, 0n);
    case 3:
      return BigInt(prng.below(256));
    case 4:
      return (pick(prng, INTEGERS, 0n) + BigInt(prng.below(5)) - 2n) & U64;
    case 5:
      return BigInt(prng.u32());
    default:
      return randomU64(prng);
  }
}

export function float32(prng: Prng): number {
  const kind = prng.below(8);
  if (kind < 5) return pick(prng, F32, 0);
  // Ordinary magnitudes: rounding and cancellation, not overflow.
  if (kind < 7) return ((prng.u32() & 0x807fffff) | ((prng.below(24) + 115) << 23)) >>> 0;
  return prng.u32();
}

export function float64(prng: Prng): bigint {
  const kind = prng.below(8);
  if (kind < 5) return pick(prng, F64, 0n);
  if (kind < 7) return (randomU64(prng) & 0x800fffffffffffffn) | (BigInt(prng.below(60) + 990) << 52n);
  return randomU64(prng);
}

export function float80(prng: Prng): readonly [number, bigint] {
  const kind = prng.below(8);
  if (kind < 5) return pick(prng, F80, [0, 0n] as const);
  const significand = randomU64(prng) | (1n << 63n);
  if (kind < 7) return [(prng.below(2) << 15) | (0x3fff - 40 + prng.below(80)), significand];
  return [(prng.below(2) << 15) | (1 + prng.below(0x7ffe)), significand];
}

/** A 64-bit half of an XMM register or of an operand in memory. */
export function word64(prng: Prng, kind: 'int' | 'f32' | 'f64'): bigint {
  if (kind === 'f64') return float64(prng);
  if (kind === 'f32') return (BigInt(float32(prng)) << 32n) | BigInt(float32(prng));
  return integer64(prng);
}
