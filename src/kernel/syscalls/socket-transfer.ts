// SPDX-License-Identifier: MIT
//
// Messages and streams of sockets: send(2), recv(2) and their kin, one message or several. Models net/socket.c and
// the sendmsg and recvmsg operations of net/unix/af_unix.c.

import { savable } from '../../base/savable.ts';
import { EAGAIN, EFAULT, EINVAL, EISCONN, ENOTCONN, EOPNOTSUPP, EPIPE } from '../../abi/errno.ts';
import { IOV_MAX, O_NONBLOCK } from '../../abi/open.ts';
import { POLLIN, POLLOUT } from '../../abi/poll.ts';
import { SIGPIPE, SI_USER } from '../../abi/signal.ts';
import * as S from '../../abi/socket.ts';
import type { Received, UnixEndpoint } from '../../vfs/unix-endpoint.ts';
import type { SocketFile } from '../../vfs/unix-socket.ts';
import { killInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Task } from '../task.ts';
import { userBuffer, waitFor } from './file-arguments.ts';
import type { Transfer, UserBuffers } from './file-arguments.ts';
import type { Ancillary, MessageHeader } from './socket-messages.ts';
import {
  addressBytes,
  attachFiles,
  detachFiles,
  netlinkAddress,
  readAddress,
  readControl,
  readHeader,
  unixName,
  writeAddress,
  writeControl,
} from './socket-messages.ts';
import { autobind, findNamed, socketOf } from './sockets.ts';
import type { SyscallDef, SyscallResult } from './table.ts';
import { readTimespec, writeTimespec } from './times.ts';
// ---- sending

/** One message, or a stream's bytes until they have gone. */
class Sending implements Transfer {
  private readonly task: Task;
  private readonly file: SocketFile;
  private readonly buffers: UserBuffers;
  private readonly target: UnixEndpoint | null;
  private readonly ancillary: Ancillary;
  private readonly flags: number;
  /** The descriptors are referred to, but not on their way yet. */
  private isHeld = false;
  done = 0;

  constructor(
    task: Task,
    file: SocketFile,
    buffers: UserBuffers,
    target: UnixEndpoint | null,
    ancillary: Ancillary,
    flags: number,
  ) {
    this.task = task;
    this.file = file;
    this.buffers = buffers;
    this.target = target;
    this.ancillary = ancillary;
    this.flags = flags;
  }

  /** Bytes sent, -EAGAIN when there is no room, or -errno. */
  attempt(): number {
    const { endpoint } = this.file;
    const { length } = this.buffers;
    for (;;) {
      // Descriptors go with the first piece. They are held from the first try on: another thread may close them.
      const isFirst = this.done === 0;
      if (isFirst && !this.isHeld) {
        const refused = attachFiles(this.task, this.ancillary);
        if (refused < 0) return refused;
        this.isHeld = true;
      }
      const ancillary = isFirst ? this.ancillary : { ...this.ancillary, files: [] };
      // With MSG_OOB the last byte goes for itself.
      const left = length - this.done;
      const isUrgent = (this.flags & S.MSG_OOB) !== 0 && left === 1;
      const count = (this.flags & S.MSG_OOB) !== 0 && left > 1 ? left - 1 : left;
      const n = endpoint.send(this.buffers, count, this.target, ancillary, isUrgent);
      if (n > 0 || (n === 0 && endpoint.kind !== S.SOCK_STREAM)) this.isHeld = false;
      if (n === -EAGAIN) return n;
      if (n < 0) {
        if (this.done > 0) return this.done;
        if (n === -EPIPE && endpoint.kind === S.SOCK_STREAM && (this.flags & S.MSG_NOSIGNAL) === 0) {
          sendSigpipe(this.task);
        }
        return n;
      }
      this.done += n;
      if (this.done >= length || n === 0 || endpoint.kind !== S.SOCK_STREAM) return this.done;
    }
  }

  /** The call is over: what did not get on its way is let go. */
  end(): void {
    if (this.isHeld) detachFiles(this.task, this.ancillary);
    this.isHeld = false;
  }
}

function sendSigpipe(task: Task): void {
  sendSignal(task.group, task, killInfo(SIGPIPE, SI_USER, task.group.tgid, task.creds.uid));
}

/** Checks where a message goes: null for the peer. */
function targetOf(task: Task, file: SocketFile, address: Uint8Array | null): UnixEndpoint | null | number {
  const { endpoint } = file;
  if (address === null || address.length === 0 || endpoint.family === S.AF_NETLINK) return null;
  if (endpoint.kind === S.SOCK_STREAM) return endpoint.state === 'connected' ? -EISCONN : -EOPNOTSUPP;
  // Sequenced packets go to the peer whatever address they have.
  if (endpoint.kind === S.SOCK_SEQPACKET) return null;
  const name = unixName(address);
  if (typeof name === 'number') return name;
  if (name === '') return -EINVAL;
  return findNamed(task, name, endpoint.kind);
}

/** Only streams have urgent bytes. */
function refusalOfUrgent({ kind, state }: UnixEndpoint): number {
  return kind === S.SOCK_SEQPACKET && state !== 'connected' ? -ENOTCONN : -EOPNOTSUPP;
}

function prepareSend(
  task: Task,
  file: SocketFile,
  buffers: UserBuffers,
  address: Uint8Array | null,
  ancillary: Ancillary,
  flags: number,
): Sending | number {
  const { endpoint } = file;
  if ((flags & S.MSG_OOB) !== 0) {
    if (endpoint.kind !== S.SOCK_STREAM) return refusalOfUrgent(endpoint);
    if (buffers.length === 0) return -EOPNOTSUPP;
  }
  const target = targetOf(task, file, address);
  if (typeof target === 'number') return target;
  if (endpoint.passesCredentials && endpoint.name === null && endpoint.kind !== S.SOCK_STREAM) {
    const failed = autobind(task, endpoint);
    if (failed < 0) return failed;
  }
  return new Sending(task, file, buffers, target, ancillary, flags);
}

function sendto(
  task: Task,
  fd: number,
  addr: number,
  length: number,
  flags: number,
  to: number,
  toLength: number,
): SyscallResult {
  const buffer = userBuffer(task, addr, length);
  if (typeof buffer === 'number') return buffer;
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const address = to === 0 ? null : readAddress(task, to, toLength);
  if (typeof address === 'number') return address;
  const ancillary = { identity: task.kernel.vfs.unix.caller.sender(), files: [] };
  const sending = prepareSend(task, file, buffer, address, ancillary, flags);
  if (typeof sending === 'number') return sending;
  return waitFor(task, file, POLLOUT, sending, nonblock(flags));
}

function nonblock(flags: number): true | undefined {
  return (flags & S.MSG_DONTWAIT) !== 0 ? true : undefined;
}

/** One struct msghdr to send. */
function prepareMessage(task: Task, file: SocketFile, addr: number, flags: number): Sending | number {
  const header = readHeader(task, addr);
  if (typeof header === 'number') return header;
  const address = header.nameLength === 0 ? null : readAddress(task, header.name, header.nameLength);
  if (typeof address === 'number') return address;
  const ancillary = readControl(task, header);
  if (typeof ancillary === 'number') return ancillary;
  return prepareSend(task, file, header.buffers, address, ancillary, flags);
}

function sendmsg(task: Task, fd: number, addr: number, flags: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const sending = prepareMessage(task, file, addr, flags);
  if (typeof sending === 'number') return sending;
  return waitFor(task, file, POLLOUT, sending, nonblock(flags));
}

function sendmmsg(task: Task, fd: number, addr: number, count: number, flags: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const most = Math.min(count, IOV_MAX);
  return waitFor(task, file, POLLOUT, new SendingMany(task, file, addr, most, flags), nonblock(flags));
}

/** Several messages. */
class SendingMany implements Transfer {
  private readonly task: Task;
  private readonly file: SocketFile;
  private readonly addr: number;
  private readonly most: number;
  private readonly flags: number;
  /** The message that waits for room. */
  private sending: Sending | null = null;
  /** Messages that have gone. */
  done = 0;

  constructor(task: Task, file: SocketFile, addr: number, most: number, flags: number) {
    this.task = task;
    this.file = file;
    this.addr = addr;
    this.most = most;
    this.flags = flags;
  }

  attempt(): number {
    while (this.done < this.most) {
      const at = this.addr + this.done * S.Mmsghdr.size;
      const sending = this.sending ?? prepareMessage(this.task, this.file, at, this.flags);
      if (typeof sending !== 'number') this.sending = sending;
      const n = typeof sending === 'number' ? sending : sending.attempt();
      if (n === -EAGAIN) return n;
      if (n < 0) return this.done > 0 ? this.done : n;
      this.end();
      if (!this.task.mm.writeU32(at + S.Mmsghdr.length, n)) return this.done > 0 ? this.done : -EFAULT;
      this.done++;
    }
    return this.done;
  }

  end(): void {
    this.sending?.end();
    this.sending = null;
  }
}

// ---- receiving

/** One message, or a stream's bytes as far as the flags want them. */
class Receiving implements Transfer {
  protected readonly file: SocketFile;
  protected readonly buffers: UserBuffers;
  protected readonly flags: number;
  done = 0;
  /** What came, the first time. */
  first: Received | null = null;

  constructor(file: SocketFile, buffers: UserBuffers, flags: number) {
    this.file = file;
    this.buffers = buffers;
    this.flags = flags;
  }

  /** The result of the call, -EAGAIN while there is not enough, or -errno. */
  attempt(): number {
    const { endpoint } = this.file;
    const { length } = this.buffers;
    const peeks = (this.flags & S.MSG_PEEK) !== 0;
    if (this.isUrgent) {
      if (endpoint.kind !== S.SOCK_STREAM) return refusalOfUrgent(endpoint);
      return endpoint.receiveUrgent(this.buffers, length, peeks);
    }
    for (;;) {
      const before = this.first?.identity ?? null;
      const received = endpoint.receive(this.buffers, length - this.done, peeks, this.waits, before);
      const { bytes } = received;
      if (bytes < 0) return bytes === -EAGAIN || this.first === null ? bytes : this.finish();
      // Another sender's bytes are for another call.
      if (this.first === null) this.first = received;
      else if (received.from === null) return this.finish();
      else this.first = { ...this.first, files: received.files };
      this.done += bytes;
      if (!this.waitsForAll || bytes === 0 || this.done >= length || received.files.length > 0) return this.finish();
    }
  }

  get isUrgent(): boolean {
    return (this.flags & S.MSG_OOB) !== 0;
  }

  private get waits(): boolean {
    return (this.flags & S.MSG_DONTWAIT) === 0 && (this.file.flags & O_NONBLOCK) === 0;
  }

  private get waitsForAll(): boolean {
    const isWanted = (this.flags & (S.MSG_WAITALL | S.MSG_PEEK)) === S.MSG_WAITALL;
    return isWanted && this.waits && this.file.endpoint.kind === S.SOCK_STREAM;
  }

  get isCut(): boolean {
    return this.file.endpoint.kind !== S.SOCK_STREAM && (this.first?.full ?? 0) > this.done;
  }

  private finish(): number {
    const tellsAll = (this.flags & S.MSG_TRUNC) !== 0 && this.isCut;
    return tellsAll ? (this.first?.full ?? 0) : this.done;
  }

  /** The sender's address; nothing for one without a name. */
  get address(): Uint8Array {
    if (this.file.endpoint.family === S.AF_NETLINK) return netlinkAddress(0);
    const name = this.first?.from?.name ?? null;
    return name === null ? new Uint8Array(0) : addressBytes(name);
  }
}

function recvfrom(
  task: Task,
  fd: number,
  addr: number,
  length: number,
  flags: number,
  from: number,
  fromLength: number,
): SyscallResult {
  const buffer = userBuffer(task, addr, length);
  if (typeof buffer === 'number') return buffer;
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  return waitFor(task, file, POLLIN, new ReceivingFrom(task, file, buffer, flags, from, fromLength), nonblock(flags));
}

/** recvfrom(2): tells the sender's address, too. */
class ReceivingFrom extends Receiving {
  private readonly task: Task;
  private readonly from: number;
  private readonly fromLength: number;

  constructor(task: Task, file: SocketFile, buffers: UserBuffers, flags: number, from: number, fromLength: number) {
    super(file, buffers, flags);
    this.task = task;
    this.from = from;
    this.fromLength = fromLength;
  }

  override attempt(): number {
    const result = super.attempt();
    if (result < 0) return result;
    this.task.kernel.vfs.unix.release(this.first?.files ?? []);
    if (this.from === 0) return result;
    const failed = writeAddress(this.task, this.address, this.from, this.fromLength);
    return failed < 0 ? failed : result;
  }
}

/** Writes what a struct msghdr tells after a message has come. */
function finishMessage(
  task: Task,
  file: SocketFile,
  addr: number,
  header: MessageHeader,
  receiving: Receiving,
  flags: number,
): number {
  const { mm } = task;
  let out = (flags & S.MSG_CMSG_CLOEXEC) | (receiving.isCut ? S.MSG_TRUNC : 0) | (flags & S.MSG_OOB);
  let length = 0;
  if (receiving.first !== null) {
    const control = writeControl(task, file, header, receiving.first, flags);
    length = control.length;
    out |= control.flags;
  }
  if (header.name !== 0) {
    const { address } = receiving;
    const part = address.subarray(0, header.nameLength);
    if (mm.copyOut(header.name, part) < part.length) return -EFAULT;
    if (!mm.writeU32(addr + S.Msghdr.nameLength, address.length)) return -EFAULT;
  }
  const isTold = mm.writeU32(addr + S.Msghdr.flags, out) && mm.writeU64(addr + S.Msghdr.controlLength, length);
  return isTold ? 0 : -EFAULT;
}

function recvmsg(task: Task, fd: number, addr: number, flags: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const header = readHeader(task, addr);
  if (typeof header === 'number') return header;
  return waitFor(task, file, POLLIN, new ReceivingMessage(task, file, addr, header, flags), nonblock(flags));
}

/** recvmsg(2): fills in a struct msghdr. */
class ReceivingMessage extends Receiving {
  private readonly task: Task;
  private readonly addr: number;
  private readonly header: MessageHeader;

  constructor(task: Task, file: SocketFile, addr: number, header: MessageHeader, flags: number) {
    super(file, header.buffers, flags);
    this.task = task;
    this.addr = addr;
    this.header = header;
  }

  override attempt(): number {
    const result = super.attempt();
    if (result < 0) return result;
    const failed = finishMessage(this.task, this.file, this.addr, this.header, this, this.flags);
    return failed < 0 ? failed : result;
  }
}

function recvmmsg(task: Task, fd: number, addr: number, count: number, flags: number, timeout: number): SyscallResult {
  let deadlineNs = Infinity;
  if (timeout !== 0) {
    const wait = readTimespec(task, timeout);
    if (typeof wait === 'object') return wait.errno;
    deadlineNs = task.kernel.clock.now() + wait;
  }
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const most = Math.min(count, IOV_MAX);
  const receiving = new ReceivingMany(task, file, { addr, most, flags, timeout, deadlineNs });
  return waitFor(task, file, POLLIN, receiving, nonblock(flags));
}

/** Several messages. */
class ReceivingMany implements Transfer {
  private readonly task: Task;
  private readonly file: SocketFile;
  private readonly what: {
    readonly addr: number;
    readonly most: number;
    readonly flags: number;
    /** Where the caller's time is, and when it is over. */
    readonly timeout: number;
    readonly deadlineNs: number;
  };
  private current: { readonly header: MessageHeader; readonly receiving: Receiving } | null = null;
  /** Messages that have come. */
  done = 0;

  constructor(task: Task, file: SocketFile, what: ReceivingMany['what']) {
    this.task = task;
    this.file = file;
    this.what = what;
  }

  attempt(): number {
    const result = this.receive();
    return result === -EAGAIN ? result : this.finish(result);
  }

  private receive(): number {
    const { task, file } = this;
    const { addr, most, flags, deadlineNs } = this.what;
    while (this.done < most) {
      const at = addr + this.done * S.Mmsghdr.size;
      if (this.current === null) {
        const header = readHeader(task, at);
        if (typeof header === 'number') return this.done > 0 ? this.done : header;
        this.current = { header, receiving: new Receiving(file, header.buffers, flags) };
      }
      const { header, receiving } = this.current;
      const result = receiving.attempt();
      // One that waits for the first message only takes what is there after it.
      if (result === -EAGAIN) return this.done > 0 && (flags & S.MSG_WAITFORONE) !== 0 ? this.done : result;
      if (result < 0) return this.done > 0 ? this.done : result;
      this.current = null;
      if (finishMessage(task, file, at, header, receiving, flags) < 0) return this.done > 0 ? this.done : -EFAULT;
      if (!task.mm.writeU32(at + S.Mmsghdr.length, result)) return this.done > 0 ? this.done : -EFAULT;
      this.done++;
      // The time is only looked at after each message, as Linux does it.
      if (task.kernel.clock.now() >= deadlineNs) return this.done;
    }
    return this.done;
  }

  /** What is left of the time is written back once something has come. */
  private finish(result: number): number {
    const { timeout, deadlineNs } = this.what;
    if (timeout === 0 || result <= 0) return result;
    const left = Math.max(0, deadlineNs - this.task.kernel.clock.now());
    return writeTimespec(this.task, timeout, left) < 0 ? -EFAULT : result;
  }
}

export const SOCKET_TRANSFER_CALLS: readonly SyscallDef[] = [
  {
    nr: 44,
    name: 'sendto',
    args: ['fd', 'buf', 'size', 'flags:msg', 'ptr', 'int'],
    call: (t, a) => sendto(t, a.int(0), a.num(1), a.num(2), a.uint(3), a.num(4), a.int(5)),
  },
  {
    nr: 45,
    name: 'recvfrom',
    args: ['fd', 'outbuf', 'size', 'flags:msg', 'ptr', 'ptr'],
    call: (t, a) => recvfrom(t, a.int(0), a.num(1), a.num(2), a.uint(3), a.num(4), a.num(5)),
  },
  {
    nr: 46,
    name: 'sendmsg',
    args: ['fd', 'ptr', 'flags:msg'],
    call: (t, a) => sendmsg(t, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 47,
    name: 'recvmsg',
    args: ['fd', 'ptr', 'flags:msg'],
    call: (t, a) => recvmsg(t, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 307,
    name: 'sendmmsg',
    args: ['fd', 'ptr', 'uint', 'flags:msg'],
    call: (t, a) => sendmmsg(t, a.int(0), a.num(1), a.uint(2), a.uint(3)),
  },
  {
    nr: 299,
    name: 'recvmmsg',
    args: ['fd', 'ptr', 'uint', 'flags:msg', 'in:timespec'],
    call: (t, a) => recvmmsg(t, a.int(0), a.num(1), a.uint(2), a.uint(3), a.num(4)),
  },
];

savable('kernel/syscalls/socket-transfer', {
  Sending,
  SendingMany,
  Receiving,
  ReceivingFrom,
  ReceivingMessage,
  ReceivingMany,
});
