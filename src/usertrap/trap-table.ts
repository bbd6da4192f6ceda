// SPDX-License-Identifier: MIT
//
// Finds or maps the trap table of an address space and hands out its slots. Models gVisor's
// usertrap_amd64.go newTrapLocked, addTrapLocked and tableSize, the off-by-one included.

import { PAGE_SIZE, pageDown } from '../base/addr.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import type { Guards } from './guards.ts';
import {
  BASE_SPAN,
  setWord,
  TABLE_BYTES,
  TABLE_ENTRIES,
  TRAP_BYTES,
  TRAP_USED_BYTES,
  trapAddress,
  trapBytes,
  trapIndex,
  WINDOW_START,
} from './layout.ts';
import { bytesOf, load, lock, numberOf, store, unlock } from './steps.ts';
import type { Step, StepResult, Steps } from './steps.ts';

/** A slot that is ready to be filled. */
export interface FreshTrap {
  readonly base: number;
  readonly index: number;
  readonly address: number;
  /** What the next allocation starts from. */
  readonly next: number;
  /** Another site has had it before. */
  readonly isFreed?: boolean;
}

/** What a slot is for. */
export interface SiteOfSlot {
  readonly address: number;
  readonly sysno: number;
}

export type AllocationFailure =
  'table-lost' | 'no-space' | 'no-room-for-table' | 'table-unmappable' | 'table-unreadable' | 'header-unwritable';

/** Instead of the next slot: the guest has taken the table away, and the address space gets no other. */
const TABLE_LOST = -1;

/** The first four bytes of a table. */
export function headerBytes(next: number): Uint8Array {
  const bytes = new Uint8Array(4);
  setWord(bytes, 0, next);
  return bytes;
}

/** One of the 11 bases, each as likely as the next; hardened the first from there on where the guest has nothing, or 0. */
function* chooseBase(guards: Guards): Steps<number> {
  const chosen = pageDown(numberOf(yield { op: 'random', below: BASE_SPAN, what: 'table base' }));
  if (!guards.spareGuestMappings) return WINDOW_START + chosen;
  for (let offset = 0; offset < BASE_SPAN; offset += PAGE_SIZE) {
    const base = WINDOW_START + ((chosen + offset) % BASE_SPAN);
    const isFree = numberOf(yield { op: 'is-free', addr: base, length: TABLE_BYTES, what: 'is the window free' });
    if (isFree === 1) return base;
  }
  return 0;
}

/**
 * Finds or maps the table of a space that has none yet.
 * Postconditions: `next` and `base` are set, unless a failure is returned.
 */
function* findTable(guards: Guards): Steps<AllocationFailure | null> {
  // DIVERGES (hardened, inheritTable): a forked space was given its parent's records, so a name in guest-controlled
  // maps and a header in guest-writable memory decide nothing.
  const found = guards.inheritTable ? 0 : numberOf(yield { op: 'find-table', what: 'find table' });
  if (found !== 0) {
    const header = bytesOf(yield load(found, 4, 'header'));
    if (header === null) return 'table-unreadable';
    const next = new DataView(header.buffer, header.byteOffset).getUint32(0, true);
    yield { op: 'set', field: 'base', value: found, what: 'table base' };
    yield { op: 'set', field: 'next', value: next, what: 'next trap' };
    return null;
  }
  const base = yield* chooseBase(guards);
  if (base === 0) return 'no-room-for-table';
  if ((yield { op: 'map-table', addr: base, what: 'map table' }) !== 0) return 'table-unmappable';
  yield { op: 'set', field: 'base', value: base, what: 'table base' };
  yield { op: 'set', field: 'next', value: 1, what: 'next trap' };
  return null;
}

/** Upstream tests one byte too many, so it takes slot 255 for one that crosses a page (UT:132). */
function crossesPage(base: number, index: number, exact: boolean): boolean {
  const start = trapAddress(base, index);
  const end = exact ? start + TRAP_USED_BYTES - 1 : start + TRAP_BYTES;
  return pageDown(start) !== pageDown(end);
}

/**
 * Takes the next slot.
 * Preconditions: the exclusive lock is held.
 * Postconditions: upstream has counted the slot as used whatever happens next; with `keepFailedSlot` nothing is
 *   counted until {@link commitTrap}.
 */
export function* allocateTrap(
  { address: site, sysno }: SiteOfSlot,
  guards: Guards,
): Steps<FreshTrap | AllocationFailure> {
  const first = yield { op: 'get', field: 'next', what: 'next trap' };
  if (first === TABLE_LOST) return 'table-lost';
  if (first === 0) {
    const failure = yield* findTable(guards);
    if (failure !== null) return failure;
  }
  const base = numberOf(yield { op: 'get', field: 'base', what: 'table base' });
  const next = numberOf(yield { op: 'get', field: 'next', what: 'next trap' });
  // DIVERGES (reuseSlots): upstream's slots are append-only, so that loading and unloading a library uses them up.
  const freed = guards.reuseSlots ? numberOf(yield { op: 'freed', site, sysno, what: 'freed slot' }) : 0;
  if (freed > base) return yield* taken(slotOf(base, freed, next), guards);
  if (next >= TABLE_ENTRIES) return 'no-space';
  // Upstream neither tests the index that it moves on to nor its bound: past 255 comes 256, behind the table. The last
  // index that really crosses a page is 204.
  const index = crossesPage(base, next, guards.exactCapacity) ? next + 1 : next;
  const trap: FreshTrap = { base, index, address: trapAddress(base, index), next: index + 1 };
  return yield* taken(trap, guards);
}

/** A certain slot: a free one below the next, or one beyond. */
function slotOf(base: number, address: number, next: number): FreshTrap {
  const index = trapIndex(base, address);
  return index < next ? { base, index, address, next, isFreed: true } : { base, index, address, next: index + 1 };
}

/** Whether a table has a slot of this index that can be used. */
export function isSlotIndex(index: number): boolean {
  return index > 0 && index < TABLE_ENTRIES && !crossesPage(WINDOW_START, index, true);
}

/**
 * Slots for sites whose page is about to be mapped with the jumps in it.
 * @returns the slots of the first sites; where there is no room for more, or no table, the others have none
 */
export function* adoptSites(sites: readonly SiteOfSlot[], guards: Guards): Steps<readonly number[]> {
  const slots: number[] = [];
  yield lock(true);
  for (const site of sites) {
    const trap = yield* allocateTrap(site, guards);
    if (typeof trap === 'string') break;
    const body = trapBytes(trap.address, site.address + SITE_BYTES, site.sysno);
    if ((yield store(trap.address, body, 'slot')) !== 1) break;
    if (guards.keepFailedSlot) yield* commitTrap(trap);
    slots.push(trap.address);
  }
  yield unlock(true);
  return slots;
}

function* taken(trap: FreshTrap, guards: Guards): Steps<FreshTrap | AllocationFailure> {
  if (guards.keepFailedSlot) return trap;
  return (yield* commitTrap(trap)) ?? trap;
}

/** The guest takes the table away, and all sites have their own bytes: the address space has no table from now on. */
export function* loseTable<S = never>(): Generator<Step | S, void, StepResult> {
  yield { op: 'set', field: 'next', value: TABLE_LOST, what: 'next trap' };
  yield { op: 'set', field: 'base', value: 0, what: 'table base' };
}

/** Counts a slot as used: in the Sentry first, then in the header. */
export function* commitTrap(trap: FreshTrap): Steps<AllocationFailure | null> {
  if (trap.isFreed === true) {
    yield { op: 'take', slot: trap.address, what: 'take the slot' };
    return null;
  }
  yield { op: 'set', field: 'next', value: trap.next, what: 'next trap' };
  return (yield store(trap.base, headerBytes(trap.next), 'header')) === 1 ? null : 'header-unwritable';
}

/** Of each index, the slots below it that can be used; upstream and where `exactCapacity` is on. */
const USABLE_BELOW = [false, true].map((exact) => {
  const below = [0, 0];
  for (let index = 1; index < TABLE_ENTRIES; index++) {
    below.push((below[index] ?? 0) + (crossesPage(WINDOW_START, index, exact) ? 0 : 1));
  }
  return below;
});

/** Slots that a table can hold under these guards. */
export function tableCapacity(guards: Guards): number {
  return usedSlots(TABLE_ENTRIES, guards);
}

/** Slots used when the next index is `next`. */
export function usedSlots(next: number, guards: Guards): number {
  return USABLE_BELOW[guards.exactCapacity ? 1 : 0]?.[Math.min(next, TABLE_ENTRIES)] ?? 0;
}
