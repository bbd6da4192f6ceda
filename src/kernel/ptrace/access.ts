// SPDX-License-Identifier: MIT
//
// Whether one task may look into or take over another: the rule behind ptrace, /proc/<pid>/mem, process_vm_readv and
// their kin. Models Linux kernel/ptrace.c (__ptrace_may_access) and security/commoncap.c; ptrace(2), "Ptrace access
// mode checking".

import { Cap, hasCap } from '../credentials.ts';
import type { Task } from '../task.ts';

/** SUID_DUMP_USER: the memory of a process that changed who it is, or hides, has another value. */
const DUMPABLE = 1;

/**
 * Which ids of the caller count: `real` for calls that name a process (PTRACE_MODE_REALCREDS), `fs` for files of /proc
 * (PTRACE_MODE_FSCREDS).
 */
export type AccessCredentials = 'real' | 'fs';

export function mayAccess(caller: Task, target: Task, credentials: AccessCredentials): boolean {
  if (caller.group === target.group) return true;
  const { creds } = caller;
  const isCapable = hasCap(creds, Cap.sysPtrace);
  if (isCapable) return true;
  const uid = credentials === 'real' ? creds.uid : creds.fsuid;
  const gid = credentials === 'real' ? creds.gid : creds.fsgid;
  const theirs = target.creds;
  const isSameUser = uid === theirs.euid && uid === theirs.suid && uid === theirs.uid;
  const isSameGroup = gid === theirs.egid && gid === theirs.sgid && gid === theirs.gid;
  if (!isSameUser || !isSameGroup || target.group.dumpable !== DUMPABLE) return false;
  const own = credentials === 'real' ? creds.permitted : creds.effective;
  return (theirs.permitted & ~own) === 0n;
}
