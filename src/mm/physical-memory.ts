// SPDX-License-Identifier: MIT
//
// The frames of the machine's arena: allocation, reference counts, the memory limit, and which frames may
// hold translated code. Models Linux's struct page and gVisor pgalloc. A frame number is its address / 4096;
// frame 0 belongs to the engine, so 0 means "no frame".

import { PAGE_SHIFT, PAGE_SIZE, type PhysAddr } from '../base/addr.ts';
import { invariant, TraplineError } from '../base/errors.ts';
import { savable } from '../base/savable.ts';
import type { Mmu } from '../cpu/cpu.ts';
import type { FilePages } from './file-pages.ts';

/** The engine may hold translations of the frame's bytes. */
export const FRAME_EXECUTED = 1;
/** A page-table entry somewhere lets guests write to this page-cache frame. */
export const FRAME_WRITABLE = 2;
/** The frame belongs to a page cache (FilePages). */
export const FRAME_CACHED = 4;
/** The frame is a page table. */
export const FRAME_TABLE = 8;
/** A page-cache frame with code that the platform wants to be asked for before it is mapped for execution. */
export const FRAME_ASKED = 16;

const WORDS_PER_PAGE = PAGE_SIZE / 4;
/** Free copies of code that wait to be copies of the same again: more would only take the host's memory. */
const MAX_SPARES = 512;
/** Places in which such a copy may differ from what it is to be, for what is translated from it to be worth keeping. */
const MAX_DIFFERENCES = 64;
/** Frames reserved at the start even if the engine claims none: frame 0 must never be handed out. */
const MIN_RESERVED = PAGE_SIZE;

/** Bytes that a copy of code has in place of its source's. */
export interface CodeEdit {
  /** In the page, all bytes of which it covers. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const NO_EDITS: readonly CodeEdit[] = [];

/** The first word from `i` on in which two pages differ. Small, so that it is compiled by itself: nearly all time goes here. */
function firstDifference(words: Uint32Array, a: number, b: number, i: number): number {
  while (i < WORDS_PER_PAGE && words[a + i] === words[b + i]) i++;
  return i;
}

/** All physical memory that guests may use. One per sandbox. */
export class PhysicalMemory {
  readonly mmu: Mmu;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly view: DataView;
  /** References per frame: one per page-table entry that names it, one for a page cache that holds it. */
  readonly refs: Uint32Array;
  /** FRAME_* bits per frame. */
  readonly flags: Uint8Array;
  /** A frame of zeroes that read faults share; never counted, never written. */
  readonly zeroFrame: number;
  /** Most frames that may be in use at once. */
  readonly limitFrames: number;
  /** Inode number of the next piece of shared anonymous memory. */
  nextSharedInode = 1;
  /**
   * Name of areas that are not the program's own and must not show: /proc and the memory figures are as if they were not
   * there, and the free memory, on which they draw, is not told. Null: everything shows.
   */
  hiddenArea: string | null = null;
  /** Areas of all address spaces, as last counted by each: they live in the host's memory. */
  areas = 0;

  private readonly free: Int32Array;
  private freeCount = 0;
  private next: number;
  private readonly end: number;
  /** Where the code in a frame was copied from. */
  private readonly copiedFrom = new Map<number, number>();
  /** Frames that are free, by where their code was copied from. */
  private readonly spares = new Map<number, number[]>();
  private spareCount = 0;
  private used = 0;
  private peak = 0;
  private tables = 0;
  private readonly caches = new Set<FilePages>();

  /**
   * @param limitBytes most memory in use at once: pages, page cache and page tables together
   * @throws TraplineError `MM_LIMIT` if the limit is not met by the arena
   */
  constructor(mmu: Mmu, limitBytes: number) {
    const total = Math.floor(mmu.memory.byteLength / PAGE_SIZE);
    const first = Math.ceil(Math.max(mmu.reservedBytes, MIN_RESERVED) / PAGE_SIZE);
    const limit = Math.floor(limitBytes / PAGE_SIZE);
    if (!(limit >= 16) || total - first < 16) {
      throw new TraplineError('MM_LIMIT', `a guest needs at least 64 KiB of memory, not ${limitBytes} bytes`);
    }
    this.mmu = mmu;
    this.bytes = new Uint8Array(mmu.memory);
    this.words = new Uint32Array(mmu.memory, 0, Math.floor(mmu.memory.byteLength / 4));
    this.view = new DataView(mmu.memory);
    this.refs = new Uint32Array(total);
    this.flags = new Uint8Array(total);
    this.free = new Int32Array(total);
    this.next = first;
    this.end = total;
    this.zeroFrame = first;
    this.next++;
    this.refs[first] = 1;
    this.limitFrames = Math.min(limit, total - first - 1);
  }

  /** Frames in use now, the shared zero frame left out. */
  get usedFrames(): number {
    return this.used;
  }

  /** What a guest is told of it. */
  get toldUsedFrames(): number {
    return this.hiddenArea === null ? this.used : this.limitFrames >>> 1;
  }

  /** Most frames that were in use at once. */
  get peakFrames(): number {
    return this.peak;
  }

  /** Frames in use that hold pages of files. Counted at each look. */
  get cachedFrames(): number {
    let frames = 0;
    for (let frame = 0; frame < this.next; frame++) {
      if (((this.flags[frame] as number) & FRAME_CACHED) !== 0 && (this.refs[frame] as number) > 0) frames++;
    }
    return frames;
  }

  /** Frames in use as page tables. */
  get tableFrames(): number {
    return this.tables;
  }

  /**
   * A frame with one reference, or 0 when the limit is reached even after clean page-cache pages were dropped.
   * @param zeroed false when the caller overwrites the whole frame at once
   */
  allocate(zeroed = true): number {
    if (this.used >= this.limitFrames && this.reclaim() === 0) return 0;
    let frame: number;
    if (this.freeCount === 0 && this.next === this.end) this.dropSpares();
    if (this.freeCount > 0) {
      frame = this.free[--this.freeCount] as number;
      // What was translated from the former content must never run as the new one.
      if (((this.flags[frame] as number) & FRAME_EXECUTED) !== 0) this.mmu.invalidateCode(frame * PAGE_SIZE, PAGE_SIZE);
      this.flags[frame] = 0;
      if (zeroed) this.words.fill(0, frame * WORDS_PER_PAGE, (frame + 1) * WORDS_PER_PAGE);
    } else {
      // Frames that were never used are zero: the arena starts so.
      frame = this.next++;
      invariant(frame < this.end, () => 'more frames in use than the arena has');
    }
    this.take(frame);
    return frame;
  }

  /**
   * A frame with one reference that holds the same code as `from`, or 0 as from {@link allocate}. Each process that patches
   * or debugs a program copies the same pages: one that was such a copy before serves again. Only what differs is written
   * then, and all else that was translated from it stays.
   * @param edits where the copy differs from its source
   */
  copyCode(from: number, edits = NO_EDITS): number {
    if (this.used >= this.limitFrames && this.reclaim() === 0) return 0;
    // A copy of a copy is one of the same page.
    const source = this.copiedFrom.get(from) ?? from;
    const spares = this.spares.get(source);
    let frame = spares?.pop();
    if (frame === undefined) {
      frame = this.allocate(false);
      if (frame === 0) return 0;
      this.copyFrame(from, frame);
      for (const { offset, bytes } of edits) this.bytes.set(bytes, frame * PAGE_SIZE + offset);
    } else {
      if (spares?.length === 0) this.spares.delete(source);
      this.spareCount--;
      this.take(frame);
      this.rewrite(from, frame, edits);
    }
    this.copiedFrom.set(frame, source);
    return frame;
  }

  /** The frame that one was copied from by {@link copyCode}, or 0. */
  codeSource(frame: number): number {
    return this.copiedFrom.get(frame) ?? 0;
  }

  /** A zeroed frame counted as a page table, or 0. */
  allocateTable(): number {
    const frame = this.allocate();
    if (frame !== 0) {
      this.flags[frame] = FRAME_TABLE;
      this.tables++;
    }
    return frame;
  }

  /** Drops one reference; the last one frees the frame. The shared zero frame is not counted. */
  release(frame: number): void {
    if (frame === this.zeroFrame) return;
    const left = (this.refs[frame] as number) - 1;
    invariant(left >= 0, () => `frame ${frame} released more often than taken`);
    this.refs[frame] = left;
    if (left > 0) return;
    if (((this.flags[frame] as number) & FRAME_TABLE) !== 0) this.tables--;
    // FRAME_EXECUTED stays until the frame is used again: see allocate.
    this.flags[frame] = (this.flags[frame] as number) & FRAME_EXECUTED;
    this.used--;
    if (this.copiedFrom.size > 0 && this.spare(frame)) return;
    this.free[this.freeCount++] = frame;
  }

  /** Takes one more reference. */
  retain(frame: number): void {
    if (frame !== this.zeroFrame) this.refs[frame] = (this.refs[frame] as number) + 1;
  }

  /** A zeroed page for the platform's own use, or 0 when memory is out. */
  allocatePage(): PhysAddr {
    return this.allocate() * PAGE_SIZE;
  }

  /** Gives back a page of `allocatePage`. */
  releasePage(page: PhysAddr): void {
    this.release(page / PAGE_SIZE);
  }

  /** Copies one frame to another. */
  copyFrame(from: number, to: number): void {
    this.words.copyWithin(to * WORDS_PER_PAGE, from * WORDS_PER_PAGE, (from + 1) * WORDS_PER_PAGE);
  }

  /** To be called after the host wrote `length` bytes at `at`, within one page: translations of them are dropped. */
  written(at: PhysAddr, length: number): void {
    if (((this.flags[(at / PAGE_SIZE) | 0] as number) & FRAME_EXECUTED) !== 0) this.mmu.invalidateCode(at, length);
  }

  /** The frame's bytes as a view. */
  frameBytes(frame: number): Uint8Array {
    return this.bytes.subarray((frame << PAGE_SHIFT) >>> 0, ((frame << PAGE_SHIFT) >>> 0) + PAGE_SIZE);
  }

  /** The frames that were ever given out, and which of them are free, in the order of their use from the end. @internal */
  extent(): { readonly first: number; readonly next: number; readonly free: Int32Array } {
    this.dropSpares();
    return { first: this.zeroFrame, next: this.next, free: this.free.subarray(0, this.freeCount) };
  }

  /** Takes over what `extent` told of another machine's memory. @internal */
  refill(free: Int32Array, next: number): void {
    this.free.set(free);
    this.freeCount = free.length;
    this.next = next;
  }

  /** A page cache has frames from now on. @internal */
  addCache(pages: FilePages): void {
    this.caches.add(pages);
  }

  /** A page cache holds no frame any more. @internal */
  removeCache(pages: FilePages): void {
    this.caches.delete(pages);
  }

  /** Frees all page caches. Address spaces must have been released before. */
  dispose(): void {
    for (const cache of [...this.caches]) cache.dispose();
  }

  private take(frame: number): void {
    this.refs[frame] = 1;
    this.used++;
    if (this.used > this.peak) this.peak = this.used;
  }

  /** Keeps a frame that is free now for the next copy of the same code, if it was one. */
  private spare(frame: number): boolean {
    const from = this.copiedFrom.get(frame);
    if (from === undefined) return false;
    this.copiedFrom.delete(frame);
    if (this.flags[frame] !== FRAME_EXECUTED || this.spareCount === MAX_SPARES) return false;
    const spares = this.spares.get(from);
    if (spares === undefined) this.spares.set(from, [frame]);
    else spares.push(frame);
    this.spareCount++;
    return true;
  }

  private dropSpares(): void {
    for (const frame of [...this.spares.values()].flat()) this.free[this.freeCount++] = frame;
    this.spares.clear();
    this.spareCount = 0;
  }

  /** Makes the bytes of one frame those of another, but for the edits; translations of those that change are dropped. */
  private rewrite(from: number, to: number, edits: readonly CodeEdit[]): void {
    const { words } = this;
    const source = from * WORDS_PER_PAGE;
    const target = to * WORDS_PER_PAGE;
    for (let i = 0, places = 0; ; i++) {
      i = firstDifference(words, source, target, i);
      if (i >= WORDS_PER_PAGE) break;
      const first = i;
      while (i < WORDS_PER_PAGE && words[source + i] !== words[target + i]) i++;
      if (edits.length > 0 && this.isEdit(from, to, first * 4, i * 4, edits)) continue;
      if (++places > MAX_DIFFERENCES) {
        this.copyFrame(from, to);
        this.mmu.invalidateCode(to * PAGE_SIZE, PAGE_SIZE);
        break;
      }
      this.restore(from, to, first, i);
    }
    for (const edit of edits) {
      if (this.hasEdit(to, edit)) continue;
      this.bytes.set(edit.bytes, to * PAGE_SIZE + edit.offset);
      this.mmu.invalidateCode(to * PAGE_SIZE + edit.offset, edit.bytes.length);
    }
  }

  /** Makes some words of one frame those of another. */
  private restore(from: number, to: number, first: number, behind: number): void {
    const { words, bytes } = this;
    // To the byte: what begins right behind may stay.
    let start = first * 4;
    let end = behind * 4;
    while (bytes[from * PAGE_SIZE + start] === bytes[to * PAGE_SIZE + start]) start++;
    while (bytes[from * PAGE_SIZE + end - 1] === bytes[to * PAGE_SIZE + end - 1]) end--;
    const source = from * WORDS_PER_PAGE;
    words.copyWithin(to * WORDS_PER_PAGE + first, source + first, source + behind);
    this.mmu.invalidateCode(to * PAGE_SIZE + start, end - start);
  }

  /** Whether what differs in [start, end) of two frames is one edit and nothing else. */
  private isEdit(from: number, to: number, start: number, end: number, edits: readonly CodeEdit[]): boolean {
    const edit = edits.find(({ offset, bytes }) => offset < end && offset + bytes.length > start);
    if (edit === undefined || !this.hasEdit(to, edit)) return false;
    const { offset, bytes } = edit;
    for (let at = start; at < end; at++) {
      const isInside = at >= offset && at < offset + bytes.length;
      if (!isInside && this.bytes[from * PAGE_SIZE + at] !== this.bytes[to * PAGE_SIZE + at]) return false;
    }
    return true;
  }

  private hasEdit(frame: number, { offset, bytes }: CodeEdit): boolean {
    const at = frame * PAGE_SIZE + offset;
    for (let i = 0; i < bytes.length; i++) if (this.bytes[at + i] !== bytes[i]) return false;
    return true;
  }

  /** Drops clean page-cache pages that nobody maps; how many. */
  private reclaim(): number {
    let freed = 0;
    for (const cache of [...this.caches]) freed += cache.dropUnused();
    return freed;
  }
}

savable(
  'mm/physical-memory',
  { PhysicalMemory },
  { isPlace: true, kept: ['mmu', 'bytes', 'words', 'view', 'refs', 'flags', 'free'] },
);
