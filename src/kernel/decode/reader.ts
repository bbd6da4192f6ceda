// SPDX-License-Identifier: MIT
//
// Guest memory as the decoder reads it: whole structures, C strings and words, undefined where a byte is missing.

import type { GuestMemory } from './kinds.ts';

const CHUNK = 256;
/** The most that is read at once: no text needs more, and lengths are whatever a guest says. */
const MAX_BYTES = 2 ** 20;

/** Reads bytes, or gives undefined when not all of them can be read. */
export function readBytes(memory: GuestMemory, addr: number, length: number): Uint8Array | undefined {
  // A negative result or count of a call that is not what it should be.
  if (length < 0 || length > MAX_BYTES) return undefined;
  const out = new Uint8Array(length);
  return memory.copyIn(addr, out, true) === length ? out : undefined;
}

export function readStruct(memory: GuestMemory, addr: number, size: number): DataView | undefined {
  const bytes = readBytes(memory, addr, size);
  return bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function readU64(memory: GuestMemory, addr: number): number | undefined {
  const view = readStruct(memory, addr, 8);
  return view && view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
}

/**
 * Bytes up to the terminating zero, or up to `max` bytes when there is none before.
 * Undefined when memory ends before either.
 */
export function readString(
  memory: GuestMemory,
  addr: number,
  max: number,
): { bytes: Uint8Array; ended: boolean } | undefined {
  const parts: Uint8Array[] = [];
  let total = 0;
  while (total < max) {
    const chunk = new Uint8Array(Math.min(CHUNK, max - total));
    const got = memory.copyIn(addr + total, chunk, true);
    const zero = chunk.subarray(0, got).indexOf(0);
    const used = zero >= 0 ? zero : got;
    parts.push(chunk.subarray(0, used));
    total += used;
    if (zero >= 0) return { bytes: concat(parts, total), ended: true };
    if (got < chunk.length) return undefined;
  }
  return { bytes: concat(parts, total), ended: false };
}

function concat(parts: readonly Uint8Array[], total: number): Uint8Array {
  const out = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
