// SPDX-License-Identifier: MIT
//
// Processes as terminals see them: who acts, whom a signal of a terminal goes to, orphaned groups, the end of a
// session's leader, vhangup(2). Models drivers/tty/tty_jobctrl.c and kernel/exit.c (will_become_orphaned_pgrp).

import { savable } from '../base/savable.ts';
import { EPERM } from '../abi/errno.ts';
import { SIGCONT, SIGHUP } from '../abi/signal.ts';
import type { JobControl, TtyProcess } from '../vfs/tty/job-control.ts';
import { leaveTerminal } from '../vfs/tty/job-control.ts';
import { Cap, hasCap } from './credentials.ts';
import type { Kernel } from './kernel.ts';
import { HANDLER_IGNORE } from './signals/signal-actions.ts';
import { kernelInfo } from './signals/siginfo.ts';
import { sendSignal } from './signals/send.ts';
import { sigBit } from './signals/signal-sets.ts';
import type { SyscallDef } from './syscalls/table.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './thread-group.ts';

/** The kernel's processes for its terminals. */
export class KernelJobs implements JobControl {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  get current(): TtyProcess | null {
    return this.kernel.current?.group ?? null;
  }

  get isPrivileged(): boolean {
    const { current } = this.kernel;
    return current !== null && hasCap(current.creds, Cap.sysAdmin);
  }

  isIgnored(signo: number): boolean {
    const { current } = this.kernel;
    if (current === null) return false;
    return (current.mask & sigBit(signo)) !== 0n || current.group.actions.get(signo).handler === HANDLER_IGNORE;
  }

  isOrphaned(pgid: number): boolean {
    return isOrphanedGroup(this.kernel, pgid);
  }

  *session(sid: number): Iterable<TtyProcess> {
    for (const group of [...this.kernel.groups.values()]) if (group.sid === sid) yield group;
  }

  sessionOf(pgid: number): number | null | undefined {
    const { groups, tasks } = this.kernel;
    let isKnown = tasks.has(pgid) || groups.has(pgid);
    for (const group of groups.values()) {
      if (group.pgid === pgid) return group.sid;
      isKnown ||= group.sid === pgid;
    }
    if (!isKnown) return undefined;
    return groups.get(pgid)?.sid ?? null;
  }

  signalGroup(pgid: number, signo: number): void {
    for (const group of [...this.kernel.groups.values()]) {
      if (group.pgid === pgid) sendSignal(group, null, kernelInfo(signo));
    }
  }

  signalProcess(process: TtyProcess, signo: number): void {
    const group = this.kernel.groups.get(process.tgid);
    if (group !== undefined) sendSignal(group, null, kernelInfo(signo));
  }
}

/** Nobody outside a process group but in its session is the parent of one of its processes. */
export function isOrphanedGroup(kernel: Kernel, pgid: number): boolean {
  for (const { pgid: own, isZombie, parent, sid } of kernel.groups.values()) {
    if (own !== pgid || isZombie || parent === null) continue;
    if (parent.sid === sid && parent.pgid !== pgid) return false;
  }
  return true;
}

/** A process has ended: if it led a session, the session loses its terminal. */
export function leaveSession(kernel: Kernel, group: ThreadGroup): void {
  if (group.sid !== group.tgid) return;
  const { jobs } = kernel.vfs.terminals;
  if (group.tty !== null) leaveTerminal(jobs, group, [SIGHUP]);
  else if (group.hungUpGroup !== 0) {
    for (const signo of [SIGHUP, SIGCONT]) jobs.signalGroup(group.hungUpGroup, signo);
  }
}

/** vhangup(2): the caller's terminal is hung up as if its line had gone. */
function vhangup(task: Task): number {
  if (!hasCap(task.creds, Cap.sysTtyConfig)) return -EPERM;
  task.group.tty?.hangUp();
  return 0;
}

export const jobControlCalls: readonly SyscallDef[] = [{ nr: 153, name: 'vhangup', args: [], call: vhangup }];

savable('kernel/job-control', { KernelJobs }, { isPlace: true });
