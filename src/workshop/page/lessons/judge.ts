// SPDX-License-Identifier: MIT
//
// Gathers what a goal is judged by (recording, disassembler, answers of the laboratory) and judges an attempt.

import { RecordingCursor } from '../../../trace/recording/cursor.ts';
import type { Recording } from '../../../trace/recording/format.ts';
import type { JobRequest, LabResult } from '../../api.ts';
import { cursorSteps } from '../../lessons/cursor-steps.ts';
import { checkGoal, racesOf } from '../../lessons/goals.ts';
import type { Evidence, Outcome } from '../../lessons/goals.ts';
import type { TaskView } from '../../lessons/lesson-set.ts';
import type { Attempt, RaceRequest, Verdict } from '../../lessons/lesson.ts';
import { checkRequest, labRequest } from '../../lessons/recorded-results.ts';
import { decodeWith, loadDisassembler } from './decoder.ts';
import { loadRecording } from './lesson-data.ts';

/** An outcome, with what the laboratory said on the way. */
export interface Judgement {
  readonly outcome: Outcome;
  /** The explorer's or the comparison's report. */
  readonly report?: string;
  /** What can be opened now. */
  readonly recordings?: readonly Recording[];
  /** Why the laboratory gave no answer. */
  readonly refusal?: string;
}

/**
 * Judges an attempt.
 * @param ask the laboratory: first the one that is there, then recorded answers
 */
export async function judge(
  task: TaskView,
  attempt: Attempt,
  ask: (request: JobRequest) => Promise<LabResult>,
): Promise<Judgement> {
  const { goal } = task;
  const verdicts = new Map<string, Verdict>();
  const answers: LabResult[] = [];
  for (const race of racesOf(goal, attempt)) {
    const answer = await ask(labRequest(race));
    answers.push(answer);
    if (answer.ok && answer.outcome.kind === 'race' && answer.outcome.verdict !== 'incomplete')
      verdicts.set(JSON.stringify(race), answer.outcome.verdict);
  }
  const isBytes = goal.kind === 'bytes' || (goal.kind === 'choice' && goal.rules !== undefined);
  const decode = isBytes ? decodeWith(await loadDisassembler()) : () => ({ text: '', length: 0, isValid: false });
  const evidence: Evidence = {
    decode,
    verdict: (race: RaceRequest) => verdicts.get(JSON.stringify(race)),
    ...(task.recording !== undefined && {
      steps: cursorSteps(new RecordingCursor(await loadRecording(task.recording))),
    }),
  };
  let outcome = checkGoal(goal, attempt, evidence);
  if (!outcome.reached && outcome.reason === 'code.not-run' && attempt.kind === 'code') {
    const answer = await ask(checkRequest(attempt.source));
    answers.push(answer);
    if (answer.ok && answer.outcome.kind === 'check')
      outcome = checkGoal(goal, attempt, { ...evidence, differs: answer.outcome.verdict === 'differs' });
  }
  const reports = answers.flatMap((a) => (a.ok && 'text' in a.outcome ? [a.outcome.text] : []));
  const recordings = answers.flatMap((a) => (a.ok ? (a.recordings as readonly Recording[]) : []));
  const refusal = answers.find((a) => !a.ok);
  return {
    outcome,
    ...(reports.length > 0 && { report: reports.join('\n') }),
    ...(recordings.length > 0 && { recordings }),
    ...(refusal !== undefined && !refusal.ok && { refusal: refusal.sentence }),
  };
}
