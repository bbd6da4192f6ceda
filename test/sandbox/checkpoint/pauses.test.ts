// SPDX-License-Identifier: MIT
//
// A pause is no end of a turn: machines whose turns end in trampolines and stub code (`--stub-preemption`) are saved at
// many counts, in the middle of turns, and go on as the run that did not stop. Neither does it move the end of a turn where
// a block of code is longer than what is left of it.

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openHostPath } from '../../../src/sandbox/host-node/index.ts';
import type { Outcome, ProgramOptions } from './continuations.ts';
import { goOn, runTaking } from './continuations.ts';

function options(name: string, seed: number): ProgramOptions {
  const program = fileURLToPath(new URL(`../../../guests/bin/${name}.elf`, import.meta.url));
  return {
    program,
    programFile: openHostPath(program, { writable: false }),
    patch: 'upstream',
    stubPreemption: true,
    seed,
    memoryBytes: 32 * 2 ** 20,
    timeoutSec: 600,
  };
}

/** Runs that nobody has stopped, by guest and seed. */
const undisturbed = new Map<string, Outcome>();

async function plainRun(name: string, seed: number): Promise<Outcome> {
  const key = `${name} ${seed}`;
  const known = undisturbed.get(key);
  if (known !== undefined) return known;
  const { outcome } = await runTaking(options(name, seed), []);
  undisturbed.set(key, outcome);
  return outcome;
}

describe('a run whose turns end anywhere in stub code', () => {
  const guests = ['threads-counter', 'g11-threads-fresh-site', 'd7-fp-state'];

  it.each(guests)('is the same with pauses at any counts, and so is what goes on from each: %s', async (name) => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2),
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 400, maxLength: 400 }),
        async (seed, places) => {
          const plain = await plainRun(name, seed);
          const { instructions } = plain.metrics;
          const points = places.map((place) => Math.floor(place * instructions)).sort((a, b) => a - b);
          const { outcome, taken } = await runTaking(options(name, seed), points, 100);
          expect(outcome).toEqual(plain);
          for (const each of taken) expect(await goOn(each, options(name, seed)), `from ${each.at}`).toEqual(plain);
        },
      ),
      { numRuns: 2, seed: 4, endOnFailure: true },
    );
  });

  it('is paused in the middle of its turns, in slots and in stub code', async () => {
    const plain = await plainRun('threads-counter', 0);
    const step = Math.floor(plain.metrics.instructions / 400);
    const points = Array.from({ length: 400 }, (_, i) => i * step);
    const { outcome, taken } = await runTaking(options('threads-counter', 0), points);
    expect(outcome).toEqual(plain);
    expect(taken.length).toBeGreaterThan(100);
    expect(taken.some(({ rips }) => rips.some((rip) => rip >= 0x7ffff0000000))).toBe(true);
  });
});
