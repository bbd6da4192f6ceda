// SPDX-License-Identifier: MIT
//
// The first process: what init is to a machine. It has tid 1, no parent, and its end is the end of the run.

import { SIGCHLD } from '../abi/signal.ts';
import { EventKind } from '../trace/events.ts';
import type { FdTable } from '../vfs/fd-table.ts';
import type { FsContext } from '../vfs/fs-context.ts';
import { lookupPath } from '../vfs/path-walk.ts';
import { acquireTerminal } from '../vfs/tty/job-control.ts';
import type { Credentials } from './credentials.ts';
import type { ExecFailure } from './exec.ts';
import { enterProgram, prepareProgram } from './exec.ts';
import { IntervalTimers } from './interval-timers.ts';
import type { Kernel } from './kernel.ts';
import type { LimitPair } from './limits.ts';
import { PosixTimers } from './posix-timers.ts';
import { SignalActions } from './signals/signal-actions.ts';
import { Task } from './task.ts';
import { ThreadGroup } from './thread-group.ts';

export interface FirstProgram {
  readonly path: string;
  readonly argv: readonly Uint8Array[];
  readonly envp: readonly Uint8Array[];
  readonly fs: FsContext;
  readonly files: FdTable;
  readonly creds: Credentials;
  readonly limits: LimitPair[];
}

/** Loads the program and makes its process ready to run; gives why not, or null. */
export function startFirstProgram(kernel: Kernel, program: FirstProgram): ExecFailure | null {
  const { fs, files, creds, limits } = program;
  const dentry = lookupPath({ fs, cred: creds }, fs.cwd, program.path, true);
  if (typeof dentry === 'number') return { errno: dentry, message: '' };
  const prepared = prepareProgram(kernel, {
    fs,
    creds,
    limits,
    personality: 0,
    dentry,
    path: program.path,
    argv: program.argv,
    envp: program.envp,
  });
  if ('errno' in prepared) return prepared;

  const tid = kernel.allocateTid();
  kernel.retainSpace(prepared.mm);
  const task = new Task(kernel, { tid, group: null, mm: prepared.mm, fs, files, creds });
  const timers = new IntervalTimers(kernel);
  const group = new ThreadGroup({
    tgid: tid,
    leader: task,
    parent: null,
    pgid: tid,
    sid: tid,
    exitSignal: SIGCHLD,
    actions: new SignalActions(),
    limits,
    timers,
    posixTimers: new PosixTimers(),
    startNs: kernel.clock.now(),
  });
  task.group = group;
  // The tool's terminal, when it has one, is the first session's.
  if (kernel.vfs.terminals.console !== null) acquireTerminal(group, kernel.vfs.terminals.console);
  timers.bind(group);
  group.tasks.push(task);
  kernel.tasks.set(tid, task);
  kernel.groups.set(tid, group);
  kernel.init = group;
  kernel.tasksStarted++;
  const attached = kernel.platform.attach(task);
  if (attached !== 0) return { errno: attached, message: 'memory is out' };
  enterProgram(task, prepared);
  const { trace } = kernel;
  trace.emit(EventKind.taskStart, tid, tid, 0, 0);
  trace.emit(EventKind.spaceEntered, tid, kernel.spaceNumber(task.mm));
  trace.emitText(EventKind.exec, tid, prepared.exePath, tid, prepared.entry, tid);
  trace.emitText(EventKind.taskName, tid, task.name);
  kernel.scheduler.ready(task);
  return null;
}
