// SPDX-License-Identifier: MIT
//
// What a guest was seen to find under a real runsc (Systrap, two versions), reproduced in upstream mode; beside it what
// hardened mode keeps.

import { afterEach, describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { call, END, GETPID, GETUID, Machine, PID, TEXT } from '../../platform/machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const SITE = TEXT + 0x41;

function patchedSite(mode: 'upstream' | 'hardened', nr = GETPID): Machine {
  const m = (machine = new Machine(mode));
  m.poke(SITE - 1, `90 ${call(nr)} 90 ${END}`);
  m.run(SITE - 1);
  return m;
}

/** Enters the site at an offset with a number in rax; the call that came of it. */
function enterAt(
  m: Machine,
  offset: number,
  rax: number,
): { sysno: number | undefined; patched: boolean | undefined; kind: string } {
  const before = m.calls.length;
  m.guest.regs.set(Reg.rax, rax);
  const event = m.run(SITE + offset);
  const made = m.calls.slice(before)[0];
  return { sysno: made?.sysno, patched: made?.patched, kind: event.kind };
}

describe('upstream, as a guest under runsc sees it', () => {
  it('1: the maps line of the table', () => {
    const m = patchedSite('upstream');
    expect(m.mm.mapsText()).toMatch(/^000?6[0-9a]000-000?6[0-9a-e]000 r-xp 00000000 00:00 0 +\[usertrap\]$/m);
  });

  it('4: the header counts slots, and slot 0 is never a trap', () => {
    const m = (machine = new Machine('upstream'));
    for (let i = 0; i < 12; i++) {
      m.poke(TEXT + 0x100 + i * 32, `90 ${call(GETPID)} 90 ${END}`);
      m.run(TEXT + 0x100 + i * 32);
    }
    const base = m.mm.findVmaByName('[usertrap]')?.start ?? 0;
    expect(toHex(m.peek(base, 4))).toBe('0d000000');
    expect(toHex(m.peek(base + 4, 76))).toBe('00'.repeat(76));
  });

  it('5: a trapped call leaves rcx and r11 as the hardware does, a patched one keeps them and CF', () => {
    const m = patchedSite('upstream');
    const { regs } = m.guest;
    regs.set(Reg.rcx, 0xcccc);
    regs.set(Reg.r11, 0x1111);
    regs.u64[Reg.rflags] = 0x207n;
    m.run(SITE);
    const patched = m.calls.at(-2)?.regs;
    expect([patched?.get(Reg.rcx), patched?.get(Reg.r11), patched?.get(Reg.rflags)]).toEqual([0xcccc, 0x1111, 0x207]);
    const first = m.calls[0]?.regs;
    expect(first?.get(Reg.rcx)).toBe(SITE + 7);
    expect(first?.get(Reg.r11)).toBe(first?.get(Reg.rflags));
  });

  it('6: entering a patched site at +5 with its own number restarts it, without a signal', () => {
    const m = patchedSite('upstream');
    expect(enterAt(m, 5, GETPID)).toEqual({ sysno: GETPID, patched: true, kind: 'syscall' });
    expect(m.platform.metrics().restarted).toBe(1);
  });

  it('7: with another number the site’s number wins', () => {
    const m = patchedSite('upstream');
    expect(enterAt(m, 5, GETUID)).toEqual({ sysno: GETPID, patched: true, kind: 'syscall' });
  });

  it('8: with 219 restart_syscall runs', () => {
    const m = patchedSite('upstream');
    expect(enterAt(m, 5, 219)).toEqual({ sysno: 219, patched: false, kind: 'syscall' });
    expect(m.calls.at(-2)).toMatchObject({ rip: SITE + 7 });
  });

  it('9: entering at +6 runs junk and ends in a signal', () => {
    const m = (machine = new Machine('upstream', { isHostile: true }));
    m.poke(SITE - 1, `90 ${call(GETPID)} c3 90 ${END}`);
    m.guest.regs.set(Reg.rsp, 0x7fff00);
    m.run(SITE - 1);
    m.guest.regs.set(Reg.rax, 0);
    // 00 c3 is add %al,%bl: what follows the site runs on in the middle of an instruction.
    m.poke(SITE + 7, 'c3 00 00 00 00');
    m.guest.regs.set(Reg.rsp, 0x7fff00);
    expect(m.run(SITE + 6)).toMatchObject({ kind: 'fault', signo: 11 });
  });

  it('10: a fresh site entered at +5 is patched only when rax is its immediate', () => {
    for (const [rax, isPatched] of [
      [GETUID, false],
      [GETPID, true],
    ] as const) {
      const m = (machine = new Machine('upstream'));
      m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
      expect(enterAt(m, 5, rax).sysno).toBe(rax);
      expect(m.peek(SITE, 1)[0] === 0xff).toBe(isPatched);
      m.dispose();
      machine = undefined;
    }
  });

  it('12: the tail of a movabs is patched, its immediate is lost, the call is right', () => {
    const m = (machine = new Machine('upstream'));
    // mov $39,%eax; movabs $0x00000027b8030201,%rbx; syscall
    m.poke(TEXT + 0x80, `b8 27 00 00 00 48 bb 01 02 03 b8 27 00 00 00 0f 05 90 ${END}`);
    m.run(TEXT + 0x80);
    expect(m.calls[0]?.regs.u64[Reg.rbx]).toBe(0x27b8030201n);
    m.run(TEXT + 0x80);
    const second = m.calls.at(-2);
    expect(second).toMatchObject({ sysno: GETPID, patched: true });
    const slot = m.platform.metrics().sites[0]?.slot ?? 0;
    const operand = BigInt(slot & 0xffff);
    expect(second?.regs.u64[Reg.rbx]).toBe((operand << 48n) | 0x2524ff030201n);
    expect(m.platform.metrics().restarted).toBe(1);
  });

  it('15: any number is patched, valid or not', () => {
    for (const nr of [39, 102, 186, 110, 14, 24, 96, 500, 1000, 0x40000027]) {
      const m = patchedSite('upstream', nr);
      m.run(SITE);
      expect(m.calls.at(-2)).toMatchObject({ sysno: nr, patched: true });
      m.dispose();
    }
    machine = undefined;
  });

  it('18: a site whose bytes are put back by hand works, and is patched again with a new slot', () => {
    const m = patchedSite('upstream');
    m.poke(SITE, call(GETPID));
    m.run(SITE - 1);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: false });
    m.run(SITE - 1);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: true });
    expect(m.platform.metrics().sites.map((s) => (s.slot / 80) % 2)).toHaveLength(2);
  });
});

describe('hardened keeps what a correct program sees', () => {
  it('a patched call leaves the registers of a trapped one', () => {
    const m = patchedSite('hardened');
    m.guest.regs.set(Reg.rcx, 0xcccc);
    m.guest.regs.u64[Reg.rflags] = 0x207n;
    m.run(SITE);
    const patched = m.calls.at(-2)?.regs;
    expect([patched?.get(Reg.rcx), patched?.get(Reg.r11), patched?.get(Reg.rflags)]).toEqual([SITE + 7, 0x207, 0x207]);
  });

  it('a call from +5 is the one that was asked for', () => {
    const m = patchedSite('hardened');
    expect(enterAt(m, 5, GETPID).sysno).toBe(GETPID);
    expect(enterAt(m, 5, GETUID).sysno).toBe(GETUID);
    expect(enterAt(m, 5, 219).sysno).toBe(219);
    expect(enterAt(m, 5, 0).sysno).toBe(0);
  });

  it('a traced task adds no patch, and an existing one goes on working', () => {
    const m = (machine = new Machine('hardened'));
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
    m.guest.hasTracer = true;
    m.run(SITE - 1);
    expect(m.platform.metrics()).toMatchObject({ sites: [], refused: [{ rule: 'traced', traps: 1 }] });
    m.guest.hasTracer = false;
    m.run(SITE - 1);
    m.guest.hasTracer = true;
    m.run(SITE - 1);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: true });
    expect(m.platform.metrics()).toMatchObject({ sites: [{ calls: 1 }] });
    expect(PID).toBe(1234);
  });
});
