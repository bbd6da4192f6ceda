// SPDX-License-Identifier: MIT
//
// Advisory locks of one inode: byte ranges owned by a descriptor table (fcntl) or an open file description (OFD),
// and whole-file locks (flock). Models fs/locks.c.

import { EAGAIN, ENOLCK } from '../abi/errno.ts';
import { F_RDLCK, F_UNLCK, F_WRLCK } from '../abi/open.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { OpenFile } from './open-file.ts';

/** A range [start, end) held by `owner`; `end` is Infinity for "to the end of the file". */
export interface RangeLock {
  readonly owner: object;
  readonly type: number;
  readonly start: number;
  readonly end: number;
  /** For F_GETLK; -1 for OFD locks. */
  readonly pid: number;
}

/** An owner of record locks. */
export interface LockOwner {
  /** Whom it waits for, while it sleeps. */
  waitsFor: object | null;
}

/** How far a chain of those who wait for one another is followed (MAX_DEADLK_ITERATIONS). */
const MAX_CHAIN = 10;

/** Whether `owner` would wait, in the end, for itself. Locks of descriptions are not looked at. */
export function wouldDeadlock(owner: LockOwner, blocker: object): boolean {
  let at: object | null = blocker;
  for (let i = 0; i < MAX_CHAIN && at !== null; i++) {
    at = 'waitsFor' in at ? (at as LockOwner).waitsFor : null;
    if (at === owner) return true;
  }
  return false;
}

/** Ranges that one file may have locked. */
const MAX_RANGES = 10_000;

/** The locks of one inode. */
export class FileLocks {
  private ranges: RangeLock[] = [];
  private whole: { owner: object; exclusive: boolean }[] = [];
  /** Descriptions that give their locks back when they are closed. */
  private readonly watched = new Set<OpenFile>();
  /** Woken whenever a lock is given back. */
  readonly queue = new WaitQueue();

  /** The first lock that stands in the way of `wanted`. */
  conflict(wanted: RangeLock): RangeLock | undefined {
    return this.ranges.find(
      (held) =>
        held.owner !== wanted.owner &&
        held.start < wanted.end &&
        wanted.start < held.end &&
        (held.type === F_WRLCK || wanted.type === F_WRLCK),
    );
  }

  /** Makes sure that the locks of a description go with it. */
  watch(file: OpenFile): void {
    if (this.watched.has(file)) return;
    this.watched.add(file);
    file.onRelease(this);
  }

  /** ReleaseHook. */
  released(file: OpenFile): void {
    this.watched.delete(file);
    this.releaseOwner(file);
    this.releaseWhole(file);
  }

  /** Takes, changes or gives back a range; -ENOLCK when there are too many, -EAGAIN when another owner is in the way. */
  set(wanted: RangeLock): number {
    if (wanted.type !== F_UNLCK && this.conflict(wanted) !== undefined) return -EAGAIN;
    if (this.ranges.length >= MAX_RANGES && wanted.type !== F_UNLCK) return -ENOLCK;
    const kept: RangeLock[] = [];
    let merged = wanted;
    for (const held of this.ranges) {
      const touches = held.start <= merged.end && merged.start <= held.end;
      if (held.owner !== wanted.owner || !touches) {
        kept.push(held);
      } else if (held.type === wanted.type) {
        merged = { ...merged, start: Math.min(held.start, merged.start), end: Math.max(held.end, merged.end) };
      } else {
        if (held.start < wanted.start) kept.push({ ...held, end: Math.min(held.end, wanted.start) });
        if (held.end > wanted.end) kept.push({ ...held, start: Math.max(held.start, wanted.end) });
      }
    }
    if (wanted.type === F_RDLCK || wanted.type === F_WRLCK) kept.push(merged);
    this.ranges = kept.sort((a, b) => a.start - b.start);
    this.queue.wake();
    return 0;
  }

  /** flock(2): takes or changes the whole-file lock of `owner`. */
  setWhole(owner: object, exclusive: boolean): number {
    const others = this.whole.filter((l) => l.owner !== owner);
    if (others.some((l) => exclusive || l.exclusive)) return -EAGAIN;
    others.push({ owner, exclusive });
    this.whole = others;
    this.queue.wake();
    return 0;
  }

  releaseWhole(owner: object): void {
    const rest = this.whole.filter((l) => l.owner !== owner);
    if (rest.length === this.whole.length) return;
    this.whole = rest;
    this.queue.wake();
  }

  /** Gives back every range of `owner`. */
  releaseOwner(owner: object): void {
    const rest = this.ranges.filter((l) => l.owner !== owner);
    if (rest.length === this.ranges.length) return;
    this.ranges = rest;
    this.queue.wake();
  }
}

/** The locks of an inode, made on first use. */
export function locksOf(inode: { locks: FileLocks | null }): FileLocks {
  inode.locks ??= new FileLocks();
  return inode.locks;
}

savable('vfs/file-locks', { FileLocks });
