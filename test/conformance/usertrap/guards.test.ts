// SPDX-License-Identifier: MIT
//
// Each guard is a difference of its own: without any one of them, and with any one of them alone, an ordinary program
// makes its calls.

import { describe, expect, it } from 'vitest';

import { Reg } from '../../../src/cpu/regs.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../../src/usertrap/guards.ts';
import type { Guards } from '../../../src/usertrap/guards.ts';
import { call, END, GETPID, GETUID, Machine, PID, TEXT, UID } from '../../platform/machine.ts';

const NAMES = Object.keys(HARDENED_GUARDS) as (keyof Guards)[];

/** Two sites in a loop of 20; the results to ebx and esi. */
const PROGRAM = `90 bd 14 00 00 00 ${call(GETPID)} 89 c3 ${call(GETUID)} 89 c6 ff cd 75 ea 90 ${END}`;

/** Turns of every length, a fork half way, and the end of both processes. */
function lives(m: Machine): void {
  m.poke(TEXT + 0x100, PROGRAM);
  m.guest.regs.set(Reg.rip, TEXT + 0x100);
  for (let i = 0; i < 30; i++) m.platform.switchTo(m.guest, 1 + (i % 7));
  const mm = m.mm.fork();
  if (mm === undefined || m.platform.forkSpace(m.mm, mm) !== 0) throw new Error('no memory to fork');
  const child = m.newGuest(mm);
  for (const guest of [child, m.guest]) {
    m.calls.length = 0;
    m.run(guest === child ? TEXT + 0x100 : undefined, guest);
    const end = m.calls.at(-1);
    expect(end?.sysno).toBe(60);
    expect([end?.regs.get(Reg.rbx), end?.regs.get(Reg.rsi), end?.regs.get(Reg.rbp)]).toEqual([PID, UID, 0]);
    expect(m.calls.filter((c) => c.patched).length).toBeGreaterThan(0);
  }
}

it('are the same names in both modes, all off upstream, all on hardened', () => {
  expect(Object.keys(UPSTREAM_GUARDS).toSorted()).toEqual(NAMES.toSorted());
  expect(NAMES.filter((name) => UPSTREAM_GUARDS[name])).toEqual([]);
  expect(NAMES.filter((name) => !HARDENED_GUARDS[name])).toEqual([]);
});

describe('a program makes its calls', () => {
  it.each(NAMES)('hardened without %s', (name) => {
    const m = new Machine('hardened', { guards: { [name]: false } });
    lives(m);
    m.dispose();
  });

  it.each(NAMES)('upstream with %s', (name) => {
    const m = new Machine('upstream', { guards: { [name]: true } });
    lives(m);
    m.dispose();
  });
});
