// SPDX-License-Identifier: MIT
//
// Which step of the protocol a store is, told by what it does to the site: the same words for every order of stores.

import type { RecordingCursor } from '../../trace/recording/cursor.ts';
import type { Site, Step } from '../../trace/recording/format.ts';

const SITE_BYTES = 7;
const SYSCALL_OPCODE = 0x0f;
const MOV_EAX = 0xb8;
const JUMP = 0xff;

/**
 * `guard`, `operand`, `opcode`: gVisor's three steps in their order. `operand.unguarded`, `opcode.early`, `guard.late`: the
 * same bytes at another time. `again`: nothing changes. `whole`: all seven at once. `restore`: the program's own bytes again. `slot`, `table`, `memory`:
 * not the site.
 */
export type StoreKind =
  | 'guard'
  | 'guard.late'
  | 'operand'
  | 'operand.unguarded'
  | 'opcode'
  | 'opcode.early'
  | 'whole'
  | 'again'
  | 'restore'
  | 'slot'
  | 'table'
  | 'memory';

/** The site that a step is about: where it stores, or where its instruction lies. */
export function siteOfStep({ recording }: RecordingCursor, step: Step): Site | undefined {
  const holds = (address: number): Site | undefined =>
    recording.sites.find((site) => address >= site.address && address < site.address + SITE_BYTES);
  for (const { address, bytes } of step.stores ?? []) {
    const found = holds(address) ?? holds(address + bytes.length / 2 - 1);
    if (found !== undefined) return found;
  }
  const named = step.data?.['site'];
  if (typeof named === 'number') return recording.sites.find(({ address }) => address === named);
  return step.rip === undefined ? undefined : holds(step.rip);
}

/** What a store does. */
export function storeKind(cursor: RecordingCursor, step: Step, moment: number): StoreKind {
  const { recording } = cursor;
  const store = step.stores?.[0];
  const site = store === undefined ? undefined : siteOfStep(cursor, step);
  if (store === undefined) return 'memory';
  const touches = site !== undefined && store.address < site.address + SITE_BYTES && store.address + 8 > site.address;
  if (!touches) {
    const region = recording.regions.find(
      ({ address, length }) => store.address >= address && store.address < address + length,
    );
    return region?.kind === 'slot' || region?.kind === 'table' ? region.kind : 'memory';
  }
  const index = recording.sites.indexOf(site);
  const before = cursor.siteBytes(index, cursor.at(moment - 1));
  const after = cursor.siteBytes(index, cursor.at(moment));
  if (before === null || after === null) return 'memory';
  if (before.every((value, i) => value === after[i])) return 'again';
  const first = store.address - site.address;
  const last = first + store.bytes.length / 2 - 1;
  const isWhole = after[0] === JUMP && after[1] === 0x24 && after[2] === 0x25;
  if (first === 0 && last >= SITE_BYTES - 1) return isWhole ? 'whole' : 'restore';
  if (after[0] === MOV_EAX && after[5] === SYSCALL_OPCODE && before[5] !== SYSCALL_OPCODE) return 'restore';
  if (first === 0 && after[0] === JUMP) return isWhole && before[5] !== SYSCALL_OPCODE ? 'opcode' : 'opcode.early';
  if (first === 0 && after[0] === MOV_EAX && before[0] === JUMP) return 'restore';
  if (first === 5 && last === 5) return before[0] === MOV_EAX && sameOperand(site, before) ? 'guard' : 'guard.late';
  return before[5] === SYSCALL_OPCODE || before[0] !== MOV_EAX ? 'operand.unguarded' : 'operand';
}

/** The number in the `mov` is still the program's. */
function sameOperand(site: Site, bytes: Uint8Array): boolean {
  // `before` begins one byte in front of the site.
  const own = site.before.slice(4, 12);
  return [...bytes.subarray(1, 5)].every((value, i) => value === Number.parseInt(own.slice(2 * i, 2 * i + 2), 16));
}
