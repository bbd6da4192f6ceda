// SPDX-License-Identifier: MIT
//
// System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2). Models Linux ipc/msg.c.

import { E2BIG, EAGAIN, EFAULT, EIDRM, EINVAL, ENOMSG, EPERM, ERESTARTNOHAND } from '../../abi/errno.ts';
import * as I from '../../abi/ipc.ts';
import { putU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { Cap, hasCap } from '../credentials.ts';
import { checkIpcAccess, checkIpcOwner } from '../ipc/ipc-objects.ts';
import type { MessageList, TypedMessage } from '../ipc/message-lists.ts';
import { PendingReceive } from '../ipc/message-lists.ts';
import type { Task } from '../task.ts';
import type { BlockRequest, SyscallDef, SyscallResult, WaitSource } from './table.ts';
import { readBytes, writeBytes } from './times.ts';

const READ_ACCESS = 0o444;
const WRITE_ACCESS = 0o222;
/** Bytes of a message's type, before its text. */
const TYPE_BYTES = 8;
/** Figures of struct msginfo that no limit stands behind. */
const MSGSSZ = 16;
const MSGSEG = 0xffff;

function msgsnd(task: Task, id: number, addr: number, length: number, flags: number): SyscallResult {
  const head = readBytes(task, addr, TYPE_BYTES);
  if (head === undefined) return -EFAULT;
  const type = viewOf(head).getBigInt64(0, true);
  if (length > I.MSGMAX || id < 0 || type < 1n) return -EINVAL;
  const bytes = readBytes(task, addr + TYPE_BYTES, length);
  if (bytes === undefined) return -EFAULT;
  const { messages } = task.kernel.ipc;
  const list = messages.table.find(id);
  if (typeof list === 'number') return list;
  return new SendWait(task, list, { type, bytes }, (flags & I.IPC_NOWAIT) === 0).retry();
}

/** A msgsnd(2) that waits for room. */
class SendWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  readonly interrupted = -ERESTARTNOHAND;
  private readonly task: Task;
  private readonly list: MessageList;
  private readonly message: TypedMessage;
  private readonly waits: boolean;

  constructor(task: Task, list: MessageList, message: TypedMessage, waits: boolean) {
    this.task = task;
    this.list = list;
    this.message = message;
    this.waits = waits;
    this.queues = [{ queue: list.room }];
  }

  retry(): SyscallResult {
    const { task, list } = this;
    if (list.isRemoved) return -EIDRM;
    const denied = checkIpcAccess(list, task.creds, WRITE_ACCESS);
    if (denied < 0) return denied;
    const result = task.kernel.ipc.messages.send(list, this.message);
    return result === -EAGAIN && this.waits ? task.block(this) : result;
  }
}

function msgrcv(task: Task, id: number, addr: number, room: number, type: bigint, flags: number): SyscallResult {
  if (id < 0 || room >= 2 ** 63) return -EINVAL;
  const isCopy = (flags & I.MSG_COPY) !== 0;
  if (isCopy && ((flags & I.MSG_EXCEPT) !== 0 || (flags & I.IPC_NOWAIT) === 0)) return -EINVAL;
  const { messages } = task.kernel.ipc;
  const list = messages.table.find(id);
  if (typeof list === 'number') return list;
  return receive(task, list, { addr, room, type, flags });
}

/** What a msgrcv(2) asks for. */
interface Wanted {
  readonly addr: number;
  readonly room: number;
  readonly type: bigint;
  readonly flags: number;
}

function receive(task: Task, list: MessageList, wanted: Wanted): SyscallResult {
  const { addr, room, type, flags } = wanted;
  const isCopy = (flags & I.MSG_COPY) !== 0;
  if (list.isRemoved) return -EIDRM;
  const denied = checkIpcAccess(list, task.creds, READ_ACCESS);
  if (denied < 0) return denied;
  const index = isCopy ? Number(type) : list.indexOf(type, flags);
  const message = list.messages[index];
  if (message !== undefined) {
    if (room < message.bytes.length && (flags & I.MSG_NOERROR) === 0) return -E2BIG;
    if (!isCopy) task.kernel.ipc.messages.take(list, index);
    return deliver(task, addr, room, message);
  }
  if ((flags & I.IPC_NOWAIT) !== 0) return -ENOMSG;
  const receiver = new PendingReceive(type, flags, room, task.group.tgid);
  list.receivers.push(receiver);
  return task.block(new ReceiveWait(task, list, receiver, wanted));
}

/** A msgrcv(2) that waits for a message. */
class ReceiveWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  readonly interrupted = -ERESTARTNOHAND;
  private readonly task: Task;
  private readonly list: MessageList;
  private readonly receiver: PendingReceive;
  private readonly wanted: Wanted;

  constructor(task: Task, list: MessageList, receiver: PendingReceive, wanted: Wanted) {
    this.task = task;
    this.list = list;
    this.receiver = receiver;
    this.wanted = wanted;
    this.queues = [{ queue: receiver.done }];
  }

  retry(): SyscallResult {
    const { result } = this.receiver;
    if (result === null) return this.task.block(this);
    // Limits or rights have changed.
    if (result === -EAGAIN) return receive(this.task, this.list, this.wanted);
    return typeof result === 'number' ? result : deliver(this.task, this.wanted.addr, this.wanted.room, result);
  }

  onCancel(): void {
    const { receivers } = this.list;
    const at = receivers.indexOf(this.receiver);
    if (at >= 0) receivers.splice(at, 1);
  }
}

/** The message is out of the queue, whatever the caller's memory says to it. */
function deliver(task: Task, addr: number, room: number, message: TypedMessage): number {
  const part = message.bytes.length > room ? message.bytes.subarray(0, room) : message.bytes;
  if (!task.mm.writeU64(addr, message.type)) return -EFAULT;
  return writeBytes(task, addr + TYPE_BYTES, part) < 0 ? -EFAULT : part.length;
}

function describe(list: MessageList): Uint8Array {
  const bytes = new Uint8Array(I.MsqidDs.size);
  const view = viewOf(bytes);
  list.writePerm(view);
  putU64(view, I.MsqidDs.stime, list.stime);
  putU64(view, I.MsqidDs.rtime, list.rtime);
  putU64(view, I.MsqidDs.ctime, list.ctime);
  putU64(view, I.MsqidDs.cbytes, list.bytes);
  putU64(view, I.MsqidDs.qnum, list.messages.length);
  putU64(view, I.MsqidDs.qbytes, list.limit);
  view.setInt32(I.MsqidDs.lspid, list.lastSender, true);
  view.setInt32(I.MsqidDs.lrpid, list.lastReceiver, true);
  return bytes;
}

function stat(task: Task, id: number, command: number, addr: number): number {
  const { table } = task.kernel.ipc.messages;
  let list: MessageList | number;
  if (command === I.IPC_STAT) list = table.findFor(id, task.creds, READ_ACCESS);
  else {
    const there = table.at(id);
    if (there === undefined) return -EINVAL;
    list = command === I.MSG_STAT_ANY ? there : table.findFor(there.id, task.creds, READ_ACCESS);
  }
  if (typeof list === 'number') return list;
  if (writeBytes(task, addr, describe(list)) < 0) return -EFAULT;
  return command === I.IPC_STAT ? 0 : list.id;
}

function info(task: Task, command: number, addr: number): number {
  const { table, messages, bytes: inQueues } = task.kernel.ipc.messages;
  const isUse = command === I.MSG_INFO;
  const fields = [
    isUse ? table.size : (I.MSGMNI * I.MSGMNB) / 1024,
    isUse ? messages : I.MSGMNB,
    I.MSGMAX,
    I.MSGMNB,
    I.MSGMNI,
    MSGSSZ,
    isUse ? inQueues : I.MSGMNB,
  ];
  const bytes = new Uint8Array(I.Msginfo.size);
  const view = viewOf(bytes);
  for (const [i, value] of fields.entries()) view.setInt32(4 * i, value, true);
  view.setUint16(I.Msginfo.msgseg, MSGSEG, true);
  return writeBytes(task, addr, bytes) < 0 ? -EFAULT : table.maxIndex;
}

function owned(task: Task, id: number): MessageList | number {
  const list = task.kernel.ipc.messages.table.find(id);
  if (typeof list === 'number') return list;
  const denied = checkIpcOwner(list, task.creds);
  return denied < 0 ? denied : list;
}

function change(task: Task, id: number, addr: number): number {
  const { kernel } = task;
  const given = readBytes(task, addr, I.MsqidDs.size);
  if (given === undefined) return -EFAULT;
  const list = owned(task, id);
  if (typeof list === 'number') return list;
  const view = viewOf(given);
  const limit = Number(view.getBigUint64(I.MsqidDs.qbytes, true));
  if (limit > I.MSGMNB && !hasCap(task.creds, Cap.sysResource)) return -EPERM;
  const { uid, gid, mode } = I.IpcPerm;
  list.change(view.getUint32(uid, true), view.getUint32(gid, true), view.getUint32(mode, true), kernel.clock.seconds);
  list.limit = limit;
  kernel.ipc.messages.recheck(list);
  return 0;
}

function remove(task: Task, id: number): number {
  const list = owned(task, id);
  if (typeof list === 'number') return list;
  task.kernel.ipc.messages.remove(list);
  return 0;
}

function msgctl(task: Task, id: number, command: number, addr: number): number {
  if (id < 0 || command < 0) return -EINVAL;
  switch (command) {
    case I.IPC_INFO:
    case I.MSG_INFO:
      return info(task, command, addr);
    case I.IPC_STAT:
    case I.MSG_STAT:
    case I.MSG_STAT_ANY:
      return stat(task, id, command, addr);
    case I.IPC_SET:
      return change(task, id, addr);
    case I.IPC_RMID:
      return remove(task, id);
    default:
      return -EINVAL;
  }
}

export const SYSV_MSG_CALLS: readonly SyscallDef[] = [
  {
    nr: 68,
    name: 'msgget',
    args: ['hex', 'hex'],
    call: (t, a) => t.kernel.ipc.messages.get(a.int(0), a.int(1), t.creds),
  },
  {
    nr: 69,
    name: 'msgsnd',
    args: ['int', 'ptr', 'size', 'hex'],
    call: (t, a) => msgsnd(t, a.int(0), a.num(1), a.num(2), a.int(3)),
  },
  {
    nr: 70,
    name: 'msgrcv',
    args: ['int', 'ptr', 'size', 'long', 'hex'],
    call: (t, a) => msgrcv(t, a.int(0), a.num(1), a.num(2), BigInt.asIntN(64, a.big(3)), a.int(4)),
  },
  { nr: 71, name: 'msgctl', args: ['int', 'int', 'ptr'], call: (t, a) => msgctl(t, a.int(0), a.int(1), a.num(2)) },
];

savable('kernel/syscalls/sysv-msg', { SendWait, ReceiveWait });
