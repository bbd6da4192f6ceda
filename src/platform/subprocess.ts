// SPDX-License-Identifier: MIT
//
// What runs one address space: its stub threads, the contexts that they run, and who runs whom. Upstream threads are
// shared by all contexts and outlive the address space in a pool (subprocess.go, subprocess_pool.go); hardened each
// context has a thread of its own, so that no task meets what another has done to one.

import { savable } from '../base/savable.ts';
import { EAGAIN, ENOMEM } from '../abi/errno.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { UpstreamVersion } from '../usertrap/versions.ts';
import { ContextQueue } from './context-queue.ts';
import type { GuestContext } from './sentry.ts';
import type { SpaceTraps } from './space-traps.ts';
import { MAX_CONTEXTS, ThreadState } from './stub-layout.ts';
import { StubThread } from './stub-thread.ts';
import { ThreadContext } from './thread-context.ts';

export interface SubprocessOptions {
  readonly version: UpstreamVersion;
  /** Stub threads at most, shared by the contexts (gVisor's GOMAXPROCS); 0: one for each context. */
  readonly stubThreads: number;
}

/** The stub's side of one address space. */
export class Subprocess {
  readonly mm: AddressSpace;
  readonly traps: SpaceTraps;
  /** By their ids. */
  readonly threads: StubThread[] = [];
  private readonly options: SubprocessOptions;
  private readonly freeIds: number[] = [];
  private nextId = 0;
  /** What the guest sees of the queue; null where it has none, and before the first context. */
  queue: ContextQueue | null = null;
  private taken = 0;

  constructor(mm: AddressSpace, traps: SpaceTraps, options: SubprocessOptions) {
    this.mm = mm;
    this.traps = traps;
    this.options = options;
  }

  private get isShared(): boolean {
    return this.options.stubThreads > 0;
  }

  /** A new context, or -errno. */
  addContext(ctx: GuestContext): ThreadContext | number {
    if (this.freeIds.length === 0 && this.nextId >= MAX_CONTEXTS) return -EAGAIN;
    if (!this.hasQueue()) return -ENOMEM;
    const page = this.mm.memory.allocatePage();
    if (page === 0) return -ENOMEM;
    const id = this.freeIds.pop() ?? this.nextId++;
    const context = new ThreadContext(ctx, this, id, page);
    let isComplete = this.mm.mapStub(context.address, page, true, false);
    if (this.isShared) this.kick();
    else if (isComplete) {
      const thread = this.addThread(id);
      isComplete = thread !== undefined;
      thread?.take(context, 0);
      thread?.setState(ThreadState.none);
    }
    if (isComplete) return context;
    this.removeContext(context, false);
    return -ENOMEM;
  }

  /** False when memory for the queue is out. DIVERGES: gVisor's comes with the threads from the pool; here it is fresh. */
  private hasQueue(): boolean {
    const layout = this.options.version.queue;
    if (!this.isShared || layout === null || this.queue !== null) return true;
    this.queue = ContextQueue.create(this.mm, layout) ?? null;
    return this.queue !== null;
  }

  /** The context is gone from this space. */
  removeContext(context: ThreadContext, isInSyshandler: boolean): void {
    const { thread } = context;
    if (thread !== null) {
      thread.release(isInSyshandler);
      if (!this.isShared) {
        thread.dispose(this.mm);
        // An own thread has its context's id.
        delete this.threads[context.id];
      }
    }
    this.mm.unmapStub(context.address);
    this.mm.memory.releasePage(context.page);
    this.freeIds.push(context.id);
  }

  /** Another context wants to run: a thread is made for it, unless there are enough (SP:944-1000). It has yet to run. */
  private kick(): void {
    const contexts = this.nextId - this.freeIds.length;
    // Where memory is out the context waits for another thread.
    if (this.threads.length < Math.min(this.options.stubThreads, contexts)) this.addThread(this.threads.length);
  }

  /** @param index among the threads; shared ones have numbers from 1 on */
  private addThread(index: number): StubThread | undefined {
    const { isShared } = this;
    const thread = StubThread.create(this.traps, isShared ? index + 1 : index, this.options.version, isShared);
    if (thread !== undefined) this.threads[index] = thread;
    return thread;
  }

  /**
   * The stub thread that runs a context next: the one on which it was preempted, else the one that ran it last, else any
   * that waits, else a new one. When there are as many as may be, the one that has run its context longest gives it up.
   * @param interrupt sends the preempting interrupt to a thread's context; false when the thread cannot heed it now
   * @returns undefined when memory is out
   */
  claim(context: ThreadContext, interrupt: (context: ThreadContext) => boolean): StubThread | undefined {
    if (context.thread !== null) return context.thread;
    const thread = this.findThread(context, interrupt);
    if (thread !== undefined && thread.context !== context) thread.staleFpu = null;
    return thread;
  }

  private findThread(context: ThreadContext, interrupt: (context: ThreadContext) => boolean): StubThread | undefined {
    const { lastThread, subprocess } = context;
    if (lastThread?.isIdle === true && subprocess === this) return lastThread;
    const idle = this.threads.find((thread) => thread.isIdle);
    if (idle !== undefined) return idle;
    const fresh = this.threads.length < this.options.stubThreads ? this.addThread(this.threads.length) : undefined;
    if (fresh !== undefined) return fresh;
    const byAge = this.threads.toSorted((a, b) => a.takenAt - b.takenAt);
    for (const thread of byAge) {
      // All of them are busy, so each has a context.
      if (thread.context !== null && interrupt(thread.context)) return thread;
    }
    // Each is between its trampoline and the Sentry.
    return this.addThread(this.threads.length);
  }

  /** Counts the contexts that threads have taken. */
  now(): number {
    return ++this.taken;
  }

  /** The address space goes: its threads wait in the pool. Own threads went with their contexts. */
  leave(): StubThread[] {
    if (!this.isShared) return [];
    for (const thread of this.threads) {
      thread.release(thread.isInSyshandler);
      thread.unmap(this.mm);
    }
    this.queue?.unmap(this.mm);
    this.queue = null;
    return this.threads.splice(0);
  }

  /** Threads from the pool, with everything that the last guest has left in their records and their GS. */
  inherit(threads: readonly StubThread[], keepsGs: boolean): void {
    for (const [i, thread] of threads.entries()) {
      if (!thread.map(this.mm)) {
        // Memory is out: numbers stay without a gap.
        for (const lost of threads.slice(i)) lost.dispose(this.mm);
        return;
      }
      if (!keepsGs) thread.gsBase = BigInt(thread.msgAddr);
      thread.traps = this.traps;
      thread.context = null;
      thread.staleFpu = null;
      this.threads.push(thread);
    }
  }
}

savable('platform/subprocess', { Subprocess });
