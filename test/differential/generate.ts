// SPDX-License-Identifier: MIT
//
// Random cases: picks opcode forms, deals registers, encodes the instructions one after the other while
// tracking which registers still hold known values, and aims the branches at later instructions.

import {
  Code,
  Decoder,
  DecoderOptions,
  Encoder,
  Instruction,
  InstructionInfoFactory,
  OpAccess,
  OpKind,
  Register,
  RegisterExt,
} from 'iced-x86';
import type { Prng } from '../../src/base/prng.ts';
import { Reg } from '../../src/cpu/regs.ts';
import type { Form } from './forms.ts';
import { isMapped, pageAddress } from './layout.ts';
import type { Context } from './operands.ts';
import { buildOperand } from './operands.ts';
import type { Case, Patch, Unit } from './records.ts';
import { dataAddress, dealRoles, randomFpu, randomRegs } from './state.ts';
import { randomU64 } from './values.ts';

interface MutablePatch {
  address: number;
  value: bigint;
}
/** Something that will hold the address of a later instruction: a register, a patch, or a branch's own bytes. */
type CodeReference =
  { unit: number; register: number } | { unit: number; patch: MutablePatch } | { unit: number; relative: 1 | 4 };

const STRING = /^(Movs|Cmps|Stos|Lods|Scas|Ins|Outs)[bwdq]_/;
const STACK_FRAME = /^(Enter|Leave)/;

/** Registers with an implicit use as a pointer or count, so that they get fitting values. */
function implicitRegisters(forms: readonly Form[]): Set<number> {
  const taken = new Set<number>();
  for (const f of forms) {
    if (STRING.test(f.name)) for (const r of [Reg.rsi, Reg.rdi, Reg.rcx]) taken.add(r);
    if (/^Maskmov/.test(f.name)) taken.add(Reg.rdi);
    if (STACK_FRAME.test(f.name)) taken.add(Reg.rbp);
    if (/^Xlat/.test(f.name)) taken.add(Reg.rbx);
    if (/^(Loop|J[er]cxz)/.test(f.name)) taken.add(Reg.rcx);
  }
  return taken;
}

function setImplicit(prng: Prng, forms: readonly Form[], regs: BigUint64Array): void {
  for (const f of forms) {
    if (STRING.test(f.name)) {
      // Near a page's end one time in three, so that a rep runs into the gap or the read-only page.
      for (const r of [Reg.rsi, Reg.rdi]) {
        const near = prng.below(3) === 0;
        const page = pageAddress(['data0', 'data1', 'data-alone', 'stack'][prng.below(4)] ?? 'data0');
        const edge = prng.below(2) === 0 ? prng.below(40) : 4095 - prng.below(40);
        regs[r] = BigInt(near ? page + edge : dataAddress(prng));
      }
      regs[Reg.rcx] = prng.below(6) === 0 ? randomU64(prng) >> BigInt(prng.below(64)) : BigInt(prng.below(40));
    } else if (/^Maskmov/.test(f.name)) regs[Reg.rdi] = BigInt(dataAddress(prng));
    else if (STACK_FRAME.test(f.name)) regs[Reg.rbp] = BigInt(pageAddress('stack') + 0x600 + prng.below(0x80) * 8);
    else if (/^Xlat/.test(f.name)) regs[Reg.rbx] = BigInt(dataAddress(prng));
    else if (/^(Loop|J[er]cxz)/.test(f.name))
      regs[Reg.rcx] = BigInt(prng.below(4)) + (prng.below(4) === 0 ? 1n << 32n : 0n);
  }
}

function chooseCodeAddress(prng: Prng): number {
  const style = prng.below(20);
  if (style < 15) return pageAddress('code0') + prng.below(0x600);
  if (style < 17) return pageAddress('code1') - 1 - prng.below(24);
  if (style < 18) return pageAddress('after-code') - 1 - prng.below(24);
  if (style < 19) return pageAddress('code-alone') + 4096 - 1 - prng.below(24);
  return pageAddress('code-alone') + prng.below(0x600);
}

/** Bytes that may precede an instruction without changing which it is; LOCK and REP are the encoder's. */
const NOISE: readonly number[] = [0x2e, 0x36, 0x3e, 0x26, 0x66, 0x67, 0x48, 0x40, 0x4f, 0xf2, 0xf3, 0xf0, 0x64, 0x65];

/** Generates cases over a list of forms. One generator, one seed: the same cases. */
export class Generator {
  readonly #prng: Prng;
  readonly #forms: readonly Form[];
  readonly #byGroup = new Map<string, Form[]>();
  readonly #allowed: ReadonlySet<number>;
  readonly #encoder = new Encoder(64);
  readonly #infos = new InstructionInfoFactory();
  readonly #decoded = new Instruction();
  #next: readonly Form[] = [];

  constructor(prng: Prng, forms: readonly Form[]) {
    this.#prng = prng;
    this.#forms = forms;
    this.#allowed = new Set([Code.INVALID, ...forms.map((f) => f.code)]);
    for (const f of forms) this.#byGroup.set(f.group, [...(this.#byGroup.get(f.group) ?? []), f]);
  }

  // Every form comes equally often: a shuffled deck, not draws.
  #draw(): Form {
    if (this.#next.length === 0) {
      const deck = [...this.#forms];
      for (let i = deck.length - 1; i > 0; i--) {
        const j = this.#prng.below(i + 1);
        const [a, b] = [deck[i], deck[j]];
        if (a && b) [deck[i], deck[j]] = [b, a];
      }
      this.#next = deck;
    }
    const last = this.#next[this.#next.length - 1];
    this.#next = this.#next.slice(0, -1);
    if (!last) throw new RangeError('no forms to draw from');
    return last;
  }

  #chooseForms(): Form[] {
    const prng = this.#prng;
    const count = [1, 1, 2, 2, 3, 3, 4, 5, 6, 8][prng.below(10)] ?? 1;
    const first = this.#draw();
    const forms = [first];
    const sameGroup = prng.below(2) === 0 ? this.#byGroup.get(first.group) : undefined;
    while (forms.length < count) forms.push(sameGroup?.[prng.below(sameGroup.length)] ?? this.#draw());
    // A random place for the drawn form: it must also be reached with a state that others made.
    const place = prng.below(forms.length);
    const displaced = forms[place];
    if (displaced) [forms[0], forms[place]] = [displaced, first];
    return forms;
  }

  next(): Case {
    for (;;) {
      const made = this.#attempt();
      if (made) return made;
    }
  }

  #attempt(): Case | undefined {
    const prng = this.#prng;
    const forms = this.#chooseForms();
    const roles = dealRoles(prng, implicitRegisters(forms));
    const regs = randomRegs(prng, roles);
    setImplicit(prng, forms, regs);
    const codeAddress = chooseCodeAddress(prng);
    regs[Reg.rip] = BigInt(codeAddress);
    const patches: MutablePatch[] = [];
    const references: CodeReference[] = [];
    const context: Context = {
      prng,
      roles,
      known: [...regs.subarray(0, 16)],
      fsBase: regs[Reg.fsBase],
      gsBase: regs[Reg.gsBase],
      rip: codeAddress,
      poke: (address, value) => {
        if (
          !isMapped(address, 8) ||
          address < pageAddress('after-code') ||
          (address >= pageAddress('code-alone') && address < pageAddress('code-alone') + 4096)
        )
          return false;
        patches.push({ address, value });
        return true;
      },
    };
    const units: Unit[] = [];
    for (const form of forms) {
      let unit: Unit | undefined;
      for (let tries = 0; tries < 5 && !unit; tries++) {
        const kept = references.length;
        unit = this.#encode(context, form, patches, references, units.length);
        if (!unit) references.length = kept;
      }
      if (!unit) continue;
      units.push(unit);
      context.rip += unit.bytes.length;
    }
    if (units.length === 0) return undefined;
    this.#aim(units, codeAddress, regs, references);
    return { units, codeAddress, regs, fx: randomFpu(prng), patches: patches as Patch[] };
  }

  #encode(
    c: Context,
    form: Form,
    patches: MutablePatch[],
    references: CodeReference[],
    index: number,
  ): Unit | undefined {
    const { prng } = c;
    const instruction = new Instruction();
    try {
      instruction.code = form.code;
      let target: number | undefined;
      const isIndirect = /^(Call|Jmp)_rm64$/.test(form.name);
      const isReturn = /^Retnq/.test(form.name);
      if (isIndirect && c.known[c.roles.code] !== undefined && prng.below(2) === 0) {
        instruction.setOpKind(0, OpKind.Register);
        instruction.setOpRegister(0, Register.RAX + c.roles.code);
        references.push({ unit: index, register: c.roles.code });
      } else {
        for (let n = 0; n < form.operands.length; n++) target = buildOperand(c, instruction, form, n) ?? target;
      }
      const pointer = isIndirect ? target : isReturn ? this.#stackTop(c) : undefined;
      if (pointer !== undefined && prng.below(12) !== 0 && c.poke(pointer, 0n)) {
        const patch = patches[patches.length - 1];
        if (patch) references.push({ unit: index, patch });
      }
      if (/^Popf/.test(form.name)) this.#allowFlags(c);
      if (form.canLock && prng.below(3) === 0 && instruction.op0Kind === OpKind.Memory)
        instruction.hasLockPrefix = true;
      if (STRING.test(form.name) && prng.below(4) !== 0) {
        if (form.canRepne && prng.below(2) === 0) instruction.hasRepnePrefix = true;
        else instruction.hasRepPrefix = true;
      }
      let bytes: Uint8Array;
      try {
        this.#encoder.encode(instruction, BigInt(c.rip));
        bytes = this.#encoder.takeBuffer();
      } catch {
        // Not every combination encodes (ah beside r8, say): the caller goes on without it.
        this.#encoder.takeBuffer();
        return undefined;
      }
      if (prng.below(8) === 0) bytes = this.#withNoise(bytes, c.rip, form);
      const branch = form.operands.length > 0 && instruction.op0Kind === OpKind.NearBranch64;
      if (branch) references.push({ unit: index, relative: /_rel8_/.test(form.name) ? 1 : 4 });
      this.#forget(c, instruction, form);
      return { bytes, form: form.code };
    } finally {
      instruction.free();
    }
  }

  #stackTop(c: Context): number | undefined {
    const rsp = c.known[Reg.rsp];
    return rsp === undefined ? undefined : Number(rsp);
  }

  // popf takes a random word: keep TF rare, and AC, NT and IOPL out of it.
  #allowFlags(c: Context): void {
    const rsp = this.#stackTop(c);
    if (rsp === undefined) return;
    c.poke(rsp, randomU64(c.prng) & (c.prng.below(8) === 0 ? 0x200fd5n : 0x200ed5n));
  }

  // Only when the result is still a form that is tested, or invalid on both sides.
  #withNoise(bytes: Uint8Array, rip: number, form: Form): Uint8Array {
    const noisy = new Uint8Array(bytes.length + 1);
    noisy[0] = NOISE[this.#prng.below(NOISE.length)] ?? 0x3e;
    noisy.set(bytes, 1);
    if (form.hasWait) return bytes;
    const decoder = new Decoder(64, noisy, DecoderOptions.None);
    decoder.ip = BigInt(rip);
    decoder.decodeOut(this.#decoded);
    decoder.free();
    const isWhole = this.#decoded.length === noisy.length;
    return isWhole && this.#decoded.code === form.code && this.#allowed.has(this.#decoded.code) ? noisy : bytes;
  }

  #forget(c: Context, instruction: Instruction, form: Form): void {
    const increment = instruction.stackPointerIncrement;
    const rsp = c.known[Reg.rsp];
    const info = this.#infos.info(instruction);
    for (const used of info.usedRegisters()) {
      const writes =
        used.access !== OpAccess.Read && used.access !== OpAccess.CondRead && used.access !== OpAccess.NoMemAccess;
      const full = RegisterExt.fullRegister(used.register);
      used.free();
      if (!writes || full < Register.RAX || full > Register.R15) continue;
      c.known[full - Register.RAX] = undefined;
    }
    info.free();
    if (instruction.isStackInstruction && rsp !== undefined && !STACK_FRAME.test(form.name)) {
      c.known[Reg.rsp] = BigInt.asUintN(64, rsp + BigInt(increment));
    }
    if (/^Wrfsbase/.test(form.name)) c.fsBase = undefined;
    if (/^Wrgsbase/.test(form.name)) c.gsBase = undefined;
  }

  /** Points every reference at an instruction behind it, at the end, or (seldom) where a fetch faults. */
  #aim(units: readonly Unit[], codeAddress: number, regs: BigUint64Array, references: readonly CodeReference[]): void {
    const prng = this.#prng;
    const boundaries = [codeAddress];
    for (const u of units) boundaries.push((boundaries[boundaries.length - 1] ?? 0) + u.bytes.length);
    for (const reference of references) {
      const unit = units[reference.unit];
      if (!unit) continue;
      const after = boundaries[reference.unit + 1] ?? codeAddress;
      const later = reference.unit + 1 + prng.below(units.length - reference.unit);
      let target = boundaries[later] ?? after;
      if (prng.below(16) === 0)
        target =
          [pageAddress('data0') + 16, pageAddress('after-code') + 4096, pageAddress('read-only')][prng.below(3)] ??
          after;
      if ('register' in reference) regs[reference.register] = BigInt(target);
      else if ('patch' in reference) reference.patch.value = BigInt(target);
      else {
        const distance = target - after;
        const view = new DataView(unit.bytes.buffer, unit.bytes.byteOffset + unit.bytes.length - reference.relative);
        if (reference.relative === 4) view.setInt32(0, distance, true);
        else view.setInt8(0, distance >= -128 && distance < 128 ? distance : (boundaries[later] ?? after) - after);
      }
    }
  }
}
