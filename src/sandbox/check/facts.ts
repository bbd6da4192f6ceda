// SPDX-License-Identifier: MIT
//
// What two runs are compared by, in full: what the hash of an event stands for. Made only where two runs part, once that
// place is known.

/** One event of a task. */
export interface Fact {
  readonly kind: 'call' | 'result' | 'signal' | 'exec' | 'exit';
  readonly tid: number;
  /** As a line of strace, or in its style. */
  readonly text: string;
  /** The number of a call; -1 for other events. */
  readonly sysno: number;
  /** All registers, in the order of `Reg`. */
  readonly registers: readonly bigint[];
  /** Of a call: the start of the data that it passes to the kernel. */
  readonly data: Uint8Array;
  /** Of a call: vector state, as far as it counts; empty when this call's does not. */
  readonly fpu: Uint8Array;
  /** Of a signal. */
  readonly signo: number;
  /** Address of the page fault that became the signal; 0 for others. */
  readonly faultAddress: bigint;
}

/** A site at the time when it was patched. */
export interface SiteAtPatch {
  readonly address: number;
  readonly sysno: number;
  readonly slot: number;
  /** Where the straight-line code that led to the call begins; never after the site. */
  readonly blockStart: number;
  /** The original bytes from `blockStart` on, to some way behind the site. */
  readonly code: Uint8Array;
  /** The file that the code comes from, '' for memory of the program's own. */
  readonly file: string;
  /** `name+0x12`, where the file has symbols. */
  readonly symbol: string | undefined;
}

/** A task ran into the guard byte of a patched site. */
export interface Recovery {
  readonly site: number;
  /** What the task had in rax: the number that it meant. */
  readonly rax: bigint;
}

/** What is known of a run at the event where it may have parted from another. */
export interface Scene {
  /** The event; null when the task has done nothing more, or it is the end of a process. */
  readonly fact: Fact | null;
  /** Lines of the task's events before it, oldest first. */
  readonly before: readonly string[];
  /** Every site that was patched so far, by address. */
  readonly sites: ReadonlyMap<number, SiteAtPatch>;
  /** Where the task's last call came from, if that was a patched site. */
  readonly lastSite: number | undefined;
  /** The last time that the task ran into the guard byte of a patched site. */
  readonly recovery: Recovery | undefined;
  /** The task is sent back to a site for ever. */
  readonly isEndless: boolean;
}
