// SPDX-License-Identifier: MIT
//
// Clocks and sleeps: clock_gettime(2), nanosleep(2), gettimeofday(2), time(2), times(2) and relatives.

import { EFAULT, EINVAL, ENOTSUP, EOPNOTSUPP, EPERM, ERESTARTNOHAND, ERESTART_RESTARTBLOCK } from '../../abi/errno.ts';
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
import { savable } from '../../base/savable.ts';
import { WaitQueue } from '../../base/wait-queue.ts';
import type { CpuClock } from '../cpu-clocks.ts';
import { cpuClockOf } from '../cpu-clocks.ts';
import type { CpuWatcher } from '../interval-timers.ts';
import type { Task } from '../task.ts';
import type { BlockRequest, SyscallDef, SyscallResult, WaitSource } from './table.ts';
import {
  absoluteDeadline,
  isRealtimeClock,
  readBytes,
  readTimespec,
  readTimespecBig,
  readTimeval,
  writeBytes,
  writeTimespec,
  writeTimespecBig,
  writeTimeval,
} from './times.ts';

const TICK_NS = 1e7;
/** The C libraries say EINVAL for a thread's CPU time without asking. */
const CLOCKS_WITHOUT_SLEEP: ReadonlySet<number> = new Set([
  CLOCK_THREAD_CPUTIME_ID,
  CLOCK_MONOTONIC_RAW,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_REALTIME_COARSE,
]);

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
  interrupted: number;
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
    if (this.remainAddr !== 0 && writeTimespec(this.task, this.remainAddr, left) < 0) this.interrupted = -EFAULT;
  }
}

function clockNanosleep(task: Task, clock: number, flags: number, request: Addr, remain: Addr): SyscallResult {
  if (readClock(task, clock) === undefined) return -EINVAL;
  if (CLOCKS_WITHOUT_SLEEP.has(clock)) return -ENOTSUP;
  const isCpuClock = clock === CLOCK_PROCESS_CPUTIME_ID || clock < 0;
  if ((flags & TIMER_ABSTIME) !== 0) {
    const at = readTimespecBig(task, request);
    if (typeof at === 'object') return at.errno;
    if (isCpuClock) return sleepOnCpuClock(task, clock, Number(at), 0, true);
    return sleepUntil(task, absoluteDeadline(task, clock, at), 0, true);
  }
  const ns = readTimespec(task, request);
  if (typeof ns === 'object') return ns.errno;
  if (isCpuClock) return sleepOnCpuClock(task, clock, ns, remain, false);
  return sleepUntil(task, task.kernel.clock.now() + ns, remain, false);
}

function sleepOnCpuClock(task: Task, clock: number, ns: number, remain: Addr, isAbsolute: boolean): SyscallResult {
  const cpuClock = cpuClockOf(task, clock);
  // A thread that sleeps never sees the end of its own CPU time.
  if (cpuClock === undefined || cpuClock.task === task) return -EINVAL;
  const until = ns + (isAbsolute ? 0 : cpuClock.nowNs());
  return new CpuClockSleep(task, cpuClock, until, isAbsolute ? 0 : remain, isAbsolute).restart();
}

/**
 * A CPU clock runs only while its tasks do: they look whether the moment has come. As on Linux, one whose tasks all
 * sleep or have ended lets a sleeper sleep on until a signal comes.
 */
class CpuClockSleep implements BlockRequest, CpuWatcher {
  readonly queues: readonly WaitSource[];
  interrupted: number;
  private readonly task: Task;
  private readonly clock: CpuClock;
  private readonly until: number;
  /** Where what is left is written; 0 for nowhere. */
  private readonly remainAddr: Addr;
  private readonly due = new WaitQueue();

  constructor(task: Task, clock: CpuClock, until: number, remainAddr: Addr, isAbsolute: boolean) {
    this.task = task;
    this.clock = clock;
    this.until = until;
    this.remainAddr = remainAddr;
    this.interrupted = isAbsolute ? -ERESTARTNOHAND : -ERESTART_RESTARTBLOCK;
    this.queues = [{ queue: this.due }];
  }

  restart(): SyscallResult {
    this.clock.group.timers.watchCpu(this);
    return this.retry();
  }

  retry(): SyscallResult {
    if (this.left() > 0) return this.task.block(this);
    this.clock.group.timers.unwatchCpu(this);
    return 0;
  }

  /** CpuWatcher. */
  check(): number {
    const left = this.left();
    if (left > 0) return left;
    this.clock.group.timers.unwatchCpu(this);
    this.due.wake();
    return Infinity;
  }

  onCancel(): void {
    this.clock.group.timers.unwatchCpu(this);
    const left = Math.max(0, this.left());
    if (this.remainAddr !== 0 && writeTimespec(this.task, this.remainAddr, left) < 0) this.interrupted = -EFAULT;
  }

  private left(): number {
    return this.until - this.clock.nowNs();
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

/** Setting the clock: refused, but what is wrong with the arguments comes first. */
function settimeofday(task: Task, tv: Addr, tz: Addr): number {
  if (tv !== 0) {
    const ns = readTimeval(task, tv);
    if (typeof ns === 'object') return ns.errno;
  }
  return tz !== 0 && readBytes(task, tz, 8) === undefined ? -EFAULT : -EPERM;
}

function clockSettime(task: Task, clock: number, addr: Addr): number {
  if (clock !== CLOCK_REALTIME) return -EINVAL;
  const ns = readTimespec(task, addr);
  return typeof ns === 'object' ? ns.errno : -EPERM;
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
    call: (task, a) => settimeofday(task, a.num(0), a.num(1)),
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
    call: (task, a) => clockSettime(task, a.int(0), a.num(1)),
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
