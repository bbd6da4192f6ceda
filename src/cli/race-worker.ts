// SPDX-License-Identifier: MIT
//
// A process that helps a race's search: it explores its partition in slices, between which it reads what it is told.

import { Partition } from '../race/search/partition.ts';
import type { PartitionPlan } from '../race/search/partition.ts';
import type { WorkerSays } from './race-workers.ts';

/** States between two looks at what has come. */
const SLICE = 4096;

function say(what: WorkerSays): void {
  process.send?.(what);
}

let isRunning = false;

function run(partition: Partition): void {
  try {
    isRunning = partition.run(SLICE);
  } catch (error) {
    giveUp(error);
    return;
  }
  if (isRunning) setImmediate(run, partition);
}

/** Most likely there is no memory left. */
function giveUp(error: unknown): void {
  process.send?.(error instanceof Error ? error.message : String(error), () => process.exit(1));
}

// Ctrl-C goes to all processes of a terminal: the one that leads says what becomes of the search, and without it
// nobody needs this one.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.once('message', (plan: PartitionPlan) => {
  const partition = new Partition(plan, say);
  process.on('message', (message: Int32Array) => {
    try {
      partition.receive(message);
    } catch (error) {
      giveUp(error);
      return;
    }
    if (!isRunning) {
      isRunning = true;
      setImmediate(run, partition);
    }
  });
  run(partition);
});
