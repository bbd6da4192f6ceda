// SPDX-License-Identifier: MIT
//
// Small guests, saved at many points in every mode: threads, signals, futexes, timers, pipes, forks, code that changes.

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openHostPath } from '../../../src/sandbox/host-node/index.ts';
import type { ProgramOptions } from './continuations.ts';
import { goOn, runTaking, spread } from './continuations.ts';

const GUESTS = [
  'hello',
  'signal-basic',
  'signal-altstack',
  'fault-siginfo',
  'futex',
  'threads-counter',
  'g11-threads-fresh-site',
  'fork-wait',
  'restart-read',
  'g15-restart-nanosleep',
  'pipe-sigpipe',
  'g23-jit',
  'g38-many-sites',
  'g37-rcx',
];

const POINTS = 9;

describe.each(['off', 'upstream', 'hardened'] as const)(
  'a guest that is saved and restored, with patching %s',
  (patch) => {
    it.each(GUESTS)('goes on as if nothing had been: %s', async (name) => {
      const program = fileURLToPath(new URL(`../../../guests/bin/${name}.elf`, import.meta.url));
      const options: ProgramOptions = {
        program,
        programFile: openHostPath(program, { writable: false }),
        patch,
        memoryBytes: 64 * 2 ** 20,
        timeoutSec: 600,
      };
      const { outcome: plain } = await runTaking(options, []);
      const { outcome, taken } = await runTaking(options, spread(plain.metrics.instructions, POINTS));
      expect(outcome).toEqual(plain);
      expect(taken.length).toBeGreaterThan(1);
      for (const each of taken) expect(await goOn(each, options), `from ${each.at}`).toEqual(plain);
    });
  },
);
