// SPDX-License-Identifier: MIT
//
// One end of AF_UNIX communication, whether a descriptor leads to it yet or not: state, peer, messages on their way to
// it. Models struct unix_sock and net/unix/af_unix.c.

import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EFAULT,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOBUFS,
  ENOTCONN,
  EPERM,
  EPIPE,
} from '../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../abi/poll.ts';
import { AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from '../abi/socket.ts';
import { Fifo } from '../base/fifo.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Inode } from './inode.ts';
import type { ByteSink, ByteSource, OpenFile } from './open-file.ts';
import type { SocketIdentity, UnixNamespace } from './unix-namespace.ts';

/** net.core.wmem_default and rmem_default; as much may be asked for. */
export const SOCKET_BUFFER_BYTES = 212_992;
/** What each message counts for beside its bytes: an sk_buff with the smallest data. */
const MESSAGE_COST = 768;
/** Bytes of a stream that go into one message. */
const STREAM_PIECE = 32_768;
/** Messages that wait at a datagram socket (net.unix.max_dgram_qlen). */
const DATAGRAM_BACKLOG = 10;
const READABLE = POLLIN | POLLRDNORM;
const URGENT = POLLPRI | POLLRDBAND;
const WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND;

export const RECEIVE_SHUT = 1;
export const SEND_SHUT = 2;
const BOTH_SHUT = 3;

/** Bytes on their way, with what travels beside them. */
export interface UnixMessage {
  readonly bytes: Uint8Array;
  /** Bytes of a stream that were read already; all of them where an urgent byte has left its place behind. */
  used: number;
  readonly from: UnixEndpoint;
  readonly cost: number;
  readonly identity: SocketIdentity;
  files: readonly OpenFile[];
  /** Whose descriptors `files` count as. */
  readonly owner: number;
}

/** What goes along with bytes. */
export interface Attachments {
  readonly identity: SocketIdentity;
  /** The message takes over a reference to each, once it is on its way. */
  readonly files: readonly OpenFile[];
}

/** What a receiver got. */
export interface Received {
  /** Bytes stored, or -errno. */
  readonly bytes: number;
  /** Length of the message before it was cut. */
  readonly full: number;
  readonly from: UnixEndpoint | null;
  readonly identity: SocketIdentity | null;
  /** References are the receiver's. */
  readonly files: readonly OpenFile[];
}

function nothing(result: number): Received {
  return { bytes: result, full: 0, from: null, identity: null, files: [] };
}

const NO_FILES: readonly OpenFile[] = [];

export class UnixEndpoint {
  readonly namespace: UnixNamespace;
  /** AF_UNIX; or AF_NETLINK, for sockets that only hear from the system and whose messages nobody takes. */
  readonly family: number;
  /** nl_pid of a netlink socket that has a name. */
  port = 0;
  /** SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. */
  readonly kind: number;
  /** Readers, writers and pollers of this end. */
  readonly events = new WaitQueue();
  state: 'closed' | 'listening' | 'connected' = 'closed';
  /** The bytes of sun_path, one character each; null without a name. */
  name: string | null = null;
  /** The node of a name in the file system. */
  node: Inode | null = null;
  peer: UnixEndpoint | null = null;
  /** SO_PEERCRED. */
  peerIdentity: SocketIdentity | null = null;
  peerGroups: readonly number[] = [];
  /** RECEIVE_SHUT and SEND_SHUT. */
  shut = 0;
  /** What the next call reports (SO_ERROR). */
  error = 0;
  passesCredentials = false;
  sendBuffer = SOCKET_BUFFER_BYTES;
  receiveBuffer = SOCKET_BUFFER_BYTES;
  isDead = false;
  readonly messages = new Fifo<UnixMessage>();
  /** The message of a stream whose byte was sent with MSG_OOB last, while nobody has read it. */
  private urgent: UnixMessage | null = null;
  /** SO_OOBINLINE: urgent bytes are read as any other. */
  takesUrgentInline = false;
  /** The description that leads here; null while nobody has accepted the connection. */
  file: OpenFile | null = null;
  /** Connections that nobody has accepted. */
  readonly backlog: UnixEndpoint[] = [];
  backlogLimit = DATAGRAM_BACKLOG;
  /** What messages of this end still cost. */
  private sent = 0;
  /** Ends that wait for room here. */
  private readonly blocked = new Set<UnixEndpoint>();

  constructor(namespace: UnixNamespace, kind: number, family = AF_UNIX) {
    this.namespace = namespace;
    this.family = family;
    this.kind = kind;
  }

  private get isConnectionBased(): boolean {
    return this.kind !== SOCK_DGRAM;
  }

  // ---- connections

  /** socketpair(2). */
  static join(a: UnixEndpoint, b: UnixEndpoint, identity: SocketIdentity, groups: readonly number[]): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      one.peer = other;
      one.peerIdentity = identity;
      one.peerGroups = groups;
      one.state = 'connected';
    }
  }

  listen(backlog: number, identity: SocketIdentity, groups: readonly number[]): number {
    if (this.name === null || this.state === 'connected') return -EINVAL;
    if (backlog > this.backlogLimit) this.wakeBlocked();
    this.backlogLimit = backlog;
    this.state = 'listening';
    this.peerIdentity = identity;
    this.peerGroups = groups;
    return 0;
  }

  /** connect(2) of a stream or of sequenced packets; -EAGAIN while the listener's backlog is full. */
  connectTo(listener: UnixEndpoint, identity: SocketIdentity, groups: readonly number[]): number {
    if (listener.state !== 'listening' || (listener.shut & RECEIVE_SHUT) !== 0) return -ECONNREFUSED;
    if (listener.backlog.length > listener.backlogLimit) {
      listener.blocked.add(this);
      return -EAGAIN;
    }
    if (this.state !== 'closed') return this.state === 'connected' ? -EISCONN : -EINVAL;
    const server = new UnixEndpoint(this.namespace, this.kind);
    server.state = 'connected';
    server.peer = this;
    server.peerIdentity = identity;
    server.peerGroups = groups;
    server.name = listener.name;
    server.node = null;
    server.isAccepted = true;
    server.passesCredentials = listener.passesCredentials;
    this.peer = server;
    this.peerIdentity = listener.peerIdentity;
    this.peerGroups = listener.peerGroups;
    this.state = 'connected';
    listener.backlog.push(server);
    listener.events.wake(READABLE);
    this.events.wake(WRITABLE);
    return 0;
  }

  /** Its name is the listener's, not its own to give up. */
  isAccepted = false;

  /** The oldest connection that nobody has accepted. */
  accept(): UnixEndpoint | undefined {
    const server = this.backlog.shift();
    if (server !== undefined) this.wakeBlocked();
    return server;
  }

  /** connect(2) of a datagram socket: where messages without an address go, and who may send here. */
  setPeer(peer: UnixEndpoint | null): void {
    const old = this.peer;
    this.peer = peer;
    this.state = peer === null ? 'closed' : 'connected';
    if (old !== null && old !== peer) {
      if (this.messages.length > 0) {
        this.discardMessages();
        if (!old.isDead && old.peer === this) old.fail(ECONNRESET);
      }
      this.events.wake(WRITABLE);
    }
  }

  private fail(error: number): void {
    this.error = error;
    this.events.wake(POLLERR | READABLE | WRITABLE);
  }

  maySendTo(target: UnixEndpoint): boolean {
    return target.peer === null || target.peer === this;
  }

  // ---- sending

  /** The pending error, which is reported once. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  /**
   * Sends a message, or a piece of a stream.
   * @param target where a datagram goes; null for the peer
   * @param isUrgent the byte of a stream that MSG_OOB tells of
   * @returns bytes taken or -errno; -EAGAIN when there is no room
   */
  send(
    source: ByteSource,
    count: number,
    target: UnixEndpoint | null,
    attachments: Attachments,
    isUrgent = false,
  ): number {
    if (this.family !== AF_UNIX) return -ECONNREFUSED;
    return this.kind === SOCK_STREAM
      ? this.sendStream(source, count, attachments, isUrgent)
      : this.sendMessage(source, count, target, attachments);
  }

  private sendStream(source: ByteSource, count: number, attachments: Attachments, isUrgent: boolean): number {
    if (this.peer === null) return -ENOTCONN;
    if ((this.shut & SEND_SHUT) !== 0) return -EPIPE;
    if (count === 0) return 0;
    const { peer } = this;
    if (this.error !== 0) return -this.takeError();
    if (this.sent >= this.sendBuffer) return -EAGAIN;
    if (peer.isDead || (peer.shut & RECEIVE_SHUT) !== 0) return -EPIPE;
    const piece = Math.min(count, STREAM_PIECE, (this.sendBuffer >> 1) - 64);
    return this.deliver(peer, source, piece, attachments, isUrgent);
  }

  private sendMessage(source: ByteSource, count: number, named: UnixEndpoint | null, attachments: Attachments): number {
    if (this.kind === SOCK_SEQPACKET) {
      if (this.error !== 0) return -this.takeError();
      if (this.state !== 'connected') return -ENOTCONN;
    }
    const target = named ?? this.peer;
    if (target === null) return -ENOTCONN;
    if (count > this.sendBuffer - 32) return -EMSGSIZE;
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & SEND_SHUT) !== 0) return -EPIPE;
    if (this.sent >= this.sendBuffer) return -EAGAIN;
    const refusal = this.refusalOf(target);
    if (refusal !== 0) {
      // The message is read before the target is looked at.
      if (source.take(new Uint8Array(count)) < count) return -EFAULT;
      if (target.isDead) this.setPeer(null);
      return refusal;
    }
    if (target.isFullFor(this)) {
      target.blocked.add(this);
      return -EAGAIN;
    }
    return this.deliver(target, source, count, attachments);
  }

  private refusalOf(target: UnixEndpoint): number {
    if (target.isDead) return -ECONNREFUSED;
    if (!this.maySendTo(target)) return -EPERM;
    return (target.shut & RECEIVE_SHUT) !== 0 ? -EPIPE : 0;
  }

  /** Those that are connected to each other only fill each other's buffers. */
  private isFullFor(sender: UnixEndpoint): boolean {
    return this !== sender && this.peer !== sender && this.messages.length > this.backlogLimit;
  }

  private deliver(
    target: UnixEndpoint,
    source: ByteSource,
    count: number,
    attachments: Attachments,
    isUrgent = false,
  ): number {
    const { namespace } = this;
    const cost = count + MESSAGE_COST;
    if (!namespace.buffers.take(cost)) return -ENOBUFS;
    const bytes = new Uint8Array(count);
    const got = source.take(bytes);
    if (got < count && (this.kind !== SOCK_STREAM || got === 0)) {
      namespace.buffers.give(cost);
      return -EFAULT;
    }
    namespace.buffers.give(count - got);
    this.sent += got + MESSAGE_COST;
    const message: UnixMessage = {
      bytes: got === count ? bytes : bytes.subarray(0, got),
      used: 0,
      from: this,
      cost: got + MESSAGE_COST,
      identity: attachments.identity,
      files: attachments.files,
      owner: attachments.identity.uid,
    };
    target.messages.push(message);
    if (isUrgent) {
      // The one before it becomes a byte as any other.
      target.urgent = message;
      if (target.file !== null) namespace.caller.tellUrgent(target.file);
    }
    target.events.wake(isUrgent ? READABLE | URGENT : READABLE);
    return got;
  }

  /** A message from the system itself; lost when there is no room for it. */
  post(bytes: Uint8Array): void {
    const cost = bytes.length + MESSAGE_COST;
    if (this.isDead || this.sent + cost > this.receiveBuffer || !this.namespace.buffers.take(cost)) return;
    this.sent += cost;
    const identity = { pid: 0, uid: 0, gid: 0 };
    this.messages.push({ bytes, used: 0, from: this, cost, identity, files: NO_FILES, owner: 0 });
    this.events.wake(READABLE);
  }

  // ---- receiving

  /**
   * Takes one message, or what there is of a stream.
   * @param waits the caller would sleep: only then is a datagram socket that was shut at its end
   * @param sameSender for a stream that goes on: whose bytes may follow
   */
  receive(
    sink: ByteSink,
    count: number,
    peeks: boolean,
    waits: boolean,
    sameSender: SocketIdentity | null = null,
  ): Received {
    if (this.kind === SOCK_STREAM) return this.receiveStream(sink, count, peeks, sameSender);
    if (this.kind === SOCK_SEQPACKET && this.state !== 'connected') return nothing(-ENOTCONN);
    const message = this.messages.at(0);
    if (message === undefined) return nothing(this.emptyResult(waits || this.kind === SOCK_SEQPACKET));
    const part = message.bytes.length > count ? message.bytes.subarray(0, count) : message.bytes;
    const stored = sink.put(part);
    const files = peeks ? message.files.map((file) => file.retain()) : this.takeFiles(message);
    if (!peeks) this.drop();
    if (stored < part.length) {
      this.namespace.release(files);
      return nothing(-EFAULT);
    }
    const { from, identity } = message;
    return { bytes: part.length, full: message.bytes.length, from, identity, files };
  }

  private emptyResult(endsWhenShut: boolean): number {
    if (this.error !== 0) return -this.takeError();
    return (this.shut & RECEIVE_SHUT) !== 0 && endsWhenShut ? 0 : -EAGAIN;
  }

  private receiveStream(sink: ByteSink, count: number, peeks: boolean, sameSender: SocketIdentity | null): Received {
    if (this.state !== 'connected') return nothing(-EINVAL);
    let bytes = 0;
    let from: UnixEndpoint | null = null;
    let identity = sameSender;
    let files = NO_FILES;
    for (let index = 0; bytes < count || from === null;) {
      index = this.skipUrgent(index, peeks, bytes > 0 || sameSender !== null);
      const message = this.messages.at(index);
      if (message === undefined && from === null && index >= 0) return nothing(this.emptyResult(true));
      if (message === undefined) break;
      if (identity !== null && this.passesCredentials && !isSame(identity, message.identity)) break;
      from ??= message.from;
      identity ??= message.identity;
      const left = message.bytes.length - message.used;
      const want = Math.min(left, count - bytes);
      const put = want === 0 ? 0 : sink.put(message.bytes.subarray(message.used, message.used + want));
      if (want > 0 && put === 0) {
        if (bytes === 0) return nothing(-EFAULT);
        break;
      }
      bytes += put;
      // Bytes of another message with descriptors would blur which came with what.
      const hadFiles = message.files.length > 0;
      if (hadFiles) files = peeks ? message.files.map((file) => file.retain()) : this.takeFiles(message);
      if (peeks) index++;
      else {
        message.used += put;
        if (put < left) break;
        this.drop();
      }
      if (hadFiles || put < want) break;
    }
    return { bytes, full: bytes, from, identity, files };
  }

  /**
   * Where reading a stream goes on at or behind `index`: an urgent byte ends what one call reads, and is lost when the next
   * one begins with it (manage_oob).
   * @param hasRead the call has read something
   * @returns -1 where it ends
   */
  private skipUrgent(index: number, peeks: boolean, hasRead: boolean): number {
    for (let at = index; ;) {
      const message = this.messages.at(at);
      if (message === undefined) return at;
      const isTaken = message.used === message.bytes.length;
      if (!isTaken && message !== this.urgent) return at;
      if (hasRead && (!isTaken || this.urgent === null)) return -1;
      if (!isTaken && this.takesUrgentInline) {
        if (!peeks) this.urgent = null;
        return at;
      }
      if (peeks) at++;
      else this.discardFirst();
    }
  }

  /** recv(2) with MSG_OOB: 1 or -errno. */
  receiveUrgent(sink: ByteSink, count: number, peeks: boolean): number {
    const { urgent } = this;
    if (this.state !== 'connected' || urgent === null || this.takesUrgentInline) return -EINVAL;
    if (!peeks) this.urgent = null;
    // As in Linux, the byte is gone even when it could not be stored.
    if (!peeks) urgent.used = 1;
    return count > 0 && sink.put(urgent.bytes) < 1 ? -EFAULT : 1;
  }

  /** SIOCATMARK: the next byte is the urgent one, or would be had it not been taken. */
  get isAtMark(): boolean {
    const first = this.messages.at(0);
    if (first === undefined || first === this.urgent) return first !== undefined;
    const isTaken = this.kind === SOCK_STREAM && first.used === first.bytes.length;
    return isTaken && (this.urgent === null || this.messages.at(1) === this.urgent);
  }

  /** The descriptors of a message; their references are the caller's now. */
  private takeFiles(message: UnixMessage): readonly OpenFile[] {
    const { files } = message;
    if (files.length === 0) return files;
    message.files = NO_FILES;
    this.namespace.detach(files, message.owner);
    return files;
  }

  /** The first message is gone. */
  private drop(): void {
    const message = this.messages.shift();
    if (message === undefined) return;
    if (message === this.urgent) this.urgent = null;
    this.namespace.buffers.give(message.cost);
    const { from } = message;
    from.sent -= message.cost;
    if (from.isWritable) from.events.wake(WRITABLE);
    this.wakeBlocked();
  }

  private wakeBlocked(): void {
    if (this.blocked.size === 0) return;
    const waiting = [...this.blocked];
    this.blocked.clear();
    for (const endpoint of waiting) endpoint.events.wake(WRITABLE);
  }

  /** Nobody will receive what is here. */
  discardMessages(): void {
    while (this.messages.length > 0) this.discardFirst();
  }

  private discardFirst(): void {
    const first = this.messages.at(0);
    if (first === undefined) return;
    const files = this.takeFiles(first);
    this.drop();
    this.namespace.release(files);
  }

  // ---- ends

  /** shutdown(2). */
  shutdown(how: number): void {
    this.shut |= how;
    const { peer } = this;
    if (peer !== null && this.isConnectionBased) {
      const theirs = ((how & RECEIVE_SHUT) !== 0 ? SEND_SHUT : 0) | ((how & SEND_SHUT) !== 0 ? RECEIVE_SHUT : 0);
      peer.shut |= theirs;
      peer.tellShut();
    }
    this.tellShut();
    // Connections that wait for room, and accept.
    if (this.state === 'listening') this.wakeBlocked();
  }

  private tellShut(): void {
    this.events.wake(READABLE | WRITABLE | POLLRDHUP | (this.shut === BOTH_SHUT ? POLLHUP : 0));
  }

  /** The last descriptor is gone, or the listener that had not accepted it. */
  release(wasAccepted = true): void {
    this.isDead = true;
    if (!this.isAccepted) this.namespace.unbind(this);
    const { peer } = this;
    this.shut = BOTH_SHUT;
    if (peer !== null && this.isConnectionBased) {
      peer.shut = BOTH_SHUT;
      if (this.hasUnread || !wasAccepted) peer.error = ECONNRESET;
      peer.events.wake(READABLE | WRITABLE | POLLRDHUP | POLLHUP | (peer.error !== 0 ? POLLERR : 0));
    }
    this.peer = null;
    this.state = 'closed';
    this.discardMessages();
    for (const server of this.backlog.splice(0)) server.release(false);
    this.wakeBlocked();
    this.events.wake(POLLHUP);
  }

  // ---- looking

  /** Something was sent that nobody has read; an urgent byte's place alone is nothing. */
  private get hasUnread(): boolean {
    const [first, second] = [this.messages.at(0), this.messages.at(1)];
    const isPlace = this.kind === SOCK_STREAM && first !== undefined && first.used === first.bytes.length;
    return (isPlace ? second : first) !== undefined;
  }

  private get isWritable(): boolean {
    return this.state !== 'listening' && this.sent * 4 <= this.sendBuffer;
  }

  poll(): number {
    let mask = this.error !== 0 ? POLLERR : 0;
    if (this.shut === BOTH_SHUT) mask |= POLLHUP;
    if ((this.shut & RECEIVE_SHUT) !== 0) mask |= POLLRDHUP | READABLE;
    if (this.messages.length > 0 || this.backlog.length > 0) mask |= READABLE;
    if (this.urgent !== null) mask |= POLLPRI;
    if (this.isConnectionBased && this.state === 'closed') mask |= POLLHUP;
    if (!this.isWritable) return mask;
    const { peer } = this;
    if (this.kind !== SOCK_STREAM && peer !== null && peer.isFullFor(this)) {
      peer.blocked.add(this);
      return mask;
    }
    return mask | WRITABLE;
  }

  /** SIOCINQ; -EINVAL for one that listens. */
  get waitingBytes(): number {
    if (this.state === 'listening') return -EINVAL;
    if (!this.isConnectionBased) return this.messages.at(0)?.bytes.length ?? 0;
    let sum = 0;
    for (const message of this.messages) sum += message.bytes.length - message.used;
    return sum;
  }

  /** SIOCOUTQ. */
  get unreadCost(): number {
    return this.sent;
  }
}

function isSame(a: SocketIdentity, b: SocketIdentity): boolean {
  return a === b || (a.pid === b.pid && a.uid === b.uid && a.gid === b.gid);
}

savable('vfs/unix-endpoint', { UnixEndpoint });
