// SPDX-License-Identifier: MIT
//
// Lesson files and their texts: those of the folder are complete, and a mistake in one is named with file, field and
// what to do.

import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { jsonErrorAt } from '../../src/workshop/lessons/json-syntax.ts';
import { LESSON_FILE, readLessons } from '../../src/workshop/lessons/lesson-set.ts';
import { parseTexts } from '../../src/workshop/lessons/lesson-texts.ts';
import { parseLesson } from '../../src/workshop/lessons/schema.ts';
import { lessonFiles } from './lesson-files.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

type Json = Record<string, unknown>;

const TASK: Json = {
  id: 'one',
  recording: 'trap',
  goal: { kind: 'moment', where: { kind: ['trap'] } },
  solution: 'goal',
  wrong: { step: 0 },
};
const LESSON: Json = {
  format: 'trapline-lesson',
  version: 1,
  number: 10,
  id: 'mine',
  concept: 'mine',
  minutes: 5,
  tasks: [TASK],
};

function refusal(lesson: unknown): string {
  try {
    parseLesson('10-mine.json', typeof lesson === 'string' ? lesson : JSON.stringify(lesson, undefined, 1));
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const withTask = (changes: Json): Json => ({ ...LESSON, tasks: [{ ...TASK, ...changes }] });

describe('The lessons of the folder', () => {
  const set = readLessons(lessonFiles(ROOT));

  it('are nine, one concept each, and take ninety minutes', () => {
    expect(set.lessons.map((lesson) => lesson.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(set.lessons.map((lesson) => lesson.concept)).size).toBe(9);
    expect(set.lessons.reduce((minutes, lesson) => minutes + lesson.minutes, 0)).toBe(90);
  });

  it('have texts for everything, and no text is left over', () => {
    for (const lesson of set.lessons)
      expect(Object.keys(lesson.texts.tasks)).toEqual(lesson.tasks.map((task) => task.id));
    expect(Object.keys(set.texts.lessons)).toEqual(set.lessons.map((lesson) => lesson.id));
    for (const task of set.lessons.flatMap((lesson) => lesson.tasks)) {
      expect(Object.keys(task.texts.options)).toEqual(
        task.goal.kind === 'choice' ? task.goal.options.map((o) => o.id) : [],
      );
      expect(task.texts.hints.length).toBeGreaterThan(0);
    }
  });

  it('name recordings that are there', () => {
    const files = lessonFiles(ROOT);
    for (const task of set.lessons.flatMap((lesson) => lesson.tasks))
      if (task.recording !== undefined) expect([...files.keys()]).toContain(`recordings/${task.recording}.json`);
  });

  it('are found by the names of their files', () => {
    expect([...lessonFiles(ROOT).keys()].filter((name) => LESSON_FILE.test(name))).toHaveLength(9);
  });
});

describe('A lesson file is refused', () => {
  it.each<[string, unknown, string]>([
    ['that is no JSON', '{\n "format": oops', '10-mine.json:2:12: this is no JSON from here on; correct it'],
    ['without a field', { ...LESSON, minutes: undefined }, '10-mine.json: the file: has no "minutes"; add it'],
    [
      'with an unknown field',
      { ...LESSON, minuets: 3 },
      '10-mine.json: the file: has a field "minuets" that means nothing; correct its name or take it out',
    ],
    [
      'of another version',
      { ...LESSON, version: 2 },
      '10-mine.json: version: 2 is a version that this Trapline does not know; write 1',
    ],
    [
      'with an unknown goal',
      withTask({ goal: { kind: 'momnt' } }),
      '10-mine.json: tasks[0].goal.kind: "momnt" is not known; write one of moment, answer, bytes, choice, order, code',
    ],
    [
      'whose goal needs a recording',
      withTask({ recording: undefined }),
      '10-mine.json: tasks[0]: its goal looks at a recording, and it names none; add "recording"',
    ],
    [
      'with two tasks of one name',
      { ...LESSON, tasks: [TASK, TASK] },
      '10-mine.json: the file: two tasks are called "one"; rename one',
    ],
    [
      'with a task that is about no earlier order',
      withTask({ recordingOf: 'one' }),
      '10-mine.json: the file: task "one" is about "one", which is no earlier order; name one of the lesson',
    ],
    [
      'with a task that is about an order, and has nothing for one without a recording',
      withTask({
        recording: undefined,
        recordingOf: 'one',
        goal: { kind: 'answer', value: { number: 1 } },
        wrong: { text: '2' },
      }),
      '10-mine.json: tasks[0]: an answer may have no recording; add "recording" beside "recordingOf", for that case',
    ],
    [
      'with bytes that are none',
      withTask({ goal: { kind: 'bytes', start: 'b8 2', address: 0, rules: [] }, wrong: { bytes: '00' } }),
      '10-mine.json: tasks[0].goal.start: "b8 2" is not what is asked for; write bytes such as "0f 05"',
    ],
    [
      'with a rule that asks for nothing',
      withTask({ goal: { kind: 'bytes', start: '00', address: 0, rules: [{ at: 0 }] } }),
      '10-mine.json: tasks[0].goal.rules[0]: asks for nothing; add "is", "isNot", "valid", "length" or "bytes"',
    ],
    [
      'with an answer that is no value',
      withTask({ goal: { kind: 'answer', value: { guess: 1 } } }),
      '10-mine.json: tasks[0].goal.value: is no value; write one of number, count, register, field, minus, lengthOf, slotOf, slotIndexOf',
    ],
    [
      'with a register that is none',
      withTask({ goal: { kind: 'answer', value: { register: 'eax', at: {} } } }),
      '10-mine.json: tasks[0].goal.value.register: "eax" is not known; write one of rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip',
    ],
    [
      'with a choice that nothing judges',
      withTask({ goal: { kind: 'choice', options: [{ id: 'a' }, { id: 'b' }] } }),
      '10-mine.json: tasks[0].goal: what makes an option right is not said; add either "rules" for bytes or "verdict" for races',
    ],
    [
      'with an option that cannot be judged',
      withTask({ goal: { kind: 'choice', verdict: 'holds', options: [{ id: 'a', bytes: '00' }, { id: 'b' }] } }),
      '10-mine.json: tasks[0].goal: option "a" has no "races" to be judged by; add them',
    ],
    ['with a list that is none', { ...LESSON, tasks: {} }, '10-mine.json: tasks: is an object; write a list […]'],
    [
      'with a number out of range',
      { ...LESSON, minutes: 500 },
      '10-mine.json: minutes: 500 is not what is asked for; write a whole number from 1 to 120',
    ],
    [
      'whose solution only a person can write',
      withTask({ goal: { kind: 'code', start: 'nop', judge: 'false-match' } }),
      '10-mine.json: tasks[0].solution: only a moment or an answer can be worked out; write it',
    ],
  ])('%s', (_, lesson, message) => {
    expect(refusal(lesson)).toBe(message);
  });

  it('and a right one is not', () => {
    expect(refusal(LESSON)).toBe('accepted');
  });
});

describe('Texts are refused', () => {
  const files = lessonFiles(ROOT);
  const texts = JSON.parse(files.get('texts/en.json') ?? '') as { lessons: Record<string, { tasks: Json }> };

  it('where a lesson or a task has none', () => {
    const { 'see-a-trap': gone, ...others } = texts.lessons;
    expect(gone).toBeDefined();
    const without = (lessons: unknown): (() => unknown) => {
      const changed = new Map(files).set('texts/en.json', JSON.stringify({ ...texts, lessons }));
      return () => readLessons(changed);
    };
    expect(without(others)).toThrow(
      'texts/en.json: has no texts for the lesson "see-a-trap" of 01-see-a-trap.json; add lessons.see-a-trap',
    );
    expect(without({ ...others, 'see-a-trap': { ...gone, tasks: {} } })).toThrow(
      'texts/en.json: has no texts for the task "first-trap"; add lessons.see-a-trap.tasks.first-trap',
    );
  });

  it('where a field is missing or misspelt', () => {
    const head = { format: 'trapline-lesson-texts', version: 1, language: 'de', labels: {}, reasons: {} };
    const read =
      (lessons: unknown): (() => unknown) =>
      () =>
        parseTexts('texts/de.json', JSON.stringify({ ...head, lessons }));
    expect(read({ mine: { title: 'x' } })).toThrow('texts/de.json: lessons.mine: has no "concept"; add it');
    expect(read({ mine: { ...texts.lessons['see-a-trap'], titel: 'x' } })).toThrow(
      'texts/de.json: lessons.mine: has a field "titel" that means nothing; correct its name or take it out',
    );
    expect(read({})).not.toThrow();
  });

  it('where two lessons have one number', () => {
    const twice = new Map(files).set('10-again.json', files.get('01-see-a-trap.json') ?? '');
    expect(() => readLessons(twice)).toThrow(
      '10-again.json: has the number or the id of 01-see-a-trap.json; change it',
    );
  });
});

describe('Where a text stops being JSON', () => {
  it('is found for what JSON.parse refuses, and only for that', () => {
    const texts = [
      '{}',
      '[1,2',
      '{"a":1,}',
      '"a',
      '[tru]',
      '{"a" 1}',
      ' [ -1.5e3 , null ] ',
      '01',
      '[1 2]',
      '',
      '"\\x"',
      '{"a":{"b":[]}}',
      '1 1',
    ];
    for (const text of texts) {
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      expect([text, jsonErrorAt(text) === undefined]).toEqual([text, isJson]);
    }
    expect(jsonErrorAt('{\n "a": oops')).toBe(8);
    expect(jsonErrorAt('['.repeat(100_000))).toBe(201);
  });
});
