// SPDX-License-Identifier: MIT
//
// Reaching into other processes: process_vm_readv(2), process_vm_writev(2), kcmp(2), pidfd_getfd(2). Models
// mm/process_vm_access.c, kernel/kcmp.c, kernel/pid.c; who may is ptrace's rule.

import { EBADF, EFAULT, EINVAL, ENOENT, EPERM, ESRCH } from '../../abi/errno.ts';
import { IOV_MAX } from '../../abi/open.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import { getU64 } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { EpollFile } from '../../vfs/epoll.ts';
import type { OpenFile } from '../../vfs/open-file.ts';
import { PidFile } from '../pid-file.ts';
import { mayAccess } from '../ptrace/access.ts';
import type { Task } from '../task.ts';
import { MAX_RW_COUNT } from './file-arguments.ts';
import type { Args, SyscallDef } from './table.ts';
import { readBytes } from './times.ts';

const COPY_BYTES = 65536;

interface Piece {
  readonly addr: Addr;
  readonly length: number;
}

function readPieces(task: Task, addr: Addr, count: number): Piece[] | number {
  if (count > IOV_MAX) return -EINVAL;
  const bytes = readBytes(task, addr, count * 16);
  if (bytes === undefined) return -EFAULT;
  const v = viewOf(bytes);
  // Together no more than one call may move.
  let left = MAX_RW_COUNT;
  const pieces: Piece[] = [];
  for (let i = 0; i < count; i++) {
    const asked = getU64(v, 16 * i + 8);
    if (asked >= 2 ** 63) return -EINVAL;
    const length = Math.min(asked, left);
    left -= length;
    pieces.push({ addr: getU64(v, 16 * i), length });
  }
  return pieces;
}

/** process_vm_readv and process_vm_writev. */
function processVm(task: Task, a: Args, isWrite: boolean): number {
  if (a.num(5) !== 0) return -EINVAL;
  const local = readPieces(task, a.num(1), a.num(2));
  if (typeof local === 'number') return local;
  const own = local.some(({ length }) => length > 0);
  if (!own) return 0;
  const remote = readPieces(task, a.num(3), a.num(4));
  if (typeof remote === 'number') return remote;
  if (!remote.some(({ length }) => length > 0)) return 0;
  const other = task.kernel.task(a.int(0));
  if (other === undefined || other.state === 'ended') return -ESRCH;
  if (!mayAccess(task, other, 'real')) return -EPERM;

  const buffer = new Uint8Array(COPY_BYTES);
  let done = 0;
  let [l, lAt, r, rAt] = [0, 0, 0, 0];
  for (;;) {
    while (l < local.length && lAt === (local[l] as Piece).length) [l, lAt] = [l + 1, 0];
    while (r < remote.length && rAt === (remote[r] as Piece).length) [r, rAt] = [r + 1, 0];
    const mine = local[l];
    const theirs = remote[r];
    if (mine === undefined || theirs === undefined) return done;
    const n = Math.min(mine.length - lAt, theirs.length - rAt, COPY_BYTES);
    const chunk = buffer.subarray(0, n);
    const [from, fromAt, to, toAt] = isWrite
      ? ([task.mm, mine.addr + lAt, other.mm, theirs.addr + rAt] as const)
      : ([other.mm, theirs.addr + rAt, task.mm, mine.addr + lAt] as const);
    const read = from.copyIn(fromAt, chunk);
    const written = to.copyOut(toAt, chunk.subarray(0, read));
    done += written;
    if (written < n) return done > 0 ? done : -EFAULT;
    lAt += n;
    rAt += n;
  }
}

function pidfdGetfd(task: Task, fd: number, theirs: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  const file = task.files.get(fd);
  if (!(file instanceof PidFile)) return -EBADF;
  const [target] = file.group.tasks;
  if (target === undefined) return -ESRCH;
  if (!mayAccess(task, target, 'real')) return -EPERM;
  const wanted = target.files.get(theirs);
  if (wanted === undefined) return -EBADF;
  const made = task.files.install(wanted.retain(), true, task.group.softLimit(RLIMIT_NOFILE));
  if (made < 0) wanted.release();
  return made;
}

const KCMP_FILE = 0;
const KCMP_EPOLL_TFD = 7;

/** An order of objects: that in which they were first asked about. */
const ranks = new WeakMap<object, number>();
let nextRank = 0;

function rankOf(object: object): number {
  let rank = ranks.get(object);
  if (rank === undefined) {
    rank = nextRank++;
    ranks.set(object, rank);
  }
  return rank;
}

/** The result of kcmp for two objects, either of which may be missing: 0 same, 1 less, 2 greater. */
function compare(a: object | null, b: object | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : 2;
  return rankOf(a) < rankOf(b) ? 1 : 2;
}

function kcmp(task: Task, a: Args): number {
  const first = task.kernel.task(a.int(0));
  const second = task.kernel.task(a.int(1));
  if (first === undefined || second === undefined) return -ESRCH;
  if (!mayAccess(task, first, 'real') || !mayAccess(task, second, 'real')) return -EPERM;
  switch (a.int(2)) {
    case KCMP_FILE:
      return compareFiles(first.files.get(a.uint(3)), second.files.get(a.uint(4)));
    case 1:
      return compare(first.mm, second.mm);
    case 2:
      return compare(first.files, second.files);
    case 3:
      return compare(first.fs, second.fs);
    case 4:
      return compare(first.group.actions, second.group.actions);
    case 5:
      // Nobody has a context for input and output of its own.
      return 0;
    case 6:
      return compare(first.undoList, second.undoList);
    case KCMP_EPOLL_TFD: {
      const watched = watchedBy(task, second, a.num(4));
      return typeof watched === 'number' ? watched : compareFiles(first.files.get(a.uint(3)), watched);
    }
    default:
      return -EINVAL;
  }
}

function compareFiles(a: OpenFile | undefined, b: OpenFile | undefined): number {
  return a === undefined || b === undefined ? -EBADF : compare(a, b);
}

/** struct kcmp_epoll_slot: an epoll of `owner`, and the descriptor and number of a watch in it. */
function watchedBy(task: Task, owner: Task, addr: Addr): OpenFile | number {
  const slot = readBytes(task, addr, 12);
  if (slot === undefined) return -EFAULT;
  const view = viewOf(slot);
  const epoll = owner.files.get(view.getUint32(0, true));
  if (epoll === undefined) return -EBADF;
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  return epoll.watched(view.getUint32(4, true), view.getUint32(8, true)) ?? -ENOENT;
}

export const PROCESS_ACCESS_CALLS: readonly SyscallDef[] = [
  {
    nr: 310,
    name: 'process_vm_readv',
    args: ['pid', 'iov:out', 'size', 'iov:addr', 'size', 'uint'],
    call: (task, a) => processVm(task, a, false),
  },
  {
    nr: 311,
    name: 'process_vm_writev',
    args: ['pid', 'iov:in', 'size', 'iov:addr', 'size', 'uint'],
    call: (task, a) => processVm(task, a, true),
  },
  { nr: 312, name: 'kcmp', args: ['pid', 'pid', 'int', 'size', 'size'], call: kcmp },
  {
    nr: 438,
    name: 'pidfd_getfd',
    args: ['fd', 'fd', 'hex'],
    ret: 'fd',
    call: (task, a) => pidfdGetfd(task, a.int(0), a.int(1), a.uint(2)),
  },
];
