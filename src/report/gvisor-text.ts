// SPDX-License-Identifier: MIT
//
// Syscall lines in the dialect of gVisor's own strace log: one line at entry (E), one at exit (X), prefixed by
// `[tgid:tid] program`. Arguments are decoded as in the other dialect.

import { errnoName } from '../abi/errno-text.ts';
import { signalName } from '../abi/signal.ts';
import { syscallName } from '../abi/sysno.ts';
import { hex } from '../base/addr.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { TraceConsumer } from '../trace/ring.ts';
import { exitLine, secondsText } from './strace-text.ts';
import type { StraceOptions } from './strace-text.ts';

interface Entry {
  readonly text: string;
  readonly timeNs: number;
}

/** Renders the `gvisor` format. */
export class GvisorText implements TraceConsumer {
  readonly wantsText = true;
  readonly immediate: boolean;
  readonly #options: StraceOptions;
  readonly #groups = new Map<number, number>();
  readonly #entries = new Map<number, Entry>();
  #program = '?';
  #out = '';

  constructor(options: StraceOptions) {
    this.#options = options;
    this.immediate = options.immediate;
  }

  event(e: TraceEvent): void {
    switch (e.kind) {
      case EventKind.runStart:
      case EventKind.exec:
        this.#program = (e.text ?? '?').replace(/.*\//, '');
        return;
      case EventKind.taskStart:
        this.#groups.set(e.tid, e.a);
        return;
      case EventKind.syscallEnter: {
        const text = (e.text ?? '').replace(/, $/, '');
        this.#entries.set(e.tid, { text: e.text ?? '', timeNs: e.timeNs });
        this.#line(e, `E ${syscallName(e.a)}(${text})`);
        break;
      }
      case EventKind.syscallExit:
        this.#exit(e);
        break;
      case EventKind.signalDelivered:
        this.#line(e, `- ${signalName(e.a)} ${e.text ?? ''}`);
        break;
      case EventKind.taskExit:
        this.#line(e, `- ${exitLine(e.b)}`);
        this.#groups.delete(e.tid);
        this.#entries.delete(e.tid);
        break;
      case EventKind.sitePatched:
        this.#line(e, `- usertrap: patched ${hex(e.a)} sysno=${e.b} trap=${e.c}`);
        break;
      default:
        return;
    }
    if (this.immediate || this.#out.length > 65536) this.flush();
  }

  flush(): void {
    if (this.#out === '') return;
    const text = this.#out;
    this.#out = '';
    this.#options.write(text);
  }

  close(): void {
    this.flush();
  }

  #exit(e: TraceEvent): void {
    const entry = this.#entries.get(e.tid);
    const text = e.text ?? '';
    const micros = entry === undefined ? 0 : (e.timeNs - entry.timeNs) / 1000;
    this.#line(
      e,
      `X ${syscallName(e.a)}(${entry?.text ?? ''}${text.slice(0, e.c)}) = ${resultText(e.b)} (${micros}µs)`,
    );
  }

  #line(e: TraceEvent, text: string): void {
    const group = String(this.#groups.get(e.tid) ?? e.tid).padStart(4);
    const time = this.#options.times ? `${secondsText(BigInt(Math.round(e.timeNs)) + this.#options.epochNs())} ` : '';
    this.#out += `${time}[${group}:${String(e.tid).padStart(4)}] ${this.#program} ${text}\n`;
  }
}

function resultText(result: number): string {
  if (Number.isNaN(result)) return '?';
  if (result < 0 && result > -4096) return `0 (0x0) errno=${-result} (${errnoName(-result)})`;
  return `${result} (${hex(result)})`;
}
