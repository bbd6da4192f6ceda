// SPDX-License-Identifier: MIT
//
// A part of the states of a system, explored by numbers (0-1 breadth-first by context switches, without regard to the
// length of paths): each state belongs to one partition, by a hash. Within a layer the order makes no difference to
// what is found, so partitions need not wait for each other. Which steps there are, whoever leads the search says.

import { Exchange } from './exchange.ts';
import { EndFinder } from './end-finder.ts';
import { grown, Ints } from './ints.ts';
import { Outbox } from './outbox.ts';
import { encodeReport, RECORDS, Say } from './partition-messages.ts';
import { StepTable } from './step-table.ts';
import { hashHigh, hashLow, TupleTable } from './tuple-table.ts';

/** What a partition is told at its start; can be cloned. */
export interface PartitionPlan {
  readonly index: number;
  readonly partitions: number;
  /** The initial state. */
  readonly first: readonly number[];
  /** As {@link Exchange.groups}; null where actors are not exchanged. */
  readonly groups: readonly (readonly [number, number])[] | null;
}

/** Most actors of a system that is explored so: sets of them are bits beside others. */
export const MOST_TUPLE_ACTORS = 24;

/** Instead of an actor: a state that is visited for the first time. */
const ALL = 31;
/** Beside the bits of actors in `#free`. */
const VISITED = 1 << 30;
/** States between two reports of one that is at work. */
const REPORT_EVERY = 1 << 16;
/** Records sent before that are remembered, so as not to send them again. */
const MEMORY = 1 << 14;

/** murmur3's finaliser. */
function scramble(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export class Partition {
  readonly #plan: PartitionPlan;
  readonly #post: (message: Int32Array) => void;
  readonly #width: number;
  readonly #exchange: Exchange | null;
  readonly #steps = new StepTable();
  readonly #states: TupleTable;
  /** Per state: layer of its first visit + 1, 0 before it. */
  #layers = new Int32Array(4096);
  /** Per state: actors that move on without a switch in that layer; those that do in the next, before the first visit. */
  #free = new Int32Array(4096);
  #ahead = new Int32Array(4096);
  /** States to visit in this layer, with the actor that moves or ALL; those that lack a row; those of the next layer. */
  readonly #work = new Ints();
  readonly #waiting = new Ints();
  #next = new Ints();
  readonly #asked = new Set<string>();
  readonly #toVisit: Outbox;
  readonly #exits: Outbox;
  readonly #asks: Outbox;
  readonly #ends = new Ints();
  readonly #finder: EndFinder;
  readonly #sent: Int32Array;
  readonly #tuple: Int32Array;
  readonly #target: Int32Array;
  /** Where the state at hand leads outside this partition, and whose that is; -1 for nowhere. */
  readonly #exit: Int32Array;
  #exitOwner = -1;
  readonly #failures: { switches: number; count: number }[] = [];
  #layer = 0;
  #visited = 0;
  #transitions = 0;
  #received = 0;
  #reportAt = REPORT_EVERY;
  #isReported = false;

  /** @param post takes what is to be told to others */
  constructor(plan: PartitionPlan, post: (message: Int32Array) => void) {
    this.#plan = plan;
    this.#post = post;
    this.#width = plan.first.length;
    this.#exchange = plan.groups === null ? null : new Exchange(plan.groups);
    this.#states = new TupleTable(this.#width);
    this.#tuple = new Int32Array(this.#width);
    this.#target = new Int32Array(this.#width);
    this.#sent = new Int32Array(MEMORY * (this.#width + 2)).fill(-1);
    const outbox = (kind: number): Outbox => new Outbox(kind, plan.index, plan.partitions, post);
    this.#toVisit = outbox(Say.states);
    this.#exits = outbox(Say.exits);
    this.#asks = outbox(Say.asks);
    this.#exit = new Int32Array(this.#width);
    this.#finder = new EndFinder(plan.index, plan.partitions, post);
    const first = Int32Array.from(plan.first);
    if (this.#owner(first) !== plan.index) return;
    const state = this.#states.add(first);
    this.#layers[state] = 1;
    this.#free[state] = VISITED - 1;
    this.#push(state, ALL);
  }

  /** Takes in what others say. */
  receive(message: Int32Array): void {
    this.#received++;
    this.#isReported = false;
    const at = (i: number): number => message[i] ?? 0;
    switch (message[0]) {
      case Say.layer:
        this.#startLayer(at(1));
        return;
      case Say.row:
        this.#steps.addRow(at(1), at(2), message.subarray(3));
        this.#tryAgain();
        return;
      case Say.after:
        this.#steps.addAfter(at(1), at(2), at(3));
        this.#tryAgain();
        return;
      case Say.states:
        this.#arriveAll(message);
        return;
      case Say.exits:
      case Say.asks:
        this.#takeExits(message);
        return;
      case Say.canEnd:
        this.#finder.canEnd(message);
        return;
      case Say.findEnds:
        this.#finder.begin();
        return;
      case Say.refine:
        for (const state of this.#finder.open()) this.#lookFurther(state);
        this.#finder.flush();
    }
  }

  /**
   * Visits some states.
   * @returns false when nothing is left to do; whoever leads has been told so
   */
  run(states: number): boolean {
    for (let i = 0; i < states && this.#work.length > 0; i++) {
      const actor = this.#work.pop();
      const state = this.#work.pop();
      if (!this.#visit(state, actor)) {
        this.#waiting.push(state);
        this.#waiting.push(actor);
      }
    }
    if (this.#work.length > 0) {
      if (this.#visited < this.#reportAt) return true;
      this.#reportAt = this.#visited + REPORT_EVERY;
      this.#report(false);
      return true;
    }
    if (this.#isReported) return false;
    this.#flush();
    this.#isReported = true;
    this.#report(this.#waiting.length === 0);
    return false;
  }

  #report(isIdle: boolean): void {
    this.#post(
      encodeReport({
        received: this.#received,
        isIdle,
        states: this.#visited,
        transitions: this.#transitions,
        waiting: (this.#work.length + this.#waiting.length) / 2,
        ahead: this.#next.length,
        unresolved: this.#finder.unresolved,
        failures: this.#failures,
      }),
    );
  }

  #push(state: number, actor: number): void {
    this.#work.push(state);
    this.#work.push(actor);
  }

  #tryAgain(): void {
    while (this.#waiting.length > 0) {
      const actor = this.#waiting.pop();
      this.#push(this.#waiting.pop(), actor);
    }
  }

  #startLayer(layer: number): void {
    this.#layer = layer;
    const states = this.#next;
    this.#next = new Ints();
    for (let i = 0; i < states.length; i++) {
      const state = states.data[i] as number;
      const lasts = this.#ahead[state] as number;
      this.#ahead[state] = 0;
      if (this.#layers[state] !== 0) continue;
      this.#layers[state] = layer + 1;
      this.#free[state] = lasts;
      this.#push(state, ALL);
    }
  }

  // ---- visits

  /** False where something has to be asked first. */
  #visit(state: number, only: number): boolean {
    const tuple = this.#tuple;
    this.#states.read(state, tuple);
    const from = only === ALL ? 0 : only;
    const to = only === ALL ? this.#width - 1 : only + 1;
    if (!this.#isKnown(tuple, from, to)) return false;
    if (only !== ALL) {
      this.#moves(tuple, only, true, -1);
      return true;
    }
    const free = this.#free[state] as number;
    this.#free[state] = free | VISITED;
    this.#visited++;
    this.#finder.found(state);
    this.#exitOwner = -1;
    let moved = 0;
    for (let actor = from; actor < to; actor++) moved += this.#moves(tuple, actor, (free & (1 << actor)) !== 0, state);
    this.#transitions += moved;
    if (moved === 0) {
      this.#ends.append(tuple);
      this.#finder.isEnd(state);
    }
    if (this.#exitOwner >= 0 && !this.#finder.hasExit(state)) {
      this.#exits.add(this.#exitOwner, this.#exit, state);
      this.#finder.leadsElsewhere(state);
    }
    return true;
  }

  /** Whether all is known that the moves of these actors need; asks for what is not. */
  #isKnown(tuple: Int32Array, from: number, to: number): boolean {
    let isKnown = true;
    for (let actor = from; actor < to; actor++) {
      const row = this.#steps.row(tuple[actor + 1] as number, tuple[0] as number);
      if (row < 0) {
        this.#ask(Say.needRow, tuple[actor + 1] as number, tuple[0] as number);
        isKnown = false;
      } else if (this.#steps.hasEvents(row)) {
        let step = StepTable.first(row);
        for (let i = 0; i < this.#steps.count(row); i++, step = this.#steps.next(step)) {
          this.#target.set(tuple);
          isKnown = this.#steps.applyEvents(step, this.#target, actor, this.#askAfter) && isKnown;
        }
      }
    }
    return isKnown;
  }

  readonly #askAfter = (event: number, part: number): void => this.#ask(Say.needAfter, event, part);

  #ask(kind: number, a: number, b: number): void {
    const question = `${kind},${a},${b}`;
    if (this.#asked.has(question)) return;
    this.#asked.add(question);
    this.#post(Int32Array.of(kind, a, b));
  }

  /** Makes the moves of an actor; `first` is the state where that is its first visit, else -1. */
  #moves(tuple: Int32Array, actor: number, isFree: boolean, first: number): number {
    const steps = this.#steps;
    const row = steps.row(tuple[actor + 1] as number, tuple[0] as number);
    const count = steps.count(row);
    const ahead = isFree ? 0 : 1;
    let step = StepTable.first(row);
    for (let i = 0; i < count; i++, step = steps.next(step)) {
      const failure = steps.failure(step);
      if (failure >= 0) {
        const found = this.#fail(failure, this.#layer + ahead);
        if (first >= 0) {
          found.count++;
          this.#finder.isEnd(first);
        }
        continue;
      }
      const last = this.#apply(tuple, actor, step);
      const low = hashLow(this.#target);
      const high = hashHigh(this.#target);
      const owner = this.#owner(this.#target);
      if (owner === this.#plan.index) {
        const to = this.#arrive(this.#states.addHashed(this.#target, low, high), last, ahead);
        if (first >= 0) this.#finder.leadsTo(first, to);
      } else {
        this.#send(owner, low, last, ahead);
        if (first >= 0 && this.#exitOwner < 0) {
          this.#exitOwner = owner;
          this.#exit.set(this.#target);
        }
      }
    }
    return count;
  }

  /** Makes a step, and tells where the actor is then. */
  #apply(tuple: Int32Array, actor: number, step: number): number {
    const target = this.#target;
    for (let i = 0; i < this.#width; i++) target[i] = tuple[i] as number;
    target[0] = this.#steps.shared(step);
    target[actor + 1] = this.#steps.part(step);
    const hasEvents = this.#steps.events(step) > 0;
    if (hasEvents) this.#steps.applyEvents(step, target, actor, this.#askAfter);
    const exchange = this.#exchange;
    return exchange !== null && (hasEvents || exchange.concerns(actor))
      ? exchange.sort(target, actor, hasEvents)
      : actor;
  }

  #fail(failure: number, switches: number): { count: number } {
    while (this.#failures.length <= failure) this.#failures.push({ switches: -1, count: 0 });
    const known = this.#failures[failure] as { switches: number; count: number };
    if (known.switches < 0 || switches < known.switches) known.switches = switches;
    return known;
  }

  // ---- states that come in, and those that go out

  /**
   * Which partition a state belongs to. Three parts of it decide, so that moves of most actors stay in one: a quarter of
   * them leads elsewhere, and the partitions are about as large as with a hash of everything, where it is half.
   */
  #owner(tuple: Int32Array): number {
    let hash = scramble(tuple[0] as number);
    hash = scramble(hash ^ (tuple[1] as number));
    hash = scramble(hash ^ (tuple[this.#width - 1] as number));
    return (hash >>> 0) % this.#plan.partitions;
  }

  /** Number of a state, and room for what is kept of it. */
  #known(tuple: Int32Array): number {
    return this.#withRoom(this.#states.add(tuple));
  }

  #withRoom(state: number): number {
    if (state >= this.#layers.length) {
      const length = Math.max(state + 1, 2 * this.#layers.length);
      this.#layers = grown(this.#layers, length);
      this.#free = grown(this.#free, length);
      this.#ahead = grown(this.#ahead, length);
    }
    return state;
  }

  #arrive(state: number, last: number, ahead: number): number {
    this.#withRoom(state);
    const layer = this.#layers[state] as number;
    const bit = 1 << last;
    if (ahead === 1) {
      if (layer !== 0) return state;
      if (this.#ahead[state] === 0) this.#next.push(state);
      this.#ahead[state] = (this.#ahead[state] as number) | bit;
    } else if (layer === 0) {
      this.#layers[state] = this.#layer + 1;
      this.#free[state] = bit;
      this.#push(state, ALL);
    } else if (layer === this.#layer + 1) {
      const free = this.#free[state] as number;
      if ((free & bit) !== 0) return state;
      this.#free[state] = free | bit;
      // Before its first visit, this is part of that.
      if ((free & VISITED) !== 0) this.#push(state, last);
    }
    return state;
  }

  #arriveAll(message: Int32Array): void {
    const size = this.#width + 1;
    const tuple = this.#target;
    for (let at = RECORDS; at < message.length; at += size) {
      for (let i = 0; i < tuple.length; i++) tuple[i] = message[at + i] as number;
      const how = message[at + this.#width] as number;
      this.#arrive(this.#states.add(tuple), how >> 1, how & 1);
    }
  }

  /** Sends the target to its owner, unless it was sent before and this time tells nothing new. */
  #send(owner: number, low: number, last: number, ahead: number): void {
    const target = this.#target;
    const size = this.#width + 2;
    const base = ((low >>> 3) & (MEMORY - 1)) * size;
    const sent = this.#sent;
    const layer = this.#layer + ahead;
    let isSame = sent[base + this.#width] === last && (sent[base + this.#width + 1] as number) <= layer;
    for (let i = 0; isSame && i < this.#width; i++) isSame = sent[base + i] === target[i];
    if (isSame) return;
    for (let i = 0; i < this.#width; i++) sent[base + i] = target[i] as number;
    sent[base + this.#width] = last;
    sent[base + this.#width + 1] = layer;
    this.#toVisit.add(owner, target, (last << 1) | ahead);
  }

  // ---- which states can come to an end

  #takeExits(message: Int32Array): void {
    const tuple = this.#target;
    const from = message[2] as number;
    for (let at = RECORDS; at < message.length; at += this.#width + 1) {
      for (let i = 0; i < tuple.length; i++) tuple[i] = message[at + i] as number;
      const number = message[at + this.#width] as number;
      if (message[0] === Say.exits) this.#finder.isReached(this.#known(tuple), from, number);
      else this.#finder.answer(this.#known(tuple), from, number);
    }
    this.#finder.flush();
  }

  /** Settles a state that one of its moves settles, and asks where others have to say that. */
  #lookFurther(state: number): void {
    const tuple = this.#tuple;
    const steps = this.#steps;
    this.#states.read(state, tuple);
    for (let actor = 0; actor < this.#width - 1; actor++) {
      const row = steps.row(tuple[actor + 1] as number, tuple[0] as number);
      let step = StepTable.first(row);
      for (let i = 0; i < steps.count(row); i++, step = steps.next(step)) {
        this.#apply(tuple, actor, step);
        const owner = this.#owner(this.#target);
        if (owner !== this.#plan.index) this.#asks.add(owner, this.#target, state);
        else if (this.#finder.canStateEnd(this.#states.add(this.#target))) this.#finder.settle(state);
      }
    }
  }

  #flush(): void {
    for (const outbox of [this.#toVisit, this.#exits, this.#asks]) outbox.flush();
    if (this.#ends.length > 0) {
      const ends = this.#ends.take();
      const message = new Int32Array(ends.length + 1);
      message[0] = Say.ends;
      message.set(ends, 1);
      this.#post(message);
    }
  }
}
