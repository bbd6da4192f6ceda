// SPDX-License-Identifier: MIT
//
// Guests that go where they should not, and guests that are stepped.

import { afterEach, describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { Reg } from '../../src/cpu/regs.ts';
import { hardenedStubCode, upstreamStubCode } from '../../src/platform/stub-code.ts';
import {
  STUB_BLOCK_BYTES,
  STUB_CODE,
  STUB_CONTEXTS,
  STUB_START,
  STUB_THREADS,
} from '../../src/platform/stub-layout.ts';
import { call, END, GETPID, GETUID, Machine, PID, TEXT } from './machine.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const SITE = TEXT + 0x41;

function patched(mode: 'upstream' | 'hardened'): Machine {
  const m = (machine = new Machine(mode, { isHostile: true }));
  m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
  m.run(SITE - 1);
  return m;
}

describe('a guest that jumps into the stub', () => {
  it('upstream: the syshandler finds no PREP and panics', () => {
    const m = patched('upstream');
    expect(m.run(STUB_CODE)).toMatchObject({ kind: 'stub-panic', code: 0x0bad0001 });
  });

  it('hardened: the gate without a trampoline is a syscall like any other, and then there is nowhere to go', () => {
    const m = (machine = new Machine('hardened'));
    m.guest.regs.set(Reg.rax, GETUID);
    expect(m.run(STUB_CODE)).toMatchObject({ kind: 'fault', signo: 11, addr: 0 });
    expect(m.calls).toMatchObject([{ sysno: GETUID, patched: false }]);
  });

  it.each(['upstream', 'hardened'] as const)(
    'ends by a signal, its own exit or a panic from every offset (%s)',
    (mode) => {
      const { length } = (mode === 'upstream' ? upstreamStubCode(false) : hardenedStubCode()).bytes;
      for (let offset = 0; offset < length; offset += 7) {
        const m = patched(mode);
        m.guest.regs.set(Reg.rip, STUB_CODE + offset);
        let { kind } = m.platform.switchTo(m.guest, 1000);
        for (let i = 0; i < 10 && kind === 'budget'; i++) kind = m.platform.switchTo(m.guest, 1000).kind;
        // Where upstream hands a context back it gets what its record says: this very place, for ever.
        expect(['fault', 'stub-panic', 'syscall', ...(mode === 'upstream' ? ['budget'] : [])]).toContain(kind);
        m.dispose();
      }
      machine = undefined;
    },
  );

  it.each(['upstream', 'hardened'] as const)('ends from every offset of a slot, too (%s)', (mode) => {
    for (let offset = 0; offset < 80; offset += 3) {
      const m = patched(mode);
      const slot = m.platform.metrics().sites[0]?.slot ?? 0;
      expect(['fault', 'stub-panic', 'syscall']).toContain(m.run(slot + offset).kind);
      m.dispose();
    }
    machine = undefined;
  });

  it.each(['upstream', 'hardened'] as const)(
    'comes to no end in a loop there, but loses the processor (%s)',
    (mode) => {
      const m = patched(mode);
      // ret_addr is the address of the jump through ret_addr.
      const code = mode === 'upstream' ? upstreamStubCode(false) : hardenedStubCode();
      const jump = STUB_CODE + toHex(code.bytes).lastIndexOf('65ff242508000000') / 2;
      // mov $jump,%rax; mov %rax,%gs:8; jmp *%rax
      const address = toHex(new Uint8Array(new BigUint64Array([BigInt(jump)]).buffer));
      m.poke(TEXT + 0x200, `48 b8 ${address} 65 48 89 04 25 08 00 00 00 ff e0`);
      m.guest.regs.set(Reg.rip, TEXT + 0x200);
      for (let i = 0; i < 5; i++) expect(m.platform.switchTo(m.guest, 1000).kind).toBe('budget');
      expect(m.guest.regs.get(Reg.rip)).toBe(jump);
    },
  );
});

describe('a guest that scribbles on the stub’s records', () => {
  it.each(['upstream', 'hardened'] as const)('harms at most its own process (%s)', (mode) => {
    const m = patched(mode);
    // Upstream the threads of a process share their stub threads.
    const mm = mode === 'upstream' ? m.newSpace() : m.mm;
    const other = m.newGuest(mm);
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`, mm);
    m.run(SITE - 1, other);
    // rep stosb over its own Msg and context.
    const block = STUB_THREADS + (mode === 'upstream' ? STUB_BLOCK_BYTES : 0);
    for (const at of [block + 0x7000, STUB_CONTEXTS]) {
      m.poke(TEXT + 0x300, `f3 aa ${END}`);
      const { regs } = m.guest;
      regs.set(Reg.rdi, at);
      regs.set(Reg.rcx, 4096);
      regs.u64[Reg.rax] = 0xa5n;
      m.run(TEXT + 0x300);
    }
    expect(['fault', 'stub-panic', 'syscall']).toContain(m.run(SITE).kind);
    m.run(SITE, other);
    expect(m.calls.at(-2)).toMatchObject({ tid: other.tid, sysno: GETPID, patched: true });
  });

  it('cannot write the stub’s code', () => {
    const m = patched('hardened');
    m.poke(TEXT + 0x300, 'c6 07 cc'); // movb $0xcc,(%rdi)
    m.guest.regs.set(Reg.rdi, STUB_CODE);
    expect(m.run(TEXT + 0x300)).toMatchObject({ kind: 'fault', signo: 11, addr: STUB_CODE });
  });

  it('does not see the stub in its maps and cannot map over it', () => {
    const m = patched('hardened');
    expect(m.mm.mapsText()).not.toContain('7ffff0');
    expect(m.mm.mmap({ addr: STUB_START, length: 4096, prot: 3, flags: 0x32 })).toBeLessThan(0);
  });
});

describe('single-stepping over a site', () => {
  /** Instruction pointers and rax of every step, with TF set from the start. */
  function trace(mode: 'off' | 'hardened', warmUps: number): string[] {
    const m = new Machine(mode);
    m.poke(SITE - 1, `90 ${call(GETPID)} 90 ${END}`);
    for (let i = 0; i < warmUps; i++) m.run(SITE - 1);
    const { regs } = m.guest;
    regs.set(Reg.rax, 0);
    regs.set(Reg.rip, SITE - 1);
    regs.u64[Reg.rflags] = 0x302n;
    const seen: string[] = [];
    for (let i = 0; i < 20; i++) {
      const event = m.platform.switchTo(m.guest, 1000);
      seen.push(
        `${event.kind} ${event.kind === 'fault' ? event.signo : ''} ${m.guest.regs.get(Reg.rip).toString(16)} ${m.guest.regs.get(Reg.rax)}`,
      );
      if (event.kind === 'syscall') break;
    }
    expect(m.calls.at(-2)?.sysno).toBe(GETPID);
    m.dispose();
    return seen;
  }

  it('hardened: shows the instructions that the program has, patched or not', () => {
    const native = trace('off', 0);
    expect(native).toContain(`fault 5 ${(SITE + 5).toString(16)} ${GETPID}`);
    expect(native.some((line) => line.endsWith(` ${PID}`))).toBe(true);
    for (const warmUps of [0, 1, 2]) expect(trace('hardened', warmUps)).toEqual(native);
  });
});
