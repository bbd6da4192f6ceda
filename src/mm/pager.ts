// SPDX-License-Identifier: MIT
//
// Fills in page-table entries: demand paging, copy-on-write, stack growth, and what a fault that cannot be
// served means to the guest. Models Linux's mm/memory.c (do_anonymous_page, do_wp_page, do_fault) and
// arch/x86/mm/fault.c.

import { PAGE_SIZE, pageDown, type Addr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import { PROT_EXEC, PROT_WRITE } from '../abi/mman.ts';
import { BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGKILL, SIGSEGV } from '../abi/signal.ts';
import type { Access } from '../cpu/cpu.ts';
import { PTE_ACCESSED, PTE_DIRTY, PTE_NX_HIGH, PTE_PRESENT, PTE_USER, PTE_WRITE } from './page-table.ts';
import { FRAME_ASKED, FRAME_CACHED, FRAME_EXECUTED, FRAME_WRITABLE } from './physical-memory.ts';
import { isAccessible, type SpaceCore } from './space-core.ts';
import { STACK_GUARD_GAP, VMA_GROWSDOWN, VMA_LOCKED, type MappedArea } from './vma.ts';

/** A fault that the guest gets to see as a signal. */
export interface GuestFault {
  readonly signo: number;
  readonly code: number;
  readonly addr: number;
}

/** What became of an attempt to make a page usable. */
export const PAGE_READY = 0;
/** No memory left. */
export const PAGE_NO_MEMORY = 1;
/** Beyond the end of the file, or the file could not be read. */
export const PAGE_NO_FILE = 2;

export const TOUCH_READ = 0;
export const TOUCH_WRITE = 1;
export const TOUCH_EXECUTE = 2;

const PRESENT_BITS = PTE_PRESENT | PTE_USER | PTE_ACCESSED;
const WRITE_BITS = PTE_WRITE | PTE_DIRTY;
/** Pages around a fault in a file mapping that are mapped with it if the cache has them (Linux's fault_around_bytes). */
const AROUND_BYTES = 16 * PAGE_SIZE;

/** Serves faults of one address space. @internal */
export class Pager {
  private readonly core: SpaceCore;

  constructor(core: SpaceCore) {
    this.core = core;
  }

  /**
   * Serves a page fault of the guest.
   * @param address where, as the processor tells it
   * @returns `fixed` when the access may be tried again
   */
  handleFault(address: Addr, access: Access): 'fixed' | GuestFault {
    if (!(address < this.core.layout.end)) return { signo: SIGSEGV, code: SEGV_MAPERR, addr: address };
    const area = this.areaFor(address);
    if (area === undefined) return { signo: SIGSEGV, code: SEGV_MAPERR, addr: address };
    const touch = access === 'write' ? TOUCH_WRITE : access === 'execute' ? TOUCH_EXECUTE : TOUCH_READ;
    if (!allows(area.prot, touch)) return { signo: SIGSEGV, code: SEGV_ACCERR, addr: address };
    const result = this.touch(area, pageDown(address), touch);
    if (result === PAGE_READY) return 'fixed';
    if (result === PAGE_NO_FILE) return { signo: SIGBUS, code: BUS_ADRERR, addr: address };
    // As Linux's out-of-memory killer does; there is nothing that the guest could do about it.
    return { signo: SIGKILL, code: 0, addr: address };
  }

  /** The area that holds `address`, after letting one that grows down reach it. */
  areaFor(address: Addr): MappedArea | undefined {
    const { items } = this.core.vmas;
    const index = this.core.vmas.indexAbove(address);
    const area = items[index];
    if (area === undefined) return undefined;
    if (area.start <= address) return area;
    if ((area.flags & VMA_GROWSDOWN) === 0) return undefined;
    return this.growStack(area, index, pageDown(address)) ? area : undefined;
  }

  /**
   * Makes one page of an area usable for one kind of access, which the area's protection must allow.
   * @param page page-aligned address
   */
  touch(area: MappedArea, page: Addr, touch: number): number {
    const core = this.core;
    const entry = core.table.ensure(page);
    if (entry === 0) return PAGE_NO_MEMORY;
    if (touch === TOUCH_WRITE) return area.shared ? this.writeShared(area, page, entry) : this.own(area, page, entry);
    const { memory } = core;
    const low = memory.words[entry] as number;
    let frame = low >>> 12;
    if (frame === 0) {
      if (area.pages === null) {
        this.install(area, entry, memory.zeroFrame, false);
        return PAGE_READY;
      }
      const index = area.pageIndex(page);
      const result = this.load(area, index);
      if (result !== PAGE_READY) return result;
      frame = area.pages.frameAt(index);
      memory.retain(frame);
      core.countResident();
      if (!this.installCopy(area, page, entry, frame)) {
        if (touch === TOUCH_EXECUTE) area.pages.claimExecute(memory, index, frame);
        this.install(area, entry, frame, touch === TOUCH_EXECUTE);
      }
      this.mapAround(area, page);
      return PAGE_READY;
    }
    if (touch === TOUCH_EXECUTE && area.pages !== null && ((memory.flags[frame] as number) & FRAME_CACHED) !== 0) {
      area.pages.claimExecute(memory, area.pageIndex(page), frame);
    }
    // Present already: the entry was made non-executable for the sake of writers, or a TLB lags behind.
    const write = (memory.words[entry] as number) & WRITE_BITS;
    this.install(area, entry, frame, touch === TOUCH_EXECUTE);
    memory.words[entry] = (memory.words[entry] as number) | write;
    memory.mmu.flushTlb();
    return PAGE_READY;
  }

  /**
   * Gives a page of a private area a frame of its own, writable as far as the area's protection says.
   * @param entry the page's entry
   */
  own(area: MappedArea, page: Addr, entry: number): number {
    const core = this.core;
    const { memory } = core;
    const { words, flags } = memory;
    // First, as on Linux, even when no page can be had.
    if (area.family === 0) core.joinFamily(area);
    const low = words[entry] as number;
    const old = low >>> 12;
    let frame = 0;
    if (old === 0 || old === memory.zeroFrame) {
      let source = 0;
      if (old === 0 && area.pages !== null) {
        const index = area.pageIndex(page);
        const result = this.load(area, index);
        if (result !== PAGE_READY) return result;
        source = area.pages.frameAt(index);
        // Making room for the copy must not drop the page that is copied.
        memory.retain(source);
      }
      frame = source === 0 ? memory.allocate() : this.copy(area, source);
      if (source !== 0) memory.release(source);
      if (frame === 0) return PAGE_NO_MEMORY;
      core.countResident();
    } else if (memory.refs[old] === 1 && ((flags[old] as number) & FRAME_CACHED) === 0) {
      const isExecuted = ((flags[old] as number) & FRAME_EXECUTED) !== 0;
      // The engine sees stores to executed bytes only through an executable mapping: start from nothing.
      if (isExecuted && (low & PTE_WRITE) === 0 && (area.prot & PROT_WRITE) !== 0) {
        memory.mmu.invalidateCode(old * PAGE_SIZE, PAGE_SIZE);
        flags[old] = (flags[old] as number) & ~FRAME_EXECUTED;
      }
      frame = old;
    } else {
      frame = this.copy(area, old);
      if (frame === 0) return PAGE_NO_MEMORY;
      memory.release(old);
    }
    if (isAccessible(area)) {
      words[entry] = (frame << 12) | PRESENT_BITS | ((area.prot & PROT_WRITE) !== 0 ? WRITE_BITS : 0);
    } else {
      words[entry] = frame << 12;
    }
    if ((area.prot & PROT_EXEC) !== 0) {
      words[entry + 1] = 0;
      flags[frame] = (flags[frame] as number) | FRAME_EXECUTED;
    } else {
      words[entry + 1] = PTE_NX_HIGH;
    }
    if ((low & PTE_PRESENT) !== 0) memory.mmu.flushTlb();
    return PAGE_READY;
  }

  /** A frame with the bytes of another, or 0. What the guest cannot write is code that a tracer or the platform writes. */
  private copy(area: MappedArea, from: number): number {
    const { memory } = this.core;
    if ((area.prot & (PROT_EXEC | PROT_WRITE)) === PROT_EXEC) return memory.copyCode(from);
    const frame = memory.allocate(false);
    if (frame !== 0) memory.copyFrame(from, frame);
    return frame;
  }

  /** Makes the pages of [start, end) resident, as MAP_POPULATE and mlock do; stops at the first failure. */
  populate(area: MappedArea, start: Addr, end: Addr): number {
    if (!isAccessible(area)) return PAGE_NO_FILE;
    const touch = (area.prot & PROT_WRITE) !== 0 && !area.shared ? TOUCH_WRITE : TOUCH_READ;
    return this.populateAs(area, start, end, touch);
  }

  /** As populate, with one kind of access. */
  populateAs(area: MappedArea, start: Addr, end: Addr, touch: number): number {
    const { words } = this.core.memory;
    const wanted = touch === TOUCH_WRITE ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
    // More pages than there is memory: the frame of zeroes could serve them all, but not in bearable time.
    let left = this.core.memory.limitFrames;
    for (let page = start; page < end; page += PAGE_SIZE) {
      if (left-- === 0) return PAGE_NO_MEMORY;
      const entry = this.core.table.entry(page);
      if (entry !== 0 && ((words[entry] as number) & wanted) === wanted) continue;
      const result = this.touch(area, page, touch);
      if (result !== PAGE_READY) return result;
    }
    return PAGE_READY;
  }

  /** Brings the entries of [start, end) in line with the area's new protection. */
  reprotect(area: MappedArea, start: Addr, end: Addr): void {
    const { memory, table } = this.core;
    const { words, flags } = memory;
    const accessible = isAccessible(area);
    let flush = false;
    for (let at = table.nextTable(start, end); at < end; at = table.nextTable(at + PAGE_SIZE, end)) {
      const entry = table.entry(at);
      const low = words[entry] as number;
      if (low === 0) continue;
      if ((low & PTE_PRESENT) !== 0) flush = true;
      const frame = low >>> 12;
      if (!accessible) {
        words[entry] = frame << 12;
        words[entry + 1] = 0;
        continue;
      }
      this.install(area, entry, frame, false);
      const executed = ((flags[frame] as number) & FRAME_EXECUTED) !== 0;
      const executable = words[entry + 1] === 0;
      if ((low & PTE_WRITE) !== 0 && (area.prot & PROT_WRITE) !== 0 && (!executed || executable)) {
        words[entry] = (words[entry] as number) | WRITE_BITS;
      }
    }
    if (flush) memory.mmu.flushTlb();
  }

  private load(area: MappedArea, index: number): number {
    const { file, pages } = area;
    if (file === undefined || pages === null) return PAGE_NO_FILE;
    if (pages.frameAt(index) !== 0) return PAGE_READY;
    if (index * PAGE_SIZE >= file.sizeInBytes()) return PAGE_NO_FILE;
    const frame = pages.load(this.core.memory, file, index);
    return frame > 0 ? PAGE_READY : frame === 0 ? PAGE_NO_MEMORY : PAGE_NO_FILE;
  }

  /** Writes a read-only entry as the area's protection says. Executable at once unless somebody writes to the frame. */
  private install(area: MappedArea, entry: number, frame: number, claimed: boolean): void {
    const { words, flags } = this.core.memory;
    words[entry] = isAccessible(area) ? (frame << 12) | PRESENT_BITS : frame << 12;
    if ((area.prot & PROT_EXEC) !== 0 && (claimed || ((flags[frame] as number) & FRAME_WRITABLE) === 0)) {
      words[entry + 1] = 0;
      flags[frame] = (flags[frame] as number) | FRAME_EXECUTED;
    } else {
      words[entry + 1] = PTE_NX_HIGH;
    }
  }

  private writeShared(area: MappedArea, page: Addr, entry: number): number {
    const core = this.core;
    const { memory } = core;
    const { words } = memory;
    const { pages } = area;
    if (pages === null) return PAGE_NO_FILE;
    const index = area.pageIndex(page);
    const low = words[entry] as number;
    let frame = low >>> 12;
    if (frame === 0) {
      const result = this.load(area, index);
      if (result !== PAGE_READY) return result;
      frame = pages.frameAt(index);
      memory.retain(frame);
      core.countResident();
    }
    const executable = pages.claimWrite(memory, index, frame, entry, (area.prot & PROT_EXEC) !== 0);
    pages.markDirty(index);
    words[entry] = (frame << 12) | PRESENT_BITS | WRITE_BITS;
    words[entry + 1] = executable ? 0 : PTE_NX_HIGH;
    if ((low & PTE_PRESENT) !== 0) memory.mmu.flushTlb();
    return PAGE_READY;
  }

  /** Maps cached neighbours of a page of a file, so that they need no fault of their own. */
  private mapAround(area: MappedArea, page: Addr): void {
    const core = this.core;
    const { memory, table } = core;
    const { pages } = area;
    if (pages === null) return;
    const window = page - (page % AROUND_BYTES);
    const end = Math.min(area.end, window + AROUND_BYTES);
    for (let at = Math.max(area.start, window); at < end; at += PAGE_SIZE) {
      // The window is aligned, so it lies in the leaf table of `page`.
      const entry = table.entry(at);
      if (memory.words[entry] !== 0) continue;
      const frame = pages.frameAt(area.pageIndex(at));
      if (frame === 0) continue;
      memory.retain(frame);
      core.countResident();
      if (!this.installCopy(area, at, entry, frame)) this.install(area, entry, frame, false);
    }
  }

  /** Maps what the platform has instead of a frame with code of a file, if it has anything; the frame loses a reference then. */
  private installCopy(area: MappedArea, page: Addr, entry: number, frame: number): boolean {
    const { core } = this;
    const { memory } = core;
    if (((memory.flags[frame] as number) & FRAME_ASKED) === 0 || core.copier === null) return false;
    if (area.shared || (area.prot & (PROT_EXEC | PROT_WRITE)) !== PROT_EXEC) return false;
    const copy = core.copier.copyOf(page, frame);
    if (copy === 0) return false;
    memory.release(frame);
    if (area.family === 0) core.joinFamily(area);
    this.install(area, entry, copy, true);
    return true;
  }

  private growStack(area: MappedArea, index: number, page: Addr): boolean {
    const core = this.core;
    if (page < core.layout.minAddress) return false;
    const pages = (area.start - page) / PAGE_SIZE;
    if (area.end - page > core.limits.stackBytes || !core.mayExpand(pages, false)) return false;
    const below = core.vmas.items[index - 1];
    if (
      below !== undefined &&
      (below.flags & VMA_GROWSDOWN) === 0 &&
      isAccessible(below) &&
      page - below.end < STACK_GUARD_GAP
    ) {
      return false;
    }
    const isLocked = (area.flags & VMA_LOCKED) !== 0;
    if (isLocked && (core.lockedPages + pages) * PAGE_SIZE > core.limits.memlockBytes) return false;
    const oldStart = area.start;
    area.origin -= oldStart - page;
    area.start = page;
    core.accountPages(area, pages);
    if (isLocked) this.populate(area, page, oldStart);
    return true;
  }
}

/** Whether PROT_* bits allow an access. */
export function allows(prot: number, touch: number): boolean {
  if (touch === TOUCH_WRITE) return (prot & PROT_WRITE) !== 0;
  if (touch === TOUCH_EXECUTE) return (prot & PROT_EXEC) !== 0;
  return prot !== 0;
}

savable('mm/pager', { Pager });
