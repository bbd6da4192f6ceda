// SPDX-License-Identifier: MIT
//
// Scenarios 25 to 27, 32, 33, 49 to 51 and 55: several tasks, several address spaces, tracers; code that is mapped twice
// or rewritten at the worst moment.

import { afterEach, describe, expect, it } from 'vitest';

import { MAP_ANONYMOUS, MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../src/abi/mman.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import type { AddressSpace } from '../../../src/mm/address-space.ts';
import { call, DATA, END, EXIT, GETPID, GETUID, Machine, TEXT } from '../../platform/machine.ts';
import type { Guest } from '../../platform/machine.ts';
import { TestFile } from '../../mm/test-file.ts';
import { trapsOf } from './invariant-observer.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const RWX = PROT_READ | PROT_WRITE | PROT_EXEC;
const ORIGINAL = toHex(Uint8Array.of(0xb8, GETPID, 0, 0, 0, 0x0f, 5));
const MODES = ['upstream', 'hardened'] as const;

function site(m: Machine, at: number, nr = GETPID, mm = m.mm): number {
  m.poke(at - 1, `90 ${call(nr)} 90 ${END}`, mm);
  return at;
}

function fork(m: Machine, parent = m.mm): { mm: AddressSpace; guest: Guest } {
  const mm = parent.fork();
  if (mm === undefined || m.platform.forkSpace(parent, mm) !== 0) throw new Error('no memory to fork');
  return { mm, guest: m.newGuest(mm) };
}

const last = (m: Machine): Machine['calls'][number] | undefined => m.calls.at(-2);

/** Runs a task instruction by instruction to its next call of a number, and calls `between` before each. */
function step(m: Machine, guest: Guest, sysno: number, between: () => void): void {
  const before = m.calls.length;
  for (let i = 0; i < 200; i++) {
    if (m.calls.slice(before).some((c) => c.tid === guest.tid && c.sysno === sysno)) return;
    between();
    m.platform.switchTo(guest, 1);
  }
  throw new Error('the call does not come');
}

describe.each(MODES)('25 fork-vs-patch, %s', (mode) => {
  it('a child, whenever it is made, has the site as it was or patched, and calls the right number', () => {
    const m = (machine = new Machine(mode));
    const s = site(m, TEXT + 0x101);
    const whole = new Set<string>();
    m.guest.regs.set(Reg.rip, s - 1);
    for (let round = 0; round < 2; round++) {
      m.guest.regs.set(Reg.rip, s - 1);
      step(m, m.guest, EXIT, () => {
        const child = fork(m);
        const bytes = toHex(m.peek(s, 7, child.mm));
        whole.add(bytes === ORIGINAL || /^ff2425....0600$/.test(bytes) ? bytes.slice(0, 2) : bytes);
        m.run(s - 1, child.guest);
        expect(last(m)).toMatchObject({ tid: child.guest.tid, sysno: GETPID });
        m.platform.detach(child.guest);
        m.platform.dropSpace(child.mm);
        child.mm.release();
      });
    }
    expect([...whole]).toEqual(['b8', 'ff']);
  });
});

describe.each(MODES)('26 fork-cow-midtramp: a task that is seen, %s', (mode) => {
  it('a task goes on from wherever it may be seen after the table’s pages were copied', () => {
    const m = (machine = new Machine(mode));
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    const b = m.newGuest(m.mm);
    b.regs.set(Reg.rip, s - 1);
    let next = TEXT + 0x201;
    step(m, b, GETPID, () => {
      fork(m);
      // P patches: the header and a slot are written, and the pages that the child shares are copied.
      m.run(site(m, next) - 1);
      next += 64;
    });
    expect(m.calls.at(-1)).toMatchObject({ tid: b.tid, sysno: GETPID, patched: true, rip: s + 7 });
  });
});

describe.each(MODES)('27 vfork-shares, %s', (mode) => {
  it('what a child patches in its parent’s space serves the parent; there is one header', () => {
    const m = (machine = new Machine(mode));
    const s = site(m, TEXT + 0x101);
    const child = m.newGuest(m.mm);
    m.run(s - 1, child);
    m.platform.detach(child);
    m.run(s);
    expect(last(m)).toMatchObject({ tid: m.guest.tid, sysno: GETPID, patched: true });
    expect(toHex(m.peek(trapsOf(m.guest).base, 4))).toBe('02000000');
    expect(m.platform.metrics().sites).toMatchObject([{ address: s, calls: 1 }]);
  });
});

describe('32 attach-existing', () => {
  /** Steps from before a site that is patched until its call is made; what a tracer reads at each stop. */
  function steps(m: Machine, s: number, count: number): string[] {
    m.guest.hasTracer = true;
    m.platform.tracerChanged(m.guest);
    const { regs } = m.guest;
    regs.set(Reg.rip, s - 1);
    const seen: string[] = [];
    for (let i = 0; i < count && m.calls.at(-1)?.sysno !== GETPID; i++) {
      m.guest.regs.u64[Reg.rflags] = 0x302n;
      const { kind } = m.platform.switchTo(m.guest, 1000);
      seen.push(`${kind} ${(m.guest.regs.get(Reg.rip) - s).toString()} ${toHex(m.peek(s, 7))}`);
    }
    return seen;
  }

  it('hardened: the tracer finds the program’s own code and steps over it', () => {
    const m = (machine = new Machine('hardened'));
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    expect(toHex(m.peek(s, 7))).not.toBe(ORIGINAL);
    m.calls.length = 0;
    expect(steps(m, s, 9)).toEqual([`fault 0 ${ORIGINAL}`, `fault 5 ${ORIGINAL}`, `fault 7 ${ORIGINAL}`]);
    expect(m.calls).toMatchObject([{ sysno: GETPID, patched: false, rip: s + 7 }]);
    // Without a tracer it is patched again.
    m.guest.hasTracer = false;
    m.platform.tracerChanged(m.guest);
    m.guest.regs.u64[Reg.rflags] = 0x202n;
    m.run(s - 1);
    m.run(s);
    expect(last(m)).toMatchObject({ patched: true });
  });

  it('upstream: the tracer finds the jump, and its step leads into the slot', () => {
    const m = (machine = new Machine('upstream'));
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    m.calls.length = 0;
    const slot = trapsOf(m.guest).base + 80;
    const jump = toHex(m.peek(s, 7));
    expect(steps(m, s, 3)).toEqual([
      `fault 0 ${jump}`,
      `fault ${slot + 8 - s} ${jump}`,
      `fault ${slot + 20 - s} ${jump}`,
    ]);
  });
});

describe.each(MODES)('33 traced-from-start, %s', (mode) => {
  it('no site is patched and every call traps', () => {
    const m = (machine = new Machine(mode));
    m.guest.hasTracer = true;
    m.platform.tracerChanged(m.guest);
    const s = site(m, TEXT + 0x101);
    for (let i = 0; i < 5; i++) m.run(s - 1);
    expect(m.calls.filter((c) => c.sysno === GETPID).map((c) => c.patched)).toEqual(
      Array.from({ length: 5 }, () => false),
    );
    expect(m.platform.metrics()).toMatchObject({ sites: [], patchedCalls: 0, refused: [{ rule: 'traced', traps: 5 }] });
    expect(m.mm.findVmaByName('[usertrap]')).toBeUndefined();
  });
});

describe('49 alias-pages', () => {
  /** One page of a file, mapped twice. */
  function aliases(mode: (typeof MODES)[number]): { m: Machine; a: number; b: number } {
    const m = (machine = new Machine(mode));
    const file = new TestFile(new Uint8Array(4096));
    const [a, b] = [0x900000, 0xa00000];
    for (const addr of [a, b]) m.mm.mmap({ addr, length: 4096, prot: RWX, flags: MAP_SHARED | MAP_FIXED, file });
    return { m, a: site(m, a + 0x41), b: b + 0x41 };
  }

  it('upstream: a call through the second mapping comes back in the first', () => {
    const { m, a, b } = aliases('upstream');
    m.run(a - 1);
    m.run(b);
    expect(last(m)).toMatchObject({ sysno: GETPID, patched: true, rip: a + 7 });
  });

  it('hardened: the page is not patched, each call comes back where it was made', () => {
    const { m, a, b } = aliases('hardened');
    for (const at of [a, b, a, b]) {
      m.run(at - 1);
      expect(last(m)).toMatchObject({ sysno: GETPID, patched: false, rip: at + 7 });
    }
    expect(m.platform.metrics().refused.map((r) => r.rule)).toEqual(['shared-frame', 'shared-frame']);
  });
});

describe('50 shared-code-fork', () => {
  /** Shared code with two sites; the parent patches one, its child the other. */
  function sides(mode: (typeof MODES)[number]): { m: Machine; child: Guest; own: number; others: number } {
    const m = (machine = new Machine(mode));
    m.mm.mmap({ addr: 0x900000, length: 4096, prot: RWX, flags: MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED });
    // The table is there before the fork, so that both sides have it at the same place.
    m.run(site(m, TEXT + 0x101) - 1);
    const own = site(m, 0x900041, GETPID);
    const others = site(m, 0x900081, GETUID);
    const child = fork(m).guest;
    m.run(own - 1);
    m.run(others - 1, child);
    return { m, child, own, others };
  }

  it('upstream: the two take the same slot for different calls, and one makes the other’s', () => {
    const { m, others } = sides('upstream');
    m.run(others);
    expect(last(m)).toMatchObject({ tid: m.guest.tid, sysno: GETPID, patched: true });
  });

  it('hardened: each makes its own', () => {
    const { m, child, own, others } = sides('hardened');
    for (const guest of [m.guest, child]) {
      m.run(others, guest);
      expect(last(m)).toMatchObject({ tid: guest.tid, sysno: GETUID, patched: false });
      m.run(own, guest);
      expect(last(m)).toMatchObject({ tid: guest.tid, sysno: GETPID, patched: false });
    }
  });
});

describe('51 jit-toctou', () => {
  /** The number of the site changes between what the stub sees and what the Sentry does. */
  function rewritten(mode: (typeof MODES)[number]): { m: Machine; s: number } {
    const m = (machine = new Machine(mode));
    const s = site(m, TEXT + 0x101);
    const look = m.observer.onStep.bind(m.observer);
    m.observer.onStep = (traps, stepMade, result) => {
      look(traps, stepMade, result);
      if (stepMade.what === 'stub read 2') m.poke(s + 1, toHex(Uint8Array.of(GETUID)));
    };
    m.run(s - 1);
    m.observer.onStep = look;
    return { m, s };
  }

  it('upstream: the slot has the old number, and the new code makes the old call', () => {
    const { m, s } = rewritten('upstream');
    m.run(s);
    expect(last(m)).toMatchObject({ sysno: GETPID, patched: true });
  });

  it('hardened: nothing is patched then; the next call is the new one', () => {
    const { m, s } = rewritten('hardened');
    expect(m.platform.metrics()).toMatchObject({ sites: [], slots: { used: 0 }, refused: [{ rule: 'changed' }] });
    m.run(s - 1);
    m.run(s);
    expect(last(m)).toMatchObject({ sysno: GETUID, patched: true });
  });
});

describe('55 gs-pool', () => {
  it('hardened: who comes after a task that spoiled its GS base finds its own', () => {
    const m = (machine = new Machine('hardened'));
    m.poke(TEXT + 0x300, `f3 48 0f ae da ${END}`); // wrgsbase %rdx
    m.guest.regs.set(Reg.rdx, DATA);
    m.run(TEXT + 0x300);
    m.platform.detach(m.guest);
    m.platform.dropSpace(m.mm);
    const mm = m.newSpace();
    const guest = m.newGuest(mm);
    const s = site(m, TEXT + 0x101, GETPID, mm);
    m.run(s - 1, guest);
    m.run(s, guest);
    expect(last(m)).toMatchObject({ sysno: GETPID, patched: true });
    expect(m.platform.guestGsBase(guest)).toBe(0);
  });
});
