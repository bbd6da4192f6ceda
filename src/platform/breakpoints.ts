// SPDX-License-Identifier: MIT
//
// The processor's four breakpoint registers, for tasks whose debugger has set some (SDM vol. 3, 18.2). Pages with a
// breakpoint are guarded so that an access faults; the instruction that faulted is then stepped and its operands are
// compared. Everything else runs at full speed, and a task without breakpoints meets none of this.

import { TRAP_HWBKPT } from '../abi/signal.ts';
import { pageDown } from '../base/addr.ts';
import type { Cpu, Stop } from '../cpu/cpu.ts';
import type { Regs } from '../cpu/regs.ts';
import { Reg } from '../cpu/regs.ts';
import { MAX_INSTRUCTION_BYTES } from '../isa/instruction-length.ts';
import type { MemoryOperand } from '../isa/memory-operands.ts';
import type { GuestContext, PlatformEvent } from './sentry.ts';

/** An enabled breakpoint. */
export interface Breakpoint {
  /** Its bit in DR6. */
  readonly status: number;
  /** `execute` stops before the instruction, the others after one that writes, or reads or writes. */
  readonly kind: 'execute' | 'write' | 'access';
  /** A multiple of the length. */
  readonly address: number;
  readonly length: number;
}

/** DR6.BS: the trap ends a single step. */
export const STATUS_STEP = 0x4000;
const RESUME_FLAG = 0x1_0000n;
/** Instructions whose operands are kept. */
const MAX_KNOWN = 256;
/** The task goes on: nothing for anybody to do. */
const GOES_ON: Stop = { kind: 'budget', address: 0, access: 'read', present: false, vector: 0 };
const TRAP: Stop = { kind: 'debug', address: 0, access: 'read', present: false, vector: 0 };

/** The memory that the instruction at the start of `code` uses. */
export type OperandReader = (code: Uint8Array, address: number) => readonly MemoryOperand[];

export class BreakpointUnit {
  private readonly cpu: Cpu;
  private readonly readOperands: OperandReader;
  /** Serves the call whose instruction was stepped; true when the task goes on at once. */
  private readonly serveCall: () => boolean;
  private readonly code = new Uint8Array(MAX_INSTRUCTION_BYTES);
  private readonly known = new Map<
    number,
    { readonly code: Uint8Array; readonly operands: readonly MemoryOperand[] }
  >();
  /** DR6 as the last trap set it; 0 when it was none of this unit's. */
  private status = 0;

  constructor(cpu: Cpu, readOperands: OperandReader, serveCall: () => boolean) {
    this.cpu = cpu;
    this.readOperands = readOperands;
    this.serveCall = serveCall;
  }

  /** Cpu.run for a context with breakpoints. Returns early where something may have made a guarded page usable. */
  run(ctx: GuestContext, breakpoints: readonly Breakpoint[], budget: number): Stop {
    const { regs } = ctx;
    this.status = 0;
    const end = this.cpu.instructions + budget;
    // The engine forgets the flag that lets the instruction run that a breakpoint has held back.
    const isResumed = ((regs.u64[Reg.rflags] as bigint) & RESUME_FLAG) !== 0n;
    const resumedAt = isResumed ? regs.get(Reg.rip) : -1;
    for (const { address, kind } of breakpoints) ctx.mm.guardPage(address, kind !== 'write');
    let stop = this.cpu.run(budget);
    if (stop.kind === 'page-fault') stop = this.pass(ctx, breakpoints, stop, end, resumedAt);
    // Not yet run, or a repeated instruction of which iterations are left.
    if (isResumed && ctx.regs.get(Reg.rip) === resumedAt) {
      ctx.regs.u64[Reg.rflags] = (ctx.regs.u64[Reg.rflags] as bigint) | RESUME_FLAG;
    }
    return stop;
  }

  /**
   * Takes a page fault. If the page is a guarded one, the instruction runs, and with it those after it on a page that has a
   * breakpoint for execution.
   * @returns what the run ends with instead; the fault itself when it is the guest's
   */
  private pass(
    ctx: GuestContext,
    breakpoints: readonly Breakpoint[],
    fault: Stop,
    end: number,
    resumedAt: number,
  ): Stop {
    const page = pageDown(fault.address);
    if (!breakpoints.some(({ address }) => pageDown(address) === page) || !this.makeUsable(ctx, fault)) return fault;
    const { regs } = ctx;
    let exempt = resumedAt;
    do {
      const rip = regs.get(Reg.rip);
      if (rip !== exempt) {
        exempt = -1;
        this.status = statusAt(breakpoints, rip);
        if (this.status !== 0) return TRAP;
      }
      const status = this.statusOfData(ctx, breakpoints, rip);
      const stop = this.step(ctx);
      if (stop.kind === 'syscall') return this.serveCall() ? GOES_ON : stop;
      if (stop.kind !== 'budget' && stop.kind !== 'debug') return stop;
      if (status !== 0) {
        this.status = stop.kind === 'debug' ? status | STATUS_STEP : status;
        return TRAP;
      }
      if (stop.kind === 'debug') return stop;
    } while (this.cpu.instructions < end && isOnPage(breakpoints, regs.get(Reg.rip)));
    return GOES_ON;
  }

  /** Says of a debug exception which breakpoints caused it. */
  describe(event: PlatformEvent): void {
    if (this.status === 0) return;
    event.debugStatus = this.status;
    if ((this.status & STATUS_STEP) === 0) event.code = TRAP_HWBKPT;
  }

  private step(ctx: GuestContext): Stop {
    for (;;) {
      const stop = this.cpu.step();
      if (stop.kind !== 'page-fault' || !this.makeUsable(ctx, stop)) return stop;
    }
  }

  private makeUsable(ctx: GuestContext, { address, access, present }: Stop): boolean {
    if (ctx.mm.handleFault(address, access, present, ctx.regs.get(Reg.rsp)) !== 'fixed') return false;
    if (!present) ctx.faultsServed++;
    return true;
  }

  /** The breakpoints for data that the instruction at `rip` meets with the registers as they are. */
  private statusOfData(ctx: GuestContext, breakpoints: readonly Breakpoint[], rip: number): number {
    if (breakpoints.every(({ kind }) => kind === 'execute')) return 0;
    let status = 0;
    for (const operand of this.operandsAt(ctx, rip)) {
      if (operand.isRepeated && ctx.regs.u64[Reg.rcx] === 0n) continue;
      const start = addressOf(operand, ctx.regs);
      for (const each of breakpoints) {
        const counts = each.kind === 'access' || (each.kind === 'write' && operand.writes);
        if (counts && start < each.address + each.length && each.address < start + operand.bytes) status |= each.status;
      }
    }
    return status;
  }

  private operandsAt(ctx: GuestContext, rip: number): readonly MemoryOperand[] {
    const code = this.code.subarray(0, ctx.mm.copyIn(rip, this.code, true));
    const known = this.known.get(rip);
    if (known !== undefined && known.code.length === code.length && known.code.every((byte, i) => byte === code[i])) {
      return known.operands;
    }
    const operands = this.readOperands(code, rip);
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    this.known.set(rip, { code: code.slice(), operands });
    return operands;
  }
}

function statusAt(breakpoints: readonly Breakpoint[], rip: number): number {
  let status = 0;
  for (const each of breakpoints) if (each.kind === 'execute' && each.address === rip) status |= each.status;
  return status;
}

function isOnPage(breakpoints: readonly Breakpoint[], rip: number): boolean {
  return breakpoints.some(({ kind, address }) => kind === 'execute' && pageDown(address) === pageDown(rip));
}

/** Where an operand lies with these registers. */
export function addressOf(operand: MemoryOperand, { u64 }: Regs): number {
  const { base, index, bytes, segment } = operand;
  const register = (number: number): bigint => u64[number] as bigint;
  let address = operand.displacement;
  if (base >= 0) address += register(base);
  if (index >= 0) address += (operand.hasByteIndex ? register(index) & 0xffn : register(index)) * BigInt(operand.scale);
  if (operand.bitOffset >= 0) {
    const bits = BigInt.asIntN(8 * bytes, register(operand.bitOffset));
    address += (bits >> BigInt(Math.log2(8 * bytes))) * BigInt(bytes);
  }
  if (operand.is32Bit) address = BigInt.asUintN(32, address);
  if (segment !== 'flat') address += register(segment === 'fs' ? Reg.fsBase : Reg.gsBase);
  return Number(BigInt.asUintN(64, address));
}
