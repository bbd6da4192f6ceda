// SPDX-License-Identifier: MIT
//
// `trapline race --workers N` with real processes: the same files and output as with one, and one that is killed.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ended, start, trapline } from './trapline.ts';

/** It has 388,056 states, and fails. */
const LARGE = ['race', 'patch-vs-exec', '--patch', 'upstream', '--model', 'stale', '--threads', '3', '--offset', '58'];
/** Larger, and holds. */
const LARGER = ['race', 'patch-vs-exec', '--patch', 'upstream', '--model', 'stale', '--threads', '5'];

describe('processes that explore together', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trapline-workers-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('write and print the same as one', () => {
    const [one, two] = ['1', '2'].map((workers) => {
      const json = join(folder, `${workers}.json`);
      const run = trapline([...LARGE, '--workers', workers, '--json', json]);
      return { ...run, json: readFileSync(json, 'utf8') };
    });
    expect(one).toMatchObject({ status: 1, stderr: '' });
    expect(two).toEqual(one);
  });

  it.runIf(existsSync('/proc/self/task'))(
    'end as incomplete when one of them is killed, and leave none behind',
    async () => {
      const json = join(folder, 'killed.json');
      const race = start([...LARGER, '--workers', '3', '--json', json]);
      let report = '';
      race.stdout.on('data', (chunk: Buffer) => (report += chunk.toString('latin1')));
      const end = ended(race);
      let workers: number[] = [];
      while (workers.length < 2) {
        await setTimeout(20);
        workers = readFileSync(`/proc/${race.pid}/task/${race.pid}/children`, 'latin1').trim().split(' ').map(Number);
      }
      process.kill(workers[1] ?? 0, 'SIGKILL');
      expect(await end).toBe(3);
      expect(report).toContain('worker process 2 ended by SIGKILL, so not everything was looked at');
      expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ verdict: 'incomplete', stoppedBy: 'lost' });
      for (const pid of workers) expect(existsSync(`/proc/${pid}/task`)).toBe(false);
    },
  );
});
