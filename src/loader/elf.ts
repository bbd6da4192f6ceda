// SPDX-License-Identifier: MIT
//
// Reads the headers of an x86-64 ELF program: what to map where, and what it needs of the machine. Trusts no
// field. Models Linux's fs/binfmt_elf.c and gVisor pkg/sentry/loader/elf.go.

import { fromLatin1 } from '../base/bytes.ts';
import { PAGE_SIZE, USER_HALF_END } from '../base/addr.ts';
import * as L from '../abi/elf.ts';
import { type ByteSource, type Fields, readExactly } from './byte-source.ts';
import { loadError, type LoadError } from './load-error.ts';

/** A PT_LOAD segment. */
export interface ElfSegment {
  /** Offset in the file. */
  readonly offset: number;
  /** Address in the file's own terms: a position-independent program adds its base. */
  readonly vaddr: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  readonly align: number;
}

/** What the headers say. */
export interface ElfImage {
  readonly ok: true;
  readonly isPositionIndependent: boolean;
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  /** Address of the program headers in memory, or undefined when no segment holds them. */
  readonly headersVaddr: number | undefined;
  readonly headerCount: number;
  /** Path of the interpreter that PT_INTERP asks for. */
  readonly interpreter: string | undefined;
  readonly executableStack: boolean;
  /** x86-64 ISA level (1 to 4) that a GNU property note asks for. */
  readonly isaLevel: number;
}

/** Linux refuses more program headers than fit in 64 KiB. */
const MAX_HEADER_BYTES = 65536;
const MAX_INTERPRETER = 4096;
/** Property notes are tens of bytes; a larger segment is no reason to read it all. */
const MAX_NOTE_BYTES = 65536;
const NOTE_NAME_GNU = 0x00554e47;

const MACHINES: ReadonlyMap<number, string> = new Map([
  [3, 'i386'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, 'PowerPC 64'],
  [22, 's390'],
  [40, 'ARM'],
  [183, 'AArch64'],
  [243, 'RISC-V'],
  [258, 'LoongArch'],
]);

/** Reads the headers of `source`. */
export function readElf(source: ByteSource): ElfImage | LoadError {
  const ident = readExactly(source, 0, Math.min(L.EI_NIDENT, source.sizeInBytes()));
  if (ident === undefined) return loadError('EIO', 'cannot be read');
  if (L.ELF_MAGIC.some((byte, i) => ident.bytes[i] !== byte)) return loadError('ENOEXEC', 'not an ELF file');
  const header = readExactly(source, 0, L.Ehdr.size);
  if (header === undefined)
    return loadError('ENOEXEC', `truncated: ${source.sizeInBytes()} bytes are too few for an ELF header`);
  const refused = checkHeader(header);
  if (refused !== undefined) return refused;

  const headerOffset = header.u64(L.Ehdr.phoff);
  const headerCount = header.u16(L.Ehdr.phnum);
  const table = readExactly(source, headerOffset, headerCount * L.Phdr.size);
  if (table === undefined)
    return loadError('ENOEXEC', 'truncated or lying: its program headers lie beyond the end of the file');
  return readProgramHeaders(source, header, table, headerOffset, headerCount);
}

function checkHeader(header: Fields): LoadError | undefined {
  const elfClass = header.u8(L.EI_CLASS);
  if (elfClass !== L.ELFCLASS64) {
    return loadError(
      'ENOEXEC',
      elfClass === L.ELFCLASS32 ? 'a 32-bit ELF file; only x86-64 programs run here' : `unknown ELF class ${elfClass}`,
    );
  }
  if (header.u8(L.EI_DATA) !== L.ELFDATA2LSB) return loadError('ENOEXEC', 'not a little-endian ELF file');
  const machine = header.u16(L.Ehdr.machine);
  if (machine !== L.EM_X86_64) {
    return loadError(
      'ENOEXEC',
      `built for ${MACHINES.get(machine) ?? `machine ${machine}`}; only x86-64 programs run here`,
    );
  }
  const type = header.u16(L.Ehdr.type);
  if (type !== L.ET_EXEC && type !== L.ET_DYN) {
    const what =
      type === L.ET_REL
        ? 'an object file; link it first'
        : type === L.ET_CORE
          ? 'a core dump'
          : `an ELF file of type ${type}`;
    return loadError('ENOEXEC', `not a program but ${what}`);
  }
  if (header.u16(L.Ehdr.phentsize) !== L.Phdr.size) {
    return loadError(
      'ENOEXEC',
      `program headers of ${header.u16(L.Ehdr.phentsize)} bytes; they must have ${L.Phdr.size}`,
    );
  }
  const bytes = header.u16(L.Ehdr.phnum) * L.Phdr.size;
  if (bytes === 0) return loadError('ENOEXEC', 'has no program headers');
  if (bytes > MAX_HEADER_BYTES) return loadError('ENOEXEC', 'has too many program headers');
  return undefined;
}

function readProgramHeaders(
  source: ByteSource,
  header: Fields,
  table: Fields,
  headerOffset: number,
  headerCount: number,
): ElfImage | LoadError {
  const isPositionIndependent = header.u16(L.Ehdr.type) === L.ET_DYN;
  const segments: ElfSegment[] = [];
  let interpreter: string | undefined;
  let headersVaddr: number | undefined;
  let executableStack = false;
  let isaLevel = 1;
  for (let i = 0; i < headerCount; i++) {
    const at = i * L.Phdr.size;
    const type = table.u32(at + L.Phdr.type);
    const offset = table.u64(at + L.Phdr.offset);
    const fileSize = table.u64(at + L.Phdr.filesz);
    const vaddr = table.u64(at + L.Phdr.vaddr);
    const flags = table.u32(at + L.Phdr.flags);
    if (type === L.PT_LOAD) {
      const memorySize = table.u64(at + L.Phdr.memsz);
      const segment: ElfSegment = {
        offset,
        vaddr,
        fileSize,
        memorySize,
        align: table.u64(at + L.Phdr.align),
        readable: (flags & L.PF_R) !== 0,
        writable: (flags & L.PF_W) !== 0,
        executable: (flags & L.PF_X) !== 0,
      };
      const refused = checkSegment(source, segment, i);
      if (refused !== undefined) return refused;
      if (memorySize === 0) continue;
      if (headerOffset >= offset && headerOffset + table.bytes.length <= offset + fileSize)
        headersVaddr ??= vaddr + (headerOffset - offset);
      segments.push(segment);
    } else if (type === L.PT_INTERP && interpreter === undefined) {
      const path = readInterpreter(source, offset, fileSize);
      if (typeof path !== 'string') return path;
      interpreter = path;
    } else if (type === L.PT_GNU_STACK) {
      executableStack = (flags & L.PF_X) !== 0;
    } else if (type === L.PT_GNU_PROPERTY || type === L.PT_NOTE) {
      isaLevel = Math.max(isaLevel, neededIsaLevel(source, offset, fileSize));
    }
  }
  if (segments.length === 0) return loadError('ENOEXEC', 'has nothing to load');
  const overlap = findOverlap(segments);
  if (overlap !== undefined) return overlap;
  const entry = header.u64(L.Ehdr.entry);
  if (!(entry < USER_HALF_END)) return loadError('ENOEXEC', 'its entry point is no user address');
  return {
    ok: true,
    isPositionIndependent,
    entry,
    segments,
    headersVaddr,
    headerCount,
    interpreter,
    executableStack,
    isaLevel,
  };
}

function checkSegment(source: ByteSource, s: ElfSegment, index: number): LoadError | undefined {
  const named = (what: string): LoadError => loadError('ENOEXEC', `segment ${index} ${what}`);
  // No number is larger than NaN, which is what a field of more than 53 bits is.
  if (!(s.offset + s.fileSize <= source.sizeInBytes())) {
    return named('lies beyond the end of the file: truncated, or its header lies');
  }
  if (!(s.memorySize >= s.fileSize)) return named('is larger in the file than in memory');
  if (!(s.vaddr + s.memorySize < USER_HALF_END)) return named('lies outside the user address range');
  // A file of zero alignment or one is not aligned at all; any other must be a power of two.
  if (Number.isNaN(s.align) || (s.align > 1 && !isPowerOfTwo(s.align)))
    return named('has an alignment that is no power of two');
  if (s.fileSize > 0 && s.offset % PAGE_SIZE !== s.vaddr % PAGE_SIZE)
    return named('has an offset and an address that differ within a page');
  return undefined;
}

function findOverlap(segments: readonly ElfSegment[]): LoadError | undefined {
  const ordered = [...segments].sort((a, b) => a.vaddr - b.vaddr);
  let end = 0;
  for (const s of ordered) {
    if (s.vaddr < end) return loadError('ENOEXEC', 'its segments overlap');
    end = s.vaddr + s.memorySize;
  }
  return undefined;
}

function readInterpreter(source: ByteSource, offset: number, length: number): string | LoadError {
  if (!(length >= 2 && length <= MAX_INTERPRETER))
    return loadError('ENOEXEC', 'names an interpreter of impossible length');
  const field = readExactly(source, offset, length);
  if (field === undefined) return loadError('ENOEXEC', 'the name of its interpreter lies beyond the end of the file');
  if (field.bytes.at(-1) !== 0) return loadError('ENOEXEC', 'names an interpreter without an end');
  return fromLatin1(field.bytes.subarray(0, field.bytes.indexOf(0)));
}

/** Highest level in GNU_PROPERTY_X86_ISA_1_NEEDED, 1 without one. A note that makes no sense asks for nothing, as on Linux. */
function neededIsaLevel(source: ByteSource, offset: number, length: number): number {
  const notes = length <= MAX_NOTE_BYTES ? readExactly(source, offset, length) : undefined;
  if (notes === undefined) return 1;
  let level = 1;
  let at = 0;
  while (at + L.Nhdr.size <= length) {
    const nameSize = notes.u32(at + L.Nhdr.namesz);
    const size = notes.u32(at + L.Nhdr.descsz);
    const start = at + L.Nhdr.size + roundUp(nameSize, 4);
    const end = start + size;
    if (end > length) break;
    if (
      notes.u32(at + L.Nhdr.type) === L.NT_GNU_PROPERTY_TYPE_0 &&
      nameSize === 4 &&
      notes.u32(at + L.Nhdr.size) === NOTE_NAME_GNU
    ) {
      level = Math.max(level, levelOfProperties(notes, start, end));
    }
    at = roundUp(end, 4);
    // Property notes are padded to 8 bytes, others to 4.
    while (at + L.Nhdr.size <= length && notes.u32(at) === 0 && at % 8 !== 0) at += 4;
  }
  return level;
}

function levelOfProperties(notes: Fields, start: number, end: number): number {
  let level = 1;
  let at = start;
  while (at + 8 <= end) {
    const type = notes.u32(at);
    const size = notes.u32(at + 4);
    if (at + 8 + size > end) break;
    if (type === L.GNU_PROPERTY_X86_ISA_1_NEEDED && size >= 4) {
      const bits = notes.u32(at + 8);
      if ((bits & L.GNU_PROPERTY_X86_ISA_1_V2) !== 0) level = Math.max(level, 2);
      if ((bits & L.GNU_PROPERTY_X86_ISA_1_V3) !== 0) level = Math.max(level, 3);
      if ((bits & L.GNU_PROPERTY_X86_ISA_1_V4) !== 0) level = Math.max(level, 4);
    }
    at += 8 + roundUp(size, 8);
  }
  return level;
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(Math.log2(n)) && 2 ** Math.log2(n) === n;
}
