// SPDX-License-Identifier: MIT
//
// The real engine as a machine of single accesses: a page of driver code in each space loads, stores and jumps; page
// faults go to the address space, as they do in a sandbox.

import { fromHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { resetState } from '../../../src/cpu/fresh-state.ts';
import { type Cpu, type Stop } from '../../../src/cpu/cpu.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import type { AddressSpace, GuestFault } from '../../../src/mm/address-space.ts';
import type { AccessMachine } from '../../mm/model.ts';

/** Driver code: not in the way of any mapping that a test makes. */
const DRIVER = 0x500000;
const LOAD = 0;
const STORE = 0x10;
/** Unmapped addresses that the registers hold before a fetch: which one faults tells which register was exchanged. */
const MARKER = 0x70000000;
const FIRST_VALUE = 0x90;

export class EngineMachine implements AccessMachine {
  readonly cpu: Cpu;
  readonly memory: ArrayBuffer;
  readonly reservedBytes: number;
  faults = 0;

  constructor(memoryBytes = 8 * 2 ** 20) {
    this.cpu = openUnicorn({ memoryBytes });
    this.memory = this.cpu.memory;
    this.reservedBytes = this.cpu.reservedBytes;
  }

  initRoot(root: number): void {
    this.cpu.initRoot(root);
  }

  flushTlb(): void {
    this.cpu.flushTlb();
  }

  invalidateCode(start: number, length: number): void {
    this.cpu.invalidateCode(start, length);
  }

  dispose(): void {
    this.cpu.dispose();
  }

  load(mm: AddressSpace, address: number): number | GuestFault {
    const fault = this.#drive(mm, LOAD, address, 0);
    return fault ?? this.cpu.regs.get(Reg.rax) & 0xff;
  }

  store(mm: AddressSpace, address: number, value: number): GuestFault | undefined {
    return this.#drive(mm, STORE, address, value);
  }

  /** Executes one of xchg %rax,%reg at `address`, or the zero that is there; what follows it must be zeroes. */
  fetch(mm: AddressSpace, address: number): number | GuestFault {
    const { cpu } = this;
    this.#enter(mm, address);
    for (let r = 0; r < 8; r++) cpu.regs.set(r, MARKER + r * 0x1000);
    const end = this.run(mm);
    if (!('signo' in end)) throw new Error(`a fetch ended with ${end.kind}`);
    const done = cpu.regs.get(Reg.rip) - address;
    // Nothing executed: either the fetch faulted, or the byte was a zero, whose store goes to the first marker.
    if (done === 0) return end.addr === MARKER ? 0 : end;
    if (done !== 1) throw new Error(`a fetch went ${done} bytes on`);
    return FIRST_VALUE + (end.addr - MARKER) / 0x1000;
  }

  /** Runs from the registers as they are; page faults that the space can serve are served. */
  run(mm: AddressSpace, budget = 1e6): Stop | GuestFault {
    const { cpu } = this;
    cpu.root = mm.root;
    for (let attempt = 0; attempt < 10_000; attempt++) {
      const stop = cpu.run(budget);
      if (stop.kind !== 'page-fault') return stop;
      this.faults++;
      const outcome = mm.handleFault(stop.address, stop.access, stop.present, cpu.regs.get(Reg.rsp));
      if (outcome !== 'fixed') return outcome;
    }
    throw new Error('faults without end');
  }

  /** Executes a function body that ends in syscall at `address`; its eax. */
  call(mm: AddressSpace, address: number): number | GuestFault {
    this.#enter(mm, address);
    const end = this.run(mm);
    if ('signo' in end) return end;
    if (end.kind !== 'syscall') throw new Error(`the code ended with ${end.kind}`);
    return this.cpu.regs.get(Reg.rax) % 2 ** 32;
  }

  #enter(mm: AddressSpace, rip: number): void {
    if (mm.findVma(DRIVER) === undefined) {
      mm.mmap({ addr: DRIVER, length: 4096, prot: 5, flags: 0x32 });
      mm.copyOut(DRIVER + LOAD, fromHex('8a 07 0f 05'), true); // mov (%rdi),%al; syscall
      mm.copyOut(DRIVER + STORE, fromHex('88 07 0f 05'), true); // mov %al,(%rdi); syscall
    }
    resetState(this.cpu);
    this.cpu.root = mm.root;
    this.cpu.regs.set(Reg.rip, rip);
  }

  #drive(mm: AddressSpace, what: number, address: number, value: number): GuestFault | undefined {
    this.#enter(mm, DRIVER + what);
    this.cpu.regs.set(Reg.rdi, address);
    this.cpu.regs.set(Reg.rax, value);
    const end = this.run(mm);
    if ('signo' in end) return end;
    if (end.kind !== 'syscall') throw new Error(`an access ended with ${end.kind}`);
    return undefined;
  }
}
