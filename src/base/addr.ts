// SPDX-License-Identifier: MIT
//
// Guest addresses and ranges. A user-half address has at most 47 bits, so a double holds it exactly;
// register contents that may be any 64-bit pattern stay bigint (see cpu/regs.ts).

/** A guest virtual address in the user half, 0 .. 2^47-1. */
export type Addr = number;

/** A byte offset in the machine's physical arena. */
export type PhysAddr = number;

/** A half-open range of addresses. */
export interface AddrRange {
  readonly start: Addr;
  readonly end: Addr;
}

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

/** First address that is not in the user half. */
export const USER_HALF_END = 2 ** 47;

/** Rounds down to a page boundary. Works for the whole user half (32-bit operators would not). */
export function pageDown(a: number): number {
  return a - (a % PAGE_SIZE);
}

/** Rounds up to a page boundary. */
export function pageUp(a: number): number {
  const rest = a % PAGE_SIZE;
  return rest === 0 ? a : a + PAGE_SIZE - rest;
}

/** `0x…` as in maps files and reports. */
export function hex(a: number | bigint): string {
  return '0x' + a.toString(16);
}
