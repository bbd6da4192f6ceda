// SPDX-License-Identifier: MIT
//
// A map that forgets what was set longest ago: what a renderer keeps must not grow with the run.

export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  /** Another map with the same entries. */
  copy(): BoundedMap<Key, Value> {
    const other = new BoundedMap<Key, Value>(this.#capacity);
    for (const [key, value] of this.#entries) other.set(key, value);
    return other;
  }

  /** The value, which is then gone. */
  take(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    this.#entries.delete(key);
    return value;
  }
}
