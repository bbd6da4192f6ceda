// SPDX-License-Identifier: MIT
//
// Puts the segments of an ELF image into an address space: file pages private from the page cache, the rest
// anonymous. Serves programs and interpreters. Models Linux's elf_map and set_brk.

import { PAGE_SIZE, pageDown, pageUp, type Addr } from '../base/addr.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import type { AddressSpace, MappableFile } from '../mm/address-space.ts';
import type { ElfImage, ElfSegment } from './elf.ts';
import { loadError, type LoadError } from './load-error.ts';

/** Where an image lies. */
export interface MappedImage {
  readonly ok: true;
  /** What was added to the addresses of the file. */
  readonly bias: number;
  /** Lowest and first free address. */
  readonly start: Addr;
  readonly end: Addr;
  /** Bytes of writable segments: count for RLIMIT_DATA. */
  readonly dataBytes: number;
}

/**
 * Maps all segments.
 * @param base where a position-independent image should start, ignored for others; without it the image goes where
 *   mmap would put it, as Linux does with interpreters and with programs that need none
 * @internal
 */
export function mapImage(mm: AddressSpace, image: ElfImage, file: MappableFile, base?: Addr): MappedImage | LoadError {
  const lowest = Math.min(...image.segments.map((s) => s.vaddr));
  const highest = Math.max(...image.segments.map((s) => s.vaddr + s.memorySize));
  let bias = 0;
  if (image.isPositionIndependent) {
    const start = base ?? mm.findGap(pageUp(highest) - pageDown(lowest));
    if (start < 0) return loadError('ENOMEM', 'does not fit into the address space');
    const align = base === undefined ? PAGE_SIZE : Math.max(PAGE_SIZE, ...image.segments.map((s) => s.align));
    bias = start - (start % align) - pageDown(lowest);
  }
  if (bias + highest > mm.end) return loadError('ENOMEM', 'does not fit into the address space');
  let dataBytes = 0;
  for (const segment of image.segments) {
    const failed = mapSegment(mm, segment, file, bias);
    if (failed !== undefined) return failed;
    if (segment.writable) dataBytes += segment.memorySize;
  }
  return { ok: true, bias, start: bias + pageDown(lowest), end: bias + highest, dataBytes };
}

function mapSegment(mm: AddressSpace, s: ElfSegment, file: MappableFile, bias: number): LoadError | undefined {
  const prot = (s.readable ? PROT_READ : 0) | (s.writable ? PROT_WRITE : 0) | (s.executable ? PROT_EXEC : 0);
  const start = bias + pageDown(s.vaddr);
  const fileEnd = bias + s.vaddr + s.fileSize;
  const end = pageUp(bias + s.vaddr + s.memorySize);
  let mappedEnd = start;
  if (s.fileSize > 0) {
    mappedEnd = pageUp(fileEnd);
    const offset = s.offset - (s.vaddr % PAGE_SIZE);
    const at = mm.mmap({ addr: start, length: mappedEnd - start, prot, flags: MAP_PRIVATE | MAP_FIXED, file, offset });
    if (at < 0) return refused(s, at);
    // What follows the file's bytes in the last page must read as zero; where the program may not write Linux
    // leaves it as it is.
    if (
      s.memorySize > s.fileSize &&
      s.writable &&
      fileEnd < mappedEnd &&
      mm.zeroOut(fileEnd, mappedEnd - fileEnd) !== mappedEnd - fileEnd
    ) {
      return loadError('ENOMEM', 'no memory for its data');
    }
  }
  if (end > mappedEnd) {
    const at = mm.mmap({
      addr: mappedEnd,
      length: end - mappedEnd,
      prot,
      flags: MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS,
    });
    if (at < 0) return refused(s, at);
  }
  return undefined;
}

function refused(s: ElfSegment, result: number): LoadError {
  return loadError(
    'ENOMEM',
    `its segment at 0x${s.vaddr.toString(16)} of ${s.memorySize} bytes cannot be mapped (errno ${-result})`,
  );
}
