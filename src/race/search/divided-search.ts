// SPDX-License-Identifier: MIT
//
// A search divided among partitions: the first in this process, each other one in a process of its own. Whoever leads has
// the system, tells the others its steps when they ask, passes on what they have for each other, and knows when a
// layer is done: when all are idle that have taken in everything that they were sent.

import { Partition } from './partition.ts';
import type { PartitionPlan } from './partition.ts';
import { decodeReport, Say } from './partition-messages.ts';
import type { PartitionReport } from './partition-messages.ts';
import { encodeSteps } from './step-table.ts';
import type { Estimate, Failure, Progress, StopReason } from './system.ts';
import type { TupleSystem } from './tuple-system.ts';

/** A process that explores a partition: it passes what arrives to {@link Partition.receive} and runs it. */
export interface WorkerLink {
  send(message: Int32Array): void;
  /** What has come from it since this was last called. */
  take(): Int32Array[];
  /** Why it does not work any more, for people; null while it does. */
  readonly trouble: string | null;
  /** Settled when something has come or it does not work any more. */
  ready(): Promise<void>;
  /** Ends it. */
  close(): void;
}

/** How a search is divided. */
export interface Division {
  /** Partitions, the one in this process included. */
  readonly partitions: number;
  /** Starts a process for each plan. */
  readonly start: (plans: readonly PartitionPlan[]) => readonly WorkerLink[];
  /** The same system once more, with numbers of its own, for those that explore it by numbers. */
  readonly twin: () => { readonly system: TupleSystem; dispose(): void };
  /** States that one process visits before the search is divided; default 100,000. */
  readonly after?: number;
}

/** What is known at some time. */
export interface DividedFindings {
  /** Switches up to which everything was seen. */
  readonly switches: number;
  readonly states: number;
  readonly transitions: number;
  readonly outcomes: ReadonlyMap<string, number>;
  /** By signature: fewest switches to a failure. */
  readonly failures: ReadonlyMap<string, number>;
  /** There are states from which no run ends. */
  readonly hasLivelock: boolean;
  readonly stoppedBy: StopReason | null;
  /** What went wrong, where a process is gone. */
  readonly trouble: string | null;
}

/** States that the partition of this process visits between two looks at the others. */
const SLICE = 2048;
const NOTHING: DividedFindings = {
  switches: -1,
  states: 0,
  transitions: 0,
  outcomes: new Map(),
  failures: new Map(),
  hasLivelock: false,
  stoppedBy: null,
  trouble: null,
};

function add<K>(to: Map<K, number>, key: K, count: number): void {
  to.set(key, (to.get(key) ?? 0) + count);
}

export class DividedSearch {
  readonly #system: TupleSystem;
  readonly #budget: number;
  readonly #own: Partition;
  readonly #links: readonly WorkerLink[];
  /** Messages for the partition of this process. */
  readonly #inbox: Int32Array[] = [];
  /** By partition: messages sent to it, and what it said last. */
  readonly #sent: number[];
  readonly #reports: (PartitionReport | null)[];
  readonly #answered = new Set<string>();
  readonly #failureNumbers = new Map<string, number>();
  readonly #signatures: string[] = [];
  readonly #ends = new Map<string, number>();
  readonly #stuck = new Map<string, number>();
  readonly #estimate: Estimate | null;
  #layer = 0;
  #trouble: string | null = null;

  constructor(
    system: TupleSystem,
    budget: number,
    { partitions, start }: Pick<Division, 'partitions' | 'start'>,
    guess: Estimate | null,
  ) {
    this.#system = system;
    this.#budget = budget;
    this.#estimate = guess;
    const plan = (index: number): PartitionPlan => ({
      index,
      partitions,
      first: [...system.first],
      groups: system.exchange?.groups ?? null,
    });
    this.#sent = new Array<number>(partitions).fill(0);
    this.#reports = new Array<null>(partitions).fill(null);
    this.#own = new Partition(plan(0), (message) => this.#take(0, message));
    this.#links = start(Array.from({ length: partitions - 1 }, (_, i) => plan(i + 1)));
  }

  /** Explores everything, or until the budget does not suffice for another layer; yields now and then. */
  *run(): Generator<Progress, DividedFindings, StopReason | null> {
    let known = NOTHING;
    try {
      for (; ; this.#layer++) {
        const stopped = yield* this.#settle();
        if (stopped === 'budget') return { ...known, stoppedBy: stopped };
        if (stopped !== null) return { ...this.#findings(this.#layer - 1), stoppedBy: stopped, trouble: this.#trouble };
        // Which layers have states that turn out to be known depends on the order in which they were found.
        const found = this.#findings(this.#layer);
        known = found.states > known.states ? found : { ...found, switches: known.switches };
        if (this.#sum((report) => report.ahead) === 0) break;
        this.#sendAll(Int32Array.of(Say.layer, this.#layer + 1));
      }
      this.#sendAll(Int32Array.of(Say.findEnds));
      let open = Number.POSITIVE_INFINITY;
      for (;;) {
        const stopped = yield* this.#settle();
        if (stopped !== null) return { ...known, stoppedBy: stopped, trouble: this.#trouble };
        this.#sendAll(Int32Array.of(Say.refine));
        yield* this.#settle();
        const left = this.#sum((report) => report.unresolved);
        if (left === 0) return known;
        if (left === open) return { ...known, hasLivelock: true };
        open = left;
      }
    } finally {
      for (const link of this.#links) link.close();
    }
  }

  /** Until all partitions are idle, or there is a reason to stop. */
  *#settle(): Generator<Progress, StopReason | null, StopReason | null> {
    for (;;) {
      for (const [i, link] of this.#links.entries()) {
        for (const message of link.take()) this.#take(i + 1, message);
        this.#trouble ??= link.trouble;
      }
      if (this.#trouble !== null) return 'lost';
      for (const message of this.#inbox.splice(0)) this.#own.receive(message);
      const isBusy = this.#own.run(SLICE);
      if (this.#sum((report) => report.states) > this.#budget) return 'budget';
      if (!isBusy && this.#inbox.length === 0 && this.#isIdle()) return null;
      const waits = !isBusy && this.#inbox.length === 0;
      const stop = yield this.#progress(waits ? Promise.race(this.#links.map((link) => link.ready())) : undefined);
      if (stop !== null) return stop;
    }
  }

  #isIdle(): boolean {
    return this.#reports.every((report, i) => report?.isIdle === true && report.received === this.#sent[i]);
  }

  #send(to: number, message: Int32Array): void {
    this.#sent[to] = (this.#sent[to] as number) + 1;
    if (to === 0) this.#inbox.push(message);
    else this.#links[to - 1]?.send(message);
  }

  #sendAll(message: Int32Array): void {
    for (let to = 0; to < this.#sent.length; to++) this.#send(to, message);
  }

  /** Takes in what a partition says. */
  #take(from: number, message: Int32Array): void {
    const at = (i: number): number => message[i] ?? 0;
    switch (message[0]) {
      case Say.needRow:
      case Say.needAfter:
        this.#answer(at(0), at(1), at(2));
        return;
      case Say.ends:
        this.#takeEnds(message);
        return;
      case Say.report:
        this.#reports[from] = decodeReport(message);
        return;
      default:
        this.#send(at(1), message);
    }
  }

  /** Tells everybody what one asks: the others will need it, too. */
  #answer(kind: number, a: number, b: number): void {
    const question = `${kind},${a},${b}`;
    if (this.#answered.has(question)) return;
    this.#answered.add(question);
    if (kind === Say.needAfter) {
      this.#sendAll(Int32Array.of(Say.after, a, b, this.#system.after(a, b)));
      return;
    }
    const steps = this.#system.steps(a, b);
    const row = encodeSteps(steps, ({ failure }) => (failure === null ? -1 : this.#failureNumber(failure)));
    this.#sendAll(Int32Array.of(Say.row, a, b, ...row));
  }

  #failureNumber({ signature }: Failure): number {
    let number = this.#failureNumbers.get(signature);
    if (number === undefined) {
      number = this.#signatures.push(signature) - 1;
      this.#failureNumbers.set(signature, number);
    }
    return number;
  }

  #takeEnds(message: Int32Array): void {
    const width = this.#system.actors.length + 1;
    for (let at = 1; at < message.length; at += width) {
      const state = this.#system.end(message.subarray(at, at + width));
      const wrong = this.#system.stuck(state)?.signature;
      if (wrong !== undefined && !this.#stuck.has(wrong)) this.#stuck.set(wrong, this.#layer);
      add(this.#ends, wrong ?? this.#system.outcome(state), 1);
    }
  }

  #sum(of: (report: PartitionReport) => number): number {
    return this.#reports.reduce((sum, report) => sum + (report === null ? 0 : of(report)), 0);
  }

  #findings(switches: number): DividedFindings {
    const outcomes = new Map(this.#ends);
    const failures = new Map(this.#stuck);
    for (const report of this.#reports) {
      for (const [number, found] of (report?.failures ?? []).entries()) {
        if (found.switches < 0) continue;
        const signature = this.#signatures[number] as string;
        if (found.count > 0) add(outcomes, signature, found.count);
        failures.set(signature, Math.min(found.switches, failures.get(signature) ?? found.switches));
      }
    }
    const byName = [...outcomes].sort(([a], [b]) => (a < b ? -1 : 1));
    const states = this.#sum((report) => report.states);
    const transitions = this.#sum((report) => report.transitions);
    return { ...NOTHING, switches, states, transitions, outcomes: new Map(byName), failures };
  }

  #progress(ready: Promise<void> | undefined): Progress {
    return {
      states: this.#sum((report) => report.states),
      transitions: this.#sum((report) => report.transitions),
      schedules: 0,
      frontier: this.#sum((report) => report.waiting + report.ahead),
      layer: this.#layer,
      failures: this.#findings(0).failures.size,
      estimate: this.#estimate,
      ...(ready !== undefined && { ready }),
    };
  }
}
