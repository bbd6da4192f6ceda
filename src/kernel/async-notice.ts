// SPDX-License-Identifier: MIT
//
// Signals for input and output (O_ASYNC): who is told of events on a description, and with which signal. Models
// fs/fcntl.c (f_setown, send_sigio), fcntl(2).

import { FASYNC } from '../abi/open.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../abi/poll.ts';
import { SIGIO, SIGURG } from '../abi/signal.ts';
import type { Waiter } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { EventOwner, OpenFile } from '../vfs/open-file.ts';
import type { Kernel } from './kernel.ts';
import type { SignalInfo } from './signals/siginfo.ts';
import { kernelInfo, pollInfo } from './signals/siginfo.ts';
import { sendSignal } from './signals/send.ts';
import type { ThreadGroup } from './thread-group.ts';

export const F_OWNER_TID = 0;
export const F_OWNER_PID = 1;
export const F_OWNER_PGRP = 2;

/** Codes of a signal for input or output, and the events that go with them. */
const POLL_IN = 1;
const POLL_OUT = 2;
const POLL_PRI = 5;
const POLL_HUP = 6;
const BAND_IN = POLLIN | POLLRDNORM;
const BAND_OUT = POLLOUT | POLLWRNORM | POLLWRBAND;

/** Sends signals for one description, for as long as it has O_ASYNC. */
class AsyncNotice implements Waiter {
  private readonly kernel: Kernel;
  private readonly file: OpenFile;
  private readonly fd: number;

  constructor(kernel: Kernel, file: OpenFile, fd: number) {
    this.kernel = kernel;
    this.file = file;
    this.fd = fd;
  }

  wake(events: number): void {
    const told = this.file.signalledEvents(events);
    if ((told & POLLIN) !== 0) this.tell(POLL_IN, BAND_IN);
    if ((told & POLLHUP) !== 0) this.tell(POLL_HUP, POLLHUP | POLLERR);
    if ((told & POLLOUT) !== 0) this.tell(POLL_OUT, BAND_OUT);
  }

  /** An urgent byte: told only by a signal that was asked for. */
  wakeForUrgent(): void {
    if (this.file.ownerSignal !== 0) this.tell(POLL_PRI, POLLPRI | POLLRDBAND);
  }

  /** ReleaseHook. */
  released(file: OpenFile): void {
    file.queue?.remove(this);
  }

  private tell(code: number, band: number): void {
    const { owner, ownerSignal } = this.file;
    if (owner === null) return;
    const signo = ownerSignal === 0 ? SIGIO : ownerSignal;
    const info = ownerSignal === 0 ? kernelInfo(signo) : pollInfo(signo, code, band, this.fd);
    tellOwners(this.kernel, owner, info);
  }
}

function tellOwners(kernel: Kernel, owner: EventOwner, info: SignalInfo): void {
  for (const group of ownersOf(kernel, owner)) {
    if (!maySignal(owner, group)) continue;
    const task = owner.type === F_OWNER_TID ? (kernel.task(owner.pid) ?? null) : null;
    // A full queue is told by the plain signal.
    if (sendSignal(group, task, info) < 0) sendSignal(group, task, kernelInfo(SIGIO));
  }
}

/** An urgent byte has come: the owner gets SIGURG, with O_ASYNC or without (sk_send_sigurg). */
export function tellUrgent(kernel: Kernel, file: OpenFile): void {
  if (file.owner !== null) tellOwners(kernel, file.owner, kernelInfo(SIGURG));
  const { asyncNotice } = file;
  if ((file.flags & FASYNC) !== 0 && asyncNotice instanceof AsyncNotice) asyncNotice.wakeForUrgent();
}

function ownersOf(kernel: Kernel, owner: EventOwner): ThreadGroup[] {
  if (owner.type === F_OWNER_PGRP) return [...kernel.groups.values()].filter((group) => group.pgid === owner.pid);
  const group = kernel.task(owner.pid)?.group;
  return group === undefined ? [] : [group];
}

function maySignal({ uid: ownUid, euid }: EventOwner, group: ThreadGroup): boolean {
  const target = group.leader.creds;
  return euid === 0 || [euid, ownUid].some((uid) => uid === target.suid || uid === target.uid);
}

/** Sets or clears O_ASYNC; `fd` is what signals name. Files that cannot tell of events stay without it. */
export function setAsync(kernel: Kernel, file: OpenFile, fd: number, isOn: boolean): void {
  const { queue } = file;
  const isNow = (file.flags & FASYNC) !== 0;
  if (isOn === isNow || queue === null || !file.canSignal) return;
  if (file.asyncNotice !== null) queue.remove(file.asyncNotice);
  file.flags = isOn ? file.flags | FASYNC : file.flags & ~FASYNC;
  if (!isOn) return;
  const notice = new AsyncNotice(kernel, file, fd);
  file.asyncNotice = notice;
  queue.add(notice);
  file.onRelease(notice);
}

savable('kernel/async-notice', { AsyncNotice });
