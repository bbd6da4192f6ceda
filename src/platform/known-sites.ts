// SPDX-License-Identifier: MIT
//
// Sites in code of files that some process has had patched. Another process of the same user that maps the same page at
// the same address finds it patched: nothing of gVisor's is modelled here, whose processes each start anew after execve.

import { savable } from '../base/savable.ts';
import { originalBytes } from '../usertrap/layout.ts';

/** A site in a page of code. */
export interface KnownSite {
  readonly offset: number;
  readonly sysno: number;
  readonly slot: number;
  /** The seven bytes that the file has there. */
  readonly original: Uint8Array;
}

/** The sites of a page, for the processes of one user. */
interface KnownPage {
  readonly address: number;
  /** @see GuestContext.trust */
  readonly trust: number;
  readonly sites: KnownSite[];
}

/** Known sites of one machine. No more than a table has slots for: each has one of its own in every table. */
export class KnownSites {
  /** Where tables lie; 0 before the first. */
  base = 0;
  /** By the frame of the page cache. */
  private readonly pages = new Map<number, KnownPage[]>();
  private readonly slots = new Set<number>();

  /** The sites of a page, or undefined. */
  of(frame: number, address: number, trust: number): readonly KnownSite[] | undefined {
    return this.pages.get(frame)?.find((page) => page.address === address && page.trust === trust)?.sites;
  }

  /** Whether a slot is some site's in every table. */
  hasSlot(slot: number): boolean {
    return this.slots.has(slot);
  }

  /** Another site; not one whose slot is another's. */
  add(frame: number, address: number, trust: number, site: Omit<KnownSite, 'original'>): void {
    if (this.slots.has(site.slot)) return;
    let pages = this.pages.get(frame);
    if (pages === undefined) this.pages.set(frame, (pages = []));
    let page = pages.find((known) => known.address === address && known.trust === trust);
    if (page === undefined) pages.push((page = { address, trust, sites: [] }));
    if (page.sites.some(({ offset }) => offset === site.offset)) return;
    page.sites.push({ ...site, original: originalBytes(site.sysno) });
    this.slots.add(site.slot);
  }

  /** A frame holds something else now. */
  forget(frame: number): void {
    for (const { sites } of this.pages.get(frame) ?? []) for (const { slot } of sites) this.slots.delete(slot);
    this.pages.delete(frame);
  }
}

savable('platform/known-sites', { KnownSites });
