// SPDX-License-Identifier: MIT
//
// prctl(2) and arch_prctl(2): facts of a task that have no call of their own.

import { EFAULT, EINVAL, ENODEV, ENXIO, EPERM } from '../../abi/errno.ts';
import {
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_NAME,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_PDEATHSIG,
  PR_GET_SECCOMP,
  PR_GET_THP_DISABLE,
  PR_GET_TIMERSLACK,
  PR_GET_TIMING,
  PR_GET_TSC,
  PR_MCE_KILL_GET,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_NAME,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  PR_SET_PTRACER,
  PR_SET_SECCOMP,
  PR_SET_THP_DISABLE,
  PR_SET_TIMERSLACK,
  PR_SET_TIMING,
  PR_SET_TSC,
  PR_SET_VMA,
  PR_SET_VMA_ANON_NAME,
  PR_GET_IO_FLUSHER,
  PR_GET_SPECULATION_CTRL,
  PR_GET_TID_ADDRESS,
  PR_MCE_KILL,
  PR_MCE_KILL_CLEAR,
  PR_MCE_KILL_DEFAULT,
  PR_MCE_KILL_SET,
  PR_SET_IO_FLUSHER,
  PR_SET_MM,
  PR_SET_MM_AUXV,
  PR_SET_MM_MAP,
  PR_SET_MM_MAP_SIZE,
  PR_SET_SPECULATION_CTRL,
  PR_SPEC_L1D_FLUSH,
  PR_SPEC_NOT_AFFECTED,
  PR_TASK_PERF_EVENTS_DISABLE,
  PR_TASK_PERF_EVENTS_ENABLE,
  ARCH_CET_STATUS,
  ARCH_GET_FS,
  ARCH_GET_GS,
  ARCH_SET_FS,
  ARCH_SET_GS,
} from '../../abi/prctl.ts';
import { NSIG } from '../../abi/signal.ts';
import { USER_HALF_END } from '../../base/addr.ts';
import { fromLatin1, latin1Bytes } from '../../base/bytes.ts';
import { Reg } from '../../cpu/regs.ts';
import { EventKind } from '../../trace/events.ts';
import { Cap, hasCap } from '../credentials.ts';
import type { Task } from '../task.ts';
import { prctlCapabilities } from './prctl-capabilities.ts';
import { seccompMode, setSeccompMode } from './seccomp.ts';
import type { Args, SyscallDef } from './table.ts';
import { writeBytes } from './times.ts';

const NAME_BYTES = 16;
/** PR_SET_PTRACER_ANY. */
const ANYBODY = 2n ** 64n - 1n;

function archPrctl(task: Task, code: number, addr: number): number {
  const { platform } = task.kernel;
  switch (code) {
    case ARCH_SET_FS:
      if (addr >= USER_HALF_END) return -EPERM;
      task.regs.set(Reg.fsBase, addr);
      return 0;
    case ARCH_GET_FS:
      return task.mm.writeU64(addr, task.regs.u64[Reg.fsBase] as bigint) ? 0 : -EFAULT;
    case ARCH_SET_GS:
      if (task.kernel.options.refusesGs) return -EINVAL;
      if (addr >= USER_HALF_END) return -EPERM;
      platform.setGuestGsBase(task, addr);
      return 0;
    case ARCH_GET_GS:
      if (task.kernel.options.refusesGs) return -EINVAL;
      return task.mm.writeU64(addr, platform.guestGsBase(task)) ? 0 : -EFAULT;
    case ARCH_CET_STATUS:
    default:
      return -EINVAL;
  }
}

/** PR_MCE_KILL: kept, for there are no memory errors. */
function setMcePolicy(task: Task, a: Args): number {
  const policy = a.num(2);
  if (a.num(3) !== 0 || a.num(4) !== 0) return -EINVAL;
  if (a.num(1) === PR_MCE_KILL_CLEAR) {
    if (policy !== 0) return -EINVAL;
    task.mcePolicy = PR_MCE_KILL_DEFAULT;
    return 0;
  }
  if (a.num(1) !== PR_MCE_KILL_SET || policy > PR_MCE_KILL_DEFAULT) return -EINVAL;
  task.mcePolicy = policy;
  return 0;
}

/** PR_SET_MM: what a program is shown as stays what execve made of it. */
function setMemoryMap(task: Task, a: Args): number {
  const option = a.num(1);
  const takesLength = option === PR_SET_MM_AUXV || option === PR_SET_MM_MAP || option === PR_SET_MM_MAP_SIZE;
  if (a.num(4) !== 0 || (a.num(3) !== 0 && !takesLength)) return -EINVAL;
  return hasCap(task.creds, Cap.sysResource) ? -EINVAL : -EPERM;
}

/** The speculation controls of a processor that none of their attacks affects. */
function speculation(a: Args, sets: boolean): number {
  if ((!sets && a.num(2) !== 0) || a.num(3) !== 0 || a.num(4) !== 0) return -EINVAL;
  if (a.num(1) > PR_SPEC_L1D_FLUSH) return -ENODEV;
  return sets ? -ENXIO : PR_SPEC_NOT_AFFECTED;
}

/** PR_SET_IO_FLUSHER and PR_GET_IO_FLUSHER. */
function ioFlusher(task: Task, a: Args, sets: boolean): number {
  if (!hasCap(task.creds, Cap.sysResource)) return -EPERM;
  const value = a.num(1);
  if (a.num(2) !== 0 || a.num(3) !== 0 || a.num(4) !== 0 || value > (sets ? 1 : 0)) return -EINVAL;
  if (!sets) return task.isIoFlusher ? 1 : 0;
  task.isIoFlusher = value === 1;
  return 0;
}

/** PR_SET_PTRACER: with ptrace_scope 0 it allows nothing that is not allowed already. */
function setTracer(task: Task, a: Args): number {
  const isAnybody = a.big(1) === ANYBODY;
  return a.num(1) === 0 || isAnybody || task.kernel.task(a.int(1)) !== undefined ? 0 : -EINVAL;
}

function nameMapping(task: Task, a: Args): number {
  if (a.num(1) !== PR_SET_VMA_ANON_NAME) return -EINVAL;
  const nameAddr = a.num(4);
  if (nameAddr === 0) return task.mm.setName(a.num(2), a.num(3), '');
  const name = task.mm.readCString(nameAddr, 80);
  return typeof name === 'number' ? -EINVAL : task.mm.setName(a.num(2), a.num(3), fromLatin1(name));
}

function prctl(task: Task, a: Args): number {
  const { group } = task;
  const value = a.num(1);
  const hasRest = a.num(2) !== 0 || a.num(3) !== 0 || a.num(4) !== 0;
  const ofCapabilities = prctlCapabilities(task, a);
  if (ofCapabilities !== undefined) return ofCapabilities;
  const putInt = (n: number): number => (task.mm.writeU32(value, n) ? 0 : -EFAULT);
  switch (a.int(0)) {
    case PR_SET_NAME: {
      const bytes = new Uint8Array(NAME_BYTES);
      const length = task.mm.copyIn(value, bytes);
      const end = bytes.indexOf(0);
      if (end < 0 ? length < NAME_BYTES : end >= length) return -EFAULT;
      task.name = fromLatin1(bytes.subarray(0, end < 0 ? NAME_BYTES - 1 : Math.min(end, NAME_BYTES - 1)));
      task.kernel.trace.emitText(EventKind.taskName, task.tid, task.name);
      return 0;
    }
    case PR_GET_NAME: {
      const bytes = new Uint8Array(NAME_BYTES);
      bytes.set(latin1Bytes(task.name));
      return writeBytes(task, value, bytes);
    }
    case PR_SET_PDEATHSIG:
      if (value > NSIG) return -EINVAL;
      task.parentDeathSignal = value;
      return 0;
    case PR_GET_PDEATHSIG:
      return putInt(task.parentDeathSignal);
    case PR_GET_DUMPABLE:
      return group.dumpable;
    case PR_SET_DUMPABLE:
      if (value > 1) return -EINVAL;
      group.dumpable = value;
      return 0;
    case PR_GET_TIMING:
      return 0;
    case PR_SET_TIMING:
      return value === 0 ? 0 : -EINVAL;
    case PR_GET_SECCOMP:
      return seccompMode(task);
    case PR_SET_SECCOMP:
      return setSeccompMode(task, value, a.num(2));
    case PR_SET_TIMERSLACK:
      task.timerSlackNs = value === 0 ? task.defaultTimerSlackNs : value;
      return 0;
    case PR_GET_TIMERSLACK:
      return task.timerSlackNs;
    case PR_GET_TSC:
      return putInt(1);
    case PR_SET_TSC:
      return value === 1 ? 0 : -EINVAL;
    case PR_SET_NO_NEW_PRIVS:
      if (value !== 1 || hasRest) return -EINVAL;
      task.noNewPrivs = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      return value !== 0 || hasRest ? -EINVAL : task.noNewPrivs ? 1 : 0;
    case PR_SET_CHILD_SUBREAPER:
      group.isSubreaper = value !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return putInt(group.isSubreaper ? 1 : 0);
    case PR_SET_THP_DISABLE:
      if (hasRest) return -EINVAL;
      group.hasNoHugePages = value !== 0;
      return 0;
    case PR_GET_THP_DISABLE:
      return value !== 0 || hasRest ? -EINVAL : group.hasNoHugePages ? 1 : 0;
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
      return 0;
    case PR_MCE_KILL:
      return setMcePolicy(task, a);
    case PR_MCE_KILL_GET:
      return value !== 0 || hasRest ? -EINVAL : task.mcePolicy;
    case PR_SET_MM:
      return setMemoryMap(task, a);
    case PR_GET_TID_ADDRESS:
      return task.mm.writeU64(value, task.clearTidAddr) ? 0 : -EFAULT;
    case PR_GET_SPECULATION_CTRL:
      return speculation(a, false);
    case PR_SET_SPECULATION_CTRL:
      return speculation(a, true);
    case PR_SET_IO_FLUSHER:
      return ioFlusher(task, a, true);
    case PR_GET_IO_FLUSHER:
      return ioFlusher(task, a, false);
    case PR_SET_PTRACER:
      return setTracer(task, a);
    case PR_SET_VMA:
      return nameMapping(task, a);
    default:
      return -EINVAL;
  }
}

export const prctlCalls: readonly SyscallDef[] = [
  {
    nr: 157,
    name: 'prctl',
    args: ['int', 'ptr', 'ptr', 'ptr', 'ptr'],
    partial: 'PR_SET_MM by the capable, PR_TSC_SIGSEGV, syscall user dispatch, core scheduling',
    call: prctl,
  },
  {
    nr: 158,
    name: 'arch_prctl',
    args: ['enum:arch_prctl', 'ptr'],
    partial: 'CPUID faulting, permissions for features of the processor',
    call: (task, a) => archPrctl(task, a.int(0), a.num(1)),
  },
];
