// SPDX-License-Identifier: MIT
//
// Compares two outcomes field by field. What is never compared, and why, is said here once; what a single
// instruction leaves undefined comes from undefined-state.ts.

import { REG_NAMES, Reg } from '../../src/cpu/regs.ts';
import { CODE_NAMES } from './forms.ts';
import type { Case, Outcome } from './records.ts';
import { PageFault, Trap, initialWord } from './records.ts';
import { Flag, undefinedAfter } from './undefined-state.ts';

/** One field that differs. Fields: trap, error, cr2, a register, mxcsr, fcw, fsw, ftw, st0-7, xmm0-15, memory. */
export interface Difference {
  readonly field: string;
  /** `memory` only: address of the aligned word. */
  readonly address?: number;
  readonly native: bigint;
  readonly emulated: bigint;
}

/** Bits that are not compared. */
export interface Masks {
  readonly flags: number;
  readonly conditions: number;
}

// RF is set in the frame of a fault and clear in that of a trap (SDM vol. 3, 17.3.1.1): a property of the
// report, which Stops do not carry.
const NEVER_FLAGS = Flag.rf;

/** The union of what the instructions of a case may leave undefined. */
export function masksOf(c: Case): Masks {
  let flags = NEVER_FLAGS;
  let conditions = 0;
  for (const unit of c.units) {
    const undefinedBits = undefinedAfter(CODE_NAMES.get(unit.form) ?? '');
    flags |= undefinedBits.flags;
    conditions |= undefinedBits.conditions;
  }
  return { flags, conditions };
}

/** Byte ranges of the FXSAVE image that are compared as numbers: name, offset, bytes. */
const FX_FIELDS: readonly (readonly [string, number, 1 | 2 | 4])[] = [
  ['fcw', 0, 2],
  ['fsw', 2, 2],
  ['ftw', 4, 1],
  ['mxcsr', 24, 4],
];
// FOP, FIP and FDP (bytes 6-23) are not compared: AMD stores them only while an exception is pending (APM
// vol. 2, 11.4.4), Intel may not store FCS and FDS, and a deprecation bit tells whether FDP follows all.

function readField(view: DataView, offset: number, bytes: 1 | 2 | 4): number {
  return bytes === 1
    ? view.getUint8(offset)
    : bytes === 2
      ? view.getUint16(offset, true)
      : view.getUint32(offset, true);
}

function compareFpu(native: Uint8Array, emulated: Uint8Array, masks: Masks, out: Difference[]): void {
  const a = new DataView(native.buffer, native.byteOffset, native.length);
  const b = new DataView(emulated.buffer, emulated.byteOffset, emulated.length);
  for (const [field, offset, bytes] of FX_FIELDS) {
    const ignored = field === 'fsw' ? masks.conditions : 0;
    const x = readField(a, offset, bytes);
    const y = readField(b, offset, bytes);
    if ((x & ~ignored) !== (y & ~ignored))
      out.push({ field, native: BigInt(x & ~ignored), emulated: BigInt(y & ~ignored) });
  }
  for (let i = 0; i < 8; i++) {
    const at = 32 + i * 16;
    const x = a.getBigUint64(at, true);
    const y = b.getBigUint64(at, true);
    const ex = a.getUint16(at + 8, true);
    const ey = b.getUint16(at + 8, true);
    if (x !== y || ex !== ey)
      out.push({ field: `st${i}`, native: (BigInt(ex) << 64n) | x, emulated: (BigInt(ey) << 64n) | y });
  }
  for (let i = 0; i < 16; i++) {
    const at = 160 + i * 16;
    const [lx, hx, ly, hy] = [
      a.getBigUint64(at, true),
      a.getBigUint64(at + 8, true),
      b.getBigUint64(at, true),
      b.getBigUint64(at + 8, true),
    ];
    if (lx !== ly || hx !== hy) out.push({ field: `xmm${i}`, native: (hx << 64n) | lx, emulated: (hy << 64n) | ly });
  }
}

function compareMemory(c: Case, native: Outcome, emulated: Outcome, out: Difference[]): void {
  const words = new Map(emulated.changes.map((change) => [change.address, change.value]));
  for (const change of native.changes) {
    const other = words.get(change.address) ?? initialWord(c, change.address);
    words.delete(change.address);
    if (other !== change.value)
      out.push({ field: 'memory', address: change.address, native: change.value, emulated: other });
  }
  for (const [address, value] of words)
    out.push({ field: 'memory', address, native: initialWord(c, address), emulated: value });
}

/** Everything that differs between the two sides. Empty: they agree. */
export function compareOutcomes(c: Case, native: Outcome, emulated: Outcome, masks: Masks): Difference[] {
  const out: Difference[] = [];
  if (native.trap !== emulated.trap)
    out.push({ field: 'trap', native: BigInt(native.trap), emulated: BigInt(emulated.trap) });
  // Two sides that never end are stopped at different places.
  if (native.trap === Trap.endless && emulated.trap === Trap.endless) return out;
  // Linux reports every page of the kernel half as present, so as not to tell which are.
  const ignored = native.cr2 >= 1n << 47n ? PageFault.present : 0;
  if (native.trap === emulated.trap && ((native.error ^ emulated.error) & ~ignored) !== 0)
    out.push({ field: 'error', native: BigInt(native.error), emulated: BigInt(emulated.error) });
  // A Stop rounds addresses beyond the user half to a double (cpu.ts).
  const exact = native.cr2 < 2n ** 53n;
  if (
    native.trap === emulated.trap &&
    (exact ? native.cr2 !== emulated.cr2 : Number(native.cr2) !== Number(emulated.cr2))
  ) {
    out.push({ field: 'cr2', native: native.cr2, emulated: emulated.cr2 });
  }
  for (let r = 0; r < native.regs.length; r++) {
    const x = native.regs[r] ?? 0n;
    const y = emulated.regs[r] ?? 0n;
    if (x === y) continue;
    // r11 holds the flags after a system call, undefined ones included.
    // Linux reports a 32-bit call of 32-bit registers.
    const isCompat = r === Reg.rax && native.trap === Trap.int80;
    const ignored = isCompat
      ? 0xffffffff00000000n
      : r === Reg.rflags || (r === Reg.r11 && native.trap === Trap.syscall)
        ? BigInt(masks.flags)
        : 0n;
    if (((x ^ y) & ~ignored) !== 0n)
      out.push({ field: REG_NAMES[r] ?? '', native: x & ~ignored, emulated: y & ~ignored });
  }
  compareFpu(native.fx, emulated.fx, masks, out);
  compareMemory(c, native, emulated, out);
  return out;
}
