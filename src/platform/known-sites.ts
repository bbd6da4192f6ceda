// SPDX-License-Identifier: MIT
//
// Sites in code of files that some process has had patched: another process of the same user that maps the page finds it
// patched. Nothing of gVisor's is modelled here, whose processes each start anew after execve.

import { savable } from '../base/savable.ts';
import { originalBytes } from '../usertrap/layout.ts';

/** A site in a page of code. */
export interface KnownSite {
  readonly offset: number;
  readonly sysno: number;
  /** The seven bytes that the file has there. */
  readonly original: Uint8Array;
}

/** The sites of a page, for the processes of one user. */
interface KnownPage {
  /** @see GuestContext.trust */
  readonly trust: number;
  readonly sites: KnownSite[];
}

/** A guest that makes and maps files without end must not fill the host's memory. */
const MAX_SITES = 16_384;

/** Known sites of one machine. */
export class KnownSites {
  /** Where tables lie, if they can; 0 before the first. */
  base = 0;
  /** By the frame of the page cache. */
  private readonly pages = new Map<number, KnownPage[]>();
  private count = 0;
  /** Slots in the table at `base` by their sites' addresses: where each table has the same, nothing is translated anew. */
  private readonly slots = new Map<number, { readonly slot: number; readonly sysno: number }>();
  private readonly taken = new Set<number>();

  /** The sites of a page, or undefined. */
  of(frame: number, trust: number): readonly KnownSite[] | undefined {
    return this.pages.get(frame)?.find((page) => page.trust === trust)?.sites;
  }

  add(frame: number, trust: number, offset: number, sysno: number): void {
    if (this.count >= MAX_SITES) return;
    let pages = this.pages.get(frame);
    if (pages === undefined) this.pages.set(frame, (pages = []));
    let page = pages.find((known) => known.trust === trust);
    if (page === undefined) pages.push((page = { trust, sites: [] }));
    const known = page.sites.findIndex((site) => site.offset === offset);
    if (known >= 0 && page.sites[known]?.sysno === sysno) return;
    const site = { offset, sysno, original: originalBytes(sysno) };
    if (known >= 0) {
      page.sites[known] = site;
      return;
    }
    page.sites.push(site);
    this.count++;
  }

  /** A frame holds something else now. */
  forget(frame: number): void {
    for (const { sites } of this.pages.get(frame) ?? []) this.count -= sites.length;
    this.pages.delete(frame);
  }

  /** The slot that a site has had elsewhere, or 0. */
  slotOf(address: number, sysno: number): number {
    const kept = this.slots.get(address);
    return kept?.sysno === sysno ? kept.slot : 0;
  }

  /** Whether a slot is kept for some site. */
  hasSlot(slot: number): boolean {
    return this.taken.has(slot);
  }

  /** Keeps a slot for a site, if neither has another. */
  keep(slot: number, address: number, sysno: number): void {
    if (this.taken.has(slot) || this.slots.has(address)) return;
    this.taken.add(slot);
    this.slots.set(address, { slot, sysno });
  }
}

savable('platform/known-sites', { KnownSites });
