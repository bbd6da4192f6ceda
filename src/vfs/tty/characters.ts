// SPDX-License-Identifier: MIT
//
// Kinds of characters as the kernel's own table has them: Latin-1, with 0x80 to 0x9f nothing at all. Models lib/ctype.c.

export const BACKSPACE = 8;
export const TAB = 9;
export const NEWLINE = 10;
export const RETURN = 13;
export const BLANK = 32;
export const CARET = 0x5e;

export function isControl(c: number): boolean {
  return c < 32 || c === 127;
}

function isUpper(c: number): boolean {
  return (c >= 0x41 && c <= 0x5a) || (c >= 0xc0 && c <= 0xde && c !== 0xd7);
}

function isLower(c: number): boolean {
  return (c >= 0x61 && c <= 0x7a) || (c >= 0xdf && c !== 0xf7);
}

/** What VWERASE counts as part of a word. */
export function isWord(c: number): boolean {
  return isUpper(c) || isLower(c) || (c >= 0x30 && c <= 0x39) || c === 0x5f;
}

export function toLower(c: number): number {
  return isUpper(c) ? c + 32 : c;
}

export function toUpper(c: number): number {
  return isLower(c) ? c - 32 : c;
}
