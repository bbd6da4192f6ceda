// SPDX-License-Identifier: MIT
//
// Registers of the lab's assembler: numbers as machine code has them (SDM vol. 2, table 2-2 and 3-1).

/** Bytes of an operand. */
export type Width = 1 | 4 | 8;

export interface Register {
  readonly name: string;
  readonly number: number;
  readonly width: Width;
}

const NAMES_64 = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const NAMES_32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const NAMES_8 = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];

const REGISTERS = new Map<string, Register>();
for (let number = 0; number < 16; number++) {
  const high = `r${number}`;
  const add = (name: string | undefined, width: Width): void => {
    if (name !== undefined) REGISTERS.set(name, { name, number, width });
  };
  add(number < 8 ? NAMES_64[number] : high, 8);
  add(number < 8 ? NAMES_32[number] : `${high}d`, 4);
  add(number < 8 ? NAMES_8[number] : `${high}b`, 1);
}

/** A register by its name without `%`; undefined for those that the lab does not know. */
export function registerNamed(name: string): Register | undefined {
  return REGISTERS.get(name);
}

/** spl, bpl, sil and dil are only there with a REX prefix: without it the same numbers mean ah to bh. */
export function needsRex(register: Register): boolean {
  return register.width === 1 && register.number >= 4 && register.number < 8;
}
