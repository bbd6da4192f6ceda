// SPDX-License-Identifier: MIT
//
// Operations that change names: mkdir, mknod, symlink, link, unlink, rmdir, rename, with Linux's order of errors.
// Models fs/namei.c (may_create, may_delete, do_unlinkat, do_renameat2).

import { EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV } from '../abi/errno.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../abi/open.ts';
import { IN_ATTRIB } from '../abi/poll.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_ISVTX } from '../abi/stat.ts';
import { CAP_FOWNER, CAP_MKNOD, checkPermission, hasCapability, MAY_EXEC, MAY_READ, MAY_WRITE } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import { Dentry, isUnlinked } from './dentry.ts';
import type { Caller } from './fs-context.ts';
import { notifyCreated, notifyDeleted, notifyInode, notifyMoved } from './notify.ts';
import { PathWalk } from './path-walk.ts';

/** A directory and a name in it that does not exist yet. */
interface NewName {
  readonly dir: Dentry;
  readonly name: string;
}

/** Finds where a new name goes: -EEXIST when it is taken. Whether it may be entered there is not asked. */
function freeName(caller: Caller, start: Dentry, path: string, forDirectory: boolean): NewName | number {
  const walk = new PathWalk(caller, start, path);
  const failed = walk.toParent();
  if (failed < 0) return failed;
  if (walk.lastKind !== 'name') return -EEXIST;
  const existing = walk.child(walk.last);
  if (typeof existing !== 'number') return -EEXIST;
  if (existing !== -ENOENT) return existing;
  if (walk.trailingSlash && !forDirectory) return -ENOENT;
  const dir = walk.at;
  return dir.mount.isReadOnly ? -EROFS : { dir, name: walk.last };
}

/** The same, with the errors of a directory that cannot be written. */
function newName(caller: Caller, start: Dentry, path: string, forDirectory: boolean): NewName | number {
  const at = freeName(caller, start, path, forDirectory);
  if (typeof at === 'number') return at;
  const denied = mayCreate(at.dir, caller.cred);
  return denied < 0 ? denied : at;
}

/** May a name be entered in `dir`? */
export function mayCreate(dir: Dentry, cred: Credentials): number {
  if (isUnlinked(dir) || dir.mount.fs.namesAreFixed) return -ENOENT;
  return checkPermission(dir.inode, cred, MAY_WRITE | MAY_EXEC);
}

/** May `child` lose its name in `dir`? */
function mayDelete(dir: Dentry, child: Dentry, cred: Credentials, wantDirectory: boolean): number {
  const denied = checkPermission(dir.inode, cred, MAY_WRITE | MAY_EXEC);
  if (denied !== 0) return denied;
  const sticky = (dir.inode.mode & S_ISVTX) !== 0;
  if (sticky && child.inode.uid !== cred.fsuid && dir.inode.uid !== cred.fsuid && !hasCapability(cred, CAP_FOWNER)) {
    return -EPERM;
  }
  if (wantDirectory) {
    if (!child.inode.isDirectory) return -ENOTDIR;
    if (child.parent === null) return -EBUSY;
  } else if (child.inode.isDirectory) return -EISDIR;
  return 0;
}

export function makeDirectory(caller: Caller, start: Dentry, path: string, mode: number): number {
  const at = newName(caller, start, path, true);
  if (typeof at === 'number') return at;
  const bits = mode & (0o777 | S_ISVTX) & ~caller.fs.umask;
  const made = at.dir.inode.create(at.name, S_IFDIR | bits, caller.cred, 0);
  if (typeof made === 'number') return made;
  at.dir.add(at.name, made);
  notifyCreated(at.dir.inode, at.name, made);
  return 0;
}

export function makeNode(caller: Caller, start: Dentry, path: string, mode: number, rdev: number): number {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return -EPERM;
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  if (type === 0o120000 || (type !== 0 && ![0o140000, 0o100000, 0o060000, 0o020000, 0o010000].includes(type))) {
    return -EINVAL;
  }
  const at = newName(caller, start, path, false);
  if (typeof at === 'number') return at;
  if (isDevice && !hasCapability(caller.cred, CAP_MKNOD)) return -EPERM;
  const bits = mode & 0o7777 & ~caller.fs.umask;
  const made = at.dir.inode.create(at.name, (type === 0 ? S_IFREG : type) | bits, caller.cred, isDevice ? rdev : 0);
  if (typeof made === 'number') return made;
  at.dir.add(at.name, made);
  notifyCreated(at.dir.inode, at.name, made);
  return 0;
}

export function makeSymlink(caller: Caller, target: string, start: Dentry, path: string): number {
  if (target.length === 0) return -ENOENT;
  const at = newName(caller, start, path, false);
  if (typeof at === 'number') return at;
  const made = at.dir.inode.symlink(at.name, target, caller.cred);
  if (typeof made === 'number') return made;
  at.dir.add(at.name, made);
  notifyCreated(at.dir.inode, at.name, made);
  return 0;
}

/** Gives the file at `from` another name. */
export function makeLink(caller: Caller, from: Dentry, start: Dentry, path: string): number {
  const at = freeName(caller, start, path, false);
  if (typeof at === 'number') return at;
  const inode = from.inode;
  if (from.mount !== at.dir.mount) return -EXDEV;
  if (!mayLink(inode, caller.cred)) return -EPERM;
  const denied = mayCreate(at.dir, caller.cred);
  if (denied < 0) return denied;
  if (inode.isDirectory) return -EPERM;
  if (inode.nlink === 0 && !inode.isLinkable) return -ENOENT;
  const failed = at.dir.inode.link(at.name, inode);
  if (failed < 0) return failed;
  inode.isLinkable = false;
  at.dir.add(at.name, inode);
  notifyInode(inode, IN_ATTRIB);
  notifyCreated(at.dir.inode, at.name, inode);
  return 0;
}

/** fs.protected_hardlinks: others' files only when they are plain and may be read and written. */
function mayLink(inode: { mode: number; uid: number; gid: number }, cred: Credentials): boolean {
  if (inode.uid === cred.fsuid || hasCapability(cred, CAP_FOWNER)) return true;
  const isPlain =
    (inode.mode & S_IFMT) === S_IFREG &&
    (inode.mode & S_ISUID) === 0 &&
    (inode.mode & (S_ISGID | 0o010)) !== (S_ISGID | 0o010);
  return isPlain && checkPermission(inode, cred, MAY_READ | MAY_WRITE) === 0;
}

export function unlink(caller: Caller, start: Dentry, path: string): number {
  const walk = new PathWalk(caller, start, path);
  const failed = walk.toParent();
  if (failed < 0) return failed;
  if (walk.lastKind !== 'name') return -EISDIR;
  const dir = walk.at;
  const child = dir.child(walk.last);
  if (typeof child === 'number') return child;
  if (walk.trailingSlash) return child.inode.isDirectory ? -EISDIR : -ENOTDIR;
  if (dir.mount.isReadOnly) return -EROFS;
  const denied = mayDelete(dir, child, caller.cred, false);
  if (denied !== 0) return denied;
  if (child.isMountpoint) return -EBUSY;
  const result = dir.inode.unlink(walk.last, child.inode);
  if (result !== 0) return result;
  dir.forget(walk.last);
  notifyDeleted(dir.inode, walk.last, child.inode);
  return 0;
}

export function removeDirectory(caller: Caller, start: Dentry, path: string): number {
  const walk = new PathWalk(caller, start, path);
  const failed = walk.toParent();
  if (failed < 0) return failed;
  if (walk.lastKind === 'dotdot') return -ENOTEMPTY;
  if (walk.lastKind === 'dot') return -EINVAL;
  if (walk.lastKind === 'root') return -EBUSY;
  const dir = walk.at;
  const child = dir.child(walk.last);
  if (typeof child === 'number') return child;
  if (dir.mount.isReadOnly) return -EROFS;
  const denied = mayDelete(dir, child, caller.cred, true);
  if (denied !== 0) return denied;
  if (child.isMountpoint || child === caller.fs.root) return -EBUSY;
  if (!child.inode.isEmpty()) return -ENOTEMPTY;
  const result = dir.inode.rmdir(walk.last, child.inode);
  if (result !== 0) return result;
  dir.forget(walk.last);
  notifyDeleted(dir.inode, walk.last, child.inode);
  return 0;
}

/** renameat2(2). */
export function rename(
  caller: Caller,
  fromStart: Dentry,
  fromPath: string,
  toStart: Dentry,
  toPath: string,
  flags: number,
): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  if (exchange && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  if ((flags & RENAME_WHITEOUT) !== 0 && !hasCapability(caller.cred, CAP_MKNOD)) return -EPERM;
  const from = new PathWalk(caller, fromStart, fromPath);
  const to = new PathWalk(caller, toStart, toPath);
  const failed = from.toParent() || to.toParent();
  if (failed < 0) return failed;
  const fromDir = from.at;
  const toDir = to.at;
  if (fromDir.mount !== toDir.mount) return -EXDEV;
  if (from.lastKind !== 'name') return -EBUSY;
  if (to.lastKind !== 'name') return (flags & RENAME_NOREPLACE) !== 0 ? -EEXIST : -EBUSY;
  if (fromDir.mount.isReadOnly) return -EROFS;
  const source = fromDir.child(from.last);
  if (typeof source === 'number') return source;
  const found = toDir.child(to.last);
  if (typeof found === 'number' && found !== -ENOENT) return found;
  const target = typeof found === 'number' ? null : found;
  if (target === null && toDir.mount.fs.namesAreFixed) return -ENOENT;
  if (target !== null && (flags & RENAME_NOREPLACE) !== 0) return -EEXIST;
  if (exchange) {
    if (target === null) return -ENOENT;
    if (!target.inode.isDirectory && to.trailingSlash) return -ENOTDIR;
  }
  if (!source.inode.isDirectory && (from.trailingSlash || (!exchange && to.trailingSlash))) return -ENOTDIR;
  if (toDir.isWithin(source)) return -EINVAL;
  if (target !== null && fromDir.isWithin(target)) return exchange ? -EINVAL : -ENOTEMPTY;
  if ((flags & RENAME_WHITEOUT) !== 0 && !fromDir.inode.fs.makesWhiteouts) return -EINVAL;
  const result = renameChecked(caller.cred, source, fromDir, target, toDir, to.last, exchange);
  if (result !== 0 || (flags & RENAME_WHITEOUT) === 0) return result;
  // What an overlay of the guest's own takes for "removed": device 0 of characters.
  const whiteout = fromDir.inode.create(from.last, S_IFCHR, caller.cred, 0);
  if (typeof whiteout === 'number') return whiteout;
  fromDir.add(from.last, whiteout);
  return 0;
}

/** The second half of rename: permissions, then the change. */
function renameChecked(
  cred: Credentials,
  source: Dentry,
  fromDir: Dentry,
  target: Dentry | null,
  toDir: Dentry,
  toName: string,
  exchange: boolean,
): number {
  if (target !== null && target.inode === source.inode) return 0;
  const isDirectory = source.inode.isDirectory;
  let denied = mayDelete(fromDir, source, cred, isDirectory);
  if (denied !== 0) return denied;
  if (target === null) denied = mayCreate(toDir, cred);
  else denied = mayDelete(toDir, target, cred, exchange ? target.inode.isDirectory : isDirectory);
  if (denied !== 0) return denied;
  if (fromDir !== toDir) {
    // A directory that moves gets another `..`: that is a write to it.
    if (isDirectory) denied = checkPermission(source.inode, cred, MAY_WRITE);
    if (denied === 0 && exchange && target !== null && target.inode.isDirectory) {
      denied = checkPermission(target.inode, cred, MAY_WRITE);
    }
    if (denied !== 0) return denied;
  }
  if (source.isMountpoint || (target !== null && target.isMountpoint)) return -EBUSY;
  if (target !== null && !exchange && target.inode.isDirectory && !target.inode.isEmpty()) return -ENOTEMPTY;
  const fromName = source.name;
  const result = fromDir.inode.rename(
    fromName,
    source.inode,
    toDir.inode,
    toName,
    target === null ? null : target.inode,
    exchange,
  );
  if (result < 0) return result;
  if (exchange && target !== null) Dentry.exchange(source, target);
  else fromDir.moveChild(source, toDir, toName);
  const replaced = exchange ? null : (target?.inode ?? null);
  notifyMoved(fromDir.inode, fromName, toDir.inode, toName, source.inode, replaced);
  if (exchange && target !== null) {
    notifyMoved(toDir.inode, toName, fromDir.inode, fromName, target.inode, null);
  }
  return 0;
}
