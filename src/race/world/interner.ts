// SPDX-License-Identifier: MIT
//
// Numbers for values by their keys: equal keys, one number.

export class Interner<T> {
  readonly #key: (value: T) => string;
  readonly #numbers = new Map<string, number>();
  readonly #values: T[] = [];

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
    const key = this.#key(value);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#values.length;
      this.#numbers.set(key, number);
      this.#values.push(value);
    }
    return number;
  }
}
