// SPDX-License-Identifier: MIT
//
// The blocks of a tar archive: the 512-byte header in its ustar and GNU forms, numbers in octal or base 256, and the
// records of extended headers. POSIX.1-2017 pax, tar(5), GNU tar's tar.h.

import { fromLatin1 } from '../../base/bytes.ts';

export const BLOCK = 512;

/** One header block. Strings are Latin-1, one character a byte. */
export interface TarHeader {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** One character; NUL and space are given as `0`. */
  readonly type: string;
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Bytes up to the first zero. */
function text(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return fromLatin1(end < 0 ? field : field.subarray(0, end));
}

/** A number field; NaN when it holds no number. */
export function tarNumber(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  if (first >= 0x80) {
    // Base 256, two's complement in all but the first bit, the highest byte first.
    let value = (first & 0x40) !== 0 ? (first & 0x7f) - 0x80 : first & 0x7f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0);
    return Number.isSafeInteger(value) ? value : NaN;
  }
  const digits = text(block, at, length).trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
}

/** The checksum is that of the block with blanks in its own place; some old programs added signed bytes. */
function hasRightSum(block: Uint8Array): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const sum = tarNumber(block, 148, 8);
  return sum === unsigned || sum === signed;
}

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** Reads a header block; undefined when it is none. Number fields that hold no number are NaN. */
export function readHeader(block: Uint8Array): TarHeader | undefined {
  if (!hasRightSum(block)) return undefined;
  const magic = text(block, 257, 8);
  // GNU's own form has other things where POSIX has the first part of long names.
  const prefix = magic.startsWith('ustar') && !magic.startsWith('ustar ') ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const type = String.fromCharCode(block[156] ?? 0);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: tarNumber(block, 100, 8) & 0o7777,
    uid: tarNumber(block, 108, 8),
    gid: tarNumber(block, 116, 8),
    size: tarNumber(block, 124, 12),
    mtime: tarNumber(block, 136, 12),
    type: type === '\0' || type === ' ' ? '0' : type,
    linkName: text(block, 157, 100),
    devMajor: magic === '' ? 0 : tarNumber(block, 329, 8),
    devMinor: magic === '' ? 0 : tarNumber(block, 337, 8),
  };
}

/** One `LENGTH KEY=VALUE\n` record of an extended header. */
export interface PaxRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

/** The records of an extended header, in order; undefined when they are not well formed. */
export function readPaxRecords(data: Uint8Array): PaxRecord[] | undefined {
  const records: PaxRecord[] = [];
  for (let at = 0; at < data.length;) {
    // What a writer has padded with.
    if (data[at] === 0) break;
    const space = data.indexOf(0x20, at);
    const length = space < 0 || space > at + 10 ? NaN : Number(fromLatin1(data.subarray(at, space)));
    const end = at + length;
    if (!Number.isInteger(length) || length < 5 || end > data.length || data[end - 1] !== 0x0a) return undefined;
    const equals = data.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end) return undefined;
    records.push({ key: fromLatin1(data.subarray(space + 1, equals)), value: data.slice(equals + 1, end - 1) });
    at = end;
  }
  return records;
}

/** A decimal number with a fraction, as nanoseconds; undefined when it is none. */
export function paxTime(value: string): bigint | undefined {
  const match = /^(-?)([0-9]{1,18})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) return undefined;
  const [, sign = '', seconds = '0', fraction = ''] = match;
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
  return sign === '' ? ns : -ns;
}
