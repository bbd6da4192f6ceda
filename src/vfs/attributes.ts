// SPDX-License-Identifier: MIT
//
// Operations that look at or change attributes: access, chmod, chown, utimes, truncate by path, chdir, chroot.
// Models fs/attr.c (setattr_prepare), fs/open.c.

import { EACCES, EINVAL, EISDIR, ENOTDIR, EOPNOTSUPP, EPERM, EROFS, ETXTBSY } from '../abi/errno.ts';
import { W_OK, X_OK } from '../abi/open.ts';
import { IN_ACCESS, IN_ATTRIB, IN_MODIFY } from '../abi/poll.ts';
import { S_IFREG, S_ISGID, S_ISUID } from '../abi/stat.ts';
import {
  CAP_CHOWN,
  CAP_FSETID,
  CAP_SYS_CHROOT,
  checkPermission,
  hasCapability,
  isInGroup,
  MAY_EXEC,
  MAY_WRITE,
  ownsOrOverrides,
} from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Dentry } from './dentry.ts';
import type { Caller } from './fs-context.ts';
import { notifyPlace } from './notify.ts';

/** access(2) for `cred`; `mode` is a union of R_OK, W_OK and X_OK, whose values are the MAY_ bits. */
export function checkAccess(found: Dentry, cred: Credentials, mode: number): number {
  const inode = found.inode;
  const denied = checkPermission(inode, cred, mode & 7);
  if (denied !== 0) return denied;
  const isSpecial = !inode.isRegular && !inode.isDirectory && !inode.isSymlink;
  if ((mode & W_OK) !== 0 && found.mount.isReadOnly && !isSpecial) return -EROFS;
  if ((mode & X_OK) !== 0 && inode.isRegular && (found.mount.isNoExec || (inode.mode & 0o111) === 0)) return -EACCES;
  return 0;
}

export function changeMode(cred: Credentials, found: Dentry, mode: number): number {
  if (found.mount.isReadOnly) return -EROFS;
  const inode = found.inode;
  if (inode.isSymlink) return -EOPNOTSUPP;
  if (!ownsOrOverrides(inode, cred)) return -EPERM;
  let bits = mode & 0o7777;
  if ((bits & S_ISGID) !== 0 && !isInGroup(cred, inode.gid) && !hasCapability(cred, CAP_FSETID)) bits &= ~S_ISGID;
  return told(found, inode.setMode(bits), IN_ATTRIB);
}

/** Tells watchers of a change that worked. */
function told(found: Dentry, result: number, event: number): number {
  if (result === 0) notifyPlace(found, event);
  return result;
}

/** @param uid,gid -1 leaves them */
export function changeOwner(cred: Credentials, found: Dentry, uid: number, gid: number): number {
  if (found.mount.isReadOnly) return -EROFS;
  const inode = found.inode;
  const mayAny = hasCapability(cred, CAP_CHOWN);
  if (uid !== -1 && !mayAny && (cred.fsuid !== inode.uid || uid !== inode.uid)) return -EPERM;
  if (gid !== -1 && !mayAny && (cred.fsuid !== inode.uid || !(gid === inode.gid || isInGroup(cred, gid)))) {
    return -EPERM;
  }
  if (!inode.isDirectory && (inode.mode & (S_ISUID | S_ISGID)) !== 0) {
    let mode = inode.mode & ~S_ISUID;
    if ((mode & 0o010) !== 0) mode &= ~S_ISGID;
    inode.setMode(mode & 0o7777);
  }
  const result = inode.setOwner(uid === -1 ? inode.uid : uid, gid === -1 ? inode.gid : gid);
  return told(found, result, IN_ATTRIB);
}

/** A new time stamp: a moment, "now", or null to leave it. */
export type NewTime = bigint | 'now' | null;

export function changeTimes(cred: Credentials, found: Dentry, atime: NewTime, mtime: NewTime): number {
  if (found.mount.isReadOnly) return -EROFS;
  if (atime === null && mtime === null) return 0;
  const inode = found.inode;
  if (!ownsOrOverrides(inode, cred)) {
    if (atime !== 'now' || mtime !== 'now') return -EPERM;
    const denied = checkPermission(inode, cred, MAY_WRITE);
    if (denied !== 0) return denied;
  }
  const now = inode.fs.clock.nowNs();
  const result = inode.setTimes(atime === 'now' ? now : atime, mtime === 'now' ? now : mtime);
  return told(found, result, atime === null ? IN_MODIFY : mtime === null ? IN_ACCESS : IN_ATTRIB);
}

export function truncatePath(cred: Credentials, found: Dentry, size: number): number {
  const inode = found.inode;
  if (inode.isDirectory) return -EISDIR;
  if (inode.type !== S_IFREG) return -EINVAL;
  if (found.mount.isReadOnly) return -EROFS;
  const denied = checkPermission(inode, cred, MAY_WRITE);
  if (denied !== 0) return denied;
  if (inode.deniesWrite > 0) return -ETXTBSY;
  const result = inode.truncate(size);
  if (result === 0) inode.dropSetId(cred);
  return told(found, result, IN_MODIFY);
}

export function changeDirectory(caller: Caller, found: Dentry): number {
  if (!found.inode.isDirectory) return -ENOTDIR;
  const denied = checkPermission(found.inode, caller.cred, MAY_EXEC);
  if (denied !== 0) return denied;
  caller.fs.cwd = found;
  return 0;
}

export function changeRoot(caller: Caller, found: Dentry): number {
  if (!found.inode.isDirectory) return -ENOTDIR;
  const denied = checkPermission(found.inode, caller.cred, MAY_EXEC);
  if (denied !== 0) return denied;
  if (!hasCapability(caller.cred, CAP_SYS_CHROOT)) return -EPERM;
  caller.fs.root = found;
  return 0;
}
