// SPDX-License-Identifier: MIT
//
// Maps of sparse files in archives: GNU's old form in header blocks, and the pax forms 0.0 and 0.1 in records and 1.0
// before the data. GNU tar manual, "Storing Sparse Files".

import { BLOCK, tarNumber } from './tar-header.ts';
import type { TarExtent } from './tar-tree.ts';

/** Pieces of one file; a map of more is taken for damaged. */
const MAX_EXTENTS = 1_000_000;

/** GNU.sparse records of one entry. */
export class SparseRecords {
  #major = '';
  #minor = '';
  #size: string | undefined;
  #name: string | undefined;
  #map: string | undefined;
  readonly #list: string[] = [];

  /** @param key without its prefix */
  take(key: string, value: string): void {
    if (key === 'major') this.#major = value;
    else if (key === 'minor') this.#minor = value;
    else if (key === 'name') this.#name = value;
    else if (key === 'realsize' || key === 'size') this.#size = value;
    else if (key === 'map') this.#map = value;
    else if ((key === 'offset' || key === 'numbytes') && this.#list.length < 2 * MAX_EXTENTS) this.#list.push(value);
  }

  /** Form 1.0. */
  get isMapInData(): boolean {
    return this.#major === '1' && this.#minor === '0';
  }

  get isSparse(): boolean {
    return this.#map !== undefined || this.#list.length > 0 || this.#size !== undefined;
  }

  /** The file's own name: the header's is made up. */
  get name(): string | undefined {
    return this.#name;
  }

  get size(): number | undefined {
    return this.#size === undefined ? undefined : decimal(this.#size);
  }

  /** Positions and lengths by turns. */
  get numbers(): number[] {
    const texts = this.#map === undefined ? this.#list : this.#map === '' ? [] : this.#map.split(',');
    return texts.map((text) => decimal(text) ?? NaN);
  }
}

function decimal(text: string): number | undefined {
  return /^[0-9]{1,16}$/.test(text) ? Number(text) : undefined;
}

interface OldMap {
  readonly numbers: number[];
  readonly size: number;
  /** Blocks of the map that follow the header. */
  readonly extraBlocks: number;
}

/** The map of an entry of type S: four pieces in the header, 21 in each block that follows. */
export function oldGnuMap(block: (at: number) => Uint8Array, headerAt: number): OldMap {
  const header = block(headerAt);
  const numbers: number[] = [];
  const take = (from: Uint8Array, at: number, count: number): void => {
    for (let i = 0; i < count; i++) {
      const position = at + 24 * i;
      if ((from[position] ?? 0) === 0) return;
      numbers.push(tarNumber(from, position, 12), tarNumber(from, position + 12, 12));
    }
  };
  take(header, 386, 4);
  const size = tarNumber(header, 483, 12);
  let extraBlocks = 0;
  for (let more = header[482] === 1; more && numbers.length < 2 * MAX_EXTENTS;) {
    const extra = block(headerAt + BLOCK * ++extraBlocks);
    take(extra, 0, 21);
    more = extra[504] === 1;
  }
  return { numbers, size, extraBlocks };
}

/** The map before the data: a count and the numbers, one a line, padded to whole blocks. */
export function parseNumberList(
  block: (at: number) => Uint8Array,
  start: number,
  stored: number,
): { numbers: number[]; bytes: number } | undefined {
  const numbers: number[] = [];
  let wanted = -1;
  let line = '';
  for (let bytes = 0; bytes < stored; bytes += BLOCK) {
    for (const byte of block(start + bytes)) {
      if (byte !== 0x0a) {
        line += String.fromCharCode(byte);
        if (line.length > 16) return undefined;
        continue;
      }
      const value = decimal(line);
      line = '';
      if (value === undefined) return undefined;
      if (wanted < 0) wanted = 2 * value;
      else numbers.push(value);
      if (wanted > 2 * MAX_EXTENTS) return undefined;
      if (numbers.length === wanted) return { numbers, bytes: bytes + BLOCK };
    }
  }
  return undefined;
}

/**
 * The pieces that `numbers` (positions and lengths by turns) describe, whose data follow each other from `start`.
 * @returns undefined when they overlap, leave the file or need more data than there is
 */
export function mapOfNumbers(
  numbers: readonly number[],
  start: number,
  stored: number,
  size: number | undefined,
): TarExtent[] | undefined {
  const extents: TarExtent[] = [];
  let end = 0;
  let used = 0;
  if (numbers.length % 2 !== 0 || size === undefined || !Number.isSafeInteger(size)) return undefined;
  for (let i = 0; i < numbers.length; i += 2) {
    const at = numbers[i] ?? NaN;
    const length = numbers[i + 1] ?? NaN;
    if (!(at >= end && length >= 0 && at + length <= size && used + length <= stored)) return undefined;
    if (length > 0) extents.push({ at, length, offset: start + used });
    end = at + length;
    used += length;
  }
  return extents;
}
