// SPDX-License-Identifier: MIT
//
// A check of what a scenario declares: code that somebody executes and a store changes must be hot, or said to be settled
// before anybody comes there; else the search would miss fetches that mix old and new.

import { TraplineError } from '../../base/errors.ts';
import { hex } from '../../base/addr.ts';
import type { HotBytes } from './hot-bytes.ts';
import type { HotRange } from './fetch.ts';

/** Addresses of several spaces as one number. */
const SPACE = 2 ** 47;

export class ColdCode {
  readonly #hot: HotBytes;
  readonly #settled: readonly HotRange[];
  /** By address, the store that changed it. */
  readonly #changed = new Map<number, string>();
  readonly #executed = new Set<number>();

  constructor(hot: HotBytes, settled: readonly HotRange[]) {
    this.#hot = hot;
    this.#settled = settled;
  }

  /**
   * A store has changed a byte of a page that can be executed.
   * @throws TraplineError `RACE_SCENARIO` when somebody executes it and it is not declared
   */
  changed(space: number, address: number, what: string): void {
    if (this.#isDeclared(address)) return;
    const key = space * SPACE + address;
    this.#changed.set(key, what);
    if (this.#executed.has(key)) this.#refuse(address, what);
  }

  /**
   * An instruction is about to execute.
   * @throws TraplineError `RACE_SCENARIO` when a store changes it and it is not declared
   */
  executed(space: number, address: number, length: number): void {
    for (let at = address; at < address + length; at++) {
      const key = space * SPACE + at;
      this.#executed.add(key);
      const what = this.#changed.get(key);
      if (what !== undefined && !this.#isDeclared(at)) this.#refuse(at, what);
    }
  }

  #isDeclared(address: number): boolean {
    const isSettled = this.#settled.some((r) => address >= r.address && address < r.address + r.length);
    return isSettled || this.#hot.touches(address, 1);
  }

  #refuse(address: number, what: string): never {
    throw new TraplineError(
      'RACE_SCENARIO',
      `the code at ${hex(address)} is executed and changed ("${what}"), and the scenario does not declare it hot: fetches that mix old and new would be missed`,
    );
  }
}
