// SPDX-License-Identifier: MIT
//
// Processes and threads: clone(2), execve(2), exit(2), wait4(2), waitid(2), pidfd_open(2) and relatives.

import { E2BIG, EAGAIN, EBADF, EFAULT, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ESRCH } from '../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_NONBLOCK } from '../../abi/open.ts';
import { RLIMIT_NPROC, Rusage } from '../../abi/resource.ts';
import {
  CLONE_DETACHED,
  CLONE_FILES,
  CLONE_FS,
  CLONE_INTO_CGROUP,
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
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  CSIGNAL,
  CloneArgs,
} from '../../abi/sched.ts';
import { Siginfo } from '../../abi/signal-frame.ts';
import { NSIG, SIGCHLD } from '../../abi/signal.ts';
import {
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  exitStatus,
} from '../../abi/wait.ts';
import { getU64, putTimeval } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { USER_HALF_END } from '../../base/addr.ts';
import { fromLatin1, viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { lookupPath } from '../../vfs/path-walk.ts';
import type { Dentry } from '../../vfs/dentry.ts';
import type { CloneRequest } from '../clone.ts';
import { cloneTask, reachesTaskLimit, refuseNamespaces } from '../clone.ts';
import { execTask } from '../exec.ts';
import { exitGroup, exitTask } from '../exit.ts';
import { PidFile, openPidFile } from '../pid-file.ts';
import { childInfo } from '../signals/siginfo.ts';
import type { Task } from '../task.ts';
import type { ChildUsage, ThreadGroup } from '../thread-group.ts';
import type { ChildChange, WaitRequest } from '../wait.ts';
import { ChildWait } from '../wait.ts';
import type { Args, SyscallDef, SyscallResult } from './table.ts';
import { TASK_ENDED } from './table.ts';
import type { Failure } from './times.ts';
import { FAULT, INVALID, readBytes, writeBytes } from './times.ts';

const PATH_MAX = 4096;
/** PID namespaces that Linux nests. */
const MAX_PID_NS_LEVEL = 32;
const MAX_ARG_STRLEN = 131072;
const MAX_ARGS_BYTES = 6 * 1024 * 1024;

function clone(task: Task, a: Args): SyscallResult {
  const raw = a.uint(0);
  const flags = raw - (raw & CSIGNAL);
  const pidAddr = a.num(2);
  // clone(2) has one argument for both, so it cannot have both.
  const hasBoth = (flags & CLONE_PIDFD) !== 0 && (flags & CLONE_PARENT_SETTID) !== 0;
  if (hasBoth) return -EINVAL;
  return cloneTask(task, {
    flags,
    exitSignal: raw & CSIGNAL,
    stack: a.num(1),
    parentTid: pidAddr,
    pidfd: pidAddr,
    childTid: a.num(3),
    tls: a.num(4),
  });
}

/** The tid that clone3 is asked to give; undefined when it may choose. There is one PID namespace, so one tid. */
function readWantedTid(task: Task, addr: Addr, count: number): number | undefined | Failure {
  if (count > MAX_PID_NS_LEVEL || (addr === 0) !== (count === 0)) return INVALID;
  if (count === 0) return undefined;
  const bytes = readBytes(task, addr, 4 * count);
  if (bytes === undefined) return FAULT;
  return count > 1 ? INVALID : viewOf(bytes).getInt32(0, true);
}

function clone3(task: Task, a: Args): SyscallResult {
  const size = a.num(1);
  if (size < CloneArgs.sizeVersion0) return -EINVAL;
  if (size > 4096) return -E2BIG;
  const bytes = readBytes(task, a.num(0), size);
  if (bytes === undefined) return -EFAULT;
  // What this kernel does not know must be zero.
  if (bytes.subarray(CloneArgs.size).some((b) => b !== 0)) return -E2BIG;
  const full = new Uint8Array(CloneArgs.size);
  full.set(bytes.subarray(0, CloneArgs.size));
  const v = viewOf(full);
  const flags = getU64(v, CloneArgs.flags);
  const exitSignal = getU64(v, CloneArgs.exitSignal);
  const stack = getU64(v, CloneArgs.stack);
  const stackSize = getU64(v, CloneArgs.stackSize);
  if (exitSignal > NSIG) return -EINVAL;
  const tid = readWantedTid(task, getU64(v, CloneArgs.setTid), getU64(v, CloneArgs.setTidSize));
  if (typeof tid === 'object') return tid.errno;
  if (flags >= CLONE_INTO_CGROUP * 2) return -EINVAL;
  if ((flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) !== 0) return -EINVAL;
  if ((flags & (CLONE_THREAD | CLONE_PARENT)) !== 0 && exitSignal !== 0) return -EINVAL;
  if ((stack === 0) !== (stackSize === 0) || stack + stackSize > USER_HALF_END) return -EINVAL;
  // There are no control groups, so no descriptor can be one.
  if (flags >= CLONE_INTO_CGROUP) return -EBADF;
  const request: CloneRequest = {
    flags,
    exitSignal,
    stack: stack + stackSize,
    tls: getU64(v, CloneArgs.tls),
    parentTid: getU64(v, CloneArgs.parentTid),
    childTid: getU64(v, CloneArgs.childTid),
    pidfd: getU64(v, CloneArgs.pidfd),
    ...(tid === undefined ? {} : { tid }),
  };
  return cloneTask(task, request);
}

/** A NULL-terminated vector of strings, or -errno. A null vector counts as empty, as on Linux. */
function readStrings(task: Task, addr: Addr, budget: { left: number }): Uint8Array[] | number {
  const strings: Uint8Array[] = [];
  if (addr === 0) return strings;
  for (let at = addr; ; at += 8) {
    const pointer = task.mm.readU64n(at);
    if (pointer === undefined) return -EFAULT;
    if (pointer === 0) return strings;
    const text = task.mm.readCString(pointer, MAX_ARG_STRLEN);
    if (typeof text === 'number') return text === -ENAMETOOLONG ? -E2BIG : text;
    budget.left -= text.length + 9;
    if (budget.left < 0) return -E2BIG;
    strings.push(text);
  }
}

function exec(task: Task, dirfd: number, pathAddr: Addr, argvAddr: Addr, envpAddr: Addr, flags: number): SyscallResult {
  const bytes = task.mm.readCString(pathAddr, PATH_MAX);
  if (typeof bytes === 'number') return bytes;
  const path = fromLatin1(bytes);
  if (path === '' && (flags & AT_EMPTY_PATH) === 0) return -ENOENT;
  // setuid(2) does not fail for want of processes, what the new user then runs does.
  if (task.exceedsTaskLimit && reachesTaskLimit(task, task.group.softLimit(RLIMIT_NPROC) + 1)) return -EAGAIN;
  task.exceedsTaskLimit = false;
  const budget = { left: MAX_ARGS_BYTES };
  const argv = readStrings(task, argvAddr, budget);
  if (typeof argv === 'number') return argv;
  const envp = readStrings(task, envpAddr, budget);
  if (typeof envp === 'number') return envp;
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -EINVAL;

  const byDescriptor = dirfd !== AT_FDCWD && !path.startsWith('/');
  let start: Dentry = task.fs.cwd;
  if (byDescriptor) {
    const file = task.files.get(dirfd);
    if (file === undefined) return -EBADF;
    start = file.dentry;
  }
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  const dentry = path === '' ? start : lookupPath({ fs: task.fs, cred: task.creds }, start, path, follow);
  if (typeof dentry === 'number') return dentry;
  if (dentry.inode.isSymlink) return -ELOOP;
  return execTask(task, {
    dentry,
    path: byDescriptor ? `/dev/fd/${dirfd}${path === '' ? '' : `/${path}`}` : path,
    isPathClosing: byDescriptor && task.files.isCloexec(dirfd),
    argv,
    envp,
  });
}

/** struct rusage of a waited-for child or of a group. */
export function rusageBytes(usage: ChildUsage): Uint8Array {
  const bytes = new Uint8Array(Rusage.size);
  const v = viewOf(bytes);
  putTimeval(v, Rusage.utime, usage.userNs);
  v.setBigInt64(Rusage.maxrss, BigInt(usage.maxRssKib), true);
  v.setBigInt64(Rusage.nvcsw, BigInt(usage.switches), true);
  return bytes;
}

function selectPid(task: Task, pid: number): WaitRequest['who'] {
  if (pid > 0) return { tid: pid };
  return pid === -1 ? 'all' : { pgid: pid === 0 ? task.group.pgid : -pid };
}

function wait4(task: Task, a: Args): SyscallResult {
  const pid = a.int(0);
  const statusAddr = a.num(1);
  const options = a.int(2);
  const usageAddr = a.num(3);
  if ((options & ~(WNOHANG | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)) !== 0) return -EINVAL;
  if (pid === -(2 ** 31)) return -ESRCH;
  const who = selectPid(task, pid);
  return new StatusWait(task, { who, options: options | WEXITED }, statusAddr, usageAddr).retry();
}

/** A wait4(2). */
class StatusWait extends ChildWait {
  private readonly statusAddr: Addr;
  private readonly usageAddr: Addr;

  constructor(task: Task, request: WaitRequest, statusAddr: Addr, usageAddr: Addr) {
    super(task, request);
    this.statusAddr = statusAddr;
    this.usageAddr = usageAddr;
  }

  protected override finish(change: ChildChange | null): number {
    const { task, statusAddr, usageAddr } = this;
    if (change === null) return 0;
    if (statusAddr !== 0 && !task.mm.writeU32(statusAddr, change.status)) return -EFAULT;
    if (usageAddr !== 0 && writeBytes(task, usageAddr, rusageBytes(change.usage)) < 0) return -EFAULT;
    return change.pid;
  }
}

function writeWaitInfo(task: Task, addr: Addr, change: ChildChange | null): number {
  if (addr === 0) return 0;
  const bytes = new Uint8Array(Siginfo.size);
  if (change !== null) {
    bytes.set(childInfo(SIGCHLD, change.code, change.pid, change.uid, change.value, 0, 0).bytes);
  }
  // Linux writes the fields of SIGCHLD only, not all 128 bytes.
  return writeBytes(task, addr, bytes.subarray(0, 28));
}

function waitid(task: Task, a: Args): SyscallResult {
  const type = a.int(0);
  const id = a.int(1);
  const infoAddr = a.num(2);
  const options = a.int(3);
  const usageAddr = a.num(4);
  const known = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
  if ((options & ~known) !== 0 || (options & (WEXITED | WSTOPPED | WCONTINUED)) === 0) return -EINVAL;
  let who: WaitRequest['who'];
  let isNonblocking = false;
  if (type === P_ALL) who = 'all';
  else if (type === P_PID && id > 0) who = { tid: id };
  else if (type === P_PGID && id >= 0) who = { pgid: id === 0 ? task.group.pgid : id };
  else if (type === P_PIDFD && id >= 0) {
    const file = task.files.get(id);
    if (!(file instanceof PidFile)) return -EBADF;
    who = { leader: file.group.leader };
    isNonblocking = (file.flags & O_NONBLOCK) !== 0 && (options & WNOHANG) === 0;
  } else return -EINVAL;
  const request = { who, options: isNonblocking ? options | WNOHANG : options };
  return new InfoWait(task, request, { infoAddr, usageAddr, isNonblocking }).retry();
}

/** A waitid(2). */
class InfoWait extends ChildWait {
  private readonly what: { readonly infoAddr: Addr; readonly usageAddr: Addr; readonly isNonblocking: boolean };

  constructor(task: Task, request: WaitRequest, what: InfoWait['what']) {
    super(task, request);
    this.what = what;
  }

  protected override finish(change: ChildChange | null): number {
    const { infoAddr, usageAddr, isNonblocking } = this.what;
    if (change === null && isNonblocking) return -EAGAIN;
    if (usageAddr !== 0 && change !== null && writeBytes(this.task, usageAddr, rusageBytes(change.usage)) < 0)
      return -EFAULT;
    return writeWaitInfo(this.task, infoAddr, change);
  }
}

const UNSHARABLE =
  CLONE_THREAD |
  CLONE_FS |
  CLONE_NEWNS |
  CLONE_SIGHAND |
  CLONE_VM |
  CLONE_FILES |
  CLONE_SYSVSEM |
  CLONE_NEWUTS |
  CLONE_NEWIPC |
  CLONE_NEWUSER |
  CLONE_NEWPID |
  CLONE_NEWNET |
  CLONE_NEWCGROUP |
  CLONE_NEWTIME;

/** unshare(2): of what clone shares only directories, descriptors and semaphore adjustments can be parted again. */
function unshare(task: Task, flags: number): number {
  const { kernel, group } = task;
  if ((flags & ~UNSHARABLE) !== 0) return -EINVAL;
  const partsThreads = (flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) !== 0;
  if (partsThreads && group.tasks.length > 1) return -EINVAL;
  const { actions } = group;
  const sharesHandlers = (each: ThreadGroup): boolean => each !== group && each.actions === actions && !each.isZombie;
  if ((flags & (CLONE_SIGHAND | CLONE_VM)) !== 0 && [...kernel.groups.values()].some(sharesHandlers)) return -EINVAL;
  if ((flags & CLONE_VM) !== 0 && kernel.spaceUsers(task.mm) > 1) return -EINVAL;
  const refused = refuseNamespaces(task.creds, flags);
  if (refused !== 0) return refused;
  const files = (flags & CLONE_FILES) !== 0 && task.files.refs > 1 ? task.files.copy() : task.files;
  if (files === undefined) return -ENOMEM;
  if (files !== task.files) {
    task.files.release();
    task.files = files;
  }
  if ((flags & CLONE_FS) !== 0 && task.fs.users > 1) {
    task.fs.users--;
    task.fs = task.fs.copy();
  }
  if ((flags & CLONE_SYSVSEM) !== 0 && task.undoList !== null) {
    kernel.ipc.semaphores.releaseUndos(task.undoList);
    task.undoList = null;
  }
  return 0;
}

/** setns(2): nothing is a descriptor of a namespace here. */
function setns(task: Task, fd: number): number {
  return task.files.usable(fd) === undefined ? -EBADF : -EINVAL;
}

function pidfdOpen(task: Task, pid: number, flags: number): number {
  if ((flags & ~O_NONBLOCK) !== 0 || pid <= 0) return -EINVAL;
  const group = task.kernel.groups.get(pid);
  if (group === undefined) return task.kernel.task(pid) === undefined ? -ESRCH : -EINVAL;
  return openPidFile(task, group, flags);
}

const forkRequest: CloneRequest = {
  flags: 0,
  exitSignal: SIGCHLD,
  stack: 0,
  tls: 0,
  parentTid: 0,
  childTid: 0,
  pidfd: 0,
};

export const processCalls: readonly SyscallDef[] = [
  { nr: 39, name: 'getpid', args: [], call: (task) => task.group.tgid },
  { nr: 56, name: 'clone', args: ['hex', 'ptr', 'ptr', 'ptr', 'ptr'], partial: 'namespaces', call: clone },
  { nr: 57, name: 'fork', args: [], call: (task) => cloneTask(task, forkRequest) },
  {
    nr: 58,
    name: 'vfork',
    args: [],
    call: (task) => cloneTask(task, { ...forkRequest, flags: CLONE_VFORK | CLONE_VM }),
  },
  {
    nr: 59,
    name: 'execve',
    args: ['path', 'argv', 'envp'],
    call: (task, a) => exec(task, AT_FDCWD, a.num(0), a.num(1), a.num(2), 0),
  },
  {
    nr: 60,
    name: 'exit',
    args: ['int'],
    ret: 'none',
    call: (task, a) => {
      exitTask(task, exitStatus(a.int(0)));
      return TASK_ENDED;
    },
  },
  { nr: 61, name: 'wait4', args: ['pid', 'out:wstatus', 'flags:wait', 'out:rusage'], call: wait4 },
  { nr: 110, name: 'getppid', args: [], call: (task) => task.group.parent?.tgid ?? 0 },
  { nr: 186, name: 'gettid', args: [], call: (task) => task.tid },
  {
    nr: 218,
    name: 'set_tid_address',
    args: ['ptr'],
    call: (task, a) => {
      task.clearTidAddr = a.num(0);
      return task.tid;
    },
  },
  { nr: 219, name: 'restart_syscall', args: [], call: (task) => task.kernel.restartSyscall(task) },
  {
    nr: 231,
    name: 'exit_group',
    args: ['int'],
    ret: 'none',
    call: (task, a) => {
      exitGroup(task, exitStatus(a.int(0)));
      return TASK_ENDED;
    },
  },
  { nr: 247, name: 'waitid', args: ['enum:idtype', 'pid', 'out:siginfo', 'flags:wait', 'out:rusage'], call: waitid },
  {
    nr: 272,
    name: 'unshare',
    args: ['flags:unshare'],
    partial: 'namespaces',
    call: (task, a) => unshare(task, a.uint(0)),
  },
  {
    nr: 308,
    name: 'setns',
    args: ['fd', 'flags:unshare'],
    partial: 'namespaces: no descriptor leads to one',
    call: (task, a) => setns(task, a.int(0)),
  },
  {
    nr: 322,
    name: 'execveat',
    args: ['dirfd', 'path', 'argv', 'envp', 'flags:at'],
    call: (task, a) => exec(task, a.int(0), a.num(1), a.num(2), a.num(3), a.int(4)),
  },
  {
    nr: 434,
    name: 'pidfd_open',
    args: ['pid', 'flags:pidfd'],
    ret: 'fd',
    call: (task, a) => pidfdOpen(task, a.int(0), a.uint(1)),
  },
  { nr: 435, name: 'clone3', args: ['in:clone_args', 'size'], partial: 'namespaces, CLONE_INTO_CGROUP', call: clone3 },
];

savable('kernel/syscalls/processes', { StatusWait, InfoWait });
