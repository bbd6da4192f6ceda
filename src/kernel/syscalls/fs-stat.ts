// SPDX-License-Identifier: MIT
//
// Calls that tell of files: stat and statx, access, statfs, getdents. fs/stat.c, fs/statfs.c, fs/readdir.c.

import { EBADF, EFAULT, EINVAL, ENOTDIR } from '../../abi/errno.ts';
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RELATIME,
  ST_NOATIME,
  ST_NODEV,
  ST_NODIRATIME,
  ST_NOEXEC,
  ST_NOSUID,
  ST_NOSYMFOLLOW,
  ST_RDONLY,
  ST_RELATIME,
  ST_VALID,
} from '../../abi/mount.ts';
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_STATX_SYNC_TYPE,
  AT_SYMLINK_NOFOLLOW,
  O_PATH,
} from '../../abi/open.ts';
import {
  devMajor,
  devMinor,
  Stat,
  Statfs,
  Statx,
  STATX_ATTR_MOUNT_ROOT,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_MNT_ID,
} from '../../abi/stat.ts';
import { putU64 } from '../../abi/words.ts';
import { viewOf } from '../../base/bytes.ts';
import { checkAccess } from '../../vfs/attributes.ts';
import type { Credentials } from '../../vfs/credentials.ts';
import type { Dentry, Mount } from '../../vfs/dentry.ts';
import type { Task } from '../task.ts';
import { resolveAt } from './file-arguments.ts';
import type { SyscallDef } from './table.ts';

const wholeTime = new BigInt64Array(1);
const halvesOfTime = new Uint32Array(wholeTime.buffer);

/** Seconds and nanoseconds, without a bigint on the way: a stat has three or four of them. */
function putTime(view: DataView, at: number, ns: bigint): void {
  wholeTime[0] = ns;
  const low = halvesOfTime[0] ?? 0;
  let sec = Math.floor((((halvesOfTime[1] ?? 0) | 0) * 2 ** 32 + low) / 1e9);
  // The double was rounded, so the second may be the next or the one before; the low halves tell exactly.
  let nsec = (low - Math.imul(sec | 0, 1e9)) >>> 0;
  if (nsec >= 2 ** 31) {
    sec--;
    nsec = (nsec + 1e9) >>> 0;
  } else if (nsec >= 1e9) {
    sec++;
    nsec -= 1e9;
  }
  putU64(view, at, sec);
  view.setUint32(at + 8, nsec, true);
  view.setUint32(at + 12, 0, true);
}

const statBytes = new Uint8Array(Stat.size);
const statView = viewOf(statBytes);

/** Writes the struct stat of what was found. */
function writeStat(task: Task, found: Dentry, addr: number): number {
  const { inode } = found;
  const failed = inode.refresh();
  if (failed < 0) return failed;
  statBytes.fill(0);
  putU64(statView, Stat.dev, inode.fs.deviceNumber);
  putU64(statView, Stat.ino, inode.ino);
  putU64(statView, Stat.nlink, inode.nlink);
  statView.setUint32(Stat.mode, inode.mode, true);
  statView.setUint32(Stat.uid, inode.uid, true);
  statView.setUint32(Stat.gid, inode.gid, true);
  putU64(statView, Stat.rdev, inode.rdev);
  putU64(statView, Stat.fileSize, inode.size);
  putU64(statView, Stat.blksize, inode.blockSize);
  putU64(statView, Stat.blocks, inode.blocks);
  putTime(statView, Stat.atime, inode.atimeNs);
  putTime(statView, Stat.mtime, inode.mtimeNs);
  putTime(statView, Stat.ctime, inode.ctimeNs);
  return task.mm.copyOut(addr, statBytes) === Stat.size ? 0 : -EFAULT;
}

function statPath(task: Task, path: number, addr: number, follow: boolean): number {
  const found = resolveAt(task, AT_FDCWD, path, follow, false);
  return typeof found === 'number' ? found : writeStat(task, found, addr);
}

function fstat(task: Task, fd: number, addr: number): number {
  const file = task.files.get(fd);
  return file === undefined ? -EBADF : writeStat(task, file.dentry, addr);
}

function newfstatat(task: Task, dirfd: number, path: number, addr: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const found = resolveAt(task, dirfd, path, (flags & AT_SYMLINK_NOFOLLOW) === 0, (flags & AT_EMPTY_PATH) !== 0);
  return typeof found === 'number' ? found : writeStat(task, found, addr);
}

function statx(task: Task, dirfd: number, path: number, flags: number, mask: number, addr: number): number {
  if ((mask & 0x80000000) !== 0 || (flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  const known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
  if ((flags & ~known) !== 0) return -EINVAL;
  const found = resolveAt(task, dirfd, path, (flags & AT_SYMLINK_NOFOLLOW) === 0, (flags & AT_EMPTY_PATH) !== 0);
  if (typeof found === 'number') return found;
  const { inode } = found;
  const failed = inode.refresh();
  if (failed < 0) return failed;
  const bytes = new Uint8Array(Statx.size);
  const view = viewOf(bytes);
  const device = inode.fs.deviceNumber;
  const isMountRoot = found === found.mount.root;
  view.setUint32(Statx.mask, STATX_BASIC_STATS | STATX_MNT_ID | (mask & STATX_BTIME), true);
  view.setUint32(Statx.blksize, inode.blockSize, true);
  putU64(view, Statx.attributes, isMountRoot ? STATX_ATTR_MOUNT_ROOT : 0);
  view.setUint32(Statx.nlink, inode.nlink, true);
  view.setUint32(Statx.uid, inode.uid, true);
  view.setUint32(Statx.gid, inode.gid, true);
  view.setUint16(Statx.mode, inode.mode, true);
  putU64(view, Statx.ino, inode.ino);
  putU64(view, Statx.fileSize, inode.size);
  putU64(view, Statx.blocks, inode.blocks);
  putU64(view, Statx.attributesMask, STATX_ATTR_MOUNT_ROOT);
  putTime(view, Statx.atime, inode.atimeNs);
  if ((mask & STATX_BTIME) !== 0) putTime(view, Statx.btime, inode.btimeNs);
  putTime(view, Statx.ctime, inode.ctimeNs);
  putTime(view, Statx.mtime, inode.mtimeNs);
  view.setUint32(Statx.rdevMajor, devMajor(inode.rdev), true);
  view.setUint32(Statx.rdevMinor, devMinor(inode.rdev), true);
  view.setUint32(Statx.devMajor, devMajor(device), true);
  view.setUint32(Statx.devMinor, devMinor(device), true);
  putU64(view, Statx.mntId, found.mount.id);
  return task.mm.copyOut(addr, bytes) === Statx.size ? 0 : -EFAULT;
}

/** access(2) asks for the real ids; a real root has every capability again. */
function accessCredentials(task: Task, flags: number): Credentials {
  const { creds } = task;
  if ((flags & AT_EACCESS) !== 0) return creds;
  const { uid, gid, groups, permitted } = creds;
  if (uid === creds.fsuid && gid === creds.fsgid) return creds;
  return { fsuid: uid, fsgid: gid, groups, effective: uid === 0 ? permitted : 0n };
}

function access(task: Task, dirfd: number, path: number, mode: number, flags: number): number {
  if ((mode & ~7) !== 0 || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const cred = accessCredentials(task, flags);
  const found = resolveAt(task, dirfd, path, (flags & AT_SYMLINK_NOFOLLOW) === 0, (flags & AT_EMPTY_PATH) !== 0, cred);
  if (typeof found === 'number') return found;
  const failed = found.inode.refresh();
  return failed < 0 ? failed : checkAccess(found, cred, mode);
}

/** f_flags of a mount by its MS_ flags. */
const ST_FLAGS: readonly (readonly [number, number])[] = [
  [MS_NOSUID, ST_NOSUID],
  [MS_NODEV, ST_NODEV],
  [MS_NOEXEC, ST_NOEXEC],
  [MS_NOATIME, ST_NOATIME],
  [MS_NODIRATIME, ST_NODIRATIME],
  [MS_RELATIME, ST_RELATIME],
  [MS_NOSYMFOLLOW, ST_NOSYMFOLLOW],
];

function statfsFlags(mount: Mount): number {
  let flags = ST_VALID | (mount.isReadOnly ? ST_RDONLY : 0);
  for (const [ms, st] of ST_FLAGS) if ((mount.flags & ms) !== 0) flags |= st;
  return flags;
}

function writeStatfs(task: Task, found: Dentry, addr: number): number {
  const { fs } = found.inode;
  const totals = fs.totals();
  const bytes = new Uint8Array(Statfs.size);
  const view = viewOf(bytes);
  putU64(view, Statfs.type, fs.magic);
  putU64(view, Statfs.bsize, 4096);
  putU64(view, Statfs.blocks, totals.blocks);
  putU64(view, Statfs.bfree, totals.freeBlocks);
  putU64(view, Statfs.bavail, totals.freeBlocks);
  putU64(view, Statfs.files, totals.files);
  putU64(view, Statfs.ffree, totals.freeFiles);
  view.setUint32(Statfs.fsid, fs.deviceNumber, true);
  putU64(view, Statfs.namelen, 255);
  putU64(view, Statfs.frsize, 4096);
  putU64(view, Statfs.flags, statfsFlags(found.mount));
  return task.mm.copyOut(addr, bytes) === Statfs.size ? 0 : -EFAULT;
}

function statfs(task: Task, path: number, addr: number): number {
  const found = resolveAt(task, AT_FDCWD, path, true, false);
  return typeof found === 'number' ? found : writeStatfs(task, found, addr);
}

function fstatfs(task: Task, fd: number, addr: number): number {
  const file = task.files.get(fd);
  return file === undefined ? -EBADF : writeStatfs(task, file.dentry, addr);
}

/** Most that one call fills; more comes with the next. */
const DENTS_BYTES = 65536;

/** getdents64 when `is64`, else the old layout with the type in the last byte. */
function getdents(task: Task, fd: number, addr: number, count: number, is64: boolean): number {
  const file = task.files.get(fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  if (!file.inode.isDirectory) return -ENOTDIR;
  const bytes = new Uint8Array(Math.min(count, DENTS_BYTES));
  const view = viewOf(bytes);
  const before = file.offset;
  let used = 0;
  let isTooSmall = false;
  const failed = file.readEntries((name, ino, mode, cookie) => {
    const head = is64 ? 19 : 18;
    const size = (head + name.length + (is64 ? 1 : 2) + 7) & ~7;
    if (used + size > bytes.length) {
      isTooSmall = used === 0;
      return false;
    }
    putU64(view, used, ino);
    putU64(view, used + 8, cookie);
    view.setUint16(used + 16, size, true);
    const type = (mode & 0o170000) >>> 12;
    if (is64) bytes[used + 18] = type;
    else bytes[used + size - 1] = type;
    for (let i = 0; i < name.length; i++) bytes[used + head + i] = name.charCodeAt(i);
    used += size;
    return true;
  });
  if (failed < 0 && used === 0) return failed;
  if (isTooSmall) return -EINVAL;
  if (task.mm.copyOut(addr, bytes.subarray(0, used)) < used) {
    file.offset = before;
    return -EFAULT;
  }
  return used;
}

export const FS_STAT_CALLS: readonly SyscallDef[] = [
  { nr: 4, name: 'stat', args: ['path', 'out:stat'], call: (t, a) => statPath(t, a.num(0), a.num(1), true) },
  { nr: 5, name: 'fstat', args: ['fd', 'out:stat'], call: (t, a) => fstat(t, a.int(0), a.num(1)) },
  { nr: 6, name: 'lstat', args: ['path', 'out:stat'], call: (t, a) => statPath(t, a.num(0), a.num(1), false) },
  {
    nr: 262,
    name: 'newfstatat',
    args: ['dirfd', 'path', 'out:stat', 'flags:at'],
    call: (t, a) => newfstatat(t, a.int(0), a.num(1), a.num(2), a.uint(3)),
  },
  {
    nr: 332,
    name: 'statx',
    args: ['dirfd', 'path', 'flags:statx', 'flags:statx_mask', 'out:statx'],
    call: (t, a) => statx(t, a.int(0), a.num(1), a.uint(2), a.uint(3), a.num(4)),
  },
  {
    nr: 21,
    name: 'access',
    args: ['path', 'flags:access'],
    call: (t, a) => access(t, AT_FDCWD, a.num(0), a.uint(1), 0),
  },
  {
    nr: 269,
    name: 'faccessat',
    args: ['dirfd', 'path', 'flags:access'],
    call: (t, a) => access(t, a.int(0), a.num(1), a.uint(2), 0),
  },
  {
    nr: 439,
    name: 'faccessat2',
    args: ['dirfd', 'path', 'flags:access', 'flags:faccessat2'],
    call: (t, a) => access(t, a.int(0), a.num(1), a.uint(2), a.uint(3)),
  },
  { nr: 137, name: 'statfs', args: ['path', 'out:statfs'], call: (t, a) => statfs(t, a.num(0), a.num(1)) },
  { nr: 138, name: 'fstatfs', args: ['fd', 'out:statfs'], call: (t, a) => fstatfs(t, a.int(0), a.num(1)) },
  {
    nr: 78,
    name: 'getdents',
    args: ['fd', 'out:dirents', 'uint'],
    call: (t, a) => getdents(t, a.int(0), a.num(1), a.uint(2), false),
  },
  {
    nr: 217,
    name: 'getdents64',
    args: ['fd', 'out:dirents', 'uint'],
    call: (t, a) => getdents(t, a.int(0), a.num(1), a.uint(2), true),
  },
];
