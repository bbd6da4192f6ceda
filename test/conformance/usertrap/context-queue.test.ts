// SPDX-License-Identifier: MIT
//
// The queue of contexts as a nosy guest reads it (usertrap.md 6, items 7 and 8): the same numbers as under a real runsc of
// one processor, seen there by a guest that finds it 0xa000 below the record of its first context.

import { afterEach, describe, expect, it } from 'vitest';

import { Reg } from '../../../src/cpu/regs.ts';
import { STUB_CONTEXTS } from '../../../src/platform/stub-layout.ts';
import type { UpstreamVersionName } from '../../../src/usertrap/versions.ts';
import { call, END, GETPID, Machine, TEXT } from '../../platform/machine.ts';
import type { Guest } from '../../platform/machine.ts';

const QUEUE = STUB_CONTEXTS - 0xa000;
const FIRST = 0xffffbfff;
const SITE = TEXT + 0x101;
/** mov (%rdi),%rbx. */
const LOOK = TEXT + 0x200;
/** mov %rax,(%rdi). */
const WRITE = TEXT + 0x240;

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

function make(mode: 'upstream' | 'hardened', upstream: UpstreamVersionName = '3c5eee1'): Machine {
  const m = (machine = new Machine(mode, { upstream, isHostile: true }));
  m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
  m.poke(LOOK, `48 8b 1f ${END}`);
  m.poke(WRITE, `48 89 07 ${END}`);
  return m;
}

/** A word as the guest reads it, while it runs; undefined where nothing is. */
function word(m: Machine, offset: number, guest: Guest = m.guest): number | undefined {
  guest.regs.set(Reg.rdi, QUEUE + offset);
  if (m.run(LOOK, guest).kind === 'fault') return undefined;
  return Number((m.calls.at(-1)?.regs.u64[Reg.rbx] ?? 0n) & 0xffff_ffffn);
}

/** By version: start, end, active threads, spinning ones, those to wake, active contexts, awake ones, fast path off, used, entries. */
const LAYOUTS = [
  { version: '2024-07', at: [0, 4, 8, 12, 16, 20, 24, 28, 32], ring: 40 },
  { version: '3c5eee1', at: [64, 0, 192, 196, 256, 320, 132, 128, 324], ring: 384 },
] as const;

describe.each(LAYOUTS)('the queue of contexts, upstream $version', ({ version, at, ring }) => {
  it('is empty while the guest runs: one thread is active, one context is, nobody spins, no fast path', () => {
    const m = make('upstream', version);
    expect(word(m, at[0])).toBe(FIRST + 1);
    expect(at.slice(2).map((offset) => word(m, offset))).toEqual([1, 0, 0, 1, 1, 1, 0]);
    const [start, end] = [word(m, at[0]), word(m, at[1])];
    // Each look is a call, and a run of its own.
    expect((end ?? 0) - (start ?? 0)).toBe(1);
  });

  it('has an entry of 8 bytes for each context that there may be, all of them taken', () => {
    const m = make('upstream', version);
    for (const index of [0, 1, 494, 4095]) {
      expect(word(m, ring + 8 * index)).toBe(0xfefefefe);
      expect(word(m, ring + 8 * index + 4)).toBe(0);
    }
  });

  it('has been passed once more after each call, trapped or patched', () => {
    const m = make('upstream', version);
    const before = word(m, at[0]) ?? 0;
    m.run(SITE - 1);
    m.run(SITE - 1);
    // Two runs, each with a call that was served in it, and the look.
    expect((word(m, at[0]) ?? 0) - before).toBe(5);
  });

  it('counts what is active in all threads of the process, and in none of another', () => {
    const m = make('upstream', version);
    const other = m.newGuest(m.mm);
    m.poke(TEXT + 0x300, 'eb fe');
    other.regs.set(Reg.rip, TEXT + 0x300);
    m.platform.switchTo(other, 10);
    expect([2, 5, 6].map((field) => word(m, at[field] ?? 0))).toEqual([2, 2, 2]);
    m.platform.detach(other);
    expect([2, 5, 6].map((field) => word(m, at[field] ?? 0))).toEqual([1, 1, 1]);
  });

  it('keeps what a guest writes, and nothing is led astray by it', () => {
    const m = make('upstream', version);
    for (const value of [0n, 2n ** 64n - 1n, 0x8000_0000_0000_0fffn]) {
      for (const offset of [...at.map((field) => field - (field % 8)), ring, ring + 8 * 4095]) {
        m.guest.regs.set(Reg.rdi, QUEUE + offset);
        m.guest.regs.u64[Reg.rax] = value;
        m.run(WRITE);
        m.run(SITE - 1);
        expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, tid: m.guest.tid });
      }
    }
  });
});

describe('there is no queue', () => {
  it.each([
    { mode: 'upstream', version: '2023-02' },
    { mode: 'hardened', version: '3c5eee1' },
  ] as const)('$mode, $version', ({ mode, version }) => {
    const m = make(mode, version);
    expect(word(m, 0)).toBeUndefined();
  });
});
