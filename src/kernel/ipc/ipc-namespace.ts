// SPDX-License-Identifier: MIT
//
// The one IPC namespace of a sandbox: System V objects, POSIX message queues, and what /proc/sysvipc shows of them. Models ipc/namespace.c
// and the seq files of ipc/{shm,sem,msg}.c.

import { PAGE_SIZE } from '../../base/addr.ts';
import { savable } from '../../base/savable.ts';
import { Budget } from '../../vfs/device-table.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import type { IpcObject } from './ipc-objects.ts';
import { MessageLists } from './message-lists.ts';
import { PosixQueues } from './posix-queues.ts';
import { SemaphoreSets } from './semaphore-sets.ts';
import type { IpcActor } from './shared-segments.ts';
import { SharedSegments } from './shared-segments.ts';

/** Bytes of the host that semaphores and messages may take together. */
const MEMORY_BYTES = 64 * 1024 * 1024;

/** All System V objects and POSIX message queues. */
export class IpcNamespace {
  readonly segments: SharedSegments;
  readonly semaphores: SemaphoreSets;
  readonly messages: MessageLists;
  readonly queues: PosixQueues;

  /**
   * @param actor the running task, for the fields that tell who did something last and when
   * @param process the running process
   */
  constructor(actor: () => IpcActor, process: () => object | null, vfs: Vfs) {
    const memory = new Budget(MEMORY_BYTES);
    this.segments = new SharedSegments(actor);
    this.semaphores = new SemaphoreSets(actor, memory);
    this.messages = new MessageLists(actor, memory);
    this.queues = new PosixQueues(vfs.newDevice(), vfs.clock, memory, process);
  }

  /** /proc/sysvipc/shm. */
  segmentsText(): string {
    let out =
      '       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ' +
      'ctime                   rss                  swap\n';
    for (const s of this.segments.table.objects()) {
      out += row(s, [
        [s.bytes, 21],
        [s.creatorPid, 5],
        [s.lastPid, 5],
        [s.attached, 6],
        ...owners(s),
        [s.atime, 10],
        [s.dtime, 10],
        [s.ctime, 10],
        [s.residentPages * PAGE_SIZE, 21],
        [0, 21],
      ]);
    }
    return out;
  }

  /** /proc/sysvipc/sem. */
  semaphoresText(): string {
    let out = '       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n';
    for (const s of this.semaphores.table.objects()) {
      out += row(s, [[s.count, 10], ...owners(s), [s.otime, 10], [s.ctime, 10]]);
    }
    return out;
  }

  /** /proc/sysvipc/msg. */
  messagesText(): string {
    let out =
      '       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n';
    for (const m of this.messages.table.objects()) {
      out += row(m, [
        [m.bytes, 11],
        [m.messages.length, 10],
        [m.lastSender, 5],
        [m.lastReceiver, 5],
        ...owners(m),
        [m.stime, 10],
        [m.rtime, 10],
        [m.ctime, 10],
      ]);
    }
    return out;
  }
}

type Column = readonly [value: number, width: number];

function owners(object: IpcObject): Column[] {
  return [
    [object.uid, 5],
    [object.gid, 5],
    [object.cuid, 5],
    [object.cgid, 5],
  ];
}

function row(object: IpcObject, columns: readonly Column[]): string {
  const head = `${pad(object.key, 10)} ${pad(object.id, 10)}  ${object.mode.toString(8).padStart(4)}`;
  return `${head} ${columns.map(([value, width]) => pad(value, width)).join(' ')}\n`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width);
}

savable('kernel/ipc/ipc-namespace', { IpcNamespace }, { isPlace: true });
