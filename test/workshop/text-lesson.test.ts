// SPDX-License-Identifier: MIT
//
// The lessons as plain text: each is done by typed answers alone, wrong ones are refused, and looking around works.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Disassembler } from '../../src/isa/disassembler.ts';
import { RecordingCursor } from '../../src/trace/recording/cursor.ts';
import type { Recording } from '../../src/trace/recording/format.ts';
import { cursorSteps } from '../../src/workshop/lessons/cursor-steps.ts';
import { decodeWith } from '../../src/workshop/lessons/judge.ts';
import type { JudgeTools } from '../../src/workshop/lessons/judge.ts';
import { readLessons } from '../../src/workshop/lessons/lesson-set.ts';
import type { LessonView, TaskView } from '../../src/workshop/lessons/lesson-set.ts';
import type { Attempt } from '../../src/workshop/lessons/lesson.ts';
import { parseResults, RecordedLab } from '../../src/workshop/lessons/recorded-results.ts';
import { solutionOf } from '../../src/workshop/lessons/solutions.ts';
import { TextLesson } from '../../src/workshop/lessons/text-lesson.ts';
import { lessonFiles } from './lesson-files.ts';

const files = lessonFiles(fileURLToPath(new URL('../..', import.meta.url)));
const set = readLessons(files);
const disassembler = new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
afterAll(() => disassembler.dispose());

const read = new Map<string, Recording>();
const recording = async (name: string): Promise<Recording> => {
  const found = read.get(name) ?? (JSON.parse(files.get(`recordings/${name}.json`) ?? 'null') as Recording);
  read.set(name, found);
  return found;
};
const lab = new RecordedLab({
  results: async () => parseResults(JSON.parse(files.get('results.json') ?? 'null')),
  recording,
});
const tools: JudgeTools = {
  ask: (request) => lab.submit(request),
  recording,
  decoder: async () => decodeWith(disassembler),
};

function player(lesson: LessonView | undefined): TextLesson {
  if (lesson === undefined) throw new Error('there is such a lesson');
  return new TextLesson(lesson, set, tools);
}

/** What somebody types for an attempt. */
function typed({ goal }: TaskView, attempt: Attempt): string[] {
  switch (attempt.kind) {
    case 'moment':
      return [`g ${attempt.step + 1}`, '!'];
    case 'answer':
      return [attempt.text];
    case 'bytes':
      return [attempt.bytes];
    case 'choice':
      return [String(goal.kind === 'choice' ? goal.options.findIndex((o) => o.id === attempt.option) + 1 : 0)];
    case 'order':
      return [`${attempt.order} ${attempt.guard.toString(16).padStart(2, '0')} ${attempt.model}`];
    case 'code':
      return [...attempt.source.split('\n'), '.'];
  }
}

describe.each(set.lessons)('Lesson $number as text', (lesson) => {
  it('is done by typing the answers, and wrong ones are refused', async () => {
    const game = player(lesson);
    expect(await game.begin()).toContain(lesson.texts.title);
    let ended = false;
    for (const task of lesson.tasks) {
      const steps =
        task.recording === undefined ? undefined : cursorSteps(new RecordingCursor(await recording(task.recording)));
      const solution = solutionOf(task, steps);
      if (solution === undefined) throw new Error(`${task.id} has a solution`);
      const say = async (attempt: Attempt): Promise<string> => {
        let text = '';
        for (const line of typed(task, attempt)) {
          const shown = await game.take(line);
          text += shown.text;
          ended = shown.ended;
        }
        return text;
      };
      expect(await say(task.wrong)).not.toContain('Right.');
      expect(ended).toBe(false);
      expect(await say(solution)).toContain('Right.');
    }
    expect(ended).toBe(true);
    expect(game.isDone).toBe(true);
    expect(await game.take('n')).toEqual({ text: '', ended: true });
  });

  it('is printed as a whole, every step of its recordings included, in 80 columns', async () => {
    const text = await player(lesson).whole();
    for (const task of lesson.tasks) expect(text).toContain(task.texts.title);
    for (const name of new Set(lesson.tasks.map((task) => task.recording))) {
      if (name === undefined) continue;
      const count = (await recording(name)).steps.length;
      expect(text).toContain(`step ${count} of ${count}`);
    }
    const prose = text.split('\n').filter((line) => !line.startsWith('step ') && !/^ {4}\S*=/.test(line));
    expect(prose.filter((line) => line.length > 100)).toEqual([]);
  });
});

describe('In a lesson as text', () => {
  const [first] = set.lessons;

  it('n and p go one step on and back, e to the next event, g to a step', async () => {
    const game = player(first);
    await game.begin();
    const at = async (line: string): Promise<string> => /^step (\d+)/.exec((await game.take(line)).text)?.[1] ?? '';
    expect([await at('n'), await at('n'), await at('p')]).toEqual(['1', '2', '1']);
    expect(await at('g 12')).toBe('12');
    expect(await at('g 9999')).toBe('45');
    expect(await at('n')).toBe('45');
    expect(await at('g 0')).toBe('0');
    expect(await at('p')).toBe('0');
    expect(await at('e')).toBe('6');
  });

  it.each([
    ['acb 06', 4],
    ['bac 06', 11],
    ['bac 06 torn-asc', 13],
  ])('what opens after the order %s was broken is that order', async (order, steps) => {
    const game = player(set.lessons[3]);
    await game.begin();
    expect((await game.take(order)).text).toContain(`step 0 of ${steps}`);
    await game.take('g 99');
    expect((await game.take('p')).text).toContain(`step ${steps - 1} of ${steps}`);
    expect((await game.take('!')).text).not.toContain('Right.');
    await game.take('n');
    const { text } = await game.take('!');
    expect(text).toContain('Right.');
    // The last task is about the order acb, whatever was broken.
    expect(text.includes('step 4 of 4')).toBe(steps !== 4);
    expect((await game.take('ff 27')).ended).toBe(true);
  });

  it('the site and its decode are shown when a store changes it', async () => {
    const game = player(set.lessons[2]);
    const begin = await game.begin();
    expect(begin).toContain('b8 27 00 00 00 0f 05');
    const steps = (await recording('patch')).steps;
    const store = steps.findIndex((step) => step.kind === 'store' && step.data?.['offset'] === 5);
    const { text } = await game.take(`g ${store + 1}`);
    expect(text).toContain('b8 27 00 00 00 06 05');
    expect(text).toContain('+5  (bad)');
    expect((await game.take(`g ${store + 1}`)).text).not.toContain('06 05\n');
  });

  it('hints come one after the other; s shows the solution; q leaves', async () => {
    const game = player(first);
    await game.begin();
    expect((await game.take('h')).text).toContain('Hint 1 of 2');
    expect((await game.take('h')).text).toContain('Hint 2 of 2');
    expect((await game.take('h')).text).toContain('no more hints');
    expect((await game.take('s')).text).toContain('Solution:');
    expect((await game.take('t')).text).toContain('1. Find the first trap');
    expect((await game.take('l')).text).toContain('See a trap');
    expect((await game.take('')).text).toBe('');
    expect((await game.take('what?')).text).toContain('no answer');
    expect(await game.take('q')).toMatchObject({ ended: true });
  });

  it('one that is not in the list is somebody’s own', async () => {
    if (first === undefined) throw new Error('there is a first lesson');
    expect(await player(first).begin()).toContain('Lesson 1 of 9');
    expect(await player({ ...first, number: 12 }).begin()).toContain('A lesson of your own, about 8 minutes');
  });

  it('letters that begin an answer are no keys', async () => {
    expect(player(first).keys).toContain('e');
    const bytes = player(set.lessons[3]);
    await bytes.begin();
    expect(bytes.keys).not.toMatch(/[abcde]/);
    const code = player(set.lessons[7]);
    await code.begin();
    expect(code.keys).toBe('');
  });

  it('a program ends with a line of one full stop, and may hold lines that look like keys', async () => {
    const game = player(set.lessons[7]);
    await game.begin();
    expect((await game.take('h')).text).toContain('Hint');
    for (const line of ['n: mov $39,%eax', 'mov $39,%r8d', 'h:', 'syscall'])
      expect((await game.take(line)).text).toBe('');
    expect((await game.take('.')).text).toContain('Right.');
    for (const line of ['bad']) await game.take(line);
    expect((await game.take('.')).text).toContain('Line 1, column 1: "bad" is no instruction of the lab');
  });
});
