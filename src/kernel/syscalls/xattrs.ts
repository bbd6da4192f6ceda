// SPDX-License-Identifier: MIT
//
// Extended attributes by path, by path without following a link, and by descriptor. fs/xattr.c.

import { E2BIG, EBADF, EFAULT, EINVAL, ERANGE } from '../../abi/errno.ts';
import {
  AT_FDCWD,
  O_PATH,
  XATTR_CREATE,
  XATTR_LIST_MAX,
  XATTR_NAME_MAX,
  XATTR_REPLACE,
  XATTR_SIZE_MAX,
} from '../../abi/open.ts';
import { fromLatin1, latin1Bytes } from '../../base/bytes.ts';
import type { Dentry } from '../../vfs/dentry.ts';
import { getXattr, listXattrs, removeXattr, setXattr } from '../../vfs/xattrs.ts';
import type { Task } from '../task.ts';
import { resolveAt } from './file-arguments.ts';
import type { Args, SyscallDef } from './table.ts';

/** Finds the file that the first argument names. */
type Finder = (task: Task, a: Args) => Dentry | number;

const byPath: Finder = (task, a) => resolveAt(task, AT_FDCWD, a.num(0), true, false);
const byLink: Finder = (task, a) => resolveAt(task, AT_FDCWD, a.num(0), false, false);
const byFd: Finder = (task, a) => {
  const file = task.files.get(a.int(0));
  return file === undefined || (file.flags & O_PATH) !== 0 ? -EBADF : file.dentry;
};

/** An attribute name from memory; -ERANGE when it is empty or too long. */
function nameAt(task: Task, addr: number): string | number {
  const bytes = task.mm.readCString(addr, XATTR_NAME_MAX + 1);
  if (typeof bytes === 'number') return bytes === -EFAULT ? bytes : -ERANGE;
  return bytes.length === 0 ? -ERANGE : fromLatin1(bytes);
}

function set(task: Task, a: Args, find: Finder): number {
  const size = a.num(3);
  const flags = a.uint(4);
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  const name = nameAt(task, a.num(1));
  if (typeof name === 'number') return name;
  if (size > XATTR_SIZE_MAX) return -E2BIG;
  const value = new Uint8Array(size);
  if (task.mm.copyIn(a.num(2), value) < size) return -EFAULT;
  const found = find(task, a);
  return typeof found === 'number' ? found : setXattr(found, task.creds, name, value, flags);
}

/** Gives a result to a buffer argument; a buffer of no size only asks for the length. */
function give(task: Task, addr: number, size: number, result: Uint8Array | number): number {
  if (typeof result === 'number') return result;
  if (size === 0) return result.length;
  return task.mm.copyOut(addr, result) === result.length ? result.length : -EFAULT;
}

function get(task: Task, a: Args, find: Finder): number {
  const name = nameAt(task, a.num(1));
  if (typeof name === 'number') return name;
  const found = find(task, a);
  if (typeof found === 'number') return found;
  const size = Math.min(a.num(3), XATTR_SIZE_MAX);
  return give(task, a.num(2), size, getXattr(found, task.creds, name, size));
}

function list(task: Task, a: Args, find: Finder): number {
  const found = find(task, a);
  if (typeof found === 'number') return found;
  const size = Math.min(a.num(2), XATTR_LIST_MAX);
  const names = listXattrs(found, task.creds, size);
  return give(task, a.num(1), size, typeof names === 'number' ? names : latin1Bytes(names));
}

function remove(task: Task, a: Args, find: Finder): number {
  const name = nameAt(task, a.num(1));
  if (typeof name === 'number') return name;
  const found = find(task, a);
  return typeof found === 'number' ? found : removeXattr(found, task.creds, name);
}

/** The four calls of one way to name the file; their numbers are three apart. */
function family(prefix: string, offset: number, find: Finder): SyscallDef[] {
  const place = prefix === 'f' ? 'fd' : 'path';
  return [
    {
      nr: 188 + offset,
      name: `${prefix}setxattr`,
      args: [place, 'str', 'buf', 'size', 'flags:xattr'],
      call: (t, a) => set(t, a, find),
    },
    {
      nr: 191 + offset,
      name: `${prefix}getxattr`,
      args: [place, 'str', 'outbuf', 'size'],
      call: (t, a) => get(t, a, find),
    },
    { nr: 194 + offset, name: `${prefix}listxattr`, args: [place, 'outbuf', 'size'], call: (t, a) => list(t, a, find) },
    { nr: 197 + offset, name: `${prefix}removexattr`, args: [place, 'str'], call: (t, a) => remove(t, a, find) },
  ];
}

export const XATTR_CALLS: readonly SyscallDef[] = [
  ...family('', 0, byPath),
  ...family('l', 1, byLink),
  ...family('f', 2, byFd),
];
