// SPDX-License-Identifier: MIT
//
// A stopped tracee's registers as its tracer sees them: struct user_regs_struct, struct user, and the register sets.
// Models Linux arch/x86/kernel/ptrace.c (getreg, putreg, genregs_set) and fpu/regset.c on a processor without XSAVE.

import { EFAULT, EINVAL, EIO, ENODEV, ENXIO, EOPNOTSUPP } from '../../abi/errno.ts';
import { NT_386_IOPERM, NT_PRFPREG, NT_PRSTATUS, NT_X86_XSTATE, UserRegsStruct, UserStruct } from '../../abi/ptrace.ts';
import { FpState } from '../../abi/signal-frame.ts';
import { ERESTARTSYS, ERESTART_RESTARTBLOCK } from '../../abi/errno.ts';
import { USER_HALF_END } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { FPU_BYTES } from '../../cpu/cpu.ts';
import { Reg } from '../../cpu/regs.ts';
import { MXCSR_MASK } from '../signals/signal-frame.ts';
import type { Task } from '../task.ts';
import { NO_CALL } from '../task.ts';
import { DebugRegisters, setDebugRegister } from './debug-registers.ts';

const WORD_BYTES = 8;
const USER_CS = 0x33n;
const USER_SS = 0x2bn;
/** Flags that a tracer may change: those of the program's own, TF, NT, RF and AC. */
const SETTABLE_FLAGS = 0x5_4dd5n;
const TRAP_FLAG = 0x100n;
/** Of a task whose debug registers nobody has written. */
const NO_DEBUG_REGISTERS = new DebugRegisters();

/** Words of user_regs_struct that are plain registers. */
const PLAIN: ReadonlyMap<number, number> = new Map(
  (
    [
      'r15',
      'r14',
      'r13',
      'r12',
      'rbp',
      'rbx',
      'r11',
      'r10',
      'r9',
      'r8',
      'rax',
      'rcx',
      'rdx',
      'rsi',
      'rdi',
      'rip',
      'rsp',
    ] as const
  ).map((name) => [UserRegsStruct[name], Reg[name]]),
);

/** The word at `offset` of user_regs_struct. */
function getWord(task: Task, offset: number): bigint {
  const { regs, tracee } = task;
  const plain = PLAIN.get(offset);
  if (plain !== undefined) return regs.u64[plain] as bigint;
  switch (offset) {
    case UserRegsStruct.origRax:
      return BigInt.asUintN(64, BigInt(task.sysno | 0));
    case UserRegsStruct.cs:
      return USER_CS;
    case UserRegsStruct.ss:
      return USER_SS;
    case UserRegsStruct.eflags: {
      const flags = regs.u64[Reg.rflags] as bigint;
      return tracee?.forcesTrapFlag === true ? flags & ~TRAP_FLAG : flags;
    }
    case UserRegsStruct.fsBase:
      return regs.u64[Reg.fsBase] as bigint;
    case UserRegsStruct.gsBase:
      return BigInt(task.kernel.platform.guestGsBase(task));
    default:
      return 0n;
  }
}

/** Selectors are those of 64-bit user code: there are no others to load. */
function setSelector(value: bigint, only: bigint): number {
  return (value & 0xffffn) === only ? 0 : -EIO;
}

function setWord(task: Task, offset: number, value: bigint): number {
  const { regs, tracee } = task;
  const plain = PLAIN.get(offset);
  if (plain !== undefined) {
    regs.u64[plain] = value;
    return 0;
  }
  switch (offset) {
    case UserRegsStruct.origRax: {
      const number = Number(BigInt.asIntN(32, value));
      task.sysno = number === -1 ? NO_CALL : number >>> 0;
      return 0;
    }
    case UserRegsStruct.cs:
      return setSelector(value, USER_CS);
    case UserRegsStruct.ss:
      return setSelector(value, USER_SS);
    case UserRegsStruct.eflags: {
      let flags = ((regs.u64[Reg.rflags] as bigint) & ~SETTABLE_FLAGS) | (value & SETTABLE_FLAGS);
      if (tracee !== null) {
        if ((value & TRAP_FLAG) !== 0n) tracee.forcesTrapFlag = false;
        else if (tracee.forcesTrapFlag) flags |= TRAP_FLAG;
      }
      regs.u64[Reg.rflags] = flags;
      return 0;
    }
    case UserRegsStruct.fsBase:
      if (value >= BigInt(USER_HALF_END)) return -EIO;
      regs.u64[Reg.fsBase] = value;
      return 0;
    case UserRegsStruct.gsBase:
      if (value >= BigInt(USER_HALF_END)) return -EIO;
      // Only a change is the program's own use of GS.
      if (value !== getWord(task, offset)) task.kernel.platform.setGuestGsBase(task, Number(value));
      return 0;
    default:
      // ds, es, fs, gs: a null selector or the flat segment, which say the same in 64-bit mode.
      return (value & 0xffffn) > 3n && (value & 0xffffn) !== USER_SS ? -EIO : 0;
  }
}

/** Whether an interrupted call is to be made again follows from orig_rax and rax, as the tracer has left them. */
function recheckRestart(task: Task): void {
  const result = task.regs.getSigned(Reg.rax);
  const isRestart = result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
  task.restartError = task.sysno !== NO_CALL && isRestart ? result : 0;
}

export function readGeneral(task: Task): Uint8Array {
  const bytes = new Uint8Array(UserRegsStruct.size);
  const v = viewOf(bytes);
  for (let at = 0; at < UserRegsStruct.size; at += WORD_BYTES) v.setBigUint64(at, getWord(task, at), true);
  return bytes;
}

/** Sets registers from the start of user_regs_struct on; words before a bad one are set. */
export function writeGeneral(task: Task, bytes: Uint8Array): number {
  const v = viewOf(bytes);
  let result = 0;
  for (let at = 0; at + WORD_BYTES <= bytes.length && result === 0; at += WORD_BYTES) {
    result = setWord(task, at, v.getBigUint64(at, true));
  }
  recheckRestart(task);
  return result;
}

export function readFloating(task: Task): Uint8Array {
  task.kernel.platform.saveFpu(task);
  const bytes = task.fpu.slice();
  viewOf(bytes).setUint32(FpState.mxcsrMask, MXCSR_MASK, true);
  return bytes;
}

export function writeFloating(task: Task, bytes: Uint8Array): number {
  if (bytes.length !== FPU_BYTES || (viewOf(bytes).getUint32(FpState.mxcsr, true) & ~MXCSR_MASK) !== 0) return -EINVAL;
  task.kernel.platform.saveFpu(task);
  task.fpu.set(bytes.subarray(0, FpState.magic1));
  task.kernel.platform.loadFpu(task);
  return 0;
}

/** Number of the debug register that is at `offset` of struct user, or -1. */
function debugRegisterAt(offset: number): number {
  const { debugRegisters, debugRegistersEnd } = UserStruct;
  return offset < debugRegisters || offset >= debugRegistersEnd ? -1 : (offset - debugRegisters) / WORD_BYTES;
}

/** PTRACE_PEEKUSER: a word of struct user, or -errno. */
export function peekUser(task: Task, offset: number): bigint | number {
  if (offset % WORD_BYTES !== 0 || offset >= UserStruct.size) return -EIO;
  if (offset < UserRegsStruct.size) return getWord(task, offset);
  const register = debugRegisterAt(offset);
  return register < 0 ? 0n : (task.debug ?? NO_DEBUG_REGISTERS).read(register);
}

/** PTRACE_POKEUSER: 0 or -errno. */
export function pokeUser(task: Task, offset: number, value: bigint): number {
  if (offset % WORD_BYTES !== 0 || offset >= UserStruct.size) return -EIO;
  if (offset < UserRegsStruct.size) {
    const result = setWord(task, offset, value);
    recheckRestart(task);
    return result;
  }
  const register = debugRegisterAt(offset);
  return register < 0 ? -EIO : setDebugRegister(task, register, value);
}

/** Sizes of the register sets. A processor without XSAVE has no state to give by it: Linux then answers ENODEV. */
const REGSET_BYTES: Readonly<Record<number, number>> = {
  [NT_PRSTATUS]: UserRegsStruct.size,
  [NT_PRFPREG]: FPU_BYTES,
  [NT_X86_XSTATE]: 0,
  [NT_386_IOPERM]: 8192,
};

/** A register set of PTRACE_GETREGSET: its bytes, or -errno. `length` is what the tracer has room for. */
export function readRegset(task: Task, type: number, length: number): Uint8Array | number {
  if (REGSET_BYTES[type] === undefined || length % WORD_BYTES !== 0) return -EINVAL;
  if (type === NT_X86_XSTATE) return -ENODEV;
  // No task may use ports.
  if (type === NT_386_IOPERM) return -ENXIO;
  const bytes = type === NT_PRSTATUS ? readGeneral(task) : readFloating(task);
  return bytes.subarray(0, length);
}

/** PTRACE_SETREGSET; `read` gives that many bytes of the tracer's, or undefined where there are none. */
export function writeRegset(
  task: Task,
  type: number,
  length: number,
  read: (length: number) => Uint8Array | undefined,
): { readonly result: number; readonly used: number } {
  const size = REGSET_BYTES[type];
  if (size === undefined || length % WORD_BYTES !== 0) return { result: -EINVAL, used: length };
  const used = Math.min(length, size);
  if (type === NT_X86_XSTATE) return { result: -ENODEV, used };
  if (type === NT_386_IOPERM) return { result: -EOPNOTSUPP, used };
  const bytes = read(used);
  if (bytes === undefined) return { result: -EFAULT, used };
  return { result: type === NT_PRSTATUS ? writeGeneral(task, bytes) : writeFloating(task, bytes), used };
}
