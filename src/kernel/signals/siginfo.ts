// SPDX-License-Identifier: MIT
//
// siginfo_t: the 128 bytes that a handler, sigtimedwait and signalfd see. Kept as bytes, because a program may
// queue any payload (rt_sigqueueinfo). Layouts: Linux include/uapi/asm-generic/siginfo.h as documented in sigaction(2).

import { Siginfo } from '../../abi/signal-frame.ts';
import {
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGIO,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
  SI_ASYNCNL,
  SI_DETHREAD,
  SI_KERNEL,
  SI_TIMER,
  SI_USER,
  SYS_SECCOMP,
} from '../../abi/signal.ts';
import { viewOf } from '../../base/bytes.ts';

export const SIGINFO_BYTES = 128;
/** The part of a siginfo_t that means anything yet; the rest is zero. */
export const KNOWN_SIGINFO_BYTES = 48;

/** A signal on its way to a task. */
export interface SignalInfo {
  readonly signo: number;
  readonly code: number;
  /** The whole siginfo_t. */
  readonly bytes: Uint8Array;
  /** Set on a signal that the running instruction raised: goes before all others and cannot be waited for. */
  readonly fault?: FaultDetail;
  /** Ends the process whatever it does about it: no tracer hears of it (SA_IMMUTABLE). */
  readonly isFinal?: boolean;
  /** Expiries of a POSIX timer are counted in the queued signal instead of queueing another. */
  readonly timer?: object;
}

/** What the frame of a synchronous signal tells beside siginfo: sigcontext's trapno, err, cr2. */
export interface FaultDetail {
  readonly trapno: number;
  readonly error: number;
  readonly cr2: bigint;
}

function make(signo: number, code: number, fill: (v: DataView) => void, fault?: FaultDetail): SignalInfo {
  const bytes = new Uint8Array(SIGINFO_BYTES);
  const v = viewOf(bytes);
  v.setInt32(0, signo, true);
  v.setInt32(8, code, true);
  fill(v);
  return fault === undefined ? { signo, code, bytes } : { signo, code, bytes, fault };
}

/** From kill, tkill, or the kernel on a sender's behalf. */
export function killInfo(signo: number, code: number, pid: number, uid: number): SignalInfo {
  return make(signo, code, (v) => {
    v.setInt32(16, pid, true);
    v.setUint32(20, uid, true);
  });
}

/** si_pid, where the signal has one. */
export function pidOf(info: SignalInfo): number {
  return viewOf(info.bytes).getInt32(16, true);
}

/** From the kernel itself. */
export function kernelInfo(signo: number): SignalInfo {
  return make(signo, SI_KERNEL, () => undefined);
}

/** From the current instruction. `addr` is si_addr. */
export function faultInfo(signo: number, code: number, addr: bigint, fault: FaultDetail): SignalInfo {
  return make(signo, code, (v) => v.setBigUint64(16, addr, true), fault);
}

/** SIGCHLD or a clone's other exit signal. `status` is an exit code or a signal number, as si_code says. */
export function childInfo(
  signo: number,
  code: number,
  pid: number,
  uid: number,
  status: number,
  userTicks: number,
  systemTicks: number,
): SignalInfo {
  return make(signo, code, (v) => {
    v.setInt32(16, pid, true);
    v.setUint32(20, uid, true);
    v.setInt32(24, status, true);
    v.setBigInt64(32, BigInt(userTicks), true);
    v.setBigInt64(40, BigInt(systemTicks), true);
  });
}

/** From a POSIX timer; `value` is the sigval given to timer_create. */
export function timerInfo(signo: number, timerId: number, value: bigint, timer: object): SignalInfo {
  const info = make(signo, SI_TIMER, (v) => {
    v.setInt32(16, timerId, true);
    v.setBigUint64(24, value, true);
  });
  return { ...info, timer };
}

/** From a descriptor on which something happened; `band` are its events. */
export function pollInfo(signo: number, code: number, band: number, fd: number): SignalInfo {
  return make(signo, code, (v) => {
    v.setBigInt64(16, BigInt(band), true);
    v.setInt32(24, fd, true);
  });
}

/** From a message queue; `pid` and `uid` are the sender's, `value` the one given to mq_notify. */
export function messageQueueInfo(signo: number, code: number, pid: number, uid: number, value: bigint): SignalInfo {
  return make(signo, code, (v) => {
    v.setInt32(16, pid, true);
    v.setUint32(20, uid, true);
    v.setBigUint64(24, value, true);
  });
}

/** From the bytes that a program passed to rt_sigqueueinfo. */
export function rawInfo(signo: number, given: Uint8Array): SignalInfo {
  const bytes = new Uint8Array(SIGINFO_BYTES);
  bytes.set(given.subarray(0, KNOWN_SIGINFO_BYTES));
  const v = viewOf(bytes);
  v.setInt32(0, signo, true);
  return { signo, code: v.getInt32(8, true), bytes };
}

/** SIGSYS from a seccomp filter: the address after the call, its number, and the data that the filter returned. */
export function seccompInfo(reason: number, callAddr: bigint, sysno: number, arch: number): SignalInfo {
  return make(SIGSYS, SYS_SECCOMP, (v) => {
    v.setInt32(Siginfo.errno, reason, true);
    v.setBigUint64(Siginfo.callAddr, callAddr, true);
    v.setInt32(Siginfo.syscall, sysno, true);
    v.setUint32(Siginfo.arch, arch, true);
  });
}

/** Codes of signals that have their own, from 1 up to these; Linux's sig_sicodes. */
const OWN_CODES: ReadonlyMap<number, number> = new Map([
  [SIGILL, 11],
  [SIGFPE, 15],
  [SIGSEGV, 9],
  [SIGBUS, 5],
  [SIGTRAP, 6],
  [SIGCHLD, 6],
  [SIGIO, 6],
  [SIGSYS, 2],
]);
const POLL_CODES = 6;

/** Whether the kernel knows what a siginfo of this signal and code looks like. */
export function hasKnownLayout({ signo, code }: SignalInfo): boolean {
  if (code === SI_KERNEL || code === SI_ASYNCNL) return true;
  if (code > SI_USER) return code <= (OWN_CODES.get(signo) ?? 0) || code <= POLL_CODES;
  return code >= SI_DETHREAD;
}
