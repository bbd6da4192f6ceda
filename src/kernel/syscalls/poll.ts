// SPDX-License-Identifier: MIT
//
// Waiting for several descriptors: poll, ppoll, select, pselect6, epoll. fs/select.c, fs/eventpoll.c.

import { EBADF, EFAULT, EINTR, EINVAL, EPERM, ERESTARTNOHAND, ERESTART_RESTARTBLOCK } from '../../abi/errno.ts';
import { O_CLOEXEC, O_RDWR } from '../../abi/open.ts';
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EpollEvent,
  PollFd,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../../abi/poll.ts';
import { RLIMIT_NOFILE } from '../../abi/resource.ts';
import { getU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { savable } from '../../base/savable.ts';
import { EpollFile } from '../../vfs/epoll.ts';
import { readSigset, withTemporaryMask } from '../signals/masks.ts';
import type { Task } from '../task.ts';
import { installFile } from './file-arguments.ts';
import type { BlockRequest, SyscallDef, SyscallResult, WaitSource } from './table.ts';
import { readTimespec, readTimeval, writeTimespec, writeTimeval } from './times.ts';
import type { Failure } from './times.ts';

/** A deadline as virtual time; undefined to wait for ever. */
function deadlineAfter(task: Task, ns: number): number {
  return task.kernel.clock.now() + ns;
}

/** Installs the mask of ppoll and the like; -errno. */
function useMask(task: Task, addr: number, size: number): number {
  if (addr === 0) return 0;
  const mask = readSigset(task, addr, size);
  if (typeof mask === 'number') return mask;
  withTemporaryMask(task, mask);
  return 0;
}

interface PollEntry {
  readonly fd: number;
  readonly events: number;
  revents: number;
}

/** Looks at every entry; how many have events. */
function lookAt(task: Task, entries: readonly PollEntry[]): number {
  let ready = 0;
  for (const entry of entries) {
    entry.revents = 0;
    if (entry.fd < 0) continue;
    const file = task.files.get(entry.fd);
    entry.revents = file === undefined ? POLLNVAL : file.poll() & (entry.events | POLLERR | POLLHUP | POLLNVAL);
    if (entry.revents !== 0) ready++;
  }
  return ready;
}

function queuesOf(task: Task, entries: readonly PollEntry[]): WaitSource[] {
  const queues: WaitSource[] = [];
  for (const { fd, events } of entries) {
    const queue = fd < 0 ? null : task.files.get(fd)?.queue;
    if (queue !== undefined && queue !== null) queues.push({ queue, mask: events | POLLERR | POLLHUP });
  }
  return queues;
}

/** A sleep until an entry has events: poll(2), select(2) and their kin. */
abstract class EventWait implements BlockRequest {
  protected readonly task: Task;
  protected readonly entries: readonly PollEntry[];
  queues: readonly WaitSource[] = [];
  readonly deadlineNs?: number;
  abstract readonly interrupted: number;

  constructor(task: Task, entries: readonly PollEntry[], deadlineNs: number | undefined) {
    this.task = task;
    this.entries = entries;
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
  }

  /** Turns the number of ready entries into the call's result. */
  protected abstract finish(ready: number): number;

  /** Goes on waiting: at the start, after a wake-up, after a signal without a handler. */
  restart(): SyscallResult {
    const ready = lookAt(this.task, this.entries);
    const isOver = this.deadlineNs !== undefined && this.deadlineNs <= this.task.kernel.clock.now();
    if (ready > 0 || isOver) return this.finish(ready);
    this.queues = queuesOf(this.task, this.entries);
    return this.task.block(this);
  }

  retry(timedOut: boolean): SyscallResult {
    return timedOut ? this.finish(lookAt(this.task, this.entries)) : this.restart();
  }
}

function readPollFds(task: Task, addr: number, count: number): PollEntry[] | number {
  if (count > task.group.softLimit(RLIMIT_NOFILE)) return -EINVAL;
  const bytes = new Uint8Array(count * PollFd.size);
  if (task.mm.copyIn(addr, bytes) < bytes.length) return -EFAULT;
  const view = viewOf(bytes);
  const entries: PollEntry[] = [];
  for (let at = 0; at < bytes.length; at += PollFd.size) {
    entries.push({ fd: view.getInt32(at, true), events: view.getUint16(at + PollFd.events, true), revents: 0 });
  }
  return entries;
}

function writePollFds(task: Task, addr: number, entries: readonly PollEntry[], ready: number): number {
  for (const [i, entry] of entries.entries()) {
    if (!task.mm.writeU16(addr + i * PollFd.size + PollFd.revents, entry.revents)) return -EFAULT;
  }
  return ready;
}

class PollWait extends EventWait {
  override readonly interrupted: number = -ERESTART_RESTARTBLOCK;
  private readonly addr: number;

  constructor(task: Task, addr: number, entries: readonly PollEntry[], deadlineNs: number | undefined) {
    super(task, entries, deadlineNs);
    this.addr = addr;
  }

  protected override finish(ready: number): number {
    return writePollFds(this.task, this.addr, this.entries, ready);
  }
}

function poll(task: Task, addr: number, count: number, timeoutMs: number): SyscallResult {
  const entries = readPollFds(task, addr, count);
  if (typeof entries === 'number') return entries;
  const deadline = timeoutMs < 0 ? undefined : deadlineAfter(task, timeoutMs * 1e6);
  return new PollWait(task, addr, entries, deadline).restart();
}

/** A timeout that is written back. */
interface TimeoutPlace {
  readonly addr: number;
  readonly isTimeval: boolean;
}

/** Writes the time that is left back to the caller's timeout, as Linux's ppoll, pselect6 and select do. */
function writeRest(task: Task, { addr, isTimeval }: TimeoutPlace, deadline: number | undefined): void {
  if (addr === 0 || deadline === undefined) return;
  const rest = Math.max(0, deadline - task.kernel.clock.now());
  if (isTimeval) writeTimeval(task, addr, rest);
  else writeTimespec(task, addr, rest);
}

function ppoll(task: Task, addr: number, count: number, timeout: number, mask: number, size: number): SyscallResult {
  const deadline = readDeadline(task, timeout, false);
  if (typeof deadline === 'object') return deadline.errno;
  const failed = useMask(task, mask, size);
  if (failed < 0) return failed;
  const entries = readPollFds(task, addr, count);
  if (typeof entries === 'number') return entries;
  return new TimedPollWait(task, addr, entries, deadline, { addr: timeout, isTimeval: false }).restart();
}

class TimedPollWait extends PollWait {
  override readonly interrupted = -ERESTARTNOHAND;
  private readonly timeout: TimeoutPlace;

  constructor(
    task: Task,
    addr: number,
    entries: readonly PollEntry[],
    deadlineNs: number | undefined,
    timeout: TimeoutPlace,
  ) {
    super(task, addr, entries, deadlineNs);
    this.timeout = timeout;
  }

  protected override finish(ready: number): number {
    this.onCancel();
    return super.finish(ready);
  }

  onCancel(): void {
    writeRest(this.task, this.timeout, this.deadlineNs);
  }
}

function readDeadline(task: Task, addr: number, isTimeval: boolean): number | undefined | Failure {
  if (addr === 0) return undefined;
  const ns = isTimeval ? readTimeval(task, addr) : readTimespec(task, addr);
  return typeof ns === 'number' ? deadlineAfter(task, ns) : ns;
}

/** What each of select's three sets stands for. */
const READ_EVENTS = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL;
const WRITE_EVENTS = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL;
const EXCEPT_EVENTS = POLLPRI | POLLNVAL;
const SET_EVENTS = [READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS] as const;

function select(
  task: Task,
  count: number,
  sets: readonly [number, number, number],
  deadline: number | undefined,
  timeout: TimeoutPlace,
): SyscallResult {
  if (count < 0) return -EINVAL;
  const n = Math.min(count, task.files.places);
  // Sets are whole 64-bit words.
  const length = Math.ceil(n / 64) * 8;
  const masks: (Uint8Array | null)[] = [];
  for (const addr of sets) {
    const bytes = addr === 0 ? null : new Uint8Array(length);
    if (bytes !== null && task.mm.copyIn(addr, bytes) < length) return -EFAULT;
    masks.push(bytes);
  }
  const entries: PollEntry[] = [];
  for (let fd = 0; fd < n; fd++) {
    let events = 0;
    for (const [k, bytes] of masks.entries()) {
      if (bytes !== null && ((bytes[fd >> 3] ?? 0) & (1 << (fd & 7))) !== 0) events |= SET_EVENTS[k] ?? 0;
    }
    if (events === 0) continue;
    if (task.files.get(fd) === undefined) return -EBADF;
    entries.push({ fd, events, revents: 0 });
  }
  return new SelectWait(task, entries, deadline, { sets, masks, length, timeout }).restart();
}

/** The sets of a select(2), where they are and what was in them. */
interface SelectSets {
  readonly sets: readonly [number, number, number];
  readonly masks: readonly (Uint8Array | null)[];
  readonly length: number;
  readonly timeout: TimeoutPlace;
}

class SelectWait extends EventWait {
  override readonly interrupted = -ERESTARTNOHAND;
  private readonly asked: SelectSets;

  constructor(task: Task, entries: readonly PollEntry[], deadlineNs: number | undefined, asked: SelectSets) {
    super(task, entries, deadlineNs);
    this.asked = asked;
  }

  protected override finish(): number {
    this.onCancel();
    const { sets, masks, length } = this.asked;
    let bits = 0;
    for (const [k, bytes] of masks.entries()) {
      if (bytes === null) continue;
      const out = new Uint8Array(length);
      for (const { fd, revents } of this.entries) {
        const asked = ((bytes[fd >> 3] ?? 0) & (1 << (fd & 7))) !== 0;
        if (!asked || (revents & (SET_EVENTS[k] ?? 0)) === 0) continue;
        out[fd >> 3] = (out[fd >> 3] ?? 0) | (1 << (fd & 7));
        bits++;
      }
      if (this.task.mm.copyOut(sets[k] ?? 0, out) < length) return -EFAULT;
    }
    return bits;
  }

  onCancel(): void {
    writeRest(this.task, this.asked.timeout, this.deadlineNs);
  }
}

function selectOld(task: Task, n: number, r: number, w: number, x: number, timeout: number): SyscallResult {
  const deadline = readDeadline(task, timeout, true);
  if (typeof deadline === 'object') return deadline.errno;
  return select(task, n, [r, w, x], deadline, { addr: timeout, isTimeval: true });
}

function pselect6(
  task: Task,
  n: number,
  r: number,
  w: number,
  x: number,
  timeout: number,
  maskArg: number,
): SyscallResult {
  const deadline = readDeadline(task, timeout, false);
  if (typeof deadline === 'object') return deadline.errno;
  if (maskArg !== 0) {
    const bytes = new Uint8Array(16);
    if (task.mm.copyIn(maskArg, bytes) < 16) return -EFAULT;
    const failed = useMask(task, getU64(viewOf(bytes), 0), getU64(viewOf(bytes), 8));
    if (failed < 0) return failed;
  }
  return select(task, n, [r, w, x], deadline, { addr: timeout, isTimeval: false });
}

function epollCreate(task: Task, flags: number): number {
  if ((flags & ~EPOLL_CLOEXEC) !== 0) return -EINVAL;
  const { anonymous } = task.kernel.vfs;
  const file = new EpollFile(anonymous.dentry('anon_inode:[eventpoll]'), O_RDWR, anonymous.watches);
  return installFile(task, file, (flags & O_CLOEXEC) !== 0);
}

function epollOf(task: Task, fd: number): EpollFile | number {
  const file = task.files.usable(fd);
  if (file === undefined) return -EBADF;
  return file instanceof EpollFile ? file : -EINVAL;
}

function epollCtl(task: Task, epfd: number, operation: number, fd: number, addr: number): number {
  let events = 0;
  let data = 0n;
  if (operation !== EPOLL_CTL_DEL) {
    const bytes = new Uint8Array(EpollEvent.size);
    if (task.mm.copyIn(addr, bytes) < bytes.length) return -EFAULT;
    const view = viewOf(bytes);
    events = view.getUint32(EpollEvent.events, true);
    data = view.getBigUint64(EpollEvent.data, true);
  }
  const opened = task.files.usable(epfd);
  const file = task.files.usable(fd);
  if (opened === undefined || file === undefined) return -EBADF;
  if (!file.isPollable) return -EPERM;
  const epoll = epollOf(task, epfd);
  if (typeof epoll === 'number') return epoll;
  if (file === epoll) return -EINVAL;
  switch (operation) {
    case EPOLL_CTL_ADD:
      return epoll.add(fd, file, events, data);
    case EPOLL_CTL_MOD:
      return epoll.modify(fd, file, events, data);
    case EPOLL_CTL_DEL:
      return epoll.remove(fd, file);
    default:
      return -EINVAL;
  }
}

function epollWait(task: Task, epfd: number, addr: number, max: number, deadline: number | undefined): SyscallResult {
  if (max <= 0 || max > 0x7fffffff / EpollEvent.size) return -EINVAL;
  const epoll = epollOf(task, epfd);
  if (typeof epoll === 'number') return epoll;
  return new EpollWait(task, epoll, addr, max, deadline).retry(false);
}

/** An epoll_wait(2). */
class EpollWait implements BlockRequest {
  readonly queues: readonly WaitSource[];
  readonly deadlineNs?: number;
  readonly interrupted = -EINTR;
  private readonly task: Task;
  private readonly epoll: EpollFile;
  private readonly addr: number;
  private readonly max: number;

  constructor(task: Task, epoll: EpollFile, addr: number, max: number, deadlineNs: number | undefined) {
    this.task = task;
    this.epoll = epoll;
    this.addr = addr;
    this.max = max;
    this.queues = [{ queue: epoll.queue, mask: POLLIN }];
    if (deadlineNs !== undefined) this.deadlineNs = deadlineNs;
  }

  private attempt(): number {
    const ready = this.epoll.collect(this.max);
    const bytes = new Uint8Array(ready.length * EpollEvent.size);
    const view = viewOf(bytes);
    for (const [i, event] of ready.entries()) {
      view.setUint32(i * EpollEvent.size, event.events, true);
      view.setBigUint64(i * EpollEvent.size + EpollEvent.data, event.data, true);
    }
    return this.task.mm.copyOut(this.addr, bytes) === bytes.length ? ready.length : -EFAULT;
  }

  retry(timedOut: boolean): SyscallResult {
    const n = this.attempt();
    if (n !== 0 || timedOut) return n;
    if (this.deadlineNs !== undefined && this.deadlineNs <= this.task.kernel.clock.now()) return n;
    return this.task.block(this);
  }
}

function epollPwait(
  task: Task,
  epfd: number,
  addr: number,
  max: number,
  timeoutMs: number,
  mask: number,
  size: number,
): SyscallResult {
  const failed = useMask(task, mask, size);
  if (failed < 0) return failed;
  return epollWait(task, epfd, addr, max, timeoutMs < 0 ? undefined : deadlineAfter(task, timeoutMs * 1e6));
}

function epollPwait2(
  task: Task,
  epfd: number,
  addr: number,
  max: number,
  timeout: number,
  mask: number,
  size: number,
): SyscallResult {
  const deadline = readDeadline(task, timeout, false);
  if (typeof deadline === 'object') return deadline.errno;
  const failed = useMask(task, mask, size);
  return failed < 0 ? failed : epollWait(task, epfd, addr, max, deadline);
}

export const POLL_CALLS: readonly SyscallDef[] = [
  { nr: 7, name: 'poll', args: ['ptr', 'uint', 'ms'], call: (t, a) => poll(t, a.num(0), a.uint(1), a.int(2)) },
  {
    nr: 271,
    name: 'ppoll',
    args: ['ptr', 'uint', 'in:timespec', 'in:sigset', 'size'],
    call: (t, a) => ppoll(t, a.num(0), a.uint(1), a.num(2), a.num(3), a.num(4)),
  },
  {
    nr: 23,
    name: 'select',
    args: ['int', 'ptr', 'ptr', 'ptr', 'in:timeval'],
    call: (t, a) => selectOld(t, a.int(0), a.num(1), a.num(2), a.num(3), a.num(4)),
  },
  {
    nr: 270,
    name: 'pselect6',
    args: ['int', 'ptr', 'ptr', 'ptr', 'in:timespec', 'ptr'],
    call: (t, a) => pselect6(t, a.int(0), a.num(1), a.num(2), a.num(3), a.num(4), a.num(5)),
  },
  {
    nr: 213,
    name: 'epoll_create',
    args: ['int'],
    ret: 'fd',
    call: (t, a) => (a.int(0) <= 0 ? -EINVAL : epollCreate(t, 0)),
  },
  {
    nr: 291,
    name: 'epoll_create1',
    args: ['flags:epoll_create'],
    ret: 'fd',
    call: (t, a) => epollCreate(t, a.uint(0)),
  },
  {
    nr: 233,
    name: 'epoll_ctl',
    args: ['fd', 'enum:epoll_ctl', 'fd', 'in:epoll_event'],
    call: (t, a) => epollCtl(t, a.int(0), a.int(1), a.int(2), a.num(3)),
  },
  {
    nr: 232,
    name: 'epoll_wait',
    args: ['fd', 'out:epoll_events', 'int', 'ms'],
    call: (t, a) => epollPwait(t, a.int(0), a.num(1), a.int(2), a.int(3), 0, 8),
  },
  {
    nr: 281,
    name: 'epoll_pwait',
    args: ['fd', 'out:epoll_events', 'int', 'ms', 'in:sigset', 'size'],
    call: (t, a) => epollPwait(t, a.int(0), a.num(1), a.int(2), a.int(3), a.num(4), a.num(5)),
  },
  {
    nr: 441,
    name: 'epoll_pwait2',
    args: ['fd', 'out:epoll_events', 'int', 'in:timespec', 'in:sigset', 'size'],
    call: (t, a) => epollPwait2(t, a.int(0), a.num(1), a.int(2), a.num(3), a.num(4), a.num(5)),
  },
];

savable('kernel/syscalls/poll', { PollWait, TimedPollWait, SelectWait, EpollWait });
