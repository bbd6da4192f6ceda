// SPDX-License-Identifier: MIT
//
// Pages that the platform maps into a guest's tables beyond the guest's own range: its stub code and records.
// No area knows of them, so nothing that the guest calls can change them.

import type { Addr, PhysAddr } from '../base/addr.ts';
import { PAGE_SIZE } from '../base/addr.ts';
import { invariant } from '../base/errors.ts';
import { savable } from '../base/savable.ts';
import { PTE_ACCESSED, PTE_DIRTY, PTE_NX_HIGH, PTE_PRESENT, PTE_USER, PTE_WRITE } from './page-table.ts';
import { FRAME_EXECUTED } from './physical-memory.ts';
import type { SpaceCore } from './space-core.ts';

/** The platform's pages of one address space. @internal */
export class StubPages {
  private readonly core: SpaceCore;
  private readonly mapped = new Set<Addr>();

  constructor(core: SpaceCore) {
    this.core = core;
  }

  map(addr: Addr, page: PhysAddr, writable: boolean, executable: boolean): boolean {
    const { memory, table, layout } = this.core;
    invariant(addr >= layout.end && addr % PAGE_SIZE === 0, () => 'stub pages lie beyond the guest range');
    const entry = table.ensure(addr);
    if (entry === 0) return false;
    this.unmap(addr);
    const frame = page / PAGE_SIZE;
    memory.retain(frame);
    memory.words[entry] =
      (frame << 12) | PTE_PRESENT | PTE_USER | PTE_ACCESSED | (writable ? PTE_WRITE | PTE_DIRTY : 0);
    memory.words[entry + 1] = executable ? 0 : PTE_NX_HIGH;
    if (executable) memory.flags[frame] = (memory.flags[frame] as number) | FRAME_EXECUTED;
    this.mapped.add(addr);
    return true;
  }

  unmap(addr: Addr): void {
    if (!this.mapped.delete(addr)) return;
    const { memory, table } = this.core;
    const entry = table.entry(addr);
    const frame = (memory.words[entry] as number) >>> 12;
    memory.words[entry] = 0;
    memory.words[entry + 1] = 0;
    memory.release(frame);
    memory.mmu.flushTlb();
  }

  dispose(): void {
    for (const addr of [...this.mapped]) this.unmap(addr);
  }
}

savable('mm/stub-pages', { StubPages });
