// SPDX-License-Identifier: MIT
//
// From a path to a dentry: parts, `.` and `..`, links (40 at most), mounts, trailing slashes, never above the root.
// Models fs/namei.c (link_path_walk, path_resolution(7)).

import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from '../abi/errno.ts';
import { MS_NOSYMFOLLOW } from '../abi/mount.ts';
import {
  NAME_MAX,
  PATH_MAX,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../abi/open.ts';
import { S_ISVTX } from '../abi/stat.ts';
import { checkPermission, MAY_EXEC } from './credentials.ts';
import { isConnected, parentOf } from './dentry.ts';
import type { Dentry } from './dentry.ts';
import type { Caller } from './fs-context.ts';

/** Links that one walk may follow. */
const MAX_LINKS = 40;

/** What the last part of a path is. */
export type LastKind = 'name' | 'dot' | 'dotdot' | 'root';

/** One walk. A new one for each path. */
export class PathWalk {
  private readonly caller: Caller;
  private readonly root: Dentry;
  private readonly resolve: number;
  private rest: string;
  private links = 0;
  /** Where the walk stands: after `toParent`, the directory of the last part. */
  at: Dentry;
  /** The last part, after `toParent`. */
  last = '';
  lastKind: LastKind = 'root';
  /** The path ended in slashes. */
  trailingSlash = false;

  /** @param resolve RESOLVE_ bits of openat2 */
  constructor(caller: Caller, start: Dentry, path: string, resolve = 0) {
    this.caller = caller;
    this.resolve = resolve;
    this.root = (resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)) !== 0 ? start : caller.fs.root;
    this.rest = path;
    this.at = path.startsWith('/') && (resolve & RESOLVE_BENEATH) === 0 ? this.root : start;
  }

  /** Walks up to the last part; 0 or -errno. */
  toParent(): number {
    if (this.rest.length === 0) return -ENOENT;
    if (this.rest.length >= PATH_MAX) return -ENAMETOOLONG;
    if (this.rest.startsWith('/') && (this.resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
    return this.walkParts();
  }

  private walkParts(): number {
    const rest = this.rest;
    let from = 0;
    for (;;) {
      while (rest.charCodeAt(from) === 0x2f) from++;
      if (from === rest.length) {
        // Nothing but slashes: the place itself.
        this.last = '';
        this.lastKind = 'root';
        this.trailingSlash = true;
        return 0;
      }
      if (!this.at.inode.isDirectory) return -ENOTDIR;
      const denied = checkPermission(this.at.inode, this.caller.cred, MAY_EXEC);
      if (denied !== 0) return denied;
      let end = rest.indexOf('/', from);
      if (end < 0) end = rest.length;
      if (end - from > NAME_MAX) return -ENAMETOOLONG;
      const part = rest.slice(from, end);
      let next = end;
      while (rest.charCodeAt(next) === 0x2f) next++;
      const kind: LastKind = part === '.' ? 'dot' : part === '..' ? 'dotdot' : 'name';
      if (next === rest.length) {
        this.last = part;
        this.lastKind = kind;
        this.trailingSlash = next > end;
        return 0;
      }
      from = next;
      const failed = this.step(part, kind, rest, next);
      if (failed < 0) return failed;
      // A link was put in front of what is left: a walk of its own goes on from there.
      if (failed > 0) return this.walkParts();
    }
  }

  /** Takes one part that is not the last. 0: went on; 1: `#rest` was replaced; below zero: -errno. */
  private step(part: string, kind: LastKind, rest: string, next: number): number {
    if (kind === 'dot') return 0;
    if (kind === 'dotdot') return this.up();
    const child = this.child(part);
    if (typeof child === 'number') return child;
    if (!child.inode.isSymlink) {
      this.at = child;
      return 0;
    }
    return this.expand(child, rest.slice(next));
  }

  private up(): number {
    if (this.at === this.root && (this.resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
    if (!isConnected(this.at)) return -ENOENT;
    const to = parentOf(this.at, this.root);
    if (to.mount !== this.at.mount && (this.resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
    this.at = to;
    return 0;
  }

  /** The child of `at`, mounts crossed. */
  child(name: string): Dentry | number {
    const child = this.at.child(name);
    if (typeof child === 'number' || child.covering === null) return child;
    if ((this.resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
    return child.top;
  }

  /**
   * Follows `link`, a child of `at`, and then `rest`. 1 when the link's text now is the path to walk, 0 when the
   * link led straight to a place (which `at` is now).
   */
  expand(link: Dentry, rest: string): number {
    if ((this.resolve & RESOLVE_NO_SYMLINKS) !== 0 || (link.mount.flags & MS_NOSYMFOLLOW) !== 0) return -ELOOP;
    if (++this.links > MAX_LINKS) return -ELOOP;
    const denied = this.linkDenied(link);
    if (denied !== 0) return denied;
    const jump = link.inode.follow(this.caller.cred);
    if (typeof jump === 'number') return jump;
    if (jump !== undefined) {
      if ((this.resolve & RESOLVE_NO_MAGICLINKS) !== 0) return -ELOOP;
      if ((this.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0) return -EXDEV;
      this.at = jump;
      this.rest = rest.length > 0 ? rest : '.';
      if (rest.length === 0) return 0;
      return 1;
    }
    const target = link.inode.readlink();
    if (typeof target === 'number') return target;
    if (target.length === 0) return -ENOENT;
    link.mount.accessed(link.inode);
    if (target.startsWith('/')) {
      if ((this.resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0 && this.at.mount !== this.root.mount) return -EXDEV;
      this.at = this.root;
    }
    // Kept even when nothing follows, so that a trailing slash of the whole path still counts.
    this.rest = rest.length > 0 ? `${target}/${rest}` : this.trailingSlash ? `${target}/` : target;
    return 1;
  }

  /** fs.protected_symlinks: no following of others' links in a sticky directory that all may write. */
  private linkDenied(link: Dentry): number {
    const parent = link.parent?.inode;
    if (parent === undefined || (parent.mode & (S_ISVTX | 0o002)) !== (S_ISVTX | 0o002)) return 0;
    const owner = link.inode.uid;
    return owner === this.caller.cred.fsuid || owner === parent.uid ? 0 : -EACCES;
  }

  /** Goes on after `expand` gave 1. */
  again(): number {
    return this.walkParts();
  }

  /** Walks the whole path. A link in the last part is followed when `follow` is set or a slash comes after it. */
  toEnd(follow: boolean): Dentry | number {
    let failed = this.toParent();
    for (;;) {
      if (failed < 0) return failed;
      if (this.lastKind === 'root' || this.lastKind === 'dot') return this.at;
      if (this.lastKind === 'dotdot') {
        failed = this.up();
        return failed < 0 ? failed : this.at;
      }
      const child = this.child(this.last);
      if (typeof child === 'number') return child;
      if (!child.inode.isSymlink || !(follow || this.trailingSlash)) {
        if (this.trailingSlash && !child.inode.isDirectory) return -ENOTDIR;
        this.at = child;
        return child;
      }
      const slash = this.trailingSlash;
      failed = this.expand(child, '');
      if (failed < 0) return failed;
      if (failed === 0) return slash && !this.at.inode.isDirectory ? -ENOTDIR : this.at;
      failed = this.walkParts();
    }
  }
}

/** The dentry of `path`, from `start` when it is relative. */
export function lookupPath(caller: Caller, start: Dentry, path: string, follow: boolean, resolve = 0): Dentry | number {
  return new PathWalk(caller, start, path, resolve).toEnd(follow);
}
