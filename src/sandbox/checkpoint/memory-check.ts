// SPDX-License-Identifier: MIT
//
// Whether the memory of a restored machine is sound: page tables reach nothing but frames that guests may have, and each
// frame has as many references as there are things that refer to it. A file that lies about it could otherwise map page
// tables or the engine's own frames into a guest.

import { PAGE_SIZE } from '../../base/addr.ts';
import type { PhysicalMemory } from '../../mm/address-space.ts';
import { PTE_NX_HIGH, PTE_PRESENT, PTE_WRITE } from '../../mm/page-table.ts';
import { FRAME_TABLE } from '../../mm/physical-memory.ts';
import { corrupt } from './bytes.ts';

const ENTRIES = 512;
const LEVELS = 4;
/** The entry of a root that belongs to the engine. */
const KERNEL_SLOT = 256;
/** Bit 7 of an entry above the last level: a large page. */
const LARGE = 0x80;

/** What holds frames, one reference for each time it is named. */
export interface FrameHolders {
  /** Physical addresses of the roots of all page tables. */
  readonly roots: Iterable<number>;
  /** Frame numbers. */
  readonly frames: Iterable<number>;
  /** Records that the machine keeps in guest memory. */
  readonly views: Iterable<ArrayBufferView>;
}

/** @throws TraplineError `CHECKPOINT_CORRUPT` */
export function checkMemory(memory: PhysicalMemory, { roots, frames, views }: FrameHolders): void {
  const { first, next } = memory.extent();
  const counts = new Uint32Array(memory.refs.length);
  const hold = (frame: number): void => {
    if (!Number.isInteger(frame) || frame < first || frame >= next) throw corrupt(`frame ${frame} is nobody's`);
    counts[frame] = (counts[frame] as number) + 1;
  };
  const isTable = (frame: number): boolean => ((memory.flags[frame] as number) & FRAME_TABLE) !== 0;
  const walk = (table: number, level: number): void => {
    hold(table);
    if (!isTable(table) || counts[table] !== 1) throw corrupt(`frame ${table} is no page table of its own`);
    for (let i = 0; i < ENTRIES; i++) {
      const at = (table * PAGE_SIZE) / 4 + 2 * i;
      const low = memory.words[at] as number;
      const high = memory.words[at + 1] as number;
      if (level === LEVELS && i >= KERNEL_SLOT) {
        if (i > KERNEL_SLOT && (low | high) !== 0) throw corrupt('a page table reaches into the engine');
        continue;
      }
      if (low === 0 && high === 0) continue;
      if ((high & ~PTE_NX_HIGH) !== 0) throw corrupt('a page table reaches beyond memory');
      const frame = low >>> 12;
      if (level > 1) {
        if ((low & PTE_PRESENT) === 0 || (low & LARGE) !== 0) throw corrupt('a page table has an entry of no kind');
        walk(frame, level - 1);
      } else if (low !== 0) {
        if (frame === memory.zeroFrame) {
          if ((low & PTE_WRITE) !== 0) throw corrupt('the page of zeros can be written');
          continue;
        }
        hold(frame);
        if (isTable(frame)) throw corrupt('a page table is mapped');
      }
    }
  };
  for (const root of roots) walk(root / PAGE_SIZE, LEVELS);
  for (const frame of frames) hold(frame);
  for (const { byteOffset, byteLength } of views) {
    for (let at = byteOffset; at < byteOffset + byteLength; at += PAGE_SIZE) {
      const frame = Math.floor(at / PAGE_SIZE);
      if (frame <= first || frame >= next || isTable(frame)) throw corrupt('a record lies where none can be');
    }
  }
  for (let frame = first + 1; frame < next; frame++) {
    if (counts[frame] !== memory.refs[frame]) {
      throw corrupt(`frame ${frame} is held ${counts[frame]} times, not ${memory.refs[frame]} times`);
    }
  }
}
