// SPDX-License-Identifier: MIT
//
// A host directory that holds one program in memory: a student's program never becomes a file of the host.

import { EACCES, ENOENT, EROFS } from '../../abi/errno.ts';
import type { HostDirectory, HostFile, HostStat } from '../../base/host.ts';

/** The name of the only entry. */
export const PROGRAM_ENTRY = 'program';

/** @param bytes an ELF image; not copied */
export function programDirectory(bytes: Uint8Array): HostDirectory {
  const stat: HostStat = {
    kind: 'file',
    mode: 0o755,
    size: bytes.length,
    nlink: 1,
    uid: 0,
    gid: 0,
    mtimeNs: 0n,
    ctimeNs: 0n,
    atimeNs: 0n,
    ino: 1n,
    dev: 1n,
    rdev: 0n,
    blocks: Math.ceil(bytes.length / 512),
  };
  const file: HostFile = {
    pread: (into, position) => {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    pwrite: () => -EROFS,
    size: () => bytes.length,
    stat: () => stat,
    truncate: () => -EROFS,
    sync: () => 0,
    close: () => {},
  };
  const refuse = (): number => -EROFS;
  return {
    writable: false,
    stat: (path) => (path === PROGRAM_ENTRY ? stat : -ENOENT),
    list: (path) => (path === '' ? [PROGRAM_ENTRY] : -ENOENT),
    readlink: () => -ENOENT,
    open: (path, write) => (path !== PROGRAM_ENTRY ? -ENOENT : write ? -EACCES : file),
    create: refuse,
    mkdir: refuse,
    unlink: refuse,
    rmdir: refuse,
    rename: refuse,
    symlink: refuse,
    link: refuse,
    chmod: refuse,
    utimes: refuse,
  };
}
