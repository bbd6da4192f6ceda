// SPDX-License-Identifier: MIT
//
// The register file as one flat block: general registers in hardware encoding order, then RIP, RFLAGS
// and the two segment bases. The engine reads and writes the block as a whole.

import { savable } from '../base/savable.ts';

/** Index of each register in a block; the order is the ModRM encoding (SDM vol. 2, table 2-2). */
export const Reg = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r11: 11,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
  rip: 16,
  rflags: 17,
  fsBase: 18,
  gsBase: 19,
} as const;

export const REG_COUNT = 20;

/** Names in block order, as debuggers print them. */
export const REG_NAMES: readonly string[] = Object.keys(Reg);

const TWO_32 = 2 ** 32;

/** A register block: 20 little-endian 64-bit words seen through three views. */
export class Regs {
  readonly u64: BigUint64Array;
  /** Low halves at even, high halves at odd indices. */
  readonly u32: Uint32Array;
  readonly i32: Int32Array;

  constructor(buffer: ArrayBuffer = new ArrayBuffer(REG_COUNT * 8), byteOffset = 0) {
    this.u64 = new BigUint64Array(buffer, byteOffset, REG_COUNT);
    this.u32 = new Uint32Array(buffer, byteOffset, REG_COUNT * 2);
    this.i32 = new Int32Array(buffer, byteOffset, REG_COUNT * 2);
  }

  /** The register as an unsigned number: exact below 2^53, rounded above (then no user-half address). */
  get(r: number): number {
    return (this.u32[2 * r + 1] as number) * TWO_32 + (this.u32[2 * r] as number);
  }

  /** The register as a signed number: exact between -2^53 and 2^53. */
  getSigned(r: number): number {
    return (this.i32[2 * r + 1] as number) * TWO_32 + (this.u32[2 * r] as number);
  }

  /** Writes an integer between -2^53 and 2^53, sign-extended to 64 bits. */
  set(r: number, value: number): void {
    this.u32[2 * r] = value % TWO_32;
    this.i32[2 * r + 1] = Math.floor(value / TWO_32);
  }

  copyFrom(other: Regs): void {
    this.u32.set(other.u32);
  }
}

/** Registers by name. */
function toNames(regs: Regs): Record<string, bigint> {
  return Object.fromEntries(REG_NAMES.map((name, i) => [name, regs.u64[i] ?? 0n]));
}

function fromNames(data: object): Regs {
  const regs = new Regs();
  const values = data as Record<string, unknown>;
  for (const [i, name] of REG_NAMES.entries()) {
    const value = values[name];
    if (typeof value !== 'bigint') throw new Error(`there is no register ${name}`);
    regs.u64[i] = value;
  }
  return regs;
}

savable('cpu/regs', { Regs }, { as: { to: toNames, from: fromNames } });
