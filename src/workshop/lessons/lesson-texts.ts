// SPDX-License-Identifier: MIT
//
// Reads a file of texts/, which holds every sentence of the lessons in one language, and puts data into sentences.

import type { JsonFields, JsonValue } from './json-reader.ts';
import { parseJsonFile } from './json-reader.ts';

/** Sentences of one task. */
export interface TaskTexts {
  readonly title: string;
  /** Paragraphs before the question. */
  readonly text: readonly string[];
  /** What to do. */
  readonly ask: string;
  /** From the vague to the plain. */
  readonly hints: readonly string[];
  readonly solution: string;
  /** Said when the goal is reached. */
  readonly done: string;
  /** By option, for choices. */
  readonly options: Readonly<Record<string, string>>;
  /** By option: why it is not right. */
  readonly refusals: Readonly<Record<string, string>>;
}

export interface LessonTexts {
  readonly title: string;
  /** The one idea, in a sentence. */
  readonly concept: string;
  readonly text: readonly string[];
  readonly summary: string;
  /** Notes for the teacher. */
  readonly teacher: readonly string[];
  readonly tasks: Readonly<Record<string, TaskTexts>>;
}

/** All of one language. */
export interface Texts {
  /** As in `lang` of HTML. */
  readonly language: string;
  /** Labels of the page and the terminal. */
  readonly labels: Readonly<Record<string, string>>;
  /** Why an attempt was refused: by the keys of goals.ts. */
  readonly reasons: Readonly<Record<string, string>>;
  readonly lessons: Readonly<Record<string, LessonTexts>>;
}

/** @throws TraplineError `LESSON_FILE`: which file, which field, what to do */
export function parseTexts(file: string, text: string): Texts {
  return parseJsonFile(file, text).object((fields) => {
    fields.need('format').oneOf('trapline-lesson-texts');
    const version = fields.need('version');
    if (version.value !== 1)
      version.refuse(`${String(version.value)} is a version that this Trapline does not know; write 1`);
    return {
      language: fields
        .need('language')
        .string({ pattern: /^[a-z]{2,3}(-[A-Za-z0-9]+)*$/, hint: 'a language such as "en"' }),
      labels: record(fields.need('labels'), (v) => v.string()),
      reasons: record(fields.need('reasons'), (v) => v.string()),
      lessons: record(fields.need('lessons'), readLessonTexts),
    };
  });
}

/** Texts of one lesson; those of a teacher's own may stand in the lesson's file. */
export function readLessonTexts(value: JsonValue): LessonTexts {
  return value.object((fields) => ({
    title: fields.need('title').string({ max: 60 }),
    concept: fields.need('concept').string({ max: 200 }),
    text: paragraphs(fields, 'text'),
    summary: fields.need('summary').string(),
    teacher: paragraphs(fields, 'teacher'),
    tasks: record(fields.need('tasks'), readTaskTexts),
  }));
}

function readTaskTexts(value: JsonValue): TaskTexts {
  return value.object((fields) => ({
    title: fields.need('title').string({ max: 60 }),
    text: fields.maybe('text', (v) => v.list((p) => p.string())) ?? [],
    ask: fields.need('ask').string(),
    hints: paragraphs(fields, 'hints'),
    solution: fields.need('solution').string(),
    done: fields.need('done').string(),
    options: fields.maybe('options', (v) => record(v, (o) => o.string())) ?? {},
    refusals: fields.maybe('refusals', (v) => record(v, (o) => o.string())) ?? {},
  }));
}

function paragraphs(fields: JsonFields, name: string): string[] {
  return fields.need(name).list((p) => p.string(), { min: 1, max: 20 });
}

function record<T>(value: JsonValue, read: (value: JsonValue) => T): Record<string, T> {
  return value.object((fields) => Object.fromEntries(fields.names().map((name) => [name, read(fields.need(name))])));
}

/** Puts data into a sentence: `{step}` becomes its value. */
export function fillIn(sentence: string, data: Readonly<Record<string, string | number>>): string {
  return sentence.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(data[name] ?? whole));
}
