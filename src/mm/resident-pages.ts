// SPDX-License-Identifier: MIT
//
// Looks at the pages that an address space has in memory, without bringing any in.

import { PROT_EXEC } from '../abi/mman.ts';
import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import { PTE_DIRTY } from './page-table.ts';
import { FRAME_CACHED } from './physical-memory.ts';
import type { SpaceCore } from './space-core.ts';
import type { MappedArea } from './vma.ts';

/** What /proc tells of a page. */
export interface PageUse {
  /** It is its file's, or shared memory. */
  readonly isCached: boolean;
  readonly isDirty: boolean;
  /** Entries of page tables that map it: 1 at least. */
  readonly mappings: number;
}

const CODE: PageUse = { isCached: true, isDirty: false, mappings: 1 };

/**
 * The use of a page that is present.
 * @param low low word of its entry
 * @internal
 */
export function pageUse({ memory }: SpaceCore, area: MappedArea, low: number): PageUse {
  const { hiddenArea, flags, refs } = memory;
  // Where the trap table is hidden, so is that patching makes private copies of pages of code.
  const isCode = area.pages !== null && !area.shared && (area.prot & PROT_EXEC) !== 0;
  if (hiddenArea !== null && isCode) return CODE;
  const frame = low >>> 12;
  const isCached = ((flags[frame] as number) & FRAME_CACHED) !== 0;
  // The page cache's own reference is no mapping.
  const mappings = Math.max(1, (refs[frame] as number) - (isCached ? 1 : 0));
  return { isCached, isDirty: !isCached || (low & PTE_DIRTY) !== 0, mappings };
}

/**
 * Called with a page's address and its bytes in the arena: read them at once.
 * `isOwn`: the page is not a file's.
 */
export type ResidentVisitor = (page: Addr, bytes: Uint8Array, isOwn: boolean) => void;

/** Visits every page of [start, end) that is in memory, in order. @internal */
export function visitResident(core: SpaceCore, start: Addr, end: Addr, visit: ResidentVisitor): void {
  const { words, flags, bytes, zeroFrame } = core.memory;
  for (let at = start; (at = core.table.nextTable(at, end)) < end; at += PAGE_SIZE) {
    const frame = (words[core.table.entry(at)] as number) >>> 12;
    if (frame === 0 || frame === zeroFrame) continue;
    const isOwn = ((flags[frame] as number) & FRAME_CACHED) === 0;
    visit(at, bytes.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE), isOwn);
  }
}
