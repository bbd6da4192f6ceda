// SPDX-License-Identifier: MIT
//
// The two pages that every program finds in its address space: [vvar] with what the clock started with, and [vdso], the
// code that reads it. Both are pages of one cache, shared by all processes of a machine until somebody writes to them.

import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import { MAP_FIXED_NOREPLACE, MAP_PRIVATE, PROT_EXEC, PROT_READ } from '../abi/mman.ts';
import { FilePages, type AddressSpace, type MappableFile } from '../mm/address-space.ts';
import { VvarLayout } from './vdso-code.ts';
import { buildVdso } from './vdso-image.ts';

const NS_PER_SECOND = 1_000_000_000n;
/** The page of data lies just before the image. */
const VVAR_OFFSET = -PAGE_SIZE;

/** A page of the system's own, named in maps as Linux names it. */
class SystemPage implements MappableFile {
  readonly name: string;
  readonly deviceNumber = 0;
  readonly inodeNumber = 0;
  readonly pages = new FilePages();
  private readonly content: Uint8Array;

  constructor(name: string, content: Uint8Array) {
    this.name = name;
    this.content = content;
  }

  readPage(_index: number, into: Uint8Array): number {
    into.set(this.content);
    return this.content.length;
  }

  sizeInBytes(): number {
    return PAGE_SIZE;
  }
}

/** The vDSO of one machine. */
export class Vdso {
  /** Bytes that it takes in an address space. */
  readonly size = 2 * PAGE_SIZE;
  private readonly code = new SystemPage('[vdso]', buildVdso(VVAR_OFFSET));
  private readonly data: SystemPage;

  /**
   * @param bootRealtimeNs CLOCK_REALTIME when the time stamp counter was 0, which then counts the nanoseconds of
   *   CLOCK_MONOTONIC; undefined when the counter tells no time, and the functions have to ask the kernel
   */
  constructor(bootRealtimeNs: bigint | undefined) {
    const data = new Uint8Array(PAGE_SIZE);
    if (bootRealtimeNs !== undefined) {
      const view = new DataView(data.buffer);
      view.setUint32(VvarLayout.mode, 1, true);
      view.setBigUint64(VvarLayout.seconds, bootRealtimeNs / NS_PER_SECOND, true);
      view.setBigUint64(VvarLayout.nanoseconds, bootRealtimeNs % NS_PER_SECOND, true);
    }
    this.data = new SystemPage('[vvar]', data);
  }

  /** Maps both pages at `start`: where the image is (AT_SYSINFO_EHDR), or -errno. */
  map(mm: AddressSpace, start: Addr): number {
    const flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE;
    const one = { length: PAGE_SIZE, flags };
    const data = mm.mmap({ ...one, addr: start, prot: PROT_READ, maxProt: PROT_READ, file: this.data });
    return data < 0 ? data : mm.mmap({ ...one, addr: start + PAGE_SIZE, prot: PROT_READ | PROT_EXEC, file: this.code });
  }
}

savable('loader/vdso', { SystemPage }, { isPlace: true });
savable('loader/vdso', { Vdso }, { isPlace: true });
