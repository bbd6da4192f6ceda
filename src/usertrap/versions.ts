// SPDX-License-Identifier: MIT
//
// Versions of gVisor as data: what of Systrap's patching a guest can tell apart from one to the next
// (git history of pkg/sentry/platform/systrap; the commits are named at each field).

export const UPSTREAM_VERSION_NAMES = ['2023-02', '2024-07', '3c5eee1'] as const;

/** `2023-02`: as first published; `2024-07`: as packaged by Debian 13; `3c5eee1`: of August 2026. */
export type UpstreamVersionName = (typeof UPSTREAM_VERSION_NAMES)[number];

/** Where the queue of contexts keeps its parts, in bytes: struct context_queue. */
export interface QueueLayout {
  readonly start: number;
  readonly end: number;
  readonly activeThreads: number;
  readonly activeContexts: number;
  readonly awakeContexts: number;
  readonly fastPathDisabled: number;
  /** 4,096 entries of 8 bytes. */
  readonly ring: number;
}

export interface UpstreamVersion {
  readonly name: UpstreamVersionName;
  /** Offset of a stub thread's state in its record, an immediate of every slot: 0x34 until March 2023. */
  readonly stateOffset: number;
  /** Where the record points at the context that the thread runs. */
  readonly contextOffset: number;
  /** The state that a slot stores: ThreadStatePrep, 3 until `d7f590dd0` (May 2023). */
  readonly prep: number;
  /** The call that had its site patched is served at once; until `38f63e832` (April 2024) it ran the site again. */
  readonly servesAtOnce: boolean;
  /** A task with a tracer adds no slot (`62cb91e84`, November 2025). */
  readonly sparesTraced: boolean;
  /** An interrupt clears a context's fpstate_changed even where its registers were not saved (`f7875f90f`, December 2024). */
  readonly forgetsFpuChange: boolean;
  /** Where the record holds the distance by which the stub jumps over a fault of its own probe. */
  readonly faultJumpOffset: number;
  /**
   * The distance is 0 again after a jump. The source says so in all versions; in the binary of Debian's `2024-07` the
   * compiler has left the store out, as it takes the record for a dead local of the handler (seen under that runsc).
   */
  readonly clearsFaultJump: boolean;
  /** The context's record holds the error code of a page fault. */
  readonly notesFaultError: boolean;
  /** Line of the source where the syshandler finds no PREP: it is in the record of a stub that panics. */
  readonly panicLine: number;
  /** What stops a guest's `syscall`: the host's seccomp filter, or syscall user dispatch (`a45d6227b`, May 2025). */
  readonly interception: 'seccomp' | 'user-dispatch';
  /** The queue from which stub threads take contexts; null before there was one. Grouped by cache lines since `ed4f83890`. */
  readonly queue: QueueLayout | null;
}

export const HEAD: UpstreamVersion = {
  name: '3c5eee1',
  stateOffset: 0x2c,
  contextOffset: 0x30,
  prep: 2,
  servesAtOnce: true,
  sparesTraced: true,
  forgetsFpuChange: true,
  faultJumpOffset: 0x38,
  clearsFaultJump: true,
  notesFaultError: true,
  panicLine: 359,
  interception: 'user-dispatch',
  // prettier-ignore
  queue: {
    end: 0, start: 64, fastPathDisabled: 128, awakeContexts: 132, activeThreads: 192, activeContexts: 320, ring: 384,
  },
};

const VERSIONS: Record<UpstreamVersionName, UpstreamVersion> = {
  // DIVERGES: the record pointed at no context yet (it held the registers itself); here it does, behind the state.
  '2023-02': {
    name: '2023-02',
    stateOffset: 0x34,
    contextOffset: 0x38,
    prep: 3,
    servesAtOnce: false,
    sparesTraced: false,
    forgetsFpuChange: false,
    faultJumpOffset: 0x2c,
    clearsFaultJump: true,
    notesFaultError: false,
    panicLine: 0,
    interception: 'seccomp',
    queue: null,
  },
  '2024-07': {
    ...HEAD,
    name: '2024-07',
    sparesTraced: false,
    forgetsFpuChange: false,
    clearsFaultJump: false,
    notesFaultError: false,
    panicLine: 343,
    interception: 'seccomp',
    // prettier-ignore
    queue: {
      start: 0, end: 4, activeThreads: 8, activeContexts: 20, awakeContexts: 24, fastPathDisabled: 28, ring: 40,
    },
  },
  '3c5eee1': HEAD,
};

export function upstreamVersion(name: UpstreamVersionName): UpstreamVersion {
  return VERSIONS[name];
}
