// SPDX-License-Identifier: MIT
//
// Patchers that are guest code: functions of a compiled program, against threads that execute what they patch.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, it } from 'vitest';

import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import {
  COHERENT,
  DEFAULT_PARAMETERS,
  explore,
  fetchNamed,
  guestPatcher,
  RACE_MEMORY_BYTES,
  replayCommand,
  runRaceCommand,
} from '../../src/race/index.ts';
import type { Exploration } from '../../src/race/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'trapline-patchers-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const source = fileURLToPath(new URL('sources/patchers.c', import.meta.url));

function compiled(name: string, ...options: string[]): Uint8Array {
  const out = join(scratch, name);
  const made = spawnSync('gcc', ['-O1', '-fcf-protection=none', ...options, '-o', out, source], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`gcc failed: ${made.stderr}`);
  return new Uint8Array(readFileSync(out));
}

const ELF = compiled('patchers');

function run(symbol: string, fetch: string, offset = 0, threads = 1, elf = ELF): Exploration {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  try {
    const model = { ...COHERENT, ...fetchNamed(fetch) };
    const world = guestPatcher(elf, symbol).build({ ...DEFAULT_PARAMETERS, model, offset, threads }, { cpu });
    const result = explore(world, { budget: 200_000 });
    expect(result.complete).toBe(true);
    return result;
  } finally {
    cpu.dispose();
  }
}

function signatures(symbol: string, fetch: string, offset = 0): string[] {
  return run(symbol, fetch, offset).witnesses.map((w) => w.failure.signature);
}

describe('a patcher that is guest code', () => {
  it('naive, fails between its two stores: the new opcode with the operand of the nop', () => {
    const [witness] = run('naive', 'coherent').witnesses;
    expect(witness?.failure.signature).toBe('illegal decode "e9 1f 44 00 00" at site+0');
    expect(witness).toMatchObject({ switches: 1, isMinimal: true });
  });

  it('with int3 and membarrier, holds in one line under every fetch, and both ends are reached', () => {
    for (const fetch of ['coherent', 'torn-asc', 'torn-any', 'stale']) {
      const { verdict, outcomes } = run('text_poke', fetch, 0, 2);
      expect(verdict).toBe('holds');
      expect([...outcomes.keys()].join(' ')).toMatch(/39.*186|186.*39/);
    }
  });

  it('with int3 and membarrier, holds where a line splits the nop', () => {
    for (const offset of [60, 61, 62, 63])
      for (const fetch of ['coherent', 'torn-any', 'stale']) expect(signatures('text_poke', fetch, offset)).toEqual([]);
  });

  it('with int3 alone, holds in one line and fails where a line splits the nop and fetch may be stale', () => {
    expect(signatures('text_poke_unsynchronised', 'stale')).toEqual([]);
    expect(signatures('text_poke_unsynchronised', 'coherent', 63)).toEqual([]);
    expect(signatures('text_poke_unsynchronised', 'stale', 63)).toContain('illegal decode "e9 1f 44 00 00" at site+0');
  });

  it('stores in two steps where a line splits its store, and both orders are seen', () => {
    const seen = signatures('naive', 'coherent', 62);
    expect(seen).toContain('illegal decode "e9 7b 44 00 00" at site+0');
    expect(signatures('naive', 'coherent', 61)).not.toContain('illegal decode "e9 7b 44 00 00" at site+0');
    const [, second] = run('naive', 'coherent', 62).witnesses;
    expect(second?.steps.map((step) => step.name)).toEqual(['X', 'X', '+1', 'X']);
  });

  it('is seen by the detector: even with int3 and membarrier, who meets the int3 has not serialised since', () => {
    expect(signatures('text_poke', 'xmc-strict')).toContain('unsynchronised site+0');
    expect(signatures('naive', 'xmc-strict')).toContain('unsynchronised site+0..+4');
  });

  it('with mprotect, takes the code away under threads, and shows them none of its stores', () => {
    const found = signatures('write_xor_execute', 'coherent');
    expect(found).toHaveLength(3);
    for (const signature of found) expect(signature).toMatch(/^fault at .*: SIGSEGV: execute of 0x/);
  });

  it('fails with a report whose token replays, given the file again', () => {
    const scenarios = [guestPatcher(ELF, 'naive')];
    const { text, exitCode } = runRaceCommand({ scenario: 'guest-patcher', scenarios, makeCpu: openUnicorn });
    expect(exitCode).toBe(1);
    expect(replayCommand({ token: text, scenarios, makeCpu: openUnicorn })).toMatchObject({ exitCode: 1 });
    expect(() => replayCommand({ token: text, makeCpu: openUnicorn })).toThrow('--protocol-elf FILE:SYMBOL');
  });

  it('takes a lock that others wait for, in a program and in a shared object', () => {
    for (const elf of [ELF, compiled('patchers.so', '-shared', '-fPIC')]) {
      const { verdict, outcomes, states } = run('locked,locked', 'coherent', 61, 1, elf);
      expect(verdict).toBe('holds');
      expect([...outcomes.keys()].join()).toContain('T0 trap 186');
      expect(states).toBeGreaterThan(run('locked', 'coherent', 61, 1, elf).states);
    }
  });

  it('that wakes nobody leaves one waiting for ever', () => {
    const [witness] = run('forgetful,forgetful', 'coherent').witnesses;
    expect(witness?.failure).toMatchObject({
      signature: 'deadlock',
      text: expect.stringMatching(/^G[01] wait for ever$/),
    });
    expect(witness?.steps.map((step) => step.text).join('; ')).toContain('futex wait while 2');
    expect(run('forgetful', 'coherent').verdict).toBe('holds');
  });

  it('in a file that is bound to its address is its function alone', () => {
    const bound = compiled('bound', '-no-pie');
    expect(run('naive', 'coherent', 0, 1, bound).verdict).toBe('fails');
    expect(() => guestPatcher(bound, 'locked,locked')).toThrow('need a position-independent file');
  });

  it('that the file does not have is an error', () => {
    expect(() => guestPatcher(ELF, 'naive,naive,naive,naive,naive')).toThrow('5 patchers are too many; 4 is the most');
    expect(() => guestPatcher(ELF, 'nobody')).toThrow('there is no symbol "nobody"; there are ');
  });
});
