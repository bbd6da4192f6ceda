// SPDX-License-Identifier: MIT
//
// The parts of a global state. What all actors see (address spaces, locks, table records) is one part, each actor is
// another; parts are immutable and numbered, so a state is a short tuple of numbers and a step changes one or two.
// A step depends on its actor's part and the shared part only: that is why steps can be remembered by that pair.

import { PAGE_SIZE } from '../../base/addr.ts';
import { toHex } from '../../base/bytes.ts';
import { REG_COUNT } from '../../cpu/regs.ts';
import type { StepResult } from '../../usertrap/steps.ts';
import type { WorldStep } from './behaviour.ts';
import type { PageContent } from './pages.ts';

/** A page of an address space that several actors see. */
export interface Page {
  readonly content: PageContent;
  /** PROT_ bits. */
  readonly prot: number;
  /** The first store breaks copy-on-write: a TLB shootdown makes all other processors serialise before it. */
  readonly isCow: boolean;
  /** It was copied, and the copy is mapped only when somebody executes it. */
  readonly isHidden?: true;
}

/** One address space: its pages by address, the lock and the records of its trap table. */
export interface Space {
  readonly pages: ReadonlyMap<number, Page>;
  /** Next unused slot, 0 before the first use; start of the table. */
  readonly next: number;
  readonly base: number;
  /** The slot whose site was the last to go, 0 when there is none. */
  readonly freed: number;
  /** Tasks that have a tracer. */
  readonly tracees: number;
  /** How many actors are at an instruction of a slot; counted only where standstills wait for them. */
  readonly inSlots: number;
  /** Somebody holds the table lock exclusively. */
  readonly isLocked: boolean;
  /** Holders of the lock that share it. */
  readonly readers: number;
  /** Somebody made all others stand still. */
  readonly isStopped: boolean;
  /** How often each hot byte was changed, and what the last holder of the lock knew of that; `strict` only. */
  readonly versions: readonly number[];
  readonly published: readonly number[];
}

/** What all actors see. */
export interface Shared {
  readonly spaces: readonly Space[];
  /** Further values that a scenario keeps: futex waiters, what was mapped where. Compared as it is. */
  readonly notes: Readonly<Record<string, number>>;
}

/** A granule that a processor has fetched. */
export interface Fetched {
  readonly bytes: Uint8Array;
  /** Instructions retired since; counted for `stale-window` only. */
  readonly age: number;
}

/** A generator of the protocol, what it was told so far, and the step that it waits to make. */
export interface Work {
  readonly kind: string;
  readonly results: readonly StepResult[];
  readonly pending: WorldStep;
  /** Parts of the pending store or load that were made already, as bits, and what a load has of them. */
  readonly partsDone: number;
  readonly loaded: string;
  /** Stores to hot bytes that it made. */
  readonly stores: number;
  /** How the actor holds the lock. */
  readonly holds: 'nothing' | 'shared' | 'exclusive';
}

/** A syscall that was served. */
export interface ServedCall {
  readonly sysno: number;
  readonly via: 'trap' | 'trampoline' | 'restart';
}

/** A store as a step. */
export type StoreStep = WorldStep & { readonly op: 'store' };

/** One actor: a thread with its processor, or a part of the kernel. Never says which actor it is. */
export interface Local {
  /** What it is, e.g. `T` for a thread and `P` for a patcher: actors of one role with equal parts are exchangeable. */
  readonly role: string;
  readonly space: number;
  /** `user`: its next step is an instruction. `kernel`: a step of `work`. `ended`: it does nothing any more. */
  readonly phase: 'user' | 'kernel' | 'ended';
  readonly regs: BigUint64Array;
  readonly fpu: Uint8Array;
  /** Contents of its private pages, in the scenario's order. */
  readonly privates: readonly PageContent[];
  /** By hot granule. */
  readonly fetched: readonly (Fetched | null)[];
  readonly work: Work | null;
  /** A store of its last instruction that is a visible step of its own; part of the pending step. */
  readonly storing?: StoreStep;
  readonly served: readonly ServedCall[];
  /** It made the others stand still. */
  readonly isStopper: boolean;
  /** The instruction at hand touches pages that others see: it is a visible step although its bytes are not hot. */
  readonly touchesShared: boolean;
  /** Signals posted and not taken yet. */
  readonly signals: readonly number[];
  /** Versions of hot bytes that it knows of, and those it knew when it last serialised; `strict` only. */
  readonly known: readonly number[];
  readonly synced: readonly number[];
  /** Further values that a scenario keeps for the actor. */
  readonly notes: Readonly<Record<string, number>>;
}

/** Something that a step of one actor does to another. */
export type ActorEvent =
  /** The processor executes a serialising instruction. `known`: what the sender knows of hot bytes. */
  | { readonly kind: 'serialise'; readonly space: number; readonly known: readonly number[] }
  | { readonly kind: 'signal'; readonly role: string; readonly signo: number }
  /** An actor of this role that has ended or not begun yet becomes what `local` says. */
  | { readonly kind: 'start'; readonly role: string; readonly local: Local };

export function notesKey(notes: Readonly<Record<string, number>>): string {
  const names = Object.keys(notes);
  if (names.length === 0) return '';
  return names
    .sort()
    .map((name) => `${name}=${notes[name] ?? 0}`)
    .join();
}

function stepKey(step: WorldStep): string {
  switch (step.op) {
    case 'store':
      return `s${step.addr.toString(16)}=${toHex(step.bytes)}`;
    case 'load':
      return `l${step.addr.toString(16)}+${step.length}:${step.what}`;
    default:
      return step.op + step.what;
  }
}

function resultKey(result: StepResult): string {
  return result instanceof Uint8Array ? toHex(result) : String(result);
}

/**
 * Equal for parts with equal futures.
 * @param liveResults what later steps of some work depend on, where that is less than all results so far
 */
export function localKey(local: Local, liveResults: (work: Work, local: Local) => string | undefined): string {
  const served = local.served.map((call) => call.via + call.sysno).join();
  const notes = notesKey(local.notes);
  if (local.phase === 'ended') return `${local.role}E${local.space}${served}${notes}`;
  let key = `${local.role}${local.phase}${local.space},${served},${notes},`;
  for (let r = 0; r < REG_COUNT; r++) key += `${(local.regs[r] as bigint).toString(36)},`;
  for (const page of local.privates) key += `${page.id},`;
  for (const fetched of local.fetched) key += fetched === null ? '-' : `${toHex(fetched.bytes)}@${fetched.age},`;
  if (local.isStopper) key += 'S';
  if (local.touchesShared) key += 'D';
  key += `${local.signals.join()}/${local.known.join()}/${local.synced.join()}/${fpuKey(local.fpu)}`;
  const { work } = local;
  if (work !== null) {
    const results = liveResults(work, local) ?? work.results.map(resultKey).join();
    key += `|${work.kind}:${stepKey(work.pending)}:${work.partsDone}${work.loaded}:${work.holds}:${results}`;
  }
  return key;
}

const fpuKeys = new WeakMap<Uint8Array, string>();

function fpuKey(fpu: Uint8Array): string {
  let key = fpuKeys.get(fpu);
  if (key === undefined) {
    key = toHex(fpu).replace(/(00)+$/, '');
    fpuKeys.set(fpu, key);
  }
  return key;
}

function spaceKey(space: Space): string {
  let key = `${space.next},${space.base},${space.isLocked ? 1 : 0},${space.readers},${space.isStopped ? 1 : 0},${space.freed},${space.inSlots},${space.tracees}`;
  for (const [address, page] of [...space.pages].sort((a, b) => a[0] - b[0]))
    key += `;${address / PAGE_SIZE}:${page.content.id}.${page.prot}${page.isCow ? 'c' : ''}${page.isHidden === true ? 'h' : ''}`;
  return `${key}/${space.versions.join()}/${space.published.join()}`;
}

/** Equal for equal shared parts. */
export function sharedKey(shared: Shared): string {
  return `${shared.spaces.map(spaceKey).join('#')}|${notesKey(shared.notes)}`;
}
