// SPDX-License-Identifier: MIT
//
// A copy of what an address space holds, to be held against the same moment of another run, byte by byte.

import { PAGE_SIZE } from '../../base/addr.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import { TABLE_NAME } from '../../usertrap/layout.ts';
import { isZero, readUnpatched, sitesByPage } from './memory-image.ts';

/** Pages of a snapshot: 64 MiB. What lies higher is not looked at. */
const MAX_PAGES = 16384;
/** Ranges of differing bytes that are listed. */
const MAX_RANGES = 16;
/** Bytes of a range that are shown. */
const MAX_SHOWN = 32;

/** Bytes that differ between two runs. */
export interface DifferingBytes {
  readonly address: number;
  /** How many differ in a row. */
  readonly length: number;
  /** The first of them, as they are with patching off and as they were found. */
  readonly expected: Uint8Array;
  readonly found: Uint8Array;
  /** Name of the area: a file's, `[stack]`, … */
  readonly area: string;
}

const ZEROES = new Uint8Array(PAGE_SIZE);

/** Pages of programs' own memory by address; pages of zeroes are left out. */
export class MemorySnapshot {
  private readonly pages = new Map<number, Uint8Array>();

  constructor(mm: AddressSpace) {
    eachOwnPage(mm, [], (page, bytes) => {
      if (this.pages.size < MAX_PAGES) this.pages.set(page, bytes.slice());
    });
  }

  /** Where `mm` holds something else; patched sites, of the addresses given, count with their original bytes. */
  differences(mm: AddressSpace, sites: readonly number[]): DifferingBytes[] {
    const ranges: DifferingBytes[] = [];
    const seen = new Set<number>();
    const compare = (page: number, expected: Uint8Array, found: Uint8Array): void => {
      for (let at = 0; at < PAGE_SIZE && ranges.length < MAX_RANGES; at++) {
        if (expected[at] === found[at]) continue;
        let end = at + 1;
        while (end < PAGE_SIZE && expected[end] !== found[end]) end++;
        const vma = mm.findVma(page);
        ranges.push({
          address: page + at,
          length: end - at,
          expected: expected.slice(at, Math.min(end, at + MAX_SHOWN)),
          found: found.slice(at, Math.min(end, at + MAX_SHOWN)),
          area: vma === undefined ? '' : vma.name,
        });
        at = end;
      }
    };
    eachOwnPage(mm, sites, (page, bytes) => {
      seen.add(page);
      const expected = this.pages.get(page);
      if (expected !== undefined) compare(page, expected, bytes);
      else if (this.pages.size < MAX_PAGES) compare(page, filePage(mm, page) ?? ZEROES, bytes);
    });
    for (const [page, expected] of this.pages) {
      if (seen.has(page) || mm.findVma(page) === undefined) continue;
      const found = new Uint8Array(PAGE_SIZE);
      if (mm.copyIn(page, found, true) === PAGE_SIZE) compare(page, expected, found);
    }
    return ranges.sort((a, b) => a.address - b.address);
  }
}

/** What a page that has become the program's own held before: the file's bytes; undefined where no file is mapped. */
function filePage(mm: AddressSpace, page: number): Uint8Array | undefined {
  const vma = mm.findVma(page);
  if (vma?.file === undefined || vma.shared) return undefined;
  const bytes = new Uint8Array(PAGE_SIZE);
  vma.file.readPage((vma.offset + page - vma.start) / PAGE_SIZE, bytes);
  return bytes;
}

function eachOwnPage(
  mm: AddressSpace,
  sites: readonly number[],
  visit: (page: number, bytes: Uint8Array) => void,
): void {
  const patched = sitesByPage(sites);
  const buffer = new Uint8Array(PAGE_SIZE);
  for (const vma of mm.vmas()) {
    if (vma.name === TABLE_NAME) continue;
    mm.visitResident(vma.start, vma.end, (page, frame, isOwn) => {
      if (!isOwn && !vma.shared) return;
      const here = patched.get(page);
      if (here === undefined) {
        if (!isZero(frame)) visit(page, frame);
        return;
      }
      readUnpatched(mm, frame, page, here, buffer);
      visit(page, buffer);
    });
  }
}
