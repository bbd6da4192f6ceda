// SPDX-License-Identifier: MIT
//
// Runs a page of machine code on an engine and checks what a patching simulator stands or falls with: exact stops,
// NX, code changed from outside and by the guest itself. It uses nothing of Trapline but the Cpu interface.

import { PAGE_SIZE } from '../base/addr.ts';
import type { Cpu, Stop } from '../cpu/cpu.ts';
import { Reg } from '../cpu/regs.ts';

/** One thing that was checked. */
export interface SelfTestResult {
  readonly name: string;
  readonly passed: boolean;
  /** What came instead. */
  readonly detail: string;
}

const CODE = 0x40_0000;
const SLOT = 0x6_1000;
const DATA = 0x50_0000;

const PRESENT = 1n;
const WRITABLE = 2n;
const USER = 4n;
const NO_EXECUTE = 1n << 63n;

/** Runs all checks. The engine is used up afterwards. */
export function selfTest(cpu: Cpu): SelfTestResult[] {
  const machine = new BareMachine(cpu);
  machine.map(CODE, USER | WRITABLE);
  machine.map(SLOT, USER);
  machine.map(DATA, USER | WRITABLE | NO_EXECUTE);
  return [
    syscallStop(machine),
    patchedSite(machine),
    selfModifying(machine),
    guardByte(machine),
    noExecute(machine),
    privileged(machine),
    budget(machine),
  ];
}

/** mov $39,%eax; syscall */
const SITE = [0xb8, 39, 0, 0, 0, 0x0f, 0x05];

function syscallStop(machine: BareMachine): SelfTestResult {
  const stop = machine.runAt(CODE, SITE);
  const passed = stop.kind === 'syscall' && machine.get(Reg.rax) === 39 && machine.get(Reg.rip) === CODE + 7;
  return result('a syscall stops the run just after the instruction', machine, passed);
}

/** The site has been executed by `syscallStop`; it becomes a jump through a slot, as usertrap patches it. */
function patchedSite(machine: BareMachine): SelfTestResult {
  // The slot: mov $110,%eax; syscall. Its address stands in the 8 bytes at SLOT + 0x100.
  machine.write(SLOT, [0xb8, 110, 0, 0, 0, 0x0f, 0x05]);
  machine.write(SLOT + 0x100, [SLOT & 0xff, (SLOT >> 8) & 0xff, (SLOT >> 16) & 0xff, 0, 0, 0, 0, 0]);
  const pointer = SLOT + 0x100;
  const jump = [0xff, 0x24, 0x25, pointer & 0xff, (pointer >> 8) & 0xff, (pointer >> 16) & 0xff, 0];
  const stop = machine.runAt(CODE, jump);
  const passed = stop.kind === 'syscall' && machine.get(Reg.rax) === 110 && machine.get(Reg.rip) === SLOT + 7;
  return result('code that ran and was patched from outside runs as patched', machine, passed);
}

function selfModifying(machine: BareMachine): SelfTestResult {
  // movb $7,1(%rip) changes the operand of the mov that follows it.
  const code = [0xc6, 0x05, 0x01, 0, 0, 0, 7, 0xb8, 1, 0, 0, 0, 0x0f, 0x05];
  const stop = machine.runAt(CODE, code);
  return result(
    'a guest that writes its next instruction runs what it wrote',
    machine,
    stop.kind === 'syscall' && machine.get(Reg.rax) === 7,
  );
}

function guardByte(machine: BareMachine): SelfTestResult {
  const stop = machine.runAt(CODE, [0xb8, 39, 0, 0, 0, 0x06, 0x05]);
  const passed = stop.kind === 'invalid-opcode' && machine.get(Reg.rip) === CODE + 5;
  return result('the guard byte 0x06 is an invalid opcode at its own address', machine, passed);
}

function noExecute(machine: BareMachine): SelfTestResult {
  const stop = machine.runAt(DATA, [0x90]);
  const passed = stop.kind === 'page-fault' && stop.access === 'execute' && stop.address === DATA && stop.present;
  return result('data pages cannot be executed', machine, passed);
}

function privileged(machine: BareMachine): SelfTestResult {
  const stop = machine.runAt(CODE, [0x90, 0xf4]);
  const passed = stop.kind === 'general-protection' && machine.get(Reg.rip) === CODE + 1;
  return result('a privileged instruction faults', machine, passed);
}

function budget(machine: BareMachine): SelfTestResult {
  const before = machine.cpu.instructions;
  const stop = machine.runAt(CODE, [0xeb, 0xfe], 10_000);
  const executed = machine.cpu.instructions - before;
  const passed = stop.kind === 'budget' && executed >= 10_000 && executed < 11_000 && machine.get(Reg.rip) === CODE;
  return result('an endless loop ends at its budget', machine, passed);
}

function result(name: string, machine: BareMachine, passed: boolean): SelfTestResult {
  const { stop } = machine.cpu;
  const detail = `${stop.kind} at 0x${machine.get(Reg.rip).toString(16)}, rax ${machine.get(Reg.rax)}`;
  return { name, passed, detail: passed ? '' : detail };
}

/** A Cpu with one hand-made address space. */
class BareMachine {
  readonly cpu: Cpu;
  readonly #memory: DataView;
  readonly #frames = new Map<number, number>();
  #nextFrame: number;

  constructor(cpu: Cpu) {
    this.cpu = cpu;
    this.#memory = new DataView(cpu.memory);
    this.#nextFrame = cpu.reservedBytes;
    cpu.root = this.#frame();
    cpu.initRoot(cpu.root);
  }

  /** Maps one page of zeros. */
  map(address: number, flags: bigint): void {
    let table = this.cpu.root;
    for (const shift of [39, 30, 21]) {
      const entry = table + 8 * (Math.floor(address / 2 ** shift) % 512);
      if (this.#memory.getBigUint64(entry, true) === 0n) {
        this.#memory.setBigUint64(entry, BigInt(this.#frame()) | PRESENT | WRITABLE | USER, true);
      }
      table = Number(this.#memory.getBigUint64(entry, true) & 0xf_ffff_ffff_f000n);
    }
    const frame = this.#frame();
    this.#frames.set(address, frame);
    this.#memory.setBigUint64(
      table + 8 * (Math.floor(address / PAGE_SIZE) % 512),
      BigInt(frame) | PRESENT | flags,
      true,
    );
    this.cpu.flushTlb();
  }

  write(address: number, bytes: readonly number[]): void {
    const page = address - (address % PAGE_SIZE);
    const physical = (this.#frames.get(page) ?? 0) + (address % PAGE_SIZE);
    new Uint8Array(this.cpu.memory).set(bytes, physical);
    this.cpu.invalidateCode(physical, bytes.length);
  }

  runAt(address: number, code: readonly number[], instructions = 1_000): Stop {
    this.write(address, code);
    this.cpu.regs.u64.fill(0n);
    this.cpu.regs.set(Reg.rip, address);
    this.cpu.regs.set(Reg.rsp, DATA + PAGE_SIZE - 8);
    this.cpu.regs.set(Reg.rflags, 0x202);
    return this.cpu.run(instructions);
  }

  get(register: number): number {
    return this.cpu.regs.get(register);
  }

  #frame(): number {
    const frame = this.#nextFrame;
    this.#nextFrame += PAGE_SIZE;
    return frame;
  }
}
