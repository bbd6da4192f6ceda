// SPDX-License-Identifier: MIT
//
// From a trapped syscall to a patched site: the stub's check, the Sentry's patch, and the note of what came of it.
// Models the part of gVisor's Context.Switch that calls PatchSyscall (systrap.go:185-187).

import { toHex } from '../base/bytes.ts';
import { savable } from '../base/savable.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Reg } from '../cpu/regs.ts';
import { MOV_EAX_IMM32, SITE_BYTES } from '../isa/syscall-site.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceSink } from '../trace/events.ts';
import { patchSyscall } from '../usertrap/patcher.ts';
import type { PatchConfig, PatchOutcome, PatchRule } from '../usertrap/patcher.ts';
import { drain } from '../usertrap/steps.ts';
import { checkTrappedSite } from '../usertrap/stub-check.ts';
import { tableCapacity, usedSlots } from '../usertrap/trap-table.ts';
import type { PlatformObserver } from './observer.ts';
import type { GuestContext } from './sentry.ts';
import { SiteBook } from './site-book.ts';
import type { SpaceTraps } from './space-traps.ts';

/** Reasons that stay as long as the code does, and after how many traps that is believed. */
const FINAL_RULES: ReadonlyMap<PatchRule, number> = new Map([
  ['page-split', 1],
  ['tail-of-instruction', 1],
  ['boundary-unknown', 16],
  ['shared-frame', 1],
  ['no-such-number', 1],
  ['no-space', 1],
]);

/** Patches the sites of one Cpu's guests. */
export class SitePatcher {
  readonly book: SiteBook;
  /** Most slots that any one table has used. */
  mostSlots = 0;
  private readonly cpu: Cpu;
  private readonly config: PatchConfig;
  private readonly trace: TraceSink;
  private readonly remembersRefusals: boolean;
  private readonly observer: PlatformObserver | null;

  /** @param remembersRefusals a refusal that cannot change is not asked for again; upstream tries at each trap */
  constructor(
    cpu: Cpu,
    config: PatchConfig,
    trace: TraceSink,
    remembersRefusals: boolean,
    observer: PlatformObserver | null,
  ) {
    this.observer = observer;
    this.cpu = cpu;
    this.config = config;
    this.trace = trace;
    this.remembersRefusals = remembersRefusals;
    this.book = new SiteBook(trace);
  }

  /**
   * Whether the bytes before the current syscall may be a site, from one read. The full test is checkTrappedSite's; this
   * one only keeps calls from other sites cheap: no allocation.
   */
  mayPatch(ctx: GuestContext): boolean {
    const { regs } = this.cpu;
    const before = ctx.mm.readU32(regs.get(Reg.rip) - SITE_BYTES - 1);
    if (before === undefined) return true;
    return ((before >>> 8) & 0xff) === MOV_EAX_IMM32 && before >>> 16 === ((regs.u32[0] as number) & 0xffff);
  }

  /**
   * Counts a call for which mayPatch says no, by where it came from: a run's figures then tell what traps for ever, and
   * why. No trace event: at such an address every call traps.
   */
  countUnpatchable(traps: SpaceTraps): void {
    const { regs } = this.cpu;
    const address = regs.get(Reg.rip) - SITE_BYTES;
    const known = traps.refused.get(address);
    if (known !== undefined) {
      known.traps++;
      return;
    }
    const sysno = regs.u32[0] as number;
    const low = traps.mm.readU32(address - 1) ?? 0;
    const high = traps.mm.readU32(address + 3) ?? 0;
    if (this.book.countAgain(traps, address, sysno, low, high)) return;
    const bytes = bytesAround(traps, address);
    const rule = bytes[1] === MOV_EAX_IMM32 ? 'other-number' : 'not-mov-eax';
    const counted = this.book.count(traps, { address, sysno, bytes: toHex(bytes, ' ') }, rule);
    if (counted !== null) this.book.noteBytes(counted, low, high);
  }

  /** Checks and patches; true when the task runs the site again instead of being served. */
  patch(ctx: GuestContext, traps: SpaceTraps): boolean {
    const { regs } = this.cpu;
    const ip = regs.get(Reg.rip);
    const sysno = regs.u32[0] as number;
    const known = traps.refused.get(ip - SITE_BYTES);
    if (known !== undefined && known.isFinal && known.sysno === sysno) {
      known.traps++;
      return false;
    }
    traps.tid = ctx.tid;
    const check = drain(checkTrappedSite(ip, regs.u64[Reg.rax] as bigint, this.config.guards.compareSysno), traps);
    if (check.kind === 'rewind') {
      regs.set(Reg.rip, check.ip);
      if (this.observer !== null) this.observer.onRewind(ctx, traps, check.ip);
      return true;
    }
    if (!check.canBePatched) return false;
    const { hasTracer } = ctx;
    const { closed } = traps;
    traps.runsFor(ctx);
    const request = { ip, sysno, hasTracer, closed, knownBoundary: this.cpu.blockStart };
    const outcome = drain(patchSyscall(request, this.config), traps);
    this.note(ctx, traps, outcome, sysno);
    if (this.observer !== null) this.observer.onPatch(ctx, traps, request, outcome);
    if (this.config.version?.servesAtOnce !== false || outcome.kind !== 'patched') return false;
    regs.set(Reg.rip, outcome.site);
    return true;
  }

  private note(ctx: GuestContext, traps: SpaceTraps, outcome: PatchOutcome, sysno: number): void {
    if (outcome.kind === 'patched') {
      const site = { address: outcome.site, sysno, slot: outcome.slot, calls: 0 };
      this.book.add(traps, site);
      traps.share(site);
      const used = usedSlots(traps.next, this.config.guards) - traps.freed.length;
      this.mostSlots = Math.max(this.mostSlots, used);
      this.trace.emit(EventKind.sitePatched, ctx.tid, outcome.site, sysno, outcome.index);
      this.trace.emit(EventKind.slotUsed, ctx.tid, used, tableCapacity(this.config.guards), outcome.slot);
    } else if (outcome.rule !== 'not-mov-eax') {
      this.refuse(ctx, traps, outcome.site, sysno, outcome.rule);
    }
  }

  private refuse(ctx: GuestContext, traps: SpaceTraps, address: number, sysno: number, rule: PatchRule): void {
    const bytes = bytesAround(traps, address);
    const never = Number.POSITIVE_INFINITY;
    const finalAfter = this.remembersRefusals ? (FINAL_RULES.get(rule) ?? never) : never;
    this.book.refuse(traps, ctx.tid, { address, sysno, bytes: toHex(bytes, ' ') }, rule, finalAfter);
  }
}

/** The eight bytes S-1 .. S+6. */
function bytesAround(traps: SpaceTraps, site: number): Uint8Array {
  const bytes = new Uint8Array(SITE_BYTES + 1);
  traps.mm.copyIn(site - 1, bytes);
  return bytes;
}

savable('platform/site-patcher', { SitePatcher }, { isPlace: true, kept: ['cpu', 'config', 'trace'] });
