// SPDX-License-Identifier: MIT
//
// Wait queues: what a file, a futex bucket or a timer wakes, and what a blocked task subscribes to.
// Waiters are woken in the order in which they were added, so a run is deterministic.

/** Something that can be woken; `wake` must only mark the waiter runnable, never run guest code. */
export interface Waiter {
  /** @param events what happened, as a poll(2) mask; 0 when the queue has no events */
  wake(events: number): void;
}

interface Entry {
  readonly waiter: Waiter;
  readonly mask: number;
}

/** An ordered set of waiters. */
export class WaitQueue {
  #entries: Entry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** Adds a waiter for the events in `mask` (POLLERR and POLLHUP always count; ~0 for all). */
  add(waiter: Waiter, mask = ~0): void {
    this.#entries.push({ waiter, mask: mask | 0x18 });
  }

  remove(waiter: Waiter): void {
    this.#entries = this.#entries.filter((e) => e.waiter !== waiter);
  }

  /** Wakes every waiter whose mask meets `events`. Woken waiters stay until they remove themselves. */
  wake(events = ~0): void {
    if (this.#entries.length === 0) return;
    for (const e of [...this.#entries]) if ((e.mask & events) !== 0) e.waiter.wake(events);
  }
}
