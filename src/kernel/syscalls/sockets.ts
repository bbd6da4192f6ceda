// SPDX-License-Identifier: MIT
//
// Sockets without a network: socketpair works, socket gives EAFNOSUPPORT, and calls on what is no socket ENOTSOCK.
// net/socket.c.

import {
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EISCONN,
  ENOPROTOOPT,
  ENOTSOCK,
  EOPNOTSUPP,
  EPIPE,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
} from '../../abi/errno.ts';
import { O_NONBLOCK, O_RDWR } from '../../abi/open.ts';
import { POLLIN, POLLOUT } from '../../abi/poll.ts';
import { SIGPIPE } from '../../abi/signal.ts';
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_ERROR,
  SO_RCVBUF,
  SO_SNDBUF,
  SO_TYPE,
} from '../../abi/socket.ts';
import { getU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { SOCKET_BUFFER_BYTES, SocketFile } from '../../vfs/socket-pair.ts';
import { killInfo } from '../signals/siginfo.ts';
import { sendSignal } from '../signals/send.ts';
import type { Task } from '../task.ts';
import { installPair, userBuffer, userVector, waitFor } from './file-arguments.ts';
import type { UserBuffers } from './file-arguments.ts';
import type { SyscallDef, SyscallResult } from './table.ts';

/** struct msghdr. */
const Msghdr = {
  size: 56,
  name: 0,
  nameLength: 8,
  iov: 16,
  iovLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
} as const;
const KIND_MASK = 0xf;
const SI_USER = 0;

function socketPair(task: Task, family: number, type: number, protocol: number, addr: number): number {
  const kind = type & KIND_MASK;
  if ((type & ~(KIND_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK)) !== 0) return -EINVAL;
  if (family !== AF_UNIX) return -EAFNOSUPPORT;
  if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT;
  if (kind !== SOCK_STREAM && kind !== SOCK_DGRAM && kind !== SOCK_SEQPACKET) return -ESOCKTNOSUPPORT;
  const { anonymous } = task.kernel.vfs;
  const flags = O_RDWR | ((type & SOCK_NONBLOCK) !== 0 ? O_NONBLOCK : 0);
  const [a, b] = SocketFile.pair(
    anonymous.socket(task.creds),
    anonymous.socket(task.creds),
    flags,
    kind,
    anonymous.buffers,
  );
  return installPair(task, a, b, (type & SOCK_CLOEXEC) !== 0, addr);
}

function socketOf(task: Task, fd: number): SocketFile | number {
  const file = task.files.get(fd);
  if (file === undefined) return -EBADF;
  return file instanceof SocketFile ? file : -ENOTSOCK;
}

function send(task: Task, file: SocketFile, buffers: UserBuffers, flags: number): SyscallResult {
  let done = 0;
  const attempt = (): number => {
    for (;;) {
      const n = file.writeAt(buffers, buffers.length - done);
      if (n === -EPIPE && (flags & MSG_NOSIGNAL) === 0) {
        sendSignal(task.group, task, killInfo(SIGPIPE, SI_USER, task.group.tgid, task.creds.uid));
      }
      if (n === -EAGAIN) return n;
      if (n < 0) return done > 0 ? done : n;
      done += n;
      if (done >= buffers.length || n === 0 || file.kind !== SOCK_STREAM) return done;
    }
  };
  return waitFor(task, file, POLLOUT, attempt, () => done, (flags & MSG_DONTWAIT) !== 0 ? true : undefined);
}

/** @param onMessage told the length of a message that was cut */
function receive(
  task: Task,
  file: SocketFile,
  buffers: UserBuffers,
  flags: number,
  onReceived: (bytes: number, full: number) => number,
): SyscallResult {
  let done = 0;
  const attempt = (): number => {
    for (;;) {
      const { bytes, full } = file.receive(buffers, buffers.length - done, (flags & MSG_PEEK) !== 0);
      if (bytes < 0) return bytes === -EAGAIN ? bytes : done > 0 ? done : bytes;
      done += bytes;
      const waitsForAll = (flags & MSG_WAITALL) !== 0 && file.kind === SOCK_STREAM && (flags & MSG_PEEK) === 0;
      if (!waitsForAll || bytes === 0 || done >= buffers.length) return onReceived(done, full);
    }
  };
  return waitFor(task, file, POLLIN, attempt, () => done, (flags & MSG_DONTWAIT) !== 0 ? true : undefined);
}

function sendto(task: Task, fd: number, addr: number, length: number, flags: number, to: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const buffer = userBuffer(task, addr, length);
  if (typeof buffer === 'number') return buffer;
  if (to !== 0) return file.kind === SOCK_STREAM ? -EISCONN : -EOPNOTSUPP;
  return send(task, file, buffer, flags);
}

function recvfrom(
  task: Task,
  fd: number,
  addr: number,
  length: number,
  flags: number,
  lengthAddr: number,
): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const buffer = userBuffer(task, addr, length);
  if (typeof buffer === 'number') return buffer;
  return receive(task, file, buffer, flags, (bytes, full) => {
    // A pair has no names: the address is empty.
    if (lengthAddr !== 0 && !task.mm.writeU32(lengthAddr, 0)) return -EFAULT;
    return (flags & MSG_TRUNC) !== 0 && file.kind !== SOCK_STREAM ? full : bytes;
  });
}

interface Message {
  readonly buffers: UserBuffers;
  readonly controlLength: number;
}

function readMessage(task: Task, addr: number): Message | number {
  const bytes = new Uint8Array(Msghdr.size);
  if (task.mm.copyIn(addr, bytes) < bytes.length) return -EFAULT;
  const view = viewOf(bytes);
  const buffers = userVector(task, getU64(view, Msghdr.iov), getU64(view, Msghdr.iovLength));
  if (typeof buffers === 'number') return buffers;
  return { buffers, controlLength: getU64(view, Msghdr.controlLength) };
}

function sendmsg(task: Task, fd: number, addr: number, flags: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const message = readMessage(task, addr);
  if (typeof message === 'number') return message;
  // Descriptors and credentials do not travel.
  if (message.controlLength > 0) return -EOPNOTSUPP;
  return send(task, file, message.buffers, flags);
}

function recvmsg(task: Task, fd: number, addr: number, flags: number): SyscallResult {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const message = readMessage(task, addr);
  if (typeof message === 'number') return message;
  return receive(task, file, message.buffers, flags, (bytes, full) => {
    const isCut = file.kind !== SOCK_STREAM && full > bytes;
    const stored =
      task.mm.writeU32(addr + Msghdr.nameLength, 0) &&
      task.mm.writeU64(addr + Msghdr.controlLength, 0) &&
      task.mm.writeU32(addr + Msghdr.flags, isCut ? MSG_TRUNC : 0);
    if (!stored) return -EFAULT;
    return isCut && (flags & MSG_TRUNC) !== 0 ? full : bytes;
  });
}

function shutdown(task: Task, fd: number, how: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  if (how !== SHUT_RD && how !== SHUT_WR && how !== SHUT_RDWR) return -EINVAL;
  file.shutdown(how !== SHUT_WR, how !== SHUT_RD);
  return 0;
}

/** getsockname, getpeername: the family and nothing else. */
function socketName(task: Task, fd: number, addr: number, lengthAddr: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const room = task.mm.readU32(lengthAddr);
  if (room === undefined) return -EFAULT;
  if (room > 0x7fffffff) return -EINVAL;
  const name = Uint8Array.of(AF_UNIX, 0).subarray(0, room);
  if (task.mm.copyOut(addr, name) < name.length) return -EFAULT;
  return task.mm.writeU32(lengthAddr, 2) ? 0 : -EFAULT;
}

function getsockopt(task: Task, fd: number, level: number, option: number, addr: number, lengthAddr: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  const room = task.mm.readU32(lengthAddr);
  if (room === undefined) return -EFAULT;
  if (level !== SOL_SOCKET) return -EOPNOTSUPP;
  const values: Record<number, number> = {
    [SO_TYPE]: file.kind,
    [SO_ERROR]: 0,
    [SO_SNDBUF]: SOCKET_BUFFER_BYTES,
    [SO_RCVBUF]: SOCKET_BUFFER_BYTES,
    [SO_DOMAIN]: AF_UNIX,
    [SO_ACCEPTCONN]: 0,
    [SO_PROTOCOL]: 0,
  };
  const value = values[option];
  if (value === undefined) return -ENOPROTOOPT;
  const bytes = new Uint8Array(4);
  viewOf(bytes).setInt32(0, value, true);
  const part = bytes.subarray(0, room);
  if (task.mm.copyOut(addr, part) < part.length) return -EFAULT;
  return task.mm.writeU32(lengthAddr, part.length) ? 0 : -EFAULT;
}

const SO_ACCEPTCONN = 30;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;

/** Options are taken note of by nobody: they steer buffers and time-outs that do not exist here. */
function setsockopt(task: Task, fd: number, level: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  return level === SOL_SOCKET ? 0 : -ENOPROTOOPT;
}

/** Calls that need addresses. */
function needsAddress(task: Task, fd: number, error: number): number {
  const file = socketOf(task, fd);
  return typeof file === 'number' ? file : error;
}

export const SOCKET_CALLS: readonly SyscallDef[] = [
  { nr: 41, name: 'socket', args: ['enum:socket_family', 'flags:sock', 'int'], ret: 'fd', call: () => -EAFNOSUPPORT },
  {
    nr: 53,
    name: 'socketpair',
    args: ['enum:socket_family', 'flags:sock', 'int', 'out:intpair'],
    call: (t, a) => socketPair(t, a.int(0), a.uint(1), a.int(2), a.num(3)),
  },
  { nr: 42, name: 'connect', args: ['fd', 'ptr', 'int'], call: (t, a) => needsAddress(t, a.int(0), -EISCONN) },
  { nr: 43, name: 'accept', args: ['fd', 'ptr', 'ptr'], call: (t, a) => needsAddress(t, a.int(0), -EINVAL) },
  {
    nr: 288,
    name: 'accept4',
    args: ['fd', 'ptr', 'ptr', 'flags:sock'],
    call: (t, a) => needsAddress(t, a.int(0), -EINVAL),
  },
  { nr: 49, name: 'bind', args: ['fd', 'ptr', 'int'], call: (t, a) => needsAddress(t, a.int(0), -EINVAL) },
  { nr: 50, name: 'listen', args: ['fd', 'int'], call: (t, a) => needsAddress(t, a.int(0), -EINVAL) },
  {
    nr: 44,
    name: 'sendto',
    args: ['fd', 'buf', 'size', 'flags:msg', 'ptr', 'int'],
    call: (t, a) => sendto(t, a.int(0), a.num(1), a.num(2), a.uint(3), a.num(4)),
  },
  {
    nr: 45,
    name: 'recvfrom',
    args: ['fd', 'outbuf', 'size', 'flags:msg', 'ptr', 'ptr'],
    call: (t, a) => recvfrom(t, a.int(0), a.num(1), a.num(2), a.uint(3), a.num(5)),
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
  { nr: 48, name: 'shutdown', args: ['fd', 'enum:shutdown'], call: (t, a) => shutdown(t, a.int(0), a.int(1)) },
  {
    nr: 51,
    name: 'getsockname',
    args: ['fd', 'ptr', 'ptr'],
    call: (t, a) => socketName(t, a.int(0), a.num(1), a.num(2)),
  },
  {
    nr: 52,
    name: 'getpeername',
    args: ['fd', 'ptr', 'ptr'],
    call: (t, a) => socketName(t, a.int(0), a.num(1), a.num(2)),
  },
  {
    nr: 54,
    name: 'setsockopt',
    args: ['fd', 'int', 'int', 'ptr', 'int'],
    call: (t, a) => setsockopt(t, a.int(0), a.int(1)),
  },
  {
    nr: 55,
    name: 'getsockopt',
    args: ['fd', 'int', 'int', 'ptr', 'ptr'],
    call: (t, a) => getsockopt(t, a.int(0), a.int(1), a.int(2), a.num(3), a.num(4)),
  },
];
