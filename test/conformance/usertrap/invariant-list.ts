// SPDX-License-Identifier: MIT
//
// What must hold whatever happens, by number: the list that the observer checks, the mutants break one by one and the
// README's table is made of.

export interface Invariant {
  readonly number: number;
  readonly text: string;
  /** Where the observer looks, or the tests that stand in for it. */
  readonly seenAt: string;
  /** No observer can see it. */
  readonly isUnobservable?: true;
  /** Why upstream may break it: a defect that is modelled, or a rule that it lacks. */
  readonly upstream?: string;
  /** A guest that spoils its own records breaks it, and harms itself. */
  readonly needsGoodGuest?: true;
}

export const INVARIANTS: readonly Invariant[] = [
  { number: 1, text: 'bits 16 to 23 of a slot’s address are 06, those above 0', seenAt: 'store of a slot' },
  { number: 2, text: 'a slot lies in its table', seenAt: 'store of a slot', upstream: 'D1' },
  { number: 3, text: 'a slot lies in one page', seenAt: 'store of a slot', upstream: 'D1' },
  {
    number: 4,
    text: 'slots start at multiples of 80; no two live sites share one',
    seenAt: 'store of a slot',
    upstream: 'D6',
  },
  {
    number: 5,
    text: 'the first word of a slot is the address behind it',
    seenAt: 'patch, patched call',
    upstream: 'D6',
    needsGoodGuest: true,
  },
  {
    number: 6,
    text: 'a slot holds its site’s return address and number',
    seenAt: 'patch, patched call',
    upstream: 'D6, code that changes',
    needsGoodGuest: true,
  },
  {
    number: 7,
    text: 'the header is the next index whenever the lock is free',
    seenAt: 'unlock',
    upstream: 'D6',
    needsGoodGuest: true,
  },
  {
    number: 8,
    text: 'one table, five pages, where the Sentry thinks it is',
    seenAt: 'unlock',
    upstream: 'D5, D6',
    needsGoodGuest: true,
  },
  { number: 9, text: 'the table is private to its address space', seenAt: 'unlock, fork', needsGoodGuest: true },
  {
    number: 10,
    text: 'a slot does not change once its site is patched',
    seenAt: 'patched call, unlock',
    upstream: 'D6',
    needsGoodGuest: true,
  },
  { number: 11, text: 'a site that is patched is not patched again', seenAt: 'first store to a site' },
  { number: 12, text: 'the seven bytes are never anything but a stage of the patch', seenAt: 'store to a site' },
  { number: 13, text: 'the guard comes first, the opcode last', seenAt: 'store to a site' },
  { number: 14, text: 'the slot is whole before the site changes', seenAt: 'first store to a site', upstream: 'D6' },
  { number: 15, text: 'one patcher at a time, and no fork meanwhile', seenAt: 'lock, fork' },
  {
    number: 16,
    text: 'at the first store the site holds what the stub found',
    seenAt: 'first store to a site',
    upstream: 'code that changes',
  },
  {
    number: 17,
    text: 'the mov is an instruction, by a second decoder',
    seenAt: 'patch',
    upstream: 'issue #10849',
  },
  {
    number: 18,
    text: 'who meets the guard carries the site’s number, or 219',
    seenAt: 'recovery',
    upstream: 'D3',
    needsGoodGuest: true,
  },
  {
    number: 19,
    text: 'nothing jumps between the bytes of a site',
    seenAt: 'no event tells where a task came from; facts 6 to 9 enter a site at +5 and +6',
    isUnobservable: true,
  },
  { number: 20, text: 'a patch that fails costs no slot', seenAt: 'end of a patch', upstream: 'D2' },
  { number: 21, text: 'no other mapping executes the bytes', seenAt: 'patch', upstream: 'scenarios 49, 50' },
  {
    number: 22,
    text: 'a patch that fails leaves the bytes as they were',
    seenAt: 'end of a patch',
    upstream: 'usertrap 2.4',
  },
  {
    number: 23,
    text: 'GS is the stub’s record wherever slots may be executed',
    seenAt: 'run, patched call',
    upstream: 'scenarios 53 to 55',
    needsGoodGuest: true,
  },
  {
    number: 24,
    text: 'the constants of the stub’s record are constant',
    seenAt: 'run',
    upstream: 'a guest that writes its record',
    needsGoodGuest: true,
  },
  {
    number: 25,
    text: 'the thread state is NONE when guest code runs',
    seenAt: 'run',
    upstream: 'a guest that writes its record',
    needsGoodGuest: true,
  },
  {
    number: 26,
    text: 'no page fault between PREP and the Sentry',
    seenAt: 'stop',
    upstream: 'D4',
    needsGoodGuest: true,
  },
  {
    number: 27,
    text: 'the syshandler finds PREP',
    seenAt: 'end of a run',
    upstream: 'D4, scenarios 30 and 32',
    needsGoodGuest: true,
  },
  {
    number: 28,
    text: 'the Sentry is given the registers of the site, and the slot’s number',
    seenAt: 'patched call',
    upstream: 'D3, D6',
    needsGoodGuest: true,
  },
  {
    number: 29,
    text: 'the guest gets the Sentry’s registers, and its red zone as it was',
    seenAt: 'patched call, end of a run',
    needsGoodGuest: true,
  },
  { number: 30, text: 'FP state is the context’s own', seenAt: 'run', upstream: 'D7' },
  {
    number: 31,
    text: 'TF is clear in slots and in the stub',
    seenAt: 'stop',
    upstream: 'scenario 32',
    needsGoodGuest: true,
  },
  {
    number: 32,
    text: 'an interruption is never lost',
    seenAt: 'an absence that no event shows; scenario 21 and the preemption tests count interruptions',
    isUnobservable: true,
  },
  {
    number: 33,
    text: 'no saved instruction pointer lies behind a slot’s first instruction',
    seenAt: 'run, end of a run',
    upstream: 'D4, scenario 32',
    needsGoodGuest: true,
  },
  {
    number: 34,
    text: 'a saved instruction pointer at a slot finds the slot valid',
    seenAt: 'run',
    upstream: 'D6',
    needsGoodGuest: true,
  },
  {
    number: 35,
    text: 'an arrival at a site is one call, with the number that the guest loaded',
    seenAt: 'call, end of a run',
    upstream: 'code that changes, D6',
    needsGoodGuest: true,
  },
  {
    number: 36,
    text: 'a rewound task makes its call again, or restart_syscall, not both',
    seenAt: 'first call after a recovery',
    upstream: 'D3',
    needsGoodGuest: true,
  },
  {
    number: 37,
    text: '219 at a guard comes of a restart, or of a site for 219',
    seenAt: 'a guest may load 219 itself; scenarios 12 and 14, fact 8',
    isUnobservable: true,
  },
  {
    number: 38,
    text: 'only the guard of a patched site is recovered from',
    seenAt: 'recovery',
    upstream: 'usertrap 2.7',
  },
  { number: 39, text: 'the stub goes back only to a site that is patched or being patched', seenAt: 'rewind' },
  { number: 40, text: 'recovery ends at the jump', seenAt: 'recovery', needsGoodGuest: true },
  {
    number: 41,
    text: 'a child’s first slot is none that a copied site uses',
    seenAt: 'store of a slot',
    upstream: 'D6',
  },
  {
    number: 42,
    text: 'the header is 2 to 257 once there is a slot',
    seenAt: 'unlock',
    upstream: 'D6',
    needsGoodGuest: true,
  },
  { number: 43, text: 'a traced task adds no slot', seenAt: 'patch' },
  { number: 44, text: 'no slot of the old program is left after exec', seenAt: 'exec' },
  { number: 45, text: 'no more live slots than the table has', seenAt: 'patch' },
  {
    number: 46,
    text: 'the table lock comes before locks of mm',
    seenAt: 'mm has no locks here; race explores the one lock there is',
    isUnobservable: true,
  },
];
