// SPDX-License-Identifier: MIT
//
// The file of `run --trace`: Chrome Trace Event JSON, which Perfetto, chrome://tracing and speedscope read. One slice
// per syscall (they nest by construction: a task has one at a time), instants for the rest, a counter for slots.

import { signalName } from '../abi/signal.ts';
import { syscallName } from '../abi/sysno.ts';
import { hex } from '../base/addr.ts';
import { EventKind, TRACE_VERSION } from '../trace/events.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { TraceConsumer } from '../trace/ring.ts';

interface Begun {
  readonly timeNs: number;
  readonly rip: number;
  readonly patched: boolean;
}

/** Streams the JSON piece by piece; `close` completes it. */
export class PerfettoJson implements TraceConsumer {
  readonly wantsText = false;
  readonly immediate = false;
  readonly #write: (piece: string) => void;
  readonly #groups = new Map<number, number>();
  readonly #begun = new Map<number, Begun>();
  #out = `{"displayTimeUnit":"ns","otherData":{"traplineTrace":${TRACE_VERSION}},"traceEvents":[`;
  #isFirst = true;

  constructor(write: (piece: string) => void) {
    this.#write = write;
  }

  event(e: TraceEvent): void {
    switch (e.kind) {
      case EventKind.taskStart:
        this.#groups.set(e.tid, e.a);
        this.#put({ ph: 'M', name: 'thread_name', pid: e.a, tid: e.tid, args: { name: `task ${e.tid}` } });
        break;
      case EventKind.exec:
      case EventKind.runStart:
        if (e.text !== undefined) {
          this.#put({ ph: 'M', name: 'process_name', pid: this.#group(e.tid), tid: e.tid, args: { name: e.text } });
        }
        break;
      case EventKind.syscallEnter:
        this.#begun.set(e.tid, { timeNs: e.timeNs, rip: e.b, patched: e.c === 1 });
        break;
      case EventKind.syscallExit:
        this.#slice(e);
        break;
      case EventKind.signalDelivered:
        this.#instant(e, signalName(e.a), { code: e.b });
        break;
      case EventKind.taskExit:
        this.#instant(e, 'exit', { status: e.b });
        break;
      case EventKind.sitePatched:
        this.#instant(e, 'patched', { site: hex(e.a), sysno: e.b, trap: e.c });
        this.#put({
          ph: 'C',
          name: 'trap slots',
          pid: this.#group(e.tid),
          tid: e.tid,
          ts: micros(e.timeNs),
          args: { used: e.c },
        });
        break;
      case EventKind.siteRefused:
        this.#instant(e, 'refused', { site: hex(e.a) });
        break;
      case EventKind.siteRestarted:
        this.#instant(e, 'restarted', { at: hex(e.b), fault: hex(e.a) });
        break;
      case EventKind.patchStore:
        this.#instant(e, 'store', { address: hex(e.a), length: e.b, value: hex(e.c) });
        break;
      case EventKind.guestFault:
        this.#instant(e, 'fault', { address: hex(e.a), rip: hex(e.c) });
        break;
      default:
        return;
    }
    if (this.#out.length > 65536) this.flush();
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

  #group(tid: number): number {
    return this.#groups.get(tid) ?? tid;
  }

  #slice(e: TraceEvent): void {
    const begun = this.#begun.get(e.tid);
    if (begun === undefined) return;
    this.#begun.delete(e.tid);
    const result = Number.isNaN(e.b) ? null : e.b;
    this.#put({
      ph: 'X',
      name: syscallName(e.a),
      cat: begun.patched ? 'patched' : 'trapped',
      pid: this.#group(e.tid),
      tid: e.tid,
      ts: micros(begun.timeNs),
      dur: micros(e.timeNs - begun.timeNs),
      args: { result, rip: hex(begun.rip) },
    });
  }

  #instant(e: TraceEvent, name: string, args: Record<string, unknown>): void {
    this.#put({ ph: 'i', s: 't', name, pid: this.#group(e.tid), tid: e.tid, ts: micros(e.timeNs), args });
  }

  #put(record: Record<string, unknown>): void {
    this.#out += (this.#isFirst ? '\n' : ',\n') + JSON.stringify(record);
    this.#isFirst = false;
  }
}

/** The format counts in microseconds; three decimals keep nanoseconds. */
function micros(ns: number): number {
  return Math.round(ns) / 1000;
}
