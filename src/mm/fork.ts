// SPDX-License-Identifier: MIT
//
// Copies an address space for fork: areas, and the entries of private memory with write permission taken away on
// both sides. Shared memory is faulted in again from its cache. Models Linux's dup_mmap and copy_page_range.

import { PAGE_SIZE } from '../base/addr.ts';
import { PTE_DIRTY, PTE_WRITE } from './page-table.ts';
import { MAX_AREAS, SpaceCore } from './space-core.ts';
import { VMA_DONTFORK, VMA_LOCK_ON_FAULT, VMA_LOCKED, VMA_WIPEONFORK, type MappedArea } from './vma.ts';

/** The child's state, or undefined when memory is out. @internal */
export function forkCore(parent: SpaceCore): SpaceCore | undefined {
  const { memory } = parent;
  parent.countAreas();
  if (memory.areas + parent.vmas.items.length > MAX_AREAS) return undefined;
  const rootFrame = memory.allocateTable();
  if (rootFrame === 0) return undefined;
  const child = new SpaceCore(memory, rootFrame, { ...parent.layout }, { ...parent.limits });
  child.brkStart = parent.brkStart;
  child.brk = parent.brk;
  child.dataSegmentBytes = parent.dataSegmentBytes;
  child.stackStart = parent.stackStart;
  let complete = true;
  for (const area of parent.vmas.items) {
    if ((area.flags & VMA_DONTFORK) !== 0) continue;
    const copy = area.slice(area.start, area.end);
    // Locks are not inherited: fork(2).
    copy.flags &= ~(VMA_LOCKED | VMA_LOCK_ON_FAULT);
    if (copy.family !== 0) copy.family = child.foundFamily();
    child.addArea(copy);
    if (area.shared || (area.flags & VMA_WIPEONFORK) !== 0) continue;
    complete = copyEntries(parent, child, area);
    if (!complete) break;
  }
  memory.mmu.flushTlb();
  child.countAreas();
  if (complete) return child;
  child.removeRange(0, Infinity);
  child.countAreas();
  child.table.dispose();
  return undefined;
}

function copyEntries(parent: SpaceCore, child: SpaceCore, area: MappedArea): boolean {
  const { memory } = parent;
  const { words } = memory;
  const { end } = area;
  for (let at = parent.table.nextTable(area.start, end); at < end; at = parent.table.nextTable(at + PAGE_SIZE, end)) {
    const entry = parent.table.entry(at);
    const low = words[entry] as number;
    if (low === 0) continue;
    const target = child.table.ensure(at);
    if (target === 0) return false;
    const frame = low >>> 12;
    const readOnly = low & ~(PTE_WRITE | PTE_DIRTY);
    words[entry] = readOnly;
    words[target] = readOnly;
    words[target + 1] = words[entry + 1] as number;
    memory.retain(frame);
    if (frame !== memory.zeroFrame) child.countResident();
  }
  return true;
}
