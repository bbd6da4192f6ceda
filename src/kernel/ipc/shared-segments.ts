// SPDX-License-Identifier: MIT
//
// System V shared memory: segments are files without a name whose pages live as long as the segment; who attaches
// them is what the page cache counts anyway. Models Linux ipc/shm.c.

import { EINVAL, ENOMEM, ENOSPC } from '../../abi/errno.ts';
import { SHM_DEST, SHMMAX, SHMMNI } from '../../abi/ipc.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { savable } from '../../base/savable.ts';
import { FilePages, type MappableFile, type PagesOwner } from '../../mm/file-pages.ts';
import type { Credentials } from '../credentials.ts';
import { IpcObject, IpcTable } from './ipc-objects.ts';

/** Who does something now, for the fields that tell of the last one. */
export interface IpcActor {
  readonly pid: number;
  /** Seconds since 1970. */
  readonly now: number;
}

/** A segment, and the file that its attachers map. */
export class SharedSegment extends IpcObject implements MappableFile, PagesOwner {
  private readonly segments: SharedSegments;
  readonly name: string;
  readonly deviceNumber = 1;
  readonly pages = new FilePages(this, true);
  readonly bytes: number;
  readonly creatorPid: number;
  lastPid = 0;
  atime = 0;
  dtime = 0;

  constructor(segments: SharedSegments, key: number, mode: number, creds: Credentials, bytes: number) {
    const actor = segments.actor();
    super(key, mode, creds, actor.now);
    this.segments = segments;
    this.bytes = bytes;
    this.creatorPid = actor.pid;
    this.name = `/SYSV${(key >>> 0).toString(16).padStart(8, '0')} (deleted)`;
  }

  get inodeNumber(): number {
    return this.id;
  }

  usersChanged(isAdded: boolean): void {
    this.segments.used(this, isAdded);
  }

  get attached(): number {
    return this.pages.mappingCount;
  }

  /** Pages that exist. */
  get residentPages(): number {
    return this.pages.cachedPages;
  }

  get pageCount(): number {
    return Math.ceil(this.bytes / PAGE_SIZE);
  }

  readPage(): number {
    return 0;
  }

  sizeInBytes(): number {
    return this.pageCount * PAGE_SIZE;
  }
}

/** All segments. */
export class SharedSegments {
  readonly table = new IpcTable<SharedSegment>(SHMMNI);
  readonly actor: () => IpcActor;
  /** Pages of all segments, whether they exist yet or not. */
  totalPages = 0;

  /** @param actor the running task */
  constructor(actor: () => IpcActor) {
    this.actor = actor;
  }

  /** shmget(2); `memoryPages` is all the memory there is. */
  get(key: number, bytes: number, flags: number, creds: Credentials, memoryPages: number): number {
    const make = (): SharedSegment | number => {
      if (bytes < 1 || bytes > Number(SHMMAX)) return -EINVAL;
      if (this.table.isFull) return -ENOSPC;
      const pages = Math.ceil(bytes / PAGE_SIZE);
      // As Linux's overcommit check: what could never be there is refused.
      if (pages > memoryPages) return -ENOMEM;
      return this.count(new SharedSegment(this, key, flags, creds, bytes));
    };
    return this.table.get(key, flags, creds, make, (segment) => (segment.bytes < bytes ? -EINVAL : 0));
  }

  private count(segment: SharedSegment): SharedSegment {
    this.totalPages += segment.pageCount;
    return segment;
  }

  /** A mapping of a segment has come or gone. @internal */
  used(segment: SharedSegment, isAdded: boolean): void {
    const { pid, now } = this.actor();
    segment.lastPid = pid;
    if (isAdded) segment.atime = now;
    else segment.dtime = now;
    if (segment.attached === 0 && (segment.mode & SHM_DEST) !== 0) this.destroy(segment);
  }

  /** IPC_RMID: at once, or with the last one who has it attached. */
  remove(segment: SharedSegment): void {
    if (segment.attached === 0) {
      this.destroy(segment);
      return;
    }
    segment.mode |= SHM_DEST;
    this.table.dropKey(segment);
  }

  private destroy(segment: SharedSegment): void {
    this.totalPages -= segment.pageCount;
    this.table.remove(segment);
    segment.pages.dispose();
  }

  get residentPages(): number {
    let pages = 0;
    for (const segment of this.table.objects()) pages += segment.residentPages;
    return pages;
  }
}

savable('kernel/ipc/shared-segments', { SharedSegment });
savable('kernel/ipc/shared-segments', { SharedSegments }, { isPlace: true });
