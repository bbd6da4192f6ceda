// SPDX-License-Identifier: MIT
//
// seccomp(2), and its older form prctl(PR_SET_SECCOMP). Models Linux kernel/seccomp.c (do_seccomp).

import { EACCES, EBUSY, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, ESRCH } from '../../abi/errno.ts';
import { O_RDWR } from '../../abi/open.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import * as abi from '../../abi/seccomp.ts';
import { getU64 } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { Cap, hasCap } from '../credentials.ts';
import { BpfProgram } from '../seccomp/bpf-program.ts';
import { SeccompListener } from '../seccomp/listener.ts';
import { SeccompFilter, releaseFilters } from '../seccomp/seccomp-filter.ts';
import type { Task } from '../task.ts';
import type { Args, SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

/** Instructions of all filters of all tasks: 32 MiB of them. Linux counts them as kernel memory. */
const MAX_FILTER_SIZE = 4 * 2 ** 20;

const ALL_FLAGS =
  abi.SECCOMP_FILTER_FLAG_TSYNC |
  abi.SECCOMP_FILTER_FLAG_LOG |
  abi.SECCOMP_FILTER_FLAG_SPEC_ALLOW |
  abi.SECCOMP_FILTER_FLAG_NEW_LISTENER |
  abi.SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
  abi.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

const ACTIONS: readonly number[] = [
  abi.SECCOMP_RET_KILL_PROCESS,
  abi.SECCOMP_RET_KILL_THREAD,
  abi.SECCOMP_RET_TRAP,
  abi.SECCOMP_RET_ERRNO,
  abi.SECCOMP_RET_USER_NOTIF,
  abi.SECCOMP_RET_TRACE,
  abi.SECCOMP_RET_LOG,
  abi.SECCOMP_RET_ALLOW,
];

/** Reads and checks struct sock_fprog, or gives -errno. */
function readProgram(task: Task, addr: Addr): BpfProgram | number {
  const head = readBytes(task, addr, abi.SockFprog.size);
  if (head === undefined) return -EFAULT;
  const v = viewOf(head);
  const length = v.getUint16(abi.SockFprog.length, true);
  if (length === 0 || length > abi.BPF_MAXINSNS) return -EINVAL;
  if (!task.noNewPrivs && !hasCap(task.creds, Cap.sysAdmin)) return -EACCES;
  const filterAddr = getU64(v, abi.SockFprog.filter);
  if (filterAddr === 0) return -EINVAL;
  const bytes = readBytes(task, filterAddr, length * abi.SockFilter.size);
  if (bytes === undefined) return -EFAULT;
  return BpfProgram.check(new Uint32Array(bytes.buffer)) ?? -EINVAL;
}

function isConsistent(flags: number): boolean {
  const has = (bit: number): boolean => (flags & bit) !== 0;
  if ((flags & ~ALL_FLAGS) !== 0) return false;
  // A descriptor and the number of a thread that could not follow would be the same result.
  if (
    has(abi.SECCOMP_FILTER_FLAG_TSYNC) &&
    has(abi.SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
    !has(abi.SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
  ) {
    return false;
  }
  return !has(abi.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) || has(abi.SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/** The first other thread that has filters of its own, so that it cannot take over `task`'s; else undefined. */
function unsyncable(task: Task): Task | undefined {
  const own = task.seccomp === 'strict' ? null : task.seccomp;
  return task.group.tasks.find(
    (each) => each !== task && each.seccomp !== null && (each.seccomp === 'strict' || !each.seccomp.isAncestorOf(own)),
  );
}

/** Gives the task a filter in place of its last one. */
function attach(task: Task, filter: SeccompFilter): void {
  filter.retain();
  releaseFilters(task);
  task.seccomp = filter;
}

function setFilter(task: Task, flags: number, addr: Addr): number {
  if (!isConsistent(flags)) return -EINVAL;
  const program = readProgram(task, addr);
  if (typeof program === 'number') return program;
  const previous = task.seccomp;
  if (previous === 'strict') return -EINVAL;
  const listens = (flags & abi.SECCOMP_FILTER_FLAG_NEW_LISTENER) !== 0;
  if (listens && previous?.hasListener === true) return -EBUSY;
  const filter = new SeccompFilter(program, previous, (flags & abi.SECCOMP_FILTER_FLAG_LOG) !== 0);
  const { kernel } = task;
  if (filter.isTooLong || kernel.filterSize + filter.size > MAX_FILTER_SIZE) return -ENOMEM;
  const syncs = (flags & abi.SECCOMP_FILTER_FLAG_TSYNC) !== 0;
  const other = syncs ? unsyncable(task) : undefined;
  if (other !== undefined) return (flags & abi.SECCOMP_FILTER_FLAG_TSYNC_ESRCH) !== 0 ? -ESRCH : other.tid;

  let result = 0;
  if (listens) {
    result = openListener(task, filter, (flags & abi.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) !== 0);
    if (result < 0) return result;
  }
  kernel.filterSize += filter.size;
  attach(task, filter);
  if (syncs) {
    for (const each of task.group.tasks) {
      if (each === task) continue;
      attach(each, filter);
      if (task.noNewPrivs) each.noNewPrivs = true;
    }
  }
  return result;
}

/** A close-on-exec descriptor for the filter's notifications, or -errno. */
function openListener(task: Task, filter: SeccompFilter, waitsKillable: boolean): number {
  const cookie = new Uint8Array(8);
  task.kernel.fillRandom(cookie);
  const dentry = task.kernel.vfs.anonymous.dentry('anon_inode:seccomp notify');
  const listener = new SeccompListener(dentry, O_RDWR, viewOf(cookie).getBigUint64(0, true), waitsKillable, filter);
  const fd = task.files.install(listener, true, task.group.softLimit(RLIMIT_NOFILE));
  if (fd < 0) listener.release();
  else filter.listener = listener;
  return fd;
}

function setStrict(task: Task): number {
  if (task.seccomp !== null && task.seccomp !== 'strict') return -EINVAL;
  task.seccomp = 'strict';
  return 0;
}

function seccomp(task: Task, a: Args): number {
  const flags = a.uint(1);
  const addr = a.num(2);
  switch (a.uint(0)) {
    case abi.SECCOMP_SET_MODE_STRICT:
      return flags !== 0 || addr !== 0 ? -EINVAL : setStrict(task);
    case abi.SECCOMP_SET_MODE_FILTER:
      return setFilter(task, flags, addr);
    case abi.SECCOMP_GET_ACTION_AVAIL: {
      if (flags !== 0) return -EINVAL;
      const action = task.mm.readU32(addr);
      if (action === undefined) return -EFAULT;
      return ACTIONS.includes(action) ? 0 : -EOPNOTSUPP;
    }
    case abi.SECCOMP_GET_NOTIF_SIZES: {
      if (flags !== 0) return -EINVAL;
      const sizes = new Uint16Array([abi.SeccompNotif.size, abi.SeccompNotifResp.size, abi.SeccompData.size]);
      return writeBytes(task, addr, new Uint8Array(sizes.buffer));
    }
    default:
      return -EINVAL;
  }
}

/** prctl(PR_GET_SECCOMP). */
export function seccompMode(task: Task): number {
  if (task.seccomp === null) return abi.SECCOMP_MODE_DISABLED;
  return task.seccomp === 'strict' ? abi.SECCOMP_MODE_STRICT : abi.SECCOMP_MODE_FILTER;
}

/** prctl(PR_SET_SECCOMP). */
export function setSeccompMode(task: Task, mode: number, addr: Addr): number {
  if (mode === abi.SECCOMP_MODE_STRICT) return setStrict(task);
  return mode === abi.SECCOMP_MODE_FILTER ? setFilter(task, 0, addr) : -EINVAL;
}

export const seccompCalls: readonly SyscallDef[] = [
  { nr: 317, name: 'seccomp', args: ['uint', 'hex', 'ptr'], call: seccomp },
];
