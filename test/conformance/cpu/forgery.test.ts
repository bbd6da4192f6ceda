// SPDX-License-Identifier: MIT
//
// Instructions with which a guest could pretend that a fault, a breakpoint or a trap happened, or reach what ring 3
// does not have. Each gives what Linux gives on hardware, wherever it stands.

import { afterAll, expect, it } from 'vitest';
import type { StopKind } from '../../../src/cpu/cpu.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, RWX, TestMachine } from './guest.ts';

/** Code, the stop that it must give, and whether RIP is after it. */
const FORGERIES: readonly (readonly [name: string, code: string, kind: StopKind, after: boolean])[] = [
  ['int 14 is no page fault', 'cd0e', 'general-protection', false],
  ['int 13 has no gate', 'cd0d', 'general-protection', false],
  ['int 6 is no invalid opcode', 'cd06', 'general-protection', false],
  ['int 1 is no debug trap', 'cd01', 'general-protection', false],
  ['int 0 is no divide error', 'cd00', 'general-protection', false],
  ['int 8 is no double fault', 'cd08', 'general-protection', false],
  ['int 4 has no gate', 'cd04', 'general-protection', false],
  ['int 0x20 has no gate', 'cd20', 'general-protection', false],
  ['int 0xff has no gate', 'cdff', 'general-protection', false],
  ['icebp is a debug trap', 'f1', 'debug', true],
  ['in al, dx', 'ec', 'general-protection', false],
  ['in eax, imm8', 'e510', 'general-protection', false],
  ['out dx, al', 'ee', 'general-protection', false],
  ['out imm8, al', 'e610', 'general-protection', false],
  ['insb', '6c', 'general-protection', false],
  ['rep insd', 'f36d', 'general-protection', false],
  ['outsb', '6e', 'general-protection', false],
  ['rep outsw', '66f36f', 'general-protection', false],
  ['sysenter', '0f34', 'invalid-opcode', false],
  ['rdrand', '0fc7f0', 'invalid-opcode', false],
  ['rdrand with operand prefix', '660fc7f0', 'invalid-opcode', false],
  ['rdseed', '480fc7f8', 'invalid-opcode', false],
  ['lock nop', 'f090', 'invalid-opcode', false],
  ['lock mov', 'f08903', 'invalid-opcode', false],
  ['xgetbv, as no XSAVE is offered', '0f01d0', 'invalid-opcode', false],
  ['xsave', '0fae2424', 'invalid-opcode', false],
  ['xsavec', '0fc72424', 'invalid-opcode', false],
];

forEachEngine('Forged events', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();
  const rip = (): number => cpu.regs.get(Reg.rip) - CODE;

  for (const [name, code, kind, after] of FORGERIES) {
    const length = code.length / 2;
    it(`${name}: alone, in the middle of a block, and again`, () => {
      for (let i = 0; i < 2; i++) {
        expect(space.run(code).kind).toBe(kind);
        expect(rip()).toBe(after ? length : 0);
      }
      // inc eax; stc; then the instruction; inc eax
      for (let i = 0; i < 2; i++) {
        const before = cpu.instructions;
        expect(space.run(`ffc0 f9 ${code} ffc0`).kind).toBe(kind);
        expect(rip()).toBe(3 + (after ? length : 0));
        expect(cpu.regs.get(Reg.rax)).toBe(1);
        expect(cpu.regs.get(Reg.rflags) & 1).toBe(1);
        expect(cpu.instructions - before).toBe(after ? 3 : 2);
      }
      space.enter();
      cpu.regs.set(Reg.rip, CODE + 3);
      expect(cpu.step().kind).toBe(kind);
    });

    it(`${name}: written by the guest over code that has run`, () => {
      const page = 0x500000;
      if (machine.view.getBigUint64(space.pte(page), true) === 0n) space.mapNew(page, 1, RWX);
      // At `page`: inc eax; nops; ret.
      space.put(page, `ffc0 ${'90'.repeat(length)} c3`);
      cpu.invalidateCode(space.physical(page), 4096);
      const bytes = [...code.matchAll(/../g)].map((m) => m[0]);
      // call page; then store the forgery byte by byte; call page again
      const stores = bytes.map((b, i) => `c60425${(0x02 + i).toString(16).padStart(2, '0')}005000${b}`).join('');
      // The first instruction of the function stays, so the changed block starts where the old one did.
      const stop = space.run(`bb00005000 ffd3 ${stores} ffd3 cc`);
      expect(stop.kind).toBe(kind);
      expect(cpu.regs.get(Reg.rip)).toBe(page + 2 + (after ? length : 0));
      expect(cpu.regs.get(Reg.rax)).toBe(2);
    });
  }

  it('lets prefixes on a plain instruction alone that look like a forgery in its operand', () => {
    // mov eax, 0xec0ecd: the bytes cd 0e ec are an immediate
    expect(space.run('b8cd0eec00 cc').kind).toBe('breakpoint');
    expect(cpu.regs.get(Reg.rax)).toBe(0xec0ecd);
  });

  it('decides by the bytes at RIP when a jump leads into an immediate', () => {
    // jmp +1 into: mov eax, 0x90900ecd
    expect(space.run('eb01 b8cd0e9090').kind).toBe('general-protection');
    expect(rip()).toBe(3);
  });

  it('screens a repeated instruction that has written over itself', () => {
    const page = 0x508000;
    space.mapNew(page, 1, RWX);
    // At page + 0x10: rep movsb, whose third and fourth iterations write cd 0e over it.
    space.put(page + 0x10, 'f3a4 cc');
    space.put(DATA, '9090cd0e9090');
    space.enter(page + 0x10);
    cpu.regs.set(Reg.rsi, DATA);
    cpu.regs.set(Reg.rdi, page + 0x0e);
    cpu.regs.set(Reg.rcx, 4);
    // The block after the third iteration is cd a4: an interrupt without a gate.
    expect(cpu.run(100).kind).toBe('general-protection');
    expect(cpu.regs.get(Reg.rip)).toBe(page + 0x10);
    expect(cpu.regs.get(Reg.rcx)).toBe(1);
  });

  it('ends an instruction that the translator cannot handle as an invalid opcode, again and again', () => {
    // lock bts ebx, esi: libunicorn 2.1.4 aborts while it translates
    for (let i = 0; i < 3; i++) {
      expect(space.run('ffc0 f00fabf3 cc').kind).toBe('invalid-opcode');
      expect(rip()).toBe(2);
      expect(cpu.regs.get(Reg.rax)).toBe(1);
    }
    expect(space.run('ffc0 cc').kind).toBe('breakpoint');
    expect(cpu.regs.get(Reg.rax)).toBe(1);
  });

  it('judges an instruction by its last byte, also where the block that is translated ends before', () => {
    for (const [code, kind] of [
      ['0fd606', 'invalid-opcode'],
      ['0f5006', 'invalid-opcode'],
      ['0fd6c1', 'invalid-opcode'],
      ['0fd7c1', 'breakpoint'],
    ] as const) {
      expect(space.run(`${code} cc`).kind, code).toBe(kind);
    }
  });

  it('keeps selectors of other segments away: no 32-bit code, no far call', () => {
    // push 0x23; push CODE; retfq
    expect(space.run('6a23 6800004000 48cb').kind).toBe('general-protection');
    // mov eax, 0x33; mov ss, eax
    expect(space.run('b833000000 8ed0').kind).toBe('general-protection');
  });

  it('reads CS 0x33 and SS 0x2b, as on Linux', () => {
    // mov eax, cs; mov ebx, ss
    space.run('8cc8 8cd3 cc');
    expect(cpu.regs.get(Reg.rax)).toBe(0x33);
    expect(cpu.regs.get(Reg.rbx)).toBe(0x2b);
  });

  it('never takes IOPL or VM from a register block', () => {
    space.put(CODE, '9c 58 cc');
    cpu.invalidateCode(space.physical(CODE), 16);
    space.enter();
    cpu.regs.set(Reg.rflags, 0x23002);
    cpu.run(100);
    // pushf; pop rax
    expect(cpu.regs.get(Reg.rax) & 0x23000).toBe(0);
    void DATA;
  });
});
