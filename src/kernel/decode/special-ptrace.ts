// SPDX-License-Identifier: MIT
//
// ptrace(2) and seccomp(2): requests with arguments of their own, registers by name.

import * as abi from '../../abi/ptrace.ts';
import * as seccomp from '../../abi/seccomp.ts';
import { SockFprog } from '../../abi/seccomp.ts';
import { signalName } from '../../abi/signal.ts';
import { getU64 } from '../../abi/words.ts';
import { hex } from '../../base/addr.ts';
import { enumTable, nameIn } from './enums.ts';
import { namesOf } from './flags.ts';
import type { FlagTable } from './flags.ts';
import type { GuestMemory, RawArgs } from './kinds.ts';
import { bufferText, input, isError, output, printerOf } from './printers.ts';
import type { Printer } from './printers.ts';
import { readStruct, readU64 } from './reader.ts';
import { pointerText } from './signal-text.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';

const REQUESTS = enumTable('PTRACE_???', abi, /^PTRACE_(?!O_|EVENT|SYSCALL_INFO|PEEKSIGINFO_SHARED)/);
const NOTES = enumTable('NT_???', abi, /^NT_/);
const OPERATIONS = enumTable('SECCOMP_SET_MODE_???', seccomp, /^SECCOMP_(SET_MODE|GET)_/);
const ACTIONS = enumTable('SECCOMP_RET_???', seccomp, /^SECCOMP_RET_(?!ACTION|DATA)/);

/** Flags of a module in the order of their bits. */
function flagTable(unknown: string, module: Readonly<Record<string, unknown>>, pattern: RegExp): FlagTable {
  const flags = [...enumTable(unknown, module, pattern).names].sort(([x], [y]) => x - y);
  return { unknown, entries: flags.map(([bits, name]) => [name, bits]) };
}

const OPTIONS = flagTable('PTRACE_O_???', abi, /^PTRACE_O_(?!MASK)/);
const FILTER_FLAGS = flagTable('SECCOMP_FILTER_FLAG_???', seccomp, /^SECCOMP_FILTER_FLAG_/);

/** Registers in the order of struct user_regs_struct, as strace names them. */
const REGISTERS = Object.entries(abi.UserRegsStruct)
  .filter(([name]) => name !== 'size')
  .map(([name, at]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), at] as const);

const POINTER = printerOf('ptr');
const WORD = input(({ args }, i) => (args.big(i) === 0n ? '0' : hex(args.big(i))));
const SIGNAL = input(({ args }, i) => (args.num(i) === 0 ? '0' : signalName(args.num(i))));
const SIGINFO_OUT = printerOf('out:siginfo');
const SIGINFO_IN = printerOf('in:siginfo');

function registersText(memory: GuestMemory, addr: number): string {
  const view = addr === 0 ? undefined : readStruct(memory, addr, abi.UserRegsStruct.size);
  if (view === undefined) return pointerText(addr);
  const parts = REGISTERS.map(([name, at]) => {
    const value = view.getBigUint64(at, true);
    return `${name}=${value === 0n ? '0' : hex(value)}`;
  });
  return `{${parts.join(', ')}}`;
}

const REGISTERS_OUT = output(({ args, memory }, i) => registersText(memory, args.num(i)));
const REGISTERS_IN = input(({ args, memory }, i) => registersText(memory, args.num(i)));

/** An offset into struct user. */
const USER_OFFSET = input(({ args }, i) => {
  const offset = args.num(i);
  const register = REGISTERS.find(([, at]) => at === offset);
  if (register !== undefined) return `8*${register[0].toUpperCase()}`;
  const { debugRegisters, debugRegistersEnd } = abi.UserStruct;
  if (offset < debugRegisters || offset >= debugRegistersEnd) return WORD.enter?.({ args, memory: NO_MEMORY }, i) ?? '';
  const at = offset - debugRegisters;
  return `offsetof(struct user, u_debugreg)${at === 0 ? '' : ` + ${at}`}`;
});

const NO_MEMORY: GuestMemory = { copyIn: () => 0 };

/** The word that was read. */
const WORD_OUT = output(({ args, memory }, i) => {
  const value = readU64(memory, args.num(i));
  return value === undefined ? pointerText(args.big(i)) : `[${value === 0 ? '0' : hex(value)}]`;
});

/** A vector with registers; its length may come back shorter. */
const REGISTER_SET: Printer = {
  exit: ({ args, memory }, i, result) => {
    const view = readStruct(memory, args.num(i), 16);
    if (view === undefined) return pointerText(args.big(i));
    const base = getU64(view, 0);
    const length = getU64(view, 8);
    const isGeneral = args.num(2) === abi.NT_PRSTATUS && length >= abi.UserRegsStruct.size;
    let data = pointerText(base);
    if (!isError(result)) data = isGeneral ? registersText(memory, base) : bufferText(memory, base, length);
    return `{iov_base=${data}, iov_len=${length}}`;
  },
};

function optionsText(args: RawArgs, i: number): string {
  return namesOf(args.num(i), OPTIONS);
}

const REQUEST = input(({ args }, i) => nameIn(REQUESTS, args.num(i)));
const OPTIONS_IN = input(({ args }, i) => optionsText(args, i));
const NOTE = input(({ args }, i) => nameIn(NOTES, args.num(i)));

/** The arguments behind the pid. */
function operands(args: RawArgs): readonly SpecialArg[] {
  switch (args.num(0)) {
    case abi.PTRACE_ATTACH:
    case abi.PTRACE_INTERRUPT:
    case abi.PTRACE_LISTEN:
    case abi.PTRACE_KILL:
      return [];
    case abi.PTRACE_PEEKTEXT:
    case abi.PTRACE_PEEKDATA:
      return [at(POINTER, 2), at(WORD_OUT, 3)];
    case abi.PTRACE_POKETEXT:
    case abi.PTRACE_POKEDATA:
      return [at(POINTER, 2), at(WORD, 3)];
    case abi.PTRACE_PEEKUSER:
      return [at(USER_OFFSET, 2), at(WORD_OUT, 3)];
    case abi.PTRACE_POKEUSER:
      return [at(USER_OFFSET, 2), at(WORD, 3)];
    case abi.PTRACE_CONT:
    case abi.PTRACE_SYSCALL:
    case abi.PTRACE_SINGLESTEP:
    case abi.PTRACE_SINGLEBLOCK:
    case abi.PTRACE_SYSEMU:
    case abi.PTRACE_SYSEMU_SINGLESTEP:
    case abi.PTRACE_DETACH:
      return [at(POINTER, 2), at(SIGNAL, 3)];
    case abi.PTRACE_GETREGS:
      return [at(REGISTERS_OUT, 3)];
    case abi.PTRACE_SETREGS:
      return [at(REGISTERS_IN, 3)];
    case abi.PTRACE_GETFPREGS:
    case abi.PTRACE_SETFPREGS:
      return [at(POINTER, 3)];
    case abi.PTRACE_GETREGSET:
    case abi.PTRACE_SETREGSET:
      return [at(NOTE, 2), at(REGISTER_SET, 3)];
    case abi.PTRACE_SETOPTIONS:
    case abi.PTRACE_OLDSETOPTIONS:
    case abi.PTRACE_SEIZE:
      return [at(POINTER, 2), at(OPTIONS_IN, 3)];
    case abi.PTRACE_GETEVENTMSG:
      return [at(POINTER, 2), at(WORD_OUT, 3)];
    case abi.PTRACE_GETSIGINFO:
      return [at(POINTER, 2), at(SIGINFO_OUT, 3)];
    case abi.PTRACE_SETSIGINFO:
      return [at(POINTER, 2), at(SIGINFO_IN, 3)];
    case abi.PTRACE_GETSIGMASK:
      return [at(printerOf('size'), 2), at(printerOf('out:sigset'), 3)];
    case abi.PTRACE_SETSIGMASK:
      return [at(printerOf('size'), 2), at(printerOf('in:sigset'), 3)];
    case abi.PTRACE_GET_SYSCALL_INFO:
    case abi.PTRACE_GET_RSEQ_CONFIGURATION:
      return [at(printerOf('size'), 2), at(SYSCALL_INFO, 3)];
    default:
      return [at(POINTER, 2), at(POINTER, 3)];
  }
}

function at(printer: Printer, index: number): SpecialArg {
  return [printer, index];
}

const PLACES = ['PTRACE_SYSCALL_INFO_NONE', 'PTRACE_SYSCALL_INFO_ENTRY', 'PTRACE_SYSCALL_INFO_EXIT'];

/** struct ptrace_syscall_info, up to what says which kind it is. */
const SYSCALL_INFO = output(({ args, memory }, i) => {
  const view = args.num(2) < 24 ? undefined : readStruct(memory, args.num(i), 24);
  if (view === undefined || args.num(0) !== abi.PTRACE_GET_SYSCALL_INFO) return pointerText(args.big(i));
  const op = PLACES[view.getUint8(0)] ?? 'PTRACE_SYSCALL_INFO_SECCOMP';
  const pointer = hex(view.getBigUint64(8, true));
  return `{op=${op}, arch=AUDIT_ARCH_X86_64, instruction_pointer=${pointer}, stack_pointer=${hex(view.getBigUint64(16, true))}, ...}`;
});

const FILTER = input(({ args, memory }, i) => {
  const view = args.num(i) === 0 ? undefined : readStruct(memory, args.num(i), SockFprog.size);
  if (view === undefined) return pointerText(args.big(i));
  return `{len=${view.getUint16(SockFprog.length, true)}, filter=${pointerText(getU64(view, SockFprog.filter))}}`;
});
const ACTION = input(({ args, memory }, i) => {
  const view = readStruct(memory, args.num(i), 4);
  return view === undefined ? pointerText(args.big(i)) : `[${nameIn(ACTIONS, view.getUint32(0, true))}]`;
});
const SIZES = output(({ args, memory }, i) => {
  const view = readStruct(memory, args.num(i), 6);
  if (view === undefined) return pointerText(args.big(i));
  const [notification, response, data] = [0, 2, 4].map((offset) => view.getUint16(offset, true));
  return `{seccomp_notif=${notification}, seccomp_notif_resp=${response}, seccomp_data=${data}}`;
});

function seccompOperands(args: RawArgs): readonly SpecialArg[] {
  const flags = input(({ args: a }, i) => namesOf(a.uint(i), FILTER_FLAGS));
  switch (args.uint(0)) {
    case seccomp.SECCOMP_SET_MODE_FILTER:
      return [flags, FILTER];
    case seccomp.SECCOMP_GET_ACTION_AVAIL:
      return [WORD, ACTION];
    case seccomp.SECCOMP_GET_NOTIF_SIZES:
      return [WORD, SIZES];
    default:
      return [WORD, POINTER];
  }
}

export const PTRACE_SPECIALS: SpecialCalls = {
  ptrace: {
    args: (args) => (args.num(0) === abi.PTRACE_TRACEME ? [REQUEST] : [REQUEST, printerOf('pid'), ...operands(args)]),
  },
  seccomp: { args: (args) => [input(({ args: a }, i) => nameIn(OPERATIONS, a.uint(i))), ...seccompOperands(args)] },
};
