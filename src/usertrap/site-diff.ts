// SPDX-License-Identifier: MIT
//
// Two builds of one program held against each other: which calls lose or gain their patch, and which become dangerous.
// A call is known by its function and its place among that function's calls; addresses mean nothing here.

import type { SiteHazard, SiteReport } from './site-report.ts';

export type PatchMode = 'upstream' | 'hardened';

/** What makes a patched site break programs, wherever the linker puts it. */
const DANGERS: readonly SiteHazard[] = ['false-match', 'shared-tail', 'branch-into-middle'];

/** Something that is not as it was. */
export interface SiteChange {
  readonly kind: 'lost' | 'gained' | 'danger';
  /** For `lost` and `gained`: where; for `danger` both. */
  readonly modes: readonly PatchMode[];
  /** For `danger`: what is new. */
  readonly hazards: readonly SiteHazard[];
  readonly function: string;
  /** Place among the calls of the function, from 1, in the new build. */
  readonly ordinal: number;
  readonly before: SiteReport;
  readonly after: SiteReport;
}

export interface SiteDiff {
  readonly changes: readonly SiteChange[];
  /** Calls of one build that the other has not. */
  readonly removed: readonly SiteReport[];
  readonly added: readonly SiteReport[];
  /** Calls that are in both. */
  readonly matched: number;
}

/** Whether the new build is worse: a call loses its patch in a mode, or a danger is new. */
export function isWorse(diff: SiteDiff): boolean {
  return diff.changes.some((c) => c.kind !== 'gained');
}

export function diffSites(before: readonly SiteReport[], after: readonly SiteReport[]): SiteDiff {
  const old = byFunction(before);
  const now = byFunction(after);
  const changes: SiteChange[] = [];
  const added: SiteReport[] = [];
  const removed: SiteReport[] = [];
  let matched = 0;
  for (const [name, sites] of now) {
    const { pairs, rest, gone } = pairUp(old.get(name) ?? [], sites);
    added.push(...rest);
    removed.push(...gone);
    matched += pairs.length;
    for (const pair of pairs) changes.push(...compare(pair, name));
  }
  for (const [name, sites] of old) if (!now.has(name)) removed.push(...sites);
  return { changes, added, removed, matched };
}

/** Calls by function. Of functions with one name, as static ones have, the order of addresses tells which is which. */
function byFunction(sites: readonly SiteReport[]): Map<string, SiteReport[]> {
  const groups = new Map<string, SiteReport[]>();
  const starts = new Map<string, number[]>();
  let lastNamed = '';
  for (const site of sites) {
    const name = site.function?.name;
    if (name !== undefined) lastNamed = name;
    // A function without a name goes by its neighbour: compilers and linkers keep the order.
    const base = name ?? `(after ${lastNamed === '' ? 'the start' : lastNamed})`;
    const known = starts.get(base) ?? [];
    const start = site.function?.start ?? 0;
    if (name !== undefined && known.at(-1) !== start) known.push(start);
    starts.set(base, known);
    const key = known.length > 1 ? `${base}#${known.length}` : base;
    const group = groups.get(key) ?? [];
    group.push(site);
    groups.set(key, group);
  }
  return groups;
}

interface Pair {
  readonly before: SiteReport;
  readonly after: SiteReport;
  /** From 1. */
  readonly ordinal: number;
}

/** Calls with the same number in their order first; then those whose number one of the builds hides. */
function pairUp(
  old: readonly SiteReport[],
  now: readonly SiteReport[],
): { pairs: Pair[]; rest: SiteReport[]; gone: SiteReport[] } {
  const waiting = queues(old, identity);
  const unpaired: [SiteReport, number][] = [];
  const pairs: Pair[] = [];
  const taken = new Set<SiteReport>();
  const take = (queue: Queue | undefined, after: SiteReport, ordinal: number): boolean => {
    const before = queue?.items[queue.next];
    if (queue === undefined || before === undefined) return false;
    queue.next++;
    taken.add(before);
    pairs.push({ before, after, ordinal });
    return true;
  };
  now.forEach((site, i) => {
    if (!take(waiting.get(identity(site)), site, i + 1)) unpaired.push([site, i + 1]);
  });
  const left = queues(
    old.filter((s) => !taken.has(s)),
    (s) => `${s.instruction} ${s.sysno !== undefined}`,
  );
  const rest = unpaired.filter(([site, ordinal]) => {
    const partners = left.get(`${site.instruction} ${site.sysno === undefined}`);
    return !take(partners, site, ordinal);
  });
  pairs.sort((a, b) => a.ordinal - b.ordinal);
  return { pairs, rest: rest.map(([site]) => site), gone: old.filter((s) => !taken.has(s)) };
}

interface Queue {
  readonly items: SiteReport[];
  next: number;
}

function queues(sites: readonly SiteReport[], key: (site: SiteReport) => string): Map<string, Queue> {
  const map = new Map<string, Queue>();
  for (const site of sites) {
    const k = key(site);
    const queue = map.get(k) ?? { items: [], next: 0 };
    queue.items.push(site);
    map.set(k, queue);
  }
  return map;
}

function identity(site: SiteReport): string {
  return `${site.instruction} ${site.sysno ?? '?'}`;
}

function compare({ before, after, ordinal }: Pair, name: string): SiteChange[] {
  const common = { function: name, ordinal, before, after };
  const changed = (was: boolean): PatchMode[] =>
    (['upstream', 'hardened'] as const).filter((m) => before[m].patched === was && after[m].patched === !was);
  const hazards = DANGERS.filter((h) => after.hazards.includes(h) && !before.hazards.includes(h));
  const changes: SiteChange[] = [];
  const [lost, gained] = [changed(true), changed(false)];
  if (lost.length > 0) changes.push({ ...common, kind: 'lost', modes: lost, hazards: [] });
  if (gained.length > 0) changes.push({ ...common, kind: 'gained', modes: gained, hazards: [] });
  if (hazards.length > 0) changes.push({ ...common, kind: 'danger', modes: ['upstream', 'hardened'], hazards });
  return changes;
}
