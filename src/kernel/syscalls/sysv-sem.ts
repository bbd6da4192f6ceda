// SPDX-License-Identifier: MIT
//
// System V semaphores: semget(2), semop(2), semtimedop(2), semctl(2). Models Linux ipc/sem.c.

import { E2BIG, EAGAIN, EFAULT, EFBIG, EINTR, EINVAL, ERANGE } from '../../abi/errno.ts';
import * as I from '../../abi/ipc.ts';
import { putU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { checkIpcAccess, checkIpcOwner } from '../ipc/ipc-objects.ts';
import type { SemaphoreOperation, SemaphoreSet, Undo } from '../ipc/semaphore-sets.ts';
import { PendingOperation, UndoList } from '../ipc/semaphore-sets.ts';
import type { Task } from '../task.ts';
import type { BlockRequest, SyscallDef, SyscallResult, WaitSource } from './table.ts';
import { readBytes, readTimespec, writeBytes } from './times.ts';

const READ_ACCESS = 0o444;
const WRITE_ACCESS = 0o222;

function readOperations(task: Task, addr: number, count: number): SemaphoreOperation[] | number {
  const bytes = readBytes(task, addr, count * I.Sembuf.size);
  if (bytes === undefined) return -EFAULT;
  const view = viewOf(bytes);
  return Array.from({ length: count }, (_, i) => {
    const at = i * I.Sembuf.size;
    return {
      num: view.getUint16(at + I.Sembuf.num, true),
      op: view.getInt16(at + I.Sembuf.op, true),
      flags: view.getInt16(at + I.Sembuf.flags, true),
    };
  });
}

function semtimedop(task: Task, id: number, addr: number, count: number, timeout: number): SyscallResult {
  const { kernel } = task;
  let deadlineNs: number | undefined;
  if (timeout !== 0) {
    const wait = readTimespec(task, timeout);
    if (typeof wait === 'object' && wait.errno === -EFAULT) return -EFAULT;
    if (count < 1) return -EINVAL;
    if (count > I.SEMOPM) return -E2BIG;
    if (typeof wait === 'object') return wait.errno;
    deadlineNs = kernel.clock.now() + wait;
  }
  if (count > I.SEMOPM) return -E2BIG;
  if (count < 1) return -EINVAL;
  const operations = readOperations(task, addr, count);
  if (typeof operations === 'number') return operations;
  const sets = kernel.ipc.semaphores;
  const set = sets.table.find(id);
  if (typeof set === 'number') return set;
  if (operations.some(({ num }) => num >= set.count)) return -EFBIG;
  const alters = operations.some(({ op }) => op !== 0);
  const denied = checkIpcAccess(set, task.creds, alters ? WRITE_ACCESS : READ_ACCESS);
  if (denied < 0) return denied;
  const undo = undoOf(task, set, operations);
  if (typeof undo === 'number') return undo;

  const pid = task.group.tgid;
  const result = set.perform(operations, undo, pid);
  if (typeof result === 'number') {
    if (result < 0) return result;
    set.otime = kernel.clock.seconds;
    if (alters) set.serve(kernel.clock.seconds);
    return 0;
  }
  if (deadlineNs !== undefined && deadlineNs <= kernel.clock.now()) return -EAGAIN;
  const sleeper = new PendingOperation(operations, undo, pid, result);
  set.block(sleeper, result);
  set.pending.push(sleeper);
  return task.block(new SemaphoreWait(task, set, sleeper, deadlineNs));
}

/** A sleeping semtimedop(2). */
class SemaphoreWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  readonly deadlineNs?: number;
  readonly interrupted = -EINTR;
  private readonly task: Task;
  private readonly set: SemaphoreSet;
  private readonly sleeper: PendingOperation;

  constructor(task: Task, set: SemaphoreSet, sleeper: PendingOperation, deadlineNs: number | undefined) {
    this.task = task;
    this.set = set;
    this.sleeper = sleeper;
    this.queues = [{ queue: sleeper.done }];
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
  }

  retry(timedOut: boolean): SyscallResult {
    if (this.sleeper.result !== null) return this.sleeper.result;
    if (!timedOut) return this.task.block(this);
    this.onCancel();
    return -EAGAIN;
  }

  onCancel(): void {
    const at = this.set.pending.indexOf(this.sleeper);
    if (at >= 0) this.set.pending.splice(at, 1);
  }
}

/** Where SEM_UNDO keeps its adjustments; null when no operation asks for it. */
function undoOf(task: Task, set: SemaphoreSet, operations: readonly SemaphoreOperation[]): Undo | null | number {
  if (!operations.some(({ flags }) => (flags & I.SEM_UNDO) !== 0)) return null;
  task.undoList ??= new UndoList();
  return task.kernel.ipc.semaphores.undoFor(task.undoList, set);
}

function setValue(task: Task, id: number, num: number, value: number): number {
  if (value < 0 || value > I.SEMVMX) return -ERANGE;
  const { kernel } = task;
  const set = kernel.ipc.semaphores.table.find(id);
  if (typeof set === 'number') return set;
  if (num < 0 || num >= set.count) return -EINVAL;
  const denied = checkIpcAccess(set, task.creds, WRITE_ACCESS);
  if (denied < 0) return denied;
  set.forgetUndos(num);
  set.values[num] = value;
  set.pids[num] = task.group.tgid;
  set.ctime = kernel.clock.seconds;
  set.serve(kernel.clock.seconds);
  return 0;
}

function setAll(task: Task, id: number, addr: number): number {
  const { kernel } = task;
  const set = kernel.ipc.semaphores.table.findFor(id, task.creds, WRITE_ACCESS);
  if (typeof set === 'number') return set;
  const bytes = readBytes(task, addr, set.count * 2);
  if (bytes === undefined) return -EFAULT;
  const view = viewOf(bytes);
  for (let i = 0; i < set.count; i++) if (view.getUint16(2 * i, true) > I.SEMVMX) return -ERANGE;
  for (let i = 0; i < set.count; i++) {
    set.values[i] = view.getUint16(2 * i, true);
    set.pids[i] = task.group.tgid;
  }
  set.forgetUndos(-1);
  set.ctime = kernel.clock.seconds;
  set.serve(kernel.clock.seconds);
  return 0;
}

function getOne(task: Task, id: number, num: number, command: number, addr: number): number {
  const set = task.kernel.ipc.semaphores.table.findFor(id, task.creds, READ_ACCESS);
  if (typeof set === 'number') return set;
  if (command === I.GETALL) {
    const bytes = new Uint8Array(set.count * 2);
    const view = viewOf(bytes);
    for (const [i, value] of set.values.entries()) view.setUint16(2 * i, value, true);
    return writeBytes(task, addr, bytes);
  }
  const value = set.values[num];
  if (num < 0 || value === undefined) return -EINVAL;
  switch (command) {
    case I.GETVAL:
      return value;
    case I.GETPID:
      return set.pids[num] ?? 0;
    default:
      return set.countWaiting(num, command === I.GETZCNT);
  }
}

function describe(set: SemaphoreSet): Uint8Array {
  const bytes = new Uint8Array(I.SemidDs.size);
  const view = viewOf(bytes);
  set.writePerm(view);
  putU64(view, I.SemidDs.otime, set.otime);
  putU64(view, I.SemidDs.ctime, set.ctime);
  putU64(view, I.SemidDs.nsems, set.count);
  return bytes;
}

function stat(task: Task, id: number, command: number, addr: number): number {
  const { table } = task.kernel.ipc.semaphores;
  let set: SemaphoreSet | number;
  if (command === I.IPC_STAT) set = table.findFor(id, task.creds, READ_ACCESS);
  else {
    const there = table.at(id);
    if (there === undefined) return -EINVAL;
    set = command === I.SEM_STAT_ANY ? there : table.findFor(there.id, task.creds, READ_ACCESS);
  }
  if (typeof set === 'number') return set;
  if (writeBytes(task, addr, describe(set)) < 0) return -EFAULT;
  return command === I.IPC_STAT ? 0 : set.id;
}

function info(task: Task, command: number, addr: number): number {
  const { table, total } = task.kernel.ipc.semaphores;
  const isUse = command === I.SEM_INFO;
  const fields = [
    I.SEMMNS,
    I.SEMMNI,
    I.SEMMNS,
    I.SEMMNS,
    I.SEMMSL,
    I.SEMOPM,
    I.SEMOPM,
    isUse ? table.size : 20,
    I.SEMVMX,
    isUse ? total : I.SEMVMX,
  ];
  const bytes = new Uint8Array(I.Seminfo.size);
  const view = viewOf(bytes);
  for (const [i, value] of fields.entries()) view.setInt32(4 * i, value, true);
  return writeBytes(task, addr, bytes) < 0 ? -EFAULT : table.maxIndex;
}

function owned(task: Task, id: number): SemaphoreSet | number {
  const set = task.kernel.ipc.semaphores.table.find(id);
  if (typeof set === 'number') return set;
  const denied = checkIpcOwner(set, task.creds);
  return denied < 0 ? denied : set;
}

function change(task: Task, id: number, addr: number): number {
  const given = readBytes(task, addr, I.SemidDs.size);
  if (given === undefined) return -EFAULT;
  const set = owned(task, id);
  if (typeof set === 'number') return set;
  const view = viewOf(given);
  const { uid, gid, mode } = I.IpcPerm;
  set.change(
    view.getUint32(uid, true),
    view.getUint32(gid, true),
    view.getUint32(mode, true),
    task.kernel.clock.seconds,
  );
  return 0;
}

function remove(task: Task, id: number): number {
  const set = owned(task, id);
  if (typeof set === 'number') return set;
  task.kernel.ipc.semaphores.remove(set);
  return 0;
}

/** @param value the fourth argument as an int, `addr` as a pointer */
function semctl(task: Task, id: number, num: number, command: number, value: number, addr: number): number {
  if (id < 0) return -EINVAL;
  switch (command) {
    case I.IPC_INFO:
    case I.SEM_INFO:
      return info(task, command, addr);
    case I.IPC_STAT:
    case I.SEM_STAT:
    case I.SEM_STAT_ANY:
      return stat(task, id, command, addr);
    case I.GETALL:
    case I.GETVAL:
    case I.GETPID:
    case I.GETNCNT:
    case I.GETZCNT:
      return getOne(task, id, num, command, addr);
    case I.SETALL:
      return setAll(task, id, addr);
    case I.SETVAL:
      return setValue(task, id, num, value);
    case I.IPC_SET:
      return change(task, id, addr);
    case I.IPC_RMID:
      return remove(task, id);
    default:
      return -EINVAL;
  }
}

export const SYSV_SEM_CALLS: readonly SyscallDef[] = [
  {
    nr: 64,
    name: 'semget',
    args: ['hex', 'int', 'hex'],
    call: (t, a) => t.kernel.ipc.semaphores.get(a.int(0), a.int(1), a.int(2), t.creds),
  },
  {
    nr: 65,
    name: 'semop',
    args: ['int', 'ptr', 'size'],
    call: (t, a) => semtimedop(t, a.int(0), a.num(1), a.uint(2), 0),
  },
  {
    nr: 66,
    name: 'semctl',
    args: ['int', 'int', 'int', 'hex'],
    call: (t, a) => semctl(t, a.int(0), a.int(1), a.int(2), a.int(3), a.num(3)),
  },
  {
    nr: 220,
    name: 'semtimedop',
    args: ['int', 'ptr', 'size', 'in:timespec'],
    call: (t, a) => semtimedop(t, a.int(0), a.num(1), a.uint(2), a.num(3)),
  },
];

savable('kernel/syscalls/sysv-sem', { SemaphoreWait });
