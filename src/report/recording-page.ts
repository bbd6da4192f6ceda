// SPDX-License-Identifier: MIT
//
// Recordings as one page that opens from disk: the viewer's template with the recordings in it. Nothing of a recording,
// such as a file name that a guest chose, can end the element that it lies in or become markup.

import { TraplineError } from '../base/errors.ts';
import { embeddedElement, PLACEHOLDER } from '../trace/recording/embedded.ts';
import type { Deflate } from '../trace/recording/embedded.ts';
import { RECORDING_FORMAT, RECORDING_VERSION } from '../trace/recording/format.ts';
import type { Recording, RecordingSet } from '../trace/recording/format.ts';

/** One recording as it is, several as a set. The same recordings give the same text. */
export function recordingsJson(recordings: readonly Recording[], title: string): string {
  const [first] = recordings;
  if (recordings.length === 1) return JSON.stringify(first);
  const set: RecordingSet = { format: RECORDING_FORMAT, version: RECORDING_VERSION, kind: 'set', title, recordings };
  return JSON.stringify(set);
}

/**
 * The page.
 * @param template the viewer's, with its empty element
 * @param json of one recording or of a set
 * @throws TraplineError `RECORDING_PAGE` when the template is none
 */
export function recordingPage(template: string, json: string, deflate: Deflate): string {
  const at = template.indexOf(PLACEHOLDER);
  if (at < 0 || template.includes(PLACEHOLDER, at + 1)) {
    throw new TraplineError(
      'RECORDING_PAGE',
      "the viewer's template has no single place for a recording: build it again",
    );
  }
  return template.slice(0, at) + embeddedElement(json, deflate) + template.slice(at + PLACEHOLDER.length);
}
