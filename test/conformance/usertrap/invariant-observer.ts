// SPDX-License-Identifier: MIT
//
// Checks the invariants of invariant-list.ts while guests run: attached to the platform, it looks at the machine at every
// event and notes what does not hold. It computes what it expects by itself wherever it can.

import * as iced from 'iced-x86';

import { toHex } from '../../../src/base/bytes.ts';
import type { Cpu, Stop } from '../../../src/cpu/cpu.ts';
import { FPU_BYTES } from '../../../src/cpu/cpu.ts';
import { Reg, Regs } from '../../../src/cpu/regs.ts';
import type { AddressSpace } from '../../../src/mm/address-space.ts';
import type { PlatformObserver } from '../../../src/platform/observer.ts';
import type { GuestContext, PlatformEvent } from '../../../src/platform/sentry.ts';
import type { PatchedSite, SpaceTraps } from '../../../src/platform/space-traps.ts';
import {
  Context,
  Msg,
  STUB_CODE,
  STUB_END,
  STUB_START,
  ThreadState,
  UserRegs,
} from '../../../src/platform/stub-layout.ts';
import { ThreadContext } from '../../../src/platform/thread-context.ts';
import type { FaultOutcome } from '../../../src/usertrap/fault-handler.ts';
import type { PatchOutcome, PatchRequest } from '../../../src/usertrap/patcher.ts';
import type { Step, StepResult } from '../../../src/usertrap/steps.ts';
import { INVARIANTS } from './invariant-list.ts';

const TABLE_BYTES = 0x5000;
const SLOT_BYTES = 80;
const USED_BYTES = 70;
const PAGE = 4096;
const RED_ZONE = 128;
const RESTART_SYSCALL = 219;
const TRAP_FLAG = 0x100n;
/** More instructions than a slot and the stub's way out have. */
const STUB_LENGTH = 200;

export interface Violation {
  readonly invariant: number;
  readonly text: string;
}

/** One patch under way. */
interface Attempt {
  site: number;
  before: Uint8Array;
  next: number;
  slot: number;
  slotBytes: Uint8Array | null;
  stores: number;
}

/** What is remembered of a task since it was last seen. */
interface Seen {
  /** It is about to execute the jump of a site. */
  arrival: { site: PatchedSite; regs: Regs; redZone: string } | null;
  /** The Sentry has served a patched call: what the guest is to get. */
  served: { regs: Regs; instructions: number } | null;
  /** Recovery sent it back, or made a call of it. */
  recovered: { sysno: number } | null;
  fpu: Uint8Array | null;
  /** Where the Sentry has let it go on. */
  start: { rip: number; rax: bigint };
  /** What the kernel held of it when `fpu` was taken. */
  kernelFpu: Uint8Array | null;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export class InvariantObserver implements PlatformObserver {
  readonly violations: Violation[] = [];
  /** How often each invariant was looked at. */
  readonly checks = new Uint32Array(INVARIANTS.length + 1);
  /** Set before anything runs. */
  cpu: Cpu | null = null;
  readonly #locks = new WeakMap<SpaceTraps, { exclusive: number; shared: number }>();
  readonly #attempts = new WeakMap<SpaceTraps, Attempt>();
  readonly #published = new WeakMap<SpaceTraps, Map<number, string>>();
  readonly #inherited = new WeakMap<SpaceTraps, Set<number>>();
  readonly #seen = new WeakMap<GuestContext, Seen>();

  /** The invariants that did not hold. */
  get broken(): number[] {
    return [...new Set(this.violations.map((v) => v.invariant))].sort((a, b) => a - b);
  }

  #check(invariant: number, holds: boolean, text: () => string): void {
    this.checks[invariant] = (this.checks[invariant] ?? 0) + 1;
    if (!holds && this.violations.length < 100) this.violations.push({ invariant, text: text() });
  }

  #task(ctx: GuestContext): Seen {
    let seen = this.#seen.get(ctx);
    if (seen === undefined) {
      seen = { arrival: null, served: null, recovered: null, fpu: null, start: { rip: 0, rax: 0n }, kernelFpu: null };
      this.#seen.set(ctx, seen);
    }
    return seen;
  }

  // ---- patching

  onStep(traps: SpaceTraps, step: Step, result: StepResult): void {
    if (step.op === 'lock') this.#onLock(traps, step.exclusive);
    else if (step.op === 'unlock') this.#onUnlock(traps, step.exclusive);
    else if (step.op === 'load' && step.what === 'site') {
      const before = read(traps.mm, step.addr, 7);
      this.#attempts.set(traps, { site: step.addr, before, next: traps.next, slot: 0, slotBytes: null, stores: 0 });
    } else if (step.op === 'store') {
      const attempt = this.#attempts.get(traps);
      if (attempt === undefined) return;
      if (step.what === 'slot') this.#onSlot(traps, attempt, step.addr, step.bytes, result === 1);
      else if (step.addr >= attempt.site && step.addr < attempt.site + 7) this.#onSiteStore(traps, attempt, step.addr);
    }
  }

  #lockOf(traps: SpaceTraps): { exclusive: number; shared: number } {
    let lock = this.#locks.get(traps);
    if (lock === undefined) this.#locks.set(traps, (lock = { exclusive: 0, shared: 0 }));
    return lock;
  }

  #onLock(traps: SpaceTraps, exclusive: boolean): void {
    const lock = this.#lockOf(traps);
    const isFree = lock.exclusive === 0 && (!exclusive || lock.shared === 0);
    this.#check(15, isFree, () => 'the lock was taken while somebody held it');
    if (exclusive) lock.exclusive++;
    else lock.shared++;
    this.#attempts.delete(traps);
  }

  #onUnlock(traps: SpaceTraps, exclusive: boolean): void {
    const lock = this.#lockOf(traps);
    if (exclusive) lock.exclusive--;
    else lock.shared--;
    if (exclusive) this.#checkTable(traps);
  }

  #checkTable(traps: SpaceTraps): void {
    const { mm, base, next } = traps;
    if (base === 0 || next === 0) return;
    const header = word32(read(mm, base, 4), 0);
    this.#check(7, header === next, () => `the header is ${header}, the next index ${next}`);
    if (traps.bySlot.size > 0) this.#check(42, header >= 2 && header <= 257, () => `the header is ${header}`);
    const tables = [...mm.vmas()].filter((v) => v.name === '[usertrap]' && v.start >= 0x60000 && v.start < 0x70000);
    const [table] = tables;
    const isOne = tables.length === 1 && table?.start === base && table.end === base + TABLE_BYTES;
    this.#check(8, isOne, () => `tables at ${tables.map((t) => hex(t.start)).join()}, expected at ${hex(base)}`);
    this.#check(
      9,
      tables.every((t) => !t.shared),
      () => 'a table is mapped shared',
    );
    for (const slot of traps.bySlot.keys()) this.#checkUnchanged(traps, slot);
  }

  #checkUnchanged(traps: SpaceTraps, slot: number): void {
    const published = this.#published.get(traps)?.get(slot);
    if (published === undefined) return;
    const now = toHex(read(traps.mm, slot, USED_BYTES));
    this.#check(10, now === published, () => `the slot at ${hex(slot)} has changed`);
  }

  #onSlot(traps: SpaceTraps, attempt: Attempt, slot: number, bytes: Uint8Array, isStored: boolean): void {
    const { base } = traps;
    attempt.slot = slot;
    if (isStored) attempt.slotBytes = bytes;
    this.#check(1, ((slot >>> 16) & 0xff) === 6 && slot >>> 24 === 0, () => `a slot at ${hex(slot)}`);
    const isInside = slot >= base + SLOT_BYTES && slot + USED_BYTES <= base + TABLE_BYTES;
    this.#check(2, isInside, () => `a slot at the table plus ${hex(slot - base)}`);
    const isInPage = Math.floor(slot / PAGE) === Math.floor((slot + USED_BYTES - 1) / PAGE);
    this.#check(3, isInPage, () => `the slot at ${hex(slot)} crosses a page`);
    const user = traps.bySlot.get(slot);
    const isNew = user === undefined || user.address === attempt.site;
    this.#check(4, (slot - base) % SLOT_BYTES === 0 && isNew, () => `the slot at ${hex(slot)} is used or misplaced`);
    const inherited = this.#inherited.get(traps);
    if (inherited !== undefined) {
      const isFree = !inherited.has(slot) || !traps.bySlot.has(slot);
      this.#check(41, isFree, () => `a copied site uses the slot at ${hex(slot)}`);
    }
  }

  #onSiteStore(traps: SpaceTraps, attempt: Attempt, at: number): void {
    const { site, before, slotBytes } = attempt;
    const now = read(traps.mm, site, 7);
    const jump = patched(attempt.slot);
    if (attempt.stores++ === 0) {
      this.#check(11, !isPatched(before), () => `the site at ${hex(site)} is patched already`);
      const expected = slotBytes === null ? '' : toHex(slotBytes);
      const isWhole = expected !== '' && toHex(read(traps.mm, attempt.slot, USED_BYTES)) === expected;
      this.#check(14, isWhole, () => `the slot at ${hex(attempt.slot)} is not whole`);
      const sysno = slotBytes === null ? -1 : word32(slotBytes, 58);
      const isPair = before[0] === 0xb8 && word32(before, 1) === sysno && before[5] === 0x0f && before[6] === 5;
      this.#check(16, isPair, () => `${toHex(before, ' ')} is patched for number ${sysno}`);
    }
    const middle = [1, 2, 3, 4, 6].every((i) => now[i] === before[i] || now[i] === jump[i]);
    const isFinal = now.every((b, i) => b === jump[i]);
    const isOriginal = now.every((b, i) => b === before[i]);
    const isStage = isOriginal || isFinal || (now[0] === before[0] && now[5] === 6 && middle);
    this.#check(12, isStage, () => `${toHex(now, ' ')} at ${hex(site)}`);
    const offset = at - site;
    const inOrder = offset === 5 || (now[5] === 6 && (offset !== 0 || isFinal));
    this.#check(13, inOrder, () => `byte ${offset} was written when the site was ${toHex(now, ' ')}`);
  }

  onPatch(ctx: GuestContext, traps: SpaceTraps, request: PatchRequest, outcome: PatchOutcome): void {
    const attempt = this.#attempts.get(traps);
    if (outcome.kind === 'patched') {
      this.#check(43, !ctx.hasTracer, () => `task ${ctx.tid} is traced`);
      this.#checkSlot(traps, outcome.slot, request.ip, outcome.sysno);
      const area = traps.mm.findVma(outcome.site);
      this.#check(21, area?.shared === false, () => `the site at ${hex(outcome.site)} is in a shared mapping`);
      if (attempt !== undefined) this.#checkBoundary(traps.mm, request.knownBoundary, attempt);
      this.#check(45, traps.bySlot.size <= 251, () => `${traps.bySlot.size} slots are in use`);
      let published = this.#published.get(traps);
      if (published === undefined) this.#published.set(traps, (published = new Map()));
      published.set(outcome.slot, toHex(read(traps.mm, outcome.slot, USED_BYTES)));
    } else if (outcome.kind === 'failed' || outcome.rule === 'unwritable') {
      const { mm } = traps;
      const isFree = attempt === undefined || attempt.next === 0 ? traps.next <= 1 : traps.next === attempt.next;
      this.#check(20, isFree, () => `the next slot is ${traps.next} after a patch that failed`);
      const now = attempt === undefined ? '' : toHex(read(mm, attempt.site, 7));
      this.#check(22, attempt === undefined || now === toHex(attempt.before), () => `it is ${now} now`);
    }
  }

  /** Decodes on from the boundary with iced-x86, which the patcher does not use. */
  #checkBoundary(mm: AddressSpace, boundary: number, { site, before }: Attempt): void {
    if (boundary === 0 || boundary > site || site - boundary > 1024) return;
    const code = new Uint8Array([...read(mm, boundary, site - boundary), ...before]);
    const decoder = new iced.Decoder(64, code, iced.DecoderOptions.None);
    let at = boundary;
    while (at < site && decoder.canDecode) {
      const instruction = decoder.decode();
      at += instruction.length;
      instruction.free();
    }
    decoder.free();
    this.#check(17, at === site, () => `an instruction covers ${hex(site)}`);
  }

  #checkSlot(traps: SpaceTraps, slot: number, returnAddress: number, sysno: number): void {
    const bytes = read(traps.mm, slot, USED_BYTES);
    const target = word64(bytes, 0);
    this.#check(5, target === BigInt(slot + 8), () => `the slot at ${hex(slot)} leads to ${target}`);
    const says = `${word64(bytes, 40)} ${word32(bytes, 58)}`;
    this.#check(6, says === `${returnAddress} ${sysno >>> 0}`, () => `the slot at ${hex(slot)} says ${says}`);
  }

  onRewind(_ctx: GuestContext, traps: SpaceTraps, site: number): void {
    const now = read(traps.mm, site, 7);
    const isUnderWay = now[5] === 6 && this.#lockOf(traps).exclusive > 0;
    this.#check(39, isPatched(now) || isUnderWay, () => `the site at ${hex(site)} is ${toHex(now, ' ')}`);
  }

  onRecovery(ctx: GuestContext, traps: SpaceTraps, at: number, rax: bigint, outcome: FaultOutcome): void {
    if (outcome.kind === 'not-ours') return;
    const site = traps.byReturn.get(at + 2);
    this.#check(38, site !== undefined, () => `${hex(at)} is no guard of a patched site`);
    if (site === undefined) return;
    const task = this.#task(ctx);
    if (outcome.kind === 'restart') {
      this.#check(40, read(traps.mm, outcome.ip, 1)[0] === 0xff, () => `there is no jump at ${hex(outcome.ip)}`);
      const isOwn = rax === BigInt(site.sysno) || isTorn(rax, site);
      this.#check(18, isOwn, () => `rax is ${rax} at a site for ${site.sysno}`);
    }
    const isRestart = task.start.rip === at && task.start.rax === rax;
    const isGenuine = rax !== BigInt(RESTART_SYSCALL) || site.sysno === RESTART_SYSCALL || isRestart;
    this.#check(37, isGenuine, () => `somebody else than the Sentry has loaded 219 at ${hex(at)}`);
    task.recovered = { sysno: outcome.kind === 'restart' ? site.sysno : Number(rax & 0xffff_ffffn) };
  }

  // ---- runs

  onRun(ctx: GuestContext): void {
    const stub = stubOf(ctx);
    const { cpu } = this;
    if (stub === null || cpu === null) return;
    const { regs } = ctx;
    const task = this.#task(ctx);
    const rip = regs.get(Reg.rip);
    // What the stub is about to load is in the record.
    task.start = isInStub(rip) ? recorded(ctx) : { rip, rax: regs.u64[Reg.rax] as bigint };
    task.arrival = null;
    // Upstream a context may come back by the syshandler's exit: its registers are in its record.
    if (rip >= STUB_START && rip < STUB_END) return;
    this.#checkGs(stub, regs);
    const constants = [Msg.self, Msg.syshandler, Msg.syshandlerStack].map((at) => stub.word(at));
    const expected = [stub.msgAddr, STUB_CODE, stub.stackTop];
    this.#check(24, constants.join() === expected.join(), () => `the record says ${constants.map(hex).join()}`);
    const state = stub.msg[Msg.state / 4];
    this.#check(25, state === ThreadState.none, () => `the thread state is ${state} before guest code`);
    this.#checkRip(stub.traps, rip);
    const offset = slotOffset(stub.traps, rip);
    if (offset === 8) {
      const bytes = read(stub.traps.mm, rip - 8, USED_BYTES);
      this.#check(34, isTrampoline(bytes, rip - 8), () => `the slot at ${hex(rip - 8)} is not valid`);
    }
    // Changed by the kernel (a signal's return, exec) it is the kernel's; brought up to date it is what it was.
    const { fpu, kernelFpu } = task;
    const isKnown = fpu !== null && kernelFpu !== null && !isInStub(rip) && offset < 0;
    if (isKnown && (same(kernelFpu, ctx.fpu) || same(fpu, ctx.fpu))) {
      const now = new Uint8Array(FPU_BYTES);
      cpu.saveFpu(now);
      // A signal's return may load just what the kernel had before.
      const isOwn = same(now, fpu) || same(now, ctx.fpu);
      this.#check(30, isOwn, () => `task ${ctx.tid} has other FP state than it had`);
    }
    const site = stub.traps.byReturn.get(rip + 7);
    if (site === undefined || !isPatched(read(stub.traps.mm, rip, 7))) return;
    const copy = new Regs();
    copy.copyFrom(regs);
    task.arrival = { site, regs: copy, redZone: redZone(stub.traps.mm, regs) };
  }

  onStop(ctx: GuestContext, stop: Stop): void {
    const stub = stubOf(ctx);
    if (stub === null) return;
    const rip = ctx.regs.get(Reg.rip);
    const offset = slotOffset(stub.traps, rip);
    const isInside = (offset > 8 && offset < USED_BYTES) || isInStub(rip);
    this.#checkEdge(stub.traps);
    if (stop.kind === 'page-fault') this.#check(26, !isInside, () => `a page fault at ${hex(rip)}`);
    if (stop.kind === 'debug') this.#check(31, !isInside, () => `a debug trap at ${hex(rip)}`);
  }

  onPause(ctx: GuestContext, event: PlatformEvent): void {
    const stub = stubOf(ctx);
    const { cpu } = this;
    if (stub === null || cpu === null) return;
    const { regs } = ctx;
    const task = this.#task(ctx);
    const rip = regs.get(Reg.rip);
    this.#check(27, event.kind !== 'stub-panic', () => `the stub panics: ${hex(event.code)}`);
    this.#checkRip(stub.traps, rip);
    const { arrival, served } = task;
    if (arrival !== null) {
      const hasPassed = event.kind === 'budget' && rip === arrival.site.address + 7;
      this.#check(35, !hasPassed, () => `the task is behind ${hex(arrival.site.address)} without a call`);
    }
    if (served !== null && rip === served.regs.get(Reg.rip) && cpu.instructions - served.instructions < STUB_LENGTH) {
      const wrong = difference(served.regs, regs, [Reg.gsBase]);
      this.#check(29, wrong === '', () => `after the call ${wrong}`);
    }
    task.served = null;
    // In the stub the registers may still be another context's.
    if (isInStub(rip)) return;
    const isRunning = (event.kind === 'budget' || event.kind === 'preempted') && slotOffset(stub.traps, rip) < 0;
    if (isRunning) {
      const isLost = stub.isInterrupted && !stub.isInHandler;
      this.#check(32, !isLost, () => `the task is at ${hex(rip)} and has not heeded an interrupt`);
    }
    task.fpu = new Uint8Array(FPU_BYTES);
    cpu.saveFpu(task.fpu);
    task.kernelFpu = ctx.fpu.slice();
  }

  onCall(ctx: GuestContext, sysno: number, isPatchedCall: boolean): void {
    const stub = stubOf(ctx);
    if (stub === null) return;
    const { regs } = ctx;
    const task = this.#task(ctx);
    const { arrival, recovered } = task;
    if (!isPatchedCall) this.#checkEdge(stub.traps);
    task.arrival = null;
    task.recovered = null;
    task.served = null;
    if (recovered !== null) {
      const isOne = sysno === recovered.sysno || sysno === RESTART_SYSCALL;
      this.#check(36, isOne, () => `call ${sysno} where ${recovered.sysno} was to be made again`);
    }
    if (arrival !== null) {
      const { site } = arrival;
      this.#check(35, sysno === site.sysno, () => `call ${sysno} at a site for ${site.sysno}`);
    }
    if (!isPatchedCall) return;
    const rip = regs.get(Reg.rip);
    const site = stub.traps.byReturn.get(rip);
    this.#check(31, ((regs.u64[Reg.rflags] as bigint) & TRAP_FLAG) === 0n, () => 'TF is set in the syshandler');
    this.#checkGs(stub, regs);
    const isOwn = site !== undefined && sysno === site.sysno;
    this.#check(28, isOwn, () => `call ${sysno} returns to ${hex(rip)}, where ${site?.sysno} was patched`);
    if (site !== undefined) {
      this.#checkSlot(stub.traps, site.slot, rip, site.sysno);
      this.#checkUnchanged(stub.traps, site.slot);
    }
    if (arrival === null) return;
    // Hardened leaves rcx and r11 as a trap does; both modes keep everything else.
    const wrong = difference(arrival.regs, regs, [Reg.rax, Reg.rcx, Reg.r11, Reg.rip]);
    this.#check(28, wrong === '', () => `in the call ${wrong}`);
    this.#check(29, redZone(stub.traps.mm, regs) === arrival.redZone, () => 'the red zone has changed');
  }

  onServed(ctx: GuestContext, isPatchedCall: boolean): void {
    this.#task(ctx).start = { rip: ctx.regs.get(Reg.rip), rax: ctx.regs.u64[Reg.rax] as bigint };
    if (!isPatchedCall || this.cpu === null) return;
    const regs = new Regs();
    regs.copyFrom(ctx.regs);
    this.#task(ctx).served = { regs, instructions: this.cpu.instructions };
  }

  /** The engine tells where the straight-line block has begun that holds the last instruction. */
  #checkEdge(traps: SpaceTraps): void {
    const at = this.cpu?.blockStart ?? 0;
    if (at === 0) return;
    for (const offset of [1, 2, 3, 4, 6]) {
      const site = traps.byReturn.get(at - offset + 7);
      const isInside = site !== undefined && isPatched(read(traps.mm, site.address, 7));
      this.#check(19, !isInside, () => `a jump has gone to ${hex(at)}, into the site at ${hex(at - offset)}`);
    }
  }

  #checkGs(stub: Stub, regs: Regs): void {
    if (stub.ownsGs) return;
    this.#check(23, regs.get(Reg.gsBase) === stub.msgAddr, () => `GS is at ${hex(regs.get(Reg.gsBase))}`);
  }

  #checkRip(traps: SpaceTraps, rip: number): void {
    const offset = slotOffset(traps, rip);
    this.#check(33, !(offset > 8 && offset < USED_BYTES), () => `the task is at ${hex(rip)}, inside a slot`);
  }

  // ---- spaces

  onFork(parent: SpaceTraps, child: SpaceTraps): void {
    const lock = this.#lockOf(parent);
    this.#check(15, lock.exclusive === 0, () => 'a fork while a site is patched');
    this.#inherited.set(child, new Set(child.bySlot.keys()));
    const table = child.mm.findVmaByName('[usertrap]');
    if (table !== undefined) this.#check(9, !table.shared, () => 'parent and child share a table');
    const published = this.#published.get(parent);
    if (published !== undefined) this.#published.set(child, new Map(published));
  }

  onMove(_ctx: GuestContext, traps: SpaceTraps): void {
    const table = traps.mm.findVmaByName('[usertrap]');
    this.#check(
      44,
      table === undefined || traps.next > 0,
      () => `the new program has a table at ${hex(table?.start ?? 0)}`,
    );
  }
}

// ---- looking at the machine

interface Stub {
  readonly traps: SpaceTraps;
  readonly msgAddr: number;
  readonly stackTop: number;
  readonly msg: Uint32Array;
  readonly ownsGs: boolean;
  readonly isInHandler: boolean;
  /** The context's record says that an interrupt waits. */
  readonly isInterrupted: boolean;
  word(at: number): number;
}

/** The stub thread that runs a context, or ran it last; null where nothing is patched, or before its first run. */
function stubOf(ctx: GuestContext): Stub | null {
  const context = ctx.platformState;
  const thread = context instanceof ThreadContext ? (context.thread ?? context.lastThread) : null;
  if (thread === null) return null;
  const { traps, msgAddr, stackTop, msg, ownsGs, isInHandler } = thread;
  return {
    traps,
    msgAddr,
    stackTop,
    msg,
    ownsGs,
    isInHandler,
    isInterrupted: context instanceof ThreadContext && context.words[Context.interrupt / 4] === 1,
    word: (at) => (msg[at / 4 + 1] as number) * 2 ** 32 + (msg[at / 4] as number),
  };
}

/** Instruction pointer and rax in a context's record. */
function recorded(ctx: GuestContext): { rip: number; rax: bigint } {
  const context = ctx.platformState;
  if (!(context instanceof ThreadContext)) return { rip: 0, rax: 0n };
  const { buffer, byteOffset } = context.words;
  const view = new DataView(buffer, byteOffset + Context.regs);
  return {
    rip: Number(view.getBigUint64(UserRegs.rip, true)),
    rax: view.getBigUint64(UserRegs.rax, true),
  };
}

/** The traps of the space that a context runs in. */
export function trapsOf(ctx: GuestContext): SpaceTraps {
  const context = ctx.platformState;
  if (!(context instanceof ThreadContext)) throw new Error('nothing is patched here');
  return context.traps;
}

function read(mm: AddressSpace, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  mm.copyIn(at, bytes, true);
  return bytes;
}

function word32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function word64(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

function patched(slot: number): number[] {
  return [0xff, 0x24, 0x25, slot & 0xff, (slot >>> 8) & 0xff, (slot >>> 16) & 0xff, slot >>> 24];
}

function isPatched(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0x24 && bytes[2] === 0x25 && bytes[5] === 6;
}

/** The parts of a slot that are the same in every one. */
function isTrampoline(bytes: Uint8Array, slot: number): boolean {
  return word64(bytes, 0) === BigInt(slot + 8) && toHex(bytes.subarray(8, 14)) === '65c704252c00' && bytes[57] === 0xb8;
}

function isInStub(address: number): boolean {
  return address >= STUB_START && address < STUB_END;
}

/** Where in a slot an address lies, or -1. */
function slotOffset(traps: SpaceTraps, address: number): number {
  return traps.inSlots(address) ? (address - traps.base) % SLOT_BYTES : -1;
}

/** Whether a value is made of bytes of the site's number and of its jump. */
function isTorn(rax: bigint, site: PatchedSite): boolean {
  const jump = patched(site.slot);
  return [0, 1, 2, 3].every((i) => {
    const byte = Number((rax >> BigInt(8 * i)) & 0xffn);
    return byte === ((site.sysno >>> (8 * i)) & 0xff) || byte === jump[i + 1];
  });
}

function redZone(mm: AddressSpace, regs: Regs): string {
  return toHex(read(mm, regs.get(Reg.rsp) - RED_ZONE, RED_ZONE));
}

/** The first register that differs, as text; empty when none does. */
function difference(expected: Regs, actual: Regs, except: readonly number[]): string {
  for (let r = 0; r <= Reg.rflags; r++) {
    if (except.includes(r) || expected.u64[r] === actual.u64[r]) continue;
    return `register ${r} is ${(actual.u64[r] as bigint).toString(16)}, not ${(expected.u64[r] as bigint).toString(16)}`;
  }
  return '';
}
