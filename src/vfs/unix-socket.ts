// SPDX-License-Identifier: MIT
//
// The open file description over an AF_UNIX endpoint: read, write, poll and ioctl. Models net/socket.c (sock_file_ops).

import { EFAULT, EINVAL, ENOTTY } from '../abi/errno.ts';
import { FIONREAD, SIOCATMARK, TIOCOUTQ } from '../abi/ioctl.ts';
import { O_NONBLOCK } from '../abi/open.ts';
import { POLLHUP, POLLIN } from '../abi/poll.ts';
import { AF_UNIX } from '../abi/socket.ts';
import type { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from './dentry.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource, UserMemory } from './open-file.ts';
import type { UnixEndpoint } from './unix-endpoint.ts';

/** An open socket. */
export class SocketFile extends OpenFile {
  override readonly isPollable = true;
  override readonly canSignal = true;
  override readonly queue: WaitQueue;
  readonly endpoint: UnixEndpoint;
  /** SO_RCVTIMEO and SO_SNDTIMEO; Infinity for none. */
  receiveTimeoutNs = Infinity;
  sendTimeoutNs = Infinity;
  /** Options that are kept for getsockopt and steer nothing. */
  readonly options = new Map<number, number>();

  constructor(dentry: Dentry, flags: number, endpoint: UnixEndpoint) {
    super(dentry, flags);
    this.endpoint = endpoint;
    this.queue = endpoint.events;
    endpoint.file = this;
  }

  override waitLimitNs(mask: number): number {
    return (mask & POLLIN) !== 0 ? this.receiveTimeoutNs : this.sendTimeoutNs;
  }

  override readAt(sink: ByteSink, count: number): number {
    if (count === 0) return 0;
    const { bytes, files } = this.endpoint.receive(sink, count, false, (this.flags & O_NONBLOCK) === 0);
    // Who reads without asking for descriptors lets them go.
    if (files.length > 0) this.endpoint.namespace.release(files);
    return bytes;
  }

  override writeAt(source: ByteSource, count: number): number {
    const { endpoint } = this;
    return endpoint.send(source, count, null, { identity: endpoint.namespace.caller.sender(), files: [] });
  }

  /** Room to write is told by no signal. */
  override signalledEvents(events: number): number {
    return (events & POLLHUP) !== 0 ? POLLHUP : events & POLLIN;
  }

  override poll(): number {
    return this.endpoint.poll();
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    const value = this.asked(request);
    if (value === undefined) return -ENOTTY;
    if (value < 0) return -EINVAL;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    return memory.copyOut(argument, bytes) === 4 ? 0 : -EFAULT;
  }

  private asked(request: number): number | undefined {
    const { endpoint } = this;
    if (request === FIONREAD) return endpoint.waitingBytes;
    if (request === TIOCOUTQ) return endpoint.unreadCost;
    return request === SIOCATMARK && endpoint.family === AF_UNIX ? Number(endpoint.isAtMark) : undefined;
  }

  protected override destroy(): void {
    const { namespace } = this.endpoint;
    this.endpoint.file = null;
    this.endpoint.release();
    namespace.mayCollect();
  }
}

savable('vfs/unix-socket', { SocketFile });
