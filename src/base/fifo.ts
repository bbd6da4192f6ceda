// SPDX-License-Identifier: MIT
//
// A queue whose first element is taken in constant time however long it is: Array.shift moves all the others.

import { savable } from './savable.ts';

/** Taken elements are cut off once they are so many. */
const MOST_TAKEN = 1024;

/** First in, first out. */
export class Fifo<T> implements Iterable<T> {
  /** Places of taken elements are empty, so that they hold nothing back. */
  private items: (T | undefined)[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  /** The element at a place, counted from the first; undefined beyond the last. */
  at(index: number): T | undefined {
    return this.items[this.head + index];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Takes the first element. */
  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head];
    this.items[this.head++] = undefined;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head >= MOST_TAKEN && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = this.head; i < this.items.length; i++) yield this.items[i] as T;
  }
}

savable('base/fifo', { Fifo });
