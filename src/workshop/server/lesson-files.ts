// SPDX-License-Identifier: MIT
//
// Lessons, their texts and their recordings from the folder of the build, for what is made of them outside of a browser.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TraplineError } from '../../base/errors.ts';
import type { Recording } from '../../trace/recording/format.ts';
import { parseRecordings } from '../../trace/recording/parse.ts';
import { LESSON_FILE, readLessons, TEXTS_FILE } from '../lessons/lesson-set.ts';
import type { LessonSet } from '../lessons/lesson-set.ts';

/**
 * All lessons.
 * @throws TraplineError `WORKSHOP_PAGE` when they are not there; `LESSON_FILE` for one that is not right
 */
export function readLessonFolder(folder: string): LessonSet {
  if (!existsSync(join(folder, TEXTS_FILE))) {
    throw new TraplineError('WORKSHOP_PAGE', 'the lessons of the workshop are not built: run npm run build');
  }
  const names = [...readdirSync(folder).filter((name) => LESSON_FILE.test(name)), TEXTS_FILE];
  return readLessons(new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')])));
}

/** The recordings that lessons name, the first of each file. */
export function readLessonRecordings(folder: string, { lessons }: LessonSet): ReadonlyMap<string, Recording> {
  const names = new Set(lessons.flatMap(({ tasks }) => tasks.flatMap(({ recording }) => recording ?? [])));
  const recordings = new Map<string, Recording>();
  for (const name of names) {
    const path = join(folder, 'recordings', `${name}.json`);
    const [first] = existsSync(path) ? parseRecordings(readFileSync(path, 'utf8')) : [];
    if (first !== undefined) recordings.set(name, first);
  }
  return recordings;
}
