// SPDX-License-Identifier: MIT
//
// Recovery of a task that ran into the guard byte of a site: it starts again at the jump, or its restart_syscall is
// served. Models gVisor usertrap_amd64.go HandleFault (commit 3c5eee1).

import { isSyscall, SITE_BYTES, SYSCALL_BYTES } from '../isa/syscall-site.ts';
import type { Guards } from './guards.ts';
import {
  GUARD_OFFSET,
  GUARD_OPCODE,
  jumpOperand,
  looksPatched,
  readTrap,
  TABLE_BYTES,
  TRAP_USED_BYTES,
} from './layout.ts';
import { bytesOf, load, lock, numberOf, unlock } from './steps.ts';
import type { Steps } from './steps.ts';

/** restart_syscall(2): how an interrupted sleep goes on; no patched site loads it by accident (UT:337-339). */
export const SYS_RESTART_SYSCALL = 219;

/** What the platform does next; gVisor's ErrFaultRestart, ErrFaultSyscall and nil. */
export type FaultOutcome =
  | { readonly kind: 'restart'; readonly ip: number }
  | { readonly kind: 'handle-as-syscall'; readonly ip: number }
  | { readonly kind: 'not-ours' };

const NOT_OURS: FaultOutcome = { kind: 'not-ours' };

/**
 * Looks at an invalid-opcode fault at `ip`.
 * @param rax 64 bits of rax at the fault
 * @param guard another guard byte, for tables outside the window
 */
export function* handleFault(ip: number, rax: bigint, guards: Guards, guard = GUARD_OPCODE): Steps<FaultOutcome> {
  // The shared lock waits for a patch under way: after it the site is whole.
  yield lock(false);
  const outcome = yield* recover(ip, rax, guards, guard);
  yield unlock(false);
  return outcome;
}

function* recover(ip: number, rax: bigint, guards: Guards, guard: number): Steps<FaultOutcome> {
  const site = ip - GUARD_OFFSET;
  const bytes = bytesOf(yield load(site, SITE_BYTES, 'faulting site'));
  // DIVERGES (checkSlot): the site may have its syscall back since the fault, by madvise(MADV_DONTNEED) or for a tracer.
  if (guards.checkSlot && bytes !== null && isSyscall(bytes, GUARD_OFFSET)) return { kind: 'restart', ip };
  if (bytes === null || !looksPatched(bytes, guard)) return NOT_OURS;
  const asSyscall: FaultOutcome = { kind: 'handle-as-syscall', ip: ip + SYSCALL_BYTES };
  const restart: FaultOutcome = { kind: 'restart', ip: site };
  if (!guards.checkSlot && !guards.compareSysno) return rax === BigInt(SYS_RESTART_SYSCALL) ? asSyscall : restart;

  const slot = jumpOperand(bytes);
  const body = bytesOf(yield load(slot, TRAP_USED_BYTES, 'slot'));
  const trap = body === null ? undefined : readTrap(body, slot);
  if (guards.checkSlot) {
    const base = numberOf(yield { op: 'get', field: 'base', what: 'table base' });
    const inTable = base !== 0 && slot > base && slot + TRAP_USED_BYTES <= base + TABLE_BYTES;
    if (!inTable || trap === undefined || trap.returnAddress !== site + SITE_BYTES) return NOT_OURS;
  }
  if (!guards.compareSysno) return rax === BigInt(SYS_RESTART_SYSCALL) ? asSyscall : restart;
  // DIVERGES (compareSysno): upstream re-executes the patched number whatever rax is, so a jump from elsewhere to the
  // `syscall`, or a signal handler that edits rax before a restart, gets another call than it asked for.
  if (trap === undefined) return restart;
  return rax === BigInt(trap.sysno) ? restart : asSyscall;
}
