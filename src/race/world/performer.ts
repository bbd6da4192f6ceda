// SPDX-License-Identifier: MIT
//
// Performs steps of generators on a state: what usertrap's protocol does to an address space, and what scenarios add to
// it. The counterpart of platform/space-traps.ts, which performs the same steps in `run`.

import { EAGAIN, EFAULT } from '../../abi/errno.ts';
import { PROT_EXEC, PROT_READ } from '../../abi/mman.ts';
import { PAGE_SIZE, pageDown } from '../../base/addr.ts';
import { invariant, TraplineError } from '../../base/errors.ts';
import type { StepResult } from '../../usertrap/steps.ts';
import type { WorldStep } from './behaviour.ts';
import type { ColdCode } from './cold-code.ts';
import type { Draft } from './draft.ts';
import { MAX_HOT_BITS } from './fetch.ts';
import type { HotBytes } from './hot-bytes.ts';
import { Touch } from './hot-bytes.ts';
import type { Model } from './model.ts';
import type { PageContents } from './pages.ts';
import { cowPage, FORCED, freshSpace, readSpace, spaceOf, withSpace } from './space.ts';
import type { Page, Shared, Space, StoreStep, Work } from './state.ts';
import { newest } from './synchrony.ts';

/** An access to memory. */
export type AccessStep = WorldStep & { readonly op: 'store' | 'load' };

const LOAD_ATOM = 8;

/** Notes about a futex: how many wait, and how many of those who waited may go on. */
function waiting(addr: number): string {
  return `futex ${addr.toString(16)} waiting`;
}

function woken(addr: number): string {
  return `futex ${addr.toString(16)} woken`;
}

export interface PerformerOptions {
  readonly model: Model;
  readonly hot: HotBytes;
  readonly cold: ColdCode;
  readonly contents: PageContents;
  /** A page that is copied is mapped only when it is next used. */
  readonly hidesCopies: boolean;
  /** Hot bytes change under the exclusive lock only; then who holds the lock reads them without being noticed. */
  readonly lockedStores: boolean;
}

export class Performer {
  readonly #model: Model;
  readonly #hot: HotBytes;
  readonly #contents: PageContents;
  readonly #cold: ColdCode;
  readonly #lockedStores: boolean;
  readonly #hidesCopies: boolean;

  constructor(options: PerformerOptions) {
    this.#model = options.model;
    this.#hot = options.hot;
    this.#contents = options.contents;
    this.#cold = options.cold;
    this.#lockedStores = options.lockedStores;
    this.#hidesCopies = options.hidesCopies;
  }

  /** Whether the actor can make the step now or has to wait. */
  isPossible(shared: Shared, space: Space, step: WorldStep): boolean {
    if (step.op === 'lock') return !space.isLocked && (!step.exclusive || space.readers === 0);
    // Who is in a slot comes out of it whoever else stands still.
    if (step.op === 'stop') return space.inSlots === 0;
    if (step.op === 'await') return (shared.notes[step.note] ?? 0) === step.value;
    if (step.op === 'futex-woken') return (shared.notes[woken(step.addr)] ?? 0) > 0;
    return true;
  }

  /** Whether another actor could notice the step, or when it comes. */
  isVisible(space: Space, work: Work, step: WorldStep): boolean {
    switch (step.op) {
      case 'load':
        return this.#isExposed(work) && this.#hot.touches(step.addr, step.length);
      case 'store': {
        if (cowPage(space, step.addr, step.bytes.length) !== undefined) return true;
        if (!this.#hot.touches(step.addr, step.bytes.length)) return false;
        // What is there now may be changed by somebody else before the store.
        if (!this.#lockedStores) return true;
        const now = readSpace(space, step.addr, step.bytes.length, PROT_READ | PROT_EXEC);
        return now.length < step.bytes.length || step.bytes.some((b, i) => b !== now[i]);
      }
      case 'unlock':
        return step.exclusive || !this.#lockedStores;
      case 'get':
      case 'set':
      case 'freed':
      case 'free':
      case 'take':
      case 'find-table':
      case 'map-table':
      case 'is-free':
      case 'is-shared':
      case 'random':
        return false;
      case 'is-executable':
        return this.#isExposed(work);
      default:
        return true;
    }
  }

  #isExposed(work: Work): boolean {
    return work.holds === 'nothing' || !this.#lockedStores;
  }

  /** The pieces of an access that are made one by one, in any order; one where at most one of them is of hot bytes. */
  parts(step: AccessStep): AccessStep[] {
    // Loads within an aligned word are whole on every processor; only stores may be taken apart beyond that.
    const atom = step.op === 'store' ? this.#model.atom : Math.max(this.#model.atom, LOAD_ATOM);
    const parts: AccessStep[] = [];
    const stop = step.addr + (step.op === 'store' ? step.bytes.length : step.length);
    for (let at = step.addr; at < stop;) {
      const end = Math.min(stop, (Math.floor(at / atom) + 1) * atom);
      if (step.op === 'load') parts.push({ ...step, addr: at, length: end - at });
      else parts.push({ ...step, addr: at, bytes: step.bytes.slice(at - step.addr, end - step.addr) });
      at = end;
    }
    const hot = parts.filter((p) => this.#hot.touches(p.addr, p.op === 'store' ? p.bytes.length : p.length));
    return hot.length <= 1 ? [step] : parts;
  }

  /** What the work knows once a step was made. */
  after(work: Work, step: WorldStep): Work {
    if (step.op === 'lock') return { ...work, holds: step.exclusive ? 'exclusive' : 'shared' };
    if (step.op === 'unlock') return { ...work, holds: 'nothing' };
    if (step.op === 'store' && this.#hot.touches(step.addr, step.bytes.length))
      return { ...work, stores: work.stores + 1 };
    return work;
  }

  /** Breaks copy-on-write of a page: a TLB shootdown interrupts all others. */
  breakCow(draft: Draft, address: number): void {
    const space = spaceOf(draft.shared, draft.local);
    const page = space.pages.get(address);
    invariant(page !== undefined, () => 'a page to copy');
    const copy: Page = { ...page, isCow: false, ...(this.#hidesCopies && { isHidden: true }) };
    this.#put(draft, space, { pages: new Map(space.pages).set(address, copy) });
    draft.writes |= this.#hot.memoryBits(address, PAGE_SIZE) | this.#hot.bits(address, PAGE_SIZE);
    this.#serialiseOthers(draft);
  }

  /** Maps a page that was copied: somebody has faulted on it. */
  show(draft: Draft, address: number): void {
    const space = spaceOf(draft.shared, draft.local);
    const page = space.pages.get(address);
    invariant(page !== undefined, () => 'a page to show');
    const { isHidden: _was, ...shown } = page;
    this.#put(draft, space, { pages: new Map(space.pages).set(address, shown) });
    draft.writes |= this.#hot.memoryBits(address, PAGE_SIZE) | this.#hot.bits(address, PAGE_SIZE);
  }

  /** Makes a step. */
  perform(draft: Draft, work: Work, step: WorldStep): StepResult {
    const space = spaceOf(draft.shared, draft.local);
    switch (step.op) {
      case 'lock':
      case 'unlock':
        this.#performLock(draft, space, work, step);
        return 1;
      case 'load': {
        draft.reads |= this.#hot.bits(step.addr, step.length) | this.#hot.memoryBits(step.addr, step.length);
        const bytes = readSpace(space, step.addr, step.length, step.force === true ? FORCED : PROT_READ | PROT_EXEC);
        return bytes.length === step.length ? bytes : null;
      }
      case 'store':
        return this.#store(draft, space, work, step);
      case 'get':
        draft.reads |= Touch.records;
        return space[step.field];
      case 'set':
        draft.writes |= Touch.records;
        this.#put(draft, space, { [step.field]: step.value });
        return 1;
      case 'freed':
        draft.reads |= Touch.records;
        return space.freed;
      case 'free':
      case 'take':
        draft.writes |= Touch.records;
        this.#put(draft, space, { freed: step.op === 'free' ? step.slot : 0 });
        return 1;
      case 'stop':
      case 'resume':
        draft.writes |= Touch.standstill;
        this.#put(draft, space, { isStopped: step.op === 'stop' });
        draft.local = { ...draft.local, isStopper: step.op === 'stop' };
        if (step.op === 'resume') this.#serialiseOthers(draft);
        return 1;
      case 'sync':
        this.#serialiseOthers(draft);
        return 1;
      case 'is-free':
        for (let page = step.addr; page < step.addr + step.length; page += PAGE_SIZE)
          if (space.pages.has(page)) return 0;
        return 1;
      case 'find-table':
        return space.pages.has(space.base) ? space.base : 0;
      // A race begins with its table, its code is private, and nothing is left to chance.
      case 'map-table':
      case 'is-shared':
      case 'random':
        return 0;
      case 'is-executable':
        draft.reads |= this.#hot.memoryBits(pageDown(step.addr), PAGE_SIZE) | this.#hot.bits(step.addr, 1);
        return readSpace(space, step.addr, 1, PROT_EXEC).length;
      case 'fork': {
        draft.writes |= Touch.memory | Touch.records;
        draft.reads |= Touch.memory | this.#hot.all;
        const index = draft.shared.spaces.length;
        const made = step.pages === null ? { ...space, next: step.next ?? space.next } : freshSpace(space, step.pages);
        const child = { ...made, isLocked: false, readers: 0, isStopped: false };
        draft.shared = { ...draft.shared, spaces: [...draft.shared.spaces, child] };
        // The first thing that it executes comes after the return from its own fork or execve.
        const local = { ...step.child, space: index, known: child.versions, synced: child.versions };
        draft.events.push({ kind: 'start', role: step.role, local });
        return 1;
      }
      case 'map':
      case 'unmap':
      case 'protect':
        this.#remap(draft, space, work, step);
        return 1;
      case 'signal':
        draft.writes |= Touch.processors;
        draft.events.push({ kind: 'signal', role: step.role, signo: step.signo });
        return 1;
      case 'await':
        draft.reads |= Touch.records;
        return 1;
      case 'futex-wait': {
        draft.reads |= Touch.memory | Touch.records;
        const word = readSpace(space, step.addr, 4, PROT_READ);
        if (word.length < 4) return -EFAULT;
        if (new DataView(word.buffer).getUint32(0, true) !== step.value) return -EAGAIN;
        this.#count(draft, { [waiting(step.addr)]: 1 });
        return 0;
      }
      case 'futex-wake': {
        const count = Math.min(step.count, draft.shared.notes[waiting(step.addr)] ?? 0);
        this.#count(draft, { [waiting(step.addr)]: -count, [woken(step.addr)]: count });
        return count;
      }
      case 'futex-woken':
        this.#count(draft, { [woken(step.addr)]: -1 });
        return 1;
      case 'note':
        draft.writes |= Touch.records;
        draft.shared = { ...draft.shared, notes: { ...draft.shared.notes, [step.note]: step.value } };
        return 1;
    }
  }

  #put(draft: Draft, space: Space, changed: Partial<Space>): void {
    draft.shared = withSpace(draft.shared, draft.local.space, { ...space, ...changed });
  }

  /** Adds to notes; one that comes to 0 is as if it had never been. */
  #count(draft: Draft, changes: Readonly<Record<string, number>>): void {
    draft.writes |= Touch.records;
    const notes = { ...draft.shared.notes };
    for (const [name, by] of Object.entries(changes)) notes[name] = (notes[name] ?? 0) + by;
    const left = Object.entries(notes).filter(([, value]) => value !== 0);
    draft.shared = { ...draft.shared, notes: Object.fromEntries(left) };
  }

  #performLock(draft: Draft, space: Space, work: Work, step: WorldStep & { op: 'lock' | 'unlock' }): void {
    const { local } = draft;
    if (step.op === 'lock') {
      draft.reads |= Touch.lock;
      if (step.exclusive) draft.writes |= Touch.lock;
      this.#put(draft, space, step.exclusive ? { isLocked: true } : { readers: space.readers + 1 });
      if (this.#model.strict) draft.local = { ...local, known: newest(local.known, space.published) };
      return;
    }
    // Who looks at a site under the lock within one step is in nobody's way.
    if (work.holds !== 'shared' || draft.heldLock) draft.writes |= Touch.lock;
    if (work.holds === 'shared') {
      this.#put(draft, space, { readers: Math.max(0, space.readers - 1) });
      return;
    }
    const published = this.#model.strict ? newest(space.published, local.known) : space.published;
    this.#put(draft, space, { isLocked: false, published });
  }

  #checkLock(work: Work, what: string): void {
    if (!this.#lockedStores || work.holds === 'exclusive') return;
    throw new TraplineError(
      'RACE_SCENARIO',
      `"${what}" changes hot bytes without the exclusive lock; the scenario must be built with lockedStores: false`,
    );
  }

  #store(draft: Draft, space: Space, work: Work, { addr, bytes, what }: StoreStep): number {
    // Whether it can be made, and whether it changes anything, depends on what is there.
    draft.reads |= this.#hot.bits(addr, bytes.length) | this.#hot.memoryBits(addr, bytes.length);
    const pages = new Map(space.pages);
    for (let done = 0; done < bytes.length;) {
      const at = addr + done;
      const page = pages.get(pageDown(at));
      if (page === undefined) return 0;
      const n = Math.min(bytes.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const content = this.#contents.with(page.content, at % PAGE_SIZE, bytes.subarray(done, done + n));
      pages.set(pageDown(at), { ...page, content });
      done += n;
    }
    draft.stores.push({ space: draft.local.space, address: addr, bytes });
    this.#noteCold(draft.local.space, space, addr, bytes, what);
    const changed = this.#hot.changedBy(space, addr, bytes);
    if (changed.length > 0) this.#checkLock(work, what);
    draft.writes |= this.#hot.memoryBits(addr, bytes.length);
    for (const byte of changed) draft.writes |= 1 << Math.min(byte, MAX_HOT_BITS);
    let { versions } = space;
    if (this.#model.strict && changed.length > 0) {
      const next = versions.slice();
      const known = draft.local.known.slice();
      for (const byte of changed) known[byte] = next[byte] = (next[byte] ?? 0) + 1;
      versions = next;
      draft.local = { ...draft.local, known };
    }
    this.#put(draft, space, { pages, versions });
    return 1;
  }

  #noteCold(index: number, space: Space, addr: number, bytes: Uint8Array, what: string): void {
    const now = readSpace(space, addr, bytes.length, PROT_EXEC);
    for (let i = 0; i < now.length; i++) if (now[i] !== bytes[i]) this.#cold.changed(index, addr + i, what);
  }

  /** Changes mappings; the TLB shootdown interrupts all others. */
  #remap(draft: Draft, space: Space, work: Work, step: WorldStep & { op: 'map' | 'unmap' | 'protect' }): void {
    const pages = new Map(space.pages);
    const length = step.op === 'map' ? step.bytes.length : step.length;
    for (let offset = 0; offset < length; offset += PAGE_SIZE) {
      const address = step.addr + offset;
      const page = pages.get(address);
      if (step.op === 'unmap') pages.delete(address);
      else if (step.op === 'map') {
        const content = this.#contents.of(step.bytes.slice(offset, offset + PAGE_SIZE));
        pages.set(address, { content, prot: step.prot, isCow: false });
      } else if (page !== undefined) pages.set(address, { ...page, prot: step.prot });
    }
    const now = { ...space, pages };
    const changed = this.#hot.difference(space, now);
    if (changed !== 0) this.#checkLock(work, step.what);
    draft.writes |= this.#hot.bits(step.addr, length) | this.#hot.memoryBits(step.addr, length);
    this.#put(draft, space, { pages });
    this.#serialiseOthers(draft);
  }

  #serialiseOthers(draft: Draft): void {
    draft.writes |= Touch.processors;
    draft.events.push({ kind: 'serialise', space: draft.local.space, known: draft.local.known });
  }
}
