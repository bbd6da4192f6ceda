// SPDX-License-Identifier: MIT
//
// Open directories: readdir with positions that survive changes, lseek to a position, fsync. Models fs/libfs.c.

import { savable } from '../base/savable.ts';
import { EBADF, EINVAL, EISDIR, ENOENT } from '../abi/errno.ts';
import { O_NOATIME, SEEK_CUR, SEEK_SET } from '../abi/open.ts';
import { IN_ACCESS } from '../abi/poll.ts';
import { isUnlinked } from './dentry.ts';
import type { Dentry } from './dentry.ts';
import type { EntryVisitor } from './inode.ts';
import { notifyFile } from './notify.ts';
import { OpenFile } from './open-file.ts';

/** Where a directory's listing begins: after `.` and `..`. */
const DOT = 1;
const DOTDOT = 2;

/** An open directory; `offset` is the cookie of the last entry that was given. */
export class DirectoryFile extends OpenFile {
  override readonly isSeekable = true;

  override readAt(): number {
    return -EISDIR;
  }

  override writeAt(): number {
    return -EBADF;
  }

  override readEntries(visit: EntryVisitor): number {
    const inode = this.inode;
    if (isUnlinked(this.dentry)) return -ENOENT;
    if (this.offset < DOT) {
      if (!visit('.', inode.ino, inode.mode, DOT)) return 0;
      this.offset = DOT;
    }
    if (this.offset < DOTDOT) {
      const parent = (this.dentry.parent ?? this.dentry.mount.mountpoint?.parent ?? this.dentry).inode;
      if (!visit('..', parent.ino, parent.mode, DOTDOT)) return 0;
      this.offset = DOTDOT;
    }
    const result = inode.entries(this.offset, (name, ino, mode, cookie) => {
      if (!visit(name, ino, mode, cookie)) return false;
      this.offset = cookie;
      return true;
    });
    if (result === 0) {
      if ((this.flags & O_NOATIME) === 0) this.dentry.mount.accessed(inode);
      notifyFile(this, IN_ACCESS);
    }
    return result;
  }

  override seek(offset: number, whence: number): number {
    const to = whence === SEEK_SET ? offset : whence === SEEK_CUR ? this.offset + offset : -1;
    if (to < 0) return -EINVAL;
    this.offset = to;
    return to;
  }

  override truncate(): number {
    return -EINVAL;
  }

  override sync(): number {
    return this.inode.fs.namesAreFixed ? -EINVAL : 0;
  }
}

/** Opens a directory of any file system. */
export function openDirectory(dentry: Dentry, flags: number): DirectoryFile {
  return new DirectoryFile(dentry, flags);
}

savable('vfs/directory-file', { DirectoryFile });
