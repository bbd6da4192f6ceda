// SPDX-License-Identifier: MIT
//
// Frames that are written and executed: what runs is always the newest bytes, by the paths that the engine serves
// alone (guest stores through the executed mapping, invalidateCode) and those for which the memory manager helps.

import { afterAll, expect, it } from 'vitest';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, RW, RWX, RX, TestMachine } from './guest.ts';

const FUNCTION = 0x500000;
const ALIAS = 0x510000;

forEachEngine('Written and executed frames', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);

  /** mov eax, 0x99; ret */
  const BODY = 'b899000000 c3';
  /** For ebx = 1..5: store bl at `target`, call FUNCTION, add eax to rbp; int3. */
  function writer(target: number): string {
    const t = target.toString(16).padStart(6, '0');
    const le = `${t.slice(4)}${t.slice(2, 4)}${t.slice(0, 2)}00`;
    // xor ebp, ebp; mov ebx, 1; L: mov [target], bl; mov edx, FUNCTION; call rdx; shl rbp, 4; add rbp, rax;
    // inc ebx; cmp ebx, 6; jne L; int3
    return `31ed bb01000000 881c25${le} ba00005000 ffd2 48c1e504 4801c5 ffc3 83fb06 75e4 cc`;
  }

  it('runs what the guest has stored through the executed mapping', () => {
    const s = machine.space();
    s.mapNew(FUNCTION, 1, RWX);
    s.put(FUNCTION, BODY);
    for (let i = 0; i < 3; i++) {
      s.put(CODE, writer(FUNCTION + 1));
      s.enter();
      expect(cpu.run(1000).kind).toBe('breakpoint');
      expect(cpu.regs.get(Reg.rbp)).toBe(0x12345);
    }
  });

  it('runs what the guest has stored into its own page', () => {
    const s = machine.space();
    s.mapNew(FUNCTION, 1, RWX);
    s.put(FUNCTION, BODY);
    s.put(FUNCTION + 0x100, writer(FUNCTION + 1));
    s.enter(FUNCTION + 0x100);
    expect(cpu.run(1000).kind).toBe('breakpoint');
    expect(cpu.regs.get(Reg.rbp)).toBe(0x12345);
  });

  it('runs what was stored through an alias once the entries are exclusive', () => {
    const s = machine.space();
    const frame = s.mapNew(FUNCTION, 1, RX);
    s.put(FUNCTION, BODY);
    s.put(CODE, writer(ALIAS + 1));
    s.enter();
    let writable = false;
    // The discipline of the memory manager: a frame is executable or writable, never both.
    for (let faults = 0; faults < 100; faults++) {
      const stop = cpu.run(1000);
      if (stop.kind !== 'page-fault') break;
      writable = stop.access === 'write';
      s.map(ALIAS, frame, writable ? RW : 5n | (1n << 63n));
      if (writable) s.unmap(FUNCTION);
      else s.map(FUNCTION, frame, RX);
      cpu.invalidateCode(frame, 4096);
      cpu.flushTlb();
    }
    expect(cpu.stop.kind).toBe('breakpoint');
    expect(cpu.regs.get(Reg.rbp)).toBe(0x12345);
  });

  it('runs what another space has stored, after invalidateCode', () => {
    const a = machine.space();
    const frame = a.mapNew(FUNCTION, 1, RX);
    a.put(FUNCTION, 'b801000000 cc');
    const b = machine.space();
    b.map(ALIAS, frame, RW);
    // mov byte [ALIAS + 1], 9; int3
    b.put(CODE, 'c604250100510009 cc');
    a.enter(FUNCTION);
    cpu.run(10);
    expect(cpu.regs.get(Reg.rax)).toBe(1);
    b.enter();
    cpu.run(10);
    cpu.invalidateCode(frame, 4096);
    a.enter(FUNCTION);
    cpu.run(10);
    expect(cpu.regs.get(Reg.rax)).toBe(9);
  });

  it('runs what the host has written, after invalidateCode, by every alias and in every space', () => {
    const a = machine.space();
    const frame = a.mapNew(FUNCTION, 1, RX);
    a.map(ALIAS, frame, RX);
    const b = machine.space();
    b.map(0x520000, frame, RX);
    a.put(FUNCTION, 'b801000000 cc');
    const runs = [
      [a, FUNCTION],
      [a, ALIAS],
      [b, 0x520000],
    ] as const;
    for (const value of [1, 2, 3]) {
      machine.bytes[frame + 1] = value;
      cpu.invalidateCode(frame + 1, 1);
      for (const [s, at] of runs) {
        s.enter(at);
        expect(cpu.run(10).kind).toBe('breakpoint');
        expect(cpu.regs.get(Reg.rax)).toBe(value);
      }
    }
  });

  it('invalidates a page that no space maps executable now', () => {
    const a = machine.space();
    const frame = a.mapNew(FUNCTION, 1, RX);
    a.put(FUNCTION, 'b801000000 cc');
    a.enter(FUNCTION);
    cpu.run(10);
    a.unmap(FUNCTION);
    cpu.flushTlb();
    machine.bytes[frame + 1] = 5;
    cpu.invalidateCode(frame, 16);
    a.enter(FUNCTION);
    expect(cpu.run(10)).toMatchObject({ kind: 'page-fault', access: 'execute' });
    a.map(FUNCTION, frame, RX);
    a.enter(FUNCTION);
    expect(cpu.run(10).kind).toBe('breakpoint');
    expect(cpu.regs.get(Reg.rax)).toBe(5);
  });

  it('leaves no fault pending after invalidating data and unmapped frames', () => {
    const a = machine.space();
    a.put(CODE, '488b042500007000');
    for (let i = 0; i < 5; i++) {
      cpu.invalidateCode(machine.frame(), 4096);
      cpu.invalidateCode(0, 4096);
      a.enter();
      expect(cpu.run(10)).toMatchObject({ kind: 'page-fault', address: 0x700000, access: 'read' });
    }
  });

  it('invalidates both pages of an instruction that straddles frames which are not neighbours', () => {
    const s = machine.space();
    const first = machine.frame();
    machine.frame();
    const second = machine.frame();
    s.map(FUNCTION, first, RX);
    s.map(FUNCTION + 4096, second, RX);
    // mov eax, imm32 at the last three bytes; int3
    s.put(FUNCTION + 4093, 'b827000000 cc');
    const start = FUNCTION + 4093;
    s.enter(start);
    cpu.run(10);
    expect(cpu.regs.get(Reg.rax)).toBe(0x27);
    // The second page holds the upper half of the immediate.
    s.put(FUNCTION + 4096, '1122');
    cpu.invalidateCode(second, 2);
    s.enter(start);
    cpu.run(10);
    expect(cpu.regs.get(Reg.rax)).toBe(0x22110027);
  });

  it('invalidates inside the syscall handler', () => {
    const s = machine.space();
    // L: mov eax, 1; syscall; jmp L
    s.put(CODE, 'b801000000 0f05 ebf7');
    s.enter();
    const seen: number[] = [];
    cpu.onSyscall = () => {
      seen.push(cpu.regs.get(Reg.rax));
      machine.bytes[s.physical(CODE + 1)] = seen.length + 10;
      cpu.invalidateCode(s.physical(CODE), 16);
      return seen.length < 4;
    };
    cpu.run(1000);
    cpu.onSyscall = null;
    expect(seen).toEqual([1, 11, 12, 13]);
  });

  it('sees under run what a step has stored into code that has run', () => {
    const s = machine.space();
    s.mapNew(FUNCTION, 1, RWX);
    // mov eax, 1; int3
    s.put(FUNCTION, 'b801000000 cc');
    s.enter(FUNCTION);
    cpu.run(10);
    // mov byte [FUNCTION + 1], 7
    s.put(CODE, 'c604250100500007 cc');
    s.enter();
    cpu.step();
    s.enter(FUNCTION);
    cpu.run(10);
    expect(cpu.regs.get(Reg.rax)).toBe(7);
    s.put(CODE, 'c604250100500008 cc');
    cpu.invalidateCode(s.physical(CODE), 16);
    s.enter();
    cpu.run(10);
    s.enter(FUNCTION);
    cpu.step();
    expect(cpu.regs.get(Reg.rax)).toBe(8);
  });
});
