// SPDX-License-Identifier: MIT
//
// usertrap.md 1.4, 1.5, 2.9, 2.12 and 2.16: the records of stub threads and contexts in guest memory, who runs whom, and
// what a step in a trampoline comes to, with patch mode upstream.

import { afterEach, describe, expect, it } from 'vitest';

import { Reg } from '../../../src/cpu/regs.ts';
import { Context, NO_THREAD, STUB_CODE, STUB_CONTEXTS, STUB_THREADS } from '../../../src/platform/stub-layout.ts';
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
      STUB_THREADS + 0x7000,
      STUB_CODE,
      STUB_THREADS + 0x3000,
      STUB_CONTEXTS,
    ]);
    expect(msg[0x50 / 4]).toBe(0);
    m.poke(TEXT + 0x200, `65 48 8b 1c 25 00 00 00 00 ${END}`); // mov %gs:0,%rbx
    m.run(TEXT + 0x200);
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(STUB_THREADS + 0x7000);
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
    expect(states).toEqual([undefined, 3]);
    expect(m.calls.at(-1)?.regs.get(Reg.rbx)).toBe(0);
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
    expect(ids()).toEqual([NO_THREAD, NO_THREAD]);
    m.run(SITE - 1);
    expect(seen).toEqual([0, NO_THREAD]);
    expect(ids()).toEqual([NO_THREAD, 0]);
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
    expect(event).toMatchObject({ kind: 'stub-panic', code: 0x0bad0002 });
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
