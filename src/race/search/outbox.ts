// SPDX-License-Identifier: MIT
//
// Records of one kind on their way to other partitions, in batches.

import { Ints } from './ints.ts';

/** Numbers that are kept before they are sent. */
const BATCH = 1 << 16;

export class Outbox {
  readonly #kind: number;
  readonly #from: number;
  readonly #post: (message: Int32Array) => void;
  /** By partition that they are for. */
  readonly #batches: Ints[];

  constructor(kind: number, from: number, partitions: number, post: (message: Int32Array) => void) {
    this.#kind = kind;
    this.#from = from;
    this.#post = post;
    this.#batches = Array.from({ length: partitions }, () => new Ints());
  }

  /** A tuple, if there is one, and a number. */
  add(to: number, tuple: Int32Array | null, value: number): void {
    const batch = this.#batches[to] as Ints;
    if (batch.length === 0) {
      batch.push(this.#kind);
      batch.push(to);
      batch.push(this.#from);
    }
    if (tuple !== null) batch.append(tuple);
    batch.push(value);
    if (batch.length >= BATCH) this.#post(batch.take());
  }

  flush(): void {
    for (const batch of this.#batches) if (batch.length > 0) this.#post(batch.take());
  }
}
