// SPDX-License-Identifier: MIT
//
// The dynamic symbol table of a file without section headers. Its length only a hash table tells (gABI chapter 5; the GNU
// one has no document but glibc's elf/dl-lookup.c).

import * as L from '../abi/elf.ts';
import { type ByteSource, type Fields, readExactly } from './byte-source.ts';
import { programHeaders, type RawHeader, readAt } from './program-headers.ts';

/** A symbol table and its names. */
export interface RawSymbols {
  readonly table: Fields;
  readonly names: Fields;
}

/** The dynamic symbol table through PT_DYNAMIC; undefined where there is none that makes sense. */
export function readDynamicSymbols(source: ByteSource, maxBytes: number): RawSymbols | undefined {
  const headers = programHeaders(source);
  const values = dynamicEntries(source, headers, maxBytes);
  if (values === undefined) return undefined;
  const value = (tag: number): number => values.get(tag) ?? Number.NaN;
  if (values.has(L.DT_SYMENT) && value(L.DT_SYMENT) !== L.Sym.size) return undefined;
  const read = (tag: number, length: number): Fields | undefined => readAt(source, headers, value(tag), length);
  const count = countByHash(read(L.DT_HASH, 8)) ?? countByGnuHash(read(L.DT_GNU_HASH, maxBytes));
  if (count === undefined) return undefined;
  const table = read(L.DT_SYMTAB, Math.min(count * L.Sym.size, maxBytes));
  const names = read(L.DT_STRTAB, Math.min(value(L.DT_STRSZ), maxBytes));
  return table === undefined || names === undefined ? undefined : { table, names };
}

/** The entries of PT_DYNAMIC by tag, the first of each; undefined where there is none that makes sense. */
export function dynamicEntries(
  source: ByteSource,
  headers: readonly RawHeader[],
  maxBytes: number,
): Map<number, number> | undefined {
  const dynamic = headers.find((h) => h.type === L.PT_DYNAMIC);
  if (dynamic === undefined || !(dynamic.size <= maxBytes)) return undefined;
  const entries = readExactly(source, dynamic.offset, dynamic.size);
  if (entries === undefined) return undefined;
  const values = new Map<number, number>();
  for (let at = 0; at + L.Dyn.size <= entries.bytes.length; at += L.Dyn.size) {
    const tag = entries.u64(at + L.Dyn.tag);
    if (tag === L.DT_NULL) break;
    if (!values.has(tag)) values.set(tag, entries.u64(at + L.Dyn.value));
  }
  return values;
}

/** A chain entry for each symbol. */
function countByHash(table: Fields | undefined): number | undefined {
  return table === undefined || table.bytes.length < 8 ? undefined : table.u32(4);
}

/** The chain that starts last ends with the last symbol. */
function countByGnuHash(table: Fields | undefined): number | undefined {
  if (table === undefined || table.bytes.length < 16) return undefined;
  const [buckets, first, bloomWords] = [table.u32(0), table.u32(4), table.u32(8)];
  const bucketsAt = 16 + bloomWords * 8;
  const chainsAt = bucketsAt + buckets * 4;
  if (chainsAt > table.bytes.length) return undefined;
  let last = 0;
  for (let i = 0; i < buckets; i++) last = Math.max(last, table.u32(bucketsAt + i * 4));
  if (last < first) return first;
  for (; ; last++) {
    const at = chainsAt + (last - first) * 4;
    if (at + 4 > table.bytes.length) return undefined;
    if ((table.u32(at) & 1) !== 0) return last + 1;
  }
}
