// SPDX-License-Identifier: MIT
//
// Following a search from the command line: it is told to go on, and once to stop.

import { describe, expect, it } from 'vitest';

import { followRace } from '../../src/cli/race-progress.ts';
import type { Progress, StopReason } from '../../src/race/search/system.ts';

const PROGRESS: Progress = {
  states: 1,
  transitions: 1,
  schedules: 0,
  frontier: 0,
  layer: 0,
  failures: 0,
  estimate: null,
};

/** Goes on until it is told why not; ends with what it was told. */
function* search(during: (slice: number) => void): Generator<Progress, (StopReason | null)[], StopReason | null> {
  const told: (StopReason | null)[] = [];
  for (let slice = 0; (told.at(-1) ?? null) === null; slice++) {
    during(slice);
    told.push(yield PROGRESS);
  }
  return told;
}

describe('followRace', () => {
  it('tells a search at Ctrl-C that it was interrupted, and leaves no handler behind', async () => {
    const handlers = process.listenerCount('SIGINT');
    const told = await followRace(
      search((slice) => {
        if (slice === 2) process.emit('SIGINT');
      }),
      undefined,
    );
    expect(told).toEqual([null, null, 'interrupted']);
    expect(process.listenerCount('SIGINT')).toBe(handlers);
  });

  it('tells a search when its time is over', async () => {
    const told = await followRace(
      search(() => undefined),
      '0.01',
    );
    expect(told.at(-1)).toBe('time');
  });

  it('refuses a time that is none', async () => {
    await expect(
      followRace(
        search(() => undefined),
        'soon',
      ),
    ).rejects.toThrow('--time: "soon" is not a number of seconds');
  });
});
