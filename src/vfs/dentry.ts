// SPDX-License-Identifier: MIT
//
// Names in the tree. An `Entry` ties a name and a parent to an inode and belongs to its file system; a `Dentry` is an
// entry as one mount shows it, so that one tree can be seen in several places and a dentry alone is a whole path. A
// `Mount` is a file system, or a part of one, at its place. Models fs/dcache.c, struct path, fs/mount.h and d_path.

import { savable } from '../base/savable.ts';
import { ENOENT } from '../abi/errno.ts';
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_RELATIME,
} from '../abi/mount.ts';
import type { FileSystem, Inode } from './inode.ts';

const OPTION_NAMES: readonly (readonly [number, string])[] = [
  [MS_NOSUID, 'nosuid'],
  [MS_NODEV, 'nodev'],
  [MS_NOEXEC, 'noexec'],
  [MS_NOATIME, 'noatime'],
  [MS_NODIRATIME, 'nodiratime'],
  [MS_RELATIME, 'relatime'],
  [MS_NOSYMFOLLOW, 'nosymfollow'],
];

/** A file system at its place in the tree. */
export class Mount {
  readonly id: number;
  readonly fs: FileSystem;
  readonly root: Dentry;
  /** The dentry that this mount covers; null for the first mount and for mounts without a place. */
  mountpoint: Dentry | null;
  /** MS_ bits: what this mount forbids, whatever its file system allows. */
  flags: number;
  /** First column of /proc/mounts. */
  readonly source: string;
  /** Open descriptions of files here: while there are any, umount says EBUSY. */
  users = 0;
  /** Those that may write: while there are any, the mount cannot become read-only. */
  writers = 0;
  /** umount2 with MNT_EXPIRE has found it unused, and nothing was opened since. */
  isExpiring = false;
  /** MS_UNBINDABLE: it cannot be bound elsewhere. */
  isUnbindable = false;
  /** What is mounted on its names. */
  readonly children = new Set<Mount>();

  /** @param top what of the file system is shown; all of it by default */
  constructor(id: number, fs: FileSystem, mountpoint: Dentry | null, flags: number, source: string, top?: Entry) {
    this.id = id;
    this.fs = fs;
    this.mountpoint = mountpoint;
    this.flags = flags;
    this.source = source;
    fs.rootEntry ??= new Entry('/', null, fs.root);
    this.root = (top ?? fs.rootEntry).seenFrom(this);
  }

  /** Programs are not executed from here, nor mapped to be. */
  get isNoExec(): boolean {
    return (this.flags & MS_NOEXEC) !== 0 || this.fs.isNoExec;
  }

  get isReadOnly(): boolean {
    return (this.flags & MS_RDONLY) !== 0 || this.fs.isReadOnly;
  }

  /** As /proc/mounts shows its flags: `rw,nosuid,relatime`. */
  get optionsText(): string {
    let text = this.isReadOnly ? 'ro' : 'rw';
    for (const [bit, name] of OPTION_NAMES) if ((this.flags & bit) !== 0) text += `,${name}`;
    return text;
  }

  /** Which part of its file system it shows: `/`, or the path there. */
  get rootPath(): string {
    const parts: string[] = [];
    for (let at = this.root.entry; at.parent !== null; at = at.parent) parts.push(at.name);
    return '/' + parts.reverse().join('/');
  }

  /** A file of it is open from now on. */
  enter(): void {
    this.users++;
    this.isExpiring = false;
  }

  /** A file was read, a directory listed or a link followed through this mount. */
  accessed(inode: Inode): void {
    if ((this.flags & (MS_RDONLY | MS_NOATIME)) !== 0 || this.fs.isReadOnly) return;
    if ((this.flags & MS_NODIRATIME) !== 0 && inode.isDirectory) return;
    inode.touchAccessed((this.flags & MS_RELATIME) === 0);
  }

  /** True when it shows a part of its file system only: then a name can be moved out of what it shows. */
  get isPart(): boolean {
    return this.root.entry !== this.fs.rootEntry;
  }
}

/** A name in a file system: what all mounts that show it share. */
export class Entry {
  name: string;
  parent: Entry | null;
  readonly inode: Inode;
  /** The name is gone; open files and working directories may still be here. */
  isDeleted = false;
  /** Mounts that cover it, in whatever place: while there are any, the name stays. */
  coverings = 0;
  children: Map<string, Entry> | null = null;
  /** As the mount that first showed it does. */
  private dentry: Dentry | null = null;
  /** As the others do. */
  private others: WeakMap<Mount, Dentry> | null = null;

  constructor(name: string, parent: Entry | null, inode: Inode) {
    this.name = name;
    this.parent = parent;
    this.inode = inode;
  }

  /** @param made the dentry, if there is none yet; left out for a new one */
  seenFrom(mount: Mount, made?: Dentry): Dentry {
    const first = this.dentry;
    if (first !== null && first.mount === mount) return first;
    let dentry = this.others?.get(mount);
    if (dentry !== undefined) return dentry;
    dentry = made ?? new Dentry(this.name, null, this.inode, mount, this);
    if (first === null) this.dentry = dentry;
    else {
      this.others ??= new WeakMap();
      this.others.set(mount, dentry);
    }
    return dentry;
  }

  /** Makes `dentry` what its mount shows. @internal */
  adopt(dentry: Dentry): void {
    this.dentry = dentry;
  }

  /** The name is gone from the directory. */
  forget(name: string): void {
    const child = this.children?.get(name);
    if (child === undefined) return;
    child.isDeleted = true;
    this.children?.delete(name);
  }

  enter(child: Entry): void {
    this.children ??= new Map();
    this.children.set(child.name, child);
  }
}

/** A named place in the tree. */
export class Dentry {
  readonly entry: Entry;
  readonly inode: Inode;
  readonly mount: Mount;
  /** What is mounted here. */
  covering: Mount | null = null;

  /** @param entry left out for a new name */
  constructor(name: string, parent: Dentry | null, inode: Inode, mount: Mount, entry?: Entry) {
    this.inode = inode;
    this.mount = mount;
    if (entry !== undefined) {
      this.entry = entry;
      return;
    }
    this.entry = new Entry(name, parent === null ? null : parent.entry, inode);
    this.entry.adopt(this);
  }

  /** Revived: the entry knows the dentries of other mounts again. */
  revive(): void {
    if (this.entry.seenFrom(this.mount, this) !== this) throw new Error('two dentries are one');
  }

  get name(): string {
    return this.entry.name;
  }

  /** Null for the root of a mount and for files without a place (pipes, memfds). */
  get parent(): Dentry | null {
    const { parent } = this.entry;
    return parent === null || this === this.mount.root ? null : parent.seenFrom(this.mount);
  }

  get isDeleted(): boolean {
    return this.entry.isDeleted;
  }

  set isDeleted(is: boolean) {
    this.entry.isDeleted = is;
  }

  /** Something is mounted on the name, here or where another mount shows it. */
  get isMountpoint(): boolean {
    return this.entry.coverings > 0;
  }

  /** The child of that name, not crossing mounts, or -errno. */
  child(name: string): Dentry | number {
    const cached = this.entry.children?.get(name);
    if (cached !== undefined && (!this.mount.fs.revalidates || cached.coverings > 0)) {
      return cached.seenFrom(this.mount);
    }
    const inode = this.inode.lookup(name);
    if (typeof inode === 'number') {
      if (cached !== undefined && inode === -ENOENT) this.forget(name);
      return inode;
    }
    if (cached !== undefined && cached.inode === inode) return cached.seenFrom(this.mount);
    if (cached !== undefined) this.forget(name);
    return this.add(name, inode);
  }

  /** Enters a child that the file system has just made. */
  add(name: string, inode: Inode): Dentry {
    const child = new Dentry(name, this, inode, this.mount);
    this.entry.enter(child.entry);
    return child;
  }

  /** A name that is cached already; no look-up. */
  cachedChild(name: string): Dentry | undefined {
    return this.entry.children?.get(name)?.seenFrom(this.mount);
  }

  /** The name is gone from the directory. */
  forget(name: string): void {
    this.entry.forget(name);
  }

  /** After a rename: `child` is now `toName` in `toDir`. */
  moveChild(child: Dentry, toDir: Dentry, toName: string): void {
    const moved = child.entry;
    this.entry.children?.delete(moved.name);
    toDir.entry.forget(toName);
    moved.name = toName;
    moved.parent = toDir.entry;
    toDir.entry.enter(moved);
  }

  /** After an exchange of two names. */
  static exchange(a: Dentry, b: Dentry): void {
    const one = a.entry;
    const other = b.entry;
    if (one.parent === null || other.parent === null) return;
    [one.name, other.name] = [other.name, one.name];
    [one.parent, other.parent] = [other.parent, one.parent];
    one.parent.enter(one);
    other.parent.enter(other);
  }

  /** The dentry seen here: the root of what is mounted on top. */
  get top(): Dentry {
    let d: Dentry = this;
    while (d.covering !== null) d = d.covering.root;
    return d;
  }

  /** True when this is `ancestor` or lies below it, mounts included. */
  isWithin(ancestor: Dentry): boolean {
    let d: Dentry | null = this;
    while (d !== null) {
      if (d === ancestor) return true;
      d = d.parent ?? d.mount.mountpoint;
    }
    return false;
  }
}

/** One step up, staying at `root`; crosses from a mount's root to where it is mounted. */
export function parentOf(d: Dentry, root: Dentry): Dentry {
  let at = d;
  for (;;) {
    if (at === root) return at;
    if (at.parent !== null) return at.parent.top;
    if (at.mount.mountpoint === null) return at;
    at = at.mount.mountpoint;
  }
}

/**
 * False when `d` lies outside of what its mount shows: it was moved away through another mount of the same file system,
 * and its `..` leads to places that the mount does not show.
 */
export function isConnected(d: Dentry): boolean {
  if (!d.mount.isPart) return true;
  for (let at: Dentry | null = d; at !== null; at = at.parent) if (at === d.mount.root) return true;
  return false;
}

/** True when the name of `d` or of a directory above it is gone. */
export function isUnlinked(d: Dentry): boolean {
  let at: Dentry | null = d;
  while (at !== null) {
    if (at.isDeleted) return true;
    at = at.parent ?? at.mount.mountpoint;
  }
  return false;
}

/**
 * The path of `d` as seen from `root` (null: from the top of the tree): `/a/b`; for files without a place their own
 * name (`pipe:[7]`). `reachable` is false when `root` is not above it.
 */
export function pathOf(d: Dentry, root: Dentry | null): { path: string; reachable: boolean } {
  const parts: string[] = [];
  let at = d;
  for (;;) {
    if (at === root) break;
    if (at.parent !== null) {
      parts.push(at.name);
      at = at.parent;
    } else if (at.mount.mountpoint !== null && at === at.mount.root) at = at.mount.mountpoint;
    else if (at === at.mount.root) return { path: '/' + parts.reverse().join('/'), reachable: root === null };
    // Outside of what its mount shows, see isConnected.
    else if (parts.length > 0) return { path: '/', reachable: root === null };
    else return { path: at.name, reachable: true };
  }
  return { path: '/' + parts.reverse().join('/'), reachable: true };
}

/** As /proc shows a file: the path, with ` (deleted)` when its name is gone. */
export function displayPath(d: Dentry, root: Dentry | null): string {
  const { path } = pathOf(d, root);
  return isUnlinked(d) ? path + ' (deleted)' : path;
}

savable('vfs/dentry', { Mount, Dentry });
savable('vfs/dentry', { Entry }, { transient: { others: () => null } });
