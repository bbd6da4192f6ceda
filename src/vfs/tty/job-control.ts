// SPDX-License-Identifier: MIT
//
// What terminals need to know of processes, and the rule for those in the background. The kernel implements the
// interface. Models drivers/tty/tty_jobctrl.c.

import { EIO, ERESTARTSYS } from '../../abi/errno.ts';
import { SIGTTIN } from '../../abi/signal.ts';
import type { Tty } from './tty.ts';

/** A process as terminals see it. */
export interface TtyProcess {
  readonly tgid: number;
  readonly pgid: number;
  readonly sid: number;
  /** Its controlling terminal. */
  tty: Tty | null;
  /** The foreground group of a terminal that hung up: told when the session's leader ends. */
  hungUpGroup: number;
}

/** Processes and signals. */
export interface JobControl {
  /** The process whose call is served; null when the system itself acts. */
  readonly current: TtyProcess | null;
  /** The process whose call is served may do anything with terminals (CAP_SYS_ADMIN). */
  readonly isPrivileged: boolean;
  /** The task whose call is served blocks or ignores the signal. */
  isIgnored(signo: number): boolean;
  /** No parent outside the group is left in its session to continue it. */
  isOrphaned(pgid: number): boolean;
  /** Processes of a session. */
  session(sid: number): Iterable<TtyProcess>;
  /** The session of a process group, null when nobody is in it; undefined when nothing has the number. */
  sessionOf(pgid: number): number | null | undefined;
  signalGroup(pgid: number, signo: number): void;
  signalProcess(process: TtyProcess, signo: number): void;
}

/** Nobody is there: a tree without a kernel. */
export const NO_PROCESSES: JobControl = {
  current: null,
  isPrivileged: false,
  isIgnored: () => false,
  isOrphaned: () => false,
  session: () => [],
  sessionOf: () => undefined,
  signalGroup: () => undefined,
  signalProcess: () => undefined,
};

/**
 * Whether the caller may use its controlling terminal now: 0, or what a background process gets after `signo` went to
 * its group. SIGTTIN that nobody would notice is EIO; SIGTTOU is then no obstacle.
 */
export function checkForeground(jobs: JobControl, tty: Tty, signo: number): number {
  const { current } = jobs;
  if (current === null || current.tty !== tty) return 0;
  if (tty.foreground === null || tty.foreground === current.pgid) return 0;
  if (jobs.isIgnored(signo)) return signo === SIGTTIN ? -EIO : 0;
  if (jobs.isOrphaned(current.pgid)) return -EIO;
  jobs.signalGroup(current.pgid, signo);
  return -ERESTARTSYS;
}

/** `process`, the leader of its session, takes `tty` as the session's controlling terminal. */
export function acquireTerminal(process: TtyProcess, tty: Tty): void {
  process.tty = tty;
  tty.session = process.sid;
  tty.foreground = process.pgid;
}

/** Nobody of the session has a controlling terminal any more. */
function clearSession(jobs: JobControl, sid: number): void {
  for (const process of jobs.session(sid)) process.tty = null;
}

/** Another session takes the terminal away. */
export function stealTerminal(jobs: JobControl, tty: Tty): void {
  if (tty.session !== null) clearSession(jobs, tty.session);
}

/**
 * A session's leader gives its controlling terminal up, by TIOCNOTTY or by its end.
 * @param signals what the foreground group is told
 */
export function leaveTerminal(jobs: JobControl, leader: TtyProcess, signals: readonly number[]): void {
  const { tty } = leader;
  if (tty === null) return;
  const { foreground } = tty;
  if (foreground !== null) for (const signo of signals) jobs.signalGroup(foreground, signo);
  tty.session = null;
  tty.foreground = null;
  clearSession(jobs, leader.sid);
}
