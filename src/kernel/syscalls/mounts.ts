// SPDX-License-Identifier: MIT
//
// mount, umount2 and pivot_root: arguments and places. fs/namespace.c. What may be mounted is a table of the tree's.

import { EFAULT, EINVAL, ENAMETOOLONG, ENOTDIR, EPERM } from '../../abi/errno.ts';
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MGC_MSK,
  MS_MGC_VAL,
  MS_MOVE,
  MS_NOUSER,
  MS_PRIVATE,
  MS_REMOUNT,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
} from '../../abi/mount.ts';
import { AT_FDCWD } from '../../abi/open.ts';
import { fromLatin1 } from '../../base/bytes.ts';
import type { Dentry, Mount } from '../../vfs/dentry.ts';
import type { FsContext } from '../../vfs/fs-context.ts';
import {
  bindMount,
  changePropagation,
  mayMount,
  mountNew,
  moveMount,
  pivotRoot,
  remount,
  unmount,
} from '../../vfs/mounting.ts';
import { isMappedFrom } from '../../vfs/regular-file.ts';
import type { Task } from '../task.ts';
import { resolveAt } from './file-arguments.ts';
import type { SyscallDef } from './table.ts';

/** What the strings and the data of mount(2) may hold. */
const PAGE = 4096;

/** A string argument; null for a null pointer. */
function stringAt(task: Task, addr: number): string | null | number {
  if (addr === 0) return null;
  const bytes = task.mm.readCString(addr, PAGE);
  if (typeof bytes === 'number') return bytes === -ENAMETOOLONG ? -EINVAL : bytes;
  return fromLatin1(bytes);
}

/** The data page of mount(2): up to a page, which need not end in a zero. */
function dataAt(task: Task, addr: number): string | number {
  if (addr === 0) return '';
  const bytes = new Uint8Array(PAGE);
  const got = task.mm.copyIn(addr, bytes);
  if (got === 0) return -EFAULT;
  const end = bytes.indexOf(0);
  return fromLatin1(bytes.subarray(0, Math.min(got, end < 0 ? PAGE - 1 : end)));
}

function mount(task: Task, sourceAt: number, target: number, typeAt: number, flags: number, dataAddr: number): number {
  const type = stringAt(task, typeAt);
  if (typeof type === 'number') return type;
  const source = stringAt(task, sourceAt);
  if (typeof source === 'number') return source;
  const data = dataAt(task, dataAddr);
  if (typeof data === 'number') return data;
  const found = resolveAt(task, AT_FDCWD, target, true, false);
  if (typeof found === 'number') return found;
  const bits = (flags & MS_MGC_MSK) >>> 0 === MS_MGC_VAL ? flags & ~MS_MGC_MSK : flags;
  if ((bits & MS_NOUSER) !== 0) return -EINVAL;
  if (!mayMount(task.creds)) return -EPERM;
  const { vfs } = task.kernel;
  const table = vfs.mounts;
  const at = found.top;
  if ((bits & MS_REMOUNT) !== 0) return remount(table, at, bits, data, (bits & MS_BIND) !== 0);
  if ((bits & MS_BIND) !== 0) {
    const from = sourcePlace(task, source, sourceAt);
    return typeof from === 'number' ? from : bindMount(table, from, at, bits);
  }
  if ((bits & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)) !== 0) return changePropagation(table, at, bits);
  if ((bits & MS_MOVE) !== 0) {
    const from = sourcePlace(task, source, sourceAt);
    return typeof from === 'number' ? from : moveMount(table, from, at);
  }
  if (type === null) return -EINVAL;
  return mountNew(table, vfs.fileSystemTypes.get(type), at, source ?? 'none', bits, data, task.creds);
}

function sourcePlace(task: Task, source: string | null, addr: number): Dentry | number {
  return source === null || source === '' ? -EINVAL : resolveAt(task, AT_FDCWD, addr, true, false);
}

/** The views of all tasks, each once. */
function contexts(task: Task): Set<FsContext> {
  const all = new Set<FsContext>();
  for (const group of task.kernel.groups.values()) for (const each of group.tasks) all.add(each.fs);
  return all;
}

/** A task works in the mount or has mapped a file of it. */
function isUsed(task: Task, mount: Mount): boolean {
  for (const { root, cwd } of contexts(task)) if (root.mount === mount || cwd.mount === mount) return true;
  for (const group of task.kernel.groups.values()) {
    const { tasks } = group;
    for (const vma of tasks[0]?.mm.vmas() ?? []) {
      if (vma.file !== undefined && isMappedFrom(vma.file, mount)) return true;
    }
  }
  return false;
}

function umount(task: Task, target: number, flags: number): number {
  if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) !== 0) return -EINVAL;
  const found = resolveAt(task, AT_FDCWD, target, (flags & UMOUNT_NOFOLLOW) === 0, false);
  if (typeof found === 'number') return found;
  const at = found.top;
  const isRoot = at.mount === task.fs.root.mount;
  return unmount(task.kernel.vfs.mounts, at, flags, task.creds, isRoot, (m) => isUsed(task, m));
}

function pivot(task: Task, nextPath: number, oldPath: number): number {
  if (!mayMount(task.creds)) return -EPERM;
  const next = resolveAt(task, AT_FDCWD, nextPath, true, false);
  if (typeof next === 'number') return next;
  if (!next.inode.isDirectory) return -ENOTDIR;
  const old = resolveAt(task, AT_FDCWD, oldPath, true, false);
  if (typeof old === 'number') return old;
  if (!old.inode.isDirectory) return -ENOTDIR;
  return pivotRoot(task.kernel.vfs.mounts, task.fs.root, next, old, contexts(task));
}

export const MOUNT_CALLS: readonly SyscallDef[] = [
  {
    nr: 165,
    name: 'mount',
    args: ['path', 'path', 'str', 'flags:mount', 'str'],
    partial: 'shared propagation; file systems other than tmpfs, proc, devtmpfs, devpts and mqueue',
    call: (t, a) => mount(t, a.num(0), a.num(1), a.num(2), a.uint(3), a.num(4)),
  },
  { nr: 166, name: 'umount2', args: ['path', 'flags:umount'], call: (t, a) => umount(t, a.num(0), a.uint(1)) },
  { nr: 155, name: 'pivot_root', args: ['path', 'path'], call: (t, a) => pivot(t, a.num(0), a.num(1)) },
];
