// SPDX-License-Identifier: MIT
//
// A failing result beside its test: the token as an annotation, the whole result as an attached JSON file.

import type { TestContext } from 'vitest';

import { compactToken, raceJson } from '../race/index.ts';
import type { RaceResult } from '../race/index.ts';

/** Call it with the context that Vitest gives to a test. */
export async function annotateRace(context: Pick<TestContext, 'annotate'>, result: RaceResult): Promise<void> {
  if (result.witness === null) return;
  await context.annotate(`replay: RACE_REPLAY='${compactToken(result.witness.token)}'`, 'race', {
    contentType: 'application/json',
    body: new TextEncoder().encode(JSON.stringify(raceJson(result))),
  });
}
