// SPDX-License-Identifier: MIT
//
// Sockets of the family AF_UNIX: making, names, connections; other families are not there, and calls on what is no
// socket give ENOTSOCK. Models net/socket.c and net/unix/af_unix.c, unix(7).

import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EEXIST,
  EINVAL,
  ENOSPC,
  ENOTCONN,
  ENOTSOCK,
  EOPNOTSUPP,
  EPERM,
  EPROTONOSUPPORT,
  EPROTOTYPE,
  ESOCKTNOSUPPORT,
} from '../../abi/errno.ts';
import { O_NONBLOCK, O_PATH, O_RDWR } from '../../abi/open.ts';
import { POLLIN, POLLOUT } from '../../abi/poll.ts';
import * as S from '../../abi/socket.ts';
import { S_IFSOCK } from '../../abi/stat.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { checkPermission, MAY_WRITE } from '../../vfs/credentials.ts';
import { makeNode } from '../../vfs/namespace.ts';
import { lookupPath } from '../../vfs/path-walk.ts';
import { RECEIVE_SHUT, SEND_SHUT, UnixEndpoint } from '../../vfs/unix-endpoint.ts';
import type { SocketIdentity } from '../../vfs/unix-namespace.ts';
import { SocketFile } from '../../vfs/unix-socket.ts';
import type { Task } from '../task.ts';
import { callerOf, installFile, installPair, mayInstall, waitFor } from './file-arguments.ts';
import type { Transfer } from './file-arguments.ts';
import { addressBytes, netlinkAddress, readAddress, unixName, writeAddress } from './socket-messages.ts';
import { getSocketOption, setSocketOption } from './socket-options.ts';
import type { SyscallDef, SyscallResult } from './table.ts';

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
export function socketOf(task: Task, fd: number): SocketFile | number {
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
export function autobind(task: Task, endpoint: UnixEndpoint): number {
  if (endpoint.name !== null) return 0;
  const { unix } = task.kernel.vfs;
  const name = unix.freeName(endpoint.kind);
  if (name === undefined) return -ENOSPC;
  unix.bindAbstract(name, endpoint);
  endpoint.name = name;
  return 0;
}

/** The socket that has a name, or -errno. */
export function findNamed(task: Task, name: string, kind: number): UnixEndpoint | number {
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
  if (file === -EBADF) return file;
  // Looked at before it is known whether this is a socket.
  const address = readAddress(task, addr, length);
  if (typeof address === 'number') return address;
  if (typeof file === 'number') return file;
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
  return waitFor(task, file, POLLOUT, new Connecting(task, endpoint, name));
}

/** A connect(2) of a stream. */
class Connecting implements Transfer {
  private readonly task: Task;
  private readonly endpoint: UnixEndpoint;
  private readonly name: string;
  private readonly identity: SocketIdentity;

  constructor(task: Task, endpoint: UnixEndpoint, name: string) {
    this.task = task;
    this.endpoint = endpoint;
    this.name = name;
    this.identity = task.kernel.vfs.unix.caller.peer();
  }

  attempt(): number {
    const { task, endpoint } = this;
    const target = findNamed(task, this.name, endpoint.kind);
    return typeof target === 'number' ? target : endpoint.connectTo(target, this.identity, task.creds.groups);
  }
}

function accept(task: Task, fd: number, addr: number, lengthAddr: number, flags: number): SyscallResult {
  const file = socketOf(task, fd);
  if (file === -EBADF) return file;
  if ((flags & ~(S.SOCK_CLOEXEC | S.SOCK_NONBLOCK)) !== 0) return -EINVAL;
  if (typeof file === 'number') return file;
  const { endpoint } = file;
  if (endpoint.kind === S.SOCK_DGRAM) return -EOPNOTSUPP;
  return waitFor(task, file, POLLIN, new Accepting(task, endpoint, { addr, lengthAddr, flags }));
}

/** An accept4(2). */
class Accepting implements Transfer {
  private readonly task: Task;
  private readonly endpoint: UnixEndpoint;
  private readonly what: { readonly addr: number; readonly lengthAddr: number; readonly flags: number };

  constructor(task: Task, endpoint: UnixEndpoint, what: { addr: number; lengthAddr: number; flags: number }) {
    this.task = task;
    this.endpoint = endpoint;
    this.what = what;
  }

  attempt(): number {
    const { task, endpoint } = this;
    const { addr, lengthAddr, flags } = this.what;
    if (endpoint.state !== 'listening') return -EINVAL;
    // Before anything is taken: a connection must not get lost because there is no descriptor for it.
    const refused = mayInstall(task);
    if (refused < 0) return refused;
    const server = endpoint.accept();
    if (server === undefined) return (endpoint.shut & RECEIVE_SHUT) !== 0 ? -EINVAL : -EAGAIN;
    const newFd = installFile(task, fileOf(task, server, flags), (flags & S.SOCK_CLOEXEC) !== 0);
    if (newFd < 0 || addr === 0) return newFd;
    const failed = writeAddress(task, addressBytes(server.peer?.name ?? null), addr, lengthAddr);
    if (failed < 0) task.files.close(newFd);
    return failed < 0 ? failed : newFd;
  }
}

function shutdown(task: Task, fd: number, how: number): number {
  const file = socketOf(task, fd);
  if (typeof file === 'number') return file;
  if (how !== S.SHUT_RD && how !== S.SHUT_WR && how !== S.SHUT_RDWR) return -EINVAL;
  file.endpoint.shutdown((how !== S.SHUT_WR ? RECEIVE_SHUT : 0) | (how !== S.SHUT_RD ? SEND_SHUT : 0));
  return 0;
}

/** A call on a socket's options. */
function withSocket(task: Task, fd: number, call: (file: SocketFile) => number): number {
  const file = socketOf(task, fd);
  return typeof file === 'number' ? file : call(file);
}

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

savable('kernel/syscalls/sockets', { Connecting, Accepting });
