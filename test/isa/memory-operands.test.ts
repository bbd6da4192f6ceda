// SPDX-License-Identifier: MIT
//
// The memory that instructions use.

import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { Disassembler } from '../../src/isa/disassembler.ts';
import type { MemoryOperand } from '../../src/isa/memory-operands.ts';

const disassembler = new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
const AT = 0x401000;

function operands(hex: string): readonly MemoryOperand[] {
  return disassembler.memoryOperands(
    Uint8Array.from(hex.split(' '), (byte) => Number.parseInt(byte, 16)),
    AT,
  );
}

/** As text: access, size and address. */
function texts(hex: string): string[] {
  return operands(hex).map((o) => {
    const access = `${o.reads ? 'r' : ''}${o.writes ? 'w' : ''}${o.bytes}`;
    const index = o.index < 0 ? '' : `+${o.hasByteIndex ? 'al' : `r${o.index}`}*${o.scale}`;
    const bits = o.bitOffset < 0 ? '' : ` bit r${o.bitOffset}`;
    const displacement = BigInt.asIntN(64, o.displacement).toString(16);
    const base = o.base < 0 ? '' : `r${o.base}+`;
    return `${o.isRepeated ? 'rep ' : ''}${access} ${o.segment}:${base}${displacement}${index}${o.is32Bit ? ' 32' : ''}${bits}`;
  });
}

describe('memory operands', () => {
  it.each([
    ['mov %rax,-8(%rbp)', '48 89 45 f8', ['w8 flat:r5+-8']],
    ['mov 0x10(%rip),%rax, as an address', '48 8b 05 10 00 00 00', ['r8 flat:401017']],
    ['addl $5,8(%rsi,%r9,4)', '42 83 44 8e 08 05', ['rw4 flat:r6+8+r9*4']],
    ['mov %fs:0x28,%rax', '64 48 8b 04 25 28 00 00 00', ['r8 fs:28']],
    ['mov %ecx,(%eax)', '67 89 08', ['w4 flat:r0+0 32']],
    ['xlat', 'd7', ['r1 flat:r3+0+al*1']],
    ['push %rbp', '55', ['w8 flat:r4+-8']],
    ['call *(%rax)', 'ff 10', ['r8 flat:r0+0', 'w8 flat:r4+-8']],
    ['rep movsb, an iteration', 'f3 a4', ['rep w1 flat:r7+0', 'rep r1 flat:r6+0']],
    ['rep stosq, an iteration', 'f3 48 ab', ['rep w8 flat:r7+0']],
    ['lock cmpxchg, which always writes', 'f0 0f b1 0a', ['rw4 flat:r2+0']],
    ['bts %rax,(%rdi), far away', '48 0f ab 07', ['rw8 flat:r7+0 bit r0']],
    ['bts $5,(%rdi), here', '48 0f ba 2f 05', ['rw8 flat:r7+0']],
    ['movdqu %xmm0,(%rax)', 'f3 0f 7f 00', ['w16 flat:r0+0']],
    ['fxsave (%rax)', '0f ae 00', ['w512 flat:r0+0']],
  ])('of %s', (_text, hex, expected) => {
    expect(texts(hex)).toEqual(expected);
  });

  it.each([
    ['lea', '48 8d 40 08'],
    ['a prefetch', '0f 18 08'],
    ['a register move', '48 89 c3'],
    ['no instruction', '06'],
    ['an instruction that is cut off', '48 89'],
  ])('are none of %s', (_text, hex) => {
    expect(operands(hex)).toEqual([]);
  });
});
