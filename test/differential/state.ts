// SPDX-License-Identifier: MIT
//
// The registers that a sequence starts from. Some general registers are given a role (pointer, small index,
// code pointer) so that memory operands and branches can be built that usually succeed.

import type { Prng } from '../../src/base/prng.ts';
import { FPU_BYTES } from '../../src/cpu/cpu.ts';
import { REG_COUNT, Reg } from '../../src/cpu/regs.ts';
import { pageAddress } from './layout.ts';
import { float80, integer64, word64 } from './values.ts';

const DATA_PAGES = ['data0', 'data1', 'data-alone', 'after-code', 'stack', 'read-only'] as const;

/** A random address inside a data page. */
export function dataAddress(prng: Prng): number {
  return pageAddress(DATA_PAGES[prng.below(DATA_PAGES.length)] ?? 'data0') + prng.below(4096);
}

export interface Roles {
  readonly pointers: readonly number[];
  readonly indexes: readonly number[];
  readonly code: number;
}

/** Deals the sixteen registers except rsp, minus those with an implicit use in this sequence. */
export function dealRoles(prng: Prng, taken: ReadonlySet<number>): Roles {
  const free = Array.from({ length: 16 }, (_, i) => i).filter((r) => r !== Reg.rsp && !taken.has(r));
  for (let i = free.length - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    const swap = free[i] ?? 0;
    free[i] = free[j] ?? 0;
    free[j] = swap;
  }
  return { pointers: free.slice(0, 3), indexes: free.slice(3, 5), code: free[5] ?? Reg.r15 };
}

// CF PF AF ZF SF OF, and DF one time in five, ID and TF seldom.
function flags(prng: Prng): bigint {
  let f = 0x202 | (prng.u32() & 0x8d5);
  if (prng.below(5) === 0) f |= 0x400;
  if (prng.below(40) === 0) f |= 0x200000;
  if (prng.below(150) === 0) f |= 0x100;
  return BigInt(f);
}

function segmentBase(prng: Prng): bigint {
  switch (prng.below(6)) {
    case 0:
      return 0n;
    case 1:
      return BigInt(prng.below(4096));
    case 2:
      return BigInt(pageAddress('high'));
    case 3:
      return 0xffffffffffff8000n;
    default:
      return BigInt(dataAddress(prng));
  }
}

/** General registers, flags and segment bases. rip is set by the caller. */
export function randomRegs(prng: Prng, roles: Roles): BigUint64Array {
  const regs = new BigUint64Array(REG_COUNT);
  for (let r = 0; r < 16; r++) regs[r] = integer64(prng);
  for (const r of roles.pointers)
    regs[r] = BigInt(prng.below(4) === 0 ? pageAddress('high') + prng.below(4096) : dataAddress(prng));
  for (const r of roles.indexes)
    regs[r] = BigInt.asUintN(64, BigInt(prng.below(3) === 0 ? prng.below(1024) - 512 : prng.below(33) - 16));
  const stackOffset = prng.below(12) === 0 ? prng.below(4096) : 0x400 + 8 * prng.below(0x180);
  regs[Reg.rsp] = BigInt(
    pageAddress('stack') + (prng.below(25) === 0 ? ([0, 2, 8, 0xff8, 0xffc, 0x1000][prng.below(6)] ?? 0) : stackOffset),
  );
  regs[Reg.rflags] = flags(prng);
  regs[Reg.fsBase] = segmentBase(prng);
  regs[Reg.gsBase] = segmentBase(prng);
  return regs;
}

/** x87 and SSE state. Exceptions are masked nine times in ten. */
export function randomFpu(prng: Prng): Uint8Array {
  const fx = new Uint8Array(FPU_BYTES);
  const view = new DataView(fx.buffer);
  const rounding = prng.below(3) === 0 ? prng.below(4) : 0;
  const precision = prng.below(4) === 0 ? ([0, 2, 3][prng.below(3)] ?? 3) : 3;
  const unmasked = prng.below(12) === 0 ? prng.u32() & 0x3f : 0;
  view.setUint16(0, 0x40 | (rounding << 10) | (precision << 8) | (0x3f & ~unmasked), true);
  const top = prng.below(8);
  const conditions = prng.below(2) === 0 ? prng.u32() & 0x4700 : 0;
  const sticky = prng.below(6) === 0 ? prng.u32() & 0x7f : 0;
  const summary = sticky & 0x3f & unmasked ? 0x8080 : 0;
  view.setUint16(2, conditions | (top << 11) | sticky | summary, true);
  // Abridged tags: usually a few values on the stack, at times empty, full or anything.
  const depth = prng.below(9);
  let tags = 0;
  if (prng.below(8) === 0) tags = prng.u32() & 0xff;
  else for (let i = 0; i < depth; i++) tags |= 1 << ((top + i) & 7);
  fx[4] = tags;

  let mxcsr = 0x1f80;
  if (prng.below(3) === 0) mxcsr |= prng.below(4) << 13;
  if (prng.below(7) === 0) mxcsr |= prng.u32() & 0x8040;
  if (prng.below(8) === 0) mxcsr |= prng.u32() & 0x3f;
  if (prng.below(60) === 0) mxcsr &= ~(prng.u32() & 0x1f80);
  view.setUint32(24, mxcsr, true);

  for (let i = 0; i < 8; i++) {
    const [exponent, significand] = float80(prng);
    view.setBigUint64(32 + i * 16, significand, true);
    view.setUint16(40 + i * 16, prng.below(6) === 0 ? 0xffff : exponent, true);
  }
  for (let i = 0; i < 16; i++) {
    const kind = (['int', 'f32', 'f64'] as const)[prng.below(3)] ?? 'int';
    view.setBigUint64(160 + i * 16, word64(prng, kind), true);
    view.setBigUint64(168 + i * 16, word64(prng, kind), true);
  }
  return fx;
}
