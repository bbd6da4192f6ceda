// SPDX-License-Identifier: MIT
//
// Every guard of hardened mode taken away alone, over scenarios, fetch models and placements, until something fails: the
// table of src/race/VERDICTS.md. Whoever adds a guard finds it here, killed or with a reason to be written.

import type { Guards } from '../../src/usertrap/guards.ts';
import { HARDENED_GUARDS } from '../../src/usertrap/guards.ts';
import { BOOK_SCENARIOS, failures, table } from './verdict-book.ts';
import type { Cell, Found } from './verdict-book.ts';

export type Guard = keyof Guards;

export const GUARDS = Object.keys(HARDENED_GUARDS) as Guard[];

const FETCHES = ['coherent', 'stale'];
const PLACES: readonly Pick<Cell, 'offset' | 'startAt' | 'atPageEnd'>[] = [
  {},
  { offset: 61, startAt: 5 },
  { offset: 58, atPageEnd: true },
];

/** What is swept: quick ones first, because one failure is enough. */
export const SWEPT: readonly Cell[] = FETCHES.flatMap((fetch) =>
  PLACES.flatMap((place) =>
    ['patch-vs-exec', ...BOOK_SCENARIOS].flatMap((scenario) =>
      // A store that fails is one more choice; once is enough for it.
      (place === PLACES[0] && fetch === 'coherent' ? ['abc', 'abc:faults=1'] : ['abc']).map((protocol) => ({
        ...place,
        scenario,
        fetch,
        protocol,
        patch: 'hardened' as const,
      })),
    ),
  ),
);

/** A cell without a guard. */
export function without(guard: Guard, cell: Cell): Cell {
  return { ...cell, protocol: `${cell.protocol ?? 'abc'}:without=${guard}` };
}

export interface Killed {
  readonly cell: Cell;
  readonly found: Found;
}

/** The first cell that fails without the guard; null where all of them hold. */
export function killer(guard: Guard): Killed | null {
  for (const cell of SWEPT) {
    const [found] = failures(without(guard, cell));
    if (found !== undefined) return { cell, found };
  }
  return null;
}

/** Why no interleaving needs a guard: what it is about can be shown with one thread, or is not in the world of a race. */
export const NO_RACE: Partial<Record<Guard, string>> = {
  refusePageSplit: 'saves the copy of a second page; while the others stand still the stores to both pages are one',
  refuseUnknownNumbers: 'which bytes are taken for a site, whoever runs',
  refuseSharedFrames: 'other mappings of the same frames, which have no table',
  spareGuestMappings: 'where the table goes, before there is a site',
  refuseWritableCode: 'code that a thread makes and changes itself',
  exemptFromMemlock: 'a limit of the process',
  hideTable: 'what /proc says',
  shareSites: 'traps of a program that is started again',
  inheritTable: 'a guest that writes the header of its table',
  renewSlots: 'a machine that another version has saved; no race restores one',
  assertRecord: 'a guest that writes the record of its stub thread',
  assertGs: 'a guest that sets GS',
  narrowNumber: 'the high half of rax of a trapped call',
  keepCopiedPage: 'nobody is in a slot then (hideSlotRip); without both, cow-in-slot ends in a panic of the stub',
  syscallClobbers: 'rcx and r11 of one thread, behind its call',
};

/** Rows of the table. */
export function sweep(): { guard: Guard; killed: Killed | null }[] {
  return GUARDS.map((guard) => ({ guard, killed: killer(guard) }));
}

function place({
  scenario = '',
  fetch = '',
  offset = 0,
  startAt = 0,
  atPageEnd = false,
  protocol = 'abc',
}: Cell): string {
  const at = `offset ${offset}${atPageEnd ? ' of the last line of a page' : ''}${startAt === 0 ? '' : `, from +${startAt}`}`;
  return `${scenario}, ${fetch}, ${at}${protocol === 'abc' ? '' : `, \`${protocol}\``}`;
}

export function guardTable(): string {
  const lines = sweep().map(({ guard, killed }) => {
    if (killed === null) return [guard, `none of ${SWEPT.length}`, NO_RACE[guard] ?? 'no reason is known'];
    const { cell, found } = killed;
    return [guard, place(cell), `${found.signature}: \`${found.token}\``];
  });
  return table(['without', 'fails in', 'as, or why nothing fails'], lines);
}
