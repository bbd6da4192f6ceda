// SPDX-License-Identifier: MIT
//
// The least guest that the measurements need: page tables made by hand over a bare engine.

import { fromHex } from '../../../base/bytes.ts';
import { resetState } from '../../fresh-state.ts';
import { Reg } from '../../regs.ts';
import type { UnicornCpu } from '../unicorn-cpu.ts';

// KEEP IN SYNC: src/cpu/unicorn/native/bench/reference.cc
export const ARENA = 64 * 2 ** 20;
export const CODE = 0x400000;
const STACK_TOP = 0x500000;
export const DATA = 0x10000000;
const DATA_BYTES = 16 * 2 ** 20;
const SECOND = 0x20123000;
const SEED = 0x123456789abcdefn;

const PRESENT_USER = 5n;
const WRITE = 2n;
const NX = 1n << 63n;
const FRAME_MASK = 0x000ffffffffff000n;

/** An engine with frames given out in a row. */
export class BenchGuest {
  readonly cpu: UnicornCpu;
  readonly #view: DataView;
  #next: number;

  constructor(cpu: UnicornCpu) {
    this.cpu = cpu;
    this.#view = new DataView(cpu.memory);
    this.#next = cpu.reservedBytes;
  }

  #frame(): number {
    this.#next += 4096;
    return this.#next - 4096;
  }

  #map(root: number, address: number, frame: number, protection: bigint): void {
    let table = root;
    for (let level = 3; level > 0; level--) {
      const at = table + (Math.floor(address / 2 ** (12 + 9 * level)) % 512) * 8;
      let entry = this.#view.getBigUint64(at, true);
      if (entry === 0n) {
        entry = BigInt(this.#frame()) | PRESENT_USER | WRITE;
        this.#view.setBigUint64(at, entry, true);
      }
      table = Number(entry & FRAME_MASK);
    }
    this.#view.setBigUint64(
      table + (Math.floor(address / 4096) % 512) * 8,
      BigInt(frame) | PRESENT_USER | protection,
      true,
    );
  }

  #mapNew(root: number, address: number, bytes: number): void {
    for (let a = 0; a < bytes; a += 4096) this.#map(root, address + a, this.#frame(), WRITE | NX);
  }

  /** A new address space with `code` (hex) at CODE. @param dataBytes how much is mapped at DATA */
  space(code: string, dataBytes = DATA_BYTES): { root: number; codeFrame: number } {
    const root = this.#frame();
    this.cpu.initRoot(root);
    const codeFrame = this.#frame();
    this.#map(root, CODE, codeFrame, 0n);
    this.#mapNew(root, STACK_TOP - 4096, 4096);
    this.#mapNew(root, DATA, dataBytes);
    this.#mapNew(root, SECOND, 65536);
    new Uint8Array(this.cpu.memory).set(fromHex(code), codeFrame);
    return { root, codeFrame };
  }

  /** Registers as the kernels expect them. */
  enter(root: number, rounds: number): void {
    const { cpu } = this;
    resetState(cpu);
    cpu.root = root;
    cpu.regs.set(Reg.rip, CODE);
    cpu.regs.set(Reg.rsp, STACK_TOP - 256);
    cpu.regs.set(Reg.rdi, DATA);
    cpu.regs.set(Reg.rsi, SECOND);
    cpu.regs.set(Reg.rbx, rounds);
    cpu.regs.u64[Reg.rax] = SEED;
  }
}
