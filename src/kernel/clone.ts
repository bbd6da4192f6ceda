// SPDX-License-Identifier: MIT
//
// clone(2) in all its forms: threads, fork, vfork. Models Linux kernel/fork.c (copy_process) and gVisor task_clone.go.

import { PTRACE_EVENT_CLONE, PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_VFORK_DONE } from '../abi/ptrace.ts';
import { EAGAIN, EEXIST, EFAULT, EINVAL, ENOMEM, EPERM } from '../abi/errno.ts';
import { RLIMIT_NPROC } from '../abi/resource.ts';
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_CLEAR_SIGHAND,
  CLONE_DETACHED,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_PTRACE,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_UNTRACED,
  CLONE_VFORK,
  CLONE_VM,
} from '../abi/sched.ts';
import { SIGCHLD } from '../abi/signal.ts';
import type { Addr } from '../base/addr.ts';
import { USER_HALF_END } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import { Reg } from '../cpu/regs.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import { EventKind } from '../trace/events.ts';
import type { Credentials } from './credentials.ts';
import { Cap, hasCap } from './credentials.ts';
import { IntervalTimers } from './interval-timers.ts';
import { UndoList } from './ipc/semaphore-sets.ts';
import { PID_MAX } from './limits.ts';
import { openPidFile } from './pid-file.ts';
import { PosixTimers } from './posix-timers.ts';
import { inherit } from './ptrace/relation.ts';
import type { Continuation } from './ptrace/stops.ts';
import { Gives, stopForEvent } from './ptrace/stops.ts';
import { releaseFilters } from './seccomp/seccomp-filter.ts';
import { inheritScheduling, mayFork } from './sched-policy.ts';
import type { BlockRequest, SyscallResult, WaitSource } from './syscalls/table.ts';
import { NO_ALT_STACK, Task } from './task.ts';
import { ThreadGroup } from './thread-group.ts';

/** What clone and clone3 ask for. */
export interface CloneRequest {
  /** CLONE_ bits without the exit signal; up to 2^34. */
  readonly flags: number;
  readonly exitSignal: number;
  /** Stack pointer of the child; 0 keeps the parent's. */
  readonly stack: number;
  readonly tls: number;
  readonly parentTid: Addr;
  readonly childTid: Addr;
  readonly pidfd: Addr;
  /** The tid that the child is to have; any when left out. */
  readonly tid?: number;
}

const TRAP_FLAG = 0x100;

const NAMESPACES = [
  CLONE_NEWTIME,
  CLONE_NEWNS,
  CLONE_NEWCGROUP,
  CLONE_NEWUTS,
  CLONE_NEWIPC,
  CLONE_NEWUSER,
  CLONE_NEWPID,
  CLONE_NEWNET,
];

/** True when the bit is set; flags may exceed 32 bits. */
function has(flags: number, bit: number): boolean {
  return Math.floor(flags / bit) % 2 === 1;
}

/**
 * What a kernel built without namespaces says to who asks for one of their own: EPERM where Linux asks for
 * CAP_SYS_ADMIN first, else EINVAL. Zero when `flags` ask for none.
 */
export function refuseNamespaces(creds: Credentials, flags: number): number {
  if (has(flags, CLONE_NEWUSER)) return -EINVAL;
  if (!NAMESPACES.some((bit) => has(flags, bit))) return 0;
  return hasCap(creds, Cap.sysAdmin) ? -EINVAL : -EPERM;
}

function checkFlags(parent: Task, request: CloneRequest): number {
  const { flags } = request;
  const isThread = has(flags, CLONE_THREAD);
  if (has(flags, CLONE_FS) && (has(flags, CLONE_NEWNS) || has(flags, CLONE_NEWUSER))) return -EINVAL;
  if (isThread && !has(flags, CLONE_SIGHAND)) return -EINVAL;
  if (has(flags, CLONE_SIGHAND) && !has(flags, CLONE_VM)) return -EINVAL;
  if (has(flags, CLONE_SIGHAND) && has(flags, CLONE_CLEAR_SIGHAND)) return -EINVAL;
  // A sibling of the first process would have no parent.
  if (has(flags, CLONE_PARENT) && parent.group.parent === null) return -EINVAL;
  if (isThread && (has(flags, CLONE_NEWUSER) || has(flags, CLONE_NEWPID))) return -EINVAL;
  if (has(flags, CLONE_PIDFD) && (isThread || has(flags, CLONE_DETACHED))) return -EINVAL;
  const refused = refuseNamespaces(parent.creds, flags);
  if (refused !== 0) return refused;
  if (has(flags, CLONE_SETTLS) && request.tls >= USER_HALF_END) return -EPERM;
  return 0;
}

/** Whether RLIMIT_NPROC, which counts the tasks of a user, is reached. */
export function reachesTaskLimit(task: Task, limit: number): boolean {
  const { kernel, creds } = task;
  if (kernel.tasks.size < limit) return false;
  if (creds.uid === 0 || hasCap(creds, Cap.sysResource) || hasCap(creds, Cap.sysAdmin)) return false;
  let tasks = 0;
  for (const each of kernel.tasks.values()) if (each.creds.uid === creds.uid) tasks++;
  return tasks >= limit;
}

/** The tid that clone3 asks for, or any; -errno. */
function chooseTid(parent: Task, wanted: number | undefined): number {
  const { kernel } = parent;
  if (wanted === undefined) return kernel.allocateTid();
  if (wanted < 1 || wanted >= PID_MAX) return -EINVAL;
  if (!hasCap(parent.creds, Cap.checkpointRestore) && !hasCap(parent.creds, Cap.sysAdmin)) return -EPERM;
  if (!kernel.isFreeTid(wanted)) return -EEXIST;
  return kernel.allocateTid(wanted);
}

/** Makes a task; gives its tid to the parent, which may sleep until the child lets go of its memory (vfork). */
export function cloneTask(parent: Task, request: CloneRequest): SyscallResult {
  const { kernel } = parent;
  const { flags } = request;
  const bad = checkFlags(parent, request);
  if (bad !== 0) return bad;
  if (reachesTaskLimit(parent, parent.group.softLimit(RLIMIT_NPROC)) || !mayFork(parent)) return -EAGAIN;
  const tid = chooseTid(parent, request.tid);
  if (tid < 0) return tid;
  if (!has(flags, CLONE_FILES) && !parent.files.mayCopy) return -ENOMEM;

  const mm = has(flags, CLONE_VM) ? parent.mm : forkSpace(parent);
  if (typeof mm === 'number') return mm;
  kernel.retainSpace(mm);
  if (mm !== parent.mm) kernel.inheritProgramImage(parent.mm, mm);
  const files = (has(flags, CLONE_FILES) ? undefined : parent.files.copy()) ?? parent.files.retain();
  const fs = has(flags, CLONE_FS) ? parent.fs : parent.fs.copy();
  if (fs === parent.fs) fs.users++;
  const isThread = has(flags, CLONE_THREAD);
  const child = new Task(kernel, { tid, group: isThread ? parent.group : null, mm, fs, files, creds: parent.creds });
  if (!isThread) child.group = makeGroup(parent, child, request);

  copyContext(parent, child, request);
  const attached = kernel.platform.attach(child);
  let pidfd = -1;
  if (attached === 0 && has(flags, CLONE_PIDFD)) pidfd = openPidFile(parent, child.group);
  const isTold = pidfd < 0 || parent.mm.writeU32(request.pidfd, pidfd);
  if (attached !== 0 || !isTold || (has(flags, CLONE_PIDFD) && pidfd < 0)) {
    if (pidfd >= 0) parent.files.close(pidfd);
    if (attached === 0) kernel.platform.detach(child);
    releaseFilters(child);
    files.release();
    fs.users--;
    kernel.releaseSpace(mm);
    return attached !== 0 ? attached : isTold ? pidfd : -EFAULT;
  }
  enroll(parent, child, flags);

  // Linux ignores faults here: the child starts all the same.
  if (has(flags, CLONE_PARENT_SETTID)) parent.mm.writeU32(request.parentTid, tid);
  if (has(flags, CLONE_CHILD_SETTID)) child.mm.writeU32(request.childTid, tid);
  if (has(flags, CLONE_CHILD_CLEARTID)) child.clearTidAddr = request.childTid;
  const event = eventOf(request);
  const isEvent = !has(flags, CLONE_UNTRACED) && parent.tracee?.wants(event) === true;
  if (parent.tracee !== null && (isEvent || has(flags, CLONE_PTRACE))) inherit(child, parent.tracee);
  kernel.scheduler.ready(child);
  child.isVforkChild = has(flags, CLONE_VFORK);
  const then = has(flags, CLONE_VFORK) ? new VforkWait(parent, child, tid) : new Gives(tid);
  return isEvent ? stopForEvent(parent, event, tid, then) : then.goOn();
}

/** The event that tells a tracer of a new task. */
function eventOf(request: CloneRequest): number {
  if (has(request.flags, CLONE_VFORK)) return PTRACE_EVENT_VFORK;
  return request.exitSignal === SIGCHLD ? PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;
}

/** The parent sleeps until the child has let go of its memory. */
class VforkWait implements BlockRequest, Continuation {
  readonly queues: readonly WaitSource[];
  readonly killableOnly = true;
  private readonly parent: Task;
  private readonly child: Task;
  private readonly tid: number;

  constructor(parent: Task, child: Task, tid: number) {
    this.parent = parent;
    this.child = child;
    this.tid = tid;
    this.queues = [{ queue: child.vforkDone }];
  }

  goOn(): SyscallResult {
    return this.retry();
  }

  retry(): SyscallResult {
    const { parent, child, tid } = this;
    if (child.isVforkChild) return parent.block(this);
    return stopForEvent(parent, PTRACE_EVENT_VFORK_DONE, tid, new Gives(tid));
  }
}

function forkSpace(parent: Task): AddressSpace | number {
  const mm = parent.mm.fork();
  if (mm === undefined) return -ENOMEM;
  const result = parent.kernel.platform.forkSpace(parent.mm, mm);
  if (result === 0) return mm;
  mm.release();
  return result;
}

function makeGroup(parent: Task, child: Task, request: CloneRequest): ThreadGroup {
  const { kernel, group } = parent;
  const { flags } = request;
  let { actions } = group;
  if (has(flags, CLONE_CLEAR_SIGHAND)) actions = actions.cleared();
  else if (!has(flags, CLONE_SIGHAND)) actions = actions.copy();
  const timers = new IntervalTimers(kernel);
  const made = new ThreadGroup({
    tgid: child.tid,
    leader: child,
    parent: has(flags, CLONE_PARENT) ? group.parent : group,
    pgid: group.pgid,
    sid: group.sid,
    exitSignal: has(flags, CLONE_PARENT) ? group.exitSignal : request.exitSignal,
    actions,
    limits: [...group.limits],
    timers,
    posixTimers: new PosixTimers(),
    startNs: kernel.clock.now(),
  });
  made.tty = group.tty;
  made.exePath = group.exePath;
  made.exe = group.exe;
  made.parts = group.parts;
  made.auxv = group.auxv;
  made.argvRange = group.argvRange;
  made.envpRange = group.envpRange;
  made.dumpable = group.dumpable;
  made.personality = group.personality;
  made.hasNoHugePages = group.hasNoHugePages;
  made.barriers = group.barriers;
  made.oomScoreAdj = group.oomScoreAdj;
  timers.bind(made);
  return made;
}

/** What a child inherits task by task. */
function copyContext(parent: Task, child: Task, request: CloneRequest): void {
  const { flags } = request;
  child.kernel.platform.saveFpu(parent);
  child.fpu.set(parent.fpu);
  child.regs.copyFrom(parent.regs);
  child.regs.set(Reg.rax, 0);
  // A tracer steps the parent, not the child.
  if (parent.tracee?.forcesTrapFlag === true)
    child.regs.u32[2 * Reg.rflags] = (child.regs.u32[2 * Reg.rflags] as number) & ~TRAP_FLAG;
  if (request.stack !== 0) child.regs.set(Reg.rsp, request.stack);
  if (has(flags, CLONE_SETTLS)) child.regs.set(Reg.fsBase, request.tls);
  if (parent.debug !== null) child.debug = parent.debug.forChild();
  child.mask = parent.savedMask ?? parent.mask;
  child.name = parent.name;
  const isSibling = has(flags, CLONE_PARENT) || has(flags, CLONE_THREAD);
  child.creatorTid = isSibling ? parent.group.leader.creatorTid : parent.tid;
  child.noNewPrivs = parent.noNewPrivs;
  if (parent.seccomp !== null) child.seccomp = parent.seccomp === 'strict' ? 'strict' : parent.seccomp.retain();
  inheritScheduling(parent, child);
  child.ioprio = parent.ioprio;
  child.timerSlackNs = parent.timerSlackNs;
  child.defaultTimerSlackNs = parent.timerSlackNs;
  child.mcePolicy = parent.mcePolicy;
  child.memoryPolicy = parent.memoryPolicy;
  child.isIoFlusher = parent.isIoFlusher;
  const sharesMemory = has(flags, CLONE_VM);
  child.altStack = sharesMemory && !has(flags, CLONE_VFORK) ? NO_ALT_STACK : parent.altStack;
  if (!sharesMemory) {
    child.rseqAddr = parent.rseqAddr;
    child.rseqLength = parent.rseqLength;
    child.rseqSignature = parent.rseqSignature;
  }
}

/** Enters a task into the kernel's lists. */
function enroll(parent: Task, child: Task, flags: number): void {
  const { kernel } = parent;
  const { group } = child;
  if (has(flags, CLONE_SYSVSEM)) {
    parent.undoList ??= new UndoList();
    parent.undoList.users++;
    child.undoList = parent.undoList;
  }
  kernel.tasks.set(child.tid, child);
  kernel.tasksStarted++;
  group.tasks.push(child);
  if (child.isLeader) {
    kernel.groups.set(group.tgid, group);
    group.parent?.children.push(group);
  } else if (group.stopSignal !== 0) {
    child.attention = true;
  }
  const { trace } = kernel;
  trace.emit(EventKind.taskStart, child.tid, group.tgid, parent.tid, flags);
  const isShared = child.mm === parent.mm;
  const origin = kernel.spaceNumber(parent.mm);
  trace.emit(EventKind.spaceEntered, child.tid, kernel.spaceNumber(child.mm), origin, isShared ? 2 : 1);
  trace.emitText(EventKind.taskName, child.tid, child.name);
}

savable('kernel/clone', { VforkWait });
