// SPDX-License-Identifier: MIT
//
// A regular file for mapping tests: bytes in memory behind a page cache, read and written as a file system does.

import { PAGE_SIZE } from '../../src/base/addr.ts';
import { FilePages, type MappableFile } from '../../src/mm/address-space.ts';

export class TestFile implements MappableFile {
  readonly deviceNumber = 0x0801;
  readonly pages = new FilePages(this);
  bytes: Uint8Array;
  readonly name: string;
  readonly inodeNumber: number;
  reads = 0;
  writes = 0;
  /** How often its last mapping went. */
  unmapped = 0;
  /** When set, reading fails with it. */
  failure = 0;

  constructor(bytes: Uint8Array, name = '/data/file', inodeNumber = 77) {
    this.bytes = bytes;
    this.name = name;
    this.inodeNumber = inodeNumber;
  }

  lastUnmapped(): void {
    this.unmapped++;
  }

  /** A file of `pages` pages, each filled with its own byte. */
  static ofPages(pages: number, first = 1): TestFile {
    const bytes = new Uint8Array(pages * PAGE_SIZE);
    for (let i = 0; i < pages; i++) bytes.fill(first + i, i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
    return new TestFile(bytes);
  }

  readPage(pageIndex: number, into: Uint8Array): number {
    if (this.failure !== 0) return -this.failure;
    this.reads++;
    const part = this.bytes.subarray(pageIndex * PAGE_SIZE, (pageIndex + 1) * PAGE_SIZE);
    into.set(part);
    return part.length;
  }

  writePage(pageIndex: number, from: Uint8Array, length: number): number {
    this.writes++;
    this.bytes.set(from.subarray(0, length), pageIndex * PAGE_SIZE);
    return length;
  }

  sizeInBytes(): number {
    return this.bytes.length;
  }

  /** read(2) of the whole file. */
  contents(): Uint8Array {
    const out = this.bytes.slice();
    this.pages.overlayRead(0, out);
    return out;
  }

  /** pwrite(2). */
  write(offset: number, from: Uint8Array): void {
    if (offset + from.length > this.bytes.length) this.resize(offset + from.length);
    this.bytes.set(from, offset);
    this.pages.overlayWrite(offset, from);
  }

  /** ftruncate(2). */
  resize(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
    this.pages.truncate(size);
  }
}
