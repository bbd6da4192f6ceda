// SPDX-License-Identifier: MIT
//
// What a tracer may ask about a stop: its signal, signals that wait, and the system call. Models Linux kernel/ptrace.c
// (ptrace_peek_siginfo, ptrace_get_syscall_info).

import {
  PTRACE_EVENTMSG_SYSCALL_ENTRY,
  PTRACE_EVENTMSG_SYSCALL_EXIT,
  PTRACE_EVENT_SECCOMP,
  PTRACE_SYSCALL_INFO_ENTRY,
  PTRACE_SYSCALL_INFO_EXIT,
  PTRACE_SYSCALL_INFO_NONE,
  PTRACE_SYSCALL_INFO_SECCOMP,
  PtraceSyscallInfo,
  SYSGOOD_BIT,
} from '../../abi/ptrace.ts';
import { AUDIT_ARCH_X86_64 } from '../../abi/signal-frame.ts';
import { SIGTRAP } from '../../abi/signal.ts';
import { viewOf } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import type { Tracee } from './tracee.ts';

const MAX_ERRNO = 4095;
const ARGUMENTS = [Reg.rdi, Reg.rsi, Reg.rdx, Reg.r10, Reg.r8, Reg.r9] as const;

function opOf({ info, message }: Tracee): number {
  switch (info?.code) {
    case SIGTRAP | SYSGOOD_BIT:
      if (message === PTRACE_EVENTMSG_SYSCALL_ENTRY) return PTRACE_SYSCALL_INFO_ENTRY;
      return message === PTRACE_EVENTMSG_SYSCALL_EXIT ? PTRACE_SYSCALL_INFO_EXIT : PTRACE_SYSCALL_INFO_NONE;
    case SIGTRAP | (PTRACE_EVENT_SECCOMP << 8):
      return PTRACE_SYSCALL_INFO_SECCOMP;
    default:
      return PTRACE_SYSCALL_INFO_NONE;
  }
}

/** struct ptrace_syscall_info, as long as the kind of stop makes it. */
export function syscallInfo(tracee: Tracee): Uint8Array {
  const { task } = tracee;
  const { regs } = task;
  const op = opOf(tracee);
  const bytes = new Uint8Array(PtraceSyscallInfo.size);
  const v = viewOf(bytes);
  bytes[PtraceSyscallInfo.op] = op;
  v.setUint32(PtraceSyscallInfo.arch, AUDIT_ARCH_X86_64, true);
  v.setBigUint64(PtraceSyscallInfo.ip, regs.u64[Reg.rip] as bigint, true);
  v.setBigUint64(PtraceSyscallInfo.sp, regs.u64[Reg.rsp] as bigint, true);
  if (op === PTRACE_SYSCALL_INFO_EXIT) {
    const result = regs.getSigned(Reg.rax);
    v.setBigUint64(PtraceSyscallInfo.rval, regs.u64[Reg.rax] as bigint, true);
    bytes[PtraceSyscallInfo.isError] = result < 0 && result >= -MAX_ERRNO ? 1 : 0;
    return bytes.subarray(0, PtraceSyscallInfo.exitEnd);
  }
  if (op === PTRACE_SYSCALL_INFO_NONE) return bytes.subarray(0, PtraceSyscallInfo.noneEnd);
  v.setBigInt64(PtraceSyscallInfo.nr, BigInt(task.sysno | 0), true);
  ARGUMENTS.forEach((reg, i) => v.setBigUint64(PtraceSyscallInfo.args + 8 * i, regs.u64[reg] as bigint, true));
  if (op === PTRACE_SYSCALL_INFO_ENTRY) return bytes.subarray(0, PtraceSyscallInfo.entryEnd);
  v.setUint32(PtraceSyscallInfo.retData, tracee.message, true);
  return bytes.subarray(0, PtraceSyscallInfo.seccompEnd);
}
