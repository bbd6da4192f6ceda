// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import {
  ALL_CAPS,
  Cap,
  SECBIT_KEEP_CAPS,
  hasCap,
  initialCredentials,
  withUserIds,
} from '../../src/kernel/credentials.ts';

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
