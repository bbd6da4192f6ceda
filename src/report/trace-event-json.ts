// SPDX-License-Identifier: MIT
//
// The Trace Event Format (JSON) as Perfetto and chrome://tracing read it: lanes with slices that nest, instants,
// counters, flows between slices. Written piece by piece; the file is valid once `close` has been called.

import { TRACE_VERSION } from '../trace/events.ts';

const PIECE_CHARACTERS = 65536;

type Arguments = Readonly<Record<string, unknown>>;

/** A slice that has begun; `kind` and `key` say to its maker which one it is. */
interface OpenSlice<Kind> {
  readonly kind: Kind;
  readonly key: number;
  readonly beginNs: number;
}

/** A moment inside a slice: where a flow begins or ends. */
export interface Anchor {
  readonly pid: number;
  readonly tid: number;
  readonly ns: number;
}

/**
 * One row of slices, of a thread of a process. Calls take no virtual time, but readers bind flows to slices that
 * last: each slice is shown with one nanosecond at least, and what comes after it in the lane as no earlier than
 * its end. A later instruction makes up for it.
 */
export class Lane<Kind> {
  readonly pid: number;
  readonly tid: number;
  readonly open: OpenSlice<Kind>[] = [];
  lastNs = 0;

  constructor(pid: number, tid: number) {
    this.pid = pid;
    this.tid = tid;
  }

  /** Whether a slice of that kind is open. */
  has(kind: Kind): boolean {
    return this.open.some((slice) => slice.kind === kind);
  }
}

/** Writes records. */
export class TraceEventJson<Kind> {
  readonly #write: (piece: string) => void;
  #out = `{"displayTimeUnit":"ns","otherData":{"traplineTrace":${TRACE_VERSION}},"traceEvents":[`;
  #isFirst = true;
  #flows = 0;

  constructor(write: (piece: string) => void) {
    this.#write = write;
  }

  /** Name of a lane, or of the process that it belongs to. */
  name(what: 'process_name' | 'thread_name', lane: Lane<Kind>, name: string): void {
    this.#put({ ph: 'M', name: what, pid: lane.pid, tid: lane.tid, args: { name } });
  }

  begin(lane: Lane<Kind>, ns: number, kind: Kind, name: string, cat: string, args: Arguments = {}, key = 0): Anchor {
    const at = later(lane, ns);
    lane.open.push({ kind, key, beginNs: at });
    this.#put({ ph: 'B', name, cat, pid: lane.pid, tid: lane.tid, ts: micros(at), args });
    return { pid: lane.pid, tid: lane.tid, ns: at };
  }

  /** Ends the innermost slice. */
  end(lane: Lane<Kind>, ns: number, args?: Arguments): void {
    const slice = lane.open.pop();
    if (slice === undefined) return;
    const at = Math.max(ns, lane.lastNs, slice.beginNs + 1);
    lane.lastNs = at;
    const record = { ph: 'E', pid: lane.pid, tid: lane.tid, ts: micros(at) };
    this.#put(args === undefined ? record : { ...record, args });
  }

  /** Ends the innermost slice of that kind, and what is open inside it. Without one nothing happens. */
  endOf(lane: Lane<Kind>, ns: number, kind: Kind, args?: Arguments): void {
    if (!lane.has(kind)) return;
    while (lane.open.at(-1)?.kind !== kind) this.end(lane, ns);
    this.end(lane, ns, args);
  }

  endAll(lane: Lane<Kind>, ns: number): void {
    while (lane.open.length > 0) this.end(lane, ns);
  }

  /** A slice of one nanosecond: something that flows may begin or end at. */
  mark(lane: Lane<Kind>, ns: number, name: string, cat: string, args: Arguments = {}): Anchor {
    const { pid, tid } = lane;
    const at = later(lane, ns);
    lane.lastNs = at + 1;
    this.#put({ ph: 'X', name, cat, pid, tid, ts: micros(at), dur: 0.001, args });
    return { pid, tid, ns: at };
  }

  instant(lane: Lane<Kind>, ns: number, name: string, cat: string, args: Arguments = {}): void {
    const { pid, tid } = lane;
    this.#put({ ph: 'i', s: 't', name, cat, pid, tid, ts: micros(later(lane, ns)), args });
  }

  counter(lane: Lane<Kind>, ns: number, name: string, args: Arguments): void {
    this.#put({ ph: 'C', name, pid: lane.pid, tid: lane.tid, ts: micros(ns), args });
  }

  /** An arrow; `to` is not before `from`. */
  flow(name: string, from: Anchor, to: Anchor): void {
    const shared = { name, cat: 'flow', id: ++this.#flows };
    this.#put({ ph: 's', ...shared, pid: from.pid, tid: from.tid, ts: micros(from.ns) });
    this.#put({ ph: 'f', bp: 'e', ...shared, pid: to.pid, tid: to.tid, ts: micros(to.ns) });
  }

  flush(): void {
    if (this.#out === '') return;
    const piece = this.#out;
    this.#out = '';
    this.#write(piece);
  }

  /** Completes the JSON. */
  close(): void {
    this.#out += '\n]}\n';
    this.flush();
  }

  #put(record: Arguments): void {
    this.#out += (this.#isFirst ? '\n' : ',\n') + JSON.stringify(record);
    this.#isFirst = false;
    if (this.#out.length > PIECE_CHARACTERS) this.flush();
  }
}

/** Lanes never go back. */
function later<Kind>(lane: Lane<Kind>, ns: number): number {
  lane.lastNs = Math.max(ns, lane.lastNs);
  return lane.lastNs;
}

/**
 * The format counts in microseconds, and readers cut the product with 1000 to whole nanoseconds: where that would
 * lose one, the number is a little larger.
 */
export function micros(ns: number): number {
  const exact = ns / 1000;
  return Math.floor(exact * 1000) === ns ? exact : (ns + 0.25) / 1000;
}
