// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';

import { HARDENED_GUARDS, UPSTREAM_GUARDS } from '../../src/usertrap/guards.ts';
import type { Guards } from '../../src/usertrap/guards.ts';
import { drain } from '../../src/usertrap/steps.ts';
import { allocateTrap, commitTrap, tableCapacity, usedSlots } from '../../src/usertrap/trap-table.ts';
import { FlatSpace } from './flat-space.ts';

const SITE = { address: 0x401000, sysno: 39 };

/** Allocates until it fails; the indices and the failure. */
function fill(space: FlatSpace, guards: Guards): { indices: number[]; end: string } {
  const indices: number[] = [];
  for (;;) {
    const trap = drain(allocateTrap(SITE, guards), space);
    if (typeof trap === 'string') return { indices, end: trap };
    indices.push(trap.index);
    if (guards.keepFailedSlot) drain(commitTrap(trap), space);
  }
}

function header(space: FlatSpace): number {
  const bytes = space.read(space.base, 4) ?? new Uint8Array(4);
  return new DataView(bytes.buffer).getUint32(0, true);
}

const CROSSING = [51, 102, 153, 204];

describe('allocateTrap', () => {
  it('maps a table at a page of the window at the first use and counts from 1', () => {
    const space = new FlatSpace();
    space.random = 0x9abc;
    const trap = drain(allocateTrap(SITE, UPSTREAM_GUARDS), space);
    expect(trap).toMatchObject({ base: 0x69000, index: 1, address: 0x69050 });
    expect(header(space)).toBe(2);
  });

  it('upstream: hands out 250 slots, then index 256 behind the table, then none', () => {
    const space = new FlatSpace();
    const { indices, end } = fill(space, UPSTREAM_GUARDS);
    expect(end).toBe('no-space');
    expect(indices).toHaveLength(251);
    expect(indices.slice(-2)).toEqual([254, 256]);
    for (const index of [...CROSSING, 255]) expect(indices).not.toContain(index);
    expect(tableCapacity(UPSTREAM_GUARDS)).toBe(250);
  });

  it('hardened: hands out 251 slots, 255 included, then none', () => {
    const space = new FlatSpace();
    const { indices, end } = fill(space, HARDENED_GUARDS);
    expect(end).toBe('no-space');
    expect(indices).toHaveLength(251);
    expect(indices.at(-1)).toBe(255);
    for (const index of CROSSING) expect(indices).not.toContain(index);
    expect(tableCapacity(HARDENED_GUARDS)).toBe(251);
    expect(usedSlots(space.next, HARDENED_GUARDS)).toBe(251);
  });

  it('hardened: a slot that was not committed is handed out again', () => {
    const space = new FlatSpace();
    const first = drain(allocateTrap(SITE, HARDENED_GUARDS), space);
    expect(drain(allocateTrap(SITE, HARDENED_GUARDS), space)).toEqual(first);
  });

  it('upstream: a slot is used up whatever happens to it', () => {
    const space = new FlatSpace();
    drain(allocateTrap(SITE, UPSTREAM_GUARDS), space);
    expect(drain(allocateTrap(SITE, UPSTREAM_GUARDS), space)).toMatchObject({ index: 2 });
  });

  it('upstream: a fresh space goes on from the header of a table that it finds', () => {
    const space = new FlatSpace();
    space.map(0x63000, 0x5000, { isTable: true });
    space.write(0x63000, [9, 0, 0, 0]);
    expect(drain(allocateTrap(SITE, UPSTREAM_GUARDS), space)).toMatchObject({ base: 0x63000, index: 9 });
    expect(header(space)).toBe(10);
  });

  it('upstream: a header of 0 makes slot 0, over the header', () => {
    const space = new FlatSpace();
    space.map(0x63000, 0x5000, { isTable: true });
    expect(drain(allocateTrap(SITE, UPSTREAM_GUARDS), space)).toMatchObject({ index: 0, address: 0x63000 });
  });

  it('upstream: a table whose header cannot be read serves no one', () => {
    const space = new FlatSpace();
    space.map(0x63000, 0x5000, { isTable: true, readable: false });
    expect(drain(allocateTrap(SITE, UPSTREAM_GUARDS), space)).toBe('table-unreadable');
  });

  it('upstream: the table replaces what the guest has mapped; hardened goes where nothing is', () => {
    for (const [guards, base] of [
      [UPSTREAM_GUARDS, 0x60000],
      [HARDENED_GUARDS, 0x62000],
    ] as const) {
      const space = new FlatSpace();
      space.map(0x58000, 0xa000);
      expect(drain(allocateTrap(SITE, guards), space)).toMatchObject({ base });
    }
  });

  it('hardened: without room in the window there is no table', () => {
    const space = new FlatSpace();
    space.map(0x64000, 0x1000);
    space.map(0x69000, 0x1000);
    space.map(0x6e000, 0x1000);
    expect(drain(allocateTrap(SITE, HARDENED_GUARDS), space)).toBe('no-room-for-table');
  });
});
