// SPDX-License-Identifier: MIT
//
// System V message queues: typed messages in order, receivers that are handed what they wait for. Models Linux
// ipc/msg.c.

import { E2BIG, EAGAIN, EIDRM, ENOMEM, ENOSPC } from '../../abi/errno.ts';
import { MSG_EXCEPT, MSG_NOERROR, MSGMNB, MSGMNI } from '../../abi/ipc.ts';
import { WaitQueue } from '../../base/wait-queue.ts';
import { savable } from '../../base/savable.ts';
import type { Budget } from '../../vfs/device-table.ts';
import type { Credentials } from '../credentials.ts';
import { IpcObject, IpcTable } from './ipc-objects.ts';
import type { IpcActor } from './shared-segments.ts';

/** What a message takes of the host beside its bytes. */
const MESSAGE_COST = 128;

/** A message. */
export interface TypedMessage {
  readonly type: bigint;
  readonly bytes: Uint8Array;
}

/** A receiver that sleeps. */
export class PendingReceive {
  readonly type: bigint;
  readonly flags: number;
  readonly room: number;
  readonly pid: number;
  readonly done = new WaitQueue();
  /** Set by whoever ended the sleep. */
  result: TypedMessage | number | null = null;

  constructor(type: bigint, flags: number, room: number, pid: number) {
    this.type = type;
    this.flags = flags;
    this.room = room;
    this.pid = pid;
  }

  finish(result: TypedMessage | number): void {
    this.result = result;
    this.done.wake();
  }
}

/** Whether a message is one of those that `type` and the flags of msgrcv ask for. */
function matches(message: TypedMessage, type: bigint, flags: number): boolean {
  if (type === 0n) return true;
  if (type < 0n) return message.type <= -type;
  return (flags & MSG_EXCEPT) !== 0 ? message.type !== type : message.type === type;
}

/** A queue. */
export class MessageList extends IpcObject {
  readonly messages: TypedMessage[] = [];
  bytes = 0;
  limit = MSGMNB;
  stime = 0;
  rtime = 0;
  lastSender = 0;
  lastReceiver = 0;
  readonly receivers: PendingReceive[] = [];
  /** Woken when there may be room, and when the queue goes. */
  readonly room = new WaitQueue();

  constructor(key: number, mode: number, creds: Credentials, now: number) {
    super(key, mode, creds, now);
  }

  hasRoomFor(length: number): boolean {
    return length + this.bytes <= this.limit && this.messages.length + 1 <= this.limit;
  }

  /** The message that msgrcv would take, by its place; -1 for none. */
  indexOf(type: bigint, flags: number): number {
    let found = -1;
    for (const [i, message] of this.messages.entries()) {
      if (!matches(message, type, flags)) continue;
      if (type >= 0n) return i;
      if (found < 0 || message.type < (this.messages[found] as TypedMessage).type) found = i;
    }
    return found;
  }
}

/** All queues. */
export class MessageLists {
  readonly table = new IpcTable<MessageList>(MSGMNI);
  private readonly actor: () => IpcActor;
  private readonly memory: Budget;
  /** Messages and their bytes in all queues. */
  messages = 0;
  bytes = 0;

  constructor(actor: () => IpcActor, memory: Budget) {
    this.actor = actor;
    this.memory = memory;
  }

  /** msgget(2). */
  get(key: number, flags: number, creds: Credentials): number {
    const make = (): MessageList | number =>
      this.table.isFull ? -ENOSPC : new MessageList(key, flags, creds, this.actor().now);
    return this.table.get(key, flags, creds, make, () => 0);
  }

  /** Gives a message to a receiver that waits for it, or queues it; 0, -EAGAIN without room, -ENOMEM. */
  send(list: MessageList, message: TypedMessage): number {
    if (!list.hasRoomFor(message.bytes.length)) return -EAGAIN;
    const { pid, now } = this.actor();
    const cost = message.bytes.length + MESSAGE_COST;
    if (!this.memory.take(cost)) return -ENOMEM;
    list.lastSender = pid;
    list.stime = now;
    for (let i = 0; i < list.receivers.length; i++) {
      const receiver = list.receivers[i] as PendingReceive;
      if (!matches(message, receiver.type, receiver.flags)) continue;
      list.receivers.splice(i--, 1);
      if (receiver.room < message.bytes.length && (receiver.flags & MSG_NOERROR) === 0) {
        receiver.finish(-E2BIG);
        continue;
      }
      list.lastReceiver = receiver.pid;
      list.rtime = now;
      this.memory.give(cost);
      receiver.finish(message);
      return 0;
    }
    list.messages.push(message);
    list.bytes += message.bytes.length;
    this.messages++;
    this.bytes += message.bytes.length;
    return 0;
  }

  /** Takes the message at a place of the queue. */
  take(list: MessageList, index: number): TypedMessage {
    const message = list.messages.splice(index, 1)[0] as TypedMessage;
    const { pid, now } = this.actor();
    list.lastReceiver = pid;
    list.rtime = now;
    this.count(list, message);
    list.room.wake();
    return message;
  }

  private count(list: MessageList, message: TypedMessage): void {
    list.bytes -= message.bytes.length;
    this.messages--;
    this.bytes -= message.bytes.length;
    this.memory.give(message.bytes.length + MESSAGE_COST);
  }

  /** Permissions or limits have changed: everybody looks again. */
  recheck(list: MessageList): void {
    for (const receiver of list.receivers.splice(0)) receiver.finish(-EAGAIN);
    list.room.wake();
  }

  remove(list: MessageList): void {
    this.table.remove(list);
    for (const message of list.messages.splice(0)) this.count(list, message);
    for (const receiver of list.receivers.splice(0)) receiver.finish(-EIDRM);
    list.room.wake();
  }
}

savable('kernel/ipc/message-lists', { PendingReceive, MessageList });
savable('kernel/ipc/message-lists', { MessageLists }, { isPlace: true });
