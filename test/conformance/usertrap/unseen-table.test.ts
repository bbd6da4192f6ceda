// SPDX-License-Identifier: MIT
//
// Hardened: no call tells a program that there is a table. One about addresses where only the table lies answers as if
// nothing were there, in the same words as with patching off; the sites have their own bytes by then.

import { afterEach, describe, expect, it } from 'vitest';

import * as M from '../../../src/abi/mman.ts';
import { toHex } from '../../../src/base/bytes.ts';
import type { AddressSpace } from '../../../src/mm/address-space.ts';
import { DATA, END, GETPID, GETUID, Machine, TEXT, call } from '../../platform/machine.ts';

const SITE = TEXT + 0x101;
const PAGE = 0x1000;
const WINDOW = 0x60000;
const WINDOW_PAGES = 16;
const RW = M.PROT_READ | M.PROT_WRITE;
const PRIVATE = M.MAP_PRIVATE | M.MAP_ANONYMOUS;

const machines: Machine[] = [];
afterEach(() => {
  for (const m of machines.splice(0)) m.dispose();
});

/** A machine with a patched site, where anything is patched. */
function machine(mode: 'off' | 'hardened'): Machine {
  const m = new Machine(mode);
  machines.push(m);
  m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
  m.run(SITE - 1);
  return m;
}

/** What a call answers about each page of the window. */
function onEachPage(ask: (mm: AddressSpace, page: number) => number): (mm: AddressSpace) => number[] {
  return (mm) => Array.from({ length: WINDOW_PAGES }, (_, i) => ask(mm, WINDOW + i * PAGE));
}

const ADVICE = [M.MADV_DONTNEED, M.MADV_FREE, M.MADV_WILLNEED, M.MADV_DONTFORK, M.MADV_WIPEONFORK, M.MADV_HUGEPAGE];

const CALLS: readonly (readonly [what: string, ask: (mm: AddressSpace) => unknown])[] = [
  ['mincore', onEachPage((mm, page) => mm.mincore(page, PAGE, DATA))],
  ['mprotect', onEachPage((mm, page) => mm.mprotect(page, PAGE, M.PROT_READ))],
  ['mprotect over it and more', (mm) => mm.mprotect(0x50000, 0x30000, M.PROT_READ)],
  ['munmap', onEachPage((mm, page) => mm.munmap(page, PAGE))],
  ['mlock', onEachPage((mm, page) => mm.mlock(page, 1))],
  ['munlock', onEachPage((mm, page) => mm.munlock(page, 1))],
  ['msync', onEachPage((mm, page) => mm.msync(page, PAGE, M.MS_SYNC))],
  ['naming memory', onEachPage((mm, page) => mm.setName(page, PAGE, 'mine'))],
  ...ADVICE.map((advice) => [`advice ${advice}`, onEachPage((mm, page) => mm.madvise(page, PAGE, advice))] as const),
  ['mmap with a hint', onEachPage((mm, addr) => mm.mmap({ addr, length: 1, prot: RW, flags: PRIVATE }))],
  [
    'mmap that replaces nothing',
    onEachPage((mm, addr) => mm.mmap({ addr, length: 1, prot: RW, flags: PRIVATE | M.MAP_FIXED_NOREPLACE })),
  ],
  [
    'mmap of a fixed place',
    onEachPage((mm, addr) => mm.mmap({ addr, length: 1, prot: RW, flags: PRIVATE | M.MAP_FIXED })),
  ],
  ['mremap of what is there', onEachPage((mm, page) => mm.mremap(page, PAGE, PAGE, 3, page + 0x900000))],
  ['mremap to there', onEachPage((mm, page) => mm.mremap(DATA, PAGE, PAGE, M.MREMAP_MAYMOVE | M.MREMAP_FIXED, page))],
  ['mremap with a hint', (mm) => mm.mremap(DATA, PAGE, PAGE, M.MREMAP_MAYMOVE | M.MREMAP_DONTUNMAP, WINDOW + 4 * PAGE)],
  [
    'a mapping that grows where it is',
    (mm) => {
      mm.mmap({ addr: WINDOW - PAGE, length: PAGE, prot: RW, flags: PRIVATE | M.MAP_FIXED });
      return mm.mremap(WINDOW - PAGE, PAGE, 0x11000, 0, 0);
    },
  ],
  [
    'a heap that grows over it, and shrinks',
    (mm) => {
      mm.setBrkStart(WINDOW - PAGE);
      return [mm.brk(WINDOW + 0x10000), mm.brk(WINDOW)];
    },
  ],
  [
    'a stack that grows over it',
    (mm) => {
      mm.mmap({ addr: WINDOW + 0x20000, length: PAGE, prot: RW, flags: PRIVATE | M.MAP_FIXED | M.MAP_GROWSDOWN });
      const faults = Array.from({ length: 0x30 }, (_, i) =>
        mm.handleFault(WINDOW + 0x1f000 - i * PAGE, 'write', false, 0),
      );
      return faults;
    },
  ],
];

describe('a call about the addresses of the table', () => {
  it.each(CALLS)('%s answers as with patching off, and the program goes on', (_, ask) => {
    const [off, hardened] = (['off', 'hardened'] as const).map((mode) => {
      const m = machine(mode);
      const answers = ask(m.mm);
      expect(toHex(m.peek(SITE, 7))).toBe('b8270000000f05');
      m.run(SITE);
      expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: false });
      return { answers, maps: m.mm.mapsText() };
    });
    expect(hardened).toEqual(off);
  });
});

describe('a table that nobody asks about', () => {
  it('is in no file of /proc and counts for no limit', () => {
    const [off, hardened] = (['off', 'hardened'] as const).map((mode) => {
      const m = machine(mode);
      if (mode === 'hardened') expect(m.mm.findVmaByName('[usertrap]')).toBeDefined();
      const { vmSize, vmPeak, vmRss, vmHwm, vmData, vmExe, vmLocked } = m.mm.memoryUse();
      m.mm.limits.addressSpaceBytes = vmSize + 3 * PAGE;
      let pages = 0;
      while (m.mm.mmap({ addr: 0, length: PAGE, prot: RW, flags: PRIVATE }) > 0) pages++;
      expect(pages).toBe(3);
      return [m.mm.mapsText(), m.mm.numaMapsText(''), vmSize, vmPeak, vmRss, vmHwm, vmData, vmExe, vmLocked];
    });
    expect(hardened).toEqual(off);
  });

  it('goes on serving where memory may not be locked, but what is mapped is to be', () => {
    const m = new Machine('hardened');
    machines.push(m);
    expect(m.mm.mlockall(M.MCL_FUTURE)).toBe(0);
    m.mm.limits.memlockBytes = 0;
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
    m.run(SITE - 1);
    m.run(SITE);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: true });
  });
});

describe('a change of one byte', () => {
  it('is one of its page: code that becomes writable so has its own bytes', () => {
    const m = machine('hardened');
    m.mm.mprotect(TEXT, 1, RW | M.PROT_EXEC);
    m.mm.writeU32(SITE + 1, GETUID);
    m.run(SITE);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETUID, patched: false });
  });

  it.each([
    ['munmap', (mm: AddressSpace) => mm.munmap(TEXT, 1)],
    ['mmap', (mm: AddressSpace) => mm.mmap({ addr: TEXT, length: 1, prot: RW, flags: PRIVATE | M.MAP_FIXED })],
    ['madvise', (mm: AddressSpace) => mm.madvise(TEXT, 1, M.MADV_DONTNEED)],
    ['mremap', (mm: AddressSpace) => mm.mremap(TEXT, 1, 1, M.MREMAP_MAYMOVE | M.MREMAP_FIXED, 0x900000)],
  ] as const)('%s of a byte gives the slots of its page back', (_, change) => {
    const m = machine('hardened');
    change(m.mm);
    m.map(0xa00000, PAGE, M.PROT_READ | M.PROT_EXEC);
    m.poke(0xa00000, `90 ${call(GETUID)} 90 ${END}`);
    m.run(0xa00000);
    expect(m.platform.metrics().slots.used).toBe(1);
  });
});
