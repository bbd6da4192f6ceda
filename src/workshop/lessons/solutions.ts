// SPDX-License-Identifier: MIT
//
// The solution of a task as an attempt, worked out where it is not written: for "go there", for tests and for handouts.

import { valueOf } from './goals.ts';
import type { Attempt, Task } from './lesson.ts';
import { findStep } from './recorded-steps.ts';
import type { RecordedSteps } from './recorded-steps.ts';

/** Undefined where the recording has no such step or value. */
export function solutionOf({ goal, solution }: Task, steps: RecordedSteps | undefined): Attempt | undefined {
  if (solution !== 'goal') return solution;
  if (goal.kind === 'moment') {
    const step = steps === undefined ? undefined : findStep(steps, goal.where);
    return step === undefined ? undefined : { kind: 'moment', step };
  }
  if (goal.kind !== 'answer') return undefined;
  const value = valueOf(goal.value, steps);
  if (value === undefined) return undefined;
  return { kind: 'answer', text: goal.base === 16 ? `0x${value.toString(16)}` : String(value) };
}
