// SPDX-License-Identifier: MIT

/** Growable array of 32-bit integers. */
export class Ints {
  data = new Int32Array(4096);
  length = 0;

  push(value: number): number {
    if (this.length === this.data.length) this.reserve(this.length * 2);
    this.data[this.length] = value;
    return this.length++;
  }

  pop(): number {
    return this.data[--this.length] as number;
  }

  append(values: Int32Array): void {
    this.reserve(this.length + values.length);
    // A short copy by hand takes a fraction of the time of a call.
    for (let i = 0; i < values.length; i++) this.data[this.length++] = values[i] as number;
  }

  /** What it holds, as an array of its own; it is empty afterwards. */
  take(): Int32Array {
    const taken = this.data.slice(0, this.length);
    this.length = 0;
    return taken;
  }

  /** Makes room for so many. */
  reserve(length: number): void {
    if (length <= this.data.length) return;
    const next = new Int32Array(Math.max(length, this.data.length * 2));
    next.set(this.data);
    this.data = next;
  }
}

/** A longer copy, zeroes behind. */
export function grown(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}
