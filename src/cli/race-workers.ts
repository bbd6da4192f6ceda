// SPDX-License-Identifier: MIT
//
// Processes that help a race's search: each explores a part of the states and is told by messages what it needs. One that
// ends before its time ends the search, which is then incomplete.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { packageFolder } from '../cpu/unicorn/setup/index.ts';
import type { WorkerLink } from '../race/search/divided-search.ts';
import type { PartitionPlan } from '../race/search/partition.ts';

/** What a worker says: numbers for the search, or why it gives up. */
export type WorkerSays = Int32Array | string;

class RaceWorker implements WorkerLink {
  readonly #child: ChildProcess;
  readonly #name: string;
  #arrived: Int32Array[] = [];
  #trouble: string | null = null;
  #isClosed = false;
  #wake: (() => void) | null = null;

  constructor(plan: PartitionPlan) {
    this.#name = `worker process ${plan.index}`;
    this.#child = fork(join(packageFolder(), 'dist', 'cli', 'race-worker.js'), [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (message: WorkerSays) => {
      if (typeof message === 'string') this.#gone(`gave up: ${message}`);
      else this.#arrived.push(message);
      this.#wake?.();
    });
    this.#child.once('error', (error) => this.#gone(`cannot be started: ${error.message}`));
    this.#child.once('exit', (status, signal) =>
      this.#gone(`ended ${signal === null ? `with status ${status}` : `by ${signal}`}`),
    );
    this.#child.send(plan, () => {});
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  send(message: Int32Array): void {
    // What cannot be sent any more is of no use: the end of the process says why.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  take(): Int32Array[] {
    const taken = this.#arrived;
    this.#arrived = [];
    return taken;
  }

  ready(): Promise<void> {
    if (this.#arrived.length > 0 || this.#trouble !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#child.kill('SIGKILL');
  }

  #gone(why: string): void {
    if (this.#isClosed) return;
    this.#trouble ??= `${this.#name} ${why}`;
    this.#wake?.();
  }
}

/** Starts a process for each plan. */
export function startRaceWorkers(plans: readonly PartitionPlan[]): readonly WorkerLink[] {
  return plans.map((plan) => new RaceWorker(plan));
}
