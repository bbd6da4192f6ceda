// SPDX-License-Identifier: MIT
//
// Scenarios 53 and 54: a guest that loads GS itself.

import { afterEach, describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { call, DATA, END, GETPID, Machine, TEXT } from '../../platform/machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const SITE = TEXT + 0x41;
const AFTER_GS = TEXT + 0x100;

/** A patched site, and code that sets GS base to rdx and then goes to the site. */
function withGs(mode: 'upstream' | 'hardened', setGs: string): Machine {
  const m = (machine = new Machine(mode));
  m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
  const jump = m.poke(AFTER_GS, setGs);
  m.poke(jump, `e9 ${toHex(new Uint8Array(new Int32Array([SITE - (jump + 5)]).buffer))}`);
  m.run(SITE - 1);
  return m;
}

const WRGSBASE_RDX = 'f3 48 0f ae da';
const MOV_NULL_GS = '31 c0 8e e8'; // xor %eax,%eax; mov %eax,%gs

describe('53 gs-zero', () => {
  it('upstream: SIGSEGV at 0x2c with the instruction pointer at the slot’s first instruction', () => {
    for (const code of [WRGSBASE_RDX, MOV_NULL_GS]) {
      const m = withGs('upstream', code);
      m.guest.regs.set(Reg.rdx, 0);
      const event = m.run(AFTER_GS);
      const slot = m.platform.metrics().sites[0]?.slot ?? 0;
      expect(event).toMatchObject({ kind: 'fault', signo: 11, addr: 0x2c, trapno: 14 });
      expect(m.guest.regs.get(Reg.rip)).toBe(slot + 8);
      m.dispose();
    }
    machine = undefined;
  });

  it('hardened: the call is made, the site is put back, and the space is not patched any more', () => {
    for (const code of [WRGSBASE_RDX, MOV_NULL_GS]) {
      const m = withGs('hardened', code);
      m.guest.regs.set(Reg.rdx, 0);
      expect(m.run(AFTER_GS).kind).toBe('syscall');
      expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: false });
      expect(toHex(m.peek(SITE, 7))).toBe('b8270000000f05');
      m.run(SITE - 1);
      expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: false, rip: SITE + 7 });
      expect(m.platform.guestGsBase(m.guest)).toBe(0);
      m.dispose();
    }
    machine = undefined;
  });
});

describe('54 gs-guest-memory', () => {
  it('upstream: the trampoline stores into the guest’s buffer and jumps where it says', () => {
    const m = withGs('upstream', WRGSBASE_RDX);
    const target = m.poke(TEXT + 0x200, END) - 13;
    m.poke(DATA + 0x10, toHex(new Uint8Array(new BigUint64Array([BigInt(target)]).buffer)));
    m.poke(DATA + 0x18, toHex(new Uint8Array(new BigUint64Array([BigInt(DATA + 0x800)]).buffer)));
    const rsp = m.guest.regs.get(Reg.rsp);
    m.guest.regs.set(Reg.rdx, DATA);
    m.run(AFTER_GS);
    expect(toHex(m.peek(DATA + 0x2c, 4))).toBe('02000000');
    const words = new BigUint64Array(m.peek(DATA, 0x28).buffer);
    expect([words[1], words[4]]).toEqual([BigInt(SITE + 7), BigInt(rsp)]);
    expect(m.calls.at(-1)).toMatchObject({ sysno: 60, rip: target + 13 });
    expect(m.calls.at(-1)?.regs.get(Reg.rsp)).toBe(DATA + 0x800);
  });

  it('hardened: a task whose own GS base is seen at a trap runs unpatched, its memory is its own', () => {
    const m = (machine = new Machine('hardened'));
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
    m.poke(TEXT + 0x200, `${WRGSBASE_RDX} b8 27 00 00 00 90 0f 05 ${END}`); // wrgsbase, then a call that traps
    m.run(SITE - 1);
    const before = toHex(m.peek(DATA, 256));
    m.guest.regs.set(Reg.rdx, DATA);
    m.run(TEXT + 0x200);
    m.run(SITE - 1);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: false });
    expect(toHex(m.peek(DATA, 256))).toBe(before);
    expect(m.platform.guestGsBase(m.guest)).toBe(DATA);
  });

  it('hardened: a task that writes its GS base right before a patched call runs it unpatched; its memory is its own', () => {
    const m = withGs('hardened', WRGSBASE_RDX);
    const before = toHex(m.peek(DATA, 256));
    m.guest.regs.set(Reg.rdx, DATA);
    m.run(AFTER_GS);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: false });
    expect(m.calls.at(-2)?.regs.get(Reg.gsBase)).toBe(DATA);
    expect(toHex(m.peek(DATA, 256))).toBe(before);
    // A base that no processor takes is the guest's fault.
    m.guest.regs.u64[Reg.rdx] = 0x8000_0000_0000n;
    expect(m.run(AFTER_GS)).toMatchObject({ kind: 'fault', signo: 11, trapno: 13 });
  });

  it('hardened: a task that sets its GS base through the kernel runs unpatched', () => {
    const m = (machine = new Machine('hardened'));
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
    m.run(SITE - 1);
    expect(m.platform.guestGsBase(m.guest)).toBe(0);
    m.platform.setGuestGsBase(m.guest, DATA);
    m.run(SITE - 1);
    expect(m.calls.at(-2)).toMatchObject({ patched: false });
    expect(m.calls.at(-2)?.regs.get(Reg.gsBase)).toBe(DATA);
    const other = m.newGuest(m.mm);
    m.run(SITE - 1, other);
    expect(m.calls.at(-2)).toMatchObject({ tid: other.tid, patched: false });
  });
});
