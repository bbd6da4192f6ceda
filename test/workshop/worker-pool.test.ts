// SPDX-License-Identifier: MIT
//
// The pool of real worker processes with small limits: one that takes too much memory is ended with a sentence, one that
// has served long enough is replaced, and neither costs anybody else a job.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_JOB_LIMITS } from '../../src/workshop/api.ts';
import type { JobLimits, JobRequest, JobState } from '../../src/workshop/api.ts';
import { WorkerPool } from '../../src/workshop/server/worker-pool.ts';
import type { PoolOptions, PoolResult } from '../../src/workshop/server/worker-pool.ts';

const WORKER = fileURLToPath(new URL('../../dist/workshop/server/worker.js', import.meta.url));
const MIB = 2 ** 20;
const HELLO: JobRequest = { kind: 'run', code: { guest: 'hello' }, mode: 'hardened' };

/** Maps 400 MiB, writes to each page, and then loops for ever. */
const GREEDY: JobRequest = {
  kind: 'run',
  mode: 'off',
  code: {
    bytes: [
      'b8 09 00 00 00', // mov $9,%eax (mmap)
      '31 ff', // xor %edi,%edi
      'be 00 00 00 19', // mov $400 MiB,%esi
      'ba 03 00 00 00', // mov $PROT_READ|PROT_WRITE,%edx
      '41 ba 22 00 00 00', // mov $MAP_PRIVATE|MAP_ANONYMOUS,%r10d
      '49 83 c8 ff', // or $-1,%r8
      '45 31 c9', // xor %r9d,%r9d
      '0f 05', // syscall
      'b9 00 90 01 00', // mov $102400,%ecx
      'c6 00 01', // write: movb $1,(%rax)
      '48 05 00 10 00 00', // add $4096,%rax
      'ff c9', // dec %ecx
      '75 f3', // jnz write
      'eb fe', // jmp .
    ].join(''),
  },
};
/** Nothing but the pool's limit ends it. */
const PATIENT: JobLimits = { ...DEFAULT_JOB_LIMITS, memoryBytes: 1024 * MIB, instructions: 1e12, seconds: 600 };

let pool: WorkerPool;
const said: string[] = [];
const log: PoolOptions['log'] = {
  debug: () => {},
  info: () => {},
  warn: (_fields, message) => void said.push(message),
  error: (_fields, message) => void said.push(message),
};

function open(options: Partial<PoolOptions>): void {
  said.length = 0;
  pool = new WorkerPool({ workers: 1, workerPath: WORKER, log, ...options });
}

afterEach(() => pool.close());

/** Gives a job to the next worker that is idle. */
async function run(request: JobRequest, limits: JobLimits = DEFAULT_JOB_LIMITS): Promise<PoolResult> {
  let tell: (result: PoolResult) => void = () => {};
  const result = new Promise<PoolResult>((done) => (tell = done));
  while (pool.run(request, limits, tell) === undefined) await new Promise<void>((free) => (pool.onFree = free));
  return result;
}

function stateOf(result: PoolResult): JobState | PoolResult {
  return result.kind === 'done' ? (JSON.parse(gunzipSync(result.body).toString()) as JobState) : result;
}

const hello = { state: 'done', outcome: { kind: 'run', exit: { code: 0 }, output: 'hello from a guest\n' } };

describe.runIf(process.platform === 'linux')('A worker', () => {
  it('that takes more memory than it may is ended with a sentence, and another does the next job', async () => {
    open({ memoryBytes: 320 * MIB });
    expect(stateOf(await run(HELLO))).toMatchObject(hello);
    const [before] = pool.pids;
    const ended = await run(GREEDY, PATIENT);
    expect(ended).toMatchObject({ kind: 'lost', reason: 'limit' });
    const mebibytes = Number(/because it took (\d+) MiB/.exec('sentence' in ended ? ended.sentence : '')?.[1]);
    expect(mebibytes).toBeGreaterThanOrEqual(320);
    expect(stateOf(await run(HELLO))).toMatchObject(hello);
    expect(pool.pids).toHaveLength(1);
    expect(pool.pids).not.toContain(before);
    expect(() => readFileSync(`/proc/${before}/statm`)).toThrow(/ENOENT/);
    expect(said).toEqual(['a worker ended in the middle of a job']);
  });

  it('that takes too much ends its own job only', async () => {
    open({ workers: 2, memoryBytes: 320 * MIB });
    await run(HELLO);
    const greedy = run(GREEDY, PATIENT);
    const others: (JobState | PoolResult)[] = [];
    let isOver = false;
    void greedy.then(() => (isOver = true));
    while (!isOver) others.push(stateOf(await run(HELLO)));
    expect(await greedy).toMatchObject({ kind: 'lost', reason: 'limit' });
    expect(others.length).toBeGreaterThan(0);
    for (const state of others) expect(state).toMatchObject(hello);
  });

  it('that has done as many jobs as one may is replaced between two of them, and no job is lost', async () => {
    open({ jobsPerWorker: 3 });
    const pids: (number | undefined)[] = [];
    for (let i = 0; i < 7; i++) {
      expect(stateOf(await run(HELLO))).toMatchObject(hello);
      pids.push(pool.pids[0]);
    }
    // Behind its last job a worker is not up any more.
    expect(pids.map((pid) => pid === undefined)).toEqual([false, false, true, false, false, true, false]);
    expect(new Set(pids).size).toBe(4);
    expect(said).toEqual([]);
  });
});
