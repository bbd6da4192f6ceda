// SPDX-License-Identifier: MIT
//
// Committed recordings of the real engine, as texts.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Recording } from '../../../src/trace/recording/format.ts';
import { parseRecordings } from '../../../src/trace/recording/parse.ts';

const FOLDER = fileURLToPath(new URL('../../../src/workshop/lessons/recordings/', import.meta.url));

/** Names of all. */
export const RECORDINGS: readonly string[] = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

export function recordingText(name: string): string {
  return readFileSync(`${FOLDER}${name}`, 'utf8');
}

/** The first recording of a file. */
export function recordingOf(name: string): Recording {
  const [first] = parseRecordings(recordingText(name));
  if (first === undefined) throw new Error(`${name} holds nothing`);
  return first;
}
