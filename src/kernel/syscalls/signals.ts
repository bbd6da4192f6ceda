// SPDX-License-Identifier: MIT
//
// Signals: rt_sigaction(2), rt_sigprocmask(2), kill(2), sigaltstack(2), rt_sigtimedwait(2) and relatives.

import { E2BIG, EAGAIN, EBADF, EFAULT, EINTR, EINVAL, ENOMEM, EPERM, ERESTARTNOHAND, ESRCH } from '../../abi/errno.ts';
import { SIGSET_BYTES, Sigaction, StackT } from '../../abi/signal-frame.ts';
import {
  NSIG,
  SIGCONT,
  SIGKILL,
  SIGSTOP,
  SIG_BLOCK,
  SIG_SETMASK,
  SIG_UNBLOCK,
  SI_TKILL,
  SI_USER,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
  SIGSEGV,
  SI_KERNEL,
} from '../../abi/signal.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { Reg } from '../../cpu/regs.ts';
import { EventKind } from '../../trace/events.ts';
import { Cap, hasCap } from '../credentials.ts';
import { PidFile } from '../pid-file.ts';
import { forceSegv, forceSignal } from '../signals/force.ts';
import { readSigset, setMask, withTemporaryMask, writeSigset } from '../signals/masks.ts';
import { sendSignal, takeSignal } from '../signals/send.ts';
import { KNOWN_SA_FLAGS } from '../signals/signal-actions.ts';
import { checkAltStack, isOnAltStack, popSignalFrame } from '../signals/signal-frame.ts';
import { defaultAction, isValidSignal, sigBit, UNBLOCKABLE } from '../signals/signal-sets.ts';
import type { SignalInfo } from '../signals/siginfo.ts';
import {
  KNOWN_SIGINFO_BYTES,
  SIGINFO_BYTES,
  faultInfo,
  hasKnownLayout,
  killInfo,
  rawInfo,
} from '../signals/siginfo.ts';
import { HANDLER_DEFAULT, HANDLER_IGNORE } from '../signals/signal-actions.ts';
import type { Task } from '../task.ts';
import type { ThreadGroup } from '../thread-group.ts';
import type { BlockRequest, SyscallDef, SyscallResult } from './table.ts';
import { REGS_SET } from './table.ts';
import { readBytes, readTimespec, writeBytes } from './times.ts';

function sigaction(task: Task, signo: number, newAddr: Addr, oldAddr: Addr, setSize: number): number {
  if (setSize !== SIGSET_BYTES) return -EINVAL;
  let bytes: Uint8Array | undefined;
  if (newAddr !== 0) {
    bytes = readBytes(task, newAddr, Sigaction.size);
    if (bytes === undefined) return -EFAULT;
  }
  const isFixed = signo === SIGKILL || signo === SIGSTOP;
  if (!isValidSignal(signo) || (bytes !== undefined && isFixed)) return -EINVAL;
  const { actions } = task.group;
  const old = actions.get(signo);
  if (bytes !== undefined) {
    const v = viewOf(bytes);
    const handler = v.getBigUint64(Sigaction.handler, true);
    actions.set(signo, {
      handler,
      flags: (v.getUint32(Sigaction.flags, true) & KNOWN_SA_FLAGS) >>> 0,
      restorer: v.getBigUint64(Sigaction.restorer, true),
      mask: v.getBigUint64(Sigaction.mask, true) & ~UNBLOCKABLE,
    });
    // What is ignored from now on is forgotten, even if it is blocked.
    if (handler === HANDLER_IGNORE || (handler === HANDLER_DEFAULT && defaultAction(signo) === 'ignore')) {
      task.group.pending.discard(sigBit(signo));
      for (const each of task.group.tasks) each.pending.discard(sigBit(signo));
    }
  }
  if (oldAddr === 0) return 0;
  const out = new Uint8Array(Sigaction.size);
  const v = viewOf(out);
  v.setBigUint64(Sigaction.handler, old.handler, true);
  v.setUint32(Sigaction.flags, old.flags, true);
  v.setBigUint64(Sigaction.restorer, old.restorer, true);
  v.setBigUint64(Sigaction.mask, old.mask, true);
  return writeBytes(task, oldAddr, out);
}

function sigprocmask(task: Task, how: number, newAddr: Addr, oldAddr: Addr, setSize: number): number {
  if (setSize !== SIGSET_BYTES) return -EINVAL;
  const old = task.mask;
  if (newAddr !== 0) {
    const set = readSigset(task, newAddr, setSize);
    if (typeof set === 'number') return set;
    if (how === SIG_BLOCK) setMask(task, old | set);
    else if (how === SIG_UNBLOCK) setMask(task, old & ~set);
    else if (how === SIG_SETMASK) setMask(task, set);
    else return -EINVAL;
  }
  return oldAddr === 0 ? 0 : writeSigset(task, oldAddr, old);
}

/** May `task` send `signo` to that process? */
function maySignal(task: Task, group: ThreadGroup, signo: number): boolean {
  const { creds } = task;
  const { creds: target } = group.leader;
  if (group === task.group || hasCap(creds, Cap.kill)) return true;
  if (creds.euid === target.suid || creds.euid === target.uid || creds.uid === target.suid || creds.uid === target.uid)
    return true;
  return signo === SIGCONT && task.group.sid === group.sid;
}

/** Sends to a group; signal 0 only asks. */
function sendToGroup(task: Task, group: ThreadGroup, info: SignalInfo): number {
  if (info.signo < 0 || info.signo > NSIG) return -EINVAL;
  if (!maySignal(task, group, info.signo)) return -EPERM;
  return info.signo === 0 ? 0 : sendSignal(group, null, info);
}

function kill(task: Task, pid: number, signo: number): number {
  const { kernel } = task;
  const info = killInfo(signo, SI_USER, task.group.tgid, task.creds.uid);
  if (pid > 0) {
    const group = kernel.groups.get(pid) ?? kernel.task(pid)?.group;
    return group === undefined ? -ESRCH : sendToGroup(task, group, info);
  }
  if (pid === -(2 ** 31)) return -ESRCH;
  const pgid = pid === 0 ? task.group.pgid : -pid;
  let result = -ESRCH;
  for (const group of [...kernel.groups.values()]) {
    if (pid === -1 ? group === task.group || group === kernel.init : group.pgid !== pgid) continue;
    const sent = sendToGroup(task, group, info);
    // Who signals everybody is not told whom it may not.
    if (sent === 0 || (pid === -1 && sent === -EPERM)) result = 0;
    else if (result === -ESRCH) result = sent;
  }
  return result;
}

function tgkill(task: Task, tgid: number | null, tid: number, info: SignalInfo): number {
  const { signo } = info;
  if (tid <= 0 || (tgid !== null && tgid <= 0)) return -EINVAL;
  const target = task.kernel.task(tid);
  if (target === undefined || (tgid !== null && target.group.tgid !== tgid)) return -ESRCH;
  if (signo < 0 || signo > NSIG) return -EINVAL;
  if (!maySignal(task, target.group, signo)) return -EPERM;
  return signo === 0 ? 0 : sendSignal(target.group, target, info);
}

/** The siginfo of the queueinfo calls: a program may not pretend to be the kernel or kill(2) towards others. */
function readQueueInfo(task: Task, addr: Addr, signo: number): SignalInfo | number {
  const bytes = readBytes(task, addr, KNOWN_SIGINFO_BYTES);
  if (bytes === undefined) return -EFAULT;
  const info = rawInfo(signo, bytes);
  if (hasKnownLayout(info)) return info;
  // Of a kind from the future more might matter than the kernel keeps.
  const rest = readBytes(task, addr + KNOWN_SIGINFO_BYTES, SIGINFO_BYTES - KNOWN_SIGINFO_BYTES);
  if (rest === undefined) return -EFAULT;
  return rest.some((byte) => byte !== 0) ? -E2BIG : info;
}

/** Whether a program may make others believe in this siginfo: it is not what the kernel or kill(2) would send. */
function isForgery(info: SignalInfo): boolean {
  return info.code >= 0 || info.code === SI_TKILL;
}

function sigaltstack(task: Task, newAddr: Addr, oldAddr: Addr): number {
  const sp = task.regs.u64[Reg.rsp] as bigint;
  const old = task.altStack;
  const isOn = isOnAltStack(old, sp);
  if (newAddr !== 0) {
    const bytes = readBytes(task, newAddr, StackT.size);
    if (bytes === undefined) return -EFAULT;
    if (isOn) return -EPERM;
    const v = viewOf(bytes);
    const made = checkAltStack(
      v.getBigUint64(StackT.sp, true),
      v.getUint32(StackT.flags, true),
      v.getBigUint64(StackT.stackSize, true),
    );
    if (made === 'invalid') return -EINVAL;
    if (made === 'too-small') return -ENOMEM;
    task.altStack = made;
  }
  if (oldAddr === 0) return 0;
  const out = new Uint8Array(StackT.size);
  const v = viewOf(out);
  const mode = old.size === 0 ? SS_DISABLE : isOn ? SS_ONSTACK : 0;
  v.setBigUint64(StackT.sp, old.sp, true);
  v.setUint32(StackT.flags, (mode | (old.flags & SS_AUTODISARM)) >>> 0, true);
  v.setBigUint64(StackT.stackSize, BigInt(old.size), true);
  return writeBytes(task, oldAddr, out);
}

function sigsuspend(task: Task, addr: Addr, size: number): SyscallResult {
  const mask = readSigset(task, addr, size);
  if (typeof mask === 'number') return mask;
  withTemporaryMask(task, mask);
  return pause(task);
}

/** A sleep that only a signal ends. */
class Pause implements BlockRequest {
  readonly queues = [];
  readonly interrupted = -ERESTARTNOHAND;
  private readonly task: Task;

  constructor(task: Task) {
    this.task = task;
  }

  retry(): SyscallResult {
    return this.task.block(this);
  }
}

function pause(task: Task): SyscallResult {
  return task.block(new Pause(task));
}

function sigpending(task: Task, addr: Addr, size: number): number {
  if (size > SIGSET_BYTES) return -EINVAL;
  const bytes = new Uint8Array(SIGSET_BYTES);
  viewOf(bytes).setBigUint64(0, (task.pending.set | task.group.pending.set) & task.mask, true);
  return writeBytes(task, addr, bytes.subarray(0, size));
}

function sigtimedwait(task: Task, setAddr: Addr, infoAddr: Addr, timeoutAddr: Addr, size: number): SyscallResult {
  const asked = readSigset(task, setAddr, size);
  if (typeof asked === 'number') return asked;
  const set = asked & ~UNBLOCKABLE;
  let deadlineNs: number | undefined;
  if (timeoutAddr !== 0) {
    const timeout = readTimespec(task, timeoutAddr);
    if (typeof timeout === 'object') return timeout.errno;
    deadlineNs = task.kernel.clock.now() + timeout;
  }
  const wait = new SignalWait(task, set, infoAddr, deadlineNs);
  const first = wait.take();
  if (first !== undefined) return first;
  return deadlineNs !== undefined && deadlineNs <= task.kernel.clock.now() ? -EAGAIN : wait.retry(false);
}

/** An rt_sigtimedwait(2). */
class SignalWait implements BlockRequest {
  readonly queues = [];
  readonly deadlineNs?: number;
  readonly interrupted = -EINTR;
  private readonly task: Task;
  private readonly set: bigint;
  private readonly infoAddr: Addr;

  constructor(task: Task, set: bigint, infoAddr: Addr, deadlineNs: number | undefined) {
    this.task = task;
    this.set = set;
    this.infoAddr = infoAddr;
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
  }

  /** The call's result, when one of the signals is there. */
  take(): number | undefined {
    const { task, infoAddr } = this;
    const info = takeSignal(task, this.set);
    if (info === undefined) return undefined;
    task.waitingFor = 0n;
    if (infoAddr !== 0 && writeBytes(task, infoAddr, info.bytes) !== 0) return -EFAULT;
    return info.signo;
  }

  retry(timedOut: boolean): SyscallResult {
    const taken = this.take();
    if (timedOut) {
      this.onCancel();
      return taken ?? -EAGAIN;
    }
    if (taken !== undefined) return taken;
    this.task.waitingFor = this.set;
    return this.task.block(this);
  }

  onCancel(): void {
    this.task.waitingFor = 0n;
  }
}

function pidfdSendSignal(task: Task, fd: number, signo: number, infoAddr: Addr, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const file = task.files.get(fd);
  if (!(file instanceof PidFile)) return -EBADF;
  let info: SignalInfo | number = killInfo(signo, SI_USER, task.group.tgid, task.creds.uid);
  if (infoAddr !== 0) {
    info = readQueueInfo(task, infoAddr, signo);
    if (typeof info === 'number') return info;
    if (task.mm.readU32(infoAddr) !== signo >>> 0) return -EINVAL;
    if (isForgery(info) && file.group.leader !== task) return -EPERM;
  }
  return file.group.isReaped ? -ESRCH : sendToGroup(task, file.group, info);
}

/** The exception's number. */
const GENERAL_PROTECTION = 13;

export const signalCalls: readonly SyscallDef[] = [
  {
    nr: 13,
    name: 'rt_sigaction',
    args: ['signo', 'in:sigaction', 'out:sigaction', 'size'],
    call: (task, a) => sigaction(task, a.int(0), a.num(1), a.num(2), a.num(3)),
  },
  {
    nr: 14,
    name: 'rt_sigprocmask',
    args: ['enum:sigprocmask', 'in:sigset', 'out:sigset', 'size'],
    call: (task, a) => sigprocmask(task, a.int(0), a.num(1), a.num(2), a.num(3)),
  },
  {
    nr: 15,
    name: 'rt_sigreturn',
    args: [],
    call: (task) => {
      // The handler's ret has taken the return address off the frame.
      task.kernel.trace.emit(EventKind.handlerReturn, task.tid, task.regs.get(Reg.rsp) - 8);
      const selector = popSignalFrame(task);
      if (selector < 0) forceSegv(task, 0);
      else if (selector > 0) {
        const detail = { trapno: GENERAL_PROTECTION, error: selector & ~3, cr2: 0n };
        forceSignal(task, faultInfo(SIGSEGV, SI_KERNEL, 0n, detail));
      }
      task.attention = true;
      return REGS_SET;
    },
  },
  { nr: 34, name: 'pause', args: [], call: (task) => pause(task) },
  { nr: 62, name: 'kill', args: ['pid', 'signo'], call: (task, a) => kill(task, a.int(0), a.int(1)) },
  {
    nr: 127,
    name: 'rt_sigpending',
    args: ['out:sigset', 'size'],
    call: (task, a) => sigpending(task, a.num(0), a.num(1)),
  },
  {
    nr: 128,
    name: 'rt_sigtimedwait',
    args: ['in:sigset', 'out:siginfo', 'in:timespec', 'size'],
    call: (task, a) => sigtimedwait(task, a.num(0), a.num(1), a.num(2), a.num(3)),
  },
  {
    nr: 129,
    name: 'rt_sigqueueinfo',
    args: ['pid', 'signo', 'in:siginfo'],
    call: (task, a) => {
      const pid = a.int(0);
      const info = readQueueInfo(task, a.num(2), a.int(1));
      if (typeof info === 'number') return info;
      if (isForgery(info) && pid !== task.tid) return -EPERM;
      const group = task.kernel.groups.get(pid) ?? task.kernel.task(pid)?.group;
      return group === undefined ? -ESRCH : sendToGroup(task, group, info);
    },
  },
  {
    nr: 130,
    name: 'rt_sigsuspend',
    args: ['in:sigset', 'size'],
    call: (task, a) => sigsuspend(task, a.num(0), a.num(1)),
  },
  {
    nr: 131,
    name: 'sigaltstack',
    args: ['in:stack_t', 'out:stack_t'],
    call: (task, a) => sigaltstack(task, a.num(0), a.num(1)),
  },
  {
    nr: 200,
    name: 'tkill',
    args: ['pid', 'signo'],
    call: (task, a) => tgkill(task, null, a.int(0), killInfo(a.int(1), SI_TKILL, task.group.tgid, task.creds.uid)),
  },
  {
    nr: 234,
    name: 'tgkill',
    args: ['pid', 'pid', 'signo'],
    call: (task, a) => tgkill(task, a.int(0), a.int(1), killInfo(a.int(2), SI_TKILL, task.group.tgid, task.creds.uid)),
  },
  {
    nr: 297,
    name: 'rt_tgsigqueueinfo',
    args: ['pid', 'pid', 'signo', 'in:siginfo'],
    call: (task, a) => {
      const info = readQueueInfo(task, a.num(3), a.int(2));
      if (typeof info === 'number') return info;
      if (a.int(0) > 0 && a.int(1) > 0 && isForgery(info) && a.int(1) !== task.tid) return -EPERM;
      return tgkill(task, a.int(0), a.int(1), info);
    },
  },
  {
    nr: 424,
    name: 'pidfd_send_signal',
    args: ['fd', 'signo', 'in:siginfo', 'hex'],
    call: (task, a) => pidfdSendSignal(task, a.int(0), a.int(1), a.num(2), a.uint(3)),
  },
];

savable('kernel/syscalls/signals', { Pause, SignalWait });
