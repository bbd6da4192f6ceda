// SPDX-License-Identifier: MIT
//
// Wait queues: what a file, a futex bucket or a timer wakes, and what a blocked task subscribes to.
// Waiters are woken in the order in which they were added, so a run is deterministic.

import { savable } from './savable.ts';

/** Something that can be woken; `wake` must only mark the waiter runnable, never run guest code. */
export interface Waiter {
  /** @param events what happened, as a poll(2) mask; 0 when the queue has no events */
  wake(events: number): void;
  /** Of waiters that have this, one that says true keeps the event from those after it: EPOLLEXCLUSIVE. */
  readonly takesAlone?: ((events: number) => boolean) | undefined;
  /** It has been woken already, and only has not run since. */
  readonly isAwake?: boolean | undefined;
}

/** An ordered set of waiters. */
export class WaitQueue {
  /** Waiters and their masks; a map, because a guest can make many wait for one thing and then let all go. */
  private waiters: Map<Waiter, number> | null = null;

  get size(): number {
    return this.waiters?.size ?? 0;
  }

  /** Whether anybody in it is still to be woken. */
  hasSleeper(): boolean {
    if (this.waiters === null) return false;
    for (const waiter of this.waiters.keys()) if (waiter.isAwake !== true) return true;
    return false;
  }

  /** Adds a waiter for the events in `mask` (POLLERR and POLLHUP always count; ~0 for all); twice: for either mask. */
  add(waiter: Waiter, mask = ~0): void {
    const waiters = (this.waiters ??= new Map<Waiter, number>());
    waiters.set(waiter, (waiters.get(waiter) ?? 0) | mask | 0x18);
  }

  remove(waiter: Waiter): void {
    this.waiters?.delete(waiter);
  }

  /** Wakes every waiter whose mask meets `events`, but of exclusive ones only up to the first that takes them. Woken waiters stay until they remove themselves. */
  wake(events = ~0): void {
    if (this.waiters === null || this.waiters.size === 0) return;
    let isTaken = false;
    for (const [waiter, mask] of [...this.waiters]) {
      if ((mask & events) === 0) continue;
      if (waiter.takesAlone !== undefined) {
        if (isTaken) continue;
        isTaken = waiter.takesAlone(events);
      }
      waiter.wake(events);
    }
  }
}

savable('base/wait-queue', { WaitQueue });
