// SPDX-License-Identifier: MIT
//
// `trapline race` as a process: statuses and output.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trapline } from './trapline.ts';

describe('trapline race', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-race-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('lists its scenarios', () => {
    const run = trapline(['race', '--list']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/^patch-vs-exec /m);
  });

  it('exits with 0 when the scenario holds', () => {
    const run = trapline(['race', 'patch-vs-exec']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/^HOLDS /);
  });

  it('exits with 1, a witness and a schedule when it fails, and writes the result as JSON', () => {
    const path = join(folder, 'race.json');
    const run = trapline(['race', 'patch-vs-exec', '--protocol', 'acb', '--json', path]);
    expect(run).toMatchObject({ status: 1, stderr: '' });
    expect(run.stdout).toMatch(/^FAIL /);
    expect(run.stdout).toContain('replay:\n  xr1;scn=patch-vs-exec;');
    const result = JSON.parse(readFileSync(path, 'utf8')) as { verdict: string; failures: unknown[] };
    expect(result.verdict).toBe('fails');
    expect(result.failures.length).toBeGreaterThan(0);
  });

  it('exits with 3 when the budget ends before the exploration', () => {
    expect(trapline(['race', 'patch-vs-exec', '--budget', '5']).status).toBe(3);
  });

  it('gives the same bytes twice', () => {
    expect(trapline(['race', 'patch-vs-exec', '--patch', 'hardened', '--threads', '2'])).toEqual(
      trapline(['race', 'patch-vs-exec', '--patch', 'hardened', '--threads', '2']),
    );
  });
});
