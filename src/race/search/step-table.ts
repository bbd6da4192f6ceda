// SPDX-License-Identifier: MIT
//
// The steps of a TupleSystem as numbers, as far as they are known: what a process needs to explore without an engine.

import { Ints } from './ints.ts';
import type { TupleStep } from './tuple-system.ts';

/** Layout of a row: how many steps, whether one has events; then of each step these, and its events behind. */
const HEADER = 2;
const STEP = 4;

/** A row of steps as numbers; `failure` numbers failures. */
export function encodeSteps(steps: readonly TupleStep[], failure: (step: TupleStep) => number): number[] {
  const row = [steps.length, steps.some((step) => step.events !== null) ? 1 : 0];
  for (const step of steps) {
    const events = step.events ?? [];
    row.push(step.part, step.shared, failure(step), events.length, ...events);
  }
  return row;
}

/** Numbers from 0 to which numbers belong; -1 where none does. */
class Lookup {
  readonly #rows: Int32Array[] = [];

  get(row: number, column: number): number {
    return (this.#rows[row]?.[column] ?? 0) - 1;
  }

  set(row: number, column: number, value: number): void {
    const have = this.#rows[row] ?? new Int32Array(0);
    let at = have;
    if (column >= have.length) {
      at = new Int32Array(Math.max(column + 1, 2 * have.length));
      at.set(have);
      this.#rows[row] = at;
    }
    at[column] = value + 1;
  }
}

/** Rows by the parts that they depend on. Offsets are into `code`. */
export class StepTable {
  readonly #code = new Ints();
  readonly #rows = new Lookup();
  readonly #after = new Lookup();

  get code(): Int32Array {
    return this.#code.data;
  }

  /** Where the row is; -1 where it is not known. */
  row(part: number, shared: number): number {
    return this.#rows.get(part, shared);
  }

  addRow(part: number, shared: number, row: Int32Array): void {
    if (this.row(part, shared) >= 0) return;
    this.#rows.set(part, shared, this.#code.length);
    this.#code.append(row);
  }

  /** What an event makes of a part; -1 where that is not known. */
  after(event: number, part: number): number {
    return this.#after.get(event, part);
  }

  addAfter(event: number, part: number, after: number): void {
    this.#after.set(event, part, after);
  }

  count(row: number): number {
    return this.code[row] as number;
  }

  hasEvents(row: number): boolean {
    return this.code[row + 1] === 1;
  }

  /** The first step of a row. */
  static first(row: number): number {
    return row + HEADER;
  }

  /** The step behind one. */
  next(step: number): number {
    return step + STEP + this.events(step);
  }

  /** How many events a step has. */
  events(step: number): number {
    return this.code[step + 3] as number;
  }

  part(step: number): number {
    return this.code[step] as number;
  }

  shared(step: number): number {
    return this.code[step + 1] as number;
  }

  /** Number of the failure; -1 where it does not fail. */
  failure(step: number): number {
    return this.code[step + 2] as number;
  }

  /**
   * What the events of a step do to the other actors.
   * @param unknown told of an event and a part for which that is not known
   * @returns whether all is known
   */
  applyEvents(step: number, tuple: Int32Array, actor: number, unknown: (event: number, part: number) => void): boolean {
    const events = this.events(step);
    for (let k = 0; k < events; k++) {
      const event = this.code[step + STEP + k] as number;
      for (let other = 1; other < tuple.length; other++) {
        if (other === actor + 1) continue;
        const after = this.after(event, tuple[other] as number);
        if (after < 0) {
          unknown(event, tuple[other] as number);
          return false;
        }
        tuple[other] = after;
      }
    }
    return true;
  }
}
