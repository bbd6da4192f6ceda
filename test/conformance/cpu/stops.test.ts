// SPDX-License-Identifier: MIT
//
// Every kind of stop: where RIP stands, what flags, registers and memory hold.

import { afterAll, expect, it } from 'vitest';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, NX, PRESENT, STACK, TestMachine, USER, WRITE } from './guest.ts';

forEachEngine('Stops', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();
  const rip = (): number => cpu.regs.get(Reg.rip) - CODE;
  const flags = (): number => cpu.regs.get(Reg.rflags);

  it('ends a syscall after the instruction with rcx and r11 as hardware leaves them', () => {
    // mov eax, 39; stc; syscall
    expect(space.run('b827000000 f9 0f05').kind).toBe('syscall');
    expect(rip()).toBe(8);
    expect(cpu.regs.get(Reg.rcx)).toBe(CODE + 8);
    expect(cpu.regs.get(Reg.r11) & 1).toBe(1);
    expect(cpu.regs.get(Reg.r11)).toBe(flags());
    expect(cpu.regs.get(Reg.rax)).toBe(39);
  });

  it('goes on after a prefixed syscall behind all its bytes', () => {
    // rex.w syscall
    expect(space.run('90 480f05').kind).toBe('syscall');
    expect(rip()).toBe(4);
    expect(cpu.regs.get(Reg.rcx)).toBe(CODE + 4);
  });

  it('stops at an invalid opcode with the flags of the instructions before', () => {
    for (const bad of ['06', '0f0b', 'c5fc58c0']) {
      // stc; inc eax; then the bad one
      expect(space.run(`f9 ffc0 ${bad}`).kind).toBe('invalid-opcode');
      expect(rip()).toBe(3);
      expect(cpu.regs.get(Reg.rax)).toBe(1);
      expect(flags() & 1).toBe(1);
    }
  });

  it('tells reads, writes and fetches of absent and protected pages apart', () => {
    // mov rax, [0x700000]
    expect(space.run('90 488b042500007000')).toMatchObject({
      kind: 'page-fault',
      address: 0x700000,
      access: 'read',
      present: false,
    });
    expect(rip()).toBe(1);
    // mov [0x700000], rax
    expect(space.run('4889042500007000')).toMatchObject({
      kind: 'page-fault',
      address: 0x700000,
      access: 'write',
      present: false,
    });
    // mov [CODE], rax: read and execute only
    expect(space.run('9090 4889042500004000')).toMatchObject({
      kind: 'page-fault',
      address: CODE,
      access: 'write',
      present: true,
    });
    expect(rip()).toBe(2);
    // jmp to DATA, which is not executable
    expect(space.run('b800006000 ffe0')).toMatchObject({
      kind: 'page-fault',
      address: DATA,
      access: 'execute',
      present: true,
    });
    expect(cpu.regs.get(Reg.rip)).toBe(DATA);
    // call of nothing
    expect(space.run('31c0 ffd0')).toMatchObject({ kind: 'page-fault', address: 0, access: 'execute', present: false });
    expect(cpu.regs.get(Reg.rip)).toBe(0);
    expect(space.get64(STACK - 256 - 8)).toBe(CODE + 4);
  });

  it('refuses supervisor pages to ring 3', () => {
    const frame = machine.frame();
    space.map(0x710000, frame, PRESENT | WRITE | NX);
    // mov rax, [0x710000]
    expect(space.run('488b042500007100')).toMatchObject({
      kind: 'page-fault',
      address: 0x710000,
      access: 'read',
      present: true,
    });
    // mov rax, 0xffff800000001000; mov rax, [rax]: the engine's own pages
    expect(space.run('48b80010000000800fff 488b00'.replace('00800fff', '0080ffff'))).toMatchObject({
      kind: 'page-fault',
      access: 'read',
      present: true,
    });
    expect(rip()).toBe(10);
  });

  it('reports the page-crossing byte of a store that faults half way, with memory unchanged', () => {
    space.map(DATA + 0x4000, 0, 0n);
    space.put(DATA + 0x3ffc, '11111111');
    // mov [DATA + 0x3ffc], rax
    expect(space.run('48c7c0ffffffff 48890425fc3f6000')).toMatchObject({
      kind: 'page-fault',
      address: DATA + 0x4000,
      access: 'write',
      present: false,
    });
    expect(rip()).toBe(7);
    expect(space.get8(DATA + 0x3ffc)).toBe(0x11);
  });

  it('faults at the instruction that crosses into an absent page, with those before it done', () => {
    space.put(CODE + 8192 - 3, '9090b8');
    expect(space.run('e9f81f0000')).toMatchObject({
      kind: 'page-fault',
      address: CODE + 8192,
      access: 'execute',
      present: false,
    });
    expect(rip()).toBe(8191);
  });

  it('gives a general-protection stop at privileged instructions', () => {
    // hlt, cli, rdmsr, mov rax cr3, swapgs, wbinvd, lgdt [rax], mov cr0 rax, invlpg [rsp]
    for (const code of ['f4', 'fa', '0f32', '0f20d8', '0f01f8', '0f09', '0f0110', '0f22c0', '0f013c24']) {
      expect(space.run(`90 ${code}`).kind, code).toBe('general-protection');
      expect(rip(), code).toBe(1);
    }
  });

  it('gives general-protection for a non-canonical address and a stack fault when it goes through rsp or rbp', () => {
    // mov rax, 1 << 55; mov rax, [rax]
    expect(space.run('48b80000000000008000 488b00').kind).toBe('general-protection');
    expect(rip()).toBe(10);
    // mov rsp, 1 << 55; push rax
    expect(space.run('48bc0000000000008000 50').kind).toBe('stack-fault');
    expect(rip()).toBe(10);
    // mov rbp, 1 << 55; mov rax, [rbp+8]
    expect(space.run('48bd0000000000008000 488b4508').kind).toBe('stack-fault');
    // jmp to a non-canonical address faults at the jump
    expect(space.run('48b80000000000008000 ffe0').kind).toBe('general-protection');
    expect(rip()).toBe(10);
    // so does call, with rsp where it was
    expect(space.run('48b80000000000008000 ffd0').kind).toBe('general-protection');
    expect(rip()).toBe(10);
    expect(cpu.regs.get(Reg.rsp)).toBe(STACK - 256);
    // and ret
    expect(space.run('48b80000000000008000 50 c3').kind).toBe('general-protection');
    expect(rip()).toBe(11);
    expect(cpu.regs.get(Reg.rsp)).toBe(STACK - 264);
  });

  it('gives a divide error at the division', () => {
    // xor ecx, ecx; div ecx
    expect(space.run('31c9 f7f1').kind).toBe('divide-error');
    expect(rip()).toBe(2);
    // mov eax, 0x80000000; cdq; mov ecx, -1; idiv ecx: overflow
    expect(space.run('b800000080 99 b9ffffffff f7f9').kind).toBe('divide-error');
    expect(rip()).toBe(11);
  });

  it('gives an unmasked x87 error at the next waiting instruction', () => {
    // push 0x37b; fldcw [rsp]; fld1; fldz; fdivp; fwait: division by zero unmasked
    expect(space.run('687b030000 d92c24 d9e8 d9ee def9 9b').kind).toBe('fpu-error');
    expect(rip()).toBe(14);
  });

  it('stops after an int3 of either length', () => {
    expect(space.run('90 cc').kind).toBe('breakpoint');
    expect(rip()).toBe(2);
    expect(space.run('90 cd03').kind).toBe('breakpoint');
    expect(rip()).toBe(3);
  });

  it('stops after int 0x80 with its vector', () => {
    expect(space.run('b801000000 cd80')).toMatchObject({ kind: 'int', vector: 0x80 });
    expect(rip()).toBe(7);
    expect(cpu.regs.get(Reg.rax)).toBe(1);
  });

  it('stops after each instruction that ran with TF set', () => {
    space.put(CODE, '90 ffc0 ffc0');
    cpu.invalidateCode(space.physical(CODE), 16);
    space.enter();
    for (const next of [1, 3, 5]) {
      cpu.regs.set(Reg.rflags, 0x302);
      expect(cpu.run(1000).kind).toBe('debug');
      expect(rip()).toBe(next);
      expect(flags() & 0x100).toBe(0x100);
    }
    expect(cpu.regs.get(Reg.rax)).toBe(2);
  });

  it('traps after the instruction that follows a popf which sets TF', () => {
    // push 0x302; popf; nop; nop
    expect(space.run('6802030000 9d 90 90').kind).toBe('debug');
    expect(rip()).toBe(7);
  });

  it('stops by budget at the next instruction', () => {
    // jmp self
    expect(space.run('ebfe', 100).kind).toBe('budget');
    expect(rip()).toBe(0);
    expect(cpu.run(0).kind).toBe('budget');
  });

  it('reports many faults in a row, each as itself', () => {
    // mov rax, [0x700000]; div by zero; hlt; store
    for (let i = 0; i < 50; i++) {
      expect(space.run('488b042500007000')).toMatchObject({ kind: 'page-fault', access: 'read' });
      expect(space.run('31c9 f7f1').kind).toBe('divide-error');
      expect(space.run('f4').kind).toBe('general-protection');
      expect(space.run('4889042500007000')).toMatchObject({ kind: 'page-fault', access: 'write' });
    }
  });

  it('keeps the registers of a fault so that the instruction can be run again', () => {
    // mov rbx, [0x720000]; mov rcx, [0x721000]; hlt
    expect(space.run('488b1c2500007200 488b0c2500107200 f4').kind).toBe('page-fault');
    space.mapNew(0x720000, 1, PRESENT | USER | WRITE | NX);
    space.put(0x720000, '2a00000000000000');
    expect(cpu.run(1000)).toMatchObject({ kind: 'page-fault', address: 0x721000 });
    space.mapNew(0x721000, 1, PRESENT | USER | WRITE | NX);
    expect(cpu.run(1000).kind).toBe('general-protection');
    expect(cpu.regs.get(Reg.rbx)).toBe(42);
  });
});
