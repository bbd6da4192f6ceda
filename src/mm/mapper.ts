// SPDX-License-Identifier: MIT
//
// mmap, munmap, mprotect, mremap and brk: what they accept, in which order they refuse, and what they do to the
// areas. Models Linux's mm/mmap.c, mprotect.c and mremap.c (6.x) and their manual pages.

import { PAGE_SIZE, pageUp, type Addr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import * as E from '../abi/errno.ts';
import * as M from '../abi/mman.ts';
import type { MappableFile } from './file-pages.ts';
import { moveEntries } from './move-entries.ts';
import type { Pager } from './pager.ts';
import { SharedMemory } from './shared-memory.ts';
import { isDataArea, MAX_MAP_COUNT, type SpaceCore } from './space-core.ts';
import {
  MappedArea,
  VMA_ACCOUNTED,
  VMA_GROWSDOWN,
  VMA_HIDDEN,
  VMA_LOCK_ON_FAULT,
  VMA_LOCKED,
  VMA_NORESERVE,
} from './vma.ts';

const PROT_ACCESS = M.PROT_READ | M.PROT_WRITE | M.PROT_EXEC;
/** Where MAP_32BIT looks. */
const LOW_START = 0x40000000;
const LOW_END = 0x80000000;
/** Flags that MAP_SHARED_VALIDATE knows; any other is refused. */
const KNOWN_FLAGS =
  M.MAP_TYPE |
  M.MAP_FIXED |
  M.MAP_ANONYMOUS |
  M.MAP_32BIT |
  M.MAP_GROWSDOWN |
  M.MAP_DENYWRITE |
  M.MAP_EXECUTABLE |
  M.MAP_LOCKED |
  M.MAP_NORESERVE |
  M.MAP_POPULATE |
  M.MAP_NONBLOCK |
  M.MAP_STACK |
  M.MAP_HUGETLB |
  M.MAP_FIXED_NOREPLACE |
  (M.MAP_HUGE_MASK << M.MAP_HUGE_SHIFT);
/** Largest file offset that can be mapped: 2^63 as Linux has it, as far as doubles count exactly. */
const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

/** What mmap is asked for. */
export interface MapRequest {
  readonly addr: Addr;
  readonly length: number;
  readonly prot: number;
  /** MAP_* bits. */
  readonly flags: number;
  /** What to map; without it the mapping is anonymous. Whether its descriptor allows it is the caller's to check. */
  readonly file?: MappableFile | undefined;
  /** Negative errno of a file that may not be mapped so, which comes after errors of the place (mm/mmap.c, do_mmap). */
  readonly refusal?: number;
  /** Offset in the file in bytes. */
  readonly offset?: number;
  /** Name of an anonymous area in maps, e.g. `[usertrap]`. */
  readonly name?: string;
  /** The most that mprotect and forced copies may use; default all. */
  readonly maxProt?: number;
  /** Allows addresses below the minimum (the platform's tables). */
  readonly force?: boolean;
  /** Locks and populates the pages without asking for limits. */
  readonly lockEager?: boolean;
  /** The platform's own: counts for no limit, and /proc does not show it. */
  readonly isHidden?: boolean;
}

/** Changes the areas of one address space. @internal */
export class Mapper {
  private readonly core: SpaceCore;
  private readonly pager: Pager;

  constructor(core: SpaceCore, pager: Pager) {
    this.core = core;
    this.pager = pager;
  }

  mmap(r: MapRequest): number {
    const core = this.core;
    const { layout, limits } = core;
    const { file } = r;
    const offset = r.offset ?? 0;
    const maxProt = r.maxProt ?? PROT_ACCESS;
    const prot = r.prot & PROT_ACCESS;
    if (offset % PAGE_SIZE !== 0) return -E.EINVAL;
    if (!(r.length > 0)) return -E.EINVAL;
    const length = pageUp(r.length);
    if (length > layout.end) return -E.ENOMEM;
    if (offset < 0 || offset + length > MAX_OFFSET) return -E.EOVERFLOW;
    const type = r.flags & M.MAP_TYPE;
    const shared = type === M.MAP_SHARED || type === M.MAP_SHARED_VALIDATE;
    const isFixed = (r.flags & (M.MAP_FIXED | M.MAP_FIXED_NOREPLACE)) !== 0;
    if (!core.mayAddAreas(1)) return -E.ENOMEM;
    const place = this.place(r, length, isFixed);
    if (place < 0) return place;
    if ((r.flags & M.MAP_FIXED_NOREPLACE) !== 0 && core.vmas.overlaps(place, place + length)) return -E.EEXIST;

    let flags = r.isHidden === true ? VMA_HIDDEN : core.defaultFlags;
    if ((r.flags & M.MAP_LOCKED) !== 0) {
      if (limits.memlockBytes === 0) return -E.EPERM;
      flags |= VMA_LOCKED;
    }
    const pages = length / PAGE_SIZE;
    if ((flags & VMA_LOCKED) !== 0 && (core.lockedPages + pages) * PAGE_SIZE > limits.memlockBytes) return -E.EAGAIN;
    if (r.lockEager === true) flags |= VMA_LOCKED;
    if (!shared && type !== M.MAP_PRIVATE) return -E.EINVAL;
    if (type === M.MAP_SHARED_VALIDATE) {
      if (file === undefined && r.refusal === undefined) return -E.EINVAL;
      if ((r.flags & ~KNOWN_FLAGS) !== 0) return -E.EOPNOTSUPP;
    }
    if (r.refusal !== undefined) return r.refusal;
    if ((prot & ~maxProt) !== 0) return -E.EACCES;
    if ((r.flags & M.MAP_GROWSDOWN) !== 0) {
      if (shared || file !== undefined) return -E.EINVAL;
      flags |= VMA_GROWSDOWN;
    }
    // There are no huge pages in the pool.
    if ((r.flags & M.MAP_HUGETLB) !== 0) return file === undefined ? -E.ENOMEM : -E.EINVAL;
    if ((r.flags & M.MAP_NORESERVE) !== 0) flags |= VMA_NORESERVE;

    const kind = { prot, shared, flags };
    const data = isDataArea(kind);
    if (r.isHidden !== true && !core.mayExpand(pages - this.pagesIn(place, place + length), data)) return -E.ENOMEM;
    if (this.overcommits(pages, kind)) return -E.ENOMEM;
    if (isAccountable(kind)) flags |= VMA_ACCOUNTED;
    const unmapped = this.unmap(place, place + length);
    if (unmapped < 0) return unmapped;

    const backing = file ?? (shared ? new SharedMemory(length, core.memory.nextSharedInode++) : undefined);
    const area = new MappedArea({
      start: place,
      end: place + length,
      prot,
      maxProt,
      shared,
      file: backing,
      offset: file === undefined ? 0 : offset,
      name: r.name ?? '',
      flags,
    });
    core.addArea(area);
    core.mergeRange(place, place + length);
    const wantsPages = (r.flags & M.MAP_POPULATE) !== 0 && (r.flags & M.MAP_NONBLOCK) === 0;
    if (wantsPages || ((flags & VMA_LOCKED) !== 0 && (flags & VMA_LOCK_ON_FAULT) === 0))
      this.populate(place, place + length);
    return place;
  }

  munmap(addr: Addr, length: number): number {
    const { end } = this.core.layout;
    if (addr % PAGE_SIZE !== 0 || !(addr >= 0 && addr <= end) || !(length > 0) || length > end - addr) return -E.EINVAL;
    return this.unmap(addr, addr + pageUp(length));
  }

  mprotect(addr: Addr, length: number, protection: number): number {
    const core = this.core;
    const { items } = core.vmas;
    const grows = protection & (M.PROT_GROWSDOWN | M.PROT_GROWSUP);
    const prot = protection & ~(M.PROT_GROWSDOWN | M.PROT_GROWSUP);
    if (grows === (M.PROT_GROWSDOWN | M.PROT_GROWSUP)) return -E.EINVAL;
    if (addr % PAGE_SIZE !== 0) return -E.EINVAL;
    if (length === 0) return 0;
    const end = addr + pageUp(length);
    if (!(length > 0) || !(addr >= 0) || !(end <= 2 ** 64)) return -E.ENOMEM;
    if ((prot & ~(PROT_ACCESS | M.PROT_SEM)) !== 0) return -E.EINVAL;
    const access = prot & PROT_ACCESS;
    const first = items[core.vmas.indexAbove(addr)];
    if (first === undefined) return -E.ENOMEM;
    let start = addr;
    if (grows === M.PROT_GROWSDOWN) {
      if (first.start >= end) return -E.ENOMEM;
      if ((first.flags & VMA_GROWSDOWN) === 0) return -E.EINVAL;
      start = first.start;
    } else {
      if (first.start > addr) return -E.ENOMEM;
      // No area grows upwards on this machine.
      if (grows !== 0) return -E.EINVAL;
    }
    let result = 0;
    let at = start;
    while (at < end) {
      const area = core.vmas.find(at);
      if (area === undefined) {
        result = -E.ENOMEM;
        break;
      }
      const stop = Math.min(end, area.end);
      result = this.protect(area, at, stop, access);
      if (result < 0) break;
      at = stop;
    }
    core.mergeRange(start, at);
    return result;
  }

  mremap(oldAddr: Addr, oldBytes: number, newBytes: number, flags: number, newAddr: Addr): number {
    const core = this.core;
    const { layout } = core;
    const oldLength = pageUp(oldBytes);
    const newLength = pageUp(newBytes);
    const keepsOld = (flags & M.MREMAP_DONTUNMAP) !== 0;
    const isFixed = (flags & M.MREMAP_FIXED) !== 0;
    if ((flags & ~(M.MREMAP_FIXED | M.MREMAP_MAYMOVE | M.MREMAP_DONTUNMAP)) !== 0) return -E.EINVAL;
    if (oldAddr % PAGE_SIZE !== 0 || !(oldAddr >= 0)) return -E.EINVAL;
    if (!(newLength > 0 && newLength <= layout.end)) return -E.EINVAL;
    if (!isFixed && !keepsOld) return this.resize(oldAddr, oldLength, newLength, (flags & M.MREMAP_MAYMOVE) !== 0);

    // With MREMAP_DONTUNMAP alone the new address is a hint, but one that must make sense.
    if (!(newAddr >= 0) || newAddr > layout.end - newLength || newAddr % PAGE_SIZE !== 0) return -E.EINVAL;
    if ((flags & M.MREMAP_MAYMOVE) === 0) return -E.EINVAL;
    if (keepsOld && oldLength !== newLength) return -E.EINVAL;
    if (oldAddr + oldLength > newAddr && newAddr + newLength > oldAddr) return -E.EINVAL;
    if (!core.mayAddAreas(3, MAX_MAP_COUNT - 3)) return -E.ENOMEM;
    if (isFixed && oldLength === newLength) return this.moveAreas(oldAddr, oldLength, newAddr, keepsOld);
    return this.moveTo(oldAddr, oldLength, newLength, newAddr, isFixed, keepsOld);
  }

  brk(addr: Addr): Addr {
    const core = this.core;
    if (!(addr >= core.brkStart)) return core.brk;
    if (addr - core.brkStart + core.dataSegmentBytes > core.limits.dataBytes) return core.brk;
    const oldEnd = pageUp(core.brk);
    const newEnd = pageUp(addr);
    if (newEnd < oldEnd) {
      if (this.unmap(newEnd, oldEnd) < 0) return core.brk;
    } else if (newEnd > oldEnd) {
      const next = core.vmas.items[core.vmas.indexAbove(oldEnd)];
      if (newEnd > core.layout.end || (next !== undefined && newEnd + PAGE_SIZE > next.guardedStart)) return core.brk;
      const pages = (newEnd - oldEnd) / PAGE_SIZE;
      const kind = { prot: M.PROT_READ | M.PROT_WRITE, shared: false, flags: core.defaultFlags | VMA_ACCOUNTED };
      if (!core.mayExpand(pages, true) || this.overcommits(pages, kind) || !core.mayAddAreas(1)) return core.brk;
      const isLocked = (kind.flags & VMA_LOCKED) !== 0;
      if (isLocked && (core.lockedPages + pages) * PAGE_SIZE > core.limits.memlockBytes) return core.brk;
      core.addArea(
        new MappedArea({
          start: oldEnd,
          end: newEnd,
          ...kind,
          maxProt: PROT_ACCESS,
          file: undefined,
          offset: 0,
          name: '',
        }),
      );
      // The heap starts as an area of its own even where it touches the program's data.
      if (oldEnd > pageUp(core.brkStart)) core.mergeRange(oldEnd, newEnd);
      if (isLocked && (kind.flags & VMA_LOCK_ON_FAULT) === 0) this.populate(oldEnd, newEnd);
    }
    core.brk = addr;
    return addr;
  }

  /** Where a mapping goes, or -errno. */
  private place(r: MapRequest, length: number, isFixed: boolean): number {
    const core = this.core;
    const { layout } = core;
    if (isFixed) {
      if (!(r.addr >= 0) || r.addr > layout.end - length) return -E.ENOMEM;
      if (r.addr % PAGE_SIZE !== 0) return -E.EINVAL;
      if (r.addr < layout.minAddress && r.force !== true) return -E.EPERM;
      return r.addr;
    }
    const isLow = (r.flags & M.MAP_32BIT) !== 0;
    if (r.addr >= PAGE_SIZE) {
      // A hint is rounded down to a page and up to the lowest address.
      const hint = Math.max(r.addr - (r.addr % PAGE_SIZE), layout.minAddress);
      if (hint <= (isLow ? LOW_END : layout.end) - length && this.isFree(hint, hint + length)) return hint;
    }
    if (isLow) {
      const low = core.vmas.lowestGap(length, LOW_START, LOW_END);
      return low < 0 ? -E.ENOMEM : low;
    }
    return this.findGap(length);
  }

  /** Where a mapping without a hint goes, or -errno. */
  findGap(length: number): number {
    const { vmas, layout } = this.core;
    const high = vmas.highestGap(length, layout.minAddress, layout.mmapBase);
    if (high >= 0) return high;
    // As Linux: from a third of the range upwards when there is nothing below the stack.
    const low = vmas.lowestGap(length, Math.ceil(layout.end / 3 / PAGE_SIZE) * PAGE_SIZE, layout.end);
    return low < 0 ? -E.ENOMEM : low;
  }

  /** Whether [start, end) is free, the gap below a stack included. */
  private isFree(start: Addr, end: Addr): boolean {
    const { vmas, layout } = this.core;
    if (end > layout.end) return false;
    const next = vmas.items[vmas.indexAbove(start)];
    return next === undefined || end <= next.guardedStart;
  }

  private pagesIn(start: Addr, end: Addr): number {
    const { vmas } = this.core;
    let bytes = 0;
    for (let i = vmas.indexAbove(start); i < vmas.items.length; i++) {
      const area = vmas.items[i] as MappedArea;
      if (area.start >= end) break;
      bytes += Math.min(end, area.end) - Math.max(start, area.start);
    }
    return bytes / PAGE_SIZE;
  }

  /** Linux's heuristic overcommit: refuses only what could never be met. */
  private overcommits(pages: number, kind: { prot: number; shared: boolean; flags: number }): boolean {
    return isAccountable(kind) && pages > this.core.memory.limitFrames;
  }

  private unmap(start: Addr, end: Addr): number {
    const core = this.core;
    const { items } = core.vmas;
    const index = core.vmas.indexAbove(start);
    const area = items[index];
    if (area === undefined || area.start >= end) return 0;
    // A hole in the middle makes one area more.
    if (area.start < start && area.end > end && !core.mayAddAreas(1)) return -E.ENOMEM;
    core.splitAt(start);
    core.splitAt(end);
    core.removeRange(start, end);
    return 0;
  }

  private populate(start: Addr, end: Addr): void {
    const { vmas } = this.core;
    for (let at = start; at < end;) {
      const area = vmas.find(at);
      if (area === undefined) return;
      const stop = Math.min(end, area.end);
      this.pager.populate(area, at, stop);
      at = stop;
    }
  }

  private protect(area: MappedArea, start: Addr, end: Addr, prot: number): number {
    const core = this.core;
    if ((prot & ~area.maxProt) !== 0) return -E.EACCES;
    if (prot === area.prot) return 0;
    const pages = (end - start) / PAGE_SIZE;
    const changed = { prot, shared: area.shared, flags: area.flags };
    if (isDataArea(changed) && !isDataArea(area)) {
      // Refused only where it was not over the limit before, as Linux does.
      if (!core.mayExpand(pages, true) && core.mayExpand(pages, false)) return -E.ENOMEM;
      if (this.overcommits(pages, changed)) return -E.ENOMEM;
    }
    const splits = (area.start < start ? 1 : 0) + (area.end > end ? 1 : 0);
    if (splits > 0 && !core.mayAddAreas(splits)) return -E.ENOMEM;
    core.splitAt(start);
    core.splitAt(end);
    const part = core.vmas.find(start);
    if (part === undefined) return -E.ENOMEM;
    core.account(part, -1);
    part.prot = prot;
    if (isAccountable(part)) part.flags |= VMA_ACCOUNTED;
    else if (part.file === undefined && part.family === 0 && (prot & M.PROT_WRITE) === 0) part.flags &= ~VMA_ACCOUNTED;
    core.account(part, 1);
    this.pager.reprotect(part, start, end);
    return 0;
  }

  /** What forbids that [addr, addr+oldLength) becomes newLength long; undefined for nothing. */
  private checkResize(area: MappedArea, addr: Addr, oldLength: number, newLength: number): number | undefined {
    const core = this.core;
    if (oldLength === 0 && !area.shared) return -E.EINVAL;
    if (oldLength > area.end - addr) return -E.EFAULT;
    if (newLength <= oldLength) return undefined;
    const pages = (newLength - oldLength) / PAGE_SIZE;
    if (area.file !== undefined && area.offset + (addr - area.start) + newLength > MAX_OFFSET) return -E.EINVAL;
    if ((area.flags & VMA_LOCKED) !== 0 && (core.lockedPages + pages) * PAGE_SIZE > core.limits.memlockBytes)
      return -E.EAGAIN;
    if (!core.mayExpand(pages, isDataArea(area)) || this.overcommits(pages, area)) return -E.ENOMEM;
    return undefined;
  }

  private growInPlace(area: MappedArea, addr: Addr, end: Addr): number {
    const core = this.core;
    const oldEnd = area.end;
    area.end = end;
    core.accountPages(area, (end - oldEnd) / PAGE_SIZE);
    core.mergeRange(addr, end);
    if ((area.flags & VMA_LOCKED) !== 0) this.populate(oldEnd, end);
    return addr;
  }

  private resize(addr: Addr, oldLength: number, newLength: number, mayMove: boolean): number {
    const core = this.core;
    const area = core.vmas.find(addr);
    if (area === undefined) return -E.EFAULT;
    if (oldLength === newLength) return addr;
    if (oldLength > newLength) {
      const result = this.unmap(addr + newLength, addr + oldLength);
      return result < 0 ? result : addr;
    }
    const refused = this.checkResize(area, addr, oldLength, newLength);
    if (refused !== undefined) return refused;
    if (oldLength > 0 && addr + oldLength === area.end && this.isFree(area.end, addr + newLength)) {
      return this.growInPlace(area, addr, addr + newLength);
    }
    if (!mayMove) return -E.ENOMEM;
    const place = this.findGap(newLength);
    return place < 0 ? place : this.move(addr, oldLength, newLength, place, false);
  }

  /** Moves every area in a range (Linux 6.17 and later); holes between them are kept. */
  private moveAreas(oldAddr: Addr, length: number, target: Addr, keepsOld: boolean): number {
    const { vmas } = this.core;
    const end = oldAddr + length;
    let moved = false;
    for (let at = oldAddr; at < end;) {
      const area = vmas.items[vmas.indexAbove(at)];
      if (area === undefined || area.start >= end) break;
      if (area.start > at && !moved) break;
      const start = Math.max(at, area.start);
      const stop = Math.min(end, area.end);
      const result = this.moveTo(start, stop - start, stop - start, target + (start - oldAddr), true, keepsOld);
      if (result < 0) return result;
      moved = true;
      at = stop;
    }
    return moved ? target : -E.EFAULT;
  }

  private moveTo(
    oldAddr: Addr,
    oldLength: number,
    newLength: number,
    target: Addr,
    isFixed: boolean,
    keepsOld: boolean,
  ): number {
    const core = this.core;
    let area = core.vmas.find(oldAddr);
    if (area === undefined) return -E.EFAULT;
    const refused = this.checkResize(area, oldAddr, Math.min(oldLength, newLength), newLength);
    if (refused !== undefined) return refused;
    if (isFixed) {
      if (target < core.layout.minAddress) return -E.EPERM;
      const result = this.unmap(target, target + newLength);
      if (result < 0) return result;
    }
    let length = oldLength;
    if (oldLength > newLength) {
      const result = this.unmap(oldAddr + newLength, oldAddr + oldLength);
      if (result < 0) return result;
      length = newLength;
    }
    area = core.vmas.find(oldAddr);
    if (area === undefined) return -E.EFAULT;
    if (keepsOld && !core.mayExpand(length / PAGE_SIZE, isDataArea(area))) return -E.ENOMEM;
    const isHintFree = isFixed || (target >= core.layout.minAddress && this.isFree(target, target + newLength));
    const place = isHintFree ? target : this.findGap(newLength);
    return place < 0 ? place : this.move(oldAddr, length, newLength, place, keepsOld);
  }

  /** Moves the pages of [oldAddr, +oldLength), within one area, to a free place. */
  private move(oldAddr: Addr, oldLength: number, newLength: number, place: Addr, keepsOld: boolean): number {
    const core = this.core;
    const area = core.vmas.find(oldAddr);
    if (area === undefined) return -E.EFAULT;
    if (!core.mayAddAreas(1, MAX_MAP_COUNT - 3)) return -E.ENOMEM;
    const whole = area.start === oldAddr && area.end === oldAddr + oldLength;
    const moved = area.slice(oldAddr, oldAddr + oldLength);
    moved.start = place;
    moved.end = place + newLength;
    if (area.family === 0) moved.origin = place;
    core.addArea(moved);
    if (oldLength > 0 && !moveEntries(core, oldAddr, oldLength, place)) {
      core.removeRange(place, place + newLength);
      return -E.ENOMEM;
    }
    if (keepsOld) {
      core.splitAt(oldAddr);
      core.splitAt(oldAddr + oldLength);
      const left = core.vmas.find(oldAddr);
      if (left !== undefined) {
        core.account(left, -1);
        left.flags &= ~(VMA_LOCKED | VMA_LOCK_ON_FAULT);
        core.account(left, 1);
        // Its pages have gone; what is left of a larger area stays in the family.
        if (whole) left.family = 0;
      }
      core.mergeRange(oldAddr, oldAddr + oldLength);
    } else if (oldLength > 0) {
      this.unmap(oldAddr, oldAddr + oldLength);
    }
    core.mergeRange(place, place + newLength);
    if ((moved.flags & VMA_LOCKED) !== 0) this.populate(place, place + newLength);
    return place;
  }
}

/** Whether memory for the area is set aside: private, writable, not MAP_NORESERVE. */
function isAccountable(kind: { prot: number; shared: boolean; flags: number }): boolean {
  return (kind.prot & M.PROT_WRITE) !== 0 && !kind.shared && (kind.flags & VMA_NORESERVE) === 0;
}

savable('mm/mapper', { Mapper });
