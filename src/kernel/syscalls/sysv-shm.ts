// SPDX-License-Identifier: MIT
//
// System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2). Models Linux ipc/shm.c.

import { EFAULT, EINVAL, ENOMEM, EPERM } from '../../abi/errno.ts';
import * as I from '../../abi/ipc.ts';
import { MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { RLIMIT_MEMLOCK } from '../../abi/resource.ts';
import { putU64 } from '../../abi/words.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { Cap, hasCap } from '../credentials.ts';
import { checkIpcOwner } from '../ipc/ipc-objects.ts';
import { SharedSegment } from '../ipc/shared-segments.ts';
import type { Task } from '../task.ts';
import type { SyscallDef } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const READ_ACCESS = 0o444;
const WRITE_ACCESS = 0o222;
const EXEC_ACCESS = 0o111;

function shmget(task: Task, key: number, bytes: number, flags: number): number {
  // There are no huge pages in the pool.
  if ((flags & I.SHM_HUGETLB) !== 0) return hasCap(task.creds, Cap.ipcLock) ? -ENOMEM : -EPERM;
  const { kernel } = task;
  return kernel.ipc.segments.get(key, bytes, flags, task.creds, kernel.memory.limitFrames);
}

function shmat(task: Task, id: number, addr: number, flags: number): number {
  let at = addr;
  let mapFlags = MAP_SHARED;
  if (id < 0) return -EINVAL;
  if (addr !== 0) {
    if (addr % PAGE_SIZE !== 0) {
      if ((flags & I.SHM_RND) === 0) return -EINVAL;
      at = addr - (addr % PAGE_SIZE);
      if (at === 0 && (flags & I.SHM_REMAP) !== 0) return -EINVAL;
    }
    mapFlags |= MAP_FIXED;
  } else if ((flags & I.SHM_REMAP) !== 0) return -EINVAL;
  const isReadOnly = (flags & I.SHM_RDONLY) !== 0;
  const isExec = (flags & I.SHM_EXEC) !== 0;
  const access = READ_ACCESS | (isReadOnly ? 0 : WRITE_ACCESS) | (isExec ? EXEC_ACCESS : 0);
  const segment = task.kernel.ipc.segments.table.findFor(id, task.creds, access);
  if (typeof segment === 'number') return segment;
  const length = segment.sizeInBytes();
  if (at !== 0 && (flags & I.SHM_REMAP) === 0) {
    task.mm.beforeAsking(at, length);
    const next = task.mm.findVmaAbove(at);
    if (next !== undefined && next.start < at + length) return -EINVAL;
  }
  return task.mm.mmap({
    addr: at,
    length,
    prot: PROT_READ | (isReadOnly ? 0 : PROT_WRITE) | (isExec ? PROT_EXEC : 0),
    flags: mapFlags,
    file: segment,
    offset: 0,
    maxProt: PROT_READ | PROT_EXEC | (isReadOnly ? 0 : PROT_WRITE),
  });
}

/** Takes out the attachment that starts at `addr`, also where mprotect or munmap have cut it. */
function shmdt(task: Task, addr: number): number {
  const { mm } = task;
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  let segment: SharedSegment | null = null;
  const parts: { start: number; length: number }[] = [];
  for (const { file, start, end, offset } of mm.vmas()) {
    if (!(file instanceof SharedSegment) || start - addr !== offset) continue;
    if (segment !== null && file !== segment) continue;
    segment = file;
    if (start - addr < file.sizeInBytes()) parts.push({ start, length: end - start });
  }
  if (segment === null) return -EINVAL;
  for (const { start, length } of parts) mm.munmap(start, length);
  return 0;
}

function describe(segment: SharedSegment): Uint8Array {
  const bytes = new Uint8Array(I.ShmidDs.size);
  const view = viewOf(bytes);
  segment.writePerm(view);
  putU64(view, I.ShmidDs.segsz, segment.bytes);
  putU64(view, I.ShmidDs.atime, segment.atime);
  putU64(view, I.ShmidDs.dtime, segment.dtime);
  putU64(view, I.ShmidDs.ctime, segment.ctime);
  view.setInt32(I.ShmidDs.cpid, segment.creatorPid, true);
  view.setInt32(I.ShmidDs.lpid, segment.lastPid, true);
  putU64(view, I.ShmidDs.nattch, segment.attached);
  return bytes;
}

/** IPC_STAT takes an identifier, SHM_STAT a place in the table. */
function stat(task: Task, id: number, command: number, addr: number): number {
  const { table } = task.kernel.ipc.segments;
  let segment: SharedSegment | number;
  if (command === I.IPC_STAT) segment = table.findFor(id, task.creds, READ_ACCESS);
  else {
    const there = table.at(id);
    if (there === undefined) return -EINVAL;
    segment = command === I.SHM_STAT_ANY ? there : table.findFor(there.id, task.creds, READ_ACCESS);
  }
  if (typeof segment === 'number') return segment;
  if (writeBytes(task, addr, describe(segment)) < 0) return -EFAULT;
  return command === I.IPC_STAT ? 0 : segment.id;
}

function limits(task: Task, addr: number): number {
  const bytes = new Uint8Array(I.Shminfo.size);
  const view = viewOf(bytes);
  view.setBigUint64(I.Shminfo.shmmax, I.SHMMAX, true);
  putU64(view, I.Shminfo.shmmin, 1);
  putU64(view, I.Shminfo.shmmni, I.SHMMNI);
  putU64(view, I.Shminfo.shmseg, I.SHMMNI);
  view.setBigUint64(I.Shminfo.shmall, I.SHMALL, true);
  return writeBytes(task, addr, bytes) < 0 ? -EFAULT : task.kernel.ipc.segments.table.maxIndex;
}

function use(task: Task, addr: number): number {
  const { segments } = task.kernel.ipc;
  const bytes = new Uint8Array(I.ShmInfo.size);
  const view = viewOf(bytes);
  view.setInt32(I.ShmInfo.usedIds, segments.table.size, true);
  putU64(view, I.ShmInfo.total, segments.totalPages);
  putU64(view, I.ShmInfo.resident, segments.residentPages);
  return writeBytes(task, addr, bytes) < 0 ? -EFAULT : segments.table.maxIndex;
}

function change(task: Task, id: number, addr: number): number {
  const given = readBytes(task, addr, I.ShmidDs.size);
  if (given === undefined) return -EFAULT;
  const segment = owned(task, id);
  if (typeof segment === 'number') return segment;
  const view = viewOf(given);
  const { uid, gid, mode } = I.IpcPerm;
  segment.change(
    view.getUint32(uid, true),
    view.getUint32(gid, true),
    view.getUint32(mode, true),
    task.kernel.clock.seconds,
  );
  return 0;
}

function owned(task: Task, id: number): SharedSegment | number {
  const segment = task.kernel.ipc.segments.table.find(id);
  if (typeof segment === 'number') return segment;
  const denied = checkIpcOwner(segment, task.creds);
  return denied < 0 ? denied : segment;
}

function remove(task: Task, id: number): number {
  const segment = owned(task, id);
  if (typeof segment === 'number') return segment;
  task.kernel.ipc.segments.remove(segment);
  return 0;
}

/** SHM_LOCK and SHM_UNLOCK: nothing is ever swapped out, so the mode's bit is all there is to it. */
function lock(task: Task, id: number, locks: boolean): number {
  const segment = task.kernel.ipc.segments.table.find(id);
  if (typeof segment === 'number') return segment;
  if (!hasCap(task.creds, Cap.ipcLock)) {
    const { euid } = task.creds;
    if (euid !== segment.uid && euid !== segment.cuid) return -EPERM;
    const limit = task.group.softLimit(RLIMIT_MEMLOCK);
    if (locks && limit === 0) return -EPERM;
    if (locks && segment.bytes > limit) return -ENOMEM;
  }
  if (locks) segment.mode |= I.SHM_LOCKED;
  else segment.mode &= ~I.SHM_LOCKED;
  return 0;
}

function shmctl(task: Task, id: number, command: number, addr: number): number {
  if (command < 0 || id < 0) return -EINVAL;
  switch (command) {
    case I.IPC_INFO:
      return limits(task, addr);
    case I.SHM_INFO:
      return use(task, addr);
    case I.IPC_STAT:
    case I.SHM_STAT:
    case I.SHM_STAT_ANY:
      return stat(task, id, command, addr);
    case I.IPC_SET:
      return change(task, id, addr);
    case I.IPC_RMID:
      return remove(task, id);
    case I.SHM_LOCK:
    case I.SHM_UNLOCK:
      return lock(task, id, command === I.SHM_LOCK);
    default:
      return -EINVAL;
  }
}

export const SYSV_SHM_CALLS: readonly SyscallDef[] = [
  { nr: 29, name: 'shmget', args: ['hex', 'size', 'hex'], call: (t, a) => shmget(t, a.int(0), a.num(1), a.int(2)) },
  {
    nr: 30,
    name: 'shmat',
    args: ['int', 'ptr', 'hex'],
    ret: 'hex',
    call: (t, a) => shmat(t, a.int(0), a.num(1), a.int(2)),
  },
  { nr: 31, name: 'shmctl', args: ['int', 'int', 'ptr'], call: (t, a) => shmctl(t, a.int(0), a.int(1), a.num(2)) },
  { nr: 67, name: 'shmdt', args: ['ptr'], call: (t, a) => shmdt(t, a.num(0)) },
];
