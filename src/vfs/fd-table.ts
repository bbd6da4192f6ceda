// SPDX-License-Identifier: MIT
//
// Descriptor tables: small integers to open file descriptions, with close-on-exec; shared (CLONE_FILES) or copied.
// Models fs/file.c.

import { savable } from '../base/savable.ts';
import { EBADF, EINVAL, EMFILE, ENFILE } from '../abi/errno.ts';
import { O_PATH } from '../abi/open.ts';
import { Budget } from './device-table.ts';
import type { LockOwner } from './file-locks.ts';
import type { OpenFile } from './open-file.ts';

interface Slot {
  readonly file: OpenFile;
  cloexec: boolean;
}

const FIRST_PLACES = 64;

/** The descriptors of a task or of tasks that share them. */
export class FdTable implements LockOwner {
  /** A map, because one high descriptor must not cost what a long array does. */
  private slots = new Map<number, Slot>();
  /** What all tables together may hold. */
  private readonly budget: Budget;
  private users = 1;
  waitsFor: object | null = null;
  /** Places that Linux's table would have: what select looks at. */
  private length = FIRST_PLACES;
  /** No descriptor below this one is free. */
  private firstFree = 0;

  constructor(budget = new Budget(Infinity)) {
    this.budget = budget;
  }

  /** The file behind `fd`, or undefined (EBADF). */
  get(fd: number): OpenFile | undefined {
    return this.slots.get(fd)?.file;
  }

  /** The same, without those that only stand for a place (O_PATH): fdget of Linux. */
  usable(fd: number): OpenFile | undefined {
    const file = this.get(fd);
    return file === undefined || (file.flags & O_PATH) !== 0 ? undefined : file;
  }

  isCloexec(fd: number): boolean {
    return this.slots.get(fd)?.cloexec ?? false;
  }

  setCloexec(fd: number, cloexec: boolean): number {
    const slot = this.slots.get(fd);
    if (slot === undefined) return -EBADF;
    slot.cloexec = cloexec;
    return 0;
  }

  /**
   * Enters `file` at the lowest free descriptor that is at least `min`; takes over the caller's reference.
   * @param limit RLIMIT_NOFILE
   * @returns the descriptor, or -EMFILE or -ENFILE (the reference stays the caller's), or -EINVAL for `min` at or above
   * the limit
   */
  install(file: OpenFile, cloexec: boolean, limit: number, min = 0): number {
    if (min >= limit) return min > 0 ? -EINVAL : -EMFILE;
    let fd = Math.max(min, this.firstFree);
    while (this.slots.has(fd)) fd++;
    if (fd >= limit) return -EMFILE;
    if (!this.budget.take(1)) return -ENFILE;
    this.slots.set(fd, { file, cloexec });
    if (fd >= this.length) this.grow(fd);
    if (min <= this.firstFree) this.firstFree = fd + 1;
    return fd;
  }

  /** 0 when one more descriptor would be given, else -EMFILE or -ENFILE. */
  mayInstall(limit: number): number {
    let fd = this.firstFree;
    while (this.slots.has(fd)) fd++;
    if (fd >= limit) return -EMFILE;
    return this.budget.free > 0 ? 0 : -ENFILE;
  }

  /** Enters `file` at exactly `fd`, closing what was there; takes over the caller's reference unless it fails. */
  installAt(fd: number, file: OpenFile, cloexec: boolean, limit: number): number {
    if (fd < 0 || fd >= limit) return -EBADF;
    const old = this.slots.get(fd);
    if (old === undefined && !this.budget.take(1)) return -ENFILE;
    this.slots.set(fd, { file, cloexec });
    if (fd >= this.length) this.grow(fd);
    if (old !== undefined) this.dropped(old.file);
    return fd;
  }

  /** Descriptors from here on cannot be open. */
  get places(): number {
    return this.length;
  }

  private grow(fd: number): void {
    while (fd >= this.length) this.length *= 2;
  }

  close(fd: number): number {
    const slot = this.slots.get(fd);
    if (slot === undefined) return -EBADF;
    this.slots.delete(fd);
    this.budget.give(1);
    if (fd < this.firstFree) this.firstFree = fd;
    this.dropped(slot.file);
    return 0;
  }

  /** Closes all descriptors in first..last (close_range), or marks them close-on-exec. */
  closeRange(first: number, last: number, onlyMark: boolean): void {
    for (const fd of this.descriptors()) {
      if (fd < first || fd > last) continue;
      if (onlyMark) this.setCloexec(fd, true);
      else this.close(fd);
    }
  }

  closeOnExec(): void {
    for (const fd of this.descriptors()) if (this.isCloexec(fd)) this.close(fd);
  }

  /** Descriptors in use, ascending. */
  descriptors(): number[] {
    return [...this.slots.keys()].sort((a, b) => a - b);
  }

  /** Whether `copy` would give one. */
  get mayCopy(): boolean {
    return this.slots.size <= this.budget.free;
  }

  /** A copy for a new process: same open file descriptions. Undefined when the tables together hold too many. */
  copy(): FdTable | undefined {
    if (!this.budget.take(this.slots.size)) return undefined;
    const table = new FdTable(this.budget);
    for (const [fd, slot] of this.slots) table.slots.set(fd, { file: slot.file.retain(), cloexec: slot.cloexec });
    table.firstFree = this.firstFree;
    for (const fd of this.slots.keys()) if (fd >= table.length) table.grow(fd);
    return table;
  }

  get refs(): number {
    return this.users;
  }

  retain(): this {
    this.users++;
    return this;
  }

  /** One user less; the last one closes everything. */
  release(): void {
    this.users--;
    if (this.users > 0) return;
    for (const fd of this.descriptors()) this.close(fd);
  }

  /** POSIX record locks go when any descriptor of the file is closed by their owner: this table. */
  private dropped(file: OpenFile): void {
    file.inode.locks?.releaseOwner(this);
    file.flush();
    file.release();
  }
}

savable('vfs/fd-table', { FdTable });
