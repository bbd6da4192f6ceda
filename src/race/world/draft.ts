// SPDX-License-Identifier: MIT
//
// A step in the making, and what it is when it is made.

import type { Failure } from '../search/system.ts';
import { Touch } from './hot-bytes.ts';
import type { ActorEvent, Local, Shared } from './state.ts';

/** A store to shared memory that a step made, whether it changed what was there or not. */
export interface StoreMade {
  /** Number of the address space. */
  readonly space: number;
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** One thing that an actor can do, with all its consequences. */
export interface Outcome {
  readonly local: Local;
  readonly shared: Shared;
  readonly events: readonly ActorEvent[];
  readonly stores: readonly StoreMade[];
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
  readonly stores: StoreMade[];
  text: string;
  failure: Failure | null;
  reads: number;
  writes: number;
  /** The actor held the lock before the step. */
  readonly heldLock: boolean;
}

export function newDraft(local: Local, shared: Shared, name: string, text: string): Draft {
  const heldLock = local.work !== null && local.work.holds !== 'nothing';
  return {
    local,
    shared,
    events: [],
    stores: [],
    name,
    text,
    failure: null,
    reads: Touch.standstill,
    writes: 0,
    heldLock,
  };
}
