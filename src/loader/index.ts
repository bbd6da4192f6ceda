// SPDX-License-Identifier: MIT
//
// Loads a program into an empty address space: the entry of the folder for execve. Models Linux's
// load_elf_binary and gVisor pkg/sentry/loader.

import { pageUp, type Addr } from '../base/addr.ts';
import { utf8 } from '../base/bytes.ts';
import * as L from '../abi/elf.ts';
import type { AddressSpace, MappableFile } from '../mm/address-space.ts';
import type { ByteSource } from './byte-source.ts';
import { type ElfImage, readElf } from './elf.ts';
import { type AuxEntry, buildStack } from './initial-stack.ts';
import { loadError, type LoadError } from './load-error.ts';
import { FIXED_LAYOUT, type ProgramLayout } from './layout.ts';
import { mapImage, type MappedImage } from './map-image.ts';
import type { Vdso } from './vdso.ts';

export { bytesSource, type ByteSource } from './byte-source.ts';
export { readElf, type ElfImage, type ElfSegment } from './elf.ts';
export { FIXED_LAYOUT, LAYOUT_RANDOM_BYTES, type ProgramLayout, randomLayout } from './layout.ts';
export { loadErrorOf, type LoadError } from './load-error.ts';
export { readScriptLine, SCRIPT_HEAD, type ScriptLine } from './script.ts';
export { Vdso } from './vdso.ts';
export {
  readCodeSections,
  readSymbols,
  readUnwindTable,
  SymbolTable,
  type ElfSymbol,
  type SymbolAt,
} from './symbols.ts';
export { UnwindTable } from './unwind-table.ts';

/** Where position-independent programs with an interpreter start: what Linux without ASLR uses. */
export const PIE_BASE: Addr = 0x555555554000;

/** What the processor has, as CPUID tells it. */
export interface MachineFacts {
  /** CPUID.1:EDX (AT_HWCAP). */
  readonly hwcap: number;
  /** HWCAP2_* (AT_HWCAP2): bit 1 is FSGSBASE. */
  readonly hwcap2: number;
  /** x86-64 ISA level, 1 to 4. */
  readonly isaLevel: number;
}

/** Ids of the new program. */
export interface ProgramIds {
  readonly uid: number;
  readonly euid: number;
  readonly gid: number;
  readonly egid: number;
  /** The program got rights that its caller did not have (AT_SECURE). */
  readonly secure: boolean;
}

/** A file to load from. */
export interface ProgramFile {
  /** For mapping. */
  readonly file: MappableFile;
  /** The same file for reading its headers. */
  readonly source: ByteSource;
}

/** What execve wants. */
export interface LoadRequest extends ProgramFile {
  /** An empty address space; after a refusal it holds a part of the program and is of no use. */
  readonly mm: AddressSpace;
  /** Headers that were read before, if they were. */
  readonly image?: ElfImage;
  readonly argv: readonly Uint8Array[];
  readonly envp: readonly Uint8Array[];
  /** The path that execve was given. */
  readonly execPath: Uint8Array | string;
  readonly ids: ProgramIds;
  readonly machine: MachineFacts;
  /** 16 bytes for AT_RANDOM. */
  readonly random: Uint8Array;
  /** Smallest signal stack that holds a frame (AT_MINSIGSTKSZ); left out of the vector without it. */
  readonly minSignalStack?: number;
  /** Feature size and alignment of rseq (AT_RSEQ_*), where the kernel has it. */
  readonly rseq?: { readonly featureSize: number; readonly align: number };
  /** The machine's vDSO; without one AT_SYSINFO_EHDR is left out. */
  readonly vdso?: Vdso;
  /** Opens the interpreter that the program names, with the caller's rights. */
  readonly openInterpreter: (path: string) => ProgramFile | LoadError;
  /** Where the parts lie; default FIXED_LAYOUT. Its mmapShift must be the address space's. */
  readonly layout?: ProgramLayout;
}

/** A program ready to run. */
export interface LoadedProgram {
  readonly ok: true;
  /** Where to start: in the interpreter if there is one. */
  readonly entry: Addr;
  readonly stackPointer: Addr;
  /** What was added to the file's addresses: take it off for symbol lookups. */
  readonly bias: number;
  /** Lowest and first free address of the program's segments. */
  readonly start: Addr;
  readonly end: Addr;
  readonly image: ElfImage;
}

/** Clock ticks per second as times(2) counts them. */
const CLOCK_TICKS = 100;
const PAGE_BYTES = 4096;
/** What one lowest page table maps. */
const TABLE_SPAN = 2 ** 21;

/** Loads a program and its interpreter. Errors are values: see LoadError. */
export function loadProgram(request: LoadRequest): LoadedProgram | LoadError {
  const { mm, machine } = request;
  const layout = request.layout ?? FIXED_LAYOUT;
  const image = request.image ?? readElf(request.source);
  if (!image.ok) return image;
  if (image.isaLevel > machine.isaLevel) {
    return loadError('ENOEXEC', `built for x86-64-v${image.isaLevel}; this engine has x86-64-v${machine.isaLevel}`);
  }
  const interpreter = image.interpreter === undefined ? undefined : findInterpreter(request, image.interpreter);
  if (interpreter?.ok === false) return interpreter;

  const mapped = mapImage(
    mm,
    image,
    request.file,
    interpreter === undefined ? undefined : PIE_BASE + layout.programShift,
  );
  if (!mapped.ok) return mapped;
  // With ASLR a linker that runs as a program has its heap where programs are: the stack may lie just above it.
  const isLoneImage = interpreter === undefined && image.isPositionIndependent && layout !== FIXED_LAYOUT;
  mm.setBrkStart((isLoneImage ? PIE_BASE : pageUp(mapped.end)) + layout.heapGap, mapped.dataBytes);
  let linker: MappedImage | undefined;
  if (interpreter !== undefined) {
    const placed = mapImage(mm, interpreter.image, interpreter.file);
    if (!placed.ok) return placed;
    linker = placed;
  }

  const stackTop = mm.end - layout.stackGap;
  const vdsoAt = request.vdso === undefined ? 0 : placeVdso(mm, request.vdso, stackTop, layout);
  if (vdsoAt < 0) return loadError('ENOMEM', 'no room for the vDSO');

  const execPath = typeof request.execPath === 'string' ? utf8(request.execPath) : request.execPath;
  const stack = buildStack(mm, {
    argv: request.argv,
    envp: request.envp,
    execPath,
    random: request.random,
    executable: image.executableStack,
    top: stackTop,
    shift: layout.stackShift,
    auxv: auxiliaryVector(request, image, { bias: mapped.bias, linker, vdsoAt }),
  });
  if (!stack.ok) return stack;
  return {
    ok: true,
    entry:
      interpreter === undefined || linker === undefined
        ? mapped.bias + image.entry
        : linker.bias + interpreter.image.entry,
    stackPointer: stack.stackPointer,
    bias: mapped.bias,
    start: mapped.start,
    end: mapped.end,
    image,
  };
}

interface Interpreter extends ProgramFile {
  readonly ok: true;
  readonly image: ElfImage;
}

/** Opens the interpreter and reads its headers. What is no ELF program of this machine gives ELIBBAD. */
function findInterpreter(request: LoadRequest, path: string): Interpreter | LoadError {
  const opened = request.openInterpreter(path);
  if ('ok' in opened) return opened;
  if (opened.source.sizeInBytes() < L.Ehdr.size) return loadError('EIO', `its interpreter ${path} is too short`);
  const image = readElf(opened.source);
  if (!image.ok) {
    return image.code === 'EIO' ? image : loadError('ELIBBAD', `its interpreter ${path}: ${image.message}`);
  }
  if (image.isaLevel > request.machine.isaLevel) {
    return loadError('ELIBBAD', `its interpreter ${path} is built for x86-64-v${image.isaLevel}`);
  }
  return { ok: true, ...opened, image };
}

/** Linux wants it on a random page above the stack, up to the end of the range of its page table. */
function placeVdso(mm: AddressSpace, vdso: Vdso, stackTop: Addr, layout: ProgramLayout): number {
  if (layout.vdsoFraction !== undefined) {
    const end = Math.min(mm.end, Math.ceil((stackTop + vdso.size) / TABLE_SPAN) * TABLE_SPAN) - vdso.size;
    const pages = Math.floor(((end - stackTop) / PAGE_BYTES + 1) * layout.vdsoFraction);
    if (end > stackTop) return vdso.map(mm, stackTop + pages * PAGE_BYTES);
  }
  // There is no room, as there never is without ASLR: it lies where mmap would put it.
  const start = mm.findGap(vdso.size);
  return start < 0 ? start : vdso.map(mm, start);
}

interface Places {
  readonly bias: number;
  readonly linker: MappedImage | undefined;
  /** 0 for none. */
  readonly vdsoAt: Addr;
}

/** In Linux's order; what points into the stack is put in between by buildStack. */
function auxiliaryVector(request: LoadRequest, image: ElfImage, places: Places): AuxEntry[] {
  const { ids, machine } = request;
  const { bias, linker, vdsoAt } = places;
  const auxv: AuxEntry[] = [];
  if (vdsoAt !== 0) auxv.push([L.AT_SYSINFO_EHDR, vdsoAt]);
  if (request.minSignalStack !== undefined) auxv.push([L.AT_MINSIGSTKSZ, request.minSignalStack]);
  auxv.push(
    [L.AT_HWCAP, machine.hwcap],
    [L.AT_PAGESZ, PAGE_BYTES],
    [L.AT_CLKTCK, CLOCK_TICKS],
    [L.AT_PHDR, image.headersVaddr === undefined ? 0 : bias + image.headersVaddr],
    [L.AT_PHENT, L.Phdr.size],
    [L.AT_PHNUM, image.headerCount],
    [L.AT_BASE, linker === undefined ? 0 : linker.bias],
    [L.AT_FLAGS, 0],
    [L.AT_ENTRY, bias + image.entry],
    [L.AT_UID, ids.uid],
    [L.AT_EUID, ids.euid],
    [L.AT_GID, ids.gid],
    [L.AT_EGID, ids.egid],
    [L.AT_SECURE, ids.secure ? 1 : 0],
    [L.AT_HWCAP2, machine.hwcap2],
  );
  if (request.rseq !== undefined)
    auxv.push([L.AT_RSEQ_FEATURE_SIZE, request.rseq.featureSize], [L.AT_RSEQ_ALIGN, request.rseq.align]);
  return auxv;
}
