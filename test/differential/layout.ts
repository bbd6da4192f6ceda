// SPDX-License-Identifier: MIT
//
// The address space that a sequence sees on both sides: which pages exist, where, with which rights, and
// what they hold before a case pokes its own values in. Gaps between pages are absent on purpose.

import { PAGE_SIZE } from '../../src/base/addr.ts';
import { Prng } from '../../src/base/prng.ts';

export interface LayoutPage {
  readonly name: string;
  readonly address: number;
  readonly writable: boolean;
  readonly executable: boolean;
}

const page = (name: string, address: number, rights: 'r' | 'rw' | 'rx'): LayoutPage => ({
  name,
  address,
  writable: rights === 'rw',
  executable: rights === 'rx',
});

/** KEEP IN SYNC: test/differential/native/helper.c pages (same order: an image holds the pages one after the other). */
export const PAGES: readonly LayoutPage[] = [
  page('code0', 0x40000000, 'rx'),
  page('code1', 0x40001000, 'rx'),
  page('after-code', 0x40002000, 'rw'),
  page('code-alone', 0x40007000, 'rx'),
  page('data0', 0x50001000, 'rw'),
  page('data1', 0x50002000, 'rw'),
  page('read-only', 0x50003000, 'r'),
  page('data-alone', 0x50005000, 'rw'),
  page('stack', 0x50009000, 'rw'),
  page('high', 0x7e5500007000, 'rw'),
];

const byName = new Map(PAGES.map((p) => [p.name, p.address]));

/** Address of a page by name. */
export function pageAddress(name: string): number {
  const address = byName.get(name);
  if (address === undefined) throw new RangeError(`no page ${name}`);
  return address;
}

/** The page that holds an address, as an index into PAGES, or -1. */
export function pageIndexOf(address: number): number {
  for (let i = 0; i < PAGES.length; i++) {
    const start = PAGES[i]?.address ?? 0;
    if (address >= start && address < start + PAGE_SIZE) return i;
  }
  return -1;
}

/** True when every byte of the range is in some page. */
export function isMapped(address: number, length: number): boolean {
  return pageIndexOf(address) >= 0 && pageIndexOf(address + length - 1) >= 0;
}

const FLOAT_PATTERNS = [
  0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0x00000001,
  0x807fffff, 0x00800000, 0x7f7fffff,
];

/** Contents before every case: int3 in code pages, elsewhere a fixed mixture of random bytes and IEEE special values. */
export function baseImage(): Uint8Array {
  const image = new Uint8Array(PAGES.length * PAGE_SIZE);
  const words = new Uint32Array(image.buffer);
  const prng = new Prng(0x7261706c);
  PAGES.forEach((p, index) => {
    const first = (index * PAGE_SIZE) / 4;
    for (let i = 0; i < PAGE_SIZE / 4; i++) {
      if (p.executable) words[first + i] = 0xcccccccc;
      else if (prng.below(4) === 0) words[first + i] = FLOAT_PATTERNS[prng.below(FLOAT_PATTERNS.length)] ?? 0;
      else words[first + i] = prng.u32();
    }
  });
  return image;
}

const IMAGE_WORDS = new BigUint64Array(baseImage().buffer);

/** An aligned word of the base image. */
export function baseWord(address: number): bigint {
  return IMAGE_WORDS[(pageIndexOf(address) * PAGE_SIZE + (address % PAGE_SIZE)) / 8] ?? 0n;
}
