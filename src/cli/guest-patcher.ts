// SPDX-License-Identifier: MIT
//
// `--protocol-elf FILE:SYMBOL` of `trapline race` and `trapline replay`: a patcher that is a function of the user's.

import { guestPatcher } from '../race/scenarios/guest-patcher.ts';
import type { Scenario } from '../race/scenarios/scenario.ts';
import { readInputFile } from './input-file.ts';
import { UsageError } from './usage-error.ts';

/** More is no patcher. */
const LARGEST_ELF = 64 * 2 ** 20;

/** The scenario of that patcher; none where the option is not given. */
export function guestPatchers(given: string | undefined): readonly Scenario[] {
  if (given === undefined) return [];
  const [, file, symbol] = /^(.+):([^:]+)$/s.exec(given) ?? [];
  if (file === undefined || symbol === undefined)
    throw new UsageError(`--protocol-elf ${given}: it takes FILE:SYMBOL, an ELF file and a function in it`);
  return [guestPatcher(readInputFile('--protocol-elf', file, LARGEST_ELF), symbol)];
}
