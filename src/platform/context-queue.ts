// SPDX-License-Identifier: MIT
//
// The queue from which stub threads take contexts, as the guest's threads can read it: gVisor's context_queue.go and the
// struct of that name in sysmsg_lib.c. It decides nothing here: its numbers are kept for who looks.

import { PAGE_SIZE } from '../base/addr.ts';
import type { PhysAddr } from '../base/addr.ts';
import { savable } from '../base/savable.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { PhysicalMemory } from '../mm/physical-memory.ts';
import type { QueueLayout } from '../usertrap/versions.ts';
import { STUB_QUEUE } from './stub-layout.ts';

const ENTRIES = 4096;
const ENTRY_BYTES = 8;
/** An entry that was taken, or never filled. */
const TAKEN = 0xfefefefe;
/** Start and end are near their wrap at first, so that it happens (CQ init). */
const FIRST_INDEX = 2 ** 32 - 1 - 4 * ENTRIES;

/**
 * The queue of one address space. What a guest writes there stays there, and is read for nothing else.
 * DIVERGES: a context enters it when it is taken; gVisor's shows the contexts that wait for a thread, too, here the
 * scheduler's.
 */
export class ContextQueue {
  private readonly memory: PhysicalMemory;
  private readonly pages: readonly PhysAddr[];
  private readonly layout: QueueLayout;
  private readonly startAt: number;
  private readonly endAt: number;

  /** Maps a fresh one; undefined when memory is out. */
  static create(mm: AddressSpace, layout: QueueLayout): ContextQueue | undefined {
    const { memory } = mm;
    const pages: PhysAddr[] = [];
    for (let offset = 0; offset < layout.ring + ENTRIES * ENTRY_BYTES; offset += PAGE_SIZE) {
      const page = memory.allocatePage();
      const isMapped = page !== 0 && mm.mapStub(STUB_QUEUE + offset, page, true, false);
      // The mapping's reference is the only one: pages go with the address space.
      if (page !== 0) memory.releasePage(page);
      if (!isMapped) {
        for (const [i] of pages.entries()) mm.unmapStub(STUB_QUEUE + i * PAGE_SIZE);
        return undefined;
      }
      pages.push(page);
    }
    return new ContextQueue(memory, pages, layout);
  }

  private constructor(memory: PhysicalMemory, pages: readonly PhysAddr[], layout: QueueLayout) {
    this.memory = memory;
    this.pages = pages;
    this.layout = layout;
    const { words } = memory;
    for (let i = 0; i < ENTRIES; i++) words[this.entry(i)] = TAKEN;
    this.startAt = this.at(layout.start);
    this.endAt = this.at(layout.end);
    words[this.startAt] = FIRST_INDEX;
    words[this.endAt] = FIRST_INDEX;
    // On a machine of one processor nobody spins.
    words[this.at(layout.fastPathDisabled)] = 1;
  }

  /** Takes it out of the address space; its memory goes with that. */
  unmap(mm: AddressSpace): void {
    for (const [i] of this.pages.entries()) mm.unmapStub(STUB_QUEUE + i * PAGE_SIZE);
  }

  /** A stub thread runs a context from now on. */
  take(): void {
    this.count(1);
  }

  /** It gives it back, and sleeps. */
  giveBack(): void {
    this.count(-1);
  }

  /** A context has come through the queue: from the Sentry to the thread that waits for it. Hot: no allocation. */
  pass(): void {
    const { words } = this.memory;
    const { startAt, endAt } = this;
    const index = words[endAt] as number;
    words[endAt] = index + 1;
    words[startAt] = (words[startAt] as number) + 1;
    const entry = this.entry(index % ENTRIES);
    words[entry] = TAKEN;
    words[entry + 1] = 0;
  }

  /** Each active context has an active thread; the others sleep, as the Sentry does while one runs. */
  private count(by: number): void {
    const { words } = this.memory;
    const { activeThreads, activeContexts, awakeContexts } = this.layout;
    for (const at of [activeThreads, activeContexts, awakeContexts])
      words[this.at(at)] = (words[this.at(at)] as number) + by;
  }

  private entry(index: number): number {
    const offset = this.layout.ring + index * ENTRY_BYTES;
    return ((this.pages[offset >>> 12] as number) + (offset % PAGE_SIZE)) / 4;
  }

  /** The counters lie in the first page. */
  private at(offset: number): number {
    return ((this.pages[0] as number) + offset) / 4;
  }
}

savable('platform/context-queue', { ContextQueue });
