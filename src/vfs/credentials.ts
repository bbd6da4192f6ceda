// SPDX-License-Identifier: MIT
//
// Who asks: the identity that file permissions are checked against, and the checks themselves.
// Models fs/namei.c generic_permission and path_resolution(7).

import { EACCES } from '../abi/errno.ts';
import { S_IFDIR, S_IFMT } from '../abi/stat.ts';

export const CAP_CHOWN = 0;
export const CAP_DAC_OVERRIDE = 1;
export const CAP_DAC_READ_SEARCH = 2;
export const CAP_FOWNER = 3;
export const CAP_FSETID = 4;
export const CAP_SYS_CHROOT = 18;
export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_NICE = 23;
export const CAP_SYS_RESOURCE = 24;
export const CAP_MKNOD = 27;
export const CAP_SETFCAP = 31;

/** The file-system identity of a task; implemented by the kernel's credentials. */
export interface Credentials {
  readonly fsuid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  /** Effective capabilities, by bit. */
  readonly effective: bigint;
}

/** Root with every capability: what the system itself acts as. */
export const SYSTEM_CREDENTIALS: Credentials = {
  fsuid: 0,
  fsgid: 0,
  groups: [],
  effective: (1n << 41n) - 1n,
};

export function hasCapability(cred: Credentials, capability: number): boolean {
  return cred.effective !== 0n && ((cred.effective >> BigInt(capability)) & 1n) === 1n;
}

export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

/** What a permission check looks at. */
export interface Owned {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** A rule of its own for whoever asks now: 0 or -errno, or null where the mode decides. */
  decides?(wanted: number): number | null;
}

export function isInGroup(cred: Credentials, gid: number): boolean {
  return cred.fsgid === gid || cred.groups.includes(gid);
}

/** 0 or -EACCES. `wanted` is a union of the MAY_ bits. */
export function checkPermission(node: Owned, cred: Credentials, wanted: number): number {
  const decided = node.decides?.(wanted) ?? null;
  if (decided !== null) return decided;
  const mode = node.mode;
  let granted: number;
  if (cred.fsuid === node.uid) granted = mode >> 6;
  else if (isInGroup(cred, node.gid)) granted = mode >> 3;
  else granted = mode;
  if ((granted & wanted & 7) === wanted) return 0;
  const isDirectory = (mode & S_IFMT) === S_IFDIR;
  // Without any execute bit even CAP_DAC_OVERRIDE does not make a file executable.
  if (hasCapability(cred, CAP_DAC_OVERRIDE) && (isDirectory || (wanted & MAY_EXEC) === 0 || (mode & 0o111) !== 0))
    return 0;
  const readsOnly = isDirectory ? (wanted & MAY_WRITE) === 0 : wanted === MAY_READ;
  if (readsOnly && hasCapability(cred, CAP_DAC_READ_SEARCH)) return 0;
  return -EACCES;
}

/** True when `cred` may act as the owner (chmod, utimes, sticky directories). */
export function ownsOrOverrides(node: Owned, cred: Credentials): boolean {
  return cred.fsuid === node.uid || hasCapability(cred, CAP_FOWNER);
}
