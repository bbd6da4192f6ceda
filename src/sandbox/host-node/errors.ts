// SPDX-License-Identifier: MIT
//
// Node's exceptions as Linux error numbers, whatever numbers the host itself uses.

import * as errno from '../../abi/errno.ts';

const BY_NAME = new Map<string, number>(Object.entries(errno));

/** -errno of an exception that a `node:fs` call threw; anything else is thrown on. */
export function toErrno(error: unknown): number {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') throw error;
  const known = BY_NAME.get(code);
  if (known !== undefined) return -known;
  // Node's own argument checks: a name that no file can have.
  if (code === 'ERR_INVALID_ARG_VALUE') return -errno.ENOENT;
  if (code.startsWith('ERR_')) throw error;
  return -errno.EIO;
}

/** Runs `action`; its failure as -errno. */
export function attempt<T>(action: () => T): T | number {
  try {
    return action();
  } catch (error) {
    return toErrno(error);
  }
}
