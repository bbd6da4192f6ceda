// SPDX-License-Identifier: MIT
//
// Scenarios 35, 36 and 43 to 46: which sites are patched, how many, and what becomes of those that only look like one.

import { afterEach, describe, expect, it } from 'vitest';

import { PROT_EXEC, PROT_READ } from '../../../src/abi/mman.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { call, END, GETPID, GETUID, Machine, PID, STACK_TOP, TEXT, UID } from '../../platform/machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const MANY = 0x2000000;
const SITES = 260;
const STRIDE = 32;

/** A machine with 260 sites, one a line, each behind a nop and before the end of the run. */
function manySites(mode: 'upstream' | 'hardened'): Machine {
  const m = (machine = new Machine(mode));
  m.map(MANY, SITES * STRIDE + 0x1000, PROT_READ | PROT_EXEC);
  for (let i = 0; i < SITES; i++) m.poke(MANY + i * STRIDE, `90 ${call(GETPID)} ${END}`);
  return m;
}

function runSite(m: Machine, i: number): number {
  m.run(MANY + i * STRIDE);
  return m.calls.at(-2)?.regs.get(Reg.rax) === GETPID ? PID : -1;
}

describe('35 table-full', () => {
  it('upstream: 250 sites; the 251st takes index 256 behind the table, the 252nd finds no space; all go on working', () => {
    const m = manySites('upstream');
    for (let i = 0; i < SITES; i++) expect(runSite(m, i)).toBe(PID);
    const { sites, refused, slots } = m.platform.metrics();
    expect(sites).toHaveLength(250);
    expect(slots).toEqual({ used: 250, capacity: 250 });
    expect(refused[0]).toMatchObject({ address: MANY + 250 * STRIDE + 1, rule: 'unwritable' });
    expect(refused.slice(1).every((r) => r.rule === 'no-space')).toBe(true);
    const base = m.mm.findVmaByName('[usertrap]')?.start ?? 0;
    expect(toHex(m.peek(base, 4))).toBe('01010000');
    expect(sites.at(-1)?.slot).toBe(base + 0x4f60);
    m.run(MANY + 3 * STRIDE);
    m.run(MANY + 259 * STRIDE);
    expect(m.calls.at(-4)).toMatchObject({ patched: true });
    expect(m.calls.at(-2)).toMatchObject({ patched: false });
  });

  it('upstream: guest memory behind the table is overwritten without a word', () => {
    const m = manySites('upstream');
    for (let i = 0; i < 250; i++) runSite(m, i);
    const base = m.mm.findVmaByName('[usertrap]')?.start ?? 0;
    m.mm.mmap({ addr: base + 0x5000, length: 0x1000, prot: 3, flags: 0x32, force: true });
    runSite(m, 250);
    expect(toHex(m.peek(base + 0x5000, 8))).toBe(
      toHex(new Uint8Array(new BigUint64Array([BigInt(base + 0x5008)]).buffer)),
    );
  });

  it('hardened: 251 sites, 255 included, and nothing behind the table', () => {
    const m = manySites('hardened');
    for (let i = 0; i < SITES; i++) expect(runSite(m, i)).toBe(PID);
    const { sites, refused, slots } = m.platform.metrics();
    const base = m.mm.findVmaByName('[usertrap]')?.start ?? 0;
    expect(sites).toHaveLength(251);
    expect(sites.at(-1)?.slot).toBe(base + 255 * 80);
    expect(slots).toEqual({ used: 251, capacity: 251 });
    expect(refused.map((r) => r.rule)).toEqual(Array.from({ length: SITES - 251 }, () => 'no-space'));
    m.run(MANY + 250 * STRIDE);
    expect(m.calls.at(-2)).toMatchObject({ patched: true });
  });

  it.each(['upstream', 'hardened'] as const)(
    '36 skip-indices: 51, 102, 153 and 204 are never used, their neighbours are (%s)',
    (mode) => {
      const m = manySites(mode);
      for (let i = 0; i < 210; i++) runSite(m, i);
      const base = m.mm.findVmaByName('[usertrap]')?.start ?? 0;
      const indices = m.platform.metrics().sites.map((s) => (s.slot - base) / 80);
      for (const index of [51, 102, 153, 204]) {
        expect(indices).not.toContain(index);
        expect(indices).toContain(index - 1);
        expect(indices).toContain(index + 1);
      }
    },
  );
});

describe('43 shared-tail', () => {
  // mov $39,%eax; L: syscall; …; other: mov $102,%eax; jmp L
  function sharedTail(mode: 'upstream' | 'hardened'): { m: Machine; site: number; other: number } {
    const m = (machine = new Machine(mode));
    const site = TEXT + 1;
    m.poke(TEXT, `90 ${call(GETPID)} 90 ${END}`);
    m.poke(TEXT + 0x100, 'b8 66 00 00 00 90 90 90 e9 00 00 00 00');
    const jump = TEXT + 0x108;
    m.poke(jump + 1, toHex(new Uint8Array(new Int32Array([site + 5 - (jump + 5)]).buffer)));
    return { m, site, other: TEXT + 0x100 };
  }

  it('upstream: the other path makes the patched site’s call', () => {
    const { m, site, other } = sharedTail('upstream');
    m.run(site);
    m.run(other);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: true });
    expect(m.platform.metrics().restarted).toBe(1);
  });

  it('hardened: the other path makes its own call, with rcx and r11 as after any call', () => {
    const { m, site, other } = sharedTail('hardened');
    m.run(site);
    m.run(other);
    const own = m.calls.at(-2);
    expect(own).toMatchObject({ sysno: GETUID, patched: false, rip: site + 7 });
    expect(own?.regs.get(Reg.rcx)).toBe(site + 7);
    m.run(site);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: true });
    const { syscalls, ...rest } = { syscalls: m.calls.length, ...m.platform.metrics() };
    expect(rest.trapped + rest.patchedCalls).toBe(syscalls);
  });
});

describe('44 ioctl-10849', () => {
  // The call's bytes as in gVisor issue #10849: eax holds 16 already; movl $0x10,-0x48(%rsp); syscall; …
  const CODE = `b8 10 00 00 00 90 c7 44 24 b8 10 00 00 00 0f 05 90 ${END}`;
  const AT = TEXT + 0x40;

  it('upstream: after the patch the store writes into the return address', () => {
    const m = (machine = new Machine('upstream'));
    m.poke(AT, CODE);
    m.run(AT);
    expect(toHex(m.peek(AT + 6, 9), ' ')).toMatch(/^c7 44 24 ff 24 25 .. .. 06$/);
    const rsp = STACK_TOP - 0x200;
    m.poke(rsp, '11 22 33 44 55 66 00 00');
    m.guest.regs.set(Reg.rsp, rsp);
    m.run(AT);
    const slot = m.platform.metrics().sites[0]?.slot ?? 0;
    const low = [0x25, slot & 0xff, (slot >> 8) & 0xff, 0x44];
    expect([...m.peek(rsp, 4)]).toEqual(low);
    // The call itself was made.
    expect(m.calls.at(-2)).toMatchObject({ sysno: 16, patched: true });
  });

  it('hardened: it is not patched', () => {
    const m = (machine = new Machine('hardened'));
    m.poke(AT, CODE);
    for (let i = 0; i < 3; i++) m.run(AT);
    expect(toHex(m.peek(AT + 6, 10), ' ')).toBe('c7 44 24 b8 10 00 00 00 0f 05');
    expect(m.platform.metrics()).toMatchObject({
      sites: [],
      refused: [{ address: AT + 9, rule: 'tail-of-instruction', traps: 3, bytes: '24 b8 10 00 00 00 0f 05' }],
    });
  });
});

describe('45 rex-r8d', () => {
  // mov $39,%eax; mov $39,%r8d; syscall
  const CODE = `b8 27 00 00 00 41 b8 27 00 00 00 0f 05 90 ${END}`;

  it.each([
    ['upstream', 0x8888],
    ['hardened', 0x27],
  ] as const)('%s: r8 after the second call is 0x%x', (mode, r8) => {
    const m = (machine = new Machine(mode));
    m.poke(TEXT + 0x40, CODE);
    m.run(TEXT + 0x40);
    m.guest.regs.set(Reg.r8, 0x8888);
    m.run(TEXT + 0x40);
    expect(m.calls.at(-2)?.sysno).toBe(GETPID);
    expect(m.calls.at(-2)?.regs.get(Reg.r8)).toBe(r8);
  });
});

describe.each(['upstream', 'hardened'] as const)('46 non-matches, %s', (mode) => {
  const forms: [string, string, number, number][] = [
    ['mov $imm,%rax', '48 c7 c0 27 00 00 00 0f 05', GETPID, PID],
    ['mov %rdi,%rax', 'bf 66 00 00 00 48 89 f8 0f 05', GETUID, UID],
    ['xor %eax,%eax', '31 c0 0f 05', 0, -38],
    ['push, pop', '6a 27 58 0f 05', GETPID, PID],
    ['another instruction in between', 'b8 27 00 00 00 31 ff 0f 05', GETPID, PID],
    ['mov to r9d before', '41 b9 27 00 00 00 b8 66 00 00 00 90 0f 05', GETUID, UID],
  ];

  it.each(forms)('%s is never patched and always right', (_, code, sysno, result) => {
    const m = (machine = new Machine(mode));
    const end = m.poke(TEXT + 0x40, code);
    m.poke(end, `89 c3 90 90 ${END}`); // mov %eax,%ebx
    for (let i = 0; i < 5; i++) {
      m.run(TEXT + 0x40);
      expect(m.calls.at(-2)).toMatchObject({ sysno, patched: false });
      expect((m.calls.at(-1)?.regs.u32[2 * Reg.rbx] ?? 0) | 0).toBe(result);
    }
    expect(m.platform.metrics()).toMatchObject({ patchedCalls: 0, sites: [], refused: [], slots: { used: 0 } });
  });

  it('a site at the first byte of a mapping is never patched', () => {
    const m = (machine = new Machine(mode));
    m.poke(TEXT, `${call(GETPID)} 90 ${END}`);
    for (let i = 0; i < 3; i++) m.run(TEXT);
    expect(m.platform.metrics()).toMatchObject({ patchedCalls: 0, sites: [], refused: [] });
  });
});

describe.each(['upstream', 'hardened'] as const)('56 genuine-06, %s', (mode) => {
  it('is a SIGILL of the guest’s, at the byte', () => {
    const m = (machine = new Machine(mode));
    m.poke(TEXT, `90 ${call(GETPID)} 90 06`);
    const event = m.run(TEXT);
    expect(event).toMatchObject({ kind: 'fault', signo: 4, code: 2, addr: TEXT + 9, trapno: 6 });
    expect(m.guest.regs.get(Reg.rip)).toBe(TEXT + 9);
  });
});

describe.each(['upstream', 'hardened'] as const)('11 stale-line fetch: placement, %s', (mode) => {
  it('a site that a line boundary splits is patched, whatever the offset', () => {
    for (let offset = 57; offset < 64; offset++) {
      const m = new Machine(mode);
      m.poke(TEXT + offset - 1, `90 ${call(GETPID)} 90 ${END}`);
      for (let i = 0; i < 3; i++) m.run(TEXT + offset);
      expect(m.platform.metrics()).toMatchObject({ trapped: 4, patchedCalls: 2 });
      m.dispose();
    }
  });

  it('a site that a page boundary splits is patched upstream, left alone hardened', () => {
    const m = (machine = new Machine(mode));
    const site = TEXT + 0x1000 - 3;
    m.poke(site - 1, `90 ${call(GETPID)} 90 ${END}`);
    for (let i = 0; i < 3; i++) m.run(site);
    const { sites, refused } = m.platform.metrics();
    expect(sites.length).toBe(mode === 'upstream' ? 1 : 0);
    expect(refused.map((r) => [r.address, r.rule, r.traps])).toEqual(
      mode === 'upstream' ? [] : [[site, 'page-split', 3]],
    );
  });
});

describe.each(['upstream', 'hardened'] as const)('12 no-219-by-tear, %s', (mode) => {
  it('a task that loaded any mix of old and new bytes makes the site’s call, or its own, never restart_syscall', () => {
    let m = (machine = new Machine(mode));
    for (let nr = 0; nr < 1024; nr++) {
      if (nr % 200 === 0) {
        m.dispose();
        m = machine = new Machine(mode);
        m.poke(TEXT + 0x300, `90 ${call(nr)} 90 ${END}`);
      }
      const site = TEXT + 0x301;
      m.poke(site, call(nr));
      m.run(site - 1);
      const jump = m.peek(site, 5);
      for (let mix = 0; mix < 16; mix++) {
        // mov $mix,%eax; jmp site+5
        const torn = [0, 1, 2, 3].map((i) => (((mix >> i) & 1) === 0 ? (nr >>> (8 * i)) & 0xff : (jump[i + 1] ?? 0)));
        const at = m.poke(TEXT + 0x400, `b8 ${toHex(Uint8Array.from(torn))}`);
        m.poke(at, `e9 ${toHex(new Uint8Array(new Int32Array([site + 5 - (at + 5)]).buffer))}`);
        m.calls.length = 0;
        m.run(TEXT + 0x400);
        // Hardened nobody runs between the stores: such a number was not torn, but asked for.
        const value = new DataView(Uint8Array.from(torn).buffer).getUint32(0, true);
        const made = mode === 'hardened' ? value : nr;
        expect(m.calls.map((c) => c.sysno)).toEqual([made, ...(made === 60 ? [] : [60])]);
        if (made === 219) expect(nr).toBe(219);
      }
    }
  });
});

describe('hardened: a site whose mov was not seen being executed', () => {
  // The byte before the mov could begin an instruction that ends where the syscall begins.
  const CODE = `6a 89 ${call(GETPID)} 90 ${END}`;

  it('is taken when it is reached through its mov later on', () => {
    const m = (machine = new Machine('hardened'));
    const site = TEXT + 0x42;
    m.poke(site - 2, CODE);
    m.guest.regs.set(Reg.rax, GETPID);
    m.run(site + 5);
    expect(m.platform.metrics()).toMatchObject({ sites: [], refused: [{ rule: 'boundary-unknown', traps: 1 }] });
    m.run(site - 2);
    m.run(site - 2);
    expect(m.calls.at(-2)).toMatchObject({ patched: true });
    expect(m.platform.metrics()).toMatchObject({ sites: [{ address: site, calls: 1 }] });
  });
});
