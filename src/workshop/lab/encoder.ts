// SPDX-License-Identifier: MIT
//
// Machine code of the lab's instructions: the encodings that GNU as chooses (SDM vol. 2). Where a label's address
// goes it leaves a gap, for assembler.ts to fill.

import type { Expression, MemoryReference, Operand } from './line-reader.ts';
import { needsRex } from './registers.ts';
import type { Register, Width } from './registers.ts';
import { SourceError } from './source-error.ts';

/** A gap in the bytes of an instruction. */
export interface Gap {
  readonly at: number;
  readonly size: 1 | 4 | 8;
  readonly value: Expression;
  /** Counted from the end of the instruction. */
  readonly relative: boolean;
  /** The processor extends it with its sign to 64 bits. */
  readonly signed: boolean;
}

export interface Encoded {
  readonly bytes: readonly number[];
  readonly gaps: readonly Gap[];
}

/** A direct jump: short where it reaches. */
export interface Jump {
  readonly short: readonly number[] | undefined;
  readonly near: readonly number[];
  readonly target: Expression;
}

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const ONE_OPERAND: Readonly<Record<string, readonly [opcode: number, digit: number]>> = {
  inc: [0xfe, 0],
  dec: [0xfe, 1],
  not: [0xf6, 2],
  neg: [0xf6, 3],
};
const PLAIN: Readonly<Record<string, readonly number[]>> = {
  syscall: [0x0f, 0x05],
  ret: [0xc3],
  nop: [0x90],
  int3: [0xcc],
  ud2: [0x0f, 0x0b],
  hlt: [0xf4],
  cpuid: [0x0f, 0xa2],
  stc: [0xf9],
  clc: [0xf8],
};
const CONDITIONS = [
  ['o'], ['no'], ['b', 'c', 'nae'], ['ae', 'nb', 'nc'], ['e', 'z'], ['ne', 'nz'], ['be', 'na'], ['a', 'nbe'],
  ['s'], ['ns'], ['p', 'pe'], ['np', 'po'], ['l', 'nge'], ['ge', 'nl'], ['le', 'ng'], ['g', 'nle'],
]; // prettier-ignore
const SUFFIXED = [...ALU, ...Object.keys(ONE_OPERAND), 'mov', 'test', 'lea', 'push', 'pop', 'call', 'jmp', 'ret'];
const WIDTHS: Readonly<Record<string, Width>> = { b: 1, l: 4, q: 8 };

/** Names of all instructions, without suffixes, for messages. */
export const MNEMONICS: readonly string[] = [
  ...new Set([...SUFFIXED, ...Object.keys(PLAIN), 'movabs', ...CONDITIONS.flat().map((c) => `j${c}`)]),
];

interface Mnemonic {
  readonly name: string;
  /** From its last letter. */
  readonly width: Width | undefined;
}

function readMnemonic(text: string, at: number): Mnemonic {
  if (MNEMONICS.includes(text)) return { name: text, width: undefined };
  const name = text.slice(0, -1);
  const width = WIDTHS[text.slice(-1)];
  if (width !== undefined && SUFFIXED.includes(name)) return { name, width };
  const near = MNEMONICS.filter((m) => m.startsWith(text.slice(0, 2)));
  const help = near.length > 0 ? `did you mean ${near.slice(0, 3).join(' or ')}?` : `the lab knows ${MNEMONICS.slice(0, 16).join(', ')} and jumps`; // prettier-ignore
  throw new SourceError(at, `"${text}" is no instruction of the lab; ${help}`);
}

/** Encodes one instruction. @throws SourceError for what it cannot be */
export function encode(mnemonic: string, at: number, operands: readonly Operand[]): Encoded | Jump {
  const { name, width } = readMnemonic(mnemonic, at);
  const plain = PLAIN[name];
  if (plain !== undefined && operands.length === 0) return { bytes: plain, gaps: [] };
  if (plain !== undefined) throw new SourceError(at, `${name} takes no operand; take it out`);
  const condition = CONDITIONS.findIndex((names) => names.some((c) => name === `j${c}`));
  if (condition >= 0) return directJump(name, at, operands, [0x70 | condition], [0x0f, 0x80 | condition]);
  if (name === 'jmp' || name === 'call') return jumpOrCall(name, at, operands);
  const [source, target] = operands;
  if (name === 'push' || name === 'pop') return pushOrPop(name, at, operands, width);
  const one = ONE_OPERAND[name];
  if (one !== undefined) {
    if (source === undefined || operands.length !== 1) throw wrongCount(name, at, 1);
    const w = widthOf(name, at, width, [source]);
    return withModRm(w, one[0] | (w === 1 ? 0 : 1), one[1], source);
  }
  if (source === undefined || target === undefined || operands.length !== 2) throw wrongCount(name, at, 2);
  if (name === 'lea') {
    if (source.kind !== 'memory' || target.kind !== 'register' || target.register.width === 1)
      throw new SourceError(at, 'lea takes an address and a register, such as lea message(%rip),%rsi');
    return withModRm(widthOf(name, at, width, [target]), 0x8d, target.register, source);
  }
  if (target.kind === 'immediate')
    throw new SourceError(target.at, 'a number cannot be written to; the target comes last');
  const w = widthOf(name, at, width, [source, target]);
  if (name === 'mov' || name === 'movabs') return move(name, w, source, target);
  return name === 'test' ? test(w, source, target) : arithmetic(ALU.indexOf(name), w, source, target);
}

function wrongCount(name: string, at: number, count: number): SourceError {
  return new SourceError(at, `${name} takes ${count === 1 ? 'one operand' : `${count} operands, the source first`}`);
}

function widthOf(name: string, at: number, suffix: Width | undefined, operands: readonly Operand[]): Width {
  let width = suffix;
  for (const operand of operands) {
    if (operand.kind !== 'register') continue;
    const { register } = operand;
    if (width !== undefined && width !== register.width)
      throw new SourceError(
        operand.at,
        `%${register.name} has ${register.width * 8} bits, and ${width * 8} are meant; use one size`,
      );
    width = register.width;
  }
  if (width === undefined)
    throw new SourceError(at, `how many bytes ${name} means is not said; write ${name}b, ${name}l or ${name}q`);
  return width;
}

function move(name: string, width: Width, source: Operand, target: Operand): Encoded {
  if (source.kind === 'immediate' && target.kind === 'register') {
    const { value } = source;
    const { register } = target;
    const small = isLabel(value) || fitsSigned(value.number, 32);
    if (name === 'movabs' || (width === 8 && !small)) {
      if (width !== 8) throw new SourceError(target.at, 'movabs takes a 64-bit register');
      return appended(opcodePlus(width, 0xb8, register), value, 8, false);
    }
    if (width === 8) return appended(withModRm(width, 0xc7, 0, target), value, 4, true);
    return appended(opcodePlus(width, width === 1 ? 0xb0 : 0xb8, register), value, width, false);
  }
  if (name === 'movabs') throw new SourceError(target.at, 'movabs takes a number and a 64-bit register');
  if (source.kind === 'immediate') return appended(withModRm(width, width === 1 ? 0xc6 : 0xc7, 0, target), source.value, width === 1 ? 1 : 4, width === 8); // prettier-ignore
  return twoOperands(0x88, width, source, target);
}

function test(width: Width, source: Operand, target: Operand): Encoded {
  if (source.kind === 'immediate') {
    const size = width === 1 ? 1 : 4;
    const isA = target.kind === 'register' && target.register.number === 0;
    const head = isA ? { bytes: [...rexOf(width), width === 1 ? 0xa8 : 0xa9], gaps: [] } : withModRm(width, width === 1 ? 0xf6 : 0xf7, 0, target); // prettier-ignore
    return appended(head, source.value, size, width === 8);
  }
  // Both directions are the same code: the register goes into its field.
  const opcode = 0x84 | (width === 1 ? 0 : 1);
  if (source.kind === 'register') return withModRm(width, opcode, source.register, target);
  if (target.kind === 'register') return withModRm(width, opcode, target.register, source);
  throw twoMemories(target);
}

function arithmetic(operation: number, width: Width, source: Operand, target: Operand): Encoded {
  if (source.kind !== 'immediate') return twoOperands(operation << 3, width, source, target);
  const { value } = source;
  const isA = target.kind === 'register' && target.register.number === 0;
  if (width === 1) {
    const head = isA ? { bytes: [(operation << 3) | 4], gaps: [] } : withModRm(1, 0x80, operation, target);
    return appended(head, value, 1, false);
  }
  if (!isLabel(value) && fitsShort(value.number, width)) return appended(withModRm(width, 0x83, operation, target), value, 1, true); // prettier-ignore
  const head = isA ? { bytes: [...rexOf(width), (operation << 3) | 5], gaps: [] } : withModRm(width, 0x81, operation, target); // prettier-ignore
  return appended(head, value, 4, width === 8);
}

/** A 32-bit operand may also be written without sign: 0xffffffff is -1. */
function fitsShort(number: bigint, width: Width): boolean {
  return fitsSigned(number, 8) || (width === 4 && number >= 0xffffff80n && number <= 0xffffffffn);
}

/** `op reg,rm` and `op rm,reg`. */
function twoOperands(base: number, width: Width, source: Operand, target: Operand): Encoded {
  const wide = width === 1 ? 0 : 1;
  if (source.kind === 'register') return withModRm(width, base | wide, source.register, target);
  if (target.kind === 'register') return withModRm(width, base | 2 | wide, target.register, source);
  throw twoMemories(target);
}

function twoMemories(target: Operand): SourceError {
  return new SourceError(target.at, 'one instruction has at most one operand in memory; go through a register');
}

function pushOrPop(name: string, at: number, operands: readonly Operand[], width: Width | undefined): Encoded {
  const [operand] = operands;
  if (operand === undefined || operands.length !== 1) throw wrongCount(name, at, 1);
  if (width !== undefined && width !== 8) throw new SourceError(at, `the stack holds 64 bits a slot; write ${name}`);
  if (operand.kind === 'register') {
    if (operand.register.width !== 8) throw new SourceError(operand.at, `the stack holds 64 bits a slot; write a register such as %rax`); // prettier-ignore
    return opcodePlus(4, name === 'push' ? 0x50 : 0x58, operand.register);
  }
  if (operand.kind === 'immediate' && name === 'push') {
    const short = !isLabel(operand.value) && fitsSigned(operand.value.number, 8);
    return appended({ bytes: [short ? 0x6a : 0x68], gaps: [] }, operand.value, short ? 1 : 4, true);
  }
  if (operand.kind !== 'memory') throw new SourceError(operand.at, `${name} cannot take this; write a register`);
  return withModRm(4, name === 'push' ? 0xff : 0x8f, name === 'push' ? 6 : 0, operand);
}

function jumpOrCall(name: 'jmp' | 'call', at: number, operands: readonly Operand[]): Encoded | Jump {
  const [operand] = operands;
  if (operand?.kind === 'indirect' && operands.length === 1) {
    const { target } = operand;
    if (target.kind === 'register' && target.register.width !== 8)
      throw new SourceError(target.at, 'addresses have 64 bits; write a register such as %rax');
    return withModRm(4, 0xff, name === 'jmp' ? 4 : 2, target);
  }
  if (operand?.kind === 'register')
    throw new SourceError(
      operand.at,
      `write ${name} *%${operand.register.name}: the star says that the address is in there`,
    );
  return directJump(name, at, operands, name === 'jmp' ? [0xeb] : undefined, [name === 'jmp' ? 0xe9 : 0xe8]);
}

function directJump(
  name: string,
  at: number,
  operands: readonly Operand[],
  short: readonly number[] | undefined,
  near: readonly number[],
): Jump {
  const [operand] = operands;
  if (
    operand?.kind !== 'memory' ||
    !operand.isPlain ||
    operands.length !== 1 ||
    operand.memory.displacement === undefined
  )
    throw new SourceError(operand?.at ?? at, `${name} takes a label`);
  return { short, near, target: operand.memory.displacement };
}

function rexOf(width: Width, bits = 0, forced = false): number[] {
  const rex = (width === 8 ? 8 : 0) | bits;
  return rex !== 0 || forced ? [0x40 | rex] : [];
}

function opcodePlus(width: Width, opcode: number, register: Register): Encoded {
  const bytes = [...rexOf(width, register.number >> 3, needsRex(register)), opcode | (register.number & 7)];
  return { bytes, gaps: [] };
}

/** Opcode with a ModRM byte. @param field a register, or the digit that extends the opcode */
function withModRm(width: Width, opcode: number, field: Register | number, operand: Operand): Encoded {
  const number = typeof field === 'number' ? field : field.number;
  const forced = typeof field !== 'number' && needsRex(field);
  const reg = (number & 7) << 3;
  const r = (number >> 3) << 2;
  if (operand.kind === 'register') {
    const { register } = operand;
    const rex = rexOf(width, r | (register.number >> 3), forced || needsRex(register));
    return { bytes: [...rex, opcode, 0xc0 | reg | (register.number & 7)], gaps: [] };
  }
  if (operand.kind !== 'memory') throw new SourceError(operand.at, 'this operand cannot stand here; write a register or an address'); // prettier-ignore
  const { memory } = operand;
  const x = ((memory.index?.number ?? 0) >> 3) << 1;
  const b = (memory.base?.number ?? 0) >> 3;
  const head = [...rexOf(width, r | x | b, forced), opcode];
  return addressed(head, reg, memory, operand.at);
}

/** ModRM, SIB and displacement (SDM vol. 2, tables 2-2 and 2-3). */
function addressed(head: readonly number[], reg: number, memory: MemoryReference, at: number): Encoded {
  const { displacement, base, index, scale, ripRelative } = memory;
  const value: Expression = displacement ?? { number: 0n, at };
  if (ripRelative) return gapped([...head, reg | 5], value, { relative: true });
  const sib = (Math.log2(scale) << 6) | (((index?.number ?? 4) & 7) << 3);
  if (base === undefined) return gapped([...head, reg | 4, sib | 5], value, { relative: false });
  const low = base.number & 7;
  const needsSib = index !== undefined || low === 4;
  const rm = (needsSib ? 4 : low) | reg;
  const tail = needsSib ? [sib | low] : [];
  if (isLabel(value)) return gapped([...head, 0x80 | rm, ...tail], value, { relative: false });
  if (value.number === 0n && low !== 5) return { bytes: [...head, rm, ...tail], gaps: [] };
  if (fitsSigned(value.number, 8))
    return { bytes: [...head, 0x40 | rm, ...tail, Number(value.number & 0xffn)], gaps: [] };
  return gapped([...head, 0x80 | rm, ...tail], value, { relative: false });
}

function gapped(bytes: readonly number[], value: Expression, { relative }: { relative: boolean }): Encoded {
  return { bytes: [...bytes, 0, 0, 0, 0], gaps: [{ at: bytes.length, size: 4, value, relative, signed: true }] };
}

/** An immediate behind what is there. */
function appended(head: Encoded, value: Expression, size: Gap['size'], signed: boolean): Encoded {
  const zeros = Array.from({ length: size }, () => 0);
  return {
    bytes: [...head.bytes, ...zeros],
    gaps: [...head.gaps, { at: head.bytes.length, size, value, relative: false, signed }],
  };
}

function isLabel(value: Expression): boolean {
  return value.plus !== undefined || value.minus !== undefined;
}

export function fitsSigned(number: bigint, bits: number): boolean {
  const limit = 1n << BigInt(bits - 1);
  return number >= -limit && number < limit;
}
