// SPDX-License-Identifier: MIT
//
// The real machine under a race: address spaces with the platform's stub on the real engine. It takes on the memory
// and the registers of a state, executes single instructions, and tells what changed. Keeps nothing else.

import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE } from '../../abi/mman.ts';
import { PAGE_SIZE } from '../../base/addr.ts';
import { invariant } from '../../base/errors.ts';
import { Prng } from '../../base/prng.ts';
import type { Cpu, FetchView, Stop } from '../../cpu/cpu.ts';
import { FPU_BYTES } from '../../cpu/cpu.ts';
import { freshFpu, FRESH_RFLAGS } from '../../cpu/fresh-state.ts';
import { Reg, Regs } from '../../cpu/regs.ts';
import { AddressSpace, PhysicalMemory } from '../../mm/address-space.ts';
import { Platform } from '../../platform/platform.ts';
import type { GuestContext, PatchMode } from '../../platform/sentry.ts';
import { STUB_START } from '../../platform/stub-layout.ts';
import { stubThreadOf } from '../../platform/thread-context.ts';
import { NULL_TRACE } from '../../trace/events.ts';
import type { PageContent } from './pages.ts';
import { PageContents } from './pages.ts';
import type { Local, Page, Space } from './state.ts';

/** Arena that is enough for a handful of pages. */
export const RACE_MEMORY_BYTES = 16 * 2 ** 20;

/** An address space of the engine and the pages that it holds now. */
interface Loaded {
  readonly mm: AddressSpace;
  readonly gsBase: bigint;
  readonly pages: Map<number, Page>;
  /** Pages that the guest may write are out of reach. */
  isClosed: boolean;
  /** Private pages where the engine has them, and the contents that they hold now. */
  readonly views: readonly Uint8Array[];
  readonly privates: (PageContent | null)[];
}

/** Owns the engine while it lives. */
export class Machine {
  readonly cpu: Cpu;
  readonly contents = new PageContents();
  readonly fresh: Uint8Array = freshFpu();
  readonly #patch: PatchMode;
  readonly #memory: PhysicalMemory;
  readonly #privatePages: readonly number[];
  readonly #loaded: Loaded[] = [];
  readonly #fpu = new Uint8Array(FPU_BYTES);
  #current: Loaded | null = null;
  /** Steps that the engine made. */
  steps = 0;

  /**
   * @param privatePages pages that each actor has for itself, in all address spaces: stacks. The page of the stub
   *   thread's record comes after them.
   */
  constructor(cpu: Cpu, patch: PatchMode, privatePages: readonly number[]) {
    this.cpu = cpu;
    this.#patch = patch;
    this.#privatePages = privatePages;
    this.#memory = new PhysicalMemory(cpu, RACE_MEMORY_BYTES / 2);
  }

  /** Registers of an actor that is about to execute the instruction at `rip`, with the stack pointer given. */
  freshRegs(rip: number, rsp: number): BigUint64Array {
    const regs = new Regs();
    regs.set(Reg.rip, rip);
    regs.set(Reg.rsp, rsp);
    regs.set(Reg.rflags, FRESH_RFLAGS);
    regs.u64[Reg.gsBase] = this.#space(0).gsBase;
    return regs.u64;
  }

  /** What private pages hold before anything ran. */
  freshPrivates(): PageContent[] {
    const loaded = this.#space(0);
    return loaded.views.map((view) => this.contents.of(view));
  }

  /** Makes the engine what `local` in `space` is. @param isClosed pages that several actors may write are out of reach */
  load(space: Space, local: Local, isClosed: boolean): void {
    const loaded = this.#space(local.space);
    this.#current = loaded;
    this.#loadPages(loaded, space, isClosed);
    for (const [i, content] of local.privates.entries()) {
      if (loaded.privates[i] === content) continue;
      loaded.views[i]?.set(content.bytes);
      loaded.privates[i] = content;
    }
    const { cpu } = this;
    cpu.root = loaded.mm.root;
    cpu.regs.u64.set(local.regs);
    cpu.loadFpu(local.fpu);
  }

  /** Executes one instruction; page faults that only the memory manager sees are served. */
  step(view?: FetchView): Stop {
    const { cpu } = this;
    const loaded = this.#current;
    invariant(loaded !== null, () => 'a state was loaded');
    for (;;) {
      this.steps++;
      const stop = cpu.step(view);
      if (stop.kind !== 'page-fault') return stop;
      if (loaded.mm.handleFault(stop.address, stop.access, stop.present, cpu.regs.get(Reg.rsp)) !== 'fixed')
        return stop;
    }
  }

  /** What the actor is after the instructions executed since `load`. */
  unload(local: Local): Local {
    const loaded = this.#current;
    invariant(loaded !== null, () => 'a state was loaded');
    const privates = local.privates.map((content, i) => {
      const view = loaded.views[i];
      if (view === undefined || this.contents.isSame(content, view)) return content;
      const now = this.contents.of(view);
      loaded.privates[i] = now;
      return now;
    });
    this.cpu.saveFpu(this.#fpu);
    const isSame = local.fpu.every((b, i) => b === this.#fpu[i]);
    return { ...local, regs: this.cpu.regs.u64.slice(), fpu: isSame ? local.fpu : this.#fpu.slice(), privates };
  }

  /** The space with what the guest stored since `load` (only possible when it was not loaded closed). */
  unloadSpace(space: Space): Space {
    const loaded = this.#current;
    invariant(loaded !== null && !loaded.isClosed, () => 'an open space was loaded');
    let pages: Map<number, Page> | null = null;
    const bytes = new Uint8Array(PAGE_SIZE);
    for (const [address, page] of space.pages) {
      if ((page.prot & PROT_WRITE) === 0) continue;
      loaded.mm.copyIn(address, bytes, true);
      if (this.contents.isSame(page.content, bytes)) continue;
      const now = { ...page, content: this.contents.of(bytes) };
      pages ??= new Map(space.pages);
      pages.set(address, now);
      loaded.pages.set(address, now);
    }
    return pages === null ? space : { ...space, pages };
  }

  #space(index: number): Loaded {
    const known = this.#loaded[index];
    if (known !== undefined) return known;
    const mm = new AddressSpace(this.#memory, { end: STUB_START });
    const sentry = { syscall: () => false };
    const platform = new Platform(this.cpu, sentry, {
      patch: this.#patch,
      prng: new Prng(1),
      trace: NULL_TRACE,
      stubThreads: 0,
    });
    invariant(platform.adoptSpace(mm) === 0, () => 'no memory for the stub of a race');
    const ctx: GuestContext = {
      tid: 1,
      regs: new Regs(),
      mm,
      fpu: new Uint8Array(FPU_BYTES),
      hasTracer: false,
      trust: -1,
      breakpoints: null,
      faultsServed: 0,
      platformState: null,
    };
    invariant(platform.attach(ctx) === 0, () => 'no memory for the stub thread of a race');
    const thread = stubThreadOf(ctx.platformState);
    invariant(thread !== null, () => 'a patching platform gives each context a stub thread');
    const views = this.#privatePages.map((address) => {
      this.#map(mm, address, PROT_READ | PROT_WRITE);
      const page = mm.physicalOf(address, 'write', true);
      invariant(page !== undefined, () => 'a private page of a race has a frame');
      return new Uint8Array(this.cpu.memory, page, PAGE_SIZE);
    });
    views.push(new Uint8Array(this.cpu.memory, thread.msg.byteOffset, PAGE_SIZE));
    const loaded: Loaded = {
      mm,
      gsBase: thread.gsBase,
      pages: new Map(),
      isClosed: false,
      views,
      privates: views.map(() => null),
    };
    this.#loaded[index] = loaded;
    return loaded;
  }

  #map(mm: AddressSpace, addr: number, prot: number): void {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    const got = mm.mmap({ addr, length: PAGE_SIZE, prot, flags, force: true, lockEager: true });
    invariant(got === addr, () => `no memory for a race (${got})`);
  }

  #loadPages(loaded: Loaded, space: Space, isClosed: boolean): void {
    const { mm, pages } = loaded;
    const flips = isClosed !== loaded.isClosed;
    for (const address of pages.keys()) {
      if (space.pages.has(address)) continue;
      mm.munmap(address, PAGE_SIZE);
      pages.delete(address);
    }
    for (const [address, page] of space.pages) {
      const now = pages.get(address);
      const isData = (page.prot & PROT_WRITE) !== 0;
      if (now === page && !(flips && isData)) continue;
      const prot = isClosed && isData ? PROT_NONE : page.prot;
      if (now === undefined) this.#map(mm, address, prot);
      else if (now.prot !== page.prot || (flips && isData)) mm.mprotect(address, PAGE_SIZE, prot);
      if (now?.content !== page.content) this.#write(mm, address, now?.content.bytes, page.content.bytes);
      pages.set(address, page);
    }
    loaded.isClosed = isClosed;
  }

  /** Writes what differs: the engine forgets translations of what is written. */
  #write(mm: AddressSpace, address: number, before: Uint8Array | undefined, bytes: Uint8Array): void {
    let from = 0;
    let to = PAGE_SIZE;
    if (before !== undefined) {
      while (from < to && before[from] === bytes[from]) from++;
      while (to > from && before[to - 1] === bytes[to - 1]) to--;
    }
    const n = mm.copyOut(address + from, bytes.subarray(from, to), true);
    invariant(n === to - from, () => `race memory at 0x${address.toString(16)} cannot be written`);
  }
}
