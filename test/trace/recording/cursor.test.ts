// SPDX-License-Identifier: MIT
//
// The state at a moment does not depend on the way there, and is what the steps say.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { RecordingCursor, recordRows } from '../../../src/trace/recording/cursor.ts';
import type { Recording, Step } from '../../../src/trace/recording/format.ts';
import { recordingOf } from './samples.ts';

/** So long that many states are kept. */
function stretched(recording: Recording, times: number): Recording {
  const steps: Step[] = [];
  for (let i = 0; i < times; i++) {
    const value = (i + 1).toString(16);
    steps.push(...recording.steps.filter(({ fails }) => fails !== true));
    steps.push({ actor: 0, kind: 'other', changes: [{ regs: { rax: value }, rip: i + 1 }], cost: 'patched' });
  }
  return { ...recording, steps };
}

describe('RecordingCursor', () => {
  it.each(['sample-run.json', 'sample-race.json', 'int3.json', 'recovery.json'])(
    'has the same states of %s on every way',
    (name) => {
      const recording = recordingOf(name);
      const forward = new RecordingCursor(recording);
      const states = Array.from({ length: forward.length + 1 }, (_, moment) => forward.goTo(moment));
      const jumping = new RecordingCursor(recording);
      fc.assert(
        fc.property(fc.array(fc.nat(forward.length), { minLength: 1, maxLength: 20 }), (moments) => {
          for (const moment of moments) expect(jumping.goTo(moment)).toEqual(states[moment]);
        }),
        { numRuns: 20 },
      );
    },
  );

  it('has the same states far behind many kept ones', () => {
    const recording = stretched(recordingOf('sample-race.json'), 500);
    const cursor = new RecordingCursor(recording);
    const other = new RecordingCursor(recording);
    expect(cursor.length).toBeGreaterThan(1500);
    const round = recording.steps.length / 500;
    for (const turn of [499, 3, 250, 251, 0, 64, 498]) {
      const moment = (turn + 1) * round;
      const { actors, costs } = cursor.goTo(moment);
      expect(actors[0]?.regs.rax).toBe((turn + 1).toString(16));
      expect(actors[0]?.rip).toBe(turn + 1);
      expect(costs[0]?.[0]).toBe((turn + 1) * 66);
      expect(other.at(moment)).toEqual(cursor.state);
    }
  });

  it('takes a moment outside for the nearest', () => {
    const cursor = new RecordingCursor(recordingOf('sample-run.json'));
    expect(cursor.goTo(-5).moment).toBe(0);
    expect(cursor.goTo(1e9).moment).toBe(cursor.length);
    expect(cursor.goTo(2.7).moment).toBe(2);
  });

  it('shares what a step does not change', () => {
    const cursor = new RecordingCursor(recordingOf('sample-run.json'));
    const quiet = cursor.recording.steps.findIndex(
      ({ stores, memory }) => stores === undefined && memory === undefined,
    );
    expect(cursor.at(quiet + 1).memory).toBe(cursor.at(quiet).memory);
  });

  it('applies each store to the bytes of the site', () => {
    const recording = recordingOf('sample-run.json');
    const cursor = new RecordingCursor(recording);
    const [site] = recording.sites;
    if (site === undefined) throw new Error('no site');
    let checked = 0;
    for (const [i, { stores }] of recording.steps.entries()) {
      const before = cursor.siteBytes(0, cursor.at(i));
      const now = cursor.siteBytes(0, cursor.at(i + 1));
      for (const { address, bytes } of stores ?? []) {
        const at = address - site.address;
        if (at < 0 || at >= 7) continue;
        before?.set(fromHex(bytes), at);
        checked++;
      }
      expect(toHex(now ?? new Uint8Array(0))).toBe(toHex(before ?? new Uint8Array(0)));
    }
    expect(checked).toBe(6);
  });

  it('shows a site as a processor sees it that has fetched other bytes', () => {
    const recording = recordingOf('sample-race.json');
    const [granule] = recording.granules;
    const step: Step = { actor: 1, kind: 'fetch', changes: [{ fetched: [[0, 'b8270000000605']] }] };
    const cursor = new RecordingCursor({ ...recording, steps: [step] });
    expect(granule?.length).toBe(7);
    const state = cursor.goTo(1);
    expect(toHex(cursor.siteBytes(0, state) ?? new Uint8Array(0)).slice(0, 14)).toBe('b8270000000f05');
    expect(toHex(cursor.siteBytes(0, state, 1) ?? new Uint8Array(0)).slice(0, 14)).toBe('b8270000000605');
    expect(toHex(cursor.siteBytes(0, state, 0) ?? new Uint8Array(0)).slice(0, 14)).toBe('b8270000000f05');
  });

  it('jumps from event to event', () => {
    const recording = recordingOf('sample-run.json');
    const cursor = new RecordingCursor(recording);
    const met: number[] = [];
    for (let e = cursor.eventFrom(-1, 1); e !== undefined; e = cursor.eventFrom(e.at, 1)) met.push(e.at);
    expect(met).toEqual([...new Set(recording.events.map(({ at }) => at))]);
    const back: number[] = [];
    for (let e = cursor.eventFrom(1e9, -1); e !== undefined; e = cursor.eventFrom(e.at, -1)) back.push(e.at);
    expect(back.reverse()).toEqual(met);
    expect(cursor.eventFrom(0, 1, ['patched'])?.kind).toBe('patched');
    expect(cursor.eventFrom(0, -1)).toBeUndefined();
  });

  it('has the record of the task that goes through a slot', () => {
    const recording = recordingOf('sample-run.json');
    const cursor = new RecordingCursor(recording);
    const call = recording.steps.findIndex(({ kind }) => kind === 'call');
    const before = cursor.at(call).actors[1];
    const rows = new Map(before === undefined ? [] : recordRows(before));
    expect(rows.get('retAddr')).toBe(((recording.sites[0]?.address ?? 0) + 7).toString(16));
    expect(rows.get('state')).toBe('2');
  });
});
