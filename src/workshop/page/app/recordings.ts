// SPDX-License-Identifier: MIT
//
// The recordings that come with the page, by name; each is loaded when it is opened.

import type { Recording } from '../../../trace/recording/format.ts';
import { hasText } from '../../texts/texts.ts';

/** Made by the real engine and checked by tests: no parser needs to look at them again. */
const FILES = import.meta.glob<unknown>('../../lessons/recordings/*.json', { import: 'default' });

const FOLDER = '../../lessons/recordings/';

/** From what one has to see first to what one understands last; others follow by name. */
const ORDER = ['trap', 'patch', 'sample-run', 'recovery', 'sample-race', 'shared-tail', 'int3', 'crash'];

/** Those that have a title and so a place in the menu; answers of lessons have none. */
export const SHOWN_RECORDINGS: readonly string[] = Object.keys(FILES)
  .map((path) => path.slice(FOLDER.length, -'.json'.length))
  .filter((name) => hasText(`recording.${name}`))
  .sort((a, b) => placeOf(a) - placeOf(b));

function placeOf(name: string): number {
  return ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length;
}

const names = new WeakMap<Recording, string>();

/** The recordings of a name; undefined where there is none. */
export async function loadRecordings(name: string): Promise<readonly Recording[] | undefined> {
  const load = FILES[`${FOLDER}${name}.json`];
  if (load === undefined) return undefined;
  const content = (await load()) as Recording | { kind: 'set'; recordings: readonly Recording[] };
  const recordings = content.kind === 'set' ? content.recordings : [content];
  if (recordings[0] !== undefined) names.set(recordings[0], name);
  return recordings;
}

/** The name under which a recording comes with the page. */
export function nameOf(recording: Recording): string | undefined {
  return names.get(recording);
}
