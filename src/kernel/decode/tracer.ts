// SPDX-License-Identifier: MIT
//
// What the kernel calls around each syscall: records the event and, when a sink wants texts, its decoded form.

import { ERESTART_RESTARTBLOCK } from '../../abi/errno.ts';
import { SYS } from '../../abi/sysno.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { EventKind } from '../../trace/events.ts';
import type { TraceSink } from '../../trace/events.ts';
import { decodeEnter, decodeExit, valueBefore } from './decoder.ts';
import type { CallShape, GuestMemory, RawArgs } from './kinds.ts';
import { siginfoText } from './signal-text.ts';

/** Records entries and exits of syscalls. */
export class SyscallTracer {
  private readonly trace: TraceSink;

  /** The call of each task that restart_syscall would go on with, by name. */
  private readonly interrupted = new Map<number, string>();
  /** What the calls in service overwrite, by task. */
  private readonly before = new Map<number, number>();

  constructor(trace: TraceSink) {
    this.trace = trace;
  }

  /**
   * @param rip after the syscall instruction, or where the trampoline returns to
   * @param patched the call came through a trampoline
   */
  enter(tid: number, shape: CallShape, args: RawArgs, memory: GuestMemory, rip: number, patched: boolean): void {
    const trace = this.trace;
    const via = patched ? 1 : 0;
    if (trace.wantsText) {
      const text =
        shape.nr === SYS.restart_syscall
          ? `<... resuming interrupted ${this.interrupted.get(tid) ?? 'system call'} ...>`
          : decodeEnter(shape, args, memory);
      const before = valueBefore(shape, args, memory);
      if (before !== undefined) this.before.set(tid, before);
      trace.emitText(EventKind.syscallEnter, tid, text, shape.nr, rip, via);
    } else {
      trace.emit(EventKind.syscallEnter, tid, shape.nr, rip, via);
    }
    trace.emit(EventKind.syscallArgs, tid, args.num(0), args.num(1), args.num(2));
    trace.emit(EventKind.syscallArgsRest, tid, args.num(3), args.num(4), args.num(5));
  }

  /** siginfo_t as text, for signals that are recorded. */
  signalText(bytes: Uint8Array): string {
    return siginfoText(viewOf(bytes));
  }

  /**
   * @param args as at entry
   * @param result >= 0, -errno, or an internal restart code (-512 to -516) when a signal interrupts the call
   */
  exit(tid: number, shape: CallShape, args: RawArgs, memory: GuestMemory, result: number): void {
    const trace = this.trace;
    if (!trace.wantsText) {
      trace.emit(EventKind.syscallExit, tid, shape.nr, result);
      return;
    }
    if (result === -ERESTART_RESTARTBLOCK && shape.nr !== SYS.restart_syscall) this.interrupted.set(tid, shape.name);
    const text = decodeExit(shape, args, memory, result, this.before.get(tid));
    this.before.delete(tid);
    trace.emitText(EventKind.syscallExit, tid, text.args + text.result, shape.nr, result, text.args.length);
  }
}

savable('kernel/decode/tracer', { SyscallTracer }, { isPlace: true, kept: ['trace'] });
