// SPDX-License-Identifier: MIT
//
// A running hash over what a task did: two 32-bit lanes, read out as one number of 53 bits. Chance must not find two
// different runs equal; nobody attacks it.

const MULTIPLY_A = 0x01000193;
const MULTIPLY_B = 0x9e3779b1;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** Order matters: the same values in another order give another hash. */
export class HashChain {
  private a = 0x811c9dc5 | 0;
  private b = 0x2545f491 | 0;

  /** Takes 32 bits. */
  word(value: number): void {
    let a = Math.imul(this.a ^ value, MULTIPLY_A);
    a ^= a >>> 15;
    this.a = a;
    const b = Math.imul((this.b << 13) | (this.b >>> 19), 5) + value;
    this.b = Math.imul(b ^ (b >>> 16), MULTIPLY_B);
  }

  /** Takes any number, by its bits. */
  number(value: number): void {
    double[0] = value;
    this.word(halves[0] as number);
    this.word(halves[1] as number);
  }

  words(values: Uint32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) this.word(values[i] as number);
  }

  bytes(values: Uint8Array): void {
    const whole = values.length & ~3;
    for (let i = 0; i < whole; i += 4) {
      this.word(
        (values[i] as number) |
          ((values[i + 1] as number) << 8) |
          ((values[i + 2] as number) << 16) |
          ((values[i + 3] as number) << 24),
      );
    }
    for (let i = whole; i < values.length; i++) this.word(values[i] as number);
    this.word(values.length);
  }

  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i));
    this.word(value.length);
  }

  /** The hash so far: an integer below 2^53. */
  get value(): number {
    return (this.a >>> 0) * 2 ** 21 + (this.b >>> 11);
  }
}
