// SPDX-License-Identifier: MIT
//
// Ends of tasks and thread groups: what is given back and who is told. Ended tasks of a group go at once, not when
// their turn comes: nothing of them runs in between. Models Linux kernel/exit.c, gVisor task_exit.go.

import { PTRACE_EVENT_EXIT, PTRACE_O_EXITKILL } from '../abi/ptrace.ts';
import {
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  SA_NOCLDWAIT,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGKILL,
  SI_USER,
} from '../abi/signal.ts';
import { savable } from '../base/savable.ts';
import { signalStatus } from '../abi/wait.ts';
import { EventKind } from '../trace/events.ts';
import { addIo } from './io-use.ts';
import { isOrphanedGroup, leaveSession } from './job-control.ts';
import type { Kernel } from './kernel.ts';
import { detach, forget } from './ptrace/relation.ts';
import type { Continuation } from './ptrace/stops.ts';
import { stopForEvent } from './ptrace/stops.ts';
import type { Tracee } from './ptrace/tracee.ts';
import { releaseFutexes } from './robust-list.ts';
import { releaseFilters } from './seccomp/seccomp-filter.ts';
import { HANDLER_IGNORE } from './signals/signal-actions.ts';
import { childInfo, kernelInfo, killInfo } from './signals/siginfo.ts';
import { recheckGroupStop, sendSignal } from './signals/send.ts';
import { isValidSignal, sigBit } from './signals/signal-sets.ts';
import type { SyscallResult } from './syscalls/table.ts';
import { TASK_ENDED } from './syscalls/table.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './thread-group.ts';

/** exit(2): this task ends with a wait status; its group too if it is the last. */
export function exitTask(task: Task, status: number): void {
  if (task.state === 'ended') return;
  const { kernel, group } = task;
  kernel.endSleep(task);
  const { request } = task;
  task.request = null;
  request?.onCancel?.();
  if (task.tracee !== null && stopsBeforeItsEnd(task, task.tracee, status)) return;
  kernel.traceUnfinished(task);
  const ownStatus = group.exitStatus ?? status;
  const isLast = group.tasks.length === 1;

  releaseFutexes(task);
  if (task.clearTidAddr !== 0 && kernel.spaceUsers(task.mm) > 1) {
    if (task.mm.writeU32(task.clearTidAddr, 0)) kernel.futexes.wakeAddress(task, task.clearTidAddr, 1);
  }
  letParentGo(task);
  if (task.undoList !== null) kernel.ipc.semaphores.releaseUndos(task.undoList);
  task.state = 'ended';
  task.cpuBefore = task.cpuNs();
  task.turnStart = -1;
  group.endedCpuNs += task.cpuBefore;
  group.endedSwitches += task.voluntarySwitches + task.involuntarySwitches;
  addIo(group.endedIo, task.io);
  group.tasks.splice(group.tasks.indexOf(task), 1);
  if (isLast) group.lastMm(task.mm);
  task.files.release();
  task.fs.users--;
  releaseFilters(task);
  kernel.platform.detach(task);
  kernel.releaseSpace(task.mm);
  if (kernel.current === task) kernel.current = null;
  // Without exit_group the status of the last task counts (Linux 5.17 and later).
  if (isLast) group.exitStatus ??= ownStatus;
  releaseTracees(task);
  if (!task.isLeader) {
    if (task.tracee === null || kernel.isFinished) kernel.tasks.delete(task.tid);
    else keepForTracer(task, task.tracee, ownStatus);
  }
  leaveChildren(task);
  kernel.trace.emit(EventKind.pageFaults, task.tid, task.faultsServed);
  kernel.trace.emit(EventKind.taskExit, task.tid, group.tgid, ownStatus, isLast ? 1 : 0);
  if (!isLast) {
    recheckGroupStop(group);
    group.threadsGone.wake();
  } else if (group.deadTracees === 0) groupEnded(kernel, group);
}

const KILL_BIT = sigBit(SIGKILL);

/** PTRACE_EVENT_EXIT: a tracer that asked for it may look at the task once more. True when it does. */
function stopsBeforeItsEnd(task: Task, tracee: Tracee, status: number): boolean {
  const { kernel, group } = task;
  if (tracee.hasToldExit || kernel.isFinished || !tracee.wants(PTRACE_EVENT_EXIT)) return false;
  tracee.hasToldExit = true;
  // What kills it has struck.
  task.pending.discard(KILL_BIT);
  group.pending.discard(KILL_BIT);
  stopForEvent(task, PTRACE_EVENT_EXIT, group.exitStatus ?? status, new Ends(status));
  return true;
}

/** Behind PTRACE_EVENT_EXIT. */
class Ends implements Continuation {
  private readonly status: number;

  constructor(status: number) {
    this.status = status;
  }

  goOn(task: Task): SyscallResult {
    exitTask(task, this.status);
    return TASK_ENDED;
  }
}

/** A thread that has ended stays known until its tracer has waited for it. */
function keepForTracer(task: Task, tracee: Tracee, status: number): void {
  tracee.deathStatus = status;
  task.group.deadTracees++;
  tellOfDeath(task, tracee, SIGCHLD, status);
}

function tellOfDeath(task: Task, { tracer }: Tracee, signo: number, status: number): void {
  const { code, value } = describeStatus(status);
  const ticks = Math.floor(task.cpuBefore / 1e7);
  if (signo !== 0) sendSignal(tracer.group, null, childInfo(signo, code, task.tid, task.creds.uid, value, ticks, 0));
  tracer.group.childEvents.wake();
}

/** A tracee that has ended is waited for by its tracer, or the tracer is gone. */
export function reapTracee(kernel: Kernel, tracee: Tracee): void {
  const { task, tracer } = tracee;
  const { group } = task;
  forget(tracee);
  if (!task.isLeader) {
    kernel.tasks.delete(task.tid);
    group.deadTracees--;
    if (group.tasks.length === 0 && group.deadTracees === 0) groupEnded(kernel, group);
    else group.threadsGone.wake();
    return;
  }
  const { parent } = group;
  if (parent === null || parent.isZombie) reap(kernel, group);
  else if (parent !== tracer.group) notifyParent(kernel, group, parent);
  else if (tracer.state !== 'ended') reap(kernel, group);
}

/** The tracer ends: its tracees are free, or go with it. */
function releaseTracees(tracer: Task): void {
  const { kernel } = tracer;
  for (const tracee of [...tracer.tracees]) {
    const { task } = tracee;
    if (task.state !== 'ended') {
      if ((tracee.options & PTRACE_O_EXITKILL) !== 0) sendSignal(task.group, null, kernelInfo(SIGKILL));
      detach(tracee, 0);
    } else if (task.isLeader && !task.group.isZombie) {
      forget(tracee);
    } else {
      reapTracee(kernel, tracee);
    }
  }
}

/** exit_group(2) or a fatal signal: all tasks of the group end, `task` last. */
export function exitGroup(task: Task, status: number): void {
  const { group } = task;
  group.exitStatus ??= status;
  for (const other of [...group.tasks]) if (other !== task) exitTask(other, status);
  exitTask(task, status);
}

/** execve by one of several tasks: the others go. Those that a tracer holds go later: `threadsGone` wakes each time. */
export function endOtherTasks(task: Task): void {
  for (const other of [...task.group.tasks]) if (other !== task) exitTask(other, 0);
}

/** A vfork child no longer needs its parent's memory. */
export function letParentGo(task: Task): void {
  if (!task.isVforkChild) return;
  task.isVforkChild = false;
  task.vforkDone.wake();
}

function groupEnded(kernel: Kernel, group: ThreadGroup): void {
  group.isZombie = true;
  group.timers.cancel();
  group.posixTimers.deleteAll();
  if (group === kernel.init) {
    endRun(kernel, group);
    return;
  }
  leaveSession(kernel, group);
  reparentChildren(kernel, group);
  hangUpOrphans(kernel, group, group.parent);
  group.exitEvents.wake();
  const { parent } = group;
  const { tracee } = group.leader;
  if (tracee !== null && tracee.tracer.group !== parent)
    tellOfDeath(group.leader, tracee, SIGCHLD, group.exitStatus ?? 0);
  else if (parent === null || parent.isZombie) reap(kernel, group);
  else notifyParent(kernel, group, parent);
}

function notifyParent(kernel: Kernel, group: ThreadGroup, parent: ThreadGroup): void {
  const status = group.exitStatus ?? 0;
  const signo = group.exitSignal;
  const action = parent.actions.get(SIGCHLD);
  const isTraced = group.leader.tracee !== null;
  const nobodyCares =
    !isTraced && signo === SIGCHLD && (action.handler === HANDLER_IGNORE || (action.flags & SA_NOCLDWAIT) !== 0);
  if (isValidSignal(signo) && !(nobodyCares && action.handler === HANDLER_IGNORE)) {
    const { code, value } = describeStatus(status);
    const ticks = Math.floor(group.endedCpuNs / 1e7);
    sendSignal(parent, null, childInfo(signo, code, group.tgid, group.leader.creds.uid, value, ticks, 0));
  }
  if (nobodyCares) reap(kernel, group);
  parent.childEvents.wake();
}

/** A wait status as siginfo tells it. */
export function describeStatus(status: number): { code: number; value: number } {
  const signo = status & 0x7f;
  if (signo === 0) return { code: CLD_EXITED, value: (status >> 8) & 0xff };
  return { code: (status & 0x80) !== 0 ? CLD_DUMPED : CLD_KILLED, value: signo };
}

/** A zombie is gone: its parent has waited for it, or nobody ever will. */
export function reap(kernel: Kernel, group: ThreadGroup): void {
  if (group.isReaped) return;
  group.isReaped = true;
  const { parent } = group;
  if (parent !== null) {
    parent.children.splice(parent.children.indexOf(group), 1);
  }
  kernel.groups.delete(group.tgid);
  kernel.tasks.delete(group.tgid);
}

/** Orphans go to the nearest ancestor that asked for them, else to the first process. */
function reparentChildren(kernel: Kernel, group: ThreadGroup): void {
  let heir = group.parent;
  while (heir !== null && (!heir.isSubreaper || heir.isZombie)) heir = heir.parent;
  heir ??= kernel.init;
  if (heir === null) return;
  for (const child of group.children.splice(0)) {
    child.parent = heir;
    child.leader.creatorTid = heir.tasks[0]?.tid ?? heir.tgid;
    // Whatever it was to tell its own parent, the new one hears of its end as of any child's.
    child.exitSignal = SIGCHLD;
    heir.children.push(child);
    if (child.isZombie) notifyParent(kernel, child, heir);
    hangUpOrphans(kernel, child, group);
  }
}

/**
 * POSIX: a process group that loses its last tie to the session, which was that `parent` had `member` as a child, gets
 * SIGHUP and SIGCONT when a process of it is stopped.
 */
function hangUpOrphans(kernel: Kernel, member: ThreadGroup, parent: ThreadGroup | null): void {
  const { pgid, sid } = member;
  if (parent === null || parent.pgid === pgid || parent.sid !== sid || !isOrphanedGroup(kernel, pgid)) return;
  const members = [...kernel.groups.values()].filter((group) => group.pgid === pgid);
  if (!members.some((group) => group.stopSignal !== 0 && !group.isZombie)) return;
  for (const signo of [SIGHUP, SIGCONT]) for (const group of members) sendSignal(group, null, kernelInfo(signo));
}

/** A task is gone: children that it made hear of it (PR_SET_PDEATHSIG), and become another thread's. */
function leaveChildren(task: Task): void {
  const { group } = task;
  for (const child of group.children) {
    if (child.leader.creatorTid !== task.tid) continue;
    child.leader.creatorTid = group.tasks[0]?.tid ?? group.tgid;
    for (const { parentDeathSignal } of child.tasks) {
      if (parentDeathSignal === 0) continue;
      sendSignal(child, null, killInfo(parentDeathSignal, SI_USER, group.tgid, task.creds.uid));
    }
  }
}

/** The first process is gone: as in a PID namespace, all others go with it. */
function endRun(kernel: Kernel, group: ThreadGroup): void {
  const status = group.exitStatus ?? 0;
  const signo = status & 0x7f;
  const exit = signo === 0 ? { code: (status >> 8) & 0xff } : { signal: signo };
  kernel.finish({ exit });
  for (const other of [...kernel.groups.values()]) {
    const [task] = other.tasks;
    if (task !== undefined) exitGroup(task, signalStatus(SIGKILL));
  }
}

savable('kernel/exit', { Ends });
