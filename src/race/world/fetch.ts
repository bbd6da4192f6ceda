// SPDX-License-Identifier: MIT
//
// Instruction fetch of one processor under a model: which granules it may fetch next, what the decoder sees, and
// whether that is a whole instruction. Only hot granules, those that some store may change, carry a choice.

import { instructionLength, MAX_INSTRUCTION_BYTES } from '../../isa/instruction-length.ts';
import type { Model } from './model.ts';
import type { Fetched } from './state.ts';

/** Bytes that may change while they are executed, in one granule. */
export interface HotSegment {
  readonly address: number;
  readonly length: number;
  /** Index of its first byte among all hot bytes. */
  readonly first: number;
}

/** A range of code that may change. */
export interface HotRange {
  readonly address: number;
  readonly length: number;
}

/** The hot bytes by granule: ranges of one granule are fetched together. */
export function hotSegments(ranges: readonly HotRange[], granule: number): HotSegment[] {
  const byGranule = new Map<number, { from: number; to: number }>();
  for (const { address, length } of ranges) {
    for (let at = address; at < address + length; at++) {
      const index = Math.floor(at / granule);
      const known = byGranule.get(index);
      if (known === undefined) byGranule.set(index, { from: at, to: at + 1 });
      else byGranule.set(index, { from: Math.min(known.from, at), to: Math.max(known.to, at + 1) });
    }
  }
  let first = 0;
  return [...byGranule.entries()]
    .sort((a, b) => a[0] - b[0])
    .map(([, { from, to }]) => {
      const segment = { address: from, length: to - from, first };
      first += segment.length;
      return segment;
    });
}

/** What the decoder has of the instruction at some address. */
export interface Window {
  /** Bytes from that address on; `held` of them are known. */
  readonly bytes: Uint8Array;
  readonly held: number;
  /** The hot segment that the first unknown byte lies in, or -1. */
  readonly missing: number;
  /** Length of the instruction, 0 where it is none, undefined where more bytes are needed to tell. */
  readonly length: number | undefined;
  /** Hot bytes that the instruction is made of, as bits. */
  readonly hot: number;
}

/** Second bytes and ModRM bytes of different kinds: what they all leave the same does not depend on them. */
const PROBES = [0x00, 0x05, 0x90, 0xc0, 0xff];

/** What `held` bytes say of an instruction: its length, 0 where it is none, undefined where it takes more to tell. */
export function decidedLength(bytes: Uint8Array, held: number): number | undefined {
  if (held === 0) return undefined;
  const padded = bytes.slice();
  let decided = -1;
  for (const probe of PROBES) {
    padded.fill(probe, held);
    const length = instructionLength(padded);
    if (length > held || (decided >= 0 && length !== decided)) return undefined;
    decided = length;
    if (held === bytes.length) break;
  }
  return decided;
}

/** Index of the hot segment that holds an address, or -1. */
export function segmentAt(segments: readonly HotSegment[], address: number): number {
  for (let i = 0; i < segments.length; i++) {
    const s = segments[i] as HotSegment;
    if (address >= s.address && address < s.address + s.length) return i;
  }
  return -1;
}

/**
 * What the decoder has at `rip`.
 * @param memory bytes at `rip` as memory has them; shorter where code ends
 * @param fetched null under coherent fetch: then memory is what it sees
 */
export function decodeWindow(
  rip: number,
  memory: Uint8Array,
  segments: readonly HotSegment[],
  fetched: readonly (Fetched | null)[] | null,
): Window {
  const bytes = new Uint8Array(MAX_INSTRUCTION_BYTES);
  bytes.set(memory.subarray(0, MAX_INSTRUCTION_BYTES));
  let held = Math.min(memory.length, MAX_INSTRUCTION_BYTES);
  let missing = -1;
  if (fetched !== null) {
    for (let i = 0; i < held; i++) {
      const index = segmentAt(segments, rip + i);
      if (index < 0) continue;
      const have = fetched[index];
      if (have === null || have === undefined) {
        held = i;
        missing = index;
        break;
      }
      bytes[i] = have.bytes[rip + i - (segments[index] as HotSegment).address] as number;
    }
  }
  // Where code ends the processor faults: that is decided, too.
  const length =
    missing < 0 && held < MAX_INSTRUCTION_BYTES ? (decidedLength(bytes, held) ?? 0) : decidedLength(bytes, held);
  let hot = 0;
  const end = length === undefined ? held + 1 : Math.max(length, 1);
  for (let i = 0; i < end; i++) {
    const index = segmentAt(segments, rip + i);
    if (index < 0) continue;
    const s = segments[index] as HotSegment;
    hot |= 1 << Math.min(s.first + rip + i - s.address, MAX_HOT_BITS);
  }
  return { bytes, held, missing, length, hot };
}

/** Hot bytes beyond share the last bit of a footprint. */
export const MAX_HOT_BITS = 20;

/** Hot segments that the processor may fetch now. */
export function fetchable(
  model: Model,
  rip: number,
  window: Window,
  segments: readonly HotSegment[],
  fetched: readonly (Fetched | null)[],
  current: (segment: HotSegment) => Uint8Array,
): number[] {
  switch (model.fetch) {
    case 'coherent':
      return [];
    case 'torn-asc':
      return window.length === undefined && window.missing >= 0 ? [window.missing] : [];
    case 'torn-any': {
      if (window.hot === 0) return [];
      const out: number[] = [];
      for (const [i, s] of segments.entries()) {
        const isNear = s.address <= rip + MAX_INSTRUCTION_BYTES - 1 && s.address + s.length > rip;
        if (isNear && fetched[i] === null) out.push(i);
      }
      return out;
    }
    case 'stale-window':
    case 'stale': {
      const out: number[] = [];
      for (const [i, s] of segments.entries()) {
        const have = fetched[i];
        const now = current(s);
        if (have === null || have === undefined || now.some((b, k) => b !== have.bytes[k])) out.push(i);
      }
      return out;
    }
  }
}

/** What is left of the fetched granules after `retired` instructions. */
export function afterExecution(
  model: Model,
  fetched: readonly (Fetched | null)[],
  retired: number,
): readonly (Fetched | null)[] {
  switch (model.fetch) {
    case 'coherent':
    case 'stale':
      return fetched;
    case 'torn-asc':
    case 'torn-any':
      return fetched.map(() => null);
    case 'stale-window':
      return fetched.map((have) => {
        if (have === null) return null;
        const age = have.age + retired;
        return age > model.window ? null : { bytes: have.bytes, age };
      });
  }
}
