// SPDX-License-Identifier: MIT
//
// Which changes of code an actor has synchronised with, for the detector of unsynchronised cross-modification: each hot
// byte has a version; an actor knows of versions through locks and interrupts, and may execute those that it knew when it
// last serialised (SDM vol. 3, 9.1.3).

import type { Failure } from '../search/system.ts';
import type { HotBytes } from './hot-bytes.ts';
import type { Local, Space } from './state.ts';

/** The newer version of each byte. */
export function newest(a: readonly number[], b: readonly number[]): readonly number[] {
  return a.map((v, i) => Math.max(v, b[i] ?? 0));
}

/** The processor executes a serialising instruction: what it has fetched is gone. */
export function serialised(local: Local): Local {
  return { ...local, fetched: local.fetched.map(() => null), synced: local.known };
}

/** What is wrong with executing `length` bytes at `rip`, where they changed and the actor has not synchronised with that. */
export function unsynchronised(
  hot: HotBytes,
  local: Local,
  space: Space,
  rip: number,
  length: number,
  where: string,
): Failure | null {
  for (let i = 0; i < length; i++) {
    const byte = hot.indexOf(rip + i);
    if (byte < 0 || (space.versions[byte] ?? 0) <= (local.synced[byte] ?? 0)) continue;
    return {
      signature: `unsynchronised ${where}`,
      text: `{actor} executes ${where}, which was changed since it last serialised: unsynchronised cross-modification`,
    };
  }
  return null;
}
