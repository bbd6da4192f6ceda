// SPDX-License-Identifier: MIT
//
// What happens to patched sites before a program changes their code: they get their own bytes back while everybody else
// stands still, so that nobody sees it half done. Hardened mode's; upstream's memory calls know nothing of sites
// (usertrap.md 2.14), so nothing of gVisor's is modelled here.

import { PROT_WRITE } from '../abi/mman.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import type { Guards } from './guards.ts';
import { jumpOperand, looksPatched, originalBytes } from './layout.ts';
import { bytesOf, lock, numberOf, store, unlock } from './steps.ts';
import type { Step, StepResult } from './steps.ts';
import { headerBytes } from './trap-table.ts';

/** A patched site as the Sentry's records have it. */
export interface SiteRecord {
  readonly address: number;
  readonly sysno: number;
  readonly slot: number;
}

/** What is about to happen to code: its pages go, are protected, move, or another process writes to them. */
export type CodeChange = 'discard' | 'protect' | 'move' | 'write';

/** Steps of the protocol, or of whoever else makes steps beside it. */
type StepsWith<S, T> = Generator<Step | S, T, StepResult>;

/**
 * Whether sites get their own bytes back before such a change.
 * @param prot the new PROT_ bits, for `protect`
 */
export function needsOwnBytes(guards: Guards, change: CodeChange, prot: number): boolean {
  if (change === 'discard') return guards.reuseSlots;
  return guards.restoreEditedSites && (change !== 'protect' || (prot & PROT_WRITE) !== 0);
}

/** Gives a site its bytes back; false when they cannot be written. */
function* restore<S>(site: SiteRecord): StepsWith<S, boolean> {
  // Whatever the guest may do with the page: it may have taken its own right to read it.
  const now = bytesOf(yield { op: 'load', addr: site.address, length: SITE_BYTES, force: true, what: 'is it patched' });
  if (now === null || !looksPatched(now) || jumpOperand(now) !== site.slot) return true;
  return (yield store(site.address, originalBytes(site.sysno), 'own bytes')) === 1;
}

/**
 * Gives sites their own bytes back, and then lets the change happen.
 * @param records the sites in question, looked up once the others stand still
 * @param forgets they are sites no more and their slots may serve others: nobody is in one while all stand still
 * @param change absent where it is made right after, as in `run`: nobody runs in between
 */
export function* changeCode<S = never>(
  records: StepsWith<S, readonly SiteRecord[]>,
  forgets: boolean,
  change?: StepsWith<S, void>,
): StepsWith<S, void> {
  yield lock(true);
  yield { op: 'stop', what: 'stop the others' };
  for (const site of yield* records) {
    const isGone = yield* restore<S>(site);
    if (isGone && forgets) yield { op: 'free', slot: site.slot, what: 'free the slot' };
  }
  if (change !== undefined) yield* change;
  yield { op: 'resume', what: 'let the others go' };
  yield unlock(true);
}

/** An empty table, for an address space whose sites are all as their author wrote them. */
export function* emptyTable<S = never>(): StepsWith<S, void> {
  const base = numberOf(yield { op: 'get', field: 'base', what: 'table base' });
  yield { op: 'set', field: 'next', value: 1, what: 'next trap' };
  yield store(base, headerBytes(1), 'header');
}
