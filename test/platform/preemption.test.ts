// SPDX-License-Identifier: MIT
//
// A task can lose the processor between any two instructions: its registers must then be the application's.

import { afterEach, describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { Reg } from '../../src/cpu/regs.ts';
import { STUB_START } from '../../src/platform/stub-layout.ts';
import { call, END, EXIT, GETPID, Machine, PID, TEXT } from './machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

/** mov $100,%ebp; loop: site; add %rax,%rbx; dec %ebp; jnz loop; end. */
const LOOP = `bd 64 00 00 00 ${call(GETPID)} 48 01 c3 ff cd 75 f2 90 ${END}`;

describe.each(['off', 'upstream', 'hardened'] as const)('%s', (mode) => {
  it('a budget of one instruction at a time gives the same calls and registers', () => {
    const m = (machine = new Machine(mode));
    m.poke(TEXT + 0x40, LOOP);
    const { guest } = m;
    guest.regs.set(Reg.rip, TEXT + 0x40);
    const inSlots = new Set<number>();
    let runs = 0;
    for (; runs < 20_000; runs++) {
      const event = m.platform.switchTo(guest, 1 + (runs % 3));
      if (event.kind === 'syscall') break;
      expect(event.kind).toBe('budget');
      const rip = guest.regs.get(Reg.rip);
      expect(rip).toBeLessThan(STUB_START);
      const slot = m.platform.metrics().sites[0]?.slot ?? 0;
      if (rip >= 0x60000 && rip < 0x70000) inSlots.add(rip - slot);
    }
    expect(runs).toBeLessThan(20_000);
    expect(m.calls.at(-1)?.sysno).toBe(EXIT);
    expect(m.calls).toHaveLength(101);
    expect(guest.regs.get(Reg.rbx)).toBe(100 * PID);
    // Upstream a task may be seen where its jump went; nowhere else in a slot.
    expect([...inSlots]).toEqual(mode === 'upstream' ? [8] : []);
  });

  it('two tasks that take turns at one site each get their own registers and FP state', () => {
    const m = (machine = new Machine(mode));
    // Adds xmm1 to xmm0 after each call.
    m.poke(TEXT + 0x40, `bd 64 00 00 00 ${call(GETPID)} f2 0f 58 c1 ff cd 75 f1 90 ${END}`);
    const guests = [m.guest, m.newGuest(m.mm)];
    for (const [i, guest] of guests.entries()) {
      guest.regs.set(Reg.rip, TEXT + 0x40);
      new DataView(guest.fpu.buffer).setFloat64(160 + 16, i + 1, true);
    }
    const live = new Set(guests);
    for (let turn = 0; live.size > 0 && turn < 20_000; turn++) {
      const guest = guests[turn % 2];
      if (guest === undefined || !live.has(guest)) continue;
      if (m.platform.switchTo(guest, 5 + (turn % 7)).kind === 'syscall') live.delete(guest);
    }
    expect(live.size).toBe(0);
    for (const [i, guest] of guests.entries()) {
      m.platform.saveFpu(guest);
      expect(new DataView(guest.fpu.buffer).getFloat64(160, true)).toBe(100 * (i + 1));
    }
    const { trapped, patchedCalls } = m.platform.metrics();
    expect(trapped + patchedCalls).toBe(m.calls.length);
    expect(m.calls.length).toBe(202);
  });

  it('an interruption ends the run and is not lost', () => {
    const m = (machine = new Machine(mode));
    m.poke(TEXT + 0x40, LOOP);
    m.guest.regs.set(Reg.rip, TEXT + 0x40);
    m.answer = (_, sysno) => {
      if (sysno === GETPID && m.calls.length === 10) m.cpu.interrupt();
      return undefined;
    };
    const event = m.platform.switchTo(m.guest, 1_000_000);
    expect(event.kind).toBe('interrupted');
    expect(m.guest.regs.get(Reg.rip)).toBeLessThan(STUB_START);
    expect(m.run().kind).toBe('syscall');
    expect(m.calls).toHaveLength(101);
  });
});

describe('the end of a run inside a patched call', () => {
  it.each(['upstream', 'hardened'] as const)(
    'leaves application registers, and the task goes on from them (%s)',
    (mode) => {
      const m = (machine = new Machine(mode));
      m.poke(TEXT + 0x40, LOOP);
      // Every call "blocks": the result comes later.
      m.answer = (_, sysno) => (sysno === GETPID ? false : undefined);
      m.guest.regs.set(Reg.rip, TEXT + 0x40);
      const rsp = m.guest.regs.get(Reg.rsp);
      for (let i = 0; i < 100; i++) {
        expect(m.platform.switchTo(m.guest, 1_000_000).kind).toBe('syscall');
        expect(m.guest.regs.get(Reg.rip)).toBe(TEXT + 0x40 + 12);
        expect(m.guest.regs.get(Reg.rsp)).toBe(rsp);
        m.guest.regs.set(Reg.rax, PID);
      }
      expect(m.run().kind).toBe('syscall');
      expect(m.guest.regs.get(Reg.rbx)).toBe(100 * PID);
      expect(m.platform.metrics()).toMatchObject({ trapped: 2, patchedCalls: 99 });
    },
  );
});

describe('the Sentry may change every register in a call', () => {
  it.each(['upstream', 'hardened'] as const)('and the guest goes on with them (%s)', (mode) => {
    const m = (machine = new Machine(mode));
    m.poke(TEXT + 0x40, LOOP);
    m.poke(TEXT + 0x200, END);
    let changed = '';
    m.answer = (ctx, sysno) => {
      if (sysno !== GETPID || m.calls.length < 3) return undefined;
      for (let r = 0; r < 16; r++) ctx.regs.u64[r] = 0x1000n + BigInt(r);
      ctx.regs.set(Reg.rip, TEXT + 0x200);
      ctx.regs.u64[Reg.rflags] = 0x246n;
      changed = [...ctx.regs.u64.slice(1, 16)].join();
      return true;
    };
    m.run(TEXT + 0x40);
    const seen = m.calls.at(-1)?.regs.u64.slice(1, 16) ?? new BigUint64Array(15);
    // The end sets edi and eax, and the syscall rcx and r11.
    const expected = changed.split(',').map(BigInt);
    for (const r of [Reg.rcx, Reg.rdi, Reg.r11]) {
      seen[r - 1] = 0n;
      expected[r - 1] = 0n;
    }
    expect(toHex(new Uint8Array(seen.buffer))).toBe(toHex(new Uint8Array(BigUint64Array.from(expected).buffer)));
    expect(m.calls.at(-1)?.rip).toBe(TEXT + 0x200 + 13);
  });
});
