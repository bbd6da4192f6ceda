// SPDX-License-Identifier: MIT
//
// --html of run, race and replay as a process: pages and bare recordings, written whole or not at all.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { fromBase64 } from '../../src/trace/recording/embedded.ts';
import type { Recording } from '../../src/trace/recording/format.ts';
import { parseRecordings } from '../../src/trace/recording/parse.ts';
import { guest, ONE_LINE, trapline } from './trapline.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'trapline-recordings-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

const MOST_BYTES = 5 * 2 ** 20;

function place(name: string): string {
  return join(FOLDER, name);
}

/** The recordings in a page or in a bare file. */
function recordingsIn(name: string): readonly Recording[] {
  const text = readFileSync(place(name), 'utf8');
  if (name.endsWith('.json')) return parseRecordings(text);
  const [, encoding = '', content = ''] = /id="trapline-recording"([^>]*)>([^<]*)<\/script>/.exec(text) ?? [];
  return parseRecordings(encoding === '' ? content : inflateSync(fromBase64(content)).toString('utf8'));
}

describe('--html', () => {
  it('of a run is one page of its own, and the run is as without it', () => {
    const ended = trapline(['run', '--html', place('run.html'), '--', guest('hello')]);
    expect(ended).toEqual({ status: 0, stdout: 'hello from a guest\n', stderr: '' });
    const [recording] = recordingsIn('run.html');
    expect(recording).toMatchObject({ kind: 'run', run: { exit: { code: 0 } }, title: 'hello.elf' });
    expect(recording?.origin.command).toBe(`trapline run --patch hardened -- ${guest('hello')}`);
    const page = readFileSync(place('run.html'), 'utf8');
    expect(page.length).toBeLessThan(MOST_BYTES);
    // Nothing comes from anywhere else.
    expect(page).not.toMatch(/<(script|link|img|iframe)[^>]*\s(src|href)="(?!data:)/i);
    expect(page.match(/id="trapline-recording"/g)).toHaveLength(1);
  });

  it('of a large run stays small, and says what it leaves out', () => {
    const ended = trapline(['run', '--html', place('loop.html'), '--html-steps', '5000', guest('getpid-loop')]);
    expect(ended.status).toBe(0);
    const [recording] = recordingsIn('loop.html');
    expect(recording?.steps).toHaveLength(5000);
    expect(recording?.leftOut.map(({ what }) => what)).toContain('steps');
    expect(readFileSync(place('loop.html')).length).toBeLessThan(MOST_BYTES);
  });

  it('is the same file each time, bare where its name ends in .json', () => {
    for (const name of ['a.json', 'b.json']) {
      expect(trapline(['run', '--html', place(name), guest('fork-wait')]).status).toBe(0);
    }
    expect(readFileSync(place('a.json'), 'utf8')).toBe(readFileSync(place('b.json'), 'utf8'));
    expect(recordingsIn('a.json')).toHaveLength(1);
  });

  it('records a program that dies, and one that a limit ends', () => {
    expect(trapline(['run', '--html', place('dead.json'), guest('fault-uncaught')]).status).toBe(139);
    expect(recordingsIn('dead.json')[0]).toMatchObject({ run: { exit: { signal: 11 } } });
    const limit = ['--max-instructions', '100000', '--html', place('limit.json')];
    expect(trapline(['run', ...limit, guest('loop-forever')]).status).toBe(124);
    expect(recordingsIn('limit.json')[0]).toMatchObject({ run: { ended: 'budget' } });
  });

  it('of a race has the ways in which it fails, or one path where it does not', () => {
    const failing = trapline(['race', 'patch-vs-exec', '--protocol', 'acb', '--html', place('race.html')]);
    expect(failing.status).toBe(1);
    const recordings = recordingsIn('race.html');
    expect(recordings.length).toBeGreaterThan(1);
    for (const recording of recordings) expect(recording).toMatchObject({ kind: 'race', race: { verdict: 'fails' } });
    expect(readFileSync(place('race.html')).length).toBeLessThan(MOST_BYTES);
    expect(trapline(['race', 'patch-vs-exec', '--html', place('holds.json')]).status).toBe(0);
    expect(recordingsIn('holds.json')[0]).toMatchObject({ race: { verdict: 'holds', failure: null } });
  });

  it('of a replay is its schedule', () => {
    const report = trapline(['race', 'patch-vs-exec', '--protocol', 'acb']).stdout;
    writeFileSync(place('report.txt'), report);
    const ended = trapline(['replay', place('report.txt'), '--html', place('replay.json')]);
    expect(ended.status).toBe(1);
    expect(recordingsIn('replay.json')[0]).toMatchObject({ race: { verdict: 'replayed' }, steps: { length: 4 } });
    const changed = report.replaceAll('P:lock', 'P:block').replaceAll(/xr1\.\S+/g, '');
    writeFileSync(place('changed.txt'), changed);
    const misfit = trapline(['replay', place('changed.txt'), '--html', place('misfit.json')]);
    expect(misfit.status).toBe(125);
    expect(misfit.stderr).toMatch(ONE_LINE);
    expect(existsSync(place('misfit.json'))).toBe(false);
  });

  it('leaves nothing behind when it cannot be written, or the run does not begin', () => {
    const before = readdirSync(FOLDER);
    for (const args of [
      ['run', '--html', place('nowhere/x.html'), guest('hello')],
      ['run', '--html', FOLDER, guest('hello')],
      ['run', '--html', place('x.html'), place('no-program')],
      ['run', '--html-steps', '10', guest('hello')],
      ['run', '--html', place('x.html'), '--html-steps', '0', guest('hello')],
      ['run', '--html', place('x.html'), '--html-steps', '100001', guest('hello')],
      ['run', '--html', place('x.html'), '--checkpoint', place('c'), guest('hello')],
      ['race', 'no-such-scenario', '--html', place('x.html')],
      ['race', 'patch-vs-exec', '--html', place('nowhere/x.html')],
      ['replay', 'xr1;nonsense', '--html', place('x.html')],
    ]) {
      const ended = trapline(args);
      expect(ended.status, args.join(' ')).toBeGreaterThanOrEqual(125);
      expect(ended.stderr).toMatch(ONE_LINE);
      expect(ended.stdout).toBe('');
    }
    expect(readdirSync(FOLDER)).toEqual(before);
  });
});
