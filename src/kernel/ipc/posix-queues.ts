// SPDX-License-Identifier: MIT
//
// POSIX message queues: messages by priority, tasks that wait for one or for room, and one process that is told when
// an empty queue gets a message. Models Linux ipc/mqueue.c, mq_overview(7).

import {
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMFILE,
  ENAMETOOLONG,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  EPERM,
} from '../../abi/errno.ts';
import { MqLimits } from '../../abi/ipc.ts';
import { NAME_MAX, O_ACCMODE, O_CREAT, O_EXCL, O_NONBLOCK } from '../../abi/open.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../abi/poll.ts';
import { S_IFREG } from '../../abi/stat.ts';
import { latin1Bytes } from '../../base/bytes.ts';
import { WaitQueue } from '../../base/wait-queue.ts';
import { savable } from '../../base/savable.ts';
import { checkPermission, MAY_READ, MAY_WRITE, ownsOrOverrides } from '../../vfs/credentials.ts';
import { Dentry, Mount } from '../../vfs/dentry.ts';
import type { Budget } from '../../vfs/device-table.ts';
import { Inode } from '../../vfs/inode.ts';
import type { FsClock } from '../../vfs/inode.ts';
import { OpenFile } from '../../vfs/open-file.ts';
import type { ByteSink } from '../../vfs/open-file.ts';
import { Cap, hasCap } from '../credentials.ts';
import type { Credentials } from '../credentials.ts';
import { QueueFileSystem } from './queue-file-system.ts';

/** What a message, and a priority in use, count for in RLIMIT_MSGQUEUE. */
const MESSAGE_COST = 48;
const MOST_PRIORITIES = 32_768;
/** st_size of a queue. */
const STATUS_BYTES = 80;

/** A message. */
export interface QueuedMessage {
  readonly priority: number;
  readonly bytes: Uint8Array;
}

/** A receiver or a sender that sleeps. */
export class QueueWaiter<T> {
  readonly done = new WaitQueue();
  /** Set by whoever ended the sleep. */
  result: T | null = null;

  finish(result: T): void {
    this.result = result;
    this.done.wake();
  }
}

/** A sender that waits for room, with its message. */
export class PendingSend extends QueueWaiter<0> {
  readonly message: QueuedMessage;

  constructor(message: QueuedMessage) {
    super();
    this.message = message;
  }
}

/** Who is told of the next message, and how. */
export interface QueueNotification {
  /** The thread group. */
  readonly owner: object;
  readonly pid: number;
  readonly notify: number;
  readonly signo: number;
  tell(): void;
  /** The registration ends without a message. */
  removed(): void;
}

/** A queue. */
export class PosixQueue extends Inode {
  readonly maxMessages: number;
  readonly messageBytes: number;
  /** What it counts for in the limit of `owner`. */
  readonly charge: number;
  readonly owner: number;
  readonly messages: QueuedMessage[] = [];
  readonly receivers: QueueWaiter<QueuedMessage>[] = [];
  readonly senders: PendingSend[] = [];
  /** Pollers. */
  readonly events = new WaitQueue();
  notification: QueueNotification | null = null;
  bytes = 0;
  private openCount = 0;
  private readonly queues: PosixQueues;

  constructor(queues: PosixQueues, mode: number, creds: Credentials, maxMessages: number, messageBytes: number) {
    super(queues.fs, queues.fs.newIno(), S_IFREG | mode, creds.fsuid, creds.fsgid);
    this.queues = queues;
    this.maxMessages = maxMessages;
    this.messageBytes = messageBytes;
    this.charge = chargeOf(maxMessages, messageBytes);
    this.owner = creds.uid;
  }

  override get size(): number {
    return STATUS_BYTES;
  }

  /** By its path in /dev/mqueue: the same descriptor as mq_open gives. */
  override open(dentry: Dentry, flags: number): OpenFile {
    return this.queues.openFile(dentry, this, flags);
  }

  override truncate(): number {
    return 0;
  }

  opened(): void {
    this.openCount++;
  }

  override closed(): void {
    this.openCount--;
    this.freeIfUnused();
  }

  override lastNameGone(): void {
    this.freeIfUnused();
  }

  private freeIfUnused(): void {
    if (this.openCount === 0 && this.nlink === 0) this.queues.free(this);
  }

  /** Gives a message to a receiver that waits, or queues it; -EAGAIN when the queue is full, -ENOMEM. */
  send(message: QueuedMessage): number {
    const receiver = this.receivers.shift();
    if (receiver !== undefined) {
      receiver.finish(message);
      return 0;
    }
    if (this.messages.length >= this.maxMessages) return -EAGAIN;
    if (!this.queues.memory.take(message.bytes.length + MESSAGE_COST)) return -ENOMEM;
    this.insert(message);
    if (this.messages.length === 1) this.notify();
    this.events.wake(POLLIN | POLLRDNORM);
    return 0;
  }

  private insert(message: QueuedMessage): void {
    let at = this.messages.length;
    while (at > 0 && (this.messages[at - 1] as QueuedMessage).priority < message.priority) at--;
    this.messages.splice(at, 0, message);
    this.bytes += message.bytes.length;
  }

  /** The oldest of the most urgent messages; a sender that waits puts its own in its place. */
  receive(): QueuedMessage | undefined {
    const message = this.messages.shift();
    if (message === undefined) return undefined;
    this.bytes -= message.bytes.length;
    this.queues.memory.give(message.bytes.length + MESSAGE_COST);
    const sender = this.senders[0];
    if (sender !== undefined && this.queues.memory.take(sender.message.bytes.length + MESSAGE_COST)) {
      this.senders.shift();
      this.insert(sender.message);
      sender.finish(0);
      this.events.wake(POLLIN | POLLRDNORM);
    } else this.events.wake(POLLOUT | POLLWRNORM);
    return message;
  }

  /** The registration is used up by one message. */
  private notify(): void {
    const { notification } = this;
    this.notification = null;
    notification?.tell();
  }

  /** mq_notify(2) of a process; null takes its registration back. */
  register(notification: QueueNotification | null, owner: object): number {
    if (notification === null) {
      this.unregister(owner);
      return 0;
    }
    if (this.notification !== null) return -EBUSY;
    this.notification = notification;
    return 0;
  }

  /** `owner` is told no more. */
  unregister(owner: object | null): void {
    const { notification } = this;
    if (notification === null || notification.owner !== owner) return;
    this.notification = null;
    notification.removed();
  }

  /** What reading the queue as a file gives. */
  statusText(): string {
    const n = this.notification;
    const field = (value: number, width: number): string => String(value).padEnd(width);
    return (
      `QSIZE:${field(this.bytes, 10)} NOTIFY:${field(n?.notify ?? 0, 5)} SIGNO:${field(n?.signo ?? 0, 5)} ` +
      `NOTIFY_PID:${field(n?.pid ?? 0, 6)}\n`
    );
  }
}

function chargeOf(maxMessages: number, messageBytes: number): number {
  return maxMessages * (messageBytes + MESSAGE_COST) + Math.min(maxMessages, MOST_PRIORITIES) * MESSAGE_COST;
}

/** An open queue. */
export class QueueFile extends OpenFile {
  override readonly isPollable = true;
  override readonly isSeekable = true;
  override readonly givesPages = false;
  override readonly takesPages = false;
  override readonly queue: WaitQueue;
  readonly messages: PosixQueue;
  private readonly current: () => object | null;

  /** @param current the process that closes a descriptor */
  constructor(dentry: Dentry, flags: number, messages: PosixQueue, current: () => object | null) {
    super(dentry, flags);
    this.messages = messages;
    this.queue = messages.events;
    this.current = current;
    messages.opened();
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    const bytes = latin1Bytes(this.messages.statusText()).subarray(offset, offset + count);
    const put = sink.put(bytes);
    return put === 0 && bytes.length > 0 ? -EFAULT : put;
  }

  /** A regular file, as far as that goes. */
  override allocate(): number {
    return this.canWrite ? -EOPNOTSUPP : -EBADF;
  }

  override poll(): number {
    const { messages } = this;
    return (
      (messages.messages.length > 0 ? POLLIN | POLLRDNORM : 0) |
      (messages.messages.length < messages.maxMessages ? POLLOUT | POLLWRNORM : 0)
    );
  }

  /** A process that closes any descriptor of the queue is no longer told of messages. */
  override flush(): void {
    if (this.messages.notification !== null) this.messages.unregister(this.current());
  }

  protected override destroy(): void {
    this.messages.closed();
  }
}

/** What mq_open is told. */
export interface QueueRequest {
  readonly name: string;
  readonly flags: number;
  readonly mode: number;
  /** Null for the defaults. */
  readonly attributes: { readonly maxMessages: number; readonly messageBytes: number } | null;
  /** RLIMIT_MSGQUEUE. */
  readonly limit: number;
}

/** All queues by name. */
export class PosixQueues {
  readonly fs: QueueFileSystem;
  readonly memory: Budget;
  private readonly mount: Mount;
  readonly named = new Map<string, PosixQueue>();
  /** Queues that exist, named or not. */
  private count = 0;
  private readonly charged = new Map<number, number>();
  readonly current: () => object | null;

  /** @param current the running process */
  constructor(deviceNumber: number, clock: FsClock, memory: Budget, current: () => object | null) {
    this.fs = new QueueFileSystem(deviceNumber, clock, this);
    this.memory = memory;
    this.mount = new Mount(0, this.fs, null, 0, 'mqueue');
    this.current = current;
  }

  /** mq_open(2): an open queue or -errno. */
  open(request: QueueRequest, creds: Credentials): QueueFile | number {
    const bad = checkName(request.name);
    if (bad < 0) return bad;
    const { flags } = request;
    let queue = this.named.get(request.name);
    if (queue === undefined) {
      if ((flags & O_CREAT) === 0) return -ENOENT;
      const made = this.make(request, creds);
      if (typeof made === 'number') return made;
      queue = made;
    } else {
      if ((flags & O_CREAT) !== 0 && (flags & O_EXCL) !== 0) return -EEXIST;
      if ((flags & O_ACCMODE) === O_ACCMODE) return -EINVAL;
      const access = [MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE][flags & O_ACCMODE] ?? 0;
      const denied = checkPermission(queue, creds, access);
      if (denied < 0) return denied;
    }
    const dentry = new Dentry('/' + request.name, null, queue, this.mount);
    return this.openFile(dentry, queue, flags);
  }

  openFile(dentry: Dentry, queue: PosixQueue, flags: number): QueueFile {
    return new QueueFile(dentry, flags & (O_ACCMODE | O_NONBLOCK), queue, this.current);
  }

  private make(request: QueueRequest, creds: Credentials): PosixQueue | number {
    const isPrivileged = hasCap(creds, Cap.sysResource);
    if (this.count >= MqLimits.queues && !isPrivileged) return -ENOSPC;
    // Whoever may exceed the limits is still bounded by the memory that messages share.
    const { maxMessages, messageBytes } = request.attributes ?? {
      maxMessages: MqLimits.messages,
      messageBytes: MqLimits.messageBytes,
    };
    if (!(maxMessages > 0) || !(messageBytes > 0)) return -EINVAL;
    const [mostMessages, mostBytes] = isPrivileged
      ? [MqLimits.hardMessages, MqLimits.hardBytes]
      : [MqLimits.messages, MqLimits.messageBytes];
    if (maxMessages > mostMessages || messageBytes > mostBytes) return -EINVAL;
    const charged = this.charged.get(creds.uid) ?? 0;
    const charge = chargeOf(maxMessages, messageBytes);
    if (charged + charge > request.limit) return -EMFILE;
    this.charged.set(creds.uid, charged + charge);
    this.count++;
    const queue = new PosixQueue(this, request.mode, creds, maxMessages, messageBytes);
    this.named.set(request.name, queue);
    return queue;
  }

  /** mq_unlink(2). */
  unlink(name: string, creds: Credentials): number {
    const bad = checkName(name);
    if (bad < 0) return bad;
    const queue = this.named.get(name);
    if (queue === undefined) return -ENOENT;
    // The directory is sticky.
    if (!ownsOrOverrides(queue, creds)) return -EPERM;
    this.forget(name);
    return 0;
  }

  /** NamedQueues. */
  forget(name: string): void {
    const queue = this.named.get(name);
    if (queue === undefined) return;
    this.named.delete(name);
    queue.nlink = 0;
    queue.lastNameGone();
  }

  /** A queue without a name and without descriptors goes. */
  free(queue: PosixQueue): void {
    this.count--;
    for (const { bytes } of queue.messages.splice(0)) this.memory.give(bytes.length + MESSAGE_COST);
    const left = (this.charged.get(queue.owner) ?? 0) - queue.charge;
    if (left > 0) this.charged.set(queue.owner, left);
    else this.charged.delete(queue.owner);
  }
}

/** Names are single parts of a path, without the slash before them. */
function checkName(name: string): number {
  if (name === '') return -ENOENT;
  if (name === '.' || name === '..' || name.includes('/')) return -EACCES;
  return name.length > NAME_MAX ? -ENAMETOOLONG : 0;
}

savable('kernel/ipc/posix-queues', { QueueWaiter, PendingSend, PosixQueue, QueueFile });
savable('kernel/ipc/posix-queues', { PosixQueues }, { isPlace: true });
