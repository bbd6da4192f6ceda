// SPDX-License-Identifier: MIT
//
// usertrap.md 1.4, 1.5, 2.9, 2.12 and 2.16: the records of stub threads and contexts in guest memory, who runs whom, and
// what a step in a trampoline comes to, with patch mode upstream.

import { afterEach, describe, expect, it } from 'vitest';

import { Reg } from '../../../src/cpu/regs.ts';
import {
  Context,
  NO_THREAD,
  STUB_BLOCK_BYTES,
  STUB_CODE,
  STUB_CONTEXTS,
  STUB_THREADS,
} from '../../../src/platform/stub-layout.ts';
import { ThreadContext } from '../../../src/platform/thread-context.ts';
import { call, DATA, END, GETPID, Machine, PID, TEXT } from '../../platform/machine.ts';
import type { Guest } from '../../platform/machine.ts';
import { trapsOf } from './invariant-observer.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.dispose();
  machine = undefined;
});

const SITE = TEXT + 0x41;
/** Of the first stub thread: numbers begin with 1. */
const BLOCK = STUB_THREADS + STUB_BLOCK_BYTES;

function upstream(options: ConstructorParameters<typeof Machine>[1] = {}): Machine {
  const m = new Machine('upstream', options);
  machine = m;
  m.poke(SITE - 1, `90 ${call(GETPID)} 89 c3 90 ${END}`);
  return m;
}

function contextOf(guest: Guest): ThreadContext {
  if (!(guest.platformState instanceof ThreadContext)) throw new Error('the guest has no context');
  return guest.platformState;
}

const word = (guest: Guest, offset: number): number => contextOf(guest).words[offset / 4] ?? 0;
const address = (words: Uint32Array, offset: number): number =>
  (words[offset / 4] ?? 0) + (words[offset / 4 + 1] ?? 0) * 2 ** 32;

/** `mov (%rdi),%rax; mov %rax,%rbx` and the end: what a guest reads there, or the event that the read ends with. */
function readByGuest(m: Machine, at: number): bigint | string {
  m.poke(TEXT + 0x300, `48 8b 1f ${END}`);
  m.guest.regs.set(Reg.rdi, at);
  const event = m.run(TEXT + 0x300);
  return event.kind === 'syscall' ? (m.calls.at(-1)?.regs.u64[Reg.rbx] ?? -1n) : `${event.kind} ${event.signo}`;
}

describe('a stub thread', () => {
  it('has a block of eight pages, aligned to 32 KiB: guard, stack, guard, signal stack, record', () => {
    const m = upstream();
    m.run(SITE - 1);
    const [thread] = m.platform.stubThreads(m.mm);
    const block = (thread?.msgAddr ?? 0) - 0x7000;
    expect(block % 0x8000).toBe(0);
    expect(thread?.stackTop).toBe(block + 0x3000);
    const pages = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => typeof readByGuest(m, block + 4096 * i));
    expect(pages).toEqual(['string', 'bigint', 'bigint', 'string', 'bigint', 'bigint', 'bigint', 'bigint']);
  });

  it('has a record that the guest reads through GS: itself, the syshandler, its stack, its context, its id', () => {
    const m = upstream();
    m.run(SITE - 1);
    const [thread] = m.platform.stubThreads(m.mm);
    const msg = thread?.msg ?? new Uint32Array(32);
    expect([0x00, 0x10, 0x18, 0x30].map((at) => address(msg, at))).toEqual([
      BLOCK + 0x7000,
      STUB_CODE,
      BLOCK + 0x3000,
      STUB_CONTEXTS,
    ]);
    // Thread number; no panic: error 0, line -1; nothing interrupts or jumps.
    expect([0x50, 0x3c, 0x40, 0x44, 0x28, 0x38, 0x48].map((at) => msg[at / 4])).toEqual([
      1,
      0,
      0,
      2 ** 32 - 1,
      0,
      0,
      0,
    ]);
    m.poke(TEXT + 0x200, `65 48 8b 1c 25 00 00 00 00 ${END}`); // mov %gs:0,%rbx
    m.run(TEXT + 0x200);
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(BLOCK + 0x7000);
  });

  it('is in state INITIALIZING before it has a context, NONE in guest code, ASLEEP without work', () => {
    const m = upstream();
    const states: (number | undefined)[] = [];
    const note = (): void => {
      states.push(m.platform.stubThreads(m.mm)[0]?.msg[0x2c / 4]);
    };
    m.poke(TEXT + 0x200, `65 8b 1c 25 2c 00 00 00 ${END}`); // mov %gs:0x2c,%ebx
    note();
    m.run(TEXT + 0x200);
    note();
    expect(states).toEqual([4, 3]);
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(0);
  });

  it('is made when a context comes that needs one, up to the limit: a sibling finds its record before it has run', () => {
    const m = upstream();
    const made = (): number => m.platform.stubThreads(m.mm).length;
    expect(made()).toBe(1);
    m.newGuest(m.mm);
    expect(made()).toBe(2);
    m.newGuest(m.mm);
    expect(made()).toBe(2);
    const second = BLOCK + STUB_BLOCK_BYTES + 0x7000;
    // Its address, its state, no context yet, its number, as the first guest reads them.
    const seen = [0x00, 0x28, 0x30, 0x50].map((at) => readByGuest(m, second + at));
    expect(seen).toEqual([BigInt(second), 4n << 32n, 0n, 2n]);
  });

  it('that panics leaves error, number and line of the source in its record', () => {
    const m = upstream({ isBroken: true });
    m.run(SITE - 1);
    m.poke(trapsOf(m.guest).base + 80 + 16, '03');
    expect(m.run(SITE)).toMatchObject({ kind: 'stub-panic', code: 0x0bad0001 });
    const msg = m.platform.stubThreads(m.mm)[0]?.msg;
    expect([0x3c, 0x40, 0x44].map((at) => msg?.[at / 4])).toEqual([0x0bad0001, 0, 359]);
  });
});

describe('a context', () => {
  it('has a page of its own by its number, and numbers are those of its address space', () => {
    const m = upstream();
    const other = m.newSpace();
    const guests = [m.guest, m.newGuest(m.mm), m.newGuest(other)];
    expect(guests.map((g) => contextOf(g).address - STUB_CONTEXTS)).toEqual([0, 4096, 0]);
  });

  it('names the stub thread that runs it, and the last one when none does', () => {
    const m = upstream({ stubThreads: 1 });
    const seen: number[] = [];
    m.answer = (ctx, sysno) => {
      if (sysno === GETPID) seen.push(word(ctx as Guest, Context.threadId), word(ctx as Guest, Context.lastThreadId));
      return undefined;
    };
    const ids = (): number[] => [word(m.guest, Context.threadId), word(m.guest, Context.lastThreadId)];
    // As under runsc, where a fresh record says 0.
    expect(ids()).toEqual([NO_THREAD, 0]);
    m.run(SITE - 1);
    expect(seen).toEqual([1, 0]);
    expect(ids()).toEqual([NO_THREAD, 1]);
  });

  it('is told that FP state changed when another has run on its stub thread, and not when none has', () => {
    const m = upstream({ stubThreads: 1 });
    m.answer = (ctx, sysno) => {
      if (sysno !== GETPID) return undefined;
      ctx.regs.set(Reg.rax, PID);
      return false;
    };
    const other = m.newGuest(m.mm);
    /** The guest goes on after its call; what the stub's exit saw is still there. */
    const resumed = (guest: Guest): number => {
      m.platform.switchTo(guest, 1);
      return word(guest, Context.fpStateChanged);
    };
    m.run(SITE - 1);
    m.run(SITE);
    expect(resumed(m.guest)).toBe(0);
    m.run(SITE);
    m.run(SITE, other);
    expect(resumed(m.guest)).toBe(1);
  });

  it('has in its record what the signal handler saved of a trapped call', () => {
    const m = upstream();
    m.poke(TEXT + 0x200, `b8 27 00 00 00 90 0f 05 ${END}`);
    const record: number[] = [];
    m.answer = (ctx, sysno) => {
      if (sysno !== GETPID) return undefined;
      const { words } = contextOf(ctx as Guest);
      // signo, state, orig_rax, rip
      record.push(words[0xf60 / 4] ?? 0, words[0xf68 / 4] ?? 0, words[0xe80 / 4] ?? 0, address(words, 0xe88));
      return undefined;
    };
    m.run(TEXT + 0x200);
    expect(record).toEqual([31, 1, GETPID, TEXT + 0x208]);
    expect(word(m.guest, Context.state)).toBe(1);
  });

  it('that a sibling overwrites between two calls goes on with what the Sentry knows', () => {
    const m = upstream();
    m.answer = (ctx, sysno) => {
      if (sysno !== GETPID) return undefined;
      ctx.regs.set(Reg.rax, PID);
      return false;
    };
    m.run(SITE - 1);
    m.run(SITE);
    contextOf(m.guest).words.fill(0xa5a5a5a5);
    m.answer = null;
    expect(m.run().kind).toBe('syscall');
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(PID);
  });
});

/** Of an event: signo, errno and si_code, the two words of si_addr, and the two behind it. */
const siginfo = (guest: Guest): number[] => [0, 4, 8, 16, 20, 24, 28].map((at) => word(guest, Context.siginfo + at));

describe('what a guest finds in its context’s record after an event', () => {
  it('a trapped call: SIGSYS, the address behind it, number and architecture; FP state is the record’s', () => {
    const m = upstream({ upstream: '2024-07' });
    m.poke(TEXT + 0x200, `b8 27 00 00 00 90 0f 05 ${END}`);
    m.run(TEXT + 0x200);
    expect(siginfo(m.guest)).toEqual([31, 0, 1, TEXT + 0x200 + 21, 0, 60, 0xc000003e]);
  });

  it('a fault: the signal, si_code and address, and nothing of the call before; the error code from 2025 on', () => {
    for (const [version, error] of [
      ['2024-07', 0],
      ['3c5eee1', 4],
    ] as const) {
      machine?.dispose();
      const m = upstream({ upstream: version });
      m.run(SITE - 1);
      m.poke(TEXT + 0x200, '48 8b 04 25 00 10 00 00'); // mov 0x1000,%rax
      expect(m.run(TEXT + 0x200)).toMatchObject({ kind: 'fault', signo: 11 });
      expect(siginfo(m.guest)).toEqual([11, 0, 1, 0x1000, 0, 0, 0]);
      expect([Context.signo, Context.state, Context.err].map((at) => word(m.guest, at))).toEqual([11, 2, error]);
      expect(word(m.guest, 0xe80)).toBe(0xffffffff);
    }
  });

  it('an interrupt: SIGCHLD that tgkill sent, no number', () => {
    const m = upstream();
    m.poke(TEXT + 0x200, 'eb fe');
    m.guest.regs.set(Reg.rip, TEXT + 0x200);
    expect(m.platform.switchTo(m.guest, 100).kind).toBe('budget');
    expect(m.platform.interrupt(m.guest)).toBe(true);
    expect(siginfo(m.guest)).toEqual([17, 0, 2 ** 32 - 6, 0, 0, 0, 0]);
    expect([Context.signo, Context.state].map((at) => word(m.guest, at))).toEqual([17, 2]);
  });

  it('the time stamp at which it was last taken; when it was given back only while it is with the Sentry', () => {
    const m = upstream();
    m.answer = (ctx, sysno) => {
      if (sysno !== GETPID) return undefined;
      ctx.regs.set(Reg.rax, PID);
      return false;
    };
    const times = (): number[] => [Context.ackedTime, Context.stateChangedTime].map((at) => word(m.guest, at));
    m.cpu.tscOffset = 1_000_000;
    m.run(SITE - 1);
    const [acked, changed] = times();
    expect(acked).toBeGreaterThanOrEqual(1_000_000);
    expect(changed).toBeGreaterThan(acked ?? 0);
    m.poke(TEXT + 0x200, `0f 31 89 c3 ${END}`); // rdtsc; mov %eax,%ebx
    m.answer = null;
    m.run(TEXT + 0x200);
    const [taken, given] = times();
    const stamp = m.calls.at(-1)?.regs.get(Reg.rbx) ?? 0;
    expect(taken).toBeGreaterThanOrEqual(changed ?? 0);
    expect(taken).toBeLessThanOrEqual(stamp);
    expect(given).toBeGreaterThanOrEqual(stamp);
    // In guest code the second one is 0, as the Sentry has put the context into the queue since.
    m.poke(TEXT + 0x200, 'eb fe');
    m.guest.regs.set(Reg.rip, TEXT + 0x200);
    m.platform.switchTo(m.guest, 10);
    expect(times()[1]).toBe(0);
  });

  it('no fast path: the Sentry does not spin on a machine with one processor', () => {
    const m = upstream();
    m.run(SITE - 1);
    m.run(SITE);
    expect([Context.sentryFastPath, Context.tls, Context.debug].map((at) => word(m.guest, at))).toEqual([0, 0, 0]);
  });
});

describe('fault_jump', () => {
  /** A distance of 3 in the record; loads that fault, three bytes each; then what is in the record. */
  const FAULTS = (count: number): string =>
    `65 c7 04 25 38 00 00 00 03 00 00 00 b9 00 10 00 00 ${'48 8b 01 '.repeat(count)} 65 8b 1c 25 38 00 00 00 ${END}`;

  it('that a guest writes is the way over its next SIGSEGV, which nobody hears of', () => {
    const m = upstream();
    m.poke(TEXT + 0x200, FAULTS(1));
    expect(m.run(TEXT + 0x200).kind).toBe('syscall');
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(0);
    m.poke(TEXT + 0x200, FAULTS(2));
    expect(m.run(TEXT + 0x200)).toMatchObject({ kind: 'fault', signo: 11, addr: 0x1000 });
    expect(m.guest.regs.get(Reg.rip)).toBe(TEXT + 0x200 + 20);
  });

  it('stays in 2024-07: the compiler has left out the store that clears it', () => {
    const m = upstream({ upstream: '2024-07' });
    m.poke(TEXT + 0x200, FAULTS(2));
    expect(m.run(TEXT + 0x200).kind).toBe('syscall');
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(3);
    // A trapped call reads its site, which leaves 0.
    m.poke(TEXT + 0x200, `65 c7 04 25 38 00 00 00 03 00 00 00 b8 27 00 00 00 90 0f 05 65 8b 1c 25 38 00 00 00 ${END}`);
    expect(m.run(TEXT + 0x200).kind).toBe('syscall');
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(0);
  });

  it('that leads from one fault to the next, or to the same again, uses up a turn and no more', () => {
    for (const distance of ['fd ff ff ff', '00 10 00 00', 'ff ff ff 7f', '00 00 00 80']) {
      machine?.dispose();
      const m = upstream({ upstream: '2024-07', isHostile: true });
      m.poke(TEXT + 0x200, `65 c7 04 25 38 00 00 00 ${distance} ff 24 25 00 20 00 00`);
      m.guest.regs.set(Reg.rip, TEXT + 0x200);
      const kinds = Array.from({ length: 20 }, () => m.platform.switchTo(m.guest, 100).kind);
      expect(kinds.every((kind) => kind === 'budget' || kind === 'fault')).toBe(true);
    }
  });

  it('means nothing to hardened', () => {
    const m = (machine = new Machine('hardened'));
    m.poke(TEXT + 0x200, FAULTS(1));
    expect(m.run(TEXT + 0x200)).toMatchObject({ kind: 'fault', signo: 11, addr: 0x1000 });
  });
});

describe('32 attach-existing', () => {
  it('a single step over a patched site goes through the slot, and the syshandler panics', () => {
    const m = upstream({ isHostile: true, isBroken: true });
    m.run(SITE - 1);
    const slot = trapsOf(m.guest).base + 80;
    const { regs } = m.guest;
    regs.set(Reg.rip, SITE);
    regs.u64[Reg.rflags] = 0x302n;
    const steps: number[] = [];
    let event = m.platform.switchTo(m.guest, 1000);
    for (
      ;
      event.kind === 'fault' && event.signo === 5 && steps.length < 200;
      event = m.platform.switchTo(m.guest, 1000)
    )
      steps.push(m.guest.regs.get(Reg.rip));
    expect(steps.slice(0, 8)).toEqual([8, 20, 29, 38, 48, 57, 62, STUB_CODE - slot].map((offset) => slot + offset));
    expect(event).toMatchObject({ kind: 'stub-panic', code: 0x0bad0001 });
    expect(m.calls.filter((c) => c.sysno === GETPID)).toHaveLength(1);
  });
});

describe('2.13, the byte before', () => {
  it('a guest that reads its own record at a guard page gets a SIGSEGV, not another’s memory', () => {
    const m = upstream();
    m.run(SITE - 1);
    expect(readByGuest(m, STUB_THREADS)).toBe('fault 11');
    expect(readByGuest(m, DATA)).toBe(0n);
  });
});
