// SPDX-License-Identifier: MIT
//
// Writing and reading of the checkpoint's bytes: little-endian words, variable-length numbers, text. The reader trusts
// nothing: whatever does not fit is refused, and no length makes it take more memory than the file has.

import { TraplineError } from '../../base/errors.ts';

const decoder = new TextDecoder('utf-8');
const encoder = new TextEncoder();

/** A file that is not what it ought to be. */
export function corrupt(what: string): TraplineError {
  return new TraplineError(
    'CHECKPOINT_CORRUPT',
    `the checkpoint is damaged: ${what}; take another one, or use another copy of the file`,
  );
}

/** Bytes that grow. */
export class ByteWriter {
  private bytes = new Uint8Array(65_536);
  private view = new DataView(this.bytes.buffer);
  length = 0;

  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    this.room(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.room(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  f64(value: number): void {
    this.room(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** A whole number from 0 to 2^53, seven bits a byte. */
  count(value: number): void {
    this.room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  text(text: string): void {
    const bytes = encoder.encode(text);
    this.count(bytes.length);
    this.raw(bytes);
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

/** Bytes from a file that may be anything. */
export class ByteReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly what: string;
  private at = 0;

  /** @param what names the part of the file in messages */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.what = what;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** @throws TraplineError that says where */
  fail(why: string): never {
    throw corrupt(`${why} (${this.what}, byte ${this.at})`);
  }

  private take(length: number): number {
    if (length > this.left) this.fail('it ends too early');
    const at = this.at;
    this.at += length;
    return at;
  }

  u8(): number {
    return this.bytes[this.take(1)] as number;
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true);
  }

  count(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) this.fail('a number is too large');
      if (byte < 0x80) return value;
      if (scale > 2 ** 49) this.fail('a number is too long');
    }
  }

  /** The length of something of which each part takes at least `size` bytes. */
  length(size = 1): number {
    const length = this.count();
    if (length * size > this.left) this.fail('a length is beyond the end');
    return length;
  }

  raw(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  text(): string {
    return decoder.decode(this.raw(this.length()));
  }
}
