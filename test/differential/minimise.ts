// SPDX-License-Identifier: MIT
//
// Makes a failing case smaller: drops instructions and patches, then replaces register, FPU and memory
// values by plain ones, as long as the two sides still differ in a way that nothing accounts for.

import { Reg } from '../../src/cpu/regs.ts';
import { CODE_NAMES } from './forms.ts';
import { explain } from './known-differences.ts';
import type { Case } from './records.ts';
import type { Compared, Failure, Session } from './session.ts';
import { addressIn } from './session.ts';

function unexplained(session: Session, c: Case): Compared | undefined {
  const [result] = session.compare([c]);
  if (!result || result.differences.length === 0) return undefined;
  const last = c.units[c.units.length - 1];
  return last &&
    explain({
      form: CODE_NAMES.get(last.form) ?? '',
      bytes: last.bytes,
      address: addressIn(c, last),
      case: c,
      ...result,
    })
    ? undefined
    : result;
}

function* dropped(c: Case): Generator<Case> {
  for (let i = c.units.length - 1; i >= 0 && c.units.length > 1; i--)
    yield { ...c, units: c.units.filter((_, n) => n !== i) };
  for (let i = c.patches.length - 1; i >= 0; i--) yield { ...c, patches: c.patches.filter((_, n) => n !== i) };
}

function withReg(c: Case, r: number, value: bigint): Case {
  const regs = new BigUint64Array(c.regs);
  regs[r] = value;
  return { ...c, regs };
}

function withFx(c: Case, offset: number, bytes: readonly number[]): Case {
  const fx = c.fx.slice();
  fx.set(bytes, offset);
  return { ...c, fx };
}

function* plainer(c: Case): Generator<Case> {
  for (let r = 0; r < c.regs.length; r++) {
    if (r === Reg.rip) continue;
    const plain = r === Reg.rflags ? [0x202n] : [0n, 1n];
    for (const value of plain) if (c.regs[r] !== value && c.regs[r] !== 0n) yield withReg(c, r, value);
  }
  yield withFx(c, 0, [0x7f, 0x03]);
  yield withFx(c, 2, [0, 0]);
  yield withFx(c, 4, [0]);
  yield withFx(c, 24, [0x80, 0x1f]);
  for (let i = 0; i < 24; i++) yield withFx(c, 32 + i * 16, new Array<number>(16).fill(0));
}

function same(a: Case, b: Case): boolean {
  return (
    a.units.length === b.units.length &&
    a.patches.length === b.patches.length &&
    Buffer.compare(a.fx, b.fx) === 0 &&
    a.regs.every((v, i) => v === b.regs[i])
  );
}

/** The smallest case found that still fails, with its outcomes. */
export function minimise(session: Session, failure: Failure): Failure {
  let best = failure;
  let changed = true;
  while (changed) {
    changed = false;
    for (const step of [dropped, plainer]) {
      for (const candidate of step(best.case)) {
        if (same(candidate, best.case)) continue;
        const result = unexplained(session, candidate);
        if (!result) continue;
        best = { ...best, ...result, case: candidate };
        changed = true;
        break;
      }
      if (changed) break;
    }
  }
  return best;
}
