// SPDX-License-Identifier: MIT

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { bytesSource, type ByteSource, readElf, readSymbols } from '../../src/loader/index.ts';
import { buildElf, type ElfSpec } from './elf-builder.ts';

const GUESTS = new URL('../../guests/bin/', import.meta.url);
const guest = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, GUESTS)));

function messageOf(spec: ElfSpec | Uint8Array): string {
  const read = readElf(bytesSource(spec instanceof Uint8Array ? spec : buildElf(spec)));
  return read.ok ? 'accepted' : `${read.code}: ${read.message}`;
}

/** A source that counts what is asked of it and refuses to serve more than it has. */
function counted(bytes: Uint8Array): { source: ByteSource; asked: () => number } {
  let asked = 0;
  const inner = bytesSource(bytes);
  return {
    asked: () => asked,
    source: {
      sizeInBytes: () => inner.sizeInBytes(),
      read(offset, into) {
        asked += into.length;
        return inner.read(offset, into);
      },
    },
  };
}

describe('readElf', () => {
  it('reads a plain program', () => {
    const image = readElf(bytesSource(buildElf()));
    expect(image).toMatchObject({
      ok: true,
      isPositionIndependent: false,
      entry: 0x401000,
      headersVaddr: 0x400040,
      headerCount: 1,
      interpreter: undefined,
      executableStack: false,
      isaLevel: 1,
    });
  });

  it.each<[string, ElfSpec | Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'ENOEXEC: not an ELF file'],
    ['a text', utf8('hello, world, this is no program'), 'ENOEXEC: not an ELF file'],
    [
      'the first four bytes only',
      Uint8Array.of(0x7f, 0x45, 0x4c, 0x46),
      'ENOEXEC: truncated: 4 bytes are too few for an ELF header',
    ],
    ['a 32-bit class', { elfClass: 1 }, 'ENOEXEC: a 32-bit ELF file; only x86-64 programs run here'],
    ['an unknown class', { elfClass: 9 }, 'ENOEXEC: unknown ELF class 9'],
    ['big-endian data', { data: 2 }, 'ENOEXEC: not a little-endian ELF file'],
    ['another machine', { machine: 183 }, 'ENOEXEC: built for AArch64; only x86-64 programs run here'],
    ['a machine without a name', { machine: 4711 }, 'ENOEXEC: built for machine 4711; only x86-64 programs run here'],
    ['an object file', { type: 1 }, 'ENOEXEC: not a program but an object file; link it first'],
    ['a core dump', { type: 4 }, 'ENOEXEC: not a program but a core dump'],
    ['no program headers', { phnum: 0 }, 'ENOEXEC: has no program headers'],
    ['too many program headers', { phnum: 0xffff }, 'ENOEXEC: has too many program headers'],
    ['program headers of odd size', { phentsize: 32 }, 'ENOEXEC: program headers of 32 bytes; they must have 56'],
    [
      'program headers beyond the end',
      { phoff: 0x1fff },
      'ENOEXEC: truncated or lying: its program headers lie beyond the end of the file',
    ],
    [
      'program headers at 2^60',
      { phoff: 2 ** 60 },
      'ENOEXEC: truncated or lying: its program headers lie beyond the end of the file',
    ],
    [
      'program headers at -1',
      { phoff: -1 },
      'ENOEXEC: truncated or lying: its program headers lie beyond the end of the file',
    ],
    [
      'a segment beyond the end',
      { segments: [{ filesz: 0x3000 }] },
      'ENOEXEC: segment 0 lies beyond the end of the file: truncated, or its header lies',
    ],
    [
      'a segment whose offset wraps',
      { segments: [{ offset: -0x1000, filesz: 0x2000 }] },
      'ENOEXEC: segment 0 lies beyond the end of the file: truncated, or its header lies',
    ],
    [
      'a segment smaller in memory',
      { segments: [{ memsz: 0x1000 }] },
      'ENOEXEC: segment 0 is larger in the file than in memory',
    ],
    [
      'a segment in the kernel half',
      { segments: [{ vaddr: -0x1000 }] },
      'ENOEXEC: segment 0 lies outside the user address range',
    ],
    [
      'a segment that grows out of the range',
      { segments: [{ memsz: 2 ** 47 }] },
      'ENOEXEC: segment 0 lies outside the user address range',
    ],
    ['an alignment of 3', { segments: [{ align: 3 }] }, 'ENOEXEC: segment 0 has an alignment that is no power of two'],
    [
      'an offset that does not fit its address',
      { segments: [{ offset: 0x10, filesz: 0x100 }] },
      'ENOEXEC: segment 0 has an offset and an address that differ within a page',
    ],
    [
      'overlapping segments',
      { segments: [{}, { vaddr: 0x401000, offset: 0x1000, filesz: 0x1000 }] },
      'ENOEXEC: its segments overlap',
    ],
    ['nothing to load', { segments: [{ type: 4, filesz: 0 }] }, 'ENOEXEC: has nothing to load'],
    ['only empty segments', { segments: [{ filesz: 0, memsz: 0 }] }, 'ENOEXEC: has nothing to load'],
    ['an entry in the kernel half', { entry: -2 }, 'ENOEXEC: its entry point is no user address'],
    [
      'an interpreter name without an end',
      { segments: [{}, { type: 3, offset: 0x1800, filesz: 4 }], contents: [[0x1800, utf8('/lib')]] },
      'ENOEXEC: names an interpreter without an end',
    ],
    [
      'an interpreter name of a megabyte',
      { segments: [{}, { type: 3, filesz: 0x100000 }] },
      'ENOEXEC: names an interpreter of impossible length',
    ],
  ])('refuses %s', (_what, spec, message) => {
    expect(messageOf(spec)).toBe(message);
  });

  it('gives the interpreter, the stack flag and the ISA level that the headers ask for', () => {
    const note = new Uint8Array(32);
    const view = new DataView(note.buffer);
    [4, 16, 5, 0x00554e47, 0xc0008002, 4, 0x7, 0].forEach((word, i) => view.setUint32(i * 4, word, true));
    const image = readElf(
      bytesSource(
        buildElf({
          type: 3,
          segments: [
            { vaddr: 0 },
            { type: 3, offset: 0x1800, filesz: 12 },
            { type: 0x6474e551, flags: 7 },
            { type: 0x6474e553, offset: 0x1900, filesz: 32 },
          ],
          contents: [
            [0x1800, utf8('/lib/ld.so.1')],
            [0x180b, Uint8Array.of(0)],
            [0x1900, note],
          ],
        }),
      ),
    );
    expect(image).toMatchObject({
      ok: true,
      isPositionIndependent: true,
      interpreter: '/lib/ld.so.',
      executableStack: true,
      isaLevel: 3,
    });
  });

  it('ignores a note that makes no sense', () => {
    const nonsense = new Uint8Array(64).fill(0xff);
    const image = readElf(
      bytesSource(
        buildElf({ segments: [{}, { type: 0x6474e553, offset: 0x1900, filesz: 64 }], contents: [[0x1900, nonsense]] }),
      ),
    );
    expect(image).toMatchObject({ ok: true, isaLevel: 1 });
  });

  const real = ['/usr/bin/busybox', '/bin/busybox', '/usr/bin/true', '/usr/bin/gdb', '/usr/lib/go-1.19/bin/go'].filter(
    (path) => existsSync(path),
  );
  const subjects = [...readdirSync(GUESTS).map((name) => new URL(name, GUESTS).pathname), ...real];

  it.runIf(existsSync('/usr/bin/readelf'))('agrees with readelf on the guests and on programs of this system', () => {
    for (const path of subjects) {
      const image = readElf(bytesSource(new Uint8Array(readFileSync(path))));
      if (!image.ok) throw new Error(`${path}: ${image.message}`);
      const listing = execFileSync('readelf', ['-lhW', path], { encoding: 'utf8' });
      const loads = [...listing.matchAll(/^\s+LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+) (0x\w+) (.)(.)(.) (0x\w+)$/gm)].map(
        (m) => ({
          offset: Number(m[1]),
          vaddr: Number(m[2]),
          fileSize: Number(m[3]),
          memorySize: Number(m[4]),
          readable: m[5] === 'R',
          writable: m[6] === 'W',
          executable: m[7] === 'E',
          align: Number(m[8]),
        }),
      );
      expect(image.segments, path).toEqual(loads.filter((s) => s.memorySize > 0));
      expect(image.entry, path).toBe(Number(/Entry point address:\s+(0x\w+)/.exec(listing)?.[1]));
      expect(image.interpreter, path).toBe(/\[Requesting program interpreter: (.*)\]/.exec(listing)?.[1]);
    }
  });

  it('never fails in another way than by a message, and never asks for more than the file has, whatever is changed in it', () => {
    const seeds = [guest('hello.elf'), guest('threads-counter.elf'), buildElf()];
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(0x400), fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0x7f, 0x80))), {
          maxLength: 12,
        }),
        fc.option(fc.nat(0x3000), { nil: undefined }),
        (original, changes, cut) => {
          const bytes = original.slice(0, cut);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          const { source, asked } = counted(bytes);
          const image = readElf(source);
          if (!image.ok) expect(image.message).not.toMatch(/\n|undefined|NaN|Infinity/);
          // Headers, notes and symbols: each part of the file is read a few times at most.
          readSymbols(source);
          expect(asked()).toBeLessThanOrEqual(4 * bytes.length + 65536);
        },
      ),
      { numRuns: 3000, seed: 42 },
    );
  });

  it('never fails in another way than by a message on random bytes behind the magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => {
        const bytes = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...tail);
        expect(readElf(bytesSource(bytes)).ok).toBe(false);
      }),
      { numRuns: 2000, seed: 42 },
    );
  });
});

describe('readSymbols', () => {
  /** A program with three functions and one that has no size. */
  function withSymbols(): Uint8Array {
    const names = utf8('\0start\0inner\0data\0last\0');
    const symbols: [name: number, info: number, section: number, value: number, size: number][] = [
      [0, 0, 0, 0, 0],
      [1, 0x12, 1, 0x401000, 0x40],
      [7, 0x02, 1, 0x401010, 0x8],
      [13, 0x11, 1, 0x401100, 0x10],
      [18, 0x10, 1, 0x401200, 0],
      [1, 0x12, 0, 0x409000, 0x10],
    ];
    const table = new Uint8Array(symbols.length * 24);
    const view = new DataView(table.buffer);
    symbols.forEach(([name, info, section, value, size], i) => {
      view.setUint32(i * 24, name, true);
      view.setUint8(i * 24 + 4, info);
      view.setUint16(i * 24 + 6, section, true);
      view.setBigUint64(i * 24 + 8, BigInt(value), true);
      view.setBigUint64(i * 24 + 16, BigInt(size), true);
    });
    const sections = new Uint8Array(3 * 64);
    const header = new DataView(sections.buffer);
    const section = (i: number, type: number, at: number, size: number, link: number): void => {
      header.setUint32(i * 64 + 4, type, true);
      header.setBigUint64(i * 64 + 24, BigInt(at), true);
      header.setBigUint64(i * 64 + 32, BigInt(size), true);
      header.setUint32(i * 64 + 40, link, true);
    };
    section(1, 2, 0x1000, table.length, 2);
    section(2, 3, 0x1400, names.length, 0);
    const bytes = buildElf({
      contents: [
        [0x1000, table],
        [0x1400, names],
        [0x1800, sections],
      ],
    });
    const elf = new DataView(bytes.buffer);
    elf.setBigUint64(40, 0x1800n, true);
    elf.setUint16(58, 64, true);
    elf.setUint16(60, 3, true);
    return bytes;
  }

  it('names addresses inside functions, and nothing outside', () => {
    const table = readSymbols(bytesSource(withSymbols()));
    expect(table.symbols.map((s) => s.name)).toEqual(['start', 'inner', 'data', 'last']);
    expect(table.lookup(0x401000)).toEqual({ name: 'start', offset: 0 });
    expect(table.lookup(0x401012)).toEqual({ name: 'inner', offset: 2 });
    expect(table.lookup(0x401030)).toEqual({ name: 'start', offset: 0x30 });
    expect(table.lookup(0x401040)).toBeUndefined();
    expect(table.lookup(0x40110f)).toEqual({ name: 'data', offset: 0xf });
    expect(table.lookup(0x401234)).toEqual({ name: 'last', offset: 0x34 });
    expect(table.lookup(0x400fff)).toBeUndefined();
    expect(table.lookup(0x7fffffff0000)).toBeUndefined();
  });

  it('survives any change in the tables', () => {
    const original = withSymbols();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0x1000, max: 0x18c0 }), fc.constantFrom(0, 1, 0x7f, 0xff)), {
          minLength: 1,
          maxLength: 8,
        }),
        (changes) => {
          const bytes = original.slice();
          for (const [at, value] of changes) bytes[at] = value;
          const table = readSymbols(bytesSource(bytes));
          expect(table.symbols.length).toBeLessThanOrEqual(bytes.length / 24);
          table.lookup(0x401010);
        },
      ),
      { numRuns: 2000, seed: 42 },
    );
  });

  it('has no names for a file without symbols', () => {
    expect(readSymbols(bytesSource(buildElf())).symbols).toEqual([]);
    expect(readSymbols(bytesSource(new Uint8Array(10))).symbols).toEqual([]);
  });
});
