// SPDX-License-Identifier: MIT
//
// A model of address spaces that knows neither frames nor page tables: a page is what was last written to it. Random
// sequences of memory calls, guest accesses, host copies and forks are compared with it on a machine that has a TLB
// and a code cache, so that a missing flush or invalidation is found as a wrong byte.

import fc from 'fast-check';
import { expect } from 'vitest';
import { PAGE_SIZE } from '../../src/base/addr.ts';
import { EACCES, EFAULT, EINVAL, ENOMEM } from '../../src/abi/errno.ts';
import * as M from '../../src/abi/mman.ts';
import { SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV } from '../../src/abi/signal.ts';
import { AddressSpace, type GuestFault, PhysicalMemory } from '../../src/mm/address-space.ts';
import type { Mmu } from '../../src/cpu/cpu.ts';
import { TestFile } from './test-file.ts';

const BASE = 0x10000000;
const PAGES = 6;
const FILE_PAGES = 3;
/** Where in each page the byte lies that counts. */
const IN_PAGE = 5;
/** Values are the opcodes of xchg %rax with the eight registers, so that an engine can show what it executed. */
const FIRST_VALUE = 0x90;
const MEMORY_PAGES = 800;
const ALL = M.PROT_READ | M.PROT_WRITE | M.PROT_EXEC;

/** Where a page's bytes live when they are shared: one cell per page of a file or of shared anonymous memory. */
interface Cell {
  value: number;
  exists: boolean;
}

interface ModelPage {
  prot: number;
  maxProt: number;
  shared: boolean;
  /** The page of the file behind it; undefined for private anonymous memory. */
  cell: Cell | undefined;
  /** The private copy's byte. */
  own: number | undefined;
}

class ModelSpace {
  readonly pages = new Map<number, ModelPage>();

  access(page: number, need: number): ModelPage | { signo: number; code: number } {
    const p = this.pages.get(page);
    if (p === undefined) return { signo: SIGSEGV, code: SEGV_MAPERR };
    const allowed = need === M.PROT_READ ? p.prot !== 0 : (p.prot & need) !== 0;
    if (!allowed) return { signo: SIGSEGV, code: SEGV_ACCERR };
    if (p.own === undefined && p.cell !== undefined && !p.cell.exists) return { signo: SIGBUS, code: 2 };
    return p;
  }

  read(p: ModelPage): number {
    return p.own ?? p.cell?.value ?? 0;
  }

  write(p: ModelPage, value: number): void {
    if (p.shared && p.cell !== undefined) p.cell.value = value;
    else p.own = value;
  }
}

type Op =
  | {
      kind: 'map';
      space: number;
      at: number;
      count: number;
      prot: number;
      backing: 'anon' | 'shm' | 'file-private' | 'file-shared' | 'file-shared-ro';
      from: number;
    }
  | { kind: 'unmap' | 'dontneed'; space: number; at: number; count: number }
  | { kind: 'protect'; space: number; at: number; count: number; prot: number }
  | { kind: 'remap'; space: number; at: number; count: number; to: number; newCount: number; keep: boolean }
  | { kind: 'load' | 'fetch' | 'copyIn'; space: number; at: number }
  | { kind: 'store' | 'copyOut' | 'force'; space: number; at: number; value: number }
  | { kind: 'fileWrite'; at: number; value: number }
  | { kind: 'truncate'; count: number }
  | { kind: 'sync' }
  | { kind: 'fork'; space: number }
  | { kind: 'exit'; space: number };

const page = fc.nat(PAGES - 1);
const count = fc.integer({ min: 1, max: 3 });
const space = fc.nat(2);
const prot = fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 3, 7, 5);
const value = fc.integer({ min: FIRST_VALUE, max: FIRST_VALUE + 7 });

const operation: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('map' as const),
      space,
      at: page,
      count,
      prot,
      backing: fc.constantFrom(
        'anon' as const,
        'shm' as const,
        'file-private' as const,
        'file-shared' as const,
        'file-shared-ro' as const,
      ),
      from: fc.nat(FILE_PAGES - 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('unmap' as const, 'dontneed' as const), space, at: page, count }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('protect' as const), space, at: page, count, prot }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('remap' as const),
      space,
      at: page,
      count,
      to: page,
      newCount: count,
      keep: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom('load' as const, 'fetch' as const, 'fetch' as const, 'copyIn' as const),
      space,
      at: page,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom('store' as const, 'store' as const, 'copyOut' as const, 'force' as const),
      space,
      at: page,
      value,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fileWrite' as const), at: fc.nat(FILE_PAGES - 1), value }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), count: fc.nat(FILE_PAGES) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'sync' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fork' as const), space }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('exit' as const), space }) },
);

/** A processor of which a test wants single accesses. The byte fetched is the one at `address`, as an instruction. */
export interface AccessMachine extends Mmu {
  load(mm: AddressSpace, address: number): number | GuestFault;
  store(mm: AddressSpace, address: number, value: number): GuestFault | undefined;
  fetch(mm: AddressSpace, address: number): number | GuestFault;
}

class Pair {
  readonly mmu: AccessMachine;
  readonly memory: PhysicalMemory;
  readonly file = new TestFile(new Uint8Array(FILE_PAGES * PAGE_SIZE));
  readonly cells: Cell[] = [];
  readonly spaces: { mm: AddressSpace; model: ModelSpace }[] = [];

  constructor(mmu: AccessMachine) {
    this.mmu = mmu;
    this.memory = new PhysicalMemory(mmu, MEMORY_PAGES * PAGE_SIZE);
    for (let i = 0; i < FILE_PAGES; i++) {
      const value = FIRST_VALUE + i;
      this.file.bytes[i * PAGE_SIZE + IN_PAGE] = value;
      this.cells.push({ value, exists: true });
    }
    this.spaces.push({ mm: new AddressSpace(this.memory), model: new ModelSpace() });
  }

  run(op: Op): void {
    if (op.kind === 'fileWrite') {
      const cell = this.cells[op.at] as Cell;
      if (cell.exists) {
        this.file.write(op.at * PAGE_SIZE + IN_PAGE, Uint8Array.of(op.value));
        cell.value = op.value;
      }
      return;
    }
    if (op.kind === 'truncate') {
      this.truncate(op.count);
      return;
    }
    if (op.kind === 'sync') {
      expect(this.file.pages.writeBack(this.file)).toBe(0);
      for (const [i, cell] of this.cells.entries())
        if (cell.exists) expect(this.file.bytes[i * PAGE_SIZE + IN_PAGE]).toBe(cell.value);
      return;
    }
    const target = this.spaces[op.space % this.spaces.length] as { mm: AddressSpace; model: ModelSpace };
    const { mm, model } = target;
    switch (op.kind) {
      case 'map':
        return this.map(mm, model, op);
      case 'unmap': {
        const n = Math.min(op.count, PAGES - op.at);
        expect(mm.munmap(BASE + op.at * PAGE_SIZE, n * PAGE_SIZE)).toBe(0);
        for (let i = 0; i < n; i++) model.pages.delete(op.at + i);
        return;
      }
      case 'dontneed': {
        const n = Math.min(op.count, PAGES - op.at);
        let hole = false;
        for (let i = op.at; i < op.at + n; i++) {
          const p = model.pages.get(i);
          if (p === undefined) hole = true;
          else if (!p.shared) p.own = undefined;
        }
        expect(mm.madvise(BASE + op.at * PAGE_SIZE, n * PAGE_SIZE, M.MADV_DONTNEED)).toBe(hole ? -ENOMEM : 0);
        return;
      }
      case 'protect':
        return this.protect(mm, model, op.at, Math.min(op.count, PAGES - op.at), op.prot);
      case 'remap':
        return this.remap(mm, model, op);
      case 'load':
      case 'fetch': {
        const got = op.kind === 'load' ? this.mmu.load(mm, address(op.at)) : this.mmu.fetch(mm, address(op.at));
        this.compare(got, model.access(op.at, op.kind === 'load' ? M.PROT_READ : M.PROT_EXEC), model);
        return;
      }
      case 'copyIn': {
        const into = new Uint8Array(1);
        const done = mm.copyIn(address(op.at), into);
        const p = model.access(op.at, M.PROT_READ);
        expect(done).toBe('signo' in p ? 0 : 1);
        if (!('signo' in p)) expect(into[0]).toBe(model.read(p));
        return;
      }
      case 'store': {
        const p = model.access(op.at, M.PROT_WRITE);
        const fault = this.mmu.store(mm, address(op.at), op.value);
        if ('signo' in p) expect(fault).toMatchObject(p);
        else {
          expect(fault).toBeUndefined();
          model.write(p, op.value);
        }
        return;
      }
      case 'copyOut':
      case 'force': {
        const forced = op.kind === 'force';
        const p = model.pages.get(op.at);
        const lost = p !== undefined && p.own === undefined && p.cell !== undefined && !p.cell.exists;
        const allowed = p !== undefined && !lost && ((forced ? p.maxProt : p.prot) & M.PROT_WRITE) !== 0;
        expect(mm.copyOut(address(op.at), Uint8Array.of(op.value), forced)).toBe(allowed ? 1 : 0);
        if (allowed) model.write(p, op.value);
        return;
      }
      case 'fork': {
        if (this.spaces.length >= 3) return;
        const child = mm.fork();
        expect(child).toBeDefined();
        if (child === undefined) return;
        const copy = new ModelSpace();
        for (const [i, p] of model.pages) copy.pages.set(i, { ...p });
        this.spaces.push({ mm: child, model: copy });
        return;
      }
      case 'exit':
        if (this.spaces.length < 2) return;
        mm.release();
        this.spaces.splice(op.space % this.spaces.length, 1);
    }
  }

  compare(got: number | GuestFault, p: ModelPage | { signo: number; code: number }, model: ModelSpace): void {
    if ('signo' in p) expect(got).toMatchObject(p);
    else expect(got).toBe(model.read(p));
  }

  map(mm: AddressSpace, model: ModelSpace, op: Op & { kind: 'map' }): void {
    const n = Math.min(op.count, PAGES - op.at);
    const isFile = op.backing.startsWith('file');
    const shared = op.backing === 'shm' || op.backing.startsWith('file-shared');
    const maxProt = op.backing === 'file-shared-ro' ? ALL & ~M.PROT_WRITE : ALL;
    const got = mm.mmap({
      addr: BASE + op.at * PAGE_SIZE,
      length: n * PAGE_SIZE,
      prot: op.prot,
      maxProt,
      flags: M.MAP_FIXED | (shared ? M.MAP_SHARED : M.MAP_PRIVATE) | (isFile ? 0 : M.MAP_ANONYMOUS),
      ...(isFile ? { file: this.file, offset: op.from * PAGE_SIZE } : {}),
    });
    if ((op.prot & ~maxProt) !== 0) {
      expect(got).toBe(-EACCES);
      return;
    }
    expect(got).toBe(BASE + op.at * PAGE_SIZE);
    for (let i = 0; i < n; i++) {
      const cell =
        op.backing === 'shm'
          ? this.#cellBehind(mm, op.at + i)
          : isFile
            ? (this.cells[op.from + i] ?? { value: 0, exists: false })
            : undefined;
      model.pages.set(op.at + i, { prot: op.prot, maxProt, shared, cell, own: undefined });
    }
  }

  protect(mm: AddressSpace, model: ModelSpace, at: number, n: number, wanted: number): void {
    let expected = 0;
    for (let i = at; i < at + n; i++) {
      const p = model.pages.get(i);
      if (p === undefined) {
        expected = -ENOMEM;
        break;
      }
      if ((wanted & ~p.maxProt) !== 0) {
        expected = -EACCES;
        break;
      }
      p.prot = wanted;
    }
    expect(mm.mprotect(BASE + at * PAGE_SIZE, n * PAGE_SIZE, wanted)).toBe(expected);
  }

  remap(mm: AddressSpace, model: ModelSpace, op: Op & { kind: 'remap' }): void {
    const n = Math.min(op.count, PAGES - op.at, op.keep ? PAGES - op.to : PAGES);
    const m = op.keep ? n : Math.min(op.newCount, PAGES - op.to);
    const to = BASE + op.to * PAGE_SIZE;
    const flags = M.MREMAP_MAYMOVE | M.MREMAP_FIXED | (op.keep ? M.MREMAP_DONTUNMAP : 0);
    const end = mm.findVma(BASE + op.at * PAGE_SIZE)?.end;
    const before = mm.mapsText();
    const got = mm.mremap(BASE + op.at * PAGE_SIZE, n * PAGE_SIZE, m * PAGE_SIZE, flags, to);
    const overlaps = op.at + n > op.to && op.to + m > op.at;
    // A move of the same size takes all areas with it; another must stay within one.
    const fits = end !== undefined && (n === m || end >= BASE + (op.at + Math.min(n, m)) * PAGE_SIZE);
    if (overlaps || !fits) {
      expect(got).toBe(overlaps ? -EINVAL : -EFAULT);
      expect(mm.mapsText()).toBe(before);
      return;
    }
    expect(got).toBe(to);
    const first = model.pages.get(op.at) as ModelPage;
    if (n !== m) for (let i = 0; i < m; i++) model.pages.delete(op.to + i);
    for (let i = m; i < n; i++) model.pages.delete(op.at + i);
    for (let i = 0; i < m; i++) {
      const old = i < n ? model.pages.get(op.at + i) : undefined;
      if (old !== undefined) {
        model.pages.set(op.to + i, { ...old });
        if (op.keep) old.own = undefined;
        else model.pages.delete(op.at + i);
      } else if (i >= n) {
        model.pages.set(op.to + i, { ...first, own: undefined, cell: this.#cellBehind(mm, op.to + i) });
      }
    }
  }

  /** The cell of a page that mremap added at the end of a file mapping; shared anonymous memory ends with SIGBUS. */
  #cellBehind(mm: AddressSpace, at: number): Cell | undefined {
    const vma = mm.findVma(address(at));
    if (vma?.file === undefined) return undefined;
    const index = (vma.offset + (BASE + at * PAGE_SIZE - vma.start)) / PAGE_SIZE;
    if (vma.file === this.file) return this.cells[index] ?? { value: 0, exists: false };
    return this.#shmCell(vma.file, index);
  }

  readonly #shm = new Map<object, Map<number, Cell>>();

  #shmCell(file: { sizeInBytes(): number }, index: number): Cell {
    const cells = this.#shm.get(file) ?? new Map<number, Cell>();
    this.#shm.set(file, cells);
    const known = cells.get(index);
    if (known !== undefined) return known;
    const cell = { value: 0, exists: index * PAGE_SIZE < file.sizeInBytes() };
    cells.set(index, cell);
    return cell;
  }

  truncate(pages: number): void {
    this.file.resize(pages * PAGE_SIZE);
    for (const [i, cell] of this.cells.entries()) {
      const exists = i < pages;
      if (exists && !cell.exists) cell.value = 0;
      if (!exists && cell.exists) {
        // Private copies of pages that were cut off go with them.
        for (const { model } of this.spaces)
          for (const p of model.pages.values()) if (p.cell === cell) p.own = undefined;
      }
      cell.exists = exists;
    }
  }

  finish(): void {
    for (const { mm } of this.spaces) mm.release();
    this.memory.dispose();
    expect(this.memory.usedFrames).toBe(0);
    expect(this.memory.tableFrames).toBe(0);
  }
}

function address(at: number): number {
  return BASE + at * PAGE_SIZE + IN_PAGE;
}

/** Checks that `runs` random sequences on machines of `make` agree with the model and give all frames back. */
export function checkAgainstModel(make: () => AccessMachine & { dispose?(): void }, runs: number, seed: number): void {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 20, maxLength: 250, size: 'max' }), (operations) => {
      const machine = make();
      try {
        const pair = new Pair(machine);
        for (const op of operations) pair.run(op);
        pair.finish();
      } finally {
        machine.dispose?.();
      }
    }),
    { numRuns: runs, seed },
  );
}

/**
 * Runs random sequences in so little memory that any step may fail for want of it, and checks what must hold
 * all the same: nothing throws, a page that can be read holds something that was once written to it or zero, and all
 * frames come back.
 */
export function checkInLittleMemory(
  make: () => AccessMachine & { dispose?(): void },
  runs: number,
  seed: number,
): void {
  fc.assert(
    fc.property(
      fc.array(operation, { minLength: 20, maxLength: 250, size: 'max' }),
      fc.integer({ min: 16, max: 30 }),
      (operations, pages) => {
        const machine = make();
        try {
          const memory = new PhysicalMemory(machine, pages * PAGE_SIZE);
          const file = new TestFile(new Uint8Array(FILE_PAGES * PAGE_SIZE));
          const spaces = [new AddressSpace(memory)];
          for (const op of operations) {
            tryOut(machine, file, spaces, op);
            expect(memory.usedFrames).toBeLessThanOrEqual(pages);
          }
          for (const mm of spaces) mm.release();
          memory.dispose();
          expect(memory.usedFrames).toBe(0);
        } finally {
          machine.dispose?.();
        }
      },
    ),
    { numRuns: runs, seed },
  );
}

function tryOut(machine: AccessMachine, file: TestFile, spaces: AddressSpace[], op: Op): void {
  const mm = spaces['space' in op ? op.space % spaces.length : 0] as AddressSpace;
  const at = BASE + ('at' in op ? op.at : 0) * PAGE_SIZE;
  const length = 'count' in op ? op.count * PAGE_SIZE : PAGE_SIZE;
  const known = (got: number | GuestFault): void => {
    if (typeof got === 'number' && got !== 0) expect(got & ~7).toBe(FIRST_VALUE);
  };
  switch (op.kind) {
    case 'map': {
      const isFile = op.backing.startsWith('file');
      const shared = op.backing === 'shm' || op.backing.startsWith('file-shared');
      const flags = M.MAP_FIXED | (shared ? M.MAP_SHARED : M.MAP_PRIVATE) | (isFile ? 0 : M.MAP_ANONYMOUS);
      mm.mmap({ addr: at, length, prot: op.prot, flags, ...(isFile ? { file, offset: op.from * PAGE_SIZE } : {}) });
      return;
    }
    case 'unmap':
      mm.munmap(at, length);
      return;
    case 'dontneed':
      mm.madvise(at, length, M.MADV_DONTNEED);
      return;
    case 'protect':
      mm.mprotect(at, length, op.prot);
      return;
    case 'remap':
      mm.mremap(at, length, op.newCount * PAGE_SIZE, M.MREMAP_MAYMOVE | M.MREMAP_FIXED, BASE + op.to * PAGE_SIZE);
      return;
    case 'load':
      return known(machine.load(mm, at + IN_PAGE));
    case 'fetch':
      return known(machine.fetch(mm, at + IN_PAGE));
    case 'copyIn':
      mm.copyIn(at + IN_PAGE, new Uint8Array(PAGE_SIZE));
      return;
    case 'store':
      machine.store(mm, at + IN_PAGE, op.value);
      return;
    case 'copyOut':
    case 'force':
      mm.copyOut(at + IN_PAGE, Uint8Array.of(op.value), op.kind === 'force');
      return;
    case 'fileWrite':
      file.write(op.at * PAGE_SIZE + IN_PAGE, Uint8Array.of(op.value));
      return;
    case 'truncate':
      file.resize(op.count * PAGE_SIZE);
      return;
    case 'sync':
      file.pages.writeBack(file);
      return;
    case 'fork': {
      const child = mm.fork();
      if (child !== undefined) spaces.push(child);
      return;
    }
    case 'exit':
      if (spaces.length < 2) return;
      mm.release();
      spaces.splice(spaces.indexOf(mm), 1);
  }
}
