// SPDX-License-Identifier: MIT
//
// The state of the scenario "patch versus execute": the site's bytes, the table, the lock, and each actor. Immutable:
// a step makes a new one.

import { SITE_BYTES } from '../isa/syscall-site.ts';
import type { Step, StepResult, Steps } from '../usertrap/steps.ts';
import { isPatchable } from '../usertrap/stub-check.ts';
import { toHex } from '../base/bytes.ts';
import { Reg, REG_COUNT } from '../cpu/regs.ts';

/** What the Sentry or the stub is doing for an actor: a generator of the protocol, and what it was told so far. */
export interface KernelWork {
  readonly kind: 'stub-check' | 'patch' | 'fault';
  readonly results: readonly StepResult[];
  /** The step that it waits to make. */
  readonly pending: Step;
}

/** A syscall that was served. */
export interface ServedCall {
  readonly sysno: number;
  readonly via: 'trap' | 'trampoline' | 'restart';
}

export interface ActorState {
  /** `user`: its next step is an instruction. `ended`: its syscall was served. */
  readonly phase: 'user' | 'kernel' | 'ended';
  /** A register block. */
  readonly regs: BigUint64Array;
  readonly work: KernelWork | null;
  readonly served: readonly ServedCall[];
}

export interface PatchState {
  /** The seven bytes in memory. */
  readonly site: Uint8Array;
  /** Other stores, by address: the slot and the header. */
  readonly stores: ReadonlyMap<number, Uint8Array>;
  readonly next: number;
  readonly base: number;
  /** Who holds the lock exclusively, -1 nobody. */
  readonly holder: number;
  /** Who made all others stand still, -1 nobody. */
  readonly stopper: number;
  readonly actors: readonly ActorState[];
}

/** The outcome of a generator, or the step that it waits to make. */
export type Resumed<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly pending: Step };

/** Runs a fresh generator again up to where the results end: generators cannot be copied, but they are pure. */
export function resume<T>(steps: Steps<T>, results: readonly StepResult[]): Resumed<T> {
  let at = steps.next();
  for (const result of results) {
    if (at.done === true) break;
    at = steps.next(result);
  }
  return at.done === true ? { done: true, value: at.value } : { done: false, pending: at.value };
}

function stepKey(step: Step): string {
  switch (step.op) {
    case 'store':
      return `s${step.addr.toString(16)}=${toHex(step.bytes)}`;
    case 'load':
      return `l${step.addr.toString(16)}+${step.length}:${step.what}`;
    default:
      return step.op + step.what;
  }
}

/** Of the stub's first read only its verdict matters later; everything else that matters is in the next step. */
function liveResults(work: KernelWork, rax: bigint): string {
  const [first] = work.results;
  if (work.kind !== 'stub-check' || !(first instanceof Uint8Array)) return '';
  return isPatchable(first, rax) ? 'patchable' : 'plain';
}

function actorKey(actor: ActorState): string {
  if (actor.phase === 'ended') return `E${actor.served.map((c) => `${c.via}${c.sysno}`).join()}`;
  const { work } = actor;
  if (work !== null) {
    const rax = actor.regs[Reg.rax] as bigint;
    return `K${work.kind}:${stepKey(work.pending)}:${liveResults(work, rax)}:${rax.toString(16)}`;
  }
  let key = 'U';
  for (let r = 0; r < REG_COUNT; r++) {
    // rcx and r11 are written by each trap and read by nobody in this scenario.
    if (r !== Reg.rcx && r !== Reg.r11) key += `${(actor.regs[r] as bigint).toString(36)},`;
  }
  return key;
}

/** Equal for states with equal futures. */
export function patchStateKey(state: PatchState): string {
  const stores =
    state.stores.size === 0 ? '' : [...state.stores].map(([a, b]) => `${a.toString(16)}:${toHex(b)}`).join(';');
  return `${toHex(state.site)}|${stores}|${state.next}|${state.holder}|${state.stopper}|${state.actors.map(actorKey).join('|')}`;
}

/** Bytes of a store that fall into the site, laid over it. */
export function overlay(site: Uint8Array, siteAddr: number, addr: number, bytes: Uint8Array): Uint8Array {
  const out = site.slice();
  for (const [i, b] of bytes.entries()) {
    const at = addr + i - siteAddr;
    if (at >= 0 && at < SITE_BYTES) out[at] = b;
  }
  return out;
}
