// SPDX-License-Identifier: MIT
//
// A stored trace: JSON lines. The first line tells format and version, every other one is an event as an array:
// kind, tid, nanoseconds, a, b, c and, where there is one, the text. What a page or another tool reads.

import { TraplineError } from '../base/errors.ts';
import { EventKind, TRACE_VERSION } from './events.ts';
import type { TraceEvent } from './events.ts';
import type { TraceConsumer } from './ring.ts';

const FORMAT = 'trapline-trace';
const PIECE_CHARACTERS = 65536;
const KINDS: ReadonlySet<unknown> = new Set(Object.values(EventKind));

/** Writes events as they come; every line is complete, so a run that is cut off leaves a readable file. */
export class TraceFileWriter implements TraceConsumer {
  readonly wantsText = true;
  readonly immediate = false;
  readonly #write: (lines: string) => void;
  #out = `${JSON.stringify({ format: FORMAT, version: TRACE_VERSION })}\n`;

  constructor(write: (lines: string) => void) {
    this.#write = write;
  }

  event(e: TraceEvent): void {
    const numbers = `${e.kind},${e.tid},${e.timeNs},${json(e.a)},${json(e.b)},${json(e.c)}`;
    this.#out += e.text === undefined ? `[${numbers}]\n` : `[${numbers},${JSON.stringify(e.text)}]\n`;
    if (this.#out.length >= PIECE_CHARACTERS) this.flush();
  }

  flush(): void {
    if (this.#out === '') return;
    const lines = this.#out;
    this.#out = '';
    this.#write(lines);
  }

  close(): void {
    this.flush();
  }
}

/** JSON has no NaN: the result of a call that never returned is null. */
function json(value: number): string {
  return Number.isNaN(value) ? 'null' : String(value);
}

/**
 * The events of a stored trace.
 * @param lines its lines, with or without their ends
 * @throws TraplineError `TRACE_FORMAT` for what is no trace, is of another version, or is damaged
 */
export function* readTraceFile(lines: Iterable<string>): Generator<TraceEvent> {
  let number = 0;
  for (const line of lines) {
    number++;
    if (number === 1) checkHeader(line);
    else if (line.trim() !== '') yield toEvent(line, number);
  }
  if (number === 0) throw damaged('it is empty');
}

function checkHeader(line: string): void {
  const header = parse(line);
  const { format, version } = Object(header) as { format?: unknown; version?: unknown };
  if (format !== FORMAT) throw damaged('its first line does not say that it is one');
  if (version !== TRACE_VERSION) throw damaged(`it is of version ${String(version)}, not ${TRACE_VERSION}`);
}

function toEvent(line: string, number: number): TraceEvent {
  const row = parse(line);
  if (!Array.isArray(row) || row.length < 6 || row.length > 7) throw damaged(`line ${number} is no event`);
  const [kind, tid, timeNs, a, b, c, text] = row as unknown[];
  if (!KINDS.has(kind)) throw damaged(`line ${number} is of no known kind`);
  if (text !== undefined && typeof text !== 'string') throw damaged(`the text of line ${number} is none`);
  return {
    kind: kind as EventKind,
    tid: toNumber(tid, number),
    timeNs: toNumber(timeNs, number),
    a: toNumber(a, number),
    b: toNumber(b, number),
    c: toNumber(c, number),
    text,
  };
}

function toNumber(value: unknown, line: number): number {
  if (value === null) return Number.NaN;
  if (typeof value !== 'number') throw damaged(`line ${line} holds something that is no number`);
  return value;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

function damaged(why: string): TraplineError {
  return new TraplineError('TRACE_FORMAT', `this is no trace of version ${TRACE_VERSION}: ${why}`);
}
