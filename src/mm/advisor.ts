// SPDX-License-Identifier: MIT
//
// madvise, mincore, msync, the mlock family and the naming of areas. Models Linux's mm/madvise.c, mlock.c,
// mincore.c, msync.c and their manual pages.

import { PAGE_SIZE, pageUp, type Addr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import * as E from '../abi/errno.ts';
import * as M from '../abi/mman.ts';
import { PAGE_NO_FILE, PAGE_READY, TOUCH_READ, TOUCH_WRITE, type Pager } from './pager.ts';
import type { SpaceCore } from './space-core.ts';
import type { UserMemory } from './user-memory.ts';
import * as V from './vma.ts';

/** Advice that only sets and clears VMA_* bits: [set, clear]. */
const FLAG_ADVICE: ReadonlyMap<number, readonly [number, number]> = new Map([
  [M.MADV_NORMAL, [0, V.VMA_RANDOM | V.VMA_SEQUENTIAL]],
  [M.MADV_RANDOM, [V.VMA_RANDOM, V.VMA_SEQUENTIAL]],
  [M.MADV_SEQUENTIAL, [V.VMA_SEQUENTIAL, V.VMA_RANDOM]],
  [M.MADV_DONTFORK, [V.VMA_DONTFORK, 0]],
  [M.MADV_DOFORK, [0, V.VMA_DONTFORK]],
  [M.MADV_DONTDUMP, [V.VMA_DONTDUMP, 0]],
  [M.MADV_DODUMP, [0, V.VMA_DONTDUMP]],
  [M.MADV_WIPEONFORK, [V.VMA_WIPEONFORK, 0]],
  [M.MADV_KEEPONFORK, [0, V.VMA_WIPEONFORK]],
  [M.MADV_HUGEPAGE, [V.VMA_HUGEPAGE, V.VMA_NOHUGEPAGE]],
  [M.MADV_NOHUGEPAGE, [V.VMA_NOHUGEPAGE, V.VMA_HUGEPAGE]],
  [M.MADV_MERGEABLE, [V.VMA_MERGEABLE, 0]],
  [M.MADV_UNMERGEABLE, [0, V.VMA_MERGEABLE]],
]);

/** Advice that does something to pages, or nothing at all. */
const PAGE_ADVICE: ReadonlySet<number> = new Set([
  M.MADV_WILLNEED,
  M.MADV_DONTNEED,
  M.MADV_FREE,
  M.MADV_REMOVE,
  M.MADV_COLD,
  M.MADV_PAGEOUT,
  M.MADV_POPULATE_READ,
  M.MADV_POPULATE_WRITE,
  M.MADV_DONTNEED_LOCKED,
  M.MADV_COLLAPSE,
]);

/** Longest name of an area, without the terminator (ANON_VMA_NAME_MAX_LEN). */
const MAX_NAME = 79;

/** Advice and locks of one address space. @internal */
export class Advisor {
  private readonly core: SpaceCore;
  private readonly pager: Pager;
  private readonly user: UserMemory;

  constructor(core: SpaceCore, pager: Pager, user: UserMemory) {
    this.core = core;
    this.pager = pager;
    this.user = user;
  }

  madvise(addr: Addr, bytes: number, advice: number): number {
    const bits = FLAG_ADVICE.get(advice);
    // Failing memory on purpose needs CAP_SYS_ADMIN.
    if (advice === M.MADV_HWPOISON || advice === M.MADV_SOFT_OFFLINE) return -E.EPERM;
    if (bits === undefined && !PAGE_ADVICE.has(advice)) return -E.EINVAL;
    if (addr % PAGE_SIZE !== 0 || !(addr >= 0)) return -E.EINVAL;
    const length = pageUp(bytes);
    if (!(length >= 0) || !(addr + length <= 2 ** 64)) return -E.EINVAL;
    if (length === 0) return 0;
    if (advice === M.MADV_POPULATE_READ) return this.populate(addr, addr + length, TOUCH_READ);
    if (advice === M.MADV_POPULATE_WRITE) return this.populate(addr, addr + length, TOUCH_WRITE);
    return this.eachArea(addr, addr + length, (area, start, end) => {
      if (bits === undefined) return this.advisePages(area, start, end, advice);
      if (advice === M.MADV_WIPEONFORK && (area.shared || area.file !== undefined)) return -E.EINVAL;
      return this.setFlags(start, end, bits[0], bits[1]);
    });
  }

  mincore(addr: Addr, bytes: number, vector: Addr): number {
    const core = this.core;
    if (addr % PAGE_SIZE !== 0) return -E.EINVAL;
    if (!(addr >= 0) || !(bytes >= 0) || addr + bytes > core.layout.end) return -E.ENOMEM;
    const pages = pageUp(bytes) / PAGE_SIZE;
    const chunk = new Uint8Array(Math.min(pages, PAGE_SIZE));
    if (pages > 0 && !(vector >= 0 && vector + pages <= core.layout.end)) return -E.EFAULT;
    for (let done = 0; done < pages; done += chunk.length) {
      const count = Math.min(chunk.length, pages - done);
      for (let i = 0; i < count; i++) {
        const at = addr + (done + i) * PAGE_SIZE;
        const area = core.vmas.find(at);
        if (area === undefined) return -E.ENOMEM;
        const entry = core.table.entry(at);
        const mapped = entry !== 0 && core.memory.words[entry] !== 0;
        chunk[i] = mapped || (area.pages !== null && area.pages.frameAt(area.pageIndex(at)) !== 0) ? 1 : 0;
      }
      if (this.user.copyOut(vector + done, chunk.subarray(0, count), false) !== count) return -E.EFAULT;
    }
    return 0;
  }

  mlock(addr: Addr, bytes: number, flags: number): number {
    if ((flags & ~M.MLOCK_ONFAULT) !== 0) return -E.EINVAL;
    const core = this.core;
    if (core.limits.memlockBytes === 0) return -E.EPERM;
    const start = addr - (addr % PAGE_SIZE);
    const length = pageUp(bytes + (addr % PAGE_SIZE));
    if (!(start >= 0) || !(start + length <= 2 ** 64)) return -E.EINVAL;
    if (length === 0) return 0;
    const more = (length - this.lockedBytes(start, start + length)) / PAGE_SIZE;
    if ((core.lockedPages + more) * PAGE_SIZE > core.limits.memlockBytes) return -E.ENOMEM;
    const onFault = (flags & M.MLOCK_ONFAULT) !== 0;
    const result = this.lockRange(
      start,
      start + length,
      V.VMA_LOCKED | (onFault ? V.VMA_LOCK_ON_FAULT : 0),
      onFault ? 0 : V.VMA_LOCK_ON_FAULT,
    );
    if (result < 0 || onFault) return result;
    // Pages that cannot be had are told as mlock(2) has it: EAGAIN for want of memory, ENOMEM for the rest.
    return this.eachArea(start, start + length, (area, from, to) => {
      const got = this.pager.populate(area, from, to);
      return got === PAGE_READY ? 0 : got === PAGE_NO_FILE ? -E.ENOMEM : -E.EAGAIN;
    });
  }

  munlock(addr: Addr, bytes: number): number {
    const start = addr - (addr % PAGE_SIZE);
    const length = pageUp(bytes + (addr % PAGE_SIZE));
    if (!(start >= 0) || !(start + length <= 2 ** 64)) return -E.EINVAL;
    return length === 0 ? 0 : this.lockRange(start, start + length, 0, V.VMA_LOCKED | V.VMA_LOCK_ON_FAULT);
  }

  mlockall(flags: number): number {
    const core = this.core;
    if (flags === 0 || (flags & ~(M.MCL_CURRENT | M.MCL_FUTURE | M.MCL_ONFAULT)) !== 0 || flags === M.MCL_ONFAULT)
      return -E.EINVAL;
    if (core.limits.memlockBytes === 0) return -E.EPERM;
    if ((flags & M.MCL_CURRENT) !== 0 && core.totalPages * PAGE_SIZE > core.limits.memlockBytes) return -E.ENOMEM;
    const onFault = (flags & M.MCL_ONFAULT) !== 0;
    const set = V.VMA_LOCKED | (onFault ? V.VMA_LOCK_ON_FAULT : 0);
    core.defaultFlags = (flags & M.MCL_FUTURE) !== 0 ? set : 0;
    if ((flags & M.MCL_CURRENT) === 0) return 0;
    for (const area of [...core.vmas.items]) {
      this.setFlags(area.start, area.end, set, onFault ? 0 : V.VMA_LOCK_ON_FAULT);
      if (!onFault) this.pager.populate(area, area.start, area.end);
    }
    core.mergeRange(0, core.layout.end);
    return 0;
  }

  munlockall(): number {
    this.core.defaultFlags = 0;
    for (const area of [...this.core.vmas.items])
      this.setFlags(area.start, area.end, 0, V.VMA_LOCKED | V.VMA_LOCK_ON_FAULT);
    this.core.mergeRange(0, this.core.layout.end);
    return 0;
  }

  msync(addr: Addr, bytes: number, flags: number): number {
    if ((flags & ~(M.MS_ASYNC | M.MS_INVALIDATE | M.MS_SYNC)) !== 0 || addr % PAGE_SIZE !== 0) return -E.EINVAL;
    if ((flags & M.MS_ASYNC) !== 0 && (flags & M.MS_SYNC) !== 0) return -E.EINVAL;
    const length = pageUp(bytes);
    if (!(length >= 0) || !(addr >= 0) || !(addr + length <= 2 ** 64)) return -E.ENOMEM;
    if (length === 0) return 0;
    let locked = false;
    const result = this.eachArea(addr, addr + length, (area, start, end) => {
      if ((flags & M.MS_INVALIDATE) !== 0 && (area.flags & V.VMA_LOCKED) !== 0) locked = true;
      if (locked || (flags & M.MS_SYNC) === 0 || !area.shared || area.file === undefined || area.pages === null)
        return 0;
      return area.pages.writeBack(area.file, area.pageIndex(start), area.pageIndex(end));
    });
    return locked ? -E.EBUSY : result;
  }

  setName(addr: Addr, bytes: number, name: string): number {
    const length = pageUp(bytes);
    if (addr % PAGE_SIZE !== 0 || !(addr >= 0) || name.length > MAX_NAME) return -E.EINVAL;
    if (length === 0) return 0;
    const shown = name === '' ? '' : `[anon:${name}]`;
    return this.eachArea(addr, addr + length, (area, start, end) => {
      if (area.file !== undefined) return -E.EBADF;
      if (!this.split(start, end)) return -E.ENOMEM;
      const part = this.core.vmas.find(start);
      if (part !== undefined) part.name = shown;
      return 0;
    });
  }

  /** Runs `visit` on the part of each area in [start, end); -ENOMEM at the end if some of it is not mapped. */
  private eachArea(start: Addr, end: Addr, visit: (area: V.MappedArea, start: Addr, end: Addr) => number): number {
    const { vmas } = this.core;
    let hole = false;
    let result = 0;
    let at = start;
    while (at < end) {
      const area = vmas.items[vmas.indexAbove(at)];
      if (area === undefined || area.start >= end) {
        hole = true;
        break;
      }
      if (area.start > at) hole = true;
      const stop = Math.min(end, area.end);
      result = visit(area, Math.max(at, area.start), stop);
      if (result < 0) break;
      at = stop;
    }
    this.core.mergeRange(start, Math.min(end, this.core.layout.end));
    return result < 0 ? result : hole ? -E.ENOMEM : 0;
  }

  private advisePages(area: V.MappedArea, start: Addr, end: Addr, advice: number): number {
    const core = this.core;
    const isLocked = (area.flags & V.VMA_LOCKED) !== 0;
    switch (advice) {
      case M.MADV_DONTNEED:
        if (isLocked) return -E.EINVAL;
        core.zap(area, start, end);
        return 0;
      case M.MADV_DONTNEED_LOCKED:
        core.zap(area, start, end);
        return 0;
      case M.MADV_FREE:
        if (area.shared || area.file !== undefined || isLocked) return -E.EINVAL;
        // Linux frees such pages under memory pressure; here the pressure comes at once.
        core.zap(area, start, end);
        return 0;
      case M.MADV_REMOVE:
        if (isLocked) return -E.EINVAL;
        if (area.pages === null || area.file === undefined) return -E.EINVAL;
        if (!area.shared || (area.maxProt & M.PROT_WRITE) === 0) return -E.EACCES;
        return area.pages.removeRange(core.memory, area.file, area.pageIndex(start), area.pageIndex(end));
      case M.MADV_COLD:
      case M.MADV_PAGEOUT:
        return isLocked ? -E.EINVAL : 0;
      case M.MADV_WILLNEED:
        return 0;
      default:
        // MADV_COLLAPSE: there are no huge pages to collapse into.
        return -E.EINVAL;
    }
  }

  private populate(start: Addr, end: Addr, touch: number): number {
    const { vmas } = this.core;
    for (let at = start; at < end;) {
      const area = vmas.find(at);
      if (area === undefined) return -E.ENOMEM;
      if ((area.prot & (touch === TOUCH_WRITE ? M.PROT_WRITE : M.PROT_READ)) === 0) return -E.EINVAL;
      const stop = Math.min(end, area.end);
      const got = this.pager.populateAs(area, at, stop, touch);
      if (got !== PAGE_READY) return got === PAGE_NO_FILE ? -E.EFAULT : -E.ENOMEM;
      at = stop;
    }
    return 0;
  }

  private lockRange(start: Addr, end: Addr, set: number, clear: number): number {
    // Unlike madvise, locking stops at the first hole.
    const { vmas } = this.core;
    let result = 0;
    let at = start;
    while (at < end) {
      const area = vmas.find(at);
      if (area === undefined) {
        result = -E.ENOMEM;
        break;
      }
      const stop = Math.min(end, area.end);
      result = this.setFlags(at, stop, set, clear);
      if (result < 0) break;
      at = stop;
    }
    this.core.mergeRange(start, Math.min(at, this.core.layout.end));
    return result;
  }

  private lockedBytes(start: Addr, end: Addr): number {
    let bytes = 0;
    for (const area of this.core.vmas.items) {
      if ((area.flags & V.VMA_LOCKED) === 0 || area.end <= start || area.start >= end) continue;
      bytes += Math.min(end, area.end) - Math.max(start, area.start);
    }
    return bytes;
  }

  private setFlags(start: Addr, end: Addr, set: number, clear: number): number {
    const core = this.core;
    const area = core.vmas.find(start);
    if (area === undefined) return -E.ENOMEM;
    if (((area.flags & ~clear) | set) === area.flags) return 0;
    if (!this.split(start, end)) return -E.ENOMEM;
    const part = core.vmas.find(start);
    if (part === undefined) return -E.ENOMEM;
    core.account(part, -1);
    part.flags = (part.flags & ~clear) | set;
    core.account(part, 1);
    return 0;
  }

  private split(start: Addr, end: Addr): boolean {
    const core = this.core;
    if (!core.mayAddAreas(2)) return false;
    core.splitAt(start);
    core.splitAt(end);
    return true;
  }
}

savable('mm/advisor', { Advisor });
