// SPDX-License-Identifier: MIT
//
// All lessons with their texts, from the files of this folder: what the page, the terminal and the handouts start from.

import { TraplineError } from '../../base/errors.ts';
import type { Outcome } from './goals.ts';
import type { Lesson, Task } from './lesson.ts';
import { fillIn, parseTexts } from './lesson-texts.ts';
import type { LessonTexts, TaskTexts, Texts } from './lesson-texts.ts';
import { parseLesson } from './schema.ts';

/** A task with its sentences. */
export interface TaskView extends Task {
  readonly texts: TaskTexts;
}

/** A lesson with its sentences. */
export interface LessonView extends Omit<Lesson, 'tasks'> {
  readonly texts: LessonTexts;
  readonly tasks: readonly TaskView[];
}

/** Lessons in their order, in one language. */
export interface LessonSet {
  readonly texts: Texts;
  readonly lessons: readonly LessonView[];
}

/** Names of lesson files: `01-see-a-trap.json`. */
export const LESSON_FILE = /^\d+-[a-z0-9-]+\.json$/;
export const TEXTS_FILE = 'texts/en.json';

/**
 * @param files contents by name, as they are called in this folder; others than lessons and texts are left out
 * @throws TraplineError `LESSON_FILE`: which file, which field, what to do
 */
export function readLessons(files: ReadonlyMap<string, string>, textsFile = TEXTS_FILE): LessonSet {
  const content = files.get(textsFile);
  if (content === undefined) throw problem(textsFile, 'is missing; put the texts of all lessons there');
  const texts = parseTexts(textsFile, content);
  const names = [...files.keys()].filter((name) => LESSON_FILE.test(name)).sort();
  const lessons = names.map((name) => {
    const lesson = parseLesson(name, files.get(name) ?? '');
    const own = texts.lessons[lesson.id];
    if (own === undefined)
      throw problem(textsFile, `has no texts for the lesson "${lesson.id}" of ${name}; add lessons.${lesson.id}`);
    return lessonView(textsFile, lesson, own);
  });
  for (const [i, lesson] of lessons.entries()) {
    const other = lessons.findIndex((l) => l.number === lesson.number || l.id === lesson.id);
    if (other !== i) throw problem(names[i] ?? '', `has the number or the id of ${names[other] ?? ''}; change it`);
  }
  return { texts, lessons: lessons.sort((a, b) => a.number - b.number) };
}

/** Joins a lesson and its texts. @throws TraplineError `LESSON_FILE` where a text is missing */
export function lessonView(file: string, lesson: Lesson, texts: LessonTexts): LessonView {
  const where = `lessons.${lesson.id}.tasks`;
  const tasks = lesson.tasks.map((task) => {
    const own = texts.tasks[task.id];
    if (own === undefined) throw problem(file, `has no texts for the task "${task.id}"; add ${where}.${task.id}`);
    if (task.goal.kind === 'choice') {
      const silent = task.goal.options.find((o) => own.options[o.id] === undefined);
      if (silent !== undefined)
        throw problem(file, `has no text for an option; add ${where}.${task.id}.options.${silent.id}`);
    }
    return { ...task, texts: own };
  });
  return { ...lesson, texts, tasks };
}

function problem(file: string, what: string): TraplineError {
  return new TraplineError('LESSON_FILE', `${file}: ${what}`);
}

/** Why an attempt was refused, in words. */
export function reasonText(outcome: Extract<Outcome, { reached: false }>, task: TaskView, texts: Texts): string {
  const option = /^choice\.(.+)$/.exec(outcome.reason)?.[1];
  const own = option === undefined ? undefined : task.texts.refusals[option];
  const general = texts.reasons[outcome.reason] ?? texts.reasons[option === undefined ? 'kind' : 'choice.other'];
  return fillIn(own ?? general ?? outcome.reason, outcome.data);
}
