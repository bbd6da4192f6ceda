// SPDX-License-Identifier: MIT
//
// Which memory an instruction reads and writes, as a function of its registers: what a data breakpoint is compared with.
// Through iced-x86's facts about instructions, whose gaps (repeated strings, bit strings) are filled in here.

import type { Instruction, UsedMemory } from 'iced-x86';

import type { Iced } from './disassembler.ts';

/** A place in memory; registers are numbered as ModRM encodes them (SDM vol. 2, table 2-2), -1 is none. */
export interface MemoryOperand {
  readonly base: number;
  readonly index: number;
  /** The index is AL (xlat). */
  readonly hasByteIndex: boolean;
  readonly scale: number;
  readonly displacement: bigint;
  readonly segment: 'fs' | 'gs' | 'flat';
  /** The address is computed in 32 bits. */
  readonly is32Bit: boolean;
  /** A bit string: this register, as a signed number of that many bits, counts bits from the address; -1 for none. */
  readonly bitOffset: number;
  readonly bytes: number;
  /** Of one iteration of a repeated instruction: there is none when rcx is zero. */
  readonly isRepeated: boolean;
  readonly reads: boolean;
  readonly writes: boolean;
}

/** The operands of the instruction at the start of `code`; none when the bytes are no instruction. */
export function memoryOperands(iced: Iced, code: Uint8Array, address: number): MemoryOperand[] {
  const decoder = new iced.Decoder(64, code, iced.DecoderOptions.None);
  decoder.ip = BigInt(address);
  const instruction = decoder.decode();
  const factory = new iced.InstructionInfoFactory();
  const info = factory.info(instruction);
  const used = info.usedMemory();
  try {
    return used.flatMap((place) => operandOf(iced, instruction, place) ?? []);
  } finally {
    for (const owner of [...used, info, factory, instruction, decoder]) owner.free();
  }
}

function operandOf(iced: Iced, instruction: Instruction, place: UsedMemory): MemoryOperand | undefined {
  const { OpAccess, Register, RegisterExt, MemorySizeExt } = iced;
  const { access, base, index, segment } = place;
  // A conditional write of cmpxchg is one on the bus in any case; an iteration of a rep that is reached happens.
  const writes = access !== OpAccess.Read && access !== OpAccess.CondRead;
  const reads = access !== OpAccess.Write && access !== OpAccess.CondWrite;
  if (access === OpAccess.None || access === OpAccess.NoMemAccess) return undefined;
  const number = (register: number): number => (register === Register.None ? -1 : RegisterExt.number(register));
  // Of a repeated instruction the facts give no size; one iteration has that of the operand.
  const bytes = MemorySizeExt.size(place.memorySize) || MemorySizeExt.size(instruction.memorySize) || 1;
  return {
    base: number(base),
    index: number(index),
    hasByteIndex: index === Register.AL,
    scale: place.scale,
    displacement: place.displacement,
    segment: segment === Register.FS ? 'fs' : segment === Register.GS ? 'gs' : 'flat',
    is32Bit: RegisterExt.isGPR32(base) || RegisterExt.isGPR32(index),
    bitOffset: isBitString(iced, instruction) ? number(instruction.op1Register) : -1,
    bytes,
    isRepeated: instruction.isStringInstruction && (instruction.hasRepPrefix || instruction.hasRepnePrefix),
    reads,
    writes,
  };
}

/** bt and its kin with the number of the bit in a register: the bit may be far from the address. */
function isBitString({ Mnemonic, OpKind }: Iced, { mnemonic, op0Kind, op1Kind }: Instruction): boolean {
  const isBitTest =
    mnemonic === Mnemonic.Bt || mnemonic === Mnemonic.Bts || mnemonic === Mnemonic.Btr || mnemonic === Mnemonic.Btc;
  return isBitTest && op0Kind === OpKind.Memory && op1Kind === OpKind.Register;
}
