// SPDX-License-Identifier: MIT
//
// What /proc tells of the pages of an address space: smaps, smaps_rollup and pagemap. Models fs/proc/task_mmu.c of
// Linux 6.1.

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import { viewOf } from '../base/bytes.ts';
import { mapsHead, mapsLine, shownAreas } from './maps-text.ts';
import { PTE_ACCESSED, PTE_PRESENT } from './page-table.ts';
import { pageUse } from './resident-pages.ts';
import type { SpaceCore } from './space-core.ts';
import {
  VMA_ACCOUNTED,
  VMA_DONTDUMP,
  VMA_DONTFORK,
  VMA_GROWSDOWN,
  VMA_HUGEPAGE,
  VMA_LOCKED,
  VMA_MERGEABLE,
  VMA_NOHUGEPAGE,
  VMA_NORESERVE,
  VMA_RANDOM,
  VMA_SEQUENTIAL,
  VMA_WIPEONFORK,
  type MappedArea,
} from './vma.ts';

/** Bytes of pages, added up. */
class PageSums {
  resident = 0;
  proportional = 0;
  proportionalDirty = 0;
  proportionalAnonymous = 0;
  sharedClean = 0;
  sharedDirty = 0;
  privateClean = 0;
  privateDirty = 0;
  referenced = 0;
  anonymous = 0;
  locked = 0;

  add(core: SpaceCore, area: MappedArea): void {
    const { words, zeroFrame } = core.memory;
    const before = this.proportional;
    for (let at = area.start; (at = core.table.nextTable(at, area.end)) < area.end; at += PAGE_SIZE) {
      const low = words[core.table.entry(at)] as number;
      const frame = low >>> 12;
      if ((low & PTE_PRESENT) === 0 || frame === zeroFrame) continue;
      const { isCached, isDirty, mappings } = pageUse(core, area, low);
      const share = PAGE_SIZE / mappings;
      this.resident += PAGE_SIZE;
      this.proportional += share;
      if (isDirty) this.proportionalDirty += share;
      if (mappings > 1) this[isDirty ? 'sharedDirty' : 'sharedClean'] += PAGE_SIZE;
      else this[isDirty ? 'privateDirty' : 'privateClean'] += PAGE_SIZE;
      if ((low & PTE_ACCESSED) !== 0) this.referenced += PAGE_SIZE;
      if (isCached) continue;
      this.anonymous += PAGE_SIZE;
      this.proportionalAnonymous += share;
    }
    if ((area.flags & VMA_LOCKED) !== 0) this.locked += this.proportional - before;
  }

  text(isRollup: boolean): string {
    const parts: (readonly [string, number])[] = [
      ['Pss_Anon', this.proportionalAnonymous],
      ['Pss_File', this.proportional - this.proportionalAnonymous],
      ['Pss_Shmem', 0],
    ];
    const rows: (readonly [string, number])[] = [
      ['Rss', this.resident],
      ['Pss', this.proportional],
      ['Pss_Dirty', this.proportionalDirty],
      ...(isRollup ? parts : []),
      ['Shared_Clean', this.sharedClean],
      ['Shared_Dirty', this.sharedDirty],
      ['Private_Clean', this.privateClean],
      ['Private_Dirty', this.privateDirty],
      ['Referenced', this.referenced],
      ['Anonymous', this.anonymous],
      // There are neither huge pages nor swap.
      ['LazyFree', 0],
      ['AnonHugePages', 0],
      ['ShmemPmdMapped', 0],
      ['FilePmdMapped', 0],
      ['Shared_Hugetlb', 0],
      ['Private_Hugetlb', 0],
      ['Swap', 0],
      ['SwapPss', 0],
      ['Locked', this.locked],
    ];
    return rows.map(([name, bytes]) => kilobytes(name, bytes)).join('');
  }
}

function kilobytes(name: string, bytes: number): string {
  return `${`${name}:`.padEnd(16)}${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`;
}

/** @internal */
export function smapsText(core: SpaceCore): string {
  let text = '';
  for (const area of shownAreas(core)) {
    const sums = new PageSums();
    sums.add(core, area);
    text +=
      mapsLine(core, area) +
      kilobytes('Size', area.end - area.start) +
      kilobytes('KernelPageSize', PAGE_SIZE) +
      kilobytes('MMUPageSize', PAGE_SIZE) +
      `${sums.text(false)}THPeligible:    0\nVmFlags: ${areaFlags(area)}\n`;
  }
  return text;
}

/** @internal */
export function smapsRollupText(core: SpaceCore): string {
  const items = shownAreas(core);
  const [first] = items;
  const last = items.at(-1);
  if (first === undefined || last === undefined) return '';
  const sums = new PageSums();
  for (const area of items) sums.add(core, area);
  return mapsHead(first.start, last.end, '---p 00000000 00:00 0', '[rollup]') + sums.text(true);
}

/** Flags by their names in VmFlags, in the order of Linux's bits: the largest protection stands between. */
function areaFlags(area: MappedArea): string {
  const { prot, maxProt, shared, flags } = area;
  const names: (readonly [string, boolean])[] = [
    ['rd', (prot & PROT_READ) !== 0],
    ['wr', (prot & PROT_WRITE) !== 0],
    ['ex', (prot & PROT_EXEC) !== 0],
    ['sh', shared],
    ['mr', (maxProt & PROT_READ) !== 0],
    ['mw', (maxProt & PROT_WRITE) !== 0],
    ['me', (maxProt & PROT_EXEC) !== 0],
    ['ms', shared],
    ['gd', (flags & VMA_GROWSDOWN) !== 0],
    ['lo', (flags & VMA_LOCKED) !== 0],
    ['sr', (flags & VMA_SEQUENTIAL) !== 0],
    ['rr', (flags & VMA_RANDOM) !== 0],
    ['dc', (flags & VMA_DONTFORK) !== 0],
    ['ac', (flags & VMA_ACCOUNTED) !== 0],
    ['nr', (flags & VMA_NORESERVE) !== 0],
    ['wf', (flags & VMA_WIPEONFORK) !== 0],
    ['dd', (flags & VMA_DONTDUMP) !== 0],
    ['hg', (flags & VMA_HUGEPAGE) !== 0],
    ['nh', (flags & VMA_NOHUGEPAGE) !== 0],
    ['mg', (flags & VMA_MERGEABLE) !== 0],
  ];
  return names.map(([name, isSet]) => (isSet ? `${name} ` : '')).join('');
}

/** High words of an entry of pagemap: present, of a file or shared, mapped only here. */
const PAGEMAP_PRESENT = 2 ** 31;
const PAGEMAP_FILE = 2 ** 29;
const PAGEMAP_EXCLUSIVE = 2 ** 24;

/** Entries of pagemap for `pages` pages from `start` on; frame numbers are nobody's business. @internal */
export function pagemap(core: SpaceCore, start: Addr, pages: number): Uint8Array {
  const { words, zeroFrame } = core.memory;
  const bytes = new Uint8Array(pages * 8);
  const view = viewOf(bytes);
  const end = start + pages * PAGE_SIZE;
  for (let at = start; (at = core.table.nextTable(at, end)) < end; at += PAGE_SIZE) {
    const low = words[core.table.entry(at)] as number;
    const area = core.vmas.find(at);
    if ((low & PTE_PRESENT) === 0 || area === undefined) continue;
    const { isCached, mappings } = pageUse(core, area, low);
    const isAlone = low >>> 12 !== zeroFrame && mappings === 1;
    const high = PAGEMAP_PRESENT + (isCached ? PAGEMAP_FILE : 0) + (isAlone ? PAGEMAP_EXCLUSIVE : 0);
    view.setUint32(((at - start) / PAGE_SIZE) * 8 + 4, high, true);
  }
  return bytes;
}
