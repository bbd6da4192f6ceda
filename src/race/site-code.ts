// SPDX-License-Identifier: MIT
//
// Machine code with a patch site in it: from bytes, or from a function of an ELF file.

import { fromHex } from '../base/bytes.ts';
import { TraplineError } from '../base/errors.ts';
import { LINE_BYTES, looksLikeSite, SITE_BYTES, siteSysno } from '../isa/syscall-site.ts';
import { bytesSource, readElf, readSymbols } from '../loader/index.ts';
import type { ByteSource, ElfSymbol } from '../loader/index.ts';

/** Code that threads of a scenario execute. */
export interface SiteCode {
  readonly bytes: Uint8Array;
  /** Offset of the site in it. */
  readonly siteAt: number;
  readonly sysno: number;
  /** Of the site in its 64-byte line, where the code has an address of its own. */
  readonly lineOffset?: number;
}

/** Code is placed within one page of the site. */
const MOST_BYTES = 2048;
const MOST_NAMES = 20;

function bad(message: string): TraplineError {
  return new TraplineError('RACE_CODE', message);
}

/**
 * Code as bytes or hex digits.
 * @param siteAt offset of the site; by default that of the first `mov $number,%eax; syscall`
 * @throws TraplineError `RACE_CODE` when there is no site in it
 */
export function siteCode(code: Uint8Array | string, siteAt?: number): SiteCode {
  const bytes = typeof code === 'string' ? fromHex(code.replaceAll(/\s/g, '')) : code;
  if (bytes.length > MOST_BYTES) throw bad(`${bytes.length} bytes of code are too many; ${MOST_BYTES} is the most`);
  let at = siteAt ?? 0;
  if (siteAt === undefined) while (at + SITE_BYTES <= bytes.length && !looksLikeSite(bytes, at)) at++;
  if (at + SITE_BYTES > bytes.length || !looksLikeSite(bytes, at)) {
    const where = siteAt === undefined ? 'in the code' : `at offset ${siteAt} of the code`;
    throw bad(`there is no site (mov $number,%eax; syscall: b8 .. .. .. .. 0f 05) ${where}`);
  }
  return { bytes, siteAt: at, sysno: siteSysno(bytes, at) };
}

function symbolNamed(source: ByteSource, symbol: string): Pick<ElfSymbol, 'value' | 'size'> {
  const { symbols } = readSymbols(source);
  const found = symbols.find((known) => known.name === symbol);
  if (found !== undefined) return found;
  const names = symbols.filter((known) => known.isFunction).map((known) => known.name);
  const there = names.length === 0 ? 'the file has no symbols' : `there are ${names.slice(0, MOST_NAMES).join(', ')}`;
  throw bad(`there is no symbol "${symbol}"; ${there}`);
}

/**
 * The bytes of a function in an ELF file and its address there.
 * @param symbol default: where the program starts
 * @throws TraplineError `RACE_CODE` when there is no such function
 */
export function functionCode(elf: Uint8Array, symbol?: string): { bytes: Uint8Array; address: number } {
  const source = bytesSource(elf);
  const image = readElf(source);
  if (!image.ok) throw bad(`no program: ${image.message}`);
  const { value, size } = symbol === undefined ? { value: image.entry, size: 0 } : symbolNamed(source, symbol);
  const segment = image.segments.find((s) => value >= s.vaddr && value < s.vaddr + s.fileSize);
  if (segment === undefined) throw bad(`${symbol ?? 'the entry'} lies in no segment of the file`);
  const start = segment.offset + value - segment.vaddr;
  const end = size > 0 ? start + size : segment.offset + segment.fileSize;
  return { bytes: elf.slice(start, Math.min(end, start + MOST_BYTES)), address: value };
}

/**
 * The code of a function in an ELF file, with the placement that it has there.
 * @param symbol default: where the program starts
 * @throws TraplineError `RACE_CODE` when there is no such function, or no site in it
 */
export function symbolCode(elf: Uint8Array, symbol?: string): SiteCode {
  const { bytes, address } = functionCode(elf, symbol);
  const code = siteCode(bytes);
  return { ...code, lineOffset: (address + code.siteAt) % LINE_BYTES };
}
