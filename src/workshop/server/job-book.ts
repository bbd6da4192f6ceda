// SPDX-License-Identifier: MIT
//
// Who has which job: one at a time for each student, a queue in the order of arrival with places, long jobs never on all
// workers at once, results kept for a while. Knows nothing of HTTP and of processes.

import type { JobRequest } from '../api.ts';
import type { Failed, JobLimits } from '../api.ts';
import type { PoolResult } from './worker-pool.ts';

/** What does the jobs. */
export interface JobRunner {
  readonly size: number;
  onFree: () => void;
  run(request: JobRequest, limits: JobLimits, done: (result: PoolResult) => void): number | undefined;
  cancel(job: number): void;
}

export interface BookOptions {
  readonly runner: JobRunner;
  readonly limits: JobLimits;
  /** Jobs that may wait. */
  readonly longestQueue: number;
  /** Bytes of results that are kept, all students together. */
  readonly keptBytes: number;
  /** Makes a name that nobody can guess. */
  readonly newId: () => string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** A job as its student sees it. */
export type JobView =
  | { readonly state: 'queued'; readonly position: number }
  | { readonly state: 'running' }
  /** `body`: a JobState as JSON, gzipped. */
  | { readonly state: 'ended'; readonly body: Uint8Array }
  | ({ readonly state: 'failed' } & Failed);

interface Job {
  readonly id: string;
  readonly student: string;
  readonly request: JobRequest;
  readonly isLong: boolean;
  readonly since: number;
  view: JobView;
  /** Its number at the runner while it is done. */
  running: number | undefined;
  readonly waiting: Set<() => void>;
}

/** Kept as long after a job's end. */
const KEPT_MS = 10 * 60_000;

export class JobBook {
  readonly #options: BookOptions;
  readonly #jobs = new Map<string, Job>();
  /** The last job of each student. */
  readonly #byStudent = new Map<string, Job>();
  #queue: Job[] = [];
  #longRunning = 0;
  #running = 0;
  #keptBytes = 0;
  /** Ended jobs, oldest first. */
  readonly #ended = new Map<string, { readonly at: number; readonly bytes: number }>();
  /** Called at each end of a job, for the log. */
  onEnd: (facts: { id: string; kind: string; ms: number; succeeded: boolean; reason?: string }) => void = () => {};

  constructor(options: BookOptions) {
    this.#options = options;
    options.runner.onFree = () => this.#next();
  }

  get waiting(): number {
    return this.#queue.length;
  }

  get running(): number {
    return this.#running;
  }

  /** Takes a job, or says why not. */
  submit(student: string, request: JobRequest): { readonly id: string; readonly view: JobView } | Failed {
    const last = this.#byStudent.get(student);
    if (last !== undefined && isOpen(last)) {
      return { reason: 'busy', sentence: 'You have a job already: wait for it, or cancel it.' };
    }
    this.#forget();
    if (this.#queue.length >= this.#options.longestQueue) {
      return { reason: 'full', sentence: `${this.#queue.length} jobs are waiting already: try again in a while.` };
    }
    const job: Job = {
      id: this.#options.newId(),
      student,
      request,
      isLong: request.kind !== 'run' && request.kind !== 'schedule',
      since: this.#options.now(),
      view: { state: 'queued', position: this.#queue.length + 1 },
      running: undefined,
      waiting: new Set(),
    };
    if (last !== undefined) this.#drop(last);
    this.#jobs.set(job.id, job);
    this.#byStudent.set(student, job);
    this.#queue.push(job);
    this.#next();
    return { id: job.id, view: job.view };
  }

  /** A student's job; undefined when there is none of this name, or it is somebody else's. */
  view(student: string, id: string): JobView | undefined {
    const job = this.#jobs.get(id);
    return job?.student === student ? job.view : undefined;
  }

  /** Calls back once, at the job's next change. @returns ends the wait */
  onChange(id: string, callback: () => void): () => void {
    const waiting = this.#jobs.get(id)?.waiting;
    waiting?.add(callback);
    return () => waiting?.delete(callback);
  }

  /** Ends a student's job. */
  cancel(student: string, id: string): boolean {
    const job = this.#jobs.get(id);
    if (job?.student !== student) return false;
    if (job.running !== undefined) this.#options.runner.cancel(job.running);
    else if (isOpen(job)) {
      this.#queue = this.#queue.filter((other) => other !== job);
      this.#end(job, { state: 'failed', reason: 'limit', sentence: 'The job was taken back before it began.' }, 0);
      this.#places();
    }
    return true;
  }

  /** Starts what can be started. */
  #next(): void {
    const { runner, limits } = this.#options;
    const mostLong = Math.max(1, runner.size - 1);
    for (;;) {
      const job = this.#queue.find((candidate) => !candidate.isLong || this.#longRunning < mostLong);
      if (job === undefined) break;
      const running = runner.run(job.request, limits, (result) => this.#done(job, result));
      if (running === undefined) break;
      this.#queue = this.#queue.filter((other) => other !== job);
      job.running = running;
      this.#running++;
      if (job.isLong) this.#longRunning++;
      this.#change(job, { state: 'running' });
    }
    this.#places();
  }

  /** Tells everybody who waits the place that changed. */
  #places(): void {
    for (const [index, job] of this.#queue.entries()) {
      const position = index + 1;
      if (job.view.state === 'queued' && job.view.position !== position)
        this.#change(job, { state: 'queued', position });
    }
  }

  #done(job: Job, result: PoolResult): void {
    job.running = undefined;
    this.#running--;
    if (job.isLong) this.#longRunning--;
    if (result.kind === 'done')
      this.#end(job, { state: 'ended', body: result.body }, result.body.length, result.succeeded);
    else this.#end(job, { state: 'failed', reason: result.reason, sentence: result.sentence }, 0);
  }

  #end(job: Job, view: JobView, bytes: number, succeeded = false): void {
    const { now } = this.#options;
    this.#ended.set(job.id, { at: now(), bytes });
    this.#keptBytes += bytes;
    const ms = Math.round(now() - job.since);
    this.onEnd({
      id: job.id,
      kind: job.request.kind,
      ms,
      succeeded,
      ...(view.state === 'failed' && { reason: view.reason }),
    });
    this.#change(job, view);
    this.#forget();
  }

  #change(job: Job, view: JobView): void {
    job.view = view;
    const waiting = [...job.waiting];
    job.waiting.clear();
    for (const callback of waiting) callback();
  }

  /** Drops results that are too old, or the oldest of too many. */
  #forget(): void {
    const { now, keptBytes } = this.#options;
    for (const [id, { at }] of this.#ended) {
      const isNewest = this.#ended.size === 1;
      if (now() - at < KEPT_MS && (this.#keptBytes <= keptBytes || isNewest)) break;
      const job = this.#jobs.get(id);
      if (job !== undefined) this.#drop(job);
    }
  }

  #drop(job: Job): void {
    this.#keptBytes -= this.#ended.get(job.id)?.bytes ?? 0;
    this.#ended.delete(job.id);
    this.#jobs.delete(job.id);
    if (this.#byStudent.get(job.student) === job) this.#byStudent.delete(job.student);
  }
}

function isOpen(job: Job): boolean {
  return job.view.state === 'queued' || job.view.state === 'running';
}
