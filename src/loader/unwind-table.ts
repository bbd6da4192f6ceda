// SPDX-License-Identifier: MIT
//
// Where functions start and end by a file's unwind tables, which stripping leaves: .eh_frame_hdr and the entries in
// .eh_frame that it points to (LSB core 10.6).

import * as L from '../abi/elf.ts';
import { type ByteSource, readExactly } from './byte-source.ts';
import { programHeaders, readAt, type RawHeader } from './program-headers.ts';

/** Bytes before the table, and those of an entry of it. */
const HEADER_BYTES = 12;
const ENTRY_BYTES = 8;
/** Version 1; pointers as ld, gold and lld write them: pcrel sdata4, udata4, datarel sdata4. */
const HEADER_START: readonly number[] = [1, 0x1b, 0x03, 0x3b];
/** An entry of .eh_frame up to the size of its function. */
const FDE_BYTES = 16;
const FDE_RANGE = 12;

/** Functions by address. A file without such a table, or with one that makes no sense, has none. */
export class UnwindTable {
  readonly #source: ByteSource;
  readonly #headers: readonly RawHeader[];
  readonly #starts: Float64Array;
  readonly #entries: Float64Array;

  /** @param maxBytes of a table that is read */
  constructor(source: ByteSource, maxBytes: number) {
    this.#source = source;
    this.#headers = programHeaders(source);
    const header = this.#headers.find((h) => h.type === L.PT_GNU_EH_FRAME);
    const size = header === undefined ? 0 : Math.min(header.size, maxBytes);
    const fields = header && readExactly(source, header.offset, size);
    const isKnown =
      fields !== undefined &&
      fields.bytes.length >= HEADER_BYTES &&
      HEADER_START.every((byte, i) => fields.bytes[i] === byte);
    const count = isKnown ? Math.min(fields.u32(8), Math.floor((fields.bytes.length - HEADER_BYTES) / ENTRY_BYTES)) : 0;
    this.#starts = new Float64Array(count);
    this.#entries = new Float64Array(count);
    if (header === undefined || fields === undefined) return;
    for (let i = 0; i < count; i++) {
      const at = HEADER_BYTES + i * ENTRY_BYTES;
      this.#starts[i] = header.vaddr + (fields.u32(at) | 0);
      this.#entries[i] = header.vaddr + (fields.u32(at + 4) | 0);
    }
  }

  /** Start of the function that covers `address` (in the file's own terms). Linkers sort the table; the search trusts it. */
  find(address: number): number | undefined {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= address) low = middle + 1;
      else high = middle;
    }
    const start = this.#starts[low - 1];
    if (start === undefined || !(start <= address)) return undefined;
    const entry = readAt(this.#source, this.#headers, this.#entries[low - 1] ?? Number.NaN, FDE_BYTES);
    if (entry === undefined || entry.bytes.length < FDE_BYTES) return undefined;
    return address < start + entry.u32(FDE_RANGE) ? start : undefined;
  }
}
