// SPDX-License-Identifier: MIT
//
// Numbers for values by their keys: equal keys, one number.

export class Interner<T extends object> {
  readonly #key: (value: T) => string;
  readonly #numbers = new Map<string, number>();
  readonly #values: T[] = [];
  /** Numbers of the values kept, so that one that comes back unchanged needs no key. */
  readonly #known = new WeakMap<T, number>();

  constructor(key: (value: T) => string) {
    this.#key = key;
  }

  get size(): number {
    return this.#values.length;
  }

  value(number: number): T {
    return this.#values[number] as T;
  }

  number(value: T): number {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const key = this.#key(value);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#values.length;
      this.#numbers.set(key, number);
      this.#values.push(value);
      this.#known.set(value, number);
    }
    return number;
  }
}
