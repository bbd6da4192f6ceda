// SPDX-License-Identifier: MIT
//
// The table of `run --strace-summary`: what `strace -c` shows, and how many calls of each kind were trapped and how
// many came through a patched site. Times are virtual: what a task spent blocked.

import { syscallName } from '../abi/sysno.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { TraceConsumer } from '../trace/ring.ts';

interface Row {
  calls: number;
  errors: number;
  trapped: number;
  patched: number;
  ns: number;
}

/** Counts calls by number. */
export class SyscallSummary implements TraceConsumer {
  readonly wantsText = false;
  readonly immediate = false;
  readonly #rows = new Map<number, Row>();
  readonly #entered = new Map<number, number>();
  #restarted = 0;

  event(e: TraceEvent): void {
    if (e.kind === EventKind.syscallEnter) {
      const row = this.#row(e.a);
      row.calls++;
      if (e.c === 1) row.patched++;
      else row.trapped++;
      this.#entered.set(e.tid, e.timeNs);
    } else if (e.kind === EventKind.syscallExit) {
      const row = this.#row(e.a);
      if (e.b < 0 && e.b > -4096) row.errors++;
      row.ns += e.timeNs - (this.#entered.get(e.tid) ?? e.timeNs);
    } else if (e.kind === EventKind.siteRestarted) {
      this.#restarted++;
    }
  }

  /** The table, most time first, then most calls, then by name. */
  text(): string {
    const rows = [...this.#rows].map(([sysno, row]) => ({ name: syscallName(sysno), ...row }));
    rows.sort((a, b) => b.ns - a.ns || b.calls - a.calls || (a.name < b.name ? -1 : 1));
    const total = { name: 'total', calls: 0, errors: 0, trapped: 0, patched: 0, ns: 0 };
    for (const row of rows) {
      total.calls += row.calls;
      total.errors += row.errors;
      total.trapped += row.trapped;
      total.patched += row.patched;
      total.ns += row.ns;
    }
    const rule = '------ ----------- ----------- --------- --------- --------- --------- ----------------\n';
    let out = '% time     seconds  usecs/call     calls    errors   trapped   patched syscall\n' + rule;
    for (const row of rows) out += line(row, total.ns);
    out += rule + line(total, total.ns);
    return out + `restarted after a fault in a half-patched site: ${this.#restarted}\n`;
  }

  #row(sysno: number): Row {
    let row = this.#rows.get(sysno);
    if (row === undefined) {
      row = { calls: 0, errors: 0, trapped: 0, patched: 0, ns: 0 };
      this.#rows.set(sysno, row);
    }
    return row;
  }
}

function line(row: Row & { name: string }, totalNs: number): string {
  const share = totalNs === 0 ? 0 : (row.ns * 100) / totalNs;
  const perCall = row.calls === 0 ? 0 : Math.floor(row.ns / 1000 / row.calls);
  const count = (n: number): string => (n === 0 ? '' : String(n)).padStart(9);
  return (
    `${share.toFixed(2).padStart(6)} ${(row.ns / 1e9).toFixed(6).padStart(11)} ${String(perCall).padStart(11)} ` +
    `${count(row.calls)} ${count(row.errors)} ${count(row.trapped)} ${count(row.patched)} ${row.name}\n`
  );
}
