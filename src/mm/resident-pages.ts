// SPDX-License-Identifier: MIT
//
// Looks at the pages that an address space has in memory, without bringing any in.

import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import { FRAME_CACHED } from './physical-memory.ts';
import type { SpaceCore } from './space-core.ts';

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
