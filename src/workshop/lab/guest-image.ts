// SPDX-License-Identifier: MIT
//
// An ELF program made of code alone: one segment that may be read, written and executed, so that students can try code
// that changes itself. The psABI's ELF64 headers; a stack that is not executable.

import { Ehdr, EM_X86_64, ET_EXEC, EV_CURRENT, PF_R, PF_W, PF_X, Phdr, PT_GNU_STACK, PT_LOAD } from '../../abi/elf.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { TraplineError } from '../../base/errors.ts';
import { viewOf } from '../../base/bytes.ts';
import { assemble, CODE_ADDRESS } from './assembler.ts';

const HEADERS = 2;
const IMAGE_START = CODE_ADDRESS - (CODE_ADDRESS % PAGE_SIZE);
const CODE_OFFSET = CODE_ADDRESS - IMAGE_START;
/** ELFCLASS64, ELFDATA2LSB, EV_CURRENT behind the magic number. */
const IDENT = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
/** Behind the code there is room to write to, up to the end of the page after it. */
const EXTRA_MEMORY = PAGE_SIZE;

/**
 * A program of these bytes.
 * @param entry address of the first instruction
 */
export function guestImage(code: Uint8Array, entry = CODE_ADDRESS): Uint8Array {
  const file = new Uint8Array(CODE_OFFSET + code.length);
  const view = viewOf(file);
  const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  file.set(IDENT);
  view.setUint16(Ehdr.type, ET_EXEC, true);
  view.setUint16(Ehdr.machine, EM_X86_64, true);
  view.setUint32(Ehdr.version, EV_CURRENT, true);
  u64(Ehdr.entry, entry);
  u64(Ehdr.phoff, Ehdr.size);
  view.setUint16(Ehdr.ehsize, Ehdr.size, true);
  view.setUint16(Ehdr.phentsize, Phdr.size, true);
  view.setUint16(Ehdr.phnum, HEADERS, true);
  const header = (index: number, type: number, flags: number, fileSize: number, memorySize: number): void => {
    const at = Ehdr.size + index * Phdr.size;
    const start = type === PT_LOAD ? IMAGE_START : 0;
    view.setUint32(at + Phdr.type, type, true);
    view.setUint32(at + Phdr.flags, flags, true);
    u64(at + Phdr.vaddr, start);
    u64(at + Phdr.filesz, fileSize);
    u64(at + Phdr.memsz, memorySize);
    u64(at + Phdr.align, type === PT_LOAD ? PAGE_SIZE : 16);
  };
  header(0, PT_LOAD, PF_R | PF_W | PF_X, file.length, file.length + EXTRA_MEMORY);
  header(1, PT_GNU_STACK, PF_R | PF_W, 0, 0);
  file.set(code, CODE_OFFSET);
  return file;
}

/**
 * A program from its source; it starts at `_start`, or at its first byte where there is no such label.
 * @throws TraplineError `LAB_CODE`: line, column, what to do
 */
export function assembledImage(source: string): Uint8Array {
  const program = assemble(source);
  if (!program.ok) {
    const { line, column, message } = program.error;
    throw new TraplineError('LAB_CODE', `line ${line}, column ${column}: ${message}`, { cause: program.error });
  }
  if (program.bytes.length === 0) throw new TraplineError('LAB_CODE', 'the program is empty; write an instruction');
  return guestImage(program.bytes, program.labels.get('_start') ?? CODE_ADDRESS);
}
