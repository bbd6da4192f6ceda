// SPDX-License-Identifier: MIT
//
// Telling watchers what happens to files. Whoever changes a file or a name calls one of these; without a watch in the
// file system that costs one test. Models include/linux/fsnotify.h.

import { O_PATH } from '../abi/open.ts';
import * as P from '../abi/poll.ts';
import type { Dentry } from './dentry.ts';
import type { FileSystem, Inode } from './inode.ts';
import type { OpenFile } from './open-file.ts';

/** A watch on an inode. */
export interface InodeWatcher {
  /**
   * @param mask one IN_ event, perhaps with IN_ISDIR
   * @param name of the file in the watched directory; null for the watched file itself
   * @param isUnlinked the file has lost that name
   */
  event(mask: number, cookie: number, name: string | null, isUnlinked: boolean): void;
  /** The inode is gone. */
  gone(): void;
  /** The file system is gone. */
  unmounted(): void;
}

const COOKIE_BITS = 20;

function tell(inode: Inode, mask: number, cookie: number, name: string | null, isUnlinked = false): void {
  const { watchers } = inode;
  if (watchers === null) return;
  for (const watcher of [...watchers]) watcher.event(mask, cookie, name, isUnlinked);
}

function kindBit(inode: Inode): number {
  return inode.isDirectory ? P.IN_ISDIR : 0;
}

/** Something happened to the file at a place: its directory's watchers hear of it first, then its own. */
export function notifyPlace(dentry: Dentry, event: number): void {
  const { inode, entry } = dentry;
  if (inode.fs.watches === 0) return;
  const mask = event | kindBit(inode);
  if (entry.parent !== null) tell(entry.parent.inode, mask, 0, entry.name, entry.isDeleted);
  tell(inode, mask, 0, null, entry.isDeleted);
}

/** The same of an open file; descriptors that only name a place make no events. */
export function notifyFile(file: OpenFile, event: number): void {
  if (file.inode.fs.watches > 0 && (file.flags & O_PATH) === 0) notifyPlace(file.dentry, event);
}

/** Something happened to an inode, not to one of its names. */
export function notifyInode(inode: Inode, event: number): void {
  if (inode.fs.watches > 0) tell(inode, event | kindBit(inode), 0, null);
}

/** A directory has a new name. */
export function notifyCreated(dir: Inode, name: string, inode: Inode): void {
  if (dir.fs.watches > 0) tell(dir, P.IN_CREATE | kindBit(inode), 0, name);
}

/** A directory has lost a name; with its last name, and nobody who has it open, the file goes, too. */
export function notifyDeleted(dir: Inode, name: string, inode: Inode): void {
  if (dir.fs.watches === 0) return;
  if (!inode.isDirectory) notifyInode(inode, P.IN_ATTRIB);
  notifyUnused(inode);
  tell(dir, P.IN_DELETE | kindBit(inode), 0, name);
}

/** A file has another name now. `replaced` is what had that name before. */
export function notifyMoved(
  from: Inode,
  fromName: string,
  to: Inode,
  toName: string,
  inode: Inode,
  replaced: Inode | null,
): void {
  const { fs } = from;
  if (fs.watches === 0) return;
  const cookie = ((fs.deviceNumber << COOKIE_BITS) | (++fs.moves & (2 ** COOKIE_BITS - 1))) >>> 0;
  tell(from, P.IN_MOVED_FROM | kindBit(inode), cookie, fromName);
  tell(to, P.IN_MOVED_TO | kindBit(inode), cookie, toName);
  if (replaced !== null) notifyInode(replaced, P.IN_ATTRIB);
  notifyInode(inode, P.IN_MOVE_SELF);
  if (replaced !== null) notifyUnused(replaced);
}

/** The last mount of a file system is gone, and nobody uses it: its watches end. */
export function notifyUnmounted(fs: FileSystem): void {
  for (const watcher of [...(fs.watchers ?? [])]) watcher.unmounted();
}

/** A file without names goes once nobody has it open; so do the watches on it. */
export function notifyUnused(inode: Inode): void {
  const { watchers } = inode;
  if (watchers === null || inode.nlink > 0 || inode.opens > 0) return;
  notifyInode(inode, P.IN_DELETE_SELF);
  for (const watcher of [...watchers]) watcher.gone();
}
