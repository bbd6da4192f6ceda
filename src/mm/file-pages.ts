// SPDX-License-Identifier: MIT
//
// One page cache per file: the frames that all mappings of the file share, which of them are dirty, and who
// maps them. Also keeps "executed" and "writable somewhere" exclusive per frame, because the engine does not
// see stores through another address than the executed one. Models Linux's struct address_space.

import { PAGE_SIZE } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import { EIO, ENOMEM } from '../abi/errno.ts';
import { PTE_DIRTY, PTE_NX_HIGH, PTE_PRESENT, PTE_WRITE } from './page-table.ts';
import { FRAME_CACHED, FRAME_EXECUTED, FRAME_WRITABLE, type PhysicalMemory } from './physical-memory.ts';

/** What a file system implements so that its regular files can be mapped. */
export interface MappableFile {
  /** Path shown in maps files. */
  readonly name: string;
  /** dev_t and inode as stat gives them. */
  readonly deviceNumber: number;
  readonly inodeNumber: number;
  /**
   * Fills `into` (one page) from the file.
   * @returns bytes read, the rest is zeroed by the caller; or -errno, which becomes SIGBUS
   */
  readPage(pageIndex: number, into: Uint8Array): number;
  /** Takes back `length` bytes of a page that was written through a shared mapping; >= 0 or -errno. */
  writePage?(pageIndex: number, from: Uint8Array, length: number): number;
  sizeInBytes(): number;
  readonly pages: FilePages;
}

/** An address space as a page cache sees it: somebody whose entries may name its frames. */
export interface PageUser {
  /** Calls `visit` for each present or held entry that maps page `pageIndex` of `pages`. */
  visitPage(pages: FilePages, pageIndex: number, visit: PageVisitor): void;
  /** Takes out every entry of `pages` whose page index is at least `fromIndex` (and, with `cowToo`, private copies). */
  unmapPages(pages: FilePages, fromIndex: number, toIndex: number, cowToo: boolean): void;
}

/** @param entry index of the entry's low word in PhysicalMemory.words */
export type PageVisitor = (user: PageUser, address: number, entry: number) => void;

/** Whose pages they are. */
export interface PagesOwner {
  /** The last mapping has gone. A file system that deleted the file may then dispose. */
  lastUnmapped?(): void;
  /** A mapping has come or gone and is counted: System V shared memory. */
  usersChanged?(isAdded: boolean): void;
}

let nextId = 1;

/** The cached pages of one file (or of one shared anonymous mapping). */
export class FilePages {
  /** Unique in this process: names the file in futex keys. */
  readonly id: number = nextId++;
  private readonly owner: PagesOwner | null;

  private memory: PhysicalMemory | null = null;
  private readonly frames = new Map<number, number>();
  private readonly dirty = new Set<number>();
  private readonly users = new Map<PageUser, number>();
  /** Pages without a file behind them (shared anonymous memory) are never dropped to make room. */
  private readonly pinned: boolean;

  constructor(owner: PagesOwner | null = null, pinned = false) {
    this.owner = owner;
    this.pinned = pinned;
  }

  /** Revived: no other file gets its number. */
  revive(): void {
    nextId = Math.max(nextId, this.id + 1);
  }

  /** VMAs that map the file now, over all address spaces. */
  get mappingCount(): number {
    let n = 0;
    for (const count of this.users.values()) n += count;
    return n;
  }

  /** Pages in the cache. When 0, read(2) and write(2) need not look here. */
  get cachedPages(): number {
    return this.frames.size;
  }

  /** The frames of all cached pages: one reference each. @internal */
  heldFrames(): Iterable<number> {
    return this.frames.values();
  }

  get dirtyPages(): number {
    return this.dirty.size;
  }

  /** The frame of a cached page, or 0. */
  frameAt(pageIndex: number): number {
    return this.frames.get(pageIndex) ?? 0;
  }

  /**
   * The frame of a page, read from the file if need be. The cache's own reference keeps it.
   * @returns a frame number, 0 when memory is out, or -errno from the file
   */
  load(memory: PhysicalMemory, file: MappableFile, pageIndex: number): number {
    const known = this.frames.get(pageIndex);
    if (known !== undefined) return known;
    const frame = memory.allocate();
    if (frame === 0) return 0;
    const read = file.readPage(pageIndex, memory.frameBytes(frame));
    if (read < 0) {
      memory.release(frame);
      return read;
    }
    if (read < PAGE_SIZE) memory.bytes.fill(0, frame * PAGE_SIZE + read, (frame + 1) * PAGE_SIZE);
    memory.flags[frame] = (memory.flags[frame] as number) | FRAME_CACHED;
    if (this.frames.size === 0) memory.addCache(this);
    this.memory = memory;
    this.frames.set(pageIndex, frame);
    return frame;
  }

  /** A page is about to be written through a shared mapping. */
  markDirty(pageIndex: number): void {
    this.dirty.add(pageIndex);
  }

  /** Lays cached bytes over `into`, which the caller has filled from the file's storage at `offset`. */
  overlayRead(offset: number, into: Uint8Array): void {
    const memory = this.memory;
    if (memory === null || this.frames.size === 0) return;
    this.eachCached(offset, into.length, (frame, inPage, at, n) => {
      const from = frame * PAGE_SIZE + inPage;
      into.set(memory.bytes.subarray(from, from + n), at);
    });
  }

  /** Brings cached pages up to date after the caller has written `from` to the file's storage at `offset`. */
  overlayWrite(offset: number, from: Uint8Array): void {
    const memory = this.memory;
    if (memory === null || this.frames.size === 0) return;
    this.eachCached(offset, from.length, (frame, inPage, at, n) => {
      const to = frame * PAGE_SIZE + inPage;
      memory.bytes.set(from.subarray(at, at + n), to);
      memory.written(to, n);
    });
  }

  /** The file now ends at `size`: pages beyond leave the cache and every mapping, private copies included. */
  truncate(size: number): void {
    const memory = this.memory;
    const first = Math.ceil(size / PAGE_SIZE);
    for (const user of [...this.users.keys()]) user.unmapPages(this, first, Infinity, true);
    if (memory === null) return;
    this.drop(memory, (index) => index >= first);
    const tail = size % PAGE_SIZE;
    const last = tail === 0 ? undefined : this.frames.get(first - 1);
    if (last !== undefined) {
      memory.bytes.fill(0, last * PAGE_SIZE + tail, (last + 1) * PAGE_SIZE);
      memory.written(last * PAGE_SIZE + tail, PAGE_SIZE - tail);
    }
  }

  /**
   * Pages [from, to) read as zero from now on (MADV_REMOVE). Where a file has storage of its own the zeroes reach it
   * by write-back.
   * @returns 0 or -errno
   */
  removeRange(memory: PhysicalMemory, file: MappableFile, from: number, to: number): number {
    if (file.writePage === undefined) {
      this.punch(from, to);
      return 0;
    }
    const end = Math.min(to, Math.ceil(file.sizeInBytes() / PAGE_SIZE));
    for (let index = from; index < end; index++) {
      const frame = this.load(memory, file, index);
      if (frame <= 0) return frame === 0 ? -ENOMEM : frame;
      memory.bytes.fill(0, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
      memory.written(frame * PAGE_SIZE, PAGE_SIZE);
      this.markDirty(index);
    }
    return 0;
  }

  /** Pages [from, to) leave the cache and every mapping; those without storage behind them are lost. */
  punch(from: number, to: number): void {
    for (const user of [...this.users.keys()]) user.unmapPages(this, from, to, false);
    if (this.memory !== null) this.drop(this.memory, (index) => index >= from && index < to);
  }

  /**
   * Writes dirty pages of [from, to) back to the file; entries that let guests write become read-only, so that
   * the next store is noticed.
   * @returns 0 or the first -errno
   */
  writeBack(file: MappableFile, from = 0, to = Infinity): number {
    const memory = this.memory;
    if (memory === null || this.dirty.size === 0 || file.writePage === undefined) return 0;
    let result = 0;
    const indices = [...this.dirty].filter((i) => i >= from && i < to).sort((a, b) => a - b);
    for (const index of indices) {
      const frame = this.frames.get(index);
      this.dirty.delete(index);
      if (frame === undefined) continue;
      const length = Math.min(PAGE_SIZE, file.sizeInBytes() - index * PAGE_SIZE);
      if (length <= 0) continue;
      this.revokeWrite(memory, index, frame);
      const written = file.writePage(index, memory.frameBytes(frame), length);
      if (written < 0 && result === 0) result = written === 0 ? -EIO : written;
    }
    return result;
  }

  /**
   * Settles that guests may fetch from a page: nobody may write to it any more.
   * The caller then installs its executable, read-only entry.
   */
  claimExecute(memory: PhysicalMemory, pageIndex: number, frame: number): void {
    if (((memory.flags[frame] as number) & FRAME_WRITABLE) !== 0) this.revokeWrite(memory, pageIndex, frame);
    memory.flags[frame] = (memory.flags[frame] as number) | FRAME_EXECUTED;
  }

  /**
   * Settles that a guest may write to a page: nobody else may fetch from it any more, and what was translated
   * is dropped. The caller then installs its writable entry, executable only if this returns true.
   * @param entry the caller's own entry
   * @param wantsExecute the caller's mapping is executable too
   */
  claimWrite(memory: PhysicalMemory, pageIndex: number, frame: number, entry: number, wantsExecute: boolean): boolean {
    const flags = memory.flags[frame] as number;
    let othersWrite = false;
    if ((flags & (FRAME_EXECUTED | FRAME_WRITABLE)) !== 0) {
      const { words, mmu } = memory;
      let changed = false;
      this.visit(pageIndex, (_user, _address, other) => {
        if (other === entry) return;
        const low = words[other] as number;
        if ((low & PTE_PRESENT) === 0) return;
        if ((low & PTE_WRITE) !== 0) othersWrite = true;
        if (((words[other + 1] as number) & PTE_NX_HIGH) === 0) {
          words[other + 1] = PTE_NX_HIGH;
          changed = true;
        }
      });
      if (changed) mmu.flushTlb();
      if ((flags & FRAME_EXECUTED) !== 0) mmu.invalidateCode(frame * PAGE_SIZE, PAGE_SIZE);
    }
    const both = wantsExecute && !othersWrite;
    memory.flags[frame] = (flags & ~FRAME_EXECUTED) | FRAME_WRITABLE | (both ? FRAME_EXECUTED : 0);
    return both;
  }

  /** A VMA of `user` maps the file from now on. @internal */
  addUser(user: PageUser): void {
    this.users.set(user, (this.users.get(user) ?? 0) + 1);
    this.owner?.usersChanged?.(true);
  }

  /** A VMA of `user` has gone. @internal */
  removeUser(user: PageUser): void {
    const left = (this.users.get(user) ?? 0) - 1;
    if (left > 0) this.users.set(user, left);
    else this.users.delete(user);
    this.owner?.usersChanged?.(false);
    if (this.users.size === 0) this.owner?.lastUnmapped?.();
  }

  /** Drops clean pages that nobody maps; how many. */
  dropUnused(): number {
    const memory = this.memory;
    if (memory === null || this.pinned) return 0;
    return this.drop(memory, (index, frame) => memory.refs[frame] === 1 && !this.dirty.has(index));
  }

  /** Gives all frames back. Mappings that still exist would read the file again. */
  dispose(): void {
    if (this.memory !== null) this.drop(this.memory, () => true);
  }

  private drop(memory: PhysicalMemory, which: (index: number, frame: number) => boolean): number {
    let dropped = 0;
    for (const [index, frame] of this.frames) {
      if (!which(index, frame)) continue;
      this.frames.delete(index);
      this.dirty.delete(index);
      memory.flags[frame] = (memory.flags[frame] as number) & ~(FRAME_CACHED | FRAME_WRITABLE);
      memory.release(frame);
      dropped++;
    }
    if (dropped > 0 && this.frames.size === 0) memory.removeCache(this);
    return dropped;
  }

  private revokeWrite(memory: PhysicalMemory, pageIndex: number, frame: number): void {
    const { words, mmu } = memory;
    let changed = false;
    this.visit(pageIndex, (_user, _address, entry) => {
      const low = words[entry] as number;
      if ((low & (PTE_PRESENT | PTE_WRITE)) !== (PTE_PRESENT | PTE_WRITE)) return;
      words[entry] = low & ~(PTE_WRITE | PTE_DIRTY);
      changed = true;
    });
    if (changed) mmu.flushTlb();
    memory.flags[frame] = (memory.flags[frame] as number) & ~FRAME_WRITABLE;
  }

  private visit(pageIndex: number, visit: PageVisitor): void {
    const frame = this.frames.get(pageIndex);
    const memory = this.memory;
    if (frame === undefined || memory === null) return;
    for (const user of this.users.keys()) {
      user.visitPage(this, pageIndex, (u, address, entry) => {
        // A private mapping may hold its own copy there.
        if ((memory.words[entry] as number) >>> 12 === frame) visit(u, address, entry);
      });
    }
  }

  private eachCached(
    offset: number,
    length: number,
    visit: (frame: number, inPage: number, at: number, n: number) => void,
  ): void {
    let at = 0;
    while (at < length) {
      const index = Math.floor((offset + at) / PAGE_SIZE);
      const inPage = (offset + at) % PAGE_SIZE;
      const n = Math.min(PAGE_SIZE - inPage, length - at);
      const frame = this.frames.get(index);
      if (frame !== undefined) visit(frame, inPage, at, n);
      at += n;
    }
  }
}

savable('mm/file-pages', { FilePages });
