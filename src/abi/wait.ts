// SPDX-License-Identifier: MIT
//
// wait4, waitid and the wait status word; include/uapi/linux/wait.h.

export const WNOHANG = 0x1;
export const WUNTRACED = 0x2;
export const WSTOPPED = 0x2;
export const WEXITED = 0x4;
export const WCONTINUED = 0x8;
export const WNOWAIT = 0x1000000;
export const __WNOTHREAD = 0x20000000;
export const __WALL = 0x40000000;
export const __WCLONE = 0x80000000;

export const P_ALL = 0;
export const P_PID = 1;
export const P_PGID = 2;
export const P_PIDFD = 3;

/** Status word of a task that exited. */
export function exitStatus(code: number): number {
  return (code & 0xff) << 8;
}

/** Status word of a task that a signal ended. */
export function signalStatus(signo: number, coreDumped = false): number {
  return (signo & 0x7f) | (coreDumped ? 0x80 : 0);
}

/** Status word of a stopped task. */
export function stopStatus(signo: number): number {
  return ((signo & 0xff) << 8) | 0x7f;
}

/** Status word of a task that SIGCONT woke. */
export const CONTINUED_STATUS = 0xffff;
