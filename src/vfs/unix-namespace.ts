// SPDX-License-Identifier: MIT
//
// What all AF_UNIX sockets of a tree share: names, the descriptors that travel in messages, and the search for sockets
// that only their own messages still lead to. Models net/unix/af_unix.c (names) and net/unix/garbage.c.

import { savable } from '../base/savable.ts';
import type { Budget } from './device-table.ts';
import type { Inode } from './inode.ts';
import type { OpenFile } from './open-file.ts';
import type { UnixEndpoint } from './unix-endpoint.ts';
import type { SocketFile } from './unix-socket.ts';

/** Who sends or connects, as messages and SO_PEERCRED tell. */
export interface SocketIdentity {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** The running task as a sender of messages (its real ids) and as a peer (its effective ids). */
export interface SocketCaller {
  sender(): SocketIdentity;
  peer(): SocketIdentity;
  /** An urgent byte has come to this socket: its owner is told. */
  tellUrgent(file: OpenFile): void;
}

const NOBODY: SocketIdentity = { pid: 0, uid: 0, gid: 0 };

/** Names that autobind gives: five hexadecimal digits. */
const AUTOBIND_NAMES = 0x100000;
/** With so few sockets in flight looking for rubbish costs nothing. */
const FEW = 64;

/** Names and descriptors in flight. */
export class UnixNamespace {
  /** Bytes of messages. */
  readonly buffers: Budget;
  private readonly descriptors: Budget;
  private readonly abstract = new Map<string, UnixEndpoint>();
  private readonly nodes = new Map<Inode, UnixEndpoint>();
  /** Sockets that messages hold, and how often. */
  private readonly inFlight = new Map<SocketFile, number>();
  /** Descriptors in messages, by the user who sent them. */
  private readonly byUser = new Map<number, number>();
  private nextName = 0;
  private closed = 0;
  private readonly toRelease: OpenFile[] = [];
  private isReleasing = false;
  /** Set by the kernel. */
  caller: SocketCaller = { sender: () => NOBODY, peer: () => NOBODY, tellUrgent: () => undefined };

  constructor(buffers: Budget, descriptors: Budget) {
    this.buffers = buffers;
    this.descriptors = descriptors;
  }

  // ---- names

  /** Abstract names are per type of socket. */
  findAbstract(name: string, kind: number): UnixEndpoint | undefined {
    return this.abstract.get(`${kind}${name}`);
  }

  /** Takes an abstract name; false when it is taken. */
  bindAbstract(name: string, endpoint: UnixEndpoint): boolean {
    const key = `${endpoint.kind}${name}`;
    if (this.abstract.has(key)) return false;
    this.abstract.set(key, endpoint);
    return true;
  }

  /** A free abstract name of five digits; undefined when all are taken. */
  freeName(kind: number): string | undefined {
    for (let tries = 0; tries < AUTOBIND_NAMES; tries++) {
      this.nextName = (this.nextName + 1) % AUTOBIND_NAMES;
      const name = '\0' + this.nextName.toString(16).padStart(5, '0');
      if (!this.abstract.has(`${kind}${name}`)) return name;
    }
    return undefined;
  }

  findNode(inode: Inode): UnixEndpoint | undefined {
    return this.nodes.get(inode);
  }

  bindNode(inode: Inode, endpoint: UnixEndpoint): void {
    this.nodes.set(inode, endpoint);
  }

  unbind(endpoint: UnixEndpoint): void {
    if (endpoint.node !== null) this.nodes.delete(endpoint.node);
    else if (endpoint.name !== null) this.abstract.delete(`${endpoint.kind}${endpoint.name}`);
  }

  // ---- descriptors in flight

  /** How many descriptors of a user are in messages. */
  inFlightOf(uid: number): number {
    return this.byUser.get(uid) ?? 0;
  }

  /** Descriptors go into a message: a reference of each comes with them. False when there are too many altogether. */
  attach(files: readonly OpenFile[], uid: number): boolean {
    // Rings of sockets that nobody closes any more must not pile up.
    if (this.inFlight.size > FEW) this.mayCollect();
    if (!this.descriptors.take(files.length)) return false;
    for (const file of files) if (isSocket(file)) this.inFlight.set(file, (this.inFlight.get(file) ?? 0) + 1);
    this.byUser.set(uid, this.inFlightOf(uid) + files.length);
    return true;
  }

  /** They are out of the message; the references are the caller's now. */
  detach(files: readonly OpenFile[], uid: number): void {
    this.descriptors.give(files.length);
    for (const file of files) {
      if (!isSocket(file)) continue;
      const left = (this.inFlight.get(file) ?? 0) - 1;
      if (left > 0) this.inFlight.set(file, left);
      else this.inFlight.delete(file);
    }
    const left = this.inFlightOf(uid) - files.length;
    if (left > 0) this.byUser.set(uid, left);
    else this.byUser.delete(uid);
  }

  /** Gives references back, one after the other however deep sockets hold sockets. */
  release(files: readonly OpenFile[]): void {
    this.toRelease.push(...files);
    if (this.isReleasing) return;
    this.isReleasing = true;
    for (let file = this.toRelease.pop(); file !== undefined; file = this.toRelease.pop()) file.release();
    this.isReleasing = false;
  }

  /** A socket was closed, or goes into a message: now and then looks for those that nobody can reach. */
  mayCollect(): void {
    const { size } = this.inFlight;
    if (size === 0) return;
    if (size > FEW && ++this.closed < size / 8) return;
    this.closed = 0;
    this.collect();
  }

  /**
   * Empties sockets that are in flight, have no descriptor, and are only in messages of others of their kind.
   */
  private collect(): void {
    const unseen = new Map<SocketFile, number>();
    for (const [file, count] of this.inFlight) if (file.refs === count) unseen.set(file, count);
    if (unseen.size === 0) return;
    const held = new Map<SocketFile, SocketFile[]>();
    for (const file of unseen.keys()) {
      const inside = socketsIn(file.endpoint).filter((f) => unseen.has(f));
      held.set(file, inside);
      for (const f of inside) unseen.set(f, (unseen.get(f) ?? 0) - 1);
    }
    // Who is in a message of somebody else can be received, and whoever is in their messages then, too.
    const reachable = [...unseen.keys()].filter((file) => (unseen.get(file) ?? 0) > 0);
    for (let file = reachable.pop(); file !== undefined; file = reachable.pop()) {
      if (unseen.delete(file)) reachable.push(...(held.get(file) ?? []));
    }
    for (const file of unseen.keys()) file.endpoint.discardMessages();
  }
}

function isSocket(file: OpenFile): file is SocketFile {
  return 'endpoint' in file;
}

/** Sockets in the messages of one, and in those of connections that nobody has accepted. */
function socketsIn(endpoint: UnixEndpoint): SocketFile[] {
  const found: SocketFile[] = [];
  for (const each of [endpoint, ...endpoint.backlog]) {
    for (const message of each.messages) found.push(...message.files.filter(isSocket));
  }
  return found;
}

savable('vfs/unix-namespace', { UnixNamespace }, { isPlace: true });
