// SPDX-License-Identifier: MIT
//
// Counts how often each opcode form was executed with the same outcome on both sides, and renders the table.

import { Instruction } from 'iced-x86';
import type { ExcludedForm, Form } from './forms.ts';
import type { Case, Outcome } from './records.ts';
import { Trap, rip } from './records.ts';

// Forms that can never complete: their fault is what they are for.
const ALWAYS_FAULTS = /^(Ud[012]|Int3|Int_imm8|Syscall)/;

export interface GroupCoverage {
  readonly group: string;
  readonly forms: number;
  readonly covered: number;
  readonly missing: readonly string[];
  /** Agreeing executions of the form that had fewest. */
  readonly fewest: number;
}

export class Coverage {
  readonly #forms: readonly Form[];
  readonly #byCode: ReadonlyMap<number, Form>;
  readonly #completed = new Map<number, number>();
  readonly #faulted = new Map<number, number>();
  readonly #transfers = new Set<number>();

  constructor(forms: readonly Form[]) {
    this.#forms = forms;
    this.#byCode = new Map(forms.map((f) => [f.code, f]));
    const probe = new Instruction();
    for (const f of forms) {
      probe.code = f.code;
      // FlowControl.Next is 0; everything else may leave the straight line.
      if (probe.flowControl !== 0) this.#transfers.add(f.code);
    }
    probe.free();
  }

  /** Counts the instructions of an agreeing case that surely ran: up to the first transfer or the fault. */
  add(c: Case, o: Outcome): void {
    if (o.trap === Trap.endless || o.trap === Trap.lost) return;
    let start = c.codeAddress;
    const end = rip(o);
    let straight = true;
    for (const unit of c.units) {
      const isFault = o.trap !== Trap.breakpoint && o.trap !== Trap.debug;
      if (isFault && end === start) {
        this.#count(this.#faulted, unit.form);
        return;
      }
      if (straight && end < start) return;
      this.#count(this.#completed, unit.form);
      if (this.#transfers.has(unit.form)) straight = false;
      if (!straight) return;
      start += unit.bytes.length;
      if (end === start && o.trap === Trap.debug) return;
    }
  }

  #count(table: Map<number, number>, form: number): void {
    table.set(form, (table.get(form) ?? 0) + 1);
  }

  #runs(f: Form): number {
    const completed = this.#completed.get(f.code) ?? 0;
    return f.group === 'privileged' || ALWAYS_FAULTS.test(f.name)
      ? completed + (this.#faulted.get(f.code) ?? 0)
      : completed;
  }

  /** Forms of one group; covered means that it ran to completion with equal outcomes `atLeast` times. */
  group(group: string, atLeast: number): GroupCoverage {
    const forms = this.#forms.filter((f) => f.group === group);
    const missing = forms.filter((f) => this.#runs(f) < atLeast).map((f) => `${f.name} (${this.#runs(f)})`);
    return {
      group,
      forms: forms.length,
      covered: forms.length - missing.length,
      missing,
      fewest: Math.min(...forms.map((f) => this.#runs(f))),
    };
  }

  get groups(): string[] {
    return [...new Set([...this.#byCode.values()].map((f) => f.group))];
  }
}

/** The table as text, with the excluded forms by reason. */
export function renderCoverage(coverage: Coverage, excluded: readonly ExcludedForm[], atLeast: number): string {
  const lines = ['group        forms  covered       %  fewest runs'];
  for (const name of coverage.groups) {
    const g = coverage.group(name, atLeast);
    lines.push(
      `${g.group.padEnd(11)} ${String(g.forms).padStart(6)} ${String(g.covered).padStart(8)} ${((100 * g.covered) / g.forms).toFixed(1).padStart(7)} ${String(g.fewest).padStart(12)}`,
    );
    if (g.missing.length > 0) lines.push(`  not covered: ${g.missing.join(', ')}`);
  }
  const reasons = new Map<string, number>();
  for (const e of excluded) reasons.set(e.reason, (reasons.get(e.reason) ?? 0) + 1);
  lines.push('excluded forms');
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]))
    lines.push(`${String(count).padStart(6)}  ${reason}`);
  return lines.join('\n');
}
