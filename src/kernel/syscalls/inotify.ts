// SPDX-License-Identifier: MIT
//
// inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2). Models fs/notify/inotify/inotify_user.c.

import { EBADF, EINVAL, ENOTDIR } from '../../abi/errno.ts';
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDONLY } from '../../abi/open.ts';
import * as P from '../../abi/poll.ts';
import { checkPermission, MAY_READ } from '../../vfs/credentials.ts';
import { IN_ALL_EVENTS, InotifyFile } from '../../vfs/inotify.ts';
import type { Task } from '../task.ts';
import { installFile, resolveAt } from './file-arguments.ts';
import type { SyscallDef } from './table.ts';

/** Bits that a mask may have. */
const KNOWN_BITS =
  IN_ALL_EVENTS |
  P.IN_UNMOUNT |
  P.IN_Q_OVERFLOW |
  P.IN_IGNORED |
  P.IN_ONLYDIR |
  P.IN_DONT_FOLLOW |
  P.IN_EXCL_UNLINK |
  P.IN_MASK_CREATE |
  P.IN_MASK_ADD |
  P.IN_ISDIR |
  P.IN_ONESHOT;

function init(task: Task, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  const { vfs } = task.kernel;
  const dentry = vfs.anonymous.dentry('anon_inode:inotify');
  const file = InotifyFile.open(dentry, O_RDONLY | (flags & O_NONBLOCK), vfs.inotifyUsers, task.creds.uid);
  return typeof file === 'number' ? file : installFile(task, file, (flags & O_CLOEXEC) !== 0);
}

function addWatch(task: Task, fd: number, path: number, mask: number): number {
  if ((mask & ~KNOWN_BITS) !== 0 || (mask & KNOWN_BITS) === 0) return -EINVAL;
  const file = task.files.usable(fd);
  if (file === undefined) return -EBADF;
  if ((mask & P.IN_MASK_ADD) !== 0 && (mask & P.IN_MASK_CREATE) !== 0) return -EINVAL;
  if (!(file instanceof InotifyFile)) return -EINVAL;
  const place = resolveAt(task, AT_FDCWD, path, (mask & P.IN_DONT_FOLLOW) === 0, false);
  if (typeof place === 'number') return place;
  if ((mask & P.IN_ONLYDIR) !== 0 && !place.inode.isDirectory) return -ENOTDIR;
  const denied = checkPermission(place.inode, task.creds, MAY_READ);
  return denied !== 0 ? denied : file.watch(place.inode, mask);
}

function removeWatch(task: Task, fd: number, wd: number): number {
  const file = task.files.usable(fd);
  if (file === undefined) return -EBADF;
  return file instanceof InotifyFile ? file.unwatch(wd) : -EINVAL;
}

export const INOTIFY_CALLS: readonly SyscallDef[] = [
  { nr: 253, name: 'inotify_init', args: [], ret: 'fd', call: (t) => init(t, 0) },
  { nr: 294, name: 'inotify_init1', args: ['flags:inotify'], ret: 'fd', call: (t, a) => init(t, a.uint(0)) },
  {
    nr: 254,
    name: 'inotify_add_watch',
    args: ['fd', 'path', 'flags:inotify_mask'],
    call: (t, a) => addWatch(t, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 255,
    name: 'inotify_rm_watch',
    args: ['fd', 'int'],
    call: (t, a) => removeWatch(t, a.int(0), a.int(1)),
  },
];
