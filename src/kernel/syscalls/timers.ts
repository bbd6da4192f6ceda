// SPDX-License-Identifier: MIT
//
// Timers: alarm(2), setitimer(2), timer_create(2) and relatives.

import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP, EPERM } from '../../abi/errno.ts';
import { RLIMIT_SIGPENDING } from '../../abi/resource.ts';
import { Sigevent } from '../../abi/signal-frame.ts';
import { SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID } from '../../abi/signal.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_REALTIME_COARSE,
  CLOCK_TAI,
  ITIMER_REAL,
  Itimerspec,
  Itimerval,
  TIMER_ABSTIME,
  Timespec,
  Timeval,
} from '../../abi/time.ts';
import { putTimespec, putTimeval } from '../../abi/words.ts';
import type { Addr } from '../../base/addr.ts';
import { viewOf } from '../../base/bytes.ts';
import { cpuClockOf } from '../cpu-clocks.ts';
import type { TimerSetting } from '../interval-timers.ts';
import type { TimerEvent } from '../posix-timers.ts';
import { queuedSignals } from '../signals/send.ts';
import { isValidSignal } from '../signals/signal-sets.ts';
import type { Task } from '../task.ts';
import type { SyscallDef } from './table.ts';
import type { Failure } from './times.ts';
import { absoluteDeadline, readBytes, readTimespec, readTimespecBig, readTimeval, writeBytes } from './times.ts';

const TIMER_CLOCKS = new Set<number>([CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI]);
/** Clocks that tell the time and strike no hour. */
const SILENT_CLOCKS = new Set<number>([CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE]);

function alarm(task: Task, seconds: number): number {
  const { timers } = task.group;
  const old = timers.get(ITIMER_REAL)?.valueNs ?? 0;
  timers.set(ITIMER_REAL, { valueNs: seconds * 1e9, intervalNs: 0 });
  task.kernel.leaveGuest();
  // Rounded, but never to zero while an alarm is set.
  return old > 0 && old < 1e9 ? 1 : Math.round(old / 1e9);
}

function writeItimerval(task: Task, addr: Addr, setting: TimerSetting): number {
  const bytes = new Uint8Array(Itimerval.size);
  const v = viewOf(bytes);
  putTimeval(v, Itimerval.interval, setting.intervalNs);
  putTimeval(v, Itimerval.value, Math.ceil(setting.valueNs / 1000) * 1000);
  return writeBytes(task, addr, bytes);
}

function getitimer(task: Task, which: number, addr: Addr): number {
  const setting = task.group.timers.get(which);
  return setting === undefined ? -EINVAL : writeItimerval(task, addr, setting);
}

function setitimer(task: Task, which: number, newAddr: Addr, oldAddr: Addr): number {
  let setting: TimerSetting = { valueNs: 0, intervalNs: 0 };
  if (newAddr !== 0) {
    const interval = readTimeval(task, newAddr + Itimerval.interval);
    const value = readTimeval(task, newAddr + Itimerval.interval + Timeval.size);
    if (typeof interval === 'object') return interval.errno;
    if (typeof value === 'object') return value.errno;
    setting = { valueNs: value, intervalNs: interval };
  }
  const old = task.group.timers.get(which);
  if (old === undefined) return -EINVAL;
  task.group.timers.set(which, setting);
  task.kernel.leaveGuest();
  return oldAddr === 0 ? 0 : writeItimerval(task, oldAddr, old);
}

function readEvent(task: Task, addr: Addr): TimerEvent | Failure {
  const bytes = readBytes(task, addr, Sigevent.size);
  if (bytes === undefined) return { errno: -EFAULT };
  const v = viewOf(bytes);
  const notify = v.getInt32(Sigevent.notify, true);
  const signo = v.getInt32(Sigevent.signo, true);
  const value = v.getBigUint64(Sigevent.value, true);
  let target: Task | null = null;
  if ((notify & SIGEV_THREAD_ID) !== 0) {
    target = task.kernel.task(v.getInt32(Sigevent.tid, true)) ?? null;
    if (target === null || target.group !== task.group) return { errno: -EINVAL };
  }
  const isKnown = notify === SIGEV_THREAD_ID || (notify >= SIGEV_SIGNAL && notify <= SIGEV_THREAD);
  if (!isKnown) return { errno: -EINVAL };
  if (notify !== SIGEV_NONE && !isValidSignal(signo)) return { errno: -EINVAL };
  return { notify, signo, value, target };
}

function timerCreate(task: Task, clock: number, eventAddr: Addr, idAddr: Addr): number {
  // The sigevent is copied before the clock is looked at, and looked at after it.
  if (eventAddr !== 0 && readBytes(task, eventAddr, Sigevent.size) === undefined) return -EFAULT;
  if (SILENT_CLOCKS.has(clock)) return -EOPNOTSUPP;
  if (clock === CLOCK_REALTIME_ALARM || clock === CLOCK_BOOTTIME_ALARM) return -EPERM;
  const cpuClock = TIMER_CLOCKS.has(clock) ? null : cpuClockOf(task, clock);
  if (cpuClock === undefined) return -EINVAL;
  if (queuedSignals(task.kernel) >= task.group.softLimit(RLIMIT_SIGPENDING)) return -EAGAIN;
  const { posixTimers } = task.group;
  const event = eventAddr === 0 ? undefined : readEvent(task, eventAddr);
  if (event !== undefined && 'errno' in event) return event.errno;
  const timer = posixTimers.create(
    task,
    clock,
    cpuClock,
    (id) => event ?? { notify: SIGEV_SIGNAL, signo: SIGALRM, value: BigInt(id), target: null },
  );
  if (task.mm.writeU32(idAddr, timer.id)) return 0;
  posixTimers.delete(timer.id);
  return -EFAULT;
}

function writeItimerspec(task: Task, addr: Addr, setting: TimerSetting): number {
  const bytes = new Uint8Array(Itimerspec.size);
  const v = viewOf(bytes);
  putTimespec(v, Itimerspec.interval, setting.intervalNs);
  putTimespec(v, Itimerspec.value, setting.valueNs);
  return writeBytes(task, addr, bytes);
}

function timerSettime(task: Task, id: number, flags: number, newAddr: Addr, oldAddr: Addr): number {
  const timer = task.group.posixTimers.get(id);
  if (newAddr === 0) return -EINVAL;
  const interval = readTimespec(task, newAddr + Itimerspec.interval);
  if (typeof interval === 'object') return interval.errno;
  const value = readTimespecBig(task, newAddr + Itimerspec.interval + Timespec.size);
  if (typeof value === 'object') return value.errno;
  if (timer === undefined) return -EINVAL;
  const old = timer.get();
  const isCpuClock = timer.cpuClock !== null;
  let at: number | undefined;
  if (value !== 0n) {
    if ((flags & TIMER_ABSTIME) === 0) at = timer.now() + Number(value);
    else at = isCpuClock ? Number(value) : absoluteDeadline(task, timer.clock, value);
  }
  timer.set(at, at === undefined && !isCpuClock ? 0 : interval);
  task.kernel.leaveGuest();
  return oldAddr === 0 ? 0 : writeItimerspec(task, oldAddr, old);
}

export const timerCalls: readonly SyscallDef[] = [
  {
    nr: 36,
    name: 'getitimer',
    args: ['enum:itimer', 'out:itimerval'],
    call: (task, a) => getitimer(task, a.int(0), a.num(1)),
  },
  { nr: 37, name: 'alarm', args: ['uint'], call: (task, a) => alarm(task, a.uint(0)) },
  {
    nr: 38,
    name: 'setitimer',
    args: ['enum:itimer', 'in:itimerval', 'out:itimerval'],
    call: (task, a) => setitimer(task, a.int(0), a.num(1), a.num(2)),
  },
  {
    nr: 222,
    name: 'timer_create',
    args: ['enum:clockid', 'in:sigevent', 'out:timerid'],
    call: (task, a) => timerCreate(task, a.int(0), a.num(1), a.num(2)),
  },
  {
    nr: 223,
    name: 'timer_settime',
    args: ['int', 'flags:timer', 'in:itimerspec', 'out:itimerspec'],
    call: (task, a) => timerSettime(task, a.int(0), a.int(1), a.num(2), a.num(3)),
  },
  {
    nr: 224,
    name: 'timer_gettime',
    args: ['int', 'out:itimerspec'],
    call: (task, a) => {
      const timer = task.group.posixTimers.get(a.int(0));
      return timer === undefined ? -EINVAL : writeItimerspec(task, a.num(1), timer.get());
    },
  },
  {
    nr: 225,
    name: 'timer_getoverrun',
    args: ['int'],
    call: (task, a) => task.group.posixTimers.get(a.int(0))?.overrun ?? -EINVAL,
  },
  {
    nr: 226,
    name: 'timer_delete',
    args: ['int'],
    call: (task, a) => (task.group.posixTimers.delete(a.int(0)) ? 0 : -EINVAL),
  },
];
