// SPDX-License-Identifier: MIT
//
// A call meets its task's filters before it is served. Models Linux kernel/seccomp.c (__secure_computing). A call at a
// patched site is judged as a trapped one: number, arguments and the address after its syscall instruction are the same.

import { ENOSYS } from '../../abi/errno.ts';
import { PTRACE_O_SUSPEND_SECCOMP } from '../../abi/ptrace.ts';
import { AUDIT_ARCH_X86_64 } from '../../abi/signal-frame.ts';
import {
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
  SeccompData,
} from '../../abi/seccomp.ts';
import { SIGKILL, SIGSYS } from '../../abi/signal.ts';
import { SYS } from '../../abi/sysno.ts';
import { signalStatus } from '../../abi/wait.ts';
import { Reg } from '../../cpu/regs.ts';
import { EventKind } from '../../trace/events.ts';
import { exitTask } from '../exit.ts';
import { stopForSeccomp } from '../ptrace/stops.ts';
import { forceDeath, forceSignal } from '../signals/force.ts';
import { seccompInfo } from '../signals/siginfo.ts';
import type { SyscallResult } from '../syscalls/table.ts';
import { REGS_SET, TASK_ENDED } from '../syscalls/table.ts';
import type { Task } from '../task.ts';
import { askListener } from './listener.ts';

const MAX_ERRNO = 4095;
/** Registers of the arguments, as words of struct seccomp_data's args. */
const ARGUMENTS = [Reg.rdi, Reg.rsi, Reg.rdx, Reg.r10, Reg.r8, Reg.r9] as const;
/** All that SECCOMP_MODE_STRICT lets pass. */
const STRICT_CALLS: readonly number[] = [SYS.read, SYS.write, SYS.exit, SYS.rt_sigreturn];

const data = new Uint32Array(SeccompData.size / 4);

function fillData(task: Task, sysno: number): Uint32Array {
  const words = task.regs.u32;
  data[0] = sysno;
  data[1] = AUDIT_ARCH_X86_64;
  data[2] = words[2 * Reg.rip] as number;
  data[3] = words[2 * Reg.rip + 1] as number;
  for (let i = 0; i < ARGUMENTS.length; i++) {
    const at = 2 * (ARGUMENTS[i] as number);
    data[4 + 2 * i] = words[at] as number;
    data[5 + 2 * i] = words[at + 1] as number;
  }
  return data;
}

/**
 * Whether the task may make the call: null lets it pass, anything else is its result.
 * @param isTraced a tracer has had its look at the call
 */
export function enforceSeccomp(task: Task, sysno: number, isTraced = false): SyscallResult | null {
  const { seccomp, tracee } = task;
  if (seccomp === null || (tracee !== null && (tracee.options & PTRACE_O_SUSPEND_SECCOMP) !== 0)) return null;
  if (seccomp === 'strict') return STRICT_CALLS.includes(sysno) ? null : endStrictly(task);
  if (seccomp.allows(sysno)) return null;
  const { value, author } = seccomp.judge(fillData(task, sysno));
  const detail = value & SECCOMP_RET_DATA;
  const action = (value & SECCOMP_RET_ACTION_FULL) >>> 0;
  if (action !== SECCOMP_RET_ALLOW) {
    task.kernel.trace.emit(EventKind.seccompAction, task.tid, value >>> 0, sysno, task.regs.get(Reg.rip));
  }
  switch (action) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
      return null;
    case SECCOMP_RET_ERRNO:
      return -Math.min(detail, MAX_ERRNO);
    case SECCOMP_RET_TRAP:
      // rax still holds the number: the handler may make the call itself.
      forceSignal(task, seccompInfo(detail, task.regs.u64[Reg.rip] as bigint, sysno, AUDIT_ARCH_X86_64));
      return REGS_SET;
    case SECCOMP_RET_USER_NOTIF:
      return askListener(task, author?.listener ?? null, data.slice());
    case SECCOMP_RET_TRACE:
      // A call is traced once; without a tracer that asked for it the call does not exist.
      if (isTraced) return null;
      return stopForSeccomp(task, detail) ?? -ENOSYS;
    case SECCOMP_RET_KILL_THREAD:
      if (task.group.tasks.length > 1) {
        exitTask(task, signalStatus(SIGSYS));
        return TASK_ENDED;
      }
      break;
  }
  // SECCOMP_RET_KILL_PROCESS, and actions that Linux does not know.
  forceDeath(task, seccompInfo(detail, task.regs.u64[Reg.rip] as bigint, sysno, AUDIT_ARCH_X86_64));
  return REGS_SET;
}

function endStrictly(task: Task): SyscallResult {
  exitTask(task, signalStatus(SIGKILL));
  return TASK_ENDED;
}
