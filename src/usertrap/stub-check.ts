// SPDX-License-Identifier: MIT
//
// What Systrap's signal handler looks at when a syscall has trapped: the eight bytes around the site, read twice.
// Models gVisor sysmsg/sighandler_amd64.c:261-304 (commit 3c5eee1).

import { looksLikeSite, SITE_BYTES, siteSysno, SYSCALL_BYTES } from '../isa/syscall-site.ts';
import { GUARD_OPCODE, jumpOperand, looksPatched, readTrap, TRAP_USED_BYTES } from './layout.ts';
import { bytesOf, load } from './steps.ts';
import type { Steps } from './steps.ts';

export type StubOutcome =
  /** The site was patched while the syscall was under way: run it again from the start. No lock is taken. */
  | { readonly kind: 'rewind'; readonly ip: number }
  /** Report the syscall to the Sentry. */
  | { readonly kind: 'report'; readonly canBePatched: boolean };

/** Bytes read, and where the syscall's opcode lies in them. */
const PROBE_BYTES = 8;
const OPCODE_AT = PROBE_BYTES - SYSCALL_BYTES;

/** The test for a site that can be patched; `probe` holds the eight bytes that end after the `syscall`. */
export function isPatchable(probe: Uint8Array, rax: bigint): boolean {
  return looksLikeSite(probe, PROBE_BYTES - SITE_BYTES) && BigInt(siteSysno(probe, PROBE_BYTES - SITE_BYTES)) === rax;
}

/** Whether a patched site makes the call that rax stands for. */
function* runsCall(site: Uint8Array, rax: bigint): Steps<boolean> {
  if (!looksPatched(site)) return false;
  const slot = jumpOperand(site);
  const body = bytesOf(yield load(slot, TRAP_USED_BYTES, 'slot'));
  const trap = body === null ? undefined : readTrap(body, slot);
  return trap !== undefined && BigInt(trap.sysno) === rax;
}

/**
 * @param ip instruction pointer after the `syscall`
 * @param rax 64 bits of rax
 * @param comparesSysno rewinds only a call that is the site's own (`Guards.compareSysno`)
 * @param guard another one for tables outside the window
 */
export function* checkTrappedSite(
  ip: number,
  rax: bigint,
  comparesSysno: boolean,
  guard = GUARD_OPCODE,
): Steps<StubOutcome> {
  const first = bytesOf(yield load(ip - PROBE_BYTES, PROBE_BYTES, 'stub read 1'));
  // DIVERGES: where the byte before the site is not mapped, upstream compares what a register happened to hold; in
  // practice that never matches, so here it does not.
  if (first === null) return { kind: 'report', canBePatched: false };
  const second = bytesOf(yield load(ip - PROBE_BYTES, PROBE_BYTES, 'stub read 2'));
  const canBePatched = isPatchable(first, rax);
  if (second === null || second[OPCODE_AT] !== guard) return { kind: 'report', canBePatched };
  // DIVERGES (comparesSysno): upstream rewinds whatever rax is, so a jump to the `syscall` with another number, or a sleep
  // that goes on as restart_syscall, becomes the site's call when the site is patched just now.
  const isOwn = canBePatched || !comparesSysno || (yield* runsCall(first.subarray(PROBE_BYTES - SITE_BYTES), rax));
  if (!isOwn) return { kind: 'report', canBePatched: false };
  return { kind: 'rewind', ip: ip - SITE_BYTES };
}
