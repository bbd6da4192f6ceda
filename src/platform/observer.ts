// SPDX-License-Identifier: MIT
//
// A way to look at the platform at every point where an invariant of it must hold. Tests attach one; a run without it
// pays one comparison with null at each of these points.

import type { Stop } from '../cpu/cpu.ts';
import type { FaultOutcome } from '../usertrap/fault-handler.ts';
import type { PatchOutcome, PatchRequest } from '../usertrap/patcher.ts';
import type { Step, StepResult } from '../usertrap/steps.ts';
import type { GuestContext, PlatformEvent } from './sentry.ts';
import type { SpaceTraps } from './space-traps.ts';

/** Is told what the platform does, right after it has done it unless said otherwise. It may look, and change nothing. */
export interface PlatformObserver {
  /** Guest code is about to run: the context's registers are in the processor. */
  onRun(ctx: GuestContext): void;
  /** The processor has stopped; nothing has been made of it yet. */
  onStop(ctx: GuestContext, stop: Stop): void;
  /** The run is over; `ctx.regs` are what the kernel, signals and tracers will see. */
  onPause(ctx: GuestContext, event: PlatformEvent): void;
  /** A call is about to reach the Sentry. */
  onCall(ctx: GuestContext, sysno: number, isPatched: boolean): void;
  /** The Sentry has served it and the guest goes on at once. */
  onServed(ctx: GuestContext, isPatched: boolean): void;
  /** A step of patching or recovery was made. */
  onStep(traps: SpaceTraps, step: Step, result: StepResult): void;
  /** A trapped call was looked at; the site was patched, or was not. */
  onPatch(ctx: GuestContext, traps: SpaceTraps, request: PatchRequest, outcome: PatchOutcome): void;
  /** The stub sent a task back to a site that had been patched meanwhile. */
  onRewind(ctx: GuestContext, traps: SpaceTraps, site: number): void;
  /** A fault at what may be a guard was looked at. */
  onRecovery(ctx: GuestContext, traps: SpaceTraps, at: number, rax: bigint, outcome: FaultOutcome): void;
  /** An address space was copied. */
  onFork(parent: SpaceTraps, child: SpaceTraps): void;
  /** A context has moved to another address space (execve). */
  onMove(ctx: GuestContext, traps: SpaceTraps): void;
}
