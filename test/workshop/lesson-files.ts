// SPDX-License-Identifier: MIT
//
// The files of src/workshop/lessons for tests and for what makes recordings.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { readLessons } from '../../src/workshop/lessons/lesson-set.ts';
import type { LessonSet } from '../../src/workshop/lessons/lesson-set.ts';

/** Contents by name, seen from the folder of the lessons. */
export function lessonFiles(root: string): Map<string, string> {
  const folder = join(root, 'src', 'workshop', 'lessons');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
  return new Map(names.map((name) => [name.replaceAll('\\', '/'), readFileSync(join(folder, name), 'utf8')]));
}

export function committedLessons(root: string): LessonSet {
  return readLessons(lessonFiles(root));
}
