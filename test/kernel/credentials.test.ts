// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import {
  ALL_CAPS,
  Cap,
  SECBIT_KEEP_CAPS,
  hasCap,
  initialCredentials,
  plainUser,
  withUserIds,
} from '../../src/kernel/credentials.ts';

describe('plainUser', () => {
  it('is the user of a process as it starts', () => {
    expect([0, 1000].map((uid) => plainUser(initialCredentials(uid)))).toEqual([0, 1000]);
  });

  it('is nobody for a process with other rights than its user has', () => {
    const [root, user] = [initialCredentials(0), initialCredentials(1000)];
    const others = [
      withUserIds(root, { euid: 1000, fsuid: 1000 }),
      { ...user, suid: 0 },
      { ...user, uid: 5 },
      { ...root, effective: 0n },
      { ...root, permitted: ALL_CAPS & ~1n },
      { ...user, permitted: 1n },
      { ...root, securebits: SECBIT_KEEP_CAPS },
    ];
    expect(others.map(plainUser)).toEqual(others.map(() => -1));
  });

  it('is the new user of a root that became somebody for good', () => {
    expect(plainUser(withUserIds(initialCredentials(0), { uid: 5, euid: 5, suid: 5, fsuid: 5 }))).toBe(5);
  });
});

describe('withUserIds', () => {
  it('takes all capabilities from a root that becomes somebody for good', () => {
    const after = withUserIds(initialCredentials(0), { uid: 5, euid: 5, suid: 5, fsuid: 5 });
    expect([after.effective, after.permitted]).toEqual([0n, 0n]);
  });

  it('keeps the permitted ones for a root that asked for it', () => {
    const after = withUserIds(
      { ...initialCredentials(0), securebits: SECBIT_KEEP_CAPS },
      { uid: 5, euid: 5, suid: 5, fsuid: 5 },
    );
    expect([after.effective, after.permitted]).toEqual([0n, ALL_CAPS]);
  });

  it('gives them back to a root that was away only effectively', () => {
    const away = withUserIds(initialCredentials(0), { euid: 5, fsuid: 5 });
    expect(hasCap(away, Cap.kill)).toBe(false);
    const back = withUserIds(away, { euid: 0, fsuid: 0 });
    expect(hasCap(back, Cap.kill)).toBe(true);
  });
});
