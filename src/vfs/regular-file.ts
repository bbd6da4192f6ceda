// SPDX-License-Identifier: MIT
//
// Regular files: what their inodes offer beside attributes, and the open file description over one.
// Models mm/filemap.c and fs/read_write.c (generic_write_checks).

import { savable } from '../base/savable.ts';
import { EFAULT, EFBIG, EINVAL, ENOTTY, ENXIO } from '../abi/errno.ts';
import { O_APPEND, O_NOATIME, SEEK_DATA, SEEK_HOLE } from '../abi/open.ts';
import { FIONREAD, FIOQSIZE } from '../abi/ioctl.ts';
import { IN_ACCESS, IN_MODIFY } from '../abi/poll.ts';
import { putU64 } from '../abi/words.ts';
import type { FilePages, MappableFile } from '../mm/file-pages.ts';
import type { Credentials } from './credentials.ts';
import { displayPath } from './dentry.ts';
import type { Dentry, Mount } from './dentry.ts';
import { Inode } from './inode.ts';
import { notifyFile } from './notify.ts';
import { MAX_FILE_SIZE, OpenFile } from './open-file.ts';
import type { ByteSink, ByteSource, UserMemory } from './open-file.ts';

/** Bytes that pass through one buffer at a time. */
export const TRANSFER_BYTES = 65536;

let scratch: Uint8Array | null = null;

/** A buffer of TRANSFER_BYTES for one transfer; what it holds is lost when anything else transfers. */
export function scratchBuffer(): Uint8Array {
  scratch ??= new Uint8Array(TRANSFER_BYTES);
  return scratch;
}

/** An inode with bytes. */
export abstract class RegularInode extends Inode {
  private mapped: MappedInode | null = null;

  /** The frames of the file that are mapped; made with the first mapping. */
  abstract readonly pages: FilePages;

  /** True once `pages` exists and may hold frames that reads and writes must respect. */
  abstract get isCached(): boolean;

  /** Copies up to `count` bytes from `offset` to `sink`; bytes, -EFAULT when not one could be stored. */
  abstract readAt(sink: ByteSink, count: number, offset: number): number;
  abstract writeAt(source: ByteSource, count: number, offset: number): number;
  /** Fills a page from the storage, ignoring `pages`. */
  abstract readStored(pageIndex: number, into: Uint8Array): number;
  /** Puts a page that was written through a mapping into the storage. */
  abstract writeStored(pageIndex: number, from: Uint8Array, length: number): number;
  abstract seekSparse(offset: number, wantData: boolean): number;
  abstract sync(): number;

  override open(dentry: Dentry, flags: number, _cred: Credentials): OpenFile | number {
    return new RegularFile(dentry, this, flags);
  }

  /** One object for all mappings of the inode, so that areas of it can merge. */
  mappedBy(dentry: Dentry): MappableFile {
    this.mapped ??= new MappedInode(this, dentry);
    return this.mapped;
  }

  /** Brings what mappings have written into the storage. */
  protected flushMapped(): void {
    if (this.mapped !== null) this.pages.writeBack(this.mapped);
  }
}

/** The inode as mm maps it. */
class MappedInode implements MappableFile {
  readonly deviceNumber: number;
  readonly inodeNumber: number;
  readonly pages: FilePages;
  private readonly node: RegularInode;
  private readonly dentry: Dentry;

  constructor(inode: RegularInode, dentry: Dentry) {
    this.node = inode;
    this.dentry = dentry;
    this.deviceNumber = inode.fs.deviceNumber;
    this.inodeNumber = inode.ino;
    this.pages = inode.pages;
  }

  get mount(): Mount {
    return this.dentry.mount;
  }

  get name(): string {
    return displayPath(this.dentry, null);
  }

  readPage(pageIndex: number, into: Uint8Array): number {
    return this.node.readStored(pageIndex, into);
  }

  writePage(pageIndex: number, from: Uint8Array, length: number): number {
    return this.node.writeStored(pageIndex, from, length);
  }

  sizeInBytes(): number {
    return this.node.size;
  }
}

/** `file` is mapped through `mount`. */
export function isMappedFrom(file: MappableFile, mount: Mount): boolean {
  return file instanceof MappedInode && file.mount === mount;
}

/** An open regular file. */
export class RegularFile extends OpenFile {
  override readonly isSeekable = true;
  private readonly node: RegularInode;

  constructor(dentry: Dentry, inode: RegularInode, flags: number) {
    super(dentry, flags);
    this.node = inode;
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    const n = this.node.readAt(sink, count, offset);
    if (n > 0) notifyFile(this, IN_ACCESS);
    if ((this.flags & O_NOATIME) === 0 && n >= 0) this.dentry.mount.accessed(this.node);
    return n;
  }

  override writeAt(source: ByteSource, count: number, offset: number): number {
    const at = (this.flags & O_APPEND) !== 0 ? this.node.size : offset;
    if (count === 0) return 0;
    const room = MAX_FILE_SIZE - at;
    if (room <= 0) return -EFBIG;
    const n = this.node.writeAt(source, Math.min(count, room), at);
    if (n > 0) {
      this.node.touchModified();
      notifyFile(this, IN_MODIFY);
    }
    return n;
  }

  protected override seekSparse(offset: number, whence: number): number {
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) return -EINVAL;
    if (offset < 0 || offset >= this.node.size) return -ENXIO;
    const found = this.node.seekSparse(offset, whence === SEEK_DATA);
    if (found >= 0) this.offset = found;
    return found;
  }

  override ioctl(request: number, argument: number, memory: UserMemory): number {
    if (request === FIONREAD) {
      const left = Math.min(Math.max(0, this.node.size - this.offset), 0x7fffffff);
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, left, true);
      return memory.copyOut(argument, bytes) === 4 ? 0 : -EFAULT;
    }
    if (request === FIOQSIZE) {
      const bytes = new Uint8Array(8);
      putU64(new DataView(bytes.buffer), 0, this.node.size);
      return memory.copyOut(argument, bytes) === 8 ? 0 : -EFAULT;
    }
    return -ENOTTY;
  }

  override mappable(_path: string): MappableFile {
    return this.node.mappedBy(this.dentry);
  }

  override sync(): number {
    return this.node.sync();
  }

  protected override destroy(): void {
    this.node.closed();
  }
}

savable('vfs/regular-file', { MappedInode, RegularFile });
