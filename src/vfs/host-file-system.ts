// SPDX-License-Identifier: MIT
//
// A host directory or file bound into the tree (`--bind HOST:GUEST[:rw]`): every look goes to the host, so changes
// on either side show at once. The host directory keeps paths inside itself. Models gVisor's gofer client.

import { EFAULT, EFBIG, EINVAL, EIO, ENOENT, ENXIO, EOPNOTSUPP, EPERM, EROFS, ESTALE } from '../abi/errno.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../abi/stat.ts';
import { TraplineError } from '../base/errors.ts';
import type { HostDirectory, HostFile, HostStat } from '../base/host.ts';
import { savable } from '../base/savable.ts';
import { FilePages } from '../mm/file-pages.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import { openDirectory } from './directory-file.ts';
import { checkHostPath, checkUnchanged, readFully } from './host-contents.ts';
import { FileSystem, Inode } from './inode.ts';
import type { EntryVisitor, FsClock } from './inode.ts';
import type { ByteSink, ByteSource, OpenFile } from './open-file.ts';
import { RegularInode, scratchBuffer } from './regular-file.ts';

const TYPE_OF_KIND: Record<HostStat['kind'], number> = {
  file: S_IFREG,
  directory: S_IFDIR,
  symlink: S_IFLNK,
  char: S_IFCHR,
  block: S_IFBLK,
  fifo: S_IFIFO,
  socket: S_IFSOCK,
};

/** Magic of 9p, which gVisor's bound directories show. */
const V9FS_MAGIC = 0x01021997;

/** Offset that keeps cookies of listings apart from `.` and `..`. */
const FIRST_COOKIE = 3;

/** A user and a group. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** A bound host directory, or one entry of it. */
export class HostFileSystem extends FileSystem {
  override readonly revalidates = true;
  override readonly root: Inode;
  readonly directory: HostDirectory;
  /** Inodes that somebody may still hold, by identity: device, number and type. */
  private readonly known = new Map<string, WeakRef<HostNode>>();
  private readonly numbers = new Map<string, number>();
  private nextIno = 1;
  private readonly guest: Identity | null;

  /**
   * @param entry the one entry that is bound; '' for the directory itself
   * @param guest who the guest's user is: what the tool's own user has on the host is then theirs, as it must be where
   *   guests make files; null shows owners as they are
   * @throws nothing: -errno when the entry cannot be looked at
   */
  static open(
    directory: HostDirectory,
    entry: string,
    deviceNumber: number,
    clock: FsClock,
    guest: Identity | null,
  ): HostFileSystem | number {
    const stat = directory.stat(entry);
    return typeof stat === 'number' ? stat : new HostFileSystem(directory, entry, stat, deviceNumber, clock, guest);
  }

  private constructor(
    directory: HostDirectory,
    entry: string,
    stat: HostStat,
    deviceNumber: number,
    clock: FsClock,
    guest: Identity | null,
  ) {
    super('9p', V9FS_MAGIC, deviceNumber, clock);
    this.directory = directory;
    this.guest = guest;
    this.root = this.inodeFor(entry, stat);
  }

  /** The host's attributes with owners as guests see them. */
  seen(stat: HostStat): HostStat {
    const guest = this.guest;
    const { maker } = this.directory;
    if (guest === null || maker === undefined) return stat;
    const uid = stat.uid === maker.uid ? guest.uid : stat.uid;
    const gid = stat.gid === maker.gid ? guest.gid : stat.gid;
    return { ...stat, uid, gid };
  }

  /**
   * The machine is about to be saved: of files that are open it is known what they are now.
   * @throws TraplineError `CHECKPOINT_STATE` when one of them has no name any more, by which it could be found again
   */
  rest(): void {
    for (const known of this.known.values()) {
      const node = known.deref();
      if (node instanceof HostFileNode) node.rest();
    }
  }

  /** A node of a restored machine is known again; `isUsed` ones must be what they were. */
  remember(node: HostNode, isUsed: boolean): void {
    checkHostPath(node.path);
    this.known.set(keyOf(node.hostStat), new WeakRef(node));
    if (isUsed) checkUnchanged(this.directory, node.path, node.hostStat);
  }

  /** The last name of a file is gone: the host may give its number to another. */
  forget(stat: HostStat): void {
    const key = keyOf(stat);
    this.known.delete(key);
    this.numbers.delete(key);
  }

  /** The inode of the host file that `unmapped` describes, found at `path`. */
  inodeFor(path: string, unmapped: HostStat): HostNode {
    const stat = this.seen(unmapped);
    const key = keyOf(stat);
    const known = this.known.get(key)?.deref();
    if (known !== undefined) {
      known.path = path;
      known.adopt(stat);
      return known;
    }
    // Numbers stay with an identity even when its inode was forgotten meanwhile.
    let ino = this.numbers.get(key);
    if (ino === undefined) {
      ino = this.nextIno++;
      this.numbers.set(key, ino);
    }
    const mode = TYPE_OF_KIND[stat.kind] | (stat.mode & 0o7777);
    const inode =
      stat.kind === 'directory'
        ? new HostDirectoryNode(this, ino, mode, path, stat)
        : stat.kind === 'file'
          ? new HostFileNode(this, ino, mode, path, stat)
          : new HostOtherNode(this, ino, mode, path, stat);
    this.known.set(key, new WeakRef(inode));
    return inode;
  }
}

/** Who a host file is as long as it exists. */
function keyOf(stat: HostStat): string {
  return `${stat.dev}:${stat.ino}:${stat.kind}`;
}

/** What all inodes of a bound directory share. */
interface HostNode extends Inode {
  path: string;
  /** The host's attributes when they were last looked at. */
  readonly hostStat: HostStat;
  adopt(stat: HostStat): void;
}

/** The host's view of one file, and changes of attributes that go to it. */
class HostState {
  stat: HostStat;
  constructor(stat: HostStat) {
    this.stat = stat;
  }
}

function takeOver(inode: Inode, stat: HostStat): void {
  inode.mode = TYPE_OF_KIND[stat.kind] | (stat.mode & 0o7777);
  inode.uid = stat.uid;
  inode.gid = stat.gid;
  inode.nlink = stat.nlink;
  inode.rdev = stat.kind === 'char' || stat.kind === 'block' ? Number(stat.rdev) : 0;
  inode.atimeNs = stat.atimeNs;
  inode.mtimeNs = stat.mtimeNs;
  inode.ctimeNs = stat.ctimeNs;
  inode.btimeNs = stat.ctimeNs;
}

/** Looks again at the file at `path`; -ESTALE when something else is there now. */
function lookAgain(fs: HostFileSystem, node: HostNode, state: HostState): number {
  const now = fs.directory.stat(node.path);
  if (typeof now === 'number') return now;
  if (now.ino !== state.stat.ino || now.dev !== state.stat.dev || now.kind !== state.stat.kind) return -ESTALE;
  node.adopt(fs.seen(now));
  return 0;
}

/** Mode bits that guests may give to the host's files: a program with set-id bits would act with the tool's rights. */
const FILE_MODE = 0o1777;
const DIRECTORY_MODE = 0o7777;

function changeMode(fs: HostFileSystem, node: HostNode, mode: number): number {
  if (!fs.directory.writable) return -EROFS;
  const bits = mode & ((node.mode & S_IFMT) === S_IFDIR ? DIRECTORY_MODE : FILE_MODE);
  const failed = fs.directory.chmod(node.path, bits);
  if (failed < 0) return failed;
  node.mode = (node.mode & S_IFMT) | bits;
  return 0;
}

function changeTimes(fs: HostFileSystem, node: HostNode, atimeNs: bigint | null, mtimeNs: bigint | null): number {
  if (!fs.directory.writable) return -EROFS;
  const failed = fs.directory.utimes(node.path, atimeNs ?? node.atimeNs, mtimeNs ?? node.mtimeNs);
  if (failed < 0) return failed;
  if (atimeNs !== null) node.atimeNs = atimeNs;
  if (mtimeNs !== null) node.mtimeNs = mtimeNs;
  return 0;
}

/** Files keep the host user's ownership: only a change to what it is already succeeds. */
function changeOwner(node: HostNode, uid: number, gid: number): number {
  return uid === node.uid && gid === node.gid ? 0 : -EPERM;
}

class HostDirectoryNode extends Inode implements HostNode {
  path: string;
  private readonly home: HostFileSystem;
  private readonly state: HostState;
  /** The listing that positions refer to, taken when reading starts. */
  private names: readonly string[] = [];

  constructor(fs: HostFileSystem, ino: number, mode: number, path: string, stat: HostStat) {
    super(fs, ino, mode, stat.uid, stat.gid);
    this.home = fs;
    this.path = path;
    this.state = new HostState(stat);
    takeOver(this, stat);
  }

  /** Revived. */
  revive(): void {
    if (this.nlink > 0) this.home.remember(this, false);
  }

  get hostStat(): HostStat {
    return this.state.stat;
  }

  adopt(stat: HostStat): void {
    this.state.stat = stat;
    takeOver(this, stat);
  }

  override refresh(): number {
    // Whoever holds a removed directory may still look at it.
    return this.nlink === 0 ? 0 : lookAgain(this.home, this, this.state);
  }

  override get size(): number {
    return this.state.stat.size;
  }

  override get blocks(): number {
    return this.state.stat.blocks;
  }

  private at(name: string): string {
    return this.path === '' ? name : `${this.path}/${name}`;
  }

  private find(name: string): Inode | number {
    const path = this.at(name);
    const stat = this.home.directory.stat(path);
    return typeof stat === 'number' ? stat : this.home.inodeFor(path, stat);
  }

  override lookup(name: string): Inode | number {
    return this.find(name);
  }

  override entries(cookie: number, visit: EntryVisitor): number {
    if (cookie < FIRST_COOKIE) {
      const names = this.home.directory.list(this.path);
      if (typeof names === 'number') return names;
      this.names = names;
    }
    for (let i = Math.max(0, cookie - FIRST_COOKIE + 1); i < this.names.length; i++) {
      const name = this.names[i] as string;
      const inode = this.find(name);
      if (typeof inode === 'number') continue;
      if (!visit(name, inode.ino, inode.mode, FIRST_COOKIE + i)) return 0;
    }
    return 0;
  }

  override isEmpty(): boolean {
    const names = this.home.directory.list(this.path);
    return typeof names !== 'number' && names.length === 0;
  }

  override create(name: string, mode: number): Inode | number {
    const { directory } = this.home;
    if (!directory.writable) return -EROFS;
    const path = this.at(name);
    const type = mode & S_IFMT;
    if (type === S_IFDIR) {
      const failed = directory.mkdir(path, mode & DIRECTORY_MODE);
      return failed < 0 ? failed : this.find(name);
    }
    if (type !== S_IFREG) return -EPERM;
    const file = directory.create(path, mode & FILE_MODE);
    if (typeof file === 'number') return file;
    file.close();
    return this.find(name);
  }

  override symlink(name: string, target: string): Inode | number {
    if (!this.home.directory.writable) return -EROFS;
    const failed = this.home.directory.symlink(target, this.at(name));
    return failed < 0 ? failed : this.find(name);
  }

  override link(name: string, inode: Inode): number {
    if (!this.home.directory.writable) return -EROFS;
    if (!(inode instanceof HostFileNode || inode instanceof HostOtherNode)) return -EPERM;
    const failed = this.home.directory.link(inode.path, this.at(name));
    if (failed === 0) inode.nlink++;
    return failed;
  }

  override unlink(name: string, child: Inode): number {
    if (!this.home.directory.writable) return -EROFS;
    // Whoever has the file open keeps it: its handle must exist before the name goes.
    if (child instanceof HostFileNode) child.keepOpen();
    const failed = this.home.directory.unlink(this.at(name));
    if (failed === 0) this.nameGone(child);
    return failed;
  }

  override rmdir(name: string, child: Inode): number {
    if (!this.home.directory.writable) return -EROFS;
    const failed = this.home.directory.rmdir(this.at(name));
    if (failed < 0) return failed;
    this.nameGone(child);
    child.nlink = 0;
    return 0;
  }

  private nameGone(child: Inode): void {
    if (!(child instanceof HostDirectoryNode || child instanceof HostFileNode || child instanceof HostOtherNode))
      return;
    if (child.isDirectory || child.hostStat.nlink <= 1) this.home.forget(child.hostStat);
  }

  override rename(
    name: string,
    child: Inode,
    toDir: Inode,
    toName: string,
    replaced: Inode | null,
    exchange: boolean,
  ): number {
    if (!this.home.directory.writable) return -EROFS;
    if (exchange) return -EINVAL;
    if (!(toDir instanceof HostDirectoryNode)) return -EIO;
    if (replaced instanceof HostFileNode) replaced.keepOpen();
    const to = toDir.at(toName);
    const failed = this.home.directory.rename(this.at(name), to);
    if (failed < 0) return failed;
    if (replaced !== null) this.nameGone(replaced);
    if (child instanceof HostDirectoryNode || child instanceof HostFileNode || child instanceof HostOtherNode) {
      child.path = to;
    }
    return 0;
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    return openDirectory(dentry, flags);
  }

  override setMode(mode: number): number {
    return changeMode(this.home, this, mode);
  }

  override setOwner(uid: number, gid: number): number {
    return changeOwner(this, uid, gid);
  }

  override setTimes(atimeNs: bigint | null, mtimeNs: bigint | null): number {
    return changeTimes(this.home, this, atimeNs, mtimeNs);
  }

  override touchAccessed(): void {}
  override touchModified(): void {}
}

class HostFileNode extends RegularInode implements HostNode {
  path: string;
  private readonly home: HostFileSystem;
  private readonly state: HostState;
  private handle: HostFile | null = null;
  private handleWrites = false;
  private openCount = 0;
  private cache: FilePages | null = null;

  constructor(fs: HostFileSystem, ino: number, mode: number, path: string, stat: HostStat) {
    super(fs, ino, mode, stat.uid, stat.gid);
    this.home = fs;
    this.path = path;
    this.state = new HostState(stat);
    takeOver(this, stat);
  }

  private get isUsed(): boolean {
    return this.openCount > 0 || (this.cache?.mappingCount ?? 0) > 0;
  }

  /** See HostFileSystem.rest. */
  rest(): void {
    if (!this.isUsed) return;
    this.flushMapped();
    this.refresh();
    if (lookAgain(this.home, this, this.state) === 0) return;
    throw new TraplineError(
      'CHECKPOINT_STATE',
      `the sandbox cannot be saved: the host's file ${this.path} is open but was removed or replaced`,
    );
  }

  /** Revived: the handle comes back when it is needed. */
  revive(): void {
    if (this.nlink > 0) this.home.remember(this, this.isUsed);
  }

  get hostStat(): HostStat {
    return this.state.stat;
  }

  adopt(stat: HostStat): void {
    this.state.stat = stat;
    takeOver(this, stat);
  }

  override refresh(): number {
    if (this.handle === null) return lookAgain(this.home, this, this.state);
    // An open file stays what it is, whatever has become of its name.
    const now = this.handle.stat();
    if (typeof now !== 'number') this.adopt(this.home.seen(now));
    return 0;
  }

  override get size(): number {
    const size = this.handle?.size() ?? this.state.stat.size;
    return size < 0 ? this.state.stat.size : size;
  }

  override get blocks(): number {
    return this.state.stat.blocks;
  }

  override get pages(): FilePages {
    this.cache ??= new FilePages(this);
    return this.cache;
  }

  /** PagesOwner. */
  lastUnmapped(): void {
    this.flushMapped();
    // The next mapping reads the host's file again: it may have changed by then.
    this.cache?.dispose();
    this.closeIfUnused();
  }

  override get isCached(): boolean {
    return this.cache !== null && this.cache.cachedPages > 0;
  }

  private file(writes: boolean): HostFile | number {
    if (this.handle !== null && (this.handleWrites || !writes)) return this.handle;
    const { directory } = this.home;
    const failed = lookAgain(this.home, this, this.state);
    if (failed < 0) return failed === -ENOENT ? -ESTALE : failed;
    const file = directory.open(this.path, writes);
    if (typeof file === 'number') return file;
    this.handle?.close();
    this.handle = file;
    this.handleWrites = writes;
    return file;
  }

  /** Makes sure that an open file survives the loss of its name. */
  keepOpen(): void {
    if (this.isUsed) this.file(this.home.directory.writable);
  }

  override open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number {
    const file = this.file((flags & 3) !== 0);
    if (typeof file === 'number') return file;
    this.openCount++;
    return super.open(dentry, flags, cred);
  }

  override closed(): void {
    this.openCount--;
    this.closeIfUnused();
  }

  private closeIfUnused(): void {
    if (this.isUsed) return;
    this.handle?.close();
    this.handle = null;
    this.handleWrites = false;
  }

  override readAt(sink: ByteSink, count: number, offset: number): number {
    const file = this.file(false);
    if (typeof file === 'number') return file;
    let done = 0;
    while (done < count) {
      const buffer = scratchBuffer();
      const part = count - done < buffer.length ? buffer.subarray(0, count - done) : buffer;
      const n = readFully(file, part, offset + done);
      if (n < 0) return done > 0 ? done : n;
      if (n === 0) break;
      const bytes = part.subarray(0, n);
      if (this.isCached) this.cache?.overlayRead(offset + done, bytes);
      const put = sink.put(bytes);
      done += put;
      if (put < n) return done > 0 ? done : -EFAULT;
      if (n < part.length) break;
    }
    return done;
  }

  override writeAt(source: ByteSource, count: number, offset: number): number {
    const file = this.file(true);
    if (typeof file === 'number') return file;
    let done = 0;
    while (done < count) {
      const part = scratchBuffer().subarray(0, count - done);
      const got = source.take(part);
      if (got === 0) return done > 0 ? done : -EFAULT;
      const n = file.pwrite(part.subarray(0, got), offset + done);
      if (n < 0) return done > 0 ? done : n;
      if (this.isCached) this.cache?.overlayWrite(offset + done, part.subarray(0, n));
      done += n;
      if (n < part.length) break;
    }
    return done;
  }

  override readStored(pageIndex: number, into: Uint8Array): number {
    const file = this.file(false);
    return typeof file === 'number' ? -EIO : readFully(file, into, pageIndex * 4096);
  }

  override writeStored(pageIndex: number, from: Uint8Array, length: number): number {
    const file = this.file(true);
    return typeof file === 'number' ? -EIO : file.pwrite(from.subarray(0, length), pageIndex * 4096);
  }

  override seekSparse(offset: number, wantData: boolean): number {
    return wantData ? offset : this.size;
  }

  override truncate(size: number): number {
    if (!this.home.directory.writable) return -EROFS;
    if (size > Number.MAX_SAFE_INTEGER) return -EFBIG;
    const file = this.file(true);
    if (typeof file === 'number') return file;
    const shrinks = size < this.size;
    const failed = file.truncate(size);
    if (failed === 0 && shrinks) this.cache?.truncate(size);
    lookAgain(this.home, this, this.state);
    this.closeIfUnused();
    return failed;
  }

  override allocate(mode: number, offset: number, length: number): number {
    if (mode !== 0) return -EOPNOTSUPP;
    return offset + length > this.size ? this.truncate(offset + length) : 0;
  }

  override sync(): number {
    this.flushMapped();
    return this.handle?.sync() ?? 0;
  }

  override setMode(mode: number): number {
    return changeMode(this.home, this, mode);
  }

  override setOwner(uid: number, gid: number): number {
    return changeOwner(this, uid, gid);
  }

  override setTimes(atimeNs: bigint | null, mtimeNs: bigint | null): number {
    return changeTimes(this.home, this, atimeNs, mtimeNs);
  }

  // The host keeps the times.
  override touchAccessed(): void {}
  override touchModified(): void {}
}

/** Links, and nodes that show but lead nowhere: FIFOs, devices and sockets of the host are never opened. */
class HostOtherNode extends Inode implements HostNode {
  path: string;
  private readonly home: HostFileSystem;
  private readonly state: HostState;

  constructor(fs: HostFileSystem, ino: number, mode: number, path: string, stat: HostStat) {
    super(fs, ino, mode, stat.uid, stat.gid);
    this.home = fs;
    this.path = path;
    this.state = new HostState(stat);
    takeOver(this, stat);
  }

  /** Revived. */
  revive(): void {
    if (this.nlink > 0) this.home.remember(this, false);
  }

  get hostStat(): HostStat {
    return this.state.stat;
  }

  adopt(stat: HostStat): void {
    this.state.stat = stat;
    takeOver(this, stat);
  }

  override refresh(): number {
    return lookAgain(this.home, this, this.state);
  }

  override get size(): number {
    return this.state.stat.size;
  }

  override get blocks(): number {
    return this.state.stat.blocks;
  }

  override readlink(): string | number {
    return this.isSymlink ? this.home.directory.readlink(this.path) : -EINVAL;
  }

  override open(): number {
    return -ENXIO;
  }

  override setTimes(atimeNs: bigint | null, mtimeNs: bigint | null): number {
    return changeTimes(this.home, this, atimeNs, mtimeNs);
  }

  override setOwner(uid: number, gid: number): number {
    return changeOwner(this, uid, gid);
  }

  override touchAccessed(): void {}
}

savable('vfs/host-file-system', { HostState, HostDirectoryNode, HostOtherNode });
savable('vfs/host-file-system', { HostFileNode }, { transient: { handle: () => null, handleWrites: () => false } });
savable(
  'vfs/host-file-system',
  { HostFileSystem },
  { isPlace: true, kept: ['directory', 'guest'], transient: { known: () => new Map<string, WeakRef<HostNode>>() } },
);
