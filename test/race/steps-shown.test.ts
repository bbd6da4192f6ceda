// SPDX-License-Identifier: MIT
//
// What a page shows of each step of a schedule: stores, processors, registers, locks, slots; and a schedule of which
// somebody moves a step.

import { describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { changeScheduleCommand, replayCommand, replayJson, runRaceCommand } from '../../src/race/index.ts';
import type { ChangedSchedule, StateJson, StepJson } from '../../src/race/index.ts';

const makeCpu = openUnicorn;
const TORN = runRaceCommand({ scenario: 'patch-vs-exec', offset: 58, model: 'torn-asc', makeCpu });

function failureSteps(): readonly StepJson[] {
  return TORN.json.failures[0]?.steps ?? [];
}

function actor(state: StateJson | undefined, name: string): StateJson['actors'][number] | undefined {
  return state?.actors.find((known) => known.name === name);
}

function move(from: number, to: number): ChangedSchedule {
  return changeScheduleCommand({ token: TORN.text, change: { from, to }, makeCpu });
}

describe('a step of a failing schedule', () => {
  it('has the stores that it made, with the slot among them, as many bytes as the instruction stores', () => {
    const stores = failureSteps().map((step) => step.stores.map(({ address, bytes }) => `${address}=${bytes}`));
    const site = 0x40107a;
    const at = (offset: number): string => `0x${(site + offset).toString(16)}`;
    expect(TORN.json.placement.site).toBe(at(0));
    expect(stores.map((made) => made.filter((store) => store.length < 30))).toEqual([
      [],
      [],
      [],
      ['0x61000=02000000'],
      // A copy of one byte is two stores of it.
      [`${at(5)}=06`, `${at(5)}=06`],
      [`${at(1)}=24255010`],
      // The second of the two overlapping stores, in as many parts as the line makes of it.
      [expect.stringMatching(new RegExp(`^${at(6)}=`))],
      [],
      [],
    ]);
    expect(stores[3]?.some((store) => store.startsWith('0x61050=5810060000000000'))).toBe(true);
  });

  it('has what every processor holds, not only the one that fails', () => {
    const [first] = failureSteps();
    expect(actor(first?.after, 'T0')?.fetched).toEqual(['b8270000000f', null]);
    expect(actor(first?.after, 'P')?.fetched).toEqual([null, null]);
  });

  it('has registers and who holds the lock', () => {
    const steps = failureSteps();
    expect(actor(TORN.json.initial, 'T0')?.regs).toMatchObject({ rip: '0x40107a', rax: '0x0' });
    expect(actor(steps[1]?.after, 'T0')?.regs).toMatchObject({ rip: '0x40107f', rax: '0x27' });
    expect(steps.map((step) => step.after.lock.exclusive)).toEqual([null, null, null, 'P', 'P', 'P', 'P', 'P', 'P']);
    expect(actor(steps[4]?.after, 'P')?.work).toEqual({ kind: 'patch', next: 'step b' });
  });

  it('has the slot once it is filled', () => {
    const steps = failureSteps();
    expect(TORN.json.initial.slots).toEqual([]);
    expect(steps[3]?.after.slots).toEqual([{ index: 1, address: '0x61050', sysno: 39, returnAddress: '0x401081' }]);
  });

  it('that fails shows the state that it failed in', () => {
    const last = failureSteps().at(-1);
    expect(last?.fails).toBe(true);
    expect(actor(last?.after, 'T0')?.fetched).toEqual(['b8270000000f', '00']);
  });
});

describe('a schedule with a step moved', () => {
  it('fails as before where the step stays', () => {
    expect(move(7, 7)).toMatchObject({ kind: 'failed', fits: 9, problem: null, skipped: 0, added: 0 });
  });

  it('passes where the fetch comes before the store, and everybody goes on to the end', () => {
    const passed = move(7, 6);
    expect(passed).toMatchObject({ kind: 'passed', failure: null, problem: null });
    expect(passed.added).toBeGreaterThan(0);
    expect(passed.steps.at(-1)?.after.actors.map(({ phase }) => phase)).toEqual(['ended', 'ended']);
  });

  it('says up to where it fits, and goes on without what does not', () => {
    const early = move(8, 0);
    expect(early).toMatchObject({ fits: 0, skipped: 1 });
    expect(early.problem).toBe('step 1: T0 does F0, not X');
  });

  it('has a token of its own, which replays as it did', () => {
    for (const [from, to] of [
      [7, 6],
      [8, 0],
      [4, 0],
    ] as const) {
      const changed = move(from, to);
      const { token = '' } = replayJson(changed);
      const again = replayCommand({ token, makeCpu });
      expect(again.kind).toBe(changed.kind);
      expect(again.steps.map((step) => step.name)).toEqual(changed.steps.map((step) => step.name));
    }
  });

  it('may be written anew', () => {
    const change = 'P:lock +5 | T0:F0 X F0 X';
    expect(changeScheduleCommand({ token: TORN.text, change, makeCpu })).toMatchObject({ kind: 'passed', fits: 6 });
    expect(() => changeScheduleCommand({ token: TORN.text, change: 'Q:X', makeCpu })).toThrow(
      'one of the actors P, T0',
    );
  });

  it('needs a step that there is', () => {
    expect(() => move(9, 0)).toThrow('the schedule has the steps 0 to 8, not 9 or 0');
    expect(() => move(0, -1)).toThrow('the schedule has the steps 0 to 8');
  });
});
