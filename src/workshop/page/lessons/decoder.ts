// SPDX-License-Identifier: MIT
//
// The disassembler in the page. iced-x86 comes as a chunk of its own when bytes are first edited.

import { signal } from '@preact/signals';
import { Disassembler } from '../../../isa/disassembler.ts';
import type { Iced } from '../../../isa/disassembler.ts';
import type { Decoded } from '../../lessons/goals.ts';

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

/** Decodes the instruction at the start of the bytes. */
export function decodeWith(reader: Disassembler): (bytes: Uint8Array, address: number) => Decoded {
  return (bytes, address) => {
    const [first] = reader.disassemble(bytes, address, 1);
    if (first === undefined) return { text: '(bad)', length: 0, isValid: false };
    return { text: first.text, length: first.bytes.length, isValid: first.isValid };
  };
}
