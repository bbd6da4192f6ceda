// SPDX-License-Identifier: MIT
//
// The pieces of a run's memory that a recording keeps: code around each site that is met, the slots that are filled,
// the header of each trap table, the stub. What they hold is compared with memory, so that no change is missed.

import { syscallName } from '../../abi/sysno.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import { LINE_BYTES, looksLikeSite, SITE_BYTES, siteSysno } from '../../isa/syscall-site.ts';
import type { AddressSpace } from '../../mm/address-space.ts';
import { STUB_CODE } from '../../platform/stub-layout.ts';
import type { CodeTables } from '../../trace/recording/code-tables.ts';
import { DECODE_BYTES } from '../../trace/recording/format.ts';
import type { Hex, Region, Site, Store } from '../../trace/recording/format.ts';
import { TRAP_BYTES, TRAP_CODE_OFFSET, TRAP_USED_BYTES } from '../../usertrap/layout.ts';
import { CodeNames } from '../check/code-names.ts';
import type { StepLog } from './step-log.ts';

const MOST_SITES = 256;
const MOST_SLOTS = 256;
const HEADER_BYTES = 16;
/** Code shown before a site and behind it. */
const CODE_BEFORE = 64;
const CODE_BEHIND = 64;
/** Code of the first program that is looked at before it runs, so that its sites are there from the first moment on. */
const MOST_CODE = 4 * 2 ** 20;

/** A region, and what it holds now. */
interface Piece {
  readonly region: Omit<Region, 'bytes'>;
  /** Before anything has run; null where it was not there. */
  first: Hex | null;
  bytes: Uint8Array | null;
  readonly mm: AddressSpace | null;
  /** Offsets of instructions. */
  readonly boundaries: readonly number[];
}

/** What a step has to say about memory. */
export type MemoryChange = readonly [region: number, bytes: Hex | null];

/** Sites and regions of a run. */
export class RunMemory {
  readonly sites: Site[] = [];
  /** The stub's code; empty where there is none. */
  stub: Uint8Array = new Uint8Array(0);
  readonly #tables: CodeTables;
  readonly #log: StepLog;
  readonly #pieces: Piece[] = [];
  readonly #bySpace = new Map<AddressSpace, number[]>();
  readonly #siteIndex = new Map<string, number>();
  readonly #slots = new Set<string>();
  readonly #names = new CodeNames();
  readonly #firstCode: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  #firstSpace: AddressSpace | null = null;

  constructor(tables: CodeTables, log: StepLog) {
    this.#tables = tables;
    this.#log = log;
  }

  get regions(): Region[] {
    return this.#pieces.map(({ region, first }) => ({ ...region, bytes: first }));
  }

  /** The first program is loaded and has not run. */
  begin(mm: AddressSpace, stub: Uint8Array | null): void {
    this.#firstSpace = mm;
    let left = MOST_CODE;
    for (const vma of mm.vmas()) {
      const length = vma.end - vma.start;
      if (vma.file === undefined || length > left) continue;
      const bytes = new Uint8Array(length);
      const held = mm.copyIn(vma.start, bytes);
      this.#firstCode.push({ start: vma.start, bytes: bytes.subarray(0, held) });
      left -= length;
    }
    if (stub === null) return;
    this.stub = stub;
    const region = { kind: 'stub' as const, name: 'stub', space: 0, address: STUB_CODE, length: stub.length };
    this.#tables.addListing(this.#pieces.length, stub, STUB_CODE);
    this.#pieces.push({ region, first: toHex(stub), bytes: stub, mm: null, boundaries: [] });
  }

  /** Index of a site, known or not. */
  siteAt(space: number, address: number): number | undefined {
    return this.#siteIndex.get(`${space}:${address}`);
  }

  /** Of an address in a known site, from 0 to 6; null elsewhere. */
  offsetInSite(space: number, address: number): number | null {
    for (let offset = 0; offset < SITE_BYTES; offset++) {
      if (this.siteAt(space, address - offset) !== undefined) return offset;
    }
    return null;
  }

  /**
   * Takes down a site, unless it is known.
   * @param boundary where an instruction starts, at or before it; 0 when that is not known
   * @returns its index and what is new in memory, or null where there is no room for it
   */
  addSite(
    mm: AddressSpace,
    space: number,
    address: number,
    boundary: number,
  ): { site: number; memory: MemoryChange[] } | null {
    const known = this.siteAt(space, address);
    if (known !== undefined) return { site: known, memory: [] };
    if (this.sites.length >= MOST_SITES) {
      this.#log.leaveOut('sites');
      return null;
    }
    const start = boundary > 0 && boundary <= address && address - boundary <= CODE_BEFORE ? boundary : address;
    const code = new Uint8Array(address - start + SITE_BYTES + CODE_BEHIND);
    const held = mm.copyIn(start, code, true);
    const bytes = code.slice(0, held);
    const at = address - start;
    const program = bytes.subarray(at, at + SITE_BYTES);
    const sysno = looksLikeSite(program) ? siteSysno(program) : null;
    const around = new Uint8Array(SITE_BYTES + 1);
    const aroundHeld = mm.copyIn(address - 1, around, true);
    const region = this.#pieces.length;
    const site = this.sites.length;
    this.sites.push({
      name: this.#nameOf(mm, address),
      space,
      address,
      sysno,
      ...(sysno === null ? {} : { callName: syscallName(sysno) }),
      lineOffset: address % LINE_BYTES,
      pageOffset: address % PAGE_SIZE,
      region,
      before: toHex(around.subarray(0, aroundHeld)),
    });
    this.#siteIndex.set(`${space}:${address}`, site);
    const first = this.#firstBytes(mm, start, bytes.length);
    const memory = this.#add(
      { kind: 'text', name: `text ${site}`, space, address: start, length: bytes.length, site },
      mm,
      bytes,
      first,
      [at, at + SITE_BYTES],
    );
    return { site, memory };
  }

  /** A slot is about to be filled, or the header of a table to be written. */
  addTablePiece(mm: AddressSpace, space: number, base: number, address: number): MemoryChange[] {
    const key = `${space}:${address}`;
    if (this.#slots.has(key)) return [];
    if (this.#slots.size >= MOST_SLOTS) {
      this.#log.leaveOut('slots');
      return [];
    }
    this.#slots.add(key);
    const isHeader = address === base;
    const index = Math.floor((address - base) / TRAP_BYTES);
    const length = isHeader ? HEADER_BYTES : TRAP_BYTES;
    const bytes = new Uint8Array(length);
    if (mm.copyIn(address, bytes, true) < length) return [];
    const region = isHeader
      ? { kind: 'table' as const, name: `table ${space}`, space, address, length }
      : { kind: 'slot' as const, name: `slot ${index}`, space, address, length };
    return this.#add(region, mm, bytes, null, []);
  }

  /** A step has stored: what the regions hold follows. */
  stored(mm: AddressSpace, { address, bytes }: Store): void {
    const length = bytes.length / 2;
    for (const index of this.#bySpace.get(mm) ?? []) {
      const piece = this.#pieces[index];
      if (piece === undefined || piece.bytes === null) continue;
      const from = address - piece.region.address;
      if (from + length <= 0 || from >= piece.bytes.length) continue;
      const now = piece.bytes.slice();
      for (let i = 0; i < length; i++) {
        const at = from + i;
        if (at >= 0 && at < now.length) now[at] = Number.parseInt(bytes.slice(2 * i, 2 * i + 2), 16);
      }
      piece.bytes = now;
      this.#describe(index);
    }
  }

  /** What regions of a space hold that no store has told of. */
  differences(mm: AddressSpace): MemoryChange[] {
    const out: MemoryChange[] = [];
    for (const index of this.#bySpace.get(mm) ?? []) {
      const piece = this.#pieces[index];
      if (piece === undefined) continue;
      const now = new Uint8Array(piece.region.length);
      const isThere = mm.copyIn(piece.region.address, now, true) === now.length;
      if (isThere ? sameBytes(piece.bytes, now) : piece.bytes === null) continue;
      piece.bytes = isThere ? now : null;
      out.push([index, isThere ? toHex(now) : null]);
      this.#describe(index);
    }
    return out;
  }

  /** An address space was copied: what is known of the one is so in the other, too. */
  forked(parent: AddressSpace, parentSpace: number, child: AddressSpace, childSpace: number): MemoryChange[] {
    const memory: MemoryChange[] = [];
    for (const site of this.sites.filter(({ space }) => space === parentSpace)) {
      const start = this.#pieces[site.region]?.region.address ?? site.address;
      memory.push(...(this.addSite(child, childSpace, site.address, start)?.memory ?? []));
    }
    for (const index of [...(this.#bySpace.get(parent) ?? [])]) {
      const piece = this.#pieces[index];
      if (piece === undefined || piece.bytes === null || piece.region.kind === 'text') continue;
      const base = piece.region.kind === 'table' ? piece.region.address : 0;
      memory.push(...this.addTablePiece(child, childSpace, base, piece.region.address));
    }
    return memory;
  }

  #add(
    region: Omit<Region, 'bytes'>,
    mm: AddressSpace,
    bytes: Uint8Array,
    first: Hex | null,
    boundaries: readonly number[],
  ): MemoryChange[] {
    const index = this.#pieces.push({ region, first, bytes, mm, boundaries }) - 1;
    const list = this.#bySpace.get(mm);
    if (list === undefined) this.#bySpace.set(mm, [index]);
    else list.push(index);
    if (first !== null) this.#describe(index, fromHex(first));
    this.#describe(index);
    return first === toHex(bytes) ? [] : [[index, toHex(bytes)]];
  }

  /** Disassembles what a region holds now, and decodes its site. */
  #describe(index: number, content = this.#pieces[index]?.bytes ?? null): void {
    const piece = this.#pieces[index];
    if (piece === undefined || content === null) return;
    const { region, boundaries } = piece;
    const bytes = content;
    if (region.kind === 'slot') {
      this.#tables.addSlot(index, bytes, region.address, TRAP_CODE_OFFSET, TRAP_USED_BYTES);
    }
    if (region.kind !== 'text' || region.site === undefined) return;
    this.#tables.addListing(index, bytes, region.address, boundaries);
    const site = this.sites[region.site];
    if (site === undefined) return;
    const at = site.address - region.address;
    const window = bytes.slice(at, at + DECODE_BYTES);
    const before = window.slice();
    // As the program has it, with what is behind it as it is now.
    for (let i = 0; i < SITE_BYTES && i < before.length; i++) {
      before[i] = Number.parseInt(site.before.slice(2 * i + 2, 2 * i + 4), 16);
    }
    this.#tables.addDecode(region.site, window, before, site.address);
  }

  /** What the first program had there before anything ran; null where that is not known. */
  #firstBytes(mm: AddressSpace, start: number, length: number): Hex | null {
    if (mm !== this.#firstSpace) return null;
    const code = this.#firstCode.find((c) => start >= c.start && start + length <= c.start + c.bytes.length);
    return code === undefined ? null : toHex(code.bytes.subarray(start - code.start, start - code.start + length));
  }

  #nameOf(mm: AddressSpace, address: number): string {
    const { file, symbol } = this.#names.name(mm, address);
    const place = symbol ?? `0x${address.toString(16)}`;
    const name = file.slice(file.lastIndexOf('/') + 1);
    return name === '' ? place : `${name} ${place}`;
  }
}

function sameBytes(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && a.length === b.length && a.every((value, i) => value === b[i]);
}
