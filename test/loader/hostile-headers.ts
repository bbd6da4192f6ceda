// SPDX-License-Identifier: MIT
//
// A search at random for what an ELF file can do to its reader: headers with any field changed, read and mapped. What the
// reader accepts must be what it promises, by a check that is not its own.

import fc from 'fast-check';

import { PT_GNU_PROPERTY, PT_INTERP, PT_LOAD, Ehdr, Phdr } from '../../src/abi/elf.ts';
import { PAGE_SIZE, USER_HALF_END } from '../../src/base/addr.ts';
import { utf8 } from '../../src/base/bytes.ts';
import type { ByteSource } from '../../src/loader/byte-source.ts';
import type { ElfImage } from '../../src/loader/elf.ts';
import { readElf } from '../../src/loader/elf.ts';
import { mapImage } from '../../src/loader/map-image.ts';
import { AddressSpace, PhysicalMemory } from '../../src/mm/address-space.ts';
import { SoftMmu } from '../mm/soft-mmu.ts';
import { TestFile } from '../mm/test-file.ts';
import { buildElf } from './elf-builder.ts';

const FILE_BYTES = 0x2100;
/** Of a file that is zero behind its first bytes. */
const SPARSE_BYTES = 2 ** 40;
const SEGMENTS = 4;
const INTERPRETER_AT = 0x1800;
const NOTE_AT = 0x1900;
/** The first bytes, the header, its table. */
const HEADER_READS = 3;
/** A header of 64 KiB, an interpreter's name, notes of 64 KiB, and some small reads. */
const MOST_READ = 65536 + 4096 + 65536 + 1024;

/** A program of two segments that names an interpreter and has a note; position-independent or not. */
function program(type: number): Uint8Array {
  const note = new Uint8Array(32);
  const view = new DataView(note.buffer);
  [4, 16, 5, 0x00554e47, 0xc0008002, 4, 0x3, 0].forEach((word, i) => view.setUint32(i * 4, word, true));
  const base = type === 2 ? 0x400000 : 0;
  return buildElf({
    type,
    size: FILE_BYTES,
    entry: base + 0x1000,
    segments: [
      { vaddr: base, filesz: 0x1000 },
      { vaddr: base + 0x3000, offset: 0x1000, filesz: 0x1000, memsz: 0x3000, flags: 6 },
      { type: PT_INTERP, offset: INTERPRETER_AT, filesz: 12 },
      { type: PT_GNU_PROPERTY, offset: NOTE_AT, filesz: 32 },
    ],
    contents: [
      [INTERPRETER_AT, utf8('/lib/ld.so.1\0')],
      [NOTE_AT, note],
    ],
  });
}

/** A value of 64 bits that some check may mind. */
const value = fc.oneof(
  fc.constantFrom(
    0n,
    1n,
    2n,
    3n,
    4n,
    8n,
    12n,
    20n,
    24n,
    28n,
    0x38n,
    0xfffn,
    0x1000n,
    0x1800n,
    0x2000n,
    0x2001n,
    0x2100n,
    0x4000n,
    0x10000n,
  ),
  fc.constantFrom(0x400000n, 0x401000n, 0x402000n, 0x403000n, 0x404000n, 0x7fff_ffff_f000n, 0x7fff_ffff_efffn),
  fc.constantFrom(0x8000_0000_0000n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 0x1000n, 0x6000n),
  fc.bigInt({ min: 0n, max: 15n }).map((page) => page * 0x1000n),
  fc.bigInt({ min: 0n, max: 0x6000n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
/** Where a field lies and how long it is. */
const field = fc.oneof(
  fc.constantFrom([Ehdr.entry, 8], [Ehdr.phoff, 8], [Ehdr.phentsize, 2], [Ehdr.phnum, 2], [Ehdr.type, 2]),
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        fc.nat(SEGMENTS - 1),
        fc.constantFrom(
          [Phdr.type, 4],
          [Phdr.flags, 4],
          [Phdr.offset, 8],
          [Phdr.vaddr, 8],
          [Phdr.filesz, 8],
          [Phdr.memsz, 8],
          [Phdr.align, 8],
        ),
      )
      .map(([i, [at, size]]) => [Ehdr.size + i * Phdr.size + (at as number), size as number]),
  },
  fc.nat(7).map((i) => [NOTE_AT + 4 * i, 4]),
  fc.nat(12).map((i) => [INTERPRETER_AT + i, 1]),
);
const changes = fc.array(fc.tuple(field, value), { minLength: 1, maxLength: 3 });
/** Notes that end anywhere, by what the file, the note and its property say. */
const noteEnds = fc.option(fc.tuple(fc.nat(32), fc.nat(16), fc.nat(8)), { freq: 4, nil: undefined });
const segmentTypes = fc.array(fc.tuple(fc.nat(SEGMENTS - 1), fc.constantFrom(PT_LOAD, PT_INTERP, PT_GNU_PROPERTY)), {
  maxLength: 1,
});

function refuse(text: string): never {
  throw new Error(text);
}

/**
 * A source that is never asked for what it does not have, nor for much.
 * @param shortRead the number of a read that does not get all
 */
function guarded(bytes: Uint8Array, size: number, shortRead: number): ByteSource {
  let asked = 0;
  let reads = 0;
  return {
    sizeInBytes: () => size,
    read(offset, into) {
      asked += into.length;
      if (!(offset >= 0) || !(offset + into.length <= size)) refuse(`${into.length} bytes at ${offset} are read`);
      if (asked > MOST_READ) refuse(`${asked} bytes are read`);
      into.fill(0);
      into.set(bytes.subarray(offset, offset + into.length));
      return reads++ === shortRead ? into.length - 1 : into.length;
    },
  };
}

/** The name of the interpreter, as the file says it. */
function interpreterOf(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const table = Number(view.getBigUint64(Ehdr.phoff, true));
  for (let at = table; at < table + view.getUint16(Ehdr.phnum, true) * Phdr.size; at += Phdr.size) {
    if (at + Phdr.size > bytes.length || view.getUint32(at + Phdr.type, true) !== PT_INTERP) continue;
    const start = Number(view.getBigUint64(at + Phdr.offset, true));
    const name = bytes.subarray(start, start + Number(view.getBigUint64(at + Phdr.filesz, true)));
    return name.at(-1) === 0 && name.length >= 2
      ? Buffer.from(name.subarray(0, name.indexOf(0))).toString('latin1')
      : 'none';
  }
  return undefined;
}

function checkImage(image: ElfImage, bytes: Uint8Array, size: number): void {
  const { segments, entry, headerCount, headersVaddr, interpreter, isaLevel } = image;
  if (segments.length === 0 || segments.length > headerCount) refuse(`${segments.length} segments`);
  if (headerCount * Phdr.size > 65536) refuse(`${headerCount} headers`);
  for (const number of [entry, headersVaddr ?? 0]) {
    if (!Number.isSafeInteger(number) || number < 0 || number >= USER_HALF_END) refuse(`an address is ${number}`);
  }
  const sorted = segments.toSorted((a, b) => a.vaddr - b.vaddr);
  let end = 0;
  for (const s of sorted) {
    const fields = [s.offset, s.fileSize, s.memorySize, s.vaddr, s.align];
    if (!fields.every((n) => Number.isSafeInteger(n) && n >= 0)) refuse(`a segment of ${fields.join()}`);
    if (s.offset + s.fileSize > size) refuse('a segment of what the file does not have');
    if (s.fileSize > s.memorySize) refuse('a segment that is larger in the file');
    if (s.vaddr < end) refuse('segments overlap');
    end = s.vaddr + s.memorySize;
    if (end >= USER_HALF_END) refuse('a segment outside the user half');
    if (s.align > 1 && (BigInt(s.align) & (BigInt(s.align) - 1n)) !== 0n) refuse(`an alignment of ${s.align}`);
    if (s.fileSize > 0 && (s.offset - s.vaddr) % PAGE_SIZE !== 0) refuse('a segment that no page of the file fits');
  }
  // What lies behind the first bytes is zero.
  if (interpreter !== undefined && size === bytes.length && interpreter !== interpreterOf(bytes)) refuse(interpreter);
  if (interpreter !== undefined && interpreter.length > 4095) refuse('an interpreter');
  if (bytes[Ehdr.phentsize] !== Phdr.size || bytes[Ehdr.phentsize + 1] !== 0) refuse('headers of another size');
  if (isaLevel < 1 || isaLevel > 4) refuse(`level ${isaLevel}`);
}

/** Maps what was read; whatever comes of it lies where a guest may have something. */
function checkMapped(image: ElfImage, bytes: Uint8Array, base: number | undefined): boolean {
  const mm = new AddressSpace(new PhysicalMemory(new SoftMmu(256), 200 * PAGE_SIZE));
  const mapped = mapImage(mm, image, new TestFile(bytes, '/bin/program'), base);
  for (const area of mm.vmas()) {
    if (area.start < 65536 || area.end > mm.end || area.start >= area.end) refuse(`an area at ${area.start}`);
  }
  if (!mapped.ok) return false;
  if (!(mapped.start >= 0) || !(mapped.end <= mm.end) || !Number.isSafeInteger(mapped.bias))
    refuse(`the program lies at ${mapped.start} to ${mapped.end}`);
  for (const { vaddr, memorySize } of image.segments) {
    const start = mapped.bias + vaddr;
    for (let at = start; at < start + memorySize;) {
      const area = mm.findVma(at);
      if (area === undefined) refuse(`of a segment nothing is mapped at ${at}`);
      at = area.end;
    }
  }
  return true;
}

/** What came of a search: how many files were mapped, and the failure that was found. */
export interface HeaderSearch {
  readonly mapped: number;
  readonly failure: string | undefined;
}

export function searchHeaders(seed: number, runs: number): HeaderSearch {
  const files = [program(2), program(3)];
  let mapped = 0;
  const property = fc.property(
    fc.nat(1),
    changes,
    segmentTypes,
    noteEnds,
    fc.record({ cut: fc.nat(7), isSparse: fc.boolean(), hasBase: fc.boolean(), shortRead: fc.nat(30) }),
    (which, edits, types, note, { cut, isSparse, hasBase, shortRead }) => {
      const whole = (files[which] as Uint8Array).slice();
      const view = new DataView(whole.buffer);
      for (const [i, type] of types) view.setUint32(Ehdr.size + i * Phdr.size + Phdr.type, type, true);
      for (const [[at, size], to] of edits) {
        for (let i = 0; i < (size as number); i++) whole[(at as number) + i] = Number((to >> BigInt(8 * i)) & 0xffn);
      }
      if (note !== undefined) {
        view.setBigUint64(Ehdr.size + 3 * Phdr.size + Phdr.filesz, BigInt(note[0]), true);
        view.setUint32(NOTE_AT + 4, note[1], true);
        view.setUint32(NOTE_AT + 20, note[2], true);
      }
      // One in eight is cut off somewhere.
      const end = Number(edits[0]?.[1] ?? 0n) % FILE_BYTES;
      const file = cut === 0 ? whole.subarray(0, end) : whole;
      const size = isSparse && cut !== 0 ? SPARSE_BYTES : file.length;
      const image = readElf(guarded(file, size, shortRead));
      if (!image.ok) return;
      if (shortRead < HEADER_READS) refuse('headers of which not all was read');
      checkImage(image, file, size);
      if (checkMapped(image, file, hasBase ? 0x5555_5555_4000 : undefined)) mapped++;
    },
  );
  const result = fc.check(property, { seed, numRuns: runs, endOnFailure: true });
  return { mapped, failure: result.failed ? String(result.errorInstance) : undefined };
}
