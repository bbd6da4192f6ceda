// SPDX-License-Identifier: MIT
//
// Program headers for readers of tables that only reports need: a file that makes no sense has none.

import * as L from '../abi/elf.ts';
import { type ByteSource, type Fields, readExactly } from './byte-source.ts';

/** A program header whose fields nobody has checked. */
export interface RawHeader {
  readonly type: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly size: number;
}

/** Program headers as far as they can be read; what they point to is checked where it is used. */
export function programHeaders(source: ByteSource): RawHeader[] {
  const elf = readExactly(source, 0, L.Ehdr.size);
  if (elf === undefined || elf.u16(L.Ehdr.phentsize) !== L.Phdr.size) return [];
  const count = elf.u16(L.Ehdr.phnum);
  const table = readExactly(source, elf.u64(L.Ehdr.phoff), count * L.Phdr.size);
  if (table === undefined) return [];
  return Array.from({ length: count }, (_, i) => {
    const at = i * L.Phdr.size;
    return {
      type: table.u32(at + L.Phdr.type),
      offset: table.u64(at + L.Phdr.offset),
      vaddr: table.u64(at + L.Phdr.vaddr),
      size: table.u64(at + L.Phdr.filesz),
    };
  });
}

/** Bytes at an address of the file's own, at most `length` of them and at most to the end of their segment. */
export function readAt(
  source: ByteSource,
  headers: readonly RawHeader[],
  vaddr: number,
  length: number,
): Fields | undefined {
  const segment = headers.find((h) => h.type === L.PT_LOAD && vaddr >= h.vaddr && vaddr < h.vaddr + h.size);
  if (segment === undefined) return undefined;
  const offset = vaddr - segment.vaddr;
  return readExactly(source, segment.offset + offset, Math.min(length, segment.size - offset));
}
