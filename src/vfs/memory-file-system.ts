// SPDX-License-Identifier: MIT
//
// The file system of the guest's root: everything that is written lives in memory, over a directory of the host that
// is only read. There is one inode per file whether its bytes are ours or the host's, so numbers, mappings and open
// files survive copy-up. Models tmpfs (mm/shmem.c) and, seen from outside, overlayfs.

import { EINVAL, ENOENT, ENOMEM, ENOSPC } from '../abi/errno.ts';
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
import { savable } from '../base/savable.ts';
import { CAP_FSETID, hasCapability, isInGroup } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { DeviceTable } from './device-table.ts';
import { HostContents } from './host-contents.ts';
import { FileSystem } from './inode.ts';
import type { FsClock, FsTotals, Inode } from './inode.ts';
import { MemoryDirectory } from './memory-directory.ts';
import { INLINE_LINK_BYTES, MemoryFile, MemoryNode, MemorySymlink } from './memory-nodes.ts';
import type { PageQuota } from './sparse-content.ts';
import { parseTmpfsOptions } from './tmpfs-options.ts';
import { adoptXattrs } from './xattrs.ts';

/** What a memory file system may hold. */
export interface MemoryLimits {
  readonly bytes: number;
  readonly inodes: number;
  /** Files of the host below that guests may look at: some 1.3 KB of memory each. */
  readonly hostFiles?: number;
}

/** Memory of the host for each byte of the limit: files with many holes reach this first. */
const HELD_PER_BYTE = 1.25;

const DEFAULT_HOST_FILES = 500_000;

export const DEFAULT_MEMORY_LIMITS: MemoryLimits = { bytes: 512 * 1024 * 1024, inodes: 250_000 };

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
  override readonly xattrQuota = this;
  override readonly makesWhiteouts = true;
  readonly devices: DeviceTable;
  limits: MemoryLimits;
  /** Whose limits count as well: a tmpfs that a guest mounts takes from what the tree may hold. */
  private readonly within: MemoryFileSystem | null;
  /** Size and inodes were chosen, and are shown. */
  private readonly showsLimits: boolean;
  /** The host directory below; null for a plain tree. */
  readonly lower: HostContents | null;
  private nextIno = 1;
  private inodes = 0;
  private pages = 0;
  /** Bytes of the host that files hold. */
  private held = 0;
  /** Host files that guests have looked at: what is known of them stays. */
  private seen = 0;
  /** Host files with several names, by identity: one inode here, too. */
  private readonly linked = new Map<string, Inode>();

  constructor(options: {
    deviceNumber: number;
    clock: FsClock;
    devices: DeviceTable;
    limits?: MemoryLimits;
    within?: MemoryFileSystem;
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
    this.within = options.within ?? null;
    this.showsLimits = options.within !== undefined;
    this.lower = options.lower === undefined ? null : new HostContents(options.lower);
    const mode = S_IFDIR | (options.rootMode ?? 0o755);
    this.root = new MemoryDirectory(this, this.newIno(), mode, options.uid ?? 0, options.gid ?? 0);
    this.root.nlink = 2;
    this.inodes = 1;
    if (this.lower !== null) {
      const stat = this.lower.directory.stat('');
      if (typeof stat !== 'number') adopt(this.root, stat);
      this.root.setLower('');
    }
  }

  newIno(): number {
    return this.nextIno++;
  }

  override totals(): FsTotals {
    const blocks = Math.floor(this.limits.bytes / 4096);
    return {
      blocks,
      freeBlocks: Math.max(0, blocks - this.pages),
      files: this.limits.inodes,
      freeFiles: Math.max(0, this.limits.inodes - this.inodes),
    };
  }

  charge(pages: number): boolean {
    if ((this.pages + pages) * 4096 > this.limits.bytes) return false;
    if (this.within !== null && !this.within.charge(pages)) return false;
    this.pages += pages;
    return true;
  }

  get freePages(): number {
    const own = Math.floor(this.limits.bytes / 4096) - this.pages;
    return this.within === null ? own : Math.min(own, this.within.freePages);
  }

  uncharge(pages: number): void {
    this.pages -= pages;
    this.within?.uncharge(pages);
  }

  hold(bytes: number): boolean {
    // The whole is what must fit into the host's memory.
    if (this.within !== null) {
      if (!this.within.hold(bytes)) return false;
    } else if (this.held + bytes > this.limits.bytes * HELD_PER_BYTE) return false;
    this.held += bytes;
    return true;
  }

  drop(bytes: number): void {
    this.held -= bytes;
    this.within?.drop(bytes);
  }

  /** Room for one more inode? */
  chargeInode(): boolean {
    if (this.inodes >= this.limits.inodes) return false;
    if (this.within !== null && !this.within.chargeInode()) return false;
    this.inodes++;
    return true;
  }

  unchargeInode(): void {
    this.inodes--;
    this.within?.unchargeInode();
  }

  override get optionsText(): string {
    if (!this.showsLimits) return '';
    const mode = this.root.mode & 0o7777;
    return (
      `,size=${Math.ceil(this.limits.bytes / 1024)}k,nr_inodes=${this.limits.inodes}` +
      (mode === 0o1777 ? '' : `,mode=${mode.toString(8)}`) +
      (this.root.uid === 0 ? '' : `,uid=${this.root.uid}`) +
      (this.root.gid === 0 ? '' : `,gid=${this.root.gid}`)
    );
  }

  override reconfigure(data: string): number {
    if (this.within === null) return 0;
    const asked = parseTmpfsOptions(data, this.within.limits.bytes);
    if (typeof asked === 'number') return asked;
    const bytes = asked.bytes ?? this.limits.bytes;
    const inodes = asked.inodes ?? this.limits.inodes;
    // What is there must fit; mode and owner stay those of the first mount.
    if (bytes < this.pages * 4096 || inodes < this.inodes) return -EINVAL;
    this.limits = { bytes, inodes };
    return 0;
  }

  override dispose(): void {
    const within = this.within;
    if (within === null) return;
    within.uncharge(this.pages);
    within.drop(this.held);
    for (; this.inodes > 0; this.inodes--) within.unchargeInode();
    this.pages = 0;
    this.held = 0;
  }

  /** A new inode in `dir`; ownership as Linux inherits it. */
  make(dir: Inode, mode: number, cred: Credentials, rdev: number): Inode | number {
    if (!this.chargeInode()) return -ENOSPC;
    const inherits = (dir.mode & S_ISGID) !== 0;
    const gid = inherits ? dir.gid : cred.fsgid;
    const type = mode & S_IFMT;
    let bits = type === S_IFDIR && inherits ? mode | S_ISGID : mode;
    // A program that runs as the group is not made by somebody who is not in it.
    const isGroupProgram = inherits && type !== S_IFDIR && (mode & (S_ISGID | 0o010)) === (S_ISGID | 0o010);
    if (isGroupProgram && !isInGroup(cred, gid) && !hasCapability(cred, CAP_FSETID)) bits &= ~S_ISGID;
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
    const pages = target.length > INLINE_LINK_BYTES ? 1 : 0;
    if (!this.charge(pages)) return -ENOSPC;
    if (!this.chargeInode()) {
      this.uncharge(pages);
      return -ENOSPC;
    }
    return new MemorySymlink(this, this.newIno(), target, uid, gid);
  }

  /** The inode of the host file at `path`, or the host's -errno. */
  fromLower(path: string): Inode | number {
    const lower = this.lower;
    if (lower === null) return -ENOENT;
    const stat = lower.directory.stat(path);
    return typeof stat === 'number' ? stat : this.fromLowerStat(path, stat);
  }

  /** The inode of the host file at `path`, of which `stat` was told. */
  fromLowerStat(path: string, stat: HostStat): Inode | number {
    const lower = this.lower;
    if (lower === null) return -ENOENT;
    const isLinked = stat.kind !== 'directory' && stat.nlink > 1;
    const key = isLinked ? `${stat.dev}:${stat.ino}` : '';
    const known = isLinked ? this.linked.get(key) : undefined;
    if (known !== undefined) return known;
    if (this.seen >= (this.limits.hostFiles ?? DEFAULT_HOST_FILES)) return -ENOMEM;
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
    const xattrs = lower.directory.xattrs?.(path) ?? null;
    if (xattrs !== null) adoptXattrs(inode, xattrs);
    this.inodes++;
    if (isLinked) this.linked.set(key, inode);
    this.seen++;
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
  if (inode instanceof MemorySymlink) inode.lowerBlocks = stat.blocks;
}

savable('vfs/memory-file-system', { MemoryFileSystem }, { isPlace: true });
