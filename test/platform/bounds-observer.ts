// SPDX-License-Identifier: MIT
//
// What the host may do for a guest, however hostile: reads of what the guest may read, stores to the table and the site
// that is patched, turns that end, registers that ring 3 can have. What is outside throws.

import type { Stop } from '../../src/cpu/cpu.ts';
import { Reg } from '../../src/cpu/regs.ts';
import type { AddressSpace } from '../../src/mm/address-space.ts';
import { STUB_END, STUB_START } from '../../src/platform/stub-layout.ts';
import type { GuestContext, PlatformEvent } from '../../src/platform/sentry.ts';
import type { SpaceTraps } from '../../src/platform/space-traps.ts';
import type { FaultOutcome } from '../../src/usertrap/fault-handler.ts';
import type { PatchOutcome, PatchRequest } from '../../src/usertrap/patcher.ts';
import type { Step, StepResult } from '../../src/usertrap/steps.ts';
import { InvariantObserver } from '../conformance/usertrap/invariant-observer.ts';

const SLOT_BYTES = 80;
const SITE_BYTES = 7;
/** Upstream's D1 hands out one slot behind the table. */
const LAST_INDEX = 256;
/** Code that is looked at to find an instruction's boundary, and the site. */
const MOST_READ = 1024 + SITE_BYTES;
/** Stops of one turn: its instructions are at most 50, and blocks of stub code after it 64. */
const MOST_STOPS = 200;
/** Instructions of the way out of a trampoline, and of a block. */
const WAY_OUT = 250;
/** CF PF AF ZF SF TF IF DF OF NT RF AC ID; bit 1 is always set. */
const USER_FLAGS = 0x254fd7n;
const NEEDED_FLAGS = 0x202n;

function refuse(text: string): never {
  throw new Error(text);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Whether a guest may read each byte; with force it need only be mapped. */
function mayRead(mm: AddressSpace, start: number, length: number, force: boolean): boolean {
  for (let at = start; at < start + length;) {
    const area = mm.findVma(at);
    if (area === undefined || (!force && area.prot === 0)) return false;
    at = area.end;
  }
  return true;
}

export class BoundsObserver extends InvariantObserver {
  #stops = 0;
  #budget = Number.POSITIVE_INFINITY;
  #start = 0;

  /** The turn that comes is to last so many instructions. */
  expectTurn(budget: number): void {
    this.#stops = 0;
    this.#budget = budget;
    this.#start = this.cpu?.instructions ?? 0;
  }

  override onStop(ctx: GuestContext, stop: Stop): void {
    super.onStop(ctx, stop);
    if (++this.#stops > MOST_STOPS) refuse(`a turn goes on after ${MOST_STOPS} stops`);
  }

  override onRun(ctx: GuestContext): void {
    super.onRun(ctx);
    this.#checkFlags(ctx);
  }

  override onPause(ctx: GuestContext, event: PlatformEvent): void {
    super.onPause(ctx, event);
    this.#checkFlags(ctx);
    const rip = ctx.regs.get(Reg.rip);
    const used = (this.cpu?.instructions ?? 0) - this.#start;
    // In the stub's code nothing but the number of blocks ends it.
    if (event.kind === 'budget' && rip < STUB_START && used > this.#budget + WAY_OUT)
      refuse(`a turn of ${this.#budget} instructions has taken ${used}, up to ${hex(rip)}`);
  }

  override onCall(ctx: GuestContext, sysno: number, isPatchedCall: boolean): void {
    super.onCall(ctx, sysno, isPatchedCall);
    this.#checkFlags(ctx);
  }

  #checkFlags(ctx: GuestContext): void {
    const flags = ctx.regs.u64[Reg.rflags] as bigint;
    if ((flags & ~USER_FLAGS) !== 0n || (flags & NEEDED_FLAGS) !== NEEDED_FLAGS)
      refuse(`the flags are ${flags.toString(16)}`);
  }

  override onStep(traps: SpaceTraps, step: Step, result: StepResult): void {
    super.onStep(traps, step, result);
    if (step.op === 'load') {
      if (step.length > MOST_READ) refuse(`${step.what}: ${step.length} bytes are read`);
      if (result !== null && !mayRead(traps.mm, step.addr, step.length, step.force === true))
        refuse(`${step.what}: read from ${hex(step.addr)}, which the guest may not`);
    } else if (step.op === 'store') {
      const { addr } = step;
      const end = addr + step.bytes.length;
      if (step.what === 'slot') {
        const index = (addr - traps.base) / SLOT_BYTES;
        if (!Number.isInteger(index) || index < 0 || index > LAST_INDEX)
          refuse(`a slot at the table + ${addr - traps.base}`);
      } else if (step.what === 'header' ? addr !== traps.base : step.bytes.length > SITE_BYTES + 1)
        refuse(`${step.what}: a store of ${step.bytes.length} bytes at ${hex(addr)}`);
      if (addr < 0 || (end > STUB_START && addr < STUB_END)) refuse(`${step.what}: a store at ${hex(addr)}`);
      if (result === 1 && !mayRead(traps.mm, addr, step.bytes.length, true))
        refuse(`${step.what}: stored at ${hex(addr)}, where nothing is mapped`);
    }
  }

  override onPatch(ctx: GuestContext, traps: SpaceTraps, request: PatchRequest, outcome: PatchOutcome): void {
    super.onPatch(ctx, traps, request, outcome);
    if (outcome.kind === 'patched' && outcome.site !== request.ip - SITE_BYTES)
      refuse(`patched at ${hex(outcome.site)}, not before ${hex(request.ip)}`);
  }

  override onRecovery(ctx: GuestContext, traps: SpaceTraps, at: number, rax: bigint, outcome: FaultOutcome): void {
    super.onRecovery(ctx, traps, at, rax, outcome);
    if (outcome.kind !== 'not-ours' && (outcome.ip < at - 5 || outcome.ip > at + 2))
      refuse(`a fault at ${hex(at)} goes on at ${hex(outcome.ip)}`);
  }
}
