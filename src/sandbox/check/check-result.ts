// SPDX-License-Identifier: MIT
//
// What a check finds, as data: report/ makes text, JSON and SARIF of it.

import type { PatchMode } from '../../platform/sentry.ts';
import type { Guards } from '../../usertrap/guards.ts';
import type { Metrics } from '../metrics.ts';
import type { SiteAtPatch } from './facts.ts';
import type { DifferingBytes } from './memory-snapshot.ts';

/** A mode that is held against patching off. */
export type CheckedMode = Exclude<PatchMode, 'off'>;

/**
 * | verdict | meaning |
 * |---|---|
 * | `same` | nothing that the program sees or does differs |
 * | `slower-only` | the same, but most calls that could be served by a patched site trap each time |
 * | `differs` | see the divergence |
 * | `incomplete` | a limit ended the runs before the program did; up to there they are the same |
 */
export type CheckVerdict = 'same' | 'slower-only' | 'differs' | 'incomplete';

/** What differs first. */
export type DivergenceKind =
  /** Another call than with patching off, or other arguments. */
  | 'call'
  /** Another result of the same call. */
  | 'result'
  /** The same call with other data. */
  | 'data'
  /** The same call, but other registers will be seen after it. */
  | 'registers'
  /** The same call, but vector state was changed. */
  | 'vector-state'
  /** A signal that is not there with patching off, or is missing. */
  | 'signal'
  /** The task ends otherwise. */
  | 'exit'
  /** The task does nothing more where it does with patching off: it waits or computes for ever. */
  | 'hang'
  /** Memory at a process's end. */
  | 'memory'
  | 'output';

/** Why patching did it, as far as it could be found out. */
export type Cause =
  /** A longer instruction ends in the bytes of `mov $number,%eax`. */
  | 'false-match'
  /** Several paths share one `syscall`. */
  | 'shared-tail'
  /** The program reads rcx or r11 after a call. */
  | 'keeps-rcx'
  /** It sets a GS base of its own. */
  | 'own-gs'
  /** It writes to Systrap's records. */
  | 'stub-record'
  /** It unmaps the trap table, or takes its rights away. */
  | 'table-lost'
  /** The table went over a mapping of the program's. */
  | 'table-over-mapping'
  /** After a fork the table is not found, or its header is wrong. */
  | 'table-after-fork'
  /** The table counts as locked memory. */
  | 'memlock'
  /** Code in a shared mapping. */
  | 'shared-code'
  /** Code that changed between the trap and the patch, or afterwards. */
  | 'code-changed'
  /** Code that is read, copied or written while it is patched. */
  | 'code-handled'
  /** A tracer looks at the patched program, or steps through it. */
  | 'traced'
  /** An address in a slot is shown. */
  | 'slot-rip'
  /** Bits above the 32nd are set in rax at a call. */
  | 'wide-number'
  /** The trap flag is set in a trampoline. */
  | 'single-step'
  | 'jump-into-site'
  /** The program looks at its own code. */
  | 'reads-code'
  /** Only several guards together prevent it. */
  | 'several'
  /** The run is too long to try guards. */
  | 'unknown';

export interface CodeLine {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** The site that is to blame, or that the evidence is nearest to. */
export interface SuspectSite {
  readonly site: SiteAtPatch;
  /** The seven bytes before and after the patch. */
  readonly original: Uint8Array;
  readonly patched: Uint8Array;
  /** The instructions that are really there. */
  readonly before: readonly CodeLine[];
  /** What the processor executes in their place. */
  readonly after: readonly CodeLine[];
  /** The rule by which hardened mode leaves the site alone; undefined when it patches it too. */
  readonly refusedByHardened: string | undefined;
}

export interface Divergence {
  readonly kind: DivergenceKind;
  readonly cause: Cause;
  /** The guard that upstream lacks: with it alone, nothing that others can see differs. */
  readonly guard: keyof Guards | undefined;
  /** Place in the tree of tasks, such as `1.2`, and thread id. */
  readonly task: string;
  readonly tid: number;
  /** Number of the event of the task, counted from 1; 0 for memory and output. */
  readonly event: number;
  readonly expected: string;
  readonly found: string;
  /** What the task did last, oldest first. */
  readonly before: readonly string[];
  readonly suspect: SuspectSite | undefined;
  /** Memory that already differed before: what the patch destroyed. */
  readonly corrupted: readonly DifferingBytes[];
  /** Of a fatal fault: the address. */
  readonly faultAddress: bigint | undefined;
}

/** One mode against patching off. */
export interface ModeResult {
  readonly mode: CheckedMode;
  readonly verdict: CheckVerdict;
  readonly divergence: Divergence | undefined;
  readonly metrics: Metrics;
}

export interface CheckResult {
  readonly program: string;
  readonly seed: number;
  readonly verdict: CheckVerdict;
  /** The run with patching off. */
  readonly reference: Metrics;
  readonly modes: readonly ModeResult[];
  /** Events that were compared, of all tasks. */
  readonly events: number;
}
