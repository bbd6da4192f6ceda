// SPDX-License-Identifier: MIT
//
// Waiting for children and tracees: wait4(2) and waitid(2). Models Linux kernel/exit.c (do_wait, wait_consider_task),
// gVisor task_exit.go.

import { ECHILD } from '../abi/errno.ts';
import { CLD_CONTINUED, CLD_STOPPED, CLD_TRAPPED, SIGCHLD, SIGCONT } from '../abi/signal.ts';
import {
  CONTINUED_STATUS,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  stopStatus,
} from '../abi/wait.ts';
import { EventKind } from '../trace/events.ts';
import { describeStatus, reap, reapTracee } from './exit.ts';
import { addIo } from './io-use.ts';
import type { Tracee } from './ptrace/tracee.ts';
import type { BlockRequest, SyscallResult, WaitSource } from './syscalls/table.ts';
import type { Task } from './task.ts';
import type { ChildUsage, ThreadGroup } from './thread-group.ts';

/** Lowest byte of the status of a stop. */
const STOPPED = 0x7f;

/** Which children and tracees, and which of their changes. A child is named by its leader, a tracee by itself. */
export interface WaitRequest {
  readonly who: 'all' | { readonly tid: number } | { readonly pgid: number } | { readonly leader: Task };
  readonly options: number;
}

function matches({ who }: WaitRequest, task: Task): boolean {
  if (who === 'all') return true;
  if ('tid' in who) return task.tid === who.tid;
  return 'pgid' in who ? task.group.pgid === who.pgid : task === who.leader;
}

/** One change of a child or tracee. */
export interface ChildChange {
  readonly pid: number;
  readonly uid: number;
  /** si_code. */
  readonly code: number;
  /** si_status: exit code or signal. */
  readonly value: number;
  /** The status word of wait4. */
  readonly status: number;
  readonly usage: ChildUsage;
}

/** A change, and what takes note that it was told. */
interface Finding {
  readonly change: ChildChange;
  consume(): void;
}

/** `none`: nobody fits; `nothing`: somebody does, but has nothing to tell. */
type Search = Finding | 'nothing' | 'none';

function isEligible(child: ThreadGroup, options: number): boolean {
  if ((options & __WALL) !== 0) return true;
  const isClone = child.exitSignal !== SIGCHLD;
  return isClone === ((options & __WCLONE) !== 0);
}

/** A child's use is its parent's from the moment in which the parent has waited for it: of no others. */
function countUsage(child: ThreadGroup): void {
  const { parent } = child;
  if (parent === null) return;
  const usage = parent.childUsage;
  usage.userNs += child.endedCpuNs + child.childUsage.userNs;
  usage.maxRssKib = Math.max(usage.maxRssKib, child.maxRssKib, child.childUsage.maxRssKib);
  usage.switches += child.endedSwitches + child.childUsage.switches;
  addIo(parent.endedIo, child.endedIo);
}

function usageOf(child: ThreadGroup): ChildUsage {
  return {
    userNs: child.cpuNs() + child.childUsage.userNs,
    maxRssKib: Math.max(child.maxRssKib, child.childUsage.maxRssKib),
    switches: child.endedSwitches,
  };
}

function changeOf(task: Task, code: number, value: number, status: number): ChildChange {
  return { pid: task.tid, uid: task.creds.uid, code, value, status, usage: usageOf(task.group) };
}

function deathOf(task: Task, status: number): ChildChange {
  const { code, value } = describeStatus(status);
  return changeOf(task, code, value, status);
}

/** What a child tells its parent. */
function findInChild(waiter: Task, child: ThreadGroup, options: number): Search {
  const { kernel } = waiter;
  const { leader } = child;
  const consume = (): void => {
    child.stopReport = null;
  };
  if (child.isZombie) {
    // Its tracer comes first.
    if (leader.tracee !== null || (options & WEXITED) === 0) return 'nothing';
    const status = child.exitStatus ?? 0;
    return {
      change: deathOf(leader, status),
      consume: () => {
        kernel.trace.emit(EventKind.childReaped, waiter.tid, child.tgid, status);
        countUsage(child);
        reap(kernel, child);
      },
    };
  }
  const report = child.stopReport;
  if (report?.kind === 'stopped' && (options & WSTOPPED) !== 0) {
    return { change: changeOf(leader, CLD_STOPPED, report.signo, stopStatus(report.signo)), consume };
  }
  if (report?.kind === 'continued' && (options & WCONTINUED) !== 0) {
    return { change: changeOf(leader, CLD_CONTINUED, SIGCONT, CONTINUED_STATUS), consume };
  }
  return 'nothing';
}

/** What a tracee tells its tracer; stops are told whatever the options are. */
function findInTracee(waiter: Task, tracee: Tracee, options: number): Search {
  const { task, report } = tracee;
  const { kernel } = waiter;
  const death = task.isLeader ? (task.group.isZombie ? (task.group.exitStatus ?? 0) : null) : tracee.deathStatus;
  if (death !== null) {
    if ((options & WEXITED) === 0) return 'nothing';
    return {
      change: deathOf(task, death),
      consume: () => {
        kernel.trace.emit(EventKind.childReaped, waiter.tid, task.tid, death);
        reapTracee(kernel, tracee);
      },
    };
  }
  if (task.state !== 'traced' || tracee.isListening || report === 0) return 'nothing';
  return {
    change: changeOf(task, CLD_TRAPPED, report, (report << 8) | STOPPED),
    consume: () => {
      tracee.report = 0;
    },
  };
}

/** The first that has something to tell: children in the order of their birth, then tracees. */
function search(waiter: Task, request: WaitRequest): Search {
  const { options } = request;
  let isAny = false;
  for (const child of waiter.group.children) {
    const { leader } = child;
    if (!matches(request, leader)) continue;
    // A child that the parent traces is a tracee.
    if (leader.tracee !== null && leader.tracee.tracer.group === waiter.group) continue;
    if (!isEligible(child, options)) continue;
    if ((options & __WNOTHREAD) !== 0 && leader.creatorTid !== waiter.tid) continue;
    isAny = true;
    const found = findInChild(waiter, child, options);
    if (typeof found !== 'string') return found;
  }
  const tracers = (options & __WNOTHREAD) === 0 ? waiter.group.tasks : [waiter];
  for (const tracer of tracers) {
    for (const tracee of tracer.tracees) {
      if (!matches(request, tracee.task)) continue;
      isAny = true;
      const found = findInTracee(waiter, tracee, options);
      if (typeof found !== 'string') return found;
    }
  }
  return isAny ? 'nothing' : 'none';
}

/** A wait for a change of a child or tracee. */
export abstract class ChildWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  protected readonly task: Task;
  private readonly request: WaitRequest;

  constructor(task: Task, request: WaitRequest) {
    this.task = task;
    this.request = request;
    this.queues = [{ queue: task.group.childEvents }];
  }

  /** Turns the change, or its absence with WNOHANG, into the call's result. */
  protected abstract finish(change: ChildChange | null): number;

  retry(): SyscallResult {
    const { options } = this.request;
    const found = search(this.task, this.request);
    if (found === 'none') return -ECHILD;
    if (found === 'nothing') return (options & WNOHANG) !== 0 ? this.finish(null) : this.task.block(this);
    if ((options & WNOWAIT) === 0) found.consume();
    return this.finish(found.change);
  }
}
