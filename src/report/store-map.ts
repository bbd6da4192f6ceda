// SPDX-License-Identifier: MIT
//
// Which store of the patcher made the bytes at an address of an address space. A space that is a copy of another has
// the stores that the other had then.

import { BoundedMap } from './bounded-map.ts';
import type { Anchor } from './trace-event-json.ts';

const BYTES_OF_SPACE = 32768;
const MAX_SPACES = 512;

export class StoreMap {
  readonly #spaces = new BoundedMap<number, BoundedMap<number, Anchor>>(MAX_SPACES);

  add(space: number, address: number, length: number, at: Anchor): void {
    let stores = this.#spaces.get(space);
    if (stores === undefined) {
      stores = new BoundedMap(BYTES_OF_SPACE);
      this.#spaces.set(space, stores);
    }
    for (let i = 0; i < length; i++) stores.set(address + i, at);
  }

  /** The last store over that byte. */
  find(space: number, address: number): Anchor | undefined {
    return this.#spaces.get(space)?.get(address);
  }

  copy(from: number, to: number): void {
    const stores = this.#spaces.get(from);
    if (stores !== undefined && from !== to) this.#spaces.set(to, stores.copy());
  }

  forget(space: number): void {
    this.#spaces.take(space);
  }
}
