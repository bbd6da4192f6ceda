// SPDX-License-Identifier: MIT
//
// The one source of randomness: xoshiro128** (Blackman and Vigna, 2018) seeded by splitmix32.
// Named streams are independent, so a new consumer does not change what the others draw.

import { savable } from './savable.ts';

function splitmix32(state: number): () => number {
  let s = state | 0;
  return () => {
    s = (s + 0x9e3779b9) | 0;
    let t = s ^ (s >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return (t ^ (t >>> 15)) >>> 0;
  };
}

function hashName(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** A deterministic generator. Not for secrets. */
export class Prng {
  private readonly s = new Uint32Array(4);
  private readonly seed: number;

  /** @param seed any integer below 2^53; both halves count */
  constructor(seed: number) {
    this.seed = seed;
    const mix = splitmix32((seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1));
    for (let i = 0; i < 4; i++) this.s[i] = mix();
  }

  /** An independent generator for one purpose. */
  stream(name: string): Prng {
    return new Prng(((this.seed % 2 ** 32) ^ hashName(name)) >>> 0);
  }

  /** A uniform integer in [0, 2^32). */
  u32(): number {
    const s = this.s;
    const [a, b, c, d] = [s[0] ?? 0, s[1] ?? 0, s[2] ?? 0, s[3] ?? 0];
    const r = Math.imul(b, 5);
    const result = Math.imul((r << 7) | (r >>> 25), 9) >>> 0;
    s[2] = c ^ a;
    s[3] = d ^ b;
    s[1] = b ^ (c ^ a);
    s[0] = a ^ (d ^ b);
    s[2] = (s[2] ?? 0) ^ (b << 9);
    const d2 = s[3] ?? 0;
    s[3] = (d2 << 11) | (d2 >>> 21);
    return result;
  }

  /** A uniform integer in [0, n), n at most 2^32. */
  below(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const v = this.u32();
      if (v < limit) return v % n;
    }
  }

  /** Fills `out` with random bytes. */
  fill(out: Uint8Array): void {
    for (let i = 0; i < out.length; i += 4) {
      const v = this.u32();
      for (let k = 0; k < 4 && i + k < out.length; k++) out[i + k] = v >>> (8 * k);
    }
  }
}

savable('base/prng', { Prng }, { isPlace: true });
