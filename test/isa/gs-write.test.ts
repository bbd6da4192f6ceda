// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';

import { fromHex } from '../../src/base/bytes.ts';
import { writesGs } from '../../src/isa/gs-write.ts';

describe('writesGs', () => {
  it.each([
    ['wrgsbase %edx', 'f3 0f ae da'],
    ['wrgsbase %rdx', 'f3 48 0f ae da'],
    ['wrgsbase %r15', 'f3 49 0f ae df'],
    ['mov %eax,%gs', '8e e8'],
    ['mov (%rdi),%gs', '8e 2f'],
    ['mov %r8d,%gs', '41 8e e8'],
    ['pop %gs', '0f a9'],
    ['lgs (%rdi),%rax', '48 0f b5 07'],
  ])('knows %s', (_, code) => {
    expect(writesGs(fromHex(code))).toBe(true);
  });

  it.each([
    ['wrfsbase %rdx', 'f3 48 0f ae d2'],
    ['rdgsbase %rdx', 'f3 48 0f ae ca'],
    ['mov %eax,%fs', '8e e0'],
    ['mov %gs,%eax', '8c e8'],
    ['stmxcsr', '0f ae 1f'],
    ['pop %fs', '0f a1'],
    ['mov %gs:0,%rax', '65 48 8b 04 25 00 00 00 00'],
    ['nothing', ''],
  ])('does not take %s for one', (_, code) => {
    expect(writesGs(fromHex(code))).toBe(false);
  });
});
