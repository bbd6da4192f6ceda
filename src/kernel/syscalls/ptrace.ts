// SPDX-License-Identifier: MIT
//
// ptrace(2): its requests. What they do to tracees is in ../ptrace/. Models Linux kernel/ptrace.c (ptrace_request) and
// arch/x86/kernel/ptrace.c (arch_ptrace).

import { EACCES, EFAULT, EINVAL, EIO, ENOENT, EPERM, ESRCH } from '../../abi/errno.ts';
import { ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS } from '../../abi/prctl.ts';
import * as abi from '../../abi/ptrace.ts';
import { SECCOMP_FILTER_FLAG_LOG } from '../../abi/seccomp.ts';
import { SIGSET_BYTES, Siginfo } from '../../abi/signal-frame.ts';
import { NSIG, SIGKILL, SI_USER } from '../../abi/signal.ts';
import { getU64 } from '../../abi/words.ts';
import { USER_HALF_END } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import { writeForced } from '../../mm/forced-access.ts';
import { EventKind } from '../../trace/events.ts';
import { Cap, hasCap } from '../credentials.ts';
import { syscallInfo } from '../ptrace/inspect.ts';
import {
  peekUser,
  pokeUser,
  readFloating,
  readGeneral,
  readRegset,
  writeFloating,
  writeGeneral,
  writeRegset,
} from '../ptrace/registers.ts';
import { attach, checkOptions, detach, traceMe } from '../ptrace/relation.ts';
import type { Resumption, Tracee } from '../ptrace/tracee.ts';
import { RUN_ON } from '../ptrace/tracee.ts';
import type { SeccompFilter } from '../seccomp/seccomp-filter.ts';
import { readSigset, setMask, writeSigset } from '../signals/masks.ts';
import { sendSignal } from '../signals/send.ts';
import { killInfo, rawInfo } from '../signals/siginfo.ts';
import type { Task } from '../task.ts';
import type { Args, SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const WORD_BYTES = 8;

/** One request on a tracee, the caller's arguments with it. */
interface Request {
  /** The tracer. */
  readonly caller: Task;
  readonly tracee: Tracee;
  readonly addr: number;
  readonly data: number;
  /** `data` in full. */
  readonly word: bigint;
}

type Handler = (request: Request) => number;

function peek({ caller, tracee, addr, data }: Request): number {
  const bytes = new Uint8Array(WORD_BYTES);
  if (tracee.task.mm.copyIn(addr, bytes, true) !== WORD_BYTES) return -EIO;
  return writeBytes(caller, data, bytes);
}

function poke({ tracee, addr, word }: Request): number {
  const bytes = new Uint8Array(WORD_BYTES);
  viewOf(bytes).setBigUint64(0, word, true);
  return writeForced(tracee.task.mm, addr, bytes) === WORD_BYTES ? 0 : -EIO;
}

function peekUserWord({ caller, tracee, addr, data }: Request): number {
  const value = peekUser(tracee.task, addr);
  if (typeof value === 'number') return value;
  return caller.mm.writeU64(data, value) ? 0 : -EFAULT;
}

/** A block of registers of a fixed size. */
function setBlock(
  { caller, tracee, data }: Request,
  size: number,
  write: (task: Task, bytes: Uint8Array) => number,
): number {
  const bytes = readBytes(caller, data, size);
  return bytes === undefined ? -EFAULT : write(tracee.task, bytes);
}

/** The struct iovec at `data`. */
function readIovec({ caller, data }: Request): { readonly base: number; readonly length: number } | undefined {
  const bytes = readBytes(caller, data, 2 * WORD_BYTES);
  if (bytes === undefined) return undefined;
  const v = viewOf(bytes);
  return { base: getU64(v, 0), length: getU64(v, WORD_BYTES) };
}

function getRegset(request: Request): number {
  const { caller, tracee, addr, data } = request;
  const iov = readIovec(request);
  if (iov === undefined) return -EFAULT;
  const bytes = readRegset(tracee.task, addr, iov.length);
  if (typeof bytes === 'number') return bytes;
  if (writeBytes(caller, iov.base, bytes) < 0) return -EFAULT;
  return caller.mm.writeU64(data + WORD_BYTES, bytes.length) ? 0 : -EFAULT;
}

function setRegset(request: Request): number {
  const { caller, tracee, addr, data } = request;
  const iov = readIovec(request);
  if (iov === undefined) return -EFAULT;
  const { result, used } = writeRegset(tracee.task, addr, iov.length, (length) => readBytes(caller, iov.base, length));
  if (result !== 0) return result;
  return caller.mm.writeU64(data + WORD_BYTES, used) ? 0 : -EFAULT;
}

/** Lets the tracee go on. */
function resume(name: number, resumption: Resumption): Handler {
  return ({ tracee, data }) => {
    if (data > NSIG) return -EIO;
    const { task } = tracee;
    tracee.resumption = resumption;
    if (resumption.steps) tracee.forceTrapFlag();
    else tracee.releaseTrapFlag();
    tracee.signal = data;
    task.kernel.trace.emit(EventKind.ptraceResumed, task.tid, tracee.tracer.tid, name, data);
    tracee.wake();
    return 0;
  };
}

function getSiginfo({ caller, tracee, data }: Request): number {
  return tracee.info === null ? -EINVAL : writeBytes(caller, data, tracee.info.bytes);
}

function setSiginfo({ caller, tracee, data }: Request): number {
  const bytes = readBytes(caller, data, Siginfo.size);
  if (bytes === undefined) return -EFAULT;
  if (tracee.info === null) return -EINVAL;
  tracee.info = rawInfo(viewOf(bytes).getInt32(Siginfo.signo, true), bytes);
  return 0;
}

function peekSiginfo({ caller, tracee, addr, data }: Request): number {
  const layout = abi.PeekSiginfoArgs;
  const args = readBytes(caller, addr, layout.size);
  if (args === undefined) return -EFAULT;
  const v = viewOf(args);
  const flags = v.getUint32(layout.flags, true);
  const count = v.getInt32(layout.nr, true);
  if ((flags & ~abi.PTRACE_PEEKSIGINFO_SHARED) !== 0 || count < 0) return -EINVAL;
  const { task } = tracee;
  const { pending } = (flags & abi.PTRACE_PEEKSIGINFO_SHARED) === 0 ? task : task.group;
  const first = getU64(v, layout.off);
  let done = 0;
  for (; done < count; done++) {
    const info = pending.at(first + done);
    if (info === undefined) break;
    if (writeBytes(caller, data + done * Siginfo.size, info.bytes) < 0) return done > 0 ? done : -EFAULT;
  }
  return done;
}

function getSigmask({ caller, tracee, addr, data }: Request): number {
  const { task } = tracee;
  return addr === SIGSET_BYTES ? writeSigset(caller, data, task.savedMask ?? task.mask) : -EINVAL;
}

function setSigmask({ caller, tracee, addr, data }: Request): number {
  const set = readSigset(caller, data, addr);
  if (typeof set === 'number') return set;
  tracee.task.savedMask = null;
  setMask(tracee.task, set);
  return 0;
}

function listen({ tracee }: Request): number {
  const { info } = tracee;
  if (!tracee.isSeized || info === null || info.code >> 8 !== abi.PTRACE_EVENT_STOP) return -EIO;
  tracee.isListening = true;
  if (tracee.hasNotice) tracee.wake();
  return 0;
}

function setOptions({ caller, tracee, data }: Request): number {
  const bad = checkOptions(caller, data);
  if (bad === 0) tracee.options = data;
  return bad;
}

function getSyscallInfo({ caller, tracee, addr, data }: Request): number {
  const bytes = syscallInfo(tracee);
  return writeBytes(caller, data, bytes.subarray(0, addr)) < 0 ? -EFAULT : bytes.length;
}

function getRseq({ caller, tracee, addr, data }: Request): number {
  const { task } = tracee;
  const bytes = new Uint8Array(abi.PtraceRseq.size);
  const v = viewOf(bytes);
  v.setBigUint64(abi.PtraceRseq.pointer, BigInt(task.rseqAddr), true);
  v.setUint32(abi.PtraceRseq.length, task.rseqLength, true);
  v.setUint32(abi.PtraceRseq.signature, task.rseqSignature, true);
  return writeBytes(caller, data, bytes.subarray(0, addr)) < 0 ? -EFAULT : bytes.length;
}

/** A filter of the tracee's by number, or -errno: for those who have all rights and no filter themselves. */
function filterOf({ caller, tracee }: Request, index: number): SeccompFilter | number {
  if (!hasCap(caller.creds, Cap.sysAdmin) || caller.seccomp !== null) return -EACCES;
  const { seccomp } = tracee.task;
  return seccomp === null || seccomp === 'strict' ? -EINVAL : (seccomp.at(index) ?? -ENOENT);
}

/** The program of a filter; its length alone without a place for it. */
function getSeccompFilter(request: Request): number {
  const { caller, addr, data } = request;
  const filter = filterOf(request, addr);
  if (typeof filter === 'number') return filter;
  const { program } = filter;
  return data !== 0 && writeBytes(caller, data, program.bytes()) < 0 ? -EFAULT : program.length;
}

/** struct seccomp_metadata: the number of a filter goes in, its flags come out. */
function getSeccompMetadata(request: Request): number {
  const { caller, addr, data } = request;
  if (!hasCap(caller.creds, Cap.sysAdmin) || caller.seccomp !== null) return -EACCES;
  if (addr < WORD_BYTES) return -EINVAL;
  const index = readBytes(caller, data, WORD_BYTES);
  if (index === undefined) return -EFAULT;
  const filter = filterOf(request, getU64(viewOf(index), 0));
  if (typeof filter === 'number') return filter;
  const bytes = new Uint8Array(2 * WORD_BYTES);
  bytes.set(index);
  viewOf(bytes).setBigUint64(WORD_BYTES, BigInt(filter.logs ? SECCOMP_FILTER_FLAG_LOG : 0), true);
  const told = bytes.subarray(0, addr);
  return writeBytes(caller, data, told) < 0 ? -EFAULT : told.length;
}

/** arch_prctl on the tracee: `data` is the code. */
function archPrctl({ caller, tracee, addr, data }: Request): number {
  const { task } = tracee;
  const { platform } = task.kernel;
  switch (data) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      if (addr >= USER_HALF_END) return -EPERM;
      if (data === ARCH_SET_GS) platform.setGuestGsBase(task, addr);
      else task.regs.set(Reg.fsBase, addr);
      return 0;
    case ARCH_GET_FS:
      return caller.mm.writeU64(addr, task.regs.u64[Reg.fsBase] as bigint) ? 0 : -EFAULT;
    case ARCH_GET_GS:
      return caller.mm.writeU64(addr, platform.guestGsBase(task)) ? 0 : -EFAULT;
    default:
      return -EINVAL;
  }
}

const CALLS: Resumption = { ...RUN_ON, stopsAtCalls: true };
const STEPS: Resumption = { ...RUN_ON, steps: true };
const SKIPS: Resumption = { ...RUN_ON, skipsCalls: true };
const SKIPS_AND_STEPS: Resumption = { ...SKIPS, steps: true };

/** Requests on a stopped tracee; all others are EIO. */
const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [abi.PTRACE_PEEKTEXT, peek],
  [abi.PTRACE_PEEKDATA, peek],
  [abi.PTRACE_PEEKUSER, peekUserWord],
  [abi.PTRACE_POKETEXT, poke],
  [abi.PTRACE_POKEDATA, poke],
  [abi.PTRACE_POKEUSER, ({ tracee, addr, word }) => pokeUser(tracee.task, addr, word)],
  [abi.PTRACE_CONT, resume(abi.PTRACE_CONT, RUN_ON)],
  [abi.PTRACE_SYSCALL, resume(abi.PTRACE_SYSCALL, CALLS)],
  [abi.PTRACE_SINGLESTEP, resume(abi.PTRACE_SINGLESTEP, STEPS)],
  // As in virtual machines, whose processors have no stop at branches: every instruction is a block.
  [abi.PTRACE_SINGLEBLOCK, resume(abi.PTRACE_SINGLEBLOCK, STEPS)],
  [abi.PTRACE_SYSEMU, resume(abi.PTRACE_SYSEMU, SKIPS)],
  [abi.PTRACE_SYSEMU_SINGLESTEP, resume(abi.PTRACE_SYSEMU_SINGLESTEP, SKIPS_AND_STEPS)],
  [abi.PTRACE_GETREGS, ({ caller, tracee, data }) => writeBytes(caller, data, readGeneral(tracee.task))],
  [abi.PTRACE_SETREGS, (r) => setBlock(r, abi.UserRegsStruct.size, writeGeneral)],
  [abi.PTRACE_GETFPREGS, ({ caller, tracee, data }) => writeBytes(caller, data, readFloating(tracee.task))],
  [abi.PTRACE_SETFPREGS, (r) => setBlock(r, 512, writeFloating)],
  [abi.PTRACE_GETREGSET, getRegset],
  [abi.PTRACE_SETREGSET, setRegset],
  [abi.PTRACE_GETSIGINFO, getSiginfo],
  [abi.PTRACE_SETSIGINFO, setSiginfo],
  [abi.PTRACE_PEEKSIGINFO, peekSiginfo],
  [abi.PTRACE_GETSIGMASK, getSigmask],
  [abi.PTRACE_SETSIGMASK, setSigmask],
  [abi.PTRACE_GETEVENTMSG, ({ caller, tracee, data }) => (caller.mm.writeU64(data, tracee.message) ? 0 : -EFAULT)],
  [abi.PTRACE_SETOPTIONS, setOptions],
  [abi.PTRACE_OLDSETOPTIONS, setOptions],
  [abi.PTRACE_LISTEN, listen],
  [abi.PTRACE_GET_SYSCALL_INFO, getSyscallInfo],
  [abi.PTRACE_GET_RSEQ_CONFIGURATION, getRseq],
  [abi.PTRACE_SECCOMP_GET_FILTER, getSeccompFilter],
  [abi.PTRACE_SECCOMP_GET_METADATA, getSeccompMetadata],
  [abi.PTRACE_ARCH_PRCTL, archPrctl],
  [
    abi.PTRACE_DETACH,
    ({ tracee, data }): number => {
      if (data > NSIG) return -EIO;
      detach(tracee, data);
      return 0;
    },
  ],
]);

function ptrace(caller: Task, a: Args): number {
  const request = a.num(0);
  if (request === abi.PTRACE_TRACEME) return traceMe(caller);
  const task = caller.kernel.task(a.int(1));
  if (task === undefined) return -ESRCH;
  const addr = a.num(2);
  if (request === abi.PTRACE_ATTACH) return attach(caller, task, null, addr);
  if (request === abi.PTRACE_SEIZE) return attach(caller, task, a.num(3), addr);
  const { tracee } = task;
  if (tracee === null || tracee.tracer !== caller || task.state === 'ended') return -ESRCH;
  if (request === abi.PTRACE_KILL) {
    sendSignal(task.group, task, killInfo(SIGKILL, SI_USER, caller.group.tgid, caller.creds.uid));
    return 0;
  }
  if (request === abi.PTRACE_INTERRUPT) {
    if (!tracee.isSeized) return -EIO;
    tracee.interrupt();
    return 0;
  }
  if (task.state !== 'traced' || tracee.isListening) return -ESRCH;
  const handler = HANDLERS.get(request);
  return handler === undefined ? -EIO : handler({ caller, tracee, addr, data: a.num(3), word: a.big(3) });
}

export const ptraceCalls: readonly SyscallDef[] = [
  {
    nr: 101,
    name: 'ptrace',
    args: ['hex', 'pid', 'ptr', 'ptr'],
    partial: 'thread areas; block steps are single steps; NT_X86_XSTATE gives ENODEV, as on a processor without XSAVE',
    call: ptrace,
  },
];
