// SPDX-License-Identifier: MIT
//
// The vDSO as an ELF shared object in one page: what ld.so, dlsym, gdb and unwinders look for. Models the output of
// Linux's arch/x86/entry/vdso (vdso.lds.S), System V gABI chapter 5, the GNU hash table and LSB's .eh_frame.

import { PAGE_SIZE } from '../base/addr.ts';
import { utf8 } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import * as L from '../abi/elf.ts';
import { linkVdso, VDSO_FUNCTIONS } from './vdso-code.ts';

const SONAME = 'linux-vdso.so.1';
const VERSION = 'LINUX_2.6';
/** LINUX_VERSION_CODE of what is modelled: 6.1. */
const LINUX_VERSION_CODE = 0x060100;

/** Writes little-endian fields one after the other. */
class Writer {
  private readonly bytes: number[] = [];

  get length(): number {
    return this.bytes.length;
  }

  u8(...values: readonly number[]): this {
    this.bytes.push(...values);
    return this;
  }

  u16(value: number): this {
    return this.u8(value & 0xff, (value >>> 8) & 0xff);
  }

  u32(value: number): this {
    return this.u16(value & 0xffff).u16((value >>> 16) & 0xffff);
  }

  u64(value: number): this {
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
  }

  text(text: string): this {
    return this.u8(...utf8(text), 0);
  }

  align(to: number): this {
    while (this.length % to !== 0) this.u8(0);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

/** Strings of one table, each once. */
class Strings {
  readonly writer = new Writer().u8(0);
  private readonly known = new Map<string, number>();

  add(text: string): number {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const at = this.writer.length;
    this.known.set(text, at);
    this.writer.text(text);
    return at;
  }
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly size: number;
  /** Made when all addresses are known. */
  readonly content: (address: (name: string) => number) => Uint8Array;
  readonly link?: string;
  readonly info?: number;
  readonly entrySize?: number;
}

interface ExportedName {
  readonly name: string;
  readonly binding: number;
  /** Label in the code, and bytes. */
  readonly label: string;
  readonly size: number;
}

/** The hash of the gABI (DT_HASH); also names versions. */
function sysvHash(name: string): number {
  let h = 0;
  for (const c of utf8(name)) {
    h = ((h << 4) + c) >>> 0;
    const g = h & 0xf0000000;
    h = (h ^ (g >>> 24)) & ~g;
  }
  return h >>> 0;
}

function gnuHash(name: string): number {
  let h = 5381;
  for (const c of utf8(name)) h = (Math.imul(h, 33) + c) >>> 0;
  return h;
}

const GNU_BUCKETS = 3;
const SYSV_BUCKETS = 3;
const BLOOM_SHIFT = 6;

function exportedNames(): ExportedName[] {
  const names = VDSO_FUNCTIONS.flatMap(({ name, lines }) => {
    const size = lines.reduce((sum, l) => sum + l.bytes.length + (l.jump?.size ?? 0), 0);
    return [
      { name, binding: L.STB_WEAK, label: name, size },
      { name: `__vdso_${name}`, binding: L.STB_GLOBAL, label: name, size },
    ];
  });
  // The GNU table wants symbols of one bucket side by side.
  return names.sort((a, b) => (gnuHash(a.name) % GNU_BUCKETS) - (gnuHash(b.name) % GNU_BUCKETS));
}

function sysvTable(names: readonly ExportedName[]): Uint8Array {
  const buckets = new Array<number>(SYSV_BUCKETS).fill(0);
  const chains = new Array<number>(names.length + 1).fill(0);
  names.forEach(({ name }, i) => {
    const bucket = sysvHash(name) % SYSV_BUCKETS;
    chains[i + 1] = buckets[bucket] ?? 0;
    buckets[bucket] = i + 1;
  });
  const out = new Writer().u32(SYSV_BUCKETS).u32(names.length + 1);
  for (const value of [...buckets, ...chains]) out.u32(value);
  return out.done();
}

function gnuTable(names: readonly ExportedName[]): Uint8Array {
  const hashes = names.map(({ name }) => gnuHash(name));
  let bloom = 0n;
  for (const h of hashes) bloom |= (1n << BigInt(h % 64)) | (1n << BigInt((h >>> BLOOM_SHIFT) % 64));
  const out = new Writer().u32(GNU_BUCKETS).u32(1).u32(1).u32(BLOOM_SHIFT);
  out.u32(Number(bloom & 0xffffffffn)).u32(Number(bloom >> 32n));
  for (let b = 0; b < GNU_BUCKETS; b++) out.u32(hashes.findIndex((h) => h % GNU_BUCKETS === b) + 1);
  hashes.forEach((h, i) => {
    const next = hashes[i + 1];
    const isLast = next === undefined || next % GNU_BUCKETS !== h % GNU_BUCKETS;
    out.u32(((h & ~1) | (isLast ? 1 : 0)) >>> 0);
  });
  return out.done();
}

function versionDefinitions(strings: Strings): Uint8Array {
  const out = new Writer();
  const one = (name: string, index: number, flags: number, next: number): void => {
    out.u16(1).u16(flags).u16(index).u16(1).u32(sysvHash(name)).u32(20).u32(next);
    out.u32(strings.add(name)).u32(0);
  };
  one(SONAME, 1, L.VER_FLG_BASE, 28);
  one(VERSION, 2, 0, 0);
  return out.done();
}

/** Every function leaves the stack as the call made it: the frame is the return address. */
function unwindTable(address: (name: string) => number, labels: ReadonlyMap<string, number>): Uint8Array {
  const start = address('.eh_frame');
  const out = new Writer();
  // CIE "zR": code 1, data -8, return address in column 16; addresses relative; CFA = rsp + 8.
  out.u32(20).u32(0).u8(1).text('zR').u8(1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1).align(4);
  for (const { label, size } of functions()) {
    out.u32(16).u32(out.length);
    out.u32(address('.text') + (labels.get(label) ?? 0) - (start + out.length)).u32(size);
    out.u8(0).align(4);
  }
  return out.u32(0).done();
}

function unwindIndex(address: (name: string) => number, labels: ReadonlyMap<string, number>): Uint8Array {
  const start = address('.eh_frame_hdr');
  const out = new Writer().u8(1, 0x1b, 0x03, 0x3b);
  out.u32(address('.eh_frame') - (start + 4)).u32(VDSO_FUNCTIONS.length);
  functions().forEach(({ label }, i) => {
    // The first entry follows the CIE of 24 bytes; each has 20.
    out.u32(address('.text') + (labels.get(label) ?? 0) - start).u32(address('.eh_frame') + 24 + 20 * i - start);
  });
  return out.done();
}

/** Each function once, in the order of the code. */
function functions(): { label: string; size: number }[] {
  return VDSO_FUNCTIONS.map(({ name, lines }) => ({
    label: name,
    size: lines.reduce((sum, l) => sum + l.bytes.length + (l.jump?.size ?? 0), 0),
  }));
}

const HEADERS_END = L.Ehdr.size + 4 * L.Phdr.size;

/**
 * The bytes of the image.
 * @param vvarOffset where the page of data is mapped, counted from the start of the image
 */
export function buildVdso(vvarOffset: number): Uint8Array {
  const names = exportedNames();
  const strings = new Strings();
  const nameOffsets = names.map(({ name }) => strings.add(name));
  const sonameOffset = strings.add(SONAME);
  const definitions = versionDefinitions(strings);
  const sysv = sysvTable(names);
  const gnu = gnuTable(names);
  // Where things are does not depend on what addresses they hold: a first link gives the sizes.
  const { bytes: sized, labels } = linkVdso(0);
  const note = new Writer().u32(6).u32(4).u32(0).text('Linux').align(4).u32(LINUX_VERSION_CODE).done();

  const fixed = (bytes: Uint8Array): Pick<Section, 'size' | 'content'> => ({
    size: bytes.length,
    content: () => bytes,
  });
  const sections: Section[] = [];
  const add = (section: Section): void => void sections.push(section);
  const alloc = L.SHF_ALLOC;
  add({ name: '.hash', type: L.SHT_HASH, flags: alloc, align: 8, ...fixed(sysv), link: '.dynsym', entrySize: 4 });
  add({ name: '.gnu.hash', type: L.SHT_GNU_HASH, flags: alloc, align: 8, ...fixed(gnu), link: '.dynsym' });
  add({
    name: '.dynsym',
    type: L.SHT_DYNSYM,
    flags: alloc,
    align: 8,
    size: (names.length + 1) * L.Sym.size,
    link: '.dynstr',
    info: 1,
    entrySize: L.Sym.size,
    content: (address) => {
      const out = new Writer().u64(0).u64(0).u64(0);
      names.forEach(({ binding, label, size }, i) => {
        const value = address('.text') + (labels.get(label) ?? 0);
        out.u32(nameOffsets[i] ?? 0).u8((binding << 4) | L.STT_FUNC, 0);
        out
          .u16(sections.findIndex((s) => s.name === '.text') + 1)
          .u64(value)
          .u64(size);
      });
      return out.done();
    },
  });
  add({ name: '.dynstr', type: L.SHT_STRTAB, flags: alloc, align: 1, ...fixed(strings.writer.done()) });
  const versions = new Writer().u16(0);
  for (const _ of names) versions.u16(2);
  const version = { link: '.dynsym', entrySize: 2, ...fixed(versions.done()) };
  add({ name: '.gnu.version', type: L.SHT_GNU_VERSYM, flags: alloc, align: 2, ...version });
  const verdef = { link: '.dynstr', info: 2, ...fixed(definitions) };
  add({ name: '.gnu.version_d', type: L.SHT_GNU_VERDEF, flags: alloc, align: 8, ...verdef });
  const dynamic = (address: (name: string) => number): Uint8Array => {
    const out = new Writer();
    out.u64(L.DT_SONAME).u64(sonameOffset).u64(L.DT_HASH).u64(address('.hash'));
    out.u64(L.DT_GNU_HASH).u64(address('.gnu.hash')).u64(L.DT_STRTAB).u64(address('.dynstr'));
    out.u64(L.DT_SYMTAB).u64(address('.dynsym')).u64(L.DT_STRSZ).u64(strings.writer.length);
    out.u64(L.DT_SYMENT).u64(L.Sym.size).u64(L.DT_VERDEF).u64(address('.gnu.version_d'));
    out.u64(L.DT_VERDEFNUM).u64(2).u64(L.DT_VERSYM).u64(address('.gnu.version')).u64(0).u64(0);
    return out.done();
  };
  const size = dynamic(() => 0).length;
  add({
    name: '.dynamic',
    type: L.SHT_DYNAMIC,
    flags: alloc,
    align: 8,
    size,
    content: dynamic,
    link: '.dynstr',
    entrySize: 16,
  });
  add({ name: '.note', type: L.SHT_NOTE, flags: alloc, align: 4, ...fixed(note) });
  const index = (address: (name: string) => number): Uint8Array => unwindIndex(address, labels);
  const unwind = (address: (name: string) => number): Uint8Array => unwindTable(address, labels);
  const progbits = { type: L.SHT_PROGBITS, flags: alloc };
  add({ name: '.eh_frame_hdr', ...progbits, align: 4, size: index(() => 0).length, content: index });
  add({ name: '.eh_frame', ...progbits, align: 8, size: unwind(() => 0).length, content: unwind });
  add({
    name: '.text',
    type: L.SHT_PROGBITS,
    flags: alloc | L.SHF_EXECINSTR,
    align: 16,
    size: sized.length,
    content: (address) => linkVdso(vvarOffset - address('.text')).bytes,
  });
  return assemble(sections);
}

function assemble(sections: Section[]): Uint8Array {
  const names = new Strings();
  const nameOffsets = sections.map(({ name }) => names.add(name));
  const tableName = names.add('.shstrtab');
  const places = new Map<string, { readonly at: number; readonly size: number }>();
  let end = HEADERS_END;
  for (const { name, align, size } of sections) {
    end += (align - (end % align)) % align;
    places.set(name, { at: end, size });
    end += size;
  }
  const address = (name: string): number => places.get(name)?.at ?? 0;
  const stringsAt = end;
  const strings = names.writer.done();
  const headersAt = Math.ceil((stringsAt + strings.length) / 8) * 8;
  const image = new Uint8Array(PAGE_SIZE);
  const total = headersAt + (sections.length + 2) * L.Shdr.size;
  invariant(total <= PAGE_SIZE, () => 'the vDSO does not fit into a page');

  const head = new Writer();
  head.u8(...L.ELF_MAGIC, L.ELFCLASS64, L.ELFDATA2LSB, L.EV_CURRENT).u8(...new Array<number>(9).fill(0));
  head.u16(L.ET_DYN).u16(L.EM_X86_64).u32(L.EV_CURRENT).u64(0).u64(L.Ehdr.size).u64(headersAt).u32(0);
  head
    .u16(L.Ehdr.size)
    .u16(L.Phdr.size)
    .u16(4)
    .u16(L.Shdr.size)
    .u16(sections.length + 2)
    .u16(sections.length + 1);
  const segment = (type: number, flags: number, at: number, size: number, align: number): void =>
    void head.u32(type).u32(flags).u64(at).u64(at).u64(at).u64(size).u64(size).u64(align);
  const segmentOf = (type: number, name: string): void => {
    const place = places.get(name) ?? { at: 0, size: 0 };
    segment(type, L.PF_R, place.at, place.size, type === L.PT_DYNAMIC ? 8 : 4);
  };
  segment(L.PT_LOAD, L.PF_R | L.PF_X, 0, total, PAGE_SIZE);
  segmentOf(L.PT_DYNAMIC, '.dynamic');
  segmentOf(L.PT_NOTE, '.note');
  segmentOf(L.PT_GNU_EH_FRAME, '.eh_frame_hdr');
  image.set(head.done(), 0);

  const headers = new Writer();
  for (let i = 0; i < L.Shdr.size; i++) headers.u8(0);
  sections.forEach((s, i) => {
    const at = address(s.name);
    const content = s.content(address);
    invariant(content.length === s.size, () => `${s.name} changed its size`);
    image.set(content, at);
    const link = s.link === undefined ? 0 : sections.findIndex((other) => other.name === s.link) + 1;
    headers
      .u32(nameOffsets[i] ?? 0)
      .u32(s.type)
      .u64(s.flags)
      .u64(at)
      .u64(at)
      .u64(s.size);
    headers
      .u32(link)
      .u32(s.info ?? 0)
      .u64(s.align)
      .u64(s.entrySize ?? 0);
  });
  headers.u32(tableName).u32(L.SHT_STRTAB).u64(0).u64(0).u64(stringsAt).u64(strings.length).u32(0).u32(0).u64(1).u64(0);
  image.set(strings, stringsAt);
  image.set(headers.done(), headersAt);
  return image;
}
