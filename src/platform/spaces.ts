// SPDX-License-Identifier: MIT
//
// The address spaces that the platform knows: their trap tables, stub threads and contexts, from adoption to the pool.
// Models gVisor's subprocess life cycle (subprocess.go, subprocess_pool.go) and usertrap's part in fork.

import { ENOMEM } from '../abi/errno.ts';
import type { PhysAddr } from '../base/addr.ts';
import { invariant } from '../base/errors.ts';
import { savable } from '../base/savable.ts';
import { Reg } from '../cpu/regs.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { Guards } from '../usertrap/guards.ts';
import type { GuestContext } from './sentry.ts';
import { KnownSites } from './known-sites.ts';
import type { SiteBook } from './site-book.ts';
import type { SpaceTraps } from './space-traps.ts';
import { programsGs, STUB_CODE, STUB_START } from './stub-layout.ts';
import type { StubThread } from './stub-thread.ts';
import { Subprocess } from './subprocess.ts';
import type { SubprocessOptions } from './subprocess.ts';
import { ContextState, ThreadContext } from './thread-context.ts';

export interface SpacesOptions extends SubprocessOptions {
  readonly guards: Guards;
  /** Machine code of the stub; null when nothing is patched. */
  readonly code: Uint8Array | null;
  readonly book: SiteBook;
  readonly makeTraps: (mm: AddressSpace, book: SiteBook, known: KnownSites | null) => SpaceTraps;
}

/** All address spaces of a machine. */
export class Spaces {
  readonly options: SpacesOptions;
  private readonly byMm = new Map<AddressSpace, Subprocess>();
  /** Stub threads of subprocesses that are gone, the last one to be used again first (POOL). */
  private readonly pool: StubThread[][] = [];
  private codePage: PhysAddr = 0;
  private isRetired = false;
  private readonly known: KnownSites | null;

  constructor(options: SpacesOptions) {
    this.options = options;
    this.known = options.guards.shareSites && options.code !== null ? new KnownSites() : null;
  }

  get(mm: AddressSpace): Subprocess | undefined {
    return this.byMm.get(mm);
  }

  /** Revived: the stub's code is this platform's, as no task is in it. */
  revive(): void {
    const { code } = this.options;
    const [mm] = this.byMm.keys();
    if (code !== null && mm !== undefined && this.codePage !== 0) mm.memory.bytes.set(code, this.codePage);
  }

  /** The pages that stub threads and their code hold: one reference each, beside those of their mappings. */
  *heldPages(): Iterable<PhysAddr> {
    if (this.codePage !== 0) yield this.codePage;
    for (const { threads } of this.byMm.values()) for (const thread of threads) yield* thread?.heldPages() ?? [];
    for (const threads of this.pool) for (const thread of threads) yield* thread?.heldPages() ?? [];
  }

  /** A new address space: maps the stub code. Returns 0 or -ENOMEM. */
  adopt(mm: AddressSpace): number {
    const { options } = this;
    const { guards } = options;
    const code = this.isRetired ? null : options.code;
    const traps = options.makeTraps(mm, options.book, this.known);
    const subprocess = new Subprocess(mm, traps, options);
    if (code !== null) {
      invariant(mm.end <= STUB_START, () => 'an address space must end below the stub region');
      if (this.codePage === 0) {
        this.codePage = mm.memory.allocatePage();
        if (this.codePage === 0) return -ENOMEM;
        new Uint8Array(mm.memory.mmu.memory, this.codePage, code.length).set(code);
      }
      if (!mm.mapStub(STUB_CODE, this.codePage, false, true)) return -ENOMEM;
      if (guards.surviveTableLoss || guards.reuseSlots || guards.restoreEditedSites) mm.watcher = traps;
      if (guards.shareSites) mm.copier = traps;
      const pooled = this.pool.pop();
      if (pooled !== undefined) subprocess.inherit(pooled, !guards.assertGs);
    }
    this.byMm.set(mm, subprocess);
    return 0;
  }

  /** `child` is a copy of `parent` and was adopted. */
  inherit(parent: SpaceTraps, child: SpaceTraps): void {
    // The copied sites work in the child at once. gVisor finds the table again by its name and header at the child's
    // first patch; what the Sentry knows of sites is for metrics and, hardened, for recovery.
    for (const site of parent.bySlot.values()) this.options.book.add(child, { ...site, calls: 0 });
    child.closed = parent.closed;
    if (!this.options.guards.inheritTable) return;
    child.base = parent.base;
    child.next = parent.next;
    child.freed.push(...parent.freed);
    child.trust = parent.trust;
  }

  drop(mm: AddressSpace): void {
    const subprocess = this.byMm.get(mm);
    if (subprocess === undefined) return;
    this.options.book.close(subprocess.traps);
    const threads = subprocess.leave();
    if (threads.length > 0) this.pool.push(threads);
    this.byMm.delete(mm);
  }

  /** A context of the space that `ctx.mm` is, or -errno. */
  addContext(ctx: GuestContext): ThreadContext | number {
    const subprocess = this.byMm.get(ctx.mm);
    invariant(subprocess !== undefined, () => 'the address space was not adopted');
    const context = subprocess.addContext(ctx);
    return context === -ENOMEM && this.drainPool(ctx.mm) ? subprocess.addContext(ctx) : context;
  }

  /** The stub thread that runs a context next, or undefined when memory is out. @see Subprocess.claim */
  claim(context: ThreadContext, interrupt: (context: ThreadContext) => boolean): StubThread | undefined {
    const { subprocess } = context;
    const thread = subprocess.claim(context, interrupt);
    return thread === undefined && this.drainPool(subprocess.mm) ? subprocess.claim(context, interrupt) : thread;
  }

  /** A context runs without a stub from now on, its space without jumps to one where it knows them. */
  release(ctx: GuestContext): void {
    const context = ctx.platformState;
    if (!(context instanceof ThreadContext)) return;
    if (this.options.guards.surviveTableLoss) context.traps.restoreSites();
    const plain = new ContextState();
    plain.saved.copyFrom(ctx.regs);
    plain.saved.set(Reg.gsBase, programsGs(plain.saved));
    context.subprocess.removeContext(context, false);
    ctx.regs = plain.saved;
    ctx.platformState = plain;
  }

  /** No context has a stub any more: neither have the spaces, nor those that will come. */
  retire(): void {
    this.isRetired = true;
    for (const [mm, subprocess] of this.byMm) {
      mm.watcher = null;
      mm.copier = null;
      mm.unmapStub(STUB_CODE);
      for (const thread of subprocess.leave()) thread.releasePages(mm);
      this.drainPool(mm);
      if (this.codePage !== 0) mm.memory.releasePage(this.codePage);
      this.codePage = 0;
    }
  }

  /** Gives the memory of unused stub threads back; false when there was none. */
  private drainPool(mm: AddressSpace): boolean {
    const threads = this.pool.splice(0).flat();
    for (const thread of threads) thread.releasePages(mm);
    return threads.length > 0;
  }
}

savable('platform/spaces', { Spaces }, { isPlace: true, kept: ['options'] });
