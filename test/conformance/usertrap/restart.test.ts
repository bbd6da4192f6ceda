// SPDX-License-Identifier: MIT
//
// Scenarios 13, 14 and 16 to 19: an interrupted call goes on at a site that is patched. The Sentry of this test does
// what a kernel does: it ends the run, and later takes the instruction pointer back over the syscall.

import { afterEach, describe, expect, it } from 'vitest';

import { Reg } from '../../../src/cpu/regs.ts';
import { SYS_RESTART_SYSCALL } from '../../../src/usertrap/fault-handler.ts';
import { call, END, GETPID, GETUID, Machine, TEXT } from '../../platform/machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const SITE = TEXT + 0x41;
const READ = 0;
const NANOSLEEP = 35;

/** A machine whose first `interrupted` calls of `nr` end the run without a result. */
function interrupting(mode: 'off' | 'upstream' | 'hardened', nr: number, interrupted: readonly number[]): Machine {
  const m = (machine = new Machine(mode));
  m.poke(SITE - 1, `90 ${call(nr)} 90 ${END}`);
  let count = 0;
  m.answer = (ctx, sysno) => {
    if (sysno === nr && interrupted.includes(++count)) return false;
    if (sysno === nr || sysno === SYS_RESTART_SYSCALL) ctx.regs.set(Reg.rax, 7);
    return sysno === nr || sysno === SYS_RESTART_SYSCALL ? true : undefined;
  };
  return m;
}

/** Back over the syscall, with a number in rax. */
function rewind(m: Machine, rax: number): void {
  m.guest.regs.set(Reg.rip, m.guest.regs.get(Reg.rip) - 2);
  m.guest.regs.set(Reg.rax, rax);
}

describe.each(['upstream', 'hardened'] as const)('%s', (mode) => {
  it('13 restart-sys: a patched call starts again and is made once more', () => {
    const m = interrupting(mode, READ, [2]);
    m.run(SITE - 1);
    expect(m.run(SITE).kind).toBe('syscall');
    expect(m.calls.at(-1)).toMatchObject({ sysno: READ, patched: true, rip: SITE + 7 });
    expect(m.guest.regs.get(Reg.rip)).toBe(SITE + 7);
    rewind(m, READ);
    expect(m.guest.regs.get(Reg.rip)).toBe(SITE + 5);
    const before = m.calls.length;
    m.run();
    expect(m.calls.slice(before).map((c) => c.sysno)).toEqual([READ, 60]);
    expect(m.platform.metrics().restarted).toBe(1);
  });

  it('14 restart-block: restart_syscall is called instead, behind the site as before', () => {
    const m = interrupting(mode, NANOSLEEP, [2]);
    m.run(SITE - 1);
    m.run(SITE);
    rewind(m, SYS_RESTART_SYSCALL);
    const before = m.calls.length;
    m.run();
    expect(m.calls.slice(before)).toMatchObject([
      { sysno: SYS_RESTART_SYSCALL, rip: SITE + 7, patched: false },
      { sysno: 60 },
    ]);
  });

  it('16 patched-while-blocked: the first call patches, blocks, and starts again over the guard', () => {
    const m = interrupting(mode, READ, [1]);
    expect(m.run(SITE - 1).kind).toBe('syscall');
    expect(m.peek(SITE, 1)[0]).toBe(0xff);
    rewind(m, READ);
    const before = m.calls.length;
    m.run();
    expect(m.calls.slice(before)).toMatchObject([{ sysno: READ, patched: true }, { sysno: 60 }]);
  });

  it('17 frame-visible-rip: a number that a handler changed', () => {
    const m = interrupting(mode, READ, [2]);
    m.run(SITE - 1);
    m.run(SITE);
    rewind(m, GETUID);
    const before = m.calls.length;
    m.run();
    expect(m.calls[before]?.sysno).toBe(mode === 'upstream' ? READ : GETUID);
  });

  it('18 eintr: without a restart the task goes on behind the site', () => {
    const m = interrupting(mode, READ, [2]);
    m.run(SITE - 1);
    m.run(SITE);
    m.guest.regs.set(Reg.rax, -4);
    const before = m.calls.length;
    m.run();
    expect(m.calls.slice(before).map((c) => c.sysno)).toEqual([60]);
  });

  it('19 chld-at-A+8: a task that loses the processor at the jump makes its call once', () => {
    const m = (machine = new Machine(mode));
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
    m.run(SITE - 1);
    m.guest.regs.set(Reg.rip, SITE);
    const before = m.calls.length;
    expect(m.platform.switchTo(m.guest, 1).kind).toBe('budget');
    const rip = m.guest.regs.get(Reg.rip);
    const slot = m.platform.metrics().sites[0]?.slot ?? 0;
    expect(rip).toBe(mode === 'upstream' ? slot + 8 : SITE + 7);
    const other = m.newGuest(m.mm);
    m.run(SITE - 1, other);
    m.run();
    const own = m.calls.slice(before).filter((c) => c.tid === m.guest.tid);
    expect(own.map((c) => c.sysno)).toEqual([GETPID, 60]);
  });
});

describe('19 chld-at-A+8, hardened', () => {
  it('a task that loses the processor right behind the jump is shown at its site, and gets on all the same', () => {
    const m = (machine = new Machine('hardened'));
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
    m.run(SITE - 1);
    m.guest.regs.set(Reg.rip, SITE - 1);
    expect(m.platform.switchTo(m.guest, 2).kind).toBe('budget');
    expect(m.guest.regs.get(Reg.rip)).toBe(SITE);
    const before = m.calls.length;
    // One instruction at a time: the jump alone is never all that a run does.
    for (let i = 0; i < 20 && m.calls.at(-1)?.sysno !== GETPID; i++) m.platform.switchTo(m.guest, 1);
    expect(m.calls.slice(before).map((c) => c.sysno)).toEqual([GETPID]);
  });
});

describe('off', () => {
  it('17: a number that a handler changed is honoured, as on the processor', () => {
    const m = interrupting('off', READ, [1]);
    m.run(SITE - 1);
    rewind(m, GETUID);
    m.run();
    expect(m.calls.at(-2)?.sysno).toBe(GETUID);
  });
});
