// SPDX-License-Identifier: MIT
//
// The protocol's effects as data. Everything that the Sentry or a stub does to shared state is a generator that yields
// a Step before it happens and receives its result: `run` performs the steps at once, `race` interleaves them.

import type { Addr } from '../base/addr.ts';

/** One effect. `what` names the step in reports and schedules. */
export type Step =
  /** The table lock of the address space: exclusive for patching, shared for recovery and fork. Result: 1. */
  | { readonly op: 'lock' | 'unlock'; readonly exclusive: boolean; readonly what: string }
  /**
   * A read of guest memory with the guest's permissions, or with `force` whatever they are. Result: the bytes, or null when
   * any cannot be read.
   */
  | {
      readonly op: 'load';
      readonly addr: Addr;
      readonly length: number;
      readonly force?: true;
      readonly what: string;
    }
  /** One machine store, permissions ignored within the mapping's maximum. Result: 1, or 0 when it cannot be made. */
  | { readonly op: 'store'; readonly addr: Addr; readonly bytes: Uint8Array; readonly what: string }
  /** Every other processor of this address space executes a serialising instruction. Result: 1. */
  | { readonly op: 'sync'; readonly what: string }
  /**
   * Every other task of this address space stands still between two instructions, and none in a slot where that is never
   * shown (`hideSlotRip`), until `resume`, where it serialises. Result: 1.
   */
  | { readonly op: 'stop' | 'resume'; readonly what: string }
  /** The Sentry's own records of the table: `next` is 0 before the first use. Result: the value. */
  | { readonly op: 'get'; readonly field: TableField; readonly what: string }
  | { readonly op: 'set'; readonly field: TableField; readonly value: number; readonly what: string }
  /** A slot for a site other than the next: one whose site is gone, or that other tables have for it. Result: its address, or 0. */
  | { readonly op: 'freed'; readonly site: Addr; readonly sysno: number; readonly what: string }
  /** The site of a slot is gone; a slot that was free serves a site. Result: 1. */
  | { readonly op: 'free' | 'take'; readonly slot: Addr; readonly what: string }
  /** Looks for a mapping named `[usertrap]` that starts in the window. Result: its start, or 0. */
  | { readonly op: 'find-table'; readonly what: string }
  /** Maps a table, over whatever is there. Result: 0 or -errno. */
  | { readonly op: 'map-table'; readonly addr: Addr; readonly what: string }
  /** Whether the guest has mapped nothing in the range. Result: 1 or 0. */
  | { readonly op: 'is-free'; readonly addr: Addr; readonly length: number; readonly what: string }
  /** Whether the mapping at an address is shared. Result: 1 or 0. */
  | { readonly op: 'is-shared'; readonly addr: Addr; readonly what: string }
  /** Whether the guest may execute what lies at an address. Result: 0, 1, or 2 where it makes code as it runs. */
  | { readonly op: 'is-executable'; readonly addr: Addr; readonly what: string }
  /** A random number below `below`. */
  | { readonly op: 'random'; readonly below: number; readonly what: string };

/** `tracees`: tasks of the address space that have a tracer. */
export type TableField = 'next' | 'base' | 'tracees';

export type StepResult = Uint8Array | number | null;

/** A sequence of steps that ends in an outcome. Pure but for its steps: it can be run again from their results. */
export type Steps<T> = Generator<Step, T, StepResult>;

/** Performs steps. */
export interface StepPerformer {
  perform(step: Step): StepResult;
}

/** Performs all steps at once. */
export function drain<T>(steps: Steps<T>, performer: StepPerformer): T {
  let result = steps.next();
  while (result.done !== true) result = steps.next(performer.perform(result.value));
  return result.value;
}

// A patch is made once and so runs in code that the host has not compiled yet: a step is a value, not a generator of its own.

export function lock(exclusive: boolean): Step {
  return { op: 'lock', exclusive, what: exclusive ? 'lock' : 'read-lock' };
}

export function unlock(exclusive: boolean): Step {
  return { op: 'unlock', exclusive, what: exclusive ? 'unlock' : 'read-unlock' };
}

export function load(addr: Addr, length: number, what: string): Step {
  return { op: 'load', addr, length, what };
}

export function store(addr: Addr, bytes: Uint8Array, what: string): Step {
  return { op: 'store', addr, bytes, what };
}

/** The result of a load. */
export function bytesOf(result: StepResult): Uint8Array | null {
  return result instanceof Uint8Array ? result : null;
}

/** The result of a step that answers with a number. */
export function numberOf(result: StepResult): number {
  return typeof result === 'number' ? result : 0;
}
