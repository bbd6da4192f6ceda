// SPDX-License-Identifier: MIT
//
// Each guard is a difference of its own: without any one of them, and with any one of them alone, an ordinary program
// makes its calls.

import { describe, expect, it } from 'vitest';

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../src/abi/mman.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../../src/usertrap/guards.ts';
import type { Guards } from '../../../src/usertrap/guards.ts';
import { call, END, GETPID, GETUID, Machine, PID, TEXT, UID } from '../../platform/machine.ts';

const SITE = TEXT + 0x201;
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

/** One program for each guard whose absence no mutant of the invariants shows; what it comes to with the guard and without. */
const SHOWN: readonly {
  readonly guard: keyof Guards;
  readonly what: string;
  readonly look: (m: Machine) => unknown;
  readonly on: unknown;
  readonly off: unknown;
}[] = [
  {
    guard: 'refuseUnknownNumbers',
    what: 'sites for a number that no kernel has',
    look: (m) => {
      m.poke(SITE - 1, `90 ${call(5000)} 90 ${END}`);
      m.run(SITE - 1);
      return m.platform.metrics().sites.length;
    },
    on: 0,
    off: 1,
  },
  {
    guard: 'spareGuestMappings',
    what: 'the guest’s page where the table wants to go',
    look: (m) => {
      m.map(0x60000, 0xb000, PROT_READ | PROT_WRITE);
      for (let page = 0x60000; page < 0x6b000; page += 0x1000) m.poke(page, '77');
      patch(m);
      return [...Array(11).keys()].every((i) => m.peek(0x60000 + 0x1000 * i, 1)[0] === 0x77);
    },
    on: true,
    off: false,
  },
  {
    guard: 'exemptFromMemlock',
    what: 'sites where no memory may be locked',
    look: (m) => {
      m.mm.limits.memlockBytes = 0;
      patch(m);
      return m.platform.metrics().sites.length;
    },
    on: 1,
    off: 0,
  },
  {
    guard: 'reuseSlots',
    what: 'slots after the code of one site was mapped anew ten times',
    look: (m) => {
      for (let i = 0; i < 10; i++) {
        m.map(0x900000, 0x1000, PROT_READ | PROT_EXEC);
        m.poke(0x900000, `90 ${call(GETPID)} 90 ${END}`);
        m.run(0x900000);
      }
      return m.platform.metrics().slots.used;
    },
    on: 1,
    off: 10,
  },
  {
    guard: 'narrowNumber',
    what: 'the number of a trapped call with a bit above 32',
    look: (m) => {
      m.poke(SITE, `48 b8 27 00 00 00 01 00 00 00 90 0f 05 ${END}`);
      m.run(SITE);
      return m.calls[0]?.sysno;
    },
    on: GETPID,
    off: 0x86000000 + GETPID,
  },
  {
    guard: 'syscallClobbers',
    what: 'rcx behind a patched call',
    look: (m) => {
      m.poke(SITE - 1, `90 ${call(GETPID)} 48 89 cb ${END}`); // mov %rcx,%rbx
      m.run(SITE - 1);
      m.guest.regs.set(Reg.rcx, 0x1111);
      m.run(SITE);
      return m.calls.at(-1)?.regs.get(Reg.rbx);
    },
    on: SITE + 7,
    off: 0x1111,
  },
  {
    guard: 'hideSlotRip',
    what: 'a task that has executed the jump, and one instruction before, is shown in a slot',
    look: (m) => {
      patch(m);
      m.guest.regs.set(Reg.rip, SITE - 1);
      m.platform.switchTo(m.guest, 2);
      const rip = m.guest.regs.get(Reg.rip);
      return rip >= 0x60000 && rip < 0x70000;
    },
    on: false,
    off: true,
  },
  {
    guard: 'restoreForTracer',
    what: 'the bytes of a site that a tracer finds',
    look: (m) => {
      patch(m);
      m.guest.hasTracer = true;
      m.platform.tracerChanged(m.guest);
      return m.peek(SITE, 1)[0];
    },
    on: 0xb8,
    off: 0xff,
  },
  {
    guard: 'restoreEditedSites',
    what: 'the bytes of a site that is made writable',
    look: (m) => {
      patch(m);
      m.mm.mprotect(TEXT, 0x4000, PROT_READ | PROT_WRITE | PROT_EXEC);
      return m.peek(SITE, 1)[0];
    },
    on: 0xb8,
    off: 0xff,
  },
];

function patch(m: Machine): void {
  m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
  m.run(SITE - 1);
}

describe('a guard makes the difference that it is named for', () => {
  it.each(SHOWN)('$guard: $what', ({ guard, look, on, off }) => {
    // Upstream with it alone where hardened has no such record to read; else hardened with and without it.
    const seen = [true, false].map((value) => {
      const m = new Machine(guard === 'narrowNumber' ? 'upstream' : 'hardened', {
        guards: { [guard]: value },
        isBroken: true,
        isHostile: true,
      });
      const result = look(m);
      m.dispose();
      return result;
    });
    expect(seen).toEqual([on, off]);
  });
});
