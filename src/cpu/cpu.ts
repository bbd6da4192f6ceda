// SPDX-License-Identifier: MIT
//
// The processor as the rest of Trapline sees it: run this register block in this address space until
// something happens. Every engine implements this file and passes test/conformance/cpu.

import type { PhysAddr } from '../base/addr.ts';
import type { Regs } from './regs.ts';

/**
 * Why a run ended. What `regs.rip` means, per kind:
 *
 * | kind | rip | carries |
 * |---|---|---|
 * | `syscall` | after the instruction (rcx and r11 already hold what the hardware leaves there) | |
 * | `invalid-opcode` | at the instruction | |
 * | `page-fault` | at the instruction (a rep is at its current iteration) | address, access, present |
 * | `general-protection` | at the instruction | |
 * | `stack-fault` | at the instruction (non-canonical stack access) | |
 * | `divide-error` | at the instruction | |
 * | `fpu-error`, `simd-error` | at the instruction that reports it | |
 * | `alignment-check` | at the instruction | address |
 * | `breakpoint` | after the int3 | |
 * | `int` | after the instruction; only `int $0x80` arrives this way | vector |
 * | `debug` | after the instruction that ran with TF set, or after an icebp | |
 * | `budget` | at the next instruction; a `step` that completed its instruction ends with it too | |
 * | `interrupted` | at the next instruction | |
 */
export type StopKind =
  | 'syscall'
  | 'invalid-opcode'
  | 'page-fault'
  | 'general-protection'
  | 'stack-fault'
  | 'divide-error'
  | 'fpu-error'
  | 'simd-error'
  | 'alignment-check'
  | 'breakpoint'
  | 'int'
  | 'debug'
  | 'budget'
  | 'interrupted';

export type Access = 'read' | 'write' | 'execute';

/** One object per Cpu, overwritten by each run: copy what you keep. */
export interface Stop {
  kind: StopKind;
  /**
   * Faulting linear address for `page-fault`. Beyond the user half it is rounded to a double, which is
   * enough to know that it is no user address.
   */
  address: number;
  access: Access;
  /** `page-fault`: the page was present, so protection was violated. */
  present: boolean;
  /** `int`: the vector. */
  vector: number;
}

/** What the memory manager needs of a Cpu: the arena, and to be told of changes. */
export interface Mmu {
  /** Physical memory. Frame 0 and those below `reservedBytes` belong to the engine. */
  readonly memory: ArrayBuffer;
  readonly reservedBytes: number;
  /** Prepares a zeroed page-table root (physical address of a PML4): installs the engine's upper half. */
  initRoot(root: PhysAddr): void;
  /** Page-table entries changed in a way that a TLB may contradict. Takes effect before guest code runs on. */
  flushTlb(): void;
  /** Bytes of physical memory changed from outside the guest and may have been executed, by any address. */
  invalidateCode(start: PhysAddr, length: number): void;
}

/** Bytes that an instruction fetch sees in place of memory: how stale and torn fetches are modelled. */
export interface FetchView {
  /** Virtual address of the first byte. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Virtual addresses from `start` up to `end`. */
export interface CodeRange {
  readonly start: number;
  readonly end: number;
}

/** Called inside a run at a syscall; returns true to go on with the registers as they now are. */
export type SyscallHandler = () => boolean;

/** Size of an FPU image: the legacy FXSAVE area (SDM vol. 1, 10.5.1). */
export const FPU_BYTES = 512;

/** One emulated logical processor. It runs one register block at a time; the caller multiplexes tasks on it. */
export interface Cpu extends Mmu {
  /** Engine and version, e.g. `unicorn 2.1.4`. */
  readonly name: string;
  /** The live registers: read after a run or in the syscall handler, written before a run or in the handler. */
  readonly regs: Regs;
  /** The last stop. */
  readonly stop: Stop;
  /** Page-table root of the next run. Setting it to another root switches address space. */
  root: PhysAddr;
  /**
   * Instructions executed since the engine was made: each once, a rep once per iteration. Exact after a run;
   * inside the syscall handler exact up to and including the syscall. Written between runs, it goes on from there: a
   * restored machine counts as the one that was saved did.
   */
  instructions: number;
  /**
   * Serves syscalls inside the run. In the handler `regs.rip` is after the instruction, rcx and r11 are set; any
   * register, `root` and page tables may be changed before returning true. Returning false ends the run with
   * a `syscall` stop (the registers are left as they are, including changes).
   */
  onSyscall: SyscallHandler | null;
  /**
   * Address of the straight-line block that holds the instruction of the last stop or of the syscall being served,
   * or 0 when unknown: an address from which decoding forward meets true instruction boundaries.
   */
  readonly blockStart: number;
  /**
   * Makes every instruction that writes the GS selector or base (mov, pop, lgs, wrgsbase) end the run with
   * `general-protection` at the instruction, so that the caller can give it a meaning of its own. Off by default.
   */
  screenGsWrites: boolean;
  /**
   * Counts a block of code that starts in `none` as no instructions, and one that starts in `one` as a single one: for
   * code that is not the guest's own. Nothing is left out until this is called.
   */
  setCounting(none: CodeRange, one: CodeRange): void;
  /** Between two runs: adds to `instructions`, for what was executed in place of other code. May be negative. */
  correctCount(by: number): void;
  /** What rdtsc and rdtscp return: offset + instructions. rdtscp's IA32_TSC_AUX is 0. */
  tscOffset: number;

  /**
   * Runs from `regs` in `root` until a stop.
   * @param budget instructions to run at most before a `budget` stop; may be overrun by less than a block
   */
  run(budget: number): Stop;
  /** Runs exactly one instruction (one iteration of a rep), which sees `view` in place of memory where given. */
  step(view?: FetchView): Stop;
  /** Makes the current or the next run end with `interrupted`. Never lost; callable in the syscall handler. */
  interrupt(): void;
  /**
   * Makes the run that comes to this count of `instructions` end with `interrupted`, before its next block: as if
   * `interrupt` had been called there. Once; Infinity: none.
   */
  interruptAt(count: number): void;
  /** Interrupts runs when `ms` of host time have passed from now, from outside JavaScript; 0 disarms. */
  armWatchdog(ms: number): void;

  /** Copies the x87 and SSE state of the engine into an FXSAVE image. */
  saveFpu(into: Uint8Array): void;
  /** Loads it from an image; reserved MXCSR bits are masked off. */
  loadFpu(from: Uint8Array): void;

  /** Frees the engine. The arena stays readable as long as JavaScript holds it. */
  dispose(): void;
}
