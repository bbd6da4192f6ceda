// SPDX-License-Identifier: MIT
//
// strace lines out of trace events, in the dialect of `strace -f`: prefixes when several tasks are alive, unfinished
// and resumed calls, signals, exits. Lines of our own have the shape of a signal line, so readers skip them.

import { signalName } from '../abi/signal.ts';
import { syscallName } from '../abi/sysno.ts';
import { hex } from '../base/addr.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { TraceConsumer } from '../trace/ring.ts';

/** Column of the `=`. */
export const RESULT_COLUMN = 40;

export interface StraceOptions {
  /** Called with whole lines only. */
  readonly write: (lines: string) => void;
  /** Lines as they happen, for a terminal; else in larger pieces. */
  readonly immediate: boolean;
  /** Columns of `-ttt` and `-T`. */
  readonly times: boolean;
  /** What event times count from, in nanoseconds since 1970, for `-ttt`. Asked when the first line is written. */
  readonly epochNs: () => bigint;
}

/** What one task's line has so far. */
interface OpenLine {
  readonly tid: number;
  readonly text: string;
}

function setOf<T>(value: unknown): Iterable<T> {
  return value instanceof Set ? (value as Set<T>) : [];
}

function mapOf<T>(value: unknown): Iterable<[number, T]> {
  return value instanceof Map ? (value as Map<number, T>) : [];
}

/** Renders the `linux` format. */
export class StraceText implements TraceConsumer {
  readonly wantsText = true;
  readonly immediate: boolean;
  readonly #options: StraceOptions;
  readonly #alive = new Set<number>();
  /** When each task's call began. */
  readonly #entered = new Map<number, number>();
  /** Tasks inside a call, and lines that appear when it returns. */
  readonly #calling = new Set<number>();
  readonly #pending = new Map<number, string[]>();
  /** Statuses of leaders that ended before other threads of their groups. */
  readonly #endedLeaders = new Map<number, number>();
  #open: OpenLine | undefined;
  /** Lines that wait for the open one to end. */
  #after: string[] = [];
  #out = '';

  constructor(options: StraceOptions) {
    this.#options = options;
    this.immediate = options.immediate;
  }

  event(e: TraceEvent): void {
    switch (e.kind) {
      case EventKind.runStart:
        break;
      case EventKind.taskStart:
        this.#alive.add(e.tid);
        break;
      case EventKind.syscallEnter:
        this.#alive.add(e.tid);
        this.#interrupt();
        this.#entered.set(e.tid, e.timeNs);
        this.#calling.add(e.tid);
        this.#open = { tid: e.tid, text: `${this.#prefix(e)}${syscallName(e.a)}(${e.text ?? ''}` };
        break;
      case EventKind.syscallExit:
        this.#exit(e);
        break;
      case EventKind.signalDelivered:
        this.#line(e, `--- ${signalName(e.a)} ${e.text ?? '{}'} ---`);
        break;
      case EventKind.signalIgnored:
        this.#afterCall(e, `--- ${signalName(e.a)} ${e.text ?? '{}'} ---`);
        break;
      case EventKind.taskStopped:
        this.#line(e, `--- stopped by ${signalName(e.a)} ---`);
        break;
      case EventKind.taskExit:
        this.#taskExit(e);
        break;
      case EventKind.exec:
        if (e.c !== e.tid) this.#superseded(e, e.c);
        break;
      case EventKind.sitePatched:
        this.#note(e, `--- usertrap: patched ${hex(e.a)} sysno=${e.b} trap=${e.c} ---`);
        break;
      case EventKind.siteRestarted:
        this.#note(
          e,
          `--- usertrap: ${e.c === 0 ? 'restarted' : 'served'} ${hex(e.b)} after a fault at ${hex(e.a)} ---`,
        );
        break;
      default:
        return;
    }
    if (this.#options.immediate || this.#out.length > 65536) this.#emit();
  }

  flush(): void {
    this.#emit();
  }

  /** What is between two lines: a restored machine's lines go on from there. */
  save(): object {
    return {
      alive: this.#alive,
      entered: this.#entered,
      calling: this.#calling,
      pending: this.#pending,
      endedLeaders: this.#endedLeaders,
      open: this.#open,
      after: this.#after,
      out: this.#out,
    };
  }

  restore(state: object): void {
    const { alive, entered, calling, pending, endedLeaders, open, after, out } = state as Record<string, unknown>;
    for (const tid of setOf<number>(alive)) this.#alive.add(tid);
    for (const tid of setOf<number>(calling)) this.#calling.add(tid);
    for (const [tid, time] of mapOf<number>(entered)) this.#entered.set(tid, time);
    for (const [tid, lines] of mapOf<string[]>(pending)) this.#pending.set(tid, lines);
    for (const [tid, status] of mapOf<number>(endedLeaders)) this.#endedLeaders.set(tid, status);
    if (typeof open === 'object' && open !== null) this.#open = open as OpenLine;
    if (Array.isArray(after)) this.#after = after as string[];
    if (typeof out === 'string') this.#out = out;
  }

  /** Ends an open line; nothing follows. */
  close(): void {
    this.#interrupt();
    this.#emit();
  }

  #emit(): void {
    if (this.#out === '') return;
    const text = this.#out;
    this.#out = '';
    this.#options.write(text);
  }

  #prefix(e: TraceEvent): string {
    const pid = this.#alive.size > 1 ? `[pid ${String(e.tid).padStart(5)}] ` : '';
    return this.#options.times ? `${pid}${secondsText(BigInt(Math.round(e.timeNs)) + this.#options.epochNs())} ` : pid;
  }

  #exit(e: TraceEvent): void {
    const text = e.text ?? '';
    let head: string;
    if (this.#open?.tid === e.tid) {
      head = this.#open.text;
      this.#open = undefined;
    } else {
      this.#interrupt();
      head = `${this.#prefix(e)}<... ${syscallName(e.a)} resumed>`;
    }
    const line = `${head}${text.slice(0, e.c)}) `.padEnd(RESULT_COLUMN) + `= ${text.slice(e.c)}`;
    const entered = this.#entered.get(e.tid) ?? e.timeNs;
    this.#out += this.#options.times
      ? `${line} <${secondsText(BigInt(Math.round(e.timeNs - entered)))}>\n`
      : `${line}\n`;
    for (const note of this.#after) this.#out += note;
    this.#after = [];
    this.#calling.delete(e.tid);
    for (const pending of this.#pending.get(e.tid) ?? []) this.#line(e, pending);
    this.#pending.delete(e.tid);
  }

  /** A signal is seen when the task leaves the kernel. */
  #afterCall(e: TraceEvent, text: string): void {
    if (!this.#calling.has(e.tid)) {
      this.#line(e, text);
      return;
    }
    const pending = this.#pending.get(e.tid);
    if (pending === undefined) this.#pending.set(e.tid, [text]);
    else pending.push(text);
  }

  #line(e: TraceEvent, text: string): void {
    this.#interrupt();
    this.#out += `${this.#prefix(e)}${text}\n`;
  }

  /** A line of our own: never breaks up the line of a call. */
  #note(e: TraceEvent, text: string): void {
    const line = `${this.#prefix(e)}${text}\n`;
    if (this.#open === undefined) this.#out += line;
    else this.#after.push(line);
  }

  /** A leader is seen to end when the last of its threads has, as a tracer sees it. */
  #taskExit(e: TraceEvent): void {
    const isLeader = e.tid === e.a;
    const isLast = e.c === 1;
    if (isLeader && !isLast) {
      this.#endedLeaders.set(e.tid, e.b);
      return;
    }
    this.#line(e, exitLine(e.b));
    this.#forget(e.tid);
    const status = this.#endedLeaders.get(e.a);
    if (isLeader || !isLast || status === undefined) return;
    this.#endedLeaders.delete(e.a);
    this.#line({ ...e, tid: e.a }, exitLine(status));
    this.#forget(e.a);
  }

  /** A thread that was not the leader has executed a program: it goes on under the leader's id. */
  #superseded(e: TraceEvent, previousTid: number): void {
    const entered = this.#entered.get(previousTid);
    this.#interrupt();
    this.#endedLeaders.delete(e.tid);
    this.#forget(previousTid);
    this.#alive.add(e.tid);
    this.#line(e, `+++ superseded by execve in pid ${previousTid} +++`);
    if (entered !== undefined) this.#entered.set(e.tid, entered);
    this.#calling.add(e.tid);
  }

  #forget(tid: number): void {
    this.#alive.delete(tid);
    this.#entered.delete(tid);
    this.#calling.delete(tid);
    this.#pending.delete(tid);
  }

  #interrupt(): void {
    if (this.#open !== undefined) {
      this.#out += `${this.#open.text} <unfinished ...>\n`;
      this.#open = undefined;
    }
    for (const note of this.#after) this.#out += note;
    this.#after = [];
  }
}

/** `+++ exited with 3 +++`, `+++ killed by SIGSEGV (core dumped) +++` of a wait status. */
export function exitLine(status: number): string {
  const signo = status & 0x7f;
  if (signo === 0) return `+++ exited with ${(status >> 8) & 0xff} +++`;
  return `+++ killed by ${signalName(signo)}${(status & 0x80) === 0 ? '' : ' (core dumped)'} +++`;
}

/** Nanoseconds as `12.345678`. */
export function secondsText(ns: bigint): string {
  const micros = ns / 1000n;
  return `${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, '0')}`;
}
