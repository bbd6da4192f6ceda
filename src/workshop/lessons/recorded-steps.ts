// SPDX-License-Identifier: MIT
//
// What goals see of a recording, and the search for steps in it. A narrow view, so that goals do not depend on how a
// recording is stored.

import type { StepPattern } from './lesson.ts';

/** One step. */
export interface RecordedStep {
  readonly kind: string;
  /** Who made it; several tasks of a run may have the same name. */
  readonly actor: string;
  /** The instruction in GNU syntax, or the step's name. */
  readonly text: string;
  /** Where the instruction lies. */
  readonly rip: number | undefined;
  readonly fails: boolean;
  readonly sysno: number | undefined;
  /** Of a store to a site. */
  readonly offset: number | undefined;
  readonly result: number | undefined;
  /** Of a fault. */
  readonly address: number | undefined;
  readonly stores: readonly { readonly address: number; readonly length: number }[];
}

/** All steps of a recording, from 0. */
export interface RecordedSteps {
  readonly count: number;
  step(index: number): RecordedStep;
  /** A register of the step's actor once the step is done; undefined where the recording does not know it. */
  register(index: number, name: string): number | undefined;
}

/** Whether a step fits a pattern, `nth` left out. */
export function fits(steps: RecordedSteps, index: number, pattern: StepPattern): boolean {
  const step = steps.step(index);
  if (pattern.kind !== undefined && !pattern.kind.includes(step.kind)) return false;
  if (pattern.actor !== undefined && step.actor !== pattern.actor) return false;
  if (pattern.text !== undefined && !step.text.startsWith(pattern.text)) return false;
  if (pattern.sysno !== undefined && step.sysno !== pattern.sysno) return false;
  if (pattern.offset !== undefined && step.offset !== pattern.offset) return false;
  if (pattern.fails !== undefined && !step.fails) return false;
  return pattern.storesAtStack === undefined || storesNear(steps, index, pattern.storesAtStack);
}

function storesNear(steps: RecordedSteps, index: number, distance: number): boolean {
  const rsp = steps.register(index, 'rsp');
  if (rsp === undefined) return false;
  const at = rsp + distance;
  return steps.step(index).stores.some((s) => s.address <= at && at < s.address + s.length);
}

/** All steps that fit, `nth` left out. */
export function allSteps(steps: RecordedSteps, pattern: StepPattern): number[] {
  return Array.from({ length: steps.count }, (_, i) => i).filter((i) => fits(steps, i, pattern));
}

/** The step that a pattern names: its `nth`, or the first; undefined when there is none. */
export function findStep(steps: RecordedSteps, pattern: StepPattern): number | undefined {
  const found = allSteps(steps, pattern);
  const nth = pattern.nth ?? 1;
  return found[nth < 0 ? found.length + nth : nth - 1];
}
