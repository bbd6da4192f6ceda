// SPDX-License-Identifier: MIT
//
// Questions to the laboratory: of a recording, of a remedy's options, of a schedule with a step put elsewhere.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { movedSchedule, raceRequest, requestOf, withOptions } from '../../src/workshop/page/race/race-request.ts';
import { parseRecordings } from '../../src/trace/recording/parse.ts';
import type { RaceRecording } from '../../src/trace/recording/format.ts';

const file = new URL('../../src/workshop/lessons/recordings/sample-race.json', import.meta.url);
const recording = parseRecordings(readFileSync(file, 'utf8'))[0] as RaceRecording;

describe('A request', () => {
  it('says of a recording what differs from the usual only, so that recorded answers are found', () => {
    expect(requestOf(recording.race)).toEqual({
      kind: 'race',
      scenario: 'patch-vs-exec',
      patch: 'upstream',
      protocol: 'acb',
      model: 'coherent',
      offset: 0,
      table: 0x61000,
    });
    expect(raceRequest({ kind: 'race', scenario: 'x', threads: 2, page: true, granule: 8 })).toEqual({
      kind: 'race',
      scenario: 'x',
      threads: 2,
      page: true,
      granule: 8,
    });
  });

  it('takes the options of every remedy that the explorer names', () => {
    const request = requestOf(recording.race);
    for (const { options } of recording.race.passesWith ?? [])
      expect(withOptions(request, options), options).toBeDefined();
    expect(withOptions(request, '--protocol acb:sync=a,c')).toMatchObject({ protocol: 'acb:sync=a,c' });
    expect(withOptions(request, '--table 0x5061000')).toMatchObject({ table: 0x5061000 });
    expect(withOptions({ ...request, offset: 60, page: true }, '--offset 0')).toEqual({ ...request, offset: 0 });
    expect(withOptions(request, 'something else')).toBeUndefined();
  });

  it('names the steps of a moved schedule in their new order', () => {
    const names = recording.steps.map(({ name }) => name);
    const moved = movedSchedule(recording, 3, 1);
    expect(moved.steps?.map(({ name }) => name)).toEqual([names[0], names[3], names[1], names[2]]);
    expect(moved.steps?.[1]?.actor).toBe('T0');
    expect(movedSchedule(recording, 0, 3).steps?.map(({ name }) => name)).toEqual([...names.slice(1), names[0]]);
    expect(moved.token).toBe(recording.race.token);
  });
});
