// SPDX-License-Identifier: MIT
//
// What the three kinds of System V objects share: keys, identifiers with a sequence number, owners, permissions and
// the commands on them. Models Linux ipc/util.c.

import { savable } from '../../base/savable.ts';
import { EACCES, EEXIST, EINVAL, ENOENT, ENOSPC, EPERM } from '../../abi/errno.ts';
import { IPC_CREAT, IPC_EXCL, IPC_PRIVATE, IpcPerm } from '../../abi/ipc.ts';
import type { Credentials } from '../credentials.ts';
import { Cap, hasCap } from '../credentials.ts';

/** Bits of an identifier that are the place in the table; the rest counts how often places were given out anew. */
const INDEX_BITS = 15;
const INDEX_COUNT = 2 ** INDEX_BITS;
const SEQUENCE_COUNT = 2 ** (31 - INDEX_BITS);
/** A place is used again only after so many others. */
const MIN_CYCLE = 64;

/** A System V object: owner, mode and identity. */
export abstract class IpcObject {
  /** IPC_PRIVATE for none, also once the object is marked for removal. */
  key: number;
  id = -1;
  index = -1;
  seq = 0;
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  mode: number;
  isRemoved = false;
  /** Seconds since 1970. */
  ctime: number;

  constructor(key: number, mode: number, creds: Credentials, now: number) {
    this.key = key;
    this.mode = mode & 0o777;
    this.uid = creds.euid;
    this.gid = creds.egid;
    this.cuid = creds.euid;
    this.cgid = creds.egid;
    this.ctime = now;
  }

  /** struct ipc64_perm at the start of `view`. */
  writePerm(view: DataView): void {
    view.setInt32(IpcPerm.key, this.key, true);
    view.setUint32(IpcPerm.uid, this.uid, true);
    view.setUint32(IpcPerm.gid, this.gid, true);
    view.setUint32(IpcPerm.cuid, this.cuid, true);
    view.setUint32(IpcPerm.cgid, this.cgid, true);
    view.setUint32(IpcPerm.mode, this.mode, true);
    view.setUint16(IpcPerm.seq, this.seq, true);
  }

  /** IPC_SET. */
  change(uid: number, gid: number, mode: number, now: number): void {
    this.uid = uid;
    this.gid = gid;
    this.mode = (this.mode & ~0o777) | (mode & 0o777);
    this.ctime = now;
  }
}

/** 0, or -EACCES: may `creds` use the object in the ways of `flags` (three octal digits)? */
export function checkIpcAccess(object: IpcObject, creds: Credentials, flags: number): number {
  const wanted = ((flags >> 6) | (flags >> 3) | flags) & 7;
  let granted = object.mode;
  if (creds.euid === object.cuid || creds.euid === object.uid) granted >>= 6;
  else if (isMember(creds, object.cgid) || isMember(creds, object.gid)) granted >>= 3;
  return (wanted & ~granted & 7) === 0 || hasCap(creds, Cap.ipcOwner) ? 0 : -EACCES;
}

function isMember(creds: Credentials, gid: number): boolean {
  return creds.egid === gid || creds.groups.includes(gid);
}

/** 0, or -EPERM: may `creds` change or remove the object? */
export function checkIpcOwner(object: IpcObject, creds: Credentials): number {
  const isOwner = creds.euid === object.cuid || creds.euid === object.uid;
  return isOwner || hasCap(creds, Cap.sysAdmin) ? 0 : -EPERM;
}

/** The objects of one kind. */
export class IpcTable<T extends IpcObject> {
  private readonly limit: number;
  private readonly byIndex = new Map<number, T>();
  private readonly byKey = new Map<number, T>();
  private lastIndex = -1;
  private seq = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.byIndex.size;
  }

  get isFull(): boolean {
    return this.size >= this.limit;
  }

  /** In order of their places. */
  objects(): T[] {
    return [...this.byIndex.values()].sort((a, b) => a.index - b.index);
  }

  /** The highest place in use, 0 without any: what the commands *_INFO give. */
  get maxIndex(): number {
    let max = 0;
    for (const index of this.byIndex.keys()) if (index > max) max = index;
    return max;
  }

  at(index: number): T | undefined {
    return this.byIndex.get(index);
  }

  /** The object, or -EINVAL. */
  find(id: number): T | number {
    if (id < 0) return -EINVAL;
    const object = this.byIndex.get(id % INDEX_COUNT);
    if (object === undefined) return -EINVAL;
    return object.id === id ? object : -EINVAL;
  }

  /** The object and whether `creds` may use it as `flags` say. */
  findFor(id: number, creds: Credentials, flags: number): T | number {
    const object = this.find(id);
    if (typeof object === 'number') return object;
    const denied = checkIpcAccess(object, creds, flags);
    return denied < 0 ? denied : object;
  }

  /**
   * The calls shmget, semget and msgget.
   * @param fits -errno when an existing object is too small for what is asked
   * @returns an identifier or -errno
   */
  get(key: number, flags: number, creds: Credentials, make: () => T | number, fits: (object: T) => number): number {
    const known = key === IPC_PRIVATE ? undefined : this.byKey.get(key);
    if (known === undefined) {
      if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return -ENOENT;
      const made = make();
      return typeof made === 'number' ? made : this.add(made);
    }
    if ((flags & IPC_CREAT) !== 0 && (flags & IPC_EXCL) !== 0) return -EEXIST;
    const unfit = fits(known);
    if (unfit < 0) return unfit;
    const denied = checkIpcAccess(known, creds, flags);
    return denied < 0 ? denied : known.id;
  }

  private add(object: T): number {
    if (this.isFull) return -ENOSPC;
    const cycle = Math.min(this.limit, Math.max(Math.floor((this.size * 3) / 2), MIN_CYCLE));
    let index = (this.lastIndex + 1) % cycle;
    while (this.byIndex.has(index)) index = (index + 1) % cycle;
    if (index <= this.lastIndex) this.seq = (this.seq + 1) % SEQUENCE_COUNT;
    this.lastIndex = index;
    object.index = index;
    object.seq = this.seq;
    object.id = this.seq * INDEX_COUNT + index;
    this.byIndex.set(index, object);
    if (object.key !== IPC_PRIVATE) this.byKey.set(object.key, object);
    return object.id;
  }

  /** Nobody finds it by its key any more. */
  dropKey(object: T): void {
    if (object.key !== IPC_PRIVATE && this.byKey.get(object.key) === object) this.byKey.delete(object.key);
    object.key = IPC_PRIVATE;
  }

  remove(object: T): void {
    if (object.key !== IPC_PRIVATE) this.byKey.delete(object.key);
    this.byIndex.delete(object.index);
    object.isRemoved = true;
  }
}

savable('kernel/ipc/ipc-objects', { IpcTable }, { isPlace: true });
