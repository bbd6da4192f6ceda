// SPDX-License-Identifier: MIT
//
// `trapline race` as a process: statuses and output.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ONE_LINE, trapline } from './trapline.ts';

describe('trapline race', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-race-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('lists its scenarios, models, protocols and strategies', () => {
    const run = trapline(['race', '--list']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    for (const name of ['patch-vs-exec', 'torn-asc', 'one-store', 'dpor'])
      expect(run.stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
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
    expect(run.stdout).toContain('replay:\n  xr1;scn=patch-vs-exec@');
    const result = JSON.parse(readFileSync(path, 'utf8')) as { verdict: string; failures: unknown[] };
    expect(result.verdict).toBe('fails');
    expect(result.failures.length).toBeGreaterThan(0);
  });

  it('writes the result as JUnit XML', () => {
    const path = join(folder, 'race.xml');
    const run = trapline(['race', 'patch-vs-exec', '--protocol', 'acb', '--junit', path]);
    expect(run).toMatchObject({ status: 1, stderr: '' });
    expect(readFileSync(path, 'utf8')).toContain('<testsuite name="trapline race" tests="1" failures="1" errors="0">');
  });

  it('explores several scenarios into one file of each kind, and fails when one of them does', () => {
    const [json, junit] = [join(folder, 'races.json'), join(folder, 'races.xml')];
    const run = trapline(['race', 'patch-vs-exec', 'shared-tail', '--json', json, '--junit', junit]);
    expect(run).toMatchObject({ status: 1, stderr: '' });
    expect(run.stdout).toMatch(
      /^HOLDS patch-vs-exec[^]*\n\nFAIL  shared-tail[^]*\n\n2 scenarios: 1 hold, 1 fail, 0 incomplete\n$/,
    );
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({
      schema: 'trapline-races',
      version: 1,
      results: [{ scenario: 'patch-vs-exec' }, { scenario: 'shared-tail' }],
      notBegun: [],
    });
    expect(readFileSync(junit, 'utf8')).toContain('<testsuite name="trapline race" tests="2" failures="1" errors="0">');
  });

  it('explores all scenarios, which hold in hardened mode', () => {
    const run = trapline(['race', '--all', '--patch', 'hardened']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/(\d+) scenarios: \1 hold, 0 fail, 0 incomplete\n$/);
  });

  it('names the scenarios that it has not begun when the time is over', () => {
    const large = ['--patch', 'hardened', '--model', 'stale', '--granule', '1', '--threads', '6'];
    const run = trapline(['race', 'patch-vs-exec', 'shared-tail', 'cow-break', ...large, '--time', '0.5']);
    expect(run.status).toBe(3);
    expect(run.stdout).toMatch(/1 incomplete; not begun, to go on with: shared-tail cow-break\n$/);
  });

  it('takes seed and budget from RACE_SEED and RACE_BUDGET', () => {
    expect(trapline(['race', 'patch-vs-exec'], { env: { RACE_BUDGET: '5' } }).status).toBe(3);
    const sampled = ['race', 'patch-vs-exec', '--strategy', 'urw'];
    expect(trapline(sampled, { env: { RACE_SEED: '5', RACE_BUDGET: '50' } })).toEqual(
      trapline([...sampled, '--seed', '5', '--budget', '50']),
    );
  });

  it('exits with 3 when the budget ends before the exploration', () => {
    expect(trapline(['race', 'patch-vs-exec', '--budget', '5']).status).toBe(3);
  });

  it('exits with 3 when the time ends before the exploration', () => {
    const large = ['--model', 'stale', '--granule', '1', '--threads', '6'];
    expect(trapline(['race', 'patch-vs-exec', '--patch', 'hardened', ...large, '--time', '0.5']).status).toBe(3);
  });

  it('samples by seed, and never says that something holds', () => {
    const sampled = ['race', 'patch-vs-exec', '--strategy', 'urw', '--seed', '5', '--budget', '500'];
    const run = trapline(sampled);
    expect(run.status).toBe(3);
    expect(run.stdout).toMatch(/^INCOMPLETE /);
    expect(trapline(sampled)).toEqual(run);
  });

  it('shows the witness of the torn fetch that upstream allows and hardened does not', () => {
    const cell = ['race', 'patch-vs-exec', '--offset', '58', '--model', 'torn-asc'];
    const upstream = trapline([...cell, '--patch', 'upstream']);
    expect(upstream.status).toBe(1);
    expect(upstream.stdout).toMatch(/"0f 00" at site\+5/);
    expect(upstream.stdout).toMatch(/2 context switches/);
    expect(trapline([...cell, '--patch', 'hardened'])).toMatchObject({ status: 0 });
  });

  it('gives the same bytes twice', () => {
    expect(trapline(['race', 'patch-vs-exec', '--patch', 'hardened', '--threads', '2'])).toEqual(
      trapline(['race', 'patch-vs-exec', '--patch', 'hardened', '--threads', '2']),
    );
  });
});

describe('trapline replay', () => {
  const cell = ['race', 'patch-vs-exec', '--patch', 'upstream', '--offset', '58', '--model', 'torn-asc'];

  it('runs the schedule of a report again, from a file, as a token of either form, or from RACE_REPLAY', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapline-replay-'));
    try {
      const { stdout } = trapline(cell);
      const path = join(folder, 'report.txt');
      writeFileSync(path, stdout);
      const compact = stdout.trim().split('\n').at(-1)?.trim() ?? '';
      const run = trapline(['replay', path]);
      expect(run).toMatchObject({ status: 1, stderr: '' });
      expect(run.stdout).toMatch(/^FAIL {2}T0 decoded "0f 00" at site\+5/);
      expect(run.stdout).toContain('b8 24 25 50 10 06 | 00');
      expect(trapline(['replay', compact])).toEqual(run);
      expect(trapline(['replay'], { env: { RACE_REPLAY: compact } })).toEqual(run);
      expect(trapline(['replay', '--mode', 'continue', compact]).status).toBe(1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('says in one line what is no token, cut off, of another version, or for another scenario', () => {
    const compact = trapline(cell).stdout.trim().split('\n').at(-1)?.trim() ?? '';
    for (const bad of ['/nowhere', compact.slice(0, -4), `xr2${compact.slice(3)}`, 'xr1;scn=other\nP:lock']) {
      const run = trapline(['replay', bad]);
      expect(run).toMatchObject({ status: 125, stdout: '' });
      expect(run.stderr).toMatch(ONE_LINE);
    }
    expect(trapline(['replay']).stderr).toContain('no token or file was given');
  });
});
