// SPDX-License-Identifier: MIT
//
// The state of one address space and the operations that keep its parts in step: areas, page-table entries,
// page-cache users and the counters of limits and status files. What an mmap call means is the mapper's, what a
// fault means the pager's.

import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import type { FilePages, PageUser, PageVisitor } from './file-pages.ts';
import { PageTable, PTE_PRESENT } from './page-table.ts';
import { FRAME_CACHED, type PhysicalMemory } from './physical-memory.ts';
import { VMA_GROWSDOWN, VMA_HIDDEN, VMA_LOCKED, VmaList, type MappedArea } from './vma.ts';

/** The limits of setrlimit(2) that concern memory, in bytes; Infinity for none. */
export interface SpaceLimits {
  addressSpaceBytes: number;
  dataBytes: number;
  stackBytes: number;
  /** Infinity also for a task with CAP_IPC_LOCK. */
  memlockBytes: number;
}

/** How an address space is laid out. */
export interface SpaceLayout {
  /** First address that is not the guest's. */
  readonly end: Addr;
  /** Lowest address that a guest may map (vm.mmap_min_addr). */
  readonly minAddress: Addr;
  /** mmap without a hint takes the highest gap below. */
  mmapBase: Addr;
}

/** The platform, where it has copies of code for its processes. */
export interface CodeCopier {
  /**
   * A page of a file's code, whose frame wants to be asked for (FRAME_ASKED), is about to be mapped for execution.
   * @returns a frame to map instead, with one reference that the mapping takes over; or 0
   */
  copyOf(page: Addr, frame: number): number;
}

const LEAF_SPAN = 2 ** 21;

/** Linux's vm.max_map_count. */
export const MAX_MAP_COUNT = 65530;

/** Areas of all address spaces together; a fork of a process with many makes as many again. */
export const MAX_AREAS = 500_000;

/** The shared state of the parts of one AddressSpace. @internal */
export class SpaceCore implements PageUser {
  readonly memory: PhysicalMemory;
  readonly table: PageTable;
  readonly vmas = new VmaList();
  readonly layout: SpaceLayout;
  readonly limits: SpaceLimits;

  copier: CodeCopier | null = null;

  brkStart: Addr = 0;
  brk: Addr = 0;
  /** Bytes of the program's data segments, which count for RLIMIT_DATA with brk. */
  dataSegmentBytes = 0;
  /** Where the loader put the initial stack pointer: names `[stack]`. */
  stackStart: Addr = 0;
  /** VMA_* bits of future mappings (mlockall(MCL_FUTURE)). */
  defaultFlags = 0;

  totalPages = 0;
  peakPages = 0;
  dataPages = 0;
  stackPages = 0;
  execPages = 0;
  lockedPages = 0;
  residentPages = 0;
  peakResidentPages = 0;
  /** Areas that are the platform's own. */
  hiddenAreas = 0;
  private families = 0;
  /** What `memory.areas` knows of this space. */
  private countedAreas = 0;

  constructor(memory: PhysicalMemory, rootFrame: number, layout: SpaceLayout, limits: SpaceLimits) {
    this.memory = memory;
    this.table = new PageTable(memory, rootFrame);
    this.layout = layout;
    this.limits = limits;
  }

  /** Makes a page absent for the processor; it keeps its frame. */
  hidePage(page: Addr): void {
    const { memory, table } = this;
    const entry = table.entry(page);
    if (entry === 0) return;
    memory.words[entry] = (memory.words[entry] as number) & ~PTE_PRESENT;
    memory.mmu.flushTlb();
  }

  /** Puts a new area in and counts it. */
  addArea(area: MappedArea): void {
    this.vmas.insert(area);
    this.account(area, 1);
    area.pages?.addUser(this);
  }

  /** Takes areas that lie wholly in [start, end) out, with their pages; boundaries must have been split. */
  removeRange(start: Addr, end: Addr): void {
    const { items } = this.vmas;
    const first = this.vmas.indexAbove(start);
    let index = first;
    for (; index < items.length; index++) {
      const area = items[index] as MappedArea;
      if (area.start >= end) break;
      this.zap(area, area.start, area.end);
      this.account(area, -1);
    }
    if (index === first) return;
    const removed = items.splice(first, index - first);
    this.vmas.forgetGaps();
    const floor = first === 0 ? 0 : (items[first - 1] as MappedArea).end;
    const ceiling = first < items.length ? (items[first] as MappedArea).start : this.layout.end;
    this.table.prune(floor, ceiling);
    // Last, because the end of the last mapping may throw the pages of shared memory away.
    for (const area of removed) this.letGo(area);
  }

  /** An area leaves: what was written through it goes back to the file. */
  letGo(area: MappedArea): void {
    const { pages, file } = area;
    if (pages === null || file === undefined) return;
    if (area.shared && pages.dirtyPages > 0) {
      pages.writeBack(file, area.pageIndex(area.start), area.pageIndex(area.end));
    }
    pages.removeUser(this);
  }

  /**
   * Whether `more` areas fit into this space and into the machine.
   * @param most areas of this space: MAX_MAP_COUNT or a little less
   */
  mayAddAreas(more: number, most = MAX_MAP_COUNT): boolean {
    this.countAreas();
    return this.vmas.items.length - this.hiddenAreas + more <= most && this.memory.areas + more <= MAX_AREAS;
  }

  /** Brings `memory.areas` up to date; to be called when a space is made and when it goes. */
  countAreas(): void {
    const { length } = this.vmas.items;
    this.memory.areas += length - this.countedAreas;
    this.countedAreas = length;
  }

  /** Makes `address` a boundary between areas. */
  splitAt(address: Addr): void {
    const index = this.vmas.indexAbove(address);
    const area = this.vmas.items[index];
    if (area === undefined || area.start >= address) return;
    const tail = area.slice(address, area.end);
    area.end = address;
    this.vmas.items.splice(index + 1, 0, tail);
    tail.pages?.addUser(this);
  }

  /** Merges areas that meet within or at the edges of [start, end] and are alike. */
  mergeRange(start: Addr, end: Addr): void {
    const { items } = this.vmas;
    let index = Math.max(0, this.vmas.indexAbove(start) - 1);
    while (index + 1 < items.length) {
      const area = items[index] as MappedArea;
      const next = items[index + 1] as MappedArea;
      if (area.start > end) return;
      if (area.canMerge(next)) {
        area.end = next.end;
        if (area.family === 0) area.family = next.family;
        items.splice(index + 1, 1);
        next.pages?.removeUser(this);
      } else {
        index++;
      }
    }
  }

  /** Counts an area in (sign 1) or out (-1) of the totals. */
  account(area: MappedArea, sign: number): void {
    if ((area.flags & VMA_HIDDEN) !== 0) this.hiddenAreas += sign;
    this.accountPages(area, sign * ((area.end - area.start) / PAGE_SIZE));
  }

  /** Counts `pages` more (or fewer) of the kind of `area`. */
  accountPages(area: MappedArea, pages: number): void {
    if ((area.flags & VMA_HIDDEN) !== 0) return;
    this.totalPages += pages;
    if (this.totalPages > this.peakPages) this.peakPages = this.totalPages;
    if (isDataArea(area)) this.dataPages += pages;
    if ((area.flags & VMA_GROWSDOWN) !== 0) this.stackPages += pages;
    if ((area.prot & (PROT_EXEC | PROT_WRITE)) === PROT_EXEC && (area.flags & VMA_GROWSDOWN) === 0)
      this.execPages += pages;
    if ((area.flags & VMA_LOCKED) !== 0) this.lockedPages += pages;
  }

  /** The first private page of an area is made: it joins the family of a neighbour that it continues, or founds one. */
  joinFamily(area: MappedArea): void {
    const { items } = this.vmas;
    const index = this.vmas.indexAbove(area.start);
    const next = items[index + 1];
    const previous = items[index - 1];
    if (next !== undefined && next.family !== 0 && area.flags === next.flags && area.isContinuedBy(next)) {
      area.family = next.family;
    } else if (
      previous !== undefined &&
      previous.family !== 0 &&
      area.flags === previous.flags &&
      previous.isContinuedBy(area)
    ) {
      area.family = previous.family;
    } else {
      area.family = this.foundFamily();
    }
  }

  foundFamily(): number {
    return ++this.families;
  }

  /** A page got its first frame here. */
  countResident(): void {
    if (++this.residentPages > this.peakResidentPages) this.peakResidentPages = this.residentPages;
  }

  /** Empties the entries of [start, end), which lies in `area`. Shared pages stay in their cache. */
  zap(_area: MappedArea, start: Addr, end: Addr): void {
    const { memory, table } = this;
    const { words } = memory;
    let flush = false;
    let at = table.nextTable(start, end);
    while (at < end) {
      const stop = Math.min(end, (Math.floor(at / LEAF_SPAN) + 1) * LEAF_SPAN);
      let entry = table.entry(at);
      for (; at < stop; at += PAGE_SIZE, entry += 2) {
        const low = words[entry] as number;
        if (low === 0) continue;
        if ((low & PTE_PRESENT) !== 0) flush = true;
        this.drop(entry, low);
      }
      at = table.nextTable(stop, end);
    }
    if (flush) memory.mmu.flushTlb();
  }

  /** Takes one right of the guest's away from a present entry: the pager gives it back when the guest asks for it. */
  guardPage(addr: Addr, right: number): void {
    const { memory } = this;
    const entry = this.table.entry(addr);
    const low = entry === 0 ? 0 : (memory.words[entry] as number);
    if ((low & PTE_PRESENT) === 0 || (low & right) === 0) return;
    memory.words[entry] = low & ~right;
    memory.mmu.flushTlb();
  }

  visitPage(pages: FilePages, pageIndex: number, visit: PageVisitor): void {
    const position = pageIndex * PAGE_SIZE;
    for (const area of this.vmas.items) {
      if (area.pages !== pages) continue;
      const address = area.start + (position - area.offset);
      if (address < area.start || address >= area.end) continue;
      const entry = this.table.entry(address);
      if (entry !== 0 && this.memory.words[entry] !== 0) visit(this, address, entry);
    }
  }

  unmapPages(pages: FilePages, fromIndex: number, toIndex: number, cowToo: boolean): void {
    const { memory } = this;
    for (const area of this.vmas.items) {
      if (area.pages !== pages) continue;
      const start = Math.max(area.start, area.start + (fromIndex * PAGE_SIZE - area.offset));
      const end = Math.min(area.end, area.start + (toIndex * PAGE_SIZE - area.offset));
      if (start >= end) continue;
      if (cowToo) {
        this.zap(area, start, end);
        continue;
      }
      for (let at = this.table.nextTable(start, end); at < end; at = this.table.nextTable(at + PAGE_SIZE, end)) {
        const entry = this.table.entry(at);
        const low = memory.words[entry] as number;
        if (low !== 0 && ((memory.flags[low >>> 12] as number) & FRAME_CACHED) !== 0) this.drop(entry, low);
      }
      memory.mmu.flushTlb();
    }
  }

  /** Whether `pages` more of an area with these properties stay within RLIMIT_AS and RLIMIT_DATA. */
  mayExpand(pages: number, data: boolean): boolean {
    if ((this.totalPages + pages) * PAGE_SIZE > this.limits.addressSpaceBytes) return false;
    return !data || (this.dataPages + pages) * PAGE_SIZE <= this.limits.dataBytes;
  }

  private drop(entry: number, low: number): void {
    const { memory } = this;
    const frame = low >>> 12;
    memory.words[entry] = 0;
    memory.words[entry + 1] = 0;
    if (frame === memory.zeroFrame) return;
    this.residentPages--;
    memory.release(frame);
  }
}

/** Whether the area counts as data: private, writable, not a stack (Linux's is_data_mapping). */
export function isDataArea(area: { prot: number; shared: boolean; flags: number }): boolean {
  return (area.prot & PROT_WRITE) !== 0 && !area.shared && (area.flags & VMA_GROWSDOWN) === 0;
}

/** Whether any access is allowed; x86 cannot forbid reads of what may be written or executed. */
export function isAccessible(area: { prot: number }): boolean {
  return (area.prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) !== 0;
}

savable('mm/space-core', { SpaceCore });
