// SPDX-License-Identifier: MIT
//
// The bytes that may change while they are executed: where they are, and which bits of a footprint stand for them and
// for everything else in memory.

import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { hotSegments, MAX_HOT_BITS, segmentAt } from './fetch.ts';
import type { HotRange, HotSegment } from './fetch.ts';
import { readSpace } from './space.ts';
import type { Space } from './state.ts';

/** Bits of a footprint above the hot bytes. */
export const Touch = {
  lock: 1 << 21,
  /** Records of the trap table, and what scenarios note. */
  records: 1 << 22,
  /** What processors have fetched. */
  processors: 1 << 23,
  standstill: 1 << 24,
  /** Bytes that are not hot: pages take turns at these bits. */
  memory: 0x7e000000,
} as const;

const FIRST_MEMORY_BIT = 25;
const MEMORY_BITS = 6;
const ANY = PROT_READ | PROT_EXEC;

export class HotBytes {
  readonly segments: readonly HotSegment[];
  /** Bits of all hot bytes. */
  readonly all: number;
  readonly #pageBits = new Map<number, number>();

  constructor(ranges: readonly HotRange[], granule: number) {
    this.segments = hotSegments(ranges, granule);
    this.all = this.segments.reduce((bits, s) => bits | this.bits(s.address, s.length), 0);
  }

  touches(address: number, length: number): boolean {
    return this.segments.some((s) => address < s.address + s.length && address + length > s.address);
  }

  /** Index of the hot byte at an address, -1 where it is not hot. */
  indexOf(address: number): number {
    const segment = this.segments[segmentAt(this.segments, address)];
    return segment === undefined ? -1 : segment.first + address - segment.address;
  }

  /** Bits of the hot bytes in a range. */
  bits(address: number, length: number): number {
    let bits = 0;
    for (let i = 0; i < length; i++) {
      const index = this.indexOf(address + i);
      if (index >= 0) bits |= 1 << Math.min(index, MAX_HOT_BITS);
    }
    return bits;
  }

  /** Indexes of the hot bytes that a store changes. */
  changedBy(space: Space, address: number, bytes: Uint8Array): number[] {
    const out: number[] = [];
    for (let i = 0; i < bytes.length; i++) {
      const index = this.indexOf(address + i);
      if (index >= 0 && readSpace(space, address + i, 1, ANY)[0] !== bytes[i]) out.push(index);
    }
    return out;
  }

  /** Bits of the hot bytes that differ between two states of a space, mapped or not included. */
  difference(before: Space, now: Space): number {
    let bits = 0;
    for (const s of this.segments) {
      const a = readSpace(before, s.address, s.length, PROT_EXEC);
      const b = readSpace(now, s.address, s.length, PROT_EXEC);
      for (let i = 0; i < s.length; i++) if (a[i] !== b[i]) bits |= 1 << Math.min(s.first + i, MAX_HOT_BITS);
    }
    return bits;
  }

  /** Bits for the pages of a range, as far as it is not hot. */
  memoryBits(address: number, length: number): number {
    let bits = 0;
    for (let page = pageDown(address); page < address + length; page += PAGE_SIZE) {
      const from = Math.max(page, address);
      const to = Math.min(page + PAGE_SIZE, address + length);
      let isHot = true;
      for (let at = from; at < to && isHot; at++) isHot = this.indexOf(at) >= 0;
      if (isHot) continue;
      let bit = this.#pageBits.get(page);
      if (bit === undefined) {
        bit = 1 << (FIRST_MEMORY_BIT + (this.#pageBits.size % MEMORY_BITS));
        this.#pageBits.set(page, bit);
      }
      bits |= bit;
    }
    return bits;
  }
}
