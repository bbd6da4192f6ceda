// SPDX-License-Identifier: MIT
//
// The committed samples are what the real engine gives; `npm run docs` makes them anew.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { sampleRecordings } from './samples.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Another version of the engine gives the same steps. */
function withoutEngine(json: string): string {
  return json.replace(/"engine":"[^"]*"/, '"engine":""');
}

it('the sample recordings are those of a new run and a new race', async () => {
  for (const [name, content] of await sampleRecordings(ROOT)) {
    const committed = readFileSync(join(ROOT, 'src/workshop/lessons/recordings', name), 'utf8');
    expect(withoutEngine(content) === withoutEngine(committed), `${name} is stale: npm run docs`).toBe(true);
  }
});
