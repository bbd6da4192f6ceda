// SPDX-License-Identifier: MIT
//
// What every file is, whatever file system it lives in: attributes and the operations on it with the errors that
// Linux gives where a kind of file has no such operation. Models fs/inode.c and the tables of vfs.rst.

import { EACCES, EINVAL, ENODEV, ENOTDIR, ENXIO, EOPNOTSUPP, EPERM } from '../abi/errno.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID } from '../abi/stat.ts';
import type { MappableFile } from '../mm/file-pages.ts';
import { CAP_FSETID, hasCapability } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry, Entry } from './dentry.ts';
import type { FileLocks } from './file-locks.ts';
import type { InodeWatcher } from './notify.ts';
import type { OpenFile } from './open-file.ts';
import type { XattrQuota } from './xattrs.ts';

/** Time stamps of files, nanoseconds since 1970. */
export interface FsClock {
  nowNs(): bigint;
}

/** Totals of a file system, for statfs(2). */
export interface FsTotals {
  blocks: number;
  freeBlocks: number;
  files: number;
  freeFiles: number;
}

/** One mounted tree of inodes. */
export abstract class FileSystem {
  /** As /proc/mounts names it. */
  readonly typeName: string;
  /** f_type of statfs(2). */
  readonly magic: number;
  /** st_dev of its files. */
  readonly deviceNumber: number;
  readonly clock: FsClock;
  /** Names can appear and vanish without our doing: a cached name must be looked up again. */
  readonly revalidates: boolean = false;
  /** Nobody can make names here, and whoever tries learns only that they are missing: procfs. */
  readonly namesAreFixed: boolean = false;
  readonly blockSize: number = 4096;
  /** Watches on its inodes: while there are none, nobody is told of anything. */
  watches = 0;
  /** Those watches, for the end of the file system. */
  watchers: Set<InodeWatcher> | null = null;
  /** Names that were moved: what ties the two halves of a move together. */
  moves = 0;
  /** Nothing here may change, in whatever mount: set by a remount. */
  isReadOnly = false;
  /** Nothing here is a program, however it is mounted (SB_I_NOEXEC). */
  readonly isNoExec: boolean = false;
  /** The name of the root, which all mounts share; made with the first. */
  rootEntry: Entry | null = null;
  /** RENAME_WHITEOUT is known here. */
  readonly makesWhiteouts: boolean = false;
  /** Counts extended attributes; null where there are none. */
  readonly xattrQuota: XattrQuota | null = null;
  /** Its mounts in the tree. */
  mountCount = 0;

  constructor(typeName: string, magic: number, deviceNumber: number, clock: FsClock) {
    this.typeName = typeName;
    this.magic = magic;
    this.deviceNumber = deviceNumber;
    this.clock = clock;
  }

  abstract readonly root: Inode;

  totals(): FsTotals {
    return { blocks: 0, freeBlocks: 0, files: 0, freeFiles: 0 };
  }

  /** What /proc/mounts shows after the flags: `,size=4k`. */
  get optionsText(): string {
    return '';
  }

  /** Takes over the options of a remount, or refuses them. */
  reconfigure(_data: string): number {
    return 0;
  }

  /** Nothing leads to it any more: what it counts against others' limits is given back. */
  dispose(): void {}
}

/** Takes one directory entry; false when it has no room for it. `cookie` is where to go on after it. */
export type EntryVisitor = (name: string, ino: number, mode: number, cookie: number) => boolean;

/** A file of any kind. Results below zero are -errno. */
export abstract class Inode {
  readonly fs: FileSystem;
  /** Never changes; procfs gives a node that it makes again its old number. */
  ino: number;
  /** Type and permission bits. */
  mode: number;
  uid: number;
  gid: number;
  nlink = 1;
  rdev = 0;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  btimeNs: bigint;
  /** Extended attributes, made with the first; changed through xattrs.ts only. */
  xattrs: Map<string, Uint8Array> | null = null;
  /** Advisory locks, made when the first one is taken. */
  locks: FileLocks | null = null;
  /** Without a name, but linkat may give it one: a file of O_TMPFILE without O_EXCL. */
  isLinkable = false;
  /** Told of what happens to it. */
  watchers: Set<InodeWatcher> | null = null;
  /** Open descriptions. */
  opens = 0;
  /** Open descriptions that may write: execve of the file then says ETXTBSY. */
  writers = 0;
  /** Programs that run from this file: opening it for writing then says ETXTBSY. The kernel's execve counts. */
  deniesWrite = 0;

  constructor(fs: FileSystem, ino: number, mode: number, uid: number, gid: number) {
    this.fs = fs;
    this.ino = ino;
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    const now = fs.clock.nowNs();
    this.atimeNs = now;
    this.mtimeNs = now;
    this.ctimeNs = now;
    this.btimeNs = now;
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  get isSymlink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }

  get isRegular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  /** Brings the attributes up to date where something else owns them; called before each stat. */
  refresh(): number {
    return 0;
  }

  /** st_size. */
  get size(): number {
    return 0;
  }

  /** st_blocks, in units of 512 bytes. */
  get blocks(): number {
    return 0;
  }

  /** st_blksize. */
  get blockSize(): number {
    return this.fs.blockSize;
  }

  /** A rule beside the mode, for whoever asks now (i_op->permission): 0 or -errno, or null where the mode decides. */
  decides(_wanted: number): number | null {
    return null;
  }

  // Directories. The caller has checked permissions, existence and that the parent is a directory.

  lookup(_name: string): Inode | number {
    return -ENOTDIR;
  }

  /** A new regular file, directory, FIFO, device or socket node, by the type in `mode`. */
  create(_name: string, mode: number, _cred: Credentials, _rdev: number): Inode | number {
    return (mode & S_IFMT) === S_IFREG ? -EACCES : -EPERM;
  }

  symlink(_name: string, _target: string, _cred: Credentials): Inode | number {
    return -EPERM;
  }

  /** Enters `inode`, of the same file system, under another name. */
  link(_name: string, _inode: Inode): number {
    return -EPERM;
  }

  unlink(_name: string, _child: Inode): number {
    return -EPERM;
  }

  rmdir(_name: string, _child: Inode): number {
    return -EPERM;
  }

  /** Moves `child` to `toName` in `toDir`, replacing `replaced`; with `exchange` the two change places. */
  rename(
    _name: string,
    _child: Inode,
    _toDir: Inode,
    _toName: string,
    _replaced: Inode | null,
    _exchange: boolean,
  ): number {
    return -EPERM;
  }

  /** An unnamed regular file of this directory's file system (O_TMPFILE). */
  createUnnamed(_mode: number, _cred: Credentials): Inode | number {
    return -EOPNOTSUPP;
  }

  /** Visits the entries after `cookie` (0: from the start), without `.` and `..`; 0 or -errno. */
  entries(_cookie: number, _visit: EntryVisitor): number {
    return -ENOTDIR;
  }

  /** 0 when a directory has no entries. */
  isEmpty(): boolean {
    return true;
  }

  /** `nlink` has become 0: contents may go once nobody has the file open. */
  lastNameGone(): void {}

  // Symbolic links.

  readlink(): string | number {
    return -EINVAL;
  }

  /** Where a link of /proc leads without its text being resolved; undefined for ordinary links. */
  follow(_cred: Credentials): Dentry | number | undefined {
    return undefined;
  }

  // Contents.

  /** Makes an open file description. Permissions are checked; `flags` are those of open(2). */
  open(_dentry: Dentry, _flags: number, _cred: Credentials): OpenFile | number {
    return -ENXIO;
  }

  /** An open description of it is gone. */
  closed(): void {}

  truncate(_size: number): number {
    return -EINVAL;
  }

  /** fallocate(2); `mode` are FALLOC_FL_ bits. */
  allocate(_mode: number, _offset: number, _length: number): number {
    return -ENODEV;
  }

  /** What mmap maps, or -ENODEV. */
  mappable(_path: string): MappableFile | number {
    return -ENODEV;
  }

  // Attributes. The caller has checked that they may be changed.

  setMode(mode: number): number {
    this.mode = (this.mode & S_IFMT) | (mode & 0o7777);
    this.ctimeNs = this.fs.clock.nowNs();
    return 0;
  }

  setOwner(uid: number, gid: number): number {
    this.uid = uid;
    this.gid = gid;
    this.ctimeNs = this.fs.clock.nowNs();
    return 0;
  }

  setTimes(atimeNs: bigint | null, mtimeNs: bigint | null): number {
    if (atimeNs !== null) this.atimeNs = atimeNs;
    if (mtimeNs !== null) this.mtimeNs = mtimeNs;
    this.ctimeNs = this.fs.clock.nowNs();
    return 0;
  }

  /** Access time. Unless it is `isStrict` it only moves when it is older than the change it would hide, or a day old. */
  touchAccessed(isStrict = false): void {
    const now = this.fs.clock.nowNs();
    const hides = this.atimeNs <= this.mtimeNs || this.atimeNs <= this.ctimeNs;
    if (isStrict || hides || now - this.atimeNs >= 86_400_000_000_000n) this.atimeNs = now;
  }

  /** A change of contents by somebody without CAP_FSETID takes the set-id bits away. */
  dropSetId(cred: Credentials): void {
    if ((this.mode & (S_ISUID | S_ISGID)) === 0 || !this.isRegular || hasCapability(cred, CAP_FSETID)) return;
    this.mode &= ~S_ISUID;
    if ((this.mode & 0o010) !== 0) this.mode &= ~S_ISGID;
  }

  touchModified(): void {
    const now = this.fs.clock.nowNs();
    this.mtimeNs = now;
    this.ctimeNs = now;
  }
}
