// SPDX-License-Identifier: MIT
//
// Layout of the trap table and its bytes: gVisor pkg/sentry/platform/systrap/usertrap/usertrap_amd64.go and
// usertrap_amd64_unsafe.go at commit 3c5eee1. All numbers are ABI: a checkpoint carries them.

import { MOV_EAX_IMM32, SITE_BYTES } from '../isa/syscall-site.ts';
import { HEAD } from './versions.ts';
import type { UpstreamVersion } from './versions.ts';

/** Entries, the header included. */
export const TABLE_ENTRIES = 256;
export const TRAP_BYTES = 80;
/** Bytes of a slot that mean anything. */
export const TRAP_USED_BYTES = 70;
export const TABLE_BYTES = TABLE_ENTRIES * TRAP_BYTES;

/**
 * The table lies here, because bits 16..23 of a slot's address become byte 5 of the site: 06 is no instruction
 * in 64-bit mode. Below 2 GiB, because the jump takes a sign-extended 32-bit address.
 */
export const WINDOW_START = 0x60000;
export const WINDOW_END = 0x70000;
/** Bases are uniform over the pages of [WINDOW_START, WINDOW_START + BASE_SPAN). */
export const BASE_SPAN = WINDOW_END - WINDOW_START - TABLE_BYTES;

export const TABLE_NAME = '[usertrap]';

/** `push %es` in 32-bit mode, invalid in 64-bit mode. */
export const GUARD_OPCODE = 0x06;
/** Offset of the guard in a patched site: where the `syscall` was. */
export const GUARD_OFFSET = 5;
/** `jmp *disp32` without base: ff /4, SIB 25. */
export const JUMP_OPCODE: readonly number[] = [0xff, 0x24, 0x25];

/** Where a slot's code begins. */
export const TRAP_CODE_OFFSET = 8;
/** Offsets of the two immediates inside a slot. */
export const TRAP_RETURN_OFFSET = 40;
export const TRAP_SYSNO_OFFSET = 58;
/** Of the two that depend on the version: where in the stub's record the state lies, and which one is stored there. */
const TRAP_STATE_OFFSET = 12;
const TRAP_PREP_OFFSET = 16;

export function trapAddress(base: number, index: number): number {
  return base + index * TRAP_BYTES;
}

export function trapIndex(base: number, address: number): number {
  return Math.floor((address - base) / TRAP_BYTES);
}

// prettier-ignore
const TEMPLATE = Uint8Array.from([
  [0, 0, 0, 0, 0, 0, 0, 0], // where the site's jump goes: the slot's own code
  [0x65, 0xc7, 0x04, 0x25, 0, 0, 0, 0, 0, 0, 0, 0], // movl $PREP,%gs:state
  [0x65, 0x48, 0x89, 0x24, 0x25, 0x20, 0, 0, 0], // mov %rsp,%gs:app_stack
  [0x65, 0x48, 0x8b, 0x24, 0x25, 0x18, 0, 0, 0], // mov %gs:syshandler_stack,%rsp
  [0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0], // movabs $return,%rax
  [0x65, 0x48, 0x89, 0x04, 0x25, 0x08, 0, 0, 0], // mov %rax,%gs:ret_addr
  [0xb8, 0, 0, 0, 0], // mov $sysno,%eax
  [0x65, 0xff, 0x24, 0x25, 0x10, 0, 0, 0], // jmp *%gs:syshandler
].flat());

/** Puts 32 bits of a number, little-endian. By hand: a view costs more than it does, where code is run once and is not hot. */
export function setWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

function setAddress(bytes: Uint8Array, at: number, address: number): void {
  setWord(bytes, at, address);
  setWord(bytes, at + 4, Math.floor(address / 2 ** 32));
}

/** The 70 bytes of a slot. */
export function trapBytes(
  slot: number,
  returnAddress: number,
  sysno: number,
  version: UpstreamVersion = HEAD,
): Uint8Array {
  const bytes = new Uint8Array(TEMPLATE);
  setAddress(bytes, 0, slot + TRAP_CODE_OFFSET);
  setWord(bytes, TRAP_STATE_OFFSET, version.stateOffset);
  setWord(bytes, TRAP_PREP_OFFSET, version.prep);
  setAddress(bytes, TRAP_RETURN_OFFSET, returnAddress);
  setWord(bytes, TRAP_SYSNO_OFFSET, sysno);
  return bytes;
}

/** What a slot's immediates say, or undefined when the 70 bytes are not a trampoline for `slot`. */
export function readTrap(bytes: Uint8Array, slot: number): { returnAddress: number; sysno: number } | undefined {
  if (bytes.length < TRAP_USED_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const returnAddress = Number(view.getBigUint64(TRAP_RETURN_OFFSET, true));
  const sysno = view.getUint32(TRAP_SYSNO_OFFSET, true);
  const expected = trapBytes(slot, returnAddress, sysno);
  return expected.every((b, i) => bytes[i] === b) ? { returnAddress, sysno } : undefined;
}

/** The seven bytes of a patched site. */
export function patchedBytes(slot: number): Uint8Array {
  const bytes = new Uint8Array(SITE_BYTES);
  bytes.set(JUMP_OPCODE);
  setWord(bytes, JUMP_OPCODE.length, slot);
  return bytes;
}

/** The seven bytes of a site before it was patched. */
export function originalBytes(sysno: number): Uint8Array {
  const bytes = Uint8Array.of(MOV_EAX_IMM32, 0, 0, 0, 0, 0x0f, 0x05);
  setWord(bytes, 1, sysno);
  return bytes;
}

/**
 * `jmp *slot` with the guard in its place: the test of gVisor's HandleFault (UT:326-331).
 * @param guard another one for tables outside the window
 */
export function looksPatched(bytes: Uint8Array, guard = GUARD_OPCODE): boolean {
  const [a, b, c] = JUMP_OPCODE;
  return bytes[0] === a && bytes[1] === b && bytes[2] === c && bytes[GUARD_OFFSET] === guard;
}

/** Address that a patched site jumps through. */
export function jumpOperand(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(JUMP_OPCODE.length, true);
}
