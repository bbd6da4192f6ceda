// SPDX-License-Identifier: MIT
//
// Judges what a student hands in once more, on the server: the same goals as in the page, recorded answers first, the engine
// for what nobody has recorded. So a signed line counts what the server itself found right.

import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';
import { Disassembler } from '../../isa/disassembler.ts';
import { parseRecordings } from '../../trace/recording/parse.ts';
import type { JobRequest, JobState, LabResult } from '../api.ts';
import { decodeWith, judgeAttempt } from '../lessons/judge.ts';
import type { JudgeTools } from '../lessons/judge.ts';
import type { Attempt } from '../lessons/lesson.ts';
import { readLessons } from '../lessons/lesson-set.ts';
import type { LessonSet } from '../lessons/lesson-set.ts';
import { parseResults, RecordedLab } from '../lessons/recorded-results.ts';
import type { JobBook } from './job-book.ts';

/** How many tasks of a lesson have a right answer. */
export interface Judged {
  readonly done: number;
  readonly tasks: number;
}

export class HandInJudge {
  readonly #files: ReadonlyMap<string, string>;
  readonly #set: LessonSet;
  readonly #book: JobBook;
  readonly #recorded: RecordedLab;
  #decoder: ReturnType<typeof decodeWith> | undefined;

  /** @param files of the folder of the lessons, by name */
  constructor(files: ReadonlyMap<string, string>, book: JobBook) {
    this.#files = files;
    this.#set = readLessons(files);
    this.#book = book;
    this.#recorded = new RecordedLab({
      results: async () => parseResults(JSON.parse(files.get('results.json') ?? 'null')),
      recording: (name) => this.#recording(name),
    });
  }

  /** Counts right answers; undefined when there is no such lesson. */
  async judge(
    student: string,
    lessonId: string,
    answers: Readonly<Record<string, Attempt>>,
  ): Promise<Judged | undefined> {
    const lesson = this.#set.lessons.find(({ id }) => id === lessonId);
    if (lesson === undefined) return undefined;
    const tools: JudgeTools = {
      ask: (request) => this.#ask(student, request),
      recording: (name) => this.#recording(name),
      decoder: async () => this.#decode(),
    };
    let done = 0;
    for (const task of lesson.tasks) {
      const answer = Object.hasOwn(answers, task.id) ? answers[task.id] : undefined;
      if (answer !== undefined && (await judgeAttempt(task, answer, tools, answers)).outcome.reached) done++;
    }
    return { done, tasks: lesson.tasks.length };
  }

  async #recording(name: string): ReturnType<JudgeTools['recording']> {
    const [first] = parseRecordings(this.#files.get(`recordings/${name}.json`) ?? '');
    if (first === undefined) throw new Error(`there is no recording ${name}`);
    return first;
  }

  #decode(): ReturnType<typeof decodeWith> {
    this.#decoder ??= decodeWith(
      new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86')),
    );
    return this.#decoder;
  }

  /** What was recorded, or else a job of this student's beside the one that the page may have. */
  async #ask(student: string, request: JobRequest): Promise<LabResult> {
    const recorded = await this.#recorded.submit(request);
    if (recorded.ok) return recorded;
    const name = `${student} hands in`;
    const submitted = this.#book.submit(name, request);
    if ('reason' in submitted) return { ok: false, ...submitted };
    for (;;) {
      const view = this.#book.view(name, submitted.id);
      if (view === undefined) return { ok: false, reason: 'gone', sentence: 'The answer is no longer there.' };
      if (view.state === 'failed') return { ok: false, reason: view.reason, sentence: view.sentence };
      if (view.state === 'ended') return resultOf(JSON.parse(gunzipSync(view.body).toString('utf8')) as JobState);
      await new Promise<void>((done) => this.#book.onChange(submitted.id, done));
    }
  }
}

function resultOf(state: JobState): LabResult {
  if (state.state === 'done') return { ok: true, outcome: state.outcome, recordings: state.recordings };
  if (state.state === 'failed') return { ok: false, reason: state.reason, sentence: state.sentence };
  return { ok: false, reason: 'failed', sentence: 'The job has not ended.' };
}
