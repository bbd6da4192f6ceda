// SPDX-License-Identifier: MIT
//
// The observer of the invariants: it is silent about what is right, looks at everything, and notices each thing that is
// broken on purpose.

import { describe, expect, it } from 'vitest';

import { Reg } from '../../../src/cpu/regs.ts';
import { call, END, GETPID, Machine, TEXT } from '../../platform/machine.ts';
import { INVARIANTS } from './invariant-list.ts';
import { childOfHeader300, MUTANTS } from './mutants.ts';

const SITE = TEXT + 0x101;

/** A life: calls, turns that end anywhere, a recovery, a fork, a patch that fails, an exec. */
function life(mode: 'upstream' | 'hardened'): Machine {
  const m = new Machine(mode);
  m.poke(SITE - 1, `bd 14 00 00 00 ${call(GETPID)} 90 ff cd 75 f4 ${END}`);
  m.guest.regs.set(Reg.rip, SITE - 1);
  for (let i = 0; i < 3000 && m.calls.at(-1)?.sysno !== 60; i++) m.platform.switchTo(m.guest, 1 + (i % 3));
  m.guest.regs.set(Reg.rax, GETPID);
  m.guest.regs.set(Reg.rbp, 1);
  const site = [...m.platform.metrics().sites][0]?.address ?? 0;
  m.run(site + 5);
  const mm = m.mm.fork();
  if (mm === undefined || m.platform.forkSpace(m.mm, mm) !== 0) throw new Error('no memory to fork');
  const child = m.newGuest(mm);
  m.poke(TEXT + 0x200, `90 ${call(GETPID)} 90 ${END}`, mm);
  m.run(TEXT + 0x200, child);
  const fresh = m.newSpace();
  child.mm = fresh;
  m.platform.moveContext(child);
  return m;
}

describe('the invariants', () => {
  it('are numbered from 1 to 46, and at most six are out of sight', () => {
    expect(INVARIANTS.map((i) => i.number)).toEqual(Array.from({ length: 46 }, (_, i) => i + 1));
    expect(INVARIANTS.filter((i) => i.isUnobservable === true).length).toBeLessThanOrEqual(6);
  });

  it.each(['upstream', 'hardened'] as const)('hold through an ordinary life (%s)', (mode) => {
    const m = life(mode);
    expect(m.observer.violations).toEqual([]);
    m.dispose();
  });

  it('are all looked at in it, but for those that need a fault, a patch that fails or a stub that goes back', () => {
    const { checks } = life('upstream').observer;
    const missed = INVARIANTS.filter((i) => i.isUnobservable !== true && checks[i.number] === 0);
    expect(missed.map((i) => i.number)).toEqual([20, 22, 39]);
  });
});

describe('a machine that is broken is noticed', () => {
  it('for every invariant that can be seen', () => {
    const seen = INVARIANTS.filter((i) => i.isUnobservable !== true).map((i) => i.number);
    expect(MUTANTS.map((mutant) => mutant.invariant)).toEqual(seen);
    expect(INVARIANTS.filter((i) => i.mutant !== undefined).map((i) => i.number)).toEqual(seen);
  });

  it.each(MUTANTS.map((m) => ({ ...m, how: INVARIANTS[m.invariant - 1]?.mutant })))(
    '$invariant: $how',
    ({ invariant, make }) => {
      const m = make();
      expect(m.observer.broken).toContain(invariant);
      m.dispose();
    },
  );

  it('upstream, where the index that a header gives is not compared with the table’s size', () => {
    for (const isChecked of [true, false]) {
      const m = childOfHeader300(isChecked);
      expect(m.observer.broken.includes(2)).toBe(!isChecked);
      m.dispose();
    }
  });
});
