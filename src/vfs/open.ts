// SPDX-License-Identifier: MIT
//
// open(2): from a path and flags to an open file description, creating, truncating and refusing as Linux does.
// Models fs/open.c (build_open_flags) and fs/namei.c (do_open, may_open).

import { savable } from '../base/savable.ts';
import { EACCES, EEXIST, EFBIG, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, EPERM, EROFS, ETXTBSY } from '../abi/errno.ts';
import { MS_NODEV } from '../abi/mount.ts';
import {
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE,
  O_TRUNC,
} from '../abi/open.ts';
import { IN_MODIFY, IN_OPEN } from '../abi/poll.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG } from '../abi/stat.ts';
import { checkPermission, MAY_EXEC, MAY_READ, MAY_WRITE, ownsOrOverrides } from './credentials.ts';
import { Dentry } from './dentry.ts';
import type { Caller } from './fs-context.ts';
import type { Inode } from './inode.ts';
import { mayCreate } from './namespace.ts';
import { notifyCreated, notifyFile, notifyPlace } from './notify.ts';
import { PathFile } from './open-file.ts';
import type { OpenFile, ReleaseHook } from './open-file.ts';
import { PathWalk } from './path-walk.ts';

/** Bits of open that a description does not keep. */
const TRANSIENT = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;
const ANY_TMPFILE = O_TMPFILE & ~O_DIRECTORY;

/**
 * Opens a path.
 * @param resolve RESOLVE_ bits of openat2
 */
export function openPath(
  caller: Caller,
  start: Dentry,
  path: string,
  flags: number,
  mode: number,
  resolve = 0,
): OpenFile | number {
  if ((flags & O_PATH) !== 0) {
    const kept = flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const found = new PathWalk(caller, start, path, resolve).toEnd((flags & O_NOFOLLOW) === 0);
    if (typeof found === 'number') return found;
    if ((flags & O_DIRECTORY) !== 0 && !found.inode.isDirectory) return -ENOTDIR;
    return new PathFile(found, kept & ~O_CLOEXEC);
  }
  if ((flags & ANY_TMPFILE) !== 0) {
    if ((flags & (O_TMPFILE | O_CREAT)) !== O_TMPFILE || (flags & O_ACCMODE) === O_RDONLY) return -EINVAL;
    return openUnnamed(caller, start, path, flags, mode, resolve);
  }
  // Linux 6.3 made this combination an error; before it created a file and then failed.
  if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) return -EINVAL;
  const walk = new PathWalk(caller, start, path, resolve);
  if ((flags & O_CREAT) === 0) {
    const found = walk.toEnd((flags & O_NOFOLLOW) === 0);
    if (typeof found === 'number') return found;
    return openDentry(caller, found, flags);
  }
  let failed = walk.toParent();
  for (;;) {
    if (failed < 0) return failed;
    if (walk.lastKind !== 'name') return (flags & O_EXCL) !== 0 ? -EEXIST : -EISDIR;
    if (walk.trailingSlash) return -EISDIR;
    const child = walk.child(walk.last);
    if (typeof child === 'number') {
      return child === -ENOENT ? createAndOpen(caller, walk.at, walk.last, flags, mode) : child;
    }
    if ((flags & O_EXCL) !== 0) return -EEXIST;
    if (!child.inode.isSymlink || (flags & O_NOFOLLOW) !== 0) return openDentry(caller, child, flags);
    failed = walk.expand(child, '');
    if (failed === 0) return openDentry(caller, walk.at, flags);
    if (failed > 0) failed = walk.again();
  }
}

function createAndOpen(caller: Caller, dir: Dentry, name: string, flags: number, mode: number): OpenFile | number {
  if (dir.mount.isReadOnly) return -EROFS;
  const denied = mayCreate(dir, caller.cred);
  if (denied !== 0) return denied;
  const bits = mode & 0o7777 & ~caller.fs.umask;
  const inode = dir.inode.create(name, S_IFREG | bits, caller.cred, 0);
  if (typeof inode === 'number') return inode;
  // The creator's access is not checked against the mode that it just gave.
  notifyCreated(dir.inode, name, inode);
  return openInode(dir.add(name, inode), inode, flags, caller);
}

function openUnnamed(
  caller: Caller,
  start: Dentry,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): OpenFile | number {
  const dir = new PathWalk(caller, start, path, resolve).toEnd(true);
  if (typeof dir === 'number') return dir;
  if (!dir.inode.isDirectory) return -ENOTDIR;
  if (dir.mount.isReadOnly) return -EROFS;
  const denied = checkPermission(dir.inode, caller.cred, MAY_WRITE | MAY_EXEC);
  if (denied !== 0) return denied;
  const inode = dir.inode.createUnnamed(S_IFREG | (mode & 0o7777 & ~caller.fs.umask), caller.cred);
  if (typeof inode === 'number') return inode;
  inode.isLinkable = (flags & O_EXCL) === 0;
  const dentry = new Dentry(`#${inode.ino}`, dir, inode, dir.mount);
  dentry.isDeleted = true;
  return openInode(dentry, inode, flags, caller);
}

/** Opens what was found, after all checks of may_open. */
export function openDentry(caller: Caller, found: Dentry, flags: number): OpenFile | number {
  const inode = found.inode;
  if (inode.type === S_IFLNK) return -ELOOP;
  if ((flags & O_DIRECTORY) !== 0 && inode.type !== S_IFDIR) return -ENOTDIR;
  if (isDevice(inode.type) && (found.mount.flags & MS_NODEV) !== 0) return -EACCES;
  const wanted = wantedAccess(flags);
  if (inode.type === S_IFDIR && ((wanted & MAY_WRITE) !== 0 || (flags & O_CREAT) !== 0)) return -EISDIR;
  if ((wanted & MAY_WRITE) !== 0 && inode.type === S_IFREG && found.mount.isReadOnly) return -EROFS;
  const denied = checkPermission(inode, caller.cred, wanted);
  if (denied !== 0) return denied;
  if ((flags & O_NOATIME) !== 0 && !ownsOrOverrides(inode, caller.cred)) return -EPERM;
  if ((wanted & MAY_WRITE) !== 0 && inode.deniesWrite > 0) return -ETXTBSY;
  if ((flags & O_TRUNC) !== 0 && inode.isRegular) {
    const failed = inode.truncate(0);
    if (failed < 0) return failed;
    inode.dropSetId(caller.cred);
    notifyPlace(found, IN_MODIFY);
  }
  return openInode(found, inode, flags, caller);
}

function isDevice(type: number): boolean {
  return type === S_IFCHR || type === S_IFBLK;
}

/** The MAY_ bits that open flags ask for. */
function wantedAccess(flags: number): number {
  const mode = flags & O_ACCMODE;
  let wanted = mode === 0 ? MAY_READ : mode === 1 ? MAY_WRITE : MAY_READ | MAY_WRITE;
  if ((flags & (O_TRUNC | O_APPEND)) === O_TRUNC) wanted |= MAY_WRITE;
  return wanted;
}

function openInode(dentry: Dentry, inode: Inode, flags: number, caller: Caller): OpenFile | number {
  if (inode.size > Number.MAX_SAFE_INTEGER) return -EFBIG;
  // Terminals look at O_NOCTTY; nobody keeps it.
  const file = inode.open(dentry, (flags & ~(TRANSIENT & ~O_NOCTTY)) | O_LARGEFILE, caller.cred);
  if (typeof file === 'number') return file;
  file.flags &= ~O_NOCTTY;
  notifyFile(file, IN_OPEN);
  if (inode.isRegular && file.canWrite) {
    const { mount } = dentry;
    inode.writers++;
    mount.writers++;
    file.onRelease(WRITER_GONE);
  }
  return file;
}

/** Counts an open description that may write out again. */
class WriterGone implements ReleaseHook {
  released(file: OpenFile): void {
    file.inode.writers--;
    file.dentry.mount.writers--;
  }
}

const WRITER_GONE = new WriterGone();

savable('vfs/open', { WriterGone });
