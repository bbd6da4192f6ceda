// SPDX-License-Identifier: MIT
//
// What an address space holds when it ends: a hash for each area, one for each page of code. The trap table is left
// out, and patched sites count with the bytes that they had (oracle: memory equal but for the patched bytes).

import { PROT_EXEC } from '../../abi/mman.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import { SITE_BYTES } from '../../isa/syscall-site.ts';
import {
  jumpOperand,
  looksPatched,
  originalBytes,
  readTrap,
  TABLE_NAME,
  TRAP_USED_BYTES,
} from '../../usertrap/layout.ts';
import { HashChain } from './hash-chain.ts';

/** One area, hashed. */
export interface AreaImage {
  readonly start: number;
  readonly end: number;
  readonly hash: number;
}

export interface MemoryImage {
  readonly areas: readonly AreaImage[];
  /** Hashes of resident pages of executable areas. */
  readonly code: ReadonlyMap<number, number>;
}

/**
 * Copies a page as it would be without patches.
 * @param page its address
 * @param sites addresses of sites that some process had patched
 */
export function readUnpatched(
  mm: AddressSpace,
  frame: Uint8Array,
  page: number,
  sites: readonly number[],
  into: Uint8Array,
): void {
  into.set(frame);
  for (const site of sites) {
    if (site + SITE_BYTES <= page || site >= page + PAGE_SIZE) continue;
    const original = originalOf(mm, site);
    if (original === undefined) continue;
    for (let i = 0; i < SITE_BYTES; i++) {
      const at = site + i - page;
      if (at >= 0 && at < PAGE_SIZE) into[at] = original[i] as number;
    }
  }
}

/** What a patched site was before, as its slot tells; undefined when it is not patched here, or its slot is gone. */
function originalOf(mm: AddressSpace, site: number): Uint8Array | undefined {
  const now = new Uint8Array(SITE_BYTES);
  if (mm.copyIn(site, now, true) !== SITE_BYTES || !looksPatched(now)) return undefined;
  const slot = jumpOperand(now);
  const body = new Uint8Array(TRAP_USED_BYTES);
  if (mm.copyIn(slot, body, true) !== TRAP_USED_BYTES) return undefined;
  const trap = readTrap(body, slot);
  return trap === undefined || trap.returnAddress !== site + SITE_BYTES ? undefined : originalBytes(trap.sysno);
}

/** Sites by the pages that they touch. */
export function sitesByPage(sites: readonly number[]): Map<number, number[]> {
  const pages = new Map<number, number[]>();
  for (const site of sites) {
    for (const at of [site, site + SITE_BYTES - 1]) {
      const page = at - (at % PAGE_SIZE);
      const list = pages.get(page);
      if (list === undefined) pages.set(page, [site]);
      else if (!list.includes(site)) list.push(site);
    }
  }
  return pages;
}

/** Hashes an address space. */
export function takeMemoryImage(mm: AddressSpace, sites: readonly number[]): MemoryImage {
  const patched = sitesByPage(sites);
  const code = new Map<number, number>();
  const areas: AreaImage[] = [];
  const buffer = new Uint8Array(PAGE_SIZE);
  for (const vma of mm.vmas()) {
    if (vma.name === TABLE_NAME) continue;
    const area = new HashChain();
    mm.visitResident(vma.start, vma.end, (page, frame, isOwn) => {
      const here = patched.get(page);
      let bytes = frame;
      if (here !== undefined) {
        readUnpatched(mm, frame, page, here, buffer);
        bytes = buffer;
      }
      if ((vma.prot & PROT_EXEC) !== 0) {
        const hash = new HashChain();
        hash.bytes(bytes);
        code.set(page, hash.value);
      } else if ((isOwn || vma.shared) && !isZero(bytes)) {
        area.number(page);
        area.bytes(bytes);
      }
    });
    areas.push({ start: vma.start, end: vma.end, hash: area.value });
  }
  return { areas, code };
}

/** Pages of code count where both images have them: the patcher reads some that the program does not touch. */
export function equalImages(a: MemoryImage, b: MemoryImage): boolean {
  if (a.areas.length !== b.areas.length) return false;
  for (const [i, area] of a.areas.entries()) {
    const other = b.areas[i];
    if (other === undefined || other.start !== area.start || other.end !== area.end || other.hash !== area.hash)
      return false;
  }
  for (const [page, hash] of a.code) {
    const other = b.code.get(page);
    if (other !== undefined && other !== hash) return false;
  }
  return true;
}

export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}
