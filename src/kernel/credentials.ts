// SPDX-License-Identifier: MIT
//
// User and group ids and capabilities of a task: an immutable value, replaced as a whole. credentials(7),
// capabilities(7). Models gVisor pkg/sentry/kernel/auth/credentials.go.

/** All capabilities that Linux 6.1 knows: bits 0 .. 40. */
export const ALL_CAPS = (1n << 41n) - 1n;

/** Capabilities the kernel asks about, by bit. */
export const Cap = {
  chown: 0,
  dacOverride: 1,
  dacReadSearch: 2,
  fowner: 3,
  fsetid: 4,
  kill: 5,
  setgid: 6,
  setuid: 7,
  setpcap: 8,
  netAdmin: 12,
  ipcLock: 14,
  ipcOwner: 15,
  sysChroot: 18,
  sysPtrace: 19,
  sysAdmin: 21,
  sysBoot: 22,
  sysNice: 23,
  sysResource: 24,
  sysTime: 25,
  sysTtyConfig: 26,
  mknod: 27,
  syslog: 34,
  wakeAlarm: 35,
  checkpointRestore: 40,
} as const;

// securebits.h; the bit above each of them locks it.
export const SECBIT_NOROOT = 0x1;
export const SECBIT_NO_SETUID_FIXUP = 0x4;
export const SECBIT_KEEP_CAPS = 0x10;
export const SECBIT_KEEP_CAPS_LOCKED = 0x20;
export const SECBIT_NO_CAP_AMBIENT_RAISE = 0x40;
export const SECURE_ALL_BITS = 0x55;
export const SECURE_ALL_LOCKS = 0xaa;

const LINUX_IMMUTABLE = 9;
const MAC_OVERRIDE = 32;
/** What setfsuid(2) gives and takes: rights over files. */
const FS_CAPS = [
  Cap.chown,
  Cap.dacOverride,
  Cap.dacReadSearch,
  Cap.fowner,
  Cap.fsetid,
  LINUX_IMMUTABLE,
  Cap.mknod,
  MAC_OVERRIDE,
].reduce((set, cap) => set | (1n << BigInt(cap)), 0n);

/** Who a task is. */
export interface Credentials {
  readonly uid: number;
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly gid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
  readonly bounding: bigint;
  /** SECBIT_ bits: which privileges user id 0 brings. */
  readonly securebits: number;
}

/** The credentials a first task starts with. */
export function initialCredentials(uid: number, gid = uid): Credentials {
  const caps = uid === 0 ? ALL_CAPS : 0n;
  return {
    uid,
    euid: uid,
    suid: uid,
    fsuid: uid,
    gid,
    egid: gid,
    sgid: gid,
    fsgid: gid,
    groups: [gid],
    effective: caps,
    permitted: caps,
    inheritable: 0n,
    ambient: 0n,
    bounding: ALL_CAPS,
    securebits: 0,
  };
}

/** The user that a task is in every respect, with the rights that this brings; -1 for any other. */
export function plainUser({ uid, euid, suid, effective, permitted, securebits }: Credentials): number {
  const isOne = euid === uid && suid === uid && securebits === 0;
  const caps = uid === 0 ? ALL_CAPS : 0n;
  return isOne && effective === caps && permitted === caps ? uid : -1;
}

export function hasCap(creds: Credentials, cap: number): boolean {
  return ((creds.effective >> BigInt(cap)) & 1n) === 1n;
}

/** The credentials after a change of user ids: capabilities follow as capabilities(7) says. */
export function withUserIds(
  old: Credentials,
  ids: Partial<Pick<Credentials, 'uid' | 'euid' | 'suid' | 'fsuid'>>,
): Credentials {
  const next = { ...old, ...ids };
  if ((old.securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return next;
  let { effective, permitted, ambient } = old;
  const hadRoot = old.uid === 0 || old.euid === 0 || old.suid === 0;
  const hasRoot = next.uid === 0 || next.euid === 0 || next.suid === 0;
  if (hadRoot && !hasRoot) {
    if ((old.securebits & SECBIT_KEEP_CAPS) === 0) {
      permitted = 0n;
      effective = 0n;
    }
    ambient = 0n;
  }
  if (old.euid === 0 && next.euid !== 0) effective = 0n;
  if (old.euid !== 0 && next.euid === 0) effective = permitted;
  return { ...next, effective, permitted, ambient };
}

/** The credentials after setfsuid: rights over files come and go with user 0. */
export function withFsUid(old: Credentials, fsuid: number): Credentials {
  let { effective } = old;
  if ((old.securebits & SECBIT_NO_SETUID_FIXUP) === 0) {
    if (old.fsuid === 0 && fsuid !== 0) effective &= ~FS_CAPS;
    if (old.fsuid !== 0 && fsuid === 0) effective |= old.permitted & FS_CAPS;
  }
  return { ...old, fsuid, effective };
}

/** The credentials with which a program starts: capabilities(7), "Transformation of capabilities during execve()". */
export function afterExec(old: Credentials): Credentials {
  const isRoot = (old.uid === 0 || old.euid === 0) && (old.securebits & SECBIT_NOROOT) === 0;
  const permitted = isRoot ? old.bounding | old.inheritable | old.ambient : old.ambient;
  return {
    ...old,
    suid: old.euid,
    fsuid: old.euid,
    sgid: old.egid,
    fsgid: old.egid,
    permitted,
    effective: isRoot && old.euid === 0 ? permitted : old.ambient,
    securebits: old.securebits & ~SECBIT_KEEP_CAPS,
  };
}

/** AT_SECURE: the program runs with rights that its caller does not have. */
export function isSecureExec(old: Credentials): boolean {
  const isSetId = old.euid !== old.uid || old.egid !== old.gid;
  const next = afterExec(old);
  const hasGrown = (next.permitted & ~next.ambient) !== 0n;
  return isSetId || (next.uid !== 0 && hasGrown);
}
