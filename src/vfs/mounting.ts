// SPDX-License-Identifier: MIT
//
// mount(2), umount2(2) and pivot_root(2) on places that were looked up: what is refused, in Linux's order, and the
// change. Models fs/namespace.c (path_mount, do_loopback, do_move_mount, do_umount, pivot_root).

import { EAGAIN, EBUSY, EINVAL, ELOOP, ENODEV, ENOENT, ENOTDIR, EPERM } from '../abi/errno.ts';
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_NOATIME,
  MS_OF_MOUNT,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
} from '../abi/mount.ts';
import { CAP_SYS_ADMIN, hasCapability } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import { isUnlinked } from './dentry.ts';
import type { Dentry, Mount } from './dentry.ts';
import type { FsContext } from './fs-context.ts';
import type { FileSystem } from './inode.ts';
import type { MountTable } from './mount-table.ts';
import { notifyUnmounted } from './notify.ts';

/** Makes a file system of a type from the data of mount(2), or gives -errno. */
export type FileSystemMaker = (data: string, cred: Credentials) => FileSystem | number;

export function mayMount(cred: Credentials): boolean {
  return hasCapability(cred, CAP_SYS_ADMIN);
}

/** The MS_ flags that a mount keeps; access times are relative unless the caller says otherwise. */
function mountFlags(flags: number): number {
  const kept = flags & MS_OF_MOUNT;
  return (flags & (MS_NOATIME | MS_STRICTATIME)) === 0 ? kept | MS_RELATIME : kept & ~MS_RELATIME;
}

function isMountRoot(place: Dentry): boolean {
  return place === place.mount.root;
}

/** A new file system at `at`. */
export function mountNew(
  table: MountTable,
  make: FileSystemMaker | undefined,
  at: Dentry,
  source: string,
  flags: number,
  data: string,
  cred: Credentials,
): number {
  if (make === undefined) return -ENODEV;
  const fs = make(data, cred);
  if (typeof fs === 'number') return fs;
  // The same once more on top of itself would change nothing.
  if (isMountRoot(at) && at.mount.fs === fs && at.entry === fs.rootEntry) return -EBUSY;
  if ((flags & MS_RDONLY) !== 0 && fs.mountCount === 0) fs.isReadOnly = true;
  return place(table, table.make(fs, mountFlags(flags), source), at);
}

function place(table: MountTable, mount: Mount, at: Dentry): number {
  if (!table.has(at.mount)) return -EINVAL;
  if (isUnlinked(at)) return -ENOENT;
  if (mount.root.inode.isDirectory !== at.inode.isDirectory) return -ENOTDIR;
  return table.attach(mount, at);
}

/** MS_BIND: what `from` is appears at `at`, too. */
export function bindMount(table: MountTable, from: Dentry, at: Dentry, flags: number): number {
  if (from.mount.isUnbindable || !table.has(from.mount) || !table.has(at.mount)) return -EINVAL;
  const copy = table.copy(from, (flags & MS_REC) !== 0);
  if (typeof copy === 'number') return copy;
  const failed = place(table, copy, at);
  if (failed < 0) table.detach(copy);
  return failed;
}

/** MS_REMOUNT: new flags and options for the file system, or with MS_BIND new flags for this mount of it. */
export function remount(table: MountTable, at: Dentry, flags: number, data: string, onlyMount: boolean): number {
  const { mount } = at;
  if (!isMountRoot(at) || !table.has(mount)) return -EINVAL;
  const readOnly = (flags & MS_RDONLY) !== 0;
  if (!onlyMount) {
    if (readOnly && !mount.fs.isReadOnly) {
      for (const other of table.all) if (other.fs === mount.fs && other.writers > 0) return -EBUSY;
    }
    const failed = mount.fs.reconfigure(data);
    if (failed < 0) return failed;
    mount.fs.isReadOnly = readOnly;
    mount.flags = mountFlags(flags);
    return 0;
  }
  if (readOnly && !mount.isReadOnly && mount.writers > 0) return -EBUSY;
  mount.flags = mountFlags(flags);
  return 0;
}

/** MS_MOVE: the mount at `from` goes to `at`. */
export function moveMount(table: MountTable, from: Dentry, at: Dentry): number {
  const { mount } = from;
  if (!isMountRoot(from) || !table.has(mount) || !table.has(at.mount)) return -EINVAL;
  if (mount.mountpoint === null) return -EINVAL;
  if (mount.root.inode.isDirectory !== at.inode.isDirectory) return -EINVAL;
  if (isUnlinked(at)) return -ENOENT;
  if (at.isWithin(mount.root)) return -ELOOP;
  table.move(mount, at);
  return 0;
}

/**
 * MS_PRIVATE and its kin. All mounts are private, and a slave of a private mount is private: both calls leave what is.
 * Mounts whose changes appear in others do not exist here.
 */
export function changePropagation(table: MountTable, at: Dentry, flags: number): number {
  const type = flags & ~(MS_REC | MS_SILENT);
  if (![MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE].includes(type)) return -EINVAL;
  if (!isMountRoot(at) || !table.has(at.mount) || type === MS_SHARED) return -EINVAL;
  const changed = [at.mount];
  for (let i = 0; i < changed.length; i++) {
    const mount = changed[i];
    if (mount === undefined) continue;
    mount.isUnbindable = type === MS_UNBINDABLE;
    if ((flags & MS_REC) !== 0) changed.push(...mount.children);
  }
  return 0;
}

/**
 * umount2(2).
 * @param isRoot the caller's root is this mount
 * @param isUsed somebody works in the mount, or has mapped a file of it
 */
export function unmount(
  table: MountTable,
  at: Dentry,
  flags: number,
  cred: Credentials,
  isRoot: boolean,
  isUsed: (mount: Mount) => boolean,
): number {
  const { mount } = at;
  if (!mayMount(cred)) return -EPERM;
  if (!isMountRoot(at) || !table.has(mount)) return -EINVAL;
  const busy = (): boolean => mount.children.size > 0 || mount.users > 0 || isUsed(mount);
  if ((flags & MNT_EXPIRE) !== 0) {
    if (isRoot || (flags & (MNT_FORCE | MNT_DETACH)) !== 0) return -EINVAL;
    if (busy()) return -EBUSY;
    if (!mount.isExpiring) {
      mount.isExpiring = true;
      return -EAGAIN;
    }
  } else if (isRoot && (flags & MNT_DETACH) === 0) {
    // The root of a system cannot go: it becomes read-only, as at shutdown.
    return remount(table, at, mount.flags | MS_RDONLY, '', false);
  } else if ((flags & MNT_DETACH) === 0 && busy()) return -EBUSY;
  if (mount.mountpoint === null) return -EINVAL;
  // What is taken away while somebody uses it keeps counting against the limits until the run ends.
  const isIdle = !busy();
  table.detach(mount);
  if (isIdle && mount.fs.mountCount === 0) {
    notifyUnmounted(mount.fs);
    mount.fs.dispose();
  }
  return 0;
}

/**
 * pivot_root(2): what is mounted at `next` becomes the root, and the old root lies at `oldAt` from then on.
 * @param contexts the views of all tasks: whoever stands at the old root stands at the new one then
 */
export function pivotRoot(
  table: MountTable,
  root: Dentry,
  next: Dentry,
  oldAt: Dentry,
  contexts: Iterable<FsContext>,
): number {
  const rootMount = root.mount;
  const nextMount = next.mount;
  if (!table.has(rootMount) || !table.has(nextMount)) return -EINVAL;
  if (isUnlinked(next) || isUnlinked(oldAt)) return -ENOENT;
  if (nextMount === rootMount || oldAt.mount === rootMount) return -EBUSY;
  if (!isMountRoot(root) || rootMount !== table.root || !isMountRoot(next)) return -EINVAL;
  if (!oldAt.isWithin(next) || !next.isWithin(root)) return -EINVAL;
  table.pivot(nextMount, oldAt);
  for (const context of contexts) {
    if (context.root === root) context.root = nextMount.root;
    if (context.cwd === root) context.cwd = nextMount.root;
  }
  return 0;
}
