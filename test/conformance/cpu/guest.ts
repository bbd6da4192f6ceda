// SPDX-License-Identifier: MIT
//
// A minimal guest for engine tests: page tables built by hand in the arena, machine code as bytes.

import { type Cpu, type Stop } from '../../../src/cpu/cpu.ts';
import { resetState } from '../../../src/cpu/fresh-state.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { fromHex } from '../../../src/base/bytes.ts';

export const PRESENT = 1n;
export const WRITE = 2n;
export const USER = 4n;
export const NX = 1n << 63n;
const FRAME_MASK = 0x000ffffffffff000n;

/** Page protections as page-table bits. */
export const RX = PRESENT | USER;
export const RWX = PRESENT | USER | WRITE;
export const RW = PRESENT | USER | WRITE | NX;
export const R = PRESENT | USER | NX;

/** Where tests put code, data and stack. */
export const CODE = 0x400000;
export const DATA = 0x600000;
export const STACK = 0x7ffff000;

/** An arena with a frame allocator that never frees. */
export class TestMachine {
  readonly cpu: Cpu;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #next: number;

  constructor(cpu: Cpu) {
    this.cpu = cpu;
    this.bytes = new Uint8Array(cpu.memory);
    this.view = new DataView(cpu.memory);
    this.#next = cpu.reservedBytes;
  }

  frame(): number {
    const at = this.#next;
    this.#next += 4096;
    return at;
  }

  /** A space with the usual pages: code (two pages, read and execute), data (four), stack (one below STACK). */
  space(): TestSpace {
    const s = new TestSpace(this);
    s.mapNew(CODE, 2, RX);
    s.mapNew(DATA, 4, RW);
    s.mapNew(STACK - 4096, 1, RW);
    return s;
  }
}

/** One address space. */
export class TestSpace {
  readonly machine: TestMachine;
  readonly root: number;

  constructor(machine: TestMachine) {
    this.machine = machine;
    this.root = machine.frame();
    machine.cpu.initRoot(this.root);
  }

  /** Offset in the arena of the entry for `address`; intermediate tables are made on the way. */
  pte(address: number): number {
    const { view } = this.machine;
    let table = this.root;
    for (let level = 3; level > 0; level--) {
      const at = table + (Math.floor(address / 2 ** (12 + 9 * level)) % 512) * 8;
      let entry = view.getBigUint64(at, true);
      if ((entry & PRESENT) === 0n) {
        entry = BigInt(this.machine.frame()) | PRESENT | USER | WRITE;
        view.setBigUint64(at, entry, true);
      }
      table = Number(entry & FRAME_MASK);
    }
    return table + (Math.floor(address / 4096) % 512) * 8;
  }

  map(address: number, frame: number, protection: bigint): void {
    this.machine.view.setBigUint64(this.pte(address), BigInt(frame) | protection, true);
  }

  unmap(address: number): void {
    this.machine.view.setBigUint64(this.pte(address), 0n, true);
  }

  /** Maps `pages` fresh frames; returns the first. */
  mapNew(address: number, pages: number, protection: bigint): number {
    const first = this.machine.frame();
    for (let i = 1; i < pages; i++) this.machine.frame();
    for (let i = 0; i < pages; i++) this.map(address + i * 4096, first + i * 4096, protection);
    return first;
  }

  /** Arena offset of the byte at a mapped address. */
  physical(address: number): number {
    const entry = this.machine.view.getBigUint64(this.pte(address), true);
    return Number(entry & FRAME_MASK) + (address % 4096);
  }

  /** Writes bytes (hex text or array) at a mapped address, across pages. */
  put(address: number, code: string | Uint8Array): void {
    const bytes = typeof code === 'string' ? fromHex(code) : code;
    bytes.forEach((b, i) => {
      this.machine.bytes[this.physical(address + i)] = b;
    });
  }

  get64(address: number): number {
    return Number(this.machine.view.getBigUint64(this.physical(address), true));
  }

  get8(address: number): number {
    return this.machine.view.getUint8(this.physical(address));
  }

  /** Points the processor at `rip` in this space with fresh registers, rsp near the top of the stack. */
  enter(rip = CODE): void {
    const { cpu } = this.machine;
    resetState(cpu);
    cpu.root = this.root;
    cpu.regs.set(Reg.rip, rip);
    cpu.regs.set(Reg.rsp, STACK - 256);
  }

  /** Puts `code` at CODE, enters and runs it. */
  run(code: string, budget = 1e6): Stop {
    this.put(CODE, code);
    this.machine.cpu.invalidateCode(this.physical(CODE), 4096);
    this.enter();
    return this.machine.cpu.run(budget);
  }
}
