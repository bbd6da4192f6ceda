// SPDX-License-Identifier: MIT
//
// The usertrap state of one address space (gVisor's usertrap.State), and the performer of its steps in `run`: all at
// once, because one processor runs one task at a time and no other can come between.

import { EAGAIN, EFAULT } from '../abi/errno.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import type { Prng } from '../base/prng.ts';
import { PAGE_SIZE, pageDown, type PhysAddr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import { Reg } from '../cpu/regs.ts';
import type { Regs } from '../cpu/regs.ts';
import type { AddressSpace, CodeCopier, RangeChange, RangeWatcher, Vma } from '../mm/address-space.ts';
import { FRAME_ASKED, type PhysicalMemory } from '../mm/physical-memory.ts';
import { EventKind } from '../trace/events.ts';
import type { TraceSink } from '../trace/events.ts';
import { SITE_BYTES } from '../isa/syscall-site.ts';
import { changeCode, emptyTable, needsOwnBytes } from '../usertrap/code-change.ts';
import type { Guards } from '../usertrap/guards.ts';
import {
  patchedBytes,
  TABLE_BYTES,
  TABLE_ENTRIES,
  TABLE_NAME,
  TRAP_BYTES,
  TRAP_CODE_OFFSET,
  TRAP_USED_BYTES,
  trapAddress,
  trapBytes,
  trapIndex,
  WINDOW_END,
  WINDOW_START,
} from '../usertrap/layout.ts';
import type { Step, StepPerformer, StepResult, Steps } from '../usertrap/steps.ts';
import { drain } from '../usertrap/steps.ts';
import { adoptSites, isSlotIndex, loseTable } from '../usertrap/trap-table.ts';
import type { KnownSite, KnownSites } from './known-sites.ts';
import type { PlatformObserver } from './observer.ts';
import type { GuestContext } from './sentry.ts';
import type { PatchedTotal, RefusedTotal, SiteBook } from './site-book.ts';

/** A patched site of one address space. */
export interface PatchedSite {
  readonly address: number;
  readonly sysno: number;
  readonly slot: number;
  calls: number;
  /** Where the book counts it. */
  total?: PatchedTotal;
}

/** A place whose calls trap: no site, or a site that was left alone. */
export interface RefusedSite {
  readonly address: number;
  sysno: number;
  readonly bytes: string;
  readonly rule: string;
  traps: number;
  /** The reason cannot go away while the code stays: do not ask again. */
  isFinal: boolean;
  /** Where the book counts it. */
  total?: RefusedTotal;
}

/** Up to six bytes as a little-endian number, for a trace event. */
function littleEndian(bytes: Uint8Array): number {
  const low = (bytes[0] ?? 0) + (bytes[1] ?? 0) * 2 ** 8 + (bytes[2] ?? 0) * 2 ** 16 + (bytes[3] ?? 0) * 2 ** 24;
  return low + (bytes[4] ?? 0) * 2 ** 32 + (bytes[5] ?? 0) * 2 ** 40;
}

/** Sites that one space patches in its life: a guest that maps and unmaps code without end must not fill the host's memory. */
const MAX_SITES = 4096;

/** What `is-executable` answers of an area. */
function codeUse(area: Vma | undefined): number {
  if (area === undefined || (area.prot & PROT_EXEC) === 0) return 0;
  return area.file === undefined && (area.prot & PROT_WRITE) !== 0 ? 2 : 1;
}

/** Whether a frame has a site's own bytes. */
function isAt({ bytes }: PhysicalMemory, frame: number, { offset, original }: KnownSite): boolean {
  const at = frame * PAGE_SIZE + offset;
  for (let i = 0; i < SITE_BYTES; i++) if (bytes[at + i] !== original[i]) return false;
  return true;
}

/** Records that nobody has to ask for. */
function* known(sites: readonly PatchedSite[]): Steps<readonly PatchedSite[]> {
  yield* [];
  return sites;
}

/** The trap table of one address space and what the Sentry knows of its sites. */
export class SpaceTraps implements StepPerformer, RangeWatcher, CodeCopier {
  readonly mm: AddressSpace;
  private readonly prng: Prng;
  private readonly trace: TraceSink;
  private readonly guards: Guards;
  private readonly observer: PlatformObserver | null;
  private readonly book: SiteBook;
  private readonly known: KnownSites | null;
  /** Next unused index; 0 before the first use. */
  next = 0;
  base = 0;
  /** Contexts that run in this space. */
  contexts = 0;
  /** All sites ever patched here. */
  readonly sites: PatchedSite[] = [];
  /** Counts changes of the two maps. */
  version = 0;
  /** By the address behind the site, where a patched call returns. */
  readonly byReturn = new Map<number, PatchedSite>();
  readonly bySlot = new Map<number, PatchedSite>();
  readonly refused = new Map<number, RefusedSite>();
  /** Slots whose sites are gone: the next sites take them, the last one first. */
  readonly freed: number[] = [];
  /** Why no site is patched any more, or null. */
  closed: 'own-gs' | 'table-lost' | null = null;
  /** Contexts of this space that have a tracer, where that keeps its sites from being patched. */
  tracees = 0;
  /** For trace events. */
  tid = 0;
  /** Whose code its own may be: {@link GuestContext.trust} of the context that last executed a new page. */
  trust = -1;
  /** Where the patch under way has stored. */
  private readonly stored: { start: PhysAddr; end: PhysAddr }[] = [];
  /** The page that it stores to, or -1, and where that is in memory. */
  private openPage = -1;
  private openFrame: PhysAddr = 0;

  /** @param known null where sites are not shared */
  constructor(
    mm: AddressSpace,
    guards: Guards,
    prng: Prng,
    trace: TraceSink,
    observer: PlatformObserver | null,
    book: SiteBook,
    known: KnownSites | null,
  ) {
    this.book = book;
    this.known = known;
    this.guards = guards;
    this.observer = observer;
    this.mm = mm;
    this.prng = prng;
    this.trace = trace;
  }

  /**
   * Revived: upstream's State is not saved, so the next patch finds the table again by its name and header, as in a forked
   * process (usertrap.md 2.11). The hardened mode knows its table.
   */
  revive(): void {
    if (!this.guards.inheritTable) this.next = 0;
    if (this.guards.renewSlots) this.renewSlots();
  }

  /**
   * Writes all slots in use again, as this version of the stub wants them.
   * DIVERGES (renewSlots): upstream goes on with slots as they are in the image, and panics where they store another state.
   */
  private renewSlots(): void {
    const now = new Uint8Array(TRAP_USED_BYTES);
    for (const { slot, address, sysno } of this.bySlot.values()) {
      const body = trapBytes(slot, address + SITE_BYTES, sysno);
      this.mm.copyIn(slot, now, true);
      if (body.some((byte, i) => byte !== now[i])) this.mm.copyOut(slot, body, true);
    }
  }

  /** Whether an address lies in a slot of this table. */
  inSlots(address: number): boolean {
    return this.base !== 0 && address >= this.base && address < this.base + TABLE_BYTES;
  }

  /** Whether an address is an instruction of a slot beyond its first: the stub thread's state is PREP there. */
  isInTrampoline(address: number): boolean {
    if (!this.inSlots(address)) return false;
    const offset = (address - this.base) % TRAP_BYTES;
    return offset > TRAP_CODE_OFFSET && offset < TRAP_USED_BYTES;
  }

  addSite(site: PatchedSite): void {
    // A site that is patched a second time was written anew: nobody jumps through its old slot.
    const before = this.byReturn.get(site.address + SITE_BYTES);
    if (before !== undefined && before.slot !== site.slot) this.forget(before);
    this.version++;
    this.sites.push(site);
    this.byReturn.set(site.address + SITE_BYTES, site);
    this.bySlot.set(site.slot, site);
  }

  /** A context executes a page that is new to this space. */
  runsFor(ctx: GuestContext): void {
    if (this.known !== null) this.trust = ctx.trust;
  }

  /** A site was patched: other processes that map its page may have it from the start. */
  share({ address, sysno, slot }: PatchedSite): void {
    const { known, mm } = this;
    const frame = known === null || this.trust < 0 ? 0 : mm.codeSource(address);
    if (known === null || frame === 0) return;
    if (this.base === known.base) known.keep(slot, address, sysno);
    const { flags } = mm.memory;
    if (((flags[frame] as number) & FRAME_ASKED) === 0) known.forget(frame);
    flags[frame] = (flags[frame] as number) | FRAME_ASKED;
    known.add(frame, this.trust, address % PAGE_SIZE, sysno);
  }

  /** A copy of a page with all its known sites patched, or 0. @see CodeCopier */
  copyOf(page: number, frame: number): number {
    const { known, mm, guards } = this;
    const { memory } = mm;
    if (known === null || this.closed !== null || this.tracees > 0 || this.sites.length >= MAX_SITES) return 0;
    const sites = known.of(frame, this.trust)?.filter((site) => isAt(memory, frame, site)) ?? [];
    if (sites.length === 0) return 0;
    const wanted = sites.map(({ offset, sysno }) => ({ address: page + offset, sysno }));
    const slots = drain(adoptSites(wanted, guards), this);
    if (slots.length === 0) return 0;
    const edits = slots.map((slot, i) => ({ offset: sites[i]?.offset ?? 0, bytes: patchedBytes(slot) }));
    const copy = memory.copyCode(frame, edits);
    for (const [i, slot] of slots.entries()) {
      const site = wanted[i];
      if (copy === 0 || site === undefined) this.freed.push(slot);
      else {
        this.book.add(this, { ...site, slot, calls: 0 });
        if (this.base === known.base) known.keep(slot, site.address, site.sysno);
      }
    }
    return copy;
  }

  /**
   * A slot for a site where it is not the next, or 0: the one that it has in other tables, else one that no site has there,
   * else any.
   */
  private slotFor(address: number, sysno: number): number {
    const { known, freed, base, next } = this;
    if (known === null || known.base !== base) return freed.at(-1) ?? 0;
    const own = known.slotOf(address, sysno);
    if (own !== 0 && (trapIndex(base, own) >= next || freed.includes(own))) return own;
    const unkept = freed.findLast((slot) => !known.hasSlot(slot));
    if (unkept !== undefined) return unkept;
    for (let index = next; index < TABLE_ENTRIES; index++) {
      const slot = trapAddress(base, index);
      if (isSlotIndex(index) && !known.hasSlot(slot)) return index === next ? 0 : slot;
    }
    return freed.at(-1) ?? 0;
  }

  private forget(site: PatchedSite): void {
    this.version++;
    this.byReturn.delete(site.address + SITE_BYTES);
    this.bySlot.delete(site.slot);
    if (this.guards.reuseSlots && this.sites.length < MAX_SITES) this.freed.push(site.slot);
  }

  /**
   * The guest changes a range. The table does not vanish silently, and goes before a call can tell that it is there; code
   * moves and is edited with the bytes that its author wrote, and slots of code that goes are free again.
   * DIVERGES (surviveTableLoss, restoreEditedSites, reuseSlots): upstream notices none of it.
   */
  beforeChange(start: number, end: number, change: RangeChange, prot: number): void {
    if (this.base === 0) return;
    const guards = this.guards;
    if (guards.surviveTableLoss && start < this.base + TABLE_BYTES && end > this.base) {
      this.loseTable();
      return;
    }
    if (change === 'ask' || !needsOwnBytes(guards, change, prot)) return;
    const sites = this.sitesIn(start, end);
    if (sites.length === 0) return;
    drain(changeCode(known(sites), true), this);
  }

  /** Patched sites that a range has a byte of. A length that makes no sense means every site: the change may fail or not. */
  private sitesIn(start: number, end: number): PatchedSite[] {
    const sites: PatchedSite[] = [];
    for (const site of this.bySlot.values())
      if (!(site.address >= end || site.address + SITE_BYTES <= start)) sites.push(site);
    return sites;
  }

  /**
   * Gives all patched sites their bytes back. No other task is between the stores or in a slot: one processor runs one task,
   * a preempted one was taken through its slot first (hideSlotRip), and one behind the mov needs just the syscall that it
   * finds there again.
   */
  restoreSites(): void {
    drain(changeCode(known([...this.bySlot.values()]), false), this);
  }

  private *startAnew(): Steps<void> {
    this.forgetAll();
    yield* emptyTable();
  }

  private forgetAll(): void {
    this.version++;
    this.byReturn.clear();
    this.bySlot.clear();
    this.freed.length = 0;
  }

  /** A context of this space has a tracer from now on: it finds the program's own code, and slots are free again. */
  addTracee(): void {
    if (this.tracees++ > 0 || this.bySlot.size === 0) return;
    drain(changeCode(known([...this.bySlot.values()]), false, this.startAnew()), this);
  }

  /**
   * Whether a fault comes of a jump through a slot that the guest has taken away. Then the task is back at its site, which
   * traps again. DIVERGES (surviveTableLoss): upstream leaves the program to its SIGSEGV.
   */
  takeBack(regs: Regs, address: number): boolean {
    if (!this.guards.surviveTableLoss || !this.inSlots(address)) return false;
    const rip = regs.get(Reg.rip);
    const site = this.byReturn.get(rip + SITE_BYTES) ?? this.bySlot.get(rip - TRAP_CODE_OFFSET);
    if (site === undefined) return false;
    this.loseTable();
    regs.set(Reg.rip, site.address);
    return true;
  }

  /** The guest takes the table away or is about to meet it: what was patched is restored, and nothing is patched again. */
  loseTable(): void {
    const { base } = this;
    drain(changeCode(known([...this.bySlot.values()]), false, this.withoutTable()), this);
    this.trace.emit(EventKind.tableLost, this.tid, base, 0);
    this.closed = 'table-lost';
    // No jump leads there any more, and the guest has mapped nothing there.
    if (this.mm.findVma(base)?.name === TABLE_NAME) this.mm.munmap(base, TABLE_BYTES);
  }

  private *withoutTable(): Steps<void> {
    this.forgetAll();
    yield* loseTable();
  }

  perform(step: Step): StepResult {
    const result = this.performStep(step);
    if (this.observer !== null) this.observer.onStep(this, step, result);
    return result;
  }

  private performStep(step: Step): StepResult {
    const { known } = this;
    switch (step.op) {
      // One task runs at a time and steps are not interleaved: the lock is free, the others stand still, no code is stale.
      case 'unlock':
        this.dropTranslations();
        return 1;
      case 'lock':
      case 'sync':
      case 'stop':
      case 'resume':
        return 1;
      case 'load': {
        const bytes = new Uint8Array(step.length);
        return this.mm.copyIn(step.addr, bytes, step.force === true) === step.length ? bytes : null;
      }
      case 'store':
        this.trace.emit(EventKind.patchStore, this.tid, step.addr, step.bytes.length, littleEndian(step.bytes));
        return this.store(step.addr, step.bytes);
      case 'get':
        return this[step.field];
      case 'set':
        if (step.field === 'next') this.skip(step.value - 1);
        this[step.field] = step.value;
        return 1;
      case 'freed':
        return this.slotFor(step.site, step.sysno);
      case 'free': {
        const site = this.bySlot.get(step.slot);
        if (site !== undefined) this.forget(site);
        return 1;
      }
      case 'take':
        this.freed.splice(this.freed.indexOf(step.slot), 1);
        return 1;
      case 'find-table':
        return this.findTable();
      case 'map-table':
        return this.mapTable(step.addr);
      case 'is-free': {
        const above = this.mm.findVmaAbove(step.addr);
        return above === undefined || above.start >= step.addr + step.length ? 1 : 0;
      }
      case 'is-shared':
        return this.mm.findVma(step.addr)?.shared === true ? 1 : 0;
      case 'is-executable':
        return codeUse(this.mm.findVma(step.addr));
      case 'random':
        // Shared sites need the table where it is in other spaces.
        return known === null || known.base === 0 ? this.prng.below(step.below) : known.base - WINDOW_START;
    }
  }

  /** Slots between the next and the one that is taken are free. */
  private skip(index: number): void {
    if (this.next <= 0) return;
    for (let i = this.next; i < index; i++) if (isSlotIndex(i)) this.freed.push(trapAddress(this.base, i));
  }

  /** Where a mapping of the table's name starts in the window; one that begins before the window hides it (MMS:1528-1543). */
  private findTable(): number {
    const first = this.mm.findVmaAbove(WINDOW_START);
    if (first === undefined || first.start < WINDOW_START) return 0;
    return this.mm.findVmaByName(TABLE_NAME, WINDOW_START, WINDOW_END)?.start ?? 0;
  }

  /** A store may copy the page first: the file's pages stay as they are. */
  private store(addr: number, bytes: Uint8Array): StepResult {
    for (let done = 0; done < bytes.length;) {
      const at = addr + done;
      const n = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      if (!this.storeInPage(at, n === bytes.length ? bytes : bytes.subarray(done, done + n))) return 0;
      done += n;
    }
    return 1;
  }

  private storeInPage(addr: number, bytes: Uint8Array): boolean {
    const page = pageDown(addr);
    if (page !== this.openPage && !this.open(page)) return false;
    const to = this.openFrame + addr - page;
    this.mm.memory.bytes.set(bytes, to);
    this.noteStore(to, to + bytes.length);
    return true;
  }

  /**
   * Finds the page that stores go to. Nobody changes what is mapped while the lock is held, so the next stores find it
   * open.
   */
  private open(page: number): boolean {
    const { mm } = this;
    this.openPage = -1;
    const before = mm.physicalOf(page, 'read', true);
    const frame = mm.physicalOf(page, 'write', true);
    if (frame === undefined) return false;
    this.openFrame = frame;
    if (frame !== before) this.trace.emit(EventKind.textCopied, this.tid, page);
    // Upstream the copy is mapped only when it is next used (PMA:420-506).
    if (this.guards.keepCopiedPage) this.openPage = page;
    else if (frame !== before) mm.hidePage(page);
    return true;
  }

  /** Nobody executes anything before the lock is free: translations are dropped then, once for all stores to a place. */
  private noteStore(start: PhysAddr, end: PhysAddr): void {
    const { stored } = this;
    const last = stored.at(-1);
    if (last !== undefined && start <= last.end + SITE_BYTES && end >= last.start - SITE_BYTES) {
      if (pageDown(start) === pageDown(last.start)) {
        last.start = Math.min(last.start, start);
        last.end = Math.max(last.end, end);
        return;
      }
    }
    stored.push({ start, end });
  }

  private dropTranslations(): void {
    for (const { start, end } of this.stored) this.mm.memory.written(start, end - start);
    this.stored.length = 0;
    this.openPage = -1;
  }

  private mapTable(addr: number): number {
    const { mm } = this;
    if (!this.guards.exemptFromMemlock && mm.memoryUse().vmLocked + TABLE_BYTES > mm.limits.memlockBytes)
      return -EAGAIN;
    const got = mm.mmap({
      addr,
      length: TABLE_BYTES,
      prot: PROT_READ | PROT_EXEC,
      maxProt: PROT_READ | PROT_WRITE | PROT_EXEC,
      flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
      name: TABLE_NAME,
      force: true,
      // The pages of a table that counts as nobody's memory come as they are written.
      lockEager: !this.guards.exemptFromMemlock,
      isHidden: this.guards.hideTable,
    });
    if (got !== addr) return got < 0 ? got : -EFAULT;
    if (this.known?.base === 0) this.known.base = addr;
    return 0;
  }
}

savable('platform/space-traps', { SpaceTraps });
