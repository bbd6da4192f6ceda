// SPDX-License-Identifier: MIT
//
// What ptrace(2) transfers, as strace 6.1 prints it: registers by name, places in struct user, ptrace_syscall_info.
// Layouts: sys/user.h, include/uapi/linux/ptrace.h.

import { errnoName } from '../../abi/errno-text.ts';
import * as abi from '../../abi/ptrace.ts';
import { FpState } from '../../abi/signal-frame.ts';
import { getU64 } from '../../abi/words.ts';
import { syscallName } from '../../abi/sysno.ts';
import type { GuestMemory } from './kinds.ts';
import { readBytes, readStruct } from './reader.ts';
import { pointerText } from './signal-text.ts';
import { viewOf } from '../../base/bytes.ts';

/** Elements shown of an array. */
const ARRAY_LIMIT = 32;
const WORD_BYTES = 8;

function number(value: bigint | number): string {
  return value === 0n || value === 0 ? '0' : `0x${value.toString(16)}`;
}

/** struct user_regs_struct in the order of its words, as strace names them. */
const REGISTERS = Object.entries(abi.UserRegsStruct)
  .filter(([name]) => name !== 'size')
  .map(([name, at]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), at] as const);

/** The registers that `length` bytes at `addr` hold. */
export function registersText(memory: GuestMemory, addr: number, length: number): string {
  const bytes = length === 0 ? undefined : readBytes(memory, addr, Math.min(length, abi.UserRegsStruct.size));
  if (bytes === undefined || addr === 0) return pointerText(addr);
  const view = viewOf(bytes);
  const there = REGISTERS.filter(([, at]) => at + WORD_BYTES <= bytes.length);
  return `{${there.map(([name, at]) => `${name}=${number(view.getBigUint64(at, true))}`).join(', ')}}`;
}

/** Fields of struct user_fpregs_struct: name, offset, bytes of an element, elements. */
const FLOATING: readonly (readonly [string, number, 2 | 4 | 8, number])[] = [
  ['cwd', FpState.fcw, 2, 1],
  ['swd', FpState.fsw, 2, 1],
  ['ftw', FpState.ftw, 2, 1],
  ['fop', FpState.fop, 2, 1],
  ['rip', FpState.rip, 8, 1],
  ['rdp', FpState.rdp, 8, 1],
  ['mxcsr', FpState.mxcsr, 4, 1],
  ['mxcr_mask', FpState.mxcsrMask, 4, 1],
  ['st_space', FpState.st, 4, 32],
  ['xmm_space', FpState.xmm, 4, 64],
  ['padding', 416, 4, 24],
];

function elementText(view: DataView, at: number, bytes: 2 | 4 | 8): string {
  if (bytes === 8) return number(view.getBigUint64(at, true));
  return number(bytes === 4 ? view.getUint32(at, true) : view.getUint16(at, true));
}

/** The x87 and SSE registers that `length` bytes at `addr` hold. */
export function floatingText(memory: GuestMemory, addr: number, length: number): string {
  const bytes = length === 0 ? undefined : readBytes(memory, addr, Math.min(length, FpState.size));
  if (bytes === undefined || addr === 0) return pointerText(addr);
  const view = viewOf(bytes);
  const parts: string[] = [];
  for (const [name, at, size, count] of FLOATING) {
    const there = Math.min(count, Math.floor((bytes.length - at) / size));
    if (there <= 0) break;
    const shown = Array.from({ length: Math.min(there, ARRAY_LIMIT) }, (_, i) =>
      elementText(view, at + i * size, size),
    );
    const text = count === 1 ? shown.join('') : `[${shown.join(', ')}${there > ARRAY_LIMIT ? ', ...' : ''}]`;
    parts.push(`${name}=${text}`);
  }
  return `{${parts.join(', ')}}`;
}

/** Named places of struct user; what lies between is told as a distance from the one before. */
const PLACES: readonly (readonly [number, string])[] = [
  ...REGISTERS.filter(([, at]) => at <= abi.UserRegsStruct.ss).map(
    ([name, at]) => [at, `8*${name === 'eflags' ? 'EFL' : name.toUpperCase()}`] as const,
  ),
  ...(
    [
      [216, 'u_fpvalid'],
      [224, 'i387'],
      [736, 'u_tsize'],
      [744, 'u_dsize'],
      [752, 'u_ssize'],
      [760, 'start_code'],
      [768, 'start_stack'],
      [776, 'signal'],
      [784, 'reserved'],
      [792, 'u_ar0'],
      [800, 'u_fpstate'],
      [808, 'magic'],
      [816, 'u_comm'],
      [abi.UserStruct.debugRegisters, 'u_debugreg'],
    ] as const
  ).map(([at, name]) => [at, `offsetof(struct user, ${name})`] as const),
  // The C library's structure is shorter than the kernel's.
  [abi.UserStruct.debugRegistersEnd, 'sizeof(struct user)'],
];

/** An offset into struct user. */
export function userOffsetText(offset: bigint): string {
  if (offset > BigInt(abi.UserStruct.debugRegistersEnd)) return number(offset);
  const at = Number(offset);
  const [start, name] = PLACES.findLast(([place]) => place <= at) ?? [0, '8*R15'];
  return at === start ? name : `${name}+${at - start}`;
}

const OPERATIONS = ['NONE', 'ENTRY', 'EXIT', 'SECCOMP'];

/** The words of args that lie within `length` bytes. */
function argumentsText(view: DataView, length: number): string {
  const { args } = abi.PtraceSyscallInfo;
  const count = Math.max(0, Math.min(6, Math.floor((length - args) / WORD_BYTES)));
  const words = Array.from({ length: count }, (_, i) => number(view.getBigUint64(args + WORD_BYTES * i, true)));
  return count === 0 ? '' : `, args=[${words.join(', ')}]`;
}

/** A result, by name where it is an error's. */
function resultText(result: bigint): string {
  return result < 0n && result >= -4095n ? `-${errnoName(Number(-result))}` : String(result);
}

/** What is behind the common fields, as far as `length` bytes hold it. */
function operationText(view: DataView, op: number, length: number): string {
  const layout = abi.PtraceSyscallInfo;
  if (length < layout.noneEnd + WORD_BYTES || op === abi.PTRACE_SYSCALL_INFO_NONE) return '';
  if (op === abi.PTRACE_SYSCALL_INFO_EXIT) {
    const isError = length >= layout.exitEnd ? `, is_error=${view.getUint8(layout.isError)}` : '';
    return `, exit={rval=${resultText(view.getBigInt64(layout.rval, true))}${isError}}`;
  }
  const nr = `nr=__NR_${syscallName(getU64(view, layout.nr))}${argumentsText(view, length)}`;
  if (op === abi.PTRACE_SYSCALL_INFO_ENTRY) return `, entry={${nr}}`;
  const data = length >= layout.seccompEnd ? `, ret_data=${number(view.getUint32(layout.retData, true))}` : '';
  return `, seccomp={${nr}${data}}`;
}

/** struct ptrace_syscall_info, of which `length` bytes were written. */
export function syscallInfoText(memory: GuestMemory, addr: number, length: number): string {
  const layout = abi.PtraceSyscallInfo;
  const held = length < 1 ? undefined : readBytes(memory, addr, Math.min(length, layout.size));
  if (held === undefined) return pointerText(addr);
  const bytes = new Uint8Array(layout.size);
  bytes.set(held);
  const view = viewOf(bytes);
  const op = view.getUint8(layout.op);
  const parts = [`op=PTRACE_SYSCALL_INFO_${OPERATIONS[op] ?? '???'}`];
  if (length >= layout.arch + 4) parts.push('arch=AUDIT_ARCH_X86_64');
  if (length >= layout.ip + WORD_BYTES)
    parts.push(`instruction_pointer=${pointerText(view.getBigUint64(layout.ip, true))}`);
  if (length >= layout.sp + WORD_BYTES) parts.push(`stack_pointer=${pointerText(view.getBigUint64(layout.sp, true))}`);
  return `{${parts.join(', ')}${operationText(view, op, length)}}`;
}

/** struct ptrace_peeksiginfo_args. */
export function peekSiginfoText(memory: GuestMemory, addr: number, flagsText: (flags: number) => string): string {
  const layout = abi.PeekSiginfoArgs;
  const view = readStruct(memory, addr, layout.size);
  if (view === undefined || addr === 0) return pointerText(addr);
  const flags = flagsText(view.getUint32(layout.flags, true));
  return `{off=${view.getBigUint64(layout.off, true)}, flags=${flags}, nr=${view.getInt32(layout.nr, true)}}`;
}
