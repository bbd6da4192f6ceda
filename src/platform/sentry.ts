// SPDX-License-Identifier: MIT
//
// The two sides of the platform seam: what the kernel (the Sentry) gives to the platform, and what
// comes back from a run. Models gVisor's platform.Context / platform.AddressSpace split.

import type { Regs } from '../cpu/regs.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { Breakpoint } from './breakpoints.ts';

/** A guest task as the platform sees it. Implemented by the kernel's Task. */
export interface GuestContext {
  /** Thread id, for trace events. */
  readonly tid: number;
  /**
   * The application's registers. The platform points it at the engine's live block while the context is
   * current, and at a copy of its own otherwise: never keep the object, always go through this field.
   */
  regs: Regs;
  mm: AddressSpace;
  /**
   * x87 and SSE state as an FXSAVE image; stale while the engine holds the state:
   * call {@link Platform.saveFpu} before reading and {@link Platform.loadFpu} after writing.
   */
  readonly fpu: Uint8Array;
  /** A tracer is attached: no site is patched for it (gVisor `62cb91e84`). */
  readonly hasTracer: boolean;
  /** The user whose processes may trust each other with their code, as ptrace(2) lets them; -1 for one with other rights. */
  readonly trust: number;
  /** Enabled breakpoints of its debug registers; null for nearly all. */
  readonly breakpoints: readonly Breakpoint[] | null;
  /** Page faults that were served for it. */
  faultsServed: number;
  /** The platform's own record; null until attached. */
  platformState: object | null;
}

/** The kernel as the platform calls it. */
export interface Sentry {
  /**
   * Serves a syscall of the current context. `ctx.regs` are the application's: rip after the instruction, rax = number.
   * @param sysno the low 32 bits of rax, unsigned
   * @returns true when the task goes on at once with `ctx.regs` as they now are (result already in rax); false when
   *   the run must end: it blocked, has a signal, exits, or another task is to run
   */
  syscall(ctx: GuestContext, sysno: number): boolean;
}

/** How syscall sites are treated. */
export type PatchMode = 'off' | 'upstream' | 'hardened';

/**
 * Why {@link Platform.switchTo} came back. `ctx.regs` are application registers in every case.
 *
 * | kind | meaning |
 * |---|---|
 * | `syscall` | `Sentry.syscall` returned false |
 * | `fault` | a signal for the guest: signo, code and addr as in siginfo; trapno and errorCode as in the frame |
 * | `budget` | the instruction budget is used up |
 * | `preempted` | the host took the processor before that (only where stub code may be preempted) |
 * | `interrupted` | `cpu.interrupt()` or the watchdog |
 * | `stub-panic` | Systrap's own code found its records broken (gVisor's 0x0bad00xx in `code`): the thread group dies by SIGKILL |
 */
export type PlatformEventKind = 'syscall' | 'fault' | 'budget' | 'preempted' | 'interrupted' | 'stub-panic';

/** One object per Platform, overwritten by each run. */
export interface PlatformEvent {
  kind: PlatformEventKind;
  signo: number;
  code: number;
  addr: number;
  /** x86 vector (14 page fault, 6 invalid opcode …), for the signal frame. */
  trapno: number;
  /** Page-fault error code as in the signal frame; 0 for others. */
  errorCode: number;
  /** DR6 without the bits that are always set, for a debug exception (vector 1). */
  debugStatus: number;
}

/** A patched site. */
export interface SiteMetric {
  readonly address: number;
  readonly sysno: number;
  readonly slot: number;
  /** Calls that came through the trampoline. */
  readonly calls: number;
}

/** A place whose calls trap: a site that was left alone, or bytes that are none. */
export interface RefusedMetric {
  readonly address: number;
  /** The eight bytes S-1 .. S+6 in hex. */
  readonly bytes: string;
  readonly rule: string;
  readonly traps: number;
}

/** Counters of the whole run; `syscalls = trapped + patchedCalls`. */
export interface PlatformMetrics {
  readonly trapped: number;
  readonly patchedCalls: number;
  /** Invalid-opcode faults at a patched site that were turned into a restart or a syscall. */
  readonly restarted: number;
  /** Faults handed to the kernel. */
  readonly faults: number;
  readonly sites: readonly SiteMetric[];
  readonly refused: readonly RefusedMetric[];
  /** Places whose calls trap because their bytes are no site (`not-mov-eax`) or load another number (`other-number`). */
  readonly unpatchable: readonly RefusedMetric[];
  readonly slots: { readonly used: number; readonly capacity: number };
}
