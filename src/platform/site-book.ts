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

/** Calls of one site of all spaces. */
export interface PatchedTotal {
  readonly address: number;
  readonly sysno: number;
  readonly slot: number;
  calls: number;
}

/** Traps of one place of all spaces. */
export interface RefusedTotal {
  readonly address: number;
  readonly bytes: string;
  readonly rule: string;
  traps: number;
}

/**
 * Counts by address and by what else tells them apart, in the order in which they were made. Two maps of small keys: a text
 * of both would cost more than everything else that is noted of a patch.
 */
class Totals<Total> {
  readonly all: Total[] = [];
  private readonly byAddress = new Map<number, Map<number | string, Total>>();

  /** The total of an address and a key; where there are too many, one that nobody keeps. */
  of(address: number, key: number | string, make: () => Total): Total {
    let here = this.byAddress.get(address);
    const known = here?.get(key);
    if (known !== undefined) return known;
    const total = make();
    if (this.all.length >= MAX_TOTALS) return total;
    this.all.push(total);
    if (here === undefined) this.byAddress.set(address, (here = new Map()));
    here.set(key, total);
    return total;
  }
}

/** The sites of all address spaces, in the order in which they were first patched or refused. */
export class SiteBook {
  private readonly trace: TraceSink;
  private readonly open = new Set<SpaceTraps>();
  /** Counts of spaces that are gone; entries are made early, so that they keep the order. */
  private readonly patchedTotals = new Totals<PatchedTotal>();
  private readonly refusedTotals = new Totals<RefusedTotal>();
  /** What was last counted at an address. */
  private readonly lastAt = new Map<number, { low: number; high: number; total: RefusedTotal }>();

  constructor(trace: TraceSink) {
    this.trace = trace;
  }

  /** A site of `traps` was patched, or came with a forked space. */
  add(traps: SpaceTraps, site: PatchedSite): void {
    this.open.add(traps);
    traps.refused.delete(site.address);
    traps.addSite(site);
    site.total ??= this.patchedTotal(site);
  }

  /** A call trapped at bytes that are no site for it. */
  count(
    traps: SpaceTraps,
    site: Pick<RefusedSite, 'address' | 'sysno' | 'bytes'>,
    rule: PatchRule | UnpatchableRule,
  ): RefusedSite | null {
    const known = traps.refused.get(site.address);
    if (known === undefined && traps.refused.size >= MAX_REFUSED) return null;
    if (known !== undefined) this.totalOf(known).traps += known.traps;
    const refused: RefusedSite = { ...site, rule, traps: 1, isFinal: false };
    refused.total = this.refusedTotal(refused);
    this.keep(traps, refused);
    return refused;
  }

  private keep(traps: SpaceTraps, refused: RefusedSite): void {
    traps.refused.set(refused.address, refused);
    this.open.add(traps);
  }

  /**
   * Counts a first call from a place where others have been counted, in whichever space: each process that is started
   * makes the same ones.
   * @param low,high the eight bytes around the place
   * @returns false when the last that was counted there had other bytes
   */
  countAgain(traps: SpaceTraps, address: number, sysno: number, low: number, high: number): boolean {
    const last = this.lastAt.get(address);
    if (last === undefined || last.low !== low || last.high !== high || traps.refused.size >= MAX_REFUSED) return false;
    const { bytes, rule } = last.total;
    this.keep(traps, { address, sysno, bytes, rule, traps: 1, isFinal: false, total: last.total });
    return true;
  }

  /** What was counted is known for the next time. */
  noteBytes({ address, total }: RefusedSite, low: number, high: number): void {
    if (total !== undefined && this.lastAt.size < MAX_TOTALS) this.lastAt.set(address, { low, high, total });
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
    for (const site of traps.sites) (site.total ?? this.patchedTotal(site)).calls += site.calls;
    for (const site of traps.refused.values()) this.totalOf(site).traps += site.traps;
  }

  /** Sites of the same address, slot and number in several spaces count as one. */
  patched(): SiteMetric[] {
    const counts = new Map(this.patchedTotals.all.map((total) => [total, { ...total }]));
    for (const { sites } of this.open) {
      for (const site of sites) {
        const count = counts.get(site.total ?? this.patchedTotal(site));
        if (count !== undefined) count.calls += site.calls;
      }
    }
    return [...counts.values()];
  }

  /** Sites that match and were left alone. */
  refused(): RefusedMetric[] {
    return this.allRefused().filter((r) => !isUnpatchable(r.rule));
  }

  /** Other places whose calls trapped. */
  unpatchable(): RefusedMetric[] {
    return this.allRefused().filter((r) => isUnpatchable(r.rule));
  }

  private allRefused(): RefusedMetric[] {
    const counts = new Map(this.refusedTotals.all.map((total) => [total, { ...total }]));
    for (const { refused } of this.open) {
      for (const site of refused.values()) {
        const count = counts.get(this.totalOf(site));
        if (count !== undefined) count.traps += site.traps;
      }
    }
    return [...counts.values()].filter((r) => r.traps > 0);
  }

  private patchedTotal({ address, sysno, slot }: PatchedSite): PatchedTotal {
    // A slot lies below 2^21.
    return this.patchedTotals.of(address, slot * 2 ** 32 + sysno, () => ({ address, sysno, slot, calls: 0 }));
  }

  private totalOf(site: RefusedSite): RefusedTotal {
    return site.total ?? this.refusedTotal(site);
  }

  private refusedTotal({ address, bytes, rule }: RefusedSite): RefusedTotal {
    return this.refusedTotals.of(address, `${bytes}/${rule}`, () => ({ address, bytes, rule, traps: 0 }));
  }
}

function isUnpatchable(rule: string): boolean {
  return rule === 'not-mov-eax' || rule === 'other-number';
}

savable('platform/site-book', { Totals });
savable('platform/site-book', { SiteBook }, { isPlace: true, kept: ['trace'] });
