// SPDX-License-Identifier: MIT
//
// A piece of guest memory and arguments for the decoder's tests: mapped bytes at fixed addresses, nothing else.

import type { GuestMemory, RawArgs } from '../../../src/kernel/decode/kinds.ts';

export const BASE = 0x10000;

/** Memory of one page at {@link BASE}; everything else cannot be read. */
export class Page implements GuestMemory {
  readonly bytes = new Uint8Array(4096);
  readonly view = new DataView(this.bytes.buffer);
  #used = 0;

  copyIn(addr: number, into: Uint8Array): number {
    const at = addr - BASE;
    if (at < 0 || at >= this.bytes.length) return 0;
    const length = Math.min(into.length, this.bytes.length - at);
    into.set(this.bytes.subarray(at, at + length));
    return length;
  }

  /** Places bytes and returns their address. */
  put(bytes: ArrayLike<number>): number {
    const at = this.#used;
    this.bytes.set(bytes, at);
    this.#used = (at + bytes.length + 15) & ~15;
    return BASE + at;
  }

  text(s: string): number {
    return this.put([...s, '\0'].map((c) => c.charCodeAt(0)));
  }

  /** 32-bit words. */
  words(...values: number[]): number {
    return this.put(new Uint8Array(new Int32Array(values).buffer));
  }

  /** 64-bit words. */
  longs(...values: (number | bigint)[]): number {
    return this.put(new Uint8Array(new BigInt64Array(values.map((v) => BigInt.asIntN(64, BigInt(v)))).buffer));
  }
}

/** Six argument registers. */
export class Arguments implements RawArgs {
  readonly #values: readonly bigint[];

  constructor(values: readonly (number | bigint)[]) {
    this.#values = values.map((v) => BigInt.asUintN(64, BigInt(v)));
  }

  big(i: number): bigint {
    return this.#values[i] ?? 0n;
  }

  num(i: number): number {
    return Number(this.big(i));
  }

  int(i: number): number {
    return Number(BigInt.asIntN(32, this.big(i)));
  }

  uint(i: number): number {
    return Number(BigInt.asUintN(32, this.big(i)));
  }

  long(i: number): number {
    return Number(BigInt.asIntN(64, this.big(i)));
  }
}
