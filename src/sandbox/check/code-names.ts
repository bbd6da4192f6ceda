// SPDX-License-Identifier: MIT
//
// Names of code: the file that an address was mapped from and, where that file has symbols, the function. Files are
// read through their page cache, as the guest's own accesses are.

import { PAGE_SIZE } from '../../base/addr.ts';
import { readElf, readSymbols } from '../../loader/index.ts';
import type { ByteSource, ElfSegment, SymbolTable } from '../../loader/index.ts';
import type { AddressSpace, MappableFile } from '../../mm/address-space.ts';

/** Where code comes from. */
export interface CodeName {
  /** The file's path in the guest; '' for memory of the program's own. */
  readonly file: string;
  /** `name+0x12`, where the file has symbols. */
  readonly symbol: string | undefined;
}

interface KnownFile {
  readonly symbols: SymbolTable;
  readonly segments: readonly ElfSegment[];
}

function sourceOf(file: MappableFile): ByteSource {
  const page = new Uint8Array(PAGE_SIZE);
  return {
    sizeInBytes: () => file.sizeInBytes(),
    read(offset, into) {
      const length = Math.max(0, Math.min(into.length, file.sizeInBytes() - offset));
      for (let done = 0; done < length;) {
        const at = offset + done;
        const inPage = at % PAGE_SIZE;
        const n = file.readPage((at - inPage) / PAGE_SIZE, page);
        if (n < 0) return done > 0 ? done : n;
        const part = page.subarray(inPage, Math.min(PAGE_SIZE, inPage + length - done));
        into.set(part, done);
        done += part.length;
      }
      return length;
    },
  };
}

/** Looks names up; a file is read once. */
export class CodeNames {
  private readonly files = new Map<MappableFile, KnownFile>();

  name(mm: AddressSpace, address: number): CodeName {
    const vma = mm.findVma(address);
    if (vma?.file === undefined) return { file: '', symbol: undefined };
    const { file } = vma;
    let known = this.files.get(file);
    if (known === undefined) {
      const source = sourceOf(file);
      const image = readElf(source);
      known = { symbols: readSymbols(source), segments: image.ok ? image.segments : [] };
      this.files.set(file, known);
    }
    const offset = vma.offset + address - vma.start;
    const segment = known.segments.find((s) => offset >= s.offset && offset < s.offset + s.fileSize);
    const found = segment && known.symbols.lookup(segment.vaddr + offset - segment.offset);
    return { file: file.name, symbol: found && `${found.name}+0x${found.offset.toString(16)}` };
  }
}
