// SPDX-License-Identifier: MIT
//
// Sockets of the family AF_UNIX; other families are not there, and calls on what is no socket give ENOTSOCK. Models
// net/socket.c and net/unix/af_unix.c, unix(7).

import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EEXIST,
  EFAULT,
  EINVAL,
  EISCONN,
  ENOSPC,
  ENOTCONN,
  ENOTSOCK,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  EPROTONOSUPPORT,
  EPROTOTYPE,
  ESOCKTNOSUPPORT,
} from '../../abi/errno.ts';
import { IOV_MAX, O_NONBLOCK, O_PATH, O_RDWR } from '../../abi/open.ts';
import { POLLIN, POLLOUT } from '../../abi/poll.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import { SIGPIPE, SI_USER } from '../../abi/signal.ts';
import * as S from '../../abi/socket.ts';
import { S_IFSOCK } from '../../abi/stat.ts';
import { viewOf } from '../../base/bytes.ts';
import { checkPermission, MAY_WRITE } from '../../vfs/credentials.ts';
import { makeNode } from '../../vfs/namespace.ts';
import { lookupPath } from '../../vfs/path-walk.ts';
import { RECEIVE_SHUT, SEND_SHUT, UnixEndpoint } from '../../vfs/unix-endpoint.ts';
import type { Received } from '../../vfs/unix-endpoint.ts';
import { SocketFile } from '../../vfs/unix-socket.ts';
import { killInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Task } from '../task.ts';
import { callerOf, installFile, installPair, userBuffer, waitFor } from './file-arguments.ts';
import type { UserBuffers } from './file-arguments.ts';
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
import { getSocketOption, setSocketOption } from './socket-options.ts';
import type { SyscallDef, SyscallResult } from './table.ts';
import { readTimespec, writeTimespec } from './times.ts';

const KIND_MASK = 0xf;

// ---- making

/** The kind of socket that a type argument asks for, or -errno. */
function kindOf(family: number, type: number, protocol: number): number {
  const kind = type & KIND_MASK;
  if ((type & ~(KIND_MASK | S.SOCK_CLOEXEC | S.SOCK_NONBLOCK)) !== 0) return -EINVAL;
  if (family < 0 || family >= S.AF_MAX) return -EAFNOSUPPORT;
  if (kind >= S.SOCK_MAX) return -EINVAL;
  if (family === S.AF_NETLINK) return netlinkKind(kind, protocol);
  if (family !== S.AF_UNIX) return -EAFNOSUPPORT;
  if (protocol !== 0 && protocol !== S.AF_UNIX) return -EPROTONOSUPPORT;
  if (kind === S.SOCK_STREAM || kind === S.SOCK_DGRAM || kind === S.SOCK_SEQPACKET) return kind;
  // BSD's raw sockets of this family are datagram sockets.
  return kind === S.SOCK_RAW ? S.SOCK_DGRAM : -ESOCKTNOSUPPORT;
}

/** Netlink sockets exist for what the kernel tells through them (mq_notify); there is no network to ask about. */
function netlinkKind(kind: number, protocol: number): number {
  if (kind !== S.SOCK_RAW && kind !== S.SOCK_DGRAM) return -ESOCKTNOSUPPORT;
  return protocol === S.NETLINK_ROUTE ? S.SOCK_DGRAM : -EPROTONOSUPPORT;
}

function fileOf(task: Task, endpoint: UnixEndpoint, type: number): SocketFile {
  const flags = O_RDWR | ((type & S.SOCK_NONBLOCK) !== 0 ? O_NONBLOCK : 0);
  return new SocketFile(task.kernel.vfs.anonymous.socket(task.creds), flags, endpoint);
}

function socket(task: Task, family: number, type: number, protocol: number): number {
  const kind = kindOf(family, type, protocol);
  if (kind < 0) return kind;
  const endpoint = new UnixEndpoint(task.kernel.vfs.unix, kind, family);
  return installFile(task, fileOf(task, endpoint, type), (type & S.SOCK_CLOEXEC) !== 0);
}

function socketPair(task: Task, family: number, type: number, protocol: number, addr: number): number {
  const kind = kindOf(family, type, protocol);
  if (kind < 0) return kind;
  if (family !== S.AF_UNIX) return -EOPNOTSUPP;
  const { unix } = task.kernel.vfs;
  const [a, b] = [new UnixEndpoint(unix, kind), new UnixEndpoint(unix, kind)];
  UnixEndpoint.join(a, b, unix.caller.peer(), task.creds.groups);
  return installPair(task, fileOf(task, a, type), fileOf(task, b, type), (type & S.SOCK_CLOEXEC) !== 0, addr);
}

/** The socket behind a descriptor. */
function socketOf(task: Task, fd: number): SocketFile | number {
  const file = task.files.get(fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  return file instanceof SocketFile ? file : -ENOTSOCK;
}

// ---- names

function bind(task: Task, fd: number, addr: number, length: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const address = readAddress(task, addr, length);
  if (typeof address === 'number') return address;
  const { endpoint } = file;
  if (endpoint.family === S.AF_NETLINK) return bindNetlink(task, endpoint, address);
  const name = unixName(address);
  if (typeof name === 'number') return name;
  const { unix } = task.kernel.vfs;
  if (name === '') return autobind(task, endpoint);
  if (name.startsWith('\0')) {
    if (endpoint.name !== null) return -EINVAL;
    if (!unix.bindAbstract(name, endpoint)) return -EADDRINUSE;
    endpoint.name = name;
    return 0;
  }
  const caller = callerOf(task);
  const made = makeNode(caller, task.fs.cwd, name, S_IFSOCK | 0o777, 0);
  if (made < 0) return made === -EEXIST ? -EADDRINUSE : made;
  const place = lookupPath(caller, task.fs.cwd, name, false);
  if (typeof place === 'number') return place;
  if (endpoint.name !== null) {
    place.parent?.inode.unlink(place.name, place.inode);
    place.parent?.forget(place.name);
    return -EINVAL;
  }
  endpoint.name = name;
  endpoint.node = place.inode;
  unix.bindNode(place.inode, endpoint);
  return 0;
}

/** The port of a netlink socket: what it asks for, or the process's number. */
function bindNetlink(task: Task, endpoint: UnixEndpoint, address: Uint8Array): number {
  if (address.length < S.SockaddrNl.size) return -EINVAL;
  const view = viewOf(address);
  if (view.getUint16(0, true) !== S.AF_NETLINK) return -EINVAL;
  const port = view.getUint32(S.SockaddrNl.port, true);
  if (endpoint.port !== 0) return port === endpoint.port ? 0 : -EINVAL;
  endpoint.port = port === 0 ? task.group.tgid : port;
  return 0;
}

/** A name of the system's choice, for those that have none. */
function autobind(task: Task, endpoint: UnixEndpoint): number {
  if (endpoint.name !== null) return 0;
  const { unix } = task.kernel.vfs;
  const name = unix.freeName(endpoint.kind);
  if (name === undefined) return -ENOSPC;
  unix.bindAbstract(name, endpoint);
  endpoint.name = name;
  return 0;
}

/** The socket that has a name, or -errno. */
function findNamed(task: Task, name: string, kind: number): UnixEndpoint | number {
  const { unix } = task.kernel.vfs;
  if (name.startsWith('\0')) return unix.findAbstract(name, kind) ?? -ECONNREFUSED;
  const place = lookupPath(callerOf(task), task.fs.cwd, name, true);
  if (typeof place === 'number') return place;
  const denied = checkPermission(place.inode, task.creds, MAY_WRITE);
  if (denied !== 0) return denied;
  const found = unix.findNode(place.inode);
  if (found === undefined) return -ECONNREFUSED;
  return found.kind === kind ? found : -EPROTOTYPE;
}

function socketName(task: Task, fd: number, addr: number, lengthAddr: number, ofPeer: boolean): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  if (file.endpoint.family === S.AF_NETLINK) {
    return writeAddress(task, netlinkAddress(ofPeer ? 0 : file.endpoint.port), addr, lengthAddr);
  }
  const whose = ofPeer ? file.endpoint.peer : file.endpoint;
  if (whose === null) return -ENOTCONN;
  return writeAddress(task, addressBytes(whose.name), addr, lengthAddr);
}

// ---- connections

function listen(task: Task, fd: number, backlog: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  if (file.endpoint.kind === S.SOCK_DGRAM) return -EOPNOTSUPP;
  const limit = backlog >>> 0 > S.SOMAXCONN ? S.SOMAXCONN : backlog;
  return file.endpoint.listen(limit, task.kernel.vfs.unix.caller.peer(), task.creds.groups);
}

function connect(task: Task, fd: number, addr: number, length: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const address = readAddress(task, addr, length);
  if (typeof address === 'number') return address;
  const { endpoint } = file;
  if (endpoint.family === S.AF_NETLINK) return address.length < S.SockaddrNl.size ? -EINVAL : 0;
  const isDatagram = endpoint.kind === S.SOCK_DGRAM;
  if (isDatagram && address.length >= 2 && address[0] === S.AF_UNSPEC && address[1] === 0) {
    endpoint.setPeer(null);
    return 0;
  }
  const name = unixName(address);
  if (typeof name === 'number') return name;
  if (name === '') return -EINVAL;
  if (endpoint.passesCredentials && endpoint.name === null) {
    const failed = autobind(task, endpoint);
    if (failed < 0) return failed;
  }
  if (isDatagram) {
    const target = findNamed(task, name, endpoint.kind);
    if (typeof target === 'number') return target;
    if (!endpoint.maySendTo(target)) return -EPERM;
    endpoint.setPeer(target);
    return 0;
  }
  const identity = task.kernel.vfs.unix.caller.peer();
  const attempt = (): number => {
    const target = findNamed(task, name, endpoint.kind);
    return typeof target === 'number' ? target : endpoint.connectTo(target, identity, task.creds.groups);
  };
  return waitFor(task, file, POLLOUT, attempt);
}

function accept(task: Task, fd: number, addr: number, lengthAddr: number, flags: number): SyscallResult {
  if ((flags & ~(S.SOCK_CLOEXEC | S.SOCK_NONBLOCK)) !== 0) return -EINVAL;
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const { endpoint } = file;
  if (endpoint.kind === S.SOCK_DGRAM) return -EOPNOTSUPP;
  const attempt = (): number => {
    if (endpoint.state !== 'listening') return -EINVAL;
    // Before anything is taken: a connection must not get lost because there is no descriptor for it.
    const refused = task.files.mayInstall(task.group.softLimit(RLIMIT_NOFILE));
    if (refused < 0) return refused;
    const server = endpoint.accept();
    if (server === undefined) return (endpoint.shut & RECEIVE_SHUT) !== 0 ? -EINVAL : -EAGAIN;
    const newFd = installFile(task, fileOf(task, server, flags), (flags & S.SOCK_CLOEXEC) !== 0);
    if (newFd < 0 || addr === 0) return newFd;
    const failed = writeAddress(task, addressBytes(server.peer?.name ?? null), addr, lengthAddr);
    if (failed < 0) task.files.close(newFd);
    return failed < 0 ? failed : newFd;
  };
  return waitFor(task, file, POLLIN, attempt);
}

function shutdown(task: Task, fd: number, how: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  if (how !== S.SHUT_RD && how !== S.SHUT_WR && how !== S.SHUT_RDWR) return -EINVAL;
  file.endpoint.shutdown((how !== S.SHUT_WR ? RECEIVE_SHUT : 0) | (how !== S.SHUT_RD ? SEND_SHUT : 0));
  return 0;
}

// ---- sending

/** One message, or a stream's bytes until they have gone. */
class Sending {
  readonly #task: Task;
  readonly #file: SocketFile;
  readonly #buffers: UserBuffers;
  readonly #target: UnixEndpoint | null;
  readonly #ancillary: Ancillary;
  readonly #flags: number;
  /** The descriptors are referred to, but not on their way yet. */
  #isHeld = false;
  done = 0;

  constructor(
    task: Task,
    file: SocketFile,
    buffers: UserBuffers,
    target: UnixEndpoint | null,
    ancillary: Ancillary,
    flags: number,
  ) {
    this.#task = task;
    this.#file = file;
    this.#buffers = buffers;
    this.#target = target;
    this.#ancillary = ancillary;
    this.#flags = flags;
  }

  /** Bytes sent, -EAGAIN when there is no room, or -errno. */
  attempt(): number {
    const { endpoint } = this.#file;
    const { length } = this.#buffers;
    for (;;) {
      // Descriptors go with the first piece. They are held from the first try on: another thread may close them.
      const isFirst = this.done === 0;
      if (isFirst && !this.#isHeld) {
        const refused = attachFiles(this.#task, this.#ancillary);
        if (refused < 0) return refused;
        this.#isHeld = true;
      }
      const ancillary = isFirst ? this.#ancillary : { ...this.#ancillary, files: [] };
      const n = endpoint.send(this.#buffers, length - this.done, this.#target, ancillary);
      if (n > 0 || (n === 0 && endpoint.kind !== S.SOCK_STREAM)) this.#isHeld = false;
      if (n === -EAGAIN) return n;
      if (n < 0) {
        if (this.done > 0) return this.done;
        if (n === -EPIPE && endpoint.kind === S.SOCK_STREAM && (this.#flags & S.MSG_NOSIGNAL) === 0) {
          sendSigpipe(this.#task);
        }
        return n;
      }
      this.done += n;
      if (this.done >= length || n === 0 || endpoint.kind !== S.SOCK_STREAM) return this.done;
    }
  }

  /** The call is over: what did not get on its way is let go. */
  end(): void {
    if (this.#isHeld) detachFiles(this.#task, this.#ancillary);
    this.#isHeld = false;
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

function prepareSend(
  task: Task,
  file: SocketFile,
  buffers: UserBuffers,
  address: Uint8Array | null,
  ancillary: Ancillary,
  flags: number,
): Sending | number {
  if ((flags & S.MSG_OOB) !== 0) return -EOPNOTSUPP;
  const target = targetOf(task, file, address);
  if (typeof target === 'number') return target;
  const { endpoint } = file;
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
  return waitFor(
    task,
    file,
    POLLOUT,
    () => sending.attempt(),
    () => sending.done,
    nonblock(flags),
    () => sending.end(),
  );
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
  return waitFor(
    task,
    file,
    POLLOUT,
    () => sending.attempt(),
    () => sending.done,
    nonblock(flags),
    () => sending.end(),
  );
}

function sendmmsg(task: Task, fd: number, addr: number, count: number, flags: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const most = Math.min(count, IOV_MAX);
  let sent = 0;
  let sending: Sending | number | null = null;
  const end = (): void => {
    if (sending instanceof Sending) sending.end();
  };
  const attempt = (): number => {
    while (sent < most) {
      const at = addr + sent * S.Mmsghdr.size;
      sending ??= prepareMessage(task, file, at, flags);
      const n = typeof sending === 'number' ? sending : sending.attempt();
      if (n === -EAGAIN) return n;
      if (n < 0) return sent > 0 ? sent : n;
      end();
      sending = null;
      if (!task.mm.writeU32(at + S.Mmsghdr.length, n)) return sent > 0 ? sent : -EFAULT;
      sent++;
    }
    return sent;
  };
  return waitFor(task, file, POLLOUT, attempt, () => sent, nonblock(flags), end);
}

// ---- receiving

/** One message, or a stream's bytes as far as the flags want them. */
class Receiving {
  readonly #file: SocketFile;
  readonly #buffers: UserBuffers;
  readonly #flags: number;
  done = 0;
  /** What came, the first time. */
  first: Received | null = null;

  constructor(file: SocketFile, buffers: UserBuffers, flags: number) {
    this.#file = file;
    this.#buffers = buffers;
    this.#flags = flags;
  }

  /** The result of the call, -EAGAIN while there is not enough, or -errno. */
  attempt(): number {
    const { endpoint } = this.#file;
    const { length } = this.#buffers;
    const peeks = (this.#flags & S.MSG_PEEK) !== 0;
    if ((this.#flags & S.MSG_OOB) !== 0) return endpoint.kind === S.SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
    for (;;) {
      const before = this.first?.identity ?? null;
      const received = endpoint.receive(this.#buffers, length - this.done, peeks, this.#waits, before);
      const { bytes } = received;
      if (bytes < 0) return bytes === -EAGAIN || this.first === null ? bytes : this.#finish();
      // Another sender's bytes are for another call.
      if (this.first === null) this.first = received;
      else if (received.from === null) return this.#finish();
      else this.first = { ...this.first, files: received.files };
      this.done += bytes;
      if (!this.#waitsForAll || bytes === 0 || this.done >= length || received.files.length > 0) return this.#finish();
    }
  }

  get #waits(): boolean {
    return (this.#flags & S.MSG_DONTWAIT) === 0 && (this.#file.flags & O_NONBLOCK) === 0;
  }

  get #waitsForAll(): boolean {
    const isWanted = (this.#flags & (S.MSG_WAITALL | S.MSG_PEEK)) === S.MSG_WAITALL;
    return isWanted && this.#waits && this.#file.endpoint.kind === S.SOCK_STREAM;
  }

  get isCut(): boolean {
    return this.#file.endpoint.kind !== S.SOCK_STREAM && (this.first?.full ?? 0) > this.done;
  }

  #finish(): number {
    const tellsAll = (this.#flags & S.MSG_TRUNC) !== 0 && this.isCut;
    return tellsAll ? (this.first?.full ?? 0) : this.done;
  }

  /** The sender's address; nothing for one without a name. */
  get address(): Uint8Array {
    if (this.#file.endpoint.family === S.AF_NETLINK) return netlinkAddress(0);
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
  const receiving = new Receiving(file, buffer, flags);
  const attempt = (): number => {
    const result = receiving.attempt();
    if (result < 0) return result;
    task.kernel.vfs.unix.release(receiving.first?.files ?? []);
    if (from === 0) return result;
    const failed = writeAddress(task, receiving.address, from, fromLength);
    return failed < 0 ? failed : result;
  };
  return waitFor(task, file, POLLIN, attempt, () => receiving.done, nonblock(flags));
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
  let out = (flags & S.MSG_CMSG_CLOEXEC) | (receiving.isCut ? S.MSG_TRUNC : 0);
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
  const receiving = new Receiving(file, header.buffers, flags);
  const attempt = (): number => {
    const result = receiving.attempt();
    if (result < 0) return result;
    const failed = finishMessage(task, file, addr, header, receiving, flags);
    return failed < 0 ? failed : result;
  };
  return waitFor(task, file, POLLIN, attempt, () => receiving.done, nonblock(flags));
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
  let got = 0;
  let current: { header: MessageHeader; receiving: Receiving } | null = null;
  const attempt = (): number => {
    while (got < most) {
      const at = addr + got * S.Mmsghdr.size;
      if (current === null) {
        const header = readHeader(task, at);
        if (typeof header === 'number') return got > 0 ? got : header;
        current = { header, receiving: new Receiving(file, header.buffers, flags) };
      }
      const { header, receiving } = current;
      const result = receiving.attempt();
      // One that waits for the first message only takes what is there after it.
      if (result === -EAGAIN) return got > 0 && (flags & S.MSG_WAITFORONE) !== 0 ? got : result;
      if (result < 0) return got > 0 ? got : result;
      current = null;
      if (finishMessage(task, file, at, header, receiving, flags) < 0) return got > 0 ? got : -EFAULT;
      if (!task.mm.writeU32(at + S.Mmsghdr.length, result)) return got > 0 ? got : -EFAULT;
      got++;
      // The time is only looked at after each message, as Linux does it.
      if (task.kernel.clock.now() >= deadlineNs) return got;
    }
    return got;
  };
  /** What is left of the time is written back once something has come. */
  const finish = (result: number): number => {
    if (timeout === 0 || result <= 0) return result;
    const left = Math.max(0, deadlineNs - task.kernel.clock.now());
    return writeTimespec(task, timeout, left) < 0 ? -EFAULT : result;
  };
  const tries = (): number => {
    const result = attempt();
    return result === -EAGAIN ? result : finish(result);
  };
  return waitFor(task, file, POLLIN, tries, () => got, nonblock(flags));
}

/** A call on a socket's options. */
function withSocket(task: Task, fd: number, call: (file: SocketFile) => number): number {
  const file = socketOf(task, fd);
  return typeof file === 'number' ? file : call(file);
}

const NO_OUT_OF_BAND = 'MSG_OOB';

export const SOCKET_CALLS: readonly SyscallDef[] = [
  {
    nr: 41,
    name: 'socket',
    args: ['enum:socket_family', 'flags:sock', 'int'],
    ret: 'fd',
    partial: 'families other than AF_UNIX, answers of netlink',
    call: (t, a) => socket(t, a.int(0), a.uint(1), a.int(2)),
  },
  {
    nr: 53,
    name: 'socketpair',
    args: ['enum:socket_family', 'flags:sock', 'int', 'out:intpair'],
    call: (t, a) => socketPair(t, a.int(0), a.uint(1), a.int(2), a.num(3)),
  },
  { nr: 42, name: 'connect', args: ['fd', 'ptr', 'int'], call: (t, a) => connect(t, a.int(0), a.num(1), a.int(2)) },
  {
    nr: 43,
    name: 'accept',
    args: ['fd', 'ptr', 'ptr'],
    ret: 'fd',
    call: (t, a) => accept(t, a.int(0), a.num(1), a.num(2), 0),
  },
  {
    nr: 288,
    name: 'accept4',
    args: ['fd', 'ptr', 'ptr', 'flags:sock'],
    ret: 'fd',
    call: (t, a) => accept(t, a.int(0), a.num(1), a.num(2), a.uint(3)),
  },
  { nr: 49, name: 'bind', args: ['fd', 'ptr', 'int'], call: (t, a) => bind(t, a.int(0), a.num(1), a.int(2)) },
  { nr: 50, name: 'listen', args: ['fd', 'int'], call: (t, a) => listen(t, a.int(0), a.int(1)) },
  {
    nr: 44,
    name: 'sendto',
    args: ['fd', 'buf', 'size', 'flags:msg', 'ptr', 'int'],
    partial: NO_OUT_OF_BAND,
    call: (t, a) => sendto(t, a.int(0), a.num(1), a.num(2), a.uint(3), a.num(4), a.int(5)),
  },
  {
    nr: 45,
    name: 'recvfrom',
    args: ['fd', 'outbuf', 'size', 'flags:msg', 'ptr', 'ptr'],
    partial: NO_OUT_OF_BAND,
    call: (t, a) => recvfrom(t, a.int(0), a.num(1), a.num(2), a.uint(3), a.num(4), a.num(5)),
  },
  {
    nr: 46,
    name: 'sendmsg',
    args: ['fd', 'ptr', 'flags:msg'],
    partial: NO_OUT_OF_BAND,
    call: (t, a) => sendmsg(t, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 47,
    name: 'recvmsg',
    args: ['fd', 'ptr', 'flags:msg'],
    partial: NO_OUT_OF_BAND,
    call: (t, a) => recvmsg(t, a.int(0), a.num(1), a.uint(2)),
  },
  {
    nr: 307,
    name: 'sendmmsg',
    args: ['fd', 'ptr', 'uint', 'flags:msg'],
    partial: NO_OUT_OF_BAND,
    call: (t, a) => sendmmsg(t, a.int(0), a.num(1), a.uint(2), a.uint(3)),
  },
  {
    nr: 299,
    name: 'recvmmsg',
    args: ['fd', 'ptr', 'uint', 'flags:msg', 'in:timespec'],
    partial: NO_OUT_OF_BAND,
    call: (t, a) => recvmmsg(t, a.int(0), a.num(1), a.uint(2), a.uint(3), a.num(4)),
  },
  { nr: 48, name: 'shutdown', args: ['fd', 'enum:shutdown'], call: (t, a) => shutdown(t, a.int(0), a.int(1)) },
  {
    nr: 51,
    name: 'getsockname',
    args: ['fd', 'ptr', 'ptr'],
    call: (t, a) => socketName(t, a.int(0), a.num(1), a.num(2), false),
  },
  {
    nr: 52,
    name: 'getpeername',
    args: ['fd', 'ptr', 'ptr'],
    call: (t, a) => socketName(t, a.int(0), a.num(1), a.num(2), true),
  },
  {
    nr: 54,
    name: 'setsockopt',
    args: ['fd', 'int', 'int', 'ptr', 'int'],
    partial: 'SO_PEEK_OFF, time stamps, filters, what only concerns networks',
    call: (t, a) => withSocket(t, a.int(0), (file) => setSocketOption(t, file, a.int(1), a.int(2), a.num(3), a.int(4))),
  },
  {
    nr: 55,
    name: 'getsockopt',
    args: ['fd', 'int', 'int', 'ptr', 'ptr'],
    partial: 'SO_PEEK_OFF, time stamps, filters',
    call: (t, a) => withSocket(t, a.int(0), (file) => getSocketOption(t, file, a.int(1), a.int(2), a.num(3), a.num(4))),
  },
];
