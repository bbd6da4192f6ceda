// SPDX-License-Identifier: MIT
//
// Reading and changing the address spaces of a state, as values.

import { PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { invariant } from '../../base/errors.ts';
import type { Local, Page, Shared, Space } from './state.ts';

/** The address space of an actor. */
export function spaceOf(shared: Shared, local: Local): Space {
  const space = shared.spaces[local.space];
  invariant(space !== undefined, () => `there is no address space ${local.space}`);
  return space;
}

export function withSpace(shared: Shared, index: number, space: Space): Shared {
  return { ...shared, spaces: shared.spaces.map((s, i) => (i === index ? space : s)) };
}

/** An address space with these pages in which nothing was patched. */
export function freshSpace(like: Space, pages: ReadonlyMap<number, Page>): Space {
  const versions = like.versions.map(() => 0);
  return { ...like, pages, next: 0, base: 0, freed: 0, inSlots: 0, tracees: 0, versions, published: versions };
}

/** For {@link readSpace}: whatever the guest may do with a page. */
export const FORCED = -1;

/** Bytes of a space from `address` on, as far as pages with one of the PROT_ bits of `prot` go. */
export function readSpace(space: Space, address: number, length: number, prot: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const at = address + done;
    const page = space.pages.get(pageDown(at));
    if (page === undefined || (prot !== FORCED && (page.prot & prot) === 0)) return out.subarray(0, done);
    const offset = at % PAGE_SIZE;
    const n = Math.min(length - done, PAGE_SIZE - offset);
    out.set(page.content.bytes.subarray(offset, offset + n), done);
    done += n;
  }
  return out;
}

/** What differs between two states of a space that have the same pages: runs of bytes as they are now. */
export function changedRuns(before: Space, now: Space): { address: number; bytes: Uint8Array }[] {
  const runs: { address: number; bytes: Uint8Array }[] = [];
  for (const [address, page] of now.pages) {
    const [was, is] = [before.pages.get(address)?.content.bytes, page.content.bytes];
    if (was === undefined || was === is) continue;
    for (let from = 0; from < PAGE_SIZE; from++) {
      let to = from;
      while (to < PAGE_SIZE && was[to] !== is[to]) to++;
      if (to > from) runs.push({ address: address + from, bytes: is.slice(from, to) });
      from = to;
    }
  }
  return runs;
}

/** The page at an address is one that several actors may write, and allows the access. */
export function isOpenTo(space: Space, address: number, isWrite: boolean): boolean {
  const page = space.pages.get(pageDown(address));
  if (page === undefined || (page.prot & PROT_WRITE) === 0) return false;
  return isWrite || (page.prot & PROT_READ) !== 0;
}

/** The first page of a range that is mapped only when it is next used. */
export function hiddenPage(space: Space, address: number, length: number): number | undefined {
  for (let page = pageDown(address); page < address + length; page += PAGE_SIZE)
    if (space.pages.get(page)?.isHidden === true) return page;
  return undefined;
}

/** The first page of a range whose next store breaks copy-on-write. */
export function cowPage(space: Space, address: number, length: number): number | undefined {
  for (let page = pageDown(address); page < address + length; page += PAGE_SIZE)
    if (space.pages.get(page)?.isCow === true) return page;
  return undefined;
}
