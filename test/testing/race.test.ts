// SPDX-License-Identifier: MIT
//
// Races as a test file states them: scenarios from machine code and from guests, matchers, tables, arbitraries.

import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';

import { compactToken, createRace, formatToken, parseToken } from '../../src/race/index.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { looksLikeSite } from '../../src/isa/syscall-site.ts';
import { annotateRace, nearMissSites, placements, race, schedules } from '../../src/testing/index.ts';

const execution = race.scenario('patch vs execute').site({ nr: 39 }).patcher('P').thread('T0');
const TORN = { model: 'torn-asc' };

describe('a scenario', () => {
  it('holds in one line under every model, and needs more where a line splits it', () => {
    expect(execution).toHoldInAllInterleavings({ model: 'stale' });
    expect(execution.with({ offset: 58 })).toHoldInAllInterleavings();
    const result = execution.with({ offset: 58 }).explore(TORN);
    expect(result).toFailWith({ kind: 'illegal-decode', bytes: '0f 00' });
    expect(result).toFailWith(/0f 00/);
    expect(result).not.toFailWith('wrong number');
    expect(result).toHaveContextSwitches(2);
    expect(result).toHoldWithin({ switches: 1 });
    expect(result).not.toHoldWithin({ switches: 2 });
    expect(result).toExploreExhaustively();
    expect(execution.with({ offset: 58, patch: 'hardened' })).toHoldInAllInterleavings(TORN);
  });

  it('reaches the ends that it can, and never the others', () => {
    expect(execution).toReach('T0 trampoline 39');
    expect(execution).toReach(/T0 trap 39/);
    expect(execution).toNeverReach('wrong number');
    expect(execution.with({ protocol: 'bac' })).not.toNeverReach('wrong number');
  });

  it('that is not completely explored never passes, and says how far it came', () => {
    expect(() => expect(execution).toHoldInAllInterleavings({ budget: 20 })).toThrow(/no failure within \d context/);
    expect(() => expect(execution).toNeverReach('nothing', { budget: 20 })).toThrow('incomplete');
    expect(() => expect(execution).toHoldInAllInterleavings({ strategy: 'urw', budget: 10 })).toThrow('10 schedules');
  });

  it('kills the mutants of its protocol', () => {
    expect(execution).toKillMutants(['acb', 'bac', 'bca', 'one-shot', 'abc:nolock']);
    expect(() => expect(execution).toKillMutants(['acb', 'abc:single-read'])).toThrow('abc:single-read survived');
    expect(execution.kernel({ handleFaultLock: false })).toFailWith('SIGILL');
  });

  it('that fails shows the report and a token that replays as the same failure', () => {
    const failing = execution.with({ protocol: 'acb' });
    const { witness } = failing.explore();
    const token = witness === null ? '' : formatToken(witness.token);
    expect(() => expect(failing).toHoldInAllInterleavings()).toThrow(compactToken(parseToken(token)));
    expect(failing.replay(token)).toReplayAs({ kind: 'illegal-decode', bytes: 'ff 27' });
    expect(failing.replay(token)).not.toReplayAs('wrong number');
    expect(() => race.named('two-patchers').replay(token)).toThrow('not of "two-patchers"');
  });

  it('annotates its test with the token and the result', async () => {
    const notes: [string, string, string][] = [];
    const annotate = (message: string, type: string, file: { contentType: string }): Promise<never> => {
      notes.push([message, type, file.contentType]);
      return Promise.resolve(undefined as never);
    };
    await annotateRace({ annotate: annotate as never }, execution.with({ protocol: 'acb' }).explore());
    await annotateRace({ annotate: annotate as never }, execution.explore());
    expect(notes).toEqual([[expect.stringMatching(/^replay: RACE_REPLAY='xr1\.[\w-]+'$/), 'race', 'application/json']]);
  });

  it('may be one that Trapline brings', () => {
    expect(race.named('two-patchers').with({ threads: 1 })).toHoldInAllInterleavings();
    expect(() => race.named('nothing')).toThrow('there is no scenario "nothing"; there are patch-vs-exec');
    expect(() => race.named('two-patchers').thread('T9')).toThrow('"two-patchers" is complete');
  });
});

describe('code of its own', () => {
  // xor %ecx,%ecx; inc %ecx; then getpid; then a return that nobody reaches.
  const CODE = '31 c9 ff c1 b8 27 00 00 00 0f 05 c3';

  it('runs from its first byte, around the site', () => {
    const own = race.scenario('own code').code(CODE).patcher('P').thread('T0').thread('late', { startAt: 9 });
    expect(own).toHoldInAllInterleavings();
    expect(own.with({ protocol: 'acb' })).toFailWith('illegal decode');
    const [thread] = own.explore().actors.slice(1);
    expect(thread).toBe('T0');
  });

  it('may be a function of a program, at its place in the cache line', () => {
    const elf = readFileSync(new URL('../../guests/bin/hello.elf', import.meta.url));
    expect(race.scenario('hello').function(elf).patcher('P').thread('T0')).toHoldInAllInterleavings();
    expect(() => race.scenario('hello').function(elf, 'nowhere')).toThrow(
      'there is no symbol "nowhere"; the file has no symbols',
    );
    expect(() => race.scenario('hello').function(new Uint8Array(10))).toThrow('not an ELF file');
  });

  it('without a site is refused, and code that never ends is named', () => {
    expect(() => race.scenario('none').code('90 90 90')).toThrow('there is no site');
    const endless = race.scenario('endless').code(`eb fe ${CODE}`).patcher('P').thread('T0').thread('T1');
    expect(() => endless.explore()).toThrow(/^T0 fails before .*: T0 runs and runs outside the site$/);
  });

  it('is part of what a token is made for', () => {
    const one = race.scenario('own').code(CODE).patcher('P').thread('T0').with({ protocol: 'acb' });
    const { witness } = one.explore();
    const other = race.scenario('own').code(CODE.replace('ff c1', 'ff c9')).patcher('P').thread('T0');
    const replayed = other.replay(witness === null ? '' : formatToken(witness.token));
    expect(replayed).toMatchObject({ kind: 'diverged', problem: /^the code of "own" is not what it was made for/ });
  });
});

describe('properties', () => {
  it('that are false in some state fail there, with the state', () => {
    const never = execution.always('nobody holds the lock', (state) => !state.isLocked);
    const { witness } = never.explore();
    expect(witness).toMatchObject({ signature: 'property "nobody holds the lock"', switches: 0 });
    expect(witness?.steps.at(-1)?.text).toBe('lock');
    const both = execution.finally('two calls were made', (state) => state.syscalls(39) === 2);
    expect(both).toHoldInAllInterleavings();
    expect(execution.finally('three calls', (state) => state.syscalls(39) === 3)).toFailWith('property "three calls"');
  });

  it('that throw are reported with the state that they threw in', () => {
    const throwing = execution.always('is fine', (state) => {
      if (state.site[5] === 6) throw new RangeError('a guard');
      return true;
    });
    const { witness } = throwing.explore();
    expect(witness?.signature).toBe('property "is fine" threw');
    expect(witness?.text).toMatch(
      /^"is fine" threw "a guard" in the state site b8 27 00 00 00 06 05; P kernel; T0 user/,
    );
  });

  it('see actors by their names', () => {
    const named = race.scenario('two').patcher('P').thread('A').thread('B');
    const inOrder = named.finally('A before B', (state) => state.actors[1]?.name === 'A');
    expect(inOrder).toHoldInAllInterleavings();
  });
});

describe('what cannot be', () => {
  it('is refused with what can', () => {
    expect(() => execution.with({ offset: 64 }).explore()).toThrow('offset 64: use 0 to 63');
    expect(() => execution.with({ table: 0x400000 }).explore()).toThrow('the trap table cannot be at 0x400000');
    expect(() => execution.with({ protocol: 'zzz' }).explore()).toThrow('--protocol zzz: "zzz" is not known');
    expect(() => execution.explore({ model: 'old' })).toThrow('there is no model "old"; use one of coherent');
    expect(() => race.scenario('empty').explore()).toThrow('"empty" has no thread and no patcher');
    expect(() => race.scenario('twice').thread('T').thread('T').explore()).toThrow('"T" cannot name an actor');
    expect(() => expect(7).toHoldInAllInterleavings()).toThrow('expected a race scenario');
  });
});

describe('tables and arbitraries', () => {
  it('the verdict table of placements and models is a snapshot', () => {
    const table = race.forEachPlacement({}, execution).forEachModel(['coherent', 'torn-asc']).verdictTable();
    expect(table).toMatchInlineSnapshot(`
      "| placement | coherent | torn-asc |
      | --- | --- | --- |
      | in one line | holds | holds |
      | 1 of 7 bytes in the first line | holds | holds |
      | 2 of 7 bytes in the first line | holds | holds |
      | 3 of 7 bytes in the first line | holds | holds |
      | 4 of 7 bytes in the first line | holds | holds |
      | 5 of 7 bytes in the first line | holds | holds |
      | 6 of 7 bytes in the first line | holds | illegal decode "0f 00" at site+5, 2 switches |
      "
    `);
  });

  it('any schedule of a protocol that holds passes, wherever the site lies', () => {
    fc.assert(
      fc.property(placements(fc), schedules(fc), (placement, choices) => {
        expect(execution.with(placement).run(choices).failure).toBeNull();
      }),
      { numRuns: 20, seed: 7 },
    );
  });

  it('near misses are no sites', () => {
    fc.assert(fc.property(nearMissSites(fc), (bytes) => !looksLikeSite(bytes)));
  });
});

describe('the environment', () => {
  const made: Record<string, string> = {};
  const inEnvironment = createRace({ openCpu: openUnicorn, env: made });

  afterEach(() => {
    for (const name of Object.keys(made)) delete made[name];
  });

  it('RACE_REPLAY makes a scenario replay one schedule', () => {
    const failing = inEnvironment.scenario('env').patcher('P', 'acb').thread('T0');
    const { witness } = failing.explore();
    made['RACE_REPLAY'] = witness === null ? '' : formatToken(witness.token);
    const replayed = failing.explore();
    expect(replayed.stats).toMatchObject({ strategy: 'replay', schedules: 1 });
    expect(replayed).toFailWith('ff 27');
    expect(inEnvironment.scenario('other').patcher('P').thread('T0')).toHoldInAllInterleavings();
    // The same name with another thread in it: the schedule may fit, but it is not the scenario that it is of.
    const other = inEnvironment.scenario('env').patcher('P', 'acb').thread('T0').thread('T1');
    expect(() => other.explore()).toThrow(/RACE_REPLAY: the actors and where they start of "env" are not what it was/);
  });

  it('RACE_SEED and RACE_BUDGET are what a search begins with', () => {
    Object.assign(made, { RACE_SEED: '9', RACE_BUDGET: '30' });
    const { stats } = inEnvironment.scenario('env').patcher('P').thread('T0').explore({ strategy: 'random' });
    expect(stats).toMatchObject({ seed: 9, budget: 30, schedules: 30 });
    made['RACE_BUDGET'] = 'much';
    expect(() => inEnvironment.scenario('env').thread('T0').explore()).toThrow('RACE_BUDGET=much is no whole number');
  });
});
