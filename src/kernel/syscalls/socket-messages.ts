// SPDX-License-Identifier: MIT
//
// What messages of sockets look like in guest memory: addresses, struct msghdr, and the control messages that carry
// descriptors and credentials. Models net/socket.c (copy_msghdr_from_user), net/core/scm.c, cmsg(3).

import { EBADF, EFAULT, EINVAL, EMSGSIZE, ENOBUFS, EPERM, ESRCH, ETOOMANYREFS } from '../../abi/errno.ts';
import { IOV_MAX } from '../../abi/open.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import {
  AF_NETLINK,
  AF_UNIX,
  Cmsghdr,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  Msghdr,
  SCM_CREDENTIALS,
  SCM_MAX_FD,
  SCM_RIGHTS,
  SOCKADDR_STORAGE_BYTES,
  SOL_SOCKET,
  SockaddrNl,
  SockaddrUn,
  Ucred,
} from '../../abi/socket.ts';
import { getU64, putU64 } from '../../abi/words.ts';
import { fromLatin1, latin1Bytes, viewOf } from '../../base/bytes.ts';
import type { OpenFile } from '../../vfs/open-file.ts';
import type { Received } from '../../vfs/unix-endpoint.ts';
import type { SocketIdentity } from '../../vfs/unix-namespace.ts';
import type { SocketFile } from '../../vfs/unix-socket.ts';
import { Cap, hasCap } from '../credentials.ts';
import type { Task } from '../task.ts';
import { userVector } from './file-arguments.ts';
import type { UserBuffers } from './file-arguments.ts';
import { readBytes, writeBytes } from './times.ts';

/** sysctl net.core.optmem_max. */
const OPTMEM_MAX = 131_072;
const FD_BYTES = 4;

/** An address as a call takes it: raw bytes, or -errno. */
export function readAddress(task: Task, addr: number, length: number): Uint8Array | number {
  if (length < 0 || length > SOCKADDR_STORAGE_BYTES) return -EINVAL;
  return readBytes(task, addr, length) ?? -EFAULT;
}

/** The name in an AF_UNIX address: one character a byte, '' for the family alone; -EINVAL for other addresses. */
export function unixName(address: Uint8Array): string | number {
  if (address.length > SockaddrUn.size || address.length < SockaddrUn.path) return -EINVAL;
  if (viewOf(address).getUint16(0, true) !== AF_UNIX) return -EINVAL;
  const path = address.subarray(SockaddrUn.path);
  if (path.length === 0 || path[0] === 0) return fromLatin1(path);
  const zero = path.indexOf(0);
  return fromLatin1(zero < 0 ? path : path.subarray(0, zero));
}

/** An address as calls give it: the family, and the name if there is one. */
export function addressBytes(name: string | null): Uint8Array {
  const path = latin1Bytes(name ?? '');
  const isPath = path.length > 0 && path[0] !== 0;
  const out = new Uint8Array(SockaddrUn.path + path.length + (isPath ? 1 : 0));
  viewOf(out).setUint16(0, AF_UNIX, true);
  out.set(path, SockaddrUn.path);
  return out;
}

/** A struct sockaddr_nl. */
export function netlinkAddress(port: number): Uint8Array {
  const bytes = new Uint8Array(SockaddrNl.size);
  viewOf(bytes).setUint16(0, AF_NETLINK, true);
  viewOf(bytes).setUint32(SockaddrNl.port, port, true);
  return bytes;
}

/** Writes an address and its whole length (move_addr_to_user). */
export function writeAddress(task: Task, bytes: Uint8Array, addr: number, lengthAddr: number): number {
  const room = task.mm.readU32(lengthAddr);
  if (room === undefined) return -EFAULT;
  if (room > 0x7fffffff) return -EINVAL;
  const part = bytes.subarray(0, room);
  if (writeBytes(task, addr, part) < 0) return -EFAULT;
  return task.mm.writeU32(lengthAddr, bytes.length) ? 0 : -EFAULT;
}

/** A struct msghdr. */
export interface MessageHeader {
  readonly name: number;
  readonly nameLength: number;
  readonly buffers: UserBuffers;
  readonly control: number;
  readonly controlLength: number;
}

export function readHeader(task: Task, addr: number): MessageHeader | number {
  const bytes = readBytes(task, addr, Msghdr.size);
  if (bytes === undefined) return -EFAULT;
  const view = viewOf(bytes);
  const name = getU64(view, Msghdr.name);
  const nameLength = name === 0 ? 0 : view.getInt32(Msghdr.nameLength, true);
  if (nameLength < 0) return -EINVAL;
  const count = getU64(view, Msghdr.iovLength);
  if (count > IOV_MAX) return -EMSGSIZE;
  const buffers = userVector(task, getU64(view, Msghdr.iov), count);
  if (typeof buffers === 'number') return buffers;
  return {
    name,
    nameLength: Math.min(nameLength, SOCKADDR_STORAGE_BYTES),
    buffers,
    control: getU64(view, Msghdr.control),
    controlLength: getU64(view, Msghdr.controlLength),
  };
}

/** What control messages ask to send along. */
export interface Ancillary {
  readonly identity: SocketIdentity;
  readonly files: OpenFile[];
}

/** Reads control messages; nothing is retained yet. */
export function readControl(task: Task, header: MessageHeader): Ancillary | number {
  const { control, controlLength } = header;
  let identity = task.kernel.vfs.unix.caller.sender();
  const files: OpenFile[] = [];
  if (controlLength === 0) return { identity, files };
  if (controlLength > OPTMEM_MAX) return -ENOBUFS;
  const bytes = readBytes(task, control, controlLength);
  if (bytes === undefined) return -EFAULT;
  const view = viewOf(bytes);
  for (let at = 0; at + Cmsghdr.size <= bytes.length;) {
    const length = getU64(view, at + Cmsghdr.length);
    if (length < Cmsghdr.size || length > bytes.length - at) return -EINVAL;
    const data = bytes.subarray(at + Cmsghdr.size, at + length);
    if (view.getInt32(at + Cmsghdr.level, true) === SOL_SOCKET) {
      const type = view.getInt32(at + Cmsghdr.type, true);
      if (type === SCM_RIGHTS) {
        const failed = collectFiles(task, data, files);
        if (failed < 0) return failed;
      } else if (type === SCM_CREDENTIALS) {
        if (data.length !== Ucred.size) return -EINVAL;
        const given = checkIdentity(task, data);
        if (typeof given === 'number') return given;
        identity = given;
      } else return -EINVAL;
    }
    at += Math.ceil(length / 8) * 8;
  }
  return { identity, files };
}

function collectFiles(task: Task, data: Uint8Array, files: OpenFile[]): number {
  const count = Math.floor(data.length / FD_BYTES);
  if (files.length + count > SCM_MAX_FD) return -EINVAL;
  const view = viewOf(data);
  for (let i = 0; i < count; i++) {
    const file = task.files.get(view.getInt32(i * FD_BYTES, true));
    if (file === undefined) return -EBADF;
    files.push(file);
  }
  return 0;
}

/** A struct ucred that the sender may claim to be. */
function checkIdentity(task: Task, data: Uint8Array): SocketIdentity | number {
  const view = viewOf(data);
  const pid = view.getInt32(Ucred.pid, true);
  const uid = view.getUint32(Ucred.uid, true);
  const gid = view.getUint32(Ucred.gid, true);
  const { creds } = task;
  if (uid === 0xffffffff || gid === 0xffffffff) return -EINVAL;
  const isOwnPid = pid === task.group.tgid || hasCap(creds, Cap.sysAdmin);
  const isOwnUid = [creds.uid, creds.euid, creds.suid].includes(uid) || hasCap(creds, Cap.setuid);
  const isOwnGid = [creds.gid, creds.egid, creds.sgid].includes(gid) || hasCap(creds, Cap.setgid);
  if (!isOwnPid || !isOwnUid || !isOwnGid) return -EPERM;
  return task.kernel.task(pid) === undefined ? -ESRCH : { pid, uid, gid };
}

/** Takes references to what goes into a message; -ETOOMANYREFS when the user has too many under way. */
export function attachFiles(task: Task, { files, identity }: Ancillary): number {
  if (files.length === 0) return 0;
  const { unix } = task.kernel.vfs;
  const mayExceed = hasCap(task.creds, Cap.sysResource) || hasCap(task.creds, Cap.sysAdmin);
  if (!mayExceed && unix.inFlightOf(identity.uid) > task.group.softLimit(RLIMIT_NOFILE)) return -ETOOMANYREFS;
  if (!unix.attach(files, identity.uid)) return -ETOOMANYREFS;
  for (const file of files) file.retain();
  return 0;
}

/** The message was not sent after all. */
export function detachFiles(task: Task, { files, identity }: Ancillary): void {
  if (files.length === 0) return;
  const { unix } = task.kernel.vfs;
  unix.detach(files, identity.uid);
  unix.release(files);
}

/**
 * Writes what came along: credentials if they are asked for, and descriptors as far as there is room for them.
 * @returns bytes of control messages, and the flags that msghdr tells
 */
export function writeControl(
  task: Task,
  socket: SocketFile,
  header: MessageHeader,
  received: Received,
  flags: number,
): { length: number; flags: number } {
  const room = header.control === 0 ? 0 : header.controlLength;
  let at = 0;
  let out = 0;
  const put = (type: number, data: Uint8Array): boolean => {
    const left = room - at;
    if (left < Cmsghdr.size) {
      out |= MSG_CTRUNC;
      return false;
    }
    const length = Math.min(Cmsghdr.size + data.length, left);
    if (length < Cmsghdr.size + data.length) out |= MSG_CTRUNC;
    const bytes = new Uint8Array(length);
    const view = viewOf(bytes);
    putU64(view, Cmsghdr.length, length);
    view.setInt32(Cmsghdr.level, SOL_SOCKET, true);
    view.setInt32(Cmsghdr.type, type, true);
    bytes.set(data.subarray(0, length - Cmsghdr.size), Cmsghdr.size);
    if (writeBytes(task, header.control + at, bytes) < 0) return false;
    at += Math.min(Cmsghdr.size + Math.ceil(data.length / 8) * 8, left);
    return true;
  };
  if (socket.endpoint.passesCredentials && received.from !== null) {
    put(SCM_CREDENTIALS, identityBytes(received.identity));
  }
  const { files } = received;
  if (files.length === 0) return { length: at, flags: out };
  const most = Math.min(files.length, Math.floor(Math.max(0, room - at - Cmsghdr.size) / FD_BYTES));
  const fds = installReceived(task, files.slice(0, most), (flags & MSG_CMSG_CLOEXEC) !== 0);
  if (fds.length < files.length) out |= MSG_CTRUNC;
  task.kernel.vfs.unix.release(files.slice(fds.length));
  if (fds.length > 0) {
    const data = new Uint8Array(fds.length * FD_BYTES);
    for (const [i, fd] of fds.entries()) viewOf(data).setInt32(i * FD_BYTES, fd, true);
    put(SCM_RIGHTS, data);
  }
  return { length: at, flags: out };
}

function installReceived(task: Task, files: readonly OpenFile[], cloexec: boolean): number[] {
  const fds: number[] = [];
  const limit = task.group.softLimit(RLIMIT_NOFILE);
  for (const file of files) {
    const fd = task.files.install(file, cloexec, limit);
    if (fd < 0) break;
    fds.push(fd);
  }
  return fds;
}

/** A struct ucred. */
export function identityBytes(identity: SocketIdentity | null): Uint8Array {
  const bytes = new Uint8Array(Ucred.size);
  const view = viewOf(bytes);
  view.setInt32(Ucred.pid, identity?.pid ?? 0, true);
  view.setInt32(Ucred.uid, identity?.uid ?? -1, true);
  view.setInt32(Ucred.gid, identity?.gid ?? -1, true);
  return bytes;
}
