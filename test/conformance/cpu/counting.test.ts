// SPDX-License-Identifier: MIT
//
// Instruction counts, budgets and the time-stamp counter that follows from them.

import { afterAll, expect, it } from 'vitest';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, STACK, TestMachine } from './guest.ts';

/** Programs that end in int3 or a fault, with what makes each worth counting. */
const PROGRAMS: readonly (readonly [what: string, code: string])[] = [
  ['straight code', '90 ffc0 48ffc3 cc'],
  ['a loop', 'b964000000 ffc9 75fc cc'],
  ['nested loops with calls', 'ba05000000 b903000000 e807000000 ffca 75f2 cc 90 90 ffc9 75fc c3'],
  ['rep stosb', 'bf00006000 b964000000 f3aa 90 cc'],
  ['rep with nothing to do', 'bf00006000 31c9 f3aa cc'],
  ['rep movsq twice', 'bf00006000 be00086000 b908000000 f348a5 b903000000 f348a5 cc'],
  ['repne scasb that finds', 'bf00006000 b964000000 b001 c605f10f200001 f2ae cc'],
  ['repe cmpsb to the end', 'bf00006000 be00086000 b920000000 f3a6 cc'],
  ['rep with a 32-bit counter', '48b90300000001000000 bf00006000 67f3aa cc'],
  ['a rep that faults in the middle', 'bff03f6000 b964000000 f3aa cc'],
  ['a fault in the middle of a block', '90 90 ffc0 488b042500007000 ffc0 cc'],
  ['a forged interrupt in the middle of a block', '90 90 ffc0 cd0e'],
  ['loope after flags', 'b903000000 31c0 48ffc8 e1fb cc'],
  ['cmpxchg16b after flags', 'bf00006000 4829c0 480fc70f cc'],
  ['a syscall at the end', '90 b827000000 0f05'],
  ['pushf and popf', '9c 58 50 9d 90 cc'],
  ['code over a page boundary', 'e9f70f0000'],
];

forEachEngine('Instruction counts', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();

  function prepare(code: string): void {
    for (let i = 0; i < 0x4000; i += 4096)
      machine.bytes.fill(0, space.physical(DATA + i), space.physical(DATA + i) + 4096);
    space.put(CODE + 0xffc, '90 b801000000 ffc0 cc');
    space.put(CODE, code);
    cpu.invalidateCode(space.physical(CODE), 8192);
    space.enter();
  }

  function state(): string {
    return `${cpu.stop.kind} ${cpu.regs.u64.join(' ')}`;
  }

  for (const [what, code] of PROGRAMS) {
    it(`counts ${what} as single steps do`, () => {
      prepare(code);
      let before = cpu.instructions;
      let steps = 0;
      do {
        steps++;
      } while (cpu.step().kind === 'budget' && steps < 10000);
      const byStep = cpu.instructions - before;
      const stepped = state();

      prepare(code);
      before = cpu.instructions;
      cpu.run(1e6);
      expect(cpu.instructions - before).toBe(byStep);
      expect(state()).toBe(stepped);
    });

    it(`counts ${what} the same under every budget`, () => {
      prepare(code);
      let before = cpu.instructions;
      cpu.run(1e6);
      const whole = cpu.instructions - before;
      const ended = state();
      for (const budget of [1, 2, 3, 7, 10]) {
        prepare(code);
        before = cpu.instructions;
        let runs = 0;
        while (cpu.run(budget).kind === 'budget' && runs < 10000) runs++;
        expect(cpu.instructions - before, `budget ${budget}`).toBe(whole);
        expect(state(), `budget ${budget}`).toBe(ended);
      }
    });
  }

  it('counts a rep the same wherever a look at the TLB comes', () => {
    // Short reps for longer than the engine goes on without such a look; what stands before shifts where it comes.
    const loop = 'bb204e0000 bf00006000 b903000000 f3aa ffcb 75f0 cc';
    const other = machine.space();
    const counts: number[] = [];
    for (let nops = 0; nops < 12; nops++) {
      // A first run elsewhere: looks are frequent after a change of the address space.
      other.put(CODE, '90 cc');
      other.enter();
      cpu.run(1);
      prepare(`${'90'.repeat(nops)} ${loop}`);
      const before = cpu.instructions;
      expect(cpu.run(1e6).kind).toBe('breakpoint');
      counts.push(cpu.instructions - before - nops);
    }
    expect(new Set(counts)).toEqual(new Set([1 + 20000 * 7 + 1]));
  });

  it('never overruns a budget by a block', () => {
    // ten nops; jmp back
    prepare(`${'90'.repeat(10)} ebf4`);
    for (const budget of [1, 11, 12, 100, 1000, 12345]) {
      const before = cpu.instructions;
      expect(cpu.run(budget).kind).toBe('budget');
      const ran = cpu.instructions - before;
      expect(ran).toBeGreaterThan(0);
      expect(ran).toBeLessThan(budget + 11);
    }
  });

  it('makes progress with a budget of one', () => {
    prepare('ffc0 ffc0 ffc0 ebf8');
    for (let i = 1; i <= 20; i++) cpu.run(1);
    expect(cpu.regs.get(Reg.rax)).toBe(60);
  });

  it('is exact inside the syscall handler, the syscall included', () => {
    prepare('90 90 0f05 90 0f05 cc');
    const seen: number[] = [];
    const before = cpu.instructions;
    cpu.onSyscall = () => {
      seen.push(cpu.instructions - before);
      return true;
    };
    cpu.run(1000);
    cpu.onSyscall = null;
    expect(seen).toEqual([3, 5]);
    expect(cpu.instructions - before).toBe(6);
  });

  it('gives rdtsc and rdtscp the offset plus the instructions before them', () => {
    cpu.tscOffset = 5_000_000_000 - cpu.instructions;
    // nop; nop; rdtsc; mov ebx, eax; nop; rdtscp
    prepare('90 90 0f31 89c3 90 0f01f9 cc');
    cpu.run(1000);
    expect(cpu.regs.get(Reg.rdx)).toBe(1);
    expect(cpu.regs.get(Reg.rbx)).toBe((5_000_000_000 + 2) % 2 ** 32);
    expect(cpu.regs.get(Reg.rax)).toBe((5_000_000_000 + 5) % 2 ** 32);
    expect(cpu.regs.get(Reg.rcx)).toBe(0);
    cpu.tscOffset = 0;
  });

  it('gives rdtsc the same value by steps', () => {
    prepare('90 90 0f31 cc');
    const start = cpu.instructions;
    cpu.run(100);
    const ran = cpu.regs.get(Reg.rax) - start;
    prepare('90 90 0f31 cc');
    const again = cpu.instructions;
    for (let i = 0; i < 3; i++) cpu.step();
    expect(cpu.regs.get(Reg.rax) - again).toBe(ran);
    void STACK;
  });

  it('counts a block that overwrites its own rest once', () => {
    const page = 0x500000;
    space.mapNew(page, 1, 7n);
    // mov byte [rip+1], 0x90 (over the cc); nop; cc -> becomes nop; cc
    space.put(page, 'c6050100000090 90 cc cc');
    space.enter(page);
    const before = cpu.instructions;
    expect(cpu.run(100).kind).toBe('breakpoint');
    expect(cpu.regs.get(Reg.rip)).toBe(page + 10);
    expect(cpu.instructions - before).toBe(4);
  });
});
