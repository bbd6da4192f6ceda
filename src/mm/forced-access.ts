// SPDX-License-Identifier: MIT
//
// Writing another process's memory whatever its protection, as far as Linux goes (FOLL_FORCE): pages of private mappings
// are written in a copy, shared ones only where the process itself may write. Models Linux mm/gup.c, mm/memory.c.

import { PROT_WRITE } from '../abi/mman.ts';
import { PAGE_SIZE, type Addr } from '../base/addr.ts';
import type { AddressSpace } from './address-space.ts';

/** Writes; returns how many bytes came before the first that cannot be written. */
export function writeForced(mm: AddressSpace, addr: Addr, from: Uint8Array): number {
  let done = 0;
  mm.watcher?.beforeChange(addr, addr + from.length, 'write', 0);
  while (done < from.length) {
    const at = addr + done;
    const area = mm.findVma(at);
    // A shared mapping that may not be written stays as it is, whoever asks.
    if (area === undefined || (area.shared && (area.prot & PROT_WRITE) === 0)) return done;
    const length = Math.min(from.length - done, PAGE_SIZE - (at % PAGE_SIZE));
    const written = mm.copyOut(at, from.subarray(done, done + length), true);
    done += written;
    if (written < length) break;
  }
  return done;
}
