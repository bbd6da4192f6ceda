// SPDX-License-Identifier: MIT
//
// Names and places of functions in files that have lost their section headers.

import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DT_GNU_HASH,
  DT_HASH,
  DT_STRSZ,
  DT_STRTAB,
  DT_SYMTAB,
  PT_DYNAMIC,
  PT_GNU_EH_FRAME,
} from '../../src/abi/elf.ts';
import { utf8, viewOf } from '../../src/base/bytes.ts';
import { bytesSource, readSymbols, readUnwindTable } from '../../src/loader/index.ts';
import { MAX_NAME_CHARACTERS } from '../../src/loader/symbols.ts';
import { buildElf } from './elf-builder.ts';

const BASE = 0x400000;
const [DYNAMIC, SYMBOLS, NAMES, HASH, FRAME_HEADER, FRAMES] = [0x800, 0x900, 0xa00, 0xb00, 0xc00, 0xd00];

function words(...values: readonly number[]): Uint8Array {
  const out = new Uint8Array(values.length * 4);
  values.forEach((v, i) => viewOf(out).setUint32(i * 4, v >>> 0, true));
  return out;
}

function symbols(): Uint8Array {
  const out = new Uint8Array(24 * 4);
  const view = viewOf(out);
  (
    [
      [1, 0x401000, 0x20, 0],
      [7, 0x401020, 0x10, 1],
      [14, 0x401030, 0x10, 1],
    ] as const
  ).forEach(([name, value, size, section], i) => {
    const at = 24 * (i + 1);
    view.setUint32(at, name, true);
    view.setUint8(at + 4, 0x12);
    view.setUint16(at + 6, section, true);
    view.setBigUint64(at + 8, BigInt(value), true);
    view.setBigUint64(at + 16, BigInt(size), true);
  });
  return out;
}

/** One bucket whose chain holds symbols 2 and 3: the first is undefined, and not in it. */
const GNU_HASH = [words(1, 2, 1, 0), words(0, 0), words(2), words(0x10, 0x11)];
const SYSV_HASH = [words(1, 4), words(3, 0, 1, 2, 0)];

function stripped(hashTag: number, hash: readonly Uint8Array[]): Uint8Array {
  const entries = [
    [DT_STRTAB, BASE + NAMES],
    [DT_SYMTAB, BASE + SYMBOLS],
    [DT_STRSZ, 21],
    [hashTag, BASE + HASH],
    [0, 0],
  ] as const;
  const dynamic = new Uint8Array(entries.length * 16);
  entries.forEach(([tag, value], i) => {
    viewOf(dynamic).setBigUint64(i * 16, BigInt(tag), true);
    viewOf(dynamic).setBigUint64(i * 16 + 8, BigInt(value), true);
  });
  const hashBytes = Uint8Array.from(hash.flatMap((part) => [...part]));
  return buildElf({
    segments: [
      {},
      { type: PT_DYNAMIC, offset: DYNAMIC, vaddr: BASE + DYNAMIC, filesz: dynamic.length },
      { type: PT_GNU_EH_FRAME, offset: FRAME_HEADER, vaddr: BASE + FRAME_HEADER, filesz: 28 },
    ],
    contents: [
      [DYNAMIC, dynamic],
      [SYMBOLS, symbols()],
      [NAMES, utf8('\0other\0second\0third\0')],
      [HASH, hashBytes],
      // Two functions: 0x401000, 0x20 bytes; 0x401100, 0x10 bytes.
      [FRAME_HEADER, Uint8Array.of(1, 0x1b, 0x03, 0x3b)],
      [
        FRAME_HEADER + 8,
        words(2, 0x1000 - FRAME_HEADER, FRAMES - FRAME_HEADER, 0x1100 - FRAME_HEADER, FRAMES + 24 - FRAME_HEADER),
      ],
      [FRAMES, words(20, 0, 0x1000 - FRAMES - 8, 0x20, 0, 0)],
      [FRAMES + 24, words(20, 0, 0x1100 - FRAMES - 32, 0x10, 0, 0)],
    ],
  });
}

describe('readSymbols without section headers', () => {
  it.each([
    ['the GNU hash table', DT_GNU_HASH, GNU_HASH],
    ['the System V hash table', DT_HASH, SYSV_HASH],
  ] as const)('counts symbols by %s', (_, tag, hash) => {
    const table = readSymbols(bytesSource(stripped(tag, hash)));
    expect(table.symbols.map((s) => s.name)).toEqual(['second', 'third']);
    expect(table.lookup(0x401025)).toEqual({ name: 'second', offset: 5 });
  });

  it('has the names of the C library still when its section headers are gone', () => {
    const path = ['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/libc.so.6', '/usr/lib/libc.so.6'].find((p) =>
      existsSync(p),
    );
    if (path === undefined) return;
    const bytes = new Uint8Array(readFileSync(path));
    const whole = readSymbols(bytesSource(bytes)).symbols;
    bytes.fill(0, 40, 48);
    bytes.fill(0, 58, 64);
    expect(readSymbols(bytesSource(bytes)).symbols).toEqual(whole);
    expect(whole.length).toBeGreaterThan(1000);
  });

  it('names a function that has several names by the one that programs use', () => {
    const bytes = stripped(DT_HASH, SYSV_HASH);
    bytes.set(utf8('__read\0\0read\0'), NAMES + 7);
    // Both symbols at one place.
    viewOf(bytes).setBigUint64(SYMBOLS + 24 * 3 + 8, 0x401020n, true);
    viewOf(bytes).setUint32(SYMBOLS + 24 * 3, 15, true);
    expect(readSymbols(bytesSource(bytes)).lookup(0x401020)?.name).toBe('read');
  });
});

describe('UnwindTable', () => {
  it('knows where functions start and end', () => {
    const table = readUnwindTable(bytesSource(stripped(DT_HASH, SYSV_HASH)));
    expect([0xfff, 0x1000, 0x101f, 0x1020, 0x10ff, 0x1100, 0x110f, 0x1110].map((a) => table.find(BASE + a))).toEqual([
      undefined,
      0x401000,
      0x401000,
      undefined,
      undefined,
      0x401100,
      0x401100,
      undefined,
    ]);
  });

  it('knows nothing of a file without one', () => {
    expect(readUnwindTable(bytesSource(buildElf())).find(BASE)).toBeUndefined();
    expect(readUnwindTable(bytesSource(new Uint8Array(3))).find(BASE)).toBeUndefined();
  });
});

describe('tables that lie', () => {
  it('cost no more than the file, and name nothing that is not in it', () => {
    const files = [stripped(DT_GNU_HASH, GNU_HASH), stripped(DT_HASH, SYSV_HASH)];
    const value = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0xffffffff), fc.nat(0x1000));
    const place = fc.oneof(fc.nat(63), fc.integer({ min: 16, max: 58 }), fc.integer({ min: 0x200, max: 0x3ff }));
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 6 }),
        (file, changes) => {
          const bytes = file.slice();
          for (const [word, v] of changes) viewOf(bytes).setUint32(word * 4, v, true);
          const source = bytesSource(bytes);
          const table = readSymbols(source);
          expect(table.symbols.length).toBeLessThanOrEqual(bytes.length / 24);
          table.lookup(0x401025);
          readUnwindTable(source).find(0x401005);
        },
      ),
      { numRuns: 4000, seed: 42 },
    );
  });

  it('do not make long names out of the same bytes without end', () => {
    const count = 20_000;
    const [at, length] = [0x2000, 4095];
    const bytes = buildElf({ size: at + count * 24 + length + 1 + 3 * 64 });
    const view = viewOf(bytes);
    const namesAt = at + count * 24;
    bytes.fill(0x61, namesAt, namesAt + length);
    for (let i = 0; i < count; i++) {
      bytes[at + i * 24 + 4] = 0x12;
      view.setUint16(at + i * 24 + 6, 1, true);
      view.setBigUint64(at + i * 24 + 8, BigInt(0x401000 + i), true);
    }
    const sections = namesAt + length + 1;
    view.setBigUint64(40, BigInt(sections), true);
    view.setUint16(58, 64, true);
    view.setUint16(60, 3, true);
    [
      [1, 2, at, count * 24, 2],
      [2, 3, namesAt, length + 1, 0],
    ].forEach(([i = 0, type = 0, from = 0, size = 0, link = 0]) => {
      view.setUint32(sections + i * 64 + 4, type, true);
      view.setBigUint64(sections + i * 64 + 24, BigInt(from), true);
      view.setBigUint64(sections + i * 64 + 32, BigInt(size), true);
      view.setUint32(sections + i * 64 + 40, link, true);
    });
    const { symbols } = readSymbols(bytesSource(bytes));
    expect(symbols.length).toBe(Math.floor(MAX_NAME_CHARACTERS / length));
  });
});
