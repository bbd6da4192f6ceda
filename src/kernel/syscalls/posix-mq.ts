// SPDX-License-Identifier: MIT
//
// POSIX message queues: mq_open(3) and its relatives as calls. Models Linux ipc/mqueue.c.

import { EAGAIN, EBADF, EFAULT, EINVAL, EMSGSIZE, ENOTSOCK, ETIMEDOUT } from '../../abi/errno.ts';
import { MqAttr, MQ_PRIO_MAX, NOTIFY_COOKIE_LEN, NOTIFY_REMOVED, NOTIFY_WOKENUP } from '../../abi/ipc.ts';
import { O_CREAT, O_NONBLOCK } from '../../abi/open.ts';
import { RLIMIT_MSGQUEUE } from '../../abi/resource.ts';
import { Sigevent } from '../../abi/signal-frame.ts';
import { NSIG, SI_MESGQ, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD } from '../../abi/signal.ts';
import { AF_NETLINK } from '../../abi/socket.ts';
import { getI64, getU64, putU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import type { UnixEndpoint } from '../../vfs/unix-endpoint.ts';
import { SocketFile } from '../../vfs/unix-socket.ts';
import type { PosixQueue, QueuedMessage, QueueNotification, QueueWaiter } from '../ipc/posix-queues.ts';
import { PendingSend, QueueFile, QueueWaiter as Waiter } from '../ipc/posix-queues.ts';
import { messageQueueInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task.ts';
import type { ThreadGroup } from '../thread-group.ts';
import { installFile, mayInstall, readPath } from './file-arguments.ts';
import type { BlockRequest, SyscallDef, SyscallResult, WaitSource } from './table.ts';
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

/** A sleep in the line of a queue, until somebody gives the result or the deadline strikes. */
abstract class LineWait<T, W extends QueueWaiter<T>> implements BlockRequest {
  readonly queues: readonly WaitSource[];
  readonly deadlineNs?: number;
  protected readonly task: Task;
  private readonly line: W[];
  private readonly waiter: W;

  constructor(task: Task, line: W[], waiter: W, deadlineNs: number | undefined) {
    this.task = task;
    this.line = line;
    this.waiter = waiter;
    this.queues = [{ queue: waiter.done }];
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
  }

  protected abstract finish(result: T): number;

  begin(): SyscallResult {
    if (this.deadlineNs !== undefined && this.deadlineNs <= this.task.kernel.clock.now()) return -ETIMEDOUT;
    this.line.push(this.waiter);
    return this.task.block(this);
  }

  retry(timedOut: boolean): SyscallResult {
    if (this.waiter.result !== null) return this.finish(this.waiter.result);
    if (!timedOut) return this.task.block(this);
    this.onCancel();
    return -ETIMEDOUT;
  }

  onCancel(): void {
    const at = this.line.indexOf(this.waiter);
    if (at >= 0) this.line.splice(at, 1);
  }
}

class QueueSendWait extends LineWait<0, PendingSend> {
  protected override finish(result: 0): number {
    return result;
  }
}

class QueueReceiveWait extends LineWait<QueuedMessage, QueueWaiter<QueuedMessage>> {
  private readonly place: MessagePlace;

  constructor(
    task: Task,
    line: QueueWaiter<QueuedMessage>[],
    waiter: QueueWaiter<QueuedMessage>,
    deadlineNs: number | undefined,
    place: MessagePlace,
  ) {
    super(task, line, waiter, deadlineNs);
    this.place = place;
  }

  protected override finish(message: QueuedMessage): number {
    return deliver(this.task, this.place, message);
  }
}

/** Where a message and its priority go. */
interface MessagePlace {
  readonly addr: number;
  /** 0 for nowhere. */
  readonly priorityAddr: number;
}

function deliver(task: Task, { addr, priorityAddr }: MessagePlace, message: QueuedMessage): number {
  if (priorityAddr !== 0 && !task.mm.writeU32(priorityAddr, message.priority)) return -EFAULT;
  return writeBytes(task, addr, message.bytes) < 0 ? -EFAULT : message.bytes.length;
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
  return new QueueSendWait(task, queue.senders, new PendingSend(message), deadlineNs).begin();
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
  const place = { addr, priorityAddr };
  const message = queue.receive();
  if (message !== undefined) return deliver(task, place, message);
  if ((file.flags & O_NONBLOCK) !== 0) return -EAGAIN;
  return new QueueReceiveWait(task, queue.receivers, new Waiter<QueuedMessage>(), deadlineNs, place).begin();
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
    const notification = new CookieNotification(task.group, socket.endpoint, cookie);
    return withQueue(task, fd, (queue) => queue.register(notification, task.group));
  }
  const value = view.getBigUint64(Sigevent.value, true);
  const { group } = task;
  const notification = new SignalNotification(task.kernel, group, { notify, signo, value });
  return withQueue(task, fd, (queue) => queue.register(notification, group));
}

/** SIGEV_SIGNAL, and SIGEV_NONE, which tells nobody. */
class SignalNotification implements QueueNotification {
  readonly owner: ThreadGroup;
  readonly pid: number;
  readonly notify: number;
  readonly signo: number;
  private readonly kernel: Kernel;
  private readonly value: bigint;

  constructor(kernel: Kernel, group: ThreadGroup, event: { notify: number; signo: number; value: bigint }) {
    this.kernel = kernel;
    this.owner = group;
    this.pid = group.tgid;
    this.notify = event.notify;
    this.signo = event.signo;
    this.value = event.value;
  }

  tell(): void {
    const sender = this.kernel.current;
    if (this.notify !== SIGEV_SIGNAL || this.signo === 0 || sender === null) return;
    const { group, creds } = sender;
    sendSignal(this.owner, null, messageQueueInfo(this.signo, SI_MESGQ, group.tgid, creds.uid, this.value));
  }

  removed(): void {}
}

/** SIGEV_THREAD: the C library reads its own cookie from a netlink socket, and why it comes in the last byte. */
class CookieNotification implements QueueNotification {
  readonly owner: ThreadGroup;
  readonly pid: number;
  readonly notify = SIGEV_THREAD;
  readonly signo = 0;
  private readonly endpoint: UnixEndpoint;
  private readonly cookie: Uint8Array;

  constructor(group: ThreadGroup, endpoint: UnixEndpoint, cookie: Uint8Array) {
    this.owner = group;
    this.pid = group.tgid;
    this.endpoint = endpoint;
    this.cookie = cookie;
  }

  tell(): void {
    this.post(NOTIFY_WOKENUP);
  }

  removed(): void {
    this.post(NOTIFY_REMOVED);
  }

  private post(why: number): void {
    const bytes = this.cookie.slice();
    bytes[NOTIFY_COOKIE_LEN - 1] = why;
    this.endpoint.post(bytes);
  }
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

savable('kernel/syscalls/posix-mq', { QueueSendWait, QueueReceiveWait, SignalNotification, CookieNotification });
