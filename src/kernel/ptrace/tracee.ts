// SPDX-License-Identifier: MIT
//
// What a task that has a tracer knows of it: how it was taken, what it reports, and what waits to stop it. State and
// the changes of it that need nobody else. Models Linux's task fields ptrace, jobctl, last_siginfo and ptrace_message.

import { savable } from '../../base/savable.ts';
import { Reg } from '../../cpu/regs.ts';
import type { SignalInfo } from '../signals/siginfo.ts';
import type { Task } from '../task.ts';

/** How a stopped tracee goes on; the request of the tracer decides. */
export interface Resumption {
  /** PTRACE_SYSCALL: the next entry or exit of a call is a stop. */
  readonly stopsAtCalls: boolean;
  /** PTRACE_SYSEMU: the next entry is a stop, and the call is not made. */
  readonly skipsCalls: boolean;
  /** PTRACE_SINGLESTEP. */
  readonly steps: boolean;
}

const TRAP_FLAG = 0x100n;

export const RUN_ON: Resumption = { stopsAtCalls: false, skipsCalls: false, steps: false };

export class Tracee {
  readonly task: Task;
  /** A thread: no other of its group may command the tracee, but each may wait for it. */
  readonly tracer: Task;
  /** Taken by PTRACE_SEIZE, or made by a task that was. */
  readonly isSeized: boolean;
  /** PTRACE_O_ bits. */
  options = 0;
  resumption: Resumption = RUN_ON;
  /** Bits 8 to 15 of the wait status: what stops it, until wait has reported it; else 0. */
  report = 0;
  /** The signal of the stop, which the tracer may edit; null while it runs and in a group stop without PTRACE_SEIZE. */
  info: SignalInfo | null = null;
  /** PTRACE_GETEVENTMSG. */
  message = 0;
  /** What the tracer sends with the resumption. */
  signal = 0;
  /** PTRACE_LISTEN: stopped still, but an event may end that, and wait does not see it. */
  isListening = false;
  /** A stop of its group that it has not taken part in yet. */
  joinsGroupStop = false;
  /** PTRACE_INTERRUPT, or a group stop that it takes part in. */
  hasTrap = false;
  /** Its group has stopped or gone on: a seized tracee tells. */
  hasNotice = false;
  /** The trap flag in its registers is the tracer's, not the program's. */
  forcesTrapFlag = false;
  /** A stop at PTRACE_EVENT_EXIT has been made. */
  hasToldExit = false;
  /** Wait status of a thread that has ended and was not waited for; null while it lives. */
  deathStatus: number | null = null;

  constructor(task: Task, tracer: Task, isSeized: boolean) {
    this.task = task;
    this.tracer = tracer;
    this.isSeized = isSeized;
  }

  /** Something of job control or of the tracer's is to stop it before guest code. */
  get isDue(): boolean {
    return this.joinsGroupStop || this.hasTrap || this.hasNotice;
  }

  get stopsAtEntry(): boolean {
    return this.resumption.stopsAtCalls || this.resumption.skipsCalls;
  }

  /** Whether an event of this number stops it. */
  wants(event: number): boolean {
    return (this.options & (1 << event)) !== 0;
  }

  /** A group stop begins: this task is to take part. */
  joinGroupStop(): void {
    this.joinsGroupStop = true;
    if (this.isSeized) this.notice();
    else this.task.alert();
  }

  /** SIGCONT: a stop that was not yet taken part in is off. */
  leaveGroupStop(): void {
    this.joinsGroupStop = false;
    if (this.isSeized) this.notice();
  }

  /** PTRACE_INTERRUPT. */
  interrupt(): void {
    this.hasTrap = true;
    if (this.isListening) this.wake();
    else this.task.alert();
  }

  private notice(): void {
    this.hasNotice = true;
    if (this.isListening) this.wake();
    else this.task.alert();
  }

  /** The processor is to trap after the next instruction. */
  forceTrapFlag(): void {
    const { u64 } = this.task.regs;
    const flags = u64[Reg.rflags] as bigint;
    if ((flags & TRAP_FLAG) !== 0n) return;
    u64[Reg.rflags] = flags | TRAP_FLAG;
    this.forcesTrapFlag = true;
  }

  /** Takes the tracer's trap flag away; one that the program has set stays. */
  releaseTrapFlag(): void {
    if (!this.forcesTrapFlag) return;
    const { u64 } = this.task.regs;
    u64[Reg.rflags] = (u64[Reg.rflags] as bigint) & ~TRAP_FLAG;
    this.forcesTrapFlag = false;
  }

  /** Lets the stopped task go on; what it does then was decided when it stopped. */
  wake(): void {
    if (this.task.state !== 'traced') return;
    this.task.attention = true;
    this.task.kernel.scheduler.ready(this.task);
  }
}

savable('kernel/ptrace/tracee', { Tracee });
