// SPDX-License-Identifier: MIT
//
// The kernel's access to guest memory: copies that stop at the exact byte that faults, small typed accessors
// without allocation, and the variant that ignores permissions up to an area's maximum. Models gVisor
// pkg/sentry/mm/io.go.

import { PAGE_SIZE, pageDown, type Addr, type PhysAddr } from '../base/addr.ts';
import { EFAULT, ENAMETOOLONG } from '../abi/errno.ts';
import { PROT_WRITE } from '../abi/mman.ts';
import { fromLatin1 } from '../base/bytes.ts';
import { savable } from '../base/savable.ts';
import { PTE_PRESENT, PTE_WRITE } from './page-table.ts';
import { allows, PAGE_READY, TOUCH_EXECUTE, TOUCH_READ, TOUCH_WRITE, type Pager } from './pager.ts';
import type { SpaceCore } from './space-core.ts';
import type { MappedArea } from './vma.ts';

const TWO_32 = 2 ** 32;
/** Integer operators take the low 32 bits of any address, and are far faster than a remainder of doubles. */
const IN_PAGE = PAGE_SIZE - 1;
/** Below this many bytes a loop beats making a view. */
const LOOP_BYTES = 80;

/** Reads and writes guest memory on the kernel's behalf. @internal */
export class UserMemory {
  private readonly core: SpaceCore;
  private readonly pager: Pager;
  private readonly words: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly scratch = new Uint8Array(8);
  private readonly scratchView = new DataView(this.scratch.buffer);

  constructor(core: SpaceCore, pager: Pager) {
    this.core = core;
    this.pager = pager;
    this.words = core.memory.words;
    this.bytes = core.memory.bytes;
  }

  copyIn(addr: Addr, into: Uint8Array, ignorePermissions: boolean): number {
    const bytes = this.bytes;
    const length = into.length;
    let done = 0;
    while (done < length) {
      const from = this.readable(addr + done, ignorePermissions);
      if (from < 0) return done;
      const n = Math.min(length - done, PAGE_SIZE - (from & IN_PAGE));
      if (n <= LOOP_BYTES) for (let i = 0; i < n; i++) into[done + i] = bytes[from + i] as number;
      else into.set(bytes.subarray(from, from + n), done);
      done += n;
    }
    return done;
  }

  copyOut(addr: Addr, from: Uint8Array, ignorePermissions: boolean): number {
    const bytes = this.bytes;
    const length = from.length;
    let done = 0;
    while (done < length) {
      const to = this.writable(addr + done, ignorePermissions);
      if (to < 0) return done;
      const n = Math.min(length - done, PAGE_SIZE - (to & IN_PAGE));
      if (n <= LOOP_BYTES) for (let i = 0; i < n; i++) bytes[to + i] = from[done + i] as number;
      else bytes.set(n === length ? from : from.subarray(done, done + n), to);
      this.core.memory.written(to, n);
      done += n;
    }
    return done;
  }

  zeroOut(addr: Addr, length: number): number {
    let done = 0;
    while (done < length) {
      const to = this.writable(addr + done, false);
      if (to < 0) return done;
      const n = Math.min(length - done, PAGE_SIZE - (to & IN_PAGE));
      this.bytes.fill(0, to, to + n);
      this.core.memory.written(to, n);
      done += n;
    }
    return done;
  }

  readU8(addr: Addr): number | undefined {
    const from = this.readable(addr, false);
    return from < 0 ? undefined : this.bytes[from];
  }

  readU16(addr: Addr): number | undefined {
    const from = this.readable(addr, false);
    if (from < 0) return undefined;
    if ((from & IN_PAGE) <= PAGE_SIZE - 2) return this.core.memory.view.getUint16(from, true);
    return this.gather(addr, 2) ? this.scratchView.getUint16(0, true) : undefined;
  }

  readU32(addr: Addr): number | undefined {
    const from = this.readable(addr, false);
    if (from < 0) return undefined;
    if ((from & 3) === 0) return this.words[from / 4];
    if ((from & IN_PAGE) <= PAGE_SIZE - 4) return this.core.memory.view.getUint32(from, true);
    return this.gather(addr, 4) ? this.scratchView.getUint32(0, true) : undefined;
  }

  /** The 64-bit word as an unsigned number: rounded at 2^53 and above. */
  readU64n(addr: Addr): number | undefined {
    const from = this.readable(addr, false);
    if (from < 0) return undefined;
    const { view } = this.core.memory;
    if ((from & IN_PAGE) <= PAGE_SIZE - 8) return view.getUint32(from, true) + view.getUint32(from + 4, true) * TWO_32;
    if (!this.gather(addr, 8)) return undefined;
    return this.scratchView.getUint32(0, true) + this.scratchView.getUint32(4, true) * TWO_32;
  }

  /** The 64-bit word as a signed number: exact between -2^53 and 2^53. */
  readI64n(addr: Addr): number | undefined {
    const from = this.readable(addr, false);
    if (from < 0) return undefined;
    const { view } = this.core.memory;
    if ((from & IN_PAGE) <= PAGE_SIZE - 8) return view.getUint32(from, true) + view.getInt32(from + 4, true) * TWO_32;
    if (!this.gather(addr, 8)) return undefined;
    return this.scratchView.getUint32(0, true) + this.scratchView.getInt32(4, true) * TWO_32;
  }

  readU64(addr: Addr): bigint | undefined {
    const from = this.readable(addr, false);
    if (from < 0) return undefined;
    if ((from & IN_PAGE) <= PAGE_SIZE - 8) return this.core.memory.view.getBigUint64(from, true);
    return this.gather(addr, 8) ? this.scratchView.getBigUint64(0, true) : undefined;
  }

  writeU8(addr: Addr, value: number): boolean {
    const to = this.writable(addr, false);
    if (to < 0) return false;
    this.bytes[to] = value;
    this.core.memory.written(to, 1);
    return true;
  }

  writeU16(addr: Addr, value: number): boolean {
    this.scratchView.setUint16(0, value & 0xffff, true);
    return this.scatter(addr, 2);
  }

  writeU32(addr: Addr, value: number): boolean {
    if ((addr & 3) === 0) {
      const to = this.writable(addr, false);
      if (to < 0) return false;
      this.words[to / 4] = value;
      this.core.memory.written(to, 4);
      return true;
    }
    this.scratchView.setUint32(0, value >>> 0, true);
    return this.scatter(addr, 4);
  }

  /** Writes a 64-bit word; a number is sign-extended and must be between -2^53 and 2^53. */
  writeU64(addr: Addr, value: number | bigint): boolean {
    const to = this.writable(addr, false);
    if (to < 0) return false;
    const { view } = this.core.memory;
    if ((to & IN_PAGE) <= PAGE_SIZE - 8) {
      put64(view, to, value);
      this.core.memory.written(to, 8);
      return true;
    }
    put64(this.scratchView, 0, value);
    return this.scatter(addr, 8);
  }

  /** Stores `desired` if the word equals `expected`; the word as it was, undefined on a fault (also when only readable). */
  compareExchangeU32(addr: Addr, expected: number, desired: number): number | undefined {
    const at = this.writable(addr, false);
    if (at < 0 || (at & 3) !== 0) return undefined;
    const old = this.words[at / 4] as number;
    if (old === expected >>> 0) {
      this.words[at / 4] = desired;
      this.core.memory.written(at, 4);
    }
    return old;
  }

  readCString(addr: Addr, max: number): Uint8Array | number {
    const bytes = this.bytes;
    let parts: Uint8Array[] | null = null;
    let done = 0;
    while (done < max) {
      const from = this.readable(addr + done, false);
      if (from < 0) return -EFAULT;
      const n = Math.min(max - done, PAGE_SIZE - (from & IN_PAGE));
      const page = bytes.subarray(from, from + n);
      const end = page.indexOf(0);
      const found = end >= 0;
      const part = found ? page.slice(0, end) : page.slice();
      if (found && parts === null) return part;
      parts ??= [];
      parts.push(part);
      done += part.length;
      if (found) return join(parts, done);
    }
    return -ENAMETOOLONG;
  }

  readText(addr: Addr, max: number): string | number {
    const from = this.readable(addr, false);
    if (from < 0) return -EFAULT;
    // Most are short and lie in one page.
    const bytes = this.bytes;
    const end = from + Math.min(max, LOOP_BYTES, PAGE_SIZE - (from & IN_PAGE));
    let text = '';
    for (let i = from; i < end; i++) {
      const byte = bytes[i] as number;
      if (byte === 0) return text;
      text += String.fromCharCode(byte);
    }
    const whole = this.readCString(addr, max);
    return typeof whole === 'number' ? whole : fromLatin1(whole);
  }

  physicalOf(addr: Addr, touch: number, ignorePermissions: boolean): PhysAddr | undefined {
    if (touch === TOUCH_EXECUTE) return this.executable(addr, ignorePermissions);
    const at = touch === TOUCH_WRITE ? this.writable(addr, ignorePermissions) : this.readable(addr, ignorePermissions);
    return at < 0 ? undefined : at;
  }

  private executable(addr: Addr, ignorePermissions: boolean): PhysAddr | undefined {
    if (!(addr >= 0 && addr < this.core.layout.end)) return undefined;
    const area = this.pager.areaFor(addr);
    if (area === undefined || !allows(ignorePermissions ? area.maxProt : area.prot, TOUCH_EXECUTE)) return undefined;
    const at = this.readable(addr, ignorePermissions);
    return at < 0 ? undefined : at;
  }

  /** Physical address of a byte to read, or -1. */
  private readable(addr: Addr, ignorePermissions: boolean): number {
    if (!(addr >= 0 && addr < this.core.layout.end)) return -1;
    const entry = this.core.table.entry(addr);
    if (entry !== 0) {
      const low = this.words[entry] as number;
      if ((low & PTE_PRESENT) !== 0) return (low >>> 12) * PAGE_SIZE + (addr & IN_PAGE);
    }
    return this.readableSlow(addr, ignorePermissions);
  }

  private readableSlow(addr: Addr, ignorePermissions: boolean): number {
    const area = this.pager.areaFor(addr);
    if (area === undefined) return -1;
    const inPage = addr & IN_PAGE;
    if (!allows(area.prot, TOUCH_READ)) {
      if (!ignorePermissions || !allows(area.maxProt, TOUCH_READ)) return -1;
    }
    const page = pageDown(addr);
    const entry = this.core.table.entry(page);
    const held = entry === 0 ? 0 : (this.words[entry] as number) >>> 12;
    if (held !== 0) return held * PAGE_SIZE + inPage;
    if (this.pager.touch(area, page, TOUCH_READ) !== PAGE_READY) return -1;
    return ((this.words[this.core.table.entry(page)] as number) >>> 12) * PAGE_SIZE + inPage;
  }

  /** Physical address of a byte to write, or -1. Whoever writes calls memory.written. */
  private writable(addr: Addr, ignorePermissions: boolean): number {
    if (!(addr >= 0 && addr < this.core.layout.end)) return -1;
    const entry = this.core.table.entry(addr);
    if (entry !== 0) {
      const low = this.words[entry] as number;
      if ((low & (PTE_PRESENT | PTE_WRITE)) === (PTE_PRESENT | PTE_WRITE))
        return (low >>> 12) * PAGE_SIZE + (addr & IN_PAGE);
    }
    return this.writableSlow(addr, ignorePermissions);
  }

  private writableSlow(addr: Addr, ignorePermissions: boolean): number {
    const area = this.pager.areaFor(addr);
    if (area === undefined) return -1;
    const page = pageDown(addr);
    const inPage = addr & IN_PAGE;
    if ((area.prot & PROT_WRITE) === 0) {
      if (!ignorePermissions || (area.maxProt & PROT_WRITE) === 0) return -1;
      return this.force(area, page, inPage);
    }
    if (this.pager.touch(area, page, TOUCH_WRITE) !== PAGE_READY) return -1;
    return ((this.words[this.core.table.entry(page)] as number) >>> 12) * PAGE_SIZE + inPage;
  }

  /** A page of an area that the guest may not write now. */
  private force(area: MappedArea, page: Addr, inPage: number): number {
    const entry = this.core.table.ensure(page);
    if (entry === 0) return -1;
    if (area.shared) {
      if (this.pager.touch(area, page, TOUCH_READ) !== PAGE_READY) return -1;
      area.pages?.markDirty(area.pageIndex(page));
    } else if (!this.isOwn(entry) && this.pager.own(area, page, entry) !== PAGE_READY) {
      return -1;
    }
    return ((this.words[entry] as number) >>> 12) * PAGE_SIZE + inPage;
  }

  /** Whether a private area's entry holds a frame that nobody else uses. */
  private isOwn(entry: number): boolean {
    const { memory } = this.core;
    const frame = (this.words[entry] as number) >>> 12;
    return frame !== 0 && frame !== memory.zeroFrame && memory.refs[frame] === 1;
  }

  /** Collects bytes that cross a page in the scratch buffer. */
  private gather(addr: Addr, n: number): boolean {
    for (let i = 0; i < n; i++) {
      const from = this.readable(addr + i, false);
      if (from < 0) return false;
      this.scratch[i] = this.bytes[from] as number;
    }
    return true;
  }

  /** Writes the first `n` bytes of the scratch buffer: all or none. */
  private scatter(addr: Addr, n: number): boolean {
    const to = this.writable(addr, false);
    if (to < 0) return false;
    const here = PAGE_SIZE - (to & IN_PAGE);
    if (here < n && this.writable(addr + here, false) < 0) return false;
    for (let i = 0; i < n; i++) {
      const at = i < here ? to + i : this.writable(addr + i, false);
      this.bytes[at] = this.scratch[i] as number;
    }
    this.core.memory.written(to, Math.min(n, here));
    if (here < n) this.core.memory.written(this.writable(addr + here, false), n - here);
    return true;
  }
}

function put64(view: DataView, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    view.setBigUint64(at, BigInt.asUintN(64, value), true);
  } else {
    view.setUint32(at, value >>> 0, true);
    view.setInt32(at + 4, Math.floor(value / TWO_32), true);
  }
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

savable('mm/user-memory', { UserMemory });
