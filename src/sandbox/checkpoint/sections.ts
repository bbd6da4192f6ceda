// SPDX-License-Identifier: MIT
//
// The file around a checkpoint: a magic, a version, and sections with name, length and checksum. Whatever was cut off,
// changed or written by a later version is refused before anything of it is used.

import { TraplineError } from '../../base/errors.ts';
import { fromLatin1, latin1Bytes } from '../../base/bytes.ts';
import { corrupt } from './bytes.ts';

/** What the file begins with: a name, and bytes that a transfer as text would change. */
const MAGIC = latin1Bytes('TRAPLINE CHECKPOINT\r\n\x1a\n');
/** Rises with every change of the format or of the state that it holds. */
export const CHECKPOINT_VERSION = 4;

const HEAD_BYTES = 32;
const ROW_BYTES = 32;
const NAME_BYTES = 8;
const MAX_SECTIONS = 16;

const PRIMES: readonly [number, number, number, number] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f];

/** A checksum of 32 bits in four lanes, quick enough for all of a machine's memory. It guards against accidents only. */
export function checksum(bytes: Uint8Array): number {
  const [p0, p1, p2, p3] = PRIMES;
  let a = p0;
  let b = p1;
  let c = p2;
  let d = p3;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
  const whole = words.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a = Math.imul(((a << 13) | (a >>> 19)) ^ (words[i] as number), p0);
    b = Math.imul(((b << 13) | (b >>> 19)) ^ (words[i + 1] as number), p0);
    c = Math.imul(((c << 13) | (c >>> 19)) ^ (words[i + 2] as number), p0);
    d = Math.imul(((d << 13) | (d >>> 19)) ^ (words[i + 3] as number), p0);
  }
  let sum = Math.imul(a ^ (b >>> 15), p1) ^ Math.imul(c ^ (d >>> 13), p2) ^ Math.imul(b ^ (a >>> 11), p3) ^ d;
  for (let i = whole * 4; i < aligned.length; i++) sum = Math.imul((sum ^ (aligned[i] as number)) >>> 0, p0);
  sum ^= bytes.length;
  sum = Math.imul(sum ^ (sum >>> 15), p2);
  return (sum ^ (sum >>> 13)) >>> 0;
}

/** Puts sections into one file; each is given as the pieces that it consists of. */
export function joinSections(sections: ReadonlyMap<string, readonly Uint8Array[]>): Uint8Array {
  const start = HEAD_BYTES + sections.size * ROW_BYTES;
  let end = start;
  for (const pieces of sections.values()) end += align(lengthOf(pieces));
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  file.set(MAGIC);
  view.setUint32(24, CHECKPOINT_VERSION, true);
  view.setUint32(28, sections.size, true);
  let row = HEAD_BYTES;
  let at = start;
  for (const [name, pieces] of sections) {
    let next = at;
    for (const piece of pieces) {
      file.set(piece, next);
      next += piece.length;
    }
    file.set(latin1Bytes(name), row);
    view.setFloat64(row + 8, at, true);
    view.setFloat64(row + 16, next - at, true);
    view.setUint32(row + 24, checksum(file.subarray(at, next)), true);
    row += ROW_BYTES;
    at += align(next - at);
  }
  // The last word of each row guards the table up to there.
  for (row = HEAD_BYTES; row < start; row += ROW_BYTES) {
    view.setUint32(row + 28, checksum(file.subarray(0, row + 28)), true);
  }
  return file;
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function align(length: number): number {
  return (length + 7) & ~7;
}

/**
 * The sections of a file, checked.
 * @throws TraplineError `CHECKPOINT_FORMAT` for another kind of file, `CHECKPOINT_VERSION` for another version of this
 *   kind, `CHECKPOINT_CORRUPT` for a damaged one
 */
export function splitSections(file: Uint8Array): Map<string, Uint8Array> {
  if (file.length < MAGIC.length || MAGIC.some((byte, i) => file[i] !== byte)) {
    throw new TraplineError(
      'CHECKPOINT_FORMAT',
      'this is no checkpoint of Trapline: give a file that "run --checkpoint" has written',
    );
  }
  if (file.length < HEAD_BYTES) throw corrupt(`it has ${file.length} bytes only`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const version = view.getUint32(24, true);
  if (version !== CHECKPOINT_VERSION) {
    throw new TraplineError(
      'CHECKPOINT_VERSION',
      `the checkpoint has format ${version}, this Trapline reads ${CHECKPOINT_VERSION}: use the Trapline that wrote it`,
    );
  }
  const count = view.getUint32(28, true);
  const start = HEAD_BYTES + count * ROW_BYTES;
  if (count > MAX_SECTIONS || start > file.length) throw corrupt('its table of sections does not fit');
  const sections = new Map<string, Uint8Array>();
  let next = start;
  for (let row = HEAD_BYTES; row < start; row += ROW_BYTES) {
    if (view.getUint32(row + 28, true) !== checksum(file.subarray(0, row + 28))) {
      throw corrupt(`its table of sections has changed before byte ${row + 28}`);
    }
    const name = fromLatin1(file.subarray(row, row + NAME_BYTES)).replace(/\0+$/, '');
    const at = view.getFloat64(row + 8, true);
    const length = view.getFloat64(row + 16, true);
    const isPlaced = at === next && Number.isSafeInteger(length) && length >= 0;
    if (!isPlaced || at + length > file.length) throw corrupt(`it ends within its section "${name}"`);
    const bytes = file.subarray(at, at + length);
    if (checksum(bytes) !== view.getUint32(row + 24, true)) throw corrupt(`its section "${name}" has changed`);
    sections.set(name, bytes);
    next = at + align(length);
    if (file.subarray(at + length, next).some((byte) => byte !== 0))
      throw corrupt('something stands between its sections');
  }
  if (next !== file.length) throw corrupt('there is more than its sections');
  return sections;
}
