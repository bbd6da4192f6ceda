// SPDX-License-Identifier: MIT
//
// Whose turn it is: round robin in the order in which tasks became ready, slices counted in instructions, so that
// the schedule depends on nothing but the program. One processor; no priorities.

import { savable } from '../base/savable.ts';
import type { Task } from './task.ts';

/** Instructions that a task may run while others wait: about 2 ms of host time. */
export const SLICE_INSTRUCTIONS = 1_000_000;

export class Scheduler {
  private queue: Task[] = [];
  private head = 0;

  /** Tasks that wait for their turn. */
  get waiting(): number {
    return this.queue.length - this.head;
  }

  /** Marks a sleeping, stopped or new task ready and puts it last. */
  ready(task: Task): void {
    task.state = 'ready';
    task.sliceEnd = 0;
    this.queue.push(task);
  }

  /** The running task's slice is over: it goes last, with a new slice to come. */
  requeue(task: Task): void {
    task.sliceEnd = 0;
    this.queue.push(task);
  }

  /** The host needs a moment: the task goes on with the rest of its slice. */
  putBack(task: Task): void {
    if (this.head > 0) this.queue[--this.head] = task;
    else this.queue.unshift(task);
  }

  /** The next task, skipping those that ended or stopped while they waited. */
  next(): Task | undefined {
    while (this.head < this.queue.length) {
      const task = this.queue[this.head++] as Task;
      if (this.head === this.queue.length) {
        this.queue = [];
        this.head = 0;
      } else if (this.head > 1024) {
        this.queue = this.queue.slice(this.head);
        this.head = 0;
      }
      if (task.state === 'ready') return task;
    }
    return undefined;
  }

  remove(task: Task): void {
    this.queue = this.queue.slice(this.head).filter((other) => other !== task);
    this.head = 0;
  }
}

savable('kernel/scheduler', { Scheduler }, { isPlace: true });
