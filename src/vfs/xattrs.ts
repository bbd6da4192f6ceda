// SPDX-License-Identifier: MIT
//
// Extended attributes: which classes there are, who may see and change them, and where they are kept. xattr(7).
// Models fs/xattr.c (xattr_permission, simple_xattr_set) and security/commoncap.c (cap_inode_setxattr).

import { E2BIG, EEXIST, EINVAL, ENODATA, ENOSPC, EOPNOTSUPP, EPERM, ERANGE, EROFS } from '../abi/errno.ts';
import { XATTR_CREATE, XATTR_LIST_MAX, XATTR_REPLACE } from '../abi/open.ts';
import { IN_ATTRIB } from '../abi/poll.ts';
import { S_ISVTX } from '../abi/stat.ts';
import {
  CAP_SETFCAP,
  CAP_SYS_ADMIN,
  checkPermission,
  hasCapability,
  MAY_READ,
  MAY_WRITE,
  ownsOrOverrides,
} from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import { notifyPlace } from './notify.ts';
import type { Inode } from './inode.ts';

/** Counts the bytes of attributes; a file system without one keeps none. */
export interface XattrQuota {
  /** False when `bytes` more do not fit. */
  hold(bytes: number): boolean;
  drop(bytes: number): void;
}

/** What an attribute costs beside its name and value. */
const OVERHEAD = 64;
const CLASSES = ['user.', 'trusted.', 'security.'] as const;

function costOf(name: string, value: Uint8Array): number {
  return OVERHEAD + name.length + value.length;
}

/** 0, or why the class of `name` is not kept here. */
function checkName(inode: Inode, name: string): number {
  if (inode.fs.xattrQuota === null) return -EOPNOTSUPP;
  const known = CLASSES.find((prefix) => name.startsWith(prefix));
  if (known === undefined) return -EOPNOTSUPP;
  return name.length === known.length ? -EINVAL : 0;
}

/** May `cred` read or write the attribute? */
function checkAccess(inode: Inode, cred: Credentials, name: string, writes: boolean): number {
  if (name.startsWith('security.') || name.startsWith('system.')) return 0;
  if (name.startsWith('trusted.')) {
    if (hasCapability(cred, CAP_SYS_ADMIN)) return 0;
    return writes ? -EPERM : -ENODATA;
  }
  if (name.startsWith('user.')) {
    if (!inode.isRegular && !inode.isDirectory) return writes ? -EPERM : -ENODATA;
    const isSticky = inode.isDirectory && (inode.mode & S_ISVTX) !== 0;
    if (isSticky && writes && !ownsOrOverrides(inode, cred)) return -EPERM;
  }
  return checkPermission(inode, cred, writes ? MAY_WRITE : MAY_READ);
}

/** Attributes of security modules: anybody may read them. */
function checkSecurity(cred: Credentials, name: string): number {
  if (!name.startsWith('security.')) return 0;
  const needed = name === 'security.capability' ? CAP_SETFCAP : CAP_SYS_ADMIN;
  return hasCapability(cred, needed) ? 0 : -EPERM;
}

function checkWrite(found: Dentry, cred: Credentials, name: string): number {
  if (found.mount.isReadOnly) return -EROFS;
  const { inode } = found;
  return checkAccess(inode, cred, name, true) || checkSecurity(cred, name) || checkName(inode, name);
}

export function setXattr(found: Dentry, cred: Credentials, name: string, value: Uint8Array, flags: number): number {
  const denied = checkWrite(found, cred, name);
  if (denied !== 0) return denied;
  const { inode } = found;
  const quota = inode.fs.xattrQuota;
  const old = inode.xattrs?.get(name);
  if (old !== undefined && (flags & XATTR_CREATE) !== 0) return -EEXIST;
  if (old === undefined && (flags & XATTR_REPLACE) !== 0) return -ENODATA;
  if (quota?.hold(costOf(name, value)) !== true) return -ENOSPC;
  if (old !== undefined) quota.drop(costOf(name, old));
  inode.xattrs ??= new Map();
  inode.xattrs.set(name, value);
  inode.ctimeNs = inode.fs.clock.nowNs();
  notifyPlace(found, IN_ATTRIB);
  return 0;
}

export function removeXattr(found: Dentry, cred: Credentials, name: string): number {
  const denied = checkWrite(found, cred, name);
  if (denied !== 0) return denied;
  const { inode } = found;
  const old = inode.xattrs?.get(name);
  if (old === undefined) return -ENODATA;
  inode.xattrs?.delete(name);
  inode.fs.xattrQuota?.drop(costOf(name, old));
  inode.ctimeNs = inode.fs.clock.nowNs();
  notifyPlace(found, IN_ATTRIB);
  return 0;
}

/** The value, for a buffer of `size` bytes: 0 only asks how long it is. */
export function getXattr(found: Dentry, cred: Credentials, name: string, size: number): Uint8Array | number {
  const { inode } = found;
  const denied = checkAccess(inode, cred, name, false) || checkName(inode, name);
  if (denied !== 0) return denied;
  const value = inode.xattrs?.get(name);
  if (value === undefined) return -ENODATA;
  return size !== 0 && value.length > size ? -ERANGE : value;
}

/** The names, each with a zero after it, in the order of their bytes; `size` as in `getXattr`. */
export function listXattrs(found: Dentry, cred: Credentials, size: number): string | number {
  const { inode } = found;
  const seesTrusted = hasCapability(cred, CAP_SYS_ADMIN);
  let names = '';
  for (const name of [...(inode.xattrs?.keys() ?? [])].sort()) {
    if (seesTrusted || !name.startsWith('trusted.')) names += `${name}\0`;
  }
  if (names.length > XATTR_LIST_MAX) return -E2BIG;
  return size !== 0 && names.length > size ? -ERANGE : names;
}

/** The file is gone: what its attributes took is given back. */
export function forgetXattrs(inode: Inode): void {
  const quota = inode.fs.xattrQuota;
  if (inode.xattrs === null || quota === null) return;
  for (const [name, value] of inode.xattrs) quota.drop(costOf(name, value));
  inode.xattrs = null;
}

/** Attributes that the file has from the start. */
export function adoptXattrs(inode: Inode, xattrs: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, value] of xattrs) {
    if (checkName(inode, name) !== 0 || inode.fs.xattrQuota?.hold(costOf(name, value)) !== true) continue;
    inode.xattrs ??= new Map();
    inode.xattrs.set(name, value);
  }
}
