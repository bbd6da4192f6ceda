// SPDX-License-Identifier: MIT
//
// Code that does not count: what is not the guest's own takes no time.

import { afterEach, expect, it } from 'vitest';
import type { Cpu } from '../../../src/cpu/cpu.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, TestMachine } from './guest.ts';

const FREE = { start: CODE + 0x1000, end: CODE + 0x1800 };
const SINGLE = { start: CODE + 0x1800, end: CODE + 0x2000 };

forEachEngine('Code that does not count', (engine) => {
  let cpu: Cpu | undefined;
  afterEach(() => {
    cpu?.dispose();
    cpu = undefined;
  });

  /** A processor with code in the counted page and in both halves of the other one. */
  function machine(counted: string, free: string, single: string): Cpu {
    const made = engine.open(TEST_MEMORY);
    cpu = made;
    const space = new TestMachine(made).space();
    space.put(CODE, counted);
    space.put(FREE.start, free);
    space.put(SINGLE.start, single);
    space.enter();
    return made;
  }

  it('counts until it is told not to', () => {
    // call +0x1000; int3
    const made = machine('e8fb0f0000 cc', '90 90 90 c3', '');
    made.run(1000);
    expect(made.instructions).toBe(1 + 4 + 1);
  });

  it('counts nothing in the one range and one for each block in the other', () => {
    // call +0x1000; call +0x1800; int3
    const made = machine('e8fb0f0000 e8f6170000 cc', '90 90 90 c3', '90 90 eb00 90 c3');
    made.setCounting(FREE, SINGLE);
    expect(made.run(1000).kind).toBe('breakpoint');
    expect(made.instructions).toBe(2 + 0 + 2 + 1);
  });

  it('has a time stamp that stands still there', () => {
    // rdtsc; mov %eax,%ebx; call +0x1000; rdtsc; sub %ebx,%eax; int3
    const made = machine('0f31 89c3 e8f70f0000 0f31 29d8 cc', '9090909090909090 c3', '');
    made.setCounting(FREE, SINGLE);
    made.run(1000);
    // mov, call and the second rdtsc.
    expect(made.regs.get(Reg.rax)).toBe(3);
  });

  it('ends a run by its budget in terms of what counts', () => {
    // again: call +0x1000; dec %ecx; jnz again; int3
    const made = machine('e8fb0f0000 ffc9 75f7 cc', '9090909090909090 c3', '');
    made.setCounting(FREE, SINGLE);
    made.regs.set(Reg.rcx, 1000);
    expect(made.run(300).kind).toBe('budget');
    expect(made.instructions).toBeLessThanOrEqual(300);
    expect(made.instructions).toBeGreaterThan(290);
    expect(made.regs.get(Reg.rcx)).toBe(1000 - made.instructions / 3);
  });

  it('notices an interruption there, although nothing counts', () => {
    // The guest's code is one jump to a loop that never counts.
    const made = machine('e9fb0f0000', 'ebfe', '');
    made.setCounting(FREE, SINGLE);
    made.armWatchdog(20);
    expect(made.run(1000).kind).toBe('interrupted');
    expect(made.instructions).toBe(1);
  });

  it('counts again what it has counted before when the ranges change', () => {
    const made = machine('e8fb0f0000 cc', '90 90 90 c3', '');
    made.setCounting(FREE, SINGLE);
    made.run(1000);
    expect(made.instructions).toBe(2);
    made.setCounting({ start: 0, end: 0 }, { start: 0, end: 0 });
    made.regs.set(Reg.rip, CODE);
    made.run(1000);
    expect(made.instructions).toBe(2 + 6);
  });

  it('can be corrected between two runs', () => {
    const made = machine('90 90 cc', '', '');
    made.run(1000);
    made.correctCount(-2);
    expect(made.instructions).toBe(1);
    made.regs.set(Reg.rip, CODE);
    made.run(1000);
    expect(made.instructions).toBe(4);
  });
});
