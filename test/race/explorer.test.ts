// SPDX-License-Identifier: MIT
//
// The explorer on systems without machine code, against brute force over all interleavings.

import { describe, expect, it } from 'vitest';

import { explore as exploreSystem } from '../../src/race/search/explore.ts';
import { NumberedSystem } from '../../src/race/search/numbered-system.ts';
import type { KeyedSystem, KeyedTransition } from '../../src/race/search/numbered-system.ts';
import { finish, formatSchedule, parseSchedule, replay } from '../../src/race/search/schedule.ts';
import type { Exploration, Failure } from '../../src/race/search/system.ts';

interface Counter {
  readonly pc: readonly number[];
  readonly held: readonly number[];
  readonly value: number;
}

/** Each actor reads a shared counter and writes back one more, without a lock. */
class LostUpdate implements KeyedSystem<Counter> {
  readonly actors: readonly string[];

  constructor(actors: number) {
    this.actors = Array.from({ length: actors }, (_, i) => `A${i}`);
  }

  initial(): Counter {
    return { pc: this.actors.map(() => 0), held: this.actors.map(() => 0), value: 0 };
  }

  key(state: Counter): string {
    return JSON.stringify(state);
  }

  steps(state: Counter, actor: number): KeyedTransition<Counter>[] {
    if ((state.pc[actor] ?? 2) >= 2) return [];
    const pc = state.pc.map((p, i) => (i === actor ? p + 1 : p));
    if (state.pc[actor] === 0) {
      const held = state.held.map((h, i) => (i === actor ? state.value : h));
      return [
        { state: { pc, held, value: state.value }, name: 'read', text: 'read', footprint: { reads: 1, writes: 0 } },
      ];
    }
    const held = state.held.map((h, i) => (i === actor ? 0 : h));
    const value = (state.held[actor] ?? 0) + 1;
    return [{ state: { pc, held, value }, name: 'write', text: 'write', footprint: { reads: 0, writes: 1 } }];
  }

  stuck(state: Counter): Failure | undefined {
    return state.value === this.actors.length
      ? undefined
      : { signature: 'lost', text: `the counter is ${state.value}` };
  }

  outcome(state: Counter): string {
    return String(state.value);
  }
}

/** All final values, by trying every interleaving. */
function bruteForce(system: LostUpdate, state = system.initial()): Set<string> {
  const out = new Set<string>();
  const next = system.actors.flatMap((_, actor) => system.steps(state, actor));
  if (next.length === 0) out.add(system.outcome(state));
  for (const step of next) for (const end of bruteForce(system, step.state)) out.add(end);
  return out;
}

function explore(system: LostUpdate, budget = 100_000): Exploration {
  return exploreSystem(new NumberedSystem(system), { budget });
}

describe('explore', () => {
  it('finds the lost update, with the fewest switches that show it', () => {
    const system = new LostUpdate(2);
    const result = explore(system);
    expect(result.verdict).toBe('fails');
    expect(result.complete).toBe(true);
    expect(result.witnesses[0]?.switches).toBe(2);
    expect(formatSchedule(system.actors, result.witnesses[0]?.steps ?? [])).toMatch(
      /^A(\d):read \| A(?!\1)\d:read write \| A\1:write$/,
    );
  });

  it('reaches every end that brute force reaches', () => {
    for (const actors of [1, 2, 3]) {
      const system = new LostUpdate(actors);
      const ends = new Set([...explore(system).outcomes.keys()].map((end) => (end === 'lost' ? 'lost' : end)));
      const expected = new Set([...bruteForce(system)].map((end) => (end === String(actors) ? end : 'lost')));
      expect(ends).toEqual(expected);
    }
  });

  it('says incomplete when the bound ends it before anything was found', () => {
    expect(explore(new LostUpdate(3), 3)).toMatchObject({ verdict: 'incomplete', complete: false, states: 3 });
  });

  it('finds nothing where one actor is alone', () => {
    expect(explore(new LostUpdate(1))).toMatchObject({ verdict: 'holds', states: 3, transitions: 2 });
  });
});

/** One actor sets a flag and ends; another takes turns between two states until it sees the flag, if it ever looks. */
class Spinner implements KeyedSystem<{ readonly flag: boolean; readonly at: number }> {
  readonly actors = ['setter', 'spinner'];
  readonly #looks: boolean;

  constructor(looks: boolean) {
    this.#looks = looks;
  }

  initial(): { flag: boolean; at: number } {
    return { flag: false, at: 0 };
  }

  key(state: { readonly flag: boolean; readonly at: number }): string {
    return JSON.stringify(state);
  }

  steps(state: { readonly flag: boolean; readonly at: number }, actor: number) {
    if (actor === 0) return state.flag ? [] : [{ state: { ...state, flag: true }, name: 'set', text: 'set' }];
    if (state.at === 2) return [];
    const ends = this.#looks && state.flag;
    return [{ state: { ...state, at: ends ? 2 : 1 - state.at }, name: ends ? 'leave' : 'spin', text: 'spin' }];
  }

  stuck(): undefined {
    return undefined;
  }

  outcome(): string {
    return 'done';
  }
}

describe('runs without end', () => {
  const searched = (looks: boolean): Exploration =>
    exploreSystem(new NumberedSystem(new Spinner(looks)), { budget: 100 });

  it('are no failure where some schedule ends them', () => {
    expect(searched(true)).toMatchObject({ verdict: 'holds', complete: true });
  });

  it('are a livelock where none does', () => {
    const { verdict, witnesses } = searched(false);
    expect(verdict).toBe('fails');
    expect(witnesses.map((w) => w.failure.signature)).toEqual(['livelock']);
    expect(witnesses[0]?.steps).toEqual([]);
  });
});

describe('schedules', () => {
  it('round-trip through their text and replay to the same failure', () => {
    const keyed = new LostUpdate(2);
    const system = new NumberedSystem(keyed);
    const [witness] = explore(keyed).witnesses;
    const text = formatSchedule(system.actors, witness?.steps ?? []);
    const replayed = replay(system, parseSchedule(system.actors, text));
    expect(replayed.kind).toBe('passed');
    expect(finish(system, replayed.state, [0, 1]).failure?.signature).toBe('lost');
  });

  it('say where they no longer fit', () => {
    const system = new NumberedSystem(new LostUpdate(2));
    expect(replay(system, parseSchedule(system.actors, 'A0:write'))).toMatchObject({
      kind: 'diverged',
      problem: 'step 1: A0 does read, not write',
    });
    expect(replay(system, parseSchedule(system.actors, 'A0:read write read'))).toMatchObject({
      kind: 'diverged',
      problem: 'step 3: A0 cannot go on, not read',
    });
  });

  it('refuse actors that do not exist', () => {
    expect(() => parseSchedule(['P'], 'Q:X')).toThrow('"Q:X" is no part of a schedule');
    expect(() => parseSchedule(['P'], 'P:')).toThrow('no part of a schedule');
  });
});
