// SPDX-License-Identifier: MIT
//
// The bytes of a memory file: chunks made on first write, over zeros or over a host file that is copied up chunk by
// chunk. Holes cost nothing. Pages of 4 KiB are what is counted, as tmpfs counts them.

import { savable, savedConstants } from '../base/savable.ts';
import { EFAULT, EIO, ENOSPC, ENXIO } from '../abi/errno.ts';
import type { FilePages } from '../mm/file-pages.ts';
import type { ByteSink, ByteSource } from './open-file.ts';
import { scratchBuffer } from './regular-file.ts';

const CHUNK = 65536;
const PAGE = 4096;
const ZEROS = new Uint8Array(CHUNK);

const NO_CHUNKS = new Map<number, Chunk>();

interface Chunk {
  /** As long as it needs to be in the first chunk of a file, CHUNK elsewhere; zeros follow. */
  data: Uint8Array;
  /** Bit n: page n of the chunk has storage. */
  pages: number;
  /** Those of them that fallocate made and nobody has written: holes to whoever looks for data. */
  unwritten: number;
}

/** Where bytes that were never written come from: an unchanged file of the host. */
export interface LowerContent {
  /** Bytes read or -errno; short only at the end. */
  pread(into: Uint8Array, position: number): number;
}

/** Counts pages against the limit of a file system. */
export interface PageQuota {
  /** False when `pages` more do not fit. */
  charge(pages: number): boolean;
  readonly freePages: number;
  uncharge(pages: number): void;
  /** Counts `bytes` of the host's memory: a chunk is larger than the pages that are used in it. False: too many. */
  hold(bytes: number): boolean;
  drop(bytes: number): void;
}

function popcount(bits: number): number {
  let n = 0;
  for (let b = bits; b !== 0; b &= b - 1) n++;
  return n;
}

/** The pages that [from, to) of a chunk touches, as bits. */
function pageBits(from: number, to: number): number {
  const first = Math.floor(from / PAGE);
  const end = Math.ceil(to / PAGE);
  return ((1 << end) - 1) & ~((1 << first) - 1);
}

/** Contents of one file. */
export class SparseContent {
  size = 0;
  /** Most files of a tree are never written: they share one that stays empty. */
  private chunks: Map<number, Chunk> = NO_CHUNKS;
  private readonly quota: PageQuota;
  private pagesUsed = 0;
  private lower: LowerContent | null = null;
  /** Bytes of the lower file that still show through, outside of chunks. */
  private lowerSize = 0;
  private wasWritten = false;

  constructor(quota: PageQuota) {
    this.quota = quota;
  }

  /** Puts a host file below, before anything is written. */
  setLower(lower: LowerContent, size: number): void {
    this.lower = lower;
    this.lowerSize = size;
    this.size = size;
  }

  /** False as long as the host file is what readers see. */
  get isModified(): boolean {
    return this.wasWritten;
  }

  /** Pages that hold data: own ones, and those of the host file that still show through. */
  get pageCount(): number {
    let pages = this.pagesUsed;
    if (this.lower === null) return pages;
    pages += Math.ceil(this.lowerSize / PAGE);
    for (const index of this.chunks.keys()) {
      pages -= Math.ceil(Math.min(CHUNK, Math.max(0, this.lowerSize - index * CHUNK)) / PAGE);
    }
    return pages;
  }

  /** Copies to a sink; `pages` overlays what mappings have written, when there are any. */
  read(sink: ByteSink, count: number, offset: number, pages: FilePages | null): number {
    const end = Math.min(this.size, offset + count);
    let at = offset;
    while (at < end) {
      const index = Math.floor(at / CHUNK);
      const from = at - index * CHUNK;
      const n = Math.min(CHUNK - from, end - at);
      const chunk = this.chunks.get(index);
      let put: number;
      if (pages === null && chunk !== undefined && from + n <= chunk.data.length) {
        put = sink.put(chunk.data.subarray(from, from + n));
      } else if (pages === null && chunk === undefined && at >= this.lowerSize) {
        put = sink.put(ZEROS.subarray(0, n));
      } else {
        const buffer = scratchBuffer().subarray(0, n);
        const failed = this.fill(chunk, buffer, at, from);
        if (failed < 0) return at > offset ? at - offset : failed;
        pages?.overlayRead(at, buffer);
        put = sink.put(buffer);
      }
      at += put;
      if (put < n) return at > offset ? at - offset : -EFAULT;
    }
    return Math.max(0, at - offset);
  }

  /** Fills `into` from the storage, from `at`, which is `from` within `chunk`. */
  private fill(chunk: Chunk | undefined, into: Uint8Array, at: number, from: number): number {
    if (chunk !== undefined) {
      const have = Math.max(0, Math.min(into.length, chunk.data.length - from));
      into.set(chunk.data.subarray(from, from + have));
      into.fill(0, have);
      return 0;
    }
    let have = 0;
    if (this.lower !== null && at < this.lowerSize) {
      const want = Math.min(into.length, this.lowerSize - at);
      const n = this.lower.pread(into.subarray(0, want), at);
      if (n < 0) return n;
      have = n;
    }
    into.fill(0, have);
    return 0;
  }

  /** Fills one page or less from the storage; bytes of the file in it. */
  readPage(pageIndex: number, into: Uint8Array): number {
    const at = pageIndex * PAGE;
    const n = Math.min(into.length, this.size - at);
    if (n <= 0) return 0;
    const index = Math.floor(at / CHUNK);
    const failed = this.fill(this.chunks.get(index), into.subarray(0, n), at, at - index * CHUNK);
    return failed < 0 ? -EIO : n;
  }

  /** Takes from a source; bytes, -EFAULT when not one could be read, -ENOSPC when not one fits. */
  write(source: ByteSource, count: number, offset: number, pages: FilePages | null): number {
    const end = offset + count;
    let at = offset;
    while (at < end) {
      const index = Math.floor(at / CHUNK);
      const from = at - index * CHUNK;
      let n = Math.min(CHUNK - from, end - at);
      const chunk = this.chunkFor(index, from, from + n);
      if (typeof chunk === 'number') return at > offset ? at - offset : chunk;
      const wanted = pageBits(from, from + n) & ~chunk.pages;
      if (wanted !== 0 && !this.quota.charge(popcount(wanted))) {
        // Take what fits: the pages up to the first that does not.
        n = this.fitting(chunk, from, n);
        if (n <= 0) return at > offset ? at - offset : -ENOSPC;
      } else if (wanted !== 0) this.own(chunk, wanted);
      const into = chunk.data.subarray(from, from + n);
      const got = source.take(into);
      chunk.unwritten &= ~pageBits(from, from + got);
      this.wasWritten = true;
      if (pages !== null && got > 0) pages.overlayWrite(at, into.subarray(0, got));
      at += got;
      if (at > this.size) this.size = at;
      if (got < n) return at > offset ? at - offset : -EFAULT;
    }
    return at - offset;
  }

  private own(chunk: Chunk, bits: number): void {
    chunk.pages |= bits;
    chunk.unwritten &= ~bits;
    this.pagesUsed += popcount(bits);
  }

  /** Charges pages of [from, from + n) one by one; bytes that are covered. */
  private fitting(chunk: Chunk, from: number, n: number): number {
    let end = from;
    while (end < from + n) {
      const bit = 1 << Math.floor(end / PAGE);
      if ((chunk.pages & bit) === 0) {
        if (!this.quota.charge(1)) break;
        this.own(chunk, bit);
      }
      end = Math.min(from + n, (Math.floor(end / PAGE) + 1) * PAGE);
    }
    return end - from;
  }

  /** The chunk to write [from, to) to, copied up from the host file if that shows through. */
  private chunkFor(index: number, from: number, to: number): Chunk | number {
    let chunk = this.chunks.get(index);
    if (chunk === undefined) {
      const base = index * CHUNK;
      const shows = this.lower === null ? 0 : Math.min(CHUNK, Math.max(0, this.lowerSize - base));
      const length = index === 0 ? grown(Math.max(to, shows)) : CHUNK;
      if (!this.quota.hold(length)) return -ENOSPC;
      chunk = { data: new Uint8Array(length), pages: 0, unwritten: 0 };
      if (shows > 0) {
        const bits = pageBits(0, shows);
        if (!this.quota.charge(popcount(bits))) {
          this.quota.drop(length);
          return -ENOSPC;
        }
        // A write that covers all that shows needs nothing from below.
        if (from > 0 || to < shows) {
          const failed = this.fill(undefined, chunk.data.subarray(0, shows), base, 0);
          if (failed < 0) {
            this.quota.uncharge(popcount(bits));
            this.quota.drop(length);
            return failed;
          }
        }
        this.own(chunk, bits);
      }
      if (this.chunks === NO_CHUNKS) this.chunks = new Map();
      this.chunks.set(index, chunk);
    } else if (chunk.data.length < to) {
      if (!this.quota.hold(grown(to) - chunk.data.length)) return -ENOSPC;
      const data = new Uint8Array(grown(to));
      data.set(chunk.data);
      chunk.data = data;
    }
    return chunk;
  }

  /** Stores a page that a mapping has written, or -ENOSPC. */
  writePage(pageIndex: number, from: Uint8Array, length: number): number {
    const at = pageIndex * PAGE;
    const index = Math.floor(at / CHUNK);
    const inChunk = at - index * CHUNK;
    const chunk = this.chunkFor(index, inChunk, inChunk + length);
    if (typeof chunk === 'number') return chunk;
    const bits = pageBits(inChunk, inChunk + length) & ~chunk.pages;
    if (bits !== 0) {
      if (!this.quota.charge(popcount(bits))) return -ENOSPC;
      this.own(chunk, bits);
    }
    chunk.data.set(from.subarray(0, length), inChunk);
    chunk.unwritten &= ~pageBits(inChunk, inChunk + length);
    this.wasWritten = true;
    return length;
  }

  /** Sets the size; what lies beyond reads as zeros when the file grows again. */
  truncate(size: number): number {
    if (size < this.size) {
      this.lowerSize = Math.min(this.lowerSize, size);
      this.cut(size);
    }
    this.size = size;
    this.wasWritten = true;
    return 0;
  }

  private cut(size: number): void {
    const keep = Math.ceil(size / CHUNK);
    for (const [index, chunk] of this.chunks) {
      if (index >= keep) {
        this.discard(index, chunk);
      }
    }
    const last = this.chunks.get(keep - 1);
    const tail = size - (keep - 1) * CHUNK;
    if (last !== undefined && tail < CHUNK) {
      last.data.fill(0, Math.min(tail, last.data.length));
      const gone = last.pages & ~pageBits(0, tail);
      last.pages &= ~gone;
      this.release(gone);
    }
  }

  private discard(index: number, chunk: Chunk): void {
    this.release(chunk.pages);
    this.quota.drop(chunk.data.length);
    this.chunks.delete(index);
  }

  private release(bits: number): void {
    const n = popcount(bits);
    this.pagesUsed -= n;
    this.quota.uncharge(n);
  }

  /** Makes [from, to) zeros, giving whole pages back where nothing shows through from below. */
  punch(from: number, to: number): number {
    this.wasWritten = true;
    const end = Math.min(to, this.size);
    // What shows through from below must be covered by zeros of our own; elsewhere only chunks that exist matter.
    const lowerEnd = Math.min(end, this.lowerSize);
    for (let at = from; at < lowerEnd; at = (Math.floor(at / CHUNK) + 1) * CHUNK) {
      const index = Math.floor(at / CHUNK);
      if (this.chunks.has(index)) continue;
      const made = this.chunkFor(index, at - index * CHUNK, at - index * CHUNK);
      if (typeof made === 'number') return made;
    }
    for (const [index, chunk] of this.chunks) {
      const base = index * CHUNK;
      const first = Math.max(0, from - base);
      const last = Math.min(CHUNK, end - base);
      if (first >= last) continue;
      chunk.data.fill(0, Math.min(first, chunk.data.length), Math.min(last, chunk.data.length));
      const whole = pageBits(Math.ceil(first / PAGE) * PAGE, Math.floor(last / PAGE) * PAGE) & chunk.pages;
      chunk.pages &= ~whole;
      this.release(whole);
      if (chunk.pages === 0 && base >= this.lowerSize) this.discard(index, chunk);
    }
    return 0;
  }

  /** Gives [from, to) storage; -ENOSPC when it does not fit. */
  reserve(from: number, to: number): number {
    // Refused before anything is allocated, however much is asked for.
    if (Math.ceil(to / PAGE) - Math.floor(from / PAGE) - this.pageCount > this.quota.freePages) return -ENOSPC;
    for (let at = from; at < to;) {
      const index = Math.floor(at / CHUNK);
      const base = index * CHUNK;
      const stop = Math.min(to, base + CHUNK);
      const chunk = this.chunkFor(index, at - base, stop - base);
      if (typeof chunk === 'number') return chunk;
      const bits = pageBits(at - base, stop - base) & ~chunk.pages;
      if (bits !== 0 && !this.quota.charge(popcount(bits))) return -ENOSPC;
      this.own(chunk, bits);
      chunk.unwritten |= bits;
      at = stop;
    }
    return 0;
  }

  /** Next byte at or after `offset` in a page with data, or in a hole. */
  seek(offset: number, wantData: boolean): number {
    let at = offset;
    while (at < this.size) {
      if (this.hasData(at) === wantData) return at;
      if (wantData && !this.chunks.has(Math.floor(at / CHUNK))) at = this.nextChunk(at);
      else at = (Math.floor(at / PAGE) + 1) * PAGE;
    }
    return wantData ? -ENXIO : this.size;
  }

  /** Where the first chunk after `at` begins; Infinity when there is none. */
  private nextChunk(at: number): number {
    let next = Infinity;
    for (const index of this.chunks.keys()) if (index * CHUNK > at && index * CHUNK < next) next = index * CHUNK;
    return next;
  }

  private hasData(at: number): boolean {
    const index = Math.floor(at / CHUNK);
    const chunk = this.chunks.get(index);
    if (chunk === undefined) return at < this.lowerSize;
    return (chunk.pages & ~chunk.unwritten & (1 << Math.floor((at - index * CHUNK) / PAGE))) !== 0;
  }

  /** Gives everything back: the file is gone. */
  dispose(): void {
    for (const [index, chunk] of this.chunks) this.discard(index, chunk);
    this.lower = null;
    this.lowerSize = 0;
    this.size = 0;
  }
}

/** Room for at least `need` bytes of a first chunk: a power of two, so that growing by small writes is cheap. */
function grown(need: number): number {
  let length = 512;
  while (length < need) length *= 2;
  return Math.min(length, CHUNK);
}

savable('vfs/sparse-content', { SparseContent });
savedConstants('vfs/sparse-content', { NO_CHUNKS });
