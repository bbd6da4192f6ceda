// SPDX-License-Identifier: MIT
//
// Timers in the order of their deadlines, those with equal deadlines in the order in which they were set.
// A binary heap that knows each timer's place, so that cancelling is cheap.

import { savable } from '../base/savable.ts';

/** Whom a timer tells. */
export interface TimerOwner {
  /** The moment has come; the timer is not set any more. */
  expired(): void;
}

/** A moment at which something happens. One object can be set again and again. */
export class Timer {
  readonly owner: TimerOwner;
  /** Monotonic nanoseconds; meaningful while set. */
  deadline = 0;
  /** Place in the heap and order of setting: the queue's own. */
  index = -1;
  order = 0;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }

  get isSet(): boolean {
    return this.index >= 0;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}

/** All timers of one kernel. */
export class TimerQueue {
  private readonly heap: Timer[] = [];
  private order = 0;

  get size(): number {
    return this.heap.length;
  }

  /** The earliest deadline, or Infinity. */
  next(): number {
    return this.heap[0]?.deadline ?? Infinity;
  }

  /** Sets or moves a timer. */
  set(timer: Timer, deadline: number): void {
    this.cancel(timer);
    timer.deadline = deadline;
    timer.order = this.order++;
    timer.index = this.heap.length;
    this.heap.push(timer);
    this.up(timer.index);
  }

  cancel(timer: Timer): void {
    const at = timer.index;
    if (at < 0) return;
    timer.index = -1;
    const last = this.heap.pop();
    if (last === undefined || last === timer) return;
    this.put(last, at);
    this.up(at);
    this.down(last.index);
  }

  /**
   * Fires every timer that is due, earliest first. Timers set meanwhile fire too when they are due; but one that sets
   * itself goes on later than now, even where doubles cannot tell its period (beyond 2^53 ns): else it would never end.
   */
  fireDue(now: number): void {
    const soonest = now + Math.max(1, now * Number.EPSILON);
    for (;;) {
      const first = this.heap[0];
      if (first === undefined || first.deadline > now) return;
      this.cancel(first);
      first.owner.expired();
      if (first.isSet && first.deadline <= now) this.set(first, soonest);
    }
  }

  private put(timer: Timer, at: number): void {
    this.heap[at] = timer;
    timer.index = at;
  }

  private up(from: number): void {
    let at = from;
    const timer = this.heap[at] as Timer;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.heap[parentAt] as Timer;
      if (!before(timer, parent)) break;
      this.put(parent, at);
      at = parentAt;
    }
    this.put(timer, at);
  }

  private down(from: number): void {
    let at = from;
    const timer = this.heap[at] as Timer;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = this.heap[childAt];
      if (child === undefined) break;
      const right = this.heap[childAt + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childAt++;
      }
      if (!before(child, timer)) break;
      this.put(child, at);
      at = childAt;
    }
    this.put(timer, at);
  }
}

savable('kernel/timer-queue', { Timer });
savable('kernel/timer-queue', { TimerQueue }, { isPlace: true });
