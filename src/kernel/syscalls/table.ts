// SPDX-License-Identifier: MIT
//
// What a system call is to the kernel: number, name, kinds of its arguments, and the function. One table
// drives dispatch and the decoding of arguments. Models gVisor pkg/sentry/kernel/syscalls.go (SyscallTable).

import type { Regs } from '../../cpu/regs.ts';
import type { WaitQueue } from '../../base/wait-queue.ts';
import type { ArgKind, RetKind } from '../decode/kinds.ts';
import type { Task } from '../task.ts';

/** Result of a call whose task sleeps, was ended, or has its registers already as they are to be. */
export class Blocked {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** The task sleeps until the request that it gave to `Task.block` is met. */
export const BLOCKED = new Blocked('blocked');
/** The registers are complete as they are (rt_sigreturn, execve): no result is written to rax. */
export const REGS_SET = new Blocked('registers set');
/** The task has ended. */
export const TASK_ENDED = new Blocked('ended');

/** A value for rax, sign-extended: >= 0 or -errno; or one of the objects above. */
export type SyscallResult = number | Blocked;

/** One queue a blocked task subscribes to. */
export interface WaitSource {
  readonly queue: WaitQueue;
  /** poll(2) mask; all events when left out. */
  readonly mask?: number;
}

/** Why and how a task sleeps. A checkpoint holds it, so it is an object of a class, and what it needs are its fields. */
export interface BlockRequest {
  readonly queues: readonly WaitSource[];
  /** Virtual time (kernel.clock.now()) at which `retry(true)` is called. */
  readonly deadlineNs?: number;
  /**
   * Called with the task current, after a wake-up of one of the queues or at the deadline; gives the result or
   * blocks again. With `timedOut` it must give a result.
   */
  retry(timedOut: boolean): SyscallResult;
  /** Result when a signal ends the sleep; default -ERESTARTSYS. */
  readonly interrupted?: number;
  /** For -ERESTART_RESTARTBLOCK: what restart_syscall then does. */
  restart?(): SyscallResult;
  /** The sleep ended by a signal or the task's end: undo what was queued elsewhere. */
  onCancel?(): void;
  /** An uninterruptible sleep (vfork): only a fatal signal ends it. */
  readonly killableOnly?: boolean;
}

/** Register that holds each argument, as an index of a register block: rdi, rsi, rdx, r10, r8, r9. */
const ARG_REGS = [7, 6, 2, 10, 8, 9] as const;

/** The six argument registers of the call in service, read without allocation. */
export class Args {
  regs: Regs;

  constructor(regs: Regs) {
    this.regs = regs;
  }

  /** Unsigned 64 bits as a number: exact below 2^53, rounded above (then no user address, no valid length). */
  num(i: number): number {
    return this.regs.get(ARG_REGS[i] as number);
  }

  /** The low 32 bits, signed: what a parameter of type int sees. */
  int(i: number): number {
    return this.regs.i32[2 * (ARG_REGS[i] as number)] as number;
  }

  /** The low 32 bits, unsigned. */
  uint(i: number): number {
    return this.regs.u32[2 * (ARG_REGS[i] as number)] as number;
  }

  /** Signed 64 bits as a number: exact between -2^53 and 2^53. */
  long(i: number): number {
    return this.regs.getSigned(ARG_REGS[i] as number);
  }

  /** All 64 bits, unsigned. */
  big(i: number): bigint {
    return this.regs.u64[ARG_REGS[i] as number] as bigint;
  }
}

/** One row of the table. */
export interface SyscallDef {
  readonly nr: number;
  readonly name: string;
  readonly args: readonly ArgKind[];
  readonly ret?: RetKind;
  /** What of the manual page is missing, in one phrase; nothing is without it. */
  readonly partial?: string;
  /** The call only ever answers this errno, and why that is so, in one phrase. */
  readonly refused?: { readonly errno: number; readonly reason: string };
  call(task: Task, a: Args): SyscallResult;
}

/** Numbers that the table covers; anything at or above is unknown. */
export const SYSCALL_TABLE_SIZE = 512;
