// SPDX-License-Identifier: MIT
//
// SECCOMP_RET_USER_NOTIF: a call waits until a supervisor, who reads notifications from a descriptor, has answered it.
// seccomp_unotify(2); models Linux kernel/seccomp.c (struct notification, seccomp_notify_ioctl).

import { EBADF, EFAULT, EINPROGRESS, EINVAL, ENOENT, ENOSYS } from '../../abi/errno.ts';
import { O_CLOEXEC } from '../../abi/open.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../abi/poll.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import {
  SECCOMP_ADDFD_FLAG_SEND,
  SECCOMP_ADDFD_FLAG_SETFD,
  SECCOMP_IOCTL_NOTIF_ADDFD,
  SECCOMP_IOCTL_NOTIF_ID_VALID,
  SECCOMP_IOCTL_NOTIF_ID_VALID_OLD,
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  SECCOMP_USER_NOTIF_FLAG_CONTINUE,
  SeccompNotif,
  SeccompNotifAddfd,
  SeccompNotifResp,
} from '../../abi/seccomp.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { WaitQueue } from '../../base/wait-queue.ts';
import { savable } from '../../base/savable.ts';
import type { Dentry } from '../../vfs/dentry.ts';
import { OpenFile } from '../../vfs/open-file.ts';
import type { BlockRequest, SyscallResult, WaitSource } from '../syscalls/table.ts';
import type { Task } from '../task.ts';
import type { FilterInput } from './bpf-program.ts';
import type { SeccompFilter } from './seccomp-filter.ts';

/** A call that waits for its answer. */
interface Notification {
  readonly id: bigint;
  readonly task: Task;
  readonly data: FilterInput;
  state: 'new' | 'sent' | 'replied';
  /** The answer: a result, or that the call is to be made. */
  reply: number | 'continue';
  readonly answered: WaitQueue;
}

/** The supervisor's descriptor. */
export class SeccompListener extends OpenFile {
  override readonly isPollable = true;
  override readonly queue = new WaitQueue();
  /** SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: once received, only a fatal signal ends the wait. */
  readonly waitsKillable: boolean;
  /** In the order in which the calls were made. */
  private readonly waiting: Notification[] = [];
  private nextId: bigint;
  private isAbandoned = false;
  private readonly filter: SeccompFilter;

  /** @param filter is told when the last descriptor is gone: nobody will answer */
  constructor(dentry: Dentry, flags: number, firstId: bigint, waitsKillable: boolean, filter: SeccompFilter) {
    super(dentry, flags);
    this.nextId = firstId;
    this.waitsKillable = waitsKillable;
    this.filter = filter;
  }

  add(task: Task, data: FilterInput): Notification {
    const id = this.nextId;
    this.nextId = BigInt.asUintN(64, id + 1n);
    const made: Notification = { id, task, data, state: 'new', reply: -ENOSYS, answered: new WaitQueue() };
    this.waiting.push(made);
    this.queue.wake(POLLIN | POLLRDNORM);
    return made;
  }

  remove(notification: Notification): void {
    const at = this.waiting.indexOf(notification);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  /** The oldest call that nobody has received yet. */
  next(): Notification | undefined {
    return this.waiting.find((each) => each.state === 'new');
  }

  find(id: bigint): Notification | undefined {
    return this.waiting.find((each) => each.id === id);
  }

  reply(notification: Notification, reply: Notification['reply']): void {
    notification.state = 'replied';
    notification.reply = reply;
    notification.answered.wake();
  }

  /** No task has the filter any more. */
  orphaned(): void {
    this.isAbandoned = true;
    this.queue.wake(POLLHUP);
  }

  override poll(): number {
    let events = this.isAbandoned ? POLLHUP : 0;
    for (const { state } of this.waiting) {
      if (state === 'new') events |= POLLIN | POLLRDNORM;
      else if (state === 'sent') events |= POLLOUT | POLLWRNORM;
    }
    return events;
  }

  /** Whether RECV may wait for a call to come. */
  get isOrphan(): boolean {
    return this.isAbandoned;
  }

  protected override destroy(): void {
    for (const each of [...this.waiting]) if (each.state !== 'replied') this.reply(each, -ENOSYS);
    this.filter.listener = null;
  }
}

/** The call waits for the supervisor's answer. */
export function askListener(task: Task, listener: SeccompListener | null, data: FilterInput): SyscallResult {
  if (listener === null) return -ENOSYS;
  const asked = listener.add(task, data);
  return task.block(new AnswerWait(task, listener, asked));
}

class AnswerWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  private readonly task: Task;
  private readonly listener: SeccompListener;
  private readonly asked: Notification;

  constructor(task: Task, listener: SeccompListener, asked: Notification) {
    this.task = task;
    this.listener = listener;
    this.asked = asked;
    this.queues = [{ queue: asked.answered }];
  }

  get killableOnly(): boolean {
    return this.listener.waitsKillable && this.asked.state === 'sent';
  }

  onCancel(): void {
    this.listener.remove(this.asked);
  }

  retry(): SyscallResult {
    const { state, reply } = this.asked;
    if (state !== 'replied') return this.task.block(this);
    this.listener.remove(this.asked);
    return reply === 'continue' ? this.task.kernel.serveAllowed(this.task) : reply;
  }
}

/** ioctl(2) on a listener; undefined for a request that is not one of its own. */
export function listenerIoctl(task: Task, listener: SeccompListener, request: number, addr: Addr): SyscallResult {
  switch (request) {
    case SECCOMP_IOCTL_NOTIF_RECV:
      return receive(task, listener, addr);
    case SECCOMP_IOCTL_NOTIF_SEND:
      return send(task, listener, addr);
    case SECCOMP_IOCTL_NOTIF_ID_VALID:
    case SECCOMP_IOCTL_NOTIF_ID_VALID_OLD: {
      const bytes = new Uint8Array(8);
      if (task.mm.copyIn(addr, bytes) !== bytes.length) return -EFAULT;
      return listener.find(viewOf(bytes).getBigUint64(0, true))?.state === 'sent' ? 0 : -ENOENT;
    }
    case SECCOMP_IOCTL_NOTIF_ADDFD:
      return addDescriptor(task, listener, addr);
    default:
      return -EINVAL;
  }
}

function receive(task: Task, listener: SeccompListener, addr: Addr): SyscallResult {
  const bytes = new Uint8Array(SeccompNotif.size);
  if (task.mm.copyIn(addr, bytes) !== bytes.length) return -EFAULT;
  if (bytes.some((byte) => byte !== 0)) return -EINVAL;
  return new NotificationWait(task, listener, addr).retry();
}

class NotificationWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  private readonly task: Task;
  private readonly listener: SeccompListener;
  private readonly addr: Addr;

  constructor(task: Task, listener: SeccompListener, addr: Addr) {
    this.task = task;
    this.listener = listener;
    this.addr = addr;
    this.queues = [{ queue: listener.queue, mask: POLLIN }];
  }

  retry(): SyscallResult {
    const { task, listener } = this;
    const next = listener.next();
    if (next === undefined) return listener.isOrphan ? -ENOENT : task.block(this);
    const bytes = new Uint8Array(SeccompNotif.size);
    const v = viewOf(bytes);
    v.setBigUint64(SeccompNotif.id, next.id, true);
    v.setUint32(SeccompNotif.pid, next.task.tid, true);
    next.data.forEach((word, i) => v.setUint32(SeccompNotif.data + 4 * i, word, true));
    if (task.mm.copyOut(this.addr, bytes) !== bytes.length) return -EFAULT;
    next.state = 'sent';
    listener.queue.wake(POLLOUT | POLLWRNORM);
    return 0;
  }
}

function send(task: Task, listener: SeccompListener, addr: Addr): number {
  const bytes = new Uint8Array(SeccompNotifResp.size);
  if (task.mm.copyIn(addr, bytes) !== bytes.length) return -EFAULT;
  const v = viewOf(bytes);
  const flags = v.getUint32(SeccompNotifResp.flags, true);
  const error = v.getInt32(SeccompNotifResp.error, true);
  const value = v.getBigInt64(SeccompNotifResp.val, true);
  if ((flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE) !== 0) return -EINVAL;
  if (flags !== 0 && (error !== 0 || value !== 0n)) return -EINVAL;
  const asked = listener.find(v.getBigUint64(SeccompNotifResp.id, true));
  if (asked === undefined) return -ENOENT;
  if (asked.state !== 'sent') return -EINPROGRESS;
  listener.reply(asked, flags !== 0 ? 'continue' : error !== 0 ? error : Number(value));
  return 0;
}

function addDescriptor(task: Task, listener: SeccompListener, addr: Addr): number {
  const bytes = new Uint8Array(SeccompNotifAddfd.size);
  if (task.mm.copyIn(addr, bytes) !== bytes.length) return -EFAULT;
  const v = viewOf(bytes);
  const flags = v.getUint32(SeccompNotifAddfd.flags, true);
  const wanted = v.getUint32(SeccompNotifAddfd.newfd, true);
  const newFlags = v.getUint32(SeccompNotifAddfd.newfdFlags, true);
  const sets = (flags & SECCOMP_ADDFD_FLAG_SETFD) !== 0;
  if ((newFlags & ~O_CLOEXEC) !== 0) return -EINVAL;
  if ((flags & ~(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) !== 0) return -EINVAL;
  if (wanted !== 0 && !sets) return -EINVAL;
  const file = task.files.get(v.getUint32(SeccompNotifAddfd.srcfd, true));
  if (file === undefined) return -EBADF;
  const asked = listener.find(v.getBigUint64(SeccompNotifAddfd.id, true));
  if (asked === undefined) return -ENOENT;
  if (asked.state !== 'sent') return -EINPROGRESS;
  const { files, group } = asked.task;
  const limit = group.softLimit(RLIMIT_NOFILE);
  const isCloexec = newFlags !== 0;
  file.retain();
  const fd = sets ? files.installAt(wanted, file, isCloexec, limit) : files.install(file, isCloexec, limit);
  if (fd < 0) file.release();
  else if ((flags & SECCOMP_ADDFD_FLAG_SEND) !== 0) listener.reply(asked, fd);
  return fd;
}

savable('kernel/seccomp/listener', { SeccompListener, AnswerWait, NotificationWait });
