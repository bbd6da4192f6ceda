// SPDX-License-Identifier: MIT
//
// A case (what a sequence starts from) and an outcome (what it leaves), and their wire format, which the
// native helper reads and writes. KEEP IN SYNC: test/differential/native/helper.c input

import { FPU_BYTES } from '../../src/cpu/cpu.ts';
import { REG_COUNT, Reg } from '../../src/cpu/regs.ts';
import { baseWord, pageIndexOf } from './layout.ts';

/** Eight bytes of memory that a case sets before it runs. */
export interface Patch {
  readonly address: number;
  readonly value: bigint;
}

/** One instruction of a sequence as encoded; `form` is iced's Code. */
export interface Unit {
  readonly bytes: Uint8Array;
  readonly form: number;
}

/** Everything that decides what a sequence does. */
export interface Case {
  readonly units: readonly Unit[];
  readonly codeAddress: number;
  readonly regs: BigUint64Array;
  readonly fx: Uint8Array;
  readonly patches: readonly Patch[];
}

/** Exception vectors as the SDM numbers them, and three of our own. */
export const Trap = {
  divideError: 0,
  debug: 1,
  breakpoint: 3,
  overflow: 4,
  invalidOpcode: 6,
  stackFault: 12,
  generalProtection: 13,
  pageFault: 14,
  fpuError: 16,
  alignmentCheck: 17,
  simdError: 19,
  syscall: 0x100,
  int80: 0x180,
  endless: 0x200,
  /** The native helper died in this case. */
  lost: 0x300,
} as const;

export const TRAP_NAMES = new Map<number, string>(Object.entries(Trap).map(([name, value]) => [value, name]));

/** Bits of a page-fault error code (SDM vol. 3, 4.7) that both sides know. */
export const PageFault = { present: 1, write: 2, fetch: 16 } as const;
export const PAGE_FAULT_BITS = PageFault.present | PageFault.write | PageFault.fetch;

export interface Change {
  readonly address: number;
  readonly value: bigint;
}

/** What a sequence left behind. */
export interface Outcome {
  readonly trap: number;
  /** Page faults only: `PageFault` bits. */
  readonly error: number;
  /** Page faults only: the address. */
  readonly cr2: bigint;
  readonly regs: BigUint64Array;
  readonly fx: Uint8Array;
  /** Aligned words of writable pages that changed, ascending. */
  readonly changes: readonly Change[];
  /** Traced cases: RIP after each step. */
  readonly steps: readonly number[];
}

export const REG_BYTES = REG_COUNT * 8;
const INPUT_HEADER = 16 + REG_BYTES + FPU_BYTES;
const OUTPUT_HEADER = 32 + REG_BYTES + FPU_BYTES;
/** Set in the code length of a case that is single-stepped. */
const TRACED = 0x8000;
const TRAP_FLAG = 0x100n;

export function codeLength(c: Case): number {
  let n = 0;
  for (const unit of c.units) n += unit.bytes.length;
  return n;
}

/** The sequence as it lies in memory. */
export function codeBytes(c: Case): Uint8Array {
  const bytes = new Uint8Array(codeLength(c));
  let at = 0;
  for (const unit of c.units) {
    bytes.set(unit.bytes, at);
    at += unit.bytes.length;
  }
  // What would lie in the gap behind the last code page does not exist.
  for (let i = 0; i < at; i++) if (pageIndexOf(c.codeAddress + i) < 0) return bytes.subarray(0, i);
  return bytes;
}

/** The case as the helper reads it; a traced one runs under TF. */
export function encodeCase(c: Case, traced = false): Uint8Array {
  const code = codeBytes(c);
  const length = Math.ceil((INPUT_HEADER + c.patches.length * 16 + code.length) / 8) * 8;
  const record = new Uint8Array(length);
  const view = new DataView(record.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, code.length | (traced ? TRACED : 0), true);
  view.setUint16(6, c.patches.length, true);
  view.setBigUint64(8, BigInt(c.codeAddress), true);
  record.set(new Uint8Array(c.regs.buffer, c.regs.byteOffset, REG_BYTES), 16);
  if (traced) view.setBigUint64(16 + Reg.rflags * 8, (c.regs[Reg.rflags] ?? 0n) | TRAP_FLAG, true);
  record.set(c.fx, 16 + REG_BYTES);
  let at = INPUT_HEADER;
  for (const patch of c.patches) {
    view.setBigUint64(at, BigInt(patch.address), true);
    view.setBigUint64(at + 8, patch.value, true);
    at += 16;
  }
  record.set(code, at);
  return record;
}

/** Reads all outcomes of a batch. A record cut short by the helper's death is left out. */
export function decodeOutcomes(output: Uint8Array): Outcome[] {
  const outcomes: Outcome[] = [];
  const view = new DataView(output.buffer, output.byteOffset, output.length);
  let at = 0;
  while (at + OUTPUT_HEADER <= output.length) {
    const length = view.getUint32(at, true);
    const changeCount = view.getUint32(at + 4, true);
    if (at + length > output.length) break;
    const trap = view.getUint32(at + 8, true);
    const isPageFault = trap === Trap.pageFault;
    const regs = new BigUint64Array(REG_COUNT);
    new Uint8Array(regs.buffer).set(output.subarray(at + 24, at + 24 + REG_BYTES));
    const changes: Change[] = [];
    for (let i = 0; i < changeCount; i++) {
      const entry = at + OUTPUT_HEADER + i * 16;
      changes.push({ address: Number(view.getBigUint64(entry, true)), value: view.getBigUint64(entry + 8, true) });
    }
    const stepsAt = at + OUTPUT_HEADER + changeCount * 16;
    const steps = Array.from({ length: view.getUint32(at + OUTPUT_HEADER - 8, true) }, (_, i) =>
      Number(view.getBigUint64(stepsAt + i * 8, true)),
    );
    outcomes.push({
      trap,
      error: isPageFault ? view.getUint32(at + 12, true) & PAGE_FAULT_BITS : 0,
      cr2: isPageFault ? view.getBigUint64(at + 16, true) : 0n,
      regs,
      fx: output.slice(at + 24 + REG_BYTES, at + 24 + REG_BYTES + FPU_BYTES),
      changes,
      steps,
    });
    at += length;
  }
  return outcomes;
}

/** Length of a run of instructions up to `count` units. */
export function offsetOfUnit(c: Case, count: number): number {
  let n = 0;
  for (let i = 0; i < count; i++) n += c.units[i]?.bytes.length ?? 0;
  return n;
}

export function rip(o: Outcome): number {
  return Number(o.regs[Reg.rip] ?? 0n);
}

/** An aligned word of memory as a case finds it. */
export function initialWord(c: Case, address: number): bigint {
  const word = new Uint8Array(8);
  const view = new DataView(word.buffer);
  view.setBigUint64(0, baseWord(address), true);
  const poke = (start: number, bytes: Uint8Array) =>
    bytes.forEach((byte, i) => {
      const at = start + i - address;
      if (at >= 0 && at < 8) word[at] = byte;
    });
  const patch = new Uint8Array(8);
  for (const p of c.patches) {
    if (p.address <= address - 8 || p.address >= address + 8) continue;
    new DataView(patch.buffer).setBigUint64(0, p.value, true);
    poke(p.address, patch);
  }
  poke(c.codeAddress, codeBytes(c));
  return view.getBigUint64(0, true);
}
