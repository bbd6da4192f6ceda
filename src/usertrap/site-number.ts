// SPDX-License-Identifier: MIT
//
// How the number of a call gets into eax, read backwards from the call: the shapes that compilers and hand-written code
// use. Only whole instructions of one straight stretch are looked at.

import { siteSysno } from '../isa/syscall-site.ts';
import type { SweptSegment } from './site-sweep.ts';

/** Where a number comes from when the bytes before the call are no `mov $number,%eax`. */
export type NumberSource =
  /** That `mov`, with other instructions between. */
  | 'mov-eax-not-adjacent'
  /** `48 c7 c0`, or `b8` with prefixes: one more byte, or more. */
  | 'mov-rax-imm32'
  | 'number-in-register'
  | 'zeroed-register'
  | 'pop'
  /** A branch target, a return, or too much else comes first. */
  | 'no-number-before';

export interface FoundNumber {
  readonly source: NumberSource;
  readonly sysno: number | undefined;
  /** The instruction right before the call does not hold it. */
  readonly isElsewhere: boolean;
}

/** How far back the load of a number is looked for. */
const LOOK_BACK_INSTRUCTIONS = 12;

/** @param at offset of the call */
export function findNumber(segment: SweptSegment, at: number): FoundNumber {
  const { code } = segment;
  let end = at;
  /** What a `mov $imm8,%al` on the way puts over the lowest byte. */
  let low: number | undefined;
  for (let back = 0; back < LOOK_BACK_INSTRUCTIONS; back++) {
    const start = segment.previousStart(end);
    if (start === undefined) break;
    const bytes = code.subarray(start, end);
    if (bytes[0] === 0xb0) {
      low ??= bytes[1];
    } else {
      const found = numberOf(bytes);
      if (found !== undefined) {
        const whole = found.source === 'pop' ? pushedNumber(segment, start) : found.sysno;
        const sysno = whole === undefined || low === undefined ? whole : (whole & ~0xff) | low;
        return { source: found.source, sysno, isElsewhere: back > 0 || found.sysno === undefined };
      }
    }
    if (endsStretch(code, start)) break;
    end = start;
  }
  return { source: 'no-number-before', sysno: undefined, isElsewhere: true };
}

/** What one instruction puts into eax, where it writes eax at all. */
function numberOf(bytes: Uint8Array): Omit<FoundNumber, 'isElsewhere'> | undefined {
  const rex = (bytes[0] ?? 0) >= 0x40 && (bytes[0] ?? 0) <= 0x4f ? (bytes[0] ?? 0) : 0;
  const skip = rex === 0 ? 0 : 1;
  const opcode = bytes[skip] ?? 0;
  const modrm = bytes[skip + 1] ?? 0;
  // With REX.R or REX.B the field means another register.
  const regIsEax = (modrm & 0x38) === 0 && (rex & 4) === 0;
  const rmIsEax = (modrm & 0xc7) === 0xc0 && (rex & 1) === 0;
  if (opcode === 0xb8 && (rex & 1) === 0)
    return { source: rex === 0 ? 'mov-eax-not-adjacent' : 'mov-rax-imm32', sysno: siteSysno(bytes, skip) };
  if (opcode === 0xc7 && rmIsEax) return { source: 'mov-rax-imm32', sysno: siteSysno(bytes, skip + 1) };
  // xor and sub of a register with itself
  if ((opcode === 0x31 || opcode === 0x33 || opcode === 0x29 || opcode === 0x2b) && regIsEax && rmIsEax)
    return { source: 'zeroed-register', sysno: 0 };
  if (opcode === 0x58 && skip === 0) return { source: 'pop', sysno: undefined };
  const isWritten = opcode === 0x0f ? writesReg0f(bytes, skip, rex) : writesEax(opcode, modrm, regIsEax, rmIsEax);
  return isWritten ? { source: 'number-in-register', sysno: undefined } : undefined;
}

/** One-byte opcodes that leave a computed value in eax (SDM vol. 2, appendix A). */
function writesEax(opcode: number, modrm: number, regIsEax: boolean, rmIsEax: boolean): boolean {
  const operation = (modrm >> 3) & 7;
  // add, or, adc, sbb, and, sub, xor: to memory or register, to register, to eax; cmp writes nothing.
  if (opcode < 0x38 && (opcode & 7) === 1) return rmIsEax;
  if (opcode < 0x38 && (opcode & 7) === 3) return regIsEax;
  if (opcode < 0x38 && (opcode & 7) === 5) return true;
  switch (opcode) {
    case 0x63: // movsxd
    case 0x8b:
    case 0x8d: // lea
      return regIsEax;
    case 0x89:
    case 0xc1: // shifts
    case 0xd1:
    case 0xd3:
      return rmIsEax;
    case 0x81:
    case 0x83:
      return rmIsEax && operation !== 7;
    case 0x87: // xchg
      return rmIsEax || regIsEax;
    case 0xf7: // not, neg; mul, div
      return operation >= 4 || (rmIsEax && operation >= 2);
    case 0xff: // inc, dec
      return rmIsEax && operation <= 1;
    default:
      return opcode === 0x98 || (opcode > 0x90 && opcode <= 0x97);
  }
}

/** cmov, imul, movzx, movsx. */
function writesReg0f(bytes: Uint8Array, skip: number, rex: number): boolean {
  const opcode = bytes[skip + 1] ?? 0;
  const regIsEax = ((bytes[skip + 2] ?? 0) & 0x38) === 0 && (rex & 4) === 0;
  const moves = (opcode & 0xf6) === 0xb6;
  return regIsEax && (moves || (opcode >= 0x40 && opcode <= 0x4f) || opcode === 0xaf);
}

/** `push $n; pop %rax`. */
function pushedNumber(segment: SweptSegment, pop: number): number | undefined {
  const start = segment.previousStart(pop);
  if (start === undefined) return undefined;
  const bytes = segment.code.subarray(start, pop);
  if (bytes[0] === 0x6a) return (((bytes[1] ?? 0) << 24) >> 24) >>> 0;
  return bytes[0] === 0x68 ? siteSysno(bytes) : undefined;
}

/** Beyond a call, a jump or a return nothing says how the code came here. */
function endsStretch(code: Uint8Array, at: number): boolean {
  const opcode = code[at];
  return opcode === 0xc3 || opcode === 0xe8 || opcode === 0xe9 || opcode === 0xeb;
}
