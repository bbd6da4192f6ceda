// SPDX-License-Identifier: MIT
//
// A position-independent program or a shared object as pages of a race: its segments at a base, with the relocations
// that need nothing from elsewhere (psABI 4.4). What it would import stays 0: a call of it is a fault at 0.

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import * as L from '../abi/elf.ts';
import { PAGE_SIZE, pageDown } from '../base/addr.ts';
import { TraplineError } from '../base/errors.ts';
import { bytesSource, readElf } from '../loader/index.ts';
import type { ByteSource, ElfSegment } from '../loader/index.ts';
import { dynamicEntries } from '../loader/dynamic-symbols.ts';
import { programHeaders, readAt } from '../loader/program-headers.ts';

/** Pages of a file, by address. */
export type ImagePages = ReadonlyMap<number, { readonly bytes: Uint8Array; readonly prot: number }>;

/** States hold all pages: a file of more is no patcher. */
const MOST_PAGES = 64;
const MOST_TABLE_BYTES = 1 << 20;

function protOf({ readable, writable, executable }: ElfSegment): number {
  return (readable ? PROT_READ : 0) | (writable ? PROT_WRITE : 0) | (executable ? PROT_EXEC : 0);
}

/**
 * The pages of a file at a base.
 * @returns null when the file is not position-independent
 * @throws TraplineError `RACE_CODE` when it is no program or too large
 */
export function imagePages(elf: Uint8Array, base: number): ImagePages | null {
  const source = bytesSource(elf);
  const image = readElf(source);
  if (!image.ok) throw new TraplineError('RACE_CODE', `no program: ${image.message}`);
  if (!image.isPositionIndependent) return null;
  const pages = new Map<number, { bytes: Uint8Array; prot: number }>();
  for (const segment of image.segments) {
    const { vaddr, offset, fileSize, memorySize } = segment;
    for (let page = pageDown(vaddr); page < vaddr + memorySize; page += PAGE_SIZE) {
      if (pages.size >= MOST_PAGES)
        throw new TraplineError(
          'RACE_CODE',
          `the file has more than ${MOST_PAGES} pages: a patcher of a race is smaller`,
        );
      const known = pages.get(base + page) ?? { bytes: new Uint8Array(PAGE_SIZE), prot: 0 };
      const from = Math.max(page, vaddr);
      const to = Math.min(page + PAGE_SIZE, vaddr + fileSize);
      if (to > from) known.bytes.set(elf.subarray(offset + from - vaddr, offset + to - vaddr), from - page);
      pages.set(base + page, { bytes: known.bytes, prot: known.prot | protOf(segment) });
    }
  }
  relocate(source, base, pages);
  return pages;
}

function relocate(source: ByteSource, base: number, pages: ReadonlyMap<number, { readonly bytes: Uint8Array }>): void {
  const headers = programHeaders(source);
  const entries = dynamicEntries(source, headers, MOST_TABLE_BYTES);
  if (entries === undefined) return;
  const value = (tag: number): number => entries.get(tag) ?? 0;
  for (const [start, size] of [
    [value(L.DT_RELA), value(L.DT_RELASZ)],
    [value(L.DT_JMPREL), value(L.DT_PLTRELSZ)],
  ] as const) {
    const table = size > 0 ? readAt(source, headers, start, Math.min(size, MOST_TABLE_BYTES)) : undefined;
    for (let at = 0; table !== undefined && at + L.Rela.size <= table.bytes.length; at += L.Rela.size) {
      const to = base + table.u64(at + L.Rela.offset);
      const page = pages.get(pageDown(to));
      if (page === undefined || to % PAGE_SIZE > PAGE_SIZE - 8) continue;
      const target = relocated(table.u32(at + L.Rela.type), table.u64(at + L.Rela.addend), base, () => {
        const symbol = value(L.DT_SYMTAB) + table.u32(at + L.Rela.symbol) * L.Sym.size;
        return readAt(source, headers, symbol, L.Sym.size)?.u64(L.Sym.value) ?? 0;
      });
      if (target === 0 || Number.isNaN(target)) continue;
      new DataView(page.bytes.buffer).setBigUint64(to % PAGE_SIZE, BigInt(target), true);
    }
  }
}

/** What a relocation writes; 0 where it needs another file. */
function relocated(type: number, addend: number, base: number, symbol: () => number): number {
  switch (type) {
    case L.R_X86_64_RELATIVE:
      return base + addend;
    case L.R_X86_64_64:
    case L.R_X86_64_GLOB_DAT:
    case L.R_X86_64_JUMP_SLOT: {
      const at = symbol();
      return at === 0 ? 0 : base + at + (type === L.R_X86_64_64 ? addend : 0);
    }
    default:
      return 0;
  }
}
