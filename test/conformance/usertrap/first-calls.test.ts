// SPDX-License-Identifier: MIT
//
// Scenarios 1 to 3: a site traps once, is patched, and goes through its slot from then on.

import { afterEach, describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { trapBytes } from '../../../src/usertrap/layout.ts';
import { call, END, GETPID, Machine, PID, STACK_TOP, TEXT } from '../../platform/machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

/** nop; site; then the end. Returns the site. */
function oneSite(m: Machine, nr = GETPID): number {
  m.poke(m.poke(TEXT, '90'), `${call(nr)} ${END}`);
  return TEXT + 1;
}

describe.each(['upstream', 'hardened'] as const)('%s', (mode) => {
  it('1 first-exec-serves: the first call is served by the trap, and its site is patched', () => {
    const m = (machine = new Machine(mode));
    const site = oneSite(m);
    m.guest.regs.u64[Reg.rflags] = 0x207n;
    expect(m.run(TEXT).kind).toBe('syscall');
    const [first] = m.calls;
    expect(first).toMatchObject({ sysno: GETPID, rip: site + 7, patched: false });
    expect(first?.regs.get(Reg.rcx)).toBe(site + 7);
    expect(first?.regs.get(Reg.r11)).toBe(0x207);
    const table = m.mm.findVmaByName('[usertrap]', 0x60000, 0x70000);
    expect(table).toMatchObject({ prot: 5, end: (table?.start ?? 0) + 0x5000 });
    const base = table?.start ?? 0;
    expect(base % 4096).toBe(0);
    expect(toHex(m.peek(base, 4))).toBe('02000000');
    expect(toHex(m.peek(base + 80, 70))).toBe(toHex(trapBytes(base + 80, site + 7, GETPID)));
    expect(toHex(m.peek(site, 7))).toBe(`ff2425${toHex(new Uint8Array(new Uint32Array([base + 80]).buffer))}`);
    expect(m.mm.mapsText()).toContain('r-xp 00000000 00:00 0');
    expect(m.platform.metrics()).toMatchObject({ trapped: 2, patchedCalls: 0, slots: { used: 1 } });
  });

  it('2 second-exec-traps: the second call comes through the slot', () => {
    const m = (machine = new Machine(mode));
    const site = oneSite(m);
    m.run(TEXT);
    const { regs } = m.guest;
    const before: [number, bigint][] = [];
    for (let r = 0; r < 16; r++) {
      if (r === Reg.rsp || r === Reg.rax) continue;
      const value = 0x1111_2222_3333_0000n + BigInt(r);
      regs.u64[r] = value;
      before.push([r, value]);
    }
    regs.set(Reg.rsp, STACK_TOP - 256);
    regs.u64[Reg.rflags] = 0xad7n; // CF PF AF ZF SF OF DF… all but TF
    const redZone = 'a5'.repeat(128);
    m.poke(STACK_TOP - 256 - 128, redZone);
    m.run(site);
    const second = m.calls[2];
    expect(second).toMatchObject({ sysno: GETPID, rip: site + 7, patched: true });
    expect(second?.regs.get(Reg.rsp)).toBe(STACK_TOP - 256);
    expect(second?.regs.get(Reg.rflags)).toBe(0xad7 | 2);
    for (const [r, value] of before) {
      const expected = mode === 'upstream' ? value : r === Reg.rcx ? BigInt(site + 7) : r === Reg.r11 ? 0xad7n : value;
      expect([r, second?.regs.u64[r]]).toEqual([r, expected]);
    }
    expect(toHex(m.peek(STACK_TOP - 256 - 128, 128))).toBe(redZone);
    // The guest's own registers after it: the code behind the site has set eax and edi, nothing more.
    const end = m.calls[3];
    expect(end?.regs.get(Reg.rax)).toBe(60);
    expect(end?.regs.u64[Reg.rbx]).toBe(0x1111_2222_3333_0003n);
    expect(m.platform.metrics()).toMatchObject({
      trapped: 3,
      patchedCalls: 1,
      sites: [{ address: site, sysno: GETPID, calls: 1 }],
    });
  });

  it('3 slot-bytes-golden: the bytes are those of the specification', () => {
    for (let seed = 1; seed < 40; seed++) {
      const m = new Machine(mode, { seed });
      // A site at the very first byte of a mapping is never patched: something must be mapped before it.
      m.map(0x400000, 0x1000, 5);
      const at = m.poke(0x401000, call(GETPID));
      m.poke(at, END);
      m.run(TEXT);
      const base = m.mm.findVmaByName('[usertrap]')?.start ?? 0;
      const bytes = toHex(m.peek(base + 80, 80));
      const siteBytes = toHex(m.peek(0x401000, 7), ' ');
      m.dispose();
      if (base !== 0x60000) continue;
      expect(bytes).toBe(
        '580006000000000065c704252c0000000200000065488924252000000065488b24251800000048b80710400000000000' +
          '654889042508000000b82700000065ff24251000000000000000000000000000',
      );
      expect(siteBytes).toBe('ff 24 25 50 00 06 00');
      return;
    }
    throw new Error('no seed puts the table at 0x60000');
  });

  it('returns the result in rax and keeps the red zone and the flags, call after call', () => {
    const m = (machine = new Machine(mode));
    // mov $1000,%ebp; loop: site; cmp %ebx,%eax; jne +…; dec %ebp; jnz loop
    m.poke(TEXT, `bd e8 03 00 00 ${call(GETPID)} 39 d8 75 04 ff cd 75 f1 ${END}`);
    m.guest.regs.set(Reg.rbx, PID);
    m.run(TEXT);
    const last = m.calls.at(-1);
    expect(last?.sysno).toBe(60);
    expect(last?.regs.get(Reg.rbp)).toBe(0);
    expect(m.platform.metrics()).toMatchObject({ trapped: 2, patchedCalls: 999, restarted: 0 });
  });
});

describe('off', () => {
  it('traps every call and leaves the code alone', () => {
    const m = (machine = new Machine('off'));
    const site = oneSite(m);
    m.run(TEXT);
    m.run(TEXT);
    expect(toHex(m.peek(site, 7), ' ')).toBe('b8 27 00 00 00 0f 05');
    expect(m.platform.metrics()).toMatchObject({
      trapped: 4,
      patchedCalls: 0,
      sites: [],
      slots: { used: 0, capacity: 0 },
    });
    expect(m.mm.findVmaByName('[usertrap]')).toBeUndefined();
  });
});
