// SPDX-License-Identifier: MIT
//
// Guards of the protocol, each taken away, and the cell that notices.

import type { Cell } from './verdict-book.ts';

export interface Mutant {
  readonly removed: string;
  readonly mode: 'upstream' | 'hardened';
  /** The mutant, as `--protocol` takes it. */
  readonly protocol: string;
  readonly killer: Omit<Cell, 'protocol' | 'patch'>;
}

export const MUTANTS: readonly Mutant[] = [
  { removed: 'guard at +5 first', mode: 'upstream', protocol: 'bac', killer: {} },
  { removed: 'guard at +5 at all', mode: 'upstream', protocol: 'bc', killer: {} },
  { removed: 'byte 0 last', mode: 'upstream', protocol: 'acb', killer: {} },
  { removed: 'a guard that is no instruction', mode: 'upstream', protocol: 'abc:guard=90', killer: {} },
  { removed: 'lock around recovery', mode: 'upstream', protocol: 'abc:nolock', killer: {} },
  {
    removed: 'lock around fork',
    mode: 'upstream',
    protocol: 'abc:fork-nolock',
    killer: { scenario: 'patch-vs-fork' },
  },
  {
    removed: "the stub's second read",
    mode: 'upstream',
    protocol: 'abc:single-read',
    killer: { offset: 61, fetch: 'stale' },
  },
  { removed: 'memory for the second store', mode: 'upstream', protocol: 'abc:die=1', killer: {} },
  { removed: 'memory for the third store', mode: 'upstream', protocol: 'abc:die=2', killer: {} },
  {
    removed: 'stopOthers',
    mode: 'hardened',
    protocol: 'abc:without=stopOthers',
    killer: { offset: 61, fetch: 'stale' },
  },
  {
    removed: 'validateAllBytes',
    mode: 'hardened',
    protocol: 'abc:without=validateAllBytes',
    killer: { scenario: 'patch-vs-remap' },
  },
  {
    removed: 'compareSysno',
    mode: 'hardened',
    protocol: 'abc:without=compareSysno',
    killer: { scenario: 'shared-tail' },
  },
  {
    removed: 'checkSlot',
    mode: 'hardened',
    protocol: 'abc:without=checkSlot',
    killer: { scenario: 'patch-vs-dontneed', startAt: 5 },
  },
  {
    removed: 'exactCapacity',
    mode: 'hardened',
    protocol: 'abc:without=exactCapacity',
    killer: { scenario: 'table-full' },
  },
];
