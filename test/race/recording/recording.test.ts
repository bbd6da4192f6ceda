// SPDX-License-Identifier: MIT
//
// Recorded schedules hold what the explorer knows of their states: checked step by step against its own view of them.

import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { Disassembler } from '../../../src/isa/disassembler.ts';
import { changeScheduleCommand, RACE_SCENARIOS, runRaceCommand } from '../../../src/race/command.ts';
import type { RaceCommandOptions } from '../../../src/race/command.ts';
import { recordRace, recordRaces, recordToken } from '../../../src/race/recording/index.ts';
import type { ResultStep } from '../../../src/race/result.ts';
import type { StateView } from '../../../src/race/state-view.ts';
import { formatToken } from '../../../src/race/token.ts';
import { RecordingCursor } from '../../../src/trace/recording/cursor.ts';
import { REGISTERS } from '../../../src/trace/recording/format.ts';
import type { RaceRecording, RegisterName } from '../../../src/trace/recording/format.ts';
import { parseRecordings } from '../../../src/trace/recording/parse.ts';

const made = new Disassembler(createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86'));
const HOST = { makeCpu: openUnicorn, disassembler: (): Disassembler => made };

function explored(options: Omit<RaceCommandOptions, 'makeCpu'>): ReturnType<typeof runRaceCommand>['result'] {
  return runRaceCommand({ ...options, makeCpu: openUnicorn }).result;
}

/** A moment of a recording against what the explorer says of the state. */
function expectState(cursor: RecordingCursor, moment: number, view: StateView): void {
  const state = cursor.at(moment);
  const site = cursor.siteBytes(0, state);
  if (site !== null) expect(toHex(site.subarray(0, 7))).toBe(toHex(view.site));
  expect(state.spaces[0]).toMatchObject({
    base: view.table.base,
    next: view.table.next,
    isLocked: view.lock.exclusive !== null,
    readers: view.lock.shared.length,
    isStopped: view.stoppedBy !== null,
  });
  for (const [i, actor] of view.actors.entries()) {
    const recorded = state.actors[i];
    expect(recorded?.space).toBe(actor.space);
    expect(BigInt(recorded?.rip ?? -1)).toBe(actor.regs['rip']);
    for (const name of REGISTERS)
      expect(BigInt(`0x${recorded?.regs[name as RegisterName] ?? 'f'}`)).toBe(actor.regs[name]);
    expect(recorded?.fetched.map((bytes) => (bytes === null ? null : toHex(bytes)))).toEqual(
      actor.fetched.map((bytes) => (bytes === null ? null : toHex(bytes))),
    );
    const isActive = recorded?.state !== 'ended' && recorded?.state !== 'unborn' && recorded?.state !== 'failed';
    expect(isActive, `${actor.name} is ${recorded?.state ?? ''}`).toBe(
      actor.phase !== 'ended' && recorded?.state !== 'failed',
    );
  }
  for (const slot of view.slots) {
    const region = cursor.recording.regions.findIndex(
      ({ kind, address }) => kind === 'slot' && address === slot.address,
    );
    expect(cursor.listing(region, state)?.rows.map(([, , text]) => cursor.text(text))).toContain(
      `mov $0x${slot.sysno.toString(16)},%eax`,
    );
  }
}

function expectSteps(recording: RaceRecording, initial: StateView, steps: readonly ResultStep[]): void {
  const cursor = new RecordingCursor(recording);
  expect(cursor.length).toBe(steps.length);
  expectState(cursor, 0, initial);
  for (const [i, step] of steps.entries()) {
    const recorded = recording.steps[i];
    expect(recorded?.name).toBe(step.name);
    expect(recording.actors[recorded?.actor ?? -1]?.name).toBe(step.actor);
    expect(recorded?.fails ?? false).toBe(step.fails);
    if (!step.fails) expectState(cursor, i + 1, step.after);
  }
}

/** Of every state: memory's decode, and each processor's. */
function expectDecodes(recording: RaceRecording): void {
  const cursor = new RecordingCursor(recording);
  for (let moment = 0; moment <= cursor.length; moment++) {
    const state = cursor.at(moment);
    for (const site of recording.sites.keys()) {
      for (const actor of [undefined, ...recording.actors.keys()]) {
        const bytes = cursor.siteBytes(site, state, actor);
        if (bytes !== null) expect(cursor.decode(site, bytes)?.entries).toHaveLength(7);
      }
    }
  }
}

/** Exchanging the two steps makes the schedule pass. */
function expectFlip({ race, steps }: RaceRecording): void {
  const flip = race.failure?.flip ?? null;
  if (flip === null) return;
  const [first, second] = flip;
  expect(second).toBe(first + 1);
  expect(steps[first]?.actor).not.toBe(steps[second]?.actor);
  const changed = recordToken({ token: race.token, change: { from: second, to: first } }, HOST);
  expect(changed.race.failure).toBeNull();
}

const FAILING: readonly Omit<RaceCommandOptions, 'makeCpu'>[] = [
  { scenario: 'patch-vs-exec', protocol: 'acb' },
  { scenario: 'patch-vs-exec', protocol: 'cab', threads: 2 },
  { scenario: 'patch-vs-exec', model: 'torn-any', offset: 60 },
  { scenario: 'patch-vs-exec', model: 'stale', offset: 61 },
  { scenario: 'patch-vs-exec', protocol: 'one-shot', grain: 'byte' },
  { scenario: 'patch-vs-exec', table: 0x901000 },
];

describe('recordings of races', () => {
  it.each(FAILING)('hold every state of every way to fail: %o', (options) => {
    const result = explored(options);
    expect(result.verdict).toBe('fails');
    const recordings = recordRace(result, HOST);
    expect(recordings).toHaveLength(Math.min(8, result.failures.length));
    for (const [i, recording] of recordings.entries()) {
      const failure = result.failures[i];
      if (failure === undefined) throw new Error('more recordings than failures');
      expect(parseRecordings(JSON.stringify(recording))).toEqual([recording]);
      expectSteps(recording, result.initial, failure.steps);
      expectDecodes(recording);
      expect(recording.race.failure).toMatchObject({
        signature: failure.signature,
        text: failure.text,
        explanation: failure.explanation,
      });
      expectFlip(recording);
      expect(recording.race.token).toBe(formatToken(failure.token));
      expect(recording.race.passesWith).toEqual(result.passesWith);
      const shares = recording.steps.map(({ share }) => share);
      if (failure.shares !== null) expect(shares).toEqual(failure.shares.slice(1));
      expect(shares.at(-1)).toBe(1);
      expect(shares.indexOf(1) + 1).toBe(recording.race.failure?.certainAt);
    }
  });

  it.each(RACE_SCENARIOS.map(({ name }) => name))('can be read, one at least for %s', (scenario) => {
    const result = explored({ scenario, budget: 3000 });
    const recordings = recordRace(result, HOST);
    expect(recordings.length).toBeGreaterThan(0);
    for (const recording of recordings) {
      expect(parseRecordings(JSON.stringify(recording))).toEqual([recording]);
      expectDecodes(recording);
    }
  });

  it('show one path of what holds, on which threads meet the patch', () => {
    const result = explored({ scenario: 'patch-vs-exec' });
    const [recording, ...others] = recordRace(result, HOST);
    expect(others).toEqual([]);
    expect(recording?.race).toMatchObject({ verdict: 'holds', failure: null, states: result.stats.states });
    expect(recording?.steps.some(({ fails }) => fails === true)).toBe(false);
    expect(recording?.calls.length).toBe(2);
    const [first, second] = recording?.steps ?? [];
    expect(first?.actor).not.toBe(second?.actor);
  });

  it('tell what else could have been done at each step', () => {
    const [recording] = recordRace(explored({ scenario: 'patch-vs-exec', protocol: 'acb' }), HOST);
    expect(recording?.steps.map(({ others }) => others)).toEqual([[[1, 'X']], [[1, 'X']], [[1, 'X']], [[0, '+1.4']]]);
  });

  it('of a token are those of its replay, and of a changed schedule what the explorer makes of it', () => {
    const [failure] = explored({ scenario: 'patch-vs-exec', protocol: 'acb' }).failures;
    const token = formatToken(failure?.token ?? ({ scenario: '', content: '' } as never));
    const same = recordToken({ token }, HOST);
    expect(same.race).toMatchObject({ verdict: 'replayed', skipped: 0, added: 0, token });
    expect(same.race.failure?.signature).toBe(failure?.signature);
    for (const change of [
      { from: 3, to: 2 },
      { from: 3, to: 0 },
      'T0:X P:lock +5 +0 T0:X',
      'P:lock P:+5 P:nothing',
    ] as const) {
      const expected = changeScheduleCommand({ token, change, makeCpu: openUnicorn });
      const recording = recordToken({ token, change }, HOST);
      expectSteps(recording, expected.initial, expected.steps);
      expect(recording.race.failure?.signature).toBe(expected.failure?.signature);
      expect(recording.race).toMatchObject({ skipped: expected.skipped, added: expected.added });
      expect(recording.race.token).toBe(formatToken(expected.token));
      expect(parseRecordings(JSON.stringify(recording))).toEqual([recording]);
    }
    expect(() => recordToken({ token: 'nothing' }, HOST)).toThrow('there is no token');
    expect(() => recordToken({ token, change: { from: 9, to: 0 } }, HOST)).toThrow('the schedule has the steps 0 to 3');
  });

  it('are the same text each time', () => {
    const options = { scenario: 'patch-vs-exec', protocol: 'cab', model: 'torn-asc', offset: 60 };
    const text = (): string => JSON.stringify(recordRaces([explored(options)], HOST));
    expect(text()).toBe(text());
  });
});
