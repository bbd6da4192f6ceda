// SPDX-License-Identifier: MIT
//
// The recordings that come with the page, by name; each is loaded when it is opened.

import type { Recording } from '../../../trace/recording/format.ts';

/** Made by the real engine and checked by tests: no parser needs to look at them again. */
const FILES = import.meta.glob<unknown>('../../lessons/recordings/*.json', { import: 'default' });

/** Names, in their order. */
export const RECORDING_NAMES: readonly string[] = Object.keys(FILES)
  .map((path) => path.replace(/^.*\/|\.json$/g, ''))
  .sort();

/** The recordings of a name; undefined where there is none. */
export async function loadRecordings(name: string): Promise<readonly Recording[] | undefined> {
  const load = FILES[`../../lessons/recordings/${name}.json`];
  if (load === undefined) return undefined;
  const content = (await load()) as Recording | { kind: 'set'; recordings: readonly Recording[] };
  return content.kind === 'set' ? content.recordings : [content];
}
