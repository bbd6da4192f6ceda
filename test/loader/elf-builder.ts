// SPDX-License-Identifier: MIT
//
// Builds small ELF files for tests, with every field open to lies.

import { Ehdr, Phdr } from '../../src/abi/elf.ts';

export interface SegmentSpec {
  type?: number;
  flags?: number;
  offset?: number;
  vaddr?: number;
  filesz?: number;
  memsz?: number;
  align?: number;
}

export interface ElfSpec {
  elfClass?: number;
  data?: number;
  type?: number;
  machine?: number;
  entry?: number;
  phoff?: number;
  phentsize?: number;
  phnum?: number;
  segments?: readonly SegmentSpec[];
  /** Whole length of the file. */
  size?: number;
  /** Bytes to put at offsets. */
  contents?: readonly (readonly [number, Uint8Array])[];
}

const PF_R = 4;
const PF_X = 1;

/** An x86-64 program of one segment unless told otherwise. */
export function buildElf(spec: ElfSpec = {}): Uint8Array {
  const segments = spec.segments ?? [{}];
  const size = spec.size ?? 0x2000;
  const bytes = new Uint8Array(Math.max(size, Ehdr.size + segments.length * Phdr.size));
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, spec.elfClass ?? 2, spec.data ?? 1, 1]);
  view.setUint16(Ehdr.type, spec.type ?? 2, true);
  view.setUint16(Ehdr.machine, spec.machine ?? 62, true);
  view.setUint32(Ehdr.version, 1, true);
  u64(Ehdr.entry, spec.entry ?? 0x401000);
  u64(Ehdr.phoff, spec.phoff ?? Ehdr.size);
  view.setUint16(Ehdr.ehsize, Ehdr.size, true);
  view.setUint16(Ehdr.phentsize, spec.phentsize ?? Phdr.size, true);
  view.setUint16(Ehdr.phnum, spec.phnum ?? segments.length, true);
  segments.forEach((s, i) => {
    const at = Ehdr.size + i * Phdr.size;
    view.setUint32(at + Phdr.type, s.type ?? 1, true);
    view.setUint32(at + Phdr.flags, s.flags ?? PF_R | PF_X, true);
    u64(at + Phdr.offset, s.offset ?? 0);
    u64(at + Phdr.vaddr, s.vaddr ?? 0x400000);
    u64(at + Phdr.filesz, s.filesz ?? size);
    u64(at + Phdr.memsz, s.memsz ?? s.filesz ?? size);
    u64(at + Phdr.align, s.align ?? 0x1000);
  });
  for (const [at, content] of spec.contents ?? []) bytes.set(content, at);
  return bytes.subarray(0, size);
}
