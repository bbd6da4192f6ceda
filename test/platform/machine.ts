// SPDX-License-Identifier: MIT
//
// The smallest machine that runs guest code through the platform: the real engine, real page tables, and a Sentry that
// answers a few calls with fixed values and records them.

import { ENOSYS } from '../../src/abi/errno.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../src/abi/mman.ts';
import { fromHex } from '../../src/base/bytes.ts';
import { Prng } from '../../src/base/prng.ts';
import type { Cpu } from '../../src/cpu/cpu.ts';
import { FPU_BYTES } from '../../src/cpu/cpu.ts';
import { Reg, Regs } from '../../src/cpu/regs.ts';
import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { AddressSpace, PhysicalMemory } from '../../src/mm/address-space.ts';
import { Platform } from '../../src/platform/platform.ts';
import type { PlatformOptions } from '../../src/platform/platform.ts';
import type { GuestContext, PatchMode, PlatformEvent, Sentry } from '../../src/platform/sentry.ts';
import { STUB_START } from '../../src/platform/stub-layout.ts';
import { NULL_TRACE } from '../../src/trace/events.ts';
import { INVARIANTS } from '../conformance/usertrap/invariant-list.ts';
import { InvariantObserver } from '../conformance/usertrap/invariant-observer.ts';

export const TEXT = 0x401000;
export const DATA = 0x500000;
export const STACK_TOP = 0x800000;

/** Numbers that the Sentry answers; every other is -ENOSYS. */
export const GETPID = 39;
export const GETUID = 102;
export const EXIT = 60;
/** What it answers. */
export const PID = 1234;
export const UID = 1000;

/** A served call: the registers as the Sentry saw them. */
export interface Call {
  tid: number;
  sysno: number;
  rip: number;
  patched: boolean;
  regs: Regs;
}

export class Guest implements GuestContext {
  tid: number;
  regs = new Regs();
  mm: AddressSpace;
  readonly fpu = new Uint8Array(FPU_BYTES);
  hasTracer = false;
  readonly trust = UID;
  readonly breakpoints = null;
  faultsServed = 0;
  platformState: object | null = null;

  constructor(tid: number, mm: AddressSpace) {
    this.tid = tid;
    this.mm = mm;
    // The control words of a fresh process.
    const view = new DataView(this.fpu.buffer);
    view.setUint16(0, 0x37f, true);
    view.setUint32(24, 0x1f80, true);
    this.regs.set(Reg.rsp, STACK_TOP - 64);
    this.regs.set(Reg.rflags, 0x202);
  }
}

export class Machine implements Sentry {
  readonly cpu: Cpu;
  readonly memory: PhysicalMemory;
  readonly platform: Platform;
  readonly mm: AddressSpace;
  readonly guest: Guest;
  readonly calls: Call[] = [];
  /** Answers a call before the fixed answers do; undefined leaves it to them. */
  answer: ((guest: GuestContext, sysno: number) => boolean | undefined) | null = null;
  /** Checks the invariants at every event; what it found is looked at when the machine goes. */
  readonly observer: InvariantObserver;
  /** What may not hold: upstream's defects, what a guest does to its own records, or all for a machine that is broken on purpose. */
  readonly mayBreak: Set<number>;
  #nextTid = 1;

  constructor(
    patch: PatchMode,
    options: Partial<Omit<PlatformOptions, 'observer'>> & {
      seed?: number;
      isHostile?: boolean;
      isBroken?: boolean;
      observer?: InvariantObserver;
    } = {},
  ) {
    this.cpu = openUnicorn({ memoryBytes: 64 * 2 ** 20 });
    this.memory = new PhysicalMemory(this.cpu, 48 * 2 ** 20);
    const { seed, isHostile, isBroken, observer = new InvariantObserver(), ...rest } = options;
    const tolerated = INVARIANTS.filter(
      (i) =>
        isBroken === true ||
        (patch === 'upstream' && i.upstream !== undefined) ||
        (isHostile === true && i.needsGoodGuest === true),
    );
    this.mayBreak = new Set(tolerated.map((i) => i.number));
    this.observer = observer;
    observer.cpu = this.cpu;
    const prng = new Prng(seed ?? 1);
    this.platform = new Platform(this.cpu, this, { patch, prng, trace: NULL_TRACE, observer, ...rest });
    this.mm = this.newSpace();
    this.guest = this.newGuest(this.mm);
  }

  newSpace(): AddressSpace {
    const mm = new AddressSpace(this.memory, { end: STUB_START });
    if (this.platform.adoptSpace(mm) !== 0) throw new Error('no memory for the stub');
    this.map(TEXT, 0x4000, PROT_READ | PROT_EXEC, mm);
    this.map(DATA, 0x4000, PROT_READ | PROT_WRITE, mm);
    this.map(STACK_TOP - 0x4000, 0x4000, PROT_READ | PROT_WRITE, mm);
    return mm;
  }

  newGuest(mm: AddressSpace): Guest {
    const guest = new Guest(this.#nextTid++, mm);
    if (this.platform.attach(guest) !== 0) throw new Error('no memory for a stub thread');
    return guest;
  }

  map(addr: number, length: number, prot: number, mm = this.mm): void {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    const got = mm.mmap({ addr, length, prot, flags });
    if (got !== addr) throw new Error(`mmap at 0x${addr.toString(16)}: ${got}`);
  }

  /** Writes code or data, whatever the protection. */
  poke(addr: number, hex: string, mm = this.mm): number {
    const bytes = fromHex(hex);
    if (mm.copyOut(addr, bytes, true) !== bytes.length) throw new Error(`cannot write at 0x${addr.toString(16)}`);
    return addr + bytes.length;
  }

  peek(addr: number, length: number, mm = this.mm): Uint8Array {
    const bytes = new Uint8Array(length);
    if (mm.copyIn(addr, bytes, true) !== length) throw new Error(`cannot read at 0x${addr.toString(16)}`);
    return bytes;
  }

  syscall(ctx: GuestContext, sysno: number): boolean {
    const regs = new Regs();
    regs.copyFrom(ctx.regs);
    this.calls.push({ tid: ctx.tid, sysno, rip: regs.get(Reg.rip), patched: this.platform.isPatchedCall, regs });
    const answered = this.answer?.(ctx, sysno);
    if (answered !== undefined) return answered;
    if (sysno === EXIT) return false;
    ctx.regs.set(Reg.rax, sysno === GETPID ? PID : sysno === GETUID ? UID : -ENOSYS);
    return true;
  }

  /** Runs a guest from `rip` until an event that is no exhausted budget. */
  run(rip?: number, guest = this.guest, budget = 100_000): PlatformEvent {
    if (rip !== undefined) guest.regs.set(Reg.rip, rip);
    for (let runs = 0; runs < 100; runs++) {
      const event = this.platform.switchTo(guest, budget);
      if (event.kind !== 'budget' && event.kind !== 'preempted') return event;
    }
    throw new Error('the guest runs on and on');
  }

  /** @throws when an invariant did not hold that must */
  dispose(): void {
    this.cpu.dispose();
    this.check();
  }

  /** @throws when an invariant did not hold that must */
  check(): void {
    const wrong = this.observer.violations.find((v) => !this.mayBreak.has(v.invariant));
    if (wrong !== undefined) throw new Error(`invariant ${wrong.invariant} does not hold: ${wrong.text}`);
  }
}

/** `mov $nr,%eax; syscall`. */
export function call(nr: number): string {
  const b = new Uint8Array(4);
  new DataView(b.buffer).setUint32(0, nr, true);
  return `b8 ${[...b].map((x) => x.toString(16).padStart(2, '0')).join(' ')} 0f 05`;
}

/** Ends the run: exit in the form that is never patched. */
export const END = 'bf 00 00 00 00 b8 3c 00 00 00 90 0f 05';
