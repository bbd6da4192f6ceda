// SPDX-License-Identifier: MIT
//
// All scenarios by name.

import { TraplineError } from '../../base/errors.ts';
import {
  PATCH_VS_ATTACH,
  PATCH_VS_DONTNEED,
  PATCH_VS_MPROTECT,
  PATCH_VS_MUNMAP,
  PATCH_VS_REMAP,
  PATCH_VS_REWRITE,
} from './code-changes.ts';
import { COW_IN_SLOT } from './cow-in-slot.ts';
import { HARDWARE } from './hardware.ts';
import { INTERRUPT_VS_PATCH, RESTART_BLOCK_VS_PATCH, RESTART_VS_PATCH } from './interrupts.ts';
import { LONG_MOV } from './long-mov.ts';
import { PATCH_VS_EXECVE, PATCH_VS_FORK } from './new-spaces.ts';
import { PATCH_VS_EXEC } from './patch-vs-exec.ts';
import type { Scenario } from './scenario.ts';
import { SHARED_TAIL } from './shared-tail.ts';
import { SLOT_REUSE } from './slot-reuse.ts';
import { COW_BREAK, SITE_AT_START, TABLE_FULL, TRAMPOLINE_LINE } from './table-edges.ts';
import { TABLE_MUNMAP } from './table-munmap.ts';
import { TWO_PATCHERS } from './two-patchers.ts';

export const SCENARIOS: readonly Scenario[] = [
  PATCH_VS_EXEC,
  TWO_PATCHERS,
  SHARED_TAIL,
  LONG_MOV,
  PATCH_VS_REMAP,
  PATCH_VS_REWRITE,
  PATCH_VS_DONTNEED,
  PATCH_VS_MPROTECT,
  PATCH_VS_MUNMAP,
  PATCH_VS_ATTACH,
  PATCH_VS_FORK,
  PATCH_VS_EXECVE,
  INTERRUPT_VS_PATCH,
  RESTART_VS_PATCH,
  RESTART_BLOCK_VS_PATCH,
  COW_BREAK,
  TABLE_FULL,
  TABLE_MUNMAP,
  TRAMPOLINE_LINE,
  SLOT_REUSE,
  COW_IN_SLOT,
  SITE_AT_START,
  HARDWARE,
];

/** @throws TraplineError `RACE_SCENARIO` when there is none of that name */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((s) => s.name === name);
  if (found !== undefined) return found;
  if (name === 'guest-patcher')
    throw new TraplineError('RACE_SCENARIO', 'guest-patcher needs a patcher: --protocol-elf FILE:SYMBOL');
  const names = SCENARIOS.map((s) => s.name).join(', ');
  throw new TraplineError('RACE_SCENARIO', `there is no scenario "${name}"; there are ${names} (trapline race --list)`);
}
