// SPDX-License-Identifier: MIT
//
// Which states of a partition can come to an end: instead of all edges, one way on is kept of each state, in the same
// partition where there is one. What these do not settle (they can lead in a circle) is settled by all moves, in rounds.

import { grown, Ints } from './ints.ts';
import { RECORDS, Say } from './partition-messages.ts';
import { Outbox } from './outbox.ts';

/** Instead of a state of this partition + 1: none known, the run ends here, a state of another partition, a circle. */
const NONE = 0;
const END = -1;
const ELSEWHERE = -2;
const CIRCLE = -3;
/** While a path is being followed. */
const ON_PATH = -4;

export class EndFinder {
  #exits = new Int32Array(4096);
  /** States of others that lead here: which, where from, and its number there. */
  readonly #to = new Ints();
  readonly #from = new Ints();
  readonly #number = new Ints();
  /** Of those, by where the state that they lead to gets to. */
  readonly #waiting = new Map<number, number[]>();
  readonly #news: Outbox;
  #count = 0;
  #open: number[] = [];

  constructor(index: number, partitions: number, post: (message: Int32Array) => void) {
    this.#news = new Outbox(Say.canEnd, index, partitions, post);
  }

  /** States that are known not to be settled. */
  get unresolved(): number {
    return this.#open.reduce((sum, state) => sum + (this.canStateEnd(state) ? 0 : 1), 0);
  }

  /** A state is visited. */
  found(state: number): void {
    if (state >= this.#exits.length) this.#exits = grown(this.#exits, Math.max(state + 1, 2 * this.#exits.length));
    this.#count++;
  }

  isEnd(state: number): void {
    this.#exits[state] = END;
  }

  leadsTo(state: number, to: number): void {
    if (this.#exits[state] === NONE && to !== state) this.#exits[state] = to + 1;
  }

  leadsElsewhere(state: number): void {
    this.#exits[state] = ELSEWHERE;
  }

  hasExit(state: number): boolean {
    return this.#exits[state] !== NONE;
  }

  /** A state of another partition leads to one of this. */
  isReached(state: number, from: number, number: number): void {
    this.#to.push(state);
    this.#from.push(from);
    this.#number.push(number);
  }

  /** All states are known: tells the others what comes to an end here. */
  begin(): void {
    for (let i = 0; i < this.#to.length; i++) {
      const root = this.#root(this.#to.data[i] as number);
      if (this.#exits[root] === END) this.#tell(i);
      else {
        const waiting = this.#waiting.get(root);
        if (waiting === undefined) this.#waiting.set(root, [i]);
        else waiting.push(i);
      }
    }
    this.#news.flush();
  }

  /** Others say that these states can come to an end. */
  canEnd(message: Int32Array): void {
    for (let i = RECORDS; i < message.length; i++) this.settle(message[i] as number);
    this.#news.flush();
  }

  /** A state can come to an end; whoever waits for it is told. */
  settle(state: number): void {
    if (this.#exits[state] === END) return;
    this.#exits[state] = END;
    const waiting = this.#waiting.get(state);
    if (waiting === undefined) return;
    this.#waiting.delete(state);
    for (const i of waiting) this.#tell(i);
  }

  /** Says so at once where the state can come to an end. */
  answer(state: number, from: number, number: number): void {
    if (this.canStateEnd(state)) this.#news.add(from, null, number);
  }

  flush(): void {
    this.#news.flush();
  }

  canStateEnd(state: number): boolean {
    return this.#exits[this.#root(state)] === END;
  }

  /** The states that are not settled yet. */
  open(): readonly number[] {
    this.#open = [];
    for (let state = 0; state < this.#count; state++) if (!this.canStateEnd(state)) this.#open.push(state);
    // A state that a path led to by way of another may have been settled by itself.
    for (const [root, waiting] of this.#waiting) {
      const left: number[] = [];
      for (const i of waiting) {
        if (this.canStateEnd(this.#to.data[i] as number)) this.#tell(i);
        else left.push(i);
      }
      this.#waiting.set(root, left);
    }
    return this.#open;
  }

  #tell(waiter: number): void {
    this.#news.add(this.#from.data[waiter] as number, null, this.#number.data[waiter] as number);
  }

  /** Where the ways on lead, as far as they stay in this partition; remembered for all states on the way. */
  #root(state: number): number {
    const exits = this.#exits;
    const path: number[] = [];
    let at = state;
    while ((exits[at] as number) > 0) {
      path.push(at);
      const next = (exits[at] as number) - 1;
      exits[at] = ON_PATH;
      at = next;
    }
    const isCircle = exits[at] === ON_PATH;
    for (const passed of path) exits[passed] = isCircle ? CIRCLE : at + 1;
    return isCircle ? state : at;
  }
}
