// SPDX-License-Identifier: MIT
//
// The event buffer: rows of doubles in one typed array. With consumers attached it is drained before it wraps,
// without one the last rows stay readable for crash reports.

import type { EventKind, TraceEvent, TraceSink } from './events.ts';

const WIDTH = 6;

/** Something that renders events. */
export interface TraceConsumer {
  /** Wants text payloads. */
  readonly wantsText: boolean;
  /** Wants each event as it happens (a terminal) instead of in batches (a file). */
  readonly immediate: boolean;
  event(e: TraceEvent): void;
  /** A batch has ended: write out what is complete. */
  flush?(): void;
  /** Plain data that `restore` of another such consumer goes on with. */
  save?(): object;
  restore?(state: object): void;
}

/** The one implementation of {@link TraceSink} that keeps anything. */
export class TraceRing implements TraceSink {
  readonly #rows: Float64Array;
  readonly #texts: (string | undefined)[];
  readonly #capacity: number;
  readonly #consumers: TraceConsumer[] = [];
  readonly #clock: () => number;
  #wantsText = false;
  #immediate = false;
  /** Events ever written, and of these handed to the consumers. */
  #written = 0;
  #drained = 0;
  #draining = false;
  readonly #event: TraceEvent = { kind: 1, tid: 0, timeNs: 0, a: 0, b: 0, c: 0, text: undefined };

  /**
   * @param clock virtual nanoseconds now
   * @param capacity rows kept
   */
  constructor(clock: () => number, capacity = 4096) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#rows = new Float64Array(capacity * WIDTH);
    this.#texts = new Array<string | undefined>(capacity).fill(undefined);
  }

  get wantsText(): boolean {
    return this.#wantsText;
  }

  /** Events emitted so far. */
  get count(): number {
    return this.#written;
  }

  /** Adds a consumer; it sees events from now on. */
  attach(consumer: TraceConsumer): void {
    this.flush();
    this.#consumers.push(consumer);
    this.#wantsText ||= consumer.wantsText;
    this.#immediate ||= consumer.immediate;
  }

  emit(kind: EventKind, tid: number, a = 0, b = 0, c = 0): void {
    const slot = this.#written % this.#capacity;
    const at = slot * WIDTH;
    const rows = this.#rows;
    rows[at] = kind;
    rows[at + 1] = tid;
    rows[at + 2] = this.#clock();
    rows[at + 3] = a;
    rows[at + 4] = b;
    rows[at + 5] = c;
    if (this.#wantsText) this.#texts[slot] = undefined;
    this.#written++;
    if (this.#consumers.length > 0) this.#afterWrite();
  }

  emitText(kind: EventKind, tid: number, text: string, a = 0, b = 0, c = 0): void {
    const slot = this.#written % this.#capacity;
    const at = slot * WIDTH;
    const rows = this.#rows;
    rows[at] = kind;
    rows[at + 1] = tid;
    rows[at + 2] = this.#clock();
    rows[at + 3] = a;
    rows[at + 4] = b;
    rows[at + 5] = c;
    this.#texts[slot] = text;
    this.#written++;
    if (this.#consumers.length > 0) this.#afterWrite();
  }

  /** What the consumers go on with in a restored machine, once all that is pending was handed to them. */
  saveConsumers(): unknown[] {
    this.#drain();
    return this.#consumers.map((consumer) => consumer.save?.() ?? null);
  }

  /** The counterpart of `saveConsumers`; consumers that were not there then begin anew. */
  restoreConsumers(states: readonly unknown[]): void {
    for (const [i, consumer] of this.#consumers.entries()) {
      const state = states[i];
      if (typeof state === 'object' && state !== null) consumer.restore?.(state);
    }
  }

  /** Hands everything pending to the consumers and lets them write it out. */
  flush(): void {
    this.#drain();
    for (const consumer of this.#consumers) consumer.flush?.();
  }

  /** The last `n` events that are still in the buffer, oldest first, as copies. */
  last(n: number): TraceEvent[] {
    const first = Math.max(0, this.#written - Math.min(n, this.#capacity));
    const out: TraceEvent[] = [];
    for (let i = first; i < this.#written; i++) out.push(this.#load(i, { ...this.#event }));
    return out;
  }

  #afterWrite(): void {
    // A consumer that emits would come here again: the outer loop hands that event on.
    if (this.#draining) return;
    if (this.#immediate || this.#written - this.#drained >= this.#capacity) this.#drain();
  }

  #drain(): void {
    if (this.#draining || this.#consumers.length === 0) {
      if (this.#consumers.length === 0) this.#drained = this.#written;
      return;
    }
    this.#draining = true;
    try {
      while (this.#drained < this.#written) {
        const e = this.#load(this.#drained++, this.#event);
        for (const consumer of this.#consumers) consumer.event(e);
      }
    } finally {
      this.#draining = false;
    }
  }

  #load(index: number, into: TraceEvent): TraceEvent {
    const slot = index % this.#capacity;
    const at = slot * WIDTH;
    const rows = this.#rows;
    into.kind = rows[at] as EventKind;
    into.tid = rows[at + 1] as number;
    into.timeNs = rows[at + 2] as number;
    into.a = rows[at + 3] as number;
    into.b = rows[at + 4] as number;
    into.c = rows[at + 5] as number;
    into.text = this.#texts[slot];
    return into;
  }
}
