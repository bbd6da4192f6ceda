// SPDX-License-Identifier: MIT
//
// The disassembler in the page. iced-x86 comes as a chunk of its own when bytes are first edited.

import { signal } from '@preact/signals';
import { Disassembler } from '../../../isa/disassembler.ts';
import type { Iced } from '../../../isa/disassembler.ts';

/** Undefined until it is loaded. */
export const disassembler = signal<Disassembler | undefined>(undefined);
let loading: Promise<Disassembler> | undefined;

/** Loads the disassembler, once. */
export function loadDisassembler(): Promise<Disassembler> {
  loading ??= import('virtual:iced-x86').then(async ({ loadIced }) => {
    const made = new Disassembler((await loadIced()) as Iced);
    disassembler.value = made;
    return made;
  });
  return loading;
}
