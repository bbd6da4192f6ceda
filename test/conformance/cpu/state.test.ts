// SPDX-License-Identifier: MIT
//
// Architectural state: registers through the handler, FPU images, snapshots, CPUID.

import { afterAll, expect, it } from 'vitest';
import { FPU_BYTES } from '../../../src/cpu/cpu.ts';
import { freshFpu } from '../../../src/cpu/fresh-state.ts';
import { Reg, REG_COUNT, Regs } from '../../../src/cpu/regs.ts';
import { forEachEngine, TEST_MEMORY } from './engines.ts';
import { CODE, DATA, STACK, TestMachine } from './guest.ts';

forEachEngine('State', (engine) => {
  const cpu = engine.open(TEST_MEMORY);
  afterAll(() => cpu.dispose());
  const machine = new TestMachine(cpu);
  const space = machine.space();

  function fpu(): Uint8Array {
    const image = new Uint8Array(FPU_BYTES);
    cpu.saveFpu(image);
    return image;
  }

  it('starts as Linux starts a process: registers zero, FCW 0x37f, MXCSR 0x1f80, tags empty', () => {
    const fresh = engine.open(TEST_MEMORY);
    expect(fresh.regs.get(Reg.rflags)).toBe(0x202);
    expect(fresh.regs.get(Reg.rax)).toBe(0);
    const image = new Uint8Array(FPU_BYTES);
    fresh.saveFpu(image);
    expect(image).toEqual(freshFpu());
    fresh.dispose();
  });

  it('takes every register from the handler and gives every register to it', () => {
    // syscall, then everything is pushed: pushf and the 15 registers but rsp; FS:0 to rax, GS:0 to rbx; int3
    space.put(
      CODE,
      '0f05 9c 50 53 51 52 56 57 55 4150 4151 4152 4153 4154 4155 4156 4157 64488b042500000000 65488b1c2500000000 cc',
    );
    cpu.invalidateCode(space.physical(CODE), 64);
    space.put(DATA + 0x100, 'f5f5000000000000');
    space.put(DATA + 0x200, '6565000000000000');
    space.enter();
    const order = [Reg.rax, Reg.rbx, Reg.rcx, Reg.rdx, Reg.rsi, Reg.rdi, Reg.rbp, 8, 9, 10, 11, 12, 13, 14, 15];
    cpu.onSyscall = () => {
      order.forEach((r, i) => cpu.regs.set(r, 1000 + i));
      cpu.regs.set(Reg.rsp, STACK - 512);
      cpu.regs.set(Reg.rflags, 0xad7);
      cpu.regs.set(Reg.fsBase, DATA + 0x100);
      cpu.regs.set(Reg.gsBase, DATA + 0x200);
      return true;
    };
    expect(cpu.run(100).kind).toBe('breakpoint');
    cpu.onSyscall = null;
    expect(space.get64(STACK - 512 - 8)).toBe(0xad7);
    order.forEach((_, i) => expect(space.get64(STACK - 512 - 16 - 8 * i)).toBe(1000 + i));
    expect(cpu.regs.get(Reg.rax)).toBe(0xf5f5);
    expect(cpu.regs.get(Reg.rbx)).toBe(0x6565);
  });

  it('goes on at the RIP that the handler sets', () => {
    space.put(CODE, '0f05 f4');
    space.put(CODE + 0x80, 'b805000000 cc');
    cpu.invalidateCode(space.physical(CODE), 4096);
    space.enter();
    cpu.onSyscall = () => {
      cpu.regs.set(Reg.rip, CODE + 0x80);
      return true;
    };
    expect(cpu.run(100).kind).toBe('breakpoint');
    cpu.onSyscall = null;
    expect(cpu.regs.get(Reg.rax)).toBe(5);
  });

  it('carries FS and GS bases that the guest writes', () => {
    // mov eax, DATA; wrfsbase rax; wrgsbase rax; int3
    space.run('b800006000 f3480faed0 f3480faed8 cc');
    expect(cpu.regs.get(Reg.fsBase)).toBe(DATA);
    expect(cpu.regs.get(Reg.gsBase)).toBe(DATA);
  });

  it('saves the FPU as the guest does with fxsave', () => {
    // fld1; fldpi; fld1; fstp st0; mov eax, 0x12345678; movd xmm3, eax; fxsave [DATA]; int3
    space.run('d9e8 d9eb d9e8 ddd8 b878563412 660f6ed8 48b80000000000000000 0fae042500006000 cc');
    const image = fpu();
    const guest = machine.bytes.slice(space.physical(DATA), space.physical(DATA) + FPU_BYTES);
    expect(image.subarray(0, 5)).toEqual(guest.subarray(0, 5));
    expect(image.subarray(24, 28)).toEqual(guest.subarray(24, 28));
    for (let i = 0; i < 8; i++)
      expect(image.subarray(32 + 16 * i, 42 + 16 * i)).toEqual(guest.subarray(32 + 16 * i, 42 + 16 * i));
    expect(image.subarray(160, 416)).toEqual(guest.subarray(160, 416));
  });

  it('loads what it saved', () => {
    space.run('d9e8 d9eb b878563412 660f6ed8 cc');
    const image = fpu();
    cpu.loadFpu(freshFpu());
    expect(fpu()).not.toEqual(image);
    cpu.loadFpu(image);
    expect(fpu()).toEqual(image);
    // The guest reads it: fstp qword [DATA]; movd [DATA + 8], xmm3; int3
    space.put(CODE, 'dd1c2500006000 660f7e1c2508006000 cc');
    cpu.invalidateCode(space.physical(CODE), 64);
    space.enter();
    cpu.loadFpu(image);
    cpu.run(100);
    expect(machine.view.getFloat64(space.physical(DATA), true)).toBe(Math.PI);
    expect(machine.view.getUint32(space.physical(DATA) + 8, true)).toBe(0x12345678);
  });

  it('masks reserved MXCSR bits when it loads', () => {
    const image = freshFpu();
    image[26] = 0xff;
    image[27] = 0xff;
    cpu.loadFpu(image);
    expect(new DataView(fpu().buffer).getUint32(24, true)).toBe(0x1f80);
  });

  it('rounds as the loaded control words say', () => {
    const image = freshFpu();
    new DataView(image.buffer).setUint32(24, 0x1f80 | 0x6000, true);
    // mov eax, 3; cvtsi2sd; mov eax, 2; cvtsi2sd xmm1; divsd xmm0, xmm1; cvtsd2si eax: 1.5 truncated
    space.put(CODE, 'b803000000 f20f2ac0 b802000000 f20f2ac8 f20f5ec1 f20f2dc0 cc');
    cpu.invalidateCode(space.physical(CODE), 64);
    space.enter();
    cpu.loadFpu(image);
    cpu.run(100);
    expect(cpu.regs.get(Reg.rax)).toBe(1);
    space.enter();
    cpu.run(100);
    expect(cpu.regs.get(Reg.rax)).toBe(2);
  });

  it('continues from a snapshot of registers, FPU and time as the original does', () => {
    // L: rdtsc; add rsi, rax; fld1; faddp; paddq xmm0, xmm1 …; rol rsi, 7; dec ebx; jnz L; int3
    const code = '0f31 4801c6 d9e8 dec1 660fd4c1 660f6ece 48c1c607 ffcb 75e9 cc';
    function start(): void {
      space.put(CODE, code);
      cpu.invalidateCode(space.physical(CODE), 64);
      space.enter();
      cpu.regs.set(Reg.rbx, 500);
      cpu.tscOffset = -cpu.instructions;
      // fldz
      const image = freshFpu();
      image[4] = 0x80;
      new DataView(image.buffer).setUint16(2, 7 << 11, true);
      cpu.loadFpu(image);
    }
    start();
    cpu.run(1e6);
    const wanted = [cpu.regs.u64.join(), fpu().join()];

    start();
    cpu.run(1777);
    const regs = new Regs();
    regs.copyFrom(cpu.regs);
    const image = fpu();
    const time = cpu.tscOffset + cpu.instructions;
    space.run('d9eb d9eb 660fefc0 660fefc9 cc');
    space.put(CODE, code);
    cpu.invalidateCode(space.physical(CODE), 64);
    cpu.regs.copyFrom(regs);
    cpu.loadFpu(image);
    cpu.tscOffset = time - cpu.instructions;
    expect(cpu.run(1e6).kind).toBe('breakpoint');
    expect([cpu.regs.u64.join(), fpu().join()]).toEqual(wanted);
    cpu.tscOffset = 0;
    void REG_COUNT;
  });

  function cpuid(leaf: number, subleaf = 0): number[] {
    space.put(CODE, '0fa2 cc');
    cpu.invalidateCode(space.physical(CODE), 64);
    space.enter();
    cpu.regs.set(Reg.rax, leaf);
    cpu.regs.set(Reg.rcx, subleaf);
    cpu.run(10);
    return [Reg.rax, Reg.rbx, Reg.rcx, Reg.rdx].map((r) => cpu.regs.get(r));
  }

  it('answers cpuid from its own table, the same on every host', () => {
    const [max = 0] = cpuid(0);
    expect(max).toBe(0xd);
    expect(cpuid(0x80000000)[0]).toBe(0x80000008);
    const brand = [2, 3, 4]
      .flatMap((i) => cpuid(0x80000000 + i))
      .map((w) => String.fromCharCode(w & 255, (w >> 8) & 255, (w >> 16) & 255, w >>> 24))
      .join('');
    expect(brand.replace(/\0+$/, '')).toBe('Trapline emulated x86-64 processor');
    expect(cpuid(0x12345)).toEqual([0, 0, 0, 0]);
  });

  it('offers neither AVX, XSAVE, ERMS, RDRAND, RDSEED, HLE, RTM nor what is wrong in the engine', () => {
    const [, , ecx1 = 0] = cpuid(1);
    for (const bit of [12, 26, 27, 28, 29, 30]) expect((ecx1 >>> bit) & 1, `leaf 1 ecx ${bit}`).toBe(0);
    const [, ebx7 = 0] = cpuid(7);
    for (const bit of [3, 4, 5, 8, 9, 11, 16, 18, 19]) expect((ebx7 >>> bit) & 1, `leaf 7 ebx ${bit}`).toBe(0);
    expect(cpuid(7, 1)).toEqual([0, 0, 0, 0]);
    expect(cpuid(0xd)).toEqual([0, 0, 0, 0]);
  });

  it('executes an instruction of every feature that it offers', () => {
    const [, , ecx1 = 0, edx1 = 0] = cpuid(1);
    const [, ebx7 = 0] = cpuid(7);
    const [, , ecxExt = 0, edxExt = 0] = cpuid(0x80000001);
    const features: [word: number, bit: number, code: string][] = [
      [ecx1, 0, 'f20f7cc1'],
      [ecx1, 1, '660f3a44c100'],
      [ecx1, 9, '660f3800c1'],
      [ecx1, 13, '480fc70f'],
      [ecx1, 19, '660f3840c1'],
      [ecx1, 20, 'f20f38f1c1'],
      [ecx1, 22, '0f38f007'],
      [ecx1, 23, 'f30fb8c1'],
      [ecx1, 25, '660f38dcc1'],
      [edx1, 0, 'd9e8'],
      [edx1, 4, '0f31'],
      [edx1, 8, '0fc70f'],
      [edx1, 15, '0f44c1'],
      [edx1, 19, '0fae3f'],
      [edx1, 23, '0ffcc1'],
      [edx1, 24, '0fae07'],
      [edx1, 25, '0f58c1'],
      [edx1, 26, '660f58c1'],
      [ebx7, 0, 'f3480faec0'],
      [ecxExt, 0, '9f'],
      [ecxExt, 5, 'f30fbdc1'],
      [ecxExt, 8, '0f0d0f'],
      [edxExt, 27, '0f01f9'],
    ];
    for (const [word, bit, code] of features) {
      expect((word >>> bit) & 1, code).toBe(1);
      // mov edi, DATA; the instruction; int3
      expect(space.run(`bf00006000 ${code} cc`).kind, code).toBe('breakpoint');
    }
  });
});
