// SPDX-License-Identifier: MIT
//
// A context's turn on the processor. The host's interruptions are no ends of turns: the one that they meet goes on after
// them as if nothing had been, so that nothing a guest can see depends on when the host interrupts.

import { savable } from '../base/savable.ts';
import type { GuestContext } from './sentry.ts';

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
}

savable('platform/turn', { Turn });
