// SPDX-License-Identifier: MIT
//
// Virtual memory areas and the ordered list of them: lookup, free ranges, splitting, merging. Models Linux's
// mm/vma.c (vma_merge, unmapped_area_topdown) with a sorted array in place of the maple tree.

import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import { invariant } from '../base/errors.ts';
import { savable } from '../base/savable.ts';
import type { FilePages, MappableFile } from './file-pages.ts';

/** Grows downwards on faults just below it (MAP_GROWSDOWN, the stack). */
export const VMA_GROWSDOWN = 1;
export const VMA_NORESERVE = 2;
export const VMA_LOCKED = 4;
/** With VMA_LOCKED: pages are locked as they are faulted in (MLOCK_ONFAULT). */
export const VMA_LOCK_ON_FAULT = 8;
export const VMA_DONTFORK = 0x10;
export const VMA_WIPEONFORK = 0x20;
export const VMA_DONTDUMP = 0x40;
export const VMA_SEQUENTIAL = 0x80;
export const VMA_RANDOM = 0x100;
export const VMA_HUGEPAGE = 0x200;
export const VMA_NOHUGEPAGE = 0x400;
export const VMA_MERGEABLE = 0x800;
/** Counted against overcommit once: such areas merge only with their like (Linux's VM_ACCOUNT). */
export const VMA_ACCOUNTED = 0x1000;
/** The platform's own: counts for no limit, and /proc does not show it. */
export const VMA_HIDDEN = 0x2000;

/** Pages kept free below an area that grows down (Linux's stack_guard_gap). */
export const STACK_GUARD_GAP = 256 * PAGE_SIZE;

/** One area as others may see it. */
export interface Vma {
  readonly start: Addr;
  readonly end: Addr;
  /** PROT_* bits. */
  readonly prot: number;
  /** The most that mprotect, and copies that ignore permissions, may use. */
  readonly maxProt: number;
  readonly shared: boolean;
  /** What is mapped; for shared anonymous memory an object of mm's own. */
  readonly file: MappableFile | undefined;
  /** Offset in the file of `start`, in bytes; 0 for anonymous memory. */
  readonly offset: number;
  /** Name shown in maps for an area without a file, e.g. `[usertrap]`; empty for none. */
  readonly name: string;
  /** VMA_* bits. */
  readonly flags: number;
}

/** The mutable area that mm works on. @internal */
export class MappedArea implements Vma {
  start: Addr;
  end: Addr;
  prot: number;
  maxProt: number;
  shared: boolean;
  file: MappableFile | undefined;
  /** The file's page cache, or null: kept beside `file` for the fault path. */
  pages: FilePages | null;
  offset: number;
  name: string;
  flags: number;
  /** Where `start` was when an anonymous area was made: areas moved after use do not merge (Linux's vm_pgoff). */
  origin: Addr;
  /**
   * Names the family of private pages here (Linux's anon_vma); 0 until the first is made. Areas of different families do
   * not merge.
   */
  family = 0;

  constructor(from: {
    start: Addr;
    end: Addr;
    prot: number;
    maxProt: number;
    shared: boolean;
    file: MappableFile | undefined;
    offset: number;
    name: string;
    flags: number;
    origin?: Addr;
  }) {
    this.start = from.start;
    this.end = from.end;
    this.prot = from.prot;
    this.maxProt = from.maxProt;
    this.shared = from.shared;
    this.file = from.file;
    this.pages = from.file?.pages ?? null;
    this.offset = from.offset;
    this.name = from.name;
    this.flags = from.flags;
    this.origin = from.origin ?? from.start;
  }

  /** A copy that covers [start, end) of this area. */
  slice(start: Addr, end: Addr): MappedArea {
    const part = new MappedArea(this);
    part.start = start;
    part.end = end;
    if (this.file !== undefined) part.offset = this.offset + (start - this.start);
    part.origin = this.origin + (start - this.start);
    part.family = this.family;
    return part;
  }

  /** Page of the file behind `address`. */
  pageIndex(address: Addr): number {
    return (this.offset + (address - this.start)) / PAGE_SIZE;
  }

  /** The lowest address that other mappings must leave alone. */
  get guardedStart(): Addr {
    return (this.flags & VMA_GROWSDOWN) === 0 ? this.start : Math.max(0, this.start - STACK_GUARD_GAP);
  }

  /** Whether `next`, which starts where this ends, can become part of this. */
  canMerge(next: MappedArea): boolean {
    return (
      this.prot === next.prot &&
      this.flags === next.flags &&
      (this.family === next.family || this.family === 0 || next.family === 0) &&
      this.isContinuedBy(next)
    );
  }

  /** Whether `next` maps what follows, rights and families aside. */
  isContinuedBy(next: MappedArea): boolean {
    const length = this.end - this.start;
    return (
      this.end === next.start &&
      this.maxProt === next.maxProt &&
      this.shared === next.shared &&
      this.file === next.file &&
      this.name === next.name &&
      (this.file === undefined ? this.origin + length === next.origin : this.offset + length === next.offset)
    );
  }
}

/** The areas of one address space, ordered and disjoint. @internal */
export class VmaList {
  readonly items: MappedArea[] = [];
  private last = 0;
  /** No free range of #gapLength bytes or more lies in [#gapAbove, #gapHigh): where the last search from the top ended. */
  private gapLength = Infinity;
  private gapAbove = 0;
  private gapHigh = 0;

  /** Index of the first area that ends above `address` (it may start above it, too); `items.length` if none. */
  indexAbove(address: Addr): number {
    const items = this.items;
    const hint = this.last;
    const guess = items[hint];
    if (
      guess !== undefined &&
      address < guess.end &&
      (address >= guess.start || hint === 0 || address >= (items[hint - 1] as MappedArea).end)
    )
      return hint;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((items[middle] as MappedArea).end > address) high = middle;
      else low = middle + 1;
    }
    this.last = low;
    return low;
  }

  /** The area that holds `address`. */
  find(address: Addr): MappedArea | undefined {
    const area = this.items[this.indexAbove(address)];
    return area !== undefined && area.start <= address ? area : undefined;
  }

  /** Whether an area meets [start, end). */
  overlaps(start: Addr, end: Addr): boolean {
    const area = this.items[this.indexAbove(start)];
    return area !== undefined && area.start < end;
  }

  insert(area: MappedArea): void {
    const items = this.items;
    const index = this.indexAbove(area.start);
    const next = items[index];
    invariant(next === undefined || next.start >= area.end, () => 'areas must not overlap');
    items.splice(index, 0, area);
  }

  /** An area went or became smaller: what was learnt of free ranges no longer holds. */
  forgetGaps(): void {
    this.gapLength = Infinity;
  }

  /**
   * Highest free range of `length` bytes within [low, high), or -1. As on Linux (vm_unmapped_area), a range that meets
   * the gap below a stack makes the search go on below that gap, whatever lies in it.
   */
  highestGap(length: number, low: Addr, high: Addr): Addr {
    const items = this.items;
    const knows = length >= this.gapLength && high === this.gapHigh && this.gapAbove > low;
    let limit = knows ? this.gapAbove : high;
    let metGuard = false;
    let index = this.indexAbove(limit - 1);
    for (;;) {
      const above = items[index];
      const below = items[index - 1];
      const top = above === undefined ? limit : Math.min(limit, above.start);
      const bottom = below === undefined ? low : Math.max(low, below.end);
      if (top - bottom >= length) {
        if (above === undefined || above.guardedStart >= top) {
          if (!metGuard) this.rememberGap(length, top, high);
          return top - length;
        }
        metGuard = true;
        limit = above.guardedStart;
        index = this.indexAbove(limit - 1);
        continue;
      }
      if (below === undefined || below.end <= low) return -1;
      index--;
    }
  }

  private rememberGap(length: number, above: Addr, high: Addr): void {
    this.gapLength = length;
    this.gapAbove = above;
    this.gapHigh = high;
  }

  /** Lowest free range of `length` bytes within [low, high), or -1. */
  lowestGap(length: number, low: Addr, high: Addr): Addr {
    const items = this.items;
    let index = this.indexAbove(low);
    let bottom = low;
    for (;;) {
      const area = items[index++];
      const top = Math.min(high, area === undefined ? high : area.guardedStart);
      if (top - bottom >= length) return bottom;
      if (area === undefined || area.end >= high) return -1;
      bottom = Math.max(bottom, area.end);
    }
  }
}

savable('mm/vma', { MappedArea, VmaList });
