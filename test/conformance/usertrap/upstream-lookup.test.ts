// SPDX-License-Identifier: MIT
//
// usertrap.md 2.10: how a forked process finds its table again upstream: by a name among mappings that the guest arranges,
// and a header that it can write.

import { afterEach, describe, expect, it } from 'vitest';

import { PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from '../../../src/abi/mman.ts';
import { call, END, GETPID, Machine, TEXT } from '../../platform/machine.ts';
import type { Guest } from '../../platform/machine.ts';
import { trapsOf } from './invariant-observer.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const FIRST = TEXT + 0x101;
const SECOND = TEXT + 0x141;
const MREMAP_MAYMOVE_FIXED = 3;
const MADV_DONTFORK = 10;
const PRIVATE_FIXED = 0x32;

/** A machine with one patched site, and the base of its table. */
function patched(options: ConstructorParameters<typeof Machine>[1] = {}): [Machine, number] {
  const m = (machine = new Machine('upstream', { isBroken: true, ...options }));
  for (const site of [FIRST, SECOND]) m.poke(site - 1, `90 ${call(GETPID)} 90 ${END}`);
  m.run(FIRST - 1);
  return [m, trapsOf(m.guest).base];
}

/** A child that has made the call of the second site; its table's base and its next index. */
function child(m: Machine): { guest: Guest; base: number; next: number } {
  const mm = m.mm.fork();
  if (mm === undefined || m.platform.forkSpace(m.mm, mm) !== 0) throw new Error('no memory to fork');
  const guest = m.newGuest(mm);
  m.run(SECOND - 1, guest);
  expect(m.calls.at(-2)).toMatchObject({ tid: guest.tid, sysno: GETPID });
  const { base, next } = trapsOf(guest);
  return { guest, base, next };
}

describe('the child’s table', () => {
  it('is its parent’s, and its next slot follows', () => {
    const [m, base] = patched();
    expect(child(m)).toMatchObject({ base, next: 3 });
  });

  it('is hidden by a mapping that begins before the window: the child maps a second one', () => {
    for (let seed = 1; seed < 20; seed++) {
      const [m, base] = patched({ seed });
      if (base < 0x62000) {
        m.dispose();
        continue;
      }
      m.mm.mmap({ addr: 0x58000, length: 0xa000, prot: PROT_READ | PROT_WRITE, flags: PRIVATE_FIXED, force: true });
      const { guest, next } = child(m);
      expect(next).toBe(2);
      // Where the second one lies over the first, the parent's sites have lost their slots.
      m.run(FIRST, guest);
      m.dispose();
    }
    machine = undefined;
  });

  it('is found a page further on when its first page was unmapped; that page’s first word is taken for the header', () => {
    const [m, base] = patched();
    m.mm.munmap(base, 4096);
    expect(child(m)).toMatchObject({ base: base + 4096, next: 1 });
  });

  it('is found where it was moved to, while its sites jump to where it was', () => {
    const [m, base] = patched();
    const moved = base < 0x65000 ? 0x69000 : 0x60000;
    expect(m.mm.mremap(base, 0x5000, 0x5000, MREMAP_MAYMOVE_FIXED, moved)).toBe(moved);
    const made = child(m);
    expect(made).toMatchObject({ base: moved, next: 3 });
    expect(m.run(FIRST, made.guest)).toMatchObject({ kind: 'fault', signo: 11, addr: base + 80 });
  });

  it('is gone with MADV_DONTFORK: patched sites are a SIGSEGV at their slot', () => {
    const [m, base] = patched();
    expect(m.mm.madvise(base, 0x5000, MADV_DONTFORK)).toBe(0);
    const mm = m.mm.fork();
    if (mm === undefined || m.platform.forkSpace(m.mm, mm) !== 0) throw new Error('no memory to fork');
    const guest = m.newGuest(mm);
    expect(m.run(FIRST, guest)).toMatchObject({ kind: 'fault', signo: 11, addr: base + 80 });
  });

  it('is unusable where the header cannot be read: nothing is patched, every call is served', () => {
    const [m, base] = patched();
    m.mm.mprotect(base, 4096, PROT_NONE);
    const { guest } = child(m);
    expect(m.platform.metrics().refused).toMatchObject([{ address: SECOND, rule: 'table-unreadable' }]);
    m.mm.mprotect(base, 4096, PROT_READ | PROT_EXEC);
    m.run(SECOND - 1, guest);
    expect(m.calls.at(-2)).toMatchObject({ tid: guest.tid, patched: false });
  });
});
