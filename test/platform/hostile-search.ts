// SPDX-License-Identifier: MIT
//
// A search at random for what a hostile task can do to the host or to others: one task of a process writes whatever it likes,
// whenever it likes, into everything that the stub keeps in guest memory, goes where it should not, forks and is restored.

import fc from 'fast-check';

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../src/abi/mman.ts';
import { toHex } from '../../src/base/bytes.ts';
import { Reg } from '../../src/cpu/regs.ts';
import type { AddressSpace } from '../../src/mm/address-space.ts';
import { hardenedStubCode, upstreamStubCode } from '../../src/platform/stub-code.ts';
import {
  Context,
  Msg,
  STUB_BLOCK_BYTES,
  STUB_CODE,
  STUB_CONTEXTS,
  STUB_THREADS,
} from '../../src/platform/stub-layout.ts';
import { stubThreadOf } from '../../src/platform/thread-context.ts';
import type { Guards } from '../../src/usertrap/guards.ts';
import { patchedBytes, trapBytes } from '../../src/usertrap/layout.ts';
import type { UpstreamVersionName } from '../../src/usertrap/versions.ts';
import { trapsOf } from '../conformance/usertrap/invariant-observer.ts';
import { BoundsObserver } from './bounds-observer.ts';
import { call, DATA, END, EXIT, GETPID, GETUID, Machine, STACK_TOP, TEXT } from './machine.ts';
import type { Guest } from './machine.ts';

const GETTID = 186;
const LOOPS = 4;
/** mov $4,%ebp; loop: three sites; dec %ebp; jnz loop; end. */
const PROGRAM = `bd 04 00 00 00 ${call(GETPID)} 90 ${call(GETUID)} 90 ${call(GETTID)} ff cd 75 e5 90 ${END}`;
const NUMBERS = [GETPID, GETUID, GETTID];
const EXPECTED = [...Array.from({ length: LOOPS }, () => NUMBERS).flat(), EXIT];
/** The program, for the first tasks and for children, whose sites are fresh. */
const START = TEXT + 0x40;
const CHILD_START = TEXT + 0x100;
/** mov %rax,(%rdi); then the end. */
const STORE = TEXT + 0x800;
/** rep stos %rax,(%rdi); then the end. */
const FLOOD = TEXT + 0x820;
/** wrgsbase %rdi; a site; then the end. */
const SET_GS = TEXT + 0x840;
/** Code of the hostile task's own: see {@link loadWild}. */
const WILD = 0x600000;
const WILD_BYTES = 0x1000;
/** What looks like slots: the third byte of their addresses is the guard. A page each, so that one is a multiple of 80 away. */
const FORGED = [0x1060000, 0x1061000, 0x1062000, 0x1063000, 0x1064000];
/** The same where the window begins, below the table. */
const LOW_PAGE = 0x60000;
const FORGED_LOW = [0x60100, 0x60200, 0x60300, 0x60400, 0x60500];
const NOWHERE = 0x2060050;
const FORGED_SITES = WILD + 0x700;
/** A copy of a patched site. */
const COPY = WILD + 0xa00;
/** Nothing here takes so many turns; the hostile task is given up earlier. */
const MANY_TURNS = 300;
const HOSTILE_TURNS = 40;
const VSYSCALL = 0xffff_ffff_ff60_0000n;
/** Words of a context's registers. */
const USER_REGS = 27;
/** Turns after which an interrupt must have come through. */
const MANY_INTERRUPTS = 80;
const MACHINE_RUNS = 200;

export type Mode = 'upstream' | 'hardened';

/** What the hostile task does before a turn of the others. */
type Attack =
  | { readonly kind: 'store'; readonly at: number; readonly value: bigint }
  | { readonly kind: 'flood'; readonly id: number; readonly value: bigint }
  | { readonly kind: 'table'; readonly at: number; readonly value: bigint }
  | { readonly kind: 'gs'; readonly base: number }
  | { readonly kind: 'take-table'; readonly how: number }
  | { readonly kind: 'go'; readonly to: bigint; readonly rax: bigint; readonly rdi: bigint; readonly hasStack: boolean }
  | { readonly kind: 'fork' }
  | { readonly kind: 'restore' };

interface Turn {
  readonly who: number;
  readonly budget: number;
  /** The task is wanted back in the Sentry after its turn. */
  readonly isInterrupted: boolean;
  readonly attack: Attack | null;
}

export interface SearchOptions {
  readonly mode: Mode;
  readonly seed: number;
  readonly runs: number;
  readonly guards?: Partial<Guards>;
  readonly stubPreemption?: boolean;
  readonly upstream?: UpstreamVersionName;
}

// ---- what may be tried

const value = fc.oneof(
  fc.bigInt({ min: 0n, max: 5n }),
  fc.constantFrom(BigInt(TEXT), BigInt(STUB_CODE), BigInt(STUB_CODE + 9), BigInt(DATA), 0x8000_0000_0000n, 0x60050n),
  fc.constantFrom(254n, 255n, 256n, 300n, 0x7fff_ffffn, 0xffff_ffffn),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
/** Fields of the records, and any other place of them. */
const recordAt = fc.oneof(
  fc
    .tuple(fc.nat(5), fc.constantFrom(0, 8, 0x10, 0x18, 0x20, 0x28, 0x2c, 0x30, 0x34, 0x38, 0x3c, 0x48, 0x50))
    .map(([id, field]) => STUB_THREADS + id * STUB_BLOCK_BYTES + 0x7000 + field),
  fc
    .tuple(
      fc.nat(5),
      fc.constantFrom(0xe00, 0xe08, 0xe58, 0xe80, 0xe88, 0xe98, 0xea0, 0xeb0, 0xee0, 0xf60, 0xf68, 0xf6c, 0xf70),
    )
    .map(([id, field]) => STUB_CONTEXTS + id * 4096 + field),
  fc.tuple(fc.nat(5), fc.nat(4088)).map(([id, field]) => STUB_CONTEXTS + id * 4096 + field),
  fc.tuple(fc.nat(5), fc.nat(4088)).map(([id, field]) => STUB_THREADS + id * STUB_BLOCK_BYTES + 0x2000 + field),
);
/** The state of a thread that upstream has. */
const stateAt = fc.integer({ min: 1, max: 2 }).map((id) => STUB_THREADS + id * STUB_BLOCK_BYTES + 0x7000 + Msg.state);
/** Places of loadWild, and any of the stub's code. */
const wildAt = fc.oneof(
  fc.constantFrom(0, 0x105, 0x115, 0x200, 0x800, 0x840, 0x900, WILD_BYTES - 1).map((at) => BigInt(WILD + at)),
  fc.nat(9).map((i) => BigInt(FORGED_SITES + i * 0x10 + 5)),
  fc.constant(BigInt(COPY + 5)),
  fc.nat(400).map((at) => BigInt(STUB_CODE + at)),
  fc.constantFrom(VSYSCALL, VSYSCALL + 0x400n),
);
const attack: fc.Arbitrary<Attack> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('store' as const), at: recordAt, value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('store' as const), at: stateAt, value: fc.constant(2n) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flood' as const), id: fc.nat(5), value }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('table' as const), at: fc.oneof(fc.constant(0), fc.nat(420)), value }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('gs' as const), base: fc.constantFrom(0, DATA, 0x60000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take-table' as const), how: fc.nat(4) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('go' as const),
      to: wildAt,
      rax: fc.oneof(fc.constantFrom(BigInt(GETPID), BigInt(GETUID), 219n), value),
      rdi: value,
      hasStack: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'fork' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restore' as const }) },
);
const turns = fc.array(
  fc.record({
    who: fc.nat(5),
    budget: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 9, max: 40 })),
    isInterrupted: fc.boolean(),
    attack: fc.option(attack, { freq: 2 }),
  }),
  { minLength: 1, maxLength: 14 },
);

// ---- the guests

/** Code for a fresh process. */
function load(m: Machine, mm: AddressSpace): void {
  m.poke(START, PROGRAM, mm);
  m.poke(CHILD_START, PROGRAM, mm);
  m.poke(STORE, `48 89 07 90 ${END}`, mm);
  m.poke(FLOOD, `f3 48 ab 90 ${END}`, mm);
  m.poke(SET_GS, `f3 48 0f ae df 90 ${call(GETPID)} 90 ${END}`, mm);
}

/** What only the hostile task executes. */
function loadWild(m: Machine, mm: AddressSpace, mode: Mode): void {
  m.map(WILD, WILD_BYTES, PROT_READ | PROT_EXEC, mm);
  m.map(FORGED[0] as number, 0x5000, PROT_READ | PROT_WRITE | PROT_EXEC, mm);
  if (mode === 'hardened') m.map(LOW_PAGE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC, mm);
  const poke = (at: number, hex: string): number => m.poke(WILD + at, hex, mm);
  // A call at the first byte of a mapping; a guard byte at the last.
  poke(0, `0f 05 90 ${END}`);
  poke(WILD_BYTES - 1, '06');
  // Sites whose slots look right in every byte, and two whose do not.
  for (const [i, slot] of [...FORGED, ...(mode === 'hardened' ? FORGED_LOW : [])].entries()) {
    const at = FORGED_SITES + i * 0x10;
    m.poke(at, toHex(patchedBytes(slot)), mm);
    m.poke(slot, toHex(trapBytes(slot, at + 7, GETPID)), mm);
  }
  poke(0x100, `${toHex(patchedBytes(NOWHERE))} 90`);
  poke(0x110, `${toHex(patchedBytes((FORGED[0] as number) + 7))} 90`);
  // More than a KiB of straight-line code before a site: nopw 0x0(%rax,%rax,1).
  poke(0x200, `${'66 0f 1f 84 00 00 00 00 00 '.repeat(130)}${call(GETPID)} 90 ${END}`);
  // mov %rdi,%rcx; movl $rax,%gs:state and ret_addr = the jump through ret_addr; jump there.
  const code = mode === 'upstream' ? upstreamStubCode(false) : hardenedStubCode();
  const jump = STUB_CODE + toHex(code.bytes).lastIndexOf('65ff242508000000') / 2;
  const address = toHex(new Uint8Array(new BigUint64Array([BigInt(jump)]).buffer), ' ');
  poke(0x800, `65 c7 04 25 2c 00 00 00 02 00 00 00 48 b8 ${address} 65 48 89 04 25 08 00 00 00 ff e0`);
  // mov %eax,%gs:fault_jump; jmp *%rdi.
  poke(0x840, '65 89 04 25 38 00 00 00 ff e7');
  // A loop for ever.
  poke(0x900, 'ff c1 ff c2 ff c1 ff c2 eb f6');
}

function tableOf(mm: AddressSpace): number {
  return mm.findVmaByName('[usertrap]')?.start ?? 0;
}

/** One process under attack, and one beside it. */
class Siege {
  readonly #m: Machine;
  readonly #observer: BoundsObserver;
  readonly #mode: Mode;
  readonly #mm: AddressSpace;
  readonly #spaces: AddressSpace[] = [];
  readonly #tasks: Guest[] = [];
  readonly #hostile: Guest;
  readonly #ended = new Set<Guest>();

  constructor(m: Machine, observer: BoundsObserver, mode: Mode) {
    this.#m = m;
    this.#observer = observer;
    this.#mode = mode;
    m.calls.length = 0;
    this.#mm = this.#addSpace(m.newSpace());
    load(m, this.#mm);
    loadWild(m, this.#mm, mode);
    const other = this.#addSpace(m.newSpace());
    load(m, other);
    for (const mm of [this.#mm, this.#mm, other]) this.#addTask(mm, START);
    this.#hostile = m.newGuest(this.#mm);
  }

  #addSpace(mm: AddressSpace): AddressSpace {
    this.#spaces.push(mm);
    return mm;
  }

  #addTask(mm: AddressSpace, start: number): void {
    const task = this.#m.newGuest(mm);
    task.regs.set(Reg.rip, start);
    this.#tasks.push(task);
  }

  /** @throws when something is wrong that must not be */
  run(plan: readonly Turn[]): void {
    for (const { attack: what, who, budget, isInterrupted } of plan) {
      if (what !== null) this.#strike(what);
      const task = this.#tasks[who % this.#tasks.length];
      if (task === undefined || this.#ended.has(task)) continue;
      if (!this.#turn(task, budget)) this.#ended.add(task);
      if (isInterrupted) this.#interrupt(task);
    }
    this.#interruptAll();
    for (const task of this.#tasks) if (!this.#ended.has(task)) this.#finish(task, MANY_TURNS);
    if (this.#mode === 'hardened') for (const task of this.#tasks) this.#checkCalls(task);
  }

  #checkCalls({ tid }: Guest): void {
    const numbers = this.#m.calls.filter((c) => c.tid === tid).map((c) => c.sysno);
    if (numbers.join() !== EXPECTED.join()) throw new Error(`task ${tid} has made the calls ${numbers.join()}`);
  }

  /** False when something has ended the task. */
  #turn(task: Guest, budget: number): boolean {
    this.#observer.expectTurn(budget);
    const { kind } = this.#m.platform.switchTo(task, budget);
    return kind === 'budget' || kind === 'preempted';
  }

  /** Lets a task run until something ends it. One that jumps in circles is stopped by whoever gives it turns. */
  #finish(task: Guest, most: number): void {
    for (let i = 0; i < most && this.#turn(task, 1 + (i % 50)); i++);
  }

  /** Interrupts a task, which only its trampoline, the stub and upstream’s signal handler put off. */
  #interrupt(task: Guest): boolean {
    const rip = task.regs.get(Reg.rip);
    const { base } = trapsOf(task);
    const offset = rip >= base && rip < base + 0x5000 ? (rip - base) % 80 : 0;
    const mayWait = rip >= STUB_CODE || (offset > 8 && offset < 70) || stubThreadOf(task.platformState)?.isInHandler;
    const isInterrupted = this.#m.platform.interrupt(task);
    if (!isInterrupted && mayWait !== true) throw new Error(`an interrupt is put off at 0x${rip.toString(16)}`);
    return isInterrupted;
  }

  /** Nobody puts an interrupt off for ever. */
  #interruptAll(): void {
    for (const task of [...this.#tasks, this.#hostile]) {
      if (this.#ended.has(task)) continue;
      const calls = this.#m.calls.length;
      for (let i = 0; !this.#interrupt(task) && this.#turn(task, 5); i++) {
        if (i > MANY_INTERRUPTS && this.#m.calls.length === calls)
          throw new Error(`task ${task.tid} has put ${i} interrupts off`);
      }
    }
  }

  #strike(what: Attack): void {
    const m = this.#m;
    const mm = this.#mm;
    const { regs } = this.#hostile;
    const base = tableOf(mm);
    let at = BigInt(STORE);
    regs.set(Reg.rsp, STACK_TOP - 64);
    switch (what.kind) {
      case 'store':
        regs.set(Reg.rdi, what.at);
        regs.u64[Reg.rax] = what.value;
        break;
      case 'flood':
        regs.set(Reg.rdi, STUB_CONTEXTS + what.id * 4096 + Context.regs);
        regs.set(Reg.rcx, USER_REGS);
        regs.u64[Reg.rax] = what.value;
        at = BigInt(FLOOD);
        break;
      case 'table':
        if (base === 0) return;
        mm.mprotect(base, 0x5000, PROT_READ | PROT_WRITE | PROT_EXEC);
        regs.set(Reg.rdi, base + what.at);
        regs.u64[Reg.rax] = what.value;
        break;
      case 'gs':
        regs.set(Reg.rdi, what.base);
        at = BigInt(SET_GS);
        break;
      case 'take-table':
        if (base !== 0) takeTable(mm, base, what.how);
        return;
      case 'go':
        regs.u64[Reg.rax] = what.rax;
        regs.u64[Reg.rdi] = what.rdi;
        if (!what.hasStack) regs.set(Reg.rsp, 0x1000);
        at = what.to;
        break;
      case 'fork':
        this.#fork();
        return;
      case 'restore':
        // Of a State nothing but the table in guest memory is left (usertrap.md 2.11).
        for (const task of this.#tasks) trapsOf(task).revive();
        return;
    }
    if (at === BigInt(COPY + 5)) m.poke(COPY, toHex(m.peek(START + 5, 7, mm)), mm);
    regs.u64[Reg.rip] = at;
    this.#finish(this.#hostile, HOSTILE_TURNS);
    // What it was in the middle of is gone with its next attack.
    this.#interrupt(this.#hostile);
  }

  #fork(): void {
    if (this.#spaces.length > 4) return;
    const mm = this.#mm.fork();
    if (mm === undefined || this.#m.platform.forkSpace(this.#mm, mm) !== 0) throw new Error('no memory to fork');
    this.#addSpace(mm);
    this.#addTask(mm, CHILD_START);
  }

  end(): void {
    for (const task of [...this.#tasks, this.#hostile]) this.#m.platform.detach(task);
    for (const mm of this.#spaces) {
      this.#m.platform.dropSpace(mm);
      mm.release();
    }
  }
}

function takeTable(mm: AddressSpace, base: number, how: number): void {
  if (how === 0) mm.munmap(base, 0x5000);
  else if (how === 1) mm.mprotect(base, 0x1000, 0);
  else if (how === 2) mm.madvise(base, 0x5000, 4);
  else if (how === 3) mm.mremap(base, 0x5000, 0x5000, 3, 0x7000_0000);
  else mm.munmap(base, 0x1000);
}

/** What belongs to nobody: the host has lost its way where it is written. */
function checkFrameZero(m: Machine, before: string): void {
  if (toHex(m.memory.bytes.subarray(0, 4096)) !== before) throw new Error('memory that is nobody’s was written');
}

/** Runs the property on one machine after another; the failure that was found and after how many runs, or undefined. */
export function search(options: SearchOptions): { readonly failure: string; readonly runs: number } | undefined {
  const { mode, seed, runs, ...rest } = options;
  let runsLeft = 0;
  let machine: Machine | undefined;
  let observer = new BoundsObserver();
  let frameZero = '';
  let runsDone = 0;
  const nextMachine = (): Machine => {
    machine?.dispose();
    observer = new BoundsObserver();
    machine = new Machine(mode, { ...rest, observer, isHostile: true, isBroken: options.guards !== undefined });
    frameZero = toHex(machine.memory.bytes.subarray(0, 4096));
    runsLeft = MACHINE_RUNS;
    return machine;
  };
  const property = fc.property(turns, (plan) => {
    const m = runsLeft-- > 0 && machine !== undefined ? machine : nextMachine();
    runsDone++;
    const siege = new Siege(m, observer, mode);
    siege.run(plan);
    siege.end();
    m.check();
    checkFrameZero(m, frameZero);
  });
  const result = fc.check(property, { seed, numRuns: runs, endOnFailure: true });
  machine?.cpu.dispose();
  return result.failed ? { failure: String(result.errorInstance), runs: runsDone } : undefined;
}
