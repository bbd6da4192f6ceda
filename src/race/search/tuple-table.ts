// SPDX-License-Identifier: MIT
//
// Numbers tuples of small integers: the identity of a global state made of numbered parts. Open addressing over a
// 64-bit hash that changes with a part (Zobrist); a hit compares the whole tuple, so two states are never mixed up.

const FREE = -1;

function mix(position: number, value: number): number {
  let h = Math.imul(value ^ Math.imul(position + 1, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 13);
}

function mixHigh(position: number, value: number): number {
  let h = Math.imul(value + 0x7f4a7c15, 0x2c1b3c6d ^ Math.imul(position + 1, 0x297a2d39));
  h ^= h >>> 14;
  h = Math.imul(h, 0x21f0aaad);
  return h ^ (h >>> 16);
}

/** The two halves of a tuple's hash. */
export function hashLow(tuple: Int32Array): number {
  let low = 0;
  for (let i = 0; i < tuple.length; i++) low = (low + mix(i, tuple[i] as number)) | 0;
  return low;
}

export function hashHigh(tuple: Int32Array): number {
  let high = 0;
  for (let i = 0; i < tuple.length; i++) high = (high + mixHigh(i, tuple[i] as number)) | 0;
  return high;
}

/** A set of tuples of one width; each has a number, given in order of arrival. */
export class TupleTable {
  readonly width: number;
  #tuples: Int32Array;
  #low: Int32Array;
  #high: Int32Array;
  #slots: Int32Array;
  #size = 0;

  constructor(width: number, capacity = 1024) {
    this.width = width;
    this.#tuples = new Int32Array(width * capacity);
    this.#low = new Int32Array(capacity);
    this.#high = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity * 2).fill(FREE);
  }

  get size(): number {
    return this.#size;
  }

  part(id: number, position: number): number {
    return this.#tuples[id * this.width + position] as number;
  }

  /** Copies tuple `id` to `into`. */
  read(id: number, into: Int32Array): void {
    const from = id * this.width;
    for (let i = 0; i < this.width; i++) into[i] = this.#tuples[from + i] as number;
  }

  /** Number of a tuple, which is added when it is new. */
  add(tuple: Int32Array): number {
    return this.addHashed(tuple, hashLow(tuple), hashHigh(tuple));
  }

  /** Number of a tuple that differs from tuple `from` in the listed positions only: its hash is made from the other's. */
  addChanged(tuple: Int32Array, from: number, first: number, second: number): number {
    let low = this.#low[from] as number;
    let high = this.#high[from] as number;
    const base = from * this.width;
    for (let k = 0; k < 2; k++) {
      const at = k === 0 ? first : second;
      const before = this.#tuples[base + at] as number;
      const now = tuple[at] as number;
      if (before === now) continue;
      low = (low - mix(at, before) + mix(at, now)) | 0;
      high = (high - mixHigh(at, before) + mixHigh(at, now)) | 0;
    }
    return this.addHashed(tuple, low, high);
  }

  /** The same for a tuple whose hashes are known. */
  addHashed(tuple: Int32Array, low: number, high: number): number {
    const mask = this.#slots.length - 1;
    let at = (low ^ Math.imul(high, 0x9e3779b1)) & mask;
    for (;;) {
      const id = this.#slots[at] as number;
      if (id === FREE) break;
      if (this.#low[id] === low && this.#high[id] === high && this.#equals(id, tuple)) return id;
      at = (at + 1) & mask;
    }
    const id = this.#size++;
    if (id === this.#low.length) this.#grow();
    this.#tuples.set(tuple, id * this.width);
    this.#low[id] = low;
    this.#high[id] = high;
    this.#place(id);
    return id;
  }

  #equals(id: number, tuple: Int32Array): boolean {
    const from = id * this.width;
    for (let i = 0; i < this.width; i++) if (this.#tuples[from + i] !== tuple[i]) return false;
    return true;
  }

  #place(id: number): void {
    const mask = this.#slots.length - 1;
    let at = ((this.#low[id] as number) ^ Math.imul(this.#high[id] as number, 0x9e3779b1)) & mask;
    while (this.#slots[at] !== FREE) at = (at + 1) & mask;
    this.#slots[at] = id;
  }

  #grow(): void {
    const capacity = this.#low.length * 2;
    const copy = (from: Int32Array, length: number): Int32Array => {
      const to = new Int32Array(length);
      to.set(from);
      return to;
    };
    this.#tuples = copy(this.#tuples, this.width * capacity);
    this.#low = copy(this.#low, capacity);
    this.#high = copy(this.#high, capacity);
    this.#slots = new Int32Array(capacity * 2).fill(FREE);
    for (let id = 0; id < this.#size - 1; id++) this.#place(id);
  }
}
