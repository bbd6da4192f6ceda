// SPDX-License-Identifier: MIT
//
// What a lesson is, as types: README.md of this folder is the same for people. A lesson holds no sentence (those are in
// texts/), and no answer that could be worked out: a goal says what to look for in a recording, in bytes or in the
// explorer's verdict, and goals.ts looks.

/** Steps of a recording that fit everything which is said here. */
export interface StepPattern {
  /** Kinds of the recording format; any of them. */
  readonly kind?: readonly string[];
  readonly actor?: string;
  /** The instruction's text or the step's name starts so. */
  readonly text?: string;
  readonly sysno?: number;
  /** Of a store: where in the site it begins. */
  readonly offset?: number;
  /** The step at which the schedule fails. */
  readonly fails?: true;
  /** The step stores to bytes that begin this far above the stack pointer: 0 is the byte at rsp. */
  readonly storesAtStack?: number;
  /** Which of those that fit, from 1; -1 is the last. Default: any of them for a moment, the first for a value. */
  readonly nth?: number;
}

/** A number that is worked out. */
export type Value =
  | { readonly number: number }
  | { readonly count: StepPattern }
  | { readonly register: string; readonly at: StepPattern }
  | { readonly field: StepField; readonly at: StepPattern }
  | { readonly minus: readonly [Value, Value] }
  /** Length of the instruction that these bytes begin with. */
  | { readonly lengthOf: string }
  /** Of a site or of a crash, whose bytes are those of `25 lo hi 06`: the slot that it names. */
  | { readonly slotOf: Value }
  /** Index of a slot, whatever the table's base is. */
  | { readonly slotIndexOf: Value };

/** What one step says of itself as a number. */
export type StepField = 'rip' | 'sysno' | 'result' | 'address';

/** What bytes must be. `at` is the entry offset that is decoded from. */
export interface ByteRule {
  readonly at: number;
  /** The text of the instruction there, in GNU syntax; with `…` at the end: how it starts. */
  readonly is?: string;
  /** How it must not start. */
  readonly isNot?: string;
  readonly valid?: boolean;
  readonly length?: number;
  /** These bytes stand there. */
  readonly bytes?: string;
}

/** An experiment with the explorer. */
export interface RaceRequest {
  readonly scenario: string;
  readonly patch: 'upstream' | 'hardened';
  readonly protocol: string;
  readonly model: string;
  readonly offset: number;
  /** Third byte of every slot's address, and so the guard. */
  readonly guard: number;
}

export type Verdict = 'holds' | 'fails';

export interface ChoiceOption {
  readonly id: string;
  readonly bytes?: string;
  readonly races?: readonly RaceRequest[];
}

export type Goal =
  /** Go to such a step. */
  | { readonly kind: 'moment'; readonly where: StepPattern }
  /** Find out a number. */
  | { readonly kind: 'answer'; readonly value: Value; readonly base: 10 | 16 }
  /** Write bytes. */
  | { readonly kind: 'bytes'; readonly start: string; readonly address: number; readonly rules: readonly ByteRule[] }
  /** Pick what fits: the option whose bytes keep the rules, or whose races all hold (fail). */
  | {
      readonly kind: 'choice';
      readonly options: readonly ChoiceOption[];
      readonly rules?: readonly ByteRule[];
      readonly verdict?: Verdict;
    }
  /** Choose an order of stores (and more), and let the explorer judge it. */
  | {
      readonly kind: 'order';
      readonly verdict: Verdict;
      readonly guards: readonly number[];
      readonly models: readonly string[];
      /** What the choice must be, or must not be, beside the verdict. */
      readonly order?: string;
      readonly otherGuardThan?: number;
      readonly model?: string;
    }
  /** Write code that a matcher takes for a site and that is none. */
  | { readonly kind: 'code'; readonly start: string; readonly judge: 'false-match' | 'differs' };

/** What somebody did, to be held against a goal. */
export type Attempt =
  | { readonly kind: 'moment'; readonly step: number }
  | { readonly kind: 'answer'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: string }
  | { readonly kind: 'choice'; readonly option: string }
  | { readonly kind: 'order'; readonly order: string; readonly guard: number; readonly model: string }
  | { readonly kind: 'code'; readonly source: string };

/** What the solution of a moment or an answer is, is worked out: those say `"goal"`. */
export type Solution = Attempt | 'goal';

export interface Task {
  readonly id: string;
  /** Name of a file of recordings/. */
  readonly recording?: string;
  /** Id of an earlier task, an order: the recording that its answer shows comes in place of `recording`, where it has one. */
  readonly recordingOf?: string;
  /** Where it is opened. Default: its start. */
  readonly from?: StepPattern;
  /** Panes that help. */
  readonly panes?: readonly string[];
  readonly goal: Goal;
  /** The goal can be judged only where a server runs the code. */
  readonly needsServer: boolean;
  readonly solution: Solution;
  /** An attempt that the goal refuses. */
  readonly wrong: Attempt;
}

export interface Lesson {
  readonly number: number;
  readonly id: string;
  /** Key of the one idea that it teaches. */
  readonly concept: string;
  readonly minutes: number;
  readonly tasks: readonly Task[];
}
