// SPDX-License-Identifier: MIT
//
// Calls that make files without names: pipes, eventfds, memfds, timerfds, signalfds. fs/pipe.c, fs/eventfd.c,
// mm/memfd.c, fs/timerfd.c, fs/signalfd.c.

import { EBADF, EFAULT, EINVAL, EPERM } from '../../abi/errno.ts';
import { F_SEAL_SEAL, O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDWR } from '../../abi/open.ts';
import { EFD_SEMAPHORE, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET } from '../../abi/poll.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  Itimerspec,
} from '../../abi/time.ts';
import { putTimespec } from '../../abi/words.ts';
import { fromLatin1, viewOf } from '../../base/bytes.ts';
import { EventFile } from '../../vfs/eventfd.ts';
import { Cap, hasCap } from '../credentials.ts';
import { SignalFile } from '../signal-file.ts';
import { readSigset } from '../signals/masks.ts';
import { UNBLOCKABLE } from '../signals/signal-sets.ts';
import type { Task } from '../task.ts';
import { TimerFile } from '../timer-file.ts';
import { installFile, installPair } from './file-arguments.ts';
import type { SyscallDef } from './table.ts';
import { absoluteDeadline, readTimespec, readTimespecBig } from './times.ts';

function pipe(task: Task, addr: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) !== 0) return -EINVAL;
  const { readEnd, writeEnd } = task.kernel.vfs.anonymous.pipe(flags & (O_NONBLOCK | O_DIRECT), task.creds);
  return installPair(task, readEnd, writeEnd, (flags & O_CLOEXEC) !== 0, addr);
}

function eventfd(task: Task, initial: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE)) !== 0) return -EINVAL;
  const dentry = task.kernel.vfs.anonymous.dentry('anon_inode:[eventfd]');
  const file = new EventFile(dentry, O_RDWR | (flags & O_NONBLOCK), initial, flags);
  return installFile(task, file, (flags & O_CLOEXEC) !== 0);
}

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Length of a memfd's name without the `memfd:` that is put before it. */
const MEMFD_NAME_MAX = 249;

function memfdCreate(task: Task, addr: number, flags: number): number {
  if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) !== 0) return -EINVAL;
  const name = task.mm.readCString(addr, MEMFD_NAME_MAX + 1);
  if (typeof name === 'number') return name === -EFAULT ? name : -EINVAL;
  const seals = (flags & MFD_ALLOW_SEALING) !== 0 ? 0 : F_SEAL_SEAL;
  const file = task.kernel.vfs.anonymous.memoryFile(fromLatin1(name), seals, task.creds);
  return typeof file === 'number' ? file : installFile(task, file, (flags & MFD_CLOEXEC) !== 0);
}

function timerfdCreate(task: Task, clock: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  const known = [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM];
  if (!known.includes(clock)) return -EINVAL;
  const wakes = clock === CLOCK_REALTIME_ALARM || clock === CLOCK_BOOTTIME_ALARM;
  if (wakes && !hasCap(task.creds, Cap.wakeAlarm)) return -EPERM;
  const { kernel } = task;
  const dentry = kernel.vfs.anonymous.dentry('anon_inode:[timerfd]');
  const file = new TimerFile(dentry, O_RDWR | (flags & O_NONBLOCK), kernel, clock);
  return installFile(task, file, (flags & O_CLOEXEC) !== 0);
}

function timerOf(task: Task, fd: number): TimerFile | number {
  const file = task.files.usable(fd);
  if (file === undefined) return -EBADF;
  return file instanceof TimerFile ? file : -EINVAL;
}

function writeSetting(task: Task, file: TimerFile, addr: number): number {
  const { valueNs, intervalNs } = file.setting;
  const bytes = new Uint8Array(Itimerspec.size);
  putTimespec(viewOf(bytes), Itimerspec.interval, intervalNs);
  putTimespec(viewOf(bytes), Itimerspec.value, valueNs);
  return task.mm.copyOut(addr, bytes) === bytes.length ? 0 : -EFAULT;
}

function timerfdSettime(task: Task, fd: number, flags: number, addr: number, oldAddr: number): number {
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
  const interval = readTimespec(task, addr + Itimerspec.interval);
  const value = readTimespecBig(task, addr + Itimerspec.value);
  if (typeof interval === 'object') return interval.errno;
  if (typeof value === 'object') return value.errno;
  const file = timerOf(task, fd);
  if (typeof file === 'number') return file;
  // The new setting holds even when nobody can be told of the old one.
  const result = oldAddr === 0 ? 0 : writeSetting(task, file, oldAddr);
  const { clock } = task.kernel;
  const isAbsolute = (flags & TFD_TIMER_ABSTIME) !== 0;
  const deadline = isAbsolute ? absoluteDeadline(task, file.clockId, value) : clock.now() + Number(value);
  file.arm(value === 0n ? null : deadline, interval);
  return result;
}

function timerfdGettime(task: Task, fd: number, addr: number): number {
  const file = timerOf(task, fd);
  return typeof file === 'number' ? file : writeSetting(task, file, addr);
}

function signalfd(task: Task, fd: number, addr: number, size: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  const set = readSigset(task, addr, size);
  if (typeof set === 'number') return set;
  const mask = set & ~UNBLOCKABLE;
  if (fd !== -1) {
    const file = task.files.usable(fd);
    if (file === undefined) return -EBADF;
    if (!(file instanceof SignalFile)) return -EINVAL;
    file.mask = mask;
    return fd;
  }
  const { kernel } = task;
  const dentry = kernel.vfs.anonymous.dentry('anon_inode:[signalfd]');
  const file = new SignalFile(dentry, O_RDWR | (flags & O_NONBLOCK), kernel, task.group, mask);
  return installFile(task, file, (flags & O_CLOEXEC) !== 0);
}

export const SPECIAL_FILE_CALLS: readonly SyscallDef[] = [
  { nr: 22, name: 'pipe', args: ['out:intpair'], call: (t, a) => pipe(t, a.num(0), 0) },
  { nr: 293, name: 'pipe2', args: ['out:intpair', 'flags:pipe2'], call: (t, a) => pipe(t, a.num(0), a.uint(1)) },
  { nr: 284, name: 'eventfd', args: ['uint'], ret: 'fd', call: (t, a) => eventfd(t, a.uint(0), 0) },
  {
    nr: 290,
    name: 'eventfd2',
    args: ['uint', 'flags:eventfd'],
    ret: 'fd',
    call: (t, a) => eventfd(t, a.uint(0), a.uint(1)),
  },
  {
    nr: 319,
    name: 'memfd_create',
    args: ['str', 'flags:memfd'],
    ret: 'fd',
    call: (t, a) => memfdCreate(t, a.num(0), a.uint(1)),
  },
  {
    nr: 283,
    name: 'timerfd_create',
    args: ['enum:clockid', 'flags:timerfd_create'],
    ret: 'fd',
    call: (t, a) => timerfdCreate(t, a.int(0), a.uint(1)),
  },
  {
    nr: 286,
    name: 'timerfd_settime',
    args: ['fd', 'flags:timerfd_settime', 'in:itimerspec', 'out:itimerspec'],
    call: (t, a) => timerfdSettime(t, a.int(0), a.uint(1), a.num(2), a.num(3)),
  },
  {
    nr: 287,
    name: 'timerfd_gettime',
    args: ['fd', 'out:itimerspec'],
    call: (t, a) => timerfdGettime(t, a.int(0), a.num(1)),
  },
  {
    nr: 282,
    name: 'signalfd',
    args: ['fd', 'in:sigset', 'size'],
    ret: 'fd',
    call: (t, a) => signalfd(t, a.int(0), a.num(1), a.num(2), 0),
  },
  {
    nr: 289,
    name: 'signalfd4',
    args: ['fd', 'in:sigset', 'size', 'flags:signalfd'],
    ret: 'fd',
    call: (t, a) => signalfd(t, a.int(0), a.num(1), a.num(2), a.uint(3)),
  },
];
