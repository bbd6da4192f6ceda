// SPDX-License-Identifier: MIT
//
// Systrap: runs guest contexts on the Cpu, turns stops into syscalls, faults and restarts, and keeps the
// trap tables. Models gVisor pkg/sentry/platform/systrap (systrap.go, subprocess.go).

import type { Prng } from '../base/prng.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { GuestContext, PatchMode, PlatformEvent, PlatformMetrics, Sentry } from './sentry.ts';

export interface PlatformOptions {
  readonly patch: PatchMode;
  readonly prng: Prng;
}

/** Runs guest contexts. One per Cpu; one context is current at a time. */
export interface PlatformApi {
  /** Gives a context its stub thread and record; its space must have been adopted. Returns 0, -ENOMEM or -EAGAIN. */
  attach(ctx: GuestContext): number;
  /** Takes them back; the context does not run again. */
  detach(ctx: GuestContext): void;
  /** A context moves to another address space (execve): its mm field is the new one already. */
  moveContext(ctx: GuestContext): number;
  /** A new address space: maps the stub code. */
  adoptSpace(mm: AddressSpace): number;
  /** A copy of an address space: as adoptSpace, and the trap table goes on from the parent's. */
  forkSpace(parent: AddressSpace, child: AddressSpace): number;
  /** An address space is about to be released. */
  dropSpace(mm: AddressSpace): void;
  /** Runs `ctx` until something for the kernel happens. */
  switchTo(ctx: GuestContext, budget: number): PlatformEvent;
  /** Brings `ctx.fpu` up to date. */
  saveFpu(ctx: GuestContext): void;
  /** `ctx.fpu` was changed by the kernel (sigreturn, exec, clone). */
  loadFpu(ctx: GuestContext): void;
  /** The GS base that the guest believes in (arch_prctl, ptrace, core files). */
  guestGsBase(ctx: GuestContext): number;
  setGuestGsBase(ctx: GuestContext, base: number): void;
  metrics(): PlatformMetrics;
}

/** See {@link PlatformApi}. */
export declare class Platform implements PlatformApi {
  constructor(cpu: Cpu, sentry: Sentry, options: PlatformOptions);
  readonly options: PlatformOptions;
  attach(ctx: GuestContext): number;
  detach(ctx: GuestContext): void;
  moveContext(ctx: GuestContext): number;
  adoptSpace(mm: AddressSpace): number;
  forkSpace(parent: AddressSpace, child: AddressSpace): number;
  dropSpace(mm: AddressSpace): void;
  switchTo(ctx: GuestContext, budget: number): PlatformEvent;
  saveFpu(ctx: GuestContext): void;
  loadFpu(ctx: GuestContext): void;
  guestGsBase(ctx: GuestContext): number;
  setGuestGsBase(ctx: GuestContext, base: number): void;
  metrics(): PlatformMetrics;
}
