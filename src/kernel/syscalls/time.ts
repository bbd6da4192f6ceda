// SPDX-License-Identifier: MIT
//
// Clocks and sleeps: clock_gettime(2), nanosleep(2), gettimeofday(2), time(2), times(2) and relatives.

import {
  EINTR,
  EINVAL,
  ENOTSUP,
  EOPNOTSUPP,
  EPERM,
  ERESTARTNOHAND,
  ERESTART_RESTARTBLOCK,
  ESRCH,
} from '../../abi/errno.ts';
import { Tms } from '../../abi/resource.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_PROCESS_CPUTIME_ID,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_REALTIME_COARSE,
  CLOCK_TAI,
  CLOCK_THREAD_CPUTIME_ID,
  TIMER_ABSTIME,
} from '../../abi/time.ts';
import { putU64 } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { cpuClockOf } from '../cpu-clocks.ts';
import { savable } from '../../base/savable.ts';
import type { Task } from '../task.ts';
import type { BlockRequest, SyscallDef, SyscallResult } from './table.ts';
import {
  absoluteDeadline,
  isRealtimeClock,
  readBytes,
  readTimespec,
  readTimespecBig,
  writeBytes,
  writeTimespec,
  writeTimespecBig,
  writeTimeval,
} from './times.ts';

const TICK_NS = 1e7;

/** Reads a clock in nanoseconds; undefined for one that does not exist. */
export function readClock(task: Task, clock: number): number | bigint | undefined {
  const { kernel } = task;
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
      return kernel.clock.realtimeNs();
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return kernel.clock.now();
    case CLOCK_PROCESS_CPUTIME_ID:
      return task.group.cpuNs();
    case CLOCK_THREAD_CPUTIME_ID:
      return task.cpuNs();
    default:
      return cpuClockOf(task, clock)?.nowNs();
  }
}

function clockGettime(task: Task, clock: number, addr: Addr): number {
  const now = readClock(task, clock);
  if (now === undefined) return -EINVAL;
  return typeof now === 'bigint' ? writeTimespecBig(task, addr, now) : writeTimespec(task, addr, now);
}

/** Sleeps to a monotonic moment; on a signal writes what is left and arranges for restart_syscall. */
function sleepUntil(task: Task, deadlineNs: number, remainAddr: Addr, isAbsolute: boolean): SyscallResult {
  return new Nanosleep(task, deadlineNs, remainAddr, isAbsolute).restart();
}

class Nanosleep implements BlockRequest {
  readonly queues = [];
  readonly deadlineNs: number;
  readonly interrupted: number;
  private readonly task: Task;
  /** Where what is left is written; 0 for nowhere. */
  private readonly remainAddr: Addr;

  constructor(task: Task, deadlineNs: number, remainAddr: Addr, isAbsolute: boolean) {
    this.task = task;
    this.deadlineNs = deadlineNs;
    this.remainAddr = isAbsolute ? 0 : remainAddr;
    this.interrupted = isAbsolute ? -ERESTARTNOHAND : -ERESTART_RESTARTBLOCK;
  }

  restart(): SyscallResult {
    return this.retry(this.deadlineNs <= this.task.kernel.clock.now());
  }

  retry(timedOut: boolean): SyscallResult {
    return timedOut ? 0 : this.task.block(this);
  }

  onCancel(): void {
    const left = Math.max(0, this.deadlineNs - this.task.kernel.clock.now());
    if (this.remainAddr !== 0) writeTimespec(this.task, this.remainAddr, left);
  }
}

function clockNanosleep(task: Task, clock: number, flags: number, request: Addr, remain: Addr): SyscallResult {
  if (clock === CLOCK_THREAD_CPUTIME_ID) return -EINVAL;
  const now = readClock(task, clock);
  if (now === undefined) return -EINVAL;
  if (clock === CLOCK_MONOTONIC_RAW || clock === CLOCK_MONOTONIC_COARSE || clock === CLOCK_REALTIME_COARSE)
    return -ENOTSUP;
  const isCpuClock = clock === CLOCK_PROCESS_CPUTIME_ID || clock < 0;
  if ((flags & TIMER_ABSTIME) !== 0) {
    const at = readTimespecBig(task, request);
    if (typeof at === 'object') return at.errno;
    if (isCpuClock) return sleepOnCpuClock(task, clock, Number(at));
    return sleepUntil(task, absoluteDeadline(task, clock, at), 0, true);
  }
  const ns = readTimespec(task, request);
  if (typeof ns === 'object') return ns.errno;
  if (isCpuClock) return sleepOnCpuClock(task, clock, Number(now) + ns);
  return sleepUntil(task, task.kernel.clock.now() + ns, remain, false);
}

function sleepOnCpuClock(task: Task, clock: number, until: number): SyscallResult {
  return new CpuClockSleep(task, clock, until).retry();
}

/** A CPU clock runs only while others run: looked at again whenever as much time has passed. */
class CpuClockSleep implements BlockRequest {
  readonly queues = [];
  deadlineNs = 0;
  readonly interrupted = -EINTR;
  private readonly task: Task;
  private readonly clock: number;
  private readonly until: number;

  constructor(task: Task, clock: number, until: number) {
    this.task = task;
    this.clock = clock;
    this.until = until;
  }

  retry(): SyscallResult {
    const now = readClock(this.task, this.clock);
    if (now === undefined) return -ESRCH;
    const left = this.until - Number(now);
    if (left <= 0) return 0;
    this.deadlineNs = this.task.kernel.clock.now() + left;
    return this.task.block(this);
  }
}

function times(task: Task, addr: Addr): number {
  if (addr !== 0) {
    const bytes = new Uint8Array(Tms.size);
    const v = viewOf(bytes);
    putU64(v, Tms.utime, Math.floor(task.group.cpuNs() / TICK_NS));
    putU64(v, Tms.cutime, Math.floor(task.group.childUsage.userNs / TICK_NS));
    const result = writeBytes(task, addr, bytes);
    if (result < 0) return result;
  }
  return Math.floor(task.kernel.clock.now() / TICK_NS);
}

function gettimeofday(task: Task, tv: Addr, tz: Addr): number {
  if (tv !== 0) {
    const now = task.kernel.clock.realtimeNs();
    // Microseconds: exact as a double until the year 2255.
    const result = writeTimeval(task, tv, Number(now / 1000n) * 1000);
    if (result < 0) return result;
  }
  return tz === 0 ? 0 : writeBytes(task, tz, new Uint8Array(8));
}

/** adjtimex and clock_adjtime: reading works, changing is not allowed. */
function adjtimex(task: Task, addr: Addr): number {
  const bytes = readBytes(task, addr, 208);
  if (bytes === undefined) return -14;
  const v = viewOf(bytes);
  if (v.getUint32(0, true) !== 0) return -EPERM;
  bytes.fill(0);
  v.setBigInt64(40, 0x40n, true);
  v.setBigInt64(64, 1n, true);
  const now = task.kernel.clock.realtimeNs();
  v.setBigInt64(72, now / 1_000_000_000n, true);
  v.setBigInt64(80, (now % 1_000_000_000n) / 1000n, true);
  v.setBigInt64(88, 10_000n, true);
  const result = writeBytes(task, addr, bytes);
  // TIME_ERROR: the clock is not synchronised.
  return result < 0 ? result : 5;
}

export const timeCalls: readonly SyscallDef[] = [
  {
    nr: 35,
    name: 'nanosleep',
    args: ['in:timespec', 'out:timespec'],
    call: (task, a) => clockNanosleep(task, CLOCK_MONOTONIC, 0, a.num(0), a.num(1)),
  },
  {
    nr: 96,
    name: 'gettimeofday',
    args: ['out:timeval', 'out:timezone'],
    call: (task, a) => gettimeofday(task, a.num(0), a.num(1)),
  },
  { nr: 100, name: 'times', args: ['out:tms'], call: (task, a) => times(task, a.num(0)) },
  {
    nr: 159,
    name: 'adjtimex',
    args: ['ptr'],
    partial: 'adjusting the clock, which no guest may',
    call: (task, a) => adjtimex(task, a.num(0)),
  },
  {
    nr: 164,
    name: 'settimeofday',
    args: ['in:timeval', 'in:timezone'],
    partial: 'setting the clock, which no guest may',
    call: () => -EPERM,
  },
  {
    nr: 201,
    name: 'time',
    args: ['out:time_t'],
    call: (task, a) => {
      const now = Number(task.kernel.clock.realtimeNs() / 1_000_000_000n);
      const addr = a.num(0);
      return addr !== 0 && !task.mm.writeU64(addr, now) ? -14 : now;
    },
  },
  {
    nr: 227,
    name: 'clock_settime',
    args: ['enum:clockid', 'in:timespec'],
    partial: 'setting the clock, which no guest may',
    call: (_, a) => (a.int(0) === CLOCK_REALTIME ? -EPERM : -EINVAL),
  },
  {
    nr: 228,
    name: 'clock_gettime',
    args: ['enum:clockid', 'out:timespec'],
    call: (task, a) => clockGettime(task, a.int(0), a.num(1)),
  },
  {
    nr: 229,
    name: 'clock_getres',
    args: ['enum:clockid', 'out:timespec'],
    call: (task, a) => {
      const clock = a.int(0);
      if (readClock(task, clock) === undefined) return -EINVAL;
      const coarse = clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE;
      return a.num(1) === 0 ? 0 : writeTimespec(task, a.num(1), coarse ? 4e6 : 1);
    },
  },
  {
    nr: 230,
    name: 'clock_nanosleep',
    args: ['enum:clockid', 'flags:timer', 'in:timespec', 'out:timespec'],
    call: (task, a) => clockNanosleep(task, a.int(0), a.int(1), a.num(2), a.num(3)),
  },
  {
    nr: 305,
    name: 'clock_adjtime',
    args: ['enum:clockid', 'ptr'],
    partial: 'adjusting the clock, which no guest may',
    call: (task, a) =>
      isRealtimeClock(a.int(0))
        ? adjtimex(task, a.num(1))
        : readClock(task, a.int(0)) === undefined
          ? -EINVAL
          : -EOPNOTSUPP,
  },
];

savable('kernel/syscalls/time', { Nanosleep, CpuClockSleep });
