// SPDX-License-Identifier: MIT
//
// Builds the operands of one instruction from its opcode form: registers, immediates, and memory operands
// in every addressing form whose effective address is known, because it was chosen first.

import type { Instruction } from 'iced-x86';
import { OpCodeOperandKind, OpKind, Register } from 'iced-x86';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import type { Prng } from '../../src/base/prng.ts';
import { Reg } from '../../src/cpu/regs.ts';
import type { Form } from './forms.ts';
import { OPERAND_KIND_NAMES } from './forms.ts';
import { PAGES, isMapped, pageAddress } from './layout.ts';
import type { Roles } from './state.ts';
import { float32, float64, float80, integer64 } from './values.ts';

const K = OpCodeOperandKind;

/** What is known while a sequence is being built. */
export interface Context {
  readonly prng: Prng;
  readonly roles: Roles;
  /** Register values that no earlier instruction has changed. */
  readonly known: (bigint | undefined)[];
  fsBase: bigint | undefined;
  gsBase: bigint | undefined;
  /** Address of the instruction being built. */
  rip: number;
  /** Sets memory before the run; false when the address cannot be poked. */
  poke(address: number, value: bigint): boolean;
}

const GPR_BASES: Readonly<Record<number, number>> = {
  1: Register.AL,
  2: Register.AX,
  4: Register.EAX,
  8: Register.RAX,
};

function anyGpr(c: Context): number {
  for (;;) {
    const r = c.prng.below(16);
    if (r === Reg.rsp && c.prng.below(20) !== 0) continue;
    // A pointer that is overwritten makes later memory operands guesswork.
    if (c.roles.pointers.includes(r) && c.prng.below(5) !== 0) continue;
    return r;
  }
}

// iced numbers the byte registers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8L...
function byteRegister(c: Context): number {
  if (c.prng.below(5) === 0) return Register.AH + c.prng.below(4);
  const r = anyGpr(c);
  return r < 4 ? Register.AL + r : Register.SPL + (r - 4);
}

function gpr(c: Context, size: number): number {
  return size === 1 ? byteRegister(c) : (GPR_BASES[size] ?? Register.RAX) + anyGpr(c);
}

const FIXED: ReadonlyMap<number, number> = new Map([
  [K.al, Register.AL],
  [K.ax, Register.AX],
  [K.eax, Register.EAX],
  [K.rax, Register.RAX],
  [K.cl, Register.CL],
  [K.dx, Register.DX],
  [K.st0, Register.ST0],
  [K.fs, Register.FS],
  [K.gs, Register.GS],
]);

const IMMEDIATES: ReadonlyMap<number, number> = new Map([
  [K.imm8, OpKind.Immediate8],
  [K.imm8_const_1, OpKind.Immediate8],
  [K.imm8sex16, OpKind.Immediate8to16],
  [K.imm8sex32, OpKind.Immediate8to32],
  [K.imm8sex64, OpKind.Immediate8to64],
  [K.imm16, OpKind.Immediate16],
  [K.imm32, OpKind.Immediate32],
  [K.imm32sex64, OpKind.Immediate32to64],
  [K.imm64, OpKind.Immediate64],
]);

const STRINGS: ReadonlyMap<number, number> = new Map([
  [K.es_rDI, OpKind.MemoryESRDI],
  [K.seg_rSI, OpKind.MemorySegRSI],
  [K.seg_rDI, OpKind.MemorySegRDI],
]);

/** Forms that refuse a memory operand off a 16-byte boundary (SDM vol. 1, 4.1.1 and table 2-18 of vol. 2). */
function wantsAlignment(form: Form): boolean {
  if (/^(Movups|Movupd|Movdqu|Lddqu|Pcmp[ei]str)/.test(form.name)) return false;
  if (/^(Fxsave|Fxrstor|Cmpxchg16b)/.test(form.name)) return true;
  return form.memoryBytes === 16 && form.group === 'sse';
}

/** Whether the form writes its memory operand (then read-only pages fault). */
function writesMemory(form: Form): boolean {
  return /_rm\d+_|^\w+?_m\d+|m128_xmm|m64_xmm|m32_xmm/.test(form.name) && !/^(Cmp|Test|Bt)_/.test(form.name);
}

const DATA = ['data0', 'data1', 'data0', 'data1', 'data-alone', 'after-code', 'stack', 'high'] as const;

// Not the code pages: what a sequence reads there depends on which instructions are in it.
const DATA_PAGES = PAGES.filter((p) => !p.executable);

/** Chooses the address that a memory operand refers to. */
export function chooseTarget(c: Context, form: Form): number {
  const { prng } = c;
  const size = Math.max(1, form.memoryBytes);
  const aligned = wantsAlignment(form);
  const fit = (address: number) => (aligned && prng.below(24) !== 0 ? address - (address % 16) : address);
  if (prng.below(12) === 0) {
    // Faults: before and behind pages, read-only and executable pages, nowhere.
    const kind = prng.below(6);
    const page = DATA_PAGES[prng.below(DATA_PAGES.length)]?.address ?? 0;
    if (kind === 0) return fit(page - 1 - prng.below(size + 3));
    if (kind === 1) return fit(page + PAGE_SIZE - prng.below(size + 1));
    if (kind === 2) return fit(pageAddress('read-only') + prng.below(PAGE_SIZE - size));
    if (kind === 3) return fit(pageAddress('read-only') - prng.below(size + 1));
    if (kind === 4) return fit(pageAddress('code1') + 0x800 + prng.below(0x400));
    return fit(prng.u32());
  }
  const page = pageAddress(
    !writesMemory(form) && prng.below(8) === 0 ? 'read-only' : (DATA[prng.below(DATA.length)] ?? 'data0'),
  );
  if (size > 1 && prng.below(10) === 0) return fit(pageAddress('data1') - 1 - prng.below(size - 1));
  const room = PAGE_SIZE - size;
  if (size > 1 && prng.below(6) === 0)
    return fit(page + Math.min(room, 64 * (1 + prng.below(62)) - 1 - prng.below(size - 1)));
  const offset = prng.below(room + 1);
  return fit(page + (prng.below(2) === 0 ? offset - (offset % size) : offset));
}

/** The control fields of an x87 or FXSAVE image, so that loading it is not always refused for reserved bits. */
function fillImage(c: Context, form: Form, address: number): void {
  const { prng } = c;
  if (prng.below(6) === 0) return;
  const status = BigInt(prng.u32() & 0x7f00);
  const control = 0x37fn | (BigInt(prng.below(4)) << 10n);
  if (form.name.startsWith('Fxrstor')) {
    c.poke(address, control | (status << 16n) | (BigInt(prng.u32() & 0xff) << 32n));
    c.poke(address + 24, 0x1f80n | (BigInt(prng.below(4)) << 13n) | BigInt(prng.u32() & 0x803f));
  } else if (/_m(14|94)byte/.test(form.name))
    c.poke(address, control | (status << 16n) | (BigInt(prng.u32() & 0xffff) << 32n));
  else {
    c.poke(address, control | (status << 32n));
    c.poke(address + 8, BigInt(prng.u32() & 0xffff));
  }
}

/** Fills the memory that an operand will read. */
function fillTarget(c: Context, form: Form, address: number): void {
  const { prng } = c;
  const size = Math.max(8, form.memoryBytes);
  if (/^(Fxrstor|Frstor|Fldenv)/.test(form.name)) {
    fillImage(c, form, address);
    return;
  }
  if (form.memoryBytes === 0 || size > 32 || prng.below(3) === 0) return;
  if (form.memoryKind === 'f80') {
    const [exponent, significand] = float80(prng);
    c.poke(address, significand);
    c.poke(address + 2, (BigInt(exponent) << 48n) | (significand >> 16n));
    return;
  }
  for (let i = 0; i < size; i += 8) {
    if (form.memoryKind === 'bcd') c.poke(address + i, i === 0 ? 0x1234567890123456n : integer64(prng) & 0x9999n);
    else if (form.memoryKind === 'f32') c.poke(address + i, (BigInt(float32(prng)) << 32n) | BigInt(float32(prng)));
    else if (form.memoryKind === 'f64') c.poke(address + i, float64(prng));
    else c.poke(address + i, integer64(prng));
  }
}

const INT32_MIN = -(2n ** 31n);
const INT32_MAX = 2n ** 31n - 1n;

function setDisplacement(i: Instruction, value: bigint, addressSize: 4 | 8): boolean {
  const signed = addressSize === 4 ? BigInt.asIntN(32, value) : BigInt.asIntN(64, value);
  if (signed < INT32_MIN || signed > INT32_MAX) return false;
  i.memoryDisplacementU64 = BigInt.asUintN(addressSize * 8, signed);
  i.memoryDisplSize = signed >= -128n && signed <= 127n ? 1 : addressSize;
  return true;
}

/**
 * Writes a memory operand that refers to `target` if the registers are what `known` says.
 * Returns false when it could not (then the operand is left as an absolute address of a data page).
 */
export function setMemory(c: Context, i: Instruction, target: number): boolean {
  const { prng, known } = c;
  let residual = BigInt(target);
  if (prng.below(8) === 0 && c.fsBase !== undefined && c.gsBase !== undefined) {
    const useFs = prng.below(2) === 0;
    i.segmentPrefix = useFs ? Register.FS : Register.GS;
    residual = BigInt.asUintN(64, residual - (useFs ? c.fsBase : c.gsBase));
  }
  i.memoryIndexScale = 1;
  const style = prng.below(16);
  if (style === 0) {
    i.memoryBase = Register.RIP;
    i.memoryDisplSize = 8;
    i.memoryDisplacementU64 = residual;
    const distance = BigInt.asIntN(64, residual - BigInt(c.rip));
    if (distance > INT32_MIN + 32n && distance < INT32_MAX - 32n) return true;
    i.memoryBase = Register.None;
  }
  const addressSize = style === 1 && residual < 2n ** 32n ? 4 : 8;
  const bank = addressSize === 4 ? Register.EAX : Register.RAX;
  const scale = 1 << prng.below(4);
  const index = c.roles.indexes[prng.below(c.roles.indexes.length)] ?? 0;
  const indexValue = known[index];
  const useIndex = prng.below(3) === 0 && indexValue !== undefined;
  const indexPart = useIndex ? indexValue * BigInt(scale) : 0n;
  const bases = [...c.roles.pointers, Reg.rsp].filter((r) => known[r] !== undefined);
  const first = prng.below(Math.max(1, bases.length));
  for (let n = 0; n <= bases.length; n++) {
    const base = n < bases.length ? bases[(first + n) % bases.length] : undefined;
    if (n === 0 && style === 2) continue;
    const baseValue = base === undefined ? 0n : (known[base] ?? 0n);
    if (!setDisplacement(i, residual - baseValue - indexPart, addressSize)) continue;
    i.memoryBase = base === undefined ? Register.None : bank + base;
    i.memoryIndex = useIndex ? bank + index : Register.None;
    i.memoryIndexScale = useIndex ? scale : 1;
    if (base === undefined && i.memoryDisplSize === 1) i.memoryDisplSize = addressSize;
    return true;
  }
  i.segmentPrefix = Register.None;
  i.memoryBase = Register.None;
  i.memoryIndex = Register.None;
  i.memoryDisplacementU64 = BigInt(pageAddress('data0') + prng.below(0x800) * 2);
  i.memoryDisplSize = 8;
  return false;
}

// A base and an index with whatever they hold: mostly faults, sometimes non-canonical.
function setWildMemory(c: Context, i: Instruction): void {
  i.memoryBase = Register.RAX + c.prng.below(16);
  if (c.prng.below(2) === 0) i.memoryIndex = Register.RAX + ((Reg.rsp + 1 + c.prng.below(15)) & 15);
  i.memoryIndexScale = 1 << c.prng.below(4);
  setDisplacement(i, BigInt(c.prng.below(0x2000) - 0x1000), 8);
}

/** Writes a memory operand of any kind, fills what it refers to, and returns its address where known. */
export function memoryOperand(c: Context, i: Instruction, form: Form): number | undefined {
  if (c.prng.below(40) === 0) {
    setWildMemory(c, i);
    return undefined;
  }
  const target = chooseTarget(c, form);
  if (!setMemory(c, i, target)) return undefined;
  if (isMapped(target, Math.max(32, form.memoryBytes))) fillTarget(c, form, target);
  return target;
}

function immediate(c: Context, i: Instruction, n: number, kind: number): void {
  const { prng } = c;
  const value = kind === K.imm8_const_1 ? 1n : prng.below(3) === 0 ? BigInt(prng.below(72)) : integer64(prng);
  switch (kind) {
    case K.imm8:
    case K.imm8_const_1:
      i.setImmediateU32(n, Number(value & 0xffn));
      return;
    case K.imm16:
      i.setImmediateU32(n, Number(value & 0xffffn));
      return;
    case K.imm32:
      i.setImmediateU32(n, Number(value & 0xffffffffn));
      return;
    case K.imm64:
      i.setImmediateU64(n, BigInt.asUintN(64, value));
      return;
    case K.imm32sex64:
      i.setImmediateI64(n, BigInt.asIntN(32, value));
      return;
    case K.imm8sex64:
      i.setImmediateI64(n, BigInt.asIntN(8, value));
      return;
    default:
      i.setImmediateI32(n, Number(BigInt.asIntN(8, value)));
  }
}

/** Builds operand `n`. Returns the address of a memory operand where it is known. */
export function buildOperand(c: Context, i: Instruction, form: Form, n: number): number | undefined {
  const kind = form.operands[n] ?? K.None;
  const { prng } = c;
  const register = (r: number) => {
    i.setOpKind(n, OpKind.Register);
    i.setOpRegister(n, r);
    return undefined;
  };
  const memory = () => {
    i.setOpKind(n, OpKind.Memory);
    return memoryOperand(c, i, form);
  };
  const fixed = FIXED.get(kind);
  if (fixed !== undefined) return register(fixed);
  const immediateKind = IMMEDIATES.get(kind);
  if (immediateKind !== undefined) {
    // enter's second immediate is an encoding of its own.
    const isSecond = kind === K.imm8 && n > 0 && IMMEDIATES.has(form.operands[n - 1] ?? K.None);
    i.setOpKind(n, isSecond ? OpKind.Immediate8_2nd : immediateKind);
    immediate(c, i, n, kind);
    return undefined;
  }
  const string = STRINGS.get(kind);
  if (string !== undefined) {
    i.setOpKind(n, string);
    return undefined;
  }
  const useRegister = prng.below(2) === 0;
  const name = OPERAND_KIND_NAMES.get(kind) ?? '';
  const sized = /^r(8|16|32|64)_/.exec(name);
  if (sized) {
    if (name.includes('or_mem') && !useRegister) return memory();
    return register(gpr(c, Number(sized[1]) / 8));
  }
  switch (kind) {
    case K.mem:
      return memory();
    case K.xmm_or_mem:
      return useRegister ? register(Register.XMM0 + prng.below(16)) : memory();
    case K.mm_or_mem:
      return useRegister ? register(Register.MM0 + prng.below(8)) : memory();
    case K.xmm_reg:
    case K.xmm_rm:
      return register(Register.XMM0 + prng.below(16));
    case K.mm_reg:
    case K.mm_rm:
      return register(Register.MM0 + prng.below(8));
    case K.sti_opcode:
      return register(Register.ST0 + prng.below(8));
    case K.seg_reg:
      return register(Register.ES + prng.below(6));
    case K.cr_reg:
      return register(Register.CR0 + ([0, 2, 3, 4, 8][prng.below(5)] ?? 0));
    case K.dr_reg:
      return register(Register.DR0 + ([0, 1, 2, 3, 6, 7][prng.below(6)] ?? 0));
    case K.mem_offs: {
      i.setOpKind(n, OpKind.Memory);
      const target = chooseTarget(c, form);
      i.memoryDisplacementU64 = BigInt(target);
      i.memoryDisplSize = 8;
      i.memoryIndexScale = 1;
      if (isMapped(target, 8)) fillTarget(c, form, target);
      return target;
    }
    case K.seg_rBX_al:
      i.setOpKind(n, OpKind.Memory);
      i.memoryBase = Register.RBX;
      i.memoryIndex = Register.AL;
      i.memoryIndexScale = 1;
      return undefined;
    case K.br64_1:
    case K.br64_4:
      i.setOpKind(n, OpKind.NearBranch64);
      i.nearBranch64 = BigInt(c.rip + 32);
      return undefined;
    default:
      throw new RangeError(`${form.name}: no operand of kind ${name}`);
  }
}
