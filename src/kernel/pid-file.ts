// SPDX-License-Identifier: MIT
//
// pidfds: descriptors that stand for a process and become readable when it has ended. pidfd_open(2).

import { O_RDWR } from '../abi/open.ts';
import { POLLHUP, POLLIN } from '../abi/poll.ts';
import { RLIMIT_NOFILE } from '../abi/resource.ts';
import type { WaitQueue } from '../base/wait-queue.ts';
import { savable } from '../base/savable.ts';
import type { Dentry } from '../vfs/dentry.ts';
import { OpenFile } from '../vfs/open-file.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './thread-group.ts';

export class PidFile extends OpenFile {
  override readonly isPollable = true;
  override readonly queue: WaitQueue;
  readonly group: ThreadGroup;

  constructor(dentry: Dentry, flags: number, group: ThreadGroup) {
    super(dentry, flags);
    this.group = group;
    this.queue = group.exitEvents;
  }

  override poll(): number {
    if (this.group.isReaped) return POLLIN | POLLHUP;
    return this.group.isZombie ? POLLIN : 0;
  }

  override infoLines(): string {
    const pid = this.group.isReaped ? -1 : this.group.tgid;
    return `Pid:\t${pid}\nNSpid:\t${pid}\n`;
  }
}

/** A new close-on-exec descriptor for a process, or -errno. */
export function openPidFile(task: Task, group: ThreadGroup, flags = 0): number {
  const file = new PidFile(task.kernel.vfs.anonymous.dentry('anon_inode:[pidfd]'), O_RDWR | flags, group);
  const fd = task.files.install(file, true, task.group.softLimit(RLIMIT_NOFILE));
  if (fd < 0) file.release();
  return fd;
}

savable('kernel/pid-file', { PidFile });
