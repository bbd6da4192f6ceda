// SPDX-License-Identifier: MIT
//
// What lies in directories of the memory file system: regular files, whose bytes may still be the host's, links, and
// nodes of FIFOs, devices and sockets. Models mm/shmem.c and, for blocks, what ext4 shows.

import { EFBIG, ENXIO, EOPNOTSUPP, EPERM } from '../abi/errno.ts';
import {
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
} from '../abi/open.ts';
import { S_IFCHR, S_IFIFO, S_IFLNK } from '../abi/stat.ts';
import { PAGE_SIZE } from '../base/addr.ts';
import type { HostStat } from '../base/host.ts';
import { savable } from '../base/savable.ts';
import { FilePages } from '../mm/file-pages.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import type { HostContents } from './host-contents.ts';
import { Inode } from './inode.ts';
import type { MemoryFileSystem } from './memory-file-system.ts';
import { MAX_FILE_SIZE } from './open-file.ts';
import type { ByteSink, ByteSource, OpenFile } from './open-file.ts';
import { openFifo, Pipe } from './pipe.ts';
import { RegularInode } from './regular-file.ts';
import { SparseContent } from './sparse-content.ts';
import { forgetXattrs } from './xattrs.ts';

/** A regular file in memory or, until it is written, on the host. */
export class MemoryFile extends RegularInode {
  private readonly home: MemoryFileSystem;
  private readonly content: SparseContent;
  private cache: FilePages | null = null;
  private lowerBlocks = -1;
  private openCount = 0;
  private isFreed = false;
  /** F_SEAL_ bits of a memfd. */
  seals = 0;

  constructor(fs: MemoryFileSystem, ino: number, mode: number, uid: number, gid: number) {
    super(fs, ino, mode, uid, gid);
    this.home = fs;
    this.content = new SparseContent(fs);
  }

  /** The bytes are those of a host file until somebody writes. */
  setLower(lower: HostContents, path: string, stat: HostStat): void {
    this.content.setLower(lower.content(path, stat), stat.size);
    this.lowerBlocks = stat.blocks;
  }

  override get size(): number {
    return this.content.size;
  }

  override get blocks(): number {
    if (this.lowerBlocks >= 0 && !this.content.isModified) return this.lowerBlocks;
    return this.content.pageCount * 8;
  }

  override get pages(): FilePages {
    this.cache ??= new FilePages(this);
    return this.cache;
  }

  /** PagesOwner. */
  lastUnmapped(): void {
    this.flushMapped();
    this.freeIfUnused();
  }

  override get isCached(): boolean {
    return this.cache !== null && this.cache.cachedPages > 0;
  }

  override open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number {
    this.openCount++;
    return super.open(dentry, flags, cred);
  }

  override closed(): void {
    this.openCount--;
    this.freeIfUnused();
  }

  override lastNameGone(): void {
    this.freeIfUnused();
  }

  /** Gives the contents back once no name, description or mapping leads to them. */
  freeIfUnused(): void {
    if (this.nlink > 0 || this.openCount > 0 || this.isFreed) return;
    if (this.cache !== null && this.cache.mappingCount > 0) return;
    this.isFreed = true;
    this.cache?.dispose();
    this.content.dispose();
    forgetXattrs(this);
    this.home.unchargeInode();
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    return this.content.read(sink, count, offset, this.isCached ? this.cache : null);
  }

  override writeAt(source: ByteSource, count: number, offset: number): number {
    if (this.seals !== 0) {
      if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
      if ((this.seals & F_SEAL_GROW) !== 0 && offset + count > this.size) {
        // Whole pages are written or refused.
        const allowed = this.size - (this.size % PAGE_SIZE) - offset;
        if (allowed <= 0) return -EPERM;
        return this.content.write(source, allowed, offset, this.isCached ? this.cache : null);
      }
    }
    return this.content.write(source, count, offset, this.isCached ? this.cache : null);
  }

  override readStored(pageIndex: number, into: Uint8Array): number {
    return this.content.readPage(pageIndex, into);
  }

  override writeStored(pageIndex: number, from: Uint8Array, length: number): number {
    this.touchModified();
    return this.content.writePage(pageIndex, from, length);
  }

  override seekSparse(offset: number, wantData: boolean): number {
    return this.content.seek(offset, wantData);
  }

  override truncate(size: number): number {
    if (size > MAX_FILE_SIZE) return -EFBIG;
    const shrinks = size < this.size;
    if (shrinks && (this.seals & F_SEAL_SHRINK) !== 0) return -EPERM;
    if (size > this.size && (this.seals & F_SEAL_GROW) !== 0) return -EPERM;
    this.content.truncate(size);
    if (shrinks) this.cache?.truncate(size);
    this.touchModified();
    return 0;
  }

  override allocate(mode: number, offset: number, length: number): number {
    const end = offset + length;
    if (end > MAX_FILE_SIZE) return -EFBIG;
    const keepSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) return -EOPNOTSUPP;
    if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
    if (!keepSize && end > this.size && (this.seals & F_SEAL_GROW) !== 0) return -EPERM;
    const punches = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
    if (punches && (!keepSize || (mode & FALLOC_FL_ZERO_RANGE) !== 0)) return -EOPNOTSUPP;
    if (punches || (mode & FALLOC_FL_ZERO_RANGE) !== 0) {
      this.flushMapped();
      const failed = this.content.punch(offset, end);
      if (failed < 0) return failed;
      this.cache?.punch(Math.floor(offset / 4096), Math.ceil(end / 4096));
    } else {
      const failed = this.content.reserve(offset, end);
      if (failed < 0) return failed;
    }
    if (!keepSize && end > this.size) this.content.truncate(end);
    this.touchModified();
    return 0;
  }

  override sync(): number {
    this.flushMapped();
    return 0;
  }
}

/** Targets up to this long fit into an inode of ext4. */
export const INLINE_LINK_BYTES = 59;

/** A symbolic link. */
export class MemorySymlink extends Inode {
  private readonly home: MemoryFileSystem;
  private readonly target: string;
  /** st_blocks as the host gives it. */
  lowerBlocks: number | null = null;

  constructor(fs: MemoryFileSystem, ino: number, target: string, uid: number, gid: number) {
    super(fs, ino, S_IFLNK | 0o777, uid, gid);
    this.home = fs;
    this.target = target;
  }

  override get size(): number {
    return this.target.length;
  }

  override get blocks(): number {
    return this.lowerBlocks ?? (this.target.length > INLINE_LINK_BYTES ? 8 : 0);
  }

  override lastNameGone(): void {
    forgetXattrs(this);
    this.home.unchargeInode();
    if (this.lowerBlocks === null && this.target.length > INLINE_LINK_BYTES) this.home.uncharge(1);
  }

  override readlink(): string {
    return this.target;
  }
}

/** A FIFO, device or socket node. */
export class MemoryNode extends Inode {
  private readonly home: MemoryFileSystem;
  /** A node of the host: it shows, but leads nowhere. */
  private readonly isLower: boolean;
  private pipe: Pipe | null = null;

  constructor(fs: MemoryFileSystem, ino: number, mode: number, uid: number, gid: number, isLower = false) {
    super(fs, ino, mode, uid, gid);
    this.home = fs;
    this.isLower = isLower;
  }

  override lastNameGone(): void {
    forgetXattrs(this);
    this.home.unchargeInode();
  }

  override open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number {
    const type = this.type;
    if (type === S_IFIFO) {
      // Between guests a FIFO of the host's tree works as any other; the host's own end is never opened.
      this.pipe ??= new Pipe(this.home.devices.buffers);
      return openFifo(dentry, flags, this.pipe);
    }
    if (type === S_IFCHR && !this.isLower) return this.home.devices.find(this.rdev)?.(dentry, flags, cred) ?? -ENXIO;
    return -ENXIO;
  }
}

savable('vfs/memory-nodes', { MemoryFile, MemorySymlink, MemoryNode });
