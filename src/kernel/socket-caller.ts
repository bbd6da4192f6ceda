// SPDX-License-Identifier: MIT
//
// The running task as AF_UNIX sockets tell of it: real ids in messages, effective ids in SO_PEERCRED. unix(7).

import { savable } from '../base/savable.ts';
import type { OpenFile } from '../vfs/open-file.ts';
import type { SocketCaller, SocketIdentity } from '../vfs/unix-namespace.ts';
import { tellUrgent } from './async-notice.ts';
import type { Credentials } from './credentials.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './thread-group.ts';

const SYSTEM: SocketIdentity = { pid: 0, uid: 0, gid: 0 };

/** Identities of whatever task runs; made anew only when it is another process, or has other credentials. */
export class RunningCaller implements SocketCaller {
  private readonly current: () => Task | null;
  private group: ThreadGroup | null = null;
  private creds: Credentials | null = null;
  private ownIdentity = SYSTEM;
  private peerIdentity = SYSTEM;

  /** @param current the running task */
  constructor(current: () => Task | null) {
    this.current = current;
  }

  sender(): SocketIdentity {
    this.look();
    return this.ownIdentity;
  }

  peer(): SocketIdentity {
    this.look();
    return this.peerIdentity;
  }

  tellUrgent(file: OpenFile): void {
    const kernel = this.current()?.kernel;
    if (kernel !== undefined) tellUrgent(kernel, file);
  }

  private look(): void {
    const task = this.current();
    if (task === null || (task.group === this.group && task.creds === this.creds)) return;
    const { group, creds } = task;
    this.group = group;
    this.creds = creds;
    this.ownIdentity = { pid: group.tgid, uid: creds.uid, gid: creds.gid };
    this.peerIdentity = { pid: group.tgid, uid: creds.euid, gid: creds.egid };
  }
}

savable('kernel/socket-caller', { RunningCaller }, { isPlace: true });
