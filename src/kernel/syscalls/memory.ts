// SPDX-License-Identifier: MIT
//
// Memory: mmap(2) and its family over the address space. What the calls mean is mm's; descriptors and permissions are
// checked here.

import { EACCES, EBADF, EINVAL, ENOSPC, EOVERFLOW, EPERM } from '../../abi/errno.ts';
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_TYPE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../abi/mman.ts';
import { F_SEAL_FUTURE_WRITE, F_SEAL_WRITE, O_PATH } from '../../abi/open.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { displayPath } from '../../vfs/dentry.ts';
import { MemoryFile } from '../../vfs/memory-nodes.ts';
import type { Task } from '../task.ts';
import type { Args, SyscallDef } from './table.ts';

const ALL_PROT = PROT_READ | PROT_WRITE | PROT_EXEC;
/** Seals that forbid new ways to write. */
const SEALED = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

function mmap(task: Task, a: Args): number {
  const addr = a.num(0);
  const length = a.num(1);
  const prot = a.int(2);
  const flags = a.int(3);
  const offset = a.num(5);
  if (offset % PAGE_SIZE !== 0) return -EINVAL;
  if ((flags & MAP_ANONYMOUS) !== 0) return task.mm.mmap({ addr, length, prot, flags });
  const file = task.files.get(a.int(4));
  if (file === undefined) return -EBADF;
  if (length === 0) return -EINVAL;
  if (offset + length > 2 ** 53) return -EOVERFLOW;
  const type = flags & MAP_TYPE;
  const isShared = type === MAP_SHARED || type === MAP_SHARED_VALIDATE;
  if (!isShared && type !== MAP_PRIVATE) return -EINVAL;
  if ((file.flags & O_PATH) !== 0) return -EBADF;
  const refused = (refusal: number): number => task.mm.mmap({ addr, length, prot, flags, offset, refusal });
  const writesShared = isShared && (prot & PROT_WRITE) !== 0;
  if (!file.canRead || (writesShared && !file.canWrite)) return refused(-EACCES);
  const { isNoExec } = file.dentry.mount;
  if (isNoExec && (prot & PROT_EXEC) !== 0) return refused(-EPERM);
  const isSealed = isShared && file.inode instanceof MemoryFile && (file.inode.seals & SEALED) !== 0;
  if (isSealed && writesShared) return refused(-EPERM);
  const noWrite = isSealed || (isShared && !file.canWrite);
  const maxProt = ALL_PROT & ~((noWrite ? PROT_WRITE : 0) | (isNoExec ? PROT_EXEC : 0));
  const mapped = file.mappable(displayPath(file.dentry, task.fs.root));
  if (typeof mapped === 'number') return refused(mapped);
  return task.mm.mmap({ addr, length, prot, flags, file: mapped, offset, maxProt });
}

function pkeyMprotect(task: Task, a: Args): number {
  // Without protection keys only the key that stands for none is valid.
  return a.int(3) === -1 ? task.mm.mprotect(a.num(0), a.num(1), a.int(2)) : -EINVAL;
}

export const memoryCalls: readonly SyscallDef[] = [
  { nr: 9, name: 'mmap', args: ['ptr', 'size', 'flags:prot', 'flags:map', 'fd', 'hex'], ret: 'hex', call: mmap },
  {
    nr: 10,
    name: 'mprotect',
    args: ['ptr', 'size', 'flags:prot'],
    call: (task, a) => task.mm.mprotect(a.num(0), a.num(1), a.int(2)),
  },
  { nr: 11, name: 'munmap', args: ['ptr', 'size'], call: (task, a) => task.mm.munmap(a.num(0), a.num(1)) },
  { nr: 12, name: 'brk', args: ['ptr'], ret: 'hex', call: (task, a) => task.mm.brk(a.num(0)) },
  {
    nr: 25,
    name: 'mremap',
    args: ['ptr', 'size', 'size', 'flags:mremap', 'ptr'],
    ret: 'hex',
    call: (task, a) => task.mm.mremap(a.num(0), a.num(1), a.num(2), a.int(3), a.num(4)),
  },
  {
    nr: 26,
    name: 'msync',
    args: ['ptr', 'size', 'flags:msync'],
    call: (task, a) => task.mm.msync(a.num(0), a.num(1), a.int(2)),
  },
  {
    nr: 27,
    name: 'mincore',
    args: ['ptr', 'size', 'ptr'],
    call: (task, a) => task.mm.mincore(a.num(0), a.num(1), a.num(2)),
  },
  {
    nr: 28,
    name: 'madvise',
    args: ['ptr', 'size', 'enum:madvice'],
    call: (task, a) => task.mm.madvise(a.num(0), a.num(1), a.int(2)),
  },
  { nr: 149, name: 'mlock', args: ['ptr', 'size'], call: (task, a) => task.mm.mlock(a.num(0), a.num(1)) },
  { nr: 150, name: 'munlock', args: ['ptr', 'size'], call: (task, a) => task.mm.munlock(a.num(0), a.num(1)) },
  { nr: 151, name: 'mlockall', args: ['flags:mlockall'], call: (task, a) => task.mm.mlockall(a.int(0)) },
  { nr: 152, name: 'munlockall', args: [], call: (task) => task.mm.munlockall() },
  {
    nr: 325,
    name: 'mlock2',
    args: ['ptr', 'size', 'flags:mlock2'],
    call: (task, a) => ((a.int(2) & ~1) !== 0 ? -EINVAL : task.mm.mlock(a.num(0), a.num(1), a.int(2))),
  },
  { nr: 329, name: 'pkey_mprotect', args: ['ptr', 'size', 'flags:prot', 'int'], call: pkeyMprotect },
  // A processor without protection keys: as Linux answers there.
  {
    nr: 330,
    name: 'pkey_alloc',
    args: ['hex', 'hex'],
    call: (_, a) => (a.num(0) !== 0 || a.num(1) > 3 ? -EINVAL : -ENOSPC),
  },
  { nr: 331, name: 'pkey_free', args: ['int'], call: () => -EINVAL },
];
