// SPDX-License-Identifier: MIT
//
// Scenarios 4 to 10: another task meets a site while it is being patched. Schedules name each step; P patches.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import type { Cpu } from '../../../src/cpu/cpu.ts';
import { openUnicorn } from '../../../src/cpu/unicorn/index.ts';
import { PROT_READ } from '../../../src/abi/mman.ts';
import {
  DEFAULT_PARAMETERS,
  explore,
  finish,
  parseSchedule,
  RACE_MEMORY_BYTES,
  replay,
  scenarioNamed,
} from '../../../src/race/index.ts';
import type { Model } from '../../../src/race/index.ts';
import { readSpace } from '../../../src/race/world/space.ts';
import type { World } from '../../../src/race/world/world.ts';

let cpu: Cpu;
beforeEach(() => {
  cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
});
afterEach(() => {
  cpu.dispose();
});

const PATCH = {
  upstream: 'P:lock +5 +1.4 +3.4 +0 unlock',
  hardened: 'P:lock stop +5 +1.4 +3.4 +0 resume unlock',
};

function world(patch: 'upstream' | 'hardened', threads = 1, model: Partial<Model> = {}): World {
  const parameters = { ...DEFAULT_PARAMETERS, patch, threads, model: { ...DEFAULT_PARAMETERS.model, ...model } };
  return scenarioNamed('patch-vs-exec').build(parameters, { cpu }) as World;
}

/** Runs a schedule, then lets P and T0 finish; the outcome and the texts of the steps. */
function run(
  patch: 'upstream' | 'hardened',
  schedule: string,
  /** A step that cannot be made then. */
  impossible?: string,
): { outcome: string; texts: string[]; site: string } {
  const scenario = world(patch);
  const system = scenario.plain;
  const start = replay(system, parseSchedule(system.actors, schedule));
  expect(start.problem).toBeUndefined();
  expect(start.failure).toBeUndefined();
  if (impossible !== undefined) {
    const tried = replay(system, parseSchedule(system.actors, `${schedule} | ${impossible}`));
    expect(tried.problem).toMatch(/cannot go on/);
  }
  const [space] = scenario.shared(start.state).spaces;
  const address = scenarioNamed('patch-vs-exec').site(DEFAULT_PARAMETERS);
  const end = finish(system, start.state, [0, 1]);
  expect(end.failure).toBeUndefined();
  return {
    outcome: system.outcome(end.state),
    texts: [...start.steps, ...end.steps].map((s) => s.text),
    site: space === undefined ? '' : toHex(readSpace(space, address, 7, PROT_READ), ' '),
  };
}

describe('upstream', () => {
  const patch = 'upstream';

  it('4 B-at-S+5-after-step1: SIGILL, the handler waits for the lock, one getpid', () => {
    const { outcome, texts, site } = run(patch, 'P:lock +5 | T0:X X');
    expect(site).toBe('b8 27 00 00 00 06 05');
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
    const recovery = texts.indexOf('read-lock, look at the site, unlock');
    expect(texts.indexOf('unlock')).toBeLessThan(recovery);
    expect(texts.at(-1)).toBe('jmp *0x61050  (+7 private)');
  });

  it('4 B-at-S+5-after-step1: a task that was stopped between the two instructions', () => {
    const { outcome } = run(patch, 'T0:X | P:lock +5 | T0:X');
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
  });

  it('5 B-fetch-at-2a: the mov loads garbage, the guard stops it, the right number is called', () => {
    const { outcome, texts, site } = run(patch, 'P:lock +5 +1.4 | T0:X X');
    expect(site).toBe('b8 24 25 50 10 06 05');
    expect(texts).toContain('mov $0x10502524,%eax');
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
  });

  it('6 B-fetch-at-2b: the same after the whole operand', () => {
    const { outcome, site } = run(patch, 'P:lock +5 +1.4 +3.4 | T0:X X');
    expect(site).toBe('b8 24 25 50 10 06 00');
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
  });

  it('8 B-reads-between: what the first read found is forgotten', () => {
    const { outcome, texts } = run(patch, 'T0:X X read1 | P:lock +5 | T0:read2');
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
    expect(texts).not.toContain('stub read 2  -> patchable');
  });
});

describe('hardened', () => {
  it.each([
    ['4 B-at-S+5-after-step1', 'P:lock stop +5', 'b8 27 00 00 00 06 05'],
    ['5 B-fetch-at-2a', 'P:lock stop +5 +1.4', 'b8 24 25 50 10 06 05'],
    ['6 B-fetch-at-2b', 'P:lock stop +5 +1.4 +3.4', 'b8 24 25 50 10 06 00'],
  ])('%s: nobody gets there, the others stand still; then one call', (_, schedule, stage) => {
    const { outcome, site } = run('hardened', schedule, 'T0:X');
    expect(site).toBe(stage);
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
  });

  it('4 B-at-S+5-after-step1: a task that stood between the two instructions starts again at the jump', () => {
    const { outcome, texts } = run('hardened', `T0:X | ${PATCH.hardened} | T0:X`);
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
    expect(texts).toContain('read-lock, look at the site, unlock');
  });
});

describe.each(['upstream', 'hardened'] as const)('%s', (patch) => {
  const whole = PATCH[patch];

  it('7 B-in-syscall-before-step1: the second read sees the guard; the stub goes back without the Sentry', () => {
    const { outcome, texts } = run(patch, `T0:X X | ${whole} | T0:read1 read2`);
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
    expect(texts).not.toContain('read-lock, look at the site, unlock');
  });

  it('8 B-reads-between: what the first read found is forgotten after a whole patch, too', () => {
    const { outcome, texts } = run(patch, `T0:X X read1 | ${whole} | T0:read2`);
    expect(outcome).toBe('P trap 39, T0 trampoline 39');
    expect(texts).not.toContain('stub read 2  -> patchable');
  });

  it('9 both-need-patch: the second patcher finds the site patched and takes no slot', () => {
    const { outcome, texts } = run(patch, `T0:X X read1 read2 | ${whole} | T0:lock`);
    expect(texts).toContain('stub read 2  -> patchable');
    expect(outcome).toBe('P trap 39, T0 trap 39');
    expect(texts.filter((t) => t.startsWith('step')).length).toBe(4);
  });

  it('10 all-subset tears: no schedule of single bytes gives a SIGILL, a wild jump or a wrong number', () => {
    expect(explore(world(patch, 2, { grain: 'byte' }), { budget: 1_000_000 })).toMatchObject({
      verdict: 'holds',
      complete: true,
    });
  });
});
