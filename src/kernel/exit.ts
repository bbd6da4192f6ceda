// SPDX-License-Identifier: MIT
//
// Ends of tasks and thread groups: what is given back and who is told. Ended tasks of a group go at once, not when
// their turn comes: nothing of them runs in between. Models Linux kernel/exit.c, gVisor task_exit.go.

import { CLD_DUMPED, CLD_EXITED, CLD_KILLED, SA_NOCLDWAIT, SIGCHLD, SIGCONT, SIGHUP, SIGKILL } from '../abi/signal.ts';
import { signalStatus } from '../abi/wait.ts';
import { EventKind } from '../trace/events.ts';
import { releaseRobustFutexes } from './futex.ts';
import type { Kernel } from './kernel.ts';
import { releaseFilters } from './seccomp/seccomp-filter.ts';
import { HANDLER_IGNORE } from './signals/signal-actions.ts';
import { childInfo, kernelInfo } from './signals/siginfo.ts';
import { recheckGroupStop, sendSignal } from './signals/send.ts';
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
  kernel.traceUnfinished(task);
  const ownStatus = group.exitStatus ?? status;
  const isLast = group.tasks.length === 1;

  releaseRobustFutexes(task);
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
  if (!task.isLeader) kernel.tasks.delete(task.tid);
  sendParentDeathSignals(task);
  kernel.trace.emit(EventKind.pageFaults, task.tid, task.faultsServed);
  kernel.trace.emit(EventKind.taskExit, task.tid, group.tgid, ownStatus, isLast ? 1 : 0);
  if (isLast) groupEnded(kernel, group);
  else recheckGroupStop(group);
}

/** exit_group(2) or a fatal signal: all tasks of the group end, `task` last. */
export function exitGroup(task: Task, status: number): void {
  const { group } = task;
  group.exitStatus ??= status;
  for (const other of [...group.tasks]) if (other !== task) exitTask(other, status);
  exitTask(task, status);
}

/** execve by one of several tasks: the others go. */
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
  reparentChildren(kernel, group);
  hangUpOrphans(kernel, group);
  group.exitEvents.wake();
  const { parent } = group;
  if (parent === null || parent.isZombie) {
    reap(kernel, group);
    return;
  }
  notifyParent(kernel, group, parent);
}

function notifyParent(kernel: Kernel, group: ThreadGroup, parent: ThreadGroup): void {
  const status = group.exitStatus ?? 0;
  const signo = group.exitSignal;
  const action = parent.actions.get(SIGCHLD);
  const nobodyCares = signo === SIGCHLD && (action.handler === HANDLER_IGNORE || (action.flags & SA_NOCLDWAIT) !== 0);
  if (signo !== 0 && !(nobodyCares && action.handler === HANDLER_IGNORE)) {
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
    const usage = parent.childUsage;
    usage.userNs += group.endedCpuNs + group.childUsage.userNs;
    usage.maxRssKib = Math.max(usage.maxRssKib, group.maxRssKib, group.childUsage.maxRssKib);
    usage.switches += group.endedSwitches + group.childUsage.switches;
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
    heir.children.push(child);
    if (child.isZombie) notifyParent(kernel, child, heir);
  }
}

/** POSIX: stopped jobs that lose their last tie to the session get SIGHUP and SIGCONT. */
function hangUpOrphans(kernel: Kernel, ended: ThreadGroup): void {
  for (const group of [...kernel.groups.values()]) {
    if (group.isZombie || group.stopSignal === 0 || group.sid !== ended.sid) continue;
    const isTied = [...kernel.groups.values()].some(
      (g) =>
        g.pgid === group.pgid && !g.isZombie && g.parent !== null && g.parent.sid === g.sid && g.parent.pgid !== g.pgid,
    );
    if (isTied) continue;
    sendSignal(group, null, kernelInfo(SIGHUP));
    sendSignal(group, null, kernelInfo(SIGCONT));
  }
}

/** PR_SET_PDEATHSIG: bound to the task that created the child. */
function sendParentDeathSignals(task: Task): void {
  for (const child of task.group.children) {
    const { leader } = child;
    if (leader.parentDeathSignal !== 0 && leader.creatorTid === task.tid && !child.isZombie) {
      sendSignal(child, null, kernelInfo(leader.parentDeathSignal));
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
