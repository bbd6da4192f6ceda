// SPDX-License-Identifier: MIT
//
// The lab's assembler against GNU as, byte for byte, and what it says about mistakes.

import { describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { Prng } from '../../src/base/prng.ts';
import { assemble, CODE_ADDRESS } from '../../src/workshop/lab/assembler.ts';
import { gnuAssemble } from './gnu-as.ts';

const NAMES = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const R64 = [...NAMES.map((n) => `%r${n}`), ...[8, 9, 10, 11, 12, 13, 14, 15].map((n) => `%r${n}`)];
const R32 = [...NAMES.map((n) => `%e${n}`), ...[8, 9, 10, 11, 12, 13, 14, 15].map((n) => `%r${n}d`)];
const R8 = ['%al', '%cl', '%dl', '%bl', '%spl', '%bpl', '%sil', '%dil', '%r8b', '%r11b', '%r15b'];
const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];

function ours(source: string): string {
  const result = assemble(source);
  if (!result.ok) throw new Error(`${result.error.line}:${result.error.column}: ${result.error.message}`);
  return toHex(result.bytes);
}

/** Compares line by line, so that a difference names its line. */
function expectSame(lines: readonly string[]): void {
  const whole = toHex(gnuAssemble(lines.join('\n'), CODE_ADDRESS));
  if (ours(lines.join('\n')) === whole) return;
  for (const line of lines) expect(`${line}: ${ours(line)}`).toBe(`${line}: ${toHex(gnuAssemble(line, CODE_ADDRESS))}`);
  expect(ours(lines.join('\n'))).toBe(whole);
}

function errorOf(source: string): string {
  const result = assemble(source);
  return result.ok ? 'assembled' : `${result.error.line}:${result.error.column}: ${result.error.message}`;
}

describe('The assembler gives what GNU as gives', () => {
  it('for moves of constants of every size', () => {
    const lines: string[] = [];
    for (const n of ['0', '39', '-1', '127', '128', '0x7fffffff', '0x80000000', '0xffffffff', '-2147483648'])
      for (const r of ['%eax', '%ecx', '%r8d', '%r15d', '%esp']) lines.push(`mov $${n},${r}`, `movl $${n},${r}`);
    for (const n of ['0', '39', '-1', '0x7fffffff', '0x80000000', '0xffffffff', '0x123456789abcdef0', '-2147483649'])
      for (const r of ['%rax', '%rbx', '%r9', '%rsp']) lines.push(`mov $${n},${r}`, `movabs $${n},${r}`);
    for (const r of R8) lines.push(`mov $5,${r}`, `movb $0xff,${r}`);
    expectSame(lines);
  });

  it('for arithmetic with constants', () => {
    const lines: string[] = [];
    for (const op of [...ALU, 'test'])
      for (const n of ['0', '1', '-1', '127', '128', '-128', '-129', '0x12345678', '0x7fffffff'])
        lines.push(
          `${op} $${n},%eax`,
          `${op} $${n},%rax`,
          `${op} $${n},%r12d`,
          `${op} $${n},%rdi`,
          `${op}l $${n},8(%rsp)`,
          `${op}q $${n},(%rbx)`,
        );
    for (const op of [...ALU, 'test'])
      lines.push(
        `${op} $7,%al`,
        `${op} $7,%bl`,
        `${op} $0x80,%sil`,
        `${op}b $-1,(%rax)`,
        `${op} $0xffffffff,%ecx`,
        `${op} $0xfffffff0,%ecx`,
      );
    expectSame(lines);
  });

  it('for every pair of registers', () => {
    const lines: string[] = [];
    for (const op of [...ALU, 'mov', 'test']) {
      for (const [i, r] of R64.entries()) lines.push(`${op} ${r},${R64[(i * 5 + 3) % 16] ?? ''}`);
      for (const [i, r] of R32.entries()) lines.push(`${op} ${r},${R32[(i * 7 + 2) % 16] ?? ''}`);
      for (const [i, r] of R8.entries()) lines.push(`${op} ${r},${R8[(i * 3 + 4) % R8.length] ?? ''}`);
    }
    expectSame(lines);
  });

  it('for addresses of every form, by chance', () => {
    const random = new Prng(6);
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
    const lines: string[] = [];
    for (let i = 0; i < 600; i++) {
      const displacement = pick(['', '', '8', '-8', '127', '128', '-128', '-129', '0x12345678', '-0x48']);
      const index = pick(R64.filter((r) => r !== '%rsp'));
      const form = pick([
        `(${pick(R64)})`,
        `(${pick(R64)},${index},${pick(['1', '2', '4', '8'])})`,
        `(${pick(R64)},${index})`,
        `(,${index},${pick(['1', '4', '8'])})`,
      ]);
      const memory = `${displacement}${form}`;
      lines.push(
        pick([
          `mov ${memory},${pick(R64)}`,
          `mov ${pick(R32)},${memory}`,
          `mov ${pick(R8)},${memory}`,
          `lea ${memory},${pick(R64)}`,
          `lea ${memory},${pick(R32)}`,
          `movl $${pick(['0', '16', '-1'])},${memory}`,
          `movq $5,${memory}`,
          `movb $5,${memory}`,
          `${pick(ALU)} ${memory},${pick(R32)}`,
          `test ${pick(R64)},${memory}`,
          `incq ${memory}`,
          `push ${memory}`,
          `jmp *${memory}`,
        ]),
      );
    }
    lines.push(
      'mov 0x1234,%eax',
      'mov %rcx,0x60050',
      'jmp *0x60050',
      'call *0x60050',
      'lea 5(%rip),%rax',
      'jmp *8(%rip)',
    );
    expectSame(lines);
  });

  it('for the rest of its instructions', () => {
    const lines = [
      'syscall',
      'ret',
      'nop',
      'int3',
      'ud2',
      'hlt',
      'cpuid',
      'stc',
      'clc',
      'push $5',
      'push $-129',
      'push $0x12345678',
    ];
    for (const r of R64) lines.push(`push ${r}`, `pop ${r}`, `jmp *${r}`, `call *${r}`, `inc ${r}`, `neg ${r}`);
    for (const r of R32) lines.push(`dec ${r}`, `not ${r}`);
    for (const r of R8) lines.push(`inc ${r}`, `not ${r}`);
    lines.push(
      ".byte 1,2,-1,0xff,'a",
      '.long 5,-1',
      '.quad 0x123456789abcdef0,-1',
      '.ascii "hello\\n"',
      '.asciz "x\\t\\"\\\\"',
      '.skip 5',
      '.skip 3,0x90',
    );
    expectSame(lines);
  });

  it('for every condition, short and long, forward and back', () => {
    const conditions = [
      'o',
      'no',
      'b',
      'c',
      'nae',
      'ae',
      'nb',
      'nc',
      'e',
      'z',
      'ne',
      'nz',
      'be',
      'na',
      'a',
      'nbe',
      's',
      'ns',
      'p',
      'np',
      'l',
      'nge',
      'ge',
      'nl',
      'le',
      'ng',
      'g',
      'nle',
    ];
    for (const gap of [0, 100, 127, 128, 140]) {
      const lines = [
        'start:',
        ...conditions.map((c) => `j${c} start`),
        `.skip ${gap}`,
        ...conditions.map((c) => `j${c} end`),
        `.skip ${gap}`,
        'jmp end',
        'jmp start',
        'call start',
        'end: call end',
        '1: jmp 1b',
        'jmp 1f',
        '.skip 3',
        '1: nop',
      ];
      expectSame(lines);
    }
  });

  it('for jumps that push each other out of reach', () => {
    for (const gap of [118, 120, 122, 124, 126]) {
      const lines = [
        'a:',
        'jmp c',
        'jne c',
        `.skip ${gap}`,
        'jmp a',
        'b: jmp a',
        'jmp d',
        'c:',
        `.skip ${gap}`,
        'jmp b',
        'd: nop',
      ];
      expectSame(lines);
    }
  });

  it('for labels as addresses, constants and comments', () => {
    expectSame([
      'number = 39',
      '.equ other, 0x10',
      '.globl _start',
      '_start: mov $number,%eax  # getpid',
      'syscall; mov %eax,%edi',
      'lea text(%rip),%rsi',
      'mov $end-text,%edx',
      'mov $text,%esi',
      'mov $text+2,%rcx',
      'mov text,%eax',
      'mov %bl,text+1(%rip)',
      'movb $0xcc,text+5(%rip)',
      'movl $other,text(%rip)',
      'add $other+1,%rsp',
      'mov text(,%rax,8),%rbx',
      'cmp $text,%rax',
      'text: .ascii "hi"',
      '.quad text, end',
      '.long end-text',
      'end:',
    ]);
  });
});

describe('A mistake is answered with line, column and what to do', () => {
  it.each([
    ['nop\n  moov $1,%eax', '2:3: "moov" is no instruction of the lab; did you mean mov or movabs?'],
    ['mov $1,%eex', '1:8: %eex is no register of the lab; write one such as %rax, %eax, %al or %r8d'],
    ['mov $1,(%rax)', '1:1: how many bytes mov means is not said; write movb, movl or movq'],
    ['mov %eax,%rbx', '1:10: %rbx has 64 bits, and 32 are meant; use one size'],
    ['mov %eax,$5', '1:10: a number cannot be written to; the target comes last'],
    ['mov (%rax),(%rbx)', '1:1: how many bytes mov means is not said; write movb, movl or movq'],
    ['movl (%rax),(%rbx)', '1:13: one instruction has at most one operand in memory; go through a register'],
    ['jmp nowhere', '1:5: there is no label "nowhere"; write nowhere: before the line that it means'],
    ['nop\njmp 1f', '2:5: there is no label "1" on that side; write 1: before the line that it means'],
    ['jmp %rax', '1:5: write jmp *%rax: the star says that the address is in there'],
    ['a: nop\na: nop', '2:1: there is a "a" already; give this one another name'],
    ['mov 8(%rax,%rbx', '1:16: a parenthesis is open; write )'],
    ['add $0x1ffffffff,%eax', '1:6: 8589934591 does not fit into 32 bits here; write a smaller number'],
    ['.byte 300', '1:7: 300 does not fit into 8 bits here; write a smaller number'],
    ['.balign 64', '1:1: .balign is no directive of the lab; it knows .byte .long .quad .ascii .asciz .skip .equ'],
    ['.ascii "open', '1:13: the text has no end; write "'],
    ['syscall 5', '1:1: syscall takes no operand; take it out'],
    ['mov $1', '1:1: mov takes 2 operands, the source first'],
    ['lea (%rax,%rsp),%rbx', '1:11: %rsp cannot be an index; write it as the base'],
    ['mov (%eax),%ebx', '1:6: addresses have 64 bits; write a register such as %rax'],
    ['push %eax', '1:6: the stack holds 64 bits a slot; write a register such as %rax'],
    ['nop nop', '1:1: nop takes no operand; take it out'],
    ['.skip 1000000', '1:7: 1000000 does not fit here; write a number from 0 to 32768'],
    ['!', '1:1: an instruction, a directive or a label is missing here'],
    [
      'mov $,%eax',
      '1:6: a number, a label or a register is missing here; numbers of operands begin with $, registers with %',
    ],
  ])('%j', (source, message) => {
    expect(errorOf(source)).toBe(message);
  });

  it('whatever the text is, it answers', () => {
    const random = new Prng(9);
    const pieces = [
      'mov',
      'jmp',
      '$',
      '%rax',
      ',',
      '(',
      ')',
      '*',
      '5',
      'x:',
      '1f',
      '"',
      '\\',
      '\n',
      ' ',
      '.byte',
      '-',
      '+',
      "'",
      ';',
      'é',
      '\0',
    ];
    for (let i = 0; i < 3000; i++) {
      const source = Array.from({ length: random.below(12) }, () => pieces[random.below(pieces.length)]).join('');
      const result = assemble(source);
      if (!result.ok) {
        expect(result.error.line).toBeGreaterThan(0);
        expect(result.error.column).toBeGreaterThan(0);
        expect(result.error.message).not.toBe('');
      }
    }
    expect(errorOf('nop\n'.repeat(20_000))).toContain('the most');
    expect(errorOf('a'.repeat(70_000))).toContain('65536 are the most');
  });
});
