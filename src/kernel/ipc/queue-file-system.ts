// SPDX-License-Identifier: MIT
//
// The file system of POSIX message queues, as /dev/mqueue shows it: one directory, in which queues can be listed, read
// for their state and removed. Models Linux ipc/mqueue.c; queues are made by mq_open alone.

import { MQUEUE_MAGIC } from '../../abi/ipc.ts';
import { ENOENT } from '../../abi/errno.ts';
import { S_IFDIR, S_ISVTX } from '../../abi/stat.ts';
import { savable } from '../../base/savable.ts';
import type { Dentry } from '../../vfs/dentry.ts';
import { openDirectory } from '../../vfs/directory-file.ts';
import { FileSystem, Inode } from '../../vfs/inode.ts';
import type { EntryVisitor, FsClock } from '../../vfs/inode.ts';
import type { OpenFile } from '../../vfs/open-file.ts';

/** From the number of an entry's inode to its cookie: `.` and `..` have 1 and 2, and the directory is inode 1. */
const COOKIE_OF_INO = 1;

/** The queues that have names. */
export interface NamedQueues {
  readonly named: ReadonlyMap<string, Inode>;
  /** Takes a queue's name away. */
  forget(name: string): void;
}

export class QueueFileSystem extends FileSystem {
  override readonly root: Inode;
  /** mq_unlink removes names that paths have led to. */
  override readonly revalidates = true;
  override readonly isNoExec = true;
  private nextIno = 1;

  constructor(deviceNumber: number, clock: FsClock, queues: NamedQueues) {
    super('mqueue', MQUEUE_MAGIC, deviceNumber, clock);
    this.root = new QueueDirectory(this, this.newIno(), queues);
  }

  newIno(): number {
    return this.nextIno++;
  }
}

class QueueDirectory extends Inode {
  private readonly queues: NamedQueues;

  constructor(fs: QueueFileSystem, ino: number, queues: NamedQueues) {
    super(fs, ino, S_IFDIR | S_ISVTX | 0o777, 0, 0);
    this.queues = queues;
    this.nlink = 2;
  }

  override lookup(name: string): Inode | number {
    return this.queues.named.get(name) ?? -ENOENT;
  }

  override entries(cookie: number, visit: EntryVisitor): number {
    // Queues are numbered in the order in which they are made, which is the order of the names.
    for (const [name, queue] of this.queues.named) {
      const own = COOKIE_OF_INO + queue.ino;
      if (own > cookie && !visit(name, queue.ino, queue.mode, own)) return 0;
    }
    return 0;
  }

  override isEmpty(): boolean {
    return this.queues.named.size === 0;
  }

  override unlink(name: string): number {
    this.queues.forget(name);
    return 0;
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    return openDirectory(dentry, flags);
  }
}

savable('kernel/ipc/queue-file-system', { QueueDirectory });
savable('kernel/ipc/queue-file-system', { QueueFileSystem }, { isPlace: true });
