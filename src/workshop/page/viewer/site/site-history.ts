// SPDX-License-Identifier: MIT
//
// Every content that a site has had: what each store made of it. Worked out once for a recording and a site.

import { fromHex } from '../../../../base/bytes.ts';
import type { RecordingCursor } from '../../../../trace/recording/cursor.ts';
import { SITE_BYTES } from './columns.ts';

/** What the seven bytes are, in the words of the protocol. */
export type Phase = 'original' | 'guarded' | 'operand' | 'patched' | 'mixed';

/** The site from a moment on. */
export interface SiteContent {
  readonly moment: number;
  /** Who made it so; -1: it was so at the start. */
  readonly actor: number;
  readonly bytes: Uint8Array;
  readonly phase: Phase;
}

const known = new WeakMap<RecordingCursor, Map<number, readonly SiteContent[]>>();

/** Contents of a site in their order. */
export function siteHistory(cursor: RecordingCursor, site: number): readonly SiteContent[] {
  const bySite = known.get(cursor) ?? new Map<number, readonly SiteContent[]>();
  known.set(cursor, bySite);
  const found = bySite.get(site) ?? work(cursor, site);
  bySite.set(site, found);
  return found;
}

function work(cursor: RecordingCursor, index: number): SiteContent[] {
  const site = cursor.recording.sites[index];
  if (site === undefined) return [];
  const out: SiteContent[] = [];
  const original = fromHex(site.before).subarray(1, 1 + SITE_BYTES);
  const look = (moment: number, actor: number): void => {
    const bytes = cursor.siteBytes(index, cursor.at(moment))?.slice(0, SITE_BYTES);
    const last = out.at(-1);
    if (bytes === undefined || (last !== undefined && equal(last.bytes, bytes))) return;
    out.push({ moment, actor, bytes, phase: phaseOf(bytes, original) });
  };
  look(0, -1);
  for (const [i, step] of cursor.recording.steps.entries()) {
    const touches =
      step.memory?.some(([region]) => region === site.region) === true ||
      step.stores?.some(
        ({ space, address, bytes }) =>
          space === site.space && address < site.address + SITE_BYTES && site.address < address + bytes.length / 2,
      ) === true;
    if (touches) look(i + 1, step.actor);
  }
  return out;
}

/** The phase of seven bytes, seen from what was there at first. */
export function phaseOf(bytes: Uint8Array, original: Uint8Array): Phase {
  if (equal(bytes, original)) return 'original';
  if (bytes[0] === 0xff && bytes[1] === 0x24 && bytes[2] === 0x25) return 'patched';
  if (bytes[0] !== original[0] || bytes[5] === original[5]) return 'mixed';
  return equal(bytes.subarray(1, 5), original.subarray(1, 5)) ? 'guarded' : 'operand';
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
