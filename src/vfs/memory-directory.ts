// SPDX-License-Identifier: MIT
//
// A directory of the memory file system. Its entries come from the host's listing, read once when first needed, and
// from what guests create; a removed name is simply gone, so whiteouts and opaque directories need no marks.
// The order is the host's names in byte order, then new names as they were made; positions stay valid throughout.

import { savable } from '../base/savable.ts';
import { EACCES, EEXIST, EMLINK, ENOENT, ENOMEM } from '../abi/errno.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import { openDirectory } from './directory-file.ts';
import { Inode } from './inode.ts';
import type { EntryVisitor } from './inode.ts';
import type { MemoryFileSystem } from './memory-file-system.ts';
import type { OpenFile } from './open-file.ts';
import { forgetXattrs } from './xattrs.ts';

interface Entry {
  readonly name: string;
  /** Null for a name of the host that nobody has looked at yet. */
  inode: Inode | null;
  readonly cookie: number;
  /** Reachable by name but not listed. */
  readonly isHidden: boolean;
  /** The name is gone; the entry only keeps the order. */
  isGone: boolean;
}

/** First cookie of real entries: `.` and `..` have 1 and 2. */
const FIRST_COOKIE = 3;

/** Names that one file may have (ext4 allows 65,000). */
const MAX_LINKS = 65_000;

/** Counts another name for `inode`; -EMLINK when it has too many. */
function addLink(inode: Inode): number {
  if (inode.nlink >= MAX_LINKS) return -EMLINK;
  inode.nlink++;
  inode.ctimeNs = inode.fs.clock.nowNs();
  return 0;
}

/** One name less. */
function dropLink(inode: Inode): void {
  inode.nlink--;
  inode.ctimeNs = inode.fs.clock.nowNs();
  if (inode.nlink === 0) inode.lastNameGone();
}

/** A directory. */
export class MemoryDirectory extends Inode {
  private readonly home: MemoryFileSystem;
  private readonly names = new Map<string, Entry>();
  /** By ascending cookie, with those that are gone until they are many. */
  private order: Entry[] = [];
  private gone = 0;
  private nextCookie = FIRST_COOKIE;
  private visible = 0;
  /** Host path below that has not been listed yet. */
  private unlisted: string | null = null;
  private lowerPath: string | null = null;
  /** Names were listed, and no listing of ours has asked for all of them yet. */
  private isUnseen = false;
  /** Size and blocks as the host gives them. */
  lowerShape: { size: number; blocks: number } | null = null;

  constructor(fs: MemoryFileSystem, ino: number, mode: number, uid: number, gid: number) {
    super(fs, ino, mode, uid, gid);
    this.home = fs;
  }

  setLower(path: string): void {
    this.unlisted = path;
    this.lowerPath = path;
  }

  // As a directory of a disk file system shows itself, because programs compare and print these.
  override get size(): number {
    return this.lowerShape?.size ?? 4096;
  }

  override get blocks(): number {
    return this.lowerShape?.blocks ?? 8;
  }

  /** Reads the host's names; -errno where the host does not let us. */
  private list(): number {
    if (this.unlisted === null) return 0;
    const names = this.home.lower?.directory.list(this.unlisted) ?? -ENOENT;
    if (typeof names === 'number') return names;
    this.unlisted = null;
    // Names that were looked up or made before the listing keep their entries.
    for (const name of names) if (!this.names.has(name)) this.enter(name, null, false);
    this.isUnseen = true;
    return 0;
  }

  private enter(name: string, inode: Inode | null, isHidden: boolean): void {
    const entry = { name, inode, cookie: this.nextCookie++, isHidden, isGone: false };
    this.names.set(name, entry);
    this.order.push(entry);
    if (!isHidden) this.visible++;
  }

  private remove(name: string): void {
    const entry = this.names.get(name);
    if (entry === undefined) return;
    this.names.delete(name);
    entry.isGone = true;
    entry.inode = null;
    if (!entry.isHidden) this.visible--;
    if (++this.gone > 64 && this.gone > this.order.length / 2) {
      this.order = this.order.filter((e) => !e.isGone);
      this.gone = 0;
    }
  }

  /** Index of the first entry whose cookie is above `cookie`. */
  private indexAfter(cookie: number): number {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.order[middle]?.cookie ?? Infinity) > cookie) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  override lookup(name: string): Inode | number {
    const failed = this.list();
    let entry = this.names.get(name);
    if (entry === undefined) {
      if (failed !== -EACCES) return failed < 0 ? failed : -ENOENT;
      // A directory of the host that may be searched but not listed.
      const found = this.home.fromLower(this.childPath(name));
      if (typeof found === 'number') return found;
      this.enter(name, found, true);
      entry = this.names.get(name);
      return found;
    }
    return this.inodeOf(entry);
  }

  private childPath(name: string): string {
    return this.lowerPath === null || this.lowerPath === '' ? name : `${this.lowerPath}/${name}`;
  }

  private inodeOf(entry: Entry): Inode | number {
    if (entry.inode !== null) return entry.inode;
    const found = this.home.fromLower(this.childPath(entry.name));
    if (typeof found === 'number') {
      // The host took it away after we listed it.
      if (found === -ENOENT) this.remove(entry.name);
      return found;
    }
    entry.inode = found;
    return found;
  }

  /** Makes the inodes of all names of the host that nobody has looked at: a listing is going to ask for each. */
  private lookAtAll(): void {
    if (!this.isUnseen) return;
    this.isUnseen = false;
    const lower = this.home.lower?.directory;
    const unseen = this.order.filter((entry) => entry.inode === null && !entry.isGone);
    if (lower?.statAll === undefined || unseen.length < 2) return;
    const stats = lower.statAll(
      this.lowerPath ?? '',
      unseen.map((entry) => entry.name),
    );
    if (typeof stats === 'number') return;
    for (const [i, entry] of unseen.entries()) {
      const stat = stats[i];
      // What failed is asked for again by itself.
      if (stat === undefined || typeof stat === 'number') continue;
      const inode = this.home.fromLowerStat(this.childPath(entry.name), stat);
      if (typeof inode !== 'number') entry.inode = inode;
    }
  }

  override entries(cookie: number, visit: EntryVisitor): number {
    const failed = this.list();
    if (failed < 0) return failed;
    this.lookAtAll();
    // The list as it is now: a name that the host has taken away may shorten it meanwhile.
    const order = this.order;
    for (let i = this.indexAfter(cookie); i < order.length; i++) {
      const entry = order[i];
      if (entry === undefined || entry.isGone || entry.isHidden) continue;
      const inode = this.inodeOf(entry);
      if (inode === -ENOMEM) return inode;
      if (typeof inode === 'number') continue;
      if (!visit(entry.name, inode.ino, inode.mode, entry.cookie)) return 0;
    }
    return 0;
  }

  override isEmpty(): boolean {
    return this.list() === 0 && this.visible === 0;
  }

  private changed(subdirectories: number): void {
    // File systems that do not count subdirectories show one link; those stay so.
    if (this.nlink > 1) this.nlink += subdirectories;
    this.touchModified();
  }

  override create(name: string, mode: number, cred: Credentials, rdev: number): Inode | number {
    const failed = this.list();
    if (failed < 0) return failed;
    const made = this.home.make(this, mode, cred, rdev);
    if (typeof made === 'number') return made;
    this.enter(name, made, false);
    this.changed(made.isDirectory ? 1 : 0);
    return made;
  }

  override createUnnamed(mode: number, cred: Credentials): Inode | number {
    const made = this.home.make(this, mode, cred, 0);
    if (typeof made !== 'number') made.nlink = 0;
    return made;
  }

  override symlink(name: string, target: string, cred: Credentials): Inode | number {
    const failed = this.list();
    if (failed < 0) return failed;
    const made = this.home.makeSymlink(target, cred.fsuid, (this.mode & 0o2000) !== 0 ? this.gid : cred.fsgid);
    if (typeof made === 'number') return made;
    this.enter(name, made, false);
    this.changed(0);
    return made;
  }

  override link(name: string, inode: Inode): number {
    const failed = this.list() || addLink(inode);
    if (failed < 0) return failed;
    this.enter(name, inode, false);
    this.changed(0);
    return 0;
  }

  /** Enters an inode that was made elsewhere: set-up of a tree. */
  place(name: string, inode: Inode, isHidden: boolean): number {
    this.list();
    if (this.names.has(name)) return -EEXIST;
    this.enter(name, inode, isHidden);
    if (inode.isDirectory && !isHidden && this.nlink > 1) this.nlink++;
    return 0;
  }

  override unlink(name: string, child: Inode): number {
    this.remove(name);
    this.changed(0);
    dropLink(child);
    return 0;
  }

  override rmdir(name: string, child: Inode): number {
    this.remove(name);
    this.changed(-1);
    child.nlink = 1;
    dropLink(child);
    return 0;
  }

  override rename(
    name: string,
    child: Inode,
    toDir: Inode,
    toName: string,
    replaced: Inode | null,
    exchange: boolean,
  ): number {
    if (!(toDir instanceof MemoryDirectory)) return -ENOENT;
    const failed = toDir.list();
    if (failed < 0) return failed;
    if (exchange && replaced !== null) {
      const mine = this.names.get(name);
      const theirs = toDir.names.get(toName);
      if (mine === undefined || theirs === undefined) return -ENOENT;
      mine.inode = replaced;
      theirs.inode = child;
      const balance = (child.isDirectory ? 1 : 0) - (replaced.isDirectory ? 1 : 0);
      this.changed(this === toDir ? 0 : -balance);
      toDir.changed(this === toDir ? 0 : balance);
      child.ctimeNs = this.ctimeNs;
      replaced.ctimeNs = this.ctimeNs;
      return 0;
    }
    if (replaced !== null) {
      toDir.remove(toName);
      if (replaced.isDirectory) {
        toDir.changed(-1);
        replaced.nlink = 1;
      }
      dropLink(replaced);
    }
    this.remove(name);
    toDir.enter(toName, child, false);
    const moved = child.isDirectory ? 1 : 0;
    this.changed(-moved);
    toDir.changed(moved);
    child.ctimeNs = this.ctimeNs;
    return 0;
  }

  override lastNameGone(): void {
    forgetXattrs(this);
    this.home.unchargeInode();
  }

  override open(dentry: Dentry, flags: number): OpenFile | number {
    return openDirectory(dentry, flags);
  }
}

savable('vfs/memory-directory', { MemoryDirectory });
