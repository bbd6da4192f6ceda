// SPDX-License-Identifier: MIT
//
// The address that an instruction's explicit memory operand refers to, from its bytes and registers (SDM
// vol. 1, 3.7.5). Known differences use it to say which bytes they cover.

import { Decoder, DecoderOptions, Register, RegisterExt } from 'iced-x86';
import { Reg } from '../../src/cpu/regs.ts';

const isIn32 = (r: number) => (r >= Register.EAX && r <= Register.R15D) || r === Register.EIP;

/** The registers that the explicit memory operand is addressed by (iced's Register). */
export function addressRegisters(bytes: Uint8Array): number[] {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const i = decoder.decode();
  decoder.free();
  const registers = [i.memoryBase, i.memoryIndex];
  i.free();
  return registers;
}

/** Undefined when the instruction has no such operand. */
export function effectiveAddress(bytes: Uint8Array, at: bigint, regs: BigUint64Array): bigint | undefined {
  // FWAIT forms decode as two instructions: the operand is the second one's.
  const code = bytes[0] === 0x9b ? bytes.subarray(1) : bytes;
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = at + BigInt(bytes.length - code.length);
  const i = decoder.decode();
  decoder.free();
  try {
    if (i.memoryBase === Register.None && i.memoryIndex === Register.None && i.memoryDisplSize === 0) return undefined;
    const value = (r: number) =>
      r < Register.EAX || r > Register.R15 ? 0n : (regs[RegisterExt.fullRegister(r) - Register.RAX] ?? 0n);
    const isRip = i.memoryBase === Register.RIP || i.memoryBase === Register.EIP;
    let offset = i.memoryDisplacementU64;
    if (!isRip) offset += value(i.memoryBase) + value(i.memoryIndex) * BigInt(i.memoryIndexScale);
    offset = BigInt.asUintN(isIn32(i.memoryBase) || isIn32(i.memoryIndex) || i.memoryDisplSize === 4 ? 32 : 64, offset);
    const segment =
      i.segmentPrefix === Register.FS
        ? (regs[Reg.fsBase] ?? 0n)
        : i.segmentPrefix === Register.GS
          ? (regs[Reg.gsBase] ?? 0n)
          : 0n;
    return BigInt.asUintN(64, offset + segment);
  } finally {
    i.free();
  }
}
