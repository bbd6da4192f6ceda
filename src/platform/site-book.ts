// SPDX-License-Identifier: MIT
//
// What happened to syscall sites over a whole run: patched, refused, how often. Spaces come and go; the book stays, and
// takes no more room for a thousand runs of one program than for one.

import { savable } from '../base/savable.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceSink } from '../trace/events.ts';
import { PATCH_RULES } from '../usertrap/patcher.ts';
import type { PatchRule } from '../usertrap/patcher.ts';
import type { RefusedMetric, SiteMetric } from './sentry.ts';
import type { PatchedSite, RefusedSite, SpaceTraps } from './space-traps.ts';

/** Why a call trapped at bytes that are no site for it. */
export type UnpatchableRule = 'not-mov-eax' | 'other-number';

/** Refused sites remembered by one space: a guest that writes code without end must not fill the host's memory. */
const MAX_REFUSED = 4096;
/** Patched sites remembered after their spaces are gone. */
const MAX_TOTALS = 65_536;

interface PatchedTotal {
  readonly address: number;
  readonly sysno: number;
  readonly slot: number;
  calls: number;
}

interface RefusedTotal {
  readonly address: number;
  readonly bytes: string;
  readonly rule: string;
  traps: number;
}

/** The sites of all address spaces, in the order in which they were first patched or refused. */
export class SiteBook {
  private readonly trace: TraceSink;
  private readonly open = new Set<SpaceTraps>();
  /** Counts of spaces that are gone; entries are made early, so that they keep the order. */
  private readonly patchedTotals = new Map<string, PatchedTotal>();
  private readonly refusedTotals = new Map<string, RefusedTotal>();

  constructor(trace: TraceSink) {
    this.trace = trace;
  }

  /** A site of `traps` was patched, or came with a forked space. */
  add(traps: SpaceTraps, site: PatchedSite): void {
    this.open.add(traps);
    traps.refused.delete(site.address);
    traps.addSite(site);
    this.patchedTotal(this.patchedTotals, site);
  }

  /** A call trapped at bytes that are no site for it. */
  count(
    traps: SpaceTraps,
    site: Pick<RefusedSite, 'address' | 'sysno' | 'bytes'>,
    rule: PatchRule | UnpatchableRule,
  ): RefusedSite | null {
    const known = traps.refused.get(site.address);
    if (known === undefined && traps.refused.size >= MAX_REFUSED) return null;
    if (known !== undefined) this.refusedTotal(this.refusedTotals, known).traps += known.traps;
    const refused = { ...site, rule, traps: 1, isFinal: false };
    traps.refused.set(site.address, refused);
    this.open.add(traps);
    this.refusedTotal(this.refusedTotals, refused);
    return refused;
  }

  /**
   * A site that matches was left alone.
   * @param finalAfter traps after which the reason is taken to stay as long as the code does
   */
  refuse(
    traps: SpaceTraps,
    tid: number,
    site: Pick<RefusedSite, 'address' | 'sysno' | 'bytes'>,
    rule: PatchRule,
    finalAfter: number,
  ): void {
    const known = traps.refused.get(site.address);
    let refused: RefusedSite | null;
    if (known !== undefined && known.rule === rule) {
      refused = known;
      refused.traps++;
    } else refused = this.count(traps, site, rule);
    if (refused === null) return;
    refused.sysno = site.sysno;
    refused.isFinal = refused.traps >= finalAfter;
    const index = PATCH_RULES.indexOf(rule);
    if (this.trace.wantsText) {
      this.trace.emitText(EventKind.siteRefused, tid, rule, site.address, index, refused.traps);
    } else this.trace.emit(EventKind.siteRefused, tid, site.address, index, refused.traps);
  }

  /** A space is gone: its counts go into the totals. */
  close(traps: SpaceTraps): void {
    if (!this.open.delete(traps)) return;
    this.total(traps, this.patchedTotals, this.refusedTotals);
  }

  /** Sites of the same address, slot and number in several spaces count as one. */
  patched(): SiteMetric[] {
    return [...this.all().patched.values()];
  }

  /** Sites that match and were left alone. */
  refused(): RefusedMetric[] {
    return [...this.all().refused.values()].filter((r) => r.traps > 0 && !isUnpatchable(r.rule));
  }

  /** Other places whose calls trapped. */
  unpatchable(): RefusedMetric[] {
    return [...this.all().refused.values()].filter((r) => r.traps > 0 && isUnpatchable(r.rule));
  }

  private all(): { patched: Map<string, PatchedTotal>; refused: Map<string, RefusedTotal> } {
    const patched = new Map([...this.patchedTotals].map(([key, total]) => [key, { ...total }]));
    const refused = new Map([...this.refusedTotals].map(([key, total]) => [key, { ...total }]));
    for (const traps of this.open) this.total(traps, patched, refused);
    return { patched, refused };
  }

  private total(traps: SpaceTraps, patched: Map<string, PatchedTotal>, refused: Map<string, RefusedTotal>): void {
    for (const site of traps.sites) this.patchedTotal(patched, site).calls += site.calls;
    for (const site of traps.refused.values()) this.refusedTotal(refused, site).traps += site.traps;
  }

  private patchedTotal(totals: Map<string, PatchedTotal>, { address, sysno, slot }: PatchedSite): PatchedTotal {
    const key = `${address}/${slot}/${sysno}`;
    let total = totals.get(key);
    if (total === undefined) {
      total = { address, sysno, slot, calls: 0 };
      if (totals.size < MAX_TOTALS) totals.set(key, total);
    }
    return total;
  }

  private refusedTotal(totals: Map<string, RefusedTotal>, { address, bytes, rule }: RefusedSite): RefusedTotal {
    const key = `${address}/${bytes}/${rule}`;
    let total = totals.get(key);
    if (total === undefined) {
      total = { address, bytes, rule, traps: 0 };
      totals.set(key, total);
    }
    return total;
  }
}

function isUnpatchable(rule: string): boolean {
  return rule === 'not-mov-eax' || rule === 'other-number';
}

savable('platform/site-book', { SiteBook }, { isPlace: true, kept: ['trace'] });
