// SPDX-License-Identifier: MIT
//
// Processes that do jobs. Each does one at a time and is given up when it takes too long, too much memory, or dies; the job
// then ends with a sentence, another process takes its place, and no other job notices.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { TraplineError } from '../../base/errors.ts';
import type { Failed, JobLimits, JobRequest } from '../api.ts';
import type { ServerLog } from './server-log.ts';
import type { JobMessage, WorkerMessage } from './worker-messages.ts';

export interface PoolOptions {
  readonly workers: number;
  /** The module that a worker runs. */
  readonly workerPath: string;
  readonly log: ServerLog;
  /** Bytes of memory at which a worker is ended. */
  readonly memoryBytes?: number;
  /** Jobs after which a worker is replaced. */
  readonly jobsPerWorker?: number;
}

/** What came of a job. */
export type PoolResult =
  | { readonly kind: 'done'; readonly succeeded: boolean; readonly body: Uint8Array }
  | ({ readonly kind: 'lost' } & Failed);

/** Beyond the job's own time: for what is done before and after it. */
const GRACE_MS = 5000;
const DEFAULT_MEMORY = 2 ** 30;
/** A job that is cancelled runs at least so long. */
const SHORT_MS = 2000;
const MEMORY_CHECK_MS = 500;
/** A worker that has done so many jobs is replaced, so that no leak grows for ever. */
const DEFAULT_JOBS = 2000;
/** A worker that does not come up is tried again, later each time. */
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 10_000;
/** After so many failures in a row a server that is starting gives up. */
const HOPELESS = 3;
const PAGE_BYTES = 4096;

interface Task {
  readonly message: JobMessage;
  readonly done: (result: PoolResult) => void;
  readonly timer: NodeJS.Timeout;
  /** Monotonic milliseconds at its start. */
  readonly since: number;
}

/** One process, replaced whenever it ends. */
class Worker {
  readonly #pool: WorkerPool;
  readonly #options: PoolOptions;
  #child: ChildProcess | undefined;
  #isReady = false;
  #task: Task | undefined;
  #jobs = 0;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  /** Why we ended it. */
  #verdict: Failed | undefined;
  #isClosed = false;

  constructor(pool: WorkerPool, options: PoolOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#start();
  }

  get isIdle(): boolean {
    return this.#isReady && this.#task === undefined;
  }

  get isUp(): boolean {
    return this.#isReady;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #start(): void {
    this.#verdict = undefined;
    this.#jobs = 0;
    const child = fork(this.#options.workerPath, [], {
      // Nothing of the server's surroundings, such as variables, is for a process that runs students' code.
      env: workerEnvironment(),
      execArgv: ['--max-old-space-size=512', '--max-semi-space-size=32', '--single-threaded-gc'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    let said = '';
    child.stderr?.on('data', (data: Buffer) => {
      said = (said + data.toString('latin1')).slice(-2000);
    });
    child.on('message', (message: WorkerMessage) => this.#take(child, message));
    child.on('error', (error) => this.#options.log.error({ error: error.message }, 'a worker cannot be started'));
    child.once('close', (code, signal) => this.#ended(child, code, signal, said));
  }

  #take(child: ChildProcess, message: WorkerMessage): void {
    if (child !== this.#child) return;
    switch (message.kind) {
      case 'ready':
        this.#isReady = true;
        this.#failures = 0;
        this.#pool.workerReady(message.engine);
        return;
      case 'unable':
        this.#pool.workerUnable(message.sentence);
        return;
      case 'done': {
        const task = this.#task;
        if (task === undefined || task.message.job !== message.job) return;
        this.#jobs++;
        // From here on nobody gives it another one.
        if (this.#isSpent) this.#isReady = false;
        this.#finish({ kind: 'done', succeeded: message.succeeded, body: message.body });
        if (this.#isSpent) child.kill('SIGKILL');
        else this.#pool.workerFree();
      }
    }
  }

  /** It has served long enough: a fresh process takes its place. */
  get #isSpent(): boolean {
    return this.#jobs >= (this.#options.jobsPerWorker ?? DEFAULT_JOBS);
  }

  #finish(result: PoolResult): void {
    const task = this.#task;
    this.#task = undefined;
    if (task === undefined) return;
    clearTimeout(task.timer);
    task.done(result);
  }

  #ended(child: ChildProcess, code: number | null, signal: string | null, said: string): void {
    if (child !== this.#child) return;
    // One that has served long enough was ended by us, and its successor starts at once.
    const wasReady = this.#isReady || this.#isSpent;
    this.#isReady = false;
    this.#child = undefined;
    const { log } = this.#options;
    if (this.#task !== undefined) {
      log.warn(
        { code, signal, said, reason: this.#verdict?.reason ?? 'crash' },
        'a worker ended in the middle of a job',
      );
      this.#finish({ kind: 'lost', ...(this.#verdict ?? crashed(signal)) });
    } else if (!this.#isClosed && !this.#isSpent) {
      log.warn({ code, signal, said }, 'a worker ended');
    }
    if (this.#isClosed) return;
    const wait = wasReady ? 0 : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    if (this.#failures === HOPELESS) this.#pool.workerUnable(`the processes for jobs do not start: ${said.trim()}`);
    this.#retry = setTimeout(() => this.#start(), wait);
  }

  run(message: JobMessage, done: (result: PoolResult) => void): void {
    const ms = message.limits.seconds * 1000 + GRACE_MS;
    const timer = setTimeout(() => {
      const seconds = Math.round(ms / 1000);
      this.giveUp({
        reason: 'limit',
        sentence: `The job was ended after ${seconds} s, which is longer than any may take here.`,
      });
    }, ms);
    this.#task = { message, done, timer, since: performance.now() };
    this.#child?.send(message, (error) => {
      // The process is gone or its channel is: its end, which is reported apart, finishes the job.
      if (error !== null) this.#child?.kill('SIGKILL');
    });
  }

  /**
   * Ends a job that nobody wants any more, but lets a short one come to its end: a new process costs more, and somebody could
   * ask for one after the other.
   */
  cancel(job: number, why: Failed): void {
    const task = this.#task;
    if (task === undefined) return;
    const end = (): void => {
      if (this.isDoing(job)) this.giveUp(why);
    };
    setTimeout(end, Math.max(0, task.since + SHORT_MS - performance.now())).unref();
  }

  /** Ends the process and with it its job. */
  giveUp(why: Failed): void {
    this.#verdict = why;
    this.#child?.kill('SIGKILL');
  }

  isDoing(job: number): boolean {
    return this.#task?.message.job === job;
  }

  checkMemory(limit: number): void {
    const { pid } = this;
    if (this.#task === undefined || pid === undefined) return;
    const bytes = residentBytes(pid);
    if (bytes <= limit) return;
    this.giveUp({
      reason: 'limit',
      sentence: `The job was ended because it took ${Math.round(bytes / 2 ** 20)} MiB of the server's memory.`,
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (child === undefined) return Promise.resolve();
    return new Promise((done) => {
      child.once('close', () => done());
      child.kill('SIGKILL');
    });
  }
}

export class WorkerPool {
  /** Called when a worker has become free. */
  onFree: () => void = () => {};
  readonly #workers: Worker[];
  readonly #memory: NodeJS.Timeout;
  readonly #ready: Promise<string>;
  #tellReady: (engine: string) => void = () => {};
  #tellUnable: (error: TraplineError) => void = () => {};
  #nextJob = 1;

  constructor(options: PoolOptions) {
    this.#ready = new Promise((done, failed) => {
      this.#tellReady = done;
      this.#tellUnable = failed;
    });
    // Whoever does not wait for it hears of it by jobs that fail.
    this.#ready.catch(() => {});
    this.#workers = Array.from({ length: options.workers }, () => new Worker(this, options));
    const limit = options.memoryBytes ?? DEFAULT_MEMORY;
    this.#memory = setInterval(() => {
      for (const worker of this.#workers) worker.checkMemory(limit);
    }, MEMORY_CHECK_MS);
    this.#memory.unref();
  }

  /** The engine's name, when the first worker is up. @throws TraplineError `WORKSHOP_ENGINE` when none can be */
  ready(): Promise<string> {
    return this.#ready;
  }

  get size(): number {
    return this.#workers.length;
  }

  get idle(): number {
    return this.#workers.filter((worker) => worker.isIdle).length;
  }

  /** Process ids, for tests that end one. */
  get pids(): readonly number[] {
    return this.#workers.flatMap((worker) => (worker.isUp && worker.pid !== undefined ? [worker.pid] : []));
  }

  /**
   * Gives a job to an idle worker.
   * @returns its number for {@link cancel}; undefined when no worker is idle
   */
  run(request: JobRequest, limits: JobLimits, done: (result: PoolResult) => void): number | undefined {
    const worker = this.#workers.find((candidate) => candidate.isIdle);
    if (worker === undefined) return undefined;
    const job = this.#nextJob++;
    worker.run({ job, request, limits }, done);
    return job;
  }

  /** Ends a job that is being done. */
  cancel(job: number): void {
    const worker = this.#workers.find((candidate) => candidate.isDoing(job));
    worker?.cancel(job, { reason: 'limit', sentence: 'The job was ended because its page asked for that.' });
  }

  /** @internal */
  workerReady(engine: string): void {
    this.#tellReady(engine);
    this.onFree();
  }

  /** @internal */
  workerUnable(sentence: string): void {
    this.#tellUnable(new TraplineError('WORKSHOP_ENGINE', sentence));
  }

  /** @internal */
  workerFree(): void {
    this.onFree();
  }

  /** Ends all processes. */
  async close(): Promise<void> {
    clearInterval(this.#memory);
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }
}

/** What finding the engine needs, and nothing else. */
function workerEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) =>
    /^(PATH|HOME|TMPDIR|XDG_CACHE_HOME|CXX|LD_LIBRARY_PATH|TRAPLINE_LIBUNICORN)$/.test(name),
  );
  return Object.fromEntries(kept);
}

function crashed(signal: string | null): Failed {
  const how = signal === null ? 'ended' : `was ended by ${signal}`;
  return {
    reason: 'crash',
    sentence: `The process that ran this job ${how}; another has taken its place. Nobody else's work is affected.`,
  };
}

/** Resident memory of a process; 0 where the system does not say. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1] ?? 0) * PAGE_BYTES;
  } catch {
    return 0;
  }
}
