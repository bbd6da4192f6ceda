// SPDX-License-Identifier: MIT
//
// One actor's steps in worlds of a few bytes: what serialises, what a fetched granule outlives, which accesses to data
// are steps of their own.

import { afterEach, describe, expect, it } from 'vitest';

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../src/abi/mman.ts';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import { fromHex } from '../../src/base/bytes.ts';
import type { Cpu } from '../../src/cpu/cpu.ts';
import { Reg } from '../../src/cpu/regs.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { COHERENT, fetchNamed, RACE_MEMORY_BYTES } from '../../src/race/index.ts';
import type { Behaviour } from '../../src/race/world/behaviour.ts';
import type { Outcome } from '../../src/race/world/draft.ts';
import { Machine } from '../../src/race/world/machine.ts';
import type { Local, Page, Shared } from '../../src/race/world/state.ts';
import { Stepper } from '../../src/race/world/stepper.ts';

const CODE = 0x400000;
const DATA = 0x500000;
const STACK = 0x600000;
const NOP = 0x90;

/** A kernel that does nothing: an actor ends where its code stops. */
const BEHAVIOUR: Behaviour = {
  *start() {
    yield { op: 'sync', what: 'nothing' };
  },
  finish: (_kind, _outcome, local) => ({ kind: 'end', local }),
  userStop: (_stop, local) => ({ kind: 'end', local }),
  decode: () => ({ text: 'hot' }),
  label: (step) => ({ name: step.op, text: step.what }),
  stuck: () => undefined,
  outcome: () => 'done',
};

const engines: Cpu[] = [];
afterEach(() => {
  for (const cpu of engines.splice(0)) cpu.dispose();
});

/** The first byte of `code` is hot: it was fetched as a nop, and is what `code` says by now. */
function scene(fetch: string, code: string): { stepper: Stepper; local: Local; shared: Shared } {
  const cpu = openUnicorn({ memoryBytes: RACE_MEMORY_BYTES });
  engines.push(cpu);
  const machine = new Machine(cpu, 'upstream', [STACK]);
  const model = { ...COHERENT, ...fetchNamed(fetch) };
  const hot = [{ address: CODE, length: 1 }];
  const stepper = new Stepper({ machine, model, behaviour: BEHAVIOUR, hot, entries: [], privateLimit: 100 });
  const page = (bytes: Uint8Array, prot: number): Page => ({ content: machine.contents.of(bytes), prot, isCow: false });
  const text = new Uint8Array(PAGE_SIZE).fill(NOP);
  text.set(fromHex(code));
  const pages = new Map([
    [CODE, page(text, PROT_READ | PROT_EXEC)],
    [DATA, page(new Uint8Array(PAGE_SIZE), PROT_READ | PROT_WRITE)],
  ]);
  const space = {
    pages,
    next: 1,
    base: 0,
    isLocked: false,
    readers: 0,
    isStopped: false,
    versions: [],
    published: [],
    freed: 0,
    inSlots: 0,
    tracees: 0,
  };
  const regs = machine.freshRegs(CODE, STACK + 256);
  const local: Local = {
    role: 'T',
    space: 0,
    phase: 'user',
    regs,
    fpu: machine.fresh,
    privates: machine.freshPrivates(),
    fetched: [{ bytes: Uint8Array.of(NOP), age: 0 }],
    work: null,
    served: [],
    isStopper: false,
    touchesShared: false,
    signals: [],
    known: [],
    synced: [],
    notes: {},
  };
  return { stepper, local, shared: { spaces: [space], notes: {} } };
}

/** What executing the instruction at hand leads to. */
function execute({ stepper, local, shared }: ReturnType<typeof scene>): Outcome {
  const executed = stepper.outcomes(local, shared).find((outcome) => outcome.name === 'X');
  if (executed === undefined) throw new Error('nothing can be executed');
  return executed;
}

describe('a stale granule', () => {
  it('is used although memory holds other bytes', () => {
    // hlt, which would end the actor; jmp back
    const { local } = execute(scene('stale', 'f4 ebfd'));
    expect(local.phase).toBe('user');
    expect(Number(local.regs[Reg.rip])).toBe(CODE);
    expect(local.fetched).toHaveLength(1);
    expect(local.fetched[0]).not.toBeNull();
  });

  it.each([
    ['cpuid', 'f4 0fa2 ebfb'],
    ['cpuid after other instructions', 'f4 ffc0 ffc0 0fa2 ebf7'],
  ])('is gone after %s', (_, code) => {
    const { local } = execute(scene('stale', code));
    expect(Number(local.regs[Reg.rip])).toBe(CODE);
    expect(local.fetched).toEqual([null]);
  });

  it('is used within its window of instructions only', () => {
    // two instructions, then back: the granule was fetched three instructions ago
    const code = 'f4 ffc0 ebfb';
    expect(execute(scene('stale-window=3', code)).local.fetched[0]?.age).toBe(3);
    expect(execute(scene('stale-window=2', code)).local.fetched).toEqual([null]);
  });

  it('can be fetched anew where memory differs, and only there', () => {
    const names = (code: string): string[] => {
      const { stepper, local, shared } = scene('stale', code);
      return stepper.outcomes(local, shared).map((outcome) => outcome.name);
    };
    expect(names('f4 ebfd')).toEqual(['F0', 'X']);
    expect(names('90 ebfd')).toEqual(['X']);
  });
});

describe('torn fetches', () => {
  it('keep nothing for the next instruction', () => {
    expect(execute(scene('torn-asc', 'f4 ebfd')).local.fetched).toEqual([null]);
  });
});

describe('data that several actors write', () => {
  it('is accessed in a step of its own', () => {
    // nop; mov %eax,0x500000; jmp back
    const s = scene('coherent', '90 890425 00005000 ebf6');
    const before = execute(s);
    expect(Number(before.local.regs[Reg.rip])).toBe(CODE + 1);
    expect(before.local.touchesShared).toBe(true);
    expect(before.shared).toBe(s.shared);
    before.local.regs[Reg.rax] = 0x1234n;
    const after = execute({ ...s, local: before.local });
    expect(Number(after.local.regs[Reg.rip])).toBe(CODE);
    expect(after.shared.spaces[0]?.pages.get(DATA)?.content.bytes.subarray(0, 2)).toEqual(Uint8Array.of(0x34, 0x12));
  });

  it('is no step where an actor stays in its own pages', () => {
    // nop; push; pop; jmp back
    const { local } = execute(scene('coherent', '90 50 58 ebfb'));
    expect(local.touchesShared).toBe(false);
    expect(Number(local.regs[Reg.rip])).toBe(CODE);
  });
});
