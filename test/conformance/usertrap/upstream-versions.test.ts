// SPDX-License-Identifier: MIT
//
// usertrap.md 1.7: what a guest can tell one gVisor from another by, with patch mode upstream.

import { afterEach, describe, expect, it } from 'vitest';

import { toHex } from '../../../src/base/bytes.ts';
import { Reg } from '../../../src/cpu/regs.ts';
import { Context } from '../../../src/platform/stub-layout.ts';
import { ThreadContext } from '../../../src/platform/thread-context.ts';
import { UPSTREAM_VERSION_NAMES } from '../../../src/usertrap/versions.ts';
import { call, END, GETPID, Machine, PID, TEXT } from '../../platform/machine.ts';
import type { Guest } from '../../platform/machine.ts';
import { trapsOf } from './invariant-observer.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const SITE = TEXT + 0x41;

/** Bytes of a context's record in guest memory. */
function recordOf(guest: Guest, offset: number, length: number): Uint8Array {
  if (!(guest.platformState instanceof ThreadContext)) throw new Error('the guest has no record');
  const { words } = guest.platformState;
  return new Uint8Array(words.buffer, words.byteOffset + offset, length);
}

function made(upstream: (typeof UPSTREAM_VERSION_NAMES)[number]): Machine {
  const m = (machine = new Machine('upstream', { upstream }));
  m.poke(SITE - 1, `90 ${call(GETPID)} 89 c3 90 ${END}`);
  return m;
}

describe.each(UPSTREAM_VERSION_NAMES)('%s', (version) => {
  it('serves a call by its trampoline, with the stub thread’s own offsets', () => {
    const m = made(version);
    m.run(SITE - 1);
    m.run(SITE);
    expect(m.calls.at(-2)).toMatchObject({ sysno: GETPID, patched: true, rip: SITE + 7 });
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(PID);
  });

  it('panics where the state that a slot stores is another version’s', () => {
    const m = made(version);
    m.run(SITE - 1);
    m.poke(trapsOf(m.guest).base + 80 + 16, version === '2023-02' ? '02' : '03');
    expect(m.run(SITE)).toMatchObject({ kind: 'stub-panic', code: 0x0bad0001 });
    m.mayBreak.add(27);
  });
});

describe('the slots', () => {
  it.each([
    ['2023-02', '65c704253400000003000000'],
    ['2024-07', '65c704252c00000002000000'],
    ['3c5eee1', '65c704252c00000002000000'],
  ] as const)('of %s begin with the store of its PREP at its offset', (version, store) => {
    const m = made(version);
    m.run(SITE - 1);
    expect(toHex(m.peek(trapsOf(m.guest).base + 80 + 8, 12))).toBe(store);
    m.mayBreak.add(5);
    m.mayBreak.add(6);
  });
});

describe('the call that had its site patched', () => {
  it.each([
    ['2023-02', [true], 1],
    ['2024-07', [false], 0],
    ['3c5eee1', [false], 0],
  ] as const)('in %s came by its trampoline: %s', (version, patched, patchedCalls) => {
    const m = made(version);
    m.run(SITE - 1);
    expect(m.calls.filter((c) => c.sysno === GETPID).map((c) => c.patched)).toEqual(patched);
    expect(m.platform.metrics()).toMatchObject({ patchedCalls, sites: [{ address: SITE, calls: patchedCalls }] });
  });
});

describe('a task with a tracer', () => {
  it.each([
    ['2023-02', 1],
    ['2024-07', 1],
    ['3c5eee1', 0],
  ] as const)('in %s patches %i sites', (version, sites) => {
    const m = made(version);
    m.guest.hasTracer = true;
    m.mayBreak.add(43);
    m.run(SITE - 1);
    expect(m.platform.metrics().sites).toHaveLength(sites);
  });
});

describe('what traps', () => {
  it.each([
    ['2023-02', 1],
    ['2024-07', 1],
    ['3c5eee1', 2],
  ] as const)('in %s is told in the siginfo of the context’s record: si_code %i', (version, code) => {
    const m = made(version);
    m.poke(TEXT + 0x200, `b8 27 00 00 00 90 0f 05 ${END}`);
    let seen = '';
    m.answer = (_, sysno) => {
      if (sysno === GETPID) seen = toHex(recordOf(m.guest, Context.siginfo, 32));
      return undefined;
    };
    m.run(TEXT + 0x200);
    // signo, errno, code, padding; the address behind the call; number and architecture.
    expect(seen).toBe(`1f00000000000000${`0${code}000000`}000000000812400000000000270000003e0000c0`);
  });
});
