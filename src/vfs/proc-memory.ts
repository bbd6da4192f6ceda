// SPDX-License-Identifier: MIT
//
// /proc/<pid>/mem, another process's memory as a file, protections ignored as far as mm allows it; and pagemap.
// Models fs/proc/base.c and task_mmu.c.

import { EFAULT, EINVAL, EIO, EPERM } from '../abi/errno.ts';
import { SEEK_CUR, SEEK_SET } from '../abi/open.ts';
import { S_IFREG } from '../abi/stat.ts';
import { PAGE_SIZE } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import { writeForced } from '../mm/forced-access.ts';
import type { Dentry } from './dentry.ts';
import { Inode } from './inode.ts';
import { OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource } from './open-file.ts';
import type { Ownership, ProcFileSystemBase } from './proc-nodes.ts';
import { scratchBuffer } from './regular-file.ts';

/** The memory of a task that the asking one may look into; null when it is gone, else -errno. */
export type MemoryLook = () => AddressSpace | null | number;

/** The node: whoever opens it must be allowed to look into the process. */
export class ProcMemoryNode extends Inode {
  readonly mm: MemoryLook;
  private readonly owner: () => Ownership;

  constructor(fs: ProcFileSystemBase, mm: MemoryLook, owner: () => Ownership, mode = 0o600) {
    super(fs, fs.newIno(), S_IFREG | mode, 0, 0);
    this.mm = mm;
    this.owner = owner;
    this.refresh();
  }

  override refresh(): number {
    const { uid, gid } = this.owner();
    this.uid = uid;
    this.gid = gid;
    return 0;
  }

  override touchAccessed(): void {}
  override touchModified(): void {}

  override setMode(): number {
    return -EPERM;
  }

  override truncate(): number {
    return 0;
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    const mm = this.mm();
    return typeof mm === 'number' ? mm : this.make(dentry, flags);
  }

  protected make(dentry: Dentry, flags: number): OpenFile {
    return new ProcMemoryFile(dentry, flags, this);
  }
}

/** /proc/<pid>/pagemap. */
export class ProcPagemapNode extends ProcMemoryNode {
  constructor(fs: ProcFileSystemBase, mm: MemoryLook, owner: () => Ownership) {
    super(fs, mm, owner, 0o400);
  }

  protected override make(dentry: Dentry, flags: number): OpenFile {
    return new ProcPagemapFile(dentry, flags, this);
  }
}

/** Bytes of an entry of pagemap. */
const ENTRY = 8;
/** Entries that are made at a time. */
const ENTRIES = 512;

class ProcPagemapFile extends OpenFile {
  override readonly isSeekable = true;
  private readonly node: ProcMemoryNode;

  constructor(dentry: Dentry, flags: number, node: ProcMemoryNode) {
    super(dentry, flags);
    this.node = node;
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    const mm = this.node.mm();
    if (mm === null || typeof mm === 'number') return 0;
    if (offset % ENTRY !== 0 || count % ENTRY !== 0) return -EINVAL;
    const wanted = Math.min(count / ENTRY, mm.end / PAGE_SIZE - offset / ENTRY);
    let done = 0;
    while (done < wanted * ENTRY) {
      const pages = Math.min(ENTRIES, wanted - done / ENTRY);
      const put = sink.put(mm.pagemap(((offset + done) / ENTRY) * PAGE_SIZE, pages));
      done += put;
      if (put < pages * ENTRY) return done === 0 ? -EFAULT : done;
    }
    return done;
  }

  override seek(offset: number, whence: number): number {
    return seekMemory(this, offset, whence);
  }
}

/** mem_lseek: there is no end to count from. */
function seekMemory(file: OpenFile, offset: number, whence: number): number {
  const to = whence === SEEK_SET ? offset : whence === SEEK_CUR ? file.offset + offset : -1;
  if (to < 0) return -EINVAL;
  file.offset = to;
  return to;
}

class ProcMemoryFile extends OpenFile {
  override readonly isSeekable = true;
  private readonly node: ProcMemoryNode;

  constructor(dentry: Dentry, flags: number, node: ProcMemoryNode) {
    super(dentry, flags);
    this.node = node;
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    const mm = this.node.mm();
    if (mm === null || typeof mm === 'number') return 0;
    let done = 0;
    while (done < count) {
      const part = scratchBuffer().slice(0, count - done);
      const got = mm.copyIn(offset + done, part, true);
      const put = sink.put(part.subarray(0, got));
      done += put;
      if (put < part.length) break;
    }
    return done === 0 && count > 0 ? -EIO : done;
  }

  override writeAt(source: ByteSource, count: number, offset: number): number {
    const mm = this.node.mm();
    if (mm === null || typeof mm === 'number') return 0;
    let done = 0;
    while (done < count) {
      const part = scratchBuffer().slice(0, count - done);
      const got = source.take(part);
      const put = writeForced(mm, offset + done, part.subarray(0, got));
      done += put;
      if (put < part.length) break;
    }
    return done === 0 && count > 0 ? -EIO : done;
  }

  override seek(offset: number, whence: number): number {
    return seekMemory(this, offset, whence);
  }
}

savable('vfs/proc-memory', { ProcPagemapFile, ProcMemoryFile });
