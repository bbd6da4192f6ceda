// SPDX-License-Identifier: MIT
//
// The lessons, their texts, recordings and recorded answers, each loaded when it is first asked for. A file that is put
// into the folder of the lessons is part of the next build.

import type { Recording } from '../../../trace/recording/format.ts';
import { readLessons, TEXTS_FILE } from '../../lessons/lesson-set.ts';
import type { LessonSet } from '../../lessons/lesson-set.ts';
import { parseResults, RecordedLab } from '../../lessons/recorded-results.ts';
import { loadRecordings } from '../app/recordings.ts';

const LESSONS = import.meta.glob<string>('../../lessons/[0-9]*.json', { query: '?raw', import: 'default' });
const TEXTS = import.meta.glob<string>('../../lessons/texts/en.json', { query: '?raw', import: 'default' });
const RESULTS = import.meta.glob<unknown>('../../lessons/results.json', { import: 'default' });

/** Goals look at these again and again: one object for each. */
const recordings = new Map<string, Promise<Recording>>();
let set: Promise<LessonSet> | undefined;

/** All lessons. */
export function loadLessons(): Promise<LessonSet> {
  set ??= Promise.all(
    Object.entries({ ...LESSONS, ...TEXTS }).map(
      async ([path, load]) => [path.slice('../../lessons/'.length), await load()] as const,
    ),
  ).then((files) => readLessons(new Map(files), TEXTS_FILE));
  return set;
}

/** A recording of the lessons by its name. */
export function loadRecording(name: string): Promise<Recording> {
  let found = recordings.get(name);
  if (found === undefined) {
    found = loadRecordings(name).then((list) => {
      const recording = list?.[0];
      if (recording === undefined) throw new Error(`there is no recording "${name}"`);
      return recording;
    });
    recordings.set(name, found);
  }
  return found;
}

/** The laboratory that needs no server. */
export const recordedLab = new RecordedLab({
  async results() {
    const [load] = Object.values(RESULTS);
    return parseResults(await load?.());
  },
  recording: loadRecording,
});
