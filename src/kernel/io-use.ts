// SPDX-License-Identifier: MIT
//
// How much a task has read and written by calls: what /proc/<pid>/io shows. Models include/linux/task_io_accounting.h
// and the counting in fs/read_write.c of Linux 6.1.

import { EBADF, EINVAL, ESPIPE } from '../abi/errno.ts';
import { SYSCALL_TABLE_SIZE } from './syscalls/table.ts';
import type { Task } from './task.ts';

/** Bytes that calls have moved, and how many such calls there were. */
export interface IoUse {
  rchar: number;
  wchar: number;
  syscr: number;
  syscw: number;
}

export function noIo(): IoUse {
  return { rchar: 0, wchar: 0, syscr: 0, syscw: 0 };
}

export function addIo(into: IoUse, from: IoUse): void {
  into.rchar += from.rchar;
  into.wchar += from.wchar;
  into.syscr += from.syscr;
  into.syscw += from.syscw;
}

const READS = 1;
const WRITES = 2;
/** Which way a call moves bytes, by its number. What splice, tee and sockets' own calls move, Linux does not count. */
const DIRECTIONS = new Uint8Array(SYSCALL_TABLE_SIZE);
for (const read of [0, 17, 19, 295, 327]) DIRECTIONS[read] = READS;
for (const write of [1, 18, 20, 296, 328]) DIRECTIONS[write] = WRITES;
// sendfile and copy_file_range read and write.
for (const copy of [40, 326]) DIRECTIONS[copy] = READS | WRITES;

/** A call of `task` has this result: counts what it has moved. Calls that sleep come here once, when they are over. */
export function countTransfer(task: Task, result: number): void {
  const direction = DIRECTIONS[task.sysno] ?? 0;
  if (direction === 0) return;
  // Found before anything is tried.
  if (result === -EBADF || result === -EINVAL || result === -ESPIPE) return;
  const { io } = task;
  const bytes = result > 0 ? result : 0;
  if ((direction & READS) !== 0) {
    io.rchar += bytes;
    io.syscr++;
  }
  if ((direction & WRITES) !== 0) {
    io.wchar += bytes;
    io.syscw++;
  }
}
