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
  wakeAlarm: 35,
  checkpointRestore: 40,
} as const;

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
  /** PR_SET_KEEPCAPS. */
  readonly keepCaps: boolean;
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
    keepCaps: false,
  };
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
  let { effective, permitted, ambient } = old;
  const hadRoot = old.uid === 0 || old.euid === 0 || old.suid === 0;
  const hasRoot = next.uid === 0 || next.euid === 0 || next.suid === 0;
  if (hadRoot && !hasRoot) {
    if (!old.keepCaps) permitted = 0n;
    effective = 0n;
    ambient = 0n;
  }
  if (old.euid === 0 && next.euid !== 0) effective = 0n;
  if (old.euid !== 0 && next.euid === 0) effective = permitted;
  return { ...next, effective, permitted, ambient };
}
