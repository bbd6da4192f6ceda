// SPDX-License-Identifier: MIT
//
// Every task of every lesson: its goal accepts the solution and refuses the recorded wrong attempt, and what it looks
// for is in the recordings.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, it } from 'vitest';

import { Disassembler } from '../../src/isa/disassembler.ts';
import { RecordingCursor } from '../../src/trace/recording/cursor.ts';
import type { Recording } from '../../src/trace/recording/format.ts';
import { cursorSteps } from '../../src/workshop/lessons/cursor-steps.ts';
import { checkGoal, parseNumber, valueOf } from '../../src/workshop/lessons/goals.ts';
import type { Evidence, Outcome } from '../../src/workshop/lessons/goals.ts';
import { decodeWith } from '../../src/workshop/lessons/judge.ts';
import { readLessons, reasonText } from '../../src/workshop/lessons/lesson-set.ts';
import type { TaskView } from '../../src/workshop/lessons/lesson-set.ts';
import type { Attempt, Goal } from '../../src/workshop/lessons/lesson.ts';
import { checkRequest, labRequest, parseResults, requestKey } from '../../src/workshop/lessons/recorded-results.ts';
import type { RecordedSteps } from '../../src/workshop/lessons/recorded-steps.ts';
import { solutionOf } from '../../src/workshop/lessons/solutions.ts';
import { lessonFiles } from './lesson-files.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const files = lessonFiles(ROOT);
const set = readLessons(files);
const results = new Map(
  parseResults(JSON.parse(files.get('results.json') ?? '')).results.map((r) => [requestKey(r.request), r]),
);
const disassembler = new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
afterAll(() => disassembler.dispose());

function stepsOf(name: string | undefined): RecordedSteps | undefined {
  if (name === undefined) return undefined;
  return cursorSteps(new RecordingCursor(JSON.parse(files.get(`recordings/${name}.json`) ?? '') as Recording));
}

function evidenceOf(task: TaskView, attempt?: Attempt): Evidence {
  const steps = stepsOf(task.recording);
  const check = attempt?.kind === 'code' ? results.get(requestKey(checkRequest(attempt.source))) : undefined;
  return {
    ...(steps !== undefined && { steps }),
    decode: decodeWith(disassembler),
    verdict(race) {
      const outcome = results.get(requestKey(labRequest(race)))?.outcome;
      return outcome?.kind === 'race' && outcome.verdict !== 'incomplete' ? outcome.verdict : undefined;
    },
    ...(check?.outcome.kind === 'check' && { differs: check.outcome.verdict === 'differs' }),
  };
}

function judged(task: TaskView, attempt: Attempt): Outcome {
  return checkGoal(task.goal, attempt, evidenceOf(task, attempt));
}

const tasks = set.lessons.flatMap((lesson) => lesson.tasks.map((task) => ({ name: `${lesson.id}/${task.id}`, task })));

describe.each(tasks)('The goal of $name', ({ task }) => {
  const steps = stepsOf(task.recording);
  const solution = solutionOf(task, steps);

  it('accepts the solution', () => {
    expect(solution).toBeDefined();
    if (solution !== undefined) expect(judged(task, solution)).toEqual({ reached: true });
  });

  it('refuses the wrong attempt, and says why', () => {
    const outcome = judged(task, task.wrong);
    expect(outcome.reached).toBe(false);
    if (outcome.reached) return;
    expect(['no-recording', 'no-verdict', 'kind', 'code.not-run', 'code.error']).not.toContain(outcome.reason);
    const sentence = reasonText(outcome, task, set.texts);
    expect(sentence).toMatch(/[.:]$/);
    expect(sentence).not.toContain('{');
  });

  it('refuses other moments', () => {
    const { goal } = task;
    if (goal.kind !== 'moment' || steps === undefined) return;
    const reached = Array.from({ length: steps.count }, (_, step) => step).filter(
      (step) => judged(task, { kind: 'moment', step }).reached,
    );
    expect(reached).toEqual([solution?.kind === 'moment' ? solution.step : -1]);
    expect(judged(task, { kind: 'moment', step: -1 })).toMatchObject({ reached: false, reason: 'moment.start' });
    expect(judged(task, { kind: 'moment', step: steps.count })).toMatchObject({ reason: 'moment.outside' });
  });

  it('refuses an attempt of another kind', () => {
    const other: Attempt = task.goal.kind === 'moment' ? { kind: 'answer', text: '1' } : { kind: 'moment', step: 1 };
    expect(judged(task, other)).toMatchObject({ reached: false, reason: 'kind' });
  });
});

describe('What the lessons say about their recordings', () => {
  const value = (lesson: number, id: string): number | undefined => {
    const task = set.lessons[lesson - 1]?.tasks.find((t) => t.id === id);
    return task?.goal.kind === 'answer' ? valueOf(task.goal.value, stepsOf(task.recording)) : undefined;
  };

  it('is what happened on the engine', () => {
    expect(value(1, 'how-often')).toBe(4);
    expect(value(2, 'syscall-bytes')).toBe(2);
    expect(value(2, 'mov-bytes')).toBe(5);
    expect(value(6, 'how-far')).toBe(5);
    expect(value(6, 'wrong-number')).toBe(39);
    expect(value(7, 'returns')).toBe(3);
    expect(value(7, 'table-calls')).toBe(2);
    expect(value(9, 'their-slot')).toBe(0x6a6e0);
    expect(value(9, 'their-index')).toBe(22);
  });

  it('our own crash names the slot that the site was patched through', () => {
    const recording = JSON.parse(files.get('recordings/crash.json') ?? '') as Recording;
    const patched = recording.steps.find((step) => step.kind === 'patched');
    expect(value(9, 'our-slot')).toBe(patched?.data?.['slot']);
  });

  it('every choice of order, guard and model has a recorded verdict', () => {
    for (const { task } of tasks) {
      if (task.goal.kind !== 'order') continue;
      const { guards, models } = task.goal;
      for (const guard of guards)
        for (const model of models)
          for (const order of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']) {
            const outcome = judged(task, { kind: 'order', order, guard, model });
            expect(outcome).not.toMatchObject({ reason: 'no-verdict' });
          }
    }
  });

  it('only the order abc with a byte that faults holds', () => {
    for (const { request, outcome } of results.values()) {
      if (request.kind !== 'race' || request.scenario !== 'patch-vs-exec' || request.patch !== 'upstream') continue;
      if (!/^[abc]{3}$/.test(request.protocol ?? '') || outcome.kind !== 'race') continue;
      const guard = Math.floor((request.table ?? 0) / 0x10000);
      const holds = request.protocol === 'abc' && ![0x05, 0x90, 0xcc].includes(guard);
      expect([request, outcome.verdict]).toEqual([request, holds ? 'holds' : 'fails']);
    }
  });
});

describe('Answers', () => {
  it('may be written as people write numbers', () => {
    expect(parseNumber(' 0x4000C7 ', 16)).toBe(0x4000c7);
    expect(parseNumber('4000c7', 16)).toBe(0x4000c7);
    expect(parseNumber('39', 10)).toBe(39);
    expect(parseNumber('0x27', 10)).toBe(39);
    expect(parseNumber('-4', 10)).toBe(-4);
    for (const text of ['', 'thirty', '0x', '4000c7', '1e3', '9'.repeat(40)])
      expect(parseNumber(text, 10)).toBeUndefined();
  });

  it('to bytes name what is wrong', () => {
    const goal: Goal = {
      kind: 'bytes',
      start: '90 90',
      address: 0,
      rules: [
        { at: 0, valid: true, isNot: 'nop' },
        { at: 1, length: 1 },
        { at: 0, bytes: '50' },
      ],
    };
    const task = { ...(tasks[0]?.task as TaskView), goal };
    const reason = (bytes: string): string => {
      const outcome = judged(task, { kind: 'bytes', bytes });
      return outcome.reached ? 'reached' : outcome.reason;
    };
    expect(reason('90')).toBe('bytes.count');
    expect(reason('06 90')).toBe('bytes.invalid');
    expect(reason('90 90')).toBe('bytes.forbidden');
    expect(reason('c3 90')).toBe('bytes.other');
    expect(reason('50 c3')).toBe('reached');
  });

  it('in code name line and column', () => {
    const goal: Goal = { kind: 'code', start: 'nop', judge: 'false-match' };
    const judgedCode = (source: string): Outcome =>
      checkGoal(goal, { kind: 'code', source }, evidenceOf(tasks[0]?.task as TaskView));
    expect(judgedCode('nop\nbad')).toMatchObject({ reason: 'code.error', data: { line: 2, column: 1 } });
    expect(judgedCode('syscall')).toMatchObject({ reason: 'code.no-match' });
    expect(judgedCode('mov $39,%eax\nsyscall')).toMatchObject({ reason: 'code.true-site' });
    expect(judgedCode('movl $39,-0x48(%rsp)\nsyscall')).toEqual({ reached: true });
    expect(judgedCode('movabs $0x27b8112233,%rbx\nsyscall')).toEqual({ reached: true });
    expect(judgedCode('movabs $0x27b8112233,%rbx\n.byte 0\nsyscall')).toMatchObject({ reason: 'code.no-match' });
  });
});
