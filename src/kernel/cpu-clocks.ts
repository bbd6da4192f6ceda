// SPDX-License-Identifier: MIT
//
// Clocks that count the CPU time of a process or a thread: CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID and those
// named by number, `~pid << 3 | kind`. Models Linux kernel/time/posix-cpu-timers.c (pid_for_clock).

import { savable } from '../base/savable.ts';
import { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID } from '../abi/time.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './thread-group.ts';

const OF_THREAD = 4;
const KIND = 3;
/** The kind that names a descriptor of a clock device, which there is none of. */
const OF_DESCRIPTOR = 3;

export class CpuClock {
  readonly group: ThreadGroup;
  /** Null: all tasks of the group together. */
  readonly task: Task | null;

  constructor(group: ThreadGroup, task: Task | null) {
    this.group = group;
    this.task = task;
  }

  nowNs(): number {
    return this.task === null ? this.group.cpuNs() : this.task.cpuNs();
  }
}

/** The CPU clock that a number names for `task`; undefined when it names none, or no task that there is. */
export function cpuClockOf(task: Task, clock: number): CpuClock | undefined {
  if (clock === CLOCK_PROCESS_CPUTIME_ID) return new CpuClock(task.group, null);
  if (clock === CLOCK_THREAD_CPUTIME_ID) return new CpuClock(task.group, task);
  if (clock >= 0 || (clock & KIND) === OF_DESCRIPTOR) return undefined;
  const pid = ~(clock >> 3);
  if ((clock & OF_THREAD) !== 0) {
    const target = pid === 0 ? task : task.kernel.task(pid);
    return target === undefined || target.group !== task.group ? undefined : new CpuClock(target.group, target);
  }
  const group = pid === 0 ? task.group : task.kernel.groups.get(pid);
  return group === undefined ? undefined : new CpuClock(group, null);
}

savable('kernel/cpu-clocks', { CpuClock });
