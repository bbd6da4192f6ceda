// SPDX-License-Identifier: MIT
//
// What each signal does by default, and sets of signals as 64-bit masks: bit n-1 stands for signal n. signal(7).

import {
  NSIG,
  SIGABRT,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGQUIT,
  SIGRTMIN,
  SIGSEGV,
  SIGSTOP,
  SIGSYS,
  SIGTRAP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGWINCH,
  SIGXCPU,
  SIGXFSZ,
} from '../../abi/signal.ts';

export type DefaultAction = 'terminate' | 'core' | 'ignore' | 'stop' | 'continue';

const IGNORED = new Set<number>([SIGCHLD, SIGURG, SIGWINCH]);
const STOPPING = new Set<number>([SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);
const CORE = new Set<number>([SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS]);

export function defaultAction(signo: number): DefaultAction {
  if (signo === SIGCONT) return 'continue';
  if (IGNORED.has(signo)) return 'ignore';
  if (STOPPING.has(signo)) return 'stop';
  return CORE.has(signo) ? 'core' : 'terminate';
}

export function sigBit(signo: number): bigint {
  return 1n << BigInt(signo - 1);
}

export function sigSet(...signals: readonly number[]): bigint {
  return signals.reduce((set, signo) => set | sigBit(signo), 0n);
}

/** Signals that no mask blocks. */
export const UNBLOCKABLE = sigSet(SIGKILL, SIGSTOP);
export const STOP_SIGNALS = sigSet(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
/** Taken from the queue before others: they belong to the instruction that ran last. */
export const SYNCHRONOUS = sigSet(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);

export function isRealtime(signo: number): boolean {
  return signo >= SIGRTMIN;
}

export function isValidSignal(signo: number): boolean {
  return Number.isInteger(signo) && signo >= 1 && signo <= NSIG;
}

/** The lowest signal of a set that is not empty. */
export function lowestSignal(set: bigint): number {
  let signo = 1;
  let rest = set;
  while ((rest & 0xffn) === 0n) {
    rest >>= 8n;
    signo += 8;
  }
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    signo++;
  }
  return signo;
}
