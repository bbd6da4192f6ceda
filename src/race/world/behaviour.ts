// SPDX-License-Identifier: MIT
//
// What a scenario brings to a world: what the kernel does when user code stops, which generators it runs, what counts
// as wrong. Everything here is a pure function of its arguments: steps are remembered and repeated.

import type { Stop } from '../../cpu/cpu.ts';
import type { Step, StepResult } from '../../usertrap/steps.ts';
import type { Failure } from '../search/system.ts';
import type { Local, Page, ServedCall, Shared, Space, Work } from './state.ts';

/** A step of usertrap's protocol, or one of those that only scenarios make. */
export type WorldStep =
  | Step
  /** Maps whole pages over what is there; unmaps or protects them. The others' processors are interrupted. */
  | {
      readonly op: 'map';
      readonly addr: number;
      readonly bytes: Uint8Array;
      readonly prot: number;
      readonly what: string;
    }
  | { readonly op: 'unmap'; readonly addr: number; readonly length: number; readonly what: string }
  | {
      readonly op: 'protect';
      readonly addr: number;
      readonly length: number;
      readonly prot: number;
      readonly what: string;
    }
  /** Makes an address space, of the caller's pages where none are given, and in it of an ended actor of a role `child`. */
  | {
      readonly op: 'fork';
      readonly role: string;
      readonly child: Local;
      readonly pages: ReadonlyMap<number, Page> | null;
      /** What the records of the child's table say is next, where that is not what the caller's say. */
      readonly next?: number;
      readonly what: string;
    }
  /** Posts a signal to the actors of a role. */
  | { readonly op: 'signal'; readonly role: string; readonly signo: number; readonly what: string }
  /**
   * futex(2) on a word of shared memory. `futex-wait`: the caller waits from now on (result 0) if the word has the value, else
   * -EAGAIN. `futex-wake`: so many of those who wait may go on; result: how many. `futex-woken`: the caller may.
   */
  | { readonly op: 'futex-wait'; readonly addr: number; readonly value: number; readonly what: string }
  | { readonly op: 'futex-wake'; readonly addr: number; readonly count: number; readonly what: string }
  | { readonly op: 'futex-woken'; readonly addr: number; readonly what: string }
  /** Waits until a shared note has a value. */
  | { readonly op: 'await'; readonly note: string; readonly value: number; readonly what: string }
  | { readonly op: 'note'; readonly note: string; readonly value: number; readonly what: string };

/** A sequence of steps that ends in an outcome. Pure but for its steps: it is run again from their results. */
export type WorldSteps<T> = Generator<WorldStep, T, StepResult>;

/** Why user code stopped. */
export type UserStop =
  /** It is about to execute the instruction at an address that the scenario named: the syshandler. */
  | { readonly kind: 'entered'; readonly address: number }
  /** It runs and runs. */
  | { readonly kind: 'runaway' }
  /** Anything that the engine reports. `stop` is the reader's to copy from. */
  | { readonly kind: 'stop'; readonly stop: Readonly<Stop> };

/** How an actor goes on. */
export type Then =
  /** In user code, at `rip` where given. `serialises`: the way there was a serialising instruction. */
  | {
      readonly kind: 'user';
      readonly local: Local;
      readonly rip?: number;
      readonly serialises: boolean;
    }
  /** The kernel or the stub does some work for it. */
  | { readonly kind: 'work'; readonly local: Local; readonly work: string; readonly note?: string }
  /** A syscall was served and nothing more is to do, or the actor has done its part. */
  | { readonly kind: 'end'; readonly local: Local; readonly call?: ServedCall; readonly failure?: Failure }
  | { readonly kind: 'fail'; readonly local: Local; readonly failure: Failure };

/** An instruction of hot bytes that is about to execute. */
export interface Decoded {
  readonly local: Local;
  readonly space: Space;
  /** Address of its first byte. */
  readonly at: number;
  /** Its bytes as the processor sees them; 15 where memory goes on. */
  readonly bytes: Uint8Array;
  /** 0 where the bytes are no instruction. */
  readonly length: number;
}

/** A step that fails in place of being made, as a choice of its own. */
export interface Injected {
  readonly name: string;
  readonly text: string;
  readonly result: StepResult;
  readonly local: Local;
}

export interface Behaviour {
  /** A fresh generator for some kind of work of an actor. */
  start(kind: string, local: Local): WorldSteps<unknown>;
  /** The generator has ended. */
  finish(kind: string, outcome: unknown, local: Local): Then;
  /** User code stopped. */
  userStop(stop: UserStop, local: Local): Then;
  /** Text for a table, and what is wrong with it if anything. */
  decode(decoded: Decoded): {
    readonly text: string;
    readonly failure?: (consequence: string) => Failure;
    /** It is known to read no data; then stores to data do not matter to it. */
    readonly readsData?: boolean;
  };
  /** Name of a step in schedules and its text in tables. Stores are named by the bytes they write. */
  label(step: WorldStep): { readonly name: string; readonly text: string };
  /** Part of {@link localKey}: what later steps of the work depend on, where that is less than all results. */
  liveResults?(work: Work, local: Local): string | undefined;
  /** A mutant of the kernel: an answer in place of the step's effect. */
  answer?(work: Work, step: WorldStep, local: Local): StepResult | undefined;
  /** A fault at this step, as a choice beside the step itself: that makes any step a visible one. */
  inject?(work: Work, step: WorldStep, local: Local): Injected | null;
  /** A posted signal is taken before the next instruction. */
  deliver?(signo: number, local: Local): Then;
  /** User code executes a page that is not mapped just now, and the kernel maps it: what is wrong with that. */
  pageFault?(local: Local): Failure | null;
  /** Called for each state that a step leads to: what is wrong with it. It then depends on all actors. */
  always?(shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined;
  /** Called where no actor can go on. */
  stuck(shared: Shared, locals: readonly Local[], actors: readonly string[]): Failure | undefined;
  outcome(shared: Shared, locals: readonly Local[], actors: readonly string[]): string;
}
