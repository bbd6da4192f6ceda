// SPDX-License-Identifier: MIT
//
// When a run is shown instruction by instruction: at its start, and where a patched site is called for the first time.
// Slots that nobody has used yet are guarded as breakpoints are, so that nothing is stepped while it is waited for.

import type { Stop } from '../../cpu/cpu.ts';
import { Reg } from '../../cpu/regs.ts';
import type { GuestContext } from '../../platform/sentry.ts';
import type { SpaceTraps } from '../../platform/space-traps.ts';

/** Instructions that a window shows at most, and behind the way back to the program. */
const WINDOW = 400;
const AFTER_WINDOW = 3;
/** Uses of slots that nobody waits for, before the others are not waited for any more. */
const MOST_MISSES = 2000;

export class StepWindows {
  /** Instructions that are still to be shown one by one. */
  #left: number;
  /** The window ends a few instructions after its call was served and the program goes on. */
  #endsAfterCall = false;
  /** Slots whose first use is waited for, by their table. */
  readonly #awaited = new Map<SpaceTraps, Set<number>>();
  #misses = 0;
  /** A call goes through a slot that nobody waits for: slots are guarded again once it has been served. */
  #isUnguarded = false;
  /** There is a slot that the run under way does not know to be guarded. */
  #isAwaitedAnew = false;

  /** @param head instructions that are shown from the start */
  constructor(head: number) {
    this.#left = head;
  }

  get isOpen(): boolean {
    return this.#left > 0;
  }

  /** An instruction has been shown. */
  shown(): void {
    this.#left--;
  }

  /** It was none after all. */
  takenBack(): void {
    if (this.#left > 0) this.#left++;
  }

  /** From now on instructions are shown, up to the end of a call that comes. */
  open(): void {
    this.#left = Math.max(this.#left, WINDOW);
    this.#endsAfterCall = true;
  }

  /** The task is back in its own code. */
  mayEnd(): void {
    if (this.#endsAfterCall && this.#left <= WINDOW) this.#left = Math.min(this.#left, AFTER_WINDOW);
  }

  /** The first call through this slot is to be shown. */
  await(traps: SpaceTraps, slot: number): void {
    const slots = this.#awaited.get(traps);
    if (slots === undefined) this.#awaited.set(traps, new Set([slot]));
    else slots.add(slot);
    this.#isAwaitedAnew = true;
  }

  /** The engine is about to run freely. */
  guard(ctx: GuestContext): void {
    if (this.#isUnguarded) return;
    for (const [traps, slots] of this.#awaited) {
      if (traps.mm !== ctx.mm) continue;
      for (const slot of slots) traps.mm.guardPage(slot, true);
    }
  }

  /** Whether a page fault of such a run is due to the guard; then the page is usable again. */
  takesFault(ctx: GuestContext, { address, access, present }: Stop): boolean {
    for (const [traps, slots] of this.#awaited) {
      if (traps.mm !== ctx.mm || !traps.inSlots(address)) continue;
      if (ctx.mm.handleFault(address, access, present, ctx.regs.get(Reg.rsp)) !== 'fixed') return false;
      if (slots.delete(address)) this.open();
      else if (++this.#misses > MOST_MISSES) this.#awaited.clear();
      // Another site's call goes on unguarded, up to the Sentry.
      else this.#isUnguarded = true;
      return true;
    }
    return false;
  }

  /** A call was served inside such a run; true when the next one has to be guarded. */
  guardsAnew(): boolean {
    const isWanted = (this.#isUnguarded || this.#isAwaitedAnew) && this.#awaited.size > 0;
    this.#isUnguarded = false;
    this.#isAwaitedAnew = false;
    return isWanted;
  }
}
