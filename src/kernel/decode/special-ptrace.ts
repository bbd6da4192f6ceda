// SPDX-License-Identifier: MIT
//
// ptrace(2) and seccomp(2): requests with arguments of their own, registers by name.

import * as abi from '../../abi/ptrace.ts';
import * as seccomp from '../../abi/seccomp.ts';
import { SockFprog } from '../../abi/seccomp.ts';
import { SIGSET_BYTES, Siginfo } from '../../abi/signal-frame.ts';
import { NSIG, signalName } from '../../abi/signal.ts';
import { getU64 } from '../../abi/words.ts';
import { hex } from '../../base/addr.ts';
import { FPU_BYTES } from '../../cpu/cpu.ts';
import { enumTable, nameIn } from './enums.ts';
import type { EnumTable } from './enums.ts';
import { namesOf } from './flags.ts';
import type { FlagTable } from './flags.ts';
import type { RawArgs } from './kinds.ts';
import { arrayText, input, isError, output, printerOf } from './printers.ts';
import type { Call, Printer } from './printers.ts';
import { floatingText, peekSiginfoText, registersText, syscallInfoText, userOffsetText } from './ptrace-registers.ts';
import { readStruct, readU64 } from './reader.ts';
import { pointerText, siginfoText } from './signal-text.ts';
import type { SpecialArg, SpecialCalls } from './special-call.ts';

const WORD_BYTES = 8;

const REQUESTS = enumTable('PTRACE_???', abi, /^PTRACE_(?!O_|EVENT|SYSCALL_INFO|PEEKSIGINFO_SHARED)/);
/** Register sets as the C library's elf.h names them. */
const NOTES: EnumTable = {
  unknown: 'NT_???',
  names: new Map([
    [abi.NT_PRSTATUS, 'NT_PRSTATUS'],
    [abi.NT_PRFPREG, 'NT_FPREGSET'],
    [abi.NT_386_IOPERM, 'NT_386_IOPERM'],
    [abi.NT_X86_XSTATE, 'NT_X86_XSTATE'],
  ]),
};
const OPERATIONS = enumTable('SECCOMP_SET_MODE_???', seccomp, /^SECCOMP_(SET_MODE|GET)_/);
const ACTIONS = enumTable('SECCOMP_RET_???', seccomp, /^SECCOMP_RET_(?!ACTION|DATA)/);

/** Flags of a module in the order of their bits. */
function flagTable(unknown: string, module: Readonly<Record<string, unknown>>, pattern: RegExp): FlagTable {
  const flags = [...enumTable(unknown, module, pattern).names].sort(([x], [y]) => x - y);
  return { unknown, entries: flags.map(([bits, name]) => [name, bits]) };
}

const OPTIONS = flagTable('PTRACE_O_???', abi, /^PTRACE_O_(?!MASK)/);
const FILTER_FLAGS = flagTable('SECCOMP_FILTER_FLAG_???', seccomp, /^SECCOMP_FILTER_FLAG_/);

const PEEK_FLAGS: FlagTable = {
  unknown: 'PTRACE_PEEKSIGINFO_???',
  entries: [['PTRACE_PEEKSIGINFO_SHARED', abi.PTRACE_PEEKSIGINFO_SHARED]],
};

const POINTER = printerOf('ptr');
const SIZE = printerOf('size');
const WORD = input(({ args }, i) => (args.big(i) === 0n ? '0' : hex(args.big(i))));
const SIGNAL = input(({ args }, i) => {
  const signo = args.int(i);
  return signo >= 1 && signo <= NSIG ? signalName(signo) : String(signo);
});
const SIGINFO_OUT = printerOf('out:siginfo');
const SIGINFO_IN = printerOf('in:siginfo');

const { size: GENERAL_BYTES } = abi.UserRegsStruct;
const REGISTERS_OUT = output(({ args, memory }, i) => registersText(memory, args.num(i), GENERAL_BYTES));
const REGISTERS_IN = input(({ args, memory }, i) => registersText(memory, args.num(i), GENERAL_BYTES));
const FLOATING_OUT = output(({ args, memory }, i) => floatingText(memory, args.num(i), FPU_BYTES));
const FLOATING_IN = input(({ args, memory }, i) => floatingText(memory, args.num(i), FPU_BYTES));
const USER_OFFSET = input(({ args }, i) => userOffsetText(args.big(i)));

/** The word that was read: an address, or a number. */
const ADDRESS_OUT = output(({ args, memory }, i) => {
  const view = readStruct(memory, args.num(i), WORD_BYTES);
  return view === undefined ? pointerText(args.big(i)) : `[${pointerText(view.getBigUint64(0, true))}]`;
});
const NUMBER_OUT = output(({ args, memory }, i) => {
  const value = readU64(memory, args.num(i));
  return value === undefined ? pointerText(args.big(i)) : `[${value}]`;
});

/** The struct iovec of a register set. */
function registerSetText({ args, memory, before }: Call, i: number, isThere: boolean): string {
  const view = args.num(i) === 0 ? undefined : readStruct(memory, args.num(i), 2 * WORD_BYTES);
  if (view === undefined) return pointerText(args.big(i));
  const base = getU64(view, 0);
  const length = getU64(view, WORD_BYTES);
  const text = { [abi.NT_PRSTATUS]: registersText, [abi.NT_PRFPREG]: floatingText }[args.num(2)];
  const data = isThere && text !== undefined ? text(memory, base, length) : pointerText(base);
  const changed = before === undefined || before === length ? '' : `${before} => `;
  return `{iov_base=${data}, iov_len=${changed}${length}}`;
}

const REGISTER_SET_OUT: Printer = { exit: (call, i, result) => registerSetText(call, i, !isError(result)) };
const REGISTER_SET_IN = input((call, i) => registerSetText(call, i, true));

const SYSCALL_INFO = output(({ args, memory }, i, result) =>
  syscallInfoText(memory, args.num(i), Math.min(args.num(2), result)),
);
const PEEKED = input(({ args, memory }, i) =>
  peekSiginfoText(memory, args.num(i), (flags) => namesOf(flags, PEEK_FLAGS)),
);
const SIGINFOS = output(({ args, memory }, i, result) =>
  arrayText(memory, args.num(i), result, Siginfo.size, siginfoText),
);
/** struct seccomp_metadata: the number of a filter, and what the kernel tells of it. */
const METADATA: Printer = {
  exit: ({ args, memory }, i, result) => {
    const isHeld = args.num(2) >= WORD_BYTES;
    const index = isHeld ? readStruct(memory, args.num(i), WORD_BYTES) : undefined;
    if (index === undefined) return pointerText(args.big(i));
    const flags = result >= 2 * WORD_BYTES ? readU64(memory, args.num(i) + WORD_BYTES) : undefined;
    const text = flags === undefined ? '' : `, flags=${namesOf(flags, FILTER_FLAGS)}`;
    return `{filter_off=${index.getBigUint64(0, true)}${text}}`;
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
      return [at(POINTER, 2), at(ADDRESS_OUT, 3)];
    case abi.PTRACE_POKETEXT:
    case abi.PTRACE_POKEDATA:
      return [at(POINTER, 2), at(POINTER, 3)];
    case abi.PTRACE_PEEKUSER:
      return [at(USER_OFFSET, 2), at(ADDRESS_OUT, 3)];
    case abi.PTRACE_POKEUSER:
      return [at(USER_OFFSET, 2), at(POINTER, 3)];
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
      return [at(FLOATING_OUT, 3)];
    case abi.PTRACE_SETFPREGS:
      return [at(FLOATING_IN, 3)];
    case abi.PTRACE_GETREGSET:
      return [at(NOTE, 2), at(REGISTER_SET_OUT, 3)];
    case abi.PTRACE_SETREGSET:
      return [at(NOTE, 2), at(REGISTER_SET_IN, 3)];
    case abi.PTRACE_SETOPTIONS:
    case abi.PTRACE_OLDSETOPTIONS:
    case abi.PTRACE_SEIZE:
      return [at(POINTER, 2), at(OPTIONS_IN, 3)];
    case abi.PTRACE_GETEVENTMSG:
      return [at(POINTER, 2), at(NUMBER_OUT, 3)];
    case abi.PTRACE_GETSIGINFO:
      return [at(POINTER, 2), at(SIGINFO_OUT, 3)];
    case abi.PTRACE_SETSIGINFO:
      return [at(POINTER, 2), at(SIGINFO_IN, 3)];
    case abi.PTRACE_GETSIGMASK:
      return [at(SIZE, 2), at(printerOf('out:sigset'), 3)];
    case abi.PTRACE_SETSIGMASK:
      return [at(SIZE, 2), at(args.num(2) === SIGSET_BYTES ? printerOf('in:sigset') : POINTER, 3)];
    case abi.PTRACE_PEEKSIGINFO:
      return [at(PEEKED, 2), at(SIGINFOS, 3)];
    case abi.PTRACE_GET_SYSCALL_INFO:
      return [at(SIZE, 2), at(SYSCALL_INFO, 3)];
    case abi.PTRACE_SECCOMP_GET_FILTER:
      return [at(SIZE, 2), at(POINTER, 3)];
    case abi.PTRACE_SECCOMP_GET_METADATA:
      return [at(SIZE, 2), at(METADATA, 3)];
    default:
      return [at(POINTER, 2), at(POINTER, 3)];
  }
}

function at(printer: Printer, index: number): SpecialArg {
  return [printer, index];
}

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
    before: ({ args, memory }) =>
      args.num(0) === abi.PTRACE_GETREGSET ? readU64(memory, args.num(3) + WORD_BYTES) : undefined,
    args: (args) => (args.num(0) === abi.PTRACE_TRACEME ? [REQUEST] : [REQUEST, printerOf('pid'), ...operands(args)]),
  },
  seccomp: { args: (args) => [input(({ args: a }, i) => nameIn(OPERATIONS, a.uint(i))), ...seccompOperands(args)] },
};
