// SPDX-License-Identifier: MIT
//
// `--protocol-elf FILE:SYMBOL` of `trapline race` and `trapline replay`: a patcher that is a function of the user's.

import { readFileSync } from 'node:fs';

import { guestPatcher } from '../race/scenarios/guest-patcher.ts';
import type { Scenario } from '../race/scenarios/scenario.ts';
import { UsageError } from './usage-error.ts';

/** The scenario of that patcher; none where the option is not given. */
export function guestPatchers(given: string | undefined): readonly Scenario[] {
  if (given === undefined) return [];
  const [, file, symbol] = /^(.+):([^:]+)$/s.exec(given) ?? [];
  if (file === undefined || symbol === undefined)
    throw new UsageError(`--protocol-elf ${given}: it takes FILE:SYMBOL, an ELF file and a function in it`);
  let elf: Uint8Array;
  try {
    elf = new Uint8Array(readFileSync(file));
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/,.*/s, '') : String(error);
    throw new UsageError(`--protocol-elf: ${file} cannot be read (${why})`);
  }
  return [guestPatcher(elf, symbol)];
}
