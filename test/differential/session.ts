// SPDX-License-Identifier: MIT
//
// Runs cases on both sides and settles each disagreement: finds the first instruction that differs, runs it
// alone from the real CPU's state, asks the known differences, and goes on behind it from that state, so
// that one known difference hides nothing that follows.

import { Reg } from '../../src/cpu/regs.ts';
import type { Difference } from './compare.ts';
import { compareOutcomes, masksOf } from './compare.ts';
import type { EmulatedCpu } from './emulated.ts';
import { CODE_NAMES } from './forms.ts';
import { explain } from './known-differences.ts';
import type { NativeCpu } from './native.ts';
import type { Case, Outcome, Unit } from './records.ts';
import { Trap, offsetOfUnit, rip } from './records.ts';
import { Flag } from './undefined-state.ts';

/** A disagreement that nothing accounts for. */
export interface Failure {
  /** The smallest part of the sequence that still shows it. */
  readonly case: Case;
  /** The sequence as generated. */
  readonly original: Case;
  readonly native: Outcome;
  readonly emulated: Outcome;
  readonly differences: readonly Difference[];
}

export interface Compared {
  readonly native: Outcome;
  readonly emulated: Outcome;
  readonly differences: Difference[];
}

interface Pending {
  readonly case: Case;
  readonly original: Case;
  /** The comparison that put it here. */
  readonly compared?: Compared;
}

/** Native and emulated outcomes of a disagreement's prefixes: entry k is after k instructions. */
interface Located extends Pending {
  readonly prefixes: readonly Compared[];
  readonly first: number;
}

const NO_MASKS = { flags: 0, conditions: 0 };

/** Where the code of a case ends. */
function endOf(c: Case): number {
  return c.codeAddress + offsetOfUnit(c, c.units.length);
}

/** True when the sequence ran to its end: into the int3 behind it. */
export function ranToEnd(c: Case, o: Outcome): boolean {
  return o.trap === Trap.breakpoint && rip(o) === endOf(c) + 1;
}

/** Where a unit of the case lies. */
export function addressIn(c: Case, unit: Unit): number {
  return c.codeAddress + offsetOfUnit(c, c.units.indexOf(unit));
}

/** The units from `from` on, starting in the state that `o` left. */
function continueFrom(c: Case, from: number, count: number, o: Outcome): Case {
  const codeAddress = c.codeAddress + offsetOfUnit(c, from);
  const regs = new BigUint64Array(o.regs);
  regs[Reg.rip] = BigInt(codeAddress);
  regs[Reg.rflags] = (regs[Reg.rflags] ?? 0n) & ~BigInt(Flag.rf);
  return {
    units: c.units.slice(from, from + count),
    codeAddress,
    regs,
    fx: o.fx,
    patches: [...c.patches, ...o.changes.map(({ address, value }) => ({ address, value }))],
  };
}

export class Session {
  readonly native: NativeCpu;
  readonly emulated: EmulatedCpu;
  readonly failures: Failure[] = [];
  /** How often each known difference was met. */
  readonly known = new Map<string, number>();
  /** Sequences that went apart only because they used a bit that an earlier instruction left undefined. */
  undefinedUsed = 0;
  /** Called with every case that agrees, for coverage. */
  readonly onAgreed: (c: Case, o: Outcome) => void;

  constructor(native: NativeCpu, emulated: EmulatedCpu, onAgreed: (c: Case, o: Outcome) => void = () => {}) {
    this.native = native;
    this.emulated = emulated;
    this.onAgreed = onAgreed;
  }

  compare(cases: readonly Case[]): Compared[] {
    const outcomes = this.native.run(cases);
    return cases.map((c, i) => {
      const native = outcomes[i];
      if (!native) throw new Error('the native side lost count');
      const emulated = this.emulated.run(c);
      return { native, emulated, differences: compareOutcomes(c, native, emulated, masksOf(c)) };
    });
  }

  /** Compares cases and settles every disagreement among them. */
  run(cases: readonly Case[]): void {
    let pending: Pending[] = cases.map((c) => ({ case: c, original: c }));
    while (pending.length > 0) pending = this.#round(pending);
  }

  #round(pending: readonly Pending[]): Pending[] {
    const compared = this.compare(pending.map((p) => p.case));
    const differing: Pending[] = [];
    compared.forEach((r, i) => {
      const p = pending[i];
      if (!p) return;
      if (r.differences.length > 0) differing.push({ ...p, compared: r });
      else this.onAgreed(p.case, r.native);
    });
    return this.#settle(this.#locate(differing));
  }

  #locate(differing: readonly Pending[]): Located[] {
    const prefixes = this.compare(
      differing.flatMap((p) => p.case.units.map((_, k) => ({ ...p.case, units: p.case.units.slice(0, k + 1) }))),
    );
    const located: Located[] = [];
    let at = 0;
    for (const p of differing) {
      const own = prefixes.slice(at, at + p.case.units.length);
      at += p.case.units.length;
      const first = own.findIndex((r) => r.differences.length > 0);
      if (first >= 0) located.push({ ...p, prefixes: own, first });
      else if (p.compared) this.#settleUnstable(p, p.compared);
    }
    return located;
  }

  /** The whole differed, but not when it was run again: the instruction that it stopped at answers for it. */
  #settleUnstable(p: Pending, compared: Compared): void {
    let at = p.case.codeAddress;
    const culprit = p.case.units.find((u) => {
      const isHere = at === rip(compared.native);
      at += u.bytes.length;
      return isHere;
    });
    if (!this.#isKnown(p.case, culprit, compared)) this.#fail(p, compared);
  }

  /** Asks the known differences about `unit`, and counts those that answer. */
  #isKnown(c: Case, unit: Unit | undefined, compared: Compared): boolean {
    const entries =
      unit &&
      explain({
        form: CODE_NAMES.get(unit.form) ?? '',
        bytes: unit.bytes,
        address: addressIn(c, unit),
        case: c,
        ...compared,
      });
    for (const { id } of entries ?? []) this.known.set(id, (this.known.get(id) ?? 0) + 1);
    if (entries?.every((k) => k.isMask)) this.onAgreed(c, compared.native);
    return entries !== undefined;
  }

  #settle(located: readonly Located[]): Pending[] {
    const singles: { l: Located; single: Case }[] = [];
    for (const l of located) {
      const before = l.prefixes[l.first - 1];
      const prefix = { ...l.case, units: l.case.units.slice(0, l.first) };
      if (l.first > 0 && before && ranToEnd(prefix, before.native)) {
        this.onAgreed(prefix, before.native);
        singles.push({ l, single: continueFrom(l.case, l.first, 1, before.native) });
      } else singles.push({ l, single: { ...l.case, units: l.case.units.slice(0, l.first + 1) } });
    }
    const results = this.compare(singles.map((s) => s.single));
    const rest: Pending[] = [];
    results.forEach((r, i) => {
      const entry = singles[i];
      if (!entry) return;
      const { l, single } = entry;
      if (r.differences.length === 0) {
        const before = l.prefixes[l.first - 1];
        const carried = before ? compareOutcomes(l.case, before.native, before.emulated, NO_MASKS) : [];
        const whole = l.prefixes[l.first];
        if (
          carried.every((d) => d.field === 'rflags' && ((d.native ^ d.emulated) & ~BigInt(Flag.rf)) === 0n) &&
          whole
        ) {
          // Same state, other outcome: it takes the instructions before to show it.
          const c = { ...l.case, units: l.case.units.slice(0, l.first + 1) };
          if (!this.#isKnown(c, l.case.units[l.first], whole)) {
            this.#fail({ case: c, original: l.original }, whole);
            return;
          }
        } else this.undefinedUsed++;
      } else {
        if (!this.#isKnown(single, single.units[single.units.length - 1], r)) {
          this.#fail({ case: single, original: l.original }, r);
          return;
        }
      }
      const remaining = l.case.units.length - l.first - 1;
      if (remaining > 0 && ranToEnd(single, r.native))
        rest.push({ case: continueFrom(l.case, l.first + 1, remaining, r.native), original: l.original });
    });
    return rest;
  }

  #fail(p: Pending, r: Compared): void {
    this.failures.push({ case: p.case, original: p.original, ...r });
  }
}
