// SPDX-License-Identifier: MIT
//
// The differences between gVisor as it is (`upstream`) and what a correct program may expect (`hardened`),
// each a named guard that can be switched on its own.

/** D numbers are those of the defects in README.md. */
export interface Guards {
  /** Re-read all seven bytes under the lock, not only the first (upstream UT:224). */
  readonly validateAllBytes: boolean;
  /** Recovery compares rax with the slot's number, so that a shared `syscall` tail runs the number it was given. */
  readonly compareSysno: boolean;
  /** Recovery checks that the jump's operand is a slot of this table that returns right behind the site. */
  readonly checkSlot: boolean;
  /** All other tasks of the space stand still while a site is written, so that nobody meets a stage of it. */
  readonly stopOthers: boolean;
  /** A site that a page boundary splits is left alone. */
  readonly refusePageSplit: boolean;
  /** The `mov` must be an instruction of its own (gVisor issue #10849, `41 b8`). */
  readonly instructionBoundary: boolean;
  /** A number of 4,096 or more is no reason to patch: the bytes may be data, or code to be entered in the middle. */
  readonly refuseUnknownNumbers: boolean;
  /** Code in a shared mapping is left alone: other mappings and processes have no such slot. */
  readonly refuseSharedFrames: boolean;
  /** Memory that is no file's and may be written and executed is left alone: who makes code there may change a part of it. */
  readonly refuseWritableCode: boolean;
  /** A slot counts as used only once its site is patched (D2). */
  readonly keepFailedSlot: boolean;
  /** Slot 255 is used, and no slot behind the table is (D1). */
  readonly exactCapacity: boolean;
  /** The table goes only where the guest has mapped nothing (D5). */
  readonly spareGuestMappings: boolean;
  /** The table does not count as locked memory of the guest's (upstream: no table below 20 KiB of RLIMIT_MEMLOCK). */
  readonly exemptFromMemlock: boolean;
  /** The table counts for no limit, and /proc does not show it. */
  readonly hideTable: boolean;
  /** A forked space goes on from its parent's records instead of a VMA's name and the header in guest memory (D6). */
  readonly inheritTable: boolean;
  /**
   * Before the table is unmapped, changed, or met by a call that tells what is mapped there, the sites get their bytes back
   * and it goes.
   */
  readonly surviveTableLoss: boolean;
  /** A restored space has its slots written again: whoever wrote them may have had another stub (usertrap.md 2.11). */
  readonly renewSlots: boolean;
  /** The slot of code that is unmapped, moved or written anew serves another site. */
  readonly reuseSlots: boolean;
  /** A page of a file that a process of the same user has had patched comes patched, so that no site of it traps again. */
  readonly shareSites: boolean;
  /** Code that is moved, made writable or written by another process has its own bytes again before. */
  readonly restoreEditedSites: boolean;
  /** The stub's record, which every thread of the guest can write, is filled in again before a task runs. */
  readonly assertRecord: boolean;
  /** The stub's GS base is put back before guest code runs; a task with a GS base of its own is not patched for (D8). */
  readonly assertGs: boolean;
  /** The number of a trapped call is the low half of rax, as on Linux; upstream takes all 64 bits (ARCH:30-32). */
  readonly narrowNumber: boolean;
  /** A page that is copied for a write of the Sentry's stays mapped: nobody faults in the middle of a trampoline (D4). */
  readonly keepCopiedPage: boolean;
  /** A patched call leaves rcx and r11 as a trapped one does. */
  readonly syscallClobbers: boolean;
  /** An instruction pointer in a slot is never shown: a task that is about to run one goes through it first. */
  readonly hideSlotRip: boolean;
  /** When a task gets a tracer, the sites of its space get their bytes back, and none is patched while it has one. */
  readonly restoreForTracer: boolean;
}

// prettier-ignore
export const UPSTREAM_GUARDS: Guards = {
  validateAllBytes: false, compareSysno: false, checkSlot: false, stopOthers: false, refusePageSplit: false,
  instructionBoundary: false, refuseUnknownNumbers: false, refuseSharedFrames: false, refuseWritableCode: false, keepFailedSlot: false, exactCapacity: false,
  spareGuestMappings: false, exemptFromMemlock: false, hideTable: false, inheritTable: false, surviveTableLoss: false, renewSlots: false, reuseSlots: false, shareSites: false,
  restoreEditedSites: false, assertRecord: false, assertGs: false, narrowNumber: false, keepCopiedPage: false, syscallClobbers: false, hideSlotRip: false, restoreForTracer: false,
};

// prettier-ignore
export const HARDENED_GUARDS: Guards = {
  validateAllBytes: true, compareSysno: true, checkSlot: true, stopOthers: true, refusePageSplit: true,
  instructionBoundary: true, refuseUnknownNumbers: true, refuseSharedFrames: true, refuseWritableCode: true, keepFailedSlot: true, exactCapacity: true,
  spareGuestMappings: true, exemptFromMemlock: true, hideTable: true, inheritTable: true, surviveTableLoss: true, renewSlots: true, reuseSlots: true, shareSites: true,
  restoreEditedSites: true, assertRecord: true, assertGs: true, narrowNumber: true, keepCopiedPage: true, syscallClobbers: true, hideSlotRip: true, restoreForTracer: true,
};
