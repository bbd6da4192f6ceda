// SPDX-License-Identifier: MIT
//
// Guards of hardened mode as causes: a difference that goes away when upstream is given a single guard comes from what
// that guard prevents.

import type { Guards } from '../../usertrap/guards.ts';
import type { Cause } from './check-result.ts';

const CAUSE_OF: Readonly<Partial<Record<keyof Guards, Cause>>> = {
  instructionBoundary: 'false-match',
  compareSysno: 'shared-tail',
  checkSlot: 'shared-tail',
  assertGs: 'own-gs',
  surviveTableLoss: 'table-lost',
  refuseSharedFrames: 'shared-code',
  restoreForTracer: 'traced',
  restoreEditedSites: 'code-handled',
  refuseWritableCode: 'code-handled',
  validateAllBytes: 'code-changed',
  spareGuestMappings: 'table-over-mapping',
  exactCapacity: 'table-over-mapping',
  inheritTable: 'table-after-fork',
  assertRecord: 'stub-record',
  narrowNumber: 'wide-number',
  hideSlotRip: 'slot-rip',
  exemptFromMemlock: 'memlock',
};

/** Guards to try, the likely ones first. `syscallClobbers` is tried by itself before. */
export const GUARDS_TO_TRY = Object.keys(CAUSE_OF) as readonly (keyof Guards)[];

/** What the absence of a guard does to a program. */
export function causeOf(guard: keyof Guards): Cause {
  return guard === 'syscallClobbers' ? 'keeps-rcx' : (CAUSE_OF[guard] ?? 'unknown');
}
