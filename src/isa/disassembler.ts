// SPDX-License-Identifier: MIT
//
// Disassembly in GNU syntax through iced-x86, for reports. The module is Node-only as published, so the host injects
// its loader; on the path of a run only a task with data breakpoints needs it.

import type { Formatter } from 'iced-x86';

import { toHex } from '../base/bytes.ts';
import type { MemoryOperand } from './memory-operands.ts';
import { memoryOperands } from './memory-operands.ts';

/** The parts of iced-x86 that are used. */
export type Iced = Pick<
  typeof import('iced-x86'),
  | 'Decoder'
  | 'DecoderOptions'
  | 'Formatter'
  | 'FormatterSyntax'
  | 'Code'
  | 'Mnemonic'
  | 'FlowControl'
  | 'InstructionInfoFactory'
  | 'MemorySizeExt'
  | 'OpAccess'
  | 'OpKind'
  | 'Register'
  | 'RegisterExt'
>;

/** One disassembled instruction. */
export interface DisassembledInstruction {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** GNU syntax; `(bad)` when the bytes are no instruction (then one byte long). */
  readonly text: string;
  readonly isValid: boolean;
}

/** Decodes and formats. Make one and keep it; `dispose` frees what it holds in wasm memory. */
export class Disassembler {
  readonly #iced: Iced;
  readonly #formatter: Formatter;

  constructor(iced: Iced) {
    this.#iced = iced;
    this.#formatter = new iced.Formatter(iced.FormatterSyntax.Gas);
    this.#formatter.spaceAfterOperandSeparator = false;
    this.#formatter.hexPrefix = '0x';
    this.#formatter.hexSuffix = '';
    this.#formatter.uppercaseHex = false;
    this.#formatter.smallHexNumbersInDecimal = false;
    this.#formatter.branchLeadingZeros = false;
    this.#formatter.ripRelativeAddresses = false;
  }

  /** Disassembles all of `code`, or at most `limit` instructions. */
  disassemble(code: Uint8Array, address: number, limit = Number.POSITIVE_INFINITY): DisassembledInstruction[] {
    const decoder = new this.#iced.Decoder(64, code, this.#iced.DecoderOptions.None);
    decoder.ip = BigInt(address);
    const out: DisassembledInstruction[] = [];
    let at = 0;
    try {
      while (at < code.length && out.length < limit) {
        decoder.position = at;
        decoder.ip = BigInt(address + at);
        const instruction = decoder.decode();
        try {
          const isValid = instruction.code !== this.#iced.Code.INVALID;
          const length = isValid ? instruction.length : 1;
          out.push({
            address: address + at,
            bytes: code.slice(at, at + length),
            text: isValid ? this.#formatter.format(instruction) : '(bad)',
            isValid,
          });
          at += length;
        } finally {
          instruction.free();
        }
      }
    } finally {
      decoder.free();
    }
    return out;
  }

  /** The memory that the instruction at the start of `code` uses. */
  memoryOperands(code: Uint8Array, address: number): readonly MemoryOperand[] {
    return memoryOperands(this.#iced, code, address);
  }

  dispose(): void {
    this.#formatter.free();
  }
}

/** `401000: b8 27 00 00 00        mov    $0x27,%eax`, one line an instruction. */
export function formatListing(instructions: readonly DisassembledInstruction[], markAddress?: number): string {
  return instructions
    .map((i) => {
      const mark = markAddress === undefined ? '' : i.address === markAddress ? '=> ' : '   ';
      return `${mark}${i.address.toString(16).padStart(8)}:  ${toHex(i.bytes, ' ').padEnd(30)} ${i.text}`;
    })
    .join('\n');
}
