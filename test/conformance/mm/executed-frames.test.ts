// SPDX-License-Identifier: MIT
//
// Written and executed memory, one way after the other, on the real engine: the newest bytes always run. The ways are
// those that engines have trouble with, see the README of src/mm.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../../src/base/addr.ts';
import * as M from '../../../src/abi/mman.ts';
import { AddressSpace, PhysicalMemory } from '../../../src/mm/address-space.ts';
import { TestFile } from '../../mm/test-file.ts';
import { EngineMachine } from './engine-machine.ts';

const A = 0x10000000;
const B = 0x20000000;
const RW = M.PROT_READ | M.PROT_WRITE;
const RX = M.PROT_READ | M.PROT_EXEC;
const RWX = RW | M.PROT_EXEC;
const PRIVATE = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_FIXED;
const SHARED = M.MAP_SHARED | M.MAP_FIXED;

/** mov $n,%eax; syscall */
const code = (n: number): Uint8Array => Uint8Array.of(0xb8, n, 0, 0, 0, 0x0f, 0x05);
/** Where in it the number is. */
const NUMBER = 1;

let machine: EngineMachine;
let memory: PhysicalMemory;
let mm: AddressSpace;

/** A memfd-like file of one page with code in it. */
function codeFile(n: number): TestFile {
  const bytes = new Uint8Array(PAGE_SIZE);
  bytes.set(code(n));
  return new TestFile(bytes, '/memfd:jit (deleted)');
}

beforeEach(() => {
  machine = new EngineMachine();
  memory = new PhysicalMemory(machine, 1024 * PAGE_SIZE);
  mm = new AddressSpace(memory);
});

afterEach(() => {
  mm.release();
  memory.dispose();
  expect(memory.usedFrames).toBe(0);
  machine.dispose();
});

describe('executed memory', () => {
  it('shows a store through the executed address', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RWX, flags: PRIVATE });
    mm.copyOut(A, code(1));
    expect(machine.call(mm, A)).toBe(1);
    for (let n = 2; n < 6; n++) {
      machine.store(mm, A + NUMBER, n);
      expect(machine.call(mm, A)).toBe(n);
    }
  });

  it('shows stores made while the page was writable and not executable', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RW, flags: PRIVATE });
    mm.copyOut(A, code(1));
    for (let n = 2; n < 6; n++) {
      mm.mprotect(A, PAGE_SIZE, RX);
      expect(machine.call(mm, A)).toBe(n - 1);
      mm.mprotect(A, PAGE_SIZE, RW);
      machine.store(mm, A + NUMBER, n);
    }
    expect(machine.call(mm, A)).toMatchObject({ signo: 11, code: 2 });
  });

  it('shows stores after write permission was added to an executed page, with execution kept', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RW, flags: PRIVATE });
    mm.copyOut(A, code(1));
    mm.mprotect(A, PAGE_SIZE, RX);
    expect(machine.call(mm, A)).toBe(1);
    mm.mprotect(A, PAGE_SIZE, RWX);
    machine.store(mm, A + NUMBER, 2);
    expect(machine.call(mm, A)).toBe(2);
    machine.store(mm, A + NUMBER, 3);
    expect(machine.call(mm, A)).toBe(3);
  });

  it.each([
    ['writable', RW, RX],
    ['writable and executable', RWX, RX],
    ['writable and executable through both', RWX, RWX],
  ])('shows stores through another address of the same frame that is %s', (_how, writeProt, runProt) => {
    const file = codeFile(1);
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: runProt, flags: SHARED, file });
    mm.mmap({ addr: B, length: PAGE_SIZE, prot: writeProt, flags: SHARED, file });
    expect(machine.call(mm, A)).toBe(1);
    for (let n = 2; n < 8; n++) {
      machine.store(mm, B + NUMBER, n);
      expect(machine.call(mm, A)).toBe(n);
      if ((writeProt & M.PROT_EXEC) !== 0) expect(machine.call(mm, B)).toBe(n);
      machine.store(mm, B + NUMBER, n + 100);
      machine.store(mm, B + NUMBER, n + 50);
      expect(machine.call(mm, A)).toBe(n + 50);
      if ((runProt & M.PROT_WRITE) !== 0) {
        machine.store(mm, A + NUMBER, n + 20);
        expect(machine.call(mm, B)).toBe(n + 20);
        expect(machine.call(mm, A)).toBe(n + 20);
      }
    }
  });

  it('shows stores that another address space makes to shared memory', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RWX, flags: SHARED | M.MAP_ANONYMOUS });
    mm.copyOut(A, code(1));
    const child = mm.fork();
    if (child === undefined) throw new Error('no memory');
    expect(machine.call(mm, A)).toBe(1);
    expect(machine.call(child, A)).toBe(1);
    for (let n = 2; n < 6; n++) {
      machine.store(child, A + NUMBER, n);
      expect(machine.call(mm, A)).toBe(n);
      machine.store(mm, A + NUMBER, n + 100);
      expect(machine.call(child, A)).toBe(n + 100);
      expect(machine.call(mm, A)).toBe(n + 100);
    }
    child.release();
  });

  it('shows stores through a shared mapping to whoever runs the file from a private one', () => {
    const file = codeFile(1);
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RX, flags: M.MAP_PRIVATE | M.MAP_FIXED, file });
    expect(machine.call(mm, A)).toBe(1);
    mm.mmap({ addr: B, length: PAGE_SIZE, prot: RW, flags: SHARED, file });
    machine.store(mm, B + NUMBER, 2);
    expect(machine.call(mm, A)).toBe(2);
    machine.store(mm, B + NUMBER, 3);
    expect(machine.call(mm, A)).toBe(3);
  });

  it('shows what the kernel copies out, writes to the file, and reads into fresh pages', () => {
    const file = codeFile(1);
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RX, flags: SHARED, file });
    expect(machine.call(mm, A)).toBe(1);
    expect(mm.copyOut(A + NUMBER, Uint8Array.of(2))).toBe(0);
    expect(mm.copyOut(A + NUMBER, Uint8Array.of(2), true)).toBe(1);
    expect(machine.call(mm, A)).toBe(2);
    file.write(NUMBER, Uint8Array.of(3));
    expect(machine.call(mm, A)).toBe(3);
    file.resize(0);
    expect(machine.call(mm, A)).toMatchObject({ signo: 7 });
    file.write(0, code(4));
    file.resize(PAGE_SIZE);
    expect(machine.call(mm, A)).toBe(4);
  });

  it('runs new code at an address that was unmapped and mapped again, on the same frame', () => {
    for (let n = 1; n < 6; n++) {
      mm.mmap({ addr: A, length: PAGE_SIZE, prot: RWX, flags: PRIVATE });
      mm.copyOut(A, code(n));
      expect(machine.call(mm, A)).toBe(n);
      const before = memory.usedFrames;
      mm.munmap(A, PAGE_SIZE);
      expect(memory.usedFrames).toBeLessThan(before);
    }
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RWX, flags: PRIVATE });
    // Zeroes: add %al,(%rax).
    expect(machine.call(mm, A)).toMatchObject({ signo: 11 });
  });

  it('runs new code on a frame that an executed page of a dead address space had', () => {
    const child = mm.fork();
    if (child === undefined) throw new Error('no memory');
    child.mmap({ addr: A, length: 8 * PAGE_SIZE, prot: RWX, flags: PRIVATE });
    for (let i = 0; i < 8; i++) {
      child.copyOut(A + i * PAGE_SIZE, code(i + 1));
      expect(machine.call(child, A + i * PAGE_SIZE)).toBe(i + 1);
    }
    child.release();
    mm.mmap({ addr: A, length: 8 * PAGE_SIZE, prot: RWX, flags: PRIVATE });
    for (let i = 0; i < 8; i++) {
      mm.copyOut(A + i * PAGE_SIZE, code(i + 101));
      expect(machine.call(mm, A + i * PAGE_SIZE)).toBe(i + 101);
    }
  });

  it('keeps parent and child apart when either writes to code that both have executed', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RWX, flags: PRIVATE });
    mm.copyOut(A, code(1));
    expect(machine.call(mm, A)).toBe(1);
    const child = mm.fork();
    if (child === undefined) throw new Error('no memory');
    expect(machine.call(child, A)).toBe(1);
    machine.store(child, A + NUMBER, 2);
    expect(machine.call(child, A)).toBe(2);
    expect(machine.call(mm, A)).toBe(1);
    child.release();
    machine.store(mm, A + NUMBER, 3);
    expect(machine.call(mm, A)).toBe(3);
  });

  it('patches a page of a file for one space only, and shares the rest', () => {
    const file = codeFile(1);
    const map = { addr: A, length: PAGE_SIZE, prot: RX, flags: M.MAP_PRIVATE | M.MAP_FIXED, file };
    const other = new AddressSpace(memory);
    mm.mmap(map);
    other.mmap(map);
    expect(machine.call(mm, A)).toBe(1);
    expect(machine.call(other, A)).toBe(1);
    expect(mm.physicalOf(A, 'execute')).toBe(other.physicalOf(A, 'execute'));
    expect(mm.copyOut(A + NUMBER, Uint8Array.of(2), true)).toBe(1);
    expect(machine.call(mm, A)).toBe(2);
    expect(machine.call(other, A)).toBe(1);
    expect(mm.copyOut(A + NUMBER, Uint8Array.of(3), true)).toBe(1);
    expect(machine.call(mm, A)).toBe(3);
    // The file itself has not changed, and dropping the copy shows it again.
    expect(file.contents()[NUMBER]).toBe(1);
    mm.madvise(A, PAGE_SIZE, M.MADV_DONTNEED);
    expect(machine.call(mm, A)).toBe(1);
    other.release();
  });

  it('runs what each space patched, where a page is copied into the frame of an earlier copy', () => {
    const bytes = new Uint8Array(PAGE_SIZE);
    const places = [0, 64, 128];
    for (const [i, place] of places.entries()) bytes.set(code(i + 1), place);
    const file = new TestFile(bytes, '/bin/program');
    let frame: number | undefined;
    for (let round = 0; round < 4; round++) {
      const space = new AddressSpace(memory);
      space.mmap({ addr: A, length: PAGE_SIZE, prot: RX, flags: M.MAP_PRIVATE | M.MAP_FIXED, file });
      const patched = round % places.length;
      for (const place of [patched, (patched + 1) % places.length]) {
        expect(space.copyOut(A + (places[place] as number) + NUMBER, Uint8Array.of(100 + round), true)).toBe(1);
        for (const [i, at] of places.entries()) {
          const isPatched = i === patched || i === place;
          expect(machine.call(space, A + at)).toBe(isPatched ? 100 + round : i + 1);
        }
      }
      frame ??= space.physicalOf(A, 'execute');
      expect(space.physicalOf(A, 'execute')).toBe(frame);
      space.release();
    }
  });

  it('shows stores made at another address that mremap gave the page', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RWX, flags: PRIVATE });
    mm.copyOut(A, code(1));
    expect(machine.call(mm, A)).toBe(1);
    const fixed = M.MREMAP_MAYMOVE | M.MREMAP_FIXED;
    for (let n = 2; n < 6; n++) {
      expect(mm.mremap(A, PAGE_SIZE, PAGE_SIZE, fixed, B)).toBe(B);
      machine.store(mm, B + NUMBER, n);
      expect(mm.mremap(B, PAGE_SIZE, PAGE_SIZE, fixed, A)).toBe(A);
      expect(machine.call(mm, A)).toBe(n);
    }
    expect(machine.call(mm, B)).toMatchObject({ signo: 11, code: 1 });
  });

  it('runs a program file that was written through a mapping before it was mapped for execution', () => {
    const file = codeFile(1);
    mm.mmap({ addr: B, length: PAGE_SIZE, prot: RW, flags: SHARED, file });
    machine.store(mm, B + NUMBER, 2);
    mm.munmap(B, PAGE_SIZE);
    expect(file.bytes[NUMBER]).toBe(2);
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RX, flags: M.MAP_PRIVATE | M.MAP_FIXED, file });
    expect(machine.call(mm, A)).toBe(2);
  });

  it('takes the rights of a page away at once', () => {
    mm.mmap({ addr: A, length: PAGE_SIZE, prot: RWX, flags: PRIVATE });
    mm.copyOut(A, code(1));
    expect(machine.call(mm, A)).toBe(1);
    mm.mprotect(A, PAGE_SIZE, RW);
    expect(machine.call(mm, A)).toMatchObject({ signo: 11, code: 2, addr: A });
    mm.mprotect(A, PAGE_SIZE, M.PROT_READ);
    expect(machine.store(mm, A, 1)).toMatchObject({ signo: 11, code: 2, addr: A });
    mm.mprotect(A, PAGE_SIZE, M.PROT_NONE);
    expect(machine.load(mm, A)).toMatchObject({ signo: 11, code: 2, addr: A });
    mm.munmap(A, PAGE_SIZE);
    expect(machine.load(mm, A)).toMatchObject({ signo: 11, code: 1, addr: A });
  });

  it('serves a store, a load and a fetch on fresh pages with one fault each', () => {
    mm.mmap({ addr: A, length: 64 * PAGE_SIZE, prot: RW, flags: PRIVATE });
    machine.store(mm, A, 1);
    const before = machine.faults;
    for (let i = 1; i < 64; i++) machine.store(mm, A + i * PAGE_SIZE, i);
    expect(machine.faults - before).toBe(63);
    for (let i = 1; i < 64; i++) expect(machine.load(mm, A + i * PAGE_SIZE)).toBe(i);
    expect(machine.faults - before).toBe(63);
  });
});
