// SPDX-License-Identifier: MIT
//
// Waiting for children: wait4(2) and waitid(2). Models Linux kernel/exit.c (do_wait), gVisor task_exit.go.

import { ECHILD } from '../abi/errno.ts';
import { CLD_CONTINUED, CLD_STOPPED, SIGCHLD, SIGCONT } from '../abi/signal.ts';
import {
  CONTINUED_STATUS,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  __WALL,
  __WCLONE,
  stopStatus,
} from '../abi/wait.ts';
import { EventKind } from '../trace/events.ts';
import { describeStatus, reap } from './exit.ts';
import type { SyscallResult } from './syscalls/table.ts';
import type { Task } from './task.ts';
import type { ChildUsage, ThreadGroup } from './thread-group.ts';

/** Which children, and which of their changes. */
export interface WaitRequest {
  matches(child: ThreadGroup): boolean;
  readonly options: number;
}

/** One change of a child. */
export interface ChildChange {
  readonly child: ThreadGroup;
  /** si_code. */
  readonly code: number;
  /** si_status: exit code or signal. */
  readonly value: number;
  /** The status word of wait4. */
  readonly status: number;
  readonly usage: ChildUsage;
}

function isEligible(child: ThreadGroup, options: number): boolean {
  if ((options & __WALL) !== 0) return true;
  const isClone = child.exitSignal !== SIGCHLD;
  return isClone === ((options & __WCLONE) !== 0);
}

function usageOf(child: ThreadGroup): ChildUsage {
  return {
    userNs: child.cpuNs() + child.childUsage.userNs,
    maxRssKib: Math.max(child.maxRssKib, child.childUsage.maxRssKib),
    switches: child.endedSwitches,
  };
}

function changeOf(child: ThreadGroup, options: number): ChildChange | undefined {
  const usage = usageOf(child);
  if (child.isZombie) {
    if ((options & WEXITED) === 0) return undefined;
    const status = child.exitStatus ?? 0;
    return { child, ...describeStatus(status), status, usage };
  }
  const report = child.stopReport;
  if (report?.kind === 'stopped' && (options & WSTOPPED) !== 0) {
    return { child, code: CLD_STOPPED, value: report.signo, status: stopStatus(report.signo), usage };
  }
  if (report?.kind === 'continued' && (options & WCONTINUED) !== 0) {
    return { child, code: CLD_CONTINUED, value: SIGCONT, status: CONTINUED_STATUS, usage };
  }
  return undefined;
}

/** Sleeps until a child changes; `done` turns the change (or its absence, with WNOHANG) into the call's result. */
export function waitForChild(
  task: Task,
  request: WaitRequest,
  done: (change: ChildChange | null) => number,
): SyscallResult {
  const { group, kernel } = task;
  const { options } = request;
  const attempt = (): SyscallResult => {
    let any = false;
    for (const child of group.children) {
      if (!isEligible(child, options) || !request.matches(child)) continue;
      any = true;
      const change = changeOf(child, options);
      if (change === undefined) continue;
      if ((options & WNOWAIT) === 0) {
        if (child.isZombie) {
          kernel.trace.emit(EventKind.childReaped, task.tid, child.tgid, child.exitStatus ?? 0);
          reap(kernel, child);
        } else child.stopReport = null;
      }
      return done(change);
    }
    if (!any) return -ECHILD;
    if ((options & WNOHANG) !== 0) return done(null);
    return task.block({ queues: [{ queue: group.childEvents }], retry: attempt });
  };
  return attempt();
}
