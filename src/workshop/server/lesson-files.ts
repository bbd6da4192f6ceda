// SPDX-License-Identifier: MIT
//
// Lessons, their texts and their recordings from a folder, for what is made of them outside of a browser.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TraplineError } from '../../base/errors.ts';
import type { Recording } from '../../trace/recording/format.ts';
import { parseRecordings } from '../../trace/recording/parse.ts';
import type { LessonSet } from '../lessons/lesson-set.ts';

/**
 * Contents of all JSON files of a folder of lessons, by their names seen from it.
 * @throws TraplineError `WORKSHOP_PAGE` when it is not there
 */
export function readLessonFiles(folder: string): Map<string, string> {
  if (!existsSync(folder)) {
    throw new TraplineError('WORKSHOP_PAGE', 'the lessons of the workshop are not built: run npm run build');
  }
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
  return new Map(names.map((name) => [name.replaceAll('\\', '/'), readFileSync(join(folder, name), 'utf8')]));
}

/** The recordings that lessons name, the first of each file. */
export function lessonRecordings(
  files: ReadonlyMap<string, string>,
  { lessons }: LessonSet,
): ReadonlyMap<string, Recording> {
  const names = new Set(lessons.flatMap(({ tasks }) => tasks.flatMap(({ recording }) => recording ?? [])));
  const recordings = new Map<string, Recording>();
  for (const name of names) {
    const [first] = parseRecordings(files.get(`recordings/${name}.json`) ?? '');
    if (first !== undefined) recordings.set(name, first);
  }
  return recordings;
}
