// SPDX-License-Identifier: MIT
//
// Scenarios 24, 28, 34, 38, 39, 41, 42 and 60: the table through fork, exec and unmapping; code that is shared, read-only,
// unloaded, moved or rewritten.

import { afterEach, describe, expect, it } from 'vitest';

import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../../src/abi/mman.ts';
import { toHex } from '../../../src/base/bytes.ts';
import type { AddressSpace } from '../../../src/mm/address-space.ts';
import { writeForced } from '../../../src/mm/forced-access.ts';
import { call, END, GETPID, GETUID, Machine, TEXT } from '../../platform/machine.ts';
import type { Guest } from '../../platform/machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const RW = PROT_READ | PROT_WRITE;
const RWX = RW | PROT_EXEC;
const AREA = { prot: RW, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED };

/** Writes a site with a nop before and the end of the run behind it. */
function site(m: Machine, at: number, nr = GETPID, mm = m.mm): number {
  m.poke(at - 1, `90 ${call(nr)} 90 ${END}`, mm);
  return at;
}

function tableOf(mm: AddressSpace): number {
  return mm.findVmaByName('[usertrap]', 0x60000, 0x70000)?.start ?? 0;
}

function header(m: Machine, mm = m.mm): number {
  return new DataView(m.peek(tableOf(mm), 4, mm).buffer).getUint32(0, true);
}

function fork(m: Machine): { mm: AddressSpace; guest: Guest } {
  const mm = m.mm.fork();
  if (mm === undefined || m.platform.forkSpace(m.mm, mm) !== 0) throw new Error('no memory to fork');
  return { mm, guest: m.newGuest(mm) };
}

/** The last call before the end of the run. */
const last = (m: Machine): Machine['calls'][number] | undefined => m.calls.at(-2);

describe.each(['upstream', 'hardened'] as const)('24 fork-mid-process, %s', (mode) => {
  it('the child’s next slot follows the parent’s, parent sites work in the child, headers are independent', () => {
    const m = (machine = new Machine(mode));
    const sites = [0, 1, 2, 3].map((i) => site(m, TEXT + 0x101 + 64 * i));
    for (const s of sites.slice(0, 2)) m.run(s - 1);
    const base = tableOf(m.mm);
    const child = fork(m);
    m.run(sites[0], child.guest);
    expect(last(m)).toMatchObject({ tid: child.guest.tid, patched: true });
    m.run((sites[2] ?? 0) - 1, child.guest);
    expect(header(m, child.mm)).toBe(4);
    expect(header(m)).toBe(3);
    expect(tableOf(child.mm)).toBe(base);
    expect(toHex(m.peek(sites[2] ?? 0, 7, child.mm))).toBe(
      `ff2425f0${(base + 0xf0).toString(16).padStart(8, '0').slice(4, 6)}0600`,
    );
    expect(toHex(m.peek(sites[2] ?? 0, 7))).toBe('b8270000000f05');
    m.run((sites[3] ?? 0) - 1);
    m.run(sites[3]);
    expect(last(m)).toMatchObject({ tid: m.guest.tid, patched: true });
    m.run(sites[2], child.guest);
    expect(last(m)).toMatchObject({ tid: child.guest.tid, sysno: GETPID, patched: true });
  });
});

describe.each(['upstream', 'hardened'] as const)('28 exec-resets, %s', (mode) => {
  it('a new image has no table before its first patch', () => {
    const m = (machine = new Machine(mode));
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    const mm = m.newSpace();
    m.guest.mm = mm;
    expect(m.platform.moveContext(m.guest)).toBe(0);
    m.platform.dropSpace(m.mm);
    expect(tableOf(mm)).toBe(0);
    site(m, TEXT + 0x201, GETUID, mm);
    m.run(TEXT + 0x200);
    expect(last(m)).toMatchObject({ sysno: GETUID, patched: false });
    m.run(TEXT + 0x201);
    expect(last(m)).toMatchObject({ sysno: GETUID, patched: true });
    expect(header(m, mm)).toBe(2);
  });
});

describe.each(['upstream', 'hardened'] as const)('34 traced-sibling, %s', (mode) => {
  it('a thread that is not traced patches; the traced one uses the patch', () => {
    const m = (machine = new Machine(mode));
    const s = site(m, TEXT + 0x101);
    m.guest.hasTracer = true;
    m.run(s - 1);
    const sibling = m.newGuest(m.mm);
    m.run(s - 1, sibling);
    m.run(s);
    expect(last(m)).toMatchObject({ tid: m.guest.tid, patched: true });
  });
});

describe('38 unwritable-shared', () => {
  const CODE = 0x900000;

  function readOnlyShared(mode: 'upstream' | 'hardened'): Machine {
    const m = (machine = new Machine(mode));
    const flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
    m.mm.mmap({ addr: CODE, length: 0x1000, prot: RW, flags });
    m.poke(CODE + 0x40, `90 ${call(GETPID)} 90 ${END}`);
    // As a mapping of a descriptor that is open for reading only.
    m.mm.mprotect(CODE, 0x1000, PROT_READ | PROT_EXEC);
    const vma = m.mm.findVma(CODE) as { maxProt: number };
    vma.maxProt = PROT_READ | PROT_EXEC;
    return m;
  }

  it('upstream: each call eats a slot, after 250 no site of the program is patched any more', () => {
    const m = readOnlyShared('upstream');
    for (let i = 0; i < 300; i++) m.run(CODE + 0x40);
    expect(m.platform.metrics()).toMatchObject({ trapped: 600, patchedCalls: 0, sites: [] });
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    m.run(s - 1);
    expect(last(m)).toMatchObject({ sysno: GETPID, patched: false });
    expect(m.platform.metrics().refused.map((r) => r.rule)).toEqual(['unwritable', 'no-space', 'no-space']);
  });

  it('hardened: no slot is used, other sites are patched', () => {
    const m = readOnlyShared('hardened');
    for (let i = 0; i < 300; i++) m.run(CODE + 0x40);
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    m.run(s);
    expect(last(m)).toMatchObject({ patched: true });
    expect(m.platform.metrics()).toMatchObject({ slots: { used: 1 }, refused: [{ rule: 'shared-frame', traps: 300 }] });
  });
});

describe('39 table-munmap', () => {
  it('upstream: SIGSEGV at the jump, with the slot as the address', () => {
    const m = (machine = new Machine('upstream'));
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    const base = tableOf(m.mm);
    m.mm.munmap(base, 0x5000);
    expect(m.run(s)).toMatchObject({ kind: 'fault', signo: 11, addr: base + 80 });
    const other = site(m, TEXT + 0x201);
    m.run(other - 1);
    expect(m.platform.metrics().refused).toMatchObject([{ rule: 'header-unwritable' }]);
  });

  it('hardened: the program goes on, unmapped or only made unreadable', () => {
    for (const prot of [-1, 0, PROT_READ]) {
      const m = new Machine('hardened');
      const s = site(m, TEXT + 0x101);
      m.run(s - 1);
      const base = tableOf(m.mm);
      if (prot < 0) m.mm.munmap(base, 0x5000);
      else m.mm.mprotect(base, 0x5000, prot);
      expect(m.run(s).kind).toBe('syscall');
      expect(last(m)).toMatchObject({ sysno: GETPID, patched: false, rip: s + 7 });
      m.run(s - 1);
      m.run(s);
      expect(last(m)?.sysno).toBe(GETPID);
      m.dispose();
    }
  });
});

describe('41 window-squatter', () => {
  it('hardened: the table is never put over a guest mapping, and the child goes on with the parent’s', () => {
    for (let seed = 1; seed < 12; seed++) {
      const m = new Machine('hardened', { seed });
      m.mm.mmap({ addr: 0x58000, length: 0xa000, prot: RW, flags: 0x32, force: true });
      const s = site(m, TEXT + 0x101);
      m.run(s - 1);
      expect(tableOf(m.mm)).toBeGreaterThanOrEqual(0x62000);
      const child = fork(m);
      const other = site(m, TEXT + 0x201, GETPID, child.mm);
      m.run(other - 1, child.guest);
      expect(header(m, child.mm)).toBe(3);
      m.dispose();
    }
  });

  it('upstream: the table replaces a part of what the guest has there', () => {
    const m = (machine = new Machine('upstream'));
    m.mm.mmap({ addr: 0x60000, length: 0x10000, prot: RW, flags: 0x32, force: true });
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    const base = tableOf(m.mm);
    expect(m.mm.findVma(base)).toMatchObject({ name: '[usertrap]', prot: PROT_READ | PROT_EXEC });
  });

  it('hardened: without room there is no table and the program runs unpatched', () => {
    const m = (machine = new Machine('hardened'));
    m.mm.mmap({ addr: 0x60000, length: 0x10000, prot: RW, flags: 0x32, force: true });
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    m.run(s - 1);
    expect(m.platform.metrics()).toMatchObject({ sites: [], refused: [{ rule: 'no-room-for-table', traps: 2 }] });
  });
});

describe('42 header-tamper', () => {
  it.each([
    ['upstream', 5, 5],
    ['hardened', 5, 3],
    ['upstream', 300, undefined],
    ['hardened', 300, 3],
    ['upstream', 0, 0],
    ['hardened', 0, 3],
  ] as const)('%s: a header of %i makes the child’s next slot %s', (mode, value, index) => {
    const m = (machine = new Machine(mode));
    for (const s of [site(m, TEXT + 0x101), site(m, TEXT + 0x141)]) m.run(s - 1);
    const base = tableOf(m.mm);
    // Hardened gives nobody the means (below): what if the header were wrong all the same?
    m.poke(base, toHex(new Uint8Array(new Uint32Array([value]).buffer)));
    const child = fork(m);
    const before = m.platform.metrics().sites.length;
    m.run(site(m, TEXT + 0x201, GETPID, child.mm) - 1, child.guest);
    const added = m.platform.metrics().sites.slice(before);
    expect(added.map((s) => (s.slot - base) / 80)).toEqual(index === undefined ? [] : [index]);
  });
});

describe('42 header-tamper, by the guest itself', () => {
  it('upstream: mprotect makes the table writable, and the header counts', () => {
    const m = (machine = new Machine('upstream'));
    m.run(site(m, TEXT + 0x101) - 1);
    expect(m.mm.mprotect(tableOf(m.mm), 0x5000, RWX)).toBe(0);
    expect(m.mm.writeU32(tableOf(m.mm), 5)).toBe(true);
    const child = fork(m);
    m.run(site(m, TEXT + 0x201, GETPID, child.mm) - 1, child.guest);
    expect(m.platform.metrics().sites.at(-1)?.slot).toBe(tableOf(m.mm) + 5 * 80);
  });

  it.each([
    ['mprotect', (m: Machine, base: number) => m.mm.mprotect(base, 0x5000, RW)],
    [
      'a mapping over it',
      (m: Machine, base: number) => m.mm.mmap({ ...AREA, addr: base, length: 0x5000, force: true }),
    ],
    ['mremap', (m: Machine, base: number) => m.mm.mremap(base, 0x5000, 0x5000, 3, 0x990000)],
    ['madvise', (m: Machine, base: number) => m.mm.madvise(base, 0x5000, 4)],
    ['a write by another process', (m: Machine, base: number) => writeForced(m.mm, base, new Uint8Array(4))],
  ] as const)(
    'hardened: before %s the sites have their bytes again; nothing in the table matters any more',
    (_, change) => {
      const m = (machine = new Machine('hardened'));
      const s = site(m, TEXT + 0x101);
      m.run(s - 1);
      const sibling = m.newGuest(m.mm);
      const base = tableOf(m.mm);
      change(m, base);
      expect(toHex(m.peek(s, 7))).toBe('b8270000000f05');
      if (m.mm.findVma(base) !== undefined) m.mm.copyOut(base, new Uint8Array(0x5000).fill(0xcc));
      for (const guest of [m.guest, sibling]) {
        m.run(s, guest);
        expect(last(m)).toMatchObject({ tid: guest.tid, sysno: GETPID, patched: false });
      }
    },
  );
});

describe('slots of code that goes', () => {
  const LIBRARY = 0x900000;

  /** Maps a page of code with one site, runs it twice and takes it away; whether the second call was a patched one. */
  function load(m: Machine, at: number, nr: number): boolean | undefined {
    m.map(at, 0x1000, PROT_READ | PROT_EXEC);
    const s = site(m, at + 0x41, nr);
    m.run(s - 1);
    m.run(s);
    expect(last(m)?.sysno).toBe(nr);
    const { patched } = last(m) ?? {};
    m.mm.munmap(at, 0x1000);
    return patched;
  }

  it('upstream: loading and unloading a library 300 times uses the table up', () => {
    const m = (machine = new Machine('upstream'));
    let patched = 0;
    for (let i = 0; i < 300; i++) if (load(m, LIBRARY + i * 0x1000, GETPID) === true) patched++;
    expect(patched).toBe(250);
  });

  it('hardened: they are used again, by whatever site comes next', () => {
    const m = (machine = new Machine('hardened'));
    for (let i = 0; i < 300; i++) expect(load(m, LIBRARY + i * 0x1000, i % 2 === 0 ? GETPID : GETUID)).toBe(true);
    expect(m.platform.metrics().slots.used).toBe(1);
    expect(header(m)).toBe(2);
  });

  it('hardened: a site that is written anew, where nobody is told of it, gives its slot back', () => {
    const m = (machine = new Machine('hardened'));
    for (let i = 0; i < 300; i++) m.run(site(m, TEXT + 0x101, i % 2 === 0 ? GETPID : GETUID) - 1);
    m.run(TEXT + 0x101);
    expect(last(m)).toMatchObject({ sysno: GETUID, patched: true });
    expect(m.platform.metrics().slots.used).toBe(1);
    expect(header(m)).toBe(3);
  });

  it('hardened: a child goes on with the slots that were free, too', () => {
    const m = (machine = new Machine('hardened'));
    load(m, LIBRARY, GETPID);
    const child = fork(m);
    const s = site(m, TEXT + 0x101, GETUID, child.mm);
    m.run(s - 1, child.guest);
    m.run(s, child.guest);
    expect(last(m)).toMatchObject({ sysno: GETUID, patched: true });
    expect(header(m, child.mm)).toBe(2);
  });

  it('hardened: there is an end to it, and calls go on as traps', () => {
    const m = (machine = new Machine('hardened'));
    const results = Array.from({ length: 4400 }, () => load(m, LIBRARY, GETPID));
    expect(results.slice(0, 4096).every((r) => r === true)).toBe(true);
    expect(results.at(-1)).toBe(false);
    const calls = m.platform.metrics().sites.reduce((sum, s) => sum + s.calls, 0);
    expect(calls).toBe(results.filter(Boolean).length);
  });
});

describe('code that moves, and code that is edited', () => {
  it('hardened: code that mremap moves runs at its new place; upstream it returns to where it was', () => {
    for (const mode of ['upstream', 'hardened'] as const) {
      const m = new Machine(mode);
      const [from, to] = [0x900000, 0xa00000];
      m.map(from, 0x1000, RWX);
      const s = site(m, from + 0x41);
      m.run(s - 1);
      expect(m.mm.mremap(from, 0x1000, 0x1000, 3, to)).toBe(to);
      const event = m.run(to + 0x41);
      if (mode === 'upstream') expect(event).toMatchObject({ kind: 'fault', signo: 11, addr: s + 7 });
      else expect(last(m)).toMatchObject({ sysno: GETPID, rip: to + 0x48, patched: false });
      m.dispose();
    }
  });

  it('hardened: code that is made writable has its own bytes, for who reads, copies or edits it', () => {
    const m = (machine = new Machine('hardened'));
    const s = site(m, TEXT + 0x101);
    m.run(s - 1);
    m.mm.mprotect(TEXT, 0x1000, RWX);
    expect(toHex(m.peek(s, 7))).toBe('b8270000000f05');
    // Only the number is rewritten, as a compiler at run time may do.
    m.mm.writeU32(s + 1, GETUID);
    m.mm.mprotect(TEXT, 0x1000, PROT_READ | PROT_EXEC);
    m.run(s - 1);
    m.run(s);
    expect(last(m)).toMatchObject({ sysno: GETUID, patched: true });
    expect(m.platform.metrics().slots.used).toBe(1);
  });
});

describe('code in a shared mapping', () => {
  it('upstream patches it; hardened leaves it alone', () => {
    for (const [mode, patched] of [
      ['upstream', true],
      ['hardened', false],
    ] as const) {
      const m = new Machine(mode);
      const at = 0x900000;
      m.mm.mmap({ addr: at, length: 0x1000, prot: RWX, flags: MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED });
      site(m, at + 0x41);
      m.run(at + 0x40);
      m.run(at + 0x41);
      expect(last(m)?.patched).toBe(patched);
      m.dispose();
    }
  });
});

describe('code that changes', () => {
  it.each([
    ['upstream', true],
    ['hardened', false],
  ] as const)('a site that is written anew in place, after its patch, runs as written (%s)', (mode, patched) => {
    const m = (machine = new Machine(mode));
    const at = 0x900000;
    m.map(at, 0x1000, RWX);
    for (const nr of [GETPID, GETUID, 186]) {
      site(m, at + 0x41, nr);
      m.run(at + 0x40);
      expect(last(m)).toMatchObject({ sysno: nr, patched: false });
      m.run(at + 0x41);
      expect(last(m)).toMatchObject({ sysno: nr, patched });
    }
  });

  it('its number alone is rewritten in place: upstream jumps where half an operand says, hardened makes the call', () => {
    for (const mode of ['upstream', 'hardened'] as const) {
      const m = new Machine(mode);
      const at = 0x900000;
      m.map(at, 0x1000, RWX);
      const s = site(m, at + 0x41);
      m.run(s - 1);
      m.mm.writeU32(s + 1, GETUID);
      const event = m.run(s);
      if (mode === 'upstream') expect(event).toMatchObject({ kind: 'fault', signo: 11 });
      else expect(last(m)).toMatchObject({ sysno: GETUID, patched: false });
      m.dispose();
    }
  });

  it('hardened: code is patched once it is no longer writable', () => {
    const m = (machine = new Machine('hardened'));
    m.map(0x900000, 0x1000, RWX);
    const s = site(m, 0x900041);
    for (let i = 0; i < 20; i++) m.run(s - 1);
    expect(m.platform.metrics().refused).toMatchObject([{ rule: 'writable-code', traps: 20 }]);
    m.mm.mprotect(0x900000, 0x1000, PROT_READ | PROT_EXEC);
    m.run(s - 1);
    m.run(s);
    expect(last(m)).toMatchObject({ sysno: GETPID, patched: true });
  });
});

describe('60 mlock-limit', () => {
  it.each([
    ['upstream', false],
    ['hardened', true],
  ] as const)('%s: with less than 20 KiB of lockable memory a site is patched: %s', (mode, patched) => {
    const m = (machine = new Machine(mode));
    m.mm.limits.memlockBytes = 16 * 1024;
    const s = site(m, TEXT + 0x101);
    for (let i = 0; i < 3; i++) {
      m.run(s - 1);
      expect(last(m)?.sysno).toBe(GETPID);
    }
    expect(last(m)?.patched).toBe(patched);
    if (!patched) expect(m.platform.metrics().refused).toMatchObject([{ rule: 'table-unmappable', traps: 3 }]);
  });
});
