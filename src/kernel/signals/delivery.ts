// SPDX-License-Identifier: MIT
//
// The way back to guest code: signals are taken and acted upon, interrupted calls are restarted. Models Linux
// arch/x86/kernel/signal.c (arch_do_signal_or_restart), kernel/signal.c (get_signal), gVisor task_signals.go.

import { EINTR, ERESTARTNOHAND, ERESTARTSYS, ERESTART_RESTARTBLOCK } from '../../abi/errno.ts';
import { SA_NODEFER, SA_RESETHAND, SA_RESTART, SIGKILL, SIGSTOP } from '../../abi/signal.ts';
import { SYS } from '../../abi/sysno.ts';
import { signalStatus } from '../../abi/wait.ts';
import { savable } from '../../base/savable.ts';
import { Reg } from '../../cpu/regs.ts';
import { EventKind } from '../../trace/events.ts';
import { exitGroup } from '../exit.ts';
import { isOrphanedGroup } from '../job-control.ts';
import type { Continuation } from '../ptrace/stops.ts';
import { replacedInfo, stopForJobControl, stopForTracer, stopInHandler } from '../ptrace/stops.ts';
import type { Tracee } from '../ptrace/tracee.ts';
import { abortRestartableSequence } from '../rseq.ts';
import type { SyscallResult } from '../syscalls/table.ts';
import { REGS_SET, TASK_ENDED } from '../syscalls/table.ts';
import type { Task } from '../task.ts';
import { forceSegv } from './force.ts';
import type { SignalAction } from './signal-actions.ts';
import { HANDLER_DEFAULT, HANDLER_IGNORE } from './signal-actions.ts';
import { pushSignalFrame } from './signal-frame.ts';
import type { SignalInfo } from './siginfo.ts';
import { recheckGroupStop, recheckSignals, takeSignal, traceIgnored } from './send.ts';
import { defaultAction, sigBit } from './signal-sets.ts';

/**
 * Everything that stands between a task and its next guest instruction.
 * @returns false when it does not come to that: the task has stopped or ended
 */
export function beforeGuestCode(task: Task): boolean {
  const { group } = task;
  // In a trampoline it is not interrupted: it looks again when its call comes to the kernel.
  if (!task.kernel.platform.interrupt(task)) return true;
  for (;;) {
    task.attention = false;
    if (isKilled(task)) {
      task.kernel.signalsDelivered++;
      task.kernel.trace.emit(EventKind.signalFatal, task.tid, SIGKILL, 0, task.regs.get(Reg.rip));
      exitGroup(task, signalStatus(SIGKILL));
      return false;
    }
    const { tracee } = task;
    if (tracee === null) {
      if (group.stopSignal !== 0) {
        stop(task);
        return false;
      }
    } else if (tracee.isDue) {
      stopForJobControl(tracee);
      if (task.state === 'traced') return false;
    }
    const info = takeSignal(task, ~task.mask);
    if (info === undefined) break;
    if (!act(task, info)) return false;
    // The mask of the handler that is about to run decides whether another signal goes on top.
    recheckSignals(task);
    if (!task.attention) break;
  }
  if (task.restartError !== 0) restartCall(task);
  if (task.savedMask !== null) {
    task.mask = task.savedMask;
    task.savedMask = null;
    recheckSignals(task);
    return task.attention ? beforeGuestCode(task) : true;
  }
  return true;
}

function isKilled(task: Task): boolean {
  return ((task.pending.set | task.group.pending.set) & sigBit(SIGKILL)) !== 0n;
}

/** Acts on one signal, a tracer first; false when the task has stopped or ended. */
function act(task: Task, info: SignalInfo): boolean {
  const { tracee } = task;
  if (tracee === null || info.isFinal === true) return deliver(task, info);
  stopForTracer(tracee, { report: info.signo, info }, new Delivery(tracee, info));
  return task.state === 'ready';
}

/** Behind a signal-delivery-stop. */
class Delivery implements Continuation {
  private readonly tracee: Tracee;
  private readonly info: SignalInfo;

  constructor(tracee: Tracee, info: SignalInfo) {
    this.tracee = tracee;
    this.info = info;
  }

  goOn(_task: Task, signo: number, edited: SignalInfo | null): SyscallResult {
    return goOnWith(this.tracee, signo, edited ?? this.info);
  }
}

/** After a signal-delivery-stop: `signo` is what the tracer wants delivered, 0 for nothing. */
function goOnWith(tracee: Tracee, signo: number, info: SignalInfo): SyscallResult {
  const { task } = tracee;
  if (signo === 0) return REGS_SET;
  const next = signo === info.signo ? info : replacedInfo(tracee, signo);
  if ((task.mask & sigBit(signo)) !== 0n || isKilled(task)) {
    task.pending.add(next);
    return REGS_SET;
  }
  deliver(task, next);
  return task.state === 'ended' ? TASK_ENDED : REGS_SET;
}

/** Does what the disposition says; false when the task has stopped or ended. */
function deliver(task: Task, info: SignalInfo): boolean {
  const { group, kernel } = task;
  const { trace } = kernel;
  const { signo } = info;
  const action = group.actions.get(signo);
  if (action.handler === HANDLER_IGNORE) {
    traceIgnored(task, info);
    return true;
  }
  task.signalsTaken++;
  kernel.signalsDelivered++;
  if (action.handler !== HANDLER_DEFAULT) {
    traceDelivery(task, info, Number(action.handler));
    runHandler(task, info, action);
    return task.state === 'ready';
  }
  const byDefault = defaultAction(signo);
  if (byDefault === 'ignore' || byDefault === 'continue') {
    traceIgnored(task, info);
    return true;
  }
  // Nobody could ever continue a process group without ties to its session.
  if (byDefault === 'stop' && signo !== SIGSTOP && isOrphanedGroup(kernel, group.pgid)) {
    traceIgnored(task, info);
    return true;
  }
  traceDelivery(task, info, 0);
  if (byDefault === 'stop') {
    beginGroupStop(task, signo);
    if (task.tracee !== null) return true;
    stop(task);
    return false;
  }
  const dumpsCore = byDefault === 'core';
  trace.emit(EventKind.signalFatal, task.tid, signo, dumpsCore ? 1 : 0, task.regs.get(Reg.rip));
  kernel.onFatalSignal?.(task, info, dumpsCore);
  exitGroup(task, signalStatus(signo));
  return false;
}

function traceDelivery(task: Task, info: SignalInfo, handler: number): void {
  const { trace, tracer } = task.kernel;
  if (trace.wantsText && tracer !== null) {
    const text = tracer.signalText(info.bytes);
    trace.emitText(EventKind.signalDelivered, task.tid, text, info.signo, info.code, handler);
  } else {
    trace.emit(EventKind.signalDelivered, task.tid, info.signo, info.code, handler);
  }
}

function runHandler(task: Task, info: SignalInfo, action: SignalAction): void {
  const { signo } = info;
  if (task.rseqAddr !== 0) abortRestartableSequence(task);
  if (task.restartError !== 0) {
    const error = task.restartError;
    task.restartError = 0;
    const becomesEintr =
      error === -ERESTARTNOHAND ||
      error === -ERESTART_RESTARTBLOCK ||
      (error === -ERESTARTSYS && (action.flags & SA_RESTART) === 0);
    if (becomesEintr) task.regs.set(Reg.rax, -EINTR);
    else rewind(task, task.sysno);
  }
  const { tracee } = task;
  const isStepped = tracee?.resumption.steps === true;
  // The context that the handler returns to is the program's own.
  if (isStepped) tracee.releaseTrapFlag();
  const maskToRestore = task.savedMask ?? task.mask;
  if ((action.flags & SA_RESETHAND) !== 0) task.group.actions.set(signo, { ...action, handler: HANDLER_DEFAULT });
  if (!pushSignalFrame(task, info, action, maskToRestore)) {
    forceSegv(task, signo);
    return;
  }
  task.kernel.trace.emit(EventKind.handlerEnter, task.tid, signo, task.regs.get(Reg.rsp), Number(action.handler));
  task.savedMask = null;
  task.mask |= action.mask;
  if ((action.flags & SA_NODEFER) === 0) task.mask |= sigBit(signo);
  if (isStepped) stopInHandler(tracee);
}

/** The interrupted call starts again: no handler ran. */
function restartCall(task: Task): void {
  const error = task.restartError;
  task.restartError = 0;
  rewind(task, error === -ERESTART_RESTARTBLOCK ? SYS.restart_syscall : task.sysno);
}

/** Back to the syscall instruction, which is two bytes long, with the number that it is to see. */
function rewind(task: Task, sysno: number): void {
  const rip = task.regs.get(Reg.rip) - 2;
  task.regs.set(Reg.rip, rip);
  task.regs.set(Reg.rax, sysno);
  task.kernel.trace.emit(EventKind.callRestarted, task.tid, sysno, rip);
}

/** All tasks of the group are to stop. */
function beginGroupStop(task: Task, signo: number): void {
  const { group } = task;
  group.stopSignal = signo;
  for (const other of group.tasks) {
    if (other.tracee !== null) other.tracee.joinGroupStop();
    else if (other !== task) other.alert();
  }
}

/** This task stops; the parent hears of it when the last one of the group has. */
function stop(task: Task): void {
  const { group } = task;
  task.state = 'stopped';
  task.kernel.trace.emit(EventKind.taskStopped, task.tid, group.stopSignal);
  recheckGroupStop(group);
}

savable('kernel/signals/delivery', { Delivery });
