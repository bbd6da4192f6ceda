// SPDX-License-Identifier: MIT
//
// A memory management unit for tests that need no instructions: walks real page tables in a real arena, and keeps
// the two caches that make an engine dangerous, a TLB and translated code, with the weaknesses that libunicorn
// 2.1.4 has. A missing flush or invalidation shows as a wrong byte.

import { PAGE_SIZE } from '../../src/base/addr.ts';
import type { Access, Mmu } from '../../src/cpu/cpu.ts';
import type { AddressSpace, GuestFault } from '../../src/mm/address-space.ts';

interface TlbEntry {
  readonly frame: number;
  readonly writable: boolean;
  readonly executable: boolean;
}

export class SoftMmu implements Mmu {
  readonly memory: ArrayBuffer;
  readonly reservedBytes: number;
  flushes = 0;
  invalidations = 0;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  /** Filled by walks, emptied only by a flush or by going to another root. */
  readonly #tlb = new Map<number, TlbEntry>();
  #root = -1;
  /** Translated code: the bytes of a frame as they were when it was first fetched from, by address and frame. */
  readonly #code = new Map<string, Uint8Array>();

  constructor(pages = 512, reservedPages = 2) {
    this.memory = new ArrayBuffer(pages * PAGE_SIZE);
    this.reservedBytes = reservedPages * PAGE_SIZE;
    this.#words = new Uint32Array(this.memory);
    this.#bytes = new Uint8Array(this.memory);
  }

  initRoot(root: number): void {
    // An engine puts its own half there: must survive.
    this.#words[root / 4 + 511 * 2] = 0x1003;
  }

  flushTlb(): void {
    this.flushes++;
    this.#tlb.clear();
  }

  invalidateCode(start: number, length: number): void {
    this.invalidations++;
    const first = Math.floor(start / PAGE_SIZE);
    const last = Math.floor((start + length - 1) / PAGE_SIZE);
    for (const key of [...this.#code.keys()]) {
      const frame = Number(key.split(':')[1]);
      if (frame >= first && frame <= last) this.#code.delete(key);
    }
  }

  /** The byte that a guest load gives, or the fault that it gets. */
  load(mm: AddressSpace, address: number): number | GuestFault {
    const entry = this.#access(mm, address, 'read');
    return 'signo' in entry ? entry : (this.#bytes[entry.frame * PAGE_SIZE + (address % PAGE_SIZE)] as number);
  }

  store(mm: AddressSpace, address: number, value: number): GuestFault | undefined {
    const entry = this.#access(mm, address, 'write');
    if ('signo' in entry) return entry;
    this.#bytes[entry.frame * PAGE_SIZE + (address % PAGE_SIZE)] = value;
    // Seen by translated code only through an executable mapping, and only what was executed at this address.
    if (entry.executable) this.#code.delete(`${pageOf(address)}:${entry.frame}`);
    return undefined;
  }

  /** The byte that an instruction fetch works on: from the translation if there is one. */
  fetch(mm: AddressSpace, address: number): number | GuestFault {
    const entry = this.#access(mm, address, 'execute');
    if ('signo' in entry) return entry;
    const key = `${pageOf(address)}:${entry.frame}`;
    let code = this.#code.get(key);
    if (code === undefined) {
      code = this.#bytes.slice(entry.frame * PAGE_SIZE, (entry.frame + 1) * PAGE_SIZE);
      this.#code.set(key, code);
    }
    return code[address % PAGE_SIZE] as number;
  }

  #access(mm: AddressSpace, address: number, access: Access): TlbEntry | GuestFault {
    if (mm.root !== this.#root) {
      this.#tlb.clear();
      this.#root = mm.root;
    }
    for (let attempt = 0; attempt < 4; attempt++) {
      const page = pageOf(address);
      const cached = this.#tlb.get(page);
      if (cached !== undefined && permits(cached, access)) return cached;
      const walked = this.#walk(address);
      if (walked !== undefined && permits(walked, access)) {
        this.#tlb.set(page, walked);
        return walked;
      }
      const outcome = mm.handleFault(address, access, walked !== undefined, 0);
      if (outcome !== 'fixed') return outcome;
    }
    throw new Error(`the fault at 0x${address.toString(16)} (${access}) was called fixed but comes again`);
  }

  #walk(address: number): TlbEntry | undefined {
    let table = this.#root / 4;
    const indices = [39, 30, 21, 12].map((shift) => Math.floor(address / 2 ** shift) % 512);
    let low = 0;
    let high = 0;
    for (const index of indices) {
      low = this.#words[table + index * 2] as number;
      high = this.#words[table + index * 2 + 1] as number;
      if ((low & 1) === 0) return undefined;
      if ((low & 4) === 0) throw new Error('a user address led to a supervisor page');
      table = (low >>> 12) * (PAGE_SIZE / 4);
    }
    return { frame: low >>> 12, writable: (low & 2) !== 0, executable: high >>> 31 === 0 };
  }
}

function permits(entry: TlbEntry, access: Access): boolean {
  return access === 'read' || (access === 'write' ? entry.writable : entry.executable);
}

function pageOf(address: number): number {
  return Math.floor(address / PAGE_SIZE);
}
