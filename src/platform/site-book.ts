// SPDX-License-Identifier: MIT
//
// What happened to syscall sites over a whole run: patched, refused, how often. Spaces come and go; the book stays.

import { EventKind } from '../trace/events.ts';
import type { TraceSink } from '../trace/events.ts';
import { PATCH_RULES } from '../usertrap/patcher.ts';
import type { PatchRule } from '../usertrap/patcher.ts';
import type { RefusedMetric, SiteMetric } from './sentry.ts';
import type { PatchedSite, RefusedSite, SpaceTraps } from './space-traps.ts';

/** The sites of all address spaces, in the order in which they were first patched or refused. */
export class SiteBook {
  readonly #trace: TraceSink;
  readonly #sites: PatchedSite[] = [];
  readonly #refused: RefusedSite[] = [];

  constructor(trace: TraceSink) {
    this.#trace = trace;
  }

  /** A site of `traps` was patched, or came with a forked space. */
  add(traps: SpaceTraps, site: PatchedSite): void {
    traps.refused.delete(site.address);
    traps.addSite(site);
    this.#sites.push(site);
  }

  /**
   * A site that matches was left alone.
   * @param isFinal the reason stays as long as the code does
   */
  refuse(
    traps: SpaceTraps,
    tid: number,
    site: Pick<RefusedSite, 'address' | 'sysno' | 'bytes'>,
    rule: PatchRule,
    isFinal: boolean,
  ): void {
    let refused = traps.refused.get(site.address);
    if (refused === undefined) {
      refused = { ...site, rule, traps: 0, isFinal };
      traps.refused.set(site.address, refused);
      this.#refused.push(refused);
    }
    refused.rule = rule;
    refused.sysno = site.sysno;
    refused.isFinal = isFinal;
    refused.traps++;
    const index = PATCH_RULES.indexOf(rule);
    if (this.#trace.wantsText)
      this.#trace.emitText(EventKind.siteRefused, tid, rule, site.address, index, refused.traps);
    else this.#trace.emit(EventKind.siteRefused, tid, site.address, index, refused.traps);
  }

  /** Sites of the same address, slot and number in several spaces count as one. */
  patched(): SiteMetric[] {
    const merged = new Map<string, { address: number; sysno: number; slot: number; calls: number }>();
    for (const { address, sysno, slot, calls } of this.#sites) {
      const key = `${address}/${slot}/${sysno}`;
      const same = merged.get(key);
      if (same === undefined) merged.set(key, { address, sysno, slot, calls });
      else same.calls += calls;
    }
    return [...merged.values()];
  }

  refused(): RefusedMetric[] {
    const merged = new Map<string, { address: number; bytes: string; rule: string; traps: number }>();
    for (const { address, bytes, rule, traps } of this.#refused) {
      const key = `${address}/${bytes}/${rule}`;
      const same = merged.get(key);
      if (same === undefined) merged.set(key, { address, bytes, rule, traps });
      else same.traps += traps;
    }
    return [...merged.values()];
  }
}
