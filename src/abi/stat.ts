// SPDX-License-Identifier: MIT
//
// File types, statx masks, directory entries and the layouts of stat, statx, statfs; linux/stat.h,
// arch/x86/include/uapi/asm/stat.h.

// st_mode
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o60000;
export const S_IFDIR = 0o40000;
export const S_IFCHR = 0o20000;
export const S_IFIFO = 0o10000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;

// stx_mask, stx_attributes
export const STATX_TYPE = 0x1;
export const STATX_MODE = 0x2;
export const STATX_NLINK = 0x4;
export const STATX_UID = 0x8;
export const STATX_GID = 0x10;
export const STATX_ATIME = 0x20;
export const STATX_MTIME = 0x40;
export const STATX_CTIME = 0x80;
export const STATX_INO = 0x100;
export const STATX_SIZE = 0x200;
export const STATX_BLOCKS = 0x400;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;
export const STATX_ALL = 0xfff;
export const STATX_MNT_ID = 0x1000;
export const STATX_DIOALIGN = 0x2000;
export const STATX_ATTR_COMPRESSED = 0x4;
export const STATX_ATTR_IMMUTABLE = 0x10;
export const STATX_ATTR_APPEND = 0x20;
export const STATX_ATTR_NODUMP = 0x40;
export const STATX_ATTR_ENCRYPTED = 0x800;
export const STATX_ATTR_AUTOMOUNT = 0x1000;
export const STATX_ATTR_MOUNT_ROOT = 0x2000;
export const STATX_ATTR_VERITY = 0x100000;
export const STATX_ATTR_DAX = 0x200000;

// d_type of a directory entry
export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;

// f_type of statfs
export const TMPFS_MAGIC = 0x1021994;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const SYSFS_MAGIC = 0x62656572;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;
export const PIPEFS_MAGIC = 0x50495045;
export const SOCKFS_MAGIC = 0x534f434b;
export const ANON_INODE_FS_MAGIC = 0x9041934;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const EXT4_SUPER_MAGIC = 0xef53;
export const RAMFS_MAGIC = 0x858458f6;

/** struct stat. */
// prettier-ignore
export const Stat = {
  size: 144, dev: 0, ino: 8, nlink: 16, mode: 24, uid: 28, gid: 32, rdev: 40, fileSize: 48, blksize: 56, blocks: 64,
  atime: 72, mtime: 88, ctime: 104,
} as const;
/** struct statx; times are struct statx_timestamp (sec 64, nsec 32). */
// prettier-ignore
export const Statx = {
  size: 256, mask: 0, blksize: 4, attributes: 8, nlink: 16, uid: 20, gid: 24, mode: 28, ino: 32, fileSize: 40, blocks: 48,
  attributesMask: 56, atime: 64, btime: 80, ctime: 96, mtime: 112, rdevMajor: 128, rdevMinor: 132, devMajor: 136,
  devMinor: 140, mntId: 144, dioMemAlign: 152, dioOffsetAlign: 156,
} as const;
/** struct statfs. */
// prettier-ignore
export const Statfs = {
  size: 120, type: 0, bsize: 8, blocks: 16, bfree: 24, bavail: 32, files: 40, ffree: 48, fsid: 56, namelen: 64,
  frsize: 72, flags: 80,
} as const;
/** struct linux_dirent64: a name follows at `name`, zero-terminated, the record padded to 8 bytes. */
export const Dirent64 = { ino: 0, off: 8, reclen: 16, type: 18, name: 19 } as const;
/** struct linux_dirent (getdents): the type is the last byte of the record. */
export const Dirent = { ino: 0, off: 8, reclen: 16, name: 18 } as const;
/** struct iovec. */
export const Iovec = { size: 16, base: 0, length: 8 } as const;
/** struct flock. */
export const Flock = { size: 32, type: 0, whence: 2, start: 8, length: 16, pid: 24 } as const;

/** Device number as stat reports it. */
export function makedev(major: number, minor: number): number {
  return (major & 0xfffff000) * 2 ** 32 + (major & 0xfff) * 256 + (minor & 0xff) + Math.floor(minor / 256) * 2 ** 20;
}

export function devMajor(dev: number): number {
  return (Math.floor(dev / 256) & 0xfff) | (Math.floor(dev / 2 ** 32) & 0xfffff000);
}

export function devMinor(dev: number): number {
  return (dev & 0xff) | (Math.floor(dev / 2 ** 12) & 0xffffff00);
}
