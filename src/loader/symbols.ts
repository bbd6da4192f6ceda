// SPDX-License-Identifier: MIT
//
// Names of addresses for crash reports and listings: the symbol table of an ELF file, read within bounds. A file
// without one, or with one that makes no sense, has no names; that is no error.

import { fromLatin1 } from '../base/bytes.ts';
import * as L from '../abi/elf.ts';
import { type ByteSource, type Fields, readExactly } from './byte-source.ts';
import { UnwindTable } from './unwind-table.ts';
import { type RawSymbols, readDynamicSymbols } from './dynamic-symbols.ts';

/** A named range of the file's own addresses. */
export interface ElfSymbol {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  readonly isFunction: boolean;
}

/** What an address is called. */
export interface SymbolAt {
  readonly name: string;
  readonly offset: number;
}

const MAX_TABLE_BYTES = 64 * 1024 * 1024;
const MAX_SECTIONS = 65536;
const MAX_NAME = 4096;
/** Names may overlap, so that a small file could ask for any amount of them. @internal */
export const MAX_NAME_CHARACTERS = 64 * 1024 * 1024;
/** A symbol without a size names at most this much. */
const UNSIZED_REACH = 65536;

/** Symbols in order of address. */
export class SymbolTable {
  readonly symbols: readonly ElfSymbol[];

  constructor(symbols: readonly ElfSymbol[]) {
    this.symbols = [...symbols].sort(
      (a, b) =>
        a.value - b.value ||
        Number(b.isFunction) - Number(a.isFunction) ||
        b.size - a.size ||
        underscores(a.name) - underscores(b.name) ||
        a.name.length - b.name.length ||
        (a.name < b.name ? -1 : 1),
    );
  }

  /** The symbol that covers `address` (in the file's own terms: take the bias off first). */
  lookup(address: number): SymbolAt | undefined {
    let low = 0;
    let high = this.symbols.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.symbols[middle] as ElfSymbol).value <= address) low = middle + 1;
      else high = middle;
    }
    // Of several at one address the first is the best; nested ones are rare, so a short way back will do.
    for (let i = low - 1; i >= 0 && i >= low - 16; i--) {
      const s = this.symbols[i] as ElfSymbol;
      const first = this.symbols[i - 1];
      if (first !== undefined && first.value === s.value) continue;
      if (address < s.value + (s.size > 0 ? s.size : UNSIZED_REACH)) return { name: s.name, offset: address - s.value };
    }
    return undefined;
  }
}

/** Of several names of one function the one that programs use. */
function underscores(name: string): number {
  let n = 0;
  while (name[n] === '_') n++;
  return n;
}

/** Reads .symtab, or .dynsym where there is no other; a file without section headers has its dynamic segment. */
export function readSymbols(source: ByteSource): SymbolTable {
  for (const raw of tables(source)) {
    const symbols = readTable(raw);
    if (symbols.length > 0) return new SymbolTable(symbols);
  }
  return new SymbolTable([]);
}

/** Functions by the file's unwind tables, for those that have no name. */
export function readUnwindTable(source: ByteSource): UnwindTable {
  return new UnwindTable(source, MAX_TABLE_BYTES);
}

function* tables(source: ByteSource): Generator<RawSymbols> {
  yield* sectionTables(source);
  const dynamic = readDynamicSymbols(source, MAX_TABLE_BYTES);
  if (dynamic !== undefined) yield dynamic;
}

/** Addresses where sections of code start; none in a file without section headers. */
export function readCodeSections(source: ByteSource): number[] {
  const { table, count } = sectionHeaders(source) ?? { table: undefined, count: 0 };
  const starts: number[] = [];
  for (let at = 0; table !== undefined && at < count * L.Shdr.size; at += L.Shdr.size) {
    if (table.u32(at + L.Shdr.type) !== L.SHT_PROGBITS || (table.u64(at + L.Shdr.flags) & L.SHF_EXECINSTR) === 0)
      continue;
    starts.push(table.u64(at + L.Shdr.addr));
  }
  return starts.filter((start) => start > 0);
}

function sectionHeaders(source: ByteSource): { readonly table: Fields; readonly count: number } | undefined {
  const header = readExactly(source, 0, L.Ehdr.size);
  if (header === undefined || header.u16(L.Ehdr.shentsize) !== L.Shdr.size) return undefined;
  const count = Math.min(header.u16(L.Ehdr.shnum), MAX_SECTIONS);
  const table = readExactly(source, header.u64(L.Ehdr.shoff), count * L.Shdr.size);
  return table && { table, count };
}

function* sectionTables(source: ByteSource): Generator<RawSymbols> {
  const { table: sections, count } = sectionHeaders(source) ?? { table: undefined, count: 0 };
  if (sections === undefined) return;
  for (const wanted of [L.SHT_SYMTAB, L.SHT_DYNSYM]) {
    // A file has one of each; more of them, all as large as the file, would be read one by one.
    const at = findSection(sections, count, wanted);
    if (at === undefined) continue;
    const link = sections.u32(at + L.Shdr.link);
    if (link >= count) continue;
    const table = readSection(source, sections, at);
    const names = readSection(source, sections, link * L.Shdr.size);
    if (table !== undefined && names !== undefined) yield { table, names };
  }
}

function findSection(sections: Fields, count: number, type: number): number | undefined {
  for (let i = 0; i < count; i++) {
    if (sections.u32(i * L.Shdr.size + L.Shdr.type) === type) return i * L.Shdr.size;
  }
  return undefined;
}

function readTable({ table, names }: RawSymbols): ElfSymbol[] {
  const symbols: ElfSymbol[] = [];
  let characters = 0;
  for (let s = 0; s + L.Sym.size <= table.bytes.length; s += L.Sym.size) {
    const type = table.u8(s + L.Sym.info) & 0xf;
    if (type !== L.STT_FUNC && type !== L.STT_NOTYPE && type !== L.STT_OBJECT && type !== L.STT_GNU_IFUNC) continue;
    const value = table.u64(s + L.Sym.value);
    const size = table.u64(s + L.Sym.symSize);
    if (table.u16(s + L.Sym.shndx) === 0 || !(value > 0) || Number.isNaN(size)) continue;
    const name = readName(names, table.u32(s + L.Sym.name));
    characters += name.length;
    if (characters > MAX_NAME_CHARACTERS) break;
    if (name !== '') symbols.push({ name, value, size, isFunction: type === L.STT_FUNC || type === L.STT_GNU_IFUNC });
  }
  return symbols;
}

function readSection(source: ByteSource, sections: Fields, at: number): Fields | undefined {
  const size = sections.u64(at + L.Shdr.shSize);
  return size <= MAX_TABLE_BYTES ? readExactly(source, sections.u64(at + L.Shdr.offset), size) : undefined;
}

function readName(names: Fields, at: number): string {
  if (at >= names.bytes.length) return '';
  const end = names.bytes.subarray(at, at + MAX_NAME + 1).indexOf(0);
  return end < 0 ? '' : fromLatin1(names.bytes.subarray(at, at + end));
}
