// SPDX-License-Identifier: MIT
//
// The `Cpu` on Unicorn. Everything hot is a word of the shared control block; only runs, steps, FPU images and
// code invalidation cross into native code.

import type { PhysAddr } from '../../base/addr.ts';
import { TraplineError } from '../../base/errors.ts';
import type { CodeRange, Cpu, FetchView, Stop, SyscallHandler } from '../cpu.ts';
import { Regs } from '../regs.ts';
import type { NativeEngine } from './addon.ts';
import { ACCESSES, Control, STOP_KINDS } from './control.ts';

/** Frames below belong to the engine. KEEP IN SYNC: src/cpu/unicorn/native/machine.h kReservedBytes */
export const RESERVED_BYTES = 0x20000;

/** Slot of a PML4 that maps the engine's frames, and its entry. KEEP IN SYNC: machine.h initRoot */
const KERNEL_SLOT = 256;
const KERNEL_ENTRY = 0x4003;

const F64 = 8;
const U32 = 4;

export class UnicornCpu implements Cpu {
  readonly name: string;
  readonly memory: ArrayBuffer;
  readonly reservedBytes = RESERVED_BYTES;
  readonly regs: Regs;
  readonly stop: Stop = { kind: 'budget', address: 0, access: 'read', present: false, vector: 0 };
  readonly #native: NativeEngine;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  #onSyscall: SyscallHandler | null = null;
  #screenGsWrites = false;

  constructor(native: NativeEngine) {
    this.#native = native;
    this.name = `unicorn ${native.version}`;
    this.memory = native.arena;
    this.#u32 = new Uint32Array(native.control);
    this.#f64 = new Float64Array(native.control);
    this.regs = new Regs(native.control, Control.regs);
    native.setSyscallHandler(() => this.#onSyscall?.() ?? false);
  }

  get root(): PhysAddr {
    return this.#f64[Control.root / F64] as number;
  }

  set root(value: PhysAddr) {
    this.#f64[Control.root / F64] = value;
  }

  get instructions(): number {
    return this.#f64[Control.instructions / F64] as number;
  }

  set instructions(value: number) {
    this.#f64[Control.instructions / F64] = value;
  }

  get tscOffset(): number {
    return this.#f64[Control.tscOffset / F64] as number;
  }

  set tscOffset(value: number) {
    this.#f64[Control.tscOffset / F64] = value;
  }

  get blockStart(): number {
    return this.#f64[Control.blockStart / F64] as number;
  }

  get onSyscall(): SyscallHandler | null {
    return this.#onSyscall;
  }

  set onSyscall(handler: SyscallHandler | null) {
    this.#onSyscall = handler;
    this.#u32[Control.hasHandler / U32] = handler === null ? 0 : 1;
  }

  get screenGsWrites(): boolean {
    return this.#screenGsWrites;
  }

  set screenGsWrites(on: boolean) {
    this.#screenGsWrites = on;
    this.#native.setScreenGs(on);
  }

  setCounting(none: CodeRange, one: CodeRange): void {
    this.#native.setCounting(none.start, none.end, one.start, one.end);
  }

  correctCount(by: number): void {
    this.#f64[Control.instructions / F64] = this.instructions + by;
  }

  initRoot(root: PhysAddr): void {
    new DataView(this.memory).setBigUint64(root + KERNEL_SLOT * 8, BigInt(KERNEL_ENTRY), true);
  }

  flushTlb(): void {
    this.#u32[Control.flushTlb / U32] = 1;
  }

  invalidateCode(start: PhysAddr, length: number): void {
    this.#native.invalidateCode(start, length);
  }

  run(budget: number): Stop {
    this.#native.run(budget);
    return this.#readStop();
  }

  step(view?: FetchView): Stop {
    if (view === undefined) this.#native.step();
    else this.#native.step(view.address, view.bytes);
    return this.#readStop();
  }

  interrupt(): void {
    this.#u32[Control.interrupt / U32] = 1;
  }

  interruptAt(count: number): void {
    this.#native.interruptAt(count);
  }

  armWatchdog(ms: number): void {
    this.#native.armWatchdog(ms);
  }

  saveFpu(into: Uint8Array): void {
    this.#native.saveFpu(into);
  }

  loadFpu(from: Uint8Array): void {
    this.#native.loadFpu(from);
  }

  dispose(): void {
    this.#native.dispose();
  }

  /**
   * Whether the engine flushes its TLB in the first slices of an address space, which makes it grow. On by default;
   * off only to measure what it is worth.
   */
  setEarlyFlushes(on: boolean): void {
    this.#native.setEarlyFlushes(on);
  }

  /**
   * Interrupts runs at every `blocks`-th block, 0 at none: for tests that interruptions show nowhere, wherever they come.
   * Runs are several times slower.
   */
  interruptEvery(blocks: number): void {
    this.#native.interruptEvery(blocks);
  }

  #readStop(): Stop {
    const u32 = this.#u32;
    const stop = this.stop;
    const kind = STOP_KINDS[u32[Control.kind / U32] as number];
    if (kind === undefined) throw new TraplineError('CPU_ENGINE_FAILED', 'the engine reported an unknown stop');
    stop.kind = kind;
    if (kind === 'page-fault' || kind === 'alignment-check') {
      const at = Control.address / U32;
      stop.address = (u32[at + 1] as number) * 2 ** 32 + (u32[at] as number);
      stop.access = ACCESSES[u32[Control.access / U32] as number] ?? 'read';
      stop.present = u32[Control.present / U32] !== 0;
    } else if (kind === 'int') {
      stop.vector = u32[Control.vector / U32] as number;
    }
    return stop;
  }
}
