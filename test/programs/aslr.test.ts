// SPDX-License-Identifier: MIT
//
// Random addresses: from the seed, the same for the same seed, and off where nobody asked or the program said so.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHostDirectory } from '../../src/sandbox/host-node/index.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { compile, hasCompiler, runGuest } from './guest-run.ts';

const PARTS = ['program', 'heap', 'library', 'mmap', 'vdso', 'stack'];

describe.runIf(hasCompiler('gcc'))('random addresses', () => {
  let folder = '';
  let program = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-aslr-'));
    program = join(folder, 'aslr');
    compile('gcc', 'aslr', program, ['-pie', '-fPIE']);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const run = async (options: Partial<SandboxOptions>): Promise<Map<string, string>> => {
    const { output } = await runGuest(program, { root: openHostDirectory('/', { writable: false }), ...options });
    return new Map(
      output
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    );
  };

  it('come from the seed', async () => {
    const one = await run({ aslr: true, seed: 1 });
    const two = await run({ aslr: true, seed: 2 });
    expect(await run({ aslr: true, seed: 1 })).toEqual(one);
    for (const part of PARTS) expect({ part, at: one.get(part) }).not.toEqual({ part, at: two.get(part) });
    expect(one.get('setting')).toBe('2');
  });

  it('are not used unless asked for', async () => {
    const one = await run({ seed: 1 });
    expect(await run({ seed: 2 })).toEqual(one);
    expect(one.get('program')).toMatch(/^0x55555555[45]/);
    expect(one.get('setting')).toBe('0');
  });

  it('are off for a program that has turned them off', async () => {
    const fixed = new Map(await run({ argv: [program] })).set('setting', '2');
    expect(await run({ aslr: true, argv: [program, 'off'] })).toEqual(fixed);
  });
});
