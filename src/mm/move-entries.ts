// SPDX-License-Identifier: MIT
//
// Moves page-table entries to another address for mremap. Models Linux's move_page_tables.

import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import { PTE_DIRTY, PTE_WRITE } from './page-table.ts';
import { FRAME_EXECUTED } from './physical-memory.ts';
import type { SpaceCore } from './space-core.ts';

/**
 * Moves the entries of [from, from+length) to `to`.
 * @returns false when memory for tables is out; everything is then back where it was
 * @internal
 */
export function moveEntries(core: SpaceCore, from: Addr, length: number, to: Addr): boolean {
  const { memory, table } = core;
  const { words, flags } = memory;
  const end = from + length;
  // Tables first: from here on nothing can fail.
  for (let at = table.nextTable(from, end); at < end; at = table.nextTable(at + PAGE_SIZE, end)) {
    if (words[table.entry(at)] !== 0 && table.ensure(to + (at - from)) === 0) return false;
  }
  for (let at = table.nextTable(from, end); at < end; at = table.nextTable(at + PAGE_SIZE, end)) {
    const source = table.entry(at);
    let low = words[source] as number;
    if (low === 0) continue;
    const entry = table.entry(to + (at - from));
    const high = words[source + 1] as number;
    const frame = low >>> 12;
    words[source] = 0;
    words[source + 1] = 0;
    // Stores through the new address would not be seen by code that was executed at the old one, and the other way
    // round: start as read-only, and let the write fault drop what was translated.
    if (((flags[frame] as number) & FRAME_EXECUTED) !== 0) low &= ~(PTE_WRITE | PTE_DIRTY);
    words[entry] = low;
    words[entry + 1] = high;
  }
  memory.mmu.flushTlb();
  return true;
}
