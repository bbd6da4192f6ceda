// SPDX-License-Identifier: MIT
//
// Scenarios 21, 23, 26, 30, 55 and usertrap.md 2.9: stub threads that are interrupted wherever they are, that take turns at contexts, and
// that outlive their address space.

import { afterEach, describe, expect, it } from 'vitest';

import { Reg } from '../../../src/cpu/regs.ts';
import { upstreamStubCode } from '../../../src/platform/stub-code.ts';
import { Context, STUB_CODE, STUB_START } from '../../../src/platform/stub-layout.ts';
import { ThreadContext } from '../../../src/platform/thread-context.ts';
import { call, DATA, END, EXIT, GETPID, Machine, PID, TEXT } from '../../platform/machine.ts';
import type { Guest } from '../../platform/machine.ts';
import { trapsOf } from './invariant-observer.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const SITE = TEXT + 0x101;
/** A site; the result to ebx; xmm0 to (%rdi); the end. */
const CODE = `90 ${call(GETPID)} 89 c3 0f 11 07 90 ${END}`;
const KEPT = [Reg.rdx, Reg.rsi, Reg.rbp, Reg.r8, Reg.r9, Reg.r10, Reg.r12, Reg.r13, Reg.r14, Reg.r15];

function upstream(options: ConstructorParameters<typeof Machine>[1] = {}): Machine {
  const m = new Machine('upstream', { stubPreemption: true, ...options });
  machine = m;
  m.poke(SITE - 1, CODE);
  m.guest.regs.set(Reg.rdi, DATA);
  m.run(SITE - 1);
  return m;
}

/** Where the syshandler asks the Sentry. */
const GATE = STUB_CODE + upstreamStubCode(false).gateReturn - 2;

/** Executes one instruction of a task that has the processor: it is then lost there. False when the task is through. */
function step(m: Machine, guest: Guest): boolean {
  if (guest.regs.get(Reg.rip) === GATE) m.platform.switchTo(guest, 1);
  else m.cpu.step();
  return guest.regs.get(Reg.rip) !== SITE + 7;
}

/** Where a task is: user code, the slot's first instruction, the slot, or the stub. */
function place(guest: Guest, slot: number): string {
  const rip = guest.regs.get(Reg.rip);
  if (rip >= STUB_START) return 'stub';
  if (rip === slot + 8) return 'A+8';
  return rip > slot && rip < slot + 80 ? 'slot' : 'user';
}

describe('21 chld-after-NONE, upstream', () => {
  it('an interrupt at any instruction of a patched call loses nothing: one call, every register as it was', () => {
    const met = new Map<string, Set<string>>();
    const m = upstream();
    const slot = trapsOf(m.guest).base + 80;
    for (let point = 0; point < 200; point++) {
      const { guest } = m;
      guest.regs.set(Reg.rip, SITE);
      for (const r of KEPT) guest.regs.u64[r] = 0x1234_5678_0000n + BigInt(r);
      guest.regs.set(Reg.rdi, DATA);
      m.calls.length = 0;
      // The jump; then instruction by instruction.
      if (point > 0) m.platform.switchTo(guest, 1);
      let isOnItsWay = true;
      for (let i = 1; i < point && isOnItsWay; i++) isOnItsWay = step(m, guest);
      const where = place(guest, slot);
      const isBack = m.platform.interrupt(guest);
      const shown = isBack ? place(guest, slot) : 'put off';
      met.set(where, (met.get(where) ?? new Set()).add(shown));
      if (where === 'stub' && isBack)
        expect([guest.regs.get(Reg.rip), guest.regs.get(Reg.rax)]).toEqual([SITE + 7, PID]);
      expect(m.run().kind).toBe('syscall');
      expect(m.calls.map((c) => c.sysno)).toEqual([GETPID, EXIT]);
      const end = m.calls.at(-1)?.regs;
      expect(end?.get(Reg.rbx)).toBe(PID);
      for (const r of KEPT) expect([r, end?.u64[r]]).toEqual([r, 0x1234_5678_0000n + BigInt(r)]);
      if (!isOnItsWay) break;
    }
    // In user code and at A+8 the task is shown as it is; in the slot and before the call interrupts are put off; after it
    // the task is shown behind its call.
    expect([...met].map(([where, shown]) => [where, [...shown].toSorted()])).toEqual([
      ['user', ['user']],
      ['A+8', ['A+8']],
      ['slot', ['put off']],
      ['stub', ['put off', 'user']],
    ]);
  });
});

describe('21 chld-after-NONE, hardened', () => {
  it('a task that is interrupted after any number of instructions is in its own code; one call, every register as it was', () => {
    const m = new Machine('hardened');
    machine = m;
    m.poke(SITE - 1, CODE);
    m.guest.regs.set(Reg.rdi, DATA);
    m.run(SITE - 1);
    const { guest } = m;
    for (let count = 1; count < 30; count++) {
      guest.regs.set(Reg.rip, SITE - 1);
      guest.regs.set(Reg.rdi, DATA);
      for (const r of KEPT) guest.regs.u64[r] = 0x1234_5678_0000n + BigInt(r);
      m.calls.length = 0;
      const { kind } = m.platform.switchTo(guest, count);
      if (kind === 'budget') {
        expect(place(guest, trapsOf(guest).base + 80)).toBe('user');
        expect(m.platform.interrupt(guest)).toBe(true);
        m.run();
      }
      expect(m.calls.map((c) => c.sysno)).toEqual([GETPID, EXIT]);
      const end = m.calls.at(-1)?.regs;
      expect(end?.get(Reg.rbx)).toBe(PID);
      for (const r of KEPT) expect([r, end?.u64[r]]).toEqual([r, 0x1234_5678_0000n + BigInt(r)]);
    }
  });
});

describe('23 fp-after-interrupt', () => {
  /** X1's call ends on the stub thread; X2 is picked up there, interrupted before its FP state is loaded, and resumed. */
  function values(m: Machine): [number, number] {
    m.poke(SITE - 1, CODE);
    m.run(SITE - 1);
    m.calls.length = 0;
    const [x1, x2] = [m.newGuest(m.mm), m.newGuest(m.mm)];
    for (const [i, x] of [x1, x2].entries()) {
      new DataView(x.fpu.buffer).setFloat64(160, i + 1, true);
      x.regs.set(Reg.rip, SITE);
      x.regs.set(Reg.rdi, DATA + 64 * (i + 1));
    }
    // Each call is answered later, so that its stub thread looks for another context.
    m.answer = (ctx, sysno) => {
      if (sysno !== GETPID) return undefined;
      ctx.regs.set(Reg.rax, PID);
      return false;
    };
    for (const x of [x2, x1]) while (m.platform.switchTo(x, 100).kind !== 'syscall');
    for (let i = 0; i < 3; i++) {
      m.platform.switchTo(x2, 1);
      m.platform.interrupt(x2);
    }
    for (const x of [x2, x1]) m.run(undefined, x);
    return [1, 2].map((i) => new DataView(m.peek(DATA + 64 * i, 8).buffer).getFloat64(0, true)) as [number, number];
  }

  it('3c5eee1: X2 goes on with X1’s registers (D7)', () => {
    const m = (machine = new Machine('upstream', { stubPreemption: true, stubThreads: 1 }));
    expect(values(m)).toEqual([1, 1]);
    expect(m.observer.broken).toEqual([30]);
  });

  it('2024-07, from before the change: each has its own', () => {
    machine = new Machine('upstream', { stubPreemption: true, stubThreads: 1, upstream: '2024-07' });
    expect(values(machine)).toEqual([1, 2]);
  });

  it('hardened: each has its own', () => {
    machine = new Machine('hardened');
    expect(values(machine)).toEqual([1, 2]);
  });
});

describe('26 fork-cow-midtramp, upstream', () => {
  it('a page of the table that is copied under a trampoline ends in a panic', () => {
    const m = upstream({ stubThreads: 2 });
    m.poke(TEXT + 0x200, CODE);
    const b = m.newGuest(m.mm);
    b.regs.set(Reg.rip, SITE);
    // The jump, state = PREP, save rsp.
    m.platform.switchTo(b, 1);
    for (let i = 0; i < 2; i++) step(m, b);
    expect(b.regs.get(Reg.rip)).toBe(trapsOf(m.guest).base + 80 + 29);
    const child = m.mm.fork();
    if (child === undefined) throw new Error('no memory to fork');
    m.platform.forkSpace(m.mm, child);
    // The patch of another site writes header and slot.
    m.run(TEXT + 0x200);
    expect(m.run(undefined, b)).toMatchObject({ kind: 'stub-panic', code: 0x0bad0001 });
    expect(m.observer.broken).toEqual(expect.arrayContaining([26, 27]));
  });
});

describe('30 restore-abi-drift', () => {
  it('upstream: a slot of early 2023 stores 3 where PREP is 2 now, and the syshandler panics', () => {
    const m = upstream();
    m.poke(trapsOf(m.guest).base + 80 + 16, '03');
    expect(m.run(SITE)).toMatchObject({ kind: 'stub-panic', code: 0x0bad0001 });
  });
});

describe('55 gs-pool, upstream', () => {
  it('the next process on a pooled stub thread inherits the GS base that the last one left', () => {
    const m = (machine = new Machine('upstream'));
    m.poke(TEXT + 0x300, `f3 48 0f ae da ${END}`); // wrgsbase %rdx
    m.guest.regs.set(Reg.rdx, 0);
    m.run(TEXT + 0x300);
    m.platform.detach(m.guest);
    m.platform.dropSpace(m.mm);
    const mm = m.newSpace();
    const guest = m.newGuest(mm);
    m.poke(SITE - 1, CODE, mm);
    m.run(SITE - 1, guest);
    expect(m.run(SITE, guest)).toMatchObject({ kind: 'fault', signo: 11, addr: 0x2c });
  });
});

describe('2.9, an interrupt while its stub thread is in the signal handler', () => {
  /** A loop of calls that are never patched. */
  const LOOP = 'b8 27 00 00 00 90 0f 05 eb f6';

  /** Runs until the host takes the processor between a trap and what the handler makes of it. */
  function takenInHandler(m: Machine): void {
    m.poke(TEXT + 0x300, LOOP);
    m.guest.regs.set(Reg.rip, TEXT + 0x300);
    for (let turns = 0; turns < 1000; turns++) {
      const before = m.calls.length;
      const { kind } = m.platform.switchTo(m.guest, 1000);
      const isBehindCall = m.guest.regs.get(Reg.rip) === TEXT + 0x308;
      if (kind === 'preempted' && isBehindCall && m.platform.stubThreads(m.mm)[0]?.isInHandler === true) {
        expect(m.calls.length).toBeGreaterThanOrEqual(before);
        return;
      }
    }
    throw new Error('no turn has ended in the handler');
  }

  it('meets the context that the thread resumes next: reported and resumed, with no call lost or made twice', () => {
    const m = upstream({ stubThreads: 1 });
    takenInHandler(m);
    const made = m.calls.length;
    // The guest's own call is on its way to the Sentry.
    expect(m.platform.interrupt(m.guest)).toBe(false);
    m.answer = (ctx, sysno) => {
      if (sysno !== GETPID) return undefined;
      ctx.regs.set(Reg.rax, PID);
      return false;
    };
    expect(m.platform.switchTo(m.guest, 100)).toMatchObject({ kind: 'syscall' });
    expect(m.calls.slice(made).map((c) => [c.tid, c.sysno])).toEqual([[m.guest.tid, GETPID]]);
    // Somebody else, whom nobody has interrupted.
    const other = m.newGuest(m.mm);
    m.poke(TEXT + 0x400, `48 ff c3 90 ${END}`);
    other.regs.set(Reg.rip, TEXT + 0x400);
    const words = other.platformState instanceof ThreadContext ? other.platformState.words : new Uint32Array(1024);
    expect(m.platform.switchTo(other, 100)).toMatchObject({ kind: 'budget' });
    expect([other.regs.get(Reg.rip), other.regs.get(Reg.rbx)]).toEqual([TEXT + 0x400, 0]);
    expect([words[Context.signo / 4], words[Context.state / 4]]).toEqual([17, 2]);
    expect(m.run(undefined, other).kind).toBe('syscall');
    expect(m.calls.at(-1)).toMatchObject({ tid: other.tid, sysno: EXIT });
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(1);
  });

  it('meets the same context when its call is served at once', () => {
    const m = upstream({ stubThreads: 1 });
    takenInHandler(m);
    expect(m.platform.interrupt(m.guest)).toBe(false);
    const made = m.calls.length;
    expect(m.platform.switchTo(m.guest, 100)).toMatchObject({ kind: 'budget' });
    expect(m.calls.length).toBe(made + 1);
    expect([m.guest.regs.get(Reg.rip), m.guest.regs.get(Reg.rax)]).toEqual([TEXT + 0x308, PID]);
  });

  it('finds the site patched when it goes on: the handler sends the task back, whatever call it was (restart-block)', () => {
    const m = upstream({ stubThreads: 2 });
    const site = TEXT + 0x501;
    m.poke(site - 1, `90 ${call(GETPID)} 90 ${END}`);
    const patcher = m.newGuest(m.mm);
    for (let turns = 0; turns < 1000; turns++) {
      // Enters the site behind its mov, with the number of restart_syscall.
      m.guest.regs.set(Reg.rip, site + 5);
      m.guest.regs.set(Reg.rax, 219);
      m.calls.length = 0;
      m.platform.switchTo(m.guest, 2);
      if (m.platform.stubThreads(m.mm)[0]?.isInHandler === true) break;
    }
    expect(m.calls).toEqual([]);
    while (m.platform.switchTo(patcher, 1000).kind === 'preempted' || patcher.regs.get(Reg.rip) < TEXT)
      patcher.regs.set(Reg.rip, site - 1);
    expect(m.platform.metrics().sites.map((s) => s.address)).toContain(site);
    m.calls.length = 0;
    m.run();
    // 219 was asked for.
    expect(m.calls.map((c) => c.sysno)).toEqual([GETPID, EXIT]);
  });
});
