// SPDX-License-Identifier: MIT
//
// The length decoder against iced-x86, an independent decoder.

import { Code, Decoder, DecoderOptions } from 'iced-x86';
import { describe, expect, it } from 'vitest';

import { fromHex, toHex } from '../../src/base/bytes.ts';
import { Prng } from '../../src/base/prng.ts';
import { instructionLength } from '../../src/isa/instruction-length.ts';

function icedLength(code: Uint8Array): number {
  const decoder = new Decoder(64, code, DecoderOptions.None);
  const instruction = decoder.decode();
  const length = instruction.code === Code.INVALID ? 0 : instruction.length;
  instruction.free();
  decoder.free();
  return length;
}

/** Random bytes behind a chosen start, long enough that no instruction is cut off. */
function randomCode(prng: Prng, start: readonly number[]): Uint8Array {
  const code = new Uint8Array(24);
  prng.fill(code);
  code.set(start);
  return code;
}

describe('instructionLength', () => {
  const starts: number[][] = [];
  for (let opcode = 0; opcode < 256; opcode++) {
    for (const prefix of [[], [0x66], [0x48], [0x66, 0x48], [0xf3], [0x67], [0x41]]) {
      starts.push([...prefix, opcode], [...prefix, 0x0f, opcode]);
    }
    starts.push([0x0f, 0x38, opcode], [0x66, 0x0f, 0x38, opcode], [0x66, 0x0f, 0x3a, opcode]);
    starts.push([0xc5, 0xf8, opcode], [0xc4, 0xe2, 0x79, opcode], [0xc4, 0xe3, 0x79, opcode]);
  }

  it('agrees with iced on every opcode that iced knows, whatever prefix comes before', () => {
    const prng = new Prng(20_240_611);
    const wrong: string[] = [];
    for (const start of starts) {
      for (let i = 0; i < 16; i++) {
        const code = randomCode(prng, start);
        const expected = icedLength(code);
        if (expected !== 0 && instructionLength(code) !== expected) {
          wrong.push(`${toHex(code.subarray(0, 15), ' ')}: ${instructionLength(code)}, iced ${expected}`);
        }
      }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
  });

  it('refuses what 64-bit mode does not have', () => {
    for (const code of [
      '06',
      '07',
      '0e',
      '16',
      '1e',
      '27',
      '60',
      '61',
      '62 00',
      '82 00 00',
      '9a',
      'ce',
      'd4 0a',
      'ea',
      '0f 04',
    ]) {
      expect([code, instructionLength(fromHex(`${code}${'00'.repeat(12)}`))]).toEqual([code, 0]);
    }
  });

  it('refuses an instruction that ends beyond the bytes given', () => {
    expect(instructionLength(fromHex('b8 27 00 00'))).toBe(0);
    expect(instructionLength(fromHex('b8 27 00 00 00'))).toBe(5);
    expect(instructionLength(new Uint8Array(0))).toBe(0);
  });

  it('refuses more than fifteen bytes', () => {
    expect(instructionLength(fromHex(`${'66'.repeat(15)} 90`))).toBe(0);
    expect(instructionLength(fromHex(`${'66'.repeat(14)} 90`))).toBe(15);
  });
});
