// SPDX-License-Identifier: MIT
//
// Where the ELF reader takes bytes from, and little-endian fields of what it took. Every read is checked against
// the size that the source has, so that a lying header costs no memory.

import { viewOf } from '../base/bytes.ts';

/** A file as the ELF reader sees it. */
export interface ByteSource {
  sizeInBytes(): number;
  /** Bytes read from `offset`, fewer only at the end; or -errno. */
  read(offset: number, into: Uint8Array): number;
}

/** Bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    sizeInBytes: () => bytes.length,
    read(offset, into) {
      const n = Math.max(0, Math.min(into.length, bytes.length - offset));
      into.set(bytes.subarray(offset, offset + n));
      return n;
    },
  };
}

/** A 64-bit field that is no safe integer reads as NaN, which no bounds check lets pass. */
export class Fields {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  u8(at: number): number {
    return this.view.getUint8(at);
  }

  u16(at: number): number {
    return this.view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  u64(at: number): number {
    const value = this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }
}

/** `length` bytes at `offset`, or undefined when the source does not hold all of them. */
export function readExactly(source: ByteSource, offset: number, length: number): Fields | undefined {
  if (!(offset >= 0) || !(length >= 0) || !(offset + length <= source.sizeInBytes())) return undefined;
  const bytes = new Uint8Array(length);
  return source.read(offset, bytes) === length ? new Fields(bytes) : undefined;
}
