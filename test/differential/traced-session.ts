// SPDX-License-Identifier: MIT
//
// Steps through cases on both sides and compares RIP after every step, and the end of stepping with the end
// of running. Only cases on which a plain run agrees are stepped: known differences are the other test's.

import { hex } from '../../src/base/addr.ts';
import { compareOutcomes, masksOf } from './compare.ts';
import type { EmulatedCpu } from './emulated.ts';
import { MAX_STEPS } from './emulated.ts';
import { CODE_NAMES } from './forms.ts';
import type { NativeCpu } from './native.ts';
import type { Case } from './records.ts';
import { renderFailure } from './report.ts';

const TRAP_FLAG = 0x100;
// These read, write or report RFLAGS, where the real CPU's stepping shows as TF.
const SEES_TRAP_FLAG = /^(Pushf|Popf|Syscall|Int)/;

export class TracedSession {
  readonly #native: NativeCpu;
  readonly #emulated: EmulatedCpu;
  readonly reports: string[] = [];
  /** Steps compared. */
  steps = 0;

  constructor(native: NativeCpu, emulated: EmulatedCpu) {
    this.#native = native;
    this.#emulated = emulated;
  }

  run(cases: readonly Case[]): void {
    const suited = cases.filter((c) => {
      const flags = Number(c.regs[17] ?? 0n);
      return (flags & TRAP_FLAG) === 0 && !c.units.some((u) => SEES_TRAP_FLAG.test(CODE_NAMES.get(u.form) ?? ''));
    });
    const plain = this.#native.run(suited);
    const traced = this.#native.run(suited, true);
    suited.forEach((c, i) => {
      const native = plain[i];
      const stepped = traced[i];
      if (!native || !stepped) throw new Error('the native side lost count');
      const whole = this.#emulated.run(c);
      if (compareOutcomes(c, native, whole, masksOf(c)).length > 0) return;
      const emulated = this.#emulated.trace(c);
      // A long rep: neither side was stepped to its end.
      if (emulated.steps.length >= MAX_STEPS) return;
      this.steps += emulated.steps.length;
      this.#compareSteps(c, stepped.steps, emulated.steps);
      const differences = compareOutcomes(c, whole, emulated, masksOf(c));
      if (differences.length > 0) {
        this.reports.push(
          `stepping (below: emulated) ends otherwise than running (native)\n${renderFailure({ case: c, original: c, native: whole, emulated, differences }, 0)}`,
        );
      }
    });
  }

  #compareSteps(c: Case, native: readonly number[], emulated: readonly number[]): void {
    const at = native.findIndex((rip, i) => rip !== emulated[i]);
    if (at < 0 && native.length === emulated.length) return;
    const show = (steps: readonly number[]) =>
      steps
        .slice(Math.max(0, at - 2), at + 3)
        .map(hex)
        .join(' ');
    const outcome = this.#emulated.run(c);
    this.reports.push(
      `step ${at} goes elsewhere (${native.length} native, ${emulated.length} emulated steps): native ${show(native)}, emulated ${show(emulated)}\n${renderFailure({ case: c, original: c, native: outcome, emulated: outcome, differences: [] }, 0)}`,
    );
  }
}
