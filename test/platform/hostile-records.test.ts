// SPDX-License-Identifier: MIT
//
// One task of a process writes whatever it likes, whenever it likes, into everything that the stub keeps in guest memory:
// records, stacks, the table. No run makes the host throw or hang; hardened, no other task, of the same process or another,
// makes a wrong call. (Upstream, a process that comes later may get a spoiled stub thread from the pool: D8.)

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../src/abi/mman.ts';
import { Reg } from '../../src/cpu/regs.ts';
import type { AddressSpace } from '../../src/mm/address-space.ts';
import { STUB_BLOCK_BYTES, STUB_CODE, STUB_CONTEXTS, STUB_THREADS } from '../../src/platform/stub-layout.ts';
import type { Guards } from '../../src/usertrap/guards.ts';
import { call, DATA, END, EXIT, GETPID, GETUID, Machine, TEXT } from './machine.ts';
import type { Guest } from './machine.ts';

const GETTID = 186;
const LOOPS = 4;
/** mov $4,%ebp; loop: three sites; dec %ebp; jnz loop; end. */
const PROGRAM = `bd 04 00 00 00 ${call(GETPID)} 90 ${call(GETUID)} 90 ${call(GETTID)} ff cd 75 e5 90 ${END}`;
const NUMBERS = [GETPID, GETUID, GETTID];
const EXPECTED = [...Array.from({ length: LOOPS }, () => NUMBERS).flat(), EXIT];
/** mov %rax,(%rdi); then the end. */
const STORE = TEXT + 0x800;
/** wrgsbase %rdi; a site; then the end. */
const SET_GS = TEXT + 0x840;
/** Nothing here takes so many turns. */
const MANY_TURNS = 300;

type Mode = 'upstream' | 'hardened';

/** What the hostile task does before a turn of the others. */
type Attack =
  | { readonly kind: 'store'; readonly at: number; readonly value: bigint }
  | { readonly kind: 'table'; readonly at: number; readonly value: bigint }
  | { readonly kind: 'gs'; readonly base: number }
  | { readonly kind: 'take-table'; readonly how: number };

interface Turn {
  readonly who: number;
  readonly budget: number;
  /** The task is wanted back in the Sentry after its turn. */
  readonly isInterrupted: boolean;
  readonly attack: Attack | null;
}

const value = fc.oneof(
  fc.bigInt({ min: 0n, max: 5n }),
  fc.constantFrom(BigInt(TEXT), BigInt(STUB_CODE), BigInt(STUB_CODE + 9), BigInt(DATA), 0x8000_0000_0000n, 0x60050n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
/** Fields of the records, and any other place of them. */
const recordAt = fc.oneof(
  fc
    .tuple(fc.nat(5), fc.constantFrom(0, 8, 0x10, 0x18, 0x20, 0x28, 0x2c, 0x30, 0x38, 0x3c, 0x48, 0x50))
    .map(([id, field]) => STUB_THREADS + id * STUB_BLOCK_BYTES + 0x7000 + field),
  fc
    .tuple(
      fc.nat(5),
      fc.constantFrom(0xe00, 0xe08, 0xe58, 0xe80, 0xe88, 0xe98, 0xea0, 0xeb0, 0xee0, 0xf60, 0xf68, 0xf70),
    )
    .map(([id, field]) => STUB_CONTEXTS + id * 4096 + field),
  fc.tuple(fc.nat(5), fc.nat(4088)).map(([id, field]) => STUB_CONTEXTS + id * 4096 + field),
  fc.tuple(fc.nat(5), fc.nat(4088)).map(([id, field]) => STUB_THREADS + id * STUB_BLOCK_BYTES + 0x2000 + field),
);
const attack: fc.Arbitrary<Attack> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('store' as const), at: recordAt, value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('table' as const), at: fc.nat(420), value }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gs' as const), base: fc.constantFrom(0, DATA, 0x60000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take-table' as const), how: fc.nat(3) }) },
);
const turns = fc.array(
  fc.record({
    who: fc.nat(2),
    budget: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 9, max: 40 })),
    isInterrupted: fc.boolean(),
    attack: fc.option(attack, { freq: 2 }),
  }),
  { minLength: 1, maxLength: 14 },
);

/** Code for a fresh process. */
function load(m: Machine, mm: AddressSpace): void {
  m.poke(TEXT + 0x40, PROGRAM, mm);
  m.poke(STORE, `48 89 07 90 ${END}`, mm);
  m.poke(SET_GS, `f3 48 0f ae df 90 ${call(GETPID)} 90 ${END}`, mm);
}

function tableOf(mm: AddressSpace): number {
  return mm.findVmaByName('[usertrap]')?.start ?? 0;
}

/** Lets a task run until something ends it. One that jumps in circles is stopped by whoever gives it turns. */
function finish(m: Machine, guest: Guest): void {
  for (let i = 0; i < MANY_TURNS; i++) {
    const { kind } = m.platform.switchTo(guest, 1 + (i % 50));
    if (kind !== 'budget' && kind !== 'preempted') return;
  }
}

function strike(m: Machine, mm: AddressSpace, hostile: Guest, what: Attack): void {
  const { regs } = hostile;
  const base = tableOf(mm);
  let at = STORE;
  switch (what.kind) {
    case 'store':
      regs.set(Reg.rdi, what.at);
      regs.u64[Reg.rax] = what.value;
      break;
    case 'table':
      if (base === 0) return;
      mm.mprotect(base, 0x5000, PROT_READ | PROT_WRITE | PROT_EXEC);
      regs.set(Reg.rdi, base + what.at);
      regs.u64[Reg.rax] = what.value;
      break;
    case 'gs':
      regs.set(Reg.rdi, what.base);
      at = SET_GS;
      break;
    case 'take-table':
      if (base === 0) return;
      if (what.how === 0) mm.munmap(base, 0x5000);
      else if (what.how === 1) mm.mprotect(base, 0x1000, 0);
      else if (what.how === 2) mm.madvise(base, 0x5000, 4);
      else mm.mremap(base, 0x5000, 0x5000, 3, 0x7000_0000);
      return;
  }
  regs.set(Reg.rip, at);
  finish(m, hostile);
}

/** The calls that a task of the process made. */
function numbers(m: Machine, guest: Guest): number[] {
  return m.calls.filter((c) => c.tid === guest.tid).map((c) => c.sysno);
}

/** One process under attack, and one beside it; throws when something is wrong that must not be. */
function attackRun(m: Machine, mode: Mode, plan: readonly Turn[]): void {
  m.calls.length = 0;
  const mm = m.newSpace();
  load(m, mm);
  const other = m.newSpace();
  load(m, other);
  const tasks = [m.newGuest(mm), m.newGuest(mm), m.newGuest(other)];
  const hostile = m.newGuest(mm);
  const ended = new Set<Guest>();
  for (const task of tasks) task.regs.set(Reg.rip, TEXT + 0x40);
  for (const turn of plan) {
    if (turn.attack !== null) strike(m, mm, hostile, turn.attack);
    const task = tasks[turn.who];
    if (task === undefined || ended.has(task)) continue;
    const { kind } = m.platform.switchTo(task, turn.budget);
    if (turn.isInterrupted) m.platform.interrupt(task);
    if (kind !== 'budget' && kind !== 'preempted') ended.add(task);
  }
  for (const task of tasks) if (!ended.has(task)) finish(m, task);
  if (mode === 'hardened') for (const task of tasks) expect(numbers(m, task)).toEqual(EXPECTED);
  for (const task of [...tasks, hostile]) m.platform.detach(task);
  for (const space of [mm, other]) {
    m.platform.dropSpace(space);
    space.release();
  }
}

/** Runs the property on one machine after another; the failure that was found, or undefined. */
function search(
  mode: Mode,
  seed: number,
  runs: number,
  options: { readonly guards?: Partial<Guards>; readonly stubPreemption?: boolean } = {},
): string | undefined {
  const make = (): Machine =>
    new Machine(mode, { ...options, isHostile: true, isBroken: options.guards !== undefined });
  let m = make();
  let left = 200;
  try {
    const result = fc.check(
      fc.property(turns, (plan) => {
        if (left-- === 0) {
          m.dispose();
          m = make();
          left = 200;
        }
        attackRun(m, mode, plan);
      }),
      { seed, numRuns: runs, endOnFailure: true },
    );
    return result.failed ? String(result.errorInstance) : undefined;
  } finally {
    m.dispose();
  }
}

describe('a process under attack by one of its tasks', () => {
  it.each([
    { mode: 'upstream', seed: 1, stubPreemption: false },
    { mode: 'upstream', seed: 2, stubPreemption: true },
    { mode: 'hardened', seed: 3, stubPreemption: false },
    { mode: 'hardened', seed: 4, stubPreemption: false },
  ] as const)(
    'never harms the host; hardened, nor the other tasks ($mode, seed $seed, preempted anywhere: $stubPreemption)',
    ({ mode, seed, stubPreemption }) => {
      expect(search(mode, seed, 1500, { stubPreemption })).toBeUndefined();
    },
  );
});

describe('without a check', () => {
  it.each([
    { guard: 'assertRecord', what: 'the stub’s record is not filled in again' },
    { guard: 'surviveTableLoss', what: 'the guest may write and take the table' },
  ] as const)('the search finds that: $guard, $what', ({ guard }) => {
    expect(search('hardened', 3, 3000, { guards: { [guard]: false } })).toBeDefined();
  });
});
