// SPDX-License-Identifier: MIT
//
// Names in the tree: a dentry ties a name and a parent to an inode; a mount puts one file system's root over a
// dentry of another. A file system is mounted in one place, so a dentry alone is a whole path.
// Models fs/dcache.c and d_path.

import { ENOENT } from '../abi/errno.ts';
import type { FileSystem, Inode } from './inode.ts';

/** A file system at its place in the tree. */
export class Mount {
  readonly id: number;
  readonly fs: FileSystem;
  readonly root: Dentry;
  /** The dentry that this mount covers; null for the first mount and for mounts without a place. */
  readonly mountpoint: Dentry | null;
  readonly isReadOnly: boolean;
  /** First column of /proc/mounts. */
  readonly source: string;

  constructor(id: number, fs: FileSystem, mountpoint: Dentry | null, isReadOnly: boolean, source: string) {
    this.id = id;
    this.fs = fs;
    this.mountpoint = mountpoint;
    this.isReadOnly = isReadOnly;
    this.source = source;
    this.root = new Dentry(mountpoint === null ? '/' : mountpoint.name, null, fs.root, this);
  }
}

/** A named place in the tree. */
export class Dentry {
  name: string;
  /** Null for the root of a mount and for files without a place (pipes, memfds). */
  parent: Dentry | null;
  readonly inode: Inode;
  readonly mount: Mount;
  /** What is mounted here. */
  covering: Mount | null = null;
  /** The name is gone; open files and working directories may still be here. */
  isDeleted = false;
  #children: Map<string, Dentry> | null = null;

  constructor(name: string, parent: Dentry | null, inode: Inode, mount: Mount) {
    this.name = name;
    this.parent = parent;
    this.inode = inode;
    this.mount = mount;
  }

  /** The child of that name, not crossing mounts, or -errno. */
  child(name: string): Dentry | number {
    const cached = this.#children?.get(name);
    if (cached !== undefined && (!this.mount.fs.revalidates || cached.covering !== null)) return cached;
    const inode = this.inode.lookup(name);
    if (typeof inode === 'number') {
      if (cached !== undefined && inode === -ENOENT) this.forget(name);
      return inode;
    }
    if (cached !== undefined && cached.inode === inode) return cached;
    if (cached !== undefined) this.forget(name);
    return this.add(name, inode);
  }

  /** Enters a child that the file system has just made. */
  add(name: string, inode: Inode): Dentry {
    const child = new Dentry(name, this, inode, this.mount);
    this.#children ??= new Map();
    this.#children.set(name, child);
    return child;
  }

  /** A name that is cached already; no look-up. */
  cachedChild(name: string): Dentry | undefined {
    return this.#children?.get(name);
  }

  /** The name is gone from the directory. */
  forget(name: string): void {
    const child = this.#children?.get(name);
    if (child === undefined) return;
    child.isDeleted = true;
    this.#children?.delete(name);
  }

  /** After a rename: `child` is now `toName` in `toDir`. */
  moveChild(child: Dentry, toDir: Dentry, toName: string): void {
    this.#children?.delete(child.name);
    toDir.forget(toName);
    child.name = toName;
    child.parent = toDir;
    toDir.#children ??= new Map();
    toDir.#children.set(toName, child);
  }

  /** After an exchange of two names. */
  static exchange(a: Dentry, b: Dentry): void {
    const { name: aName, parent: aParent } = a;
    const { name: bName, parent: bParent } = b;
    if (aParent === null || bParent === null) return;
    a.name = bName;
    a.parent = bParent;
    b.name = aName;
    b.parent = aParent;
    aParent.#children?.set(aName, b);
    bParent.#children?.set(bName, a);
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
    } else if (at.mount.mountpoint !== null) at = at.mount.mountpoint;
    else if (at === at.mount.root) return { path: '/' + parts.reverse().join('/'), reachable: root === null };
    else return { path: at.name, reachable: true };
  }
  return { path: '/' + parts.reverse().join('/'), reachable: true };
}

/** As /proc shows a file: the path, with ` (deleted)` when its name is gone. */
export function displayPath(d: Dentry, root: Dentry | null): string {
  const { path } = pathOf(d, root);
  return isUnlinked(d) ? path + ' (deleted)' : path;
}
