// SPDX-License-Identifier: MIT
//
// The recordings and the recorded answers of the lessons are what the engine gives now, byte for byte.

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseResults, requestKey } from '../../src/workshop/lessons/recorded-results.ts';
import { lessonFiles } from './lesson-files.ts';
import { isRecorded, makeRecordings } from './lesson-recordings.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HELP = 'npm run docs -- src/workshop/lessons makes them anew';

/** Another version of the engine gives the same, but for its name. */
function plain(text: string | undefined): string | undefined {
  return text?.replaceAll(/"engine":\s?"[^"]*"/g, '');
}

it('what the lessons show is what the engine does', async () => {
  const files = lessonFiles(ROOT);
  const committed = new Map(
    parseResults(JSON.parse(files.get('results.json') ?? '')).results.map((r) => [requestKey(r.request), r]),
  );
  // Verdicts without a recording take long: those of the choices between rules, and no more.
  const { recordings, results } = await makeRecordings(
    ROOT,
    (race) => isRecorded(race) || race.scenario !== 'patch-vs-exec' || race.patch === 'hardened',
  );
  for (const [name, content] of recordings)
    expect(plain(files.get(`recordings/${name}.json`)) === plain(content), `${name}: ${HELP}`).toBe(true);
  for (const result of results) {
    const known = committed.get(requestKey(result.request));
    expect(plain(JSON.stringify(known)), HELP).toEqual(plain(JSON.stringify(result)));
  }
  const made = [...files.keys()].filter((name) => /^recordings\/(?!sample-)/.test(name));
  expect(made.sort()).toEqual([...recordings.keys()].map((name) => `recordings/${name}.json`).sort());
});
