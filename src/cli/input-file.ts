// SPDX-License-Identifier: MIT
//
// Files that the command reads as a whole: reports, tokens, checkpoints, lists. Pipes are files, too (`<(…)` of a shell).

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { reason } from '../base/errors.ts';
import { UsageError } from './usage-error.ts';

const PIECE_BYTES = 2 ** 20;

/**
 * The bytes of a file or a pipe, or why there are none; never more than the limit.
 * @param limit bytes that a sensible file has at most
 * @returns the bytes, or a reason in words
 */
export function tryReadFile(path: string, limit: number): Uint8Array | string {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    // Such as /dev/zero, which has no end.
    if (stat.isCharacterDevice() || stat.isBlockDevice()) return 'it is a device';
    if (stat.isDirectory()) return 'it is a directory';
    if (stat.size > limit) return tooLarge(limit);
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const piece = new Uint8Array(PIECE_BYTES);
      const got = readSync(fd, piece, 0, piece.length, null);
      if (got === 0) return Buffer.concat(pieces, length);
      length += got;
      if (length > limit) return tooLarge(limit);
      pieces.push(got === piece.length ? piece : piece.subarray(0, got));
    }
  } catch (error) {
    return reason(error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function tooLarge(limit: number): string {
  return `it has more than ${limit} bytes`;
}

/**
 * The bytes of a file that an option names.
 * @throws UsageError
 */
export function readInputFile(option: string, path: string, limit: number): Uint8Array {
  if (path === '') throw new UsageError(`${option}: the name of the file is empty`);
  const bytes = tryReadFile(path, limit);
  if (typeof bytes === 'string') throw new UsageError(`${option}: cannot read ${path}: ${bytes}`);
  return bytes;
}
