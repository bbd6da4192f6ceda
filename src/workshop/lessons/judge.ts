// SPDX-License-Identifier: MIT
//
// Gathers what a goal is judged by (recording, disassembler, answers of the laboratory) and judges an attempt: the same
// for the page and the terminal.

import { RecordingCursor } from '../../trace/recording/cursor.ts';
import type { Recording } from '../../trace/recording/format.ts';
import type { JobRequest, LabResult } from '../api.ts';
import { cursorSteps } from './cursor-steps.ts';
import { checkGoal, orderRace, racesOf } from './goals.ts';
import type { Decoded, Evidence, Outcome } from './goals.ts';
import type { Attempt, Goal, Task, Verdict } from './lesson.ts';
import { checkRequest, labRequest } from './recorded-results.ts';

/** What judging needs from outside. */
export interface JudgeTools {
  readonly ask: (request: JobRequest) => Promise<LabResult>;
  readonly recording: (name: string) => Promise<Recording>;
  /** The disassembler, which may have to be loaded. */
  readonly decoder: () => Promise<(bytes: Uint8Array, address: number) => Decoded>;
}

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

/** What was answered to the tasks of a lesson, by their ids. */
export type Answers = Readonly<Record<string, Attempt>>;

/** The recording that a task is about: of the answer to an earlier task where it says so, or its own. */
export async function taskRecording(
  { recording, recordingOf }: Task,
  answers: Answers,
  tools: Pick<JudgeTools, 'ask' | 'recording'>,
): Promise<Recording | undefined> {
  const earlier = recordingOf !== undefined && Object.hasOwn(answers, recordingOf) ? answers[recordingOf] : undefined;
  if (earlier?.kind === 'order') {
    const answer = await tools.ask(labRequest(orderRace(earlier)));
    const [shown] = answer.ok ? (answer.recordings as readonly Recording[]) : [];
    if (shown !== undefined) return shown;
  }
  return recording === undefined ? undefined : tools.recording(recording);
}

/** Judges an attempt; some goals depend on what was answered before. */
export async function judgeAttempt(
  task: Task,
  attempt: Attempt,
  tools: JudgeTools,
  before: Answers = {},
): Promise<Judgement> {
  const { goal } = task;
  const verdicts = new Map<string, Verdict>();
  const answers: LabResult[] = [];
  for (const race of racesOf(goal, attempt)) {
    const answer = await tools.ask(labRequest(race));
    answers.push(answer);
    if (answer.ok && answer.outcome.kind === 'race' && answer.outcome.verdict !== 'incomplete')
      verdicts.set(JSON.stringify(race), answer.outcome.verdict);
  }
  const recording = await taskRecording(task, before, tools);
  const evidence: Evidence = {
    decode: needsDecoder(goal) ? await tools.decoder() : () => ({ text: '', length: 0, isValid: false }),
    verdict: (race) => verdicts.get(JSON.stringify(race)),
    ...(recording !== undefined && { steps: cursorSteps(new RecordingCursor(recording)) }),
  };
  let outcome = checkGoal(goal, attempt, evidence);
  if (!outcome.reached && outcome.reason === 'code.not-run' && attempt.kind === 'code') {
    const answer = await tools.ask(checkRequest(attempt.source));
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

function needsDecoder(goal: Goal): boolean {
  return goal.kind === 'bytes' || (goal.kind === 'choice' && goal.rules !== undefined);
}

/** Decodes the instruction at the start of the bytes with a disassembler. */
export function decodeWith(reader: {
  disassemble(
    code: Uint8Array,
    address: number,
    limit?: number,
  ): readonly { readonly bytes: Uint8Array; readonly text: string; readonly isValid: boolean }[];
}): (bytes: Uint8Array, address: number) => Decoded {
  return (bytes, address) => {
    const [first] = reader.disassemble(bytes, address, 1);
    if (first === undefined) return { text: '(bad)', length: 0, isValid: false };
    return { text: first.text, length: first.bytes.length, isValid: first.isValid };
  };
}
