// SPDX-License-Identifier: MIT
//
// Single steps: exactly one instruction, the same stops as a run, no trace of the trap flag, and fetch views.

import { afterAll, expect, it } from 'vitest';
import { fromHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, RWX, STACK, TestMachine } from './guest.ts';

forEachEngine('Steps', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();
  const rip = (): number => cpu.regs.get(Reg.rip) - CODE;

  function prepare(code: string): void {
    space.put(CODE, code);
    cpu.invalidateCode(space.physical(CODE), 8192);
    space.enter();
  }

  it('runs one instruction, also in code that has run as a block', () => {
    prepare('ffc0 ffc0 ffc0 cc');
    cpu.run(100);
    space.enter();
    for (const [at, value] of [
      [2, 1],
      [4, 2],
      [6, 3],
    ]) {
      expect(cpu.step().kind).toBe('budget');
      expect(rip()).toBe(at);
      expect(cpu.regs.get(Reg.rax)).toBe(value);
    }
    expect(cpu.step().kind).toBe('breakpoint');
  });

  it('gives the stops of a run', () => {
    const before = cpu.instructions;
    prepare('0f05');
    expect(cpu.step().kind).toBe('syscall');
    expect(cpu.regs.get(Reg.rcx)).toBe(CODE + 2);
    expect(cpu.regs.get(Reg.r11)).toBe(0x202);
    expect(cpu.regs.get(Reg.rflags)).toBe(0x202);
    prepare('06');
    expect(cpu.step().kind).toBe('invalid-opcode');
    prepare('488b042500007000');
    expect(cpu.step()).toMatchObject({ kind: 'page-fault', address: 0x700000, access: 'read', present: false });
    expect(rip()).toBe(0);
    prepare('f4');
    expect(cpu.step().kind).toBe('general-protection');
    prepare('cd80');
    expect(cpu.step()).toMatchObject({ kind: 'int', vector: 0x80 });
    expect(cpu.instructions - before).toBe(2);
  });

  it('does not call the syscall handler', () => {
    prepare('0f05');
    cpu.onSyscall = () => {
      throw new Error('called');
    };
    expect(cpu.step().kind).toBe('syscall');
    cpu.onSyscall = null;
  });

  it('runs one iteration of a rep at a time and leaves it with the last', () => {
    prepare('bf00006000 b903000000 f3aa 90');
    cpu.step();
    cpu.step();
    for (const [count, at] of [
      [2, 10],
      [1, 10],
      [0, 12],
    ]) {
      expect(cpu.step().kind).toBe('budget');
      expect(cpu.regs.get(Reg.rcx)).toBe(count);
      expect(rip()).toBe(at);
    }
  });

  it('shows no trap flag that the guest did not set', () => {
    // pushf; pop rax; popf-clean of 0x202
    prepare('9c 58 6802020000 9d 90');
    for (let i = 0; i < 4; i++) {
      expect(cpu.step().kind).toBe('budget');
      expect(cpu.regs.get(Reg.rflags) & 0x100).toBe(0);
    }
    expect(cpu.regs.get(Reg.rax)).toBe(0x202);
    expect(rip()).toBe(8);
  });

  it('keeps a trap flag that the guest sets', () => {
    // push 0x302; popf; nop
    prepare('6802030000 9d 90');
    cpu.step();
    expect(cpu.step().kind).toBe('budget');
    expect(cpu.regs.get(Reg.rflags) & 0x100).toBe(0x100);
    expect(cpu.step().kind).toBe('debug');
    expect(rip()).toBe(7);
  });

  it('steps over pause alone', () => {
    prepare('f390 ffc0');
    cpu.step();
    expect(rip()).toBe(2);
    expect(cpu.regs.get(Reg.rax)).toBe(0);
  });

  it('steps up to the end of an executable page', () => {
    space.put(CODE + 8192 - 3, '9090b8');
    space.enter(CODE + 8192 - 3);
    expect(cpu.step().kind).toBe('budget');
    expect(cpu.step().kind).toBe('budget');
    expect(cpu.step()).toMatchObject({ kind: 'page-fault', address: CODE + 8192, access: 'execute' });
    expect(rip()).toBe(8191);
  });

  it('decodes from the view while memory keeps its bytes', () => {
    prepare('b827000000 0f05');
    // mov eax, 0x66
    const view = { address: CODE, bytes: fromHex('b866000000') };
    for (let i = 0; i < 3; i++) {
      cpu.regs.set(Reg.rip, CODE);
      expect(cpu.step(view).kind).toBe('budget');
      expect(cpu.regs.get(Reg.rax)).toBe(0x66);
      cpu.regs.set(Reg.rip, CODE);
      expect(cpu.step().kind).toBe('budget');
      expect(cpu.regs.get(Reg.rax)).toBe(0x27);
    }
    expect(space.get8(CODE + 1)).toBe(0x27);
    space.enter();
    expect(cpu.run(100).kind).toBe('syscall');
    expect(cpu.regs.get(Reg.rax)).toBe(0x27);
  });

  it('gives the stops of the viewed bytes', () => {
    prepare('b827000000 0f05');
    cpu.regs.set(Reg.rip, CODE + 5);
    expect(cpu.step({ address: CODE + 5, bytes: fromHex('06') }).kind).toBe('invalid-opcode');
    expect(cpu.step({ address: CODE + 5, bytes: fromHex('cd0e') }).kind).toBe('general-protection');
    // jmp [CODE + 0x100]: the pointer is read from memory
    space.put(CODE + 0x100, '4000400000000000');
    cpu.regs.set(Reg.rip, CODE);
    expect(cpu.step({ address: CODE, bytes: fromHex('ff242500014000') }).kind).toBe('budget');
    expect(rip()).toBe(0x40);
  });

  it('shows a view over two pages', () => {
    prepare('90');
    space.put(CODE + 4093, 'b811111111');
    const view = { address: CODE + 4094, bytes: fromHex('22334455') };
    cpu.regs.set(Reg.rip, CODE + 4093);
    cpu.step(view);
    expect(cpu.regs.get(Reg.rax)).toBe(0x55443322);
    cpu.regs.set(Reg.rip, CODE + 4093);
    cpu.step();
    expect(cpu.regs.get(Reg.rax)).toBe(0x11111111);
  });

  it('sees changes of memory around the view', () => {
    prepare('b827000000');
    const view = { address: CODE + 1, bytes: fromHex('44') };
    cpu.step(view);
    expect(cpu.regs.get(Reg.rax)).toBe(0x44);
    space.put(CODE + 2, '01');
    cpu.regs.set(Reg.rip, CODE);
    cpu.step(view);
    expect(cpu.regs.get(Reg.rax)).toBe(0x144);
  });

  it('lets a store to the viewed page reach memory', () => {
    const page = 0x500000;
    space.mapNew(page, 1, RWX);
    space.enter(page);
    // viewed: mov byte [page + 0x80], 0x5a
    const view = { address: page, bytes: fromHex('c60425800050005a') };
    expect(cpu.step(view).kind).toBe('budget');
    expect(space.get8(page + 0x80)).toBe(0x5a);
    expect(space.get8(page)).toBe(0);
  });

  it('keeps data accesses and faults of a viewed instruction those of memory', () => {
    prepare('90');
    space.put(DATA, '0807060504030201');
    cpu.regs.set(Reg.rip, CODE);
    // mov rax, [DATA]
    expect(cpu.step({ address: CODE, bytes: fromHex('488b042500006000') }).kind).toBe('budget');
    expect(cpu.regs.u64[Reg.rax]).toBe(0x0102030405060708n);
    cpu.regs.set(Reg.rip, CODE);
    // mov [CODE], rax: not writable
    expect(cpu.step({ address: CODE, bytes: fromHex('4889042500004000') })).toMatchObject({
      kind: 'page-fault',
      access: 'write',
      present: true,
      address: CODE,
    });
    void STACK;
  });

  it('shows more views than it has frames for', () => {
    prepare('b800000000');
    for (let round = 0; round < 3; round++) {
      for (let value = 1; value < 60; value++) {
        cpu.regs.set(Reg.rip, CODE);
        cpu.step({ address: CODE + 1, bytes: Uint8Array.of(value) });
        expect(cpu.regs.get(Reg.rax)).toBe(value);
      }
    }
  });
});
