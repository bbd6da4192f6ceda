// SPDX-License-Identifier: MIT
//
// ELF programs made of code for the tests of `trapline sites`.

import { Ehdr, Shdr, SHT_STRTAB, SHT_SYMTAB, STB_GLOBAL, STT_FUNC, Sym } from '../../src/abi/elf.ts';
import { utf8, viewOf } from '../../src/base/bytes.ts';
import { buildElf } from '../loader/elf-builder.ts';

export const BASE = 0x400000;
/** Offset of the code of a program with one segment, which holds the headers too. */
export const HEADER = 0x80;

export interface CodeAt {
  /** A whole page. */
  readonly address: number;
  readonly code: Uint8Array;
}

export interface NamedCode {
  readonly name: string;
  readonly address: number;
  readonly size: number;
}

/** A static program: `code` at 0x400080, or an executable segment for each address. */
export function elfOf(code: Uint8Array | readonly CodeAt[], symbols: readonly NamedCode[] = []): Uint8Array {
  const contents: [number, Uint8Array][] = [];
  const segments: { offset: number; vaddr: number; filesz: number }[] = [];
  let end = 4096;
  if (code instanceof Uint8Array) {
    contents.push([HEADER, code]);
    end = HEADER + code.length;
    segments.push({ offset: 0, vaddr: BASE, filesz: end });
  } else {
    for (const s of code) {
      contents.push([end, s.code]);
      segments.push({ offset: end, vaddr: s.address, filesz: s.code.length });
      end += Math.ceil(s.code.length / 4096) * 4096;
    }
  }
  const sections = end;
  const tables = symbolTables(symbols, sections);
  if (symbols.length > 0) contents.push([sections, tables]);
  const entry = code instanceof Uint8Array ? BASE + HEADER : (segments[0]?.vaddr ?? 0);
  const file = buildElf({ segments, contents, entry, size: symbols.length > 0 ? end + tables.length : end });
  if (symbols.length === 0) return file;
  const view = viewOf(file);
  view.setBigUint64(Ehdr.shoff, BigInt(sections), true);
  view.setUint16(Ehdr.shentsize, Shdr.size, true);
  view.setUint16(Ehdr.shnum, 3, true);
  return file;
}

/** Section headers at `at`, and behind them .symtab and its names. */
function symbolTables(symbols: readonly NamedCode[], at: number): Uint8Array {
  const names = utf8(`\0${symbols.map((s) => `${s.name}\0`).join('')}`);
  const tableAt = 3 * Shdr.size;
  const namesAt = tableAt + (symbols.length + 1) * Sym.size;
  const out = new Uint8Array(namesAt + names.length);
  const view = viewOf(out);
  const section = (i: number, type: number, from: number, to: number, link: number): void => {
    view.setUint32(i * Shdr.size + Shdr.type, type, true);
    view.setBigUint64(i * Shdr.size + Shdr.offset, BigInt(at + from), true);
    view.setBigUint64(i * Shdr.size + Shdr.shSize, BigInt(to - from), true);
    view.setUint32(i * Shdr.size + Shdr.link, link, true);
  };
  section(1, SHT_SYMTAB, tableAt, namesAt, 2);
  section(2, SHT_STRTAB, namesAt, out.length, 0);
  let nameAt = 1;
  symbols.forEach(({ name, address, size }, i) => {
    const symbol = tableAt + (i + 1) * Sym.size;
    view.setUint32(symbol + Sym.name, nameAt, true);
    view.setUint8(symbol + Sym.info, (STB_GLOBAL << 4) | STT_FUNC);
    view.setUint16(symbol + Sym.shndx, 1, true);
    view.setBigUint64(symbol + Sym.value, BigInt(address), true);
    view.setBigUint64(symbol + Sym.symSize, BigInt(size), true);
    nameAt += name.length + 1;
  });
  out.set(names, namesAt);
  return out;
}
