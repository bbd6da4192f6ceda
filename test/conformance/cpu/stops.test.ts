// SPDX-License-Identifier: MIT

import { afterAll, expect, it } from 'vitest';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, STACK, TestMachine } from './guest.ts';

forEachEngine('Stops', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();
  const rip = (): number => cpu.regs.get(Reg.rip) - CODE;

  it('ends a syscall after the instruction with rcx and r11 as hardware leaves them', () => {
    // mov eax, 39; stc; syscall
    expect(space.run('b827000000 f9 0f05').kind).toBe('syscall');
    expect(rip()).toBe(8);
    expect(cpu.regs.get(Reg.rcx)).toBe(CODE + 8);
    expect(cpu.regs.get(Reg.r11) & 1).toBe(1);
    expect(cpu.regs.get(Reg.r11)).toBe(cpu.regs.get(Reg.rflags));
    expect(cpu.regs.get(Reg.rax)).toBe(39);
  });
  void DATA; void STACK;
});
