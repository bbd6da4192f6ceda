// SPDX-License-Identifier: MIT
//
// POSIX message queues: mq_open(3) and its relatives as calls. Models Linux ipc/mqueue.c.

import { EAGAIN, EBADF, EFAULT, EINVAL, EMSGSIZE, ENOTSOCK, ERESTARTSYS, ETIMEDOUT } from '../../abi/errno.ts';
import { MqAttr, MQ_PRIO_MAX, NOTIFY_COOKIE_LEN, NOTIFY_REMOVED, NOTIFY_WOKENUP } from '../../abi/ipc.ts';
import { O_CREAT, O_NONBLOCK } from '../../abi/open.ts';
import { RLIMIT_MSGQUEUE } from '../../abi/resource.ts';
import { Sigevent } from '../../abi/signal-frame.ts';
import { NSIG, SI_MESGQ, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD } from '../../abi/signal.ts';
import { AF_NETLINK } from '../../abi/socket.ts';
import { getI64, getU64, putU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { SocketFile } from '../../vfs/unix-socket.ts';
import type { PosixQueue, QueuedMessage, QueueNotification, QueueWaiter } from '../ipc/posix-queues.ts';
import { PendingSend, QueueFile, QueueWaiter as Waiter } from '../ipc/posix-queues.ts';
import { messageQueueInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Task } from '../task.ts';
import { installFile, mayInstall, readPath } from './file-arguments.ts';
import type { SyscallDef, SyscallResult } from './table.ts';
import { readBytes, readTimespecBig, writeBytes } from './times.ts';

function mqOpen(task: Task, nameAddr: number, flags: number, mode: number, attrAddr: number): number {
  let attributes = null;
  if (attrAddr !== 0) {
    const bytes = readBytes(task, attrAddr, MqAttr.size);
    if (bytes === undefined) return -EFAULT;
    const view = viewOf(bytes);
    attributes = { maxMessages: getI64(view, MqAttr.maxmsg), messageBytes: getI64(view, MqAttr.msgsize) };
  }
  const name = readPath(task, nameAddr);
  if (typeof name === 'number') return name;
  const refused = mayInstall(task);
  if (refused < 0) return refused;
  const file = task.kernel.ipc.queues.open(
    {
      name,
      flags,
      mode: mode & 0o777 & ~task.fs.umask,
      attributes: (flags & O_CREAT) !== 0 ? attributes : null,
      limit: task.group.softLimit(RLIMIT_MSGQUEUE),
    },
    task.creds,
  );
  return typeof file === 'number' ? file : installFile(task, file, true);
}

function mqUnlink(task: Task, nameAddr: number): number {
  const name = readPath(task, nameAddr);
  return typeof name === 'number' ? name : task.kernel.ipc.queues.unlink(name, task.creds);
}

function queueOf(task: Task, fd: number): QueueFile | number {
  const file = task.files.get(fd);
  return file instanceof QueueFile ? file : -EBADF;
}

/** A moment of CLOCK_REALTIME as a deadline; undefined for none. */
function readDeadline(task: Task, addr: number): number | undefined | { readonly errno: number } {
  if (addr === 0) return undefined;
  const at = readTimespecBig(task, addr);
  return typeof at === 'object' ? at : task.kernel.clock.realtimeToMonotonic(at);
}

/** Sleeps in `line` until somebody gives the result, or the deadline strikes. */
function waitInLine<T, W extends QueueWaiter<T>>(
  task: Task,
  line: W[],
  waiter: W,
  deadlineNs: number | undefined,
  finish: (result: T) => number,
): SyscallResult {
  if (deadlineNs !== undefined && deadlineNs <= task.kernel.clock.now()) return -ETIMEDOUT;
  const leave = (): void => {
    const at = line.indexOf(waiter);
    if (at >= 0) line.splice(at, 1);
  };
  line.push(waiter);
  const sleep = (): SyscallResult =>
    task.block({
      queues: [{ queue: waiter.done }],
      ...(deadlineNs === undefined ? {} : { deadlineNs }),
      interrupted: -ERESTARTSYS,
      retry: (timedOut) => {
        if (waiter.result !== null) return finish(waiter.result);
        if (!timedOut) return sleep();
        leave();
        return -ETIMEDOUT;
      },
      onCancel: leave,
    });
  return sleep();
}

function mqSend(
  task: Task,
  fd: number,
  addr: number,
  length: number,
  priority: number,
  timeout: number,
): SyscallResult {
  const deadlineNs = readDeadline(task, timeout);
  if (typeof deadlineNs === 'object') return deadlineNs.errno;
  if (priority >= MQ_PRIO_MAX) return -EINVAL;
  const file = queueOf(task, fd);
  if (typeof file === 'number') return file;
  if (!file.canWrite) return -EBADF;
  const queue = file.messages;
  if (length > queue.messageBytes) return -EMSGSIZE;
  const bytes = readBytes(task, addr, length);
  if (bytes === undefined) return -EFAULT;
  const message = { priority, bytes };
  const result = queue.send(message);
  if (result !== -EAGAIN || (file.flags & O_NONBLOCK) !== 0) return result;
  return waitInLine<0, PendingSend>(task, queue.senders, new PendingSend(message), deadlineNs, (r) => r);
}

function mqReceive(
  task: Task,
  fd: number,
  addr: number,
  room: number,
  priorityAddr: number,
  timeout: number,
): SyscallResult {
  const deadlineNs = readDeadline(task, timeout);
  if (typeof deadlineNs === 'object') return deadlineNs.errno;
  const file = queueOf(task, fd);
  if (typeof file === 'number') return file;
  if (!file.canRead) return -EBADF;
  const queue = file.messages;
  if (room < queue.messageBytes) return -EMSGSIZE;
  const deliver = (message: QueuedMessage): number => {
    if (priorityAddr !== 0 && !task.mm.writeU32(priorityAddr, message.priority)) return -EFAULT;
    return writeBytes(task, addr, message.bytes) < 0 ? -EFAULT : message.bytes.length;
  };
  const message = queue.receive();
  if (message !== undefined) return deliver(message);
  if ((file.flags & O_NONBLOCK) !== 0) return -EAGAIN;
  return waitInLine(task, queue.receivers, new Waiter<QueuedMessage>(), deadlineNs, deliver);
}

function mqNotify(task: Task, fd: number, addr: number): number {
  if (addr === 0) return withQueue(task, fd, (queue) => queue.register(null, task.group));
  const bytes = readBytes(task, addr, Sigevent.size);
  if (bytes === undefined) return -EFAULT;
  const view = viewOf(bytes);
  const notify = view.getInt32(Sigevent.notify, true);
  const signo = view.getInt32(Sigevent.signo, true);
  if (notify !== SIGEV_NONE && notify !== SIGEV_SIGNAL && notify !== SIGEV_THREAD) return -EINVAL;
  if (notify === SIGEV_SIGNAL && (signo < 0 || signo > NSIG)) return -EINVAL;
  if (notify === SIGEV_THREAD) {
    const cookie = readBytes(task, getU64(view, Sigevent.value), NOTIFY_COOKIE_LEN);
    if (cookie === undefined) return -EFAULT;
    const socket = task.files.get(signo);
    if (socket === undefined) return -EBADF;
    if (!(socket instanceof SocketFile)) return -ENOTSOCK;
    if (socket.endpoint.family !== AF_NETLINK) return -EINVAL;
    return withQueue(task, fd, (queue) => queue.register(cookieNotification(task, socket, cookie), task.group));
  }
  const value = view.getBigUint64(Sigevent.value, true);
  const { group } = task;
  const notification: QueueNotification = {
    owner: group,
    pid: group.tgid,
    notify,
    signo,
    tell: () => {
      const sender = task.kernel.current;
      if (notify !== SIGEV_SIGNAL || signo === 0 || sender === null) return;
      sendSignal(group, null, messageQueueInfo(signo, SI_MESGQ, sender.group.tgid, sender.creds.uid, value));
    },
    removed: () => undefined,
  };
  return withQueue(task, fd, (queue) => queue.register(notification, group));
}

/** SIGEV_THREAD: the C library reads its own cookie from a netlink socket, and why it comes in the last byte. */
function cookieNotification(task: Task, { endpoint }: SocketFile, cookie: Uint8Array): QueueNotification {
  const post = (why: number): void => {
    const bytes = cookie.slice();
    bytes[NOTIFY_COOKIE_LEN - 1] = why;
    endpoint.post(bytes);
  };
  return {
    owner: task.group,
    pid: task.group.tgid,
    notify: SIGEV_THREAD,
    signo: 0,
    tell: () => post(NOTIFY_WOKENUP),
    removed: () => post(NOTIFY_REMOVED),
  };
}

function withQueue(task: Task, fd: number, call: (queue: PosixQueue) => number): number {
  const file = queueOf(task, fd);
  return typeof file === 'number' ? file : call(file.messages);
}

function mqGetsetattr(task: Task, fd: number, newAddr: number, oldAddr: number): number {
  let flags: number | null = null;
  if (newAddr !== 0) {
    const bytes = readBytes(task, newAddr, MqAttr.size);
    if (bytes === undefined) return -EFAULT;
    flags = getU64(viewOf(bytes), MqAttr.flags);
    if (flags !== 0 && flags !== O_NONBLOCK) return -EINVAL;
  }
  const file = queueOf(task, fd);
  if (typeof file === 'number') return file;
  const { messages } = file;
  const old = new Uint8Array(MqAttr.size);
  const view = viewOf(old);
  putU64(view, MqAttr.flags, file.flags & O_NONBLOCK);
  putU64(view, MqAttr.maxmsg, messages.maxMessages);
  putU64(view, MqAttr.msgsize, messages.messageBytes);
  putU64(view, MqAttr.curmsgs, messages.messages.length);
  if (flags !== null) file.flags = (file.flags & ~O_NONBLOCK) | flags;
  return oldAddr === 0 ? 0 : writeBytes(task, oldAddr, old);
}

export const POSIX_MQ_CALLS: readonly SyscallDef[] = [
  {
    nr: 240,
    name: 'mq_open',
    args: ['path', 'flags:open', 'mode', 'ptr'],
    ret: 'fd',
    call: (t, a) => mqOpen(t, a.num(0), a.int(1), a.uint(2), a.num(3)),
  },
  { nr: 241, name: 'mq_unlink', args: ['path'], call: (t, a) => mqUnlink(t, a.num(0)) },
  {
    nr: 242,
    name: 'mq_timedsend',
    args: ['fd', 'buf', 'size', 'uint', 'in:timespec'],
    call: (t, a) => mqSend(t, a.int(0), a.num(1), a.num(2), a.uint(3), a.num(4)),
  },
  {
    nr: 243,
    name: 'mq_timedreceive',
    args: ['fd', 'outbuf', 'size', 'out:uint', 'in:timespec'],
    call: (t, a) => mqReceive(t, a.int(0), a.num(1), a.num(2), a.num(3), a.num(4)),
  },
  {
    nr: 244,
    name: 'mq_notify',
    args: ['fd', 'in:sigevent'],
    call: (t, a) => mqNotify(t, a.int(0), a.num(1)),
  },
  {
    nr: 245,
    name: 'mq_getsetattr',
    args: ['fd', 'ptr', 'ptr'],
    call: (t, a) => mqGetsetattr(t, a.int(0), a.num(1), a.num(2)),
  },
];
