// SPDX-License-Identifier: MIT
//
// A page of a file that a process has had patched comes patched to the next process of the same user that maps it at the
// same address; nobody else gets anything of it.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../src/abi/mman.ts';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import { fromHex } from '../../src/base/bytes.ts';
import type { AddressSpace } from '../../src/mm/address-space.ts';
import type { Guards } from '../../src/usertrap/guards.ts';
import { TRAP_BYTES, TRAP_USED_BYTES, trapBytes } from '../../src/usertrap/layout.ts';

import { trapsOf } from '../conformance/usertrap/invariant-observer.ts';
import { TestFile } from '../mm/test-file.ts';
import { call, END, GETPID, GETUID, Machine, TEXT, UID } from './machine.ts';
import type { Guest } from './machine.ts';

const LIBRARY = 0x700000;
const SECOND = LIBRARY + PAGE_SIZE;
/** Two sites in the first page, behind a byte that the stub reads with the first, one in the second; the way from one to the next is a jump. */
const FIRST_PAGE = `90 ${call(GETPID)} ${call(GETUID)} e9 ec 0f 00 00`;
const SECOND_PAGE = `${call(GETPID)} ${END}`;
const SITES = [LIBRARY + 1, LIBRARY + 8, SECOND];

/** A process of a certain user. */
function guestOf(trust: number): Guest {
  return Object.assign(m.newGuest(m.newSpace()), { trust });
}

let m: Machine;
let file: TestFile;

function start(guards: Partial<Guards> = {}): void {
  m = new Machine('hardened', { guards });
  const bytes = new Uint8Array(2 * PAGE_SIZE);
  bytes.set(fromHex(FIRST_PAGE));
  bytes.set(fromHex(SECOND_PAGE), PAGE_SIZE);
  file = new TestFile(bytes);
}

function mapLibrary(mm: AddressSpace, at = LIBRARY, prot = PROT_READ | PROT_EXEC): void {
  const { length } = file.bytes;
  expect(mm.mmap({ addr: at, length, prot, flags: MAP_PRIVATE | MAP_FIXED, file, offset: 0 })).toBe(at);
}

/** A process that has executed the library `times` times; how many of its calls trapped, the last one left out. */
function run(times = 1, guest = m.newGuest(m.newSpace()), at = LIBRARY): number {
  if (guest.mm.findVma(at) === undefined) mapLibrary(guest.mm, at);
  m.calls.length = 0;
  for (let i = 0; i < times; i++) m.run(at, guest);
  const calls = m.calls.filter(({ sysno }) => sysno === GETPID || sysno === GETUID);
  expect(calls.map(({ sysno }) => sysno)).toEqual(Array.from({ length: times }, () => [GETPID, GETUID, GETPID]).flat());
  return calls.filter(({ patched }) => !patched).length;
}

beforeEach(() => start());
afterEach(() => m.dispose());

describe('sites that another process has had patched', () => {
  it('do not trap in the next process, and make the same calls', () => {
    expect(run(2)).toBe(3);
    expect(run()).toBe(0);
    expect(run()).toBe(0);
  });

  it('trap in each process where they are not shared', () => {
    m.dispose();
    start({ shareSites: false });
    expect(run()).toBe(3);
    expect(run()).toBe(3);
  });

  it('have the same slots in every table, which holds what was made for them', () => {
    run();
    const guest = m.newGuest(m.newSpace());
    run(1, guest);
    const sites = [...trapsOf(guest).bySlot.values()];
    expect(sites.map(({ address }) => address)).toEqual(SITES);
    for (const { slot, address, sysno } of sites) {
      expect(m.peek(slot, TRAP_USED_BYTES, guest.mm)).toEqual(trapBytes(slot, address + 7, sysno));
    }
    expect(m.platform.metrics().sites.map(({ address, calls }) => [address, calls])).toEqual(SITES.map((s) => [s, 1]));
  });

  it('trap in a process of another user, and in one whose rights are not its user’s', () => {
    run();
    expect(run(1, guestOf(UID + 1))).toBe(3);
    expect(run(1, guestOf(UID + 1))).toBe(0);
    expect(run(1, guestOf(-1))).toBe(3);
    expect(run(1, guestOf(-1))).toBe(3);
  });

  it('do not trap where the page is mapped elsewhere, and return there', () => {
    run();
    const guest = m.newGuest(m.newSpace());
    expect(run(2, guest, LIBRARY + 0x10000)).toBe(0);
    mapLibrary(guest.mm);
    expect(run(2, guest)).toBe(0);
    expect(new Set(trapsOf(guest).bySlot.keys()).size).toBe(6);
  });

  it('trap where the file has other bytes by now', () => {
    run();
    file.bytes[2] = GETUID;
    file.pages.overlayWrite(0, file.bytes.slice(0, PAGE_SIZE));
    const guest = m.newGuest(m.newSpace());
    mapLibrary(guest.mm);
    m.calls.length = 0;
    m.run(LIBRARY, guest);
    expect(m.calls.slice(0, 3).map(({ sysno, patched }) => [sysno, patched])).toEqual([
      [GETUID, false],
      [GETUID, true],
      [GETPID, true],
    ]);
  });

  it('do not trap where the table lies elsewhere, and trap where there is no room for one', () => {
    run();
    const [elsewhere, none] = [m.newGuest(m.newSpace()), m.newGuest(m.newSpace())];
    m.map(0x60000, PAGE_SIZE, PROT_READ, elsewhere.mm);
    m.map(0x6f000, PAGE_SIZE, PROT_READ, elsewhere.mm);
    expect(run(2, elsewhere)).toBe(0);
    m.map(0x60000, 0x10000, PROT_READ, none.mm);
    expect(run(2, none)).toBe(6);
  });

  it('that need more slots than the table has are patched as far as it goes, and the others trap', () => {
    const sites = 300;
    const bytes = new Uint8Array(PAGE_SIZE);
    bytes.set(fromHex(`90 ${call(GETPID).repeat(sites)} ${END}`));
    file = new TestFile(bytes);
    for (const expected of [[sites], [sites - 251, sites - 250]]) {
      const guest = m.newGuest(m.newSpace());
      mapLibrary(guest.mm);
      m.calls.length = 0;
      m.run(LIBRARY, guest);
      const calls = m.calls.filter(({ sysno }) => sysno === GETPID);
      expect(calls.length).toBe(sites);
      expect(expected).toContain(calls.filter(({ patched }) => !patched).length);
    }
  });

  it('are not in code that the process may write', () => {
    run();
    const guest = m.newGuest(m.newSpace());
    mapLibrary(guest.mm, LIBRARY, PROT_READ | PROT_WRITE | PROT_EXEC);
    expect(m.peek(LIBRARY, 16, guest.mm)).toEqual(file.bytes.slice(0, 16));
  });

  it('get their own bytes back for a tracer, and a process that has one gets none', () => {
    run();
    const traced = m.newGuest(m.newSpace());
    traced.hasTracer = true;
    m.platform.tracerChanged(traced);
    expect(run(1, traced)).toBe(3);
    const guest = m.newGuest(m.newSpace());
    run(1, guest);
    guest.hasTracer = true;
    m.platform.tracerChanged(guest);
    expect(m.peek(LIBRARY, 16, guest.mm)).toEqual(file.bytes.slice(0, 16));
    expect(run(1, guest)).toBe(3);
  });

  it('get their own bytes back before the program edits them, and come again with the page', () => {
    run();
    const guest = m.newGuest(m.newSpace());
    run(1, guest);
    guest.mm.mprotect(LIBRARY, PAGE_SIZE, PROT_READ | PROT_WRITE);
    expect(m.peek(LIBRARY, 16, guest.mm)).toEqual(file.bytes.slice(0, 16));
    guest.mm.munmap(LIBRARY, 2 * PAGE_SIZE);
    expect(run(1, guest)).toBe(0);
  });

  it('leave the slots of other sites alone, whichever were patched first', () => {
    run();
    // Sites of its own take slots before the library comes.
    const guest = m.newGuest(m.newSpace());
    let at = m.poke(TEXT, '90', guest.mm);
    for (let i = 0; i < 5; i++) at = m.poke(at, call(GETPID), guest.mm);
    m.poke(at, END, guest.mm);
    m.run(TEXT, guest);
    expect(run(1, guest)).toBe(0);
    const slots = [...trapsOf(guest).bySlot.keys()];
    expect(new Set(slots).size).toBe(8);
    expect(slots.every((slot) => (slot - trapsOf(guest).base) % TRAP_BYTES === 0)).toBe(true);
    m.calls.length = 0;
    m.run(TEXT, guest);
    expect(m.calls.slice(0, 5).every(({ sysno, patched }) => sysno === GETPID && patched)).toBe(true);
  });
});
