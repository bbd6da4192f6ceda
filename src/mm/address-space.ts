// SPDX-License-Identifier: MIT
//
// One guest address space: the face of mm towards the kernel, the platform and the file systems. The work is
// done by its parts over one SpaceCore: mapper (mmap family), advisor (madvise, mlock, mincore, msync), pager
// (faults), user memory (copies). Models gVisor pkg/sentry/mm and Linux's mm_struct.

import { PAGE_SIZE, pageDown, pageUp, type Addr, type PhysAddr } from '../base/addr.ts';
import {
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_WIPEONFORK,
  MAP_FIXED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
} from '../abi/mman.ts';
import { invariant, TraplineError } from '../base/errors.ts';
import { savable } from '../base/savable.ts';
import type { Access } from '../cpu/cpu.ts';
import { Advisor } from './advisor.ts';
import { forkCore } from './fork.ts';
import { mapsText, type MemoryUse, memoryUse } from './maps-text.ts';
import { Mapper, type MapRequest } from './mapper.ts';
import { Pager, TOUCH_EXECUTE, TOUCH_READ, TOUCH_WRITE, type GuestFault } from './pager.ts';
import { PTE_USER, PTE_WRITE } from './page-table.ts';
import type { PageTable } from './page-table.ts';
import { FRAME_CACHED, type PhysicalMemory } from './physical-memory.ts';
import { visitResident, type ResidentVisitor } from './resident-pages.ts';
import { numaMapsText } from './numa-maps-text.ts';
import { pagemap, smapsRollupText, smapsText } from './smaps-text.ts';
import { SpaceCore, type CodeCopier, type SpaceLimits } from './space-core.ts';
import { StubPages } from './stub-pages.ts';
import { UserMemory } from './user-memory.ts';
import { STACK_GUARD_GAP, VMA_GROWSDOWN } from './vma.ts';
import type { Vma } from './vma.ts';

export { PhysicalMemory } from './physical-memory.ts';
export { FilePages, type MappableFile } from './file-pages.ts';
export type { Vma } from './vma.ts';
export type { MapRequest } from './mapper.ts';
export type { GuestFault } from './pager.ts';
export type { CodeCopier, SpaceLimits } from './space-core.ts';
export type { MemoryUse } from './maps-text.ts';

/** Default first address beyond the guest's: Linux's TASK_SIZE. */
export const TASK_END = 0x7ffffffff000;
/** Linux's default vm.mmap_min_addr. */
export const MMAP_MIN_ADDR = 65536;

const MIN_STACK_GAP = 128 * 1024 * 1024;

/** How an address space is made. */
export interface AddressSpaceOptions {
  /** First address that is not the guest's; default TASK_END. */
  readonly end?: Addr;
  /** Lowest address that a guest may map; default MMAP_MIN_ADDR. */
  readonly minAddress?: Addr;
  /** Bytes, a multiple of a page, by which mmap starts lower than in a Linux process without ASLR; default 0. */
  readonly mmapShift?: number;
  /** Limits of the process; default: 8 MiB of stack, 8 MiB of locked memory, else none. */
  readonly limits?: Partial<SpaceLimits>;
}

/**
 * What the guest is about to do to a range: take its pages away (`discard`), change its protection, move it elsewhere,
 * have another process write it whatever its protection, or a call whose answer tells what is mapped there (`ask`).
 */
export type RangeChange = 'discard' | 'protect' | 'move' | 'write' | 'ask';

/** Is told before the guest changes a range; some changes then fail for a reason of their own. */
export interface RangeWatcher {
  /**
   * Whole pages, but for `write`.
   * @param prot the new PROT_* bits, for `protect`
   */
  beforeChange(start: Addr, end: Addr, change: RangeChange, prot: number): void;
}

let nextSpaceId = 1;

/** A guest address space. Reference-counted: made with one reference, `release` frees everything with the last. */
export class AddressSpace {
  /** Unique in this process. */
  readonly id: number = nextSpaceId++;
  readonly memory: PhysicalMemory;
  /** Page-table root for Cpu.root. */
  readonly root: PhysAddr;
  /** First address that is not the guest's. */
  readonly end: Addr;
  /** The limits that apply to this space; the kernel changes them with prlimit. */
  readonly limits: SpaceLimits;
  /** The platform, where it has code or tables of its own in the guest's range. */
  watcher: RangeWatcher | null = null;

  private readonly core: SpaceCore;
  private readonly pager: Pager;
  private readonly user: UserMemory;
  private readonly mapper: Mapper;
  private readonly advisor: Advisor;
  private readonly stubs: StubPages;
  private references = 1;

  /**
   * An empty address space.
   * @param core state made by fork; internal
   * @throws TraplineError `MM_NO_MEMORY` when there is no memory for its page table
   */
  constructor(memory: PhysicalMemory, options: AddressSpaceOptions = {}, core = newCore(memory, options)) {
    this.core = core;
    this.memory = memory;
    this.root = core.table.root;
    this.end = core.layout.end;
    this.limits = core.limits;
    this.pager = new Pager(core);
    this.user = new UserMemory(core, this.pager);
    this.mapper = new Mapper(core, this.pager);
    this.advisor = new Advisor(core, this.pager, this.user);
    this.stubs = new StubPages(core);
  }

  /** False once everything was freed: somebody may still know which space it was. */
  get isLive(): boolean {
    return this.references > 0;
  }

  /** Who is asked for copies of code. */
  set copier(copier: CodeCopier | null) {
    this.core.copier = copier;
  }

  /** The page-cache frame whose code is mapped at an address, as it is or as a copy of the platform's; or 0. */
  codeSource(addr: Addr): number {
    const { memory, table } = this.core;
    const entry = table.entry(pageDown(addr));
    const frame = entry === 0 ? 0 : (memory.words[entry] as number) >>> 12;
    const source = memory.codeSource(frame) || frame;
    return ((memory.flags[source] as number) & FRAME_CACHED) === 0 ? 0 : source;
  }

  /** For checks of a restored machine. @internal */
  get table(): PageTable {
    return this.core.table;
  }

  /** Revived: no other space gets its number. */
  revive(): void {
    nextSpaceId = Math.max(nextSpaceId, this.id + 1);
  }

  // Mapping

  /** mmap(2): the address or -errno. */
  mmap(request: MapRequest): number {
    const { addr, length, flags } = request;
    if (addr !== 0) this.tell(addr, length, (flags & MAP_FIXED) === 0 ? 'ask' : 'discard');
    return this.mapper.mmap(request);
  }

  /** The guest is about to do something to every page that has a byte of the range. */
  private tell(addr: Addr, length: number, change: RangeChange, prot = 0): void {
    this.watcher?.beforeChange(pageDown(addr), pageUp(addr + length), change, prot);
  }

  /** For calls of the kernel that ask for themselves what is mapped in a range. */
  beforeAsking(addr: Addr, length: number): void {
    this.tell(addr, length, 'ask');
  }

  /** Where mmap would put `length` bytes without a hint, or -errno. */
  findGap(length: number): number {
    return this.mapper.findGap(length);
  }

  munmap(addr: Addr, length: number): number {
    this.tell(addr, length, 'discard');
    return this.mapper.munmap(addr, length);
  }

  mprotect(addr: Addr, length: number, prot: number): number {
    this.tell(addr, length, 'protect', prot);
    return this.mapper.mprotect(addr, length, prot);
  }

  mremap(oldAddr: Addr, oldLength: number, newLength: number, flags: number, newAddr: Addr): number {
    if (this.watcher !== null) {
      this.tell(oldAddr, oldLength, 'move');
      if ((flags & MREMAP_FIXED) !== 0) this.tell(newAddr, newLength, 'discard');
      else if ((flags & MREMAP_DONTUNMAP) !== 0) this.tell(newAddr, newLength, 'ask');
      // It may grow where it is.
      else if (newLength > oldLength) this.tell(oldAddr + oldLength, newLength - oldLength, 'ask');
    }
    return this.mapper.mremap(oldAddr, oldLength, newLength, flags, newAddr);
  }

  /** brk(2) as the kernel's call: the break after the call, unchanged when it cannot be as asked. */
  brk(addr: Addr): Addr {
    const { brk } = this.core;
    // The page behind a heap stays free.
    if (addr > brk) this.tell(brk, addr - brk + PAGE_SIZE, 'ask');
    else if (addr >= this.core.brkStart) this.tell(pageUp(addr), brk - pageUp(addr), 'discard');
    return this.mapper.brk(addr);
  }

  /** Where the heap starts: the loader calls it once. */
  setBrkStart(addr: Addr, dataSegmentBytes = 0): void {
    this.core.brkStart = addr;
    this.core.brk = addr;
    this.core.dataSegmentBytes = dataSegmentBytes;
  }

  /** Where the stack was at the start: names `[stack]` in maps. */
  setStackStart(addr: Addr): void {
    this.core.stackStart = addr;
  }

  /** Highest address that mmap takes without a hint. */
  get mmapBase(): Addr {
    return this.core.layout.mmapBase;
  }

  /** Names private anonymous areas of a range (prctl PR_SET_VMA_ANON_NAME): `[anon:NAME]`; empty takes it away. */
  setName(addr: Addr, length: number, name: string): number {
    this.tell(addr, length, 'ask');
    return this.advisor.setName(addr, length, name);
  }

  // Advice and locking

  madvise(addr: Addr, length: number, advice: number): number {
    this.tell(addr, length, losesPages(advice) ? 'discard' : 'ask');
    return this.advisor.madvise(addr, length, advice);
  }

  /** mincore(2): writes one byte a page to `vector`. */
  mincore(addr: Addr, length: number, vector: Addr): number {
    this.tell(addr, length, 'ask');
    return this.advisor.mincore(addr, length, vector);
  }

  /** mlock(2) and mlock2(2). */
  mlock(addr: Addr, length: number, flags = 0): number {
    this.tell(addr, length, 'ask');
    return this.advisor.mlock(addr, length, flags);
  }

  munlock(addr: Addr, length: number): number {
    this.tell(addr, length, 'ask');
    return this.advisor.munlock(addr, length);
  }

  mlockall(flags: number): number {
    return this.advisor.mlockall(flags);
  }

  munlockall(): number {
    return this.advisor.munlockall();
  }

  msync(addr: Addr, length: number, flags: number): number {
    this.tell(addr, length, 'ask');
    return this.advisor.msync(addr, length, flags);
  }

  // Faults

  /**
   * Serves a page fault of the guest. When memory is out the guest is killed, as Linux's out-of-memory killer does.
   * @param _present what the processor said: the entries tell the same
   * @param _rsp the guest's stack pointer: Linux (since 5.0) lets a stack grow wherever below it the access is
   */
  handleFault(addr: number, access: Access, _present: boolean, _rsp: Addr): 'fixed' | GuestFault {
    const result = this.pager.handleFault(addr, access);
    if (result === 'fixed' || this.watcher === null || !this.isBelowStack(addr)) return result;
    // Is it the watcher's doing that the stack does not grow?
    this.tell(Math.max(0, addr - STACK_GUARD_GAP), STACK_GUARD_GAP, 'ask');
    return this.pager.handleFault(addr, access);
  }

  private isBelowStack(addr: Addr): boolean {
    const above = this.findVmaAbove(addr);
    return above !== undefined && above.start > addr && (above.flags & VMA_GROWSDOWN) !== 0;
  }

  /**
   * Makes the guest's next store to the page of `addr`, or with `all` its next access, fault once: `handleFault` makes the
   * page usable again. The kernel's own access does not fault. For breakpoints.
   */
  guardPage(addr: Addr, all: boolean): void {
    if (addr < this.end) this.core.guardPage(addr, all ? PTE_USER : PTE_WRITE);
  }

  // Access by the kernel

  /** Copies guest bytes to `into`; how many before the first fault. */
  copyIn(addr: Addr, into: Uint8Array, ignorePermissions = false): number {
    return this.user.copyIn(addr, into, ignorePermissions);
  }

  /** Copies `from` to the guest; how many bytes before the first fault. Drops stale translations. */
  copyOut(addr: Addr, from: Uint8Array, ignorePermissions = false): number {
    return this.user.copyOut(addr, from, ignorePermissions);
  }

  /** Zeroes guest bytes; how many before the first fault. */
  zeroOut(addr: Addr, length: number): number {
    return this.user.zeroOut(addr, length);
  }

  readU8(addr: Addr): number | undefined {
    return this.user.readU8(addr);
  }

  readU16(addr: Addr): number | undefined {
    return this.user.readU16(addr);
  }

  readU32(addr: Addr): number | undefined {
    return this.user.readU32(addr);
  }

  /** The 64-bit word as an unsigned number, rounded at 2^53 and above. */
  readU64n(addr: Addr): number | undefined {
    return this.user.readU64n(addr);
  }

  /** The 64-bit word as a signed number, exact between -2^53 and 2^53. */
  readI64n(addr: Addr): number | undefined {
    return this.user.readI64n(addr);
  }

  readU64(addr: Addr): bigint | undefined {
    return this.user.readU64(addr);
  }

  writeU8(addr: Addr, value: number): boolean {
    return this.user.writeU8(addr, value);
  }

  writeU16(addr: Addr, value: number): boolean {
    return this.user.writeU16(addr, value);
  }

  writeU32(addr: Addr, value: number): boolean {
    return this.user.writeU32(addr, value);
  }

  /** Writes a 64-bit word; a number is sign-extended. */
  writeU64(addr: Addr, value: number | bigint): boolean {
    return this.user.writeU64(addr, value);
  }

  /** Stores `desired` if the word is `expected`; the word as it was, or undefined when it cannot be written. */
  compareExchangeU32(addr: Addr, expected: number, desired: number): number | undefined {
    return this.user.compareExchangeU32(addr, expected, desired);
  }

  /** Bytes up to the zero, without it; -EFAULT, or -ENAMETOOLONG when there is none within `max` bytes. */
  readCString(addr: Addr, max: number): Uint8Array | number {
    return this.user.readCString(addr, max);
  }

  /** The same as Latin-1 text, one character a byte. */
  readText(addr: Addr, max: number): string | number {
    return this.user.readText(addr, max);
  }

  /** Where a byte is in physical memory, with the page made resident for that kind of access. */
  physicalOf(addr: Addr, access: Access, ignorePermissions = false): PhysAddr | undefined {
    const touch = access === 'write' ? TOUCH_WRITE : access === 'execute' ? TOUCH_EXECUTE : TOUCH_READ;
    return this.user.physicalOf(addr, touch, ignorePermissions);
  }

  /**
   * What two futex calls must share to meet: this space and the address, or the place in the shared file.
   * @returns undefined when a shared futex is at an address that is not mapped
   */
  futexKey(addr: Addr, isPrivate: boolean): string | number | undefined {
    if (!isPrivate) {
      const area = this.pager.areaFor(addr);
      if (area === undefined) return undefined;
      if (area.shared && area.pages !== null) return `${area.pages.id}:${area.offset + (addr - area.start)}`;
    }
    // Exact up to 2^53: the usual case needs no string.
    return this.id < 32 ? this.id * 2 ** 47 + addr : `p${this.id}:${addr}`;
  }

  // Looking

  findVma(addr: Addr): Vma | undefined {
    return this.core.vmas.find(addr);
  }

  /** All areas in order of address. */
  vmas(): Iterable<Vma> {
    return this.core.vmas.items;
  }

  /** The first area that ends above `addr`, whether it holds it or not. */
  findVmaAbove(addr: Addr): Vma | undefined {
    return this.core.vmas.items[this.core.vmas.indexAbove(addr)];
  }

  /** The lowest area with that name that starts in [from, to). */
  findVmaByName(name: string, from: Addr = 0, to: Addr = Infinity): Vma | undefined {
    return this.core.vmas.items.find((v) => v.name === name && v.start >= from && v.start < to);
  }

  /**
   * The text of /proc/PID/maps.
   * @param isComplete with what the guest is not told of
   */
  mapsText(isComplete = false): string {
    return mapsText(this.core, isComplete);
  }

  /** /proc/PID/smaps; `isRollup`: the sums of smaps_rollup. */
  smapsText(isRollup = false): string {
    return isRollup ? smapsRollupText(this.core) : smapsText(this.core);
  }

  /** /proc/PID/numa_maps, where all areas have the policy that is called so. */
  numaMapsText(policy: string): string {
    return numaMapsText(this.core, policy);
  }

  /** Entries of /proc/PID/pagemap, 8 bytes a page. */
  pagemap(start: Addr, pages: number): Uint8Array {
    return pagemap(this.core, start, pages);
  }

  /** Where the program's stack and heap began. */
  get origins(): { readonly stackStart: Addr; readonly brkStart: Addr } {
    return this.core;
  }

  /** What status, statm and getrusage tell of memory. */
  memoryUse(): MemoryUse {
    return memoryUse(this.core);
  }

  /** Visits the pages of [start, end) that are in memory, in order, and brings none in. */
  visitResident(start: Addr, end: Addr, visit: ResidentVisitor): void {
    visitResident(this.core, start, end, visit);
  }

  // The platform's pages

  /** Takes a page's entry from the processor: the next access is a fault that is served with the same page. */
  hidePage(page: Addr): void {
    this.core.hidePage(page);
  }

  /**
   * Maps one page of the platform beyond the guest's range. It belongs to no area, does not show in maps, and is not
   * copied by fork; the space takes a reference to its frame.
   * @returns false when memory for a page table is out
   */
  mapStub(addr: Addr, page: PhysAddr, writable: boolean, executable: boolean): boolean {
    return this.stubs.map(addr, page, writable, executable);
  }

  unmapStub(addr: Addr): void {
    this.stubs.unmap(addr);
  }

  // Life

  /** A copy for a forked process, or undefined when memory is out. Shares frames until written. */
  fork(): AddressSpace | undefined {
    const core = forkCore(this.core);
    return core === undefined ? undefined : new AddressSpace(this.memory, {}, core);
  }

  retain(): this {
    this.references++;
    return this;
  }

  /** Drops a reference; the last one writes dirty shared pages back and frees everything. */
  release(): void {
    invariant(this.references > 0, () => 'address space released more often than retained');
    if (--this.references > 0) return;
    this.core.removeRange(0, Infinity);
    this.core.countAreas();
    this.stubs.dispose();
    this.core.table.dispose();
    this.memory.mmu.flushTlb();
  }
}

/** Advice that takes pages from this process or from its children. */
function losesPages(advice: number): boolean {
  switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
    case MADV_REMOVE:
    case MADV_DONTFORK:
    case MADV_WIPEONFORK:
      return true;
    default:
      return false;
  }
}

function newCore(memory: PhysicalMemory, options: AddressSpaceOptions): SpaceCore {
  const rootFrame = memory.allocateTable();
  if (rootFrame === 0) throw new TraplineError('MM_NO_MEMORY', 'no memory for an address space; raise --memory');
  const end = options.end ?? TASK_END;
  const limits: SpaceLimits = {
    addressSpaceBytes: options.limits?.addressSpaceBytes ?? Infinity,
    dataBytes: options.limits?.dataBytes ?? Infinity,
    stackBytes: options.limits?.stackBytes ?? 8 * 1024 * 1024,
    memlockBytes: options.limits?.memlockBytes ?? 8 * 1024 * 1024,
  };
  const gap = Math.max(MIN_STACK_GAP, Math.min(limits.stackBytes, Math.floor(end / 6) * 5));
  const mmapBase = pageDown(end - gap) - (options.mmapShift ?? 0);
  const layout = { end, minAddress: options.minAddress ?? MMAP_MIN_ADDR, mmapBase };
  return new SpaceCore(memory, rootFrame, layout, limits);
}

savable('mm/address-space', { AddressSpace });
