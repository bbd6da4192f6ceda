// SPDX-License-Identifier: MIT
//
// inotify(7): watches on inodes and the queue of what happened there. Models fs/notify/inotify.

import { EAGAIN, EEXIST, EFAULT, EINVAL, EMFILE, ENOSPC, ENOTTY } from '../abi/errno.ts';
import { FIONREAD } from '../abi/ioctl.ts';
import { InotifyLimits } from '../abi/ipc.ts';
import * as P from '../abi/poll.ts';
import { latin1Bytes } from '../base/bytes.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from './dentry.ts';
import type { Inode } from './inode.ts';
import type { InodeWatcher } from './notify.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, UserMemory } from './open-file.ts';

/** Every event that a program can ask for. */
export const IN_ALL_EVENTS = 0xfff;
/** Bits that steer a watch, and stay with it. */
const WATCH_BITS = P.IN_EXCL_UNLINK | P.IN_ONESHOT;
/** struct inotify_event without the name, which is padded to whole such pieces. */
const HEAD_BYTES = 16;
/** Events about a watched directory itself do not say that it is one. */
const SELF_EVENTS = P.IN_DELETE_SELF | P.IN_MOVE_SELF;

interface Event {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: string | null;
}

function lengthOf(event: Event): number {
  if (event.name === null) return HEAD_BYTES;
  return HEAD_BYTES + Math.ceil((event.name.length + 1) / HEAD_BYTES) * HEAD_BYTES;
}

function bytesOf(event: Event): Uint8Array {
  const bytes = new Uint8Array(lengthOf(event));
  const view = new DataView(bytes.buffer);
  view.setInt32(0, event.wd, true);
  view.setUint32(4, event.mask >>> 0, true);
  view.setUint32(8, event.cookie, true);
  view.setUint32(12, bytes.length - HEAD_BYTES, true);
  if (event.name !== null) bytes.set(latin1Bytes(event.name), HEAD_BYTES);
  return bytes;
}

/** What users may have of instances and watches. */
export class InotifyUsers {
  private readonly instances = new Map<number, number>();
  private readonly watches = new Map<number, number>();

  takeInstance(uid: number): boolean {
    return take(this.instances, uid, InotifyLimits.instances);
  }

  giveInstance(uid: number): void {
    give(this.instances, uid);
  }

  takeWatch(uid: number): boolean {
    return take(this.watches, uid, InotifyLimits.watches);
  }

  giveWatch(uid: number): void {
    give(this.watches, uid);
  }
}

function take(counts: Map<number, number>, uid: number, limit: number): boolean {
  const count = counts.get(uid) ?? 0;
  if (count >= limit) return false;
  counts.set(uid, count + 1);
  return true;
}

function give(counts: Map<number, number>, uid: number): void {
  const left = (counts.get(uid) ?? 0) - 1;
  if (left > 0) counts.set(uid, left);
  else counts.delete(uid);
}

class Watch implements InodeWatcher {
  readonly instance: InotifyFile;
  readonly wd: number;
  readonly inode: Inode;
  /** Wanted events, and the bits of WATCH_BITS. */
  mask: number;

  constructor(instance: InotifyFile, wd: number, inode: Inode, mask: number) {
    this.instance = instance;
    this.wd = wd;
    this.inode = inode;
    this.mask = mask;
  }

  event(mask: number, cookie: number, name: string | null, isUnlinked: boolean): void {
    if ((this.mask & mask & IN_ALL_EVENTS) === 0) return;
    if (isUnlinked && name !== null && (this.mask & P.IN_EXCL_UNLINK) !== 0) return;
    const shown = (mask & SELF_EVENTS) !== 0 ? mask & ~P.IN_ISDIR : mask;
    this.instance.queueEvent({ wd: this.wd, mask: shown, cookie, name });
    if ((this.mask & P.IN_ONESHOT) !== 0) this.instance.drop(this);
  }

  gone(): void {
    this.instance.drop(this);
  }

  unmounted(): void {
    const mask = P.IN_UNMOUNT | (this.inode.isDirectory ? P.IN_ISDIR : 0);
    this.instance.queueEvent({ wd: this.wd, mask, cookie: 0, name: null });
    this.instance.drop(this);
  }
}

/** An open inotify instance. */
export class InotifyFile extends OpenFile {
  override readonly isPollable = true;
  override readonly canSignal = true;
  override readonly queue = new WaitQueue();
  private readonly users: InotifyUsers;
  private readonly uid: number;
  private readonly watches = new Map<number, Watch>();
  private readonly byInode = new Map<Inode, Watch>();
  private readonly events: Event[] = [];
  private bytes = 0;
  private lastWd = 0;

  private constructor(dentry: Dentry, flags: number, users: InotifyUsers, uid: number) {
    super(dentry, flags);
    this.users = users;
    this.uid = uid;
  }

  /** inotify_init(2): an instance, or -EMFILE when the user has too many. */
  static open(dentry: Dentry, flags: number, users: InotifyUsers, uid: number): InotifyFile | number {
    return users.takeInstance(uid) ? new InotifyFile(dentry, flags, users, uid) : -EMFILE;
  }

  /** inotify_add_watch(2): the watch descriptor or -errno. */
  watch(inode: Inode, mask: number): number {
    const wanted = mask & (IN_ALL_EVENTS | WATCH_BITS);
    const known = this.byInode.get(inode);
    if (known !== undefined) {
      if ((mask & P.IN_MASK_CREATE) !== 0) return -EEXIST;
      known.mask = (mask & P.IN_MASK_ADD) !== 0 ? known.mask | wanted : wanted;
      return known.wd;
    }
    if (!this.users.takeWatch(this.uid)) return -ENOSPC;
    const watch = new Watch(this, ++this.lastWd, inode, wanted);
    this.watches.set(watch.wd, watch);
    this.byInode.set(inode, watch);
    inode.watchers ??= new Set();
    inode.watchers.add(watch);
    inode.fs.watches++;
    inode.fs.watchers ??= new Set();
    inode.fs.watchers.add(watch);
    return watch.wd;
  }

  /** inotify_rm_watch(2). */
  unwatch(wd: number): number {
    const watch = this.watches.get(wd);
    if (watch === undefined) return -EINVAL;
    this.drop(watch);
    return 0;
  }

  /** A watch ends, and says so. @internal */
  drop(watch: Watch): void {
    if (!this.forget(watch)) return;
    this.queueEvent({ wd: watch.wd, mask: P.IN_IGNORED, cookie: 0, name: null });
  }

  private forget(watch: Watch): boolean {
    if (!this.watches.delete(watch.wd)) return false;
    const { inode } = watch;
    this.byInode.delete(inode);
    inode.watchers?.delete(watch);
    if (inode.watchers?.size === 0) inode.watchers = null;
    inode.fs.watches--;
    inode.fs.watchers?.delete(watch);
    this.users.giveWatch(this.uid);
    return true;
  }

  /** Queues an event unless it is the same as the last one. @internal */
  queueEvent(event: Event): void {
    const last = this.events.at(-1);
    if (last !== undefined && isSame(last, event)) return;
    let queued = event;
    if (this.events.length >= InotifyLimits.events) {
      queued = { wd: -1, mask: P.IN_Q_OVERFLOW, cookie: 0, name: null };
      if (last !== undefined && isSame(last, queued)) return;
    }
    this.events.push(queued);
    this.bytes += lengthOf(queued);
    this.queue.wake(P.POLLIN | P.POLLRDNORM);
  }

  override readAt(sink: ByteSink, count: number): number {
    let done = 0;
    for (;;) {
      const event = this.events[0];
      if (event === undefined) return done > 0 ? done : -EAGAIN;
      const length = lengthOf(event);
      if (length > count - done) return done > 0 ? done : -EINVAL;
      this.events.shift();
      this.bytes -= length;
      if (sink.put(bytesOf(event)) < length) return -EFAULT;
      done += length;
    }
  }

  /** There is no position to move. */
  override seek(): number {
    return 0;
  }

  override poll(): number {
    return this.events.length > 0 ? P.POLLIN | P.POLLRDNORM : 0;
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    if (request !== FIONREAD) return -ENOTTY;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, this.bytes, true);
    return memory.copyOut(argument, bytes) === 4 ? 0 : -EFAULT;
  }

  override infoLines(): string {
    let out = '';
    for (const { wd, inode, mask } of [...this.watches.values()].reverse()) {
      const hex = (value: number): string => (value >>> 0).toString(16);
      out += `inotify wd:${hex(wd)} ino:${hex(inode.ino)} sdev:${hex(inode.fs.deviceNumber)} mask:${hex(mask)} ignored_mask:0\n`;
    }
    return out;
  }

  protected override destroy(): void {
    for (const watch of [...this.watches.values()]) this.forget(watch);
    this.users.giveInstance(this.uid);
  }
}

function isSame(a: Event, b: Event): boolean {
  return a.wd === b.wd && a.mask === b.mask && a.name === b.name && (a.mask & P.IN_IGNORED) === 0;
}

savable('vfs/inotify', { Watch, InotifyFile });
savable('vfs/inotify', { InotifyUsers }, { isPlace: true });
