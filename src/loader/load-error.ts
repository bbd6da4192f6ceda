// SPDX-License-Identifier: MIT
//
// Why a program cannot be loaded: an errno for execve and one clear line for the person who runs it.

import * as E from '../abi/errno.ts';
import { errnoName } from '../abi/errno-text.ts';

const ERRNOS = {
  ENOEXEC: E.ENOEXEC,
  E2BIG: E.E2BIG,
  ENOMEM: E.ENOMEM,
  EINVAL: E.EINVAL,
  EIO: E.EIO,
  ELIBBAD: E.ELIBBAD,
} as const;

/** A refusal. */
export interface LoadError {
  readonly ok: false;
  /** Name of the errno. */
  readonly code: string;
  /** Positive errno of `code`. */
  readonly errno: number;
  /** One line, without the program's name. */
  readonly message: string;
}

/** @internal */
export function loadError(code: keyof typeof ERRNOS, message: string): LoadError {
  return { ok: false, code, errno: ERRNOS[code], message };
}

/** A refusal for a reason that somebody else gave: the file system, for an interpreter. */
export function loadErrorOf(errno: number, message: string): LoadError {
  return { ok: false, code: errnoName(errno), errno, message };
}
