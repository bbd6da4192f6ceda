// SPDX-License-Identifier: MIT
//
// Instructions that libunicorn 2.1.4 executes wrongly when it is left alone, each judged by what hardware does.
// A new version of the library is judged by these, and by the traps that the other files of this folder cover.

import { afterAll, expect, it } from 'vitest';
import { Reg } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, RX, STACK, TestMachine } from './guest.ts';

const CF = 1;
const ZF = 0x40;
const SF = 0x80;

forEachEngine('Instructions as hardware runs them', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();
  const flags = (): number => cpu.regs.get(Reg.rflags);

  it('saturates the lengths of pcmpestri, whatever they are', () => {
    for (const [code, rax, rdx] of [
      ['660f3a61c100', 0x80000000n, 0x80000000n],
      ['66480f3a61c100', 1n << 63n, 1n << 63n],
      ['660f3a60c100', 0x80000000n, 3n],
      ['66480f3a61c100', 0x1_0000_0000n, 0x8000_0000_8000_0000n],
    ] as const) {
      space.put(CODE, `${code} cc`);
      cpu.invalidateCode(space.physical(CODE), 16);
      space.enter();
      cpu.regs.u64[Reg.rax] = rax;
      cpu.regs.u64[Reg.rdx] = rdx;
      expect(cpu.run(100).kind).toBe('breakpoint');
      // The lengths themselves stay.
      expect(cpu.regs.u64[Reg.rax]).toBe(rax);
      expect(cpu.regs.u64[Reg.rdx]).toBe(rdx);
    }
  });

  it('takes the address of pcmpestri from a register that is also a length', () => {
    space.put(DATA + 0x20, '6100000000000000 0000000000000000');
    // pcmpestri xmm0, [rax+0x10], 0x18 (equal each), with rax = DATA + 0x10 as length too, rdx = 16
    space.put(CODE, '660f3a6140101a cc');
    cpu.invalidateCode(space.physical(CODE), 16);
    space.enter();
    cpu.regs.set(Reg.rax, DATA + 0x10);
    cpu.regs.set(Reg.rbx, 77);
    cpu.regs.set(Reg.rdx, -40);
    expect(cpu.run(100).kind).toBe('breakpoint');
    expect(cpu.regs.get(Reg.rax)).toBe(DATA + 0x10);
    expect(cpu.regs.get(Reg.rbx)).toBe(77);
    // 0x1a: signed-negative polarity of equal each: the first byte that differs, which is byte 0 (0 against 'a')
    expect(cpu.regs.get(Reg.rcx)).toBe(0);
  });

  it('keeps the flags that loope and cmpxchg16b find in the middle of a block', () => {
    // mov ecx, 1; xor eax, eax; sub rax, 0x4321; loope: falls through
    space.run('b901000000 31c0 482d21430000 e100 cc');
    expect(flags() & (CF | ZF | SF)).toBe(CF | SF);
    // mov edi, DATA; stc-like: sub eax, eax; cmpxchg16b [rdi] with equal operands: only ZF changes
    space.run('bf00006000 31c0 31d2 f9 480fc70f cc');
    expect(flags() & (CF | ZF | SF | 0x7f00)).toBe(CF | ZF | 0x200);
  });

  it('gives lock neg the flags of its result', () => {
    space.put(DATA, '05000000');
    space.run('bf00006000 f0f71f cc');
    expect(machine.view.getInt32(space.physical(DATA), true)).toBe(-5);
    expect(flags() & (CF | ZF | SF)).toBe(CF | SF);
    expect(cpu.regs.get(Reg.rip)).toBe(CODE + 9);
  });

  it('takes the immediate of ret as unsigned', () => {
    // push CODE+0x40; ret 0x8008
    space.put(CODE + 0x40, 'cc');
    space.run(`6840004000 c20880 ${'90'.repeat(56)} cc`);
    expect(cpu.regs.get(Reg.rsp)).toBe(STACK - 256 + 0x8008);
  });

  it('leaves CF and OF as they were when rcl cannot store', () => {
    // mov edi, CODE; stc; rcl dword [rdi], 1: the page is read-only
    expect(space.run('bf00004000 f9 d117')).toMatchObject({ kind: 'page-fault', access: 'write' });
    expect(flags() & CF).toBe(CF);
    // and rcl in memory that is writable
    space.put(DATA, '01000080');
    space.run('bf00006000 f9 d117 cc');
    expect(machine.view.getUint32(space.physical(DATA), true)).toBe(3);
    expect(flags() & CF).toBe(CF);
  });

  it('forms the RIP-relative address of shld with an immediate', () => {
    // shld [rip + disp], eax, 8 where the operand is at CODE + 0x1000 in a writable page
    const frame = space.physical(CODE + 4096);
    space.map(CODE + 4096, frame, 7n);
    cpu.flushTlb();
    space.put(CODE + 4096, '1122334455667788');
    // 0f a4 05 disp32 imm8: 8 bytes, next instruction at CODE + 8
    space.run('0fa405f80f0000 08 cc');
    expect(machine.view.getUint32(frame, true)).toBe(0x33221100);
    expect(machine.view.getUint32(frame + 4, true)).toBe(0x88776655);
    space.map(CODE + 4096, frame, RX);
    cpu.flushTlb();
  });

  it('uses eight MMX registers whatever REX says', () => {
    // mov eax, 0x11223344; movd mm2, eax; movd mm5, eax; palignr mm5, mm2, 2 with REX.R and REX.B; movd ebx, mm5
    space.run('b844332211 0f6ed0 0f6ee8 4d0f3a0fea02 0f7eeb cc');
    expect(cpu.regs.get(Reg.rbx)).toBe(0x1122);
  });

  it('refuses non-canonical segment bases', () => {
    expect(space.run('48b80000000000008000 f3480faed0').kind).toBe('general-protection');
    expect(cpu.regs.get(Reg.rip)).toBe(CODE + 10);
    expect(space.run('48b80000000000800000 f3480faed8').kind).toBe('general-protection');
    expect(space.run('48b8000000000080ffff f3480faed0 cc').kind).toBe('breakpoint');
  });

  it('tells the two operands of a push from memory apart when one is non-canonical', () => {
    // mov rax, 1 << 55; push qword [rax]
    expect(space.run('48b80000000000008000 ff30').kind).toBe('general-protection');
    // mov rsp, 1 << 55; push qword [DATA]
    expect(space.run('48bc0000000000008000 ff342500006000').kind).toBe('stack-fault');
  });

  it('stops at writes to GS when asked, and runs them otherwise', () => {
    const code = '90 b800006000 f3480faed8 cc';
    expect(space.run(code).kind).toBe('breakpoint');
    cpu.screenGsWrites = true;
    expect(space.run(code).kind).toBe('general-protection');
    expect(cpu.regs.get(Reg.rip)).toBe(CODE + 6);
    expect(space.run('31c0 8ee8 cc').kind).toBe('general-protection');
    cpu.screenGsWrites = false;
    expect(space.run(code).kind).toBe('breakpoint');
  });
});
