// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';

import { fromHex } from '../../src/base/bytes.ts';
import { branchTarget } from '../../src/isa/branch-target.ts';
import { looksLikeSite, mayBeTail, siteSysno, splitsLine, walkToSite } from '../../src/isa/syscall-site.ts';

const SITE = fromHex('b8 27 00 00 00 0f 05');

describe('a site', () => {
  it('is mov $imm32,%eax with a syscall right behind it', () => {
    expect(looksLikeSite(SITE)).toBe(true);
    expect(siteSysno(SITE)).toBe(39);
    expect(siteSysno(fromHex('b8 ff ff ff ff 0f 05'))).toBe(0xffffffff);
    for (const other of ['b9 27 00 00 00 0f 05', 'b8 27 00 00 00 90 0f', 'b8 27 00 00 00 0f 0b', '']) {
      expect(looksLikeSite(fromHex(other))).toBe(false);
    }
  });

  it('is split by a line at six of 64 offsets', () => {
    const split = Array.from({ length: 64 }, (_, offset) => offset).filter((offset) => splitsLine(0x401000 + offset));
    expect(split).toEqual([58, 59, 60, 61, 62, 63]);
  });
});

describe('mayBeTail', () => {
  it.each([
    ['movl $…,-0x48(%rsp), gVisor issue #10849', 'c7 44 24', true],
    ['mov $…,%r8d', '41', true],
    ['movabs $…,%rbx', '48 bb 01 02 03', true],
    ['a byte that begins mov %edi,disp32(%rax)', '6a 89', true],
    ['ret and nops', 'c3 90 90 90', false],
    ['mov %edx,%edi', '89 d7', false],
    ['mov %rsi,%rdi, whose f7 begins idivl disp32(%rax)', '48 89 f7', true],
    ['nothing', '', false],
  ])('after %s: %s is %s', (_, before, expected) => {
    expect(mayBeTail(fromHex(before), SITE)).toBe(expected);
  });
});

describe('walkToSite', () => {
  it('meets the mov of a real site and steps over that of a false one', () => {
    expect(walkToSite(fromHex('48 89 f7 b8 27 00 00 00'), 3)).toBe('boundary');
    expect(walkToSite(fromHex('c7 44 24 b8 10 00 00 00'), 3)).toBe('tail');
    expect(walkToSite(fromHex('06 90 b8 27 00 00 00'), 2)).toBe('unknown');
    expect(walkToSite(SITE, 0)).toBe('boundary');
  });
});

describe('branchTarget', () => {
  it.each([
    ['jmp +0x10', 'eb 10', 0x1012],
    ['jne -2', '75 fe', 0x1000],
    ['call', 'e8 00 01 00 00', 0x1105],
    ['jmp rel32 back', 'e9 fb ff ff ff', 0x1000],
    ['je rel32', '0f 84 00 00 00 80', 0x1006 - 2 ** 31],
    ['bnd jmp', 'f2 e9 00 00 00 00', 0x1006],
    ['loop', 'e2 fe', 0x1000],
    ['an indirect jump', 'ff 25 00 00 00 00', undefined],
    ['syscall', '0f 05', undefined],
    ['setne', '0f 95 c0', undefined],
  ])('of %s', (_, code, target) => {
    const bytes = fromHex(code);
    expect(branchTarget(bytes, 0, bytes.length, 0x1000)).toBe(target);
  });
});
