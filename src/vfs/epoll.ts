// SPDX-License-Identifier: MIT
//
// epoll(7): a set of watched descriptions and a list of those that may be ready; level- and edge-triggered, one-shot,
// nested. Models fs/eventpoll.c.

import { EEXIST, EINVAL, ELOOP, ENOENT, EPERM } from '../abi/errno.ts';
import { EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, POLLERR, POLLHUP, POLLIN, POLLRDNORM } from '../abi/poll.ts';
import { WaitQueue } from '../base/wait-queue.ts';
import type { Waiter } from '../base/wait-queue.ts';
import type { Dentry } from './dentry.ts';
import { OpenFile } from './open-file.ts';

/** How deep epolls may watch epolls. */
const MAX_NESTING = 5;
/** Bits of `events` that are not events. */
const MODE_BITS = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | 0x20000000 | 0;

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
  isQueued = false;

  constructor(epoll: EpollFile, fd: number, file: OpenFile, events: number, data: bigint) {
    this.epoll = epoll;
    this.fd = fd;
    this.file = file;
    this.events = events;
    this.data = data;
  }

  get mask(): number {
    return (this.events & ~MODE_BITS) | POLLERR | POLLHUP;
  }

  /** A one-shot watch that has fired wants nothing until it is modified. */
  get isDisabled(): boolean {
    return (this.events & ~MODE_BITS) === 0;
  }

  ready(): number {
    return this.isDisabled ? 0 : this.file.poll() & this.mask;
  }

  wake(_events: number): void {
    this.epoll.mayBeReady(this);
  }
}

/** An open epoll instance. */
export class EpollFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue = new WaitQueue();
  readonly #watches = new Map<OpenFile, Map<number, Watch>>();
  #ready: Watch[] = [];

  constructor(dentry: Dentry, flags: number) {
    super(dentry, flags);
  }

  #find(file: OpenFile, fd: number): Watch | undefined {
    return this.#watches.get(file)?.get(fd);
  }

  /** EPOLL_CTL_ADD. */
  add(fd: number, file: OpenFile, events: number, data: bigint): number {
    if (!file.isPollable) return -EPERM;
    if (file === this) return -EINVAL;
    if ((events & EPOLLEXCLUSIVE) !== 0) {
      const allowed = EPOLLEXCLUSIVE | EPOLLET | 0x20000000 | 0x1 | 0x4 | POLLERR | POLLHUP | 0x40 | 0x100;
      if ((events & ~allowed) !== 0 || file instanceof EpollFile) return -EINVAL;
    }
    if (this.#find(file, fd) !== undefined) return -EEXIST;
    if (file instanceof EpollFile && (file.#reaches(this) || file.#depth() + 1 > MAX_NESTING)) return -ELOOP;
    const watch = new Watch(this, fd, file, events | 0, data);
    let byFd = this.#watches.get(file);
    if (byFd === undefined) {
      byFd = new Map();
      this.#watches.set(file, byFd);
      file.onRelease(() => this.#forget(file));
    }
    byFd.set(fd, watch);
    file.queue?.add(watch, ~0);
    if (watch.ready() !== 0) this.mayBeReady(watch);
    return 0;
  }

  /** EPOLL_CTL_MOD. */
  modify(fd: number, file: OpenFile, events: number, data: bigint): number {
    const watch = this.#find(file, fd);
    if (watch === undefined) return -ENOENT;
    if (((events | watch.events) & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    watch.events = events | 0;
    watch.data = data;
    if (watch.ready() !== 0) this.mayBeReady(watch);
    return 0;
  }

  /** EPOLL_CTL_DEL. */
  remove(fd: number, file: OpenFile): number {
    const watch = this.#find(file, fd);
    if (watch === undefined) return -ENOENT;
    this.#watches.get(file)?.delete(fd);
    this.#drop(watch);
    return 0;
  }

  #drop(watch: Watch): void {
    watch.file.queue?.remove(watch);
    watch.isQueued = false;
    this.#ready = this.#ready.filter((w) => w !== watch);
  }

  /** The last descriptor of a watched description is gone. */
  #forget(file: OpenFile): void {
    for (const watch of this.#watches.get(file)?.values() ?? []) this.#drop(watch);
    this.#watches.delete(file);
  }

  #reaches(target: EpollFile): boolean {
    if (this === target) return true;
    for (const file of this.#watches.keys()) if (file instanceof EpollFile && file.#reaches(target)) return true;
    return false;
  }

  #depth(): number {
    let depth = 0;
    for (const file of this.#watches.keys()) if (file instanceof EpollFile) depth = Math.max(depth, file.#depth() + 1);
    return depth;
  }

  /** @internal */
  mayBeReady(watch: Watch): void {
    if (watch.isDisabled) return;
    if (!watch.isQueued) {
      watch.isQueued = true;
      this.#ready.push(watch);
    }
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  /** Takes up to `max` ready events, fairly: what stays ready goes to the end of the list. */
  collect(max: number): EpollEvent[] {
    const out: EpollEvent[] = [];
    const again: Watch[] = [];
    while (out.length < max) {
      const watch = this.#ready.shift();
      if (watch === undefined) break;
      watch.isQueued = false;
      const events = watch.ready();
      if (events === 0) continue;
      out.push({ events, data: watch.data });
      if ((watch.events & EPOLLONESHOT) !== 0) watch.events &= MODE_BITS;
      else if ((watch.events & EPOLLET) === 0) {
        watch.isQueued = true;
        again.push(watch);
      }
    }
    this.#ready.push(...again);
    return out;
  }

  override poll(): number {
    this.#ready = this.#ready.filter((watch) => {
      watch.isQueued = watch.ready() !== 0;
      return watch.isQueued;
    });
    return this.#ready.length > 0 ? POLLIN | POLLRDNORM : 0;
  }

  protected override destroy(): void {
    for (const file of [...this.#watches.keys()]) this.#forget(file);
  }

  override infoLines(): string {
    let out = '';
    for (const byFd of this.#watches.values()) {
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
