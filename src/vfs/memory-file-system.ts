// SPDX-License-Identifier: MIT
//
// The file system of the guest's root: everything that is written lives in memory, over a directory of the host that
// is only read. There is one inode per file whether its bytes are ours or the host's, so numbers, mappings and open
// files survive copy-up. Models tmpfs (mm/shmem.c) and, seen from outside, overlayfs.

import { EFBIG, ENOENT, ENOSPC, ENXIO, EOPNOTSUPP, EPERM } from '../abi/errno.ts';
import {
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
} from '../abi/open.ts';
import {
  OVERLAYFS_SUPER_MAGIC,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  TMPFS_MAGIC,
} from '../abi/stat.ts';
import type { HostDirectory, HostStat } from '../base/host.ts';
import { FilePages } from '../mm/file-pages.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import type { DeviceTable } from './device-table.ts';
import { HostContents } from './host-contents.ts';
import { FileSystem, Inode } from './inode.ts';
import type { FsClock, FsTotals } from './inode.ts';
import { MAX_FILE_SIZE } from './open-file.ts';
import type { ByteSink, ByteSource, OpenFile } from './open-file.ts';
import { openFifo, Pipe } from './pipe.ts';
import { RegularInode } from './regular-file.ts';
import { MemoryDirectory } from './memory-directory.ts';
import { SparseContent } from './sparse-content.ts';
import type { PageQuota } from './sparse-content.ts';

/** What a memory file system may hold. */
export interface MemoryLimits {
  readonly bytes: number;
  readonly inodes: number;
}

export const DEFAULT_MEMORY_LIMITS: MemoryLimits = { bytes: 512 * 1024 * 1024, inodes: 1_000_000 };

/** Kinds of host files as type bits. */
const TYPE_OF_KIND: Record<HostStat['kind'], number> = {
  file: S_IFREG,
  directory: S_IFDIR,
  symlink: S_IFLNK,
  char: S_IFCHR,
  block: S_IFBLK,
  fifo: S_IFIFO,
  socket: S_IFSOCK,
};

/** A tree in memory, perhaps over a host directory. */
export class MemoryFileSystem extends FileSystem implements PageQuota {
  readonly root: MemoryDirectory;
  readonly devices: DeviceTable;
  readonly limits: MemoryLimits;
  /** The host directory below; null for a plain tree. */
  readonly lower: HostContents | null;
  #nextIno = 1;
  #inodes = 0;
  #pages = 0;
  /** Host files with several names, by identity: one inode here, too. */
  readonly #linked = new Map<string, Inode>();

  constructor(options: {
    deviceNumber: number;
    clock: FsClock;
    devices: DeviceTable;
    limits?: MemoryLimits;
    lower?: HostDirectory;
    rootMode?: number;
    uid?: number;
    gid?: number;
    typeName?: string;
  }) {
    const hasLower = options.lower !== undefined;
    super(
      options.typeName ?? (hasLower ? 'overlay' : 'tmpfs'),
      hasLower ? OVERLAYFS_SUPER_MAGIC : TMPFS_MAGIC,
      options.deviceNumber,
      options.clock,
    );
    this.devices = options.devices;
    this.limits = options.limits ?? DEFAULT_MEMORY_LIMITS;
    this.lower = options.lower === undefined ? null : new HostContents(options.lower);
    const mode = S_IFDIR | (options.rootMode ?? 0o755);
    this.root = new MemoryDirectory(this, this.newIno(), mode, options.uid ?? 0, options.gid ?? 0);
    this.root.nlink = 2;
    this.#inodes = 1;
    if (this.lower !== null) {
      const stat = this.lower.directory.stat('');
      if (typeof stat !== 'number') adopt(this.root, stat);
      this.root.setLower('');
    }
  }

  newIno(): number {
    return this.#nextIno++;
  }

  override totals(): FsTotals {
    const blocks = Math.floor(this.limits.bytes / 4096);
    return {
      blocks,
      freeBlocks: Math.max(0, blocks - this.#pages),
      files: this.limits.inodes,
      freeFiles: Math.max(0, this.limits.inodes - this.#inodes),
    };
  }

  charge(pages: number): boolean {
    if ((this.#pages + pages) * 4096 > this.limits.bytes) return false;
    this.#pages += pages;
    return true;
  }

  uncharge(pages: number): void {
    this.#pages -= pages;
  }

  /** Room for one more inode? */
  chargeInode(): boolean {
    if (this.#inodes >= this.limits.inodes) return false;
    this.#inodes++;
    return true;
  }

  unchargeInode(): void {
    this.#inodes--;
  }

  /** A new inode in `dir`; ownership as Linux inherits it. */
  make(dir: Inode, mode: number, cred: Credentials, rdev: number): Inode | number {
    if (!this.chargeInode()) return -ENOSPC;
    const inherits = (dir.mode & S_ISGID) !== 0;
    const gid = inherits ? dir.gid : cred.fsgid;
    const type = mode & S_IFMT;
    const bits = type === S_IFDIR && inherits ? mode | S_ISGID : mode;
    const ino = this.newIno();
    if (type === S_IFDIR) {
      const made = new MemoryDirectory(this, ino, bits, cred.fsuid, gid);
      made.nlink = 2;
      return made;
    }
    if (type === S_IFREG) return new MemoryFile(this, ino, bits, cred.fsuid, gid);
    const node = new MemoryNode(this, ino, bits, cred.fsuid, gid);
    node.rdev = rdev;
    return node;
  }

  makeSymlink(target: string, uid: number, gid: number): Inode | number {
    if (!this.chargeInode()) return -ENOSPC;
    return new MemorySymlink(this, this.newIno(), target, uid, gid);
  }

  /** The inode of the host file at `path`, or the host's -errno. */
  fromLower(path: string): Inode | number {
    const lower = this.lower;
    if (lower === null) return -ENOENT;
    const stat = lower.directory.stat(path);
    if (typeof stat === 'number') return stat;
    const isLinked = stat.kind !== 'directory' && stat.nlink > 1;
    const key = isLinked ? `${stat.dev}:${stat.ino}` : '';
    const known = isLinked ? this.#linked.get(key) : undefined;
    if (known !== undefined) return known;
    const mode = TYPE_OF_KIND[stat.kind] | (stat.mode & 0o7777);
    let inode: Inode;
    if (stat.kind === 'directory') {
      const dir = new MemoryDirectory(this, this.newIno(), mode, stat.uid, stat.gid);
      dir.setLower(path);
      inode = dir;
    } else if (stat.kind === 'file') {
      const file = new MemoryFile(this, this.newIno(), mode, stat.uid, stat.gid);
      file.setLower(lower, path, stat);
      inode = file;
    } else if (stat.kind === 'symlink') {
      const target = lower.directory.readlink(path);
      if (typeof target === 'number') return target;
      inode = new MemorySymlink(this, this.newIno(), target, stat.uid, stat.gid);
    } else {
      inode = new MemoryNode(this, this.newIno(), mode, stat.uid, stat.gid, true);
      inode.rdev = Number(stat.rdev);
    }
    adopt(inode, stat);
    this.#inodes++;
    if (isLinked) this.#linked.set(key, inode);
    return inode;
  }
}

/** Takes over what the host says of a file. */
function adopt(inode: Inode, stat: HostStat): void {
  inode.mode = TYPE_OF_KIND[stat.kind] | (stat.mode & 0o7777);
  inode.uid = stat.uid;
  inode.gid = stat.gid;
  inode.nlink = stat.nlink;
  inode.atimeNs = stat.atimeNs;
  inode.mtimeNs = stat.mtimeNs;
  inode.ctimeNs = stat.ctimeNs;
  inode.btimeNs = stat.ctimeNs < stat.mtimeNs ? stat.ctimeNs : stat.mtimeNs;
  if (inode instanceof MemoryDirectory) inode.lowerShape = { size: stat.size, blocks: stat.blocks };
}

/** A regular file in memory or, until it is written, on the host. */
export class MemoryFile extends RegularInode {
  readonly #fs: MemoryFileSystem;
  readonly #content: SparseContent;
  #pages: FilePages | null = null;
  #lowerBlocks = -1;
  #openCount = 0;
  #isFreed = false;
  /** F_SEAL_ bits of a memfd. */
  seals = 0;

  constructor(fs: MemoryFileSystem, ino: number, mode: number, uid: number, gid: number) {
    super(fs, ino, mode, uid, gid);
    this.#fs = fs;
    this.#content = new SparseContent(fs);
  }

  /** The bytes are those of a host file until somebody writes. */
  setLower(lower: HostContents, path: string, stat: HostStat): void {
    this.#content.setLower(lower.content(path, stat), stat.size);
    this.#lowerBlocks = stat.blocks;
  }

  override get size(): number {
    return this.#content.size;
  }

  override get blocks(): number {
    if (this.#lowerBlocks >= 0 && !this.#content.isModified) return this.#lowerBlocks;
    return this.#content.pageCount * 8;
  }

  override get pages(): FilePages {
    if (this.#pages === null) {
      const pages = new FilePages();
      pages.onLastUnmap = (): void => {
        this.flushMapped();
        this.freeIfUnused();
      };
      this.#pages = pages;
    }
    return this.#pages;
  }

  override get isCached(): boolean {
    return this.#pages !== null && this.#pages.cachedPages > 0;
  }

  override open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number {
    this.#openCount++;
    return super.open(dentry, flags, cred);
  }

  override closed(): void {
    this.#openCount--;
    this.freeIfUnused();
  }

  override lastNameGone(): void {
    this.freeIfUnused();
  }

  /** Gives the contents back once no name, description or mapping leads to them. */
  freeIfUnused(): void {
    if (this.nlink > 0 || this.#openCount > 0 || this.#isFreed) return;
    if (this.#pages !== null && this.#pages.mappingCount > 0) return;
    this.#isFreed = true;
    this.#pages?.dispose();
    this.#content.dispose();
    this.#fs.unchargeInode();
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    return this.#content.read(sink, count, offset, this.isCached ? this.#pages : null);
  }

  override writeAt(source: ByteSource, count: number, offset: number): number {
    if (this.seals !== 0) {
      if ((this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return -EPERM;
      if ((this.seals & F_SEAL_GROW) !== 0 && offset + count > this.size) {
        if (offset >= this.size) return -EPERM;
        return this.#content.write(source, this.size - offset, offset, this.isCached ? this.#pages : null);
      }
    }
    return this.#content.write(source, count, offset, this.isCached ? this.#pages : null);
  }

  override readStored(pageIndex: number, into: Uint8Array): number {
    return this.#content.readPage(pageIndex, into);
  }

  override writeStored(pageIndex: number, from: Uint8Array, length: number): number {
    this.touchModified();
    return this.#content.writePage(pageIndex, from, length);
  }

  override seekSparse(offset: number, wantData: boolean): number {
    return this.#content.seek(offset, wantData);
  }

  override truncate(size: number): number {
    if (size > MAX_FILE_SIZE) return -EFBIG;
    const shrinks = size < this.size;
    if (shrinks && (this.seals & F_SEAL_SHRINK) !== 0) return -EPERM;
    if (size > this.size && (this.seals & F_SEAL_GROW) !== 0) return -EPERM;
    this.#content.truncate(size);
    if (shrinks) this.#pages?.truncate(size);
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
      const failed = this.#content.punch(offset, end);
      if (failed < 0) return failed;
      this.#pages?.punch(Math.floor(offset / 4096), Math.ceil(end / 4096));
    } else {
      const failed = this.#content.reserve(offset, end);
      if (failed < 0) return failed;
    }
    if (!keepSize && end > this.size) this.#content.truncate(end);
    this.touchModified();
    return 0;
  }

  override sync(): number {
    this.flushMapped();
    return 0;
  }
}

/** A symbolic link. */
export class MemorySymlink extends Inode {
  readonly #fs: MemoryFileSystem;
  readonly #target: string;

  constructor(fs: MemoryFileSystem, ino: number, target: string, uid: number, gid: number) {
    super(fs, ino, S_IFLNK | 0o777, uid, gid);
    this.#fs = fs;
    this.#target = target;
  }

  override get size(): number {
    return this.#target.length;
  }

  override lastNameGone(): void {
    this.#fs.unchargeInode();
  }

  override readlink(): string {
    return this.#target;
  }
}

/** A FIFO, device or socket node. */
export class MemoryNode extends Inode {
  readonly #fs: MemoryFileSystem;
  /** A node of the host: it shows, but leads nowhere. */
  readonly #isLower: boolean;
  #pipe: Pipe | null = null;

  constructor(fs: MemoryFileSystem, ino: number, mode: number, uid: number, gid: number, isLower = false) {
    super(fs, ino, mode, uid, gid);
    this.#fs = fs;
    this.#isLower = isLower;
  }

  override lastNameGone(): void {
    this.#fs.unchargeInode();
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    const type = this.type;
    if (type === S_IFIFO) {
      // Between guests a FIFO of the host's tree works as any other; the host's own end is never opened.
      this.#pipe ??= new Pipe();
      return openFifo(dentry, flags, this.#pipe);
    }
    if (type === S_IFCHR && !this.#isLower) return this.#fs.devices.find(this.rdev)?.(dentry, flags) ?? -ENXIO;
    return -ENXIO;
  }
}
