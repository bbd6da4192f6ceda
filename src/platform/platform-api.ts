// SPDX-License-Identifier: MIT
//
// What the kernel uses of the platform, and how the platform is made.

import type { Prng } from '../base/prng.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { TraceSink } from '../trace/events.ts';
import type { Guards } from '../usertrap/guards.ts';
import type { PatchProtocol } from '../usertrap/protocol.ts';
import type { UpstreamVersionName } from '../usertrap/versions.ts';
import type { OperandReader } from './breakpoints.ts';
import type { PlatformObserver } from './observer.ts';
import type { GuestContext, PatchMode, PlatformEvent, PlatformMetrics } from './sentry.ts';

export interface PlatformOptions {
  readonly patch: PatchMode;
  readonly prng: Prng;
  readonly trace: TraceSink;
  /** Changes single guards of the mode. */
  readonly guards?: Partial<Guards>;
  /** What data breakpoints are compared with; without it there are no hardware breakpoints. */
  readonly readOperands?: OperandReader;
  /** The order of the stores; default gVisor's. */
  readonly protocol?: PatchProtocol;
  /** For tests: looks on. */
  readonly observer?: PlatformObserver;
  /** False: instructions of slots and the stub count as little as the site that they stand for. */
  readonly countsStub?: boolean;
  /** `upstream`: of which gVisor; default the newest. */
  readonly upstream?: UpstreamVersionName;
  /**
   * `upstream`: gVisor's --systrap-disable-syscall-patching. No site is patched; one that is, as in a restored machine, stays
   * so and works.
   */
  readonly disablePatching?: boolean;
  /** `upstream`: stub threads of an address space at most; default 2. */
  readonly stubThreads?: number;
  /**
   * `upstream`: a run may end anywhere in a slot or in the stub's code, as the host's scheduler ends it; then
   * {@link PlatformApi.interrupt} before the registers are looked at. Default: such a run goes on to the call.
   */
  readonly stubPreemption?: boolean;
}

/** What the kernel uses of the platform. */
export interface PlatformApi {
  /** True inside `Sentry.syscall` when the call came through a trampoline. */
  readonly isPatchedCall: boolean;
  /** Contexts may have breakpoints. */
  readonly hasBreakpoints: boolean;
  /** Gives a context its stub thread; its space must have been adopted. Returns 0, -ENOMEM or -EAGAIN. */
  attach(ctx: GuestContext): number;
  /** Takes it back; the context does not run again. */
  detach(ctx: GuestContext): void;
  /** A context moves to another adopted address space (execve): its mm field is the new one already. */
  moveContext(ctx: GuestContext): number;
  /** A new address space: maps the stub code. Returns 0 or -ENOMEM. */
  adoptSpace(mm: AddressSpace): number;
  /** A copy of an address space: as adoptSpace, and the trap table goes on from the parent's. */
  forkSpace(parent: AddressSpace, child: AddressSpace): number;
  /** An address space is about to be released. */
  dropSpace(mm: AddressSpace): void;
  /** Runs `ctx` until something for the kernel happens. */
  switchTo(ctx: GuestContext, budget: number): PlatformEvent;
  /**
   * Sends the interrupt that brings a context back to the Sentry (SIGCHLD). True: it is there, and `ctx.regs` are the
   * application's. False: it is in a trampoline, which puts interrupts off; it runs on to its call.
   */
  interrupt(ctx: GuestContext): boolean;
  /** The processor holds nothing of any context any more: all is in the contexts' own records. */
  rest(): void;
  /** Brings `ctx.fpu` up to date. */
  saveFpu(ctx: GuestContext): void;
  /** `ctx.fpu` was changed by the kernel (sigreturn, exec, clone). */
  loadFpu(ctx: GuestContext): void;
  /** The GS base that the guest believes in (arch_prctl, ptrace, core files). */
  guestGsBase(ctx: GuestContext): number;
  setGuestGsBase(ctx: GuestContext, base: number): void;
  /** A context has got a tracer, or has none any more: `ctx.hasTracer` tells. */
  tracerChanged(ctx: GuestContext): void;
  metrics(): PlatformMetrics;
}
