// SPDX-License-Identifier: MIT
//
// Decides whether a syscall site is patched, and rewrites it into a jump through its slot. Owns the decision and
// the order of the stores; slots are trap-table.ts's, recovery of a task caught in between is fault-handler.ts's.
// Models gVisor usertrap_amd64.go PatchSyscall (commit 3c5eee1).

import { PAGE_SIZE } from '../base/addr.ts';
import {
  LOOK_BACK,
  looksLikeSite,
  mayBeTail,
  MOV_EAX_IMM32,
  SITE_BYTES,
  siteSysno,
  SYSCALL_OFFSET,
  walkToSite,
} from '../isa/syscall-site.ts';
import type { Guards } from './guards.ts';
import { originalBytes, patchedBytes, trapBytes } from './layout.ts';
import { storePieces } from './protocol.ts';
import type { PatchProtocol } from './protocol.ts';
import { bytesOf, load, lock, numberOf, store, unlock } from './steps.ts';
import type { Step, Steps } from './steps.ts';
import type { AllocationFailure, FreshTrap } from './trap-table.ts';
import { allocateTrap, commitTrap } from './trap-table.ts';
import { HEAD } from './versions.ts';
import type { UpstreamVersion } from './versions.ts';

/** Longest stretch of code that is walked to find out whether the `mov` is an instruction. */
const MAX_WALK = 1024;

/** Why a site was left alone, or why patching it did not work. */
export type PatchRule =
  /** The task has a tracer. */
  | 'traced'
  /** The seven bytes cannot be read. */
  | 'unreadable'
  /** Byte 0 is not b8: patched already, or the code changed. */
  | 'not-mov-eax'
  /** The seven bytes are not `mov $number,%eax; syscall` with the number of this call. */
  | 'changed'
  /** A page boundary splits the site. */
  | 'page-split'
  /** The five bytes of the `mov` are the tail of a longer instruction. */
  | 'tail-of-instruction'
  /** They may be, and no boundary is known from which to tell. */
  | 'boundary-unknown'
  /** The code lies in a shared mapping. */
  | 'shared-frame'
  /** Code made at run time, in memory that may be written at the same time. */
  | 'writable-code'
  /** The number is none that any kernel serves: what looks like a site is more likely something else. */
  | 'no-such-number'
  /** A task of the address space uses GS itself. */
  | 'own-gs'
  /** A store into the slot or the site cannot be made. */
  | 'unwritable'
  | AllocationFailure;

/** All rules, in the order of their numbers in trace events. */
export const PATCH_RULES: readonly PatchRule[] = [
  'traced',
  'unreadable',
  'not-mov-eax',
  'changed',
  'page-split',
  'tail-of-instruction',
  'boundary-unknown',
  'shared-frame',
  'own-gs',
  'table-lost',
  'unwritable',
  'no-space',
  'no-room-for-table',
  'table-unmappable',
  'table-unreadable',
  'header-unwritable',
  'no-such-number',
  'writable-code',
];

/** Numbers from here on are -ENOSYS everywhere, those of the x32 ABI included. */
export const FIRST_UNKNOWN = 4096;

/** A trapped syscall whose site the stub found patchable. */
export interface PatchRequest {
  /** Instruction pointer after the `syscall`. */
  readonly ip: number;
  readonly sysno: number;
  readonly hasTracer: boolean;
  /** Why this address space is not patched any more, or null. */
  readonly closed: 'own-gs' | 'table-lost' | null;
  /** An address at or before the site where an instruction is known to start; 0 when none is known. */
  readonly knownBoundary: number;
}

export type PatchOutcome =
  | {
      readonly kind: 'patched';
      readonly site: number;
      readonly slot: number;
      readonly index: number;
      readonly sysno: number;
    }
  /** Nothing was written to the site. */
  | { readonly kind: 'skipped'; readonly site: number; readonly rule: PatchRule }
  /** A store failed after `written` stores to the site. */
  | { readonly kind: 'failed'; readonly site: number; readonly rule: PatchRule; readonly written: number };

/** How to patch: the guards of the mode and the order of the stores. */
export interface PatchConfig {
  readonly guards: Guards;
  readonly protocol: PatchProtocol;
  /** Of gVisor; default the newest. */
  readonly version?: UpstreamVersion;
}

/** Whether the `mov` at `site` is an instruction of its own: null, or why it is not taken for one. */
function* checkBoundary(site: number, bytes: Uint8Array, knownBoundary: number): Steps<PatchRule | null> {
  if (knownBoundary !== 0 && knownBoundary <= site && site - knownBoundary <= MAX_WALK) {
    if (knownBoundary === site) return null;
    const code = bytesOf(yield load(knownBoundary, site - knownBoundary + SYSCALL_OFFSET, 'code before the site'));
    const verdict = code === null ? 'unknown' : walkToSite(code, site - knownBoundary);
    if (verdict !== 'unknown') return verdict === 'boundary' ? null : 'tail-of-instruction';
  }
  // No boundary is known (a jump went straight to the syscall): the bytes themselves must leave no other reading. What
  // cannot be read is no code; the page before may be.
  const inPage = site % PAGE_SIZE;
  let before = bytesOf(yield load(site - LOOK_BACK, LOOK_BACK, 'bytes before the site'));
  if (before === null && inPage > 0 && inPage < LOOK_BACK) {
    before = bytesOf(yield load(site - inPage, inPage, 'bytes before the site'));
  }
  const isTail = before === null ? inPage !== 0 : mayBeTail(before, bytes);
  return isTail ? 'boundary-unknown' : null;
}

function* decide(request: PatchRequest, { guards, version }: PatchConfig): Steps<PatchRule | null> {
  const site = request.ip - SITE_BYTES;
  // Under the lock: a tracer that came since the call trapped has found the program's own code, and is to find it so.
  const hasTracer =
    request.hasTracer || (guards.restoreForTracer && (yield { op: 'get', field: 'tracees', what: 'tracees' }) !== 0);
  if (hasTracer && (version ?? HEAD).sparesTraced) return 'traced';
  const bytes = bytesOf(yield load(site, SITE_BYTES, 'site'));
  if (bytes === null) return 'unreadable';
  if (bytes[0] !== MOV_EAX_IMM32) return 'not-mov-eax';
  if (request.closed !== null) return request.closed;
  if (guards.validateAllBytes && (!looksLikeSite(bytes) || siteSysno(bytes) !== request.sysno)) return 'changed';
  const needsUse = guards.validateAllBytes || guards.refuseWritableCode;
  const use = needsUse ? numberOf(yield { op: 'is-executable', addr: site, what: 'is it code' }) : 1;
  if (guards.validateAllBytes && use === 0) return 'changed';
  // DIVERGES (refuseUnknownNumbers): upstream patches for any number.
  if (guards.refuseUnknownNumbers && request.sysno >= FIRST_UNKNOWN) return 'no-such-number';
  if (guards.refusePageSplit && site % PAGE_SIZE > PAGE_SIZE - SITE_BYTES) return 'page-split';
  if (guards.refuseSharedFrames && (yield { op: 'is-shared', addr: site, what: 'is shared' }) === 1)
    return 'shared-frame';
  // DIVERGES (refuseWritableCode): upstream patches it, and a compiler that then writes a number leaves half a jump.
  if (guards.refuseWritableCode && use === 2) return 'writable-code';
  return guards.instructionBoundary ? yield* checkBoundary(site, bytes, request.knownBoundary) : null;
}

/**
 * How the site is written. The seven bytes cannot change at once, so other tasks run between any two stores; in gVisor's
 * order each store leaves text that is either right or faults at `site + 5`:
 *
 *   original  b8 27 00 00 00 0f 05   mov $39,%eax ; syscall
 *   guarded   b8 27 00 00 00 06 05   mov $39,%eax ; (bad)        after step a
 *   operand   b8 24 25 40 56 06 00   mov $…,%eax  ; (bad)        after step b, two overlapping stores
 *   patched   ff 24 25 40 56 06 00   jmp *0x65640                after step c
 *
 * A task that runs into `(bad)` waits for the lock in the fault handler and starts again at `site`.
 * @param behind the bytes behind the site that the protocol's stores cover, too
 */
function siteSteps(site: number, slot: number, protocol: PatchProtocol, behind: Uint8Array | null): Step[] {
  // As it will be.
  const image = new Uint8Array(storedBytes(protocol));
  if (behind !== null) image.set(behind, SITE_BYTES);
  image.set(patchedBytes(slot));
  const steps: Step[] = [];
  for (const step of protocol.steps) {
    const what = `step ${step.name}`;
    for (const { offset, length } of storePieces(site + step.offset, step.length, protocol.split)) {
      const from = step.offset + offset;
      const piece = step.bytes?.slice(offset, offset + length) ?? image.slice(from, from + length);
      steps.push(store(site + from, piece, what));
    }
    if (protocol.syncAfter.includes(step.name)) steps.push({ op: 'sync', what: `sync after ${step.name}` });
  }
  return steps;
}

/** Bytes from the site's first to the last that is stored. */
function storedBytes({ steps }: PatchProtocol): number {
  let end = SITE_BYTES;
  for (const { offset, length } of steps) end = Math.max(end, offset + length);
  return end;
}

/**
 * Patches the site that a task has just trapped on.
 *
 * Postconditions:
 * - The lock is free. `skipped`: the site is as it was. `failed`: a store could not be made; upstream then leaves the
 *   site as the stores before it did, and the slot is lost; hardened puts its bytes back.
 */
export function* patchSyscall(request: PatchRequest, config: PatchConfig): Steps<PatchOutcome> {
  // Before the site is looked at: what is checked must still be so when the stores are made.
  const stops = config.guards.stopOthers || config.protocol.stopsOthers === true;
  yield lock(true);
  if (stops) yield { op: 'stop', what: 'stop the others' };
  const site = request.ip - SITE_BYTES;
  const rule = yield* decide(request, config);
  const trap = rule ?? (yield* allocateTrap({ address: site, sysno: request.sysno }, config.guards));
  const outcome: PatchOutcome =
    typeof trap === 'string' ? { kind: 'skipped', site, rule: trap } : yield* writeTrap(request, config, trap);
  if (stops) yield { op: 'resume', what: 'let the others go' };
  yield unlock(true);
  return outcome;
}

/** Fills in the slot, then writes the site. */
function* writeTrap(request: PatchRequest, config: PatchConfig, trap: FreshTrap): Steps<PatchOutcome> {
  const { guards, protocol } = config;
  const site = request.ip - SITE_BYTES;
  const body = trapBytes(trap.address, request.ip, request.sysno, config.version);
  if ((yield store(trap.address, body, 'slot')) !== 1) return { kind: 'skipped', site, rule: 'unwritable' };
  const more = storedBytes(protocol) - SITE_BYTES;
  const behind = more > 0 ? bytesOf(yield load(site + SITE_BYTES, more, 'bytes behind the site')) : null;
  let written = 0;
  for (const step of siteSteps(site, trap.address, protocol, behind)) {
    const isMade = (yield step) === 1;
    if (step.op !== 'store') continue;
    if (!isMade) {
      // DIVERGES (stopOthers): upstream leaves the site as it is, a SIGILL for everybody who comes by.
      if (guards.stopOthers && written > 0) yield store(site, originalBytes(request.sysno), 'put back');
      return { kind: 'failed', site, rule: 'unwritable', written };
    }
    written++;
  }
  if (guards.keepFailedSlot) yield* commitTrap(trap);
  return { kind: 'patched', site, slot: trap.address, index: trap.index, sysno: request.sysno };
}
