// SPDX-License-Identifier: MIT
//
// epoll(7): a set of watched descriptions and a list of those that may be ready; level- and edge-triggered, one-shot,
// nested. Models fs/eventpoll.c.

import { EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM } from '../abi/errno.ts';
import { EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, POLLERR, POLLHUP, POLLIN, POLLRDNORM } from '../abi/poll.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import type { Waiter } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from './dentry.ts';
import { Budget } from './device-table.ts';
import { OpenFile } from './open-file.ts';

/** How deep epolls may watch epolls. */
const MAX_NESTING = 4;
/**
 * How many epolls may watch one epoll: so few ways lead up from a file that one event's wake-ups stay cheap. Linux
 * limits the ways themselves.
 */
const MAX_WATCHERS_OF_EPOLL = 4;
/** Bits of `events` that are not events. */
const MODE_BITS = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | 0x20000000 | 0;

/** Events that need no asking. */
const ALWAYS = POLLERR | POLLHUP;

/** One ready description. */
export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

class Watch implements Waiter {
  readonly epoll: EpollFile;
  readonly fd: number;
  readonly file: OpenFile;
  /** Wanted events and mode bits, as 32-bit two's complement. */
  events: number;
  data: bigint;

  constructor(epoll: EpollFile, fd: number, file: OpenFile, events: number, data: bigint) {
    this.epoll = epoll;
    this.fd = fd;
    this.file = file;
    this.events = events;
    this.data = data;
  }

  get mask(): number {
    return this.events & ~MODE_BITS;
  }

  /** A one-shot watch that has fired wants nothing until it is modified. */
  get isDisabled(): boolean {
    return this.mask === 0;
  }

  ready(): number {
    return this.file.poll() & this.mask;
  }

  wake(events: number): void {
    if ((events & this.mask) !== 0) this.epoll.mayBeReady(this);
  }
}

/** EPOLLEXCLUSIVE: where somebody sleeps in this epoll, others need not hear of the event. */
class ExclusiveWatch extends Watch {
  takesAlone(events: number): boolean {
    return (events & this.mask) !== 0 && this.epoll.queue.hasSleeper();
  }
}

/** An open epoll instance. */
export class EpollFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue = new WaitQueue();
  private readonly watches = new Map<OpenFile, Map<number, Watch>>();
  /** Watches that may be ready, in the order in which they are to be told. */
  private readonly ready = new Set<Watch>();
  private readonly budget: Budget;
  /** Watches on this one. */
  private readonly watchers = new Set<Watch>();

  /** @param budget what all epolls together may watch */
  constructor(dentry: Dentry, flags: number, budget = new Budget(Infinity)) {
    super(dentry, flags);
    this.budget = budget;
  }

  private find(file: OpenFile, fd: number): Watch | undefined {
    return this.watches.get(file)?.get(fd);
  }

  /** EPOLL_CTL_ADD. */
  add(fd: number, file: OpenFile, events: number, data: bigint): number {
    if (!file.isPollable) return -EPERM;
    if (file === this) return -EINVAL;
    if ((events & EPOLLEXCLUSIVE) !== 0) {
      const allowed = EPOLLEXCLUSIVE | EPOLLET | 0x20000000 | 0x1 | 0x4 | POLLERR | POLLHUP | 0x40 | 0x100;
      if ((events & ~allowed) !== 0 || file instanceof EpollFile) return -EINVAL;
    }
    if (this.find(file, fd) !== undefined) return -EEXIST;
    if (file instanceof EpollFile && (file.reaches(this) || this.height() + 1 + file.depth() > MAX_NESTING)) {
      return -ELOOP;
    }
    if (file instanceof EpollFile && file.watchers.size >= MAX_WATCHERS_OF_EPOLL) return -EINVAL;
    if (!this.budget.take(1)) return -ENOSPC;
    const Kind = (events & EPOLLEXCLUSIVE) === 0 ? Watch : ExclusiveWatch;
    const watch = new Kind(this, fd, file, events | ALWAYS, data);
    if (file instanceof EpollFile) file.watchers.add(watch);
    let byFd = this.watches.get(file);
    if (byFd === undefined) {
      byFd = new Map();
      this.watches.set(file, byFd);
      file.onRelease(this);
    }
    byFd.set(fd, watch);
    file.queue?.add(watch, ~0);
    if (watch.ready() !== 0) this.mayBeReady(watch);
    return 0;
  }

  /** EPOLL_CTL_MOD. */
  modify(fd: number, file: OpenFile, events: number, data: bigint): number {
    if ((events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    const watch = this.find(file, fd);
    if (watch === undefined) return -ENOENT;
    if ((watch.events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    watch.events = events | ALWAYS;
    watch.data = data;
    if (watch.ready() !== 0) this.mayBeReady(watch);
    return 0;
  }

  /** EPOLL_CTL_DEL. */
  remove(fd: number, file: OpenFile): number {
    const watch = this.find(file, fd);
    if (watch === undefined) return -ENOENT;
    const byFd = this.watches.get(file);
    byFd?.delete(fd);
    this.drop(watch);
    if (byFd?.size === 0) this.forget(file);
    return 0;
  }

  private drop(watch: Watch): void {
    watch.file.queue?.remove(watch);
    if (watch.file instanceof EpollFile) watch.file.watchers.delete(watch);
    this.budget.give(1);
    this.ready.delete(watch);
  }

  /** ReleaseHook: the last descriptor of a watched description is gone. */
  released(file: OpenFile): void {
    this.forget(file);
  }

  private forget(file: OpenFile): void {
    for (const watch of this.watches.get(file)?.values() ?? []) this.drop(watch);
    this.watches.delete(file);
    file.offRelease(this);
  }

  private reaches(target: EpollFile): boolean {
    if (this === target) return true;
    for (const file of this.watches.keys()) if (file instanceof EpollFile && file.reaches(target)) return true;
    return false;
  }

  /** Epolls above this one, along the longest way. */
  private height(): number {
    let height = 0;
    for (const { epoll } of this.watchers) height = Math.max(height, epoll.height() + 1);
    return height;
  }

  /** Epolls below this one. */
  private depth(): number {
    let depth = 0;
    for (const file of this.watches.keys()) if (file instanceof EpollFile) depth = Math.max(depth, file.depth() + 1);
    return depth;
  }

  /** @internal */
  mayBeReady(watch: Watch): void {
    if (watch.isDisabled) return;
    this.ready.add(watch);
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  /** Takes up to `max` ready events, fairly: what stays ready goes to the end of the list. */
  collect(max: number): EpollEvent[] {
    const out: EpollEvent[] = [];
    const again: Watch[] = [];
    for (const watch of this.ready) {
      if (out.length >= max) break;
      this.ready.delete(watch);
      const events = watch.ready();
      if (events === 0) continue;
      out.push({ events, data: watch.data });
      if ((watch.events & EPOLLONESHOT) !== 0) watch.events &= MODE_BITS;
      else if ((watch.events & EPOLLET) === 0) again.push(watch);
    }
    for (const watch of again) this.ready.add(watch);
    return out;
  }

  override poll(): number {
    for (const watch of this.ready) if (watch.ready() === 0) this.ready.delete(watch);
    return this.ready.size > 0 ? POLLIN | POLLRDNORM : 0;
  }

  /** The file behind a watched descriptor; `nth` of those that had that number (kcmp). */
  watched(fd: number, nth: number): OpenFile | undefined {
    let left = nth;
    for (const [file, byFd] of this.watches) if (byFd.has(fd) && left-- === 0) return file;
    return undefined;
  }

  /** There is no position to move. */
  override seek(): number {
    return 0;
  }

  protected override destroy(): void {
    for (const file of [...this.watches.keys()]) this.forget(file);
  }

  override infoLines(): string {
    let out = '';
    for (const byFd of this.watches.values()) {
      for (const w of byFd.values()) {
        const { inode } = w.file;
        const events = (w.events >>> 0).toString(16).padStart(8, ' ');
        out += `tfd: ${String(w.fd).padStart(8, ' ')} events: ${events} data: ${w.data.toString(16).padStart(16, ' ')} `;
        out += ` pos:${w.file.offset} ino:${inode.ino.toString(16)} sdev:${inode.fs.deviceNumber.toString(16)}\n`;
      }
    }
    return out;
  }
}

savable('vfs/epoll', { Watch, ExclusiveWatch, EpollFile });
