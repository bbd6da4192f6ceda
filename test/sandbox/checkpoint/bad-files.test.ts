// SPDX-License-Identifier: MIT
//
// Files that are no checkpoints, or that somebody has changed: they are refused in words, or a machine comes out that
// ends; nothing else is thrown, nothing hangs, and the host is not reached.

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { TraplineError } from '../../../src/base/errors.ts';
import { CHECKPOINT_VERSION, joinSections, splitSections } from '../../../src/sandbox/checkpoint/sections.ts';
import { openHostPath } from '../../../src/sandbox/host-node/index.ts';
import type { ProgramOptions, Taken } from './continuations.ts';
import { goOn, runTaking } from './continuations.ts';

const program = fileURLToPath(new URL('../../../guests/bin/fork-wait.elf', import.meta.url));
const options: ProgramOptions = {
  program,
  programFile: openHostPath(program, { writable: false }),
  memoryBytes: 32 * 2 ** 20,
  maxInstructions: 100_000,
  timeoutSec: 60,
};
/** Changed files that are tried: many more were, once. */
const RUNS = 60;

let taken: Taken;

beforeAll(async () => {
  const [first] = (await runTaking(options, [250])).taken;
  if (first === undefined) throw new Error('no checkpoint was taken');
  taken = first;
});

/** The code of the error that a file gives, or how its machine ended. */
async function outcomeOf(file: Uint8Array): Promise<string> {
  try {
    const { ended, exit } = await goOn({ ...taken, file }, options);
    return ended ?? Object.keys(exit)[0] ?? '';
  } catch (error) {
    return error instanceof TraplineError ? error.code : `not ours: ${String((error as Error).stack)}`;
  }
}

async function refusal(file: Uint8Array): Promise<TraplineError> {
  try {
    await goOn({ ...taken, file }, options);
  } catch (error) {
    if (error instanceof TraplineError) return error;
    throw error;
  }
  throw new Error('the file was taken');
}

function changed(file: Uint8Array, at: number, byte: number): Uint8Array {
  const copy = file.slice();
  copy[at] = byte;
  return copy;
}

describe('a checkpoint file', () => {
  it('that is another kind of file is named as that', async () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(100), new TextEncoder().encode('#!/bin/sh\n')]) {
      expect((await refusal(bytes)).code).toBe('CHECKPOINT_FORMAT');
    }
  });

  it('of a later version is left to that', async () => {
    const error = await refusal(changed(taken.file, 24, CHECKPOINT_VERSION + 1));
    expect(error.code).toBe('CHECKPOINT_VERSION');
    expect(error.message).toContain(`format ${CHECKPOINT_VERSION + 1}`);
  });

  it('that was cut off is refused, wherever it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(taken.file.length - 1), async (length) => {
        const { code } = await refusal(taken.file.slice(0, length));
        expect(['CHECKPOINT_FORMAT', 'CHECKPOINT_CORRUPT']).toContain(code);
      }),
      { numRuns: RUNS },
    );
  });

  it('in which any byte has changed is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(taken.file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        expect((await refusal(changed(taken.file, at, (taken.file[at] ?? 0) ^ by))).code).toMatch(/^CHECKPOINT_/);
      }),
      { numRuns: RUNS },
    );
  });

  it('that somebody has changed and sealed again harms nobody', async () => {
    const change = fc.record({
      section: fc.constantFrom('graph', 'graph', 'graph', 'frames', 'pages', 'head'),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      byte: fc.nat(255),
    });
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const sections = new Map([...splitSections(taken.file)].map(([name, bytes]) => [name, bytes.slice()]));
        for (const { section, at, byte } of changes) {
          const bytes = sections.get(section) ?? new Uint8Array(1);
          bytes[Math.floor(at * bytes.length)] = byte;
        }
        const sealed = joinSections(new Map([...sections].map(([name, bytes]) => [name, [bytes]])));
        const outcome = await outcomeOf(sealed);
        outcomes.add(outcome);
        expect(outcome).not.toContain('not ours');
      }),
      { numRuns: RUNS },
    );
    expect(outcomes).toContain('CHECKPOINT_CORRUPT');
  });
});
