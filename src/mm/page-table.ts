// SPDX-License-Identifier: MIT
//
// The user half of one 4-level page table in the arena (SDM vol. 3, 4.5). Entries are two u32 halves: frames lie
// below 4 GiB, so the high half of a leaf holds only NX. Finds, creates and frees tables; what entries say is
// the pager's business. An entry whose PRESENT bit is clear may still hold a frame (PROT_NONE).

import { PAGE_SIZE, type PhysAddr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import type { PhysicalMemory } from './physical-memory.ts';

export const PTE_PRESENT = 0x1;
export const PTE_WRITE = 0x2;
export const PTE_USER = 0x4;
export const PTE_ACCESSED = 0x20;
export const PTE_DIRTY = 0x40;
/** Bit 63, in the high half. */
export const PTE_NX_HIGH = 0x80000000;

const TABLE_BITS = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED;
const GIB = 2 ** 30;
const LEAF_SPAN = 2 ** 21;
/** Bytes that one entry covers, by level: 1 is a page. */
const SPAN = [0, PAGE_SIZE, LEAF_SPAN, GIB, 2 ** 39] as const;
const USER_ROOT_ENTRIES = 256;

/** One address space's tables. */
export class PageTable {
  root: PhysAddr;
  private readonly memory: PhysicalMemory;
  private readonly words: Uint32Array;
  /** The last leaf table found: (address / 2 MiB) and its first word. */
  private lastKey = -1;
  private lastLeaf = 0;
  private tables = 1;

  /** @param rootFrame a fresh table frame with one reference, which this object takes over */
  constructor(memory: PhysicalMemory, rootFrame: number) {
    this.memory = memory;
    this.words = memory.words;
    this.root = rootFrame * PAGE_SIZE;
    memory.mmu.initRoot(this.root);
  }

  /** Leads nowhere from now on: the table of a space that is gone, in a restored machine. @internal */
  retire(): void {
    this.root = this.memory.zeroFrame * PAGE_SIZE;
  }

  /** Frames used by tables, the root included. */
  get tableCount(): number {
    return this.tables;
  }

  // Bits 12 to 20 of an address, times two, are the place of its entry in a leaf table, counted in words.

  /** Index of the low word of the entry for `address`, or 0 when its table does not exist. */
  entry(address: number): number {
    const key = Math.floor(address / LEAF_SPAN);
    if (key === this.lastKey) return this.lastLeaf + ((address >>> 11) & 0x3fe);
    return this.walk(address, key, false);
  }

  /** As `entry`, but makes missing tables; 0 when memory is out. */
  ensure(address: number): number {
    const key = Math.floor(address / LEAF_SPAN);
    if (key === this.lastKey) return this.lastLeaf + ((address >>> 11) & 0x3fe);
    return this.walk(address, key, true);
  }

  /** The first page address at or after `from` whose leaf table exists, or `end`. Skips whole absent subtrees. */
  nextTable(from: number, end: number): number {
    // The usual case when a loop goes from page to page.
    if (from < end && Math.floor(from / LEAF_SPAN) === this.lastKey) return from;
    const words = this.words;
    let at = from;
    while (at < end) {
      let table = this.root / 4;
      let level = 4;
      for (; level > 1; level--) {
        const span = SPAN[level] as number;
        const low = words[table + (Math.floor(at / span) % 512) * 2] as number;
        if ((low & PTE_PRESENT) === 0) {
          at = (Math.floor(at / span) + 1) * span;
          break;
        }
        table = (low >>> 12) * (PAGE_SIZE / 4);
      }
      if (level === 1) return at;
    }
    return end;
  }

  /**
   * Frees the tables that lie wholly in [start, end); their leaf entries must be empty by now.
   * The caller flushes the TLB.
   */
  prune(start: number, end: number): void {
    if (Math.ceil(start / LEAF_SPAN) * LEAF_SPAN + LEAF_SPAN > end) return;
    this.lastKey = -1;
    this.pruneLevel(this.root / 4, 4, 0, start, end);
  }

  /** Frees every table, the root included. Frames that entries name must have been released before. */
  dispose(): void {
    this.lastKey = -1;
    const words = this.words;
    const table = this.root / 4;
    for (let i = 0; i < USER_ROOT_ENTRIES; i++) {
      const low = words[table + i * 2] as number;
      if ((low & PTE_PRESENT) !== 0) this.freeSubtree(low >>> 12, 3);
    }
    this.memory.release(this.root / PAGE_SIZE);
    this.tables--;
  }

  private walk(address: number, key: number, create: boolean): number {
    const words = this.words;
    const gib = Math.floor(address / GIB);
    // Integer operators see the low 32 bits, which is what the lower levels need, and far faster than a remainder.
    const inGib = address & (GIB - 1);
    let table = this.root / 4;
    let slot = table + (gib >>> 9) * 2;
    for (let level = 4; level > 1; level--) {
      if (level === 3) slot = table + (gib & 511) * 2;
      else if (level === 2) slot = table + (inGib >>> 21) * 2;
      let low = words[slot] as number;
      if ((low & PTE_PRESENT) === 0) {
        if (!create) return 0;
        const frame = this.memory.allocateTable();
        if (frame === 0) return 0;
        this.tables++;
        words[slot] = (frame << 12) | TABLE_BITS;
        words[slot + 1] = 0;
        low = words[slot] as number;
      }
      table = (low >>> 12) * (PAGE_SIZE / 4);
    }
    this.lastKey = key;
    this.lastLeaf = table;
    return table + ((inGib >>> 11) & 0x3fe);
  }

  private pruneLevel(table: number, level: number, base: number, start: number, end: number): void {
    const words = this.words;
    const span = SPAN[level] as number;
    const entries = level === 4 ? USER_ROOT_ENTRIES : 512;
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(entries - 1, Math.floor((end - 1 - base) / span));
    for (let i = first; i <= last; i++) {
      const low = words[table + i * 2] as number;
      if ((low & PTE_PRESENT) === 0) continue;
      const from = base + i * span;
      if (from >= start && from + span <= end) {
        words[table + i * 2] = 0;
        this.freeSubtree(low >>> 12, level - 1);
      } else if (level > 2) {
        this.pruneLevel((low >>> 12) * (PAGE_SIZE / 4), level - 1, from, start, end);
      }
    }
  }

  private freeSubtree(frame: number, level: number): void {
    if (level > 1) {
      const table = frame * (PAGE_SIZE / 4);
      for (let i = 0; i < 512; i++) {
        const low = this.words[table + i * 2] as number;
        if ((low & PTE_PRESENT) !== 0) this.freeSubtree(low >>> 12, level - 1);
      }
    }
    this.memory.release(frame);
    this.tables--;
  }
}

savable('mm/page-table', { PageTable }, { transient: { lastKey: () => -1, lastLeaf: () => 0 } });
