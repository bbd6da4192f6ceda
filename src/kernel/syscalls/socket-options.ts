// SPDX-License-Identifier: MIT
//
// getsockopt(2) and setsockopt(2) at the level SOL_SOCKET; AF_UNIX has no other. Models net/core/sock.c, socket(7),
// unix(7).

import {
  EACCES,
  EDOM,
  EFAULT,
  EINVAL,
  ENODATA,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
} from '../../abi/errno.ts';
import * as S from '../../abi/socket.ts';
import { Timeval } from '../../abi/time.ts';
import { putTimeval } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { SOCKET_BUFFER_BYTES } from '../../vfs/unix-endpoint.ts';
import type { SocketFile } from '../../vfs/unix-socket.ts';
import { Cap, hasCap } from '../credentials.ts';
import type { Task } from '../task.ts';
import { addressBytes, identityBytes } from './socket-messages.ts';
import { readBytes, writeBytes } from './times.ts';

/** The least that a buffer is made. */
const MIN_SEND_BYTES = 4608;
const MIN_RECEIVE_BYTES = 2304;
/** Options that hold a number, with the value of a new socket. */
const PLAIN_OPTIONS: Readonly<Record<number, number>> = {
  [S.SO_DEBUG]: 0,
  [S.SO_REUSEADDR]: 0,
  [S.SO_REUSEPORT]: 0,
  [S.SO_DONTROUTE]: 0,
  [S.SO_BROADCAST]: 0,
  [S.SO_KEEPALIVE]: 0,
  [S.SO_OOBINLINE]: 0,
  [S.SO_PRIORITY]: 0,
  [S.SO_RCVLOWAT]: 1,
  [S.SO_TIMESTAMP]: 0,
  [S.SO_PASSSEC]: 0,
  [S.SO_MARK]: 0,
};
/** Those that are yes or no. */
const FLAG_OPTIONS: readonly number[] = [
  S.SO_DEBUG,
  S.SO_REUSEADDR,
  S.SO_REUSEPORT,
  S.SO_DONTROUTE,
  S.SO_BROADCAST,
  S.SO_KEEPALIVE,
  S.SO_OOBINLINE,
  S.SO_TIMESTAMP,
  S.SO_PASSSEC,
];

function int(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setInt32(0, value, true);
  return bytes;
}

function timeval(ns: number): Uint8Array {
  const bytes = new Uint8Array(Timeval.size);
  if (ns !== Infinity) putTimeval(viewOf(bytes), 0, ns);
  return bytes;
}

function value(file: SocketFile, option: number, room: number): Uint8Array | number {
  const { endpoint } = file;
  switch (option) {
    case S.SO_TYPE:
      return int(endpoint.kind);
    case S.SO_DOMAIN:
      return int(endpoint.family);
    case S.SO_PROTOCOL:
      return int(0);
    case S.SO_ERROR:
      return int(endpoint.takeError());
    case S.SO_SNDBUF:
      return int(endpoint.sendBuffer);
    case S.SO_RCVBUF:
      return int(endpoint.receiveBuffer);
    case S.SO_SNDLOWAT:
      return int(1);
    case S.SO_ACCEPTCONN:
      return int(endpoint.state === 'listening' ? 1 : 0);
    case S.SO_PASSCRED:
      return int(endpoint.passesCredentials ? 1 : 0);
    case S.SO_PEERCRED:
      return identityBytes(endpoint.peerIdentity);
    case S.SO_PEERGROUPS: {
      if (endpoint.peerIdentity === null) return -ENODATA;
      const bytes = new Uint8Array(endpoint.peerGroups.length * 4);
      for (const [i, gid] of endpoint.peerGroups.entries()) viewOf(bytes).setUint32(4 * i, gid, true);
      return room < bytes.length ? -ERANGE : bytes;
    }
    case S.SO_PEERNAME:
      if (endpoint.peer === null) return -ENOTCONN;
      return room < addressBytes(endpoint.peer.name).length ? -EINVAL : addressBytes(endpoint.peer.name);
    case S.SO_RCVTIMEO:
      return timeval(file.receiveTimeoutNs);
    case S.SO_SNDTIMEO:
      return timeval(file.sendTimeoutNs);
    case S.SO_LINGER: {
      const bytes = new Uint8Array(8);
      viewOf(bytes).setInt32(0, file.options.has(S.SO_LINGER) ? 1 : 0, true);
      viewOf(bytes).setInt32(4, file.options.get(S.SO_LINGER) ?? 0, true);
      return bytes;
    }
    default: {
      const plain = PLAIN_OPTIONS[option];
      return plain === undefined ? -ENOPROTOOPT : int(file.options.get(option) ?? plain);
    }
  }
}

export function getSocketOption(
  task: Task,
  file: SocketFile,
  level: number,
  option: number,
  addr: number,
  lengthAddr: number,
): number {
  if (level !== S.SOL_SOCKET) return -EOPNOTSUPP;
  const room = task.mm.readU32(lengthAddr);
  if (room === undefined) return -EFAULT;
  if (room > 0x7fffffff) return -EINVAL;
  const bytes = value(file, option, room);
  if (typeof bytes === 'number') {
    if (bytes === -ERANGE) task.mm.writeU32(lengthAddr, file.endpoint.peerGroups.length * 4);
    return bytes;
  }
  const part = bytes.subarray(0, room);
  if (writeBytes(task, addr, part) < 0) return -EFAULT;
  return task.mm.writeU32(lengthAddr, part.length) ? 0 : -EFAULT;
}

/** Double what is asked for, as room for the kernel's own records. */
function bufferSize(asked: number, least: number, mayExceed: boolean): number {
  const most = mayExceed ? 0x3fffffff : SOCKET_BUFFER_BYTES;
  return Math.max(least, 2 * Math.min(asked < 0 && mayExceed ? 0 : asked >>> 0, most));
}

function setTimeout(task: Task, file: SocketFile, option: number, addr: number, length: number): number {
  if (length < Timeval.size) return -EINVAL;
  const bytes = readBytes(task, addr, Timeval.size);
  if (bytes === undefined) return -EFAULT;
  const view = viewOf(bytes);
  const sec = Number(view.getBigInt64(Timeval.sec, true));
  const usec = Number(view.getBigInt64(Timeval.usec, true));
  if (usec < 0 || usec >= 1_000_000) return -EDOM;
  // Nothing means for ever; a time that has passed means not at all.
  const ns = sec < 0 ? 0 : sec === 0 && usec === 0 ? Infinity : sec * 1e9 + usec * 1000;
  if (option === S.SO_RCVTIMEO) file.receiveTimeoutNs = ns;
  else file.sendTimeoutNs = ns;
  return 0;
}

export function setSocketOption(
  task: Task,
  file: SocketFile,
  level: number,
  option: number,
  addr: number,
  length: number,
): number {
  if (length < 0) return -EINVAL;
  if (level !== S.SOL_SOCKET) return -EOPNOTSUPP;
  if (length < 4) return -EINVAL;
  const given = readBytes(task, addr, 4);
  if (given === undefined) return -EFAULT;
  const number = viewOf(given).getInt32(0, true);
  const { endpoint } = file;
  switch (option) {
    case S.SO_TYPE:
    case S.SO_PROTOCOL:
    case S.SO_DOMAIN:
    case S.SO_ERROR:
    case S.SO_ACCEPTCONN:
    case S.SO_PEERCRED:
    case S.SO_SNDLOWAT:
      return -ENOPROTOOPT;
    case S.SO_SNDBUF:
    case S.SO_SNDBUFFORCE:
    case S.SO_RCVBUF:
    case S.SO_RCVBUFFORCE: {
      const isForced = option === S.SO_SNDBUFFORCE || option === S.SO_RCVBUFFORCE;
      if (isForced && !hasCap(task.creds, Cap.netAdmin)) return -EPERM;
      if (option === S.SO_SNDBUF || option === S.SO_SNDBUFFORCE) {
        endpoint.sendBuffer = bufferSize(number, MIN_SEND_BYTES, isForced);
      } else endpoint.receiveBuffer = bufferSize(number, MIN_RECEIVE_BYTES, isForced);
      return 0;
    }
    case S.SO_PASSCRED:
      endpoint.passesCredentials = number !== 0;
      return 0;
    case S.SO_RCVTIMEO:
    case S.SO_SNDTIMEO:
      return setTimeout(task, file, option, addr, length);
    case S.SO_LINGER: {
      if (length < 8) return -EINVAL;
      const seconds = task.mm.readU32(addr + 4);
      if (seconds === undefined) return -EFAULT;
      if (number === 0) file.options.delete(option);
      else file.options.set(option, seconds | 0);
      return 0;
    }
    default:
      return setPlain(task, file, option, number);
  }
}

function setPlain(task: Task, file: SocketFile, option: number, number: number): number {
  if (PLAIN_OPTIONS[option] === undefined) return -ENOPROTOOPT;
  const isAdmin = hasCap(task.creds, Cap.netAdmin);
  if (option === S.SO_DEBUG && number !== 0 && !isAdmin) return -EACCES;
  if (option === S.SO_MARK && !isAdmin) return -EPERM;
  if (option === S.SO_PRIORITY && (number < 0 || number > 6) && !isAdmin) return -EPERM;
  let kept = number;
  if (FLAG_OPTIONS.includes(option)) kept = number !== 0 ? 1 : 0;
  else if (option === S.SO_RCVLOWAT) kept = number < 0 ? 0x7fffffff : number || 1;
  if (option === S.SO_OOBINLINE) file.endpoint.takesUrgentInline = number !== 0;
  file.options.set(option, kept);
  return 0;
}
