// SPDX-License-Identifier: MIT
//
// Starts and ends the workshop's server: pool of processes, book of jobs, HTTP.

import { join } from 'node:path';
import { API_VERSION, DEFAULT_JOB_LIMITS } from '../api.ts';
import type { JobLimits } from '../api.ts';
import { ApiRoutes } from './api-routes.ts';
import type { ClassKey } from './class-key.ts';
import { HandInJudge } from './hand-in-judge.ts';
import { WorkshopHttp } from './http-server.ts';
import { JobBook } from './job-book.ts';
import { readLessonFiles } from './lesson-files.ts';
import { makeMaterial } from './material-files.ts';
import { HostNames } from './request-guard.ts';
import type { ServerLog } from './server-log.ts';
import { HTML, listStaticFiles, staticFile } from './static-files.ts';
import { newName } from './students.ts';
import { WorkerPool } from './worker-pool.ts';

export interface WorkshopOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** Address to listen on. */
  readonly host: string;
  /** Names by which the server may be called, beside those of the loopback. */
  readonly names: readonly string[];
  readonly workers: number;
  readonly limits?: Partial<JobLimits>;
  /** `dist/workshop` of the build. */
  readonly buildFolder: string;
  /** The module that a worker runs. */
  readonly workerPath: string;
  readonly version: string;
  readonly classKey: ClassKey | undefined;
  readonly log: ServerLog;
}

/** A server that runs. */
export interface RunningWorkshop {
  readonly port: number;
  readonly workerPids: readonly number[];
  close(): Promise<void>;
}

const KEPT_BYTES = 256 * 2 ** 20;
/** Twice a class of forty, each of whom has one job at most. */
const LONGEST_QUEUE = 80;

/**
 * Starts the server; it answers when this resolves.
 * @throws TraplineError `WORKSHOP_PAGE`, `WORKSHOP_ENGINE`, `WORKSHOP_PORT`
 */
export async function startWorkshop(options: WorkshopOptions): Promise<RunningWorkshop> {
  const { log, workers } = options;
  const files = new Map(listStaticFiles(join(options.buildFolder, 'page')));
  for (const [name, html] of makeMaterial(options.buildFolder).pages) {
    files.set(`/${name}`, staticFile(name, HTML, Buffer.from(html)));
  }
  const limits = { ...DEFAULT_JOB_LIMITS, ...options.limits };
  const pool = new WorkerPool({ workers, workerPath: options.workerPath, log });
  try {
    const engine = await pool.ready();
    const now = (): number => performance.now();
    const book = new JobBook({
      runner: pool,
      limits,
      longestQueue: LONGEST_QUEUE,
      keptBytes: KEPT_BYTES,
      newId: newName,
      now,
    });
    book.onEnd = (facts) => log.debug(facts, 'a job ended');
    const routes = new ApiRoutes({
      book,
      judge: new HandInJudge(readLessonFiles(join(options.buildFolder, 'lessons')), book),
      classKey: options.classKey,
      wallClock: () => Date.now(),
      status: () => ({
        version: API_VERSION,
        trapline: options.version,
        engine,
        workers,
        running: book.running,
        waiting: book.waiting,
        limits,
        signs: options.classKey !== undefined,
      }),
    });
    const hosts = new HostNames(options.names, !isLoopback(options.host));
    const http = new WorkshopHttp({ files, routes, hosts, log, now });
    const port = await http.listen(options.port, options.host);
    return {
      port,
      get workerPids() {
        return pool.pids;
      },
      close: async () => {
        await http.close();
        await pool.close();
      },
    };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** Only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
