// SPDX-License-Identifier: MIT
//
// An engine that a recorder stands behind: it runs as always until the recorder wants to see single instructions, then
// it steps. Whoever uses it sees the same stops, registers and counts as without it.

import type { PhysAddr } from '../../base/addr.ts';
import type { CodeRange, Cpu, FetchView, Stop, SyscallHandler } from '../../cpu/cpu.ts';
import { Reg } from '../../cpu/regs.ts';
import type { Regs } from '../../cpu/regs.ts';

/** Farthest that an instruction boundary is remembered: what the patcher walks is bounded, too. */
const LONGEST_BLOCK = 512;

/** Who looks at instructions. */
export interface StepWatcher {
  /** The next instruction is to be shown alone. Asked before each. */
  wantsStep(): boolean;
  /** It is about to be executed. @returns its length, or 0 where nobody knows it: then a block ends with it */
  beforeStep(): number;
  /** It has been, or has faulted; nothing has been made of that yet. */
  afterStep(stop: Stop): void;
  /** The engine is about to run freely. */
  beforeRun(): void;
  /** A page fault of such a run; true when it was the watcher's doing, and the run goes on. */
  takesFault(stop: Stop): boolean;
  /** A call was served inside such a run; true when the run must be left for the watcher to prepare the next. */
  leavesRun(): boolean;
}

/** Wraps an engine. */
export class StepCpu implements Cpu {
  readonly #cpu: Cpu;
  readonly #watcher: StepWatcher;
  #handler: SyscallHandler | null = null;
  /** The handler wanted the run to go on, but the watcher has left it. */
  #isLeft = false;
  /** The last stop, or the call that is served, is of a step. */
  #isStep = false;
  /** Where straight-line code of steps has begun. */
  #blockStart = 0;
  #nextRip = -1;

  constructor(cpu: Cpu, watcher: StepWatcher) {
    this.#cpu = cpu;
    this.#watcher = watcher;
  }

  run(budget: number): Stop {
    const cpu = this.#cpu;
    const end = cpu.instructions + budget;
    for (;;) {
      const stop = this.#watcher.wantsStep() ? this.#stepServed() : this.#runFreely(end - cpu.instructions);
      if (stop !== null) return stop;
      if (cpu.instructions < end) continue;
      cpu.stop.kind = 'budget';
      return cpu.stop;
    }
  }

  /** One instruction, with its call served; null when the run goes on. */
  #stepServed(): Stop | null {
    const stop = this.step();
    if (stop.kind === 'syscall') return this.#handler?.() === true ? null : stop;
    return stop.kind === 'budget' ? null : stop;
  }

  /** Null when the run goes on. */
  #runFreely(budget: number): Stop | null {
    this.#isStep = false;
    this.#isLeft = false;
    this.#watcher.beforeRun();
    const stop = this.#cpu.run(budget);
    if (this.#isLeft) {
      this.#isLeft = false;
      return null;
    }
    return stop.kind === 'page-fault' && this.#watcher.takesFault(stop) ? null : stop;
  }

  step(view?: FetchView): Stop {
    const { regs } = this.#cpu;
    if (!this.#watcher.wantsStep()) return this.#cpu.step(view);
    const rip = regs.get(Reg.rip);
    if (!this.#isStep || rip !== this.#nextRip || rip - this.#blockStart > LONGEST_BLOCK) this.#blockStart = rip;
    this.#isStep = true;
    const length = this.#watcher.beforeStep();
    const stop = this.#cpu.step(view);
    // What was interrupted or has faulted is executed again, in the same block.
    const isMade = stop.kind !== 'interrupted' && stop.kind !== 'page-fault';
    this.#nextRip = isMade ? rip + length : rip;
    this.#watcher.afterStep(stop);
    return stop;
  }

  get onSyscall(): SyscallHandler | null {
    return this.#handler;
  }

  set onSyscall(handler: SyscallHandler | null) {
    this.#handler = handler;
    this.#cpu.onSyscall = handler === null ? null : () => this.#serveInRun(handler);
  }

  #serveInRun(handler: SyscallHandler): boolean {
    if (!handler()) return false;
    this.#isLeft = this.#watcher.leavesRun();
    return !this.#isLeft;
  }

  get blockStart(): number {
    return this.#isStep ? this.#blockStart : this.#cpu.blockStart;
  }

  // ---- as it is

  get name(): string {
    return this.#cpu.name;
  }

  get regs(): Regs {
    return this.#cpu.regs;
  }

  get stop(): Stop {
    return this.#cpu.stop;
  }

  get memory(): ArrayBuffer {
    return this.#cpu.memory;
  }

  get reservedBytes(): number {
    return this.#cpu.reservedBytes;
  }

  get root(): PhysAddr {
    return this.#cpu.root;
  }

  set root(root: PhysAddr) {
    this.#cpu.root = root;
  }

  get instructions(): number {
    return this.#cpu.instructions;
  }

  set instructions(count: number) {
    this.#cpu.instructions = count;
  }

  get screenGsWrites(): boolean {
    return this.#cpu.screenGsWrites;
  }

  set screenGsWrites(on: boolean) {
    this.#cpu.screenGsWrites = on;
  }

  get tscOffset(): number {
    return this.#cpu.tscOffset;
  }

  set tscOffset(offset: number) {
    this.#cpu.tscOffset = offset;
  }

  initRoot(root: PhysAddr): void {
    this.#cpu.initRoot(root);
  }

  flushTlb(): void {
    this.#cpu.flushTlb();
  }

  invalidateCode(start: PhysAddr, length: number): void {
    this.#cpu.invalidateCode(start, length);
  }

  setCounting(none: CodeRange, one: CodeRange): void {
    this.#cpu.setCounting(none, one);
  }

  correctCount(by: number): void {
    this.#cpu.correctCount(by);
  }

  interrupt(): void {
    this.#cpu.interrupt();
  }

  interruptAt(count: number): void {
    this.#cpu.interruptAt(count);
  }

  armWatchdog(ms: number): void {
    this.#cpu.armWatchdog(ms);
  }

  saveFpu(into: Uint8Array): void {
    this.#cpu.saveFpu(into);
  }

  loadFpu(from: Uint8Array): void {
    this.#cpu.loadFpu(from);
  }

  dispose(): void {
    this.#cpu.dispose();
  }
}
