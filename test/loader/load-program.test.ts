// SPDX-License-Identifier: MIT

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromLatin1, utf8 } from '../../src/base/bytes.ts';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import * as L from '../../src/abi/elf.ts';
import { AddressSpace, PhysicalMemory } from '../../src/mm/address-space.ts';
import {
  bytesSource,
  loadErrorOf,
  type LoadedProgram,
  type LoadError,
  loadProgram,
  type LoadRequest,
} from '../../src/loader/index.ts';
import { SoftMmu } from '../mm/soft-mmu.ts';
import { TestFile } from '../mm/test-file.ts';
import { buildElf, type SegmentSpec } from './elf-builder.ts';

const HELLO = new Uint8Array(readFileSync(new URL('../../guests/bin/hello.elf', import.meta.url)));
const MACHINE = { hwcap: 0x178bfbff, hwcap2: 2, isaLevel: 2 };
const IDS = { uid: 1000, euid: 1001, gid: 1002, egid: 1003, secure: false };
const RANDOM = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

interface Loaded {
  readonly mm: AddressSpace;
  readonly memory: PhysicalMemory;
  readonly result: LoadedProgram | LoadError;
}

function load(bytes: Uint8Array, change: Partial<LoadRequest> = {}): Loaded {
  const memory = new PhysicalMemory(new SoftMmu(2048), 1900 * PAGE_SIZE);
  const mm = new AddressSpace(memory);
  const result = loadProgram({
    mm,
    file: new TestFile(bytes, '/bin/program'),
    source: bytesSource(bytes),
    argv: [utf8('program'), utf8('one'), utf8('')],
    envp: [utf8('A=1'), utf8('B=two')],
    execPath: './program',
    ids: IDS,
    machine: MACHINE,
    random: RANDOM,
    minSignalStack: 1040,
    openInterpreter: (path) => loadErrorOf(2, `no ${path}`),
    rseq: { featureSize: 28, align: 32 },
    ...change,
  });
  return { mm, memory, result };
}

function loaded(bytes: Uint8Array, change: Partial<LoadRequest> = {}): { mm: AddressSpace; program: LoadedProgram } {
  const { mm, result } = load(bytes, change);
  if (!result.ok) throw new Error(result.message);
  return { mm, program: result };
}

/** A position-independent program that names an interpreter. */
function dynamicElf(segment: SegmentSpec): Uint8Array {
  return buildElf({
    type: 3,
    entry: (segment.vaddr ?? 0) + 0x1000,
    segments: [{ type: 3, offset: 0x300, filesz: 7 }, segment],
    contents: [[0x300, utf8('/ld.so\0')]],
  });
}

const LINKER = buildElf({ type: 3, entry: 0x1040, segments: [{ vaddr: 0 }] });

/** A machine whose `/ld.so` holds `bytes`. */
function linker(bytes: Uint8Array): Partial<LoadRequest> {
  return { openInterpreter: (path) => ({ file: new TestFile(bytes, path), source: bytesSource(bytes) }) };
}

const WITH_LINKER = linker(LINKER);

function text(mm: AddressSpace, address: number | undefined): string {
  const bytes = mm.readCString(address ?? 0, 4096);
  if (typeof bytes === 'number') throw new Error(`no string at ${address}`);
  return fromLatin1(bytes);
}

/** The stack as a program reads it. */
function readStack(mm: AddressSpace, sp: number): { argv: string[]; envp: string[]; auxv: [number, number][] } {
  let at = sp;
  const word = (): number => {
    const value = mm.readU64n(at);
    if (value === undefined) throw new Error('the stack ends early');
    at += 8;
    return value;
  };
  const argc = word();
  const argv = Array.from({ length: argc }, () => text(mm, word()));
  expect(word()).toBe(0);
  const envp: string[] = [];
  for (let p = word(); p !== 0; p = word()) envp.push(text(mm, p));
  const auxv: [number, number][] = [];
  for (;;) {
    const type = word();
    const value = word();
    auxv.push([type, value]);
    if (type === L.AT_NULL) return { argv, envp, auxv };
  }
}

describe('loadProgram', () => {
  it('lays the stack out as the ABI says, with the auxiliary vector in the order of Linux', () => {
    const { mm, program } = loaded(HELLO);
    expect(program.stackPointer % 16).toBe(0);
    const { argv, envp, auxv } = readStack(mm, program.stackPointer);
    expect(argv).toEqual(['program', 'one', '']);
    expect(envp).toEqual(['A=1', 'B=two']);
    // What /proc/self/auxv holds on Linux 6.18, the vDSO's address left out.
    expect(auxv.map(([type]) => type)).toEqual([
      51, 16, 6, 17, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 23, 25, 26, 31, 15, 27, 28, 0,
    ]);
    const value = new Map(auxv);
    expect(value.get(L.AT_ENTRY)).toBe(program.entry);
    expect(value.get(L.AT_PHENT)).toBe(56);
    expect(value.get(L.AT_PHNUM)).toBe(program.image.headerCount);
    expect(mm.readU32(value.get(L.AT_PHDR) ?? 0)).toBe(
      new DataView(HELLO.buffer, HELLO.byteOffset).getUint32(64, true),
    );
    expect([L.AT_UID, L.AT_EUID, L.AT_GID, L.AT_EGID].map((type) => value.get(type))).toEqual([1000, 1001, 1002, 1003]);
    expect(value.get(L.AT_HWCAP)).toBe(0x178bfbff);
    expect(text(mm, value.get(L.AT_EXECFN))).toBe('./program');
    expect(text(mm, value.get(L.AT_PLATFORM))).toBe('x86_64');
    const random = new Uint8Array(16);
    mm.copyIn(value.get(L.AT_RANDOM) ?? 0, random);
    expect(random).toEqual(RANDOM);
    // The path is the last thing on the stack but for a zero word.
    expect(value.get(L.AT_EXECFN)).toBe(mm.end - 8 - './program'.length - 1);
  });

  it('shows in maps the program, its heap once there is one, and the stack', () => {
    const { mm } = loaded(HELLO);
    mm.brk(mm.brk(0) + PAGE_SIZE);
    const maps = mm.mapsText();
    expect(maps).toMatch(/^00400000-00401000 r-xp 00000000 08:01 77 {33}\/bin\/program\n/);
    expect(maps).toMatch(/rw-p 00000000 00:00 0 +\[heap\]\n/);
    expect(maps).toMatch(/7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 +\[stack\]\n$/);
  });

  it('moves a position-independent program to its base, aligned as its segments ask', () => {
    const pie = dynamicElf({ vaddr: 0 });
    expect(loaded(pie, WITH_LINKER).program).toMatchObject({ bias: 0x555555554000, start: 0x555555554000 });
    const wide = dynamicElf({ vaddr: 0, align: 0x200000 });
    expect(loaded(wide, WITH_LINKER).program.bias).toBe(0x555555400000);
    const high = dynamicElf({ vaddr: 0x200000 });
    expect(loaded(high, WITH_LINKER).program).toMatchObject({ bias: 0x555555354000, start: 0x555555554000 });
  });

  it('starts in the interpreter, which lies below the stack, and tells it where the program is', () => {
    const { mm, program } = loaded(dynamicElf({ vaddr: 0 }), WITH_LINKER);
    const value = new Map(readStack(mm, program.stackPointer).auxv);
    const base = mm.mmapBase - LINKER.length;
    expect(program.entry).toBe(base + 0x1040);
    expect(value.get(L.AT_BASE)).toBe(base);
    expect(value.get(L.AT_ENTRY)).toBe(0x555555555000);
    expect(value.get(L.AT_PHDR)).toBe(0x555555554040);
    expect(mm.mapsText()).toContain('/ld.so\n');
  });

  it('puts a position-independent program without an interpreter where mmap would', () => {
    const { mm, program } = loaded(buildElf({ type: 3, entry: 0x1000, segments: [{ vaddr: 0 }] }));
    expect(program).toMatchObject({ start: mm.mmapBase - 0x2000, entry: mm.mmapBase - 0x1000 });
    expect(new Map(readStack(mm, program.stackPointer).auxv).get(L.AT_BASE)).toBe(0);
  });

  it('zeroes what follows the file in memory, within its last page and beyond', () => {
    const bytes = buildElf({ size: 0x1800, segments: [{ flags: 6, filesz: 0x1234, memsz: 0x5000 }] });
    bytes.fill(0xaa, 0x1000, 0x1800);
    const { mm, program } = loaded(bytes);
    expect(mm.readU8(0x401233)).toBe(0xaa);
    expect(mm.readU8(0x401234)).toBe(0);
    expect(mm.readU8(0x4017ff)).toBe(0);
    expect(mm.readU8(0x404fff)).toBe(0);
    expect(mm.readU8(0x405000)).toBeUndefined();
    expect(mm.brk(0)).toBe(0x405000);
    expect(program.end).toBe(0x405000);
  });

  it('costs no memory for a segment that is huge in memory only', () => {
    const { memory, result } = load(buildElf({ segments: [{ flags: 4, filesz: 0x1000, memsz: 2 ** 40 }] }));
    expect(result.ok).toBe(true);
    expect(memory.usedFrames).toBeLessThan(20);
  });

  it('makes the stack executable when the program asks for it', () => {
    const { mm } = loaded(buildElf({ segments: [{}, { type: 0x6474e551, flags: 7 }] }));
    expect(mm.mapsText()).toMatch(/rwxp .*\[stack\]/);
  });

  it.each<[string, Uint8Array, Partial<LoadRequest>, string, RegExp]>([
    ['a program whose interpreter is not there', dynamicElf({}), {}, 'ENOENT', /^no \/ld\.so$/],
    [
      'a program whose interpreter is no ELF file',
      dynamicElf({}),
      linker(utf8('#!/bin/sh\n'.padEnd(100))),
      'ELIBBAD',
      /^its interpreter \/ld\.so: not an ELF file$/,
    ],
    [
      'a program whose interpreter is for another machine',
      dynamicElf({}),
      linker(buildElf({ machine: 183 })),
      'ELIBBAD',
      /AArch64/,
    ],
    ['a program at address zero', buildElf({ segments: [{ vaddr: 0 }] }), {}, 'ENOMEM', /segment at 0x0/],
    [
      'a program that is too large for memory',
      buildElf({ segments: [{ flags: 6, memsz: 2 ** 40 }] }),
      {},
      'ENOMEM',
      /cannot be mapped \(errno 12\)/,
    ],
    [
      'a program that does not fit below the end',
      buildElf({ segments: [{ memsz: 0x7fffffbfe000 }] }),
      {},
      'ENOMEM',
      /^no room for its stack$/,
    ],
    ['an argument of 128 KiB', buildElf(), { argv: [new Uint8Array(131072)] }, 'E2BIG', /longer than 128 KiB/],
    [
      'too many arguments',
      buildElf(),
      { argv: Array.from({ length: 30 }, () => new Uint8Array(100_000)) },
      'E2BIG',
      /are allowed/,
    ],
    [
      'a program for a newer processor',
      buildElf(),
      { machine: { ...MACHINE, isaLevel: 0 } },
      'ENOEXEC',
      /^built for x86-64-v1; this engine has x86-64-v0$/,
    ],
  ])('refuses %s', (_what, bytes, change, code, message) => {
    const { mm, memory, result } = load(bytes, change);
    expect(result).toMatchObject({ ok: false, code });
    if (!result.ok) expect(result.message).toMatch(message);
    mm.release();
    memory.dispose();
    expect(memory.usedFrames).toBe(0);
  });

  it('gives one empty argument to a program that is started with none', () => {
    const { mm, program } = loaded(HELLO, { argv: [] });
    expect(readStack(mm, program.stackPointer).argv).toEqual(['']);
  });

  it('loads or refuses whatever is changed in the headers, and leaks no frame', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          HELLO,
          buildElf(),
          buildElf({
            type: 3,
            segments: [{ vaddr: 0 }, { vaddr: 0x10000, flags: 6, offset: 0, filesz: 0x800, memsz: 0x9000 }],
          }),
        ),
        fc.array(
          fc.tuple(fc.integer({ min: 16, max: 0x180 }), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x10, 0x40, 0xff))),
          { minLength: 1, maxLength: 6 },
        ),
        (original, changes) => {
          const bytes = original.slice();
          for (const [at, value] of changes) bytes[at] = value;
          const { mm, memory, result } = load(bytes);
          expect(typeof result.ok).toBe('boolean');
          expect(memory.usedFrames).toBeLessThan(64);
          mm.release();
          memory.dispose();
          expect(memory.usedFrames).toBe(0);
        },
      ),
      { numRuns: 400, seed: 42 },
    );
  });
});
