// SPDX-License-Identifier: MIT
//
// What MAP_SHARED|MAP_ANONYMOUS maps: a file that has no name, no storage but its cached pages, and lives as
// long as it is mapped. Models Linux's shmem_zero_setup.

import { savable } from '../base/savable.ts';
import { FilePages, type MappableFile } from './file-pages.ts';

/** A piece of shared anonymous memory. */
export class SharedMemory implements MappableFile {
  readonly name = '/dev/zero (deleted)';
  readonly deviceNumber = 1;
  readonly inodeNumber: number;
  readonly pages = new FilePages(this, true);
  private readonly size: number;

  /** @param inodeNumber shown in maps; unique in one sandbox */
  constructor(size: number, inodeNumber: number) {
    this.size = size;
    this.inodeNumber = inodeNumber;
  }

  /** PagesOwner. */
  lastUnmapped(): void {
    this.pages.dispose();
  }

  readPage(): number {
    return 0;
  }

  sizeInBytes(): number {
    return this.size;
  }
}

savable('mm/shared-memory', { SharedMemory });
