// SPDX-License-Identifier: MIT
//
// The emulated side: builds the shared layout in a Cpu's arena with page tables of its own and runs cases
// through the Cpu interface only, so that any engine can be compared.

import { PAGE_SIZE } from '../../src/base/addr.ts';
import type { Cpu, Stop } from '../../src/cpu/cpu.ts';
import { FPU_BYTES } from '../../src/cpu/cpu.ts';
import { REG_COUNT, Reg } from '../../src/cpu/regs.ts';
import { PAGES, baseImage, pageIndexOf } from './layout.ts';
import type { Case, Change, Outcome } from './records.ts';
import { PageFault, Trap, codeBytes } from './records.ts';

// Page-table entry bits (SDM vol. 3, 4.5).
const PRESENT_USER = 0x5n;
const WRITABLE = 0x2n;
const NO_EXECUTE = 1n << 63n;
/** Instructions before a case counts as endless: far more than 8, or than a rep over every page. */
const BUDGET = 200_000;
/** KEEP IN SYNC: test/differential/native/helper.c MAX_STEPS. */
export const MAX_STEPS = 4096;

const VECTORS: Readonly<Record<Stop['kind'], number>> = {
  'divide-error': Trap.divideError,
  debug: Trap.debug,
  breakpoint: Trap.breakpoint,
  'invalid-opcode': Trap.invalidOpcode,
  'stack-fault': Trap.stackFault,
  'general-protection': Trap.generalProtection,
  'page-fault': Trap.pageFault,
  'fpu-error': Trap.fpuError,
  'alignment-check': Trap.alignmentCheck,
  'simd-error': Trap.simdError,
  syscall: Trap.syscall,
  int: Trap.int80,
  budget: Trap.endless,
  interrupted: Trap.lost,
};

export class EmulatedCpu {
  readonly cpu: Cpu;
  readonly #arena: Uint8Array;
  readonly #words: BigUint64Array;
  readonly #frames: number[] = [];
  readonly #image = baseImage();
  /** What each page holds when no sequence has touched it: the image and the case's own values. */
  readonly #shadow: Uint8Array[];
  readonly #root: number;
  #free: number;

  constructor(cpu: Cpu) {
    this.cpu = cpu;
    this.#arena = new Uint8Array(cpu.memory);
    this.#words = new BigUint64Array(cpu.memory);
    this.#free = Math.ceil(cpu.reservedBytes / PAGE_SIZE) * PAGE_SIZE;
    this.#root = this.#frame();
    cpu.initRoot(this.#root);
    PAGES.forEach((p, i) => {
      const frame = this.#frame();
      this.#frames.push(frame);
      this.#arena.set(this.#image.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE), frame);
      this.#map(
        p.address,
        BigInt(frame) | PRESENT_USER | (p.writable ? WRITABLE : 0n) | (p.executable ? 0n : NO_EXECUTE),
      );
    });
    this.#shadow = PAGES.map((_, i) => this.#image.slice(i * PAGE_SIZE, (i + 1) * PAGE_SIZE));
    cpu.root = this.#root;
    cpu.flushTlb();
  }

  #frame(): number {
    const frame = this.#free;
    this.#free += PAGE_SIZE;
    this.#arena.fill(0, frame, frame + PAGE_SIZE);
    return frame;
  }

  #map(address: number, entry: bigint): void {
    let table = this.#root;
    for (let shift = 39; shift > 12; shift -= 9) {
      const slot = table / 8 + (Math.floor(address / 2 ** shift) % 512);
      if (!this.#words[slot]) this.#words[slot] = BigInt(this.#frame()) | PRESENT_USER | WRITABLE;
      table = Number((this.#words[slot] ?? 0n) & 0xffffff000n);
    }
    this.#words[table / 8 + (Math.floor(address / PAGE_SIZE) % 512)] = entry;
  }

  #poke(address: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      const p = pageIndexOf(address + i);
      const offset = (address + i) % PAGE_SIZE;
      const byte = bytes[i] ?? 0;
      this.#arena[(this.#frames[p] ?? 0) + offset] = byte;
      const shadow = this.#shadow[p];
      if (shadow) shadow[offset] = byte;
    }
  }

  #unpoke(address: number, length: number): void {
    for (let i = 0; i < length; i++) {
      const p = pageIndexOf(address + i);
      const offset = (address + i) % PAGE_SIZE;
      const byte = this.#image[p * PAGE_SIZE + offset] ?? 0;
      this.#arena[(this.#frames[p] ?? 0) + offset] = byte;
      const shadow = this.#shadow[p];
      if (shadow) shadow[offset] = byte;
    }
  }

  /** The engine's code may be stale wherever code bytes changed, page by page. */
  #invalidate(address: number, length: number): void {
    for (let at = address; at < address + length; at = Math.floor(at / PAGE_SIZE + 1) * PAGE_SIZE) {
      const end = Math.min(address + length, Math.floor(at / PAGE_SIZE + 1) * PAGE_SIZE);
      const p = pageIndexOf(at);
      if (PAGES[p]?.executable) this.cpu.invalidateCode((this.#frames[p] ?? 0) + (at % PAGE_SIZE), end - at);
    }
  }

  run(c: Case): Outcome {
    const code = codeBytes(c);
    this.#setUp(c, code);
    const outcome = this.#record(this.cpu.run(BUDGET), []);
    this.#tidy(c, code);
    return outcome;
  }

  /** Runs a case one step at a time, noting RIP after each. A guest's own TF would end it early. */
  trace(c: Case): Outcome {
    const code = codeBytes(c);
    this.#setUp(c, code);
    const steps: number[] = [];
    let stop: Stop;
    for (;;) {
      stop = this.cpu.step();
      if (stop.kind !== 'budget' || steps.length >= MAX_STEPS) break;
      steps.push(this.cpu.regs.get(Reg.rip));
    }
    const outcome = this.#record(stop, steps);
    this.#tidy(c, code);
    return outcome;
  }

  #tidy(c: Case, code: Uint8Array): void {
    for (const patch of c.patches) this.#unpoke(patch.address, 8);
    this.#unpoke(c.codeAddress, code.length);
    this.#invalidate(c.codeAddress, code.length);
  }

  #setUp(c: Case, code: Uint8Array): void {
    const word = new Uint8Array(8);
    const view = new DataView(word.buffer);
    for (const patch of c.patches) {
      view.setBigUint64(0, patch.value, true);
      this.#poke(patch.address, word);
    }
    this.#poke(c.codeAddress, code);
    this.#invalidate(c.codeAddress, code.length);
    this.cpu.regs.u64.set(c.regs);
    this.cpu.loadFpu(c.fx);
  }

  #record(stop: Stop, steps: readonly number[]): Outcome {
    const { cpu } = this;
    const isPageFault = stop.kind === 'page-fault';
    const fx = new Uint8Array(FPU_BYTES);
    cpu.saveFpu(fx);
    const changes: Change[] = [];
    PAGES.forEach((p, i) => {
      const frame = this.#frames[i] ?? 0;
      const shadow = this.#shadow[i] ?? new Uint8Array(PAGE_SIZE);
      const live = Buffer.from(this.#arena.buffer, frame, PAGE_SIZE);
      if (Buffer.compare(live, shadow) === 0) return;
      const was = new BigUint64Array(shadow.buffer, shadow.byteOffset, PAGE_SIZE / 8);
      for (let w = 0; w < PAGE_SIZE / 8; w++) {
        const value = this.#words[frame / 8 + w] ?? 0n;
        if (value === was[w]) continue;
        changes.push({ address: p.address + w * 8, value });
        this.#words[frame / 8 + w] = was[w] ?? 0n;
      }
    });
    const regs = new BigUint64Array(REG_COUNT);
    regs.set(cpu.regs.u64);
    return {
      trap: stop.kind === 'int' && stop.vector !== 0x80 ? stop.vector : VECTORS[stop.kind],
      error: isPageFault
        ? (stop.present ? PageFault.present : 0) |
          (stop.access === 'write' ? PageFault.write : 0) |
          (stop.access === 'execute' ? PageFault.fetch : 0)
        : 0,
      cr2: isPageFault ? BigInt(stop.address) : 0n,
      regs,
      fx,
      changes,
      steps,
    };
  }

  /** The engine's CPUID leaves, read as a guest would. */
  cpuid(leaf: number, subleaf: number): { eax: number; ebx: number; ecx: number; edx: number } {
    const regs = new BigUint64Array(REG_COUNT);
    const codeAddress = PAGES[0]?.address ?? 0;
    regs[Reg.rax] = BigInt(leaf);
    regs[Reg.rcx] = BigInt(subleaf);
    regs[Reg.rip] = BigInt(codeAddress);
    regs[Reg.rflags] = 0x202n;
    const fx = new Uint8Array(FPU_BYTES);
    fx.set([0x7f, 0x03]);
    fx.set([0x80, 0x1f], 24);
    const out = this.run({
      units: [{ bytes: Uint8Array.of(0x0f, 0xa2), form: 0 }],
      codeAddress,
      regs,
      fx,
      patches: [],
    });
    const low = (r: number) => Number((out.regs[r] ?? 0n) & 0xffffffffn);
    return { eax: low(Reg.rax), ebx: low(Reg.rbx), ecx: low(Reg.rcx), edx: low(Reg.rdx) };
  }
}
