// SPDX-License-Identifier: MIT
//
// The table of all calls, by number: the families' rows in one array.

import { TraplineError } from '../../base/errors.ts';
import { FD_CONTROL_CALLS } from './fd-control.ts';
import { FD_IO_CALLS } from './fd-io.ts';
import { FS_ATTRIBUTE_CALLS } from './fs-attributes.ts';
import { FS_PATH_CALLS } from './fs-path.ts';
import { FS_STAT_CALLS } from './fs-stat.ts';
import { futexCalls } from './futexes.ts';
import { identityCalls } from './identity.ts';
import { jobControlCalls } from '../job-control.ts';
import { INOTIFY_CALLS } from './inotify.ts';
import { memoryCalls } from './memory.ts';
import { memoryPolicyCalls } from './memory-policy.ts';
import { MOUNT_CALLS } from './mounts.ts';
import { POLL_CALLS } from './poll.ts';
import { POSIX_MQ_CALLS } from './posix-mq.ts';
import { prctlCalls } from './prctl.ts';
import { PROCESS_ACCESS_CALLS } from './process-access.ts';
import { processCalls } from './processes.ts';
import { ptraceCalls } from './ptrace.ts';
import { refusedCalls } from './refused.ts';
import { SCHED_ATTR_CALLS } from './sched-attr.ts';
import { schedulingCalls } from './scheduling.ts';
import { seccompCalls } from './seccomp.ts';
import { signalCalls } from './signals.ts';
import { systemCalls } from './system.ts';
import { SOCKET_TRANSFER_CALLS } from './socket-transfer.ts';
import { SOCKET_CALLS } from './sockets.ts';
import { SPECIAL_FILE_CALLS } from './special-files.ts';
import { SYSV_MSG_CALLS } from './sysv-msg.ts';
import { SYSV_SEM_CALLS } from './sysv-sem.ts';
import { SYSV_SHM_CALLS } from './sysv-shm.ts';
import type { SyscallDef } from './table.ts';
import { SYSCALL_TABLE_SIZE } from './table.ts';
import { timeCalls } from './time.ts';
import { timerCalls } from './timers.ts';
import { XATTR_CALLS } from './xattrs.ts';

const FAMILIES: readonly (readonly SyscallDef[])[] = [
  processCalls,
  jobControlCalls,
  signalCalls,
  futexCalls,
  memoryCalls,
  memoryPolicyCalls,
  timeCalls,
  timerCalls,
  identityCalls,
  schedulingCalls,
  SCHED_ATTR_CALLS,
  seccompCalls,
  systemCalls,
  prctlCalls,
  ptraceCalls,
  refusedCalls,
  FS_PATH_CALLS,
  FS_STAT_CALLS,
  FS_ATTRIBUTE_CALLS,
  XATTR_CALLS,
  MOUNT_CALLS,
  FD_IO_CALLS,
  FD_CONTROL_CALLS,
  POLL_CALLS,
  SPECIAL_FILE_CALLS,
  SOCKET_CALLS,
  SOCKET_TRANSFER_CALLS,
  SYSV_SHM_CALLS,
  SYSV_SEM_CALLS,
  SYSV_MSG_CALLS,
  POSIX_MQ_CALLS,
  INOTIFY_CALLS,
  PROCESS_ACCESS_CALLS,
];

/** Rows by number; undefined where nothing answers (-ENOSYS). */
export function makeSyscallTable(families: readonly (readonly SyscallDef[])[] = FAMILIES): (SyscallDef | undefined)[] {
  const table = new Array<SyscallDef | undefined>(SYSCALL_TABLE_SIZE).fill(undefined);
  for (const def of families.flat()) {
    const other = table[def.nr];
    if (other !== undefined) {
      throw new TraplineError('KERNEL_TABLE', `internal error: call ${def.nr} is both ${other.name} and ${def.name}`);
    }
    table[def.nr] = def;
  }
  return table;
}
