// SPDX-License-Identifier: MIT
//
// Physical memory in a checkpoint: the book-keeping of all frames ever used, and the bytes of those in use that are not
// zero. Frames keep their numbers, because page tables and the records of stub threads name them.

import { PAGE_SIZE } from '../../base/addr.ts';
import type { PhysicalMemory } from '../../mm/physical-memory.ts';
import { ByteReader, ByteWriter, corrupt } from './bytes.ts';

const WORDS = PAGE_SIZE / 4;

function isZero(words: Uint32Array, frame: number): boolean {
  const end = (frame + 1) * WORDS;
  for (let i = frame * WORDS; i < end; i++) if (words[i] !== 0) return false;
  return true;
}

/** The two sections of a machine's memory. */
export interface MemoryImage {
  /** References, flags and free frames. */
  readonly frames: Uint8Array;
  /** Bytes of pages, one after the other. */
  readonly pages: Uint8Array;
}

/** @returns the pages as pieces of memory itself, which must not change until they are copied */
export function saveMemory(memory: PhysicalMemory): { frames: Uint8Array; pages: Uint8Array[] } {
  const { first, next, free } = memory.extent();
  const frames = new ByteWriter();
  frames.u32(first);
  frames.u32(next);
  frames.u32(free.length);
  for (const frame of free) frames.u32(frame);
  const kept: number[] = [];
  for (let frame = first; frame < next; frame++) {
    const refs = memory.refs[frame] as number;
    const isKept = refs > 0 && !isZero(memory.words, frame);
    frames.count(refs);
    frames.u8((memory.flags[frame] as number) | (isKept ? KEPT : 0));
    if (isKept) kept.push(frame);
  }
  const pages: Uint8Array[] = [];
  // Neighbours are copied together.
  for (let i = 0; i < kept.length;) {
    const from = kept[i] as number;
    let n = 1;
    while (kept[i + n] === from + n) n++;
    pages.push(memory.bytes.subarray(from * PAGE_SIZE, (from + n) * PAGE_SIZE));
    i += n;
  }
  return { frames: frames.finish(), pages };
}

/** Marks frames whose bytes are in the file. */
const KEPT = 0x80;

/**
 * Puts the pages into the zeroed memory of a new machine.
 * @throws TraplineError `CHECKPOINT_CORRUPT`
 */
export function restoreMemory(memory: PhysicalMemory, image: MemoryImage): void {
  const input: ByteReader = new ByteReader(image.frames, 'frames');
  const first = input.u32();
  const next = input.u32();
  const extent = memory.extent();
  const total = memory.refs.length;
  // An engine may claim frames at the start that another leaves to guests.
  if (first < extent.first) input.fail(`it needs frame ${first}, which this engine keeps for itself`);
  if (next < first || next > total) input.fail(`it needs ${next} frames, and there are ${total}`);
  const freeCount = input.u32();
  if (freeCount > next - first || freeCount * 4 > input.left) input.fail('it has more free frames than frames');
  const free = new Int32Array(freeCount);
  for (let i = 0; i < freeCount; i++) free[i] = input.u32();
  let at = 0;
  const count = image.pages.length / PAGE_SIZE;
  for (let frame = first; frame < next; frame++) {
    memory.refs[frame] = input.count();
    const flags = input.u8();
    memory.flags[frame] = flags & ~KEPT;
    if ((flags & KEPT) === 0) continue;
    if (at >= count) throw corrupt('pages are missing');
    memory.bytes.set(image.pages.subarray(at * PAGE_SIZE, (at + 1) * PAGE_SIZE), frame * PAGE_SIZE);
    at++;
  }
  if (at !== count || input.left > 0) throw corrupt('there are more pages than frames');
  const seen = new Uint8Array(next);
  for (const frame of free) {
    const isFree = frame > first && frame < next && memory.refs[frame] === 0 && seen[frame] === 0;
    if (!isFree) throw corrupt('a free frame is in use');
    seen[frame] = 1;
  }
  memory.refill(free, next);
}

/** The views of memory that others keep. */
export function memoryParts(memory: PhysicalMemory): Record<string, object> {
  return { 'memory bytes': memory.bytes, 'memory words': memory.words, 'memory view': memory.view };
}
