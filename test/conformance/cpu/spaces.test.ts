// SPDX-License-Identifier: MIT
//
// Two address spaces with different code and data at the same addresses, switched by every path; and page-table
// changes under flushTlb.

import { afterAll, expect, it } from 'vitest';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, R, RW, TestMachine, type TestSpace } from './guest.ts';

forEachEngine('Address spaces', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);

  /** mov ebx, imm; mov rdx, [DATA]; then `end`. */
  function make(value: number, end: string): TestSpace {
    const s = machine.space();
    s.put(CODE, `bb${value.toString(16).padStart(2, '0')}000000 488b142500006000 ${end}`);
    s.put(DATA, `${(value + 1).toString(16).padStart(2, '0')}00000000000000`);
    return s;
  }

  it('runs and reads the space of the root set between runs', () => {
    const a = make(10, 'cc');
    const b = make(20, 'cc');
    for (let i = 0; i < 5; i++) {
      for (const [s, value] of [
        [a, 10],
        [b, 20],
      ] as const) {
        s.enter();
        expect(cpu.run(100).kind).toBe('breakpoint');
        expect(cpu.regs.get(Reg.rbx)).toBe(value);
        expect(cpu.regs.get(Reg.rdx)).toBe(value + 1);
      }
    }
  });

  it('goes on in the other space when the syscall handler switches root', () => {
    // syscall; jmp CODE
    const a = make(30, '0f05 ebef');
    const b = make(40, '0f05 ebef');
    const seen: number[] = [];
    a.enter();
    let current = a;
    cpu.onSyscall = () => {
      seen.push(cpu.regs.get(Reg.rbx) * 1000 + cpu.regs.get(Reg.rdx));
      current = current === a ? b : a;
      cpu.root = current.root;
      return seen.length < 6;
    };
    cpu.run(1000);
    cpu.onSyscall = null;
    // The first syscall of a was followed by b's jump back to the start.
    expect(seen).toEqual([30031, 40041, 30031, 40041, 30031, 40041]);
  });

  it('resumes in the new space at a RIP that the handler sets', () => {
    const a = make(50, '0f05 f4');
    const b = make(60, 'cc');
    a.enter();
    cpu.onSyscall = () => {
      cpu.root = b.root;
      cpu.regs.set(Reg.rip, CODE + 5);
      cpu.regs.set(Reg.rbx, 7);
      return true;
    };
    expect(cpu.run(100).kind).toBe('breakpoint');
    cpu.onSyscall = null;
    expect(cpu.regs.get(Reg.rbx)).toBe(7);
    expect(cpu.regs.get(Reg.rdx)).toBe(61);
  });

  it('steps and runs by turns in two spaces', () => {
    const a = make(70, 'cc');
    const b = make(80, 'cc');
    for (let i = 0; i < 3; i++) {
      a.enter();
      cpu.step();
      expect(cpu.regs.get(Reg.rbx)).toBe(70);
      b.enter();
      cpu.step();
      cpu.step();
      expect(cpu.regs.get(Reg.rdx)).toBe(81);
      a.enter();
      cpu.run(100);
      expect(cpu.regs.get(Reg.rdx)).toBe(71);
    }
  });

  it('stores into the space that is current', () => {
    // mov qword [DATA+8], 99; int3
    const a = machine.space();
    const b = machine.space();
    a.put(CODE, '48c704250800600063000000 cc');
    b.put(CODE, '48c704250800600063000000 cc');
    b.enter();
    cpu.run(10);
    expect(b.get64(DATA + 8)).toBe(99);
    expect(a.get64(DATA + 8)).toBe(0);
  });

  it('sees a changed page-table entry after flushTlb', () => {
    const s = make(90, 'cc');
    s.enter();
    cpu.run(100);
    const other = machine.frame();
    s.map(DATA, other, RW);
    machine.bytes[other] = 77;
    cpu.flushTlb();
    s.enter();
    cpu.run(100);
    expect(cpu.regs.get(Reg.rdx)).toBe(77);
    s.unmap(DATA);
    cpu.flushTlb();
    s.enter();
    expect(cpu.run(100)).toMatchObject({ kind: 'page-fault', address: DATA, access: 'read' });
  });

  it('sees a page-table change made in the syscall handler', () => {
    // mov eax, [DATA]; syscall; mov [DATA], eax; int3
    const s = machine.space();
    s.put(CODE, '8b042500006000 890425 00006000 0f05 890425 00006000 cc');
    s.enter();
    cpu.onSyscall = () => {
      s.map(DATA, s.physical(DATA), R);
      cpu.flushTlb();
      return true;
    };
    expect(cpu.run(100)).toMatchObject({ kind: 'page-fault', access: 'write', present: true });
    cpu.onSyscall = null;
  });

  it('screens code anew when other code comes to the same address', () => {
    const s = machine.space();
    s.put(CODE, 'ffc0 90 90 cc');
    s.enter();
    expect(cpu.run(100).kind).toBe('breakpoint');
    const frame = machine.frame();
    machine.bytes.set([0xff, 0xc0, 0xcd, 0x0e, 0xcc], frame);
    s.map(CODE, frame, 5n);
    cpu.flushTlb();
    s.enter();
    expect(cpu.run(100).kind).toBe('general-protection');
    expect(cpu.regs.get(Reg.rip)).toBe(CODE + 2);
  });
});
