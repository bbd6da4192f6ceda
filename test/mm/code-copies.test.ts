// SPDX-License-Identifier: MIT
//
// Copies of code: a frame that was one serves the next, and only what differs is translated anew.

import { beforeEach, describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import { FRAME_EXECUTED, PhysicalMemory } from '../../src/mm/physical-memory.ts';
import { SoftMmu } from './soft-mmu.ts';

/** Keeps what was dropped. */
class RecordingMmu extends SoftMmu {
  readonly dropped: [number, number][] = [];

  override invalidateCode(start: number, length: number): void {
    this.dropped.push([start, length]);
    super.invalidateCode(start, length);
  }
}

const PAGES = 64;

let mmu: RecordingMmu;
let memory: PhysicalMemory;
let source: number;

beforeEach(() => {
  mmu = new RecordingMmu(PAGES);
  memory = new PhysicalMemory(mmu, PAGES * PAGE_SIZE);
  source = memory.allocate();
  memory.frameBytes(source).forEach((_, i, bytes) => (bytes[i] = i % 251));
});

/** A copy that was executed, changed in some places, and is free again. */
function usedCopy(...places: number[]): number {
  const frame = memory.copyCode(source);
  memory.flags[frame] = FRAME_EXECUTED;
  for (const at of places) memory.frameBytes(frame)[at] = 255;
  memory.release(frame);
  return frame;
}

describe('a copy of code', () => {
  it('takes the frame of a former one, and what was translated from equal bytes stays', () => {
    const first = usedCopy();
    const other = memory.allocate();
    expect(other).not.toBe(first);
    expect(memory.copyCode(source)).toBe(first);
    expect(mmu.dropped).toEqual([]);
  });

  it('has the bytes of its source, and drops to the byte what was translated from others', () => {
    const first = usedCopy(0, 9, 10, 11, 12, 4095);
    const again = memory.copyCode(source);
    expect(again).toBe(first);
    expect(memory.frameBytes(again)).toEqual(memory.frameBytes(source));
    const at = first * PAGE_SIZE;
    expect(mmu.dropped).toEqual([
      [at, 1],
      [at + 9, 4],
      [at + 4095, 1],
    ]);
  });

  it('drops all of a frame that differs everywhere', () => {
    const first = usedCopy();
    memory.frameBytes(source).fill(7);
    memory.frameBytes(source).forEach((_, i, bytes) => (bytes[i] = i % 8 < 4 ? 1 : i % 251));
    const again = memory.copyCode(source);
    expect(memory.frameBytes(again)).toEqual(memory.frameBytes(source));
    expect(again).toBe(first);
    expect(mmu.dropped.at(-1)).toEqual([first * PAGE_SIZE, PAGE_SIZE]);
  });

  it('counts as free memory until then, and serves others where there is no other', () => {
    const used = memory.usedFrames;
    const first = usedCopy();
    expect(memory.usedFrames).toBe(used);
    const taken: number[] = [];
    for (let frame = memory.allocate(); frame !== 0; frame = memory.allocate()) taken.push(frame);
    expect(memory.usedFrames).toBe(memory.limitFrames);
    expect(new Set(taken).size).toBe(taken.length);
    expect(taken).toContain(first);
    expect(memory.frameBytes(first).every((byte) => byte === 0)).toBe(true);
  });

  it('may differ from its source in places, which stay translated when the frame had them before', () => {
    const edits = [
      { offset: 6, bytes: Uint8Array.of(255, 254, 253) },
      { offset: 4090, bytes: Uint8Array.of(1, 2) },
    ];
    const wanted = memory.frameBytes(source).slice();
    for (const { offset, bytes } of edits) wanted.set(bytes, offset);
    const first = memory.copyCode(source, edits);
    expect(memory.frameBytes(first)).toEqual(wanted);
    memory.flags[first] = FRAME_EXECUTED;
    memory.frameBytes(first)[100] = 77;
    memory.release(first);
    expect(memory.copyCode(source, edits)).toBe(first);
    expect(memory.frameBytes(first)).toEqual(wanted);
    expect(mmu.dropped).toEqual([[first * PAGE_SIZE + 100, 1]]);
  });

  it('has each place as it is to be, however places and what else differs lie together', () => {
    for (let at = 0; at < 16; at++) {
      for (let other = 0; other < 24; other++) {
        const first = usedCopy(at, other);
        const edits = [
          { offset: at, bytes: Uint8Array.of(255, 255) },
          { offset: 20, bytes: Uint8Array.of(9) },
        ];
        const wanted = memory.frameBytes(source).slice();
        for (const { offset, bytes } of edits) wanted.set(bytes, offset);
        expect(memory.copyCode(source, edits)).toBe(first);
        expect(memory.frameBytes(first)).toEqual(wanted);
        memory.flags[first] = FRAME_EXECUTED;
        memory.release(first);
      }
    }
  });

  it('of a copy is one of the same source', () => {
    const first = memory.copyCode(source);
    const second = memory.copyCode(first);
    expect(memory.codeSource(second)).toBe(source);
    expect(memory.codeSource(source)).toBe(0);
  });

  it('is an ordinary free frame to a checkpoint', () => {
    const first = usedCopy();
    expect([...memory.extent().free]).toEqual([first]);
    expect(memory.allocate()).toBe(first);
  });
});
