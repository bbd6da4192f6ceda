// SPDX-License-Identifier: MIT
//
// What makes seven bytes a patchable syscall site, and what makes the look of them wrong. Pure functions over bytes;
// models the test of gVisor's stub (sighandler_amd64.c:261-288, its FIXME included) and adds the rules it lacks.

import { instructionLength, MAX_INSTRUCTION_BYTES } from './instruction-length.ts';

/** `mov $imm32,%eax`. */
export const MOV_EAX_IMM32 = 0xb8;
/** Bytes of `mov $imm32,%eax; syscall`. */
export const SITE_BYTES = 7;
/** Offset of the `syscall` instruction in a site. */
export const SYSCALL_OFFSET = 5;
export const SYSCALL_BYTES = 2;
/** Line of the instruction cache: within one, a fetch is taken as atomic (races.md 3.4). */
export const LINE_BYTES = 64;

/** The immediate of a site that starts at `at`. */
export function siteSysno(bytes: Uint8Array, at = 0): number {
  return (
    ((bytes[at + 1] ?? 0) |
      ((bytes[at + 2] ?? 0) << 8) |
      ((bytes[at + 3] ?? 0) << 16) |
      ((bytes[at + 4] ?? 0) << 24)) >>>
    0
  );
}

/** `0f 05` at `at`. */
export function isSyscall(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] === 0x0f && bytes[at + 1] === 0x05;
}

/** `b8 imm32 0f 05` at `at`. */
export function looksLikeSite(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] === MOV_EAX_IMM32 && isSyscall(bytes, at + SYSCALL_OFFSET);
}

/** The site lies in two lines, so that its two halves may be fetched at different times. */
export function splitsLine(site: number): boolean {
  return site % LINE_BYTES > LINE_BYTES - SITE_BYTES;
}

/**
 * Whether an instruction that starts before the `mov` could end exactly where the `syscall` starts, so that the
 * five bytes may be its tail (gVisor issue #10849: `movl $0x10,-0x48(%rsp); syscall`).
 * @param before the bytes right before the site, up to {@link LOOK_BACK} of them
 * @param site the five bytes of the `mov`
 */
export function mayBeTail(before: Uint8Array, site: Uint8Array): boolean {
  const code = new Uint8Array(before.length + SYSCALL_OFFSET);
  code.set(before);
  code.set(site.subarray(0, SYSCALL_OFFSET), before.length);
  for (let start = 0; start < before.length; start++) {
    if (instructionLength(code, start) === code.length - start) return true;
  }
  return false;
}

/** Bytes before a site that an instruction covering it can have. */
export const LOOK_BACK = MAX_INSTRUCTION_BYTES - SYSCALL_OFFSET;

/** What a walk from a known instruction boundary says about a site. */
export type BoundaryVerdict = 'boundary' | 'tail' | 'unknown';

/**
 * Walks `code`, whose first byte is an instruction boundary, to the `mov` of a site at `code[siteAt]`.
 * `tail`: some instruction covers the first byte of the `mov`. `unknown`: the walk met bytes that it cannot decode.
 */
export function walkToSite(code: Uint8Array, siteAt: number): BoundaryVerdict {
  let p = 0;
  while (p < siteAt) {
    const n = instructionLength(code, p);
    if (n === 0) return 'unknown';
    p += n;
  }
  return p === siteAt ? 'boundary' : 'tail';
}
