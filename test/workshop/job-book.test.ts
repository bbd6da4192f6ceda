// SPDX-License-Identifier: MIT
//
// The book of jobs by itself: order, places, what is kept and for how long. A runner that the test moves, and a clock.

import { beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_JOB_LIMITS } from '../../src/workshop/api.ts';
import type { JobRequest } from '../../src/workshop/api.ts';
import { JobBook } from '../../src/workshop/server/job-book.ts';
import type { JobRunner } from '../../src/workshop/server/job-book.ts';
import type { PoolResult } from '../../src/workshop/server/worker-pool.ts';

const RUN: JobRequest = { kind: 'run', code: { guest: 'hello' }, mode: 'off' };
const RACE: JobRequest = { kind: 'race', scenario: 'patch-vs-exec' };

/** Takes as many jobs as it has places, and ends them when it is told. */
class Runner implements JobRunner {
  readonly size: number;
  onFree: () => void = () => {};
  readonly running: { readonly request: JobRequest; readonly done: (result: PoolResult) => void }[] = [];
  readonly cancelled: number[] = [];
  #next = 1;

  constructor(size: number) {
    this.size = size;
  }

  run(request: JobRequest, _limits: unknown, done: (result: PoolResult) => void): number | undefined {
    if (this.running.length >= this.size) return undefined;
    this.running.push({ request, done });
    return this.#next++;
  }

  cancel(job: number): void {
    this.cancelled.push(job);
  }

  /** Ends the oldest job. */
  end(bytes = 1): void {
    const job = this.running.shift();
    job?.done({ kind: 'done', succeeded: true, body: new Uint8Array(bytes) });
    this.onFree();
  }
}

let runner: Runner;
let book: JobBook;
let time = 0;

beforeEach(() => {
  time = 0;
  let names = 0;
  runner = new Runner(2);
  book = new JobBook({
    runner,
    limits: DEFAULT_JOB_LIMITS,
    longestQueue: 5,
    keptBytes: 1000,
    newId: () => `job-${names++}`,
    now: () => time,
  });
});

function submit(student: string, request = RUN): string {
  const submitted = book.submit(student, request);
  if ('reason' in submitted) throw new Error(submitted.reason);
  return submitted.id;
}

describe('a book of jobs', () => {
  it('gives places in the order of arrival, and tells each time one becomes smaller', () => {
    const ids = ['a', 'b', 'c', 'd', 'e'].map((student) => submit(student));
    const views = (): unknown[] => ids.map((id, index) => book.view('abcde'.charAt(index), id));
    expect(views()).toEqual([
      { state: 'running' },
      { state: 'running' },
      { state: 'queued', position: 1 },
      { state: 'queued', position: 2 },
      { state: 'queued', position: 3 },
    ]);
    let told = 0;
    book.onChange(ids[4] ?? '', () => told++);
    runner.end();
    expect(told).toBe(1);
    expect(views().slice(2)).toEqual([
      { state: 'running' },
      { state: 'queued', position: 1 },
      { state: 'queued', position: 2 },
    ]);
  });

  it('refuses a second job of a student, and any when too many wait', () => {
    submit('a');
    expect(book.submit('a', RUN)).toMatchObject({ reason: 'busy' });
    for (const student of 'bcdefg') submit(student);
    expect(book.submit('h', RUN)).toMatchObject({ reason: 'full', sentence: expect.stringContaining('5 jobs') });
    runner.end();
    expect(book.submit('h', RUN)).toHaveProperty('id');
  });

  it('lets a short job pass a long one that would take the last worker', () => {
    submit('a', RACE);
    const waiting = submit('b', RACE);
    const short = submit('c');
    expect(book.view('c', short)).toEqual({ state: 'running' });
    expect(book.view('b', waiting)).toEqual({ state: 'queued', position: 1 });
    runner.end();
    expect(book.view('b', waiting)).toEqual({ state: 'running' });
  });

  it('gives the only worker to long jobs, too', () => {
    runner = new Runner(1);
    book = new JobBook({
      runner,
      limits: DEFAULT_JOB_LIMITS,
      longestQueue: 5,
      keptBytes: 9,
      newId: () => 'id',
      now: () => 0,
    });
    expect(book.view('a', submit('a', RACE))).toEqual({ state: 'running' });
  });

  it('shows a job to nobody but its student', () => {
    const id = submit('a');
    expect(book.view('b', id)).toBeUndefined();
    expect(book.cancel('b', id)).toBe(false);
    expect(book.cancel('a', id)).toBe(true);
    expect(runner.cancelled).toEqual([1]);
  });

  it('keeps a result until the student has another job, for ten minutes, and not when there are too many bytes', () => {
    const first = submit('a');
    runner.end(400);
    expect(book.view('a', first)).toMatchObject({ state: 'ended' });
    const second = submit('a');
    expect(book.view('a', first)).toBeUndefined();
    runner.end(400);
    const other = submit('b');
    runner.end(400);
    expect(book.view('a', second)).toMatchObject({ state: 'ended' });
    const third = submit('c');
    runner.end(400);
    expect(book.view('a', second)).toBeUndefined();
    expect(book.view('b', other)).toMatchObject({ state: 'ended' });
    time = 11 * 60_000;
    submit('d');
    expect(book.view('b', other)).toBeUndefined();
    expect(book.view('c', third)).toBeUndefined();
  });

  it('keeps the newest result, however large it is', () => {
    const id = submit('a');
    runner.end(5000);
    expect(book.view('a', id)).toMatchObject({ state: 'ended' });
  });

  it('takes a waiting job out of the queue, and its student may have another', () => {
    submit('a');
    submit('b');
    const id = submit('c');
    const behind = submit('d');
    book.cancel('c', id);
    expect(book.view('c', id)).toMatchObject({ state: 'failed', sentence: expect.stringContaining('taken back') });
    expect(book.view('d', behind)).toEqual({ state: 'queued', position: 1 });
    expect(book.submit('c', RUN)).toHaveProperty('id');
  });

  it('passes on why a process was lost', () => {
    const id = submit('a');
    runner.running.shift()?.done({ kind: 'lost', reason: 'crash', sentence: 'It ended.' });
    expect(book.view('a', id)).toEqual({ state: 'failed', reason: 'crash', sentence: 'It ended.' });
    expect(book.running).toBe(0);
  });
});
