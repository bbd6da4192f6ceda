// SPDX-License-Identifier: MIT
//
// Names of addresses for crash reports and listings: the symbol table of an ELF file, read within bounds. A file
// without one, or with one that makes no sense, has no names; that is no error.

import { fromLatin1 } from '../base/bytes.ts';
import * as L from '../abi/elf.ts';
import { type ByteSource, type Fields, readExactly } from './byte-source.ts';

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
/** A symbol without a size names at most this much. */
const UNSIZED_REACH = 65536;

/** Symbols in order of address. */
export class SymbolTable {
  readonly symbols: readonly ElfSymbol[];

  constructor(symbols: readonly ElfSymbol[]) {
    this.symbols = [...symbols].sort(
      (a, b) => a.value - b.value || Number(b.isFunction) - Number(a.isFunction) || b.size - a.size,
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

/** Reads .symtab, or .dynsym where there is no other. */
export function readSymbols(source: ByteSource): SymbolTable {
  const header = readExactly(source, 0, L.Ehdr.size);
  if (header === undefined || header.u16(L.Ehdr.shentsize) !== L.Shdr.size) return new SymbolTable([]);
  const count = Math.min(header.u16(L.Ehdr.shnum), MAX_SECTIONS);
  const sections = readExactly(source, header.u64(L.Ehdr.shoff), count * L.Shdr.size);
  if (sections === undefined) return new SymbolTable([]);
  for (const wanted of [L.SHT_SYMTAB, L.SHT_DYNSYM]) {
    for (let i = 0; i < count; i++) {
      const at = i * L.Shdr.size;
      if (sections.u32(at + L.Shdr.type) !== wanted) continue;
      const symbols = readTable(source, sections, count, at);
      if (symbols.length > 0) return new SymbolTable(symbols);
    }
  }
  return new SymbolTable([]);
}

function readTable(source: ByteSource, sections: Fields, count: number, at: number): ElfSymbol[] {
  const link = sections.u32(at + L.Shdr.link);
  if (link >= count) return [];
  const table = readSection(source, sections, at);
  const names = readSection(source, sections, link * L.Shdr.size);
  if (table === undefined || names === undefined) return [];
  const symbols: ElfSymbol[] = [];
  for (let s = 0; s + L.Sym.size <= table.bytes.length; s += L.Sym.size) {
    const type = table.u8(s + L.Sym.info) & 0xf;
    if (type !== L.STT_FUNC && type !== L.STT_NOTYPE && type !== L.STT_OBJECT && type !== L.STT_GNU_IFUNC) continue;
    const value = table.u64(s + L.Sym.value);
    const size = table.u64(s + L.Sym.symSize);
    if (table.u16(s + L.Sym.shndx) === 0 || !(value > 0) || Number.isNaN(size)) continue;
    const name = readName(names, table.u32(s + L.Sym.name));
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
  const end = names.bytes.indexOf(0, at);
  return end < 0 || end - at > MAX_NAME ? '' : fromLatin1(names.bytes.subarray(at, end));
}
