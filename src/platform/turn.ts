// SPDX-License-Identifier: MIT
//
// A context's turn on the processor. The host's interruptions are no ends of turns: the one that they meet goes on after
// them as if nothing had been, so that nothing a guest can see depends on when the host interrupts.

import type { Prng } from '../base/prng.ts';
import { savable } from '../base/savable.ts';
import type { GuestContext } from './sentry.ts';

/** A turn that ends in a slot or in stub code goes on for fewer instructions than this, where it may end in it. */
export const STUB_STEPS = 8;

export class Turn {
  /** Whose turn the host has interrupted, until it goes on. */
  interrupted: GuestContext | null = null;
  /** Count of instructions at which it has begun. */
  start = 0;
  /** Count of instructions at which it ends. */
  end = 0;
  /** It ends before its budget does. */
  isCut = false;
  /** Its instructions are used up; what is left is the way out of stub code. */
  isOver = false;
  /** Instructions of stub code that are executed yet, where a turn may end among them. */
  stubSteps = 0;
  /** The processor is to execute a single instruction. */
  isStepped = false;

  /**
   * @param start count of instructions now
   * @param length instructions that it may last
   * @param budget that it was given: more, where the host takes the processor before
   * @param preemption where turns may end in stub code; else null
   */
  begin(start: number, length: number, budget: number, preemption: Prng | null): void {
    this.start = start;
    this.end = start + length;
    this.isCut = length < budget;
    this.isOver = false;
    this.stubSteps = preemption !== null && length > STUB_STEPS ? preemption.below(STUB_STEPS) : 0;
  }
}

savable('platform/turn', { Turn });
