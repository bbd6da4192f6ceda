// SPDX-License-Identifier: MIT
//
// The files of the lessons on disk: beside the sources in a checkout, beside the build in a package.

import { fileURLToPath } from 'node:url';
import { readLessonFiles } from '../workshop/server/lesson-files.ts';

/** The folder of the lessons: modules, and the bundle's chunks, lie equally deep. */
export const LESSON_FOLDER = fileURLToPath(new URL('../workshop/lessons', import.meta.url));

/** Contents of all JSON files of the lessons, by their names seen from the folder. */
export function readLessonFolder(folder = LESSON_FOLDER): Map<string, string> {
  return readLessonFiles(folder);
}
