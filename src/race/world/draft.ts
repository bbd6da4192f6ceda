// SPDX-License-Identifier: MIT
//
// A step in the making, and what it is when it is made.

import type { Failure } from '../search/system.ts';
import { Touch } from './hot-bytes.ts';
import type { ActorEvent, Local, Shared } from './state.ts';

/** One thing that an actor can do, with all its consequences. */
export interface Outcome {
  readonly local: Local;
  readonly shared: Shared;
  readonly events: readonly ActorEvent[];
  readonly name: string;
  readonly text: string;
  readonly failure: Failure | null;
  readonly reads: number;
  readonly writes: number;
}

/** An outcome that is not finished. */
export interface Draft extends Outcome {
  local: Local;
  shared: Shared;
  readonly events: ActorEvent[];
  text: string;
  failure: Failure | null;
  reads: number;
  writes: number;
  /** The actor held the lock before the step. */
  readonly heldLock: boolean;
}

export function newDraft(local: Local, shared: Shared, name: string, text: string): Draft {
  const heldLock = local.work !== null && local.work.holds !== 'nothing';
  return { local, shared, events: [], name, text, failure: null, reads: Touch.standstill, writes: 0, heldLock };
}
