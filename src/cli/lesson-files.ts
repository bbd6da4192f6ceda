// SPDX-License-Identifier: MIT
//
// The files of the lessons on disk: beside the sources in a checkout, beside the build in a package.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the lessons: modules, and the bundle's chunks, lie equally deep. */
export const LESSON_FOLDER = fileURLToPath(new URL('../workshop/lessons', import.meta.url));

/** Contents of all JSON files of the lessons, by their names seen from the folder. */
export function readLessonFolder(folder = LESSON_FOLDER): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
  return new Map(names.map((name) => [name.replaceAll('\\', '/'), readFileSync(join(folder, name), 'utf8')]));
}
