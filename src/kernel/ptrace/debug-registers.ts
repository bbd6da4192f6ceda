// SPDX-License-Identifier: MIT
//
// A task's debug registers as its tracer sets and reads them. Models Linux arch/x86/kernel/ptrace.c
// (ptrace_set_debugreg, ptrace_write_dr7), hw_breakpoint.c (arch_build_bp_info) and traps.c (exc_debug_user).

import { savable } from '../../base/savable.ts';
import { EINVAL, EIO, ENOSPC } from '../../abi/errno.ts';
import { Reg } from '../../cpu/regs.ts';
import type { Breakpoint } from '../../platform/breakpoints.ts';
import type { Task } from '../task.ts';

const BREAKPOINTS = 4;
const STATUS = 6;
const CONTROL = 7;
/** Bits of DR6 that read as ones; kept flipped, so that a clear status is zero. */
const STATUS_RESERVED = 0xffff_0ff0n;
/** DR7: bits per breakpoint that enable it (locally, globally), and per breakpoint that say what it is. */
const ENABLE_BITS = 2n;
const ENABLES = 0x3n;
const FIELD_SHIFT = 16n;
const FIELD_BITS = 4n;
/** By R/W field; 2 is I/O, which user code has none of. */
const KINDS = ['execute', 'write', null, 'access'] as const;
/** By LEN field. */
const LENGTHS = [1, 2, 8, 4] as const;
/** TASK_SIZE_MAX: breakpoints lie below. */
const LIMIT = 0x7fff_ffff_f000n;
const RESUME_FLAG = 0x1_0000n;

type Kind = Breakpoint['kind'];

/** A breakpoint register that was written once, enabled or not. */
interface Slot {
  readonly address: bigint;
  readonly kind: Kind;
  readonly length: number;
  readonly isEnabled: boolean;
}

/** What Linux makes of a register that has got an address before DR7 says what it is for. */
const ADDRESS_ONLY: Slot = { address: 0n, kind: 'write', length: 1, isEnabled: false };

function isValid({ address, kind, length }: Slot): boolean {
  if (address + BigInt(length) > LIMIT) return false;
  return kind === 'execute' || (address & BigInt(length - 1)) === 0n;
}

/** Whether the task is one whose breakpoints can act: that needs facts about instructions, which the host gives. */
type MayArm = () => boolean;

export class DebugRegisters {
  private slots: readonly (Slot | null)[] = [null, null, null, null];
  private control = 0n;
  /** DR6 without the bits that are always set. */
  status = 0n;

  /** A word of the debug registers, by number. */
  read(register: number): bigint {
    if (register < BREAKPOINTS) return this.slots[register]?.address ?? 0n;
    if (register === STATUS) return this.status ^ STATUS_RESERVED;
    return register === CONTROL ? this.control : 0n;
  }

  /** @returns 0 or -errno */
  write(register: number, value: bigint, mayArm: MayArm): number {
    if (register < BREAKPOINTS) {
      const slot = { ...(this.slots[register] ?? ADDRESS_ONLY), address: value };
      if (!isValid(slot)) return -EINVAL;
      this.slots = this.slots.map((old, i) => (i === register ? slot : old));
      return 0;
    }
    if (register === STATUS) {
      this.status = value ^ STATUS_RESERVED;
      return 0;
    }
    return register === CONTROL ? this.writeControl(value, mayArm) : -EIO;
  }

  private writeControl(value: bigint, mayArm: MayArm): number {
    const slots: (Slot | null)[] = [];
    for (const [i, old] of this.slots.entries()) {
      const isEnabled = ((value >> (BigInt(i) * ENABLE_BITS)) & ENABLES) !== 0n;
      if (old === null && !isEnabled) {
        slots.push(null);
        continue;
      }
      const field = Number((value >> (FIELD_SHIFT + BigInt(i) * FIELD_BITS)) & 0xfn);
      const kind = KINDS[(field & 3) as 0 | 1 | 2 | 3];
      const length = LENGTHS[(field >> 2) as 0 | 1 | 2 | 3];
      if (kind === null || (kind === 'execute' && length !== 1)) return -EINVAL;
      const slot = { address: old?.address ?? 0n, kind, length, isEnabled };
      if (!isValid(slot)) return -EINVAL;
      if (isEnabled && !mayArm()) return -ENOSPC;
      slots.push(slot);
    }
    this.slots = slots;
    this.control = value;
    return 0;
  }

  /** The enabled breakpoints; null when there are none. */
  enabled(): readonly Breakpoint[] | null {
    const all: Breakpoint[] = [];
    for (const [i, slot] of this.slots.entries()) {
      if (slot?.isEnabled !== true) continue;
      all.push({ status: 1 << i, kind: slot.kind, address: Number(slot.address), length: slot.length });
    }
    return all.length === 0 ? null : all;
  }

  /** What a new task gets: the words of DR6 and DR7, but no breakpoint. */
  forChild(): DebugRegisters {
    const child = new DebugRegisters();
    child.control = this.control;
    child.status = this.status;
    return child;
  }
}

/** PTRACE_POKEUSER of a debug register: 0 or -errno. */
export function setDebugRegister(task: Task, register: number, value: bigint): number {
  task.debug ??= new DebugRegisters();
  const result = task.debug.write(register, value, () => task.kernel.platform.hasBreakpoints);
  task.breakpoints = task.debug.enabled();
  return result;
}

/** A new program has neither breakpoints nor a status. */
export function clearDebugRegisters(task: Task): void {
  task.debug = null;
  task.breakpoints = null;
}

/** A debug exception with these bits of DR6: a tracer may ask why. An instruction that a breakpoint held back may now run. */
export function noteDebugException(task: Task, status: number): void {
  if (task.tracee === null && task.debug === null) return;
  task.debug ??= new DebugRegisters();
  task.debug.status = BigInt(status);
  const isHeldBack = task.breakpoints?.some((each) => each.kind === 'execute' && (each.status & status) !== 0);
  if (isHeldBack === true) task.regs.u64[Reg.rflags] = (task.regs.u64[Reg.rflags] as bigint) | RESUME_FLAG;
}

savable('kernel/ptrace/debug-registers', { DebugRegisters });
